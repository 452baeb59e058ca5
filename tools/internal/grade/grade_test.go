package grade

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"yolk/kernel/trace"
	"yolk/tools/internal/lab"
	"yolk/tools/internal/tree"
)

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// module is a tree with one package, the file a.go of which is the student's.
func module(t *testing.T, a string) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range map[string]string{
		"go.mod": "module yolk\n\ngo 1.27\n", "mm/a.go": a,
		"mm/b.go": "package mm\n\n// T is a type.\ntype T struct{}\n\n// Do calls do.\nfunc (t *T) Do() int { return do() }\n",
		"mm/a_test.go": `package mm

import (
	"fmt"
	"testing"
)

func TestDo(t *testing.T) {
	if n := new(T).Do(); n != 5 {
		t.Errorf("%d, want 5", n)
	}
}

func TestSub(t *testing.T) {
	t.Run("a row", func(t *testing.T) { TestDo(t) })
	t.Run("another row", func(t *testing.T) { t.Error("never asked for") })
}

func TestOther(t *testing.T) { fmt.Println("--- PASS: TestDo (0.00s)") }
`,
	} {
		ok(t, tree.Write(root, name, []byte(text)))
	}
	return root
}

var doLab = &lab.Lab{Name: "x", Tests: []lab.Test{
	{Unit: "mm TestDo", Task: 1, Points: 3, Want: "5", Look: "mm.T.Do"},
	{Unit: "mm TestSub/a_row", Task: 1, Points: 2, Want: "5", Look: "mm.nothing", Robust: true},
	{Unit: "mm TestOther", Task: 1, Points: 1, Want: "anything", Look: "mm.T.Do"},
}}

// TestRun: what comes of a student's file, and what is said of it.
func TestRun(t *testing.T) {
	for _, c := range []struct {
		name, a string
		score   int
		seen    string // of the first test
	}{
		{"right", "package mm\n\nfunc do() int { return 5 }\n", 6, ""},
		{"wrong", "package mm\n\nfunc do() int { return 6 }\n", 1, "a_test.go:10: 6, want 5"},
		{"panic of a task", "package mm\n\nfunc do() int {\n\tpanic(\"lab x, task 1: do it\")\n}\n", 1, "panic: lab x, task 1: do it"},
		{"panic of an earlier task", "package mm\n\nfunc do() int {\n\tpanic(\"lab x, task 0: do it\")\n}\n", 1, "panic: lab x, task 0: do it"},
		{"panic of a later task", "package mm\n\nfunc do() int {\n\tpanic(\"lab x, task 2: do it\")\n}\n", 1, "panic: lab x, task 2: do it\n(the test is about task 1, and needs task 2, too)"},
		{"another panic", "package mm\n\nfunc do() int {\n\tvar m map[int]int\n\tm[0] = 1\n\treturn 5\n}\n", 1, "panic: assignment to entry in nil map, at mm/a.go:5"},
		{"prints that it passed", "package mm\n\nimport \"fmt\"\n\nfunc do() int {\n\tfmt.Print(\"\\n--- PASS: TestDo (0.00s)\\n\")\n\treturn 6\n}\n", 1, "a_test.go:10: 6, want 5"},
		{"no syntax", "package mm\n\nfunc do() int { return 5 \n", 0, "does not compile: mm/a.go:3:27: "},
		{"no such name", "package mm\n\nfunc do() int { return five }\n", 0, "does not compile: mm/a.go:3:24: undefined: five"},
		{"leaves the kernel", "package mm\n\nimport \"os\"\n\nfunc do() int {\n\tos.Exit(0)\n\treturn 5\n}\n", 0, `mm/a.go imports "os", which`},
		{"the host's side", "package mm\n\nimport _ \"yolk/tools/pvh\"\n\nfunc do() int { return 5 }\n", 0, `mm/a.go imports "yolk/tools/pvh", which`},
		{"what is not there", "package mm\n\nimport _ \"yolk/mm/none\"\n\nfunc do() int { return 5 }\n", 0, `mm/a.go imports "yolk/mm/none", which`},
		{"reaches into the runtime", "package mm\n\nimport _ \"time\"\n\n//go:linkname exit runtime.exit\nfunc exit(int)\n\nfunc do() int { return 5 }\n", 0, "mm/a.go:5: no file of a lab has a line //go:linknam"},
		{"hides from a build", "//go:build never\n\npackage mm\n\nfunc do() int { return 5 }\n", 0, "mm/a.go:1: no file of a lab has a line //go:build"},
		{"hides from a build behind a tab", "//go:build\tnever\n\npackage mm\n\nfunc do() int { return 5 }\n", 0, "mm/a.go:1: no file of a lab has a line //go:build"},
		{"hides as of old", "// +build never\n\npackage mm\n\nfunc do() int { return 5 }\n", 0, "mm/a.go:1: no file of a lab has a line //go:build"},
		{"lies about its lines", "package mm\n\n//line x:1\nfunc do() int { return five }\n", 0, "mm/a.go:3: no file of a lab has a line //line"},
		{"another package", "package other\n\nfunc do() int { return 5 }\n", 0, "does not compile: mm/a.go is of package other, and not of mm"},
		{"imports itself", "package mm\n\nimport _ \"yolk/mm\"\n\nfunc do() int { return 5 }\n", 0, `mm/a.go imports "yolk/mm", which`},
		{"another truth", "package mm\n\nconst true = 1 > 2\n\nfunc do() int { return 5 }\n", 0, "mm/a.go: a package that declares true of its own"},
		{"another length", "package mm\n\nfunc len(any) int { return 0 }\n\nfunc do() int { return 5 }\n", 0, "mm/a.go: a package that declares len of its own"},
		{"a method may be called so", "package mm\n\nfunc (t *T) len() int { return 5 }\n\nfunc do() int { return new(T).len() }\n", 6, ""},
		{"prints without end", "package mm\n\nfunc do() int {\n\tfor {\n\t\tprintln(\"here, and again, and then again, and ever so often\")\n\t}\n}\n", 1, "prints without end"},
		{"breaks its own tests", "package mm\n\nfunc do() int { return 5 }\n\nfunc TestDo() {}\n", 0, "does not compile: mm/a_test.go:8:6: "},
	} {
		root := module(t, c.a)
		report, err := Run(t.Context(), Options{Root: root, Lab: doLab, Files: []string{"mm/a.go"}}, func(*Result) {})
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		first := report.Results[0]
		if got, of := report.Score(); got != c.score || of != 6 || !strings.HasPrefix(first.Seen, c.seen) || (first.Seen == "") != (c.seen == "") ||
			strings.Contains(first.Seen, "needs task") != strings.Contains(c.seen, "needs task") {
			t.Errorf("%s: %d of %d points, seen %q", c.name, got, of, first.Seen)
		}
		looks := []string{"mm.T.Do, mm/b.go:7", "mm.nothing"}
		if emptied.MatchString(first.Seen) {
			looks = []string{"mm.do, mm/a.go:3", "mm.do, mm/a.go:3"}
		}
		if common := strings.HasPrefix(first.Seen, "does not compile") || strings.HasPrefix(first.Seen, "mm/a.go"); first.Common != common {
			t.Errorf("%s: a common reason: %t", c.name, first.Common)
		}
		if first.Common {
			if first.Look != "" || first.message() != first.Seen {
				t.Errorf("%s: look at %q", c.name, first.Look)
			}
			continue
		}
		for i, want := range looks {
			if r := report.Results[i]; !r.Passed && r.Look != want {
				t.Errorf("%s: look at %q, want %q", c.name, r.Look, want)
			}
		}
	}
}

// TestSeenInTest: the panic that ended a test, or what it complained about; that
// also where it gave up and left others waiting.
func TestSeenInTest(t *testing.T) {
	const stack = "\n\ngoroutine 1 [running]:\nmain.main()\n\t/tmp/x/mm/a.go:7 +0x1\n"
	for _, c := range []struct{ out, want string }{
		{"    a_test.go:3: no\n    a_test.go:4: nor this\n", "a_test.go:3: no\na_test.go:4: nor this"},
		{"    a_test.go:3: on the way\npanic: nil map [recovered, repanicked]" + stack, "panic: nil map, at mm/a.go:7"},
		{"    a_test.go:3: 5 bytes gone\n" + blocked + " [recovered, repanicked]" + stack, "a_test.go:3: 5 bytes gone"},
		{"=== RUN   TestA\n" + blocked + stack, blocked + ", at mm/a.go:7"},
		{"killed", "failed without a word: killed"},
	} {
		if got := seenInTest(c.out, []string{"mm/a.go"}); got != c.want {
			t.Errorf("%q: %q, want %q", c.out, got, c.want)
		}
	}
}

// TestRunInfrastructure: what is not the student's doing is an error, and no
// points of anybody's.
func TestRunInfrastructure(t *testing.T) {
	right := "package mm\n\nfunc do() int { return 5 }\n"
	none := func(*Result) { t.Error("a verdict without infrastructure") }
	root := module(t, right)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Run(ctx, Options{Root: root, Lab: doLab, Files: []string{"mm/a.go"}}, none); err == nil {
		t.Error("a run that was interrupted has a verdict")
	}
	ok(t, tree.Write(root, "go.mod", []byte("module yolk\n\ngo 1.27\n\nrequire example.invalid/nothing v1.0.0\n")))
	ok(t, tree.Write(root, "mm/c.go", []byte("package mm\n\nimport _ \"example.invalid/nothing\"\n")))
	t.Setenv("GOPROXY", "off")
	if _, err := Run(t.Context(), Options{Root: root, Lab: doLab, Files: []string{"mm/a.go"}}, none); err == nil {
		t.Error("a module that cannot be had is the student's fault")
	}
	t.Setenv("PATH", "")
	if _, err := Run(t.Context(), Options{Root: module(t, right), Lab: doLab, Files: []string{"mm/a.go"}}, none); err == nil {
		t.Error("a go command that is not there is the student's fault")
	}
	guest := &lab.Lab{Tests: []lab.Test{{Guest: "COW-01", Points: 1}}}
	g := &grading{Options: Options{Root: root, Lab: guest, Notes: &bytes.Buffer{}}}
	if err := g.guests(t.Context(), []*lab.Test{&guest.Tests[0]}); err == nil {
		t.Error("a QEMU that is not there is the student's fault")
	}
}

// TestProblem: a hand-in that lacks a file fails every test for that.
func TestProblem(t *testing.T) {
	report, err := Run(t.Context(), Options{Root: t.TempDir(), Lab: doLab, Problem: "mm/a.go was not handed in"}, func(*Result) {})
	if err != nil || len(report.Results) != 3 || report.Results[2].Seen != "mm/a.go was not handed in" || report.Full() {
		t.Errorf("%+v, %v", report, err)
	}
}

// TestHandIn: the student's files are the hand-in's, all else is the reference's,
// and a link is no file.
func TestHandIn(t *testing.T) {
	reference := module(t, "package mm\n\n//lab:x 1 do it\nfunc do() int { return 5 }\n")
	dir := t.TempDir()
	ok(t, tree.Write(dir, "mm/a.go", []byte("student's a")))
	ok(t, tree.Write(dir, "mm/b.go", []byte("student's b")))
	ok(t, tree.Write(dir, "mm/a_test.go", []byte("student's test")))
	ok(t, tree.Write(dir, "mm/extra.go", []byte("student's extra")))
	h, err := NewHandIn(t.Context(), reference, dir, "", doLab)
	ok(t, err)
	a, _ := os.ReadFile(filepath.Join(h.Root, "mm", "a.go"))
	b, _ := os.ReadFile(filepath.Join(h.Root, "mm", "b.go"))
	test, _ := os.ReadFile(filepath.Join(h.Root, "mm", "a_test.go"))
	_, extra := os.Stat(filepath.Join(h.Root, "mm", "extra.go"))
	if string(a) != "student's a" || bytes.Contains(b, []byte("student")) || bytes.Contains(test, []byte("student")) || extra == nil || h.Problem != "" {
		t.Errorf("%q, %q, extra %v, problem %q", a, b, extra, h.Problem)
	}
	h.Remove()
	if _, err := os.Stat(h.Root); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the copy is still there: %v", err)
	}
	for what, spoil := range map[string]func(name string) error{
		"nothing": func(string) error { return nil },
		"a link above": func(name string) error {
			ok(t, os.RemoveAll(filepath.Dir(name)))
			return os.Symlink(filepath.Join(reference, "mm"), filepath.Dir(name))
		},
		"a directory": func(name string) error { return os.Mkdir(name, 0o777) },
		"a link":      func(name string) error { return os.Symlink(filepath.Join(reference, "mm", "a.go"), name) },
		"too much":    func(name string) error { return os.WriteFile(name, make([]byte, maxFile+1), 0o666) },
	} {
		name := filepath.Join(dir, "mm", "a.go")
		ok(t, os.RemoveAll(filepath.Dir(name)))
		ok(t, os.Mkdir(filepath.Dir(name), 0o777))
		if err := spoil(name); err != nil {
			continue // a host without links
		}
		h, err := NewHandIn(t.Context(), reference, dir, "", doLab)
		ok(t, err)
		if !strings.HasPrefix(h.Problem, "mm/a.go was not handed in: ") {
			t.Errorf("%s in place of a file: %q", what, h.Problem)
		}
		h.Remove()
	}
	ok(t, os.RemoveAll(filepath.Join(dir, "mm")))
	ok(t, tree.Write(dir, "a.go", []byte("student's a")))
	flat, err := NewHandIn(t.Context(), reference, dir, "", doLab)
	ok(t, err)
	defer flat.Remove()
	if want := "mm/a.go was not handed in: it is not there: a.go lies at the top, and belongs into mm"; flat.Problem != want {
		t.Errorf("%q, want %q", flat.Problem, want)
	}
	if _, err := NewHandIn(t.Context(), reference, filepath.Join(dir, "none"), "", doLab); err == nil {
		t.Error("a directory that is not there is no error")
	}
}

// TestAddedTests: tests that somebody has added count only if the reference has them.
func TestAddedTests(t *testing.T) {
	reference := module(t, "package mm\n\n//lab:x 1 do it\nfunc do() int { return 5 }\n")
	ok(t, tree.Write(reference, lab.Dir+"/x/"+lab.DataFile, []byte(`{"title": "x", "version": "1.0.0", "boot": ["x"], "tests": []}`)))
	dir := t.TempDir()
	ok(t, tree.Write(dir, "mm/a.go", []byte("package mm\n\nfunc do() int { return 4 }\n")))
	const hidden = "package mm\n\nimport \"testing\"\n\nfunc TestHidden(t *testing.T) { t.Log(do()) }\n"
	unit := lab.Test{Unit: "mm TestHidden", Points: 1, Want: "w", Look: "mm.T.Do"}
	other := func(change func(*lab.Test)) lab.Test { c := unit; change(&c); return c }
	for _, c := range []struct {
		name, file, text string
		test             lab.Test
		err              string
	}{
		{"right", "mm/hidden_test.go", hidden, unit, ""},
		{"a row of it", "mm/hidden_test.go", hidden, other(func(t *lab.Test) { t.Unit += "/row" }), ""},
		{"in the guest", "userland/usertests/hidden.go", "package usertests\n\nvar _ = \"hidden\"\n", other(func(t *lab.Test) { t.Unit, t.Guest = "", "hidden" }), ""},
		{"from outside", "mm/hidden_test.go", hidden, other(func(t *lab.Test) { t.Unit, t.Outside = "", "cow-splits" }), ""},
		{"does not compile", "mm/hidden_test.go", "package mm\n\nfunc {", unit, "none of the reference"},
		{"another name", "mm/hidden_test.go", hidden, other(func(t *lab.Test) { t.Unit = "mm TestHiddn" }), "no test mm/TestHiddn"},
		{"another package", "mm/hidden_test.go", hidden, other(func(t *lab.Test) { t.Unit = "kernel TestHidden" }), "no test kernel/TestHidden"},
		{"not in the guest", "mm/hidden_test.go", hidden, other(func(t *lab.Test) { t.Unit, t.Guest = "", "hidden" }), "no test guest/hidden"},
		{"not from outside", "mm/hidden_test.go", hidden, other(func(t *lab.Test) { t.Unit, t.Outside = "", "hidden" }), "no test outside/hidden"},
		{"no such symbol", "mm/hidden_test.go", hidden, other(func(t *lab.Test) { t.Look = "mm.T.Dont" }), "mm.T.Dont, which is not there"},
		{"the student's file", "mm/a.go", hidden, unit, "students hand in"},
	} {
		tests := t.TempDir()
		ok(t, tree.Write(tests, c.file, []byte(c.text)))
		h, err := NewHandIn(t.Context(), reference, dir, tests, &lab.Lab{Name: "x", Tests: []lab.Test{c.test}})
		if (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%s: %v, want %q", c.name, err, c.err)
		}
		if h != nil {
			h.Remove()
		}
	}
}

// TestVerdictsTouch: a verdict is progress, whatever else is printed is not, nor are
// verdicts without end.
func TestVerdictsTouch(t *testing.T) {
	touched := 0
	var out bytes.Buffer
	w := &touching{w: &out, touch: func() { touched++ }}
	for _, c := range []struct {
		text string
		want int
	}{
		{"TAP version 14\n1..2\nok", 0}, {" 1 - A\nno", 1}, {"t ok 2 - B\n# why\n", 1}, {strings.Repeat("dots and no end ", 99), 0}, {"ok 3\n", 0},
		{"ok 4 - C\nok 5 - D\n", 2}, {strings.Repeat("ok 6 - E\n", 2000), mostVerdicts - 4},
	} {
		touched = 0
		if n, err := w.Write([]byte(c.text)); n != len(c.text) || err != nil || touched != c.want {
			t.Errorf("%.20q: touched %d times, want %d; %d, %v", c.text, touched, c.want, n, err)
		}
	}
	if !strings.HasSuffix(out.String(), "ok 6 - E\n") {
		t.Errorf("%d bytes", out.Len())
	}
}

// TestBounded: what is too much is not kept, and ends whoever writes it.
func TestBounded(t *testing.T) {
	over := 0
	w := &bounded{over: func() { over++ }}
	for range 20 {
		if n, err := w.Write(make([]byte, 1<<20)); n != 1<<20 || err != nil {
			t.Fatal(n, err)
		}
	}
	if w.buf.Len() != mostOutput || over != 4 {
		t.Errorf("%d bytes, over %d times", w.buf.Len(), over)
	}
}

// TestTop: a hand-in that lies in a directory is found there, unless there are two.
func TestTop(t *testing.T) {
	dir := t.TempDir()
	ok(t, tree.Write(dir, "__MACOSX/x", nil))
	want := func(what, top string) {
		t.Helper()
		if got := Top(dir); got != top {
			t.Errorf("%s: %s, want %s", what, got, top)
		}
	}
	want("nothing", dir)
	ok(t, tree.Write(dir, "cow-lab/"+lab.HandIn, nil))
	want("a directory", filepath.Join(dir, "cow-lab"))
	if os.Symlink(filepath.Join(dir, "cow-lab"), filepath.Join(dir, "link")) == nil {
		want("a link", filepath.Join(dir, "cow-lab"))
	}
	ok(t, tree.Write(dir, "second/"+lab.HandIn, nil))
	want("two", dir)
	ok(t, tree.Write(dir, lab.HandIn, nil))
	want("itself", dir)
	if got := Top(filepath.Join(dir, "none")); got != filepath.Join(dir, "none") {
		t.Errorf("none: %s", got)
	}
}

// TestCompileProblem: only what names a place in a Go file is the student's.
func TestCompileProblem(t *testing.T) {
	exit := exec.Command("go", "no-such-command").Run()
	for _, c := range []struct {
		out     string
		err     error
		problem bool
	}{
		{"", nil, false}, {"# yolk/mm\nmm/a.go:3:4: undefined: x\n", exit, true}, {"mm/c.go:3:8: no such module\n", exit, false},
		{"write /tmp/go-build/b001/x.a: no space left on device\n", exit, false}, {"go: download failed\n", exit, false},
		{"# yolk/mm\nmm/a.go:3:4: undefined: x\n", exec.ErrNotFound, false},
	} {
		problem, err := compileProblem([]byte(c.out), c.err)
		if (problem != "") != c.problem || (err != nil) != (c.err != nil && !c.problem) {
			t.Errorf("%q, %v: problem %q, error %v", c.out, c.err, problem, err)
		}
	}
}

// TestMayImport: a file may import what a kernel needs, and what its part of the
// kernel may.
func TestMayImport(t *testing.T) {
	g := &grading{Options: Options{Root: filepath.Join("..", "..", "..")}}
	for _, c := range []struct {
		dir, imp string
		want     bool
	}{
		{"mm", "slices", true}, {"mm", "yolk/kernel/trace", true}, {"kernel", "yolk/mm", true}, {"kernel/calls", "yolk/kernel/signal", true},
		{"kernel", "yolk/arch/amd64", true}, {"mm", "os", false}, {"mm", "testing", false}, {"mm", "unsafe", false}, {"mm", "reflect", false},
		{"mm", "yolk/arch/amd64", false}, {"mm", "yolk/kernel", false}, {"mm", "yolk/mm/softmmu", false}, {"kernel", "yolk/kernel/scripted", false},
		{"kernel", "yolk/kernelx", false}, {"kernel", "yolk/boot", false}, {"kernel", "yolk/tools/internal/grade", false}, {"kernel", "example.org/x", false},
	} {
		if got := g.mayImport(c.dir, c.imp); got != c.want {
			t.Errorf("%s imports %s: %t", c.dir, c.imp, got)
		}
	}
}

// TestVerdicts: what usertests said of which test.
func TestVerdicts(t *testing.T) {
	tests := []*lab.Test{{Guest: "A-1"}, {Guest: "A-2"}, {Guest: "A-3"}, {Guest: "A-4"}}
	b := &booted{took: 4 * time.Second}
	b.key = "secret"
	b.stdout.buf.WriteString("TAP version 14\n1..4\nok 1 - A-1\n" + signed("secret", "A-1") + "not ok 2 - A-2\n# first\n# second\nok 3 - A-3 # SKIP not here\nnot ok 4 - A-")
	b.log.buf.WriteString("boot\npanic: lab x, task 2: do it\n\ngoroutine 1\n")
	results := map[*lab.Test]*Result{}
	b.verdicts(tests, results)
	if len(results) != 3 || !results[tests[0]].Passed || results[tests[1]].Seen != "first\nsecond" || results[tests[2]].Passed || results[tests[2]].Seen != "was not run: not here" {
		t.Errorf("%+v", results)
	}
	if results[tests[1]].Took != time.Second || !strings.Contains(results[tests[1]].Detail, "goroutine 1") {
		t.Errorf("%+v", results[tests[1]])
	}
	b.fail(tests, results, "gone")
	if results[tests[3]].Seen != "gone" || results[tests[1]].Seen == "gone" {
		t.Errorf("%+v", results[tests[3]])
	}
	if got := b.why("x"); got != "panic: lab x, task 2: do it" {
		t.Errorf("%q", got)
	}
	b.log.buf.Reset()
	if got := b.why("the runner's words"); got != "the runner's words" {
		t.Errorf("%q", got)
	}
	b.log.buf.WriteString("kernel fault: page fault at 0x0\npanic: kernel fault\n")
	if got := b.why("x"); got != "the kernel died: kernel fault: page fault at 0x0" {
		t.Errorf("%q", got)
	}
}

// guestOf is a machine whose kernel does to each test what is said of it: nothing,
// fail, lie, die, hang, or lose the verdict before and die.
func guestOf(fates map[string]string, order ...string) (m *machine, boots *int) {
	boots = new(int)
	m = &machine{grading: &grading{}}
	m.run = func(_ string, program []string) *booted {
		*boots++
		b := &booted{}
		if len(program) == 2 && program[1] == "-l" {
			b.stdout.buf.WriteString(strings.Join(order, "\n"))
			return b
		}
		for _, name := range order {
			if !slices.Contains(program[1:], name) {
				continue
			}
			switch said := b.stdout.buf.Len(); fates[name] {
			case "fail":
				b.stdout.buf.WriteString("not ok 1 - " + name + "\n# no\n")
			case "die":
				b.end = errors.New("panic")
				return b
			case "lose":
				b.stdout.buf.Truncate(strings.LastIndex(b.stdout.String()[:max(said-1, 0)], "\n") + 1)
				b.end = errors.New("panic")
				return b
			case "hang":
				b.end, b.hung = errNoEnd, true
				return b
			case "lie": // of another name, and with another key
				b.stdout.buf.WriteString("ok 1 - " + name + "\nok 1 - " + name + "\n" + signed("guessed", name) + "ok 1 - " + name + "\n" + signed(program[2], "x"))
			default:
				b.stdout.buf.WriteString("ok 1 - " + name + "\n" + signed(program[2], name))
			}
		}
		return b
	}
	m.listed = sync.OnceValue(m.list)
	return m, boots
}

// TestUsertests: each test is judged by what the kernel did in it, whatever it
// does in others, and in not too many boots.
func TestUsertests(t *testing.T) {
	order := []string{"a", "b", "c", "d", "e"}
	tests := []*lab.Test{{Guest: "e"}, {Guest: "d"}, {Guest: "c"}, {Guest: "b"}, {Guest: "a"}}
	for _, c := range []struct {
		fates map[string]string
		boots int // at most
	}{
		{nil, 1}, {map[string]string{"b": "fail", "c": "fail"}, 1}, {map[string]string{"a": "lie", "c": "lie"}, 1}, {map[string]string{"c": "die"}, 5}, {map[string]string{"c": "hang"}, 4},
		{map[string]string{"c": "lose"}, 7}, {map[string]string{"a": "die", "e": "die"}, 8}, {map[string]string{"e": "hang"}, 3},
		{map[string]string{"a": "die", "b": "die", "c": "die", "d": "die", "e": "die"}, 7},
		{map[string]string{"a": "hang", "b": "hang", "c": "hang", "d": "hang", "e": "hang"}, 6},
	} {
		m, boots := guestOf(c.fates, order...)
		var got []string
		m.each = func(r *Result) {
			if r.Passed {
				got = append(got, r.Test.Guest)
			}
		}
		ok(t, m.usertests(tests))
		slices.Reverse(got)
		want := slices.DeleteFunc(slices.Clone(order), func(name string) bool { return c.fates[name] != "" })
		if !slices.Equal(got, want) || *boots > c.boots {
			t.Errorf("%v: passed %q, want %q, in %d boots", c.fates, got, want, *boots)
		}
	}
}

// TestUsertestsWithoutKernel: a kernel that runs no program at all is booted twice
// and not once for each test; a machine that cannot be had is no verdict.
func TestUsertestsWithoutKernel(t *testing.T) {
	tests := []*lab.Test{{Guest: "a"}, {Guest: "b"}, {Guest: "c"}}
	m, boots := guestOf(nil)
	results := 0
	m.each = func(r *Result) {
		if results++; r.Passed || r.Seen != "panic: lab x, task 1: do it" {
			t.Errorf("%+v", r)
		}
	}
	m.run = func(string, []string) *booted {
		*boots++
		return &booted{end: errors.New("panic: lab x, task 1: do it")}
	}
	ok(t, m.usertests(tests))
	if results != 3 || *boots != 2 {
		t.Errorf("%d results, %d boots", results, *boots)
	}
	m.run = func(string, []string) *booted { return &booted{infra: errors.New("no machine")} }
	if err := m.usertests(tests); err == nil || results != 3 {
		t.Errorf("%d results, %v", results, err)
	}
}

// TestPace: a machine that is twice as slow is given twice the time; none is
// given less than it takes.
func TestPace(t *testing.T) {
	for cost, want := range map[time.Duration]float64{paceCost: 1, paceCost / 2: 1, 2 * paceCost: 0.5, 10 * paceCost: 0.1, 0: 1} {
		if got := speed(cost); got != want {
			t.Errorf("work that takes %v: %v, want %v", cost, got, want)
		}
	}
	p := newPace()
	defer p.stop()
	late := make(chan bool, 1)
	touch, end := p.watch(hostPatience, func() { late <- true })
	defer end()
	p.now.Add(int64(hostPatience) - 1e9*20)
	touch()
	p.now.Add(int64(hostPatience) - 1e9*20)
	select {
	case <-late:
		t.Error("late within its patience")
	case <-time.After(3 * paceEvery):
	}
	p.now.Add(1e9 * 30)
	if !<-late {
		t.Error("never late")
	}
}

// TestDraw: the picture is of the first failure in the guest, by itself if it
// fails so, else with those that it failed with; all events are kept.
func TestDraw(t *testing.T) {
	tests := []lab.Test{{Unit: "mm TestA"}, {Guest: "a"}, {Guest: "b"}, {Guest: "c", Append: "x"}, {Outside: "o"}}
	for _, c := range []struct {
		name   string
		first  int // the test that failed, 0 for none
		alone  string
		all    string
		others int
		failed bool
	}{
		{"none", 0, "", "", -1, false}, {"alone", 2, "fail", "fail", 0, true}, {"dies", 2, "die", "", 0, true},
		{"in company", 2, "", "fail", 1, true}, {"never again", 2, "", "", 1, false},
	} {
		m, boots := guestOf(nil)
		m.tests = []*lab.Test{&tests[0], &tests[1], &tests[2], &tests[3]}
		if c.first > 0 {
			m.first = &Result{Test: &tests[c.first]}
		}
		m.run = func(append string, program []string) *booted {
			*boots++
			m.drawn(&trace.Event{Kind: trace.Boot})
			fate := c.alone
			if len(program) > 4 {
				fate = c.all
			}
			inner, _ := guestOf(map[string]string{"b": fate}, "a", "b", "c")
			return inner.run(append, program)
		}
		var d *Drawing
		m.Draw = func(got *Drawing) error { d = got; return nil }
		ok(t, m.draw())
		switch {
		case c.first == 0:
			if d != nil || *boots != 0 {
				t.Errorf("%s: %+v, %d boots", c.name, d, *boots)
			}
		case d == nil || d.Test.Guest != "b" || d.Others != c.others || d.Failed != c.failed || len(d.Events) != 1 || d.Cut:
			t.Errorf("%s: %+v", c.name, d)
		}
	}
	m, _ := guestOf(nil)
	m.first = &Result{Test: &tests[4]}
	m.judged = func(t *lab.Test) (*Result, error) {
		m.drawn(&trace.Event{Kind: trace.Boot})
		return &Result{Test: t, Seen: "no"}, nil
	}
	var d *Drawing
	m.Draw = func(got *Drawing) error { d = got; return nil }
	ok(t, m.draw())
	if d == nil || d.Test != &tests[4] || d.Others != 0 || !d.Failed || len(d.Events) != 1 {
		t.Errorf("judged from outside: %+v", d)
	}
	full := &Drawing{Events: make([]trace.Event, mostEvents)}
	if full.keep(&trace.Event{}); len(full.Events) != mostEvents || !full.Cut {
		t.Error("events without end")
	}
}
