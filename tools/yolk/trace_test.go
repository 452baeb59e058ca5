package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"yolk/kernel/trace"
	"yolk/qemu"
	"yolk/tools/internal/tracefile"
)

// shown runs yolk trace and returns its status and output.
func shown(t *testing.T, args ...string) (int, string) {
	t.Helper()
	out := filepath.Join(t.TempDir(), "out")
	code := traceCommand("", append([]string{"-o", out}, args...))
	b, _ := os.ReadFile(out)
	return code, string(b)
}

func TestTraceCommand(t *testing.T) {
	silence(t)
	file := filepath.Join(t.TempDir(), "t.yt")
	w, err := tracefile.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	for pid := range int32(3) {
		w.Event(&trace.Event{Seq: uint64(pid), Kind: trace.Exit, PID: pid + 1})
	}
	w.Event(&trace.Event{Seq: 3, Kind: trace.Fault, PID: 2, VA: 0x1000})
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		want string
		n    int
	}{
		{nil, "exited with 0", 3}, {[]string{"-format", "json"}, `"kind":"exit"`, 3}, {[]string{"-format", "perfetto"}, `"name":"exit"`, 3}, {[]string{"-format", "html"}, "</html>", 1},
		{[]string{"-pid", "2"}, "\n", 2}, {[]string{"-events", "fault"}, "\n", 1}, {[]string{"-events", "process,fault", "-pid", "2"}, "\n", 2},
		{[]string{"-va", "0x1fff"}, "\n", 4}, {[]string{"-va", "0x2000"}, "\n", 3}, {[]string{"-va", "0-4097"}, "\n", 4}, {[]string{"-va", "0-4096"}, "\n", 3},
	} {
		code, out := shown(t, append(c.args, file)...)
		if n := strings.Count(out, c.want); code != 0 || n != c.n {
			t.Errorf("%q: status %d\n%s", c.args, code, out)
		}
	}
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	cut := filepath.Join(t.TempDir(), "cut")
	if err := os.WriteFile(cut, whole[:len(whole)-70], 0o666); err != nil {
		t.Fatal(err)
	}
	if code, out := shown(t, cut); code != qemu.ExitFailed || strings.Count(out, "\n") != 3 {
		t.Errorf("a trace without its end: status %d\n%s", code, out)
	}
	for _, args := range [][]string{{}, {file, file}, {"-format", "html5", file}, {"-events", "x", file}, {file + "x"}, {"-va", "x", file}, {"-va", "2-1", file}, {"-va", "1-", file}, {"trace_test.go"}, {"-o", filepath.Join(file, "x"), file}} {
		if code := traceCommand("", args); code != qemu.ExitFailed {
			t.Errorf("%q: status %d", args, code)
		}
	}
	if code := traceCommand("", []string{"-h"}); code != 0 {
		t.Errorf("-h: status %d", code)
	}
}

// TestStrace: the calls go to the file, whatever else is traced.
func TestStrace(t *testing.T) {
	dir := t.TempDir()
	out := filepath.Join(dir, "calls")
	f, err := parseRun("strace", []string{"-f", "-o", out, "-trace", filepath.Join(dir, "t.yt"), "-trace-events", "fault", "--", "p"})
	if err != nil {
		t.Fatal(err)
	}
	cfg, streams := &qemu.Config{}, &qemu.IO{}
	finish, err := f.openTrace(streams)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.strace.open(); err != nil {
		t.Fatal(err)
	}
	f.connect(cfg, streams, &terminal{})
	f.strace.attach(cfg, streams, os.Stderr)
	if cfg.Params.Trace != trace.ClassFault|trace.ClassProcess|trace.ClassSyscall|trace.ClassSignal {
		t.Errorf("classes %#x", cfg.Params.Trace)
	}
	for _, ev := range []trace.Event{
		{Kind: trace.Fork, PID: 1, Aux: 2}, {Kind: trace.Syscall, PID: 2, VA: 59}, {Kind: trace.Exec, PID: 2}, {Kind: trace.SysReturn, PID: 2, VA: 59},
		{Kind: trace.Syscall, PID: 2, VA: 39},
	} {
		streams.Trace(&ev)
	}
	if b, _ := os.ReadFile(out); string(b) != "[pid 2] execve(NULL, NULL, NULL) = 0\n[pid 2] getpid(" {
		t.Errorf("%q", b)
	}
	if err := f.strace.close(); err != nil {
		t.Error(err)
	}
	if err := finish(); err != nil {
		t.Error(err)
	}
	if info, err := os.Stat(filepath.Join(dir, "t.yt")); err != nil || info.Size() != 16+6*64 {
		t.Errorf("%v, %v", info, err)
	}
	if f, err := parseRun("run", []string{"-f"}); err == nil {
		t.Errorf("yolk run has strace's flags: %+v", f)
	}
}
