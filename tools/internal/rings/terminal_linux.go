package rings

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// terminalCases are the ways in which `yolk run` on a terminal ends.
var terminalCases = []struct {
	name string
	end  func(t *pty, yolk *os.Process) error
	exit int
}{
	{"exit", func(t *pty, _ *os.Process) error { return t.typed("exit 3\r") }, 3},
	{"ctrl-d", func(t *pty, _ *os.Process) error { return t.typed("\x04") }, 0},
	{"ctrl-a-x", func(t *pty, _ *os.Process) error { return t.typed("\x01x") }, 0},
	{"sigint", func(_ *pty, p *os.Process) error { return p.Signal(unix.SIGINT) }, 128 + 2},
	{"sigterm", func(_ *pty, p *os.Process) error { return p.Signal(unix.SIGTERM) }, 128 + 15},
	{"hang-up", func(_ *pty, p *os.Process) error { return p.Signal(unix.SIGHUP) }, 128 + 1},
}

// terminalChecks hold that yolk leaves the host's terminal as it found it.
func terminalChecks(s *suite) ([]Check, error) {
	var checks []Check
	for _, c := range terminalCases {
		checks = append(checks, Check{Name: "terminal/restored-after-" + c.name, run: func(ctx context.Context) outcome {
			return verdictOf(s.onTerminal(ctx, c.end, c.exit))
		}})
	}
	return checks, nil
}

// onTerminal runs yolk on a terminal of its own, ends it and looks at the
// terminal.
func (s *suite) onTerminal(ctx context.Context, end func(*pty, *os.Process) error, exit int) error {
	t, err := openPTY()
	if err != nil {
		return err
	}
	defer t.close()
	before, err := unix.IoctlGetTermios(int(t.slave.Fd()), unix.TCGETS)
	if err != nil {
		return err
	}
	yolk, err := os.Executable()
	if err != nil {
		return err
	}
	ctx, dog := watch(ctx)
	defer dog.stop()
	go io.Copy(io.MultiWriter(t, dog), t.master)
	cmd := exec.CommandContext(ctx, yolk, "run")
	cmd.Dir = s.root
	cmd.Stdin, cmd.Stdout, cmd.Stderr = t.slave, t.slave, t.slave
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		return err
	}
	raw, err := t.waitPrompt(ctx)
	if err == nil {
		err = end(t, cmd.Process)
	}
	if err != nil {
		cmd.Process.Kill()
	}
	cmd.Wait()
	after, terr := unix.IoctlGetTermios(int(t.slave.Fd()), unix.TCGETS)
	switch code := cmd.ProcessState.ExitCode(); {
	case err != nil || terr != nil:
		return errors.Join(err, terr)
	case code != exit:
		return fmt.Errorf("exit status %d, want %d", code, exit)
	case raw.Lflag&unix.ICANON != 0:
		return errors.New("the terminal was not raw while the guest had it")
	case *after != *before:
		return fmt.Errorf("the terminal was left as %+v, was %+v", *after, *before)
	}
	return nil
}

// pty is a pair of pseudo-terminals (pty(7)).
type pty struct {
	master, slave *os.File

	mu    sync.Mutex
	heard bytes.Buffer // what the terminal shows; guarded by mu
}

func openPTY() (*pty, error) {
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, err
	}
	unlock := unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0)
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err = errors.Join(unlock, err); err != nil {
		master.Close()
		return nil, err
	}
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		master.Close()
		return nil, err
	}
	return &pty{master: master, slave: slave}, nil
}

func (t *pty) close() {
	t.slave.Close()
	t.master.Close()
}

// Write takes what the terminal shows.
func (t *pty) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.heard.Write(b)
}

func (t *pty) typed(keys string) error {
	_, err := t.master.WriteString(keys)
	return err
}

// waitPrompt waits for the guest's prompt and returns the terminal's mode then.
func (t *pty) waitPrompt(ctx context.Context) (*unix.Termios, error) {
	for {
		t.mu.Lock()
		screen := t.heard.String()
		t.mu.Unlock()
		if strings.HasSuffix(screen, "$ ") || strings.HasSuffix(screen, "# ") {
			return unix.IoctlGetTermios(int(t.slave.Fd()), unix.TCGETS)
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("no prompt; the screen shows %q", screen)
		case <-time.After(20 * time.Millisecond):
		}
	}
}
