package mm

import "fmt"

// A Holder is somebody who holds address spaces, objects or frames.  Hold tells
// a Checker of all of them; one that is told twice counts once, but for frames.
type Holder interface {
	Hold(c *Checker)
}

// Check recomputes from scratch everything that mm keeps up to date step by
// step, and returns an error that names the first contradiction.  The holders,
// taken together, must hold all that is held; objects that regions map are found
// without them.
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
//
// Its memory, four bytes a frame and a little more, is charged to b meanwhile:
// the error is ErrNoMemory if that cannot be.  Nothing else runs until it is
// done, so it gives up with ErrTooBig where more than maxChecked pages are mapped.
func (m *Memory) Check(b *Budget, holders ...Holder) error {
	cost := int64(len(m.Frames.refs))*4 + checkerCost
	if err := b.Charge(cost); err != nil {
		return err
	}
	defer b.Release(cost)
	m.checks++
	c := &Checker{m: m, want: make([]uint32, len(m.Frames.refs)), charged: map[*Budget]int64{}}
	c.want[m.zero]++
	for _, h := range holders {
		h.Hold(c)
	}
	c.frames()
	c.sums()
	return c.err
}

const (
	checkerCost = 64 << 10 // the Checker, with the sums of a thousand budgets
	maxChecked  = 1 << 24  // 64 GiB of pages: a few seconds, also under an emulator
)

// Checker gathers what the counts should be, and the first contradiction.
type Checker struct {
	m       *Memory
	err     error
	want    []uint32          // references by frame
	charged map[*Budget]int64 // what should be, at least
	pages   int               // entries looked at
	maps    int               // regions that map an object, less those that objects know of
}

// mark tells what the check in progress has seen already: the number of that
// check.
type mark uint64

// first reports whether it is the first time in this check.
func (c *Checker) first(seen *mark) bool {
	was := *seen
	*seen = c.m.checks
	return was != *seen
}

// fail notes a contradiction.
//
// WHY the conditions stand before the calls, and are not arguments: Go allocates
// what goes into args, and there are millions of pages.
func (c *Checker) fail(format string, args ...any) {
	if c.err == nil {
		c.err = fmt.Errorf("mm: "+format, args...)
	}
}

// Frame counts a reference to f.
func (c *Checker) Frame(f Frame) {
	if f >= Frame(len(c.want)) {
		c.fail("somebody refers to frame %#x, which does not exist", uint64(f))
		return
	}
	c.want[f]++
}

// Space looks at an address space that somebody runs on, or nil.
func (c *Checker) Space(as *AddressSpace) {
	if as == nil || !c.first(&as.checked) {
		return
	}
	if as.users <= 0 || as.spare != 0 {
		c.fail("space %#x has %d users and %d bytes to spare", uint64(as.root), as.users, as.spare)
	}
	size, charge := uint64(0), int64(spaceCost)
	var before *Region
	for r := range as.Regions() {
		c.region(as, r, before)
		size += uint64(r.End - r.Start)
		charge += r.cost()
		before = r
	}
	if size != as.size {
		c.fail("space %#x has size %#x, its regions sum up to %#x", uint64(as.root), as.size, size)
	}
	c.charged[as.budget] += charge
	if as.exe != nil {
		c.Object(as.exe)
	}
	as.Walk(0, UserEnd, func(va VirtAddr, e PTE) bool {
		c.page(as, va, e)
		return c.err == nil
	})
	c.tables(as)
}

func (c *Checker) region(as *AddressSpace, r, before *Region) {
	switch start := uint64(r.Start); {
	case r.Start < MinUser || r.Start >= r.End || r.End > UserEnd || (r.Start|r.End).Offset() != 0:
		c.fail("region %#x-%#x is no user range", start, uint64(r.End))
	case before != nil && before.End > r.Start:
		c.fail("region %#x overlaps the one before", start)
	case before != nil && before.alike(r):
		c.fail("region %#x should be merged with the one before", start)
	case r.Prot&^r.MaxProt != 0:
		c.fail("region %#x allows more than it may", start)
	case r.space != as:
		c.fail("region %#x belongs to another space", start)
	case r.Object != nil && r.prev == nil && r.Object.maps != r, r.prev != nil && r.prev.next != r:
		c.fail("region %#x is not on its object's list", start)
	}
	if r.Object != nil {
		c.maps++
		c.Object(r.Object)
	}
}

func (c *Checker) page(as *AddressSpace, va VirtAddr, e PTE) {
	if c.pages++; c.pages > maxChecked && c.err == nil {
		c.err = ErrTooBig
		return
	}
	f, r := e.Frame(), as.Lookup(va)
	if c.Frame(f); c.err != nil {
		return
	}
	if r == nil {
		c.fail("page %#x (%v) lies in no region", uint64(va), e)
		return
	}
	writable, kind := r.Prot&Write != 0, "private"
	ok := e.User() == (r.Prot != 0) && e.Executable() == (r.Prot&Exec != 0)
	if r.Shared() {
		kind = "shared"
		ok = ok && !e.COW() && e.Writable() == writable && r.Object.lookup(r.page(va)) == f
	} else {
		ok = ok && !(e.COW() && e.Writable()) && (e.COW() || e.Writable()) == writable
		ok = ok && (!e.Writable() || c.m.Frames.refs[f] == 1 && f != c.m.zero)
	}
	if !ok {
		c.fail("page %#x is %v with %d references, in a %s region with the rights %v",
			uint64(va), e, c.m.Frames.refs[f], kind, r.Prot)
	}
}

// tables looks at the page tables of a space.  None is shared.
func (c *Checker) tables(as *AddressSpace) {
	tables := 0
	as.WalkTables(func(level int, va VirtAddr, f Frame) {
		tables++
		c.Frame(f)
		if n := c.m.Frames.refs[f]; n != 1 {
			c.fail("frame %#x is a table and has %d references", uint64(f), n)
		}
		if level != topLevel && as.covered(va, va+span(level+1)) == 0 {
			c.fail("a level-%d table for %#x covers no region", level, uint64(va))
		}
	})
	if tables != as.tables {
		c.fail("space %#x counts %d tables and has %d", uint64(as.root), as.tables, tables)
	}
	kernel := c.m.Phys.Table(c.m.KernelRoot)[Entries/2:]
	for i, e := range c.m.Phys.Table(as.root)[Entries/2:] {
		if (e^kernel[i])&^Accessed != 0 {
			c.fail("space %#x has a kernel entry %d of its own", uint64(as.root), i)
		}
	}
}

// Object looks at an object.
func (c *Checker) Object(o *Object) {
	if !c.first(&o.checked) {
		return
	}
	o.each(func(page uint64, f Frame, level int) {
		c.Frame(f)
		if level == 0 && page >= o.Pages() {
			c.fail("an object of %d pages holds page %d", o.Pages(), page)
		}
	})
	n := 0
	for r := o.maps; r != nil; r = r.next {
		if r.Object != o || r.next != nil && r.next.prev != r {
			c.fail("an object's list of regions is not in order at %#x", uint64(r.Start))
		}
		n++
	}
	c.maps -= n
	if o.refs < n || o.refs <= 0 {
		c.fail("an object has %d references, and %d regions map it", o.refs, n)
	}
	if o.writers > 0 && o.denied > 0 {
		c.fail("an object is both written and executed")
	}
	c.charged[o.budget] += objectCost
}

// frames compares the counts with what they should be.
func (c *Checker) frames() {
	fr, used := c.m.Frames, 0
	for f, n := range c.want {
		if fr.refs[f] != n {
			c.fail("frame %#x counts %d references and has %d", f, fr.refs[f], n)
		}
		if fr.refs[f] > 0 {
			used++
		}
	}
	const listed = ^uint32(0)
	for _, f := range fr.free {
		if c.want[f] != 0 { // in use, or met before
			c.fail("frame %#x is on the free list wrongly", f)
		}
		c.want[f] = listed
	}
	if used+len(fr.free) != fr.total {
		c.fail("%d frames are used and %d free, of %d", used, len(fr.free), fr.total)
	}
}

// sums looks at what adds up over all spaces and objects.
func (c *Checker) sums() {
	if c.maps != 0 {
		c.fail("%d more regions map objects than objects know of", c.maps)
	}
	for b, n := range c.charged {
		if b.used < n {
			c.fail("a budget was charged %d bytes, but %d are in use", b.used, n)
		}
	}
	if p := &c.m.pending; p.changed != 0 || p.held != 0 {
		c.fail("changes are pending")
	}
}
