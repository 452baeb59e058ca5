package lab

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// A Defect is a mistake that a lab puts into its starter tree, for students to find.
// Those of a lab are independent of each other: the tests of a task fail where its
// defect is, whatever is with the others, and pass where it is not.
type Defect struct {
	Task  int      `json:"task"`
	Name  string   `json:"name"`
	Case  string   `json:"case"` // of the catalogue that the tests' names are from
	Edits []Edit   `json:"edits"`
	Also  []string `json:"also,omitempty"` // tests that fail with it and belong to no task
}

// Defects reads the defects of a lab of the tree at root; most labs have none.
func (l *Lab) Defects(root string) (list []Defect, err error) {
	file := filepath.Join(root, filepath.FromSlash(Dir), l.Name, DefectsFile)
	b, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err == nil {
		err = decode(b, &list)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return list, nil
}

// Left is the wrong solution that has found all defects but d.
func (l *Lab) Left(d *Defect) Wrong {
	w := Wrong{Name: "left: " + d.Name, Case: d.Case, Edits: d.Edits}
	for i := range l.Tests {
		if t := &l.Tests[i]; t.Task == d.Task {
			w.Fails = append(w.Fails, t.Name())
		}
	}
	return w
}

// seed puts those of the defects that are in the file name into its text.
func seed(defects []Defect, name string, text []byte) (_ []byte, err error) {
	for _, d := range defects {
		for _, e := range d.Edits {
			if e.File != name {
				continue
			}
			if text, err = e.in(text); err != nil {
				return nil, fmt.Errorf("defect %q is stale: %w", d.Name, err)
			}
		}
	}
	return text, nil
}

// in makes the edit in the text of its file.
func (e *Edit) in(text []byte) ([]byte, error) {
	if n := bytes.Count(text, []byte(e.Old)); n != 1 || e.Old == e.New {
		return nil, fmt.Errorf("its old text stands %d times in %s, or is the new one", n, e.File)
	}
	return bytes.Replace(text, []byte(e.Old), []byte(e.New), 1), nil
}
