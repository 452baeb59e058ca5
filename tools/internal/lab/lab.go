// Package lab cuts the exercises of a course out of the reference source.
//
// There is one source tree, and it is complete.  A [Lab] is a handout, a list of
// graded tests, and [Mark]s in the source that say which functions are the
// student's to write.  [Start] copies the tree and empties those functions, so
// that a solution exists in one place only: in the kernel that everybody reads.
package lab

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"yolk/tools/internal/tree"
)

// Where things lie, relative to a tree's root.
const (
	Dir         = "tools/internal/lab/labs" // a directory for each lab
	DataFile    = "lab.json"                // in it: a Lab
	WrongFile   = "wrong.json"              // in it: a list of Wrongs
	DefectsFile = "defects.json"            // in it, perhaps: a list of Defects
	ProofFile   = "proof.json"              // beside the labs: a Proof
	RedTeam     = "redteam.json"            // in the grader: attempts to fool it, some of which quote solutions
	Handout     = "LAB.md"                  // in a starter tree: the lab's README.md
	Messages    = "MESSAGES.md"             // in a starter tree: what the message means
	HandIn      = tree.HandIn               // in a starter tree: a Record

	students = "tools/internal/lab/STUDENTS.md"
)

// ErrNoLab means that there is no lab of a name.
var ErrNoLab = errors.New("there is no such lab")

// A Lab is what the file lab.json in the directory of its name says.
type Lab struct {
	Name    string `json:"-"`
	Title   string `json:"title"`
	Version string `json:"version"` // semantic: what was handed in for 1.x is graded alike by all of 1.x
	// Boot is a program, as for yolk run, that meets an emptied function; in a lab
	// with Defects, one that runs all the same.
	Boot  []string `json:"boot"`
	Own   []string `json:"own,omitempty"` // files that students write in although no function there is marked
	Tests []Test   `json:"tests"`
}

// A Test is what points are given for.  One of Unit, Guest and Outside names it.
type Test struct {
	Unit    string `json:"unit,omitempty"`    // a Go test: package directory, blank, name, perhaps with a subtest's
	Guest   string `json:"guest,omitempty"`   // a test of userland/usertests
	Append  string `json:"append,omitempty"`  // with Guest: kernel parameters
	Outside string `json:"outside,omitempty"` // a case of tools/internal/judge

	Task   int    `json:"task"` // that it belongs to
	Points int    `json:"points"`
	Robust bool   `json:"robust,omitempty"` // holds in adversity, too: counted apart from what works at all
	Want   string `json:"want"`             // what is expected, for who fails it
	Look   string `json:"look"`             // where to look: a symbol, as documents cite it

	// Visibility is who sees the verdict on Gradescope: one of Visibilities.
	Visibility string `json:"visibility,omitempty"`
}

// Name is unique in a lab: mm/TestBorrow, guest/VFORK-08-child-sleeps, outside/vfork-borrows.
func (t *Test) Name() string {
	switch {
	case t.Unit != "":
		return strings.Replace(t.Unit, " ", "/", 1)
	case t.Append != "":
		return "guest(" + t.Append + ")/" + t.Guest
	case t.Guest != "":
		return "guest/" + t.Guest
	}
	return "outside/" + t.Outside
}

// Host reports whether the test runs on the host, without QEMU.
func (t *Test) Host() bool { return t.Unit != "" }

// A Wrong is a wrong solution: the reference with some of a classic mistake in
// it.  It proves that the lab's tests notice the mistake.
type Wrong struct {
	Name  string   `json:"name"`
	Case  string   `json:"case"` // of the catalogue that the tests' names are from: COW-08
	Edits []Edit   `json:"edits"`
	Fails []string `json:"fails"` // the tests that fail with it, and no others but
	// those of which nobody can say it: two processes run wild on one stack.
	May []string `json:"may,omitempty"`
}

// An Edit replaces Old, which stands in File once, by New.
type Edit struct {
	File string `json:"file"`
	Old  string `json:"old"`
	New  string `json:"new"`
}

// A Proof says of which commit the labs are proven as a whole: all checks of their
// matrix were run on it, and have passed.
type Proof struct {
	Commit string `json:"commit"`
	Checks int    `json:"checks"`
}

// A Record is what a starter tree knows about itself.
type Record struct {
	Lab       string   `json:"lab"`
	Version   string   `json:"version"`
	Reference string   `json:"reference,omitempty"` // the commit it was cut from
	Files     []string `json:"files"`               // what the student may change, and hands in
}

// Names lists the labs of the tree at root, in the order of a course.
func Names(root string) ([]string, error) {
	data, err := filepath.Glob(filepath.Join(root, filepath.FromSlash(Dir), "*", DataFile))
	var names []string
	for _, file := range data {
		names = append(names, filepath.Base(filepath.Dir(file)))
	}
	slices.SortFunc(names, func(a, b string) int { return cmp.Compare(place(a), place(b)) })
	return names, err
}

// course is the order in which the labs are meant to be done.
var course = []string{"boot", "paging", "gate", "demand", "cow", "exec", "vfork", "process", "bugs"}

// place is a lab's place in the course; labs that others have added come last.
func place(name string) int {
	if i := slices.Index(course, name); i >= 0 {
		return i
	}
	return len(course)
}

var nameForm = regexp.MustCompile(`^[a-z]+$`)

// Load reads a lab of the tree at root.  The error is ErrNoLab, or says what is
// wrong with the data.
func Load(root, name string) (*Lab, error) {
	file := filepath.Join(root, filepath.FromSlash(Dir), name, DataFile)
	b, err := os.ReadFile(file)
	if !nameForm.MatchString(name) || errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%q: %w; yolk lab list names them", name, ErrNoLab)
	}
	if err != nil {
		return nil, err
	}
	l := &Lab{Name: name}
	if err := decode(b, l); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return l, nil
}

// Wrongs reads the wrong solutions of a lab of the tree at root.
func (l *Lab) Wrongs(root string) (list []Wrong, err error) {
	file := filepath.Join(root, filepath.FromSlash(Dir), l.Name, WrongFile)
	b, err := os.ReadFile(file)
	if err == nil {
		err = decode(b, &list)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return list, nil
}

// Apply makes the edits in the tree at root.
func (w *Wrong) Apply(root string) error {
	for _, e := range w.Edits {
		path := filepath.Join(root, filepath.FromSlash(e.File))
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if b, err = e.in(b); err != nil {
			return fmt.Errorf("wrong solution %q is stale: %w", w.Name, err)
		}
		if err := os.WriteFile(path, b, 0o666); err != nil {
			return err
		}
	}
	return nil
}

// Points is what the lab's tests give in all; robust of them are those of tests
// that are Robust.
func (l *Lab) Points() (all, robust int) {
	for _, t := range l.Tests {
		all += t.Points
		if t.Robust {
			robust += t.Points
		}
	}
	return all, robust
}

// OwnFiles returns the files that a lab's student may change in the tree at
// root, which is the student's or the reference.
func OwnFiles(root string, l *Lab) ([]string, error) {
	r, err := ReadRecord(root)
	if err != nil {
		return nil, err
	}
	if r != nil && r.Lab == l.Name {
		return r.Files, nil
	}
	marks, err := Marks(root)
	return l.Files(marks), err
}

// Files returns the files that students of the lab write in, sorted.
func (l *Lab) Files(marks []Mark) []string {
	files := slices.Clone(l.Own)
	for _, m := range marks {
		if m.Lab == l.Name {
			files = append(files, m.File)
		}
	}
	slices.Sort(files)
	return slices.Compact(files)
}

// maxRecord bounds a Record, which may be anything that a student has handed in.
const maxRecord = 1 << 20

// ReadRecord returns what the tree at root says of itself; nil and no error for
// one that is no student's.
func ReadRecord(root string) (*Record, error) {
	file := filepath.Join(root, HandIn)
	if info, err := os.Lstat(file); err == nil && (!info.Mode().IsRegular() || info.Size() > maxRecord) {
		return nil, fmt.Errorf("%s: it is no regular file, or too large", file)
	}
	b, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	r := &Record{}
	if err := decode(b, r); err != nil {
		return nil, fmt.Errorf("%s: %w", HandIn, err)
	}
	return r, nil
}

// decode reads JSON without fields that nobody knows.
func decode(b []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	return d.Decode(v)
}

// left reports whether the starter tree of a lab does without the file: wrong
// solutions and mutants quote the right one, and the rest is about other labs.
func (l *Lab) left(name string) bool {
	dir, base := path.Split(name)
	switch {
	case base == WrongFile, base == DefectsFile, base == RedTeam, base == "mutants.json":
		return true
	case strings.HasPrefix(dir, Dir+"/"):
		return dir != path.Join(Dir, l.Name)+"/"
	}
	return dir == path.Dir(Dir)+"/" && strings.HasSuffix(base, "_test.go")
}
