package mm_test

import (
	"testing"

	"yolk/kernel/trace"
	"yolk/mm"
)

// replica is what a reader of the trace knows: it sees the events and nothing
// else, and must come to the same entries, tables and regions.
type replica struct {
	testing.TB
	spaces map[mm.Frame]*replicaSpace // by root
	refs   map[mm.Frame]uint32        // since the last compare: of a frame, as the last event had it
}

type replicaSpace struct {
	entries map[mm.VirtAddr]mm.PTE
	tables  map[mm.Frame]uint64         // level
	regions map[mm.VirtAddr]replicaPage // by page
	stale   map[mm.VirtAddr]bool        // changed and not yet flushed
}

// replicaPage is what the regions say about a page.
type replicaPage struct {
	what uint32 // as in a Map event
	off  uint64
	name string
}

// watched has a replica follow the machine.
func watched(m *machine) *replica {
	r := &replica{TB: m.TB, spaces: map[mm.Frame]*replicaSpace{}, refs: map[mm.Frame]uint32{}}
	m.Memory.Log.Attach(trace.ClassAll, &reader{replica: r}, nil)
	return r
}

// reader joins Map events and the texts that follow them.
type reader struct {
	*replica
	last trace.Event
	name []byte
}

// Event implements trace.Sink.
func (r *reader) Event(ev *trace.Event) {
	if ev.Kind != trace.Text {
		r.last, r.name = *ev, nil
		r.event(ev)
		return
	}
	for i, word := range [...]uint64{ev.VA, ev.Old, ev.New, ev.Aux} {
		for j := range 8 {
			if i*8+j < int(ev.Err) {
				r.name = append(r.name, byte(word>>(8*j)))
			}
		}
	}
	if ev.Refs == 0 {
		r.named(&r.last, string(r.name))
	}
}

func (r *replica) event(ev *trace.Event) {
	va, root := mm.VirtAddr(ev.VA), mm.Frame(ev.Old)
	switch ev.Kind {
	case trace.TableMake:
		if ev.Aux == 4 {
			r.spaces[mm.Frame(ev.New)] = &replicaSpace{map[mm.VirtAddr]mm.PTE{}, map[mm.Frame]uint64{}, map[mm.VirtAddr]replicaPage{}, map[mm.VirtAddr]bool{}}
			root = mm.Frame(ev.New)
		}
		r.spaces[root].tables[mm.Frame(ev.New)] = ev.Aux
	case trace.TableFree:
		r.freed(mm.Frame(ev.Old), ev.Aux)
	case trace.Entry:
		r.entry(va, ev)
	case trace.FlushPage:
		delete(r.spaces[root].stale, va)
	case trace.FlushSpace:
		clear(r.spaces[root].stale)
	case trace.Fault:
		if ev.New != ev.Old {
			delete(r.refs, mm.Frame(ev.Old)) // a reference went without an entry of its own
		}
	case trace.Map, trace.Unmap, trace.Protect:
		r.region(ev)
	}
}

func (r *replica) entry(va mm.VirtAddr, ev *trace.Event) {
	s, old, e := r.spaces[mm.Frame(ev.Aux)], mm.PTE(ev.Old), mm.PTE(ev.New)
	if s == nil || (s.entries[va]^old)&^(mm.Accessed|mm.Dirty) != 0 || old == e {
		r.Fatalf("event %+v, but the entry was %v", ev, s.entries[va])
	}
	s.entries[va] = e
	f := e.Frame()
	if !e.Present() {
		delete(s.entries, va)
		f = old.Frame()
	}
	r.refs[f] = ev.Refs
	if old.Present() {
		s.stale[va] = true
	}
}

// freed takes a table away, of whatever space it was.
func (r *replica) freed(f mm.Frame, level uint64) {
	for root, s := range r.spaces {
		if s.tables[f] != level {
			continue
		}
		delete(s.tables, f)
		if root == f {
			if len(s.entries)+len(s.tables) != 0 {
				r.Fatalf("space %#x is gone, with entries %v and tables %v", root, s.entries, s.tables)
			}
			delete(r.spaces, root)
		}
		return
	}
	r.Fatalf("frame %#x was no table of level %d", f, level)
}

// region changes what is known of the pages of a range.
func (r *replica) region(ev *trace.Event) {
	pages, start := r.spaces[mm.Frame(ev.Old)].regions, mm.VirtAddr(ev.VA)
	for va := start; va < start+mm.VirtAddr(ev.Aux); va += page {
		p, ok := pages[va]
		switch ev.Kind {
		case trace.Unmap:
			delete(pages, va)
			continue
		case trace.Protect:
			p.what = p.what&^7 | ev.Err
			ok = !ok
		default:
			p = replicaPage{what: ev.Err, off: ev.New + uint64(va-start)}
			if ev.Err&trace.MapFile == 0 && ev.New == 0 {
				p.off = 0
			}
		}
		if ok {
			r.Fatalf("event %+v: page %#x was mapped: %t", ev, va, ok == (ev.Kind == trace.Map))
		}
		pages[va] = p
	}
}

func (r *replica) named(ev *trace.Event, name string) {
	pages := r.spaces[mm.Frame(ev.Old)].regions
	for va := mm.VirtAddr(ev.VA); va < mm.VirtAddr(ev.VA+ev.Aux); va += page {
		p := pages[va]
		p.name = name
		pages[va] = p
	}
}

// forked is what a reader does at a Fork event.
func (r *replica) forked(parent, child mm.Frame) {
	for va, p := range r.spaces[parent].regions {
		r.spaces[child].regions[va] = p
	}
}

// compare holds the replica against the machine.
func (r *replica) compare(m *machine) {
	r.Helper()
	if len(r.spaces) != len(m.spaces) {
		r.Fatalf("%d spaces, the events tell of %d", len(m.spaces), len(r.spaces))
	}
	for _, as := range m.spaces {
		s := r.spaces[as.Root()]
		n := 0
		as.Walk(0, mm.UserEnd, func(va mm.VirtAddr, e mm.PTE) bool {
			n++
			if (s.entries[va]^e)&^(mm.Accessed|mm.Dirty) != 0 {
				r.Fatalf("%#x is %v, the events tell of %v", va, e, s.entries[va])
			}
			return true
		})
		if n != len(s.entries) || len(s.stale) != 0 {
			r.Fatalf("%d entries, the events tell of %d; not flushed: %v", n, len(s.entries), s.stale)
		}
		as.WalkTables(func(level int, _ mm.VirtAddr, f mm.Frame) {
			if s.tables[f] != uint64(level) {
				r.Fatalf("table %#x of level %d, the events tell of level %d", f, level, s.tables[f])
			}
		})
		if as.Tables() != len(s.tables) {
			r.Fatalf("%d tables, the events tell of %d", as.Tables(), len(s.tables))
		}
		r.compareRegions(as, s)
	}
	for f, n := range r.refs {
		// An object that went, or was cut short, has put its frames besides.
		if left := m.Frames.Refs(f); left != n && (left != 0 || n != 1) {
			r.Fatalf("frame %#x has %d references, the last event says %d", f, m.Frames.Refs(f), n)
		}
	}
	clear(r.refs)
}

func (r *replica) compareRegions(as *mm.AddressSpace, s *replicaSpace) {
	r.Helper()
	if uint64(len(s.regions))*page != as.Size() {
		r.Fatalf("%d bytes are mapped, the events tell of %d pages", as.Size(), len(s.regions))
	}
	for reg := range as.Regions() {
		for va := reg.Start; va < reg.End; va += page {
			want := replicaPage{what: uint32(reg.Prot), name: reg.Name}
			if reg.Flags&mm.Shared != 0 {
				want.what |= trace.MapShared
			}
			if reg.Flags&mm.GrowsDown != 0 {
				want.what |= trace.MapGrowsDown
			}
			if reg.Flags&mm.Heap != 0 {
				want.what |= trace.MapHeap
			}
			if reg.Object != nil {
				want.off = reg.Offset + uint64(va-reg.Start)
				if reg.Name != "" {
					want.what |= trace.MapFile
				}
			}
			got := s.regions[va]
			if reg.Object == nil || want.what&trace.MapFile == 0 {
				got.off, want.off = 0, 0 // of no file
			}
			if got != want {
				r.Fatalf("page %#x is of %+v, the events tell of %+v", va, want, got)
			}
		}
	}
}

// TestEventsOfAStack: a stack that grows tells of its new part.
func TestEventsOfAStack(t *testing.T) {
	m := newMachine(t, 100)
	r := watched(m)
	p := m.newProc()
	p.mapIt(mm.MapRequest{Addr: base, Length: page, Prot: mm.ReadWrite, Flags: mm.GrowsDown, Fixed: mm.FixedReplace, Name: "[stack]"})
	p.set(base-3*page, 1)
	r.compare(m)
	if got := r.spaces[p.Root()].regions[base-page]; got.what != trace.MapRead|trace.MapWrite|trace.MapGrowsDown {
		t.Errorf("%+v", got)
	}
	m.finish()
}

// TestEventsOfALargeUnmap: frames are put 512 at a time, here amid a table, and
// the few that are left are flushed one by one.
func TestEventsOfALargeUnmap(t *testing.T) {
	m := newMachine(t, 600)
	r := watched(m)
	p := m.newProc()
	p.mapAnon(base-300*page, 522, mm.ReadWrite)
	p.write(base-300*page, make([]byte, 522*page))
	r.compare(m)
	if err := p.Unmap(base-300*page, 522*page); err != nil {
		t.Fatal(err)
	}
	r.compare(m)
	m.finish()
}

// TestEventsOfFaultAround: each page that one fault brings is told of.
func TestEventsOfFaultAround(t *testing.T) {
	m := configure(t, 200, mm.Config{FaultAround: 8})
	r := watched(m)
	o := m.newObject(make([]byte, 20*page))
	p := m.newProc()
	p.mapIt(mm.MapRequest{Addr: base, Length: 20 * page, Prot: mm.Read, Object: o, Fixed: mm.FixedReplace, Name: "/file"})
	p.get(base + page)
	r.compare(m)
	if n := len(r.spaces[p.Root()].entries); n != 8 {
		t.Errorf("%d entries", n)
	}
	m.finish()
}

// TestEventOfAFault: what a Fault event tells besides the decision: the frame before
// and its references then, the frame after and its references now, the region.
func TestEventOfAFault(t *testing.T) {
	m := newMachine(t, 200)
	p := m.anonymous(1)
	q := p.fork(mm.ForkCOW)
	shared := p.frame(base)
	rec := new(recorder)
	m.Memory.Log.Attach(trace.ClassFault, rec, nil)
	p.set(base, 2)
	q.set(base, 3)
	p.Fault(0x10, mm.FaultUser)
	if len(rec.events) != 3 {
		t.Fatalf("%d faults, want 3", len(rec.events))
	}
	for i, want := range []trace.Event{
		{Decision: trace.COWCopy, Old: uint64(shared), Refs: 2, New: uint64(p.frame(base)), Aux: 1 | (trace.MapRead|trace.MapWrite)<<32},
		{Decision: trace.COWReuse, Old: uint64(shared), Refs: 1, New: uint64(shared), Aux: 1 | (trace.MapRead|trace.MapWrite)<<32},
		{Decision: trace.SegvMapErr},
	} {
		got := rec.events[i]
		if got.Decision != want.Decision || got.Old != want.Old || got.Refs != want.Refs || got.New != want.New || got.Aux != want.Aux {
			t.Errorf("fault %d: %v, frame %#x (%d references) → %#x (%d), region %#x; want %v, %#x (%d) → %#x (%d), %#x", i+1,
				got.Decision, got.Old, got.Refs, got.New, uint32(got.Aux), got.Aux>>32,
				want.Decision, want.Old, want.Refs, want.New, uint32(want.Aux), want.Aux>>32)
		}
	}
	m.finish()
}

// TestPeek: it sees what is present and brings nothing in.
func TestPeek(t *testing.T) {
	m := newMachine(t, 100)
	p := m.newProc()
	p.mapAnon(base, 3, mm.ReadWrite)
	p.set(base+page-1, 'a')
	p.set(base+page, 'b')
	p.mapAnon(base+3*page, 1, mm.ReadWrite)
	p.set(base+3*page, 'c')
	if err := p.Protect(base+3*page, page, 0); err != nil {
		t.Fatal(err)
	}
	faults, entries := p.Faults, p.Resident()
	for _, c := range []struct {
		va   mm.VirtAddr
		want int
	}{{base + page - 1, 1 + page}, {base + 2*page, 0}, {base + 3*page, 0}, {0, 0}, {mm.UserEnd, 0}, {1 << 63, 0}, {^mm.VirtAddr(0), 0}} {
		b := make([]byte, 2*page)
		if n := p.Peek(b, c.va); n != c.want || n > 0 && string(b[:2]) != "ab" {
			t.Errorf("%#x: %d bytes, %q", c.va, n, b[:2])
		}
	}
	if p.Faults != faults || p.Resident() != entries {
		t.Error("a look changed something")
	}
	m.finish()
}
