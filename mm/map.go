package mm

import "yolk/kernel/trace"

// Fixed says how Map treats MapRequest.Addr.
type Fixed uint8

// The ways to ask for an address, as in mmap(2).
const (
	Hint           Fixed = iota // use Addr if it is free, else any place
	FixedReplace                // exactly Addr; what was there goes (MAP_FIXED)
	FixedNoReplace              // exactly Addr, or ErrExists (MAP_FIXED_NOREPLACE)
)

// MapRequest says what Map shall map.
type MapRequest struct {
	Addr    VirtAddr
	Length  uint64 // bytes, rounded up to pages
	Prot    Prot
	MaxProt Prot // what Protect may grant later, Prot at least; 0: everything
	Flags   Flags
	Fixed   Fixed
	Object  *Object // nil: anonymous; with Shared, a new object is made
	Offset  uint64  // in Object, page-aligned
	Name    string
}

// Map makes a region (mmap(2)) and returns its start.  No page becomes
// present: a reservation costs its Region, whatever its length.  It fails with
// ErrInvalid, ErrExists or ErrNoMemory, and then has changed nothing.
func (as *AddressSpace) Map(q MapRequest) (VirtAddr, error) {
	start, err := as.place(&q)
	if err != nil {
		return 0, err
	}
	end := start + VirtAddr(q.Length)
	r := &Region{
		Start: start, End: end, Prot: q.Prot, MaxProt: q.MaxProt | q.Prot, Flags: q.Flags,
		Object: q.Object, Offset: q.Offset, Name: q.Name, space: as,
	}
	if q.MaxProt == 0 {
		r.MaxProt = AllProt
	}
	if as.size-as.covered(start, end)+q.Length > as.SizeLimit {
		return 0, ErrNoMemory
	}
	if err := as.prepare(r, start, end); err != nil {
		return 0, err
	}
	anonymous := r.Object == nil && r.Shared()
	if anonymous {
		r.Object, err = NewObject(as.mem, as.budget)
		if err != nil {
			as.unprepare()
			return 0, err
		}
		r.Object.size = q.Length
	}
	// Point of no return.
	as.unmap(start, end)
	i := as.regions.after(start)
	as.insert(i, r)
	as.mapped(r, start, end)
	as.merge(i, i+1)
	as.unprepare()
	if anonymous {
		r.Object.Drop() // the region holds it
	}
	if q.Fixed == Hint {
		as.cursor = start
	}
	return start, nil
}

// place checks and rounds the request and picks the address.  It leaves Fixed
// at Hint where room chose.
func (as *AddressSpace) place(q *MapRequest) (VirtAddr, error) {
	switch {
	case q.Length == 0 || q.Offset%PageSize != 0:
		return 0, ErrInvalid
	case q.Flags&GrowsDown != 0 && (q.Object != nil || q.Flags&Shared != 0):
		return 0, ErrInvalid
	case q.Length > uint64(UserEnd-MinUser):
		return 0, ErrNoMemory
	}
	q.Length = (q.Length + pageMask) &^ pageMask
	if q.Object != nil && q.Offset > MaxSize-q.Length {
		return 0, ErrTooBig
	}
	if q.Fixed == Hint {
		hint := q.Addr.Page()
		if hint >= MinUser && inUser(hint, q.Length) && as.isFree(hint, q.Length) {
			q.Fixed = FixedReplace
			return hint, nil
		}
		return as.room(VirtAddr(q.Length))
	}
	switch {
	case q.Addr.Offset() != 0:
		return 0, ErrInvalid
	case q.Addr < MinUser:
		return 0, ErrAccess
	case !inUser(q.Addr, q.Length):
		return 0, ErrNoMemory
	case q.Fixed == FixedNoReplace && as.covered(q.Addr, q.Addr+VirtAddr(q.Length)) > 0:
		return 0, ErrExists
	}
	return q.Addr, nil
}

// room returns the highest free stretch of the given length below the cursor,
// which lies below all that Map placed; failing that, below MmapTop.
func (as *AddressSpace) room(length VirtAddr) (VirtAddr, error) {
	for {
		from, top := as.cursor, as.cursor
		for i := as.regions.after(top - 1); ; i-- {
			if i < as.regions.len() {
				if r := as.regions.at(i); r.low() < top {
					top = r.low()
				}
			}
			floor := MinUser
			if i > 0 {
				floor = as.regions.at(i - 1).End
			}
			if floor <= top && length <= top-floor && top-length >= MinUser {
				return top - length, nil
			}
			if i == 0 {
				break
			}
		}
		if from == MmapTop {
			return 0, ErrNoMemory
		}
		as.cursor = MmapTop
	}
}

// Unmap removes whatever is mapped in the range (munmap(2)).  It fails with
// ErrInvalid, or with ErrNoMemory if a region would have to be split and
// cannot be, and then has changed nothing.
func (as *AddressSpace) Unmap(start VirtAddr, length uint64) error {
	end, err := checkRange(start, length)
	if err != nil {
		return err
	}
	if err := as.prepare(nil, start, end); err != nil {
		return err
	}
	// Point of no return.
	as.unmap(start, end)
	as.unprepare()
	return nil
}

// Protect changes the rights of a range (mprotect(2)), which must be mapped
// throughout: else ErrNoMemory.  ErrAccess means that a region's MaxProt does
// not allow it.  On failure nothing has changed.
func (as *AddressSpace) Protect(start VirtAddr, length uint64, prot Prot) error {
	if length == 0 && start.Offset() == 0 {
		return nil
	}
	end, err := checkRange(start, length)
	if err != nil {
		return err
	}
	if as.covered(start, end) != uint64(end-start) {
		return ErrNoMemory
	}
	for i := as.regions.after(start); i < as.regions.len() && as.regions.at(i).Start < end; i++ {
		if prot&^as.regions.at(i).MaxProt != 0 {
			return ErrAccess
		}
	}
	if err := as.prepare(nil, start, end); err != nil {
		return err
	}
	// Point of no return.
	i, j := as.isolate(start, end)
	for k := i; k < j; k++ {
		r := as.regions.at(k)
		r.Prot = prot
		as.reprotect(r)
	}
	as.settle()
	if as.mem.Log.On(trace.ClassMap) {
		as.tellRange(trace.Protect, start, end, prot)
	}
	as.merge(i, j)
	as.unprepare()
	return nil
}

// reprotect brings the region's entries in line with its rights.  A private
// page becomes writable at once only if nobody else has it: a fork may have
// shared it while it was read-only and needed no mark.
func (as *AddressSpace) reprotect(r *Region) {
	for va := r.Start; va < r.End; {
		ptes, stop := as.stretch(va, r.End)
		watched := as.watch(ptes)
		for i, old := range ptes {
			if !old.Present() {
				continue
			}
			e := r.mapping(old.Frame())
			if e.COW() && as.mem.Frames.Refs(old.Frame()) == 1 {
				e = r.owned(old.Frame())
			}
			e = e&^(Accessed|Dirty) | old&(Accessed|Dirty)
			if e != old {
				ptes[i] = e
				as.changed(va + VirtAddr(i)*PageSize)
			}
		}
		if watched {
			as.told(va, ptes)
		}
		va = stop
	}
}

// Discard drops the pages of a range (madvise(2), MADV_DONTNEED): anonymous
// memory is zero afterwards, a private mapping shows its object again.  Holes
// make it return ErrNoMemory, after all else was discarded.
func (as *AddressSpace) Discard(start VirtAddr, length uint64) error {
	if length == 0 && start.Offset() == 0 {
		return nil
	}
	end, err := checkRange(start, length)
	if err != nil {
		return err
	}
	as.zap(start, end)
	as.settle()
	if as.covered(start, end) != uint64(end-start) {
		return ErrNoMemory
	}
	return nil
}

// SetBrkStart puts the start of the heap, which is empty, at addr; exec does
// so when the image is mapped.
func (as *AddressSpace) SetBrkStart(addr VirtAddr) {
	as.brkBase, as.brk = addr.PageUp(), addr.PageUp()
}

// SetBrk moves the end of the heap (brk(2)) and returns where it is now: addr,
// or on failure where it was.
func (as *AddressSpace) SetBrk(addr VirtAddr) (VirtAddr, error) {
	if addr < as.brkBase || addr >= UserEnd {
		return as.brk, ErrInvalid
	}
	old, end := as.brk.PageUp(), addr.PageUp()
	var err error
	switch {
	case end > old:
		_, err = as.Map(MapRequest{
			Addr: old, Length: uint64(end - old), Prot: ReadWrite,
			Flags: Heap, Fixed: FixedNoReplace, Name: "[heap]",
		})
	case end < old:
		err = as.Unmap(end, uint64(old-end))
	}
	if err == nil {
		as.brk = addr
	}
	return as.brk, err
}

// checkRange returns the end of a page-aligned, non-empty user range.
func checkRange(start VirtAddr, length uint64) (VirtAddr, error) {
	if start.Offset() != 0 || length == 0 || !inUser(start, length) {
		return 0, ErrInvalid
	}
	return (start + VirtAddr(length)).PageUp(), nil
}

// inUser reports whether all of a range lies below UserEnd.
func inUser(start VirtAddr, length uint64) bool {
	return start <= UserEnd && length <= uint64(UserEnd-start)
}

// isFree reports whether a range touches no region and no stack's guard.
func (as *AddressSpace) isFree(start VirtAddr, length uint64) bool {
	i := as.regions.after(start)
	return i == as.regions.len() || as.regions.at(i).low() >= start+VirtAddr(length)
}

// covered returns how many bytes of a range are mapped.
func (as *AddressSpace) covered(start, end VirtAddr) uint64 {
	n := VirtAddr(0)
	for i := as.regions.after(start); i < as.regions.len() && as.regions.at(i).Start < end; i++ {
		r := as.regions.at(i)
		n += min(r.End, end) - max(r.Start, start)
	}
	return uint64(n)
}

// prepare charges for the regions that splits at the cuts and the insertion of
// extra will need, so that nothing can fail later; unprepare ends it.
func (as *AddressSpace) prepare(extra *Region, cuts ...VirtAddr) error {
	n, cost := 0, int64(0)
	for _, va := range cuts {
		if r := as.Lookup(va); r != nil && r.Start < va {
			n++
			cost += r.cost()
		}
	}
	if extra != nil {
		n++
		cost += extra.cost()
	}
	if as.regions.len()+n > MaxRegions {
		return ErrNoMemory
	}
	if err := as.budget.Charge(cost); err != nil {
		return err
	}
	as.spare = cost
	return nil
}

// unprepare gives back what prepare charged and nobody took.
func (as *AddressSpace) unprepare() {
	as.budget.Release(as.spare)
	as.spare = 0
}

// unmap empties a range whose splits were prepared.
func (as *AddressSpace) unmap(start, end VirtAddr) {
	i, j := as.isolate(start, end)
	if i == j {
		return
	}
	floor, ceil := VirtAddr(0), userTop
	if i > 0 {
		floor = as.regions.at(i - 1).End
	}
	if j < as.regions.len() {
		ceil = as.regions.at(j).Start
	}
	for k := i; k < j; k++ {
		r := as.regions.at(k)
		as.zap(r.Start, r.End)
	}
	as.prune(start, end, floor, ceil)
	as.settle()
	if as.mem.Log.On(trace.ClassMap) {
		as.tellRange(trace.Unmap, start, end, 0)
	}
	for k := j; k > i; k-- {
		as.drop(k - 1)
	}
	if end <= MmapTop {
		as.cursor = max(as.cursor, end)
	}
}

// isolate splits regions so that [start, end) is made of the whole regions
// with indices from i up to, not including, j.
func (as *AddressSpace) isolate(start, end VirtAddr) (i, j int) {
	as.split(start)
	as.split(end)
	i = as.regions.after(start)
	for j = i; j < as.regions.len() && as.regions.at(j).Start < end; j++ {
	}
	return i, j
}

// split cuts the region that va lies inside of in two.
func (as *AddressSpace) split(va VirtAddr) {
	r := as.Lookup(va)
	if r == nil || r.Start == va {
		return
	}
	high := *r
	high.Start = va
	high.Offset += uint64(va - r.Start)
	as.size -= uint64(r.End - va)
	r.End = va
	as.insert(as.regions.after(va), &high)
}

// insert makes r the i-th region, paid by prepare.
func (as *AddressSpace) insert(i int, r *Region) {
	if as.spare -= r.cost(); as.spare < 0 {
		panic("mm: a region that was not prepared for")
	}
	if r.space != as {
		panic("mm: a region of another space")
	}
	as.regions.insert(i, r)
	as.size += uint64(r.End - r.Start)
	if r.Object != nil {
		r.Object.link(r)
	}
}

// drop removes the i-th region from the list and gives up its object.
func (as *AddressSpace) drop(i int) {
	r := as.regions.at(i)
	as.regions.remove(i)
	as.last = nil
	as.size -= uint64(r.End - r.Start)
	as.budget.Release(r.cost())
	if r.Object != nil {
		r.Object.unlink(r)
	}
}

// merge joins the regions with indices from i up to j, and their neighbours,
// wherever two are alike.
func (as *AddressSpace) merge(i, j int) {
	for k := min(j, as.regions.len()-1); k > 0 && k >= i; k-- {
		r, next := as.regions.at(k-1), as.regions.at(k)
		if r.alike(next) {
			as.size += uint64(next.End - next.Start)
			r.End = next.End
			as.drop(k)
		}
	}
}
