package mm_test

import (
	"slices"
	"testing"

	"yolk/mm"
)

// far is an address whose indices are known by hand: 245 in the PML4, 241 in the
// PDPT, 145 in the PD, 325 in the PT.
const far mm.VirtAddr = 0x7abc_5234_5678

var farIndex = [...]int{4: 245, 3: 241, 2: 145, 1: 325}

// TestIndex: which entry of each table translates an address, told in numbers.
func TestIndex(t *testing.T) {
	for _, c := range []struct {
		va   mm.VirtAddr
		want [5]int
	}{
		{0, [5]int{}}, {far, farIndex}, {mm.UserEnd - 1, [5]int{4: 255, 3: 511, 2: 511, 1: 510}},
		{0xffff_8000_0000_0000, [5]int{4: 256}}, {^mm.VirtAddr(0), [5]int{4: 511, 3: 511, 2: 511, 1: 511}},
		{1 << 12, [5]int{1: 1}}, {1 << 21, [5]int{2: 1}}, {1 << 30, [5]int{3: 1}}, {1 << 39, [5]int{4: 1}},
	} {
		for level := 1; level <= 4; level++ {
			if got := c.va.Index(level); got != c.want[level] {
				t.Errorf("the index of %#x at level %d is %d, want %d", c.va, level, got, c.want[level])
			}
		}
	}
}

// TestEntryString: an entry in words, each flag in its place.
func TestEntryString(t *testing.T) {
	for _, c := range []struct {
		e    mm.PTE
		want string
	}{
		{mm.NX, "0x0 -------"}, {mm.Present, "0x0 P-----X"}, {mm.Writable | mm.NX, "0x0 -W-----"}, {mm.User | mm.NX, "0x0 --U----"},
		{mm.Accessed | mm.NX, "0x0 ---A---"}, {mm.Dirty | mm.NX, "0x0 ----D--"}, {mm.COW | mm.NX, "0x0 -----C-"},
		{0x1f000 | mm.Present | mm.User | mm.COW | mm.NX, "0x1f P-U--C-"},
		{0x000f_ffff_ffff_f000 | mm.Present | mm.Writable | mm.User | mm.Accessed | mm.Dirty, "0xffffffffff PWUAD-X"},
	} {
		if got := c.e.String(); got != c.want {
			t.Errorf("%#x is %q, want %q", uint64(c.e), got, c.want)
		}
	}
}

// handmade returns a process whose PML4 leads to a PDPT, a PD and a PT for the
// address far, with two pages in it: that of far and the PT's last one.  tables
// are their frames by level.
func handmade(t *testing.T) (p *proc, tables [5]mm.Frame, entries [2]mm.PTE) {
	t.Helper()
	m := newMachine(t, 100)
	p = m.newProc()
	take := func() mm.Frame {
		f, err := m.Frames.AllocZeroed()
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	tables[4] = p.Root()
	for level := 4; level > 1; level-- {
		tables[level-1] = take()
		m.Phys.Table(tables[level])[farIndex[level]] = mm.PTE(tables[level-1])<<12 | mm.Present | mm.Writable | mm.User
	}
	m.Phys.Table(tables[3])[farIndex[3]+1] = mm.PTE(tables[2])<<12 | mm.Writable | mm.User // not present, and not zero
	for i, index := range [2]int{farIndex[1], 511} {
		entries[i] = mm.PTE(take())<<12 | mm.Present | mm.User | mm.NX
		m.Phys.Table(tables[1])[index] = entries[i]
	}
	return p, tables, entries
}

// TestHandmadeTables: tables that were filled in by hand are found, and where one
// is missing, nothing is.
func TestHandmadeTables(t *testing.T) {
	p, _, entries := handmade(t)
	absent := func(va mm.VirtAddr) {
		t.Helper()
		if e, ok := p.Entry(va); ok || e.Present() {
			t.Errorf("%#x has the entry %v, and none was made", va, e)
		}
	}
	absent(far + 1<<39) // no PDPT
	absent(far - 1<<30) // no PD
	absent(far + 1<<30) // a PD that is not present
	absent(far + 1<<21) // no PT
	if e, ok := p.Entry(far); !ok || e != entries[0] {
		t.Errorf("%#x has the entry %v, want %v", far, e, entries[0])
	}
	if e, ok := p.Entry(far | 0x1ff000); !ok || e != entries[1] {
		t.Errorf("the PT's last page has the entry %v, want %v", e, entries[1])
	}
	absent(far + page)  // no page, in the PT that was found last
	absent(far + 1<<21) // after one that was found
	absent(mm.UserEnd)  // not the user half's
}

// TestWalks: a walk meets what is present and lies in the range, in order, until
// it is told to stop; a walk over tables meets parents first.
func TestWalks(t *testing.T) {
	p, tables, _ := handmade(t)
	first, last := far.Page(), (far | 0x1ff000).Page()
	for _, c := range []struct {
		start, end mm.VirtAddr
		stop       int
		want       []mm.VirtAddr
	}{
		{0, mm.UserEnd, 9, []mm.VirtAddr{first, last}}, {0, ^mm.VirtAddr(0), 9, []mm.VirtAddr{first, last}},
		{far, last, 9, []mm.VirtAddr{first}}, {first + page, last + page, 9, []mm.VirtAddr{last}},
		{0, mm.UserEnd, 1, []mm.VirtAddr{first}}, {first + page, last, 9, nil}, {0, first, 9, nil}, {last + page, mm.UserEnd, 9, nil},
	} {
		var got []mm.VirtAddr
		p.Walk(c.start, c.end, func(va mm.VirtAddr, e mm.PTE) bool {
			if !e.Present() {
				t.Errorf("an empty entry at %#x", va)
			}
			got = append(got, va)
			return len(got) < c.stop
		})
		if !slices.Equal(got, c.want) {
			t.Errorf("from %#x to %#x, %d at most: %#x, want %#x", c.start, c.end, c.stop, got, c.want)
		}
	}
	level := 4
	p.WalkTables(func(l int, va mm.VirtAddr, f mm.Frame) {
		if span := mm.VirtAddr(1) << (12 + 9*l); level == 0 || l != level || f != tables[l] || va != far&^(span-1) {
			t.Errorf("a table of level %d for %#x, frame %#x; the next is of level %d, for %#x", l, va, f, level, far&^(span-1))
		}
		level--
	})
	if level != 0 {
		t.Errorf("%d tables were not met", level)
	}
}

// TestMadeTables: a first touch makes the tables that are missing, each from a
// frame that was there for it, and none twice.
func TestMadeTables(t *testing.T) {
	m := newMachine(t, 100)
	p := m.newProc()
	free := m.Frames.Free()
	for _, c := range []struct {
		va     mm.VirtAddr
		tables int // of the space, with the root
	}{{far.Page(), 4}, {far.Page() + page, 4}, {far.Page() + 1<<21, 5}, {far.Page() - 1<<30, 7}, {far.Page() - 1<<39, 10}} {
		p.mapAnon(c.va, 1, mm.ReadWrite)
		if d, err := p.Fault(c.va, mm.FaultUser|mm.FaultWrite); err != nil {
			t.Fatalf("the first write to %#x: %v, %v; want demand-zero", c.va, d, err)
		}
		f := p.Root()
		for level := 4; level > 0; level-- {
			e := m.Phys.Table(f)[c.va>>(12+9*(level-1))&511]
			open := mm.Present | mm.Writable | mm.User
			if other := e &^ (mm.PTE(e.Frame())<<12 | open | mm.Accessed); e&open != open || level > 1 && other != 0 {
				t.Fatalf("the entry for %#x at level %d is %#x, want Present, Writable, User and nothing else but Accessed", c.va, level, uint64(e))
			}
			f = e.Frame()
		}
		if p.Tables() != c.tables {
			t.Errorf("after a touch of %#x there are %d tables, want %d", c.va, p.Tables(), c.tables)
		}
	}
	if taken := free - m.Frames.Free(); taken != 9+5 {
		t.Errorf("nine tables and five pages took %d frames", taken)
	}
}
