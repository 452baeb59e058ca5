package grade

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"

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

// NewHandIn copies the reference tree and lays over it the files of the directory tests,
// if it is not "", and then what the student of a lab may change, from the directory dir:
// everything else, the tests, the programs and the grader's own tools, is the reference's.
func NewHandIn(ctx context.Context, reference, dir, tests string, l *lab.Lab) (*HandIn, error) {
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
	err = tree.Copy(h.Root, reference)
	if err == nil && tests != "" {
		err = h.lay(ctx, tests, l)
	}
	if err == nil {
		err = h.fill(from)
	}
	if err != nil {
		h.Remove()
		return nil, err
	}
	return h, nil
}

// Remove removes the copy.
func (h *HandIn) Remove() { os.RemoveAll(h.Root) }

// fill lays the student's files over the copy.
func (h *HandIn) fill(from *os.Root) error {
	for _, name := range h.Files {
		text, err := handedIn(from, name)
		if errors.Is(err, errNotThere) || errors.Is(err, errNoFile) {
			h.Problem = notHandedIn(name, err)
			return nil
		}
		if err != nil {
			return err
		}
		if err := tree.Write(h.Root, name, text); err != nil {
			return err
		}
	}
	return nil
}

// Why a file was not handed in.
var (
	errNotThere = errors.New("it is not there")
	errNoFile   = errors.New("it is no regular file, or too large")
)

func notHandedIn(name string, why error) string {
	return fmt.Sprintf("%s was not handed in: %v", name, why)
}

// handedIn reads a file of a hand-in.  A link is no file, so that nothing outside
// of the hand-in can be named.  What the host cannot read is an error, and no file
// that is not there.
func handedIn(from *os.Root, name string) ([]byte, error) {
	for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
		if info, err := from.Lstat(filepath.FromSlash(dir)); err == nil && !info.IsDir() {
			return nil, errNoFile
		}
	}
	info, err := from.Lstat(filepath.FromSlash(name))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if _, err := from.Lstat(path.Base(name)); err == nil {
			return nil, fmt.Errorf("%w: %s lies at the top, and belongs into %s", errNotThere, path.Base(name), path.Dir(name))
		}
		return nil, errNotThere
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular() || info.Size() > maxFile:
		return nil, errNoFile
	}
	return from.ReadFile(filepath.FromSlash(name))
}
