package lab

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"yolk/tools/internal/judge"
	"yolk/tools/internal/tree"
)

// root is the source tree, as seen from this directory.
var root = filepath.Join("..", "..", "..")

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// labs loads all labs of the tree.
func labs(t *testing.T) (list []*Lab) {
	t.Helper()
	names, err := Names(root)
	ok(t, err)
	for _, name := range names {
		l, err := Load(root, name)
		ok(t, err)
		list = append(list, l)
	}
	if len(list) < 4 {
		t.Fatalf("%d labs", len(list))
	}
	return list
}

// TestLabs: what a lab's data names exists, tasks and marks belong together, and
// the points sum up.
func TestLabs(t *testing.T) {
	marks, err := Marks(root)
	ok(t, err)
	goTests, symbols := declared(t)
	guest := usertests(t)
	for _, l := range labs(t) {
		if points, robust := l.Points(); points != 100 || robust < 20 || robust > 40 {
			t.Errorf("%s: %d points, %d of them for robustness", l.Name, points, robust)
		}
		if l.Title == "" || len(l.Boot) == 0 || !regexp.MustCompile(`^\d+\.\d+\.\d+$`).MatchString(l.Version) {
			t.Errorf("%s: title %q, version %q, boot %q", l.Name, l.Title, l.Version, l.Boot)
		}
		defects, err := l.Defects(root)
		ok(t, err)
		tasks := map[int]bool{}
		for _, d := range defects {
			tasks[d.Task] = false
		}
		for _, m := range marks {
			if m.Lab == l.Name && m.Task > 0 {
				tasks[m.Task] = false
			}
		}
		seen := map[string]bool{}
		for _, c := range l.Tests {
			if seen[c.Name()] || c.Points < 1 || c.Want == "" {
				t.Errorf("%s: test %s: named twice, worth nothing or without a word", l.Name, c.Name())
			}
			seen[c.Name()] = true
			if _, known := tasks[c.Task]; !known {
				t.Errorf("%s: %s belongs to task %d, which no function is marked with", l.Name, c.Name(), c.Task)
			}
			tasks[c.Task] = true
			if !goTests[withoutSubtest.FindString(c.Unit)] && !guest[c.Guest] && judge.Lookup(c.Outside) == nil || !symbols[c.Look] {
				t.Errorf("%s: %s does not exist, or %s", l.Name, c.Name(), c.Look)
			}
		}
		for task := 1; task <= len(tasks); task++ {
			if !tasks[task] {
				t.Errorf("%s: no points for task %d", l.Name, task)
			}
		}
	}
	for _, m := range marks {
		if _, err := Load(root, m.Lab); err != nil {
			t.Errorf("%s:%d is marked for a lab that is not there: %v", m.File, m.Line, err)
		}
	}
}

// TestDefects: a lab's defects fit the source and each other, and are in files that
// its students may change.
func TestDefects(t *testing.T) {
	marks, err := Marks(root)
	ok(t, err)
	tests, _ := declared(t)
	found := 0
	for _, l := range labs(t) {
		defects, err := l.Defects(root)
		ok(t, err)
		found += len(defects)
		for _, d := range defects {
			for _, e := range d.Edits {
				text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(e.File)))
				ok(t, err)
				if _, err := seed(defects, e.File, text); err != nil || !slices.Contains(l.Files(marks), e.File) {
					t.Errorf("%s: %q: %v, or %s is not the student's", l.Name, d.Name, err, e.File)
				}
			}
			if d.Case == "" || slices.ContainsFunc(d.Also, func(name string) bool { return !tests[strings.Replace(name, "/", " ", 1)] }) {
				t.Errorf("%s: %q is without a case, or one of %q is no test", l.Name, d.Name, d.Also)
			}
		}
	}
	if found < 6 {
		t.Errorf("%d defects", found)
	}
}

// withoutSubtest matches a Unit up to the subtest's name.
var withoutSubtest = regexp.MustCompile(`^[\w/]+ \w+`)

// declared finds the tests of the tree, "mm TestX", and its functions,
// mm.Type.Name.
func declared(t *testing.T) (tests, symbols map[string]bool) {
	t.Helper()
	tests, symbols = map[string]bool{}, map[string]bool{}
	files, err := tree.Files(root)
	ok(t, err)
	for _, name := range files {
		top, _, _ := strings.Cut(name, "/")
		if path.Ext(name) != ".go" || !slices.Contains([]string{"mm", "kernel", "arch", "boot", "userland"}, top) && !strings.HasPrefix(name, Dir+"/") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, filepath.FromSlash(name)), nil, parser.SkipObjectResolution)
		ok(t, err)
		for _, d := range f.Decls {
			fn, isFunc := d.(*ast.FuncDecl)
			if !isFunc {
				continue
			}
			if strings.HasSuffix(name, "_test.go") {
				tests[path.Dir(name)+" "+fn.Name.Name] = true
			} else {
				symbols[path.Base(path.Dir(name))+"."+FuncName(fn)] = true
			}
		}
	}
	return tests, symbols
}

// usertests finds the names of the guest's tests in their source.
func usertests(t *testing.T) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	files, err := filepath.Glob(filepath.Join(root, "userland", "usertests", "*.go"))
	ok(t, err)
	row := regexp.MustCompile(`(?m)^\t\t\{"([\w-]+)", (?:portable|yolk|lazyFork), \w+\},$`)
	for _, file := range files {
		b, err := os.ReadFile(file)
		ok(t, err)
		for _, m := range row.FindAllSubmatch(b, -1) {
			names[string(m[1])] = true
		}
	}
	return names
}

// TestLoadErrors: a lab that is not there is said to be that, and data that says
// more than it may is refused.
func TestLoadErrors(t *testing.T) {
	for _, name := range []string{"nonesuch", "", "../lab", "COW"} {
		if _, err := Load(root, name); !errors.Is(err, ErrNoLab) {
			t.Errorf("%q: %v", name, err)
		}
	}
	dir := t.TempDir()
	ok(t, tree.Write(dir, Dir+"/a/"+DataFile, []byte(`{"title": "x", "pionts": 5}`)))
	if _, err := Load(dir, "a"); err == nil || errors.Is(err, ErrNoLab) {
		t.Errorf("a field that is misspelt: %v", err)
	}
}

// TestNamesInOrder: the labs come in the order of the course, others behind.
func TestNamesInOrder(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"own", "cow", "boot", "paging"} {
		ok(t, tree.Write(dir, Dir+"/"+name+"/"+DataFile, nil))
	}
	names, err := Names(dir)
	if err != nil || !slices.Equal(names, []string{"boot", "paging", "cow", "own"}) {
		t.Errorf("%q, %v", names, err)
	}
}

// lefts returns the wrong solutions that a lab has by its defects.
func lefts(t *testing.T, l *Lab) (list []Wrong) {
	t.Helper()
	defects, err := l.Defects(root)
	ok(t, err)
	for i := range defects {
		list = append(list, l.Left(&defects[i]))
	}
	return list
}

// TestWrongs: every wrong solution fits the source, touches the student's files
// only and is said to fail tests that exist.
func TestWrongs(t *testing.T) {
	marks, err := Marks(root)
	ok(t, err)
	for _, l := range labs(t) {
		list, err := l.Wrongs(root)
		ok(t, err)
		list = append(list, lefts(t, l)...)
		if len(list) < 8 {
			t.Errorf("%s: %d wrong solutions, want 8 at least", l.Name, len(list))
		}
		files := l.Files(marks)
		seen := map[string]bool{}
		for _, w := range list {
			dir := t.TempDir()
			for _, name := range files {
				b, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(name)))
				ok(t, err)
				ok(t, tree.Write(dir, name, b))
			}
			if err := w.Apply(dir); err != nil {
				t.Errorf("%s: %v", l.Name, err)
			}
			if seen[w.Name] || w.Case == "" || len(w.Fails) == 0 {
				t.Errorf("%s: %q is there twice, without a case, or fails nothing", l.Name, w.Name)
			}
			seen[w.Name] = true
			for _, name := range slices.Concat(w.Fails, w.May) {
				if !slices.ContainsFunc(l.Tests, func(c Test) bool { return c.Name() == name }) {
					t.Errorf("%s: %q fails %q, which is no test", l.Name, w.Name, name)
				}
			}
		}
	}
}
