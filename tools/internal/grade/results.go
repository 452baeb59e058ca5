package grade

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"yolk/tools/internal/lab"
)

// Results are what Gradescope's results.json says of a submission, as far as
// graders of labs write it.
type Results struct {
	Lab   string // "" if they do not say
	Tests []ResultsTest
}

// A ResultsTest is a test in Results.
type ResultsTest struct {
	Name       string
	Score, Max int
	Robust     bool
}

// ReadResults reads a results.json.  The error says where it is not what
// Gradescope's documentation asks for.
func ReadResults(b []byte) (*Results, error) {
	var in gradescopeResults
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&in); err != nil {
		return nil, err
	}
	if in.Tests == nil || !slices.Contains(lab.Visibilities, in.Visibility) {
		return nil, errors.New("there are no tests, or their visibility is none that Gradescope knows")
	}
	r := &Results{Lab: in.ExtraData.Lab}
	for i, t := range in.Tests {
		switch {
		case t.Name == "" || t.Status != "passed" && t.Status != "failed" || !slices.Contains(lab.Visibilities, t.Visibility):
			return nil, fmt.Errorf("test %d has no name, or a status or visibility that Gradescope does not know", i+1)
		case t.Score < 0 || t.Score > t.MaxScore:
			return nil, fmt.Errorf("test %s has %d of %d points", t.Name, t.Score, t.MaxScore)
		}
		r.Tests = append(r.Tests, ResultsTest{t.Name, t.Score, t.MaxScore, slices.Contains(t.Tags, kindOf(true))})
	}
	return r, nil
}

// Score sums up the points given and those that could be had.
func (r *Results) Score() (got, of int) { return r.sum(func(*ResultsTest) bool { return true }) }

// Part is Score for the tests that are robust, or for those that are not.
func (r *Results) Part(robust bool) (got, of int) {
	return r.sum(func(t *ResultsTest) bool { return t.Robust == robust })
}

func (r *Results) sum(counts func(*ResultsTest) bool) (got, of int) {
	for i := range r.Tests {
		if t := &r.Tests[i]; counts(t) {
			got, of = got+t.Score, of+t.Max
		}
	}
	return got, of
}
