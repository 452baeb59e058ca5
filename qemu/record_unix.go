//go:build unix

package qemu

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
)

// recordLink makes channels for a run that is recorded; dir takes the FIFOs.
// What QEMU sends on a two-way channel goes to /dev/null and, as the channel's
// log, to a pipe that it inherits.
//
// WHY not a socket: a UART whose character device takes no byte at the moment
// tries again later, at a time that QEMU 7.2 does not record, and the replay
// fails.  /dev/null takes every byte, and for the log QEMU waits.
func recordLink(dir string) makeLink {
	return func(name string, twoWay bool, fd int) (*link, error) {
		if !twoWay {
			return hostLink(name, false, fd)
		}
		base := filepath.Join(dir, name) // QEMU opens base.in and base.out
		if err := syscall.Mkfifo(base+".in", 0o600); err != nil {
			return nil, os.NewSyscallError("mkfifo", err)
		}
		if err := os.Symlink(os.DevNull, base+".out"); err != nil {
			return nil, err
		}
		in, err := os.OpenFile(base+".in", os.O_RDWR, 0) // for reading too, or it waits for QEMU
		if err != nil {
			return nil, err
		}
		r, w, err := os.Pipe()
		if err != nil {
			in.Close()
			return nil, err
		}
		spec := fmt.Sprintf("pipe,id=%s,path=%s,logfile=/dev/fd/%d", name, optValue(base), fd)
		return &link{name: name, spec: spec, host: pipePair{r, in}, child: w}, nil
	}
}

// pipePair is a stream whose directions are two pipes.
type pipePair struct {
	io.ReadCloser
	in io.WriteCloser
}

func (p pipePair) Write(b []byte) (int, error) { return p.in.Write(b) }
func (p pipePair) Close() error                { return errors.Join(p.ReadCloser.Close(), p.in.Close()) }

// askToEnd asks QEMU to end by itself.
func askToEnd(p *os.Process) error { return p.Signal(syscall.SIGTERM) }
