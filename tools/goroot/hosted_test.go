package goroot

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// TestHosted runs testdata/hosted, a user program, on the host's Linux.
func TestHosted(t *testing.T) {
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
		t.Skip("SKIP: the program is for linux/amd64")
	}
	dir := t.TempDir()
	prog := filepath.Join(dir, "hosted")
	goBuild(t, mustEnsure(t, dir, Options{Stock: mustStock(t)}), prog)

	t.Run("checks", func(t *testing.T) {
		if out, err := run(t, prog).CombinedOutput(); err != nil || len(out) > 0 {
			t.Errorf("%v\n%s", err, out)
		}
	})
	x5000 := strings.Repeat("x", 5000)
	for _, c := range []struct {
		args   []string
		stdin  string
		out    string // stdout and stderr together; "…" at the end: and more
		status string
	}{
		{[]string{"args", "", "a b"}, "", "[\"\" \"a b\"] \"set\"\n", "exit status 0"},
		{[]string{"exit"}, "", "", "exit status 42"},
		{[]string{"cat"}, x5000, x5000, "exit status 0"},
		{[]string{"print"}, "", x5000, "exit status 0"},
		{[]string{"panic"}, "", "panic: as asked\n…", "exit status 2"},
		{[]string{"deadlock"}, "", "fatal error: all goroutines are asleep - deadlock!\n…", "exit status 2"},
		{[]string{"nil"}, "", "", "signal: segmentation fault"},
	} {
		t.Run(c.args[0], func(t *testing.T) {
			cmd := run(t, prog, c.args...)
			cmd.Env = append(os.Environ(), "HOSTED=set")
			cmd.Stdin = strings.NewReader(c.stdin)
			out, _ := cmd.CombinedOutput()
			start, more := strings.CutSuffix(c.out, "…")
			if got := string(out); got != c.out && !(more && strings.HasPrefix(got, start)) {
				t.Errorf("wrote %.200q, want %.200q", got, c.out)
			}
			if s := strings.TrimSuffix(cmd.ProcessState.String(), " (core dumped)"); s != c.status {
				t.Errorf("ended with %q, want %q", s, c.status)
			}
		})
	}
	t.Run("one write a print", func(t *testing.T) {
		strace, err := exec.LookPath("strace")
		if err != nil {
			t.Skip("SKIP: no strace on PATH")
		}
		log := filepath.Join(dir, "log")
		out, err := run(t, strace, "-f", "-o", log, prog, "print").CombinedOutput()
		if err != nil {
			t.Skipf("SKIP: strace does not work here: %v %s", err, out)
		}
		trace := read(t, log)
		if n := strings.Count(trace, "write(2,"); n != 1 {
			t.Errorf("%d calls of write for one print", n)
		}
		if n := strings.Count(trace, "\n"); n > 60 {
			t.Errorf("%d system calls for a small program:\n%s", n, trace)
		}
	})
}

// run returns a command that may not take longer than half a minute.
func run(t *testing.T, prog string, args ...string) *exec.Cmd {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, prog, args...)
	cmd.WaitDelay = time.Second // its children may hold the pipe
	return cmd
}
