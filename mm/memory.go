package mm

import (
	"errors"

	"yolk/kernel/trace"
)

// The reasons for which an operation of mm is refused.  What errno each
// becomes is the kernel's to say.
var (
	ErrNoMemory = errors.New("out of memory, of room or of regions")
	ErrFault    = errors.New("bad user address")
	ErrInvalid  = errors.New("invalid range or request")
	ErrExists   = errors.New("the range is mapped already")
	ErrAccess   = errors.New("the object does not allow this protection")
	ErrTextBusy = errors.New("the file is being executed or written")
	ErrTooLong  = errors.New("the string is too long")
	ErrTooBig   = errors.New("the file would be too big")
)

// TLB is the processor's translation cache, as far as mm must know of it.
// No call may fail or fault.
type TLB interface {
	// FlushPage forgets root's translation of va's page, and every cached
	// upper-level entry of root (as INVLPG does, SDM 3A §4.10.4.1).
	FlushPage(root Frame, va VirtAddr)
	// FlushSpace forgets all of root's user translations.
	FlushSpace(root Frame)
	// Load makes root the current PML4 and forgets all user translations.  mm
	// calls it with the kernel's own root, before it frees a root that may be
	// the current one.
	Load(root Frame)
}

// Counters tell what mm has done since boot.
type Counters struct {
	Faults       [trace.OutOfMemory + 1]uint64 // page faults by decision
	AroundMapped uint64                        // file pages mapped beside the one that faulted
	Forks        uint64
	ForkShared   uint64 // pages that a child came to share
	ForkCopied   uint64 // pages that an eager fork copied
	TablesMade   uint64 // page-table frames of all levels
	TablesFreed  uint64
	FlushPages   uint64 // TLB invalidations of one page
	FlushSpaces  uint64 // TLB invalidations of a whole address space
}

// Config describes the machine to New.
type Config struct {
	Phys        Physical
	Frames      *Frames
	TLB         TLB
	Log         *trace.Log // nil: no events
	KernelRoot  Frame      // the PML4 whose entries 256 to 511 every address space shares
	FaultAround int        // pages a file fault may map at most, a power of two; 0 or 1: only the one touched
}

// Memory is what all address spaces share.  It and all that belongs to it is
// guarded by the kernel lock.
type Memory struct {
	Phys       Physical
	Frames     *Frames
	TLB        TLB
	Log        *trace.Log
	KernelRoot Frame
	Counters   Counters

	zero        Frame // mapped wherever anonymous memory was only read; never written
	faultAround int
	pending     pending
	checks      mark         // how often Check has run
	watched     [Entries]PTE // see AddressSpace.watch
}

// New returns the Memory of a machine.  It takes one frame, the zero page.
func New(c Config) (*Memory, error) {
	around := max(c.FaultAround, 1)
	if around&(around-1) != 0 || around > Entries {
		return nil, ErrInvalid
	}
	zero, err := c.Frames.AllocZeroed()
	if err != nil {
		return nil, err
	}
	log := c.Log
	if log == nil {
		log = new(trace.Log)
	}
	return &Memory{
		Phys: c.Phys, Frames: c.Frames, TLB: c.TLB, Log: log,
		KernelRoot: c.KernelRoot, zero: zero, faultAround: around,
	}, nil
}

// ZeroFrame returns the shared zero page.
func (m *Memory) ZeroFrame() Frame { return m.zero }

// flushBatch is how many single pages are flushed before flushing the whole
// space is the cheaper way.
const flushBatch = 32

// pending collects what one operation on one address space changed, until
// AddressSpace.settle tells the TLB and then drops the frames.
//
// WHY in this order: until the flush, the processor may still reach a frame
// through a stale translation.  Once put, the frame may belong to somebody
// else.
type pending struct {
	pages   [flushBatch]VirtAddr // the first changed pages
	changed int                  // how many pages changed
	frames  [Entries]Frame       // to be put after the flush
	held    int
}

// changed notes that the entry of va was present and is different now.
func (as *AddressSpace) changed(va VirtAddr) {
	p := &as.mem.pending
	if p.changed < flushBatch {
		p.pages[p.changed] = va
	}
	p.changed++
}

// release notes that a reference to f goes away with the next flush.
func (as *AddressSpace) release(f Frame) {
	p := &as.mem.pending
	if p.held == len(p.frames) {
		as.settle()
	}
	p.frames[p.held] = f
	p.held++
}

// settle flushes what changed, then puts what was released.  A space without
// users is not loaded and needs no flush.
func (as *AddressSpace) settle() {
	p := &as.mem.pending
	switch {
	case as.users == 0 || p.changed == 0:
	case p.changed <= flushBatch:
		for _, va := range p.pages[:p.changed] {
			as.flushPage(va)
		}
	default:
		as.flushSpace()
	}
	p.changed = 0
	for _, f := range p.frames[:p.held] {
		as.mem.Frames.Put(f)
	}
	p.held = 0
}

func (as *AddressSpace) flushPage(va VirtAddr) {
	m := as.mem
	m.Counters.FlushPages++
	if m.Log.On(trace.ClassTLB) {
		as.tellFlush(va)
	}
	m.TLB.FlushPage(as.root, va.Page())
}

func (as *AddressSpace) flushSpace() {
	m := as.mem
	m.Counters.FlushSpaces++
	if m.Log.On(trace.ClassTLB) {
		m.Log.Emit(trace.Event{Kind: trace.FlushSpace, Old: uint64(as.root)})
	}
	m.TLB.FlushSpace(as.root)
}
