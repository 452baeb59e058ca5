package lab

import (
	"bytes"
	"go/ast"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"yolk/tools/internal/tree"
)

// starterOf makes the starter tree of a lab out of the tree as it is on disk.
func starterOf(t *testing.T, l *Lab) (dir string) {
	t.Helper()
	dir = t.TempDir()
	files, err := tree.Files(root)
	ok(t, err)
	ok(t, l.Write(root, dir, files, "abc"))
	return dir
}

// TestNoTraceOfTheSolution: of the lines that the emptied functions are made of,
// those that stand nowhere else in the reference stand nowhere in the starter:
// not in comments, tests, mutants or data.
func TestNoTraceOfTheSolution(t *testing.T) {
	all := contents(t, root)
	var known strings.Builder // all Go source
	for name, text := range all {
		if path.Ext(name) == ".go" {
			known.WriteString(squeeze(text))
		}
	}
	for _, l := range labs(t) {
		secret := map[string]int{} // lines of the solution
		marks, err := Marks(root)
		ok(t, err)
		for _, file := range l.Files(marks) {
			s, err := parse(file, []byte(all[file]))
			ok(t, err)
			for _, f := range s.funcs {
				if f.of(l.Name) != nil {
					for line := range strings.Lines(body(s, f.decl)) {
						secret[squeeze(line)]++
					}
				}
			}
		}
		for line := range mended(t, l) {
			secret[squeeze(line)]++
		}
		for line, n := range secret {
			if len(line) < 20 || strings.HasPrefix(line, "//") || strings.Count(known.String(), line) > n {
				delete(secret, line) // too short to tell anything, or known from elsewhere
			}
		}
		if len(secret) == 0 {
			t.Errorf("%s: nothing to look for", l.Name)
		}
		for name, text := range contents(t, starterOf(t, l)) {
			text = squeeze(text)
			for line := range secret {
				if strings.Contains(text, line) {
					t.Errorf("%s: %s still says %q", l.Name, name, line)
				}
			}
		}
	}
}

// mended returns the lines that a lab's defects have taken out.
func mended(t *testing.T, l *Lab) map[string]bool {
	t.Helper()
	lines := map[string]bool{}
	defects, err := l.Defects(root)
	ok(t, err)
	for _, d := range defects {
		for _, e := range d.Edits {
			for line := range strings.Lines(e.Old) {
				if !strings.Contains(e.New, strings.TrimSuffix(line, "\n")) {
					lines[line] = true
				}
			}
		}
	}
	return lines
}

func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	files, err := tree.Files(dir)
	ok(t, err)
	all := map[string]string{}
	for _, name := range files {
		b, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(name)))
		ok(t, err)
		all[name] = string(b)
	}
	return all
}

func body(s *source, fn *ast.FuncDecl) string {
	return string(s.text[s.offset(fn.Body.Lbrace)+1 : s.offset(fn.Body.Rbrace)])
}

// squeeze takes out what indents and quotes a line.
func squeeze(s string) string {
	return strings.NewReplacer("\t", "", "\n", "", "\\t", "", "\\n", "", "\\u0026", "&", "\\u003c", "<", "\\u003e", ">").Replace(strings.TrimSpace(s))
}

// TestStarter: what a starter tree is made of.
func TestStarter(t *testing.T) {
	l, err := Load(root, "cow")
	ok(t, err)
	dir := starterOf(t, l)
	r, err := ReadRecord(dir)
	ok(t, err)
	if r.Lab != "cow" || r.Version != l.Version || r.Reference != "abc" || strings.Join(r.Files, " ") != "mm/fault.go mm/fork.go" {
		t.Errorf("record %+v", r)
	}
	handout, err := os.ReadFile(filepath.Join(dir, Handout))
	original, _ := os.ReadFile(filepath.Join(root, filepath.FromSlash(Dir), "cow", "README.md"))
	if err != nil || !bytes.Equal(handout, original) {
		t.Errorf("handout: %v", err)
	}
	names, err := Names(dir)
	if err != nil || len(names) != 1 || names[0] != "cow" {
		t.Errorf("labs %q, %v", names, err)
	}
	marks, err := Marks(dir)
	ok(t, err)
	for _, m := range marks {
		text, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(m.File)))
		if err != nil || m.Lab != "cow" || !strings.Contains(string(text), m.Panic()) {
			t.Errorf("mark %+v, %v", m, err)
		}
	}
	for name := range contents(t, dir) {
		if base := path.Base(name); base == WrongFile || base == DefectsFile || base == "mutants.json" || strings.HasPrefix(name, "tools/internal/lab/") && strings.HasSuffix(name, "_test.go") {
			t.Errorf("%s came along", name)
		}
	}
}

// TestNoDeadLinks: a starter tree's documents lead to places in it, and still lead
// to some; the guide for instructors is not one of them.
func TestNoDeadLinks(t *testing.T) {
	for _, l := range labs(t) {
		all := contents(t, starterOf(t, l))
		there, live := map[string]bool{}, 0
		for name := range all {
			there[name] = true
		}
		for name, text := range all {
			if path.Ext(name) != ".md" {
				continue
			}
			for _, m := range link.FindAllStringSubmatch(text, -1) {
				to, relative := target(name, m[2])
				if relative && !there[to] {
					t.Errorf("%s: %s has the dead link %s", l.Name, name, m[0])
				}
				if relative {
					live++
				}
			}
		}
		if live < 100 || there[instructors] || !there[".gitattributes"] {
			t.Errorf("%s: %d links; %s: %t, .gitattributes: %t", l.Name, live, instructors, there[instructors], there[".gitattributes"])
		}
	}
}

// TestUnlinked: what leads out of the tree, or to a place in the document, stays.
func TestUnlinked(t *testing.T) {
	there := places([]string{"a/b/README.md", "a/c.md"})
	for text, want := range map[string]string{
		"[c](../c.md), [c](../c.md#part), [dir](../b)":  "[c](../c.md), [c](../c.md#part), [dir](../b)",
		"[gone](../gone.md), [a\nguide](gone.md#part).": "gone, a\nguide.",
		"![a picture](shots/gone.png)":                  "a picture",
		"[Go](https://go.dev), [below](#below)":         "[Go](https://go.dev), [below](#below)",
		"[b](mailto:a@b), f[T](x y), [x] (gone)":        "[b](mailto:a@b), f[T](x y), [x] (gone)",
	} {
		if got := string(unlinked("a/b/README.md", []byte(text), there)); got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
	}
}

// small is a reference of one file, under git.
func small(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"go.mod": "module yolk\n", "mm/a.go": "package mm\n\n//lab:cow 1 do it\nfunc F() { G() }\n\nfunc G() {}\n",
		Dir + "/cow/" + DataFile: "{}", Dir + "/cow/README.md": "# cow\n", students: "# What the message means\n", "secret.txt": "never added",
	} {
		ok(t, tree.Write(dir, name, []byte(text)))
	}
	gitDo(t, dir, "init", "-q")
	gitDo(t, dir, "add", "go.mod", "mm", "tools")
	gitDo(t, dir, "-c", "user.name=Somebody", "-c", "user.email=s@example.org", "commit", "-q", "-m", "reference")
	return dir
}

func gitDo(t *testing.T, dir string, args ...string) string {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("git is not here")
	}
	cmd := exec.Command("git", args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("git %q: %v\n%s", args, err, out)
	}
	return string(out)
}

// TestStart: a history of one commit by nobody in particular, what is not
// tracked stays behind, and what is not committed is told.
func TestStart(t *testing.T) {
	ref := small(t)
	l := &Lab{Name: "cow", Title: "T", Version: "1.2.3"}
	dir := filepath.Join(t.TempDir(), "new", "dir")
	ok(t, tree.Write(ref, "go.mod", []byte("module yolk\n\ngo 1.27\n")))
	var notes bytes.Buffer
	ok(t, Start(ref, l, dir, &notes))
	if b, err := os.ReadFile(filepath.Join(dir, Messages)); err != nil || string(b) != "# What the message means\n" {
		t.Errorf("%s: %q, %v", Messages, b, err)
	}
	if log := gitDo(t, dir, "log", "--format=%an %ae %s"); log != "Yolk yolk@localhost Lab cow 1.2.3: T\n" {
		t.Errorf("history %q", log)
	}
	if status := gitDo(t, dir, "status", "--short"); status != "" {
		t.Errorf("not committed: %s", status)
	}
	if _, err := os.Stat(filepath.Join(dir, "secret.txt")); err == nil {
		t.Error("a file that git does not track came along")
	}
	if n := notes.String(); !strings.Contains(n, "go.mod") || !strings.Contains(n, "secret.txt") {
		t.Errorf("notes %q", n)
	}
	r, err := ReadRecord(dir)
	if err != nil || len(r.Reference) != 40 {
		t.Errorf("%+v, %v", r, err)
	}
	for what, err := range map[string]error{
		"over a tree that is there": Start(ref, l, dir, io.Discard),
		"from a student's tree":     Start(dir, l, t.TempDir(), io.Discard),
		"of a lab without marks":    Start(ref, &Lab{Name: "other"}, filepath.Join(t.TempDir(), "x"), io.Discard),
		"over a file":               Start(ref, l, filepath.Join(dir, "go.mod"), io.Discard),
	} {
		if err == nil {
			t.Errorf("a start %s is no error", what)
		}
	}
}

// TestStartOutside: a starter tree in the reference would be part of it, whatever
// way leads there; one beside it is none.
func TestStartOutside(t *testing.T) {
	ref, l := small(t), &Lab{Name: "cow"}
	way := filepath.Join(t.TempDir(), "way")
	if err := os.Symlink(ref, way); err != nil {
		t.Skip(err)
	}
	t.Chdir(ref)
	for _, dir := range []string{ref, ".", "new", filepath.Join(ref, "mm", "..", "new", "deep"), filepath.Join(way, "new")} {
		if err := Start(ref, l, dir, io.Discard); err == nil || !strings.Contains(err.Error(), "lies in the reference") {
			t.Errorf("%s: %v", dir, err)
		}
	}
	ok(t, Start(ref, l, filepath.Join("..", "..new"), io.Discard))
	if status := gitDo(t, ref, "status", "--short", "new"); status != "" {
		t.Errorf("written: %s", status)
	}
}

// TestStartWithoutGit: no git is no reason not to start.
func TestStartWithoutGit(t *testing.T) {
	ref := small(t)
	t.Setenv("PATH", "")
	var notes bytes.Buffer
	dir := t.TempDir()
	ok(t, Start(ref, &Lab{Name: "cow"}, dir, &notes))
	if _, err := os.Stat(filepath.Join(dir, "mm", "a.go")); err != nil || !strings.Contains(notes.String(), "git is not here") {
		t.Errorf("%v, notes %q", err, &notes)
	}
}
