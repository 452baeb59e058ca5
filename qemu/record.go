package qemu

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// RR makes QEMU record a run, or replay one: record/replay, rr for short, in
// QEMU's manual.  What comes from outside is written to a log together with the
// number of instructions that had been executed by then; all else follows from
// it.  A snapshot of the machine's first state lies beside it: a debugger goes
// back in time by loading the snapshot and replaying up to where it wants to be.
type RR struct {
	Dir    string // the files of fileEvents and fileSnapshots; Recording makes it
	Replay bool   // else record
}

// The files of a recorded run that QEMU reads and writes.
const (
	fileEvents    = "events.rr"
	fileSnapshots = "snapshots.qcow2"
)

// firstState is the name of the snapshot.
const firstState = "init"

// boardSerials is how many serial ports a PC's board makes by itself.
const boardSerials = 4

// args are QEMU's arguments for recording and replaying.
//
// WHY sleep=on: with sleep=off, a machine that is recorded is never given what
// arrives from outside (icount_account_warp_timer in QEMU 7.2 returns before).
//
// WHY the UARTs' channels are named by -serial, after as many ports without one
// as a board would make: only what -serial names is recorded and replayed.
//
// WHY the APIC has no option ROM of virtual APICs (vapic): it is for Windows
// guests under KVM; its reset, which loading a snapshot implies, waits for the
// processor's thread, which waits for the thread that loads.
func (r *RR) args() []string {
	mode := "record"
	if r.Replay {
		mode = "replay"
	}
	a := []string{
		"-icount", fmt.Sprintf("shift=0,sleep=on,rr=%s,rrfile=%s,rrsnapshot=%s", mode, optValue(r.path(fileEvents)), firstState),
		"-drive", "if=none,id=snapshots,format=qcow2,file=" + optValue(r.path(fileSnapshots)),
		"-global", "apic-common.vapic=off",
	}
	for range boardSerials {
		a = append(a, "-serial", "none")
	}
	for _, name := range []string{"com1", "com2"} {
		a = append(a, "-serial", "chardev:"+name)
	}
	return a
}

func (r *RR) path(name string) string { return filepath.Join(r.Dir, name) }

func (r *RR) records() bool { return r != nil && !r.Replay }
func (r *RR) replays() bool { return r != nil && r.Replay }

// optValue writes a value for one of QEMU's option lists, where a comma ends it.
func optValue(s string) string { return strings.ReplaceAll(s, ",", ",,") }

// makeLink chooses the kind of channels for a run.
func (c *Config) makeLink() makeLink {
	if c.RR.records() {
		return recordLink(c.RR.Dir)
	}
	return hostLink
}

// fifoRoom is how many bytes may be on the way to a UART of a machine that
// records: less than the 16 that its FIFO holds, and what it is told to
// interrupt at.
const fifoRoom = 14

// paced is a UART as the host writes to it.
//
// WHY a UART that is recorded is written to as the guest says that it has taken
// the bytes (TAKEN frames): QEMU then delivers what it reads a little later, but
// goes on to read in the meantime, and a full FIFO loses what does not fit.
type paced struct {
	to   *link
	room credit
}

func (p *paced) init(to *link, rr *RR) {
	p.to, p.room.n = to, 1<<62
	p.room.cond.L = &p.room.mu
	if rr.records() {
		p.room.n = fifoRoom
	}
}

func (p *paced) close() { p.room.close() }

// Write implements io.Writer.
func (p *paced) Write(b []byte) (n int, err error) {
	for n < len(b) {
		room := p.room.wait()
		if room == 0 {
			return n, io.ErrClosedPipe
		}
		k, err := p.to.host.Write(b[n:min(len(b), n+room)])
		p.room.add(-int64(k))
		if n += k; err != nil {
			return n, err
		}
	}
	return n, nil
}

// taken acts on a TAKEN frame.
func (s *session) taken(uart, n byte) error {
	if uart < 1 || int(uart) > len(s.uart) {
		return fmt.Errorf("a TAKEN frame of COM%d", uart)
	}
	s.uart[uart-1].room.add(int64(n))
	return nil
}

// endGrace is how long QEMU may take to end its recording when it is asked to.
const endGrace = 20 * time.Second

// endQEMU ends QEMU.  One that records is asked first, or its log would lack
// the end that makes it whole.
func (s *session) endQEMU(cmd *exec.Cmd, done <-chan struct{}) {
	if s.rr.records() && askToEnd(cmd.Process) == nil {
		select {
		case <-done:
		case <-time.After(endGrace):
		}
	}
	cmd.Process.Kill()
}

// RunForDebugger replays a machine whose only company is the debugger on port
// cfg.GDB, and returns when QEMU has ended.  When ctx is done it ends QEMU.
//
// WHY the channels lead nowhere: a debugger that goes back in time makes the
// machine send once more what it has sent, from the middle of a frame perhaps.
func RunForDebugger(ctx context.Context, qemu string, cfg *Config, says io.Writer) error {
	links, err := newLinks(func(name string, _ bool, _ int) (*link, error) {
		return &link{name: name, spec: "null,id=" + name}, nil
	}, false)
	if err != nil {
		return err
	}
	args, err := cfg.args(links)
	if err != nil {
		return err
	}
	runtime.LockOSThread() // QEMU dies with the thread that started it (ChildAttr)
	defer runtime.UnlockOSThread()
	last := &lastLine{w: says}
	cmd := exec.CommandContext(ctx, qemu, args...)
	cmd.SysProcAttr = ChildAttr()
	cmd.Stdout, cmd.Stderr = last, last
	err = cmd.Run()
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return nil
	case !errors.As(err, &exit):
		return err
	case exit.ExitCode() == 1 || exit.ExitCode() < 0:
		return fmt.Errorf("QEMU failed (%w): %s", err, last)
	}
	return nil // the machine's own end
}

// wholeLog reports whether QEMU has ended its log of events as it should: it
// writes the number of the format, the first four bytes, last.
func wholeLog(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	var format [4]byte
	_, err = io.ReadFull(f, format[:])
	return err == nil && format != [4]byte{}
}
