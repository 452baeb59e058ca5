package main

import (
	"bytes"
	"io"
	"os"

	"golang.org/x/term"

	"yolk/qemu"
)

// terminal is the host's terminal, as far as yolk's descriptors lead to one.
type terminal struct {
	is    [3]bool // which of descriptors 0 to 2 are a terminal
	saved *term.State
	undo  func() // what the host's system needs besides
}

func openTerminal() *terminal {
	t := &terminal{}
	for fd, file := range []*os.File{os.Stdin, os.Stdout, os.Stderr} {
		t.is[fd] = term.IsTerminal(int(file.Fd()))
	}
	return t
}

// makeRaw hands line editing, echo and Ctrl-C to the guest.  restore takes
// them back.
func (t *terminal) makeRaw() {
	t.undo = prepareOutput()
	if !t.is[0] {
		return
	}
	// A terminal that cannot be made raw still serves, with double echo.
	t.saved, _ = term.MakeRaw(int(os.Stdin.Fd()))
}

func (t *terminal) restore() {
	if t.saved != nil {
		term.Restore(int(os.Stdin.Fd()), t.saved)
		t.saved = nil
	}
	if t.undo != nil {
		t.undo()
	}
}

// output is where the console's output goes: the first output that is a
// terminal; without one, stdout for a shell and nowhere for a program, which
// has no console then.
func (t *terminal) output(shell bool) io.Writer {
	switch {
	case t.is[1]:
		return os.Stdout
	case t.is[2] && !shell:
		return os.Stderr
	case shell:
		return os.Stdout
	case t.is[0]:
		return os.Stderr
	}
	return io.Discard
}

// log is stderr; on a raw terminal a line must end in a carriage return, too.
func (t *terminal) log() io.Writer {
	if t.saved != nil && t.is[2] {
		return crlf{os.Stderr}
	}
	return os.Stderr
}

// crlf writes lines to a raw terminal.
type crlf struct{ w io.Writer }

func (c crlf) Write(b []byte) (int, error) {
	_, err := c.w.Write(bytes.ReplaceAll(b, []byte("\n"), []byte("\r\n")))
	return len(b), err
}

// size is the terminal's size; zero if there is no terminal.
func (t *terminal) size() qemu.Size {
	for fd, file := range []*os.File{os.Stdin, os.Stdout, os.Stderr} {
		if t.is[fd] {
			if cols, rows, err := term.GetSize(int(file.Fd())); err == nil {
				return qemu.Size{Rows: rows, Cols: cols}
			}
		}
	}
	return qemu.Size{}
}

// name is the value of TERM for the guest; "" if there is no terminal.
func (t *terminal) name() string {
	if t.is == [3]bool{} {
		return ""
	}
	return terminalName()
}
