package rings

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"yolk/tools/internal/lab"
)

// TestMatrix: what is counted, and when the labs are proven as a whole.
func TestMatrix(t *testing.T) {
	checks := []Check{
		{Name: "lab/boot/starter"}, {Name: "lab/boot/wrong/a/b"}, {Name: "lab/boot/wrong/c"}, {Name: "lab/boot/machine/wrong/c"},
		{Name: "lab/cow/untouched"},
	}
	ended := map[string]Verdict{"lab/boot/starter": Pass, "lab/boot/wrong/a/b": Fail, "boot/q35/shell": Pass}
	m := newMatrix(checks, ended)
	var b strings.Builder
	if err := m.write(&b); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(b.String(), "\n")
	for i, want := range []string{
		"", "lab starter reference wrong mended machine/starter machine/reference machine/wrong machine/mended untouched",
		"boot 1/1 - 0/1 of 2 - - - - - -", "cow - - - - - - - - -", "2 of the 5 checks of the labs were run",
	} {
		if got := strings.Join(strings.Fields(lines[i]), " "); got != want {
			t.Errorf("line %d: %q, want %q", i, got, want)
		}
	}
	if m.good {
		t.Error("it is good, though a check has failed and others were not run")
	}
	for _, c := range checks {
		ended[c.Name] = Pass
	}
	if !newMatrix(checks, ended).good {
		t.Error("it is not good, though all have passed")
	}
	ended["lab/cow/untouched"] = Skip
	if newMatrix(checks, ended).good {
		t.Error("it is good, though a check was skipped")
	}
}

// TestMatrixHoldsEveryCheck: each check of the labs that there are stands in a column.
func TestMatrixHoldsEveryCheck(t *testing.T) {
	s := newSuite(filepath.Join("..", "..", ".."), Options{})
	checks, err := labChecks(s)
	if err != nil {
		t.Fatal(err)
	}
	m := newMatrix(checks, nil)
	all := 0
	for _, c := range m.cells {
		all += c.all
	}
	if all != len(checks) || len(m.labs) != 9 {
		t.Errorf("%d of %d checks, %d labs", all, len(checks), len(m.labs))
	}
}

// TestNoteProven: the commit is noted, but not that of another tree.
func TestNoteProven(t *testing.T) {
	root := t.TempDir()
	git := func(args ...string) {
		t.Helper()
		cmd := exec.Command("git", append([]string{"-c", "user.name=x", "-c", "user.email=x@localhost"}, args...)...)
		cmd.Dir = root
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
	}
	git("init", "-q")
	git("commit", "-q", "--allow-empty", "-m", "empty")
	s := newSuite(root, Options{})
	if err := s.noteProven(&matrix{all: 7}); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(lab.Dir), lab.ProofFile))
	if err != nil || !strings.Contains(string(b), `","checks":7}`) || len(b) != len(`{"commit":"","checks":7}`)+40+1 {
		t.Errorf("%q, %v", b, err)
	}
	if err := s.noteProven(&matrix{all: 7}); err == nil {
		t.Error("a tree with a new file counts for its commit")
	}
}
