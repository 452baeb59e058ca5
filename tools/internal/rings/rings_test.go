package rings

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// suiteOf is a suite with checks of the given verdicts.
func suiteOf(opt Options, verdicts ...Verdict) (*suite, *bytes.Buffer) {
	var out bytes.Buffer
	opt.Out = &out
	list := func(*suite) (checks []Check, err error) {
		for i, v := range verdicts {
			checks = append(checks, Check{Name: "g/" + string(rune('a'+i)), Long: i == 2, run: func(context.Context) outcome {
				return outcome{v, "because\nof this"}
			}})
		}
		return checks, nil
	}
	return &suite{opt: opt, groups: []group{{"g", 2, list}}, ended: map[string]Verdict{}}, &out
}

func TestRunCounts(t *testing.T) {
	for _, c := range []struct {
		opt      Options
		verdicts []Verdict
		ok       bool
		last     string
	}{
		{Options{}, []Verdict{Pass, Pass}, true, "2 passed, 0 failed, 0 skipped\n"},
		{Options{}, []Verdict{Pass, Fail}, false, "1 passed, 1 failed, 0 skipped\n"},
		{Options{}, []Verdict{Pass, Skip}, true, "1 passed, 0 failed, 1 skipped\n"},
		{Options{CI: true}, []Verdict{Pass, Skip}, false, "1 passed, 0 failed, 1 skipped\n"},
		{Options{}, []Verdict{Pass, Pass, Fail}, true, "2 passed, 0 failed, 0 skipped\n"},
		{Options{All: true}, []Verdict{Pass, Pass, Fail}, false, "2 passed, 1 failed, 0 skipped\n"},
		{Options{Match: regexp.MustCompile("a")}, []Verdict{Pass, Fail}, true, "1 passed, 0 failed, 0 skipped\n"},
		{Options{Match: regexp.MustCompile("z")}, []Verdict{Pass}, false, "0 passed, 0 failed, 0 skipped\n"},
	} {
		s, out := suiteOf(c.opt, c.verdicts...)
		if ok := s.run(context.Background()); ok != c.ok || !strings.HasSuffix(out.String(), c.last) {
			t.Errorf("%+v %v: %v\n%s", c.opt, c.verdicts, ok, out)
		}
	}
}

func TestRunGroupThatCannotList(t *testing.T) {
	s, out := suiteOf(Options{}, Pass)
	s.groups = append(s.groups, group{"broken", 1, func(*suite) ([]Check, error) { return nil, errors.New("no list") }})
	if s.run(context.Background()) || !strings.Contains(out.String(), "no list") {
		t.Error(out)
	}
}

func TestRunInterrupted(t *testing.T) {
	s, out := suiteOf(Options{}, Pass, Pass)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if s.run(ctx) {
		t.Errorf("a run that was interrupted passed\n%s", out)
	}
}

// TestCheckNames: each check has a name of its own, by which it can be chosen as .ci/run
// does, whatever stands in it.
func TestCheckNames(t *testing.T) {
	script, err := os.ReadFile(filepath.Join("..", "..", "..", ".ci", "run"))
	if err != nil || !strings.Contains(string(script), `-run "^\\Q$name\\E\$"`) {
		t.Errorf("%v, or .ci/run chooses otherwise", err)
	}
	s := newSuite(filepath.Join("..", "..", ".."), Options{All: true})
	count := map[string]int{}
	for _, g := range s.groups {
		checks, err := s.chosen(g)
		if err != nil {
			t.Errorf("%s: %v", g.name, err)
		}
		for _, c := range checks {
			count[c.Name]++
		}
	}
	for name, n := range count {
		if n != 1 || !regexp.MustCompile(`^\Q`+name+`\E$`).MatchString(name) || strings.ContainsAny(name, "\n\\") {
			t.Errorf("%q: %d checks of that name, or it does not match itself", name, n)
		}
	}
	if len(count) < 500 {
		t.Errorf("only %d checks", len(count))
	}
}

func TestParseTest(t *testing.T) {
	got := parseTest([]byte(`{"Action":"run","Test":"TestA"}
{"Action":"output","Test":"TestA","Output":"=== RUN   TestA\n"}
{"Action":"output","Test":"TestA","Output":"    a_test.go:1: broken\n"}
{"Action":"fail","Test":"TestA"}
{"Action":"output","Test":"TestB","Output":"=== RUN   TestB\n"}
{"Action":"output","Test":"TestB","Output":"    b_test.go:2: no such file system\n"}
{"Action":"output","Test":"TestB","Output":"--- SKIP: TestB\n"}
{"Action":"skip","Test":"TestB"}
{"Action":"output","Test":"TestC","Output":"noise\n"}
{"Action":"pass","Test":"TestC"}
{"Action":"skip"}
{"Action":"build-output","Output":"x.go:1: undefined\n"}
go: something
`))
	if !strings.Contains(got.failed, "broken") || !strings.Contains(got.failed, "undefined") || !strings.Contains(got.failed, "go: something") || strings.Contains(got.failed, "noise") {
		t.Errorf("failed: %q", got.failed)
	}
	if len(got.skipped) != 1 || got.skipped["TestB"] != "b_test.go:2: no such file system" {
		t.Errorf("skipped: %q", got.skipped)
	}
}

// module writes a module with one package, whose test covers add but not mul.
func module(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"go.mod":      "module yolk\n\ngo 1.27\n",
		"a/a.go":      "package a\n\nfunc add(x, y int) int { return x + y }\n\nfunc mul(x, y int) int { return x * y }\n",
		"a/a_test.go": "package a\n\nimport \"testing\"\n\nfunc TestAdd(t *testing.T) {\n\tif add(2, 3) != 5 {\n\t\tt.Error(\"wrong\")\n\t}\n}\n",
	} {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestMutants(t *testing.T) {
	kill := []string{"./a", "-run", "TestAdd"}
	for _, c := range []struct {
		m       Mutant
		verdict Verdict
		detail  string
	}{
		{Mutant{Old: "x + y", New: "x - y", Kill: kill}, Pass, ""},
		{Mutant{Old: "x * y", New: "x / y", Kill: kill}, Fail, "survived"},
		{Mutant{Old: "x + y", New: "x +", Kill: kill}, Fail, "cannot be tested"},
		{Mutant{Old: "x + y", New: "x - y", Kill: []string{"./nothing"}}, Fail, "cannot be tested"},
		{Mutant{Old: "x + y", New: "x - y", Kill: []string{"./a", "-run", "NoSuch"}}, Fail, "survived"},
		{Mutant{Old: "x + z", New: "x - z", Kill: kill}, Fail, "stale"},
		{Mutant{Old: "int", New: "int64", Kill: kill}, Fail, "stale"},
		{Mutant{Old: "x + y", New: "x + y", Kill: kill}, Fail, "stale"},
		{Mutant{Old: "x + y", New: "x - y", Kill: []string{"boot", "boot/q35/no-such-case"}}, Fail, "no boot check"},
		{Mutant{Old: "x + y", New: "x - y", Kill: []string{"gdb", "no-such-session"}}, Fail, "no session"},
	} {
		s := newSuite(module(t), Options{})
		c.m.File = "a/a.go"
		if o := s.kill(context.Background(), c.m); o.verdict != c.verdict || !strings.Contains(o.detail, c.detail) {
			t.Errorf("%+v: %v %s", c.m, o.verdict, o.detail)
		}
	}
}

func TestMutantsFile(t *testing.T) {
	dir := module(t)
	list := filepath.Join(dir, "a", MutantsFile)
	text := `[{"name":"n","file":"a/a.go","old":"x + y","new":"x - y","kill":["./a"]}]`
	if err := os.WriteFile(list, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	all, err := Mutants(dir)
	if err != nil || len(all) != 1 || all[0].Name != "n" || !slices.Equal(all[0].Kill, []string{"./a"}) {
		t.Errorf("%+v, %v", all, err)
	}
	if err := os.WriteFile(list, []byte("["+text[1:len(text)-1]+","+text[1:]), 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := mutantChecks(newSuite(dir, Options{})); err == nil {
		t.Error("two mutants of one name")
	}
	if err := os.WriteFile(list, []byte("[{"), 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := Mutants(dir); err == nil {
		t.Error("a broken list was read")
	}
}

// TestMutantsOfTheTree: every mutant of this tree still fits its file.
func TestMutantsOfTheTree(t *testing.T) {
	root := filepath.Join("..", "..", "..")
	all, err := Mutants(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range all {
		if _, err := m.apply(filepath.Join(root, filepath.FromSlash(m.File))); err != nil || len(m.Kill) == 0 {
			t.Errorf("%s: %v, killed by %q", m.Name, err, m.Kill)
		}
	}
}

func TestRunGoShowsOutput(t *testing.T) {
	o := runGo(exec.Command("go", "no-such-command"))
	if o.verdict != Fail || !strings.Contains(o.detail, "no-such-command") {
		t.Errorf("%+v", o)
	}
}

// TestNamesAreUnique: each check can be chosen by its name.
func TestNamesAreUnique(t *testing.T) {
	seen := map[string]bool{}
	s := newSuite(filepath.Join("..", "..", ".."), Options{All: true, Out: &bytes.Buffer{}})
	for _, g := range s.groups {
		checks, err := g.list(s)
		if err != nil {
			t.Errorf("%s: %v", g.name, err)
		}
		for _, c := range checks {
			if seen[c.Name] || !strings.HasPrefix(c.Name, g.name+"/") {
				t.Errorf("%s: name %q", g.name, c.Name)
			}
			seen[c.Name] = true
		}
	}
}

// TestSteadyTree: the tree that is graded again and again can be made.
func TestSteadyTree(t *testing.T) {
	s := newSuite(filepath.Join("..", "..", ".."), Options{Out: &bytes.Buffer{}})
	if l, err := s.wrongTree(t.TempDir(), steadyLab, steadyTree); err != nil || l.Name != steadyLab {
		t.Errorf("%v, %v", l, err)
	}
	if _, err := s.wrongTree(t.TempDir(), steadyLab, "no such mistake"); err == nil {
		t.Error("a wrong solution that is not there")
	}
}
