package mm

import (
	"iter"

	"yolk/kernel/trace"
)

// Limits of a stack that grows by faults.
const (
	StackLimit = 8 << 20          // default of AddressSpace.StackLimit, as RLIMIT_STACK
	StackGuard = 256 << PageShift // stays free between a stack and the region below
)

// AddressSpace is what a process can reach: regions, which say what is
// allowed, and page tables, which say what is ready.
type AddressSpace struct {
	StackLimit uint64 // bytes that a GrowsDown region may reach (RLIMIT_STACK)
	SizeLimit  uint64 // bytes that may be mapped in all (RLIMIT_AS)
	Faults     uint64 // page faults taken so far

	mem     *Memory
	root    Frame // the PML4
	users   int   // processes that run on it: more than one during vfork
	budget  *Budget
	spare   int64 // charged for regions that prepare promised
	regions regionList
	last    *Region // where the last lookup ended
	size    uint64  // bytes mapped
	tables  int     // page-table frames, the root included
	leaf    *Table  // the PT that descend found last, nil if it may have gone
	leafVA  VirtAddr
	cursor  VirtAddr
	brkBase VirtAddr
	brk     VirtAddr
	exe     *Object
	checked mark // by the checker
}

// NewSpace returns an address space with an empty user half and one user.
// Its Go memory is charged to b.  It fails with ErrNoMemory.
func (m *Memory) NewSpace(b *Budget) (*AddressSpace, error) {
	if err := b.Charge(spaceCost); err != nil {
		return nil, err
	}
	root, err := m.Frames.Alloc()
	if err != nil {
		b.Release(spaceCost)
		return nil, err
	}
	as := &AddressSpace{
		StackLimit: StackLimit, SizeLimit: uint64(UserEnd),
		mem: m, root: root, users: 1, budget: b, cursor: MmapTop,
	}
	t := m.Phys.Table(root)
	clear(t[:Entries/2])
	copy(t[Entries/2:], m.Phys.Table(m.KernelRoot)[Entries/2:])
	as.madeTable(root, 0, topLevel)
	return as, nil
}

// Root returns the frame of the PML4.
func (as *AddressSpace) Root() Frame { return as.root }

// Users returns the number of processes that run on the address space.
func (as *AddressSpace) Users() int { return as.users }

// Size returns the bytes that are mapped, touched or not.
func (as *AddressSpace) Size() uint64 { return as.size }

// Tables returns the number of page-table frames, the root included.
func (as *AddressSpace) Tables() int { return as.tables }

// Borrow adds a user, the child of a vfork(2).
//
//lab:vfork 1 count one more user of the address space
func (as *AddressSpace) Borrow() { as.users++ }

// Drop takes a user away.  The last one takes all regions, frames and tables
// with it; exec and exit leave an address space through here and nowhere else.
func (as *AddressSpace) Drop() {
	m := as.mem
	if as.users > 1 {
		as.users--
		return
	}
	m.TLB.Load(m.KernelRoot) // before any frame goes: the processor may be on this root
	as.users = 0
	as.dismantle(as.root, 0, topLevel)
	for i := as.regions.len(); i > 0; i-- {
		as.drop(i - 1)
	}
	if as.exe != nil {
		as.exe.AllowWrite()
		as.exe.Drop()
	}
	as.budget.Release(spaceCost)
}

// dismantle puts the frames that table f, of a space without users, leads to,
// and f itself.
//
// WHY not zap and prune: nobody translates through these tables again, so there
// is nothing to flush before the frames go, and no entry to empty.
//
//lab:paging 5 put all that a table leads to, and the table
func (as *AddressSpace) dismantle(f Frame, base VirtAddr, level int) {
	start, end := as.occupied(base, base+span(level)*Entries)
	start &^= span(level) - 1
	entries := as.mem.Phys.Table(f)[start.Index(level):][:(end-start+span(level)-1)/span(level)]
	if level == 1 {
		as.abandon(start, entries)
	}
	for i := used(entries, 0); level > 1 && i < len(entries); i = used(entries, i+group) {
		for j, e := range entries[i:min(i+group, len(entries))] {
			if e.Present() {
				as.dismantle(e.Frame(), start+VirtAddr(i+j)*span(level), level-1)
			}
		}
	}
	as.freedTable(f, base, level)
	as.mem.Frames.Put(f)
}

// abandon puts the frames that a PT's entries, from va's on, map.
func (as *AddressSpace) abandon(va VirtAddr, entries []PTE) {
	for i := used(entries, 0); i < len(entries); i = used(entries, i+group) {
		as.mem.Frames.putAll(entries[i:min(i+group, len(entries))])
	}
	if as.mem.Log.On(trace.ClassEntry) {
		as.tell(va, entries, empty[:len(entries)])
	}
}

// occupied returns the bounds of what regions have of [base, end), both base
// if that is nothing: a table's other entries are empty.
//
//lab:paging helper
func (as *AddressSpace) occupied(base, end VirtAddr) (lo, hi VirtAddr) {
	first, last := as.regions.after(base), as.regions.after(end-1)
	if last == as.regions.len() || as.regions.at(last).Start >= end {
		last--
	}
	if last < first {
		return base, base
	}
	return max(base, as.regions.at(first).Start), min(end, as.regions.at(last).End)
}

// group is how many entries are looked at together: most of a table is empty.
const group = 8

// used returns where, from index i on, the first group of entries begins that
// are not all empty, or where less than a group is left.
func used(e []PTE, i int) int {
	for ; i <= len(e)-group; i += group {
		if e[i]|e[i+1]|e[i+2]|e[i+3]|e[i+4]|e[i+5]|e[i+6]|e[i+7] != 0 {
			break
		}
	}
	return i
}

// SetExecutable notes that the address space runs the program in o, which
// nobody can then open for writing while the address space lives (ETXTBSY,
// open(2)).  It fails with ErrTextBusy if somebody has it open already.
func (as *AddressSpace) SetExecutable(o *Object) error {
	if err := o.DenyWrite(); err != nil {
		return err
	}
	o.Ref()
	if as.exe != nil {
		as.exe.AllowWrite()
		as.exe.Drop()
	}
	as.exe = o
	return nil
}

// Regions yields the regions from the lowest address up.  The loop must not
// change the address space.
func (as *AddressSpace) Regions() iter.Seq[*Region] { return as.RegionsFrom(0) }

// RegionsFrom is Regions without those that end at va or below.
func (as *AddressSpace) RegionsFrom(va VirtAddr) iter.Seq[*Region] {
	return func(yield func(*Region) bool) {
		for i := as.regions.after(va); i < as.regions.len(); i++ {
			if !yield(as.regions.at(i)) {
				return
			}
		}
	}
}

// Lookup returns the region that va lies in, or nil.
func (as *AddressSpace) Lookup(va VirtAddr) *Region {
	if r := as.last; r != nil && r.Start <= va && va < r.End {
		return r
	}
	i := as.regions.after(va)
	if i == as.regions.len() {
		return nil
	}
	r := as.regions.at(i)
	if va < r.Start {
		return nil
	}
	as.last = r
	return r
}

// Around returns the region below va, the one that va lies in and the one above
// va, each nil where there is none.  It allocates nothing.
func (as *AddressSpace) Around(va VirtAddr) (below, at, above *Region) {
	i := as.regions.after(va)
	if i > 0 {
		below = as.regions.at(i - 1)
	}
	if i < as.regions.len() && as.regions.at(i).Start <= va {
		at = as.regions.at(i)
		i++
	}
	if i < as.regions.len() {
		above = as.regions.at(i)
	}
	return below, at, above
}

// Entry returns the leaf entry that translates va, and whether it is present.
func (as *AddressSpace) Entry(va VirtAddr) (PTE, bool) {
	if va >= UserEnd {
		return 0, false
	}
	pt := as.find(va)
	if pt == nil {
		return 0, false
	}
	e := pt[va.Index(1)]
	return e, e.Present()
}

// Walk calls fn for each present leaf entry of [start, end), in order of
// addresses, until it returns false.  va is a page's first address, also that of the
// page that start lies in; end may lie beyond the user half, which ends the walk.
//
//lab:paging 3 visit the present leaf entries of a range in order
func (as *AddressSpace) Walk(start, end VirtAddr, fn func(va VirtAddr, e PTE) bool) {
	for va, end := start.Page(), min(end, UserEnd); va < end; {
		ptes, stop := as.stretch(va, end)
		for i, e := range ptes {
			if e.Present() && !fn(va+VirtAddr(i)*PageSize, e) {
				return
			}
		}
		va = stop
	}
}

// WalkTables calls fn for each page-table frame of the user half and the root,
// parents before children; va is the first address that the table covers.
func (as *AddressSpace) WalkTables(fn func(level int, va VirtAddr, table Frame)) {
	as.walkTable(as.root, 0, topLevel, fn)
}

// walkTable is WalkTables for table f of the given level, whose first entry
// stands for base.
//
//lab:paging 3 visit a table and the tables below it
func (as *AddressSpace) walkTable(f Frame, base VirtAddr, level int, fn func(int, VirtAddr, Frame)) {
	fn(level, base, f)
	if level == 1 {
		return
	}
	for i, e := range as.mem.Phys.Table(f) {
		if va := base + VirtAddr(i)*span(level); va < UserEnd && e.Present() {
			as.walkTable(e.Frame(), va, level-1, fn)
		}
	}
}

// Resident returns the number of pages that are present.
func (as *AddressSpace) Resident() int {
	n := 0
	as.Walk(0, UserEnd, func(VirtAddr, PTE) bool { n++; return true })
	return n
}

// stretch returns the leaf entries for the first part of [va, end), as far as
// one PT reaches, and where that part ends; no entries where there is no PT.
// Loops over a range look a PT up once and then go along its entries:
//
//	for va < end {
//		ptes, stop := as.stretch(va, end)
//		for i, e := range ptes { … }
//		va = stop
//	}
//
// Where there is no PT, the part ends with the run of empty entries, in the table
// above, that va's belongs to: a reservation of many GiB is passed over entry by
// entry instead of walk by walk.
func (as *AddressSpace) stretch(va, end VirtAddr) ([]PTE, VirtAddr) {
	t, level := as.descend(va)
	if level == 1 {
		stop := min(spanEnd(va, 2), end)
		return t[va.Index(1):][:(stop-va)/PageSize], stop
	}
	stop := spanEnd(va, level)
	for i := va.Index(level) + 1; stop < end && i < Entries && t[i] == 0; i++ {
		stop += span(level)
	}
	return nil, min(stop, end)
}

// find returns the PT that covers va, or nil where none is.
func (as *AddressSpace) find(va VirtAddr) *Table {
	if t, level := as.descend(va); level == 1 {
		return t
	}
	return nil
}

// missing returns how many tables must be made before va has a PT.
func (as *AddressSpace) missing(va VirtAddr) int {
	_, level := as.descend(va)
	return level - 1
}

// descend goes down from the root towards va's PT, as far as there are tables,
// and returns the last one and its level.
//
//	root ─► PML4[Index(4)] ─► PDPT[Index(3)] ─► PD[Index(2)] ─► PT[Index(1)]
//
//lab:paging 2 walk down from the PML4 as far as tables are present
func (as *AddressSpace) descend(va VirtAddr) (*Table, int) {
	if as.leaf != nil && va>>leafShift == as.leafVA>>leafShift {
		return as.leaf, 1
	}
	phys := &as.mem.Phys
	t := phys.Table(as.root)
	for level := topLevel; level > 1; level-- {
		e := t[va.Index(level)]
		if !e.Present() {
			return t, level
		}
		t = phys.Table(e.Frame())
	}
	as.leaf, as.leafVA = t, va
	return t, 1
}

// table returns the PT that covers va and makes the tables on the way, whose
// frames Ensure has promised.  Entries of upper tables allow everything; the
// leaf decides.
//
//lab:paging 4 make the tables that are missing on the way to the PT of va
func (as *AddressSpace) table(va VirtAddr) *Table {
	m := as.mem
	t := m.Phys.Table(as.root)
	for level := topLevel; level > 1; level-- {
		e := &t[va.Index(level)]
		if !e.Present() {
			f := m.Frames.mustAllocZeroed()
			*e = entry(f, Present|Writable|User|Accessed)
			as.madeTable(f, va&^(span(level)-1), level-1)
		}
		t = m.Phys.Table(e.Frame())
	}
	return t
}

// madeTable accounts for a new table in frame f, of the given level (1 for a PT);
// va is the first address that the table covers.
func (as *AddressSpace) madeTable(f Frame, va VirtAddr, level int) {
	m := as.mem
	as.tables++
	m.Counters.TablesMade++
	if m.Log.On(trace.ClassTable) {
		m.Log.Emit(trace.Event{Kind: trace.TableMake, VA: uint64(va), Old: uint64(as.root), New: uint64(f), Aux: uint64(level)})
	}
}

// freedTable is madeTable for a table that goes, the root of a space included.
func (as *AddressSpace) freedTable(f Frame, va VirtAddr, level int) {
	m := as.mem
	as.tables--
	m.Counters.TablesFreed++
	if m.Log.On(trace.ClassTable) {
		m.Log.Emit(trace.Event{Kind: trace.TableFree, VA: uint64(va), Old: uint64(f), Aux: uint64(level)})
	}
}

// zap empties the entries of [va, end).  Their frames are put by settle.
func (as *AddressSpace) zap(va, end VirtAddr) {
	for va < end {
		ptes, stop := as.stretch(va, end)
		watched := as.watch(ptes)
		as.zapEntries(va, ptes)
		if watched {
			as.told(va, ptes)
		}
		va = stop
	}
}

// zapEntries is zap for entries of one PT, the first of which is va's.
//
//lab:paging 5 empty the entries, and note what must be flushed and put
func (as *AddressSpace) zapEntries(va VirtAddr, ptes []PTE) {
	for i, e := range ptes {
		if e.Present() {
			ptes[i] = 0
			as.changed(va + VirtAddr(i)*PageSize)
			as.release(e.Frame())
		}
	}
}

// prune frees, at the next settle, the tables that cover a part of [va, end)
// and nothing outside of [floor, ceil), a stretch without regions or with
// regions that were zapped.
func (as *AddressSpace) prune(va, end, floor, ceil VirtAddr) {
	as.pruneTable(as.mem.Phys.Table(as.root), topLevel, va, end, floor, ceil)
}

// pruneTable is prune for the part of t, a table of the given level, that
// [va, end) lies in.
//
//lab:paging 5 take out the tables that cover no region any more
func (as *AddressSpace) pruneTable(t *Table, level int, va, end, floor, ceil VirtAddr) {
	for va < end {
		e, next := t[va.Index(level)], spanEnd(va, level)
		if e.Present() {
			if level > 2 {
				as.pruneTable(as.mem.Phys.Table(e.Frame()), level-1, va, min(end, next), floor, ceil)
			}
			if base := next - span(level); base >= floor && next <= ceil {
				t[va.Index(level)] = 0
				as.leaf = nil
				as.freedTable(e.Frame(), base, level-1)
				as.changed(va) // the processor caches upper entries too
				as.release(e.Frame())
			}
		}
		va = next
	}
}
