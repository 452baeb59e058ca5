package grade

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"yolk/tools/internal/lab"
	"yolk/tools/internal/tree"
)

// maxFile is the largest file that is taken from a hand-in.
const maxFile = 1 << 20

// A HandIn is a copy of the reference tree with a student's files in it.
type HandIn struct {
	Root    string
	Files   []string // the student's, relative to Root
	Problem string   // what the student did not hand in
}

// Top returns the directory in which a hand-in's tree begins: dir, or the only one
// inside that says of itself what it is, as the archive of a directory leaves it.
func Top(dir string) string {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return dir // whoever opens it says why that cannot be
	}
	inside := ""
	for _, e := range entries {
		if e.Name() == lab.HandIn {
			return dir
		}
		if _, err := os.Stat(filepath.Join(dir, e.Name(), lab.HandIn)); err != nil || !e.IsDir() {
			continue // not a link either, which may lead out of the hand-in
		}
		if inside != "" {
			return dir
		}
		inside = filepath.Join(dir, e.Name())
	}
	if inside == "" {
		return dir
	}
	return inside
}

// NewHandIn copies the reference tree and lays over it what the student of a lab
// may change, from the directory dir: everything else, the tests, the programs
// and the grader's own tools, is the reference's.
func NewHandIn(reference, dir string, l *lab.Lab) (*HandIn, error) {
	marks, err := lab.Marks(reference)
	if err != nil {
		return nil, err
	}
	from, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer from.Close()
	h := &HandIn{Files: l.Files(marks)}
	if h.Root, err = os.MkdirTemp("", "hand-in-"); err != nil {
		return nil, err
	}
	if err := h.fill(reference, from); err != nil {
		h.Remove()
		return nil, err
	}
	return h, nil
}

// Lay lays the files of the directory dir, but for its lab.json, over the copy:
// tests that students have not seen.  It is an error if one of them is the
// student's to write.
func (h *HandIn) Lay(dir string) error {
	files, err := tree.Files(dir)
	if err != nil {
		return err
	}
	for _, name := range files {
		if name == lab.DataFile {
			continue
		}
		if slices.Contains(h.Files, name) {
			return fmt.Errorf("%s: %s is a file that students hand in", dir, name)
		}
		text, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(name)))
		if err != nil {
			return err
		}
		if err := tree.Write(h.Root, name, text); err != nil {
			return err
		}
	}
	return nil
}

// Remove removes the copy.
func (h *HandIn) Remove() { os.RemoveAll(h.Root) }

func (h *HandIn) fill(reference string, from *os.Root) error {
	if err := tree.Copy(h.Root, reference); err != nil {
		return err
	}
	for _, name := range h.Files {
		text, err := handedIn(from, name)
		if err != nil {
			h.Problem = fmt.Sprintf("%s was not handed in: %v", name, err)
			return nil
		}
		if err := tree.Write(h.Root, name, text); err != nil {
			return err
		}
	}
	return nil
}

// handedIn reads a file of a hand-in.  A link is no file, so that nothing outside
// of the hand-in can be named.
func handedIn(from *os.Root, name string) ([]byte, error) {
	info, err := from.Lstat(filepath.FromSlash(name))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, errors.New("it is not there")
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular() || info.Size() > maxFile:
		return nil, errors.New("it is no regular file, or too large")
	}
	return from.ReadFile(filepath.FromSlash(name))
}
