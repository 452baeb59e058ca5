package export

import (
	"archive/zip"
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"yolk/tools/internal/lab"
	"yolk/tools/internal/tree"
)

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

var cow = &lab.Lab{Name: "cow", Version: "1.2.3", Tests: []lab.Test{{Unit: "mm TestA", Points: 5}}}

// tests is a directory with a test that students have not seen.
func tests(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	ok(t, tree.Write(dir, "mm/hidden_test.go", []byte("package mm\n")))
	ok(t, tree.Write(dir, lab.DataFile, []byte(`{"tests": [{"unit": "mm TestHidden", "points": 1, "want": "w", "look": "mm.F"}]}`)))
	return dir
}

// reference is a tree without git.
func reference(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	ok(t, tree.Write(dir, "go.mod", []byte("module yolk\n")))
	ok(t, tree.Write(dir, "mm/a.go", []byte("package mm\n")))
	ok(t, tree.Write(dir, "bin/yolk", []byte("built")))
	return dir
}

func gradescope(t *testing.T, root, tests string) []byte {
	t.Helper()
	var b bytes.Buffer
	ok(t, Gradescope(&b, root, cow, tests, io.Discard))
	return b.Bytes()
}

// TestGradescope: the files that Gradescope looks for lie at the root and are
// executable; nothing but source goes along; two zips of one tree are the same.
func TestGradescope(t *testing.T) {
	root, extra := reference(t), tests(t)
	b := gradescope(t, root, extra)
	z, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
	ok(t, err)
	var names []string
	for _, f := range z.File {
		names = append(names, f.Name)
		want := fs.FileMode(0o644)
		if f.Name == "setup.sh" || f.Name == "run_autograder" {
			want = 0o755
		}
		if f.Mode() != want {
			t.Errorf("%s has the mode %v", f.Name, f.Mode())
		}
	}
	want := []string{"setup.sh", "run_autograder", "environment", "reference/go.mod", "reference/mm/a.go", "tests/lab.json", "tests/mm/hidden_test.go"}
	if !slices.Equal(names, want) {
		t.Errorf("%q", names)
	}
	if !bytes.Equal(b, gradescope(t, root, extra)) {
		t.Error("two zips of one tree differ")
	}
	ok(t, tree.Write(extra, lab.DataFile, []byte(`{"tests": [{"points": 1}]}`)))
	if Gradescope(io.Discard, root, cow, extra, io.Discard) == nil {
		t.Error("tests without a name are exported")
	}
	ok(t, tree.Write(root, lab.HandIn, []byte(`{"lab": "cow", "version": "1.0.0", "files": []}`)))
	if Gradescope(io.Discard, root, cow, "", io.Discard) == nil {
		t.Error("a student's tree is exported")
	}
}

// bash returns the shell that the exported scripts are for.
func bash(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("bash")
	if err != nil || runtime.GOOS != "linux" {
		t.Skip("the scripts are for Linux, and bash is not here to look at them")
	}
	return path
}

// autograder is an unpacked zip whose yolk is a script.
func autograder(t *testing.T, extra, yolk string) (base string) {
	t.Helper()
	b := gradescope(t, reference(t), extra)
	z, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
	ok(t, err)
	base = t.TempDir()
	ok(t, os.CopyFS(filepath.Join(base, "source"), z))
	ok(t, os.MkdirAll(filepath.Join(base, "source", "reference", "bin"), 0o777))
	ok(t, os.Mkdir(filepath.Join(base, "results"), 0o777))
	ok(t, os.WriteFile(filepath.Join(base, "source", "reference", "bin", "yolk"), []byte("#!/bin/sh\n"+yolk), 0o777))
	return base
}

// TestScripts: bash can read them, and everything in them is filled in.
func TestScripts(t *testing.T) {
	shell := bash(t)
	base := autograder(t, "", "")
	for _, name := range []string{"setup.sh", "run_autograder", "environment"} {
		file := filepath.Join(base, "source", name)
		if out, err := exec.Command(shell, "-n", file).CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
		text, err := os.ReadFile(file)
		if m := regexp.MustCompile("@[A-Z]+@").Find(text); err != nil || m != nil {
			t.Errorf("%s: %v, %s is not filled in", name, err, m)
		}
	}
}

// TestRunAutograder: a verdict becomes results.json, whatever it is; no verdict
// leaves none behind, not even that of the time before.
func TestRunAutograder(t *testing.T) {
	shell := bash(t)
	for _, c := range []struct {
		yolk, results string
		status        int
		extra         bool
	}{
		{"echo \"$@\"", "grade -lab cow -format gradescope BASE/submission\n", 0, false},
		{"echo \"$@\"; exit 1", "grade -lab cow -tests BASE/source/tests -format gradescope BASE/submission\n", 0, true},
		{"echo half; exit 125", "", 125, false}, {"exit 2", "", 2, false},
		{"[ $GOPROXY = off ] && [ $GOTOOLCHAIN != '' ] && echo offline", "offline\n", 0, false},
	} {
		extra := ""
		if c.extra {
			extra = tests(t)
		}
		base := autograder(t, extra, c.yolk)
		results := filepath.Join(base, "results", "results.json")
		ok(t, os.WriteFile(results, []byte("old"), 0o666))
		cmd := exec.Command(shell, filepath.Join(base, "source", "run_autograder"))
		cmd.Dir = base
		cmd.Env = append(os.Environ(), "AUTOGRADER_DIR="+base)
		out, err := cmd.CombinedOutput()
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) || cmd.ProcessState.ExitCode() != c.status {
			t.Errorf("%s: %v\n%s", c.yolk, err, out)
		}
		got, _ := os.ReadFile(results)
		if s := strings.ReplaceAll(string(got), base, "BASE"); s != c.results {
			t.Errorf("%s: results.json has %q, want %q", c.yolk, s, c.results)
		}
		if left, _ := os.ReadDir(filepath.Dir(results)); len(left) > 1 {
			t.Errorf("%s: %v is left behind", c.yolk, left)
		}
	}
}

// workflow is what GitHub writes for a reference of one commit.
func workflow(t *testing.T) (text, commit string) {
	t.Helper()
	root, dir := reference(t), t.TempDir()
	for _, args := range [][]string{{"init", "-q"}, {"add", "mm"}, {"-c", "user.name=a", "-c", "user.email=a", "commit", "-q", "-m", "first"}} {
		cmd := exec.Command("git", args...)
		cmd.Dir = root
		if out, err := cmd.CombinedOutput(); errors.Is(err, exec.ErrNotFound) {
			t.Skip("git is not here")
		} else if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	status, err := tree.Git(root)
	ok(t, err)
	ok(t, GitHub(root, cow, "course/yolk-reference", dir, io.Discard))
	b, err := os.ReadFile(filepath.Join(dir, ".github", "workflows", "grade.yml"))
	ok(t, err)
	return string(b), status.Commit
}

// TestGitHub: the names that GitHub Classroom wants, the reference at its commit,
// every action at a version.  `yolk test` has a linter read the rest.
func TestGitHub(t *testing.T) {
	text, commit := workflow(t)
	for _, want := range []string{"name: Autograding Tests\n", "\n  run-autograding-tests:\n", "repository: course/yolk-reference\n", "ref: " + commit + "\n", "lab cow 1.2.3"} {
		if strings.Count(text, want) != 1 {
			t.Errorf("%q stands %d times in it", want, strings.Count(text, want))
		}
	}
	uses := regexp.MustCompile(`uses: (\S+)`).FindAllStringSubmatch(text, -1)
	for _, m := range uses {
		if !regexp.MustCompile(`^[\w-]+/[\w-]+@v\d+$`).MatchString(m[1]) {
			t.Errorf("%s has no version", m[1])
		}
	}
	if m := regexp.MustCompile("@[A-Z]+@").FindString(text); len(uses) < 4 || m != "" {
		t.Errorf("%d actions, %s is not filled in", len(uses), m)
	}
	for what, err := range map[string]error{
		"a repository without owner": GitHub(reference(t), cow, "yolk", t.TempDir(), io.Discard),
		"a tree without a commit":    GitHub(reference(t), cow, "a/b", t.TempDir(), io.Discard),
	} {
		if err == nil {
			t.Errorf("%s is no error", what)
		}
	}
}

// TestGitHubStep runs the step that grades: what it passes on, and that no
// verdict is an error and not a result.
func TestGitHubStep(t *testing.T) {
	shell := bash(t)
	text, _ := workflow(t)
	_, step, _ := strings.Cut(text, "id: grade\n")
	_, script, found := strings.Cut(step, "run: |\n")
	script, _, _ = strings.Cut(script, "      - name:")
	if !found {
		t.Fatal("there is no such step")
	}
	for _, c := range []struct {
		yolk, output string
		fails        bool
	}{
		{"echo abc=; echo words >&2", "result=abc=\nstatus=0\n", false}, {"echo abc=; exit 1", "result=abc=\nstatus=1\n", false}, {"exit 125", "", true},
	} {
		dir := t.TempDir()
		ok(t, tree.Write(dir, "reference/bin/yolk", []byte("#!/bin/sh\n"+c.yolk)))
		ok(t, os.Chmod(filepath.Join(dir, "reference", "bin", "yolk"), 0o777))
		cmd := exec.Command(shell, "--noprofile", "--norc", "-eo", "pipefail", "-c", script) // as GitHub does
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GITHUB_OUTPUT="+filepath.Join(dir, "output"), "GITHUB_STEP_SUMMARY="+filepath.Join(dir, "summary"))
		out, err := cmd.CombinedOutput()
		got, _ := os.ReadFile(filepath.Join(dir, "output"))
		if string(got) != c.output || (err != nil) != c.fails {
			t.Errorf("%s: %v, output %q\n%s", c.yolk, err, got, out)
		}
		if summary, _ := os.ReadFile(filepath.Join(dir, "summary")); strings.Contains(c.yolk, "words") && !strings.Contains(string(summary), "words\n") {
			t.Errorf("summary %q", summary)
		}
	}
}
