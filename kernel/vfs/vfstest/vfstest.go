// Package vfstest has what tests of files need: callers that sleep and are
// interrupted as processes are, and memory that ends where it is told to.
package vfstest

import (
	"sync"

	"yolk/kernel/vfs"
	"yolk/mm"
)

// Caller is a process as files see it.  Its goroutine holds Lock, the kernel
// lock, while it works.  Run it in a testing/synctest bubble: synctest.Wait
// then returns when it sleeps.
type Caller struct {
	Lock    *sync.Mutex
	ID      int   // pid
	Grp     int   // process group
	Sess    int   // session
	Signals []int // sent to the caller, or by it to a group: -pgid, sig
	Bytes   *mm.Budget
	Time    int64

	interrupted bool
	wake        chan struct{}
}

// New returns a caller with a budget of its own of 1 MiB.
func New(lock *sync.Mutex, pid int) *Caller {
	return &Caller{Lock: lock, ID: pid, Grp: pid, Sess: pid, Bytes: mm.NewBudget(nil, 1<<20), wake: make(chan struct{}, 1)}
}

// Wake implements vfs.Waker.
func (c *Caller) Wake() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// Interrupt makes the caller's sleep, or its next one, end with ErrInterrupted.
func (c *Caller) Interrupt() {
	c.interrupted = true
	c.Wake()
}

// Sleep implements vfs.Caller.
func (c *Caller) Sleep() error {
	if !c.interrupted {
		c.Lock.Unlock()
		<-c.wake
		c.Lock.Lock()
	}
	if c.interrupted {
		c.interrupted = false
		return vfs.ErrInterrupted
	}
	return nil
}

// PID implements vfs.Caller, as do the methods below.
func (c *Caller) PID() int                  { return c.ID }
func (c *Caller) Group() int                { return c.Grp }
func (c *Caller) Session() int              { return c.Sess }
func (c *Caller) Signal(sig int)            { c.Signals = append(c.Signals, sig) }
func (c *Caller) SignalGroup(pgid, sig int) { c.Signals = append(c.Signals, -pgid, sig) }
func (c *Caller) Budget() *mm.Budget        { return c.Bytes }
func (c *Caller) Now() int64                { return c.Time }

// Sink is user memory to be written: Room more bytes, then, if Bad, a fault.
type Sink struct {
	Data []byte
	Room int
	Bad  bool
}

// Len implements vfs.Sink.
func (s *Sink) Len() int { return span(s.Room, s.Bad) }

// Write implements vfs.Sink.
func (s *Sink) Write(p []byte) (int, error) {
	n := min(len(p), s.Room)
	s.Data, s.Room = append(s.Data, p[:n]...), s.Room-n
	if n < len(p) {
		return n, mm.ErrFault
	}
	return n, nil
}

// Source is user memory to be read: Data, then, if Bad, a fault.
type Source struct {
	Data []byte
	Bad  bool
}

// Len implements vfs.Source.
func (s *Source) Len() int { return span(len(s.Data), s.Bad) }

// Read implements vfs.Source.
func (s *Source) Read(p []byte) (int, error) {
	n := copy(p, s.Data)
	s.Data = s.Data[n:]
	if n < len(p) {
		return n, mm.ErrFault
	}
	return n, nil
}

// span is the length that a range with n good bytes claims.
func span(n int, bad bool) int {
	if bad {
		n += mm.PageSize
	}
	return n
}

// Memory returns a machine's memory of the given number of frames, frame 0 of
// which is nobody's.
func Memory(frames int) *mm.Memory {
	phys := mm.HostMemory(frames)
	alloc := mm.NewFrames(phys)
	alloc.AddFree(1, frames-1)
	m, err := mm.New(mm.Config{Phys: phys, Frames: alloc, TLB: noTLB{}})
	if err != nil {
		panic(err)
	}
	return m
}

// noTLB is the translation cache of memory that nobody maps.
type noTLB struct{}

func (noTLB) FlushPage(mm.Frame, mm.VirtAddr) {}
func (noTLB) FlushSpace(mm.Frame)             {}
func (noTLB) Load(mm.Frame)                   {}
