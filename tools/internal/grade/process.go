package grade

import (
	"bytes"
	"context"
	"errors"
	"os/exec"
	"runtime"
	"time"

	"yolk/qemu"
)

// mostOutput is what a program may print.
const mostOutput = 16 << 20

// errBabble is the verdict on a test that prints more.
var errBabble = errors.New("prints without end: more than 16 MiB")

// bounded keeps what is written to it, up to mostOutput; over is called beyond.
//
// WHY the buffer is no embedded one: its ReadFrom would be io.Copy's way around Write.
type bounded struct {
	buf  bytes.Buffer
	over func()
}

func (w *bounded) Write(p []byte) (int, error) {
	if w.buf.Len()+len(p) > mostOutput {
		w.over()
		return len(p), nil // whoever writes is about to be ended
	}
	return w.buf.Write(p)
}

func (w *bounded) String() string { return w.buf.String() }

// run runs a command until ctx is done, or it has printed too much, and returns all
// that it printed.  The command does not outlive this process where the host can see
// to that.
func run(ctx context.Context, cmd *exec.Cmd) ([]byte, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	out := &bounded{over: func() { cancel(errBabble) }}
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = qemu.ChildAttr()
	cmd.WaitDelay = 5 * time.Second // for the go command's own children, which have its output, too
	runtime.LockOSThread()          // the command dies with the thread that started it
	defer runtime.UnlockOSThread()
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { cmd.Process.Kill() })
	defer stop()
	err := cmd.Wait()
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return out.buf.Bytes(), err
}
