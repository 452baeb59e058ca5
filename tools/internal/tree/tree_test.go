package tree

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
)

// planted makes a tree in which source and built files lie side by side.
func planted(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	for _, name := range []string{"go.mod", "a/a.go", "a/bin/f", ".gitignore", ".ci/run", ".cache/f", "bin/f", "a/.hidden/f", ".git", ".vscode/s", "a/.vscode/s", ".devcontainer/d"} {
		if err := Write(root, name, []byte(name)); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

var sources = []string{".ci/run", ".devcontainer/d", ".gitignore", ".vscode/s", "a/a.go", "a/bin/f", "go.mod"}

func TestFiles(t *testing.T) {
	files, err := Files(planted(t))
	if err != nil || !slices.Equal(files, sources) {
		t.Errorf("%q, %v", files, err)
	}
}

// TestTreesInside: what lies in a tree of its own is none of this one's files.
func TestTreesInside(t *testing.T) {
	root := planted(t)
	for _, name := range []string{"a/module/go.mod", "a/module/x.go", "repository/.git/HEAD", "repository/x.go", "worktree/.git", "worktree/x.go", "class/ada/handin.json", "class/ada/mm/x.go"} {
		if err := Write(root, name, nil); err != nil {
			t.Fatal(err)
		}
	}
	if files, err := Files(root); err != nil || !slices.Equal(files, sources) {
		t.Errorf("%q, %v", files, err)
	}
}

// TestLinkToTheTree: a tree is the same by another name.
func TestLinkToTheTree(t *testing.T) {
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(planted(t), link); err != nil {
		t.Skip("this host makes no links")
	}
	if files, err := Files(link); err != nil || !slices.Equal(files, sources) {
		t.Errorf("%q, %v", files, err)
	}
}

func TestCopy(t *testing.T) {
	to := t.TempDir()
	if err := Copy(to, planted(t)); err != nil {
		t.Fatal(err)
	}
	files, err := Files(to)
	b, readErr := os.ReadFile(filepath.Join(to, "a", "a.go"))
	if err != nil || readErr != nil || !slices.Equal(files, sources) || string(b) != "a/a.go" {
		t.Errorf("%q, %q, %v, %v", files, b, err, readErr)
	}
}

func TestGit(t *testing.T) {
	root := planted(t)
	if err := os.Remove(filepath.Join(root, ".git")); err != nil {
		t.Fatal(err)
	}
	if _, err := Git(root); !errors.Is(err, ErrNoGit) {
		t.Errorf("no repository: %v", err)
	}
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("git is not here")
	}
	run := func(args ...string) {
		t.Helper()
		if _, err := git(root, args...); err != nil {
			t.Fatal(err)
		}
	}
	Write(root, ".gitignore", []byte("/.cache/\n"))
	run("init", "-q")
	run("add", "go.mod", ".gitignore", "a/a.go")
	run("-c", "user.name=a", "-c", "user.email=a", "commit", "-q", "-m", "first")
	Write(root, "go.mod", []byte("changed"))
	s, err := Git(root)
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Commit) != 40 || !slices.Equal(s.Tracked, []string{".gitignore", "a/a.go", "go.mod"}) ||
		!slices.Equal(s.Changed, []string{"go.mod"}) || !slices.Contains(s.Untracked, "a/bin/f") || slices.Contains(s.Untracked, ".cache/f") {
		t.Errorf("%+v", s)
	}
	run("add", "a/bin/f")
	run("-c", "user.name=a", "-c", "user.email=a", "commit", "-q", "-m", "second")
	if files, err := ChangedSinceStart(root); err != nil || !slices.Equal(files, []string{"a/bin/f", "go.mod"}) {
		t.Errorf("changed since the start: %q, %v", files, err)
	}
	t.Setenv("PATH", "")
	if _, err := Git(root); !errors.Is(err, ErrNoGit) {
		t.Errorf("no git: %v", err)
	}
}
