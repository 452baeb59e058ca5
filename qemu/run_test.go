package qemu

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"yolk/kernel/trace"
)

const patience = 600 * time.Millisecond

// play runs the fake machine of the given name.
func play(t *testing.T, name string, streams IO) Result {
	t.Helper()
	return playOn(t, context.Background(), name, streams, hostLink)
}

func playOn(t *testing.T, ctx context.Context, name string, streams IO, make makeLink) Result {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if streams.Patience == 0 {
		streams.Patience = 30 * time.Second
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	return run(ctx, self, &Config{Kernel: "kernel", Extra: []string{"-fake", name}}, &streams, make)
}

// TestEnds holds the table of PROTOCOL.md, "How the machine ends".
func TestEnds(t *testing.T) {
	for _, c := range []struct {
		guest string
		end   End
		code  int
		why   string
	}{
		{"exit-7", Finished, 7, ""},
		{"signal-9", Finished, 137, ""},
		{"core-11", Finished, 139, ""},
		{"no-status", Panicked, 123, "without a status"},
		{"panic", Panicked, 123, "kernel panic"},
		{"boot-fails", BootFailed, 122, "could not boot"},
		{"reset-boot", BootFailed, 122, "triple fault"},
		{"reset", Panicked, 123, "triple fault"},
		{"killed-by-gdb", Stopped, 0, "the debugger ended"},
		{"odd-exit", Panicked, 123, "ended the machine with 0x42"},
		{"no-guest", Failed, 125, "status 133"},
		{"bad-option", Failed, 125, "no such option"},
		{"bad-type", Panicked, 123, "type 0x77"},
		{"bad-length", Panicked, 123, "type 0x04 with 1 bytes"},
		{"bad-trace", Panicked, 123, "trace"},
		{"cut-short", Panicked, 123, "kernel panic"},
	} {
		t.Run(c.guest, func(t *testing.T) {
			r := play(t, c.guest, IO{})
			if r.End != c.end || r.ExitCode() != c.code || !strings.Contains(r.Why, c.why) || (c.why == "") != (r.Why == "") {
				t.Errorf("%+v, exit code %d; want end %d, code %d, %q", r, r.ExitCode(), c.end, c.code, c.why)
			}
		})
	}
}

func TestProgress(t *testing.T) {
	for _, c := range []struct {
		guest string
		end   End
		why   string
	}{
		{"hung", Hung, "heartbeat has stopped for 600ms"}, {"hung-boot", Hung, "heartbeat"}, {"chatter", Hung, "heartbeat"},
		{"slow-boot", Finished, ""}, {"long-run", Finished, ""},
	} {
		t.Run(c.guest, func(t *testing.T) {
			t.Parallel()
			if r := play(t, c.guest, IO{Patience: patience}); r.End != c.end || !strings.Contains(r.Why, c.why) {
				t.Errorf("%+v, want end %d, %q", r, c.end, c.why)
			}
		})
	}
}

// TestSilence: heartbeats alone are no progress where silence is bounded, and
// anything else that the guest says is.
func TestSilence(t *testing.T) {
	for _, c := range []struct {
		guest string
		end   End
	}{
		{"long-run", Hung}, {"on-stdout", Finished}, {"on-console", Finished}, {"on-log", Finished}, {"on-trace", Finished},
	} {
		t.Run(c.guest, func(t *testing.T) {
			t.Parallel()
			r := play(t, c.guest, IO{Silence: patience})
			if r.End != c.end || (c.end == Hung) != strings.Contains(r.Why, "alive, but nothing has come from the guest for 600ms") {
				t.Errorf("%+v, want end %d", r, c.end)
			}
		})
	}
}

// TestProgressHostBlocked: a host that does not take the console's output
// must not be mistaken for a guest that hangs.
func TestProgressHostBlocked(t *testing.T) {
	release := time.After(3 * patience)
	w := writerFunc(func(b []byte) (int, error) { <-release; release = closed; return len(b), nil })
	if r := play(t, "babble", IO{Patience: patience, ConsoleOut: w}); r.End != Finished {
		t.Errorf("%+v", r)
	}
}

func TestNoQEMU(t *testing.T) {
	r := Run(context.Background(), "no-such-qemu", &Config{}, &IO{})
	if r.ExitCode() != ExitFailed || !strings.Contains(r.Why, "no-such-qemu") {
		t.Errorf("%+v", r)
	}
}

// TestQEMUNeverConnects: over TCP, a QEMU that ends at once must not leave
// the runner waiting for its connection.
func TestQEMUNeverConnects(t *testing.T) {
	r := run(context.Background(), "go", &Config{}, &IO{}, tcpLink)
	if r.End != Failed {
		t.Errorf("%+v", r)
	}
}

// TestByteExact sends every byte value through both directions, many times
// the credit, over both kinds of links.
func TestByteExact(t *testing.T) {
	want := make([]byte, 1<<20)
	src := rand.NewChaCha8([32]byte{1})
	src.Read(want)
	for name, make := range map[string]makeLink{"host": hostLink, "tcp": tcpLink} {
		t.Run(name, func(t *testing.T) {
			var got bytes.Buffer
			r := playOn(t, context.Background(), "cat", IO{Stdin: bytes.NewReader(want), Stdout: &got}, make)
			if r.ExitCode() != 0 || !bytes.Equal(got.Bytes(), want) {
				t.Errorf("%+v; %d bytes came back of %d", r, got.Len(), len(want))
			}
		})
	}
}

// TestCreditHolds: bytes beyond the credit are the kernel's fault, also when
// the host has taken all before but has not yet given credit back.
func TestCreditHolds(t *testing.T) {
	o := newOutStream(false)
	if err := o.put(make([]byte, outputCredit)); err != nil {
		t.Fatal(err)
	}
	o.take()
	if o.put([]byte{0}) == nil {
		t.Error("a byte beyond the credit was taken")
	}
	o.grant(2)
	if err := o.put([]byte{1, 2}); err != nil {
		t.Error(err)
	}
	if b := o.take(); len(b) != 2 {
		t.Errorf("%d bytes, want 2", len(b))
	}
}

func TestStreamsApart(t *testing.T) {
	var stdout, stderr bytes.Buffer
	r := play(t, "both", IO{Stdout: &stdout, Stderr: &stderr})
	if r.ExitCode() != 0 || stdout.String() != "out\r\n\x00\xff" || stderr.String() != "err" {
		t.Errorf("%+v, stdout %q, stderr %q", r, &stdout, &stderr)
	}
}

func TestLogGetsReport(t *testing.T) {
	var log bytes.Buffer
	play(t, "panic", IO{Log: &log})
	if log.String() != "panic: x\n" {
		t.Errorf("log %q", &log)
	}
}

// TestHostIsSilent: without demand nothing is read from the host's stdin and
// nothing is sent to the guest, so that counted runs repeat.
func TestHostIsSilent(t *testing.T) {
	var reads atomic.Int32
	in := readerFunc(func([]byte) (int, error) { reads.Add(1); return 0, io.EOF })
	if r := play(t, "silence", IO{Stdin: in}); r.ExitCode() != 0 || reads.Load() != 0 {
		t.Errorf("%+v, %d reads of stdin", r, reads.Load())
	}
}

func TestBrokenPipe(t *testing.T) {
	n := 0
	head := writerFunc(func(b []byte) (int, error) {
		if n += len(b); n > 10*outputCredit {
			return 0, errors.New("broken pipe")
		}
		return len(b), nil
	})
	if r := play(t, "yes", IO{Stdout: head}); r.ExitCode() != 128+13 {
		t.Errorf("%+v", r)
	}
}

func TestConsole(t *testing.T) {
	var screen bytes.Buffer
	r := play(t, "terminal", IO{ConsoleIn: strings.NewReader("ls\r\x03\x00\xff"), ConsoleOut: &screen})
	if r.End != Finished || screen.String() != "ls\r\x03\x00\xff\x04" {
		t.Errorf("%+v, screen %q", r, &screen)
	}
}

func TestConsoleQuit(t *testing.T) {
	in := &Escape{R: io.MultiReader(strings.NewReader("a\x01x"), blocked{})}
	if r := play(t, "terminal", IO{ConsoleIn: in}); r.End != Stopped {
		t.Errorf("%+v", r)
	}
}

func TestResize(t *testing.T) {
	sizes := make(chan Size, 1)
	sizes <- Size{Rows: 50, Cols: 132}
	if r := play(t, "resize", IO{Resized: sizes}); r.ExitCode() != 50 {
		t.Errorf("%+v", r)
	}
}

func TestTrace(t *testing.T) {
	for guest, want := range map[string]int{"traces": 3, "cut-trace": 1} {
		var got []trace.Event
		r := play(t, guest, IO{Trace: func(ev *trace.Event) { got = append(got, *ev) }})
		if r.End != Finished || len(got) != want {
			t.Fatalf("%s: %+v, %+v", guest, r, got)
		}
		for i, ev := range got {
			if ev != (trace.Event{Seq: uint64(i), Kind: trace.Exit, PID: 5, Err: 256}) {
				t.Errorf("%s: event %d is %+v", guest, i, ev)
			}
		}
	}
}

// TestTraceReaderStalls: a reader of the trace that takes nothing does not stop
// the machine, and learns exactly what it missed.
func TestTraceReaderStalls(t *testing.T) {
	release := make(chan struct{})
	next, lost := uint64(0), uint64(0)
	r := play(t, "flood", IO{
		TraceRoom: 1000,
		Stdout:    writerFunc(func(b []byte) (int, error) { close(release); return len(b), nil }),
		Trace: func(ev *trace.Event) {
			<-release
			if ev.Seq != next {
				t.Errorf("event %d where %d was due", ev.Seq, next)
			}
			next++
			if ev.Kind == trace.Lost {
				next += ev.Aux - 1
				lost += ev.Aux
			}
		},
	})
	if r.End != Finished || next != flood || lost < flood/2 {
		t.Errorf("%+v; %d events accounted for, %d of them lost", r, next, lost)
	}
}

// TestTraceReaderNeverComesBack: the machine ends, and the user's interrupt ends
// the wait for the reader.
func TestTraceReaderNeverComesBack(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	r := playOn(t, ctx, "traces", IO{
		Trace: func(ev *trace.Event) { cancel(); select {} },
	}, hostLink)
	if r.End != Stopped {
		t.Errorf("%+v", r)
	}
}

// TestCancelKeepsTheTrace: when the user ends the machine, what it has traced by
// then is delivered.
func TestCancelKeepsTheTrace(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	n := 0
	r := playOn(t, ctx, "traces-on", IO{Trace: func(ev *trace.Event) { cancel(); n++; time.Sleep(time.Millisecond) }}, hostLink)
	if r.End != Stopped || n != 300 {
		t.Errorf("%+v, %d events", r, n)
	}
}

// TestCancel: the user's interrupt ends the machine even while the host's
// stdout takes nothing.
func TestCancel(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	w := writerFunc(func([]byte) (int, error) { cancel(); select {} })
	if r := playOn(t, ctx, "yes", IO{Stdout: w}, hostLink); r.End != Stopped {
		t.Errorf("%+v", r)
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(b []byte) (int, error) { return f(b) }

type blocked struct{}

func (blocked) Read([]byte) (int, error) { select {} }

var closed = func() <-chan time.Time { c := make(chan time.Time); close(c); return c }()
