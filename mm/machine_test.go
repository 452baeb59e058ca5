package mm_test

import (
	"bytes"
	"errors"
	"testing"

	"yolk/kernel/trace"
	"yolk/mm"
	"yolk/mm/softmmu"
)

const page = mm.PageSize

// machine is simulated RAM, a software MMU and the Memory on top of them.
type machine struct {
	testing.TB
	*mm.Memory
	mmu     *softmmu.MMU
	budget  *mm.Budget
	frames  int // free when it was new
	objects []*mm.Object
	spaces  []*mm.AddressSpace
}

// dirtyPage is what a frame holds before anybody has used it.
var dirtyPage = [page]byte(bytes.Repeat([]byte{0xd1}, page))

// newMachine returns a machine with the given number of frames.
func newMachine(t testing.TB, frames int) *machine {
	return configure(t, frames, mm.Config{})
}

func configure(t testing.TB, frames int, c mm.Config) *machine {
	t.Helper()
	phys := mm.HostMemory(frames)
	for f := range mm.Frame(frames) { // as RAM is: nobody has cleared it
		*phys.Page(f) = dirtyPage
	}
	m := &machine{TB: t, mmu: softmmu.New(phys), budget: mm.NewBudget(nil, 1<<30)}
	c.Phys, c.TLB, c.KernelRoot, c.Frames = phys, m.mmu, 1, mm.NewFrames(phys)
	kernel := phys.Table(c.KernelRoot)
	clear(kernel[:])
	for i := mm.Entries / 2; i < mm.Entries; i++ {
		kernel[i] = mm.Present | mm.Writable | mm.NX
	}
	c.Frames.AddFree(2, frames-2)
	var err error
	if m.Memory, err = mm.New(c); err != nil {
		t.Fatal(err)
	}
	m.frames = m.Frames.Free()
	return m
}

// check fails the test if any invariant is broken.
func (m *machine) check() {
	m.Helper()
	if err := m.checkAll(); err != nil {
		m.Fatal(err)
	}
	if n := m.Counters.Faults[trace.Spurious]; n != 0 {
		m.Fatalf("%d faults were spurious: an entry changed without a flush", n)
	}
}

// checkAll has mm check everything; held are frames that others hold.
func (m *machine) checkAll(held ...mm.Frame) error {
	return m.Check(mm.NewBudget(nil, 1<<30), holder{m, held})
}

// holder holds what a machine has, and frames.
type holder struct {
	*machine
	held []mm.Frame
}

// Hold implements mm.Holder.
func (h holder) Hold(c *mm.Checker) {
	for _, as := range h.spaces {
		c.Space(as)
	}
	for _, o := range h.objects {
		c.Object(o)
	}
	for _, f := range h.held {
		c.Frame(f)
	}
}

// finish drops everything and checks that nothing leaked.
func (m *machine) finish() {
	m.Helper()
	m.check()
	for _, as := range m.spaces {
		as.Drop()
	}
	for _, o := range m.objects {
		o.Drop()
	}
	m.spaces, m.objects = nil, nil
	m.check()
	if n := m.Frames.Free(); n != m.frames {
		m.Fatalf("%d frames leaked", m.frames-n)
	}
	if n := m.budget.Used(); n != 0 {
		m.Fatalf("%d bytes of budget leaked", n)
	}
	if made, freed := m.Counters.TablesMade, m.Counters.TablesFreed; made != freed {
		m.Fatalf("%d tables were made and %d freed", made, freed)
	}
}

// proc is a process: an address space that is accessed through the MMU.
type proc struct {
	*mm.AddressSpace
	m *machine
}

func (m *machine) newProc() *proc {
	m.Helper()
	as, err := m.NewSpace(m.budget)
	if err != nil {
		m.Fatal(err)
	}
	return m.adopt(as)
}

func (m *machine) adopt(as *mm.AddressSpace) *proc {
	m.spaces = append(m.spaces, as)
	return &proc{as, m}
}

func (p *proc) fork(mode mm.ForkMode) *proc {
	p.m.Helper()
	as, err := p.Fork(mode, p.m.budget)
	if err != nil {
		p.m.Fatal(err)
	}
	return p.m.adopt(as)
}

func (p *proc) exit() {
	for i, as := range p.m.spaces {
		if as == p.AddressSpace {
			p.m.spaces = append(p.m.spaces[:i:i], p.m.spaces[i+1:]...)
		}
	}
	p.Drop()
}

// mapAnon maps private anonymous memory at a fixed address.
func (p *proc) mapAnon(va mm.VirtAddr, pages uint64, prot mm.Prot) {
	p.m.Helper()
	p.mapIt(mm.MapRequest{Addr: va, Length: pages * page, Prot: prot, Fixed: mm.FixedReplace})
}

func (p *proc) mapIt(q mm.MapRequest) mm.VirtAddr {
	p.m.Helper()
	va, err := p.Map(q)
	if err != nil {
		p.m.Fatalf("Map(%+v): %v", q, err)
	}
	return va
}

// user runs an access until it is through or a fault cannot be mended.
func (p *proc) user(va mm.VirtAddr, b []byte, move func(mm.Frame, mm.VirtAddr, []byte) (int, *softmmu.PageFault)) (int, trace.Decision) {
	p.m.Helper()
	done, last := 0, trace.NoDecision
	for range 4*len(b)/page + 16 {
		n, fault := move(p.Root(), va+mm.VirtAddr(done), b[done:])
		if done += n; fault == nil {
			return done, last
		}
		d, err := p.Fault(fault.VA, fault.Code)
		if last = d; err != nil {
			return done, d
		}
	}
	p.m.Fatalf("access to %#x faults for ever, the last time decided as %v", va, last)
	panic("not reached")
}

// write stores b from user mode.  It returns the number of bytes stored and
// what was decided about the last fault.
func (p *proc) write(va mm.VirtAddr, b []byte) (int, trace.Decision) {
	p.m.Helper()
	return p.user(va, b, p.m.mmu.WriteUser)
}

// read loads len(b) bytes in user mode; see write.
func (p *proc) read(va mm.VirtAddr, b []byte) (int, trace.Decision) {
	p.m.Helper()
	return p.user(va, b, p.m.mmu.ReadUser)
}

// exec fetches an instruction from va.
func (p *proc) exec(va mm.VirtAddr) trace.Decision {
	p.m.Helper()
	_, d := p.user(va, []byte{0}, func(root mm.Frame, va mm.VirtAddr, _ []byte) (int, *softmmu.PageFault) {
		_, fault := p.m.mmu.Access(root, va, softmmu.Exec, true)
		return 1, fault
	})
	return d
}

// set stores a byte, and get loads one; both must succeed.
func (p *proc) set(va mm.VirtAddr, b byte) trace.Decision {
	p.m.Helper()
	n, d := p.write(va, []byte{b})
	if n != 1 {
		p.m.Fatalf("write to %#x ends in %v", va, d)
	}
	return d
}

func (p *proc) get(va mm.VirtAddr) byte {
	p.m.Helper()
	var b [1]byte
	if n, d := p.read(va, b[:]); n != 1 {
		p.m.Fatalf("read from %#x ends in %v", va, d)
	}
	return b[0]
}

// faults stores a byte, and wants that to be a fault that is decided so.
func (p *proc) faults(va mm.VirtAddr, b byte, want trace.Decision) {
	p.m.Helper()
	d := p.set(va, b)
	e, _ := p.Entry(va)
	switch {
	case d == want:
	case d != trace.NoDecision:
		p.m.Fatalf("the write to %#x is decided as %v, want %v", va, d, want)
	case e.Writable():
		p.m.Fatalf("the write to %#x is no fault, want %v: entry %v lets it through", va, want, e)
	default:
		p.m.Fatalf("the write to %#x is no fault, want %v: entry %v is read-only, but the TLB remembers a writable one", va, want, e)
	}
}

func (p *proc) want(va mm.VirtAddr, b byte) {
	p.m.Helper()
	if got := p.get(va); got != b {
		p.m.Fatalf("%#x holds %d, want %d", va, got, b)
	}
}

func (p *proc) frame(va mm.VirtAddr) mm.Frame {
	e, _ := p.Entry(va)
	return e.Frame()
}

// newObject returns an object with the given contents.
func (m *machine) newObject(content []byte) *mm.Object {
	m.Helper()
	o, err := mm.NewObject(m.Memory, m.budget)
	if err != nil {
		m.Fatal(err)
	}
	m.objects = append(m.objects, o)
	if n, err := o.WriteAt(bytes.NewReader(content), 0); n != len(content) || err != nil {
		m.Fatal(n, err)
	}
	return o
}

// refuses reports whether op fails with want and leaves the machine as it was.
func (m *machine) refuses(want error, op func() error) {
	m.Helper()
	free, used, tables := m.Frames.Free(), m.budget.Used(), m.Counters.TablesMade-m.Counters.TablesFreed
	if err := op(); !errors.Is(err, want) {
		m.Fatalf("got %v, want %v", err, want)
	}
	if n := m.Frames.Free(); n != free {
		m.Fatalf("a failure took %d frames", free-n)
	}
	if n := m.budget.Used(); n != used {
		m.Fatalf("a failure charged %d bytes", n-used)
	}
	if n := m.Counters.TablesMade - m.Counters.TablesFreed; n != tables {
		m.Fatalf("a failure left %d tables", n-tables)
	}
	m.check()
}

// exhaust lets 0, 1, 2, … allocations succeed until op does, and wants each
// failure before that to leave no trace.
func (m *machine) exhaust(op func() error) (failures int) {
	m.Helper()
	for n := 0; ; n++ {
		m.Frames.SetReserve(m.Frames.Free() - n)
		done := false
		func() {
			free, used := m.Frames.Free(), m.budget.Used()
			err := op()
			if err == nil {
				done = true
				return
			}
			if !errors.Is(err, mm.ErrNoMemory) || m.Frames.Free() != free || m.budget.Used() != used {
				m.Fatalf("allocation %d: %v, %d frames and %d bytes gone", n, err, free-m.Frames.Free(), m.budget.Used()-used)
			}
		}()
		m.Frames.SetReserve(0)
		m.check()
		if done {
			return n
		}
	}
}
