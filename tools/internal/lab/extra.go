package lab

import (
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
// dir names, a list of Tests in the field "tests": one of the name of a test that
// is there takes its place, one without points takes it out, all others come last.
func (l *Lab) WithTests(dir string) (*Lab, error) {
	file := filepath.Join(dir, DataFile)
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var more struct{ Tests []Test }
	if err := decode(b, &more); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	all := *l
	all.Tests = slices.Clone(l.Tests)
	for _, t := range more.Tests {
		if err := t.check(); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		i := slices.IndexFunc(all.Tests, func(old Test) bool { return old.Name() == t.Name() })
		switch {
		case i < 0 && t.Points > 0:
			all.Tests = append(all.Tests, t)
		case i < 0:
			return nil, fmt.Errorf("%s: there is no test %s to take out", file, t.Name())
		case t.Points == 0:
			all.Tests = slices.Delete(all.Tests, i, i+1)
		default:
			all.Tests[i] = t
		}
	}
	return &all, nil
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
	for _, name := range []string{t.Unit, t.Guest, t.Boot, t.Outside} {
		if name != "" {
			named++
		}
	}
	switch {
	case named != 1:
		return errors.New("a test is one of unit, guest, boot and outside")
	case t.Points < 0 || t.Points > 0 && (t.Want == "" || t.Look == ""):
		return fmt.Errorf("test %s has less than no points, or does not say what is expected and where to look", t.Name())
	case !slices.Contains(Visibilities, t.Visibility):
		return fmt.Errorf("test %s has the visibility %q; there are %q", t.Name(), t.Visibility, Visibilities[1:])
	}
	return nil
}
