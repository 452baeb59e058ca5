package lab

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Visibilities are the values of Test.Visibility: who on Gradescope sees a test's
// verdict.  None is everybody.
var Visibilities = []string{"", "visible", "after_due_date", "after_published", "hidden"}

// WithTests returns the lab with the tests that the file lab.json in the directory
// dir names, a list of Tests in the field "tests": of a test that is there, the fields
// that are given take the place of its own, and no points take it out; all others come
// last.
func (l *Lab) WithTests(dir string) (*Lab, error) {
	file := filepath.Join(dir, DataFile)
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var more struct{ Tests []json.RawMessage }
	if err := decode(b, &more); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	all := *l
	all.Tests = slices.Clone(l.Tests)
	for _, text := range more.Tests {
		if err := all.with(text); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
	}
	return &all, nil
}

// with adds a test, or changes the one of its name.
func (l *Lab) with(text json.RawMessage) error {
	var t Test
	if err := decode(text, &t); err != nil {
		return err
	}
	i := slices.IndexFunc(l.Tests, func(old Test) bool { return old.Name() == t.Name() })
	if i >= 0 {
		t = l.Tests[i]
		if err := decode(text, &t); err != nil {
			return err
		}
	}
	switch err := t.check(); {
	case err != nil:
		return err
	case i < 0 && t.Points == 0:
		return fmt.Errorf("there is no test %s to take out", t.Name())
	case i < 0:
		l.Tests = append(l.Tests, t)
	case t.Points == 0:
		l.Tests = slices.Delete(l.Tests, i, i+1)
	default:
		l.Tests[i] = t
	}
	return nil
}

// Takes reports whether what was handed in for a version of the lab can be graded
// by this one: a major version changes what is asked for.
func (l *Lab) Takes(version string) bool {
	own, _, _ := strings.Cut(l.Version, ".")
	major, _, _ := strings.Cut(version, ".")
	return own == major
}

// check says what is wrong with a test that somebody has added.
func (t *Test) check() error {
	named := 0
	for _, name := range []string{t.Unit, t.Guest, t.Outside} {
		if name != "" {
			named++
		}
	}
	switch {
	case named != 1:
		return errors.New("a test is one of unit, guest and outside")
	case t.Points < 0 || t.Points > 0 && (t.Want == "" || t.Look == ""):
		return fmt.Errorf("test %s has less than no points, or does not say what is expected and where to look", t.Name())
	case !slices.Contains(Visibilities, t.Visibility):
		return fmt.Errorf("test %s has the visibility %q; there are %q", t.Name(), t.Visibility, Visibilities[1:])
	}
	return nil
}
