// Package grade gives points for a lab: it runs the lab's tests on a tree and
// says of each what was expected, what was seen and where to look.
//
// A verdict is about the student's kernel.  Whatever else goes wrong (no QEMU, no
// toolchain, a full disk) is an error of [Run], and never a failed test.
//
// The order is that of the rings: the files that were handed in are looked at,
// they are compiled, the tests on the host run in seconds, then QEMU is booted.
package grade

import (
	"context"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"time"

	"yolk/tools/internal/lab"
)

// Options say what to grade.
type Options struct {
	Root    string         // the tree: a student's own, or a HandIn's
	Lab     *lab.Lab       // whose tests are run
	Files   []string       // of the tree, those that are the student's
	Match   *regexp.Regexp // only tests with such names; nil: all
	Host    bool           // only tests that need no QEMU
	Trace   bool           // have the guest's events in the details of failures
	Notes   io.Writer      // what installers and builds say
	Alive   io.Writer      // what is under way, when there has been no verdict for a while; nil: nowhere
	Problem string         // what is wrong with the hand-in: every test fails for it

	// Draw, if not nil, gets the first failure of a test in the guest, if there
	// is one, when all tests have been run.  Its error is Run's.
	Draw func(*Drawing) error
}

// A Result is the verdict on one test.
type Result struct {
	Test   *lab.Test
	Passed bool
	Seen   string // what was seen instead of what was expected: a line or a few
	Common bool   // Seen is why the test was not run, and others neither
	Detail string // all that the test printed, of a failure
	Look   string // where to look: the symbol and its file and line; "" if Common says it
	Task   int    // what the handout calls the place; the test's own unless another's panic ended it
	Took   time.Duration
}

// Score is the points that the test gave.
func (r *Result) Score() int {
	if r.Passed {
		return r.Test.Points
	}
	return 0
}

// emptied matches the panic of a function that is still to be written.
var emptied = regexp.MustCompile(`^panic: (lab \w+, task (\d+): .*)`)

// direct says where to look for the reason of a failure: at the function that is
// still to be written, if its panic ended the test, else where the test says.  A test
// may need a task that comes after its own.
func (g *grading) direct(r *Result) {
	r.Look, r.Task = g.look.place(r.Test.Look), r.Test.Task
	m := emptied.FindStringSubmatch(r.Seen)
	if m == nil {
		return
	}
	if place := g.look.literal(g.Files, m[1]); place != "" {
		r.Look = place
	}
	r.Task, _ = strconv.Atoi(m[2])
	if r.Task > r.Test.Task {
		r.Seen += fmt.Sprintf("\n(the test is about task %d, and needs task %d, too)", r.Test.Task, r.Task)
	}
}

// A Report is the verdict on a tree.
type Report struct {
	Lab     *lab.Lab
	Results []*Result
	Took    time.Duration
}

// Score sums up the points given and those that could be had.
func (r *Report) Score() (got, of int) {
	for _, t := range r.Results {
		got, of = got+t.Score(), of+t.Test.Points
	}
	return got, of
}

// part is Score for the tests that are robust, or for those that are not.
func (r *Report) part(robust bool) (got, of int) {
	for _, t := range r.Results {
		if t.Test.Robust == robust {
			got, of = got+t.Score(), of+t.Test.Points
		}
	}
	return got, of
}

// Full reports whether nothing is missing.
func (r *Report) Full() bool {
	got, of := r.Score()
	return got == of
}

// grading is one run.
type grading struct {
	Options
	tests []*lab.Test
	look  *lookup
	each  func(*Result)
	pace  *pace
	life  *life
	first *Result // of tests in the guest, the first that failed
}

// Run grades a tree.  each is called for every result, in the order of the lab's
// tests but those on the host first.  The error is about the infrastructure.
func Run(ctx context.Context, opt Options, each func(*Result)) (*Report, error) {
	start := time.Now()
	g := &grading{Options: opt, look: newLookup(opt.Root), pace: newPace(), life: newLife(opt.Alive)}
	defer g.pace.stop()
	defer g.life.stop()
	report := &Report{Lab: opt.Lab}
	g.each = func(r *Result) {
		if !r.Passed {
			if r.Task = r.Test.Task; !r.Common {
				g.direct(r)
			}
			if g.first == nil && r.Test.Guest+r.Test.Outside != "" {
				g.first = r
			}
		}
		report.Results = append(report.Results, r)
		g.life.sign()
		each(r)
	}
	g.choose()
	err := g.run(ctx)
	if err == nil {
		err = ctx.Err()
	}
	report.Took = time.Since(start)
	return report, err
}

// choose picks the tests that the options ask for, those on the host first.
func (g *grading) choose() {
	for _, host := range []bool{true, false} {
		for i := range g.Lab.Tests {
			t := &g.Lab.Tests[i]
			if t.Host() == host && (host || !g.Host) && (g.Match == nil || g.Match.MatchString(t.Name())) {
				g.tests = append(g.tests, t)
			}
		}
	}
}

func (g *grading) run(ctx context.Context) error {
	problem, err := g.Problem, error(nil)
	if problem == "" {
		problem, err = g.inspect()
	}
	if problem == "" && err == nil {
		problem, err = g.compile(ctx)
	}
	if err != nil {
		return err
	}
	if problem != "" {
		for _, t := range g.tests {
			g.each(&Result{Test: t, Seen: problem, Common: true})
		}
		return nil
	}
	var host, guest []*lab.Test
	for _, t := range g.tests {
		if t.Host() {
			host = append(host, t)
		} else {
			guest = append(guest, t)
		}
	}
	if err := g.units(ctx, host); err != nil {
		return err
	}
	if len(guest) == 0 {
		return nil
	}
	return g.guests(ctx, guest)
}
