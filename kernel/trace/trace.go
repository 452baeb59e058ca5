// Package trace is the one stream of typed events that tells what the kernel
// decided: every fork, fault, copy, page-table frame and TLB invalidation is
// one [Event].  Tests, GDB, the panic report and `yolk run -trace` all read it.
//
// The package is a leaf: it imports nothing of Yolk, so that mm may emit and
// the host may decode.  Events are fixed-size records without pointers; the
// kernel keeps the last [RingSize] of them and, where a channel is attached,
// streams each in the compact form of [Encoder].
//
// All methods of Log are called under the kernel lock.
package trace

import "encoding/binary"

// Class is a set of event kinds that are switched on together.
type Class uint32

// The classes of events.
const (
	ClassProcess Class = 1 << iota // fork, vfork, exec, exit, wait; names of programs
	ClassFault                     // page faults and their decisions
	ClassTable                     // page-table frames made and freed
	ClassTLB                       // TLB invalidations
	ClassSignal                    // signals sent and delivered
	ClassSyscall                   // system calls, entry and exit
	ClassMap                       // regions made, removed, protected
	ClassEntry                     // page-table entries of level 1 changed
	ClassSched                     // who runs, and how much memory is free

	ClassAll Class = 1<<iota - 1
)

// RingSize is the number of most recent events that a Log keeps.
const RingSize = 256

// Sink receives each event as it happens.  It must not emit events itself.
type Sink interface {
	Event(ev *Event)
}

// Log numbers the events, keeps the last ones and passes each to its sink.
// The zero Log is ready, with every class off.
type Log struct {
	PID int32 // the process on whose behalf the kernel runs; 0 is the kernel itself

	on   Class
	sink Sink
	now  func() int64 // nanoseconds since boot; nil leaves Event.Time zero
	next uint64       // sequence number of the next event
	ring [RingSize]Event
}

// Attach turns the given classes on and passes their events to sink (nil: the
// ring only).  now stamps the events in nanoseconds since boot.
func (l *Log) Attach(on Class, sink Sink, now func() int64) {
	l.on, l.sink, l.now = on, sink, now
}

// On reports whether events of class c are wanted.  Callers ask before they
// build an event, so that a class that is off costs one load and one branch.
func (l *Log) On(c Class) bool { return l.on&c != 0 }

// Emit records ev, filling in its sequence number, time and process.
func (l *Log) Emit(ev Event) {
	ev.Seq = l.next
	if ev.PID == 0 {
		ev.PID = l.PID
	}
	if l.now != nil {
		ev.Time = l.now()
	}
	slot := &l.ring[l.next%RingSize]
	*slot = ev
	l.next++
	if l.sink != nil {
		l.sink.Event(slot)
	}
}

// TextEvents returns how many events EmitText makes of n bytes.
func TextEvents(n int) uint32 { return uint32(max(1, (n+TextSize-1)/TextSize)) }

// EmitText records s as a text of the event before it, which is about its
// argument number arg; cut says that s is only the beginning of it.
func (l *Log) EmitText(arg int, s []byte, cut bool) {
	le := binary.LittleEndian
	for more := true; more; {
		var b [TextSize]byte
		n := copy(b[:], s)
		s, more = s[n:], n < len(s)
		what := uint32(n | arg<<TextArg)
		if cut && !more {
			what |= TextCut
		}
		l.Emit(Event{
			Kind: Text, Err: what, Refs: uint32(len(s)),
			VA: le.Uint64(b[:]), Old: le.Uint64(b[8:]), New: le.Uint64(b[16:]), Aux: le.Uint64(b[24:]),
		})
	}
}

// Last returns up to n most recent events, oldest first.
func (l *Log) Last(n int) []Event {
	n = min(n, RingSize, int(min(l.next, RingSize)))
	out := make([]Event, 0, n)
	for seq := l.next - uint64(n); seq < l.next; seq++ {
		out = append(out, l.ring[seq%RingSize])
	}
	return out
}

// Recent returns the i-th latest event, 0 being the last one; nil when so many
// are not kept.  It allocates nothing, for reports of a kernel that is ending.
func (l *Log) Recent(i int) *Event {
	if i >= RingSize || uint64(i) >= l.next {
		return nil
	}
	return &l.ring[(l.next-1-uint64(i))%RingSize]
}
