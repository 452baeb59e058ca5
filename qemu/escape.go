package qemu

import "io"

// Escape passes on a terminal's bytes and keeps the runner's own sequence:
// Ctrl-A x ends the machine (Read returns ErrQuit), Ctrl-A Ctrl-A is one
// Ctrl-A, and Ctrl-A before anything else is passed on as it came.
type Escape struct {
	R       io.Reader
	pending bool // a Ctrl-A was read and nothing after it
}

const ctrlA = 0x01

// Read implements io.Reader.
func (e *Escape) Read(p []byte) (int, error) {
	if len(p) < 2 {
		return 0, io.ErrShortBuffer
	}
	buf := make([]byte, len(p)/2) // each byte may bring a Ctrl-A kept from before
	n, err := e.R.Read(buf)
	out := p[:0]
	for _, c := range buf[:n] {
		switch {
		case e.pending && (c == 'x' || c == 'X'):
			return len(out), ErrQuit
		case e.pending && c == ctrlA:
			out, e.pending = append(out, ctrlA), false
		case e.pending:
			out, e.pending = append(out, ctrlA, c), false
		case c == ctrlA:
			e.pending = true
		default:
			out = append(out, c)
		}
	}
	return len(out), err
}
