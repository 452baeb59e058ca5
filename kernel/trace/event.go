package trace

// StreamVersion is the version of the events, as Boot tells it: it changes when
// the meaning of a kind or of a field does.
const StreamVersion = 1

// Kind says what happened.
type Kind uint8

// The kinds of events.  What the fields of an Event mean for each kind stands
// in the comment; a field that is not named is zero.  What an operation causes
// comes before the operation itself: the entries that a fork changes before
// Fork, those of a fault before Fault, in the order in which they change.  But
// Syscall comes first, and so does Exec, at the point of no return.
const (
	None Kind = iota

	Fork        // PID parent, Aux child pid, New child's root frame, Old parent's root frame
	VFork       // PID parent, Aux child pid, Old = New = the shared root frame
	VForkSleep  // PID parent, Aux child pid
	VForkWake   // PID parent, Aux child pid
	Exec        // exec passes its point of no return; Old and New root frames
	ExecFail    // exec failed before it; Err is the errno
	Exit        // Err is the wait status as in wait(2)
	Wait        // PID waiter, Aux reaped pid, Err its wait status
	Reparent    // PID orphan, Aux the new parent's pid
	Fault       // VA, Err hardware error code, Decision, Old and New frame, Refs of Old before the decision, Aux refs of New after it, and from bit 32 on the region's rights as in Map
	TableMake   // New table frame, VA first address it maps, Aux level 1 (PT) to 4 (PML4), Old root frame
	TableFree   // Old table frame, VA first address it mapped, Aux level
	FlushPage   // VA, Old root frame
	FlushSpace  // Old root frame
	SignalSend  // Aux receiver's pid, Err signal number
	SignalFrame // a handler's frame was pushed; Err signal number, VA handler
	SignalKill  // the signal's default action ended the process; Err signal number
	Syscall     // VA system call number; Aux, Old and New its arguments 1 to 3; Refs how many Args and Text events follow that belong to it
	SysReturn   // VA system call number, Aux result, Refs as for Syscall
	Args        // VA, Old and New arguments 4 to 6 of the Syscall before it; left out if all are zero

	Boot    // the first event: Aux frames in all, VA of them free, Old the zero page's frame, New the kernel's root frame, Err StreamVersion
	Name    // PID's program has the name in the Text that follows from now on; Refs how many Text events
	Text    // a string, or a part of one: Err says how long it is and what of (TextArg, TextCut), Refs how many bytes of it are still to follow; VA, Old, New and Aux are its bytes, the first one lowest
	Map     // a region: VA start, Aux length in bytes, Old root frame, Err rights and Map… flags, New file offset in bytes, Refs how many Text events with its name follow
	Unmap   // whatever was mapped there is gone: VA, Aux length, Old root frame
	Protect // a region's rights changed: VA, Aux length, Old root frame, Err rights
	Entry   // a page-table entry of level 1: VA, Old the entry before, New after, Aux root frame, Refs references left to New's frame, or if there is none to Old's
	Switch  // PID runs from now on, New its root frame
	Free    // how memory stands: Aux free frames, VA frames with several references, Old TLB invalidations since boot
	Lost    // Aux events are missing here, Seq and Time are the first one's: the host did not take them in time

	kindCount
)

// Err of a Map event: the rights, which are mm.Prot's bits, and what kind of
// region it is.
const (
	MapRead = 1 << iota
	MapWrite
	MapExec
	MapShared    // writes reach the file, or all who share it
	MapGrowsDown // a stack
	MapFile      // backed by a file
	MapHeap      // made by brk(2)
)

// Err of a Text event: the number of bytes in it, from bit TextArg on the index
// of the argument that the text is of, and TextCut if more was there than is told.
const (
	TextSize = 32
	TextArg  = 8
	TextCut  = 1 << 15
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

// Valid reports whether the event's kind and decision exist.
func (ev *Event) Valid() bool {
	return ev.Kind > None && ev.Kind < kindCount && ev.Decision < decisionCount
}
