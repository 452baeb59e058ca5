package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"yolk/kernel/trace"
	"yolk/qemu"
	"yolk/tools/internal/system"
)

func TestParseRun(t *testing.T) {
	for _, c := range []struct {
		args string
		want runFlags
	}{
		{"", runFlags{}},
		{"-- ls -l", runFlags{program: []string{"ls", "-l"}}},
		{"ls -gdb 5", runFlags{program: []string{"ls", "-gdb", "5"}}},
		{"-m 64 -icount -- -m", runFlags{memory: 64, icount: true, program: []string{"-m"}}},
		{"-machine pc -cpu qemu64,+rdrand", runFlags{machine: "pc", cpu: "qemu64,+rdrand"}},
		{"-initrd a -add b:c -initrd d", runFlags{initrds: listFlag{"a", "d"}, adds: listFlag{"b:c"}}},
		{"-qemu -d -qemu int", runFlags{qemu: listFlag{"-d", "int"}}},
		{"-gdb", runFlags{gdb: gdbFlag{on: true}}},
		{"-gdb 4711 -m 64", runFlags{gdb: gdbFlag{on: true, port: 4711}, memory: 64}},
		{"-gdb=4711", runFlags{gdb: gdbFlag{on: true, port: 4711}}},
		{"-gdb -m 64", runFlags{gdb: gdbFlag{on: true}, memory: 64}},
		{"-gdb -- 4711", runFlags{gdb: gdbFlag{on: true}, program: []string{"4711"}}},
		{"-view -m 64", runFlags{view: viewFlags{on: true}, memory: 64}},
		{"-view-addr :80 -- ls", runFlags{view: viewFlags{addr: ":80"}, program: []string{"ls"}}},
		{"-append -gdb -gdb 7", runFlags{append: "-gdb", gdb: gdbFlag{on: true, port: 7}}},
	} {
		got, err := parseRun("run", strings.Fields(c.args))
		if err != nil {
			t.Errorf("%s: %v", c.args, err)
			continue
		}
		w := c.want
		w.machine, w.cpu = orElse(w.machine, "q35"), orElse(w.cpu, "max")
		if w.memory == 0 {
			w.memory = qemu.DefaultMemory
		}
		if fmt.Sprintf("%+v", *got) != fmt.Sprintf("%+v", w) {
			t.Errorf("%s:\n%+v, want\n%+v", c.args, *got, w)
		}
	}
}

func orElse(s, absent string) string {
	if s == "" {
		return absent
	}
	return s
}

// TestUsageErrors: what the user got wrong is never mistaken for a status of
// the program's.
func TestUsageErrors(t *testing.T) {
	silence(t)
	for _, args := range [][]string{{"run", "-no-such-flag"}, {"run", "-machine", "vax"}, {"no-such-command"}, {"run", "-gdb=x"}, {"run", "-trace-events", "x"},
		{"clean", "extra"}, {"doctor", "extra"}, {"build", "-x"}, {"strace"}, {"strace", "-f"}, {"strace", "-o", "f", "--"}, {"lab", "begin", "-h"}} {
		if code := dispatch(args); code != qemu.ExitFailed {
			t.Errorf("%q: %d", args, code)
		}
	}
}

// TestHelp: help that was asked for goes to standard output, nothing else does, and
// its status is 0.
func TestHelp(t *testing.T) {
	for _, c := range []struct{ args, want string }{
		{"", "yolk COMMAND"}, {"help", "yolk COMMAND"}, {"-h", "yolk COMMAND"}, {"--help", "yolk COMMAND"},
		{"lab -h", "yolk lab [list"}, {"lab help", "yolk lab [list"}, {"lab export -h", "-gradescope"}, {"doctor --help", "yolk doctor"}, {"clean -h", "yolk clean"},
		{"run -h", "-machine"}, {"strace -h", "-f\t"}, {"bench -h", "-machine"}, {"trace -h", "-va"}, {"replay -h", "-gdb"}, {"test -h", "-all"},
	} {
		code, out, log := said(t, strings.Fields(c.args)...)
		if code != 0 || !strings.Contains(out, c.want) || log != "" {
			t.Errorf("yolk %s: status %d, said %q and %q", c.args, code, out, log)
		}
	}
	for _, args := range []string{"no-such-command", "doctor extra", "lab begin", "run -no-such-flag", "strace"} {
		code, out, log := said(t, strings.Fields(args)...)
		if code != qemu.ExitFailed || out != "" || !strings.Contains(log, "usage") {
			t.Errorf("yolk %s: status %d, said %q and %q", args, code, out, log)
		}
	}
}

// said runs a command and returns its status and what it has written.
func said(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	dir, saved := t.TempDir(), [2]*os.File{os.Stdout, os.Stderr}
	var texts [2]string
	for i, to := range []**os.File{&os.Stdout, &os.Stderr} {
		f, err := os.Create(filepath.Join(dir, fmt.Sprint(i)))
		if err != nil {
			t.Fatal(err)
		}
		*to = f
	}
	code = dispatch(args)
	for i, f := range []*os.File{os.Stdout, os.Stderr} {
		f.Close()
		b, err := os.ReadFile(f.Name())
		if err != nil {
			t.Error(err)
		}
		texts[i] = string(b)
	}
	os.Stdout, os.Stderr = saved[0], saved[1]
	return code, texts[0], texts[1]
}

// silence keeps the usage message out of the tests' output.
func silence(t *testing.T) {
	t.Helper()
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	saved := os.Stderr
	os.Stderr = null
	t.Cleanup(func() { os.Stderr = saved; null.Close() })
}

func TestStopped(t *testing.T) {
	silence(t)
	for _, c := range []struct {
		program []string
		signal  int
		want    int
	}{{nil, 0, 0}, {[]string{"ls"}, 0, 137}, {nil, 15, 143}, {[]string{"ls"}, 2, 130}} {
		if got := (&runFlags{program: c.program}).stopped(c.signal); got != c.want {
			t.Errorf("%+v: %d", c, got)
		}
	}
}

// TestConnect holds the table above runFlags.connect.
func TestConnect(t *testing.T) {
	for _, c := range []struct {
		name    string
		program []string
		is      [3]bool
		tty     [3]bool   // the guest's terminals
		typed   bool      // the console reads stdin
		screen  io.Writer // the console writes there
	}{
		{"shell on a terminal", nil, [3]bool{true, true, true}, [3]bool{true, true, true}, true, os.Stdout},
		{"shell fed by a script", nil, [3]bool{}, [3]bool{true, true, true}, true, os.Stdout},
		{"program on a terminal", []string{"p"}, [3]bool{true, true, true}, [3]bool{true, true, true}, true, os.Stdout},
		{"program, stdout to a file", []string{"p"}, [3]bool{true, false, true}, [3]bool{true, false, true}, true, os.Stderr},
		{"program, stdin from a file", []string{"p"}, [3]bool{false, true, true}, [3]bool{false, true, true}, false, os.Stdout},
		{"program, no terminal", []string{"p"}, [3]bool{}, [3]bool{}, false, io.Discard},
	} {
		f := &runFlags{program: c.program, trace: "file"}
		cfg, streams := &qemu.Config{}, &qemu.IO{}
		f.connect(cfg, streams, &terminal{is: c.is})
		if cfg.Params.Terminal != c.tty || (streams.ConsoleIn != nil) != c.typed || (streams.Stdin == nil) != c.typed || streams.ConsoleOut != c.screen {
			t.Errorf("%s: terminals %v, console reads %v, writes to %v", c.name, cfg.Params.Terminal, streams.ConsoleIn, streams.ConsoleOut)
		}
		if cfg.Params.Trace != trace.ClassAll&^(trace.ClassEntry|trace.ClassSched) {
			t.Errorf("%s: trace %#x", c.name, cfg.Params.Trace)
		}
	}
}

// TestTracedClasses: -trace-events, else what the file's name asks for, else none.
func TestTracedClasses(t *testing.T) {
	for args, want := range map[string]trace.Class{
		"": 0, "-trace x.yt": trace.ClassAll, "-trace x.yt -trace-events fault,entry": trace.ClassFault | trace.ClassEntry,
		"-trace-events process": trace.ClassProcess,
	} {
		f, err := parseRun("run", strings.Fields(args))
		if err != nil {
			t.Fatal(err)
		}
		cfg := &qemu.Config{}
		if f.connect(cfg, &qemu.IO{}, &terminal{}); cfg.Params.Trace != want {
			t.Errorf("%s: %#x, want %#x", args, cfg.Params.Trace, want)
		}
	}
}

// TestLongArguments: what does not fit on the command line goes by the initrd.
func TestLongArguments(t *testing.T) {
	s, err := systemForTest(t)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{10, 100_000} {
		f := &runFlags{machine: "q35", program: []string{"echo", strings.Repeat("x", n)}}
		cfg, cleanup, err := f.config(s)
		if err != nil {
			t.Fatal(err)
		}
		line, err := cfg.Params.CommandLine()
		if long := n > 4000; err != nil || cfg.Params.ArgsFile != long || strings.Contains(line, "xxx") == long || (cfg.Initrd != s.Base) != long {
			t.Errorf("%d bytes: %.80q, %v, initrd %s", n, line, err, cfg.Initrd)
		}
		cleanup()
	}
}

// systemForTest is a system with an empty base image.
func systemForTest(t *testing.T) (*system.System, error) {
	dir := t.TempDir()
	s := &system.System{Base: filepath.Join(dir, "base"), Box: filepath.Join(dir, "box")}
	if err := os.WriteFile(s.Box, nil, 0o755); err != nil {
		return nil, err
	}
	return s, os.WriteFile(s.Base, nil, 0o666)
}

func TestTraceFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "trace.json")
	f := &runFlags{trace: path}
	streams := &qemu.IO{}
	finish, err := f.openTrace(streams)
	if err != nil {
		t.Fatal(err)
	}
	streams.Trace(&trace.Event{Kind: trace.Exit, PID: 3})
	streams.Trace(&trace.Event{Kind: trace.Exit, PID: 4})
	if err := finish(); err != nil {
		t.Fatal(err)
	}
	b, _ := os.ReadFile(path)
	if n := bytes.Count(b, []byte("\n")); n != 2 || !bytes.HasPrefix(b, []byte(`{"seq":0,`)) {
		t.Errorf("%s", b)
	}
	if _, err := (&runFlags{trace: filepath.Join(path, "x")}).openTrace(streams); err == nil {
		t.Error("a trace that cannot be written was opened")
	}
}

// TestView: the picture gets every event, as does the trace's file; it wants all
// classes unless some are named; an address that cannot be had is an error.
func TestView(t *testing.T) {
	silence(t)
	var file []trace.Kind
	streams := &qemu.IO{Trace: func(ev *trace.Event) { file = append(file, ev.Kind) }}
	v := viewFlags{on: true, addr: "127.0.0.1:0"}
	end, err := v.open(streams, "t")
	if err != nil {
		t.Fatal(err)
	}
	streams.Trace(&trace.Event{Kind: trace.Exit})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	end(ctx)
	if len(file) != 1 {
		t.Errorf("the file got %v", file)
	}
	f, cfg := &runFlags{view: v, trace: "t.json"}, &qemu.Config{}
	f.connect(cfg, &qemu.IO{}, &terminal{})
	if cfg.Params.Trace != trace.ClassAll {
		t.Errorf("classes %#x", cfg.Params.Trace)
	}
	if _, err := (&viewFlags{addr: "127.0.0.1:99999"}).open(&qemu.IO{}, "t"); err == nil {
		t.Error("an address that does not exist was opened")
	}
	none := &qemu.IO{}
	if _, err := (&viewFlags{}).open(none, "t"); err != nil || none.Trace != nil {
		t.Error("a picture was served that nobody wanted")
	}
}

func TestCRLF(t *testing.T) {
	var b bytes.Buffer
	if n, err := (crlf{&b}).Write([]byte("a\nb\n")); n != 4 || err != nil || b.String() != "a\r\nb\r\n" {
		t.Errorf("%d %v %q", n, err, &b)
	}
}
