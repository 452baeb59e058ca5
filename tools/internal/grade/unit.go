package grade

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"yolk/tools/internal/lab"
	"yolk/tools/internal/system"
)

// units runs the tests on the host, each in a process of its own: a panic ends
// one of them and not those that come after it.
func (g *grading) units(ctx context.Context, tests []*lab.Test) error {
	dir, err := os.MkdirTemp("", "grade-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	binaries, err := g.testBinaries(ctx, dir, tests)
	if err != nil {
		return err
	}
	results := make([]*Result, len(tests))
	failed := make([]error, len(tests))
	done := make([]chan struct{}, len(tests))
	for i := range done {
		done[i] = make(chan struct{})
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	var next atomic.Int64
	for range min(runtime.NumCPU(), 4) {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(tests); i = int(next.Add(1)) - 1 {
				pkg, _, _ := strings.Cut(tests[i].Unit, " ")
				results[i], failed[i] = g.unit(ctx, tests[i], binaries[pkg])
				close(done[i])
			}
		})
	}
	for i := range tests { // as listed, whichever ends first
		<-done[i]
		if failed[i] != nil {
			next.Store(int64(len(tests)))
			return failed[i]
		}
		g.each(results[i])
	}
	return nil
}

// testBinary is a package's compiled tests, or why there are none.
type testBinary struct {
	path    string
	problem string
}

// testBinaries compiles the tests of the packages that hold some of tests.
func (g *grading) testBinaries(ctx context.Context, dir string, tests []*lab.Test) (map[string]testBinary, error) {
	binaries := map[string]testBinary{}
	for _, t := range tests {
		pkg, _, _ := strings.Cut(t.Unit, " ")
		if _, ok := binaries[pkg]; ok {
			continue
		}
		end := g.life.begin("compiling the tests of " + pkg)
		b := testBinary{path: filepath.Join(dir, strings.ReplaceAll(pkg, "/", "-")+".test.exe")} // Windows wants the ending
		var err error
		b.problem, err = compileProblem(run(ctx, system.Go(g.Root, "test", "-trimpath", "-vet=off", "-c", "-o", b.path, "./"+pkg)))
		end()
		if err != nil {
			return nil, err
		}
		binaries[pkg] = b
	}
	return binaries, nil
}

// unit runs one test.
func (g *grading) unit(ctx context.Context, t *lab.Test, b testBinary) (*Result, error) {
	if b.problem != "" {
		return &Result{Test: t, Seen: b.problem, Common: true}, nil
	}
	r := &Result{Test: t}
	defer g.life.begin(t.Name())()
	start := time.Now()
	pkg, name, _ := strings.Cut(t.Unit, " ")
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	_, end := g.pace.watch(hostPatience, func() { cancel(errNoEnd) })
	defer end()
	cmd := exec.Command(b.path, "-test.run=^"+strings.ReplaceAll(regexp.QuoteMeta(name), "/", "$/^")+"$", "-test.v", "-test.timeout=0")
	cmd.Dir = filepath.Join(g.Root, filepath.FromSlash(pkg))
	cmd.Env = system.GoEnv()
	out, err := run(ctx, cmd)
	r.Took = time.Since(start)
	var exit *exec.ExitError
	switch {
	case errors.Is(err, errNoEnd) || errors.Is(err, errBabble):
		r.Seen, r.Detail = err.Error(), tail(string(out), 8000)
		return r, nil
	case err != nil && !errors.As(err, &exit):
		return nil, fmt.Errorf("%s: %w", t.Name(), err)
	case err == nil && !bytes.Contains(out, []byte(": "+name+" (")):
		return nil, fmt.Errorf("%s: there is no such test", t.Name())
	}
	r.Passed = err == nil && bytes.Contains(out, []byte("--- PASS: "+name+" ("))
	if !r.Passed {
		r.Seen, r.Detail = seenInTest(string(out), g.Files), string(out)
	}
	return r, nil
}

// errNoEnd is the verdict on a test that does not end.
var errNoEnd = errors.New("no end in sight: the test runs on, or waits for something that does not come")

var (
	panicLine = regexp.MustCompile(`(?m)^(?:panic|fatal error|kernel fault): .*$`)
	repanics  = regexp.MustCompile(` \[recovered(?:, repanicked)?\]$`)
	logLine   = regexp.MustCompile(`(?m)^ +(\w+_test\.go:\d+: .*)$`)
)

// blocked is how a test of the kernel ends that gave up while processes were waiting:
// what it complained about before says why.
const blocked = "panic: deadlock: all goroutines in bubble are blocked"

// seenInTest makes a few lines of what a test printed: the panic that ended it
// and where in the student's files that was, else its first complaints.
func seenInTest(out string, files []string) string {
	at := panicLine.FindStringIndex(out)
	if at != nil && (!strings.HasPrefix(out[at[0]:], blocked) || !logLine.MatchString(out[:at[0]])) {
		seen := repanics.ReplaceAllString(out[at[0]:at[1]], "")
		if strings.HasPrefix(seen, "panic: lab ") {
			return seen
		}
		return seen + inFiles(out[at[1]:], files)
	}
	var lines []string
	for _, m := range logLine.FindAllStringSubmatch(out, 3) {
		lines = append(lines, m[1])
	}
	if lines == nil {
		return "failed without a word: " + tail(strings.TrimSpace(out), 300)
	}
	return strings.Join(lines, "\n")
}

// inFiles returns the first place of a stack trace that lies in one of the files.
func inFiles(trace string, files []string) string {
	for line := range strings.Lines(trace) {
		for _, name := range files {
			if at := strings.Index(line, name+":"); at >= 0 {
				place, _, _ := strings.Cut(strings.TrimSpace(line[at:]), " ")
				return ", at " + path.Clean(place)
			}
		}
	}
	return ""
}
