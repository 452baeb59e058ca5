// Package rings runs the project's tests: the four rings, the mutants that prove
// that the tests can fail, and what has to be tried in a debugger.
//
// A [Check] is one thing that is proven, under a name such as unit/mm,
// mutant/forget-flush or boot/q35/shell.  Checks come in groups that know how to
// list theirs without running them, so that they can be chosen by name.
package rings

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"yolk/qemu/boottest"
	"yolk/tools/internal/system"
)

// Verdict is what came of a check.
type Verdict int

// The verdicts.  A skipped check proves nothing and says why.
const (
	Pass Verdict = iota
	Fail
	Skip
)

func (v Verdict) String() string { return [...]string{"PASS", "FAIL", "SKIP"}[v] }

// A Check is one thing to prove.
type Check struct {
	Name string
	Long bool // only with Options.All
	run  func(ctx context.Context) outcome
}

// An outcome is the result of running a check.
type outcome struct {
	verdict Verdict
	detail  string // what went wrong, or why it was skipped
}

func passed() outcome { return outcome{} }

func failed(format string, args ...any) outcome {
	return outcome{Fail, fmt.Sprintf(format, args...)}
}

func skipped(format string, args ...any) outcome {
	return outcome{Skip, fmt.Sprintf(format, args...)}
}

// verdictOf makes an error a failure.
func verdictOf(err error) outcome {
	if err != nil {
		return failed("%v", err)
	}
	return passed()
}

// Options choose what to run and how.
type Options struct {
	Match  *regexp.Regexp // nil: all
	All    bool           // the long ones, too
	CI     bool           // a skipped check is a failure
	Update bool           // what tests write into documents is written anew
	Out    io.Writer
}

// A group is a list of checks that are run alike.
type group struct {
	name     string
	parallel int // how many at a time
	list     func(*suite) ([]Check, error)
}

// groups are run in this order: what is quick to fail comes first.
func groups() []group {
	return []group{
		{"vet", 1, vetChecks},
		{"unit", 2, unitChecks},
		{"build", 1, buildChecks},
		{"boot", 1, bootChecks},
		{"terminal", 1, terminalChecks},
		{"trace", 1, traceChecks},
		{"gdb", 1, gdbChecks},
		{"replay", 1, replayChecks},
		{"linux", 1, linuxChecks},
		{"bench", 1, benchChecks},
		{"picture", 1, pictureChecks},
		{"mutant", 2, mutantChecks},
		{"lab", 2, labChecks},
		{"redteam", 1, redTeamChecks},
		{"judge", 1, judgeChecks},
		{"steady", 1, steadyChecks},
		{"class", 1, classChecks},
		{"editor", 1, editorChecks},
		{"export", 1, exportChecks},
	}
}

// suite is one run of the rings.
type suite struct {
	root   string
	opt    Options
	groups []group
	built  func() (*system.System, error)   // built when the first check needs it
	sys    func() (*boottest.System, error) // the same with QEMU, as boots need it
	cache  string                           // directory for what is fetched
	web    sync.Mutex                       // held while the picture's packages are fetched
	boxes  sync.Mutex                       // held while the user programs are built with their symbols

	mu    sync.Mutex
	count [3]int             // by verdict; guarded by mu
	ended map[string]Verdict // of each check by its name; guarded by mu
	lines []string           // of the summary; guarded by mu
}

func newSuite(root string, opt Options) *suite {
	s := &suite{root: root, opt: opt, groups: groups(), cache: filepath.Join(root, ".cache"), ended: map[string]Verdict{}}
	s.built = sync.OnceValues(func() (*system.System, error) { return system.Build(root) })
	s.sys = sync.OnceValues(s.buildSystem)
	return s
}

// List prints the names of the checks that Run would run.
func List(root string, opt Options) error {
	return newSuite(root, opt).printNames()
}

func (s *suite) printNames() error {
	for _, g := range s.groups {
		checks, err := s.chosen(g)
		if err != nil {
			return err
		}
		for _, c := range checks {
			fmt.Fprintln(s.opt.Out, c.Name)
		}
	}
	return nil
}

// Run runs the checks of the source tree at root and reports whether all is
// well.  It ends with the summary and the line "N passed, N failed, N skipped".
func Run(ctx context.Context, root string, opt Options) bool {
	return newSuite(root, opt).run(ctx)
}

func (s *suite) run(ctx context.Context) bool {
	start := time.Now()
	for _, g := range s.groups {
		checks, err := s.chosen(g)
		if err != nil {
			s.report(g.name, failed("%v", err), 0)
			continue
		}
		s.runAll(ctx, checks, g.parallel)
	}
	if err := s.showMatrix(); err != nil {
		s.report("the matrix of the labs", failed("%v", err), 0)
	}
	if ctx.Err() != nil {
		s.report("all of it", failed("interrupted"), 0)
	}
	return s.summary(time.Since(start))
}

// chosen lists the checks of a group that the options ask for.
func (s *suite) chosen(g group) ([]Check, error) {
	checks, err := g.list(s)
	return slices.DeleteFunc(checks, func(c Check) bool {
		return c.Long && !s.opt.All || s.opt.Match != nil && !s.opt.Match.MatchString(c.Name)
	}), err
}

// runAll runs checks, n at a time.
func (s *suite) runAll(ctx context.Context, checks []Check, n int) {
	var wg sync.WaitGroup
	next := make(chan Check)
	for range n {
		wg.Go(func() {
			for c := range next {
				start := time.Now()
				s.report(c.Name, c.run(ctx), time.Since(start))
			}
		})
	}
	for _, c := range checks {
		if ctx.Err() == nil {
			next <- c
		}
	}
	close(next)
	wg.Wait()
}

// report prints and counts one outcome.
func (s *suite) report(name string, o outcome, took time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.count[o.verdict]++
	s.ended[name] = o.verdict
	line := fmt.Sprintf("%s %7.1fs  %s", o.verdict, took.Seconds(), name)
	if o.verdict != Pass {
		first, _, _ := strings.Cut(o.detail, "\n")
		s.lines = append(s.lines, line+": "+first)
	}
	fmt.Fprintln(s.opt.Out, line)
	if o.detail != "" {
		fmt.Fprintln(s.opt.Out, "     | "+strings.ReplaceAll(strings.TrimSpace(o.detail), "\n", "\n     | "))
	}
}

// summary prints what did not pass, and the count.
func (s *suite) summary(took time.Duration) bool {
	w := s.opt.Out
	fmt.Fprintf(w, "\n%v in all\n", took.Round(time.Second))
	for _, line := range s.lines {
		fmt.Fprintln(w, line)
	}
	ok := s.count[Fail] == 0
	if s.count[Pass]+s.count[Fail]+s.count[Skip] == 0 {
		fmt.Fprintln(w, "nothing was run")
		ok = false
	}
	if s.opt.CI && s.count[Skip] > 0 {
		fmt.Fprintln(w, "in CI a skipped check is a failure")
		ok = false
	}
	fmt.Fprintf(w, "%d passed, %d failed, %d skipped\n", s.count[Pass], s.count[Fail], s.count[Skip])
	return ok
}
