package grade

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"yolk/kernel/trace"
	"yolk/qemu"
	"yolk/tools/internal/hosttools"
	"yolk/tools/internal/lab"
	"yolk/tools/internal/system"
	"yolk/tools/internal/tracetext"
)

// A machine boots the tree that is graded.
type machine struct {
	*grading
	qemu     string
	sys      *system.System
	run      func(append string, program []string) *booted
	lifeless *booted                            // of a kernel that runs no program at all, how it ended; else nil
	judged   func(t *lab.Test) (*Result, error) // runs a test that is judged from outside
	listed   func() []string                    // the guest's tests in their order; nil if the kernel runs no program at all
	infra    error                              // why listed knows nothing
	drawn    func(*trace.Event)                 // if not nil: gets the events of all boots, of all classes
}

// guests runs the tests that need QEMU.
func (g *grading) guests(ctx context.Context, tests []*lab.Test) error {
	path, err := hosttools.QEMU.Need(g.Notes)
	if err != nil {
		return err
	}
	end := g.life.begin("building the system")
	sys, err := system.Build(g.Root)
	end()
	if err != nil {
		return err
	}
	m := &machine{grading: g, qemu: path, sys: sys}
	m.run = func(append string, program []string) *booted { return m.boot(ctx, append, program) }
	m.judged = func(t *lab.Test) (*Result, error) { return m.outside(ctx, t) }
	m.listed = sync.OnceValue(m.list)
	for len(tests) > 0 {
		n := 1
		for tests[0].Guest != "" && n < len(tests) && tests[n].Guest != "" && tests[n].Append == tests[0].Append {
			n++
		}
		if err := m.some(ctx, tests[:n]); err != nil {
			return err
		}
		tests = tests[n:]
	}
	return m.draw()
}

// some runs one test, or several of the program usertests with the same kernel
// parameters.
func (m *machine) some(ctx context.Context, tests []*lab.Test) error {
	what := tests[0].Name()
	if len(tests) > 1 {
		what += fmt.Sprintf(" and %d other tests in one boot", len(tests)-1)
	}
	defer m.life.begin(what)()
	if tests[0].Outside == "" {
		return m.usertests(tests)
	}
	r, err := m.judged(tests[0])
	if err == nil {
		err = m.infra
	}
	if err == nil {
		m.each(r)
	}
	return err
}

// usertests runs tests of the program usertests, all with the same kernel
// parameters: as many in one boot as the kernel survives.
//
//	the boot                              what follows
//	ended well                            tests it said nothing about have failed
//	ended badly, and none ever ends well  all tests have failed
//	hung                                  the first test it said nothing about has failed
//	died, with one test asked for         that test has failed
//	died, with several                    the first test it said nothing about runs by itself
//
// WHY by itself, where it must be the culprit: what a kernel says just before it
// dies may never arrive.
func (m *machine) usertests(tests []*lab.Test) error {
	results := map[*lab.Test]*Result{}
	left, size := slices.Clone(tests), len(tests)
	for len(left) > 0 {
		batch := left[:min(size, len(left))]
		key := rand.Text()
		b := m.run(batch[0].Append, programOf(batch, key))
		b.key = key
		if b.infra != nil {
			return b.infra
		}
		b.verdicts(batch, results)
		size = 1
		if b.end != nil && m.listed() == nil && m.infra != nil {
			return m.infra
		}
		switch {
		case b.end == nil:
			b.fail(batch, results, "the test gave no verdict")
			size = len(tests)
		case m.listed() == nil:
			m.mourn(b)
			b.fail(left, results, b.end.Error())
		default:
			m.sort(left) // and with it the batch, which is its beginning
			if first := unjudged(batch, results); len(first) > 0 && (b.hung || len(batch) == 1) {
				b.fail(first[:1], results, b.end.Error())
			}
		}
		left = unjudged(left, results)
	}
	for _, t := range tests {
		m.each(results[t])
	}
	return nil
}

// programOf is the program that runs the tests and signs what it says of them.
func programOf(tests []*lab.Test, key string) []string {
	args := []string{"usertests", "-key", key}
	for _, t := range tests {
		args = append(args, t.Guest)
	}
	return args
}

// list asks the guest for its tests.
func (m *machine) list() []string {
	b := m.run("", []string{"usertests", "-l"})
	if m.infra = b.infra; b.end != nil || b.infra != nil {
		return nil
	}
	return strings.Fields(b.stdout.String())
}

// sort sorts tests as the guest runs them.
func (m *machine) sort(tests []*lab.Test) {
	slices.SortStableFunc(tests, func(a, b *lab.Test) int {
		return cmp.Compare(slices.Index(m.listed(), a.Guest), slices.Index(m.listed(), b.Guest))
	})
}

// unjudged returns the tests without a result.
func unjudged(tests []*lab.Test, results map[*lab.Test]*Result) []*lab.Test {
	return slices.DeleteFunc(slices.Clone(tests), func(t *lab.Test) bool { return results[t] != nil })
}

// booted is what came of a boot.
type booted struct {
	stdout, stderr, log bounded
	key                 string          // that the program's verdicts are signed by
	result              qemu.Result     // how it ended
	events              *tracetext.Tail // nil: not traced
	end                 error           // how it ended, if not well
	hung                bool            // it did not end, so that all that it said has come
	infra               error           // why there was no boot worth the name
	took                time.Duration
}

// boot runs a program in the machine.  It has ended badly if the kernel has, or
// if the program does not come to an end.
func (m *machine) boot(ctx context.Context, append string, program []string) *booted {
	return m.start(ctx, func(b *booted, cfg *qemu.Config, streams *qemu.IO, touch, _ func()) {
		cfg.Params.Append, cfg.Params.Program = append, program
		streams.Stdout = &touching{w: &b.stdout, touch: touch}
	})
}

// start starts the machine as prepare says, which also gets what to call when
// there is progress, and what ends the machine.
//
// WHY instructions are counted: the guest's timer then goes by them, and not by how
// busy the host is.  A kernel that is right by luck, or wrong, is so each time.
func (m *machine) start(ctx context.Context, prepare func(b *booted, cfg *qemu.Config, streams *qemu.IO, touch, cancel func())) *booted {
	b := &booted{}
	var babbles atomic.Bool
	cfg := &qemu.Config{Kernel: m.sys.Kernel, Initrd: m.sys.Base, ICount: true}
	streams := &qemu.IO{Stderr: &b.stderr, Log: &b.log}
	inner, cancel := context.WithCancel(ctx)
	defer cancel()
	touch, end := m.pace.watch(guestPatience, cancel)
	defer end()
	for _, stream := range []*bounded{&b.stdout, &b.stderr, &b.log} {
		stream.over = func() { babbles.Store(true); cancel() }
	}
	prepare(b, cfg, streams, touch, cancel)
	m.trace(cfg, streams, b)
	start := time.Now()
	r := qemu.Run(inner, m.qemu, cfg, streams)
	b.result, b.took = r, time.Since(start)
	switch {
	case ctx.Err() != nil:
		b.infra = ctx.Err()
	case r.End == qemu.Failed:
		b.infra = errors.New(r.Why)
	case babbles.Load():
		b.end, b.hung = errBabble, true
	case r.End == qemu.Stopped:
		b.end, b.hung = errNoEnd, true
	case r.End != qemu.Finished:
		b.end, b.hung = errors.New(b.why(r.Why)), r.End == qemu.Hung
	}
	return b
}

// touching notes each verdict, and no other line.
type touching struct {
	w     io.Writer
	touch func()
	line  []byte // the one that has begun, as far as it matters
	told  int    // how many verdicts were noted
}

// mostVerdicts is how many lines count as verdicts: a program that prints them for ever
// makes no progress.
const mostVerdicts = 1000

func (w *touching) Write(p []byte) (int, error) {
	for line := range bytes.Lines(p) {
		if len(w.line) < len("not ok ") {
			w.line = append(w.line, line...)
		}
		if !bytes.HasSuffix(line, []byte("\n")) {
			break
		}
		if isVerdict := bytes.HasPrefix(w.line, []byte("ok ")) || bytes.HasPrefix(w.line, []byte("not ok ")); isVerdict && w.told < mostVerdicts {
			w.told++
			w.touch()
		}
		w.line = w.line[:0]
	}
	return w.w.Write(p)
}

// why is what the kernel itself says of its end, else what the runner says.
func (b *booted) why(runner string) string {
	line := panicLine.FindString(b.log.String())
	switch {
	case line == "":
		return runner
	case strings.HasPrefix(line, "panic: lab "):
		return line
	}
	return "the kernel died: " + line
}

// tapLine is a verdict of usertests, with the lines of comment under it.
var tapLine = regexp.MustCompile(`(?m)^(ok|not ok) \d+ - (\S+)( # SKIP .*)?\n((?:# .*\n)*)`)

// verdicts notes what usertests said of the tests.  A test that is said to have
// passed by somebody who does not have the key has none.
func (b *booted) verdicts(tests []*lab.Test, results map[*lab.Test]*Result) {
	for _, v := range tapLine.FindAllStringSubmatch(b.stdout.String(), -1) {
		for _, t := range tests {
			if t.Guest != v[2] || results[t] != nil || v[1] == "ok" && v[3] == "" && !strings.HasPrefix(v[4], signed(b.key, v[2])) {
				continue
			}
			r := &Result{Test: t, Passed: v[1] == "ok" && v[3] == "", Took: b.took / time.Duration(len(tests))}
			if !r.Passed {
				r.Seen = strings.TrimSpace(strings.ReplaceAll("\n"+v[4], "\n# ", "\n"))
				if v[3] != "" {
					r.Seen = "was not run:" + strings.TrimPrefix(v[3], " # SKIP")
				}
				r.Detail = b.detail()
			}
			results[t] = r
		}
	}
}

// signed is the line with which usertests, given the key, follows up the verdict
// that a test has passed.
func signed(key, test string) string {
	h := fnv.New64a()
	h.Write([]byte(key + " ok " + test))
	return fmt.Sprintf("# signed %d\n", h.Sum64())
}

// fail fails those of the tests that have no verdict.
func (b *booted) fail(tests []*lab.Test, results map[*lab.Test]*Result, seen string) {
	for _, t := range tests {
		if results[t] == nil {
			results[t] = &Result{Test: t, Seen: seen, Detail: b.detail(), Took: b.took}
		}
	}
}

// detail is all that the boot left behind.
func (b *booted) detail() string {
	var s strings.Builder
	for _, part := range []struct{ name, text string }{
		{"stdout", b.stdout.String()}, {"stderr", b.stderr.String()}, {"log", b.log.String()}, {"events", b.lastEvents()},
	} {
		if part.text != "" {
			fmt.Fprintf(&s, "%s:\n%s\n", part.name, strings.ToValidUTF8(tail(part.text, 8000), "?"))
		}
	}
	return s.String()
}
