// Package calltrace tells of system calls: as trace events with all arguments and
// with the strings that some of them lead to.
//
// It looks at the memory of the process that calls, and only at what is present
// there: no page is brought in and no copy is broken, so that a program which is
// watched does what it does unwatched.
package calltrace

import (
	"bytes"
	"encoding/binary"
	"slices"

	"yolk/kernel/abi"
	"yolk/kernel/trace"
)

// Peek fills b with the caller's memory from va on, as far as it is present, and
// returns the number of bytes.
type Peek func(b []byte, va uint64) int

// What an argument leads to, when the call begins …
const (
	path   = iota // a string
	list          // an array of strings, ended by nil
	buffer        // as many bytes as the argument behind it says
	vector        // as many buffers as the argument behind it says (readv(2))
	time          // a timespec

	// … and when it has returned.
	result // as many bytes as the call returned
	pair   // two ints
	number // an int
)

// leads lists which arguments of which system calls lead to what.  Of a call, the
// lower argument comes first.
var leads = []struct {
	what, arg int
	calls     []uint64
}{
	{path, 0, []uint64{
		abi.SysOpen, abi.SysStat, abi.SysLstat, abi.SysAccess, abi.SysExecve, abi.SysTruncate, abi.SysChdir, abi.SysRename,
		abi.SysMkdir, abi.SysRmdir, abi.SysCreat, abi.SysLink, abi.SysUnlink, abi.SysSymlink, abi.SysReadlink, abi.SysChmod,
		abi.SysChown, abi.SysLchown, abi.SysUtime, abi.SysUtimes, abi.SysMknod, abi.SysStatfs, abi.SysSymlinkat,
	}},
	{path, 1, []uint64{
		abi.SysOpenat, abi.SysRename, abi.SysLink, abi.SysSymlink, abi.SysMkdirat, abi.SysMknodat, abi.SysFchownat,
		abi.SysNewfstatat, abi.SysUnlinkat, abi.SysRenameat, abi.SysRenameat2, abi.SysLinkat, abi.SysReadlinkat,
		abi.SysFchmodat, abi.SysFchmodat2, abi.SysFaccessat, abi.SysFaccessat2, abi.SysUtimensat, abi.SysFutimesat, abi.SysStatx,
	}},
	{list, 1, []uint64{abi.SysExecve}},
	{buffer, 1, []uint64{abi.SysWrite, abi.SysPwrite64}},
	{vector, 1, []uint64{abi.SysWritev}},
	{time, 0, []uint64{abi.SysNanosleep}},
	{path, 2, []uint64{abi.SysSymlinkat}},
	{time, 2, []uint64{abi.SysClockNanosleep}},
	{path, 3, []uint64{abi.SysRenameat, abi.SysRenameat2, abi.SysLinkat}},

	{result, 0, []uint64{abi.SysGetcwd}},
	{result, 1, []uint64{abi.SysRead, abi.SysPread64, abi.SysReadlink}},
	{result, 2, []uint64{abi.SysReadlinkat}},
	{pair, 0, []uint64{abi.SysPipe, abi.SysPipe2}},
	{number, 1, []uint64{abi.SysWait4}},
}

// Limits of what is told of an argument.
const (
	maxPath   = 256            // bytes of a string
	maxBuffer = trace.TextSize // bytes of a buffer
	maxList   = 16             // strings of a list, buffers of a vector
)

// Enter emits the events of the start of a system call.
func Enter(log *trace.Log, peek Peek, nr uint64, a *[6]uint64) {
	t := texts{peek: peek}
	for _, l := range leads {
		if l.what < result && slices.Contains(l.calls, nr) {
			t.gather(l.what, l.arg, a)
		}
	}
	ev := trace.Event{Kind: trace.Syscall, VA: nr, Aux: a[0], Old: a[1], New: a[2], Refs: t.events()}
	more := a[3]|a[4]|a[5] != 0
	if more {
		ev.Refs++
	}
	log.Emit(ev)
	if more {
		log.Emit(trace.Event{Kind: trace.Args, VA: a[3], Old: a[4], New: a[5]})
	}
	t.emit(log)
}

// Leave emits the events of the end of a system call.
func Leave(log *trace.Log, peek Peek, nr, ret uint64, a *[6]uint64) {
	t := texts{peek: peek}
	for _, l := range leads {
		if l.what >= result && int64(ret) >= 0 && slices.Contains(l.calls, nr) {
			n := [...]uint64{result: ret, pair: 8, number: 4}[l.what]
			t.bytes(l.arg, a[l.arg], n)
		}
	}
	log.Emit(trace.Event{Kind: trace.SysReturn, VA: nr, Aux: ret, Refs: t.events()})
	t.emit(log)
}

// texts are what the arguments of a call lead to.
type texts struct {
	peek Peek
	list []text
}

type text struct {
	arg int
	b   []byte
	cut bool
}

// gather takes what argument arg of a leads to.
func (t *texts) gather(what, arg int, a *[6]uint64) {
	va := a[arg]
	switch what {
	case path:
		t.string(arg, va)
	case buffer:
		t.bytes(arg, va, a[arg+1])
	case time:
		t.bytes(arg, va, 16)
	case list:
		for range maxList {
			ptr, _, ok := t.words(va, 8)
			if !ok || ptr == 0 {
				return
			}
			t.string(arg, ptr)
			va += 8
		}
	case vector:
		for range min(a[arg+1], maxList) {
			base, n, ok := t.words(va, 16)
			if !ok {
				return
			}
			t.bytes(arg, base, n)
			va += 16
		}
	}
}

// words returns one or two words at va, size bytes in all, if they are present.
func (t *texts) words(va uint64, size int) (first, second uint64, ok bool) {
	var b [16]byte
	ok = t.peek(b[:size], va) == size
	return binary.LittleEndian.Uint64(b[:]), binary.LittleEndian.Uint64(b[8:]), ok
}

// bytes takes the first of n bytes at va, or nothing if they are not present.
func (t *texts) bytes(arg int, va, n uint64) {
	b := make([]byte, min(n, maxBuffer))
	if t.peek(b, va) == len(b) {
		t.list = append(t.list, text{arg, b, uint64(len(b)) < n})
	}
}

// string takes the string at va, or nothing if none of it is present.
func (t *texts) string(arg int, va uint64) {
	b := make([]byte, maxPath)
	b = b[:t.peek(b, va)]
	if i := bytes.IndexByte(b, 0); i >= 0 {
		t.list = append(t.list, text{arg, b[:i], false})
	} else if len(b) > 0 {
		t.list = append(t.list, text{arg, b, true})
	}
}

// events returns the number of events that emit will emit.
func (t *texts) events() (n uint32) {
	for _, s := range t.list {
		n += trace.TextEvents(len(s.b))
	}
	return n
}

func (t *texts) emit(log *trace.Log) {
	for _, s := range t.list {
		log.EmitText(s.arg, s.b, s.cut)
	}
}
