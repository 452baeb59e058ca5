// Package strace writes system calls as strace(1) does: by their names, with
// arguments, flags and errors spelled out.
package strace

import (
	"fmt"
	"strings"

	"yolk/kernel/abi"
	"yolk/tools/internal/tracefile"
)

// A Call is a system call that a process has made.  It is written in two parts,
// since other processes may run before it returns.
type Call struct {
	sig   *signature
	args  [6]uint64
	texts []tracefile.Text
	count int // of the arguments
	shown int // of them, by Begin
}

// New returns the call that a Syscall record tells of.
func New(r *tracefile.Record) *Call {
	c := &Call{sig: lookup(r.VA), args: r.Args, texts: r.Texts}
	c.count = len(c.sig.args)
	if c.sig.count != nil {
		c.count = c.sig.count(c)
	}
	return c
}

// Name returns the call's name.
func (c *Call) Name() string { return c.sig.name }

// Begin returns what is known when the call begins: its name and the arguments
// before the first that the call itself fills in.
func (c *Call) Begin() string {
	var b strings.Builder
	b.WriteString(c.sig.name + "(")
	for ; c.shown < c.count && !c.sig.args[c.shown].out; c.shown++ {
		if c.shown > 0 {
			b.WriteString(", ")
		}
		b.WriteString(c.sig.args[c.shown].show(c, c.shown))
	}
	if c.shown > 0 && c.shown < c.count {
		b.WriteString(", ")
	}
	return b.String()
}

// End returns the arguments that Begin has left open, with the closing
// parenthesis, and the result, given the SysReturn record; nil stands for a call
// that never returns.
func (c *Call) End(r *tracefile.Record) (rest, result string) {
	result = "?"
	if r != nil {
		c.texts = append(c.texts, r.Texts...)
		result = c.result(r.Aux)
	}
	var b strings.Builder
	for first := c.shown; c.shown < c.count; c.shown++ {
		if c.shown > first {
			b.WriteString(", ")
		}
		b.WriteString(c.sig.args[c.shown].show(c, c.shown))
	}
	return b.String() + ")", result
}

// maxErrno is the highest error number that a result can be (syscall(2)).
const maxErrno = 4095

func (c *Call) result(v uint64) string {
	switch n := int64(v); {
	case c.sig.result == never:
		return "?"
	case n < 0 && n >= -maxErrno:
		e := abi.Errno(-n)
		if words, ok := errorWords[e]; ok {
			return fmt.Sprintf("-1 %v (%s)", e, words)
		}
		return fmt.Sprintf("-1 (%v)", e)
	case c.sig.result == address:
		return fmt.Sprintf("%#x", v)
	case c.sig.result == octal:
		return fmt.Sprintf("%#o", v)
	default:
		return fmt.Sprint(n)
	}
}

// text returns the text of argument i.
func (c *Call) text(i int) (tracefile.Text, bool) {
	for _, t := range c.texts {
		if t.Arg == i {
			return t, true
		}
	}
	return tracefile.Text{}, false
}

// quote writes bytes as strace does: as a C string, with dots if there was more.
func quote(t tracefile.Text) string {
	var b strings.Builder
	b.WriteByte('"')
	for i, c := range t.Bytes {
		switch at := strings.IndexByte("\"\\\n\r\t\v\f", c); {
		case at >= 0:
			b.WriteByte('\\')
			b.WriteByte("\"\\nrtvf"[at])
		case c >= ' ' && c <= '~':
			b.WriteByte(c)
		case i+1 < len(t.Bytes) && t.Bytes[i+1] >= '0' && t.Bytes[i+1] <= '9':
			fmt.Fprintf(&b, "\\%03o", c) // or the digit would become part of it
		default:
			fmt.Fprintf(&b, "\\%o", c)
		}
	}
	b.WriteByte('"')
	if t.Cut {
		b.WriteString("...")
	}
	return b.String()
}

// SignalName returns the name of a signal.
func SignalName(sig uint32) string {
	if int(sig) < len(signalNames) && signalNames[sig] != "" {
		return signalNames[sig]
	}
	return fmt.Sprintf("signal %d", sig)
}

// ErrnoName returns the name of an error number.
func ErrnoName(n uint32) string { return abi.Errno(n).String() }

// StatusWords puts a wait status into words, as strace does when a process ends.
func StatusWords(status uint32) string {
	if sig := status & 0x7f; sig != 0 {
		return "killed by " + SignalName(sig)
	}
	return fmt.Sprintf("exited with %d", status>>8&0xff)
}
