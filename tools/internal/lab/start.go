package lab

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"yolk/tools/internal/tree"
)

// instructors is the guide for those who have the reference: no starter has it.
const instructors = "tools/internal/lab/INSTRUCTORS.md"

// Start makes the starter tree of a lab in dir, which must be empty or not there
// and lie outside of it, out of the reference at root, with a git history of its own that is one commit
// long.  What is worth knowing but no error goes to out.
//
// It takes the files that git tracks, as they are on disk: a change that was not
// committed goes along, and is told; a file that was never added stays behind,
// since it may be anything.
func Start(root string, l *Lab, dir string, out io.Writer) error {
	if rel, err := filepath.Rel(real(root), real(dir)); err == nil && filepath.IsLocal(rel) {
		return fmt.Errorf("%s lies in the reference: name one outside", dir)
	}
	if entries, err := os.ReadDir(dir); err == nil && len(entries) > 0 {
		return fmt.Errorf("%s is not empty: name a directory that is, or a new one", dir)
	} else if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	files, commit, err := Reference(root, out)
	if err != nil {
		return err
	}
	if err := l.Write(root, dir, files, commit); err != nil {
		return err
	}
	return firstCommit(dir, l, out)
}

// real returns where path leads, absolute and without symbolic links, as far as it
// is there.
func real(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		path = abs
	}
	if there, err := filepath.EvalSymlinks(path); err == nil {
		return there
	}
	up := filepath.Dir(path)
	if up == path {
		return path
	}
	return filepath.Join(real(up), filepath.Base(path))
}

// Reference lists the files of the reference at root that go to others, and names
// its commit if there is one.  It tells out what stays behind.  A student's tree is
// an error.
func Reference(root string, out io.Writer) (files []string, commit string, err error) {
	if r, err := ReadRecord(root); r != nil || err != nil {
		return nil, "", errors.Join(err, errors.New("this tree is a student's, and not the reference"))
	}
	if files, err = tree.Files(root); err != nil {
		return nil, "", err
	}
	status, err := tree.Git(root)
	if errors.Is(err, tree.ErrNoGit) {
		return files, "", nil
	}
	if err != nil {
		return nil, "", err
	}
	note(out, "with changes that are not committed", status.Changed)
	note(out, "without files that git does not track", status.Untracked)
	files = slices.DeleteFunc(files, func(name string) bool {
		_, tracked := slices.BinarySearch(status.Tracked, name)
		return !tracked
	})
	return files, status.Commit, nil
}

// note tells of files, the first few by name.
func note(out io.Writer, what string, files []string) {
	const few = 5
	if len(files) == 0 {
		return
	}
	more := ""
	if len(files) > few {
		more = fmt.Sprintf(" and %d more", len(files)-few)
	}
	fmt.Fprintf(out, "note: %s: %s%s\n", what, strings.Join(files[:min(few, len(files))], ", "), more)
}

// Write writes the lab's starter tree to dir, out of those files of the reference
// at root, whose commit is given.
func (l *Lab) Write(root, dir string, files []string, commit string) error {
	marks, err := Marks(root)
	if err != nil {
		return err
	}
	defects, err := l.Defects(root)
	if err != nil {
		return err
	}
	record := Record{Lab: l.Name, Version: l.Version, Reference: commit, Files: l.Files(marks)}
	if len(record.Files) == 0 {
		return fmt.Errorf("no function is marked //lab:%s, and no file is the student's", l.Name)
	}
	files = slices.DeleteFunc(slices.Clone(files), func(name string) bool { return name == instructors || l.left(name) })
	there := places(slices.Concat(files, []string{Handout, Messages, HandIn}))
	for _, name := range files {
		if err := l.writeCut(root, dir, name, defects, there); err != nil {
			return err
		}
	}
	for to, from := range map[string]string{Handout: path.Join(Dir, l.Name, "README.md"), Messages: students} {
		text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(from)))
		if err != nil {
			return err
		}
		if err := tree.Write(dir, to, unlinked(to, text, there)); err != nil {
			return err
		}
	}
	b, err := json.MarshalIndent(record, "", "  ")
	if err != nil {
		return err
	}
	return tree.Write(dir, HandIn, append(b, '\n'))
}

// writeCut writes a file of the reference to dir as a student gets it, who has
// what is there.
func (l *Lab) writeCut(root, dir, name string, defects []Defect, there map[string]bool) error {
	text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(name)))
	if err != nil {
		return err
	}
	if text, err = seed(defects, name, text); err != nil {
		return err
	}
	if cuttable(name) {
		if text, err = Cut(name, text, l.Name); err != nil {
			return err
		}
	}
	if path.Ext(name) == ".md" {
		text = unlinked(name, text, there)
	}
	return tree.Write(dir, name, text)
}

// places returns the files and the directories that they lie in.
func places(files []string) map[string]bool {
	there := map[string]bool{}
	for _, name := range files {
		for ; !there[name]; name = path.Dir(name) {
			there[name] = true
		}
	}
	return there
}

// link matches a link or picture of Markdown: its text, and what it leads to.
var link = regexp.MustCompile(`!?\[([^\[\]]*)\]\(([^()\s]+)\)`)

// unlinked returns the document of that name with those links as plain text that
// would lead to a place in the tree which is not there.
func unlinked(name string, text []byte, there map[string]bool) []byte {
	return link.ReplaceAllFunc(text, func(whole []byte) []byte {
		m := link.FindSubmatch(whole)
		if to, relative := target(name, string(m[2])); relative && !there[to] {
			return m[1]
		}
		return whole
	})
}

// target returns the place in the tree that a link of the document of that name
// leads to, unless it leads elsewhere, or to a place in the document.
func target(name, to string) (place string, relative bool) {
	u, err := url.Parse(to)
	if err != nil || u.Scheme != "" || u.Host != "" || u.Path == "" {
		return "", false
	}
	return path.Join(path.Dir(name), u.Path), true
}

// firstCommit makes dir a git repository with all of it committed, where there
// is git; the student's own name comes with the student's own commits.
func firstCommit(dir string, l *Lab, out io.Writer) error {
	if _, err := exec.LookPath("git"); err != nil {
		fmt.Fprintf(out, "note: git is not here: %s has no history\n", dir)
		return nil
	}
	for _, args := range [][]string{
		{"init", "-q", "-b", "main"},
		{"add", "-A"},
		{"-c", "user.name=Yolk", "-c", "user.email=yolk@localhost", "-c", "commit.gpgsign=false",
			"commit", "-q", "-m", fmt.Sprintf("Lab %s %s: %s", l.Name, l.Version, l.Title)},
	} {
		cmd := exec.Command("git", args...)
		cmd.Dir = dir
		if b, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("git %s: %w\n%s", strings.Join(args, " "), err, b)
		}
	}
	return nil
}
