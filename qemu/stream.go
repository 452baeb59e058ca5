package qemu

import (
	"bytes"
	"fmt"
	"io"
	"sync"
)

// credit counts the bytes of standard input that the guest has room for.
type credit struct {
	mu     sync.Mutex
	cond   sync.Cond
	n      int64 // guarded by mu
	closed bool  // guarded by mu
}

// add changes the credit by n.
func (c *credit) add(n int64) {
	c.mu.Lock()
	c.n += n
	c.mu.Unlock()
	c.cond.Signal()
}

// wait returns the credit as soon as there is some, or 0 after close.
func (c *credit) wait() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.n == 0 && !c.closed {
		c.cond.Wait()
	}
	if c.closed {
		return 0
	}
	return int(c.n)
}

func (c *credit) close() {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.cond.Signal()
}

// outStream holds what the guest has sent and the host has not yet taken;
// the guest's credit bounds it.
type outStream struct {
	mu     sync.Mutex
	cond   sync.Cond
	buf    []byte // guarded by mu
	credit int    // bytes that the guest may still send; guarded by mu
	closed bool   // no more will come; guarded by mu
	broken bool   // nobody reads; guarded by mu
	replay bool   // the guest goes by credit that was recorded
}

func newOutStream(replay bool) *outStream {
	o := &outStream{credit: outputCredit, replay: replay}
	o.cond.L = &o.mu
	return o
}

// put takes bytes from the guest.  It fails if the guest had no credit for them;
// in a replay, whose guest does not know how fast this host is, it waits.
func (o *outStream) put(b []byte) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	for o.replay && len(b) > o.credit && !o.broken {
		o.cond.Wait()
	}
	if o.broken {
		return nil
	}
	if len(b) > o.credit {
		return fmt.Errorf("%d bytes of output with a credit of %d", len(b), o.credit)
	}
	o.credit -= len(b)
	o.buf = append(o.buf, b...)
	o.cond.Signal()
	return nil
}

// take returns all that has gathered, as soon as there is something; nil
// after close.
func (o *outStream) take() []byte {
	o.mu.Lock()
	defer o.mu.Unlock()
	for len(o.buf) == 0 && !o.closed {
		o.cond.Wait()
	}
	b := o.buf
	o.buf = nil
	return b
}

// grant gives the guest n bytes of credit.
func (o *outStream) grant(n int) {
	o.mu.Lock()
	o.credit += n
	o.mu.Unlock()
	o.cond.Signal()
}

// discard drops all that is there and all that is still to come.
func (o *outStream) discard() {
	o.mu.Lock()
	o.broken, o.buf = true, nil
	o.mu.Unlock()
	o.cond.Signal()
}

func (o *outStream) close() {
	o.mu.Lock()
	o.closed = true
	o.mu.Unlock()
	o.cond.Signal()
}

// lastLine passes on what is written and remembers the last line.
type lastLine struct {
	w    io.Writer
	mu   sync.Mutex
	line []byte // the current line, or the last one if the current is empty; guarded by mu
	full bool   // line has ended; guarded by mu
}

func (l *lastLine) Write(b []byte) (int, error) {
	l.mu.Lock()
	for _, c := range b {
		switch {
		case c == '\n':
			l.full = true
		case l.full:
			l.line, l.full = append(l.line[:0], c), false
		default:
			l.line = append(l.line, c)
		}
	}
	l.mu.Unlock()
	l.w.Write(b) // the host's trouble with its log is no reason to end QEMU
	return len(b), nil
}

// String is the last line.
func (l *lastLine) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(bytes.TrimSpace(l.line))
}

// lockedWriter is a writer for several goroutines.
type lockedWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *lockedWriter) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(b)
}
