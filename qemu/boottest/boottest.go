// Package boottest is the third ring of tests: the real kernel, booted in QEMU
// and judged by its exit status, its channels and its trace.
//
// A test is a [Case], data that says what to boot and what must come of it;
// [Case.Run] runs it.  They are not tests of package testing, because they need
// QEMU and a built system: `yolk test` runs them.
package boottest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"

	"yolk/kernel/trace"
	"yolk/qemu"
)

// System is what the tests boot.
type System struct {
	QEMU   string // path of the program
	Kernel string
	// Initrd makes an initrd of the base image, the given archives and HOST:GUEST
	// pairs; done removes it.
	Initrd func(initrds, adds []string) (path string, done func(), err error)
}

// A Case is one boot and what must come of it.
type Case struct {
	Name     string
	Machines []string // names of qemu.Machines; none: only the default one
	Long     bool     // only for `yolk test -all`

	// The machine.
	CPU     string
	Memory  int // MiB; 0 is the default
	Append  string
	ICount  bool
	Program []string
	Files   map[string]string        // guest's path to contents, executable
	Adds    []string                 // HOST:GUEST, HOST absolute or relative to the source tree
	Initrds []func() ([]byte, error) // archives to lay over the base image
	Trace   trace.Class

	// The reader of the trace has room for TraceRoom events (0: the default) and
	// takes none before the program has written TraceAfter.
	TraceRoom  int
	TraceAfter string

	// What the user does: Stdin is the program's standard input, Dialogue
	// takes place on the console.  A Dialogue makes all three descriptors the
	// console, else none is.
	Stdin    string
	Dialogue []Line

	// Patience with the kernel's heartbeat; 0 is the runner's own.
	//
	// WHY a case would shorten it: one whose kernel is to hang would take the whole
	// minute.  No other should: it is there for hosts that let QEMU starve.
	Patience time.Duration

	// What must come of it.
	Exit   int    // yolk's exit status
	Why    string // regular expression for the runner's explanation
	Stdout string // regular expression for all of it
	Exact  bool   // Stdout is the very text
	Stderr string // regular expression for all of it
	Log    string // regular expression for some of it

	// Judge looks at the trace, beside what the program said on standard output.
	Judge func(stdout string, events []trace.Event) error
}

// A Line of a dialogue: the user waits for the guest to say something and
// answers.
type Line struct {
	Hear string // regular expression for what has come since the last line
	Say  string
}

// What ends a boot that will not end by itself.  The runner notices a kernel
// whose heart has stopped; these notice a program that hangs or runs wild while
// it beats on.
//
// WHY no limit on the time that a boot takes: a slow machine would fail it.  One
// that makes progress says so now and then: a line, a prompt, an event of the
// trace.  Programs that work for long print how far they are.
const (
	silence = 10 * time.Minute // without a byte from the guest but heartbeats
	babble  = 256 << 20        // bytes on all channels together

	eventSize = 72 // what an event of the trace counts for, as it is kept
)

// Run boots the case on the machine and says what is wrong.
func (c *Case) Run(ctx context.Context, root string, s *System, machine string) error {
	dir, err := os.MkdirTemp("", "boottest-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	initrds, adds, err := c.files(root, dir)
	if err != nil {
		return err
	}
	initrd, done, err := s.Initrd(initrds, adds)
	if err != nil {
		return err
	}
	defer done()
	cfg := &qemu.Config{
		Machine: machine, CPU: c.CPU, Memory: c.Memory, Kernel: s.Kernel, Initrd: initrd, ICount: c.ICount,
		Params: qemu.Params{Append: c.Append, Program: c.Program, Trace: c.Trace, Size: qemu.Size{Rows: 24, Cols: 80}},
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	got := &record{said: meter{left: babble, over: cancel}}
	said := &awaited{w: &got.stdout, text: c.TraceAfter, heard: make(chan struct{})}
	streams := &qemu.IO{
		Stdin: strings.NewReader(c.Stdin), Stdout: got.said.on(said), Stderr: got.said.on(&got.stderr),
		Log: got.said.on(&got.log), ConsoleOut: got.said.on(io.Discard), Patience: c.Patience, Silence: silence,
		TraceRoom: c.TraceRoom,
		Trace: func(ev *trace.Event) {
			if c.TraceAfter != "" {
				<-said.heard
			}
			got.said.add(eventSize)
			got.events = append(got.events, *ev)
		},
	}
	if c.Dialogue != nil {
		cfg.Params.Terminal = [3]bool{true, true, true}
		got.console = newConsole(c.Dialogue)
		streams.ConsoleIn, streams.ConsoleOut = got.console, got.said.on(got.console)
	}
	got.result = qemu.Run(ctx, s.QEMU, cfg, streams)
	return c.judge(got)
}

// awaited passes on what is written, and closes heard once that ends in text and
// a newline.
type awaited struct {
	w     *bytes.Buffer
	text  string
	heard chan struct{}
}

func (a *awaited) Write(b []byte) (int, error) {
	a.w.Write(b)
	if a.text != "" && bytes.HasSuffix(a.w.Bytes(), []byte(a.text+"\n")) {
		close(a.heard)
		a.text = ""
	}
	return len(b), nil
}

// files writes Files and Initrds into dir, and returns the archives' paths and
// the HOST:GUEST pairs.
func (c *Case) files(root, dir string) (initrds, adds []string, err error) {
	for guest, text := range c.Files {
		host := filepath.Join(dir, fmt.Sprintf("file%d", len(adds)))
		if err := os.WriteFile(host, []byte(text), 0o755); err != nil {
			return nil, nil, err
		}
		adds = append(adds, host+":"+guest)
	}
	for _, add := range c.Adds {
		if !filepath.IsAbs(add) {
			add = filepath.Join(root, filepath.FromSlash(add))
		}
		adds = append(adds, add)
	}
	for _, archive := range c.Initrds {
		host := filepath.Join(dir, fmt.Sprintf("archive%d", len(initrds)))
		b, err := archive()
		if err != nil {
			return nil, nil, err
		}
		if err := os.WriteFile(host, b, 0o666); err != nil {
			return nil, nil, err
		}
		initrds = append(initrds, host)
	}
	return initrds, adds, nil
}

// record is what a boot left behind.
type record struct {
	result              qemu.Result
	stdout, stderr, log bytes.Buffer
	events              []trace.Event
	console             *console
	said                meter
}

// A meter counts what the guest says.
type meter struct {
	mu   sync.Mutex
	left int    // bytes that it may yet say; guarded by mu
	over func() // called when it has said more
}

func (m *meter) add(n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.left -= n; m.left < 0 {
		m.over()
	}
}

// on returns a writer that counts what it passes on to w.
func (m *meter) on(w io.Writer) io.Writer { return metered{m, w} }

type metered struct {
	m *meter
	w io.Writer
}

func (t metered) Write(b []byte) (int, error) {
	t.m.add(len(b))
	return t.w.Write(b)
}

// judge holds a boot against the case.
func (c *Case) judge(got *record) error {
	var wrong []error
	fail := func(format string, args ...any) { wrong = append(wrong, fmt.Errorf(format, args...)) }
	if code := got.result.ExitCode(); code != c.Exit || got.result.End == qemu.Stopped {
		fail("exit status %d (%s), want %d", code, got.result.Why, c.Exit)
	}
	if got.said.left < 0 {
		fail("the guest said more than %d MiB", babble>>20)
	}
	if !matches(c.Why, got.result.Why) {
		fail("why: %q does not match %q", got.result.Why, c.Why)
	}
	if c.Exact && got.stdout.String() != c.Stdout || !c.Exact && c.Stdout != "" && !matches("^(?:"+c.Stdout+")$", got.stdout.String()) {
		fail("stdout: %.2000q, want %.2000q", got.stdout.String(), c.Stdout)
	}
	if c.Stderr != "" && !matches("^(?:"+c.Stderr+")$", got.stderr.String()) {
		fail("stderr: %.2000q does not match %q", got.stderr.String(), c.Stderr)
	}
	if !matches(c.Log, got.log.String()) {
		fail("the log does not match %q", c.Log)
	}
	if got.console != nil {
		if err := got.console.finish(); err != nil {
			wrong = append(wrong, err)
		}
	}
	if c.Judge != nil {
		if err := c.Judge(got.stdout.String(), got.events); err != nil {
			fail("trace: %w", err)
		}
	}
	if len(wrong) > 0 {
		for _, said := range []struct {
			on   string
			text *bytes.Buffer
		}{{"log", &got.log}, {"stdout", &got.stdout}, {"stderr", &got.stderr}} {
			if said.text.Len() > 0 {
				fail("%s:\n%s", said.on, strings.ToValidUTF8(telling(said.text.String()), "?"))
			}
		}
	}
	return errors.Join(wrong...)
}

func matches(pattern, s string) bool { return regexp.MustCompile("(?s)" + pattern).MatchString(s) }

// report matches where the kernel begins to say what it died of.
var report = regexp.MustCompile(`(?m)^(kernel fault|panic|fatal error|runtime: out of memory): .*$`)

// telling is what of a channel's text tells most of a failure: its end, and what the
// kernel died of, which a report of many goroutines pushes out of it.
func telling(s string) string {
	end := tail(s, 2000)
	if at := report.FindStringIndex(s); at != nil && at[0] < len(s)-len(end) {
		return s[at[0]:min(at[0]+1000, len(s)-len(end))] + "\n…\n" + end
	}
	return end
}

func tail(s string, n int) string { return s[max(0, len(s)-n):] }

// console plays a dialogue.  Its Write is the guest talking, its Read what the
// user types.
type console struct {
	mu      sync.Mutex
	cond    sync.Cond
	script  []Line // what is still to come; guarded by mu
	heard   []byte // since the last line; guarded by mu
	answers []byte // typed and not yet read; guarded by mu
}

func newConsole(script []Line) *console {
	k := &console{script: script}
	k.cond.L = &k.mu
	return k
}

func (k *console) Write(b []byte) (int, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.heard = append(k.heard, b...)
	k.advance()
	return len(b), nil
}

// advance answers as long as the guest has said what the user waits for.
func (k *console) advance() {
	for len(k.script) > 0 {
		at := regexp.MustCompile("(?s)" + k.script[0].Hear).FindIndex(k.heard)
		if at == nil {
			return
		}
		k.answers = append(k.answers, k.script[0].Say...)
		k.heard, k.script = k.heard[at[1]:], k.script[1:]
		k.cond.Signal()
	}
}

func (k *console) Read(b []byte) (int, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for len(k.answers) == 0 {
		k.cond.Wait()
	}
	n := copy(b, k.answers)
	k.answers = k.answers[n:]
	return n, nil
}

// finish says whether the dialogue came to its end.
func (k *console) finish() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.script) > 0 {
		return fmt.Errorf("console: waited for %q, heard %q", k.script[0].Hear, tail(string(k.heard), 2000))
	}
	return nil
}
