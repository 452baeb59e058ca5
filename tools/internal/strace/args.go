package strace

import (
	"encoding/binary"
	"fmt"
	"strings"

	"yolk/kernel/abi"
)

// An argument is how one argument of a call is written.
type argument struct {
	show func(c *Call, i int) string
	out  bool // the call itself fills in what is written
}

// The kinds of arguments.
var (
	integer   = in(func(v uint64) string { return fmt.Sprint(int32(v)) })
	size      = in(func(v uint64) string { return fmt.Sprint(v) })
	offset    = in(func(v uint64) string { return fmt.Sprint(int64(v)) })
	pointer   = in(func(v uint64) string { return pointerWords(v) })
	word      = in(func(v uint64) string { return either(v == 0, "0", fmt.Sprintf("%#x", v)) })
	mode      = in(func(v uint64) string { return fmt.Sprintf("%#03o", uint32(v)) })
	signal    = in(func(v uint64) string { return SignalName(uint32(v)) })
	device    = in(func(v uint64) string { return fmt.Sprintf("makedev(%#x, %#x)", v>>8&0xfff, v&0xff|v>>12&0xfff00) })
	directory = in(func(v uint64) string { return either(int32(v) == abi.AT_FDCWD, "AT_FDCWD", fmt.Sprint(int32(v))) })
	openFlags = in(func(v uint64) string { return oneOf(accessModes)(v&abi.O_ACCMODE) + more(openBits, v&^abi.O_ACCMODE) })
	cloneBits = in(func(v uint64) string { return join(set(cloneFlags)(v&^0xff), v&0xff) })

	text    = argument{show: showText}
	strs    = argument{show: showTexts}
	time    = argument{show: showTime}
	outText = argument{showText, true}
	fds     = argument{showInts, true}
	status  = argument{showStatus, true}
)

func in(f func(v uint64) string) argument {
	return argument{show: func(c *Call, i int) string { return f(c.args[i]) }}
}

// flags is an argument made of bits.
func flags(list []constant) argument { return in(set(list)) }

// choice is an argument that has one of several values.
func choice(list []constant) argument { return in(oneOf(list)) }

func either(so bool, yes, no string) string {
	if so {
		return yes
	}
	return no
}

func pointerWords(v uint64) string { return either(v == 0, "NULL", fmt.Sprintf("%#x", v)) }

// set spells out bits; larger sets stand before those that they contain.
func set(list []constant) func(uint64) string {
	return func(v uint64) string {
		var names []string
		for _, f := range list {
			if f.value != 0 && v&f.value == f.value {
				names = append(names, f.name)
				v &^= f.value
			} else if f.value == 0 && v == 0 && len(names) == 0 {
				return f.name
			}
		}
		if v != 0 || len(names) == 0 {
			names = append(names, either(v == 0, "0", fmt.Sprintf("%#x", v)))
		}
		return strings.Join(names, "|")
	}
}

// more is set for bits that stand behind a value; nothing if there are none.
func more(list []constant, v uint64) string { return either(v == 0, "", "|"+set(list)(v)) }

// join adds the signal that a child will send to the flags of clone(2).
func join(flags string, sig uint64) string {
	switch {
	case sig == 0:
		return flags
	case flags == "0":
		return SignalName(uint32(sig))
	}
	return flags + "|" + SignalName(uint32(sig))
}

func oneOf(list []constant) func(uint64) string {
	return func(v uint64) string {
		for _, c := range list {
			if uint32(c.value) == uint32(v) {
				return c.name
			}
		}
		return fmt.Sprintf("%#x", v)
	}
}

// showText writes the string that an argument leads to; where it was not in
// memory, the address.
func showText(c *Call, i int) string {
	if t, ok := c.text(i); ok {
		return quote(t)
	}
	return pointerWords(c.args[i])
}

func showTexts(c *Call, i int) string {
	var list []string
	for _, t := range c.texts {
		if t.Arg == i {
			list = append(list, quote(t))
		}
	}
	if list == nil {
		return pointerWords(c.args[i])
	}
	return "[" + strings.Join(list, ", ") + "]"
}

// numbers returns the integers of the given size in bytes that an argument leads
// to, at least n of them, or nil.
func (c *Call) numbers(i, size, n int) (list []int64) {
	t, _ := c.text(i)
	if len(t.Bytes) < n*size {
		return nil
	}
	for b := t.Bytes; len(b) >= size; b = b[size:] {
		if size == 4 {
			list = append(list, int64(int32(binary.LittleEndian.Uint32(b))))
		} else {
			list = append(list, int64(binary.LittleEndian.Uint64(b)))
		}
	}
	return list
}

func showTime(c *Call, i int) string {
	if t := c.numbers(i, 8, 2); t != nil {
		return fmt.Sprintf("{tv_sec=%d, tv_nsec=%d}", t[0], t[1])
	}
	return pointerWords(c.args[i])
}

func showInts(c *Call, i int) string {
	if n := c.numbers(i, 4, 2); n != nil {
		return fmt.Sprintf("[%d, %d]", n[0], n[1])
	}
	return pointerWords(c.args[i])
}

// showStatus writes a wait status in the terms of wait(2).
func showStatus(c *Call, i int) string {
	n := c.numbers(i, 4, 1)
	if n == nil {
		return pointerWords(c.args[i])
	}
	switch s := uint32(n[0]); {
	case s == 0xffff:
		return "[{WIFCONTINUED(s)}]"
	case s&0xff == 0x7f:
		return fmt.Sprintf("[{WIFSTOPPED(s) && WSTOPSIG(s) == %s}]", SignalName(s>>8&0xff))
	case s&0x7f != 0:
		return fmt.Sprintf("[{WIFSIGNALED(s) && WTERMSIG(s) == %s}]", SignalName(s&0x7f))
	default:
		return fmt.Sprintf("[{WIFEXITED(s) && WEXITSTATUS(s) == %d}]", s>>8&0xff)
	}
}
