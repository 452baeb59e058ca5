package trace

import (
	"encoding/binary"
	"errors"
)

// Kind says what happened.
type Kind uint8

// The kinds of events.  What the fields of an Event mean for each kind stands
// in the comment; a field that is not named is zero.
const (
	None Kind = iota

	Fork        // PID parent, Aux child pid, New child's root frame, Old parent's root frame
	VFork       // PID parent, Aux child pid, Old = New = the shared root frame
	VForkSleep  // PID parent, Aux child pid
	VForkWake   // PID parent, Aux child pid
	Exec        // exec passed its point of no return; Old and New root frames
	ExecFail    // exec failed before it; Err is the errno
	Exit        // Err is the wait status as in wait(2)
	Wait        // PID waiter, Aux reaped pid, Err its wait status
	Reparent    // PID orphan, Aux the new parent's pid
	Fault       // VA, Err hardware error code, Decision, Old and New frame, Refs of Old before the decision
	TableMake   // New table frame, VA first address it maps, Aux level 1 (PT) to 4 (PML4), Old root frame
	TableFree   // Old table frame, Aux level
	FlushPage   // VA, Old root frame
	FlushSpace  // Old root frame
	SignalSend  // Aux receiver's pid, Err signal number
	SignalFrame // a handler's frame was pushed; Err signal number, VA handler
	SignalKill  // the signal's default action ended the process; Err signal number
	Syscall     // VA system call number, Aux first argument
	SysReturn   // VA system call number, Aux result

	kindCount
)

// Decision is what the page-fault handler did about a fault.
type Decision uint8

// The decisions.  The table that maps fault and page state to them stands
// above mm.AddressSpace.Fault.
const (
	NoDecision  Decision = iota
	DemandZero           // a fresh zeroed frame
	ZeroPage             // the shared zero frame, read-only
	FilePage             // the page cache's own frame
	FileCopy             // a private copy of the page cache's frame, for a write
	COWCopy              // a copy of a shared frame, for a write
	COWReuse             // the last owner writes: the mark is cleared, nothing is copied
	StackGrow            // the stack region grew down, then demand-zero
	SharedWrite          // first write to a shared file page
	Spurious             // the entry already allows the access
	SegvMapErr           // no region there: SIGSEGV, SEGV_MAPERR
	SegvAccErr           // the region forbids it: SIGSEGV, SEGV_ACCERR
	BusAdrErr            // past the end of the file: SIGBUS
	OutOfMemory          // no frame to be had

	decisionCount
)

// Event is one state change.  Frames are frame numbers (physical address >> 12).
type Event struct {
	Seq      uint64 // position in the stream, from 0
	Time     int64  // nanoseconds since boot
	PID      int32
	Kind     Kind
	Decision Decision
	Err      uint32
	VA       uint64
	Old, New uint64
	Refs     uint32
	Aux      uint64
}

// EventSize is the length in bytes of an encoded Event.
const EventSize = 64

// ErrFormat is returned for bytes that are not an encoded event.
var ErrFormat = errors.New("not a trace event")

// eventMagic opens each record, so that a reader that lost bytes notices.
const eventMagic = 0xE7

// AppendBinary appends the event's EventSize bytes, little-endian, to b.
func (ev *Event) AppendBinary(b []byte) []byte {
	le := binary.LittleEndian
	b = append(b, eventMagic, byte(ev.Kind), byte(ev.Decision), 0)
	b = le.AppendUint32(b, ev.Err)
	b = le.AppendUint64(b, ev.Seq)
	b = le.AppendUint64(b, uint64(ev.Time))
	b = le.AppendUint32(b, uint32(ev.PID))
	b = le.AppendUint32(b, ev.Refs)
	b = le.AppendUint64(b, ev.VA)
	b = le.AppendUint64(b, ev.Old)
	b = le.AppendUint64(b, ev.New)
	return le.AppendUint64(b, ev.Aux)
}

// Decode reads an event from the first EventSize bytes of b.
func Decode(b []byte) (Event, error) {
	if len(b) < EventSize || b[0] != eventMagic || b[1] >= byte(kindCount) || b[2] >= byte(decisionCount) {
		return Event{}, ErrFormat
	}
	le := binary.LittleEndian
	return Event{
		Kind: Kind(b[1]), Decision: Decision(b[2]), Err: le.Uint32(b[4:]),
		Seq: le.Uint64(b[8:]), Time: int64(le.Uint64(b[16:])),
		PID: int32(le.Uint32(b[24:])), Refs: le.Uint32(b[28:]),
		VA: le.Uint64(b[32:]), Old: le.Uint64(b[40:]), New: le.Uint64(b[48:]), Aux: le.Uint64(b[56:]),
	}, nil
}
