package mm_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"yolk/kernel/trace"
	"yolk/mm"
)

func TestMMAP01PastTheLastPage(t *testing.T) {
	m := newMachine(t, 100)
	o := m.newObject(bytes.Repeat([]byte{9}, page+10))
	for _, flags := range []mm.Flags{0, mm.Shared} {
		p := m.newProc()
		p.mapIt(mm.MapRequest{Addr: base, Length: 4 * page, Prot: mm.ReadWrite, Flags: flags, Object: o, Fixed: mm.FixedReplace})
		p.want(base+page+9, 9)
		p.want(base+page+10, 0)
		p.want(base+2*page-1, 0)
		if n, d := p.read(base+2*page, []byte{0}); n != 0 || d != trace.BusAdrErr {
			t.Errorf("past the last page: %v, want bus-adrerr", d)
		}
		if err := p.CopyOut(base+3*page, []byte{1}); !errors.Is(err, mm.ErrFault) {
			t.Errorf("a copy past the last page: %v", err)
		}
		p.exit()
	}
	m.finish()
}

func TestMMAP02TruncateWhileMapped(t *testing.T) {
	m := newMachine(t, 200)
	o := m.newObject(bytes.Repeat([]byte{9}, 3*page))
	p := m.newProc()
	p.mapIt(mm.MapRequest{Addr: base, Length: 3 * page, Prot: mm.ReadWrite, Flags: mm.Shared, Object: o, Fixed: mm.FixedReplace})
	p.mapIt(mm.MapRequest{Addr: base + 8*page, Length: 3 * page, Prot: mm.ReadWrite, Object: o, Fixed: mm.FixedReplace})
	q := p.fork(mm.ForkCOW)
	for i := range mm.VirtAddr(3) {
		p.want(base+i*page, 9)
		q.set(base+(8+i)*page, 4)
	}
	if err := o.Truncate(page + 100); err != nil {
		t.Fatal(err)
	}
	m.check()
	for _, s := range []*proc{p, q} {
		for _, va := range []mm.VirtAddr{base + 2*page, base + 10*page} {
			if n, d := s.read(va, []byte{0}); n != 0 || d != trace.BusAdrErr {
				t.Errorf("%#x: %v after truncation, want bus-adrerr", va, d)
			}
		}
	}
	p.want(base+page+99, 9)
	p.want(base+page+100, 0)
	p.set(base+page+200, 8) // past the end, in the last page
	if err := o.Truncate(3 * page); err != nil {
		t.Fatal(err)
	}
	p.want(base+page+99, 9)
	if got := p.get(base + page + 200); got != 0 {
		t.Fatalf("byte 200 of the file's second page holds %d, which was stored there before the file grew over it; want 0", got)
	}
	p.want(base+2*page, 0)
	q.want(base+9*page, 4) // its own copy of a page that stayed
	q.want(base+10*page, 0)
	if err := o.Truncate(mm.MaxSize + 1); !errors.Is(err, mm.ErrTooBig) {
		t.Error(err)
	}
	m.finish()
}

func TestMMAP03SplitAndMerge(t *testing.T) {
	m := newMachine(t, 200)
	content := make([]byte, 9*page)
	for i := range content {
		content[i] = byte(i / page)
	}
	o := m.newObject(content)
	p := m.newProc()
	p.mapIt(mm.MapRequest{Addr: base, Length: 8 * page, Prot: mm.Read, Object: o, Offset: page, Fixed: mm.FixedReplace})
	p.Protect(base+2*page, 2*page, mm.ReadWrite)
	p.Unmap(base+6*page, page)
	m.check()
	for i := range mm.VirtAddr(8) {
		if i != 6 {
			p.want(base+i*page, byte(i+1))
		}
	}
	regions := func() (n int) {
		for range p.Regions() {
			n++
		}
		return n
	}
	if n := regions(); n != 4 {
		t.Errorf("%d regions, want 4", n)
	}
	p.Protect(base+2*page, 2*page, mm.Read)
	if n := regions(); n != 2 {
		t.Errorf("%d regions, want 2", n)
	}
	used := m.budget.Used()
	p.mapIt(mm.MapRequest{Addr: base + 6*page, Length: page, Prot: mm.Read, Object: o, Offset: 7 * page, Fixed: mm.FixedReplace})
	if n := regions(); n != 1 || m.budget.Used() >= used {
		t.Errorf("%d regions, want 1; budget from %d to %d", n, used, m.budget.Used())
	}
	// The right place, but the wrong offset: no merging.
	p.mapIt(mm.MapRequest{Addr: base + 8*page, Length: page, Prot: mm.Read, Object: o, Offset: 7 * page, Fixed: mm.FixedReplace})
	if n := regions(); n != 2 {
		t.Errorf("%d regions, want 2", n)
	}
	p.want(base+8*page, 7)
	m.finish()
}

func TestMMAP04FailingFixedUnmapsNothing(t *testing.T) {
	m := newMachine(t, 200)
	p := m.anonymous(3)
	small := mm.NewBudget(m.budget, 512+150) // one space with one region
	as, err := m.NewSpace(small)
	if err != nil {
		t.Fatal(err)
	}
	q := m.adopt(as)
	q.mapAnon(base, 3, mm.ReadWrite)
	q.set(base+page, 77)
	for name, req := range map[string]mm.MapRequest{
		"splits in the middle":   {Addr: base + page, Length: page, Prot: mm.Read, Fixed: mm.FixedReplace},
		"replaces all":           {Addr: base, Length: 3 * page, Prot: mm.Read, Fixed: mm.FixedReplace},
		"shared anonymous":       {Addr: base, Length: 3 * page, Prot: mm.Read, Flags: mm.Shared, Fixed: mm.FixedReplace},
		"has a name that is big": {Addr: base, Length: 3 * page, Name: strings.Repeat("x", 4096), Fixed: mm.FixedReplace},
	} {
		m.refuses(mm.ErrNoMemory, func() error { _, err := q.Map(req); return err })
		if n := q.get(base + page); n != 77 {
			t.Errorf("%s: the old mapping is gone", name)
		}
	}
	m.refuses(mm.ErrNoMemory, func() error { return q.Unmap(base+page, page) })
	m.refuses(mm.ErrNoMemory, func() error { return q.Protect(base+page, page, mm.Read) })
	m.refuses(mm.ErrNoMemory, func() error {
		_, err := q.Remap(mm.RemapRequest{Old: base, OldLength: page, NewLength: page, MayMove: true, Fixed: true, New: base + page})
		return err
	})
	q.want(base+page, 77)

	// Enough for the region, but not for the object that it needs.
	if as, err = m.NewSpace(mm.NewBudget(m.budget, 512+200)); err != nil {
		t.Fatal(err)
	}
	q = m.adopt(as)
	m.refuses(mm.ErrNoMemory, func() error {
		_, err := q.Map(mm.MapRequest{Addr: base, Length: page, Flags: mm.Shared, Fixed: mm.FixedReplace})
		return err
	})
	q.mapAnon(base, 1, mm.Read)

	m.refuses(mm.ErrExists, func() error {
		_, err := p.Map(mm.MapRequest{Addr: base - page, Length: 2 * page, Fixed: mm.FixedNoReplace})
		return err
	})
	p.SizeLimit = 4 * page
	m.refuses(mm.ErrNoMemory, func() error {
		_, err := p.Map(mm.MapRequest{Addr: base + page, Length: 4 * page, Fixed: mm.FixedReplace})
		return err
	})
	p.mapAnon(base+page, 3, mm.Read) // replaces two pages
	p.want(base, 1)
	m.finish()
}

func TestMMAP05FailuresRollBack(t *testing.T) {
	m := newMachine(t, 300)
	p := m.newProc()
	p.mapAnon(base, 600, mm.ReadWrite) // over several PTs
	for i := range mm.VirtAddr(6) {
		p.set(base+i*110*page, byte(i+1))
	}
	o := m.newObject(nil)
	o.Truncate(600 * page)
	const far = base + 1<<39 + 1<<30 - 300*page
	p.mapIt(mm.MapRequest{Addr: far - 600*page, Length: 600 * page, Prot: mm.ReadWrite, Object: o, Flags: mm.Shared, Fixed: mm.FixedReplace})

	failures := m.exhaust(func() error {
		_, err := p.Remap(mm.RemapRequest{Old: base, OldLength: 600 * page, NewLength: 600 * page, MayMove: true, Fixed: true, New: far})
		if err != nil {
			p.want(base, 1)
		}
		return err
	})
	// PDPT, 2 PDs and 2 PTs on either side of a 1 GiB border; 3 old tables went.
	if failures < 4 {
		t.Errorf("mremap failed at %d allocations only", failures)
	}
	for i := range mm.VirtAddr(6) {
		p.want(far+i*110*page, byte(i+1))
	}

	for name, access := range map[string]func() error{
		"a write":            func() error { return p.CopyOut(far+page, []byte{1}) },
		"a hole in a file":   func() error { return p.CopyOut(far-100*page, []byte{1}) },
		"the page after it":  func() error { return p.CopyOut(far-99*page, []byte{1}) },
		"a file's tall tree": func() error { return p.CopyOut(far-600*page, []byte{1}) },
	} {
		if n := m.exhaust(access); n < 1 {
			t.Errorf("%s took no frame", name)
		}
	}
	m.finish()
}

func TestMMAP06ColdPages(t *testing.T) {
	m := newMachine(t, 100)
	content := make([]byte, 5*page)
	rand.NewChaCha8([32]byte{6}).Read(content)
	o := m.newObject(content)
	p := m.newProc()
	p.mapIt(mm.MapRequest{Addr: base, Length: 5 * page, Prot: mm.Read, Object: o, Fixed: mm.FixedReplace})
	p.mapAnon(base+10*page, 5, mm.ReadWrite)
	got := make([]byte, 4*page)
	if err := p.CopyIn(got, base+100); err != nil || !bytes.Equal(got, content[100:][:4*page]) {
		t.Error("reading cold file pages", err)
	}
	if err := p.CopyOut(base+10*page+7, got); err != nil {
		t.Fatal(err)
	}
	back := make([]byte, len(got))
	p.read(base+10*page+7, back)
	if !bytes.Equal(back, got) {
		t.Error("writing to cold pages")
	}
	m.finish()
}

func TestMMAP07StackGrowth(t *testing.T) {
	m := newMachine(t, 200)
	p := m.newProc()
	p.StackLimit = 400 * page
	top := base + 1000*page
	p.mapIt(mm.MapRequest{Addr: top - page, Length: page, Prot: mm.ReadWrite, Flags: mm.GrowsDown, Fixed: mm.FixedReplace, Name: "[stack]"})
	touch := func(pages mm.VirtAddr, want trace.Decision) {
		t.Helper()
		if _, d := p.write(top-pages*page, []byte{1}); d != want {
			t.Fatalf("%d pages down: %v, want %v", pages, d, want)
		}
	}
	touch(3, trace.StackGrow)
	touch(2, trace.DemandZero)
	touch(401, trace.SegvMapErr)
	touch(400, trace.StackGrow)
	p.StackLimit = 8 << 20
	p.mapAnon(top-800*page, 1, mm.ReadWrite)
	touch(799-256, trace.StackGrow)
	touch(799-255, trace.SegvMapErr)
	if r := p.Lookup(top - 1); r.Start != top-543*page {
		t.Errorf("the stack starts %d pages down", (top-r.Start)/page)
	}
	if p.Size() != 544*page {
		t.Errorf("size %d", p.Size()/page)
	}
	p.SizeLimit = p.Size()
	p.Unmap(top-800*page, page)
	touch(544, trace.StackGrow) // one page for another
	touch(545, trace.SegvMapErr)
	if err := p.CopyOut(top-544*page, []byte{2}); err != nil {
		t.Error(err)
	}
	p.SizeLimit = page // may be lowered below what is mapped already
	touch(545, trace.SegvMapErr)
	p.SizeLimit = uint64(mm.UserEnd)
	low := m.newProc()
	low.mapIt(mm.MapRequest{Addr: mm.MinUser, Length: page, Prot: mm.ReadWrite, Flags: mm.GrowsDown, Fixed: mm.FixedReplace})
	if _, d := low.write(mm.MinUser-1, []byte{1}); d != trace.SegvMapErr {
		t.Errorf("below the lowest address: %v, want segv-maperr", d)
	}
	// Map keeps clear of the room that a stack may grow into.
	va := p.mapIt(mm.MapRequest{Addr: top - 600*page, Length: page})
	if va == top-600*page {
		t.Error("a hint inside the stack's guard was taken")
	}
	m.finish()
}

func TestMMAP08ForbiddenAccess(t *testing.T) {
	m := newMachine(t, 100)
	o := m.newObject([]byte{0xC3})
	p := m.newProc()
	p.mapAnon(base, 1, 0)
	p.mapAnon(base+page, 1, mm.ReadWrite)
	p.mapIt(mm.MapRequest{Addr: base + 2*page, Length: page, Prot: mm.Read | mm.Exec, Object: o, Fixed: mm.FixedReplace})
	for i, want := range []struct{ read, write, exec trace.Decision }{
		{trace.SegvAccErr, trace.SegvAccErr, trace.SegvAccErr},
		{trace.ZeroPage, trace.DemandZero, trace.SegvAccErr},
		{trace.FilePage, trace.SegvAccErr, trace.NoDecision},
	} {
		va := base + mm.VirtAddr(i)*page
		if _, d := p.read(va, []byte{0}); d != want.read {
			t.Errorf("read of page %d: %v, want %v", i, d, want.read)
		}
		if _, d := p.write(va, []byte{1}); d != want.write {
			t.Errorf("write of page %d: %v, want %v", i, d, want.write)
		}
		if d := p.exec(va); d != want.exec {
			t.Errorf("execution of page %d: %v, want %v", i, d, want.exec)
		}
	}
	// PROT_NONE hides the contents and gives them back.
	p.Protect(base+page, page, 0)
	if n, d := p.read(base+page, []byte{0}); n != 0 || d != trace.SegvAccErr {
		t.Errorf("read of hidden memory: %v, want segv-accerr", d)
	}
	p.Protect(base+page, page, mm.Read)
	p.want(base+page, 1)
	m.finish()
}

func TestMMAP09HugeReservations(t *testing.T) {
	m := newMachine(t, 60)
	p := m.newProc()
	free, used := m.Frames.Free(), m.budget.Used()
	va := p.mapIt(mm.MapRequest{Length: 512 << 30})
	if m.Frames.Free() != free || m.budget.Used()-used > 200 {
		t.Error("a reservation costs memory")
	}
	if err := p.Protect(va+100<<30, 4<<20, mm.ReadWrite); err != nil {
		t.Fatal(err)
	}
	p.set(va+100<<30+page, 1)
	q := p.fork(mm.ForkCOW)
	q.want(va+100<<30+page, 1)
	if err := q.Unmap(va, 512<<30); err != nil {
		t.Fatal(err)
	}
	if q.Tables() != 1 {
		t.Errorf("%d tables are left of nothing", q.Tables())
	}
	m.finish()
}

// TestRegionLimit: 65,530 regions, not one more, and none of it is left.
func TestRegionLimit(t *testing.T) {
	m := newMachine(t, 100)
	p := m.newProc()
	n := 0
	for ; ; n++ {
		if _, err := p.Map(mm.MapRequest{Length: page, Prot: mm.Prot(n % 2)}); err != nil {
			if !errors.Is(err, mm.ErrNoMemory) {
				t.Fatal(err)
			}
			break
		}
	}
	if n != mm.MaxRegions {
		t.Errorf("%d regions", n)
	}
	lowest := mm.MmapTop - mm.MaxRegions*page
	if r := p.Lookup(lowest + 7*page); r == nil || r.End-r.Start != page {
		t.Error("a region is missing")
	}
	if err := p.Unmap(lowest, 10000*page); err != nil {
		t.Fatal(err)
	}
	if err := p.Protect(lowest+20000*page, 2*page, mm.ReadWrite); err != nil {
		t.Fatal(err)
	}
	q := p.fork(mm.ForkCOW)
	q.exit()
	m.finish()
}

// TestMapPlaces: where Map puts what it may place itself.
func TestMapPlaces(t *testing.T) {
	m := newMachine(t, 100)
	p := m.newProc()
	a := p.mapIt(mm.MapRequest{Length: 1})
	b := p.mapIt(mm.MapRequest{Length: 3*page - 1, Prot: mm.Read})
	if a != mm.MmapTop-page || b != a-3*page {
		t.Errorf("mapped at %#x and %#x", a, b)
	}
	if c := p.mapIt(mm.MapRequest{Addr: base + 5, Length: page, Prot: mm.Exec}); c != base {
		t.Errorf("a free hint was not taken: %#x", c)
	}
	if c := p.mapIt(mm.MapRequest{Addr: base, Length: page, Prot: mm.Read}); c != b-page {
		t.Errorf("a hint that is taken leads to %#x", c)
	}
	p.Unmap(a, page)
	if c := p.mapIt(mm.MapRequest{Length: page}); c != a {
		t.Errorf("a hole was not filled: %#x", c)
	}
	for _, c := range []struct {
		q    mm.MapRequest
		want error
	}{
		{mm.MapRequest{}, mm.ErrInvalid},
		{mm.MapRequest{Length: page, Offset: 5}, mm.ErrInvalid},
		{mm.MapRequest{Length: 1 << 63}, mm.ErrNoMemory},
		{mm.MapRequest{Length: ^uint64(0)}, mm.ErrNoMemory},
		{mm.MapRequest{Length: uint64(mm.UserEnd - mm.MinUser)}, mm.ErrNoMemory},
		{mm.MapRequest{Addr: base + 1, Length: page, Fixed: mm.FixedReplace}, mm.ErrInvalid},
		{mm.MapRequest{Addr: 0, Length: page, Fixed: mm.FixedReplace}, mm.ErrAccess},
		{mm.MapRequest{Addr: mm.UserEnd, Length: page, Fixed: mm.FixedReplace}, mm.ErrNoMemory},
		{mm.MapRequest{Addr: ^mm.VirtAddr(0xfff), Length: page, Fixed: mm.FixedReplace}, mm.ErrNoMemory},
		{mm.MapRequest{Length: page, Flags: mm.GrowsDown | mm.Shared}, mm.ErrInvalid},
		{mm.MapRequest{Length: page, Object: m.newObject(nil), Offset: mm.MaxSize}, mm.ErrTooBig},
	} {
		m.refuses(c.want, func() error { _, err := p.Map(c.q); return err })
	}
	// Room is looked for from the top again when there is none below.
	for range 3 {
		va := p.mapIt(mm.MapRequest{Length: 40 << 40})
		if err := p.Unmap(va, 40<<40); err != nil {
			t.Fatal(err)
		}
	}
	m.finish()
}

// TestBadRanges: ranges that no call accepts.
func TestBadRanges(t *testing.T) {
	m := newMachine(t, 100)
	p := m.anonymous(1)
	for _, r := range []struct {
		start  mm.VirtAddr
		length uint64
	}{{base + 1, page}, {mm.UserEnd, page}, {base, ^uint64(0)}, {base, 1 << 63}, {^mm.VirtAddr(0xfff), page}} {
		m.refuses(mm.ErrInvalid, func() error { return p.Unmap(r.start, r.length) })
		m.refuses(mm.ErrInvalid, func() error { return p.Protect(r.start, r.length, mm.Read) })
		m.refuses(mm.ErrInvalid, func() error { return p.Discard(r.start, r.length) })
		m.refuses(mm.ErrInvalid, func() error {
			_, err := p.Remap(mm.RemapRequest{Old: r.start, OldLength: r.length, NewLength: page})
			return err
		})
	}
	m.refuses(mm.ErrInvalid, func() error { return p.Unmap(base, 0) })
	m.refuses(nil, func() error { return p.Protect(base, 0, mm.Read) })
	m.refuses(nil, func() error { return p.Discard(base, 0) })
	m.refuses(mm.ErrNoMemory, func() error { return p.Protect(base, 2*page, mm.Read) })
	m.refuses(mm.ErrNoMemory, func() error { return p.Discard(base-page, page) })
	p.set(base, 1) // still writable
	m.finish()
}

// TestMaxProt: Protect grants no more than Map was told.
func TestMaxProt(t *testing.T) {
	m := newMachine(t, 100)
	o := m.newObject(make([]byte, page))
	p := m.newProc()
	p.mapIt(mm.MapRequest{Addr: base, Length: page, Prot: mm.Read, MaxProt: mm.Read | mm.Exec, Flags: mm.Shared, Object: o, Fixed: mm.FixedReplace})
	m.refuses(mm.ErrAccess, func() error { return p.Protect(base, page, mm.ReadWrite) })
	if err := p.Protect(base, page, mm.Read|mm.Exec); err != nil {
		t.Error(err)
	}
	m.finish()
}

// What was moved is at its old place no longer, not even for a processor that has
// used it there; new memory at the old place is new.
func TestRemapLeavesTheOldPlace(t *testing.T) {
	m := newMachine(t, 100)
	p := m.anonymous(2)
	p.set(base, 1)
	p.set(base+page, 2)
	to, err := p.Remap(mm.RemapRequest{Old: base, OldLength: 2 * page, NewLength: 2 * page, MayMove: true, Fixed: true, New: base + 50*page})
	if err != nil {
		t.Fatal(err)
	}
	if n, d := p.write(base, []byte{7}); n != 0 || d != trace.SegvMapErr {
		t.Errorf("a write to the old place: %d bytes, decision %d", n, d)
	}
	p.mapAnon(base, 2, mm.ReadWrite)
	for i := range mm.VirtAddr(2) {
		p.want(base+i*page, 0)
		p.set(base+i*page, 9)
		p.want(to+i*page, byte(1+i))
	}
	m.finish()
}

func TestRemap(t *testing.T) {
	m := newMachine(t, 200)
	p := m.anonymous(4)
	remap := func(q mm.RemapRequest, want mm.VirtAddr, reason error) {
		t.Helper()
		if got, err := p.Remap(q); got != want || !errors.Is(err, reason) {
			t.Errorf("%+v: %#x, %v", q, got, err)
		}
		m.check()
	}
	remap(mm.RemapRequest{Old: base, OldLength: 4 * page, NewLength: 6 * page}, base, nil)
	p.want(base+5*page, 0)
	p.mapAnon(base+6*page, 1, mm.Read)
	remap(mm.RemapRequest{Old: base, OldLength: 6 * page, NewLength: 7 * page}, 0, mm.ErrNoMemory)
	remap(mm.RemapRequest{Old: base, OldLength: 7 * page, NewLength: 7 * page}, 0, mm.ErrFault)
	remap(mm.RemapRequest{Old: base - page, OldLength: page, NewLength: page}, 0, mm.ErrFault)
	remap(mm.RemapRequest{Old: base, OldLength: page, NewLength: 0}, 0, mm.ErrInvalid)
	remap(mm.RemapRequest{Old: base, OldLength: 2 * page, NewLength: 2 * page, Fixed: true, MayMove: true, New: base + page}, 0, mm.ErrInvalid)
	remap(mm.RemapRequest{Old: base, OldLength: 2 * page, NewLength: 2 * page, Fixed: true, MayMove: true, New: 0}, 0, mm.ErrInvalid)
	remap(mm.RemapRequest{Old: base, OldLength: page, NewLength: 1 << 60, MayMove: true}, 0, mm.ErrNoMemory)
	remap(mm.RemapRequest{Old: base, OldLength: 6 * page, NewLength: 5 * page}, base, nil)
	remap(mm.RemapRequest{Old: base, OldLength: 5 * page, NewLength: 5 * page}, base, nil)
	// The middle moves away and grows, over something else.
	p.mapAnon(base+99*page, 4, mm.Read)
	remap(mm.RemapRequest{Old: base + page, OldLength: 2 * page, NewLength: 3 * page, Fixed: true, MayMove: true, New: base + 100*page}, base+100*page, nil)
	p.want(base, 1)
	p.want(base+100*page, 2)
	p.want(base+101*page, 3)
	p.want(base+102*page, 0)
	p.want(base+3*page, 4)
	p.set(base+100*page, 50)
	p.SizeLimit = p.Size()
	remap(mm.RemapRequest{Old: base, OldLength: page, NewLength: 2 * page, MayMove: true}, 0, mm.ErrNoMemory)
	m.finish()
}

func TestBrk(t *testing.T) {
	m := newMachine(t, 100)
	p := m.newProc()
	p.SetBrkStart(base + 10)
	start := base + page
	if got, err := p.SetBrk(0); got != start || err == nil {
		t.Errorf("%#x, %v", got, err)
	}
	brk := func(addr, want mm.VirtAddr) {
		t.Helper()
		if got, _ := p.SetBrk(addr); got != want {
			t.Errorf("SetBrk(%#x) = %#x, want %#x", addr, got, want)
		}
		m.check()
	}
	brk(start+1, start+1)
	p.set(start+page-1, 1)
	brk(start+3*page, start+3*page)
	p.set(start+2*page, 3)
	if r := p.Lookup(start); r.Name != "[heap]" || r.End != start+3*page {
		t.Errorf("the heap is %+v", r)
	}
	p.mapAnon(start+5*page, 1, mm.Read)
	brk(start+6*page, start+3*page)
	brk(start+page+1, start+page+1)
	brk(start+3*page, start+3*page)
	p.want(start+2*page, 0)
	p.want(start+page-1, 1)
	p.StackLimit, p.SizeLimit = 5*page, 500*page
	q := p.fork(mm.ForkCOW)
	if got, _ := q.SetBrk(0); got != start+3*page {
		t.Errorf("the child's heap ends at %#x, the parent's at %#x", got, start+3*page)
	}
	if q.StackLimit != p.StackLimit || q.SizeLimit != p.SizeLimit {
		t.Errorf("the child's limits are %#x and %#x, the parent's %#x and %#x", q.StackLimit, q.SizeLimit, p.StackLimit, p.SizeLimit)
	}
	brk(start, start)
	if p.Lookup(start) != nil {
		t.Error("an empty heap is still a region")
	}
	brk(start-1, start)
	brk(mm.UserEnd, start)
	m.finish()
}

func TestExecutable(t *testing.T) {
	m := newMachine(t, 100)
	o, other := m.newObject([]byte("#!")), m.newObject(nil)
	p := m.newProc()
	if err := o.OpenWrite(); err != nil {
		t.Fatal(err)
	}
	m.refuses(mm.ErrTextBusy, func() error { return p.SetExecutable(o) })
	o.CloseWrite()
	shared := mm.MapRequest{Addr: base, Length: page, Prot: mm.Read, Flags: mm.Shared, Object: o, Fixed: mm.FixedReplace}
	p.mapIt(shared) // may become writable: a writer
	m.refuses(mm.ErrTextBusy, func() error { return p.SetExecutable(o) })
	p.Unmap(base, page)
	if err := p.SetExecutable(o); err != nil {
		t.Fatal(err)
	}
	q := p.fork(mm.ForkCOW)
	p.exit()
	m.refuses(mm.ErrTextBusy, o.OpenWrite)
	if err := q.SetExecutable(other); err != nil {
		t.Fatal(err)
	}
	if err := o.OpenWrite(); err != nil {
		t.Error(err)
	}
	o.CloseWrite()
	m.finish()
}

// TestObject: sparse contents, adopted frames, growth and what is left.
func TestObject(t *testing.T) {
	m := newMachine(t, 200)
	o := m.newObject(nil)
	marks := []uint64{0, 1, 511, 512, 513, 1 << 18, 1<<27 + 5}
	for i, at := range marks {
		if _, err := o.WriteAt(bytes.NewReader([]byte{byte(i + 1)}), at*page+7); err != nil {
			t.Fatal(err)
		}
		m.check()
	}
	if o.Resident() != len(marks) || o.Size() != (1<<27+5)*page+8 {
		t.Errorf("%d pages, size %#x", o.Resident(), o.Size())
	}
	b := make([]byte, 20)
	for i, at := range marks {
		if n := o.ReadBytes(b[:8], at*page); n != 8 || b[7] != byte(i+1) {
			t.Errorf("page %#x: %d bytes, %v", at, n, b)
		}
	}
	if n := o.ReadBytes(b, 300*page); n != 20 || b[7] != 0 {
		t.Errorf("a hole: %d bytes, %v", n, b)
	}
	if n := o.ReadBytes(b, o.Size()-1); n != 1 {
		t.Errorf("%d bytes before the end", n)
	}
	for i := len(marks) - 1; i > 0; i-- {
		if err := o.Truncate(marks[i] * page); err != nil || o.Resident() != i {
			t.Errorf("%d pages left, want %d", o.Resident(), i)
		}
		m.check()
	}
	if _, err := o.WriteAt(bytes.NewReader(b), mm.MaxSize); !errors.Is(err, mm.ErrTooBig) {
		t.Error(err)
	}
	o = m.newObject([]byte{1})
	o.Truncate(1 << 40)
	if n := m.exhaust(func() error { _, err := o.Page(1 << 20); return err }); n != 6 {
		t.Errorf("page 2^20 beside page 0 took %d frames, want 3 new roots, 2 tables and the page", n)
	}
	m.finish()
}

func TestAdopt(t *testing.T) {
	m := newMachineWithHole(t, 100, 80)
	total := m.Frames.Total()
	for f := mm.Frame(80); f < 84; f++ {
		for i := range m.Phys.Page(f) {
			m.Phys.Page(f)[i] = byte(f)
		}
	}
	o := m.newObject(nil)
	o.Adopt(80, 3*page+5)
	if m.Frames.Total() != total+4 {
		t.Error("adopted frames are not counted")
	}
	p := m.newProc()
	p.mapIt(mm.MapRequest{Addr: base, Length: 4 * page, Prot: mm.ReadWrite, Object: o, Fixed: mm.FixedReplace})
	p.want(base+page, 81)
	if p.frame(base+page) != 81 {
		t.Error("the frame was copied")
	}
	p.want(base+3*page+4, 83)
	p.want(base+3*page+5, 0)
	p.set(base+page, 1)
	b := make([]byte, 1)
	if o.ReadBytes(b, page); b[0] != 81 {
		t.Error("a private write reached the file")
	}
	m.check()
	if _, err := o.WriteAt(bytes.NewReader(make([]byte, 2*page)), 4*page); err != nil {
		t.Fatal(err)
	}
	m.check()
	o.Truncate(2 * page)
	o.Truncate(4 * page)
	p.want(base+2*page, 0)
	m.frames += 4
	m.finish()
}

// newMachineWithHole returns a machine whose allocator owns only the frames
// below hole.
func newMachineWithHole(t *testing.T, frames, hole int) *machine {
	m := newMachine(t, frames)
	c := mm.Config{Phys: m.Phys, TLB: m.mmu, KernelRoot: m.KernelRoot, Frames: mm.NewFrames(m.Phys)}
	c.Frames.AddFree(2, hole-2)
	var err error
	if m.Memory, err = mm.New(c); err != nil {
		t.Fatal(err)
	}
	m.frames = m.Frames.Free()
	return m
}

// TestSelfCopy: a file is read into, and written from, a mapping of itself.
func TestSelfCopy(t *testing.T) {
	m := newMachine(t, 100)
	content := make([]byte, 2*page)
	rand.NewChaCha8([32]byte{1}).Read(content)
	o := m.newObject(content)
	p := m.newProc()
	p.mapIt(mm.MapRequest{Addr: base, Length: 8 * page, Prot: mm.ReadWrite, Flags: mm.Shared, Object: o, Fixed: mm.FixedReplace})
	if n, err := o.WriteAt(p.Range(base, 2*page), 2*page); n != 2*page || err != nil {
		t.Fatal(n, err)
	}
	if n, err := o.WriteAt(p.Range(base+4*page, page), 4*page); n != 0 || !errors.Is(err, mm.ErrFault) {
		t.Fatal(n, err)
	}
	m.check()
	got := make([]byte, 2*page)
	if o.ReadBytes(got, 2*page); !bytes.Equal(got, content) || o.Size() != 4*page {
		t.Error("the copy differs")
	}
	if n, err := o.ReadAt(p.Range(base+3*page, page), 0); n != page || err != nil {
		t.Fatal(n, err)
	}
	if o.ReadBytes(got[:page], 3*page); !bytes.Equal(got[:page], content[:page]) {
		t.Error("the copy differs")
	}
	m.finish()
}

func TestBudget(t *testing.T) {
	all := mm.NewBudget(nil, 100)
	a, b := mm.NewBudget(all, 80), mm.NewBudget(all, 80)
	for _, c := range []struct {
		b  *mm.Budget
		n  int64
		ok bool
	}{{a, 81, false}, {a, 60, true}, {b, 41, false}, {b, 40, true}, {a, 1, false}, {b, 0, true}} {
		if err := c.b.Charge(c.n); (err == nil) != c.ok {
			t.Errorf("%+v: %v", c, err)
		}
	}
	if all.Used() != 100 || a.Used() != 60 || b.Used() != 40 || a.Limit() != 80 {
		t.Error("sums are wrong")
	}
	a.Release(60)
	b.Release(40)
	if all.Used() != 0 {
		t.Error("not all was released")
	}
	defer func() {
		if recover() == nil {
			t.Error("more was released than charged")
		}
	}()
	a.Release(1)
}

func TestFrames(t *testing.T) {
	fr := mm.NewFrames(mm.HostMemory(10))
	fr.AddFree(0, 4) // frame 0 is never handed out
	fr.AddFree(8, 5) // nor is what does not exist
	if fr.Total() != 5 || fr.Free() != 5 {
		t.Fatalf("%d of %d frames are free", fr.Free(), fr.Total())
	}
	fr.SetReserve(2)
	if fr.Ensure(3) != nil || fr.Ensure(4) == nil {
		t.Error("the reserve does not count")
	}
	seen := map[mm.Frame]bool{}
	for {
		f, err := fr.Alloc()
		if err != nil {
			break
		}
		seen[f] = true
	}
	if len(seen) != 3 || seen[0] || fr.SetReserve(0) != 2 {
		t.Errorf("got %v", seen)
	}
	f, _ := fr.AllocZeroed()
	fr.Get(f)
	fr.Put(f)
	if fr.Refs(f) != 1 || fr.Free() != 1 {
		t.Error("Put of one of two")
	}
	fr.Put(f)
	for name, op := range map[string]func(){"Put": func() { fr.Put(f) }, "Get": func() { fr.Get(f) }} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s of a free frame went through", name)
				}
			}()
			op()
		}()
	}
}

// TestCheckNotices: the checker finds what is broken behind its back.
func TestCheckNotices(t *testing.T) {
	for name, spoil := range map[string]func(m *machine, p *proc, pt *mm.Table){
		"a count too high":  func(m *machine, p *proc, pt *mm.Table) { m.Frames.Get(p.frame(base)) },
		"a count too low":   func(m *machine, p *proc, pt *mm.Table) { m.Frames.Put(p.frame(base + page)) },
		"writable and COW":  func(m *machine, p *proc, pt *mm.Table) { pt[1] |= mm.Writable },
		"a mark is missing": func(m *machine, p *proc, pt *mm.Table) { pt[1] &^= mm.COW },
		"shared, writable":  func(m *machine, p *proc, pt *mm.Table) { pt[1] = pt[1]&^mm.COW | mm.Writable },
		"executable":        func(m *machine, p *proc, pt *mm.Table) { pt[0] &^= mm.NX },
		"supervisor":        func(m *machine, p *proc, pt *mm.Table) { pt[0] &^= mm.User },
		"no region":         func(m *machine, p *proc, pt *mm.Table) { pt[9], pt[0] = pt[0], 0 },
		"writable zero": func(m *machine, p *proc, pt *mm.Table) {
			m.Frames.Get(m.ZeroFrame())
			m.Frames.Put(p.frame(base))
			pt[0] = mm.PTE(m.ZeroFrame().Addr()) | pt[0]&0xfff | mm.NX
		},
		"a lost frame":       func(m *machine, p *proc, pt *mm.Table) { m.Frames.Alloc() },
		"a kernel entry":     func(m *machine, p *proc, pt *mm.Table) { m.Phys.Table(p.Root())[300] = 0 },
		"a budget":           func(m *machine, p *proc, pt *mm.Table) { m.budget.Release(1) },
		"a table twice":      func(m *machine, p *proc, pt *mm.Table) { r := m.Phys.Table(p.Root()); r[9] = r[0] },
		"an object's count":  func(m *machine, p *proc, pt *mm.Table) { f, _ := m.objects[0].Page(0); m.Frames.Get(f) },
		"an object's user":   func(m *machine, p *proc, pt *mm.Table) { p.Lookup(base + 3*page).Object = m.objects[1] },
		"a region's rights":  func(m *machine, p *proc, pt *mm.Table) { p.Lookup(base).Prot = mm.Read },
		"overlapping region": func(m *machine, p *proc, pt *mm.Table) { p.Lookup(base).End += 2 * page },
		"no such frame":      func(m *machine, p *proc, pt *mm.Table) { pt[0] |= mm.PTE(mm.Frame(1 << 20).Addr()) },
	} {
		t.Run(name, func(t *testing.T) {
			m := newMachine(t, 100)
			p := m.newProc()
			p.mapAnon(base, 2, mm.ReadWrite)
			p.set(base+page, 1)
			p.fork(mm.ForkCOW)
			p.set(base, 1)
			o := m.newObject(make([]byte, page))
			m.newObject(make([]byte, page))
			p.mapIt(mm.MapRequest{Addr: base + 3*page, Length: page, Prot: mm.ReadWrite, Object: o, Fixed: mm.FixedReplace})
			p.get(base + 3*page)
			m.check()
			var pt *mm.Table
			p.WalkTables(func(level int, _ mm.VirtAddr, f mm.Frame) {
				if level == 1 {
					pt = m.Phys.Table(f)
				}
			})
			spoil(m, p, pt)
			err := m.checkAll()
			if err == nil {
				t.Error("not noticed")
			}
			t.Log(err)
		})
	}
}

func ExamplePTE() {
	fmt.Println(mm.PTE(0x12345000) | mm.Present | mm.User | mm.COW | mm.NX)
	// Output: 0x12345 P-U--C-
}

// TestCheckIsBounded: a check costs memory, which is charged, and time, which a
// user's page tables must not make endless.
func TestCheckIsBounded(t *testing.T) {
	m := newMachine(t, 100)
	p := m.newProc()
	b := mm.NewBudget(nil, 1<<20)
	if err := m.Check(b, holder{machine: m}); err != nil || b.Used() != 0 {
		t.Errorf("%v, %d bytes are still charged", err, b.Used())
	}
	if err := m.Check(mm.NewBudget(nil, 400), holder{machine: m}); err != mm.ErrNoMemory {
		t.Errorf("with 4 bytes a frame and nothing more: %v", err)
	}
	const at = mm.VirtAddr(1) << 39 // the first address under a table of level 3
	p.mapAnon(at, 65<<18, mm.Read)
	p.get(at)
	var tables [5]*mm.Table // by level
	p.WalkTables(func(level int, _ mm.VirtAddr, f mm.Frame) { tables[level] = m.Phys.Table(f) })
	for i := range mm.Entries { // one table, again and again: 65 times 2^18 pages
		tables[1][i], tables[2][i] = tables[1][0], tables[2][0]
	}
	for i := range 65 {
		tables[3][i] = tables[3][0]
	}
	if err := m.checkAll(); err != mm.ErrTooBig {
		t.Errorf("more pages than can be: %v", err)
	}
}

// TestAround: what reports show of the regions around an address.
func TestAround(t *testing.T) {
	m := newMachine(t, 100)
	p := m.newProc()
	for i, prot := range []mm.Prot{mm.Read, mm.ReadWrite, mm.Read | mm.Exec} {
		p.mapAnon(base+mm.VirtAddr(4*i)*page, 2, prot)
	}
	for _, c := range []struct {
		va   mm.VirtAddr
		want [3]string // "" for none
	}{
		{base - page, [3]string{"", "", "r--"}},
		{base + page, [3]string{"", "r--", "rw-"}},
		{base + 2*page, [3]string{"r--", "", "rw-"}},
		{base + 4*page, [3]string{"r--", "rw-", "r-x"}},
		{base + 9*page, [3]string{"rw-", "r-x", ""}},
		{mm.UserEnd + 8, [3]string{"r-x", "", ""}},
	} {
		var got [3]string
		below, at, above := p.Around(c.va)
		for i, r := range []*mm.Region{below, at, above} {
			if r != nil {
				got[i] = r.Prot.String()
			}
		}
		if got != c.want {
			t.Errorf("%#x: %q, want %q", c.va, got, c.want)
		}
	}
	if _, r, _ := p.Around(base); r.String() != fmt.Sprintf("%#x-%#x r-- (anonymous)", uint64(base), uint64(base+2*page)) {
		t.Error(r)
	}
	m.finish()
}
