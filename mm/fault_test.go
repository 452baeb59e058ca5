package mm_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"testing"

	"yolk/kernel/trace"
	"yolk/mm"
	"yolk/mm/softmmu"
)

const base mm.VirtAddr = 0x40000000

// recorder keeps the events of a Log.
type recorder struct{ events []trace.Event }

func (r *recorder) Event(ev *trace.Event) { r.events = append(r.events, *ev) }

// TestFaultTable has a row for each row of the table above Fault.
func TestFaultTable(t *testing.T) {
	anon := func(p *proc) { p.mapAnon(base, 1, mm.ReadWrite) }
	file := func(prot mm.Prot, flags mm.Flags, pages uint64) func(*proc) {
		return func(p *proc) {
			o := p.m.newObject(bytes.Repeat([]byte{7}, page))
			p.mapIt(mm.MapRequest{Addr: base - mm.VirtAddr(pages-1)*page, Length: pages * page,
				Prot: prot, Flags: flags, Object: o, Fixed: mm.FixedReplace})
		}
	}
	stack := func(p *proc) {
		p.mapIt(mm.MapRequest{Addr: base + 4*page, Length: page, Prot: mm.ReadWrite, Flags: mm.GrowsDown, Fixed: mm.FixedReplace})
	}
	const read, write, fetch = mm.FaultUser, mm.FaultUser | mm.FaultWrite, mm.FaultUser | mm.FaultFetch
	const there = mm.FaultPresent
	for _, row := range []struct {
		name  string
		setup func(*proc)
		code  mm.FaultCode
		want  trace.Decision
		pte   mm.PTE // flags of the entry afterwards, A and D apart
		refs  uint32
		tight bool
	}{
		{"nothing there", func(*proc) {}, read, trace.SegvMapErr, 0, 0, false},
		{"below a stack, read", stack, read, trace.StackGrow, mm.Present | mm.User | mm.COW | mm.NX, 2, false},
		{"below a stack, write", stack, write, trace.StackGrow, mm.Present | mm.User | mm.Writable | mm.NX, 1, false},
		{"below a stack, fetch", stack, fetch, trace.SegvAccErr, 0, 0, false},
		{"below a stack, no frame", stack, write, trace.OutOfMemory, 0, 0, true},
		{"read of PROT_NONE", func(p *proc) { p.mapAnon(base, 1, 0) }, read, trace.SegvAccErr, 0, 0, false},
		{"write to read-only", func(p *proc) { p.mapAnon(base, 1, mm.Read) }, write, trace.SegvAccErr, 0, 0, false},
		{"fetch from NX", anon, fetch, trace.SegvAccErr, 0, 0, false},
		{"write to the zero page of read-only memory", func(p *proc) { p.mapAnon(base, 1, mm.Read); p.get(base) },
			write | there, trace.SegvAccErr, mm.Present | mm.User | mm.NX, 2, false},
		{"anonymous read", anon, read, trace.ZeroPage, mm.Present | mm.User | mm.COW | mm.NX, 2, false},
		{"anonymous read, no frame", func(p *proc) { p.mapAnon(base, 2, mm.ReadWrite); p.set(base+page, 1) },
			read, trace.ZeroPage, mm.Present | mm.User | mm.COW | mm.NX, 2, true},
		{"anonymous read, read-only", func(p *proc) { p.mapAnon(base, 1, mm.Read) }, read, trace.ZeroPage, mm.Present | mm.User | mm.NX, 2, false},
		{"anonymous fetch", func(p *proc) { p.mapAnon(base, 1, mm.Read|mm.Exec) }, fetch, trace.ZeroPage, mm.Present | mm.User, 2, false},
		{"anonymous write", anon, write, trace.DemandZero, mm.Present | mm.User | mm.Writable | mm.NX, 1, false},
		{"write after read", func(p *proc) { anon(p); p.get(base) }, write | there, trace.DemandZero, mm.Present | mm.User | mm.Writable | mm.NX, 1, false},
		{"last owner", func(p *proc) { anon(p); p.set(base, 1); p.fork(mm.ForkCOW).exit() },
			write | there, trace.COWReuse, mm.Present | mm.User | mm.Writable | mm.NX, 1, false},
		{"last owner, no frame", func(p *proc) { anon(p); p.set(base, 1); p.fork(mm.ForkCOW).exit() },
			write | there, trace.COWReuse, mm.Present | mm.User | mm.Writable | mm.NX, 1, true},
		{"one of two owners", func(p *proc) { anon(p); p.set(base, 1); p.fork(mm.ForkCOW) },
			write | there, trace.COWCopy, mm.Present | mm.User | mm.Writable | mm.NX, 1, false},
		{"one of two owners, no frame", func(p *proc) { anon(p); p.set(base, 1); p.fork(mm.ForkCOW) },
			write | there, trace.OutOfMemory, mm.Present | mm.User | mm.COW | mm.NX, 2, true},
		{"one of two owners, copied from a file", func(p *proc) { file(mm.ReadWrite, 0, 1)(p); p.set(base, 1); p.fork(mm.ForkCOW) },
			write | there, trace.COWCopy, mm.Present | mm.User | mm.Writable | mm.NX, 1, false},
		{"mended meanwhile", func(p *proc) { anon(p); p.set(base, 1) }, write | there, trace.Spurious, mm.Present | mm.User | mm.Writable | mm.NX, 1, false},
		{"filled meanwhile", func(p *proc) { anon(p); p.set(base, 1) }, write, trace.Spurious, mm.Present | mm.User | mm.Writable | mm.NX, 1, false},
		{"past the end", file(mm.ReadWrite, 0, 2), read, trace.BusAdrErr, 0, 0, false},
		{"file read", file(mm.ReadWrite, 0, 1), read, trace.FilePage, mm.Present | mm.User | mm.COW | mm.NX, 2, false},
		{"text fetch", file(mm.Read|mm.Exec, 0, 1), fetch, trace.FilePage, mm.Present | mm.User, 2, false},
		{"shared read", file(mm.ReadWrite, mm.Shared, 1), read, trace.FilePage, mm.Present | mm.User | mm.Writable | mm.NX, 2, false},
		{"shared write", file(mm.ReadWrite, mm.Shared, 1), write, trace.SharedWrite, mm.Present | mm.User | mm.Writable | mm.NX, 2, false},
		{"private file write", file(mm.ReadWrite, 0, 1), write, trace.FileCopy, mm.Present | mm.User | mm.Writable | mm.NX, 1, false},
		{"private file write after read", func(p *proc) { file(mm.ReadWrite, 0, 1)(p); p.get(base) },
			write | there, trace.FileCopy, mm.Present | mm.User | mm.Writable | mm.NX, 1, false},
		{"no frame for a table", anon, read, trace.OutOfMemory, 0, 0, true},
		{"no frame for a page", func(p *proc) { p.mapAnon(base, 2, mm.ReadWrite); p.set(base+page, 1) }, write, trace.OutOfMemory, 0, 0, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			m := newMachine(t, 200)
			p := m.newProc()
			row.setup(p)
			if row.tight {
				m.Frames.SetReserve(m.Frames.Free())
				defer m.Frames.SetReserve(0)
			}
			old, _ := p.Entry(base)
			was, size := old.Frame(), p.Size()
			held := *m.Phys.Page(was)
			rec := new(recorder)
			m.Memory.Log.Attach(trace.ClassFault, rec, nil)
			before := m.Counters.Faults[row.want]
			d, err := p.Fault(base+0x123, row.code)
			if d != row.want || m.Counters.Faults[row.want] != before+1 {
				t.Fatalf("decision %v, want %v; the entry was %v", d, row.want, old)
			}
			var reason error
			switch d {
			case trace.SegvMapErr, trace.SegvAccErr, trace.BusAdrErr:
				reason = mm.ErrFault
			case trace.OutOfMemory:
				reason = mm.ErrNoMemory
			}
			if !errors.Is(err, reason) {
				t.Fatalf("reason %v, want %v", err, reason)
			}
			e, _ := p.Entry(base)
			const flags = mm.Present | mm.User | mm.Writable | mm.COW | mm.NX
			if e&flags != row.pte {
				t.Errorf("entry %v, want %v", e, e&^flags|row.pte)
			}
			if e.Present() && m.Frames.Refs(e.Frame()) != row.refs {
				t.Errorf("%d references, want %d", m.Frames.Refs(e.Frame()), row.refs)
			}
			switch d {
			case trace.COWCopy, trace.COWReuse:
				if *m.Phys.Page(e.Frame()) != held {
					t.Error("the page has other contents than before")
				}
			case trace.DemandZero, trace.ZeroPage:
				if *m.Phys.Page(e.Frame()) != zeroPage {
					t.Error("the page is not zero")
				}
			case trace.FilePage, trace.FileCopy, trace.SharedWrite:
				if m.Phys.Page(e.Frame())[page-1] != 7 {
					t.Error("the page does not hold what the file does")
				}
				if last := rec.events[len(rec.events)-1]; last.Old == 0 || last.Refs == 0 {
					t.Errorf("the event tells of the object's page that it is frame %#x and has %d references", last.Old, last.Refs)
				}
			}
			if err != nil && (p.Size() != size || p.frame(base) != was) {
				t.Error("a refused fault changed something")
			}
			ev := rec.events[len(rec.events)-1]
			if ev.Kind != trace.Fault || ev.Decision != d || ev.VA != uint64(base)+0x123 || ev.Err != uint32(row.code) ||
				err == nil && ev.New != uint64(e.Frame()) || was != 0 && err == nil && ev.Old != uint64(was) {
				t.Errorf("the event tells of %v, address %#x, code %#x, frames %#x → %#x; want %v, %#x, %#x, %#x → %#x",
					ev.Decision, ev.VA, ev.Err, ev.Old, ev.New, d, uint64(base)+0x123, row.code, was, e.Frame())
			}
			if err := m.checkAll(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// TestFlushes tells for each operation which invalidations it costs: enough,
// and not more.
func TestFlushes(t *testing.T) {
	touch := func(p *proc, pages int) {
		p.mapAnon(base, 200, mm.ReadWrite)
		for i := range pages {
			p.set(base+mm.VirtAddr(i)*page, 1)
		}
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, row := range []struct {
		name         string
		setup        func(*proc)
		op           func(*proc)
		pages, space uint64
	}{
		{"first read", func(p *proc) { touch(p, 0) }, func(p *proc) { p.get(base) }, 0, 0},
		{"first write", func(p *proc) { touch(p, 0) }, func(p *proc) { p.set(base, 1) }, 0, 0},
		{"write after read", func(p *proc) { touch(p, 0); p.get(base) }, func(p *proc) { p.set(base, 1) }, 1, 0},
		{"fork", func(p *proc) { touch(p, 3); p.mapAnon(base+300*page, 1, mm.ReadWrite); p.set(base+300*page, 1) }, func(p *proc) { p.fork(mm.ForkCOW) }, 0, 1},
		{"second fork", func(p *proc) { touch(p, 3); p.fork(mm.ForkCOW) }, func(p *proc) { p.fork(mm.ForkCOW) }, 0, 0},
		{"eager fork", func(p *proc) { touch(p, 3) }, func(p *proc) { p.fork(mm.ForkEager) }, 0, 0},
		{"COW copy", func(p *proc) { touch(p, 1); p.fork(mm.ForkCOW) }, func(p *proc) { p.set(base, 2) }, 1, 0},
		{"COW reuse", func(p *proc) { touch(p, 1); p.fork(mm.ForkCOW).exit() }, func(p *proc) { p.set(base, 2) }, 1, 0},
		{"unmap, untouched", func(p *proc) { touch(p, 1) }, func(p *proc) { must(p.Unmap(base+page, page)) }, 0, 0},
		{"unmap 3", func(p *proc) { touch(p, 4) }, func(p *proc) { must(p.Unmap(base, 3*page)) }, 3, 0},
		{"unmap 100", func(p *proc) { touch(p, 100) }, func(p *proc) { must(p.Unmap(base, 100*page)) }, 0, 1},
		{"unmap all: a page and its PT, PD and PDPT", func(p *proc) { touch(p, 1) }, func(p *proc) { must(p.Unmap(base, 200*page)) }, 4, 0},
		{"protect, untouched", func(p *proc) { touch(p, 1) }, func(p *proc) { must(p.Protect(base+page, page, mm.Read)) }, 0, 0},
		{"protect 2 of 2", func(p *proc) { touch(p, 2) }, func(p *proc) { must(p.Protect(base, 9*page, mm.Read)) }, 2, 0},
		{"protect, same rights", func(p *proc) { touch(p, 2) }, func(p *proc) { must(p.Protect(base, 9*page, mm.ReadWrite)) }, 0, 0},
		{"protect 100", func(p *proc) { touch(p, 100) }, func(p *proc) { must(p.Protect(base, 100*page, mm.Read)) }, 0, 1},
		{"discard", func(p *proc) { touch(p, 2) }, func(p *proc) { must(p.Discard(base, 9*page)) }, 2, 0},
		{"remap", func(p *proc) { touch(p, 3) }, func(p *proc) {
			_, err := p.Remap(mm.RemapRequest{Old: base, OldLength: 2 * page, NewLength: 2 * page, MayMove: true, Fixed: true, New: base - 9*page})
			must(err)
		}, 2, 0},
		{"brk down", func(p *proc) {
			p.SetBrkStart(base)
			p.SetBrk(base + 2*page)
			p.set(base, 1)
			p.set(base+page, 1)
		}, func(p *proc) { p.SetBrk(base + 9) }, 1, 0},
		{"truncate", func(p *proc) {
			o := p.m.newObject(make([]byte, 2*page))
			p.mapIt(mm.MapRequest{Addr: base, Length: 2 * page, Prot: mm.Read, Object: o, Fixed: mm.FixedReplace})
			p.get(base)
			p.get(base + page)
		}, func(p *proc) { must(p.m.objects[0].Truncate(5)) }, 1, 0},
		{"unmap 40 PTs", func(p *proc) {
			for i := range mm.VirtAddr(40) {
				p.mapAnon(base+i<<21, 1, mm.ReadWrite)
				p.set(base+i<<21, 1)
			}
		}, func(p *proc) { must(p.Unmap(base, 40<<21)) }, 0, 1},
		{"drop", func(p *proc) { touch(p, 100) }, func(p *proc) { p.exit() }, 0, 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			m := newMachine(t, 400)
			p := m.newProc()
			row.setup(p)
			c := m.Counters
			rec := new(recorder)
			m.Memory.Log.Attach(trace.ClassTLB, rec, nil)
			row.op(p)
			if n := m.Counters.FlushPages - c.FlushPages; n != row.pages {
				t.Errorf("%d page flushes, want %d", n, row.pages)
			}
			if n := m.Counters.FlushSpaces - c.FlushSpaces; n != row.space {
				t.Errorf("%d space flushes, want %d", n, row.space)
			}
			if len(rec.events) != int(row.pages+row.space) {
				t.Errorf("%d events of flushes, want %d", len(rec.events), row.pages+row.space)
			}
			m.finish()
		})
	}
}

// flushLog is a TLB that notes what was free when it was told to flush.
type flushLog struct {
	mm.TLB
	frames *mm.Frames
	free   []int
}

func (l *flushLog) FlushPage(root mm.Frame, va mm.VirtAddr) {
	l.free = append(l.free, l.frames.Free())
	l.TLB.FlushPage(root, va)
}

func (l *flushLog) FlushSpace(root mm.Frame) {
	l.free = append(l.free, l.frames.Free())
	l.TLB.FlushSpace(root)
}

func (l *flushLog) Load(root mm.Frame) {
	l.free = append(l.free, l.frames.Free())
	l.TLB.Load(root)
}

// TestFlushBeforePut: when the TLB is told, no frame has been freed yet.
func TestFlushBeforePut(t *testing.T) {
	m := newMachine(t, 1000)
	log := &flushLog{TLB: m.mmu, frames: m.Frames}
	m.TLB = log
	p := m.newProc()
	o := m.newObject(make([]byte, 4*page))
	p.mapAnon(base, 100, mm.ReadWrite)
	p.mapIt(mm.MapRequest{Addr: base + 200*page, Length: 4 * page, Prot: mm.ReadWrite, Flags: mm.Shared, Object: o, Fixed: mm.FixedReplace})
	p.write(base, make([]byte, 100*page))
	p.write(base+200*page, make([]byte, 4*page))
	for name, op := range map[string]func(){
		"unmap":    func() { p.Unmap(base, 2*page) },
		"unmap 90": func() { p.Unmap(base+2*page, 90*page) },
		"discard":  func() { p.Discard(base+95*page, 2*page) },
		"truncate": func() { o.Truncate(page) },
	} {
		log.free = nil
		free := m.Frames.Free()
		op()
		if m.Frames.Free() == free || len(log.free) == 0 {
			t.Errorf("%s: nothing freed or nothing flushed", name)
		}
		if slices.Max(log.free) != free {
			t.Errorf("%s: frames were freed before the flush", name)
		}
	}
	log.free = nil
	free := m.Frames.Free()
	p.exit()
	if len(log.free) != 1 || log.free[0] != free || m.mmu.Loaded != m.KernelRoot {
		t.Error("drop: frames were freed before the kernel's root was loaded")
	}
	m.finish()
}

// loader is a processor that loads translations again right after each flush, as it
// may at any time.
type loader struct {
	mm.TLB
	load func()
}

func (l *loader) FlushPage(root mm.Frame, va mm.VirtAddr) {
	l.TLB.FlushPage(root, va)
	l.load()
}

func (l *loader) FlushSpace(root mm.Frame) {
	l.TLB.FlushSpace(root)
	l.load()
}

// TestChangeBeforeFlush: when the TLB is told, the entry has changed already, also
// where more goes than is collected for one flush.
func TestChangeBeforeFlush(t *testing.T) {
	const start, pages = base + 100*page, 520 // 512 are put together; the flush of the rest is page by page
	m := newMachine(t, pages+100)
	p := m.newProc()
	p.mapAnon(start, pages, mm.ReadWrite)
	p.write(start, make([]byte, pages*page))
	remembered := func() (n int) {
		for i := range mm.VirtAddr(pages) {
			if _, fault := m.mmu.Access(p.Root(), start+i*page, softmmu.Read, true); fault == nil {
				n++
			}
		}
		return n
	}
	m.TLB = &loader{m.mmu, func() { remembered() }}
	if err := p.Unmap(start, pages*page); err != nil {
		t.Fatal(err)
	}
	if n := remembered(); n != 0 {
		t.Errorf("%d pages were unmapped, and the processor still reads %d: it was told to forget them before their entries were empty", pages, n)
	}
	m.finish()
}

// TestTables: page-table frames are reported made and freed, with level and
// first address; none goes that a region may need, and none is left when the last
// region under it goes.
func TestTables(t *testing.T) {
	m := newMachine(t, 100)
	rec := new(recorder)
	m.Memory.Log.Attach(trace.ClassTable, rec, nil)
	told := func(when string, want ...string) {
		t.Helper()
		var got []string
		for _, ev := range rec.events {
			got = append(got, fmt.Sprintf("%v %d %#x", ev.Kind, ev.Aux, ev.VA))
		}
		rec.events = nil
		if !slices.Equal(got, want) {
			t.Errorf("%s: tables (level, first address)\n%q, want\n%q", when, got, want)
		}
	}
	const low, high = base + 3*page, base + 1<<21 + 5*page // under two PTs
	p := m.newProc()
	p.mapAnon(low, 1, mm.ReadWrite)
	p.set(low, 1)
	p.mapAnon(high, 1, mm.ReadWrite)
	p.set(high, 1)
	told("two pages are touched", "table-make 4 0x0", "table-make 3 0x0", "table-make 2 0x40000000", "table-make 1 0x40000000", "table-make 1 0x40200000")
	p.mapAnon(low+2*page, 1, mm.Read)
	unmap := func(va mm.VirtAddr) {
		t.Helper()
		if err := p.Unmap(va, page); err != nil {
			t.Fatal(err)
		}
	}
	unmap(low)
	told("one is unmapped, and has a neighbour that was never touched")
	unmap(low + 2*page)
	told("the neighbour is unmapped", "table-free 1 0x40000000")
	unmap(high)
	told("the other page is unmapped", "table-free 1 0x40200000", "table-free 2 0x40000000", "table-free 3 0x0")
	p.mapAnon(high, 1, mm.ReadWrite)
	p.set(high, 1)
	told("it is back", "table-make 3 0x0", "table-make 2 0x40000000", "table-make 1 0x40200000")
	p.exit()
	told("the space goes", "table-free 1 0x40200000", "table-free 2 0x40000000", "table-free 3 0x0", "table-free 4 0x0")
	m.finish()
}

// TestFreedTableIsFlushed: a PT that goes without a page in it is flushed all
// the same, or the processor would go on walking it.
func TestFreedTableIsFlushed(t *testing.T) {
	m := newMachine(t, 100)
	p := m.anonymous(1)
	if err := p.Discard(base, page); err != nil {
		t.Fatal(err)
	}
	if _, fault := m.mmu.Access(p.Root(), base, softmmu.Read, true); fault == nil { // caches the PT
		t.Fatal("a discarded page is still there")
	}
	if err := p.Unmap(base, page); err != nil {
		t.Fatal(err)
	}
	other := m.newProc() // takes the frames of the tables
	other.mapAnon(base, 8, mm.ReadWrite)
	other.write(base, bytes.Repeat([]byte{0xFF}, 8*page))
	p.mapAnon(base, 1, mm.ReadWrite)
	p.set(base, 5)
	if b := m.Phys.Page(p.frame(base))[0]; b != 5 {
		t.Errorf("the write went elsewhere: the page holds %d", b)
	}
	m.finish()
}

// TestFaultAround: one read fault brings the window's pages that the object has
// ready, and never one that it would have to make; a write brings its own page.
func TestFaultAround(t *testing.T) {
	m := configure(t, 200, mm.Config{FaultAround: 8})
	o := m.newObject(make([]byte, 20*page))
	p := m.newProc()
	p.mapIt(mm.MapRequest{Addr: base - 3*page, Length: 20 * page, Prot: mm.Read, Object: o, Fixed: mm.FixedReplace})
	p.get(base + page)
	for i := -3; i < 12; i++ {
		if _, ok := p.Entry(base + mm.VirtAddr(i)*page); ok != (i >= 0 && i < 8) {
			t.Errorf("page %d is present: %t, want %t", i, ok, !ok)
		}
	}
	if n := m.Counters.AroundMapped; n != 7 {
		t.Errorf("%d pages mapped around, want 7", n)
	}
	q := m.newProc()
	q.mapIt(mm.MapRequest{Addr: base, Length: 8 * page, Prot: mm.ReadWrite, Flags: mm.Shared, Object: o, Fixed: mm.FixedReplace})
	q.set(base+page, 1)
	if n := q.Resident(); n != 1 {
		t.Errorf("a write brought %d pages, want 1", n)
	}
	m.finish()
}
