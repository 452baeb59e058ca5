package mm_test

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"testing"

	"yolk/kernel/trace"
	"yolk/mm"
)

// anonymous returns a process with n dirty pages at base: page i holds i+1.
func (m *machine) anonymous(n int) *proc {
	m.Helper()
	p := m.newProc()
	p.mapAnon(base, uint64(n), mm.ReadWrite)
	for i := range n {
		p.set(base+mm.VirtAddr(i)*page, byte(i+1))
	}
	return p
}

func TestCOW01SecondForkKeepsMark(t *testing.T) {
	m := newMachine(t, 200)
	p := m.anonymous(1)
	a, b := p.fork(mm.ForkCOW), p.fork(mm.ForkCOW)
	for _, q := range []*proc{p, a, b} {
		if e, _ := q.Entry(base); !e.COW() || e.Writable() {
			t.Fatalf("entry %v is not read-only and marked", e)
		}
	}
	c := a.fork(mm.ForkCOW)
	for i, q := range []*proc{p, a, b, c} {
		q.set(base, byte(10+i))
	}
	for i, q := range []*proc{p, a, b, c} {
		q.want(base, byte(10+i))
	}
	m.finish()
}

func TestCOW02CountsPast65536(t *testing.T) {
	m := newMachine(t, 2500)
	zero := m.ZeroFrame()
	p := m.newProc()
	p.mapAnon(base, 70000, mm.ReadWrite)
	for i := range mm.VirtAddr(70000) {
		p.get(base + i*page)
	}
	if n := m.Frames.Refs(zero); n != 70001 {
		t.Errorf("the zero page has %d references, want 70001", n)
	}
	q := p.fork(mm.ForkCOW)
	if n := m.Frames.Refs(zero); n != 140001 {
		t.Errorf("the zero page has %d references, want 140001", n)
	}
	q.exit()
	p.exit()
	if n := m.Frames.Refs(zero); n != 1 {
		t.Errorf("the zero page has %d references, want 1", n)
	}

	o := m.newObject([]byte{42})
	p = m.newProc()
	const maps, forks = 1000, 69 // 70 processes map the page 70,000 times
	for i := range mm.VirtAddr(maps) {
		p.mapIt(mm.MapRequest{Addr: base + i*page, Length: page, Prot: mm.ReadWrite, Object: o, Fixed: mm.FixedReplace})
		p.want(base+i*page, 42)
	}
	procs := []*proc{p}
	for range forks {
		procs = append(procs, p.fork(mm.ForkCOW))
	}
	f := p.frame(base)
	if n := m.Frames.Refs(f); n != maps*(forks+1)+1 {
		t.Errorf("the page has %d references, want %d", n, maps*(forks+1)+1)
	}
	procs[5].set(base, 1)
	procs[6].want(base, 42)
	m.check()
	for _, q := range procs {
		q.exit()
	}
	if n := m.Frames.Refs(f); n != 1 {
		t.Errorf("the page has %d references, want 1", n)
	}
	m.finish()
}

func TestCOW03CountAndCopyAreOneStep(t *testing.T) {
	m := newMachine(t, 100)
	p := m.anonymous(1)
	q := p.fork(mm.ForkCOW)
	p.faults(base+8, 2, trace.COWCopy)
	// The copy took the reference away at once: the other is the last owner.
	q.faults(base+8, 3, trace.COWReuse)
	p.want(base, 1)
	q.want(base, 1)
	p.want(base+8, 2)
	m.finish()
}

func TestCOW04ReuseFlushesAndChecksCount(t *testing.T) {
	m := newMachine(t, 100)
	p := m.anonymous(1)
	q := p.fork(mm.ForkCOW)
	q.exit()
	p.want(base, 1) // the TLB remembers a read-only entry
	p.faults(base, 2, trace.COWReuse)
	m.check() // no spurious fault
	q = p.fork(mm.ForkCOW)
	p.faults(base, 3, trace.COWCopy) // what was decided before the fork does not count
	q.want(base, 2)
	m.finish()
}

func TestCOW05FastPathKeepsMappedPage(t *testing.T) {
	m := newMachine(t, 100)
	p := m.anonymous(1)
	p.fork(mm.ForkCOW).exit()
	f, free := p.frame(base), m.Frames.Free()
	p.set(base, 2)
	if p.frame(base) != f || m.Frames.Refs(f) != 1 || m.Frames.Free() != free {
		t.Error("the last owner's page changed hands")
	}
	m.finish()
}

func TestCOW06ForkGrantsNothing(t *testing.T) {
	m := newMachine(t, 100)
	for _, mode := range []mm.ForkMode{mm.ForkCOW, mm.ForkEager} {
		p := m.anonymous(1)
		if err := p.Protect(base, page, mm.Read); err != nil {
			t.Fatal(err)
		}
		q := p.fork(mode)
		for _, s := range []*proc{p, q} {
			if n, d := s.write(base, []byte{9}); n != 0 || d != trace.SegvAccErr {
				t.Errorf("mode %d: a write to a read-only page: %v, want segv-accerr", mode, d)
			}
			s.want(base, 1)
		}
		p.exit()
		q.exit()
	}
	m.finish()
}

func TestCOW07ProtectAroundFork(t *testing.T) {
	m := newMachine(t, 100)
	for _, mode := range []mm.ForkMode{mm.ForkCOW, mm.ForkEager} {
		p := m.anonymous(2)
		p.Protect(base, 2*page, mm.Read)
		q := p.fork(mode)
		p.Protect(base, 2*page, mm.ReadWrite)
		q.Protect(base, 2*page, mm.ReadWrite)
		m.check()
		p.set(base, 10)
		q.set(base+page, 20)
		q.want(base, 1)
		p.want(base+page, 2)
		p.exit()
		q.exit()
	}
	m.finish()
}

func TestCOW08ParentWritesFirst(t *testing.T) {
	m := newMachine(t, 100)
	p := m.anonymous(2)
	p.set(base, 1) // the TLB remembers a writable, dirty entry
	q := p.fork(mm.ForkCOW)
	p.faults(base, 7, trace.COWCopy)
	q.want(base, 1)
	p.want(base+page, 2) // the TLB remembers a read-only entry
	p.set(base+page, 8)
	p.want(base+page, 8)
	q.want(base+page, 2)
	m.finish()
}

func TestCOW09Descendants(t *testing.T) {
	for seed := range uint64(60) {
		m := newMachine(t, 100)
		r := rand.New(rand.NewPCG(seed, 9))
		p := m.anonymous(1)
		procs := []*proc{p, p.fork(mm.ForkCOW)}
		procs = append(procs, procs[1].fork(mm.ForkCOW))
		values := []byte{1, 1, 1}
		for range 6 {
			i := r.IntN(len(procs))
			switch {
			case r.IntN(4) == 0 && len(procs) > 1:
				procs[i].exit()
				procs = append(procs[:i], procs[i+1:]...)
				values = append(values[:i], values[i+1:]...)
			default:
				values[i]++
				procs[i].set(base, values[i])
			}
			for j, q := range procs {
				q.want(base, values[j])
			}
			m.check()
		}
		m.finish()
	}
}

func TestCOW10KernelWritesBreakCOW(t *testing.T) {
	m := newMachine(t, 100)
	p := m.anonymous(4)
	q := p.fork(mm.ForkCOW)
	if err := p.CopyOut(base, []byte{50}); err != nil {
		t.Fatal(err)
	}
	if err := p.StoreUint64(base+page, 51); err != nil {
		t.Fatal(err)
	}
	if err := p.CopyOut(base+2*page, []byte{0}); err != nil {
		t.Fatal(err)
	}
	o := m.newObject([]byte{53})
	if n, err := o.ReadAt(p.Range(base+3*page, 1), 0); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	for i, b := range []byte{50, 51, 0, 53} {
		va := base + mm.VirtAddr(i)*page
		p.want(va, b)
		if got := q.get(va); got != byte(i+1) {
			t.Fatalf("%#x in the child holds %d, want %d; the kernel wrote %d, for the parent", va, got, i+1, b)
		}
	}
	if n := m.Counters.Faults[trace.COWCopy]; n != 4 {
		t.Errorf("%d copies, want 4", n)
	}
	m.finish()
}

// TestKernelReadsCopyNothing: the kernel that reads a shared page asks for no right to
// write to it.
func TestKernelReadsCopyNothing(t *testing.T) {
	m := newMachine(t, 100)
	p := m.anonymous(1)
	p.fork(mm.ForkCOW)
	var b [1]byte
	if err := p.CopyIn(b[:], base); err != nil || b[0] != 1 {
		t.Errorf("CopyIn: %d, %v, want 1", b[0], err)
	}
	if s, err := p.CopyInString(base, page); s != "\x01" || err != nil {
		t.Errorf("CopyInString: %q, %v", s, err)
	}
	if n := m.Counters.Faults[trace.COWCopy]; n != 0 {
		t.Errorf("the kernel read a page that two processes share, and %d were copied", n)
	}
	m.finish()
}

// TestStringAtTheEnd: a string may end where nothing is any more, and that is not
// touched.
func TestStringAtTheEnd(t *testing.T) {
	m := newMachine(t, 100)
	p := m.newProc()
	p.mapAnon(base, 1, mm.ReadWrite)
	p.mapAnon(mm.UserEnd-page, 1, mm.ReadWrite)
	for _, end := range []mm.VirtAddr{base + page, mm.UserEnd} {
		if err := p.CopyOut(end-6, []byte("hello\x00")); err != nil {
			t.Fatal(err)
		}
		if s, err := p.CopyInString(end-6, 4096); s != "hello" || err != nil {
			t.Errorf("a string that ends below %#x, where nothing is: %q, %v", uint64(end), s, err)
		}
	}
	m.finish()
}

// TestCopyOutOfMemory: a copy for which there is no frame fails for that reason.
func TestCopyOutOfMemory(t *testing.T) {
	m := newMachine(t, 100)
	p := m.newProc()
	p.mapAnon(base, 1, mm.ReadWrite)
	m.Frames.SetReserve(m.Frames.Free())
	if err := p.CopyOut(base, []byte{1}); !errors.Is(err, mm.ErrNoMemory) {
		t.Errorf("CopyOut without a free frame: %v, want %v", err, mm.ErrNoMemory)
	}
	m.Frames.SetReserve(0)
	m.finish()
}

func TestCOW11CopyAcrossPages(t *testing.T) {
	m := newMachine(t, 100)
	p := m.anonymous(2)
	p.Protect(base+page, page, mm.Read)
	p.mapAnon(base+3*page, 1, mm.ReadWrite)
	q := p.fork(mm.ForkCOW)
	for _, c := range []struct {
		va   mm.VirtAddr
		want int
	}{
		{base + page - 8, 8},      // marked, then read-only
		{base + 3*page - 8, 0},    // absent
		{base + 4*page - 8, 8},    // never touched, then absent
		{base - 8, 0},             // absent, then marked
		{base + 2*page - 8, 0},    // read-only
		{base + 3*page + 100, 16}, // within a page
	} {
		if n, err := p.Range(c.va, 16).Write(make([]byte, 16)); n != c.want || c.want < 16 && !errors.Is(err, mm.ErrFault) {
			t.Errorf("%#x: %d bytes, %v; want %d", c.va, n, err, c.want)
		}
	}
	buf := make([]byte, 16)
	if n, err := p.Range(base+page-8, 16).Read(buf); n != 16 || err != nil {
		t.Errorf("reading over the border: %d, %v", n, err)
	}
	q.want(base, 1)
	q.want(base+page, 2)
	m.finish()
}

func TestCOW12KernelGrantsNothing(t *testing.T) {
	m := newMachine(t, 100)
	p := m.anonymous(1)
	p.Protect(base, page, mm.Read)
	if err := p.CopyOut(base, []byte{9}); !errors.Is(err, mm.ErrFault) {
		t.Errorf("a write to a read-only page: %v", err)
	}
	p.want(base, 1)
	p.Protect(base, page, 0)
	if err := p.CopyIn(make([]byte, 1), base); !errors.Is(err, mm.ErrFault) {
		t.Errorf("a read of PROT_NONE: %v", err)
	}
	m.finish()
}

func TestCOW13WildPointers(t *testing.T) {
	m := newMachine(t, 100)
	p := m.newProc()
	p.mapAnon(mm.UserEnd-page, 1, mm.ReadWrite)
	for _, va := range []mm.VirtAddr{
		0, 0xfff, mm.UserEnd, 0x7fff_ffff_ffff, 0x8000_0000_0000, 0xffff_7fff_ffff_ffff,
		0xffff_8000_0000_0000, 0xffff_ffff_8020_0000, ^mm.VirtAddr(0), ^mm.VirtAddr(7), mm.UserEnd - 4,
	} {
		b := make([]byte, 8)
		if err := p.CopyIn(b, va); !errors.Is(err, mm.ErrFault) {
			t.Errorf("CopyIn from %#x: %v", va, err)
		}
		if err := p.CopyOut(va, b); !errors.Is(err, mm.ErrFault) {
			t.Errorf("CopyOut to %#x: %v", va, err)
		}
		if _, err := p.CopyInString(va, 100); va != mm.UserEnd-4 && !errors.Is(err, mm.ErrFault) {
			t.Errorf("CopyInString from %#x: %v", va, err)
		}
		if _, ok := p.Entry(va); ok && va >= mm.UserEnd {
			t.Errorf("Entry of %#x", va)
		}
		if d, err := p.Fault(va, mm.FaultUser|mm.FaultWrite); va != mm.UserEnd-4 && (d != trace.SegvMapErr || err == nil) {
			t.Errorf("Fault at %#x: %v, %v; want segv-maperr", va, d, err)
		}
		if err := p.CopyOut(va, nil); err != nil {
			t.Errorf("no bytes to %#x: %v", va, err)
		}
	}
	for _, n := range []int{-1, -page, -1 << 63} { // what a program calls a length may be no int
		r := p.Range(mm.UserEnd-page, n)
		if _, err := r.Write(make([]byte, 8)); !errors.Is(err, mm.ErrFault) {
			t.Errorf("a write to %d bytes: %v", n, err)
		}
	}
	m.finish()
}

func TestCOW14ErrorCodeIsRead(t *testing.T) {
	m := newMachine(t, 100)
	p := m.anonymous(1)
	if d := p.exec(base); d != trace.SegvAccErr {
		t.Errorf("a fetch from NX memory: %v, want segv-accerr", d)
	}
	if d, err := p.Fault(0xffff800000000000, mm.FaultUser|mm.FaultPresent); d != trace.SegvMapErr || err == nil {
		t.Errorf("a touch of the kernel's half: %v, want segv-maperr", d)
	}
	defer func() {
		if recover() == nil {
			t.Error("a reserved bit in an entry went unnoticed")
		}
	}()
	p.Fault(base, mm.FaultUser|mm.FaultPresent|mm.FaultReserved)
}

func TestCOW15SpuriousFault(t *testing.T) {
	m := newMachine(t, 100)
	p := m.anonymous(1)
	before := m.Counters.FlushPages
	if d, err := p.Fault(base, mm.FaultUser|mm.FaultWrite|mm.FaultPresent); d != trace.Spurious || err != nil {
		t.Errorf("%v, %v; want spurious", d, err)
	}
	if m.Counters.FlushPages != before+1 {
		t.Error("a spurious fault does not flush: it may come back for ever")
	}
	p.want(base, 1)
}

func TestCOW16ZeroPage(t *testing.T) {
	m := newMachine(t, 100)
	zero := m.ZeroFrame()
	p := m.newProc()
	p.mapAnon(base, 2, mm.ReadWrite)
	p.want(base, 0)
	p.want(base+page, 0)
	if p.frame(base) != zero || m.Frames.Refs(zero) != 3 {
		t.Fatal("the zero page is not shared")
	}
	if e, _ := p.Entry(base); e.Writable() {
		t.Fatal("the zero page is writable")
	}
	p.Protect(base, page, mm.Read)
	p.Protect(base, page, mm.ReadWrite)
	q := p.fork(mm.ForkCOW)
	for _, s := range []*proc{p, q} {
		if e, _ := s.Entry(base); e.Writable() {
			t.Fatal("the zero page is writable")
		}
		s.set(base, 5)
	}
	q.want(base+page, 0)
	p.exit()
	q.exit()
	if n := m.Frames.Refs(zero); n != 1 {
		t.Errorf("the zero page has %d references, want 1", n)
	}
	if *m.Phys.Page(zero) != zeroPage {
		t.Error("the zero page is not zero")
	}
	m.finish()
}

func TestCOW17FreshMemoryIsZero(t *testing.T) {
	m := newMachine(t, 60)
	dirt := bytes.Repeat([]byte{0xAA}, 8*page)
	for range 10 { // frames come back dirty
		p := m.newProc()
		p.mapAnon(base, 8, mm.ReadWrite)
		for i := range mm.VirtAddr(8) {
			if i%2 == 0 {
				p.get(base + i*page) // through the zero page
			}
			p.set(base+i*page+page-1, 0)
		}
		got := make([]byte, len(dirt))
		p.read(base, got)
		if !bytes.Equal(got, make([]byte, len(dirt))) {
			t.Fatal("fresh memory is not zero")
		}
		p.write(base, dirt)
		p.exit()
	}
	o := m.newObject(dirt[:100])
	p := m.newProc()
	p.mapIt(mm.MapRequest{Addr: base, Length: page, Prot: mm.ReadWrite, Object: o, Fixed: mm.FixedReplace})
	got := make([]byte, page)
	p.read(base, got)
	if !bytes.Equal(got[:100], dirt[:100]) || !bytes.Equal(got[100:], zeroPage[100:]) {
		t.Error("the rest of a file's last page is not zero")
	}
	m.finish()
}

func TestCOW18ReaderKeepsOldBytes(t *testing.T) {
	m := newMachine(t, 100)
	p := m.anonymous(1)
	f := p.frame(base)
	q := p.fork(mm.ForkCOW)
	m.Frames.Get(f) // as a pipe would that holds the page itself
	q.exit()
	p.faults(base, 99, trace.COWCopy)
	if m.Phys.Page(f)[0] != 1 {
		t.Error("the holder of the page sees a later write")
	}
	if err := m.checkAll(f); err != nil {
		t.Error(err)
	}
	m.Frames.Put(f)
	m.finish()
}

func TestCOW19DiscardNeverReachesFile(t *testing.T) {
	m := newMachine(t, 100)
	o := m.newObject([]byte("file"))
	p := m.newProc()
	p.mapIt(mm.MapRequest{Addr: base, Length: page, Prot: mm.ReadWrite, Object: o, Fixed: mm.FixedReplace})
	for range 20 {
		p.set(base, 'X')
		if err := p.Discard(base, page); err != nil {
			t.Fatal(err)
		}
		if got := p.get(base); got != 'f' {
			t.Fatalf("the file holds %q, which was written to a private mapping of it; want 'f'", got)
		}
		if err := p.CopyOut(base, []byte("Y")); err != nil {
			t.Fatal(err)
		}
		p.Discard(base, page)
	}
	got := make([]byte, 10)
	if n := o.ReadBytes(got, 0); n != 4 || string(got[:n]) != "file" {
		t.Errorf("the file holds %q", got[:n])
	}
	m.finish()
}

func TestCOW20SharedAndPrivate(t *testing.T) {
	m := newMachine(t, 100)
	o := m.newObject(bytes.Repeat([]byte{1}, page))
	p := m.newProc()
	q := mm.MapRequest{Addr: base, Length: page, Prot: mm.ReadWrite, Object: o, Fixed: mm.FixedReplace, Flags: mm.Shared}
	p.mapIt(q)
	q.Addr, q.Flags = base+page, 0
	p.mapIt(q)
	p.mapIt(mm.MapRequest{Addr: base + 2*page, Length: page, Prot: mm.ReadWrite, Flags: mm.Shared, Fixed: mm.FixedReplace})
	p.set(base+2*page, 5)
	p.want(base, 1)
	p.want(base+page, 1)
	for _, mode := range []mm.ForkMode{mm.ForkCOW, mm.ForkEager} {
		c := p.fork(mode)
		c.set(base+2*page, 6) // shared anonymous
		p.want(base+2*page, 6)
		c.set(base, 7) // shared file
		p.want(base, 7)
		if b := m.Phys.Page(p.frame(base))[0]; b != 7 {
			t.Errorf("the file holds %d", b)
		}
		c.set(base+page, 8) // private file
		if b := p.get(base + page); b == 8 {
			t.Error("a private write reached the parent")
		}
		p.want(base, 7)
		p.set(base, 1)
		p.set(base+2*page, 5)
		c.exit()
	}
	m.finish()
}

func TestCOW21NothingCopiedAfterChild(t *testing.T) {
	m := newMachine(t, 200)
	p := m.anonymous(20)
	q := p.fork(mm.ForkCOW)
	q.exit()
	for i := range mm.VirtAddr(20) {
		p.faults(base+i*page, 2, trace.COWReuse)
		if e, _ := p.Entry(base + i*page); e.COW() || !e.Writable() {
			t.Errorf("page %d: entry %v", i, e)
		}
	}
	if n := m.Counters.Faults[trace.COWCopy]; n != 0 {
		t.Errorf("%d pages were copied", n)
	}
	m.finish()
}

func TestCOW22CutThroughMarkedPages(t *testing.T) {
	m := newMachine(t, 200)
	p := m.anonymous(9)
	q := p.fork(mm.ForkCOW)
	if err := p.Unmap(base+page, 2*page); err != nil {
		t.Fatal(err)
	}
	if err := p.Protect(base+4*page, page, mm.Read); err != nil {
		t.Fatal(err)
	}
	to, err := p.Remap(mm.RemapRequest{Old: base + 5*page, OldLength: 2 * page, NewLength: 3 * page, MayMove: true})
	if err != nil {
		t.Fatal(err)
	}
	m.check()
	p.set(to, 60)
	p.set(base+3*page, 40)
	for i := range 9 {
		q.want(base+mm.VirtAddr(i)*page, byte(i+1))
	}
	q.set(base+page, 20)
	q.set(base+6*page, 70)
	p.want(to+page, 7)
	p.want(to+2*page, 0)
	p.want(base+4*page, 5)
	if n, d := p.read(base+5*page, []byte{0}); n != 0 || d != trace.SegvMapErr {
		t.Error("the old place of a moved page is still there")
	}
	m.finish()
}

func TestFORK01OutOfMemoryAtEveryStep(t *testing.T) {
	for _, mode := range []mm.ForkMode{mm.ForkCOW, mm.ForkEager} {
		m := newMachine(t, 300)
		p := m.anonymous(6)
		p.mapAnon(base+1<<30, 2, mm.ReadWrite)
		p.set(base+1<<30, 9)
		p.get(base + 1<<30 + page)
		p.mapIt(mm.MapRequest{Length: page, Prot: mm.ReadWrite, Flags: mm.Shared})
		var child *mm.AddressSpace
		failures := m.exhaust(func() (err error) {
			child, err = p.Fork(mode, m.budget)
			if err == nil {
				m.adopt(child)
				return nil
			}
			for i := range 6 { // intact and writable, with no frame to be had
				if d := p.set(base+mm.VirtAddr(i)*page, byte(i+1)); d != trace.NoDecision {
					t.Fatalf("after a failed fork a write is a fault: %v", d)
				}
			}
			return err
		})
		want := p.Tables() // as many as the child needs
		if mode == mm.ForkEager {
			want += 7 // pages that are copied
		}
		if failures != want {
			t.Errorf("fork fails while fewer than %d frames are free, want %d: one for each table and each copy", failures, want)
		}
		q := &proc{child, m}
		p.set(base, 100)
		if got := q.get(base); got != 1 {
			t.Fatalf("the parent's write after the fork reached the child, which reads %d, want 1", got)
		}
		m.finish()
	}
}

func TestFORK02BudgetRefusals(t *testing.T) {
	m := newMachine(t, 300)
	p := m.anonymous(6)
	for i := range mm.VirtAddr(20) {
		p.mapAnon(base+1<<30+i*2*page, 1, mm.ReadWrite)
	}
	need := int64(0)
	for ; ; need += 100 {
		b := mm.NewBudget(m.budget, need)
		free := m.Frames.Free()
		as, err := p.Fork(mm.ForkCOW, b)
		if err == nil {
			m.adopt(as)
			break
		}
		if !errors.Is(err, mm.ErrNoMemory) || b.Used() != 0 || m.Frames.Free() != free {
			t.Fatalf("budget %d: %v, %d bytes and %d frames gone", need, err, b.Used(), free-m.Frames.Free())
		}
		m.check()
	}
	if need < 20*100 {
		t.Errorf("21 regions fit into a budget of %d bytes", need)
	}
	m.finish()
}

func TestFORK03NoLeak(t *testing.T) {
	m := newMachine(t, 300)
	p := m.anonymous(5)
	free := m.Frames.Free()
	r := rand.New(rand.NewPCG(1, 2))
	for range 5000 {
		q := p.fork(mm.ForkMode(r.IntN(2)))
		q.set(base+mm.VirtAddr(r.IntN(5))*page, 1)
		p.set(base+mm.VirtAddr(r.IntN(5))*page, 1)
		q.exit()
	}
	for i := range mm.VirtAddr(5) {
		p.set(base+i*page, 1)
	}
	if n := m.Frames.Free(); n != free {
		t.Errorf("%d frames leaked", free-n)
	}
	m.finish()
}

func TestFORK08HolesStayHoles(t *testing.T) {
	m := newMachine(t, 100)
	p := m.anonymous(5)
	p.Unmap(base+page, page)
	p.Protect(base+3*page, page, mm.Read)
	q := p.fork(mm.ForkCOW)
	var got, want []mm.Region
	for r := range p.Regions() {
		want = append(want, mm.Region{Start: r.Start, End: r.End, Prot: r.Prot, Flags: r.Flags})
	}
	for r := range q.Regions() {
		got = append(got, mm.Region{Start: r.Start, End: r.End, Prot: r.Prot, Flags: r.Flags})
	}
	if len(got) != 4 || len(want) != 4 {
		t.Fatalf("%d regions, the parent has %d", len(got), len(want))
	}
	for i := range got {
		if got[i] != want[i] {
			t.Errorf("region %d: %+v, want %+v", i, got[i], want[i])
		}
	}
	if n, d := q.read(base+page, []byte{0}); n != 0 || d != trace.SegvMapErr {
		t.Errorf("a hole became memory: %v, want segv-maperr", d)
	}
	m.finish()
}

// TestEagerForkOfPrivatePages: the child has copies of private pages, untouched
// ones, and the parent's zero page; the two do not see each other's writes.
func TestEagerForkOfPrivatePages(t *testing.T) {
	m := newMachine(t, 100)
	p := m.anonymous(2)
	p.mapAnon(base+2*page, 1, mm.ReadWrite)
	p.get(base + 2*page) // the zero page
	q := p.fork(mm.ForkEager)
	for i := range mm.VirtAddr(3) {
		va := base + i*page
		before, _ := p.Entry(va)
		if e, ok := q.Entry(va); !ok || (e.Frame() == before.Frame()) != (i == 2) || e.Accessed() || e.Dirty() {
			t.Errorf("page %d: the child's entry is %v, the parent's %v; want a frame of its own but for the zero page, and neither A nor D", i, e, before)
		}
	}
	if c := m.Counters; c.Forks != 1 || c.ForkCopied != 2 {
		t.Errorf("Counters.Forks is %d and Counters.ForkCopied %d, want 1 and 2", c.Forks, c.ForkCopied)
	}
	q.set(base, 10)
	p.set(base+page, 20)
	p.want(base, 1)
	q.want(base+page, 2)
	m.finish()
}

// TestEagerFork: the child has copies of what may be written, untouched ones, and
// shares the rest; the parent notices nothing.
func TestEagerFork(t *testing.T) {
	m := newMachine(t, 100)
	p := m.anonymous(2)
	p.mapAnon(base+2*page, 1, mm.ReadWrite)
	p.get(base + 2*page) // the zero page
	p.mapAnon(base+3*page, 1, mm.ReadWrite)
	p.set(base+3*page, 4)
	p.Protect(base+3*page, page, mm.Read)
	p.mapIt(mm.MapRequest{Addr: base + 4*page, Length: page, Prot: mm.ReadWrite, Flags: mm.Shared, Fixed: mm.FixedReplace})
	p.set(base+4*page, 5)
	var before [5]mm.PTE
	for i := range before {
		before[i], _ = p.Entry(base + mm.VirtAddr(i)*page)
	}
	q := p.fork(mm.ForkEager)
	for i, shared := range []bool{false, false, true, true, true} {
		va := base + mm.VirtAddr(i)*page
		if e, _ := p.Entry(va); e != before[i] {
			t.Errorf("page %d: the parent's entry was %v and is %v", i, before[i], e)
		}
		e, ok := q.Entry(va)
		if !ok || (e.Frame() == before[i].Frame()) != shared {
			t.Errorf("page %d: the child's entry is %v, the parent's %v", i, e, before[i])
		}
		if e.Accessed() || e.Dirty() {
			t.Errorf("page %d: the child has used it already: %v", i, e)
		}
	}
	if n := m.Counters.ForkCopied; n != 2 {
		t.Errorf("%d pages were copied, want 2", n)
	}
	q.set(base, 10)
	p.set(base+page, 20)
	p.want(base, 1)
	q.want(base+page, 2)
	p.want(base+4*page, 5)
	m.finish()
}

// TestForkTables: the child's tables are its own and point at the parent's
// frames, and unmapping in one leaves the other alone.
func TestForkTables(t *testing.T) {
	m := newMachine(t, 100)
	p := m.anonymous(3)
	q := p.fork(mm.ForkCOW)
	tables := map[mm.Frame]bool{}
	count := func(_ int, _ mm.VirtAddr, f mm.Frame) { tables[f] = true }
	p.WalkTables(count)
	q.WalkTables(count)
	if len(tables) != 8 || p.Tables() != 4 || q.Tables() != 4 {
		t.Errorf("%d tables in all, %d of the parent and %d of the child; want 4 each", len(tables), p.Tables(), q.Tables())
	}
	if c := m.Counters; c.Forks != 1 || c.ForkShared != 3 || c.ForkCopied != 0 {
		t.Errorf("Counters: %d forks shared %d pages and copied %d, want 1, 3 and 0", c.Forks, c.ForkShared, c.ForkCopied)
	}
	for i := range mm.VirtAddr(3) {
		if p.frame(base+i*page) != q.frame(base+i*page) {
			t.Errorf("page %d is not shared", i)
		}
	}
	p.Unmap(base, 3*page)
	q.want(base+page, 2)
	if q.Resident() != 3 || p.Resident() != 0 {
		t.Error("resident pages are wrong")
	}
	m.finish()
}

// TestBorrow: a vfork child shares everything, and only the last user's leaving
// takes the memory away.
func TestBorrow(t *testing.T) {
	m := newMachine(t, 100)
	p := m.anonymous(2)
	c := m.Counters
	free := m.Frames.Free()
	p.Borrow()
	if p.Users() != 2 || m.Frames.Free() != free || m.Counters != c {
		t.Error("borrowing costs something")
	}
	p.set(base, 66)
	p.Drop()
	p.want(base, 66)
	m.finish()
}

// TestUserRange: progress is reported to the byte.
func TestUserRange(t *testing.T) {
	m := newMachine(t, 100)
	p := m.newProc()
	p.mapAnon(base, 2, mm.ReadWrite)
	u := p.Range(base+page, 2*page)
	if n, err := u.Write(make([]byte, 2*page)); n != page || !errors.Is(err, mm.ErrFault) {
		t.Errorf("%d, %v", n, err)
	}
	if u.Len() != page {
		t.Errorf("the range has %d bytes left", u.Len())
	}
	u = p.Range(base, 5)
	if n, err := u.Write(make([]byte, 6)); n != 5 || err != io.ErrShortWrite {
		t.Errorf("%d, %v", n, err)
	}
	if n, err := u.Read(make([]byte, 6)); n != 0 || err != io.EOF {
		t.Errorf("%d, %v", n, err)
	}
	p.CopyOut(base+page-3, []byte("hello\x00"))
	for _, c := range []struct {
		max  int
		want string
		err  error
	}{{100, "hello", nil}, {6, "hello", nil}, {5, "", mm.ErrTooLong}, {0, "", mm.ErrTooLong}} {
		if s, err := p.CopyInString(base+page-3, c.max); s != c.want || !errors.Is(err, c.err) {
			t.Errorf("max %d: %q, %v", c.max, s, err)
		}
	}
	p.CopyOut(base+2*page-2, []byte("ab"))
	if s, err := p.CopyInString(base+2*page-2, 100); !errors.Is(err, mm.ErrFault) {
		t.Errorf("an unterminated string: %q, %v", s, err)
	}
	if err := p.StoreUint32(base+page-2, 0x04030201); err != nil {
		t.Error(err)
	}
	if v, err := p.LoadUint32(base + page - 2); v != 0x04030201 || err != nil {
		t.Errorf("%#x, %v", v, err)
	}
	if v, err := p.LoadUint64(base + page - 2); v&0xffffffff != 0x04030201 || err != nil {
		t.Errorf("%#x, %v", v, err)
	}
	m.finish()
}
