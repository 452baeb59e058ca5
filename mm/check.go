package mm

import "fmt"

// Check recomputes from scratch everything that mm keeps up to date step by
// step, and returns an error that names the first contradiction.  It is given
// all address spaces and all objects that nothing maps (those that regions map
// are found), and the frames that others hold, once for each reference.
//
//   - A frame's count is the number of entries that map it, objects that hold
//     it and tables that it is; the free list holds each frame of count 0 once.
//   - No entry is both writable and marked copy-on-write.
//   - Every present page lies in a region and grants no more than it.
//   - A private page is writable only for its single owner; a page that others
//     may have too is marked, if its region is writable at all.
//   - Pages of a shared mapping are the object's; nobody can write the zero page.
//   - Every table covers a part of some region; the kernel half is the kernel's.
//   - Regions are sorted, disjoint and merged; sizes, counts of tables and
//     charges to budgets are the sums that they should be.
func (m *Memory) Check(spaces []*AddressSpace, objects []*Object, held ...Frame) error {
	c := &checker{
		m: m, want: make([]uint32, len(m.Frames.refs)), table: map[Frame]bool{},
		object: map[*Object]int{}, charged: map[*Budget]int64{},
	}
	c.want[m.zero]++
	for _, f := range held {
		c.want[f]++
	}
	for _, o := range objects {
		c.object[o] += 0
	}
	for _, as := range spaces {
		c.space(as)
	}
	for o, maps := range c.object {
		c.checkObject(o, maps)
	}
	c.frames()
	for b, n := range c.charged {
		c.expect(b.used >= n, "a budget was charged %d bytes, but %d are in use", b.used, n)
	}
	c.expect(m.pending.changed == 0 && m.pending.held == 0, "changes are pending")
	return c.err
}

// checker gathers what the counts should be, and the first contradiction.
type checker struct {
	m       *Memory
	err     error
	want    []uint32
	table   map[Frame]bool
	object  map[*Object]int // number of regions that map it
	charged map[*Budget]int64
}

func (c *checker) expect(ok bool, format string, args ...any) {
	if !ok && c.err == nil {
		c.err = fmt.Errorf("mm: "+format, args...)
	}
}

func (c *checker) space(as *AddressSpace) {
	c.expect(as.users > 0, "space %#x has no users", uint64(as.root))
	size, charge := uint64(0), int64(spaceCost)
	var before *Region
	for r := range as.Regions() {
		c.region(as, r, before)
		size += uint64(r.End - r.Start)
		charge += r.cost()
		before = r
	}
	c.expect(size == as.size, "space %#x has size %#x, its regions sum up to %#x", uint64(as.root), as.size, size)
	c.expect(as.spare == 0, "space %#x has %d bytes to spare", uint64(as.root), as.spare)
	c.charged[as.budget] += charge
	if as.exe != nil {
		c.object[as.exe] += 0
	}
	as.Walk(0, UserEnd, func(va VirtAddr, e PTE) bool {
		c.page(as, va, e)
		return true
	})
	tables := 0
	as.WalkTables(func(level int, va VirtAddr, f Frame) {
		tables++
		c.want[f]++
		c.expect(!c.table[f], "frame %#x is a table twice", uint64(f))
		c.table[f] = true
		end := va + span(level+1)
		c.expect(level == topLevel || as.covered(va, end) > 0, "a level-%d table for %#x covers no region", level, uint64(va))
	})
	c.expect(tables == as.tables, "space %#x counts %d tables and has %d", uint64(as.root), as.tables, tables)
	kernel := c.m.Phys.Table(c.m.KernelRoot)[Entries/2:]
	for i, e := range c.m.Phys.Table(as.root)[Entries/2:] {
		c.expect(e&^Accessed == kernel[i]&^Accessed, "space %#x has a kernel entry %d of its own", uint64(as.root), i)
	}
}

func (c *checker) region(as *AddressSpace, r, before *Region) {
	start := uint64(r.Start)
	c.expect(r.Start >= MinUser && r.Start < r.End && r.End <= UserEnd && (r.Start|r.End).Offset() == 0,
		"region %#x-%#x is no user range", start, uint64(r.End))
	c.expect(before == nil || before.End <= r.Start, "region %#x overlaps the one before", start)
	c.expect(before == nil || !before.alike(r), "region %#x should be merged with the one before", start)
	c.expect(r.Prot&^r.MaxProt == 0, "region %#x allows more than it may", start)
	c.expect(r.space == as, "region %#x belongs to another space", start)
	if r.Object != nil {
		c.object[r.Object]++
	}
}

func (c *checker) page(as *AddressSpace, va VirtAddr, e PTE) {
	f := e.Frame()
	c.want[f]++
	r := as.Lookup(va)
	if r == nil {
		c.expect(false, "page %#x (%v) lies in no region", uint64(va), e)
		return
	}
	writable := r.Prot&Write != 0
	ok := e.User() == (r.Prot != 0) && e.Executable() == (r.Prot&Exec != 0)
	if r.Shared() {
		ok = ok && !e.COW() && e.Writable() == writable && r.Object.lookup(r.page(va)) == f
	} else {
		ok = ok && !(e.COW() && e.Writable()) && (e.COW() || e.Writable()) == writable
		ok = ok && (!e.Writable() || c.m.Frames.refs[f] == 1 && f != c.m.zero)
	}
	c.expect(ok, "page %#x is %v with %d references, in a region with rights %03b and flags %03b",
		uint64(va), e, c.m.Frames.refs[f], r.Prot, r.Flags)
}

func (c *checker) checkObject(o *Object, maps int) {
	o.each(func(page uint64, f Frame, level int) {
		c.want[f]++
		c.expect(level > 0 || page < o.Pages(), "an object of %d pages holds page %d", o.Pages(), page)
	})
	n := 0
	for r := o.maps; r != nil; r = r.next {
		c.expect(r.Object == o, "region %#x is on another object's list", uint64(r.Start))
		n++
	}
	c.expect(n == maps, "%d regions map an object that knows of %d", maps, n)
	c.expect(o.refs >= maps && o.refs > 0, "an object has %d references, and %d regions map it", o.refs, maps)
	c.expect(o.writers == 0 || o.denied == 0, "an object is both written and executed")
	c.charged[o.budget] += objectCost
}

func (c *checker) frames() {
	fr := c.m.Frames
	used := 0
	for f, n := range c.want {
		c.expect(fr.refs[f] == n, "frame %#x counts %d references and has %d", f, fr.refs[f], n)
		if fr.refs[f] > 0 {
			used++
		}
	}
	free := make(map[uint32]bool, len(fr.free))
	for _, f := range fr.free {
		c.expect(fr.refs[f] == 0 && !free[f], "frame %#x is on the free list wrongly", f)
		free[f] = true
	}
	c.expect(used+len(fr.free) == fr.total, "%d frames are used and %d free, of %d", used, len(fr.free), fr.total)
}
