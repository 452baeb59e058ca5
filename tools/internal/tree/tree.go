// Package tree knows which files are the source tree and which were built from
// it, and copies the former.
package tree

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// ErrNoGit means that git is not on this host, or that the tree is none of its
// repositories.
var ErrNoGit = errors.New("no git repository, or no git")

// HandIn is the file by which a student's tree says what it is.
const HandIn = "handin.json"

// dotted are the directories of the source whose names begin with a dot.
var dotted = []string{".ci", ".devcontainer", ".vscode"}

// Files returns the regular files of the source tree at root, relative to it,
// with slashes, sorted: not what git, the build and editors keep to themselves
// in bin/, node_modules and directories whose names begin with a dot, apart from
// .ci and the settings of editors; and not what lies in a tree of its own.
func Files(root string) ([]string, error) {
	var files []string
	root, err := filepath.EvalSymlinks(root) // WalkDir does not follow a link, not even the first
	if err != nil {
		return nil, err
	}
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, path)
		switch {
		case err != nil || rel == ".":
			return err
		case d.IsDir() && (rel == "bin" || d.Name() == "node_modules" || strings.HasPrefix(d.Name(), ".") && !slices.Contains(dotted, rel) || begins(path)):
			return filepath.SkipDir
		case d.Type().IsRegular() && rel != ".git": // which is a file in a second worktree
			files = append(files, filepath.ToSlash(rel))
		}
		return nil
	})
	slices.Sort(files)
	return files, err
}

// begins reports whether another tree begins in a directory: a repository, a module, or
// what a student has handed in.
func begins(dir string) bool {
	return slices.ContainsFunc([]string{".git", "go.mod", HandIn}, func(name string) bool {
		_, err := os.Lstat(filepath.Join(dir, name))
		return err == nil
	})
}

// Copy copies the source tree at from to the directory to.
func Copy(to, from string) error {
	files, err := Files(from)
	if err != nil {
		return err
	}
	for _, name := range files {
		b, err := os.ReadFile(filepath.Join(from, filepath.FromSlash(name)))
		if err != nil {
			return err
		}
		if err := Write(to, name, b); err != nil {
			return err
		}
	}
	return nil
}

// Write writes the file name, a relative path with slashes, below root, and
// makes its directory.
func Write(root, name string, content []byte) error {
	path := filepath.Join(root, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return err
	}
	return os.WriteFile(path, content, 0o666)
}

// Status is what git knows of a source tree.
type Status struct {
	Commit    string   // the hash of the commit that is checked out
	Tracked   []string // files, relative to the root, with slashes, sorted
	Changed   []string // of them, those that differ from the commit
	Untracked []string // files that git neither tracks nor was told to ignore
}

// Git asks git about the tree at root.  The error wraps ErrNoGit where there is
// nothing to ask.
func Git(root string) (*Status, error) {
	if _, err := os.Stat(filepath.Join(root, ".git")); err != nil {
		return nil, fmt.Errorf("%s: %w", root, ErrNoGit)
	}
	s := &Status{}
	commit, err := git(root, "rev-parse", "HEAD")
	if err != nil {
		return nil, err
	}
	s.Commit = strings.Join(commit, "")
	for _, list := range []struct {
		to   *[]string
		args []string
	}{
		{&s.Tracked, []string{"ls-files", "-z"}},
		{&s.Changed, []string{"diff", "-z", "--name-only", "HEAD"}},
		{&s.Untracked, []string{"ls-files", "-z", "--others", "--exclude-standard"}},
	} {
		if *list.to, err = git(root, list.args...); err != nil {
			return nil, err
		}
		slices.Sort(*list.to)
	}
	return s, nil
}

// ChangedSinceStart returns the files that differ from the first commit of the
// tree's history, in the working directory or by a later commit.
func ChangedSinceStart(root string) ([]string, error) {
	if _, err := os.Stat(filepath.Join(root, ".git")); err != nil {
		return nil, fmt.Errorf("%s: %w", root, ErrNoGit)
	}
	first, err := git(root, "rev-list", "--max-parents=0", "HEAD")
	if err != nil || len(first) == 0 {
		return nil, err
	}
	return git(root, "diff", "-z", "--name-only", first[0])
}

// git returns what a git command prints, split at newlines or, with -z, at NULs.
func git(root string, args ...string) ([]string, error) {
	cmd := exec.Command("git", args...)
	cmd.Dir = root
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if errors.Is(err, exec.ErrNotFound) {
		return nil, fmt.Errorf("%w: %w", ErrNoGit, err)
	}
	if err != nil {
		return nil, fmt.Errorf("git %s: %w\n%s", args[0], err, stderr.Bytes())
	}
	return strings.FieldsFunc(string(out), func(r rune) bool { return r == 0 || r == '\n' }), nil
}
