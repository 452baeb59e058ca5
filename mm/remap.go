package mm

// RemapRequest says what Remap shall do, as in mremap(2).
type RemapRequest struct {
	Old       VirtAddr
	OldLength uint64 // bytes, rounded up to pages
	NewLength uint64 // likewise
	MayMove   bool
	Fixed     bool // move to New, whatever is mapped there
	New       VirtAddr
}

// Remap resizes or moves a part of one region together with its pages
// (mremap(2)) and returns where it is now.  It fails with ErrInvalid,
// ErrFault (nothing mapped there, or several regions) or ErrNoMemory, and then
// has changed nothing.
func (as *AddressSpace) Remap(q RemapRequest) (VirtAddr, error) {
	oldEnd, err := checkRange(q.Old, q.OldLength)
	if err != nil || q.NewLength == 0 {
		return 0, ErrInvalid
	}
	if q.NewLength > uint64(UserEnd-MinUser) {
		return 0, ErrNoMemory
	}
	length := (VirtAddr(q.NewLength) + pageMask) &^ pageMask
	r := as.Lookup(q.Old)
	if r == nil || oldEnd > r.End {
		return 0, ErrFault
	}
	old := oldEnd - q.Old
	switch {
	case q.Fixed:
		if q.New.Offset() != 0 || q.New < MinUser || !inUser(q.New, uint64(length)) ||
			q.New < oldEnd && q.Old < q.New+length {
			return 0, ErrInvalid
		}
		return as.move(r, q.Old, old, q.New, length)
	case length <= old:
		if length == old {
			return q.Old, nil
		}
		return q.Old, as.Unmap(q.Old+length, uint64(old-length))
	}
	if as.size+uint64(length-old) > as.SizeLimit {
		return 0, ErrNoMemory
	}
	if oldEnd == r.End && inUser(q.Old, uint64(length)) && as.isFree(oldEnd, uint64(length-old)) {
		r.End += length - old
		as.size += uint64(length - old)
		as.mapped(r, oldEnd, r.End)
		i := as.regions.after(r.Start)
		as.merge(i, i+1)
		return q.Old, nil
	}
	if !q.MayMove {
		return 0, ErrNoMemory
	}
	to, err := as.room(length)
	if err != nil {
		return 0, err
	}
	return as.move(r, q.Old, old, to, length)
}

// move makes [to, to+length) out of r's part [from, from+old).
func (as *AddressSpace) move(r *Region, from, old, to, length VirtAddr) (VirtAddr, error) {
	if as.size-uint64(old)-as.covered(to, to+length)+uint64(length) > as.SizeLimit {
		return 0, ErrNoMemory
	}
	target := *r
	target.Start, target.End = to, to+length
	target.Offset += uint64(from - r.Start)
	if err := as.prepare(&target, from, from+old, to, to+length); err != nil {
		return 0, err
	}
	kept := min(old, length)
	if err := as.mem.Frames.Ensure(as.missingFor(from, from+kept, to)); err != nil {
		as.unprepare()
		return 0, err
	}
	// Point of no return.
	as.unmap(to, to+length)
	as.split(from)
	as.split(from + old)
	as.insert(as.regions.after(to), &target)
	as.mapped(&target, to, to+length)
	as.moveEntries(from, from+kept, to)
	as.unmap(from, from+old)
	i := as.regions.after(to)
	as.merge(i, i+1)
	as.unprepare()
	return to, nil
}

// missingFor returns how many tables moveEntries will make.  A table of level
// n covers span(n+1) bytes and counts once.
func (as *AddressSpace) missingFor(va, end, to VirtAddr) int {
	n, last := 0, ^VirtAddr(0)
	for va < end {
		ptes, stop := as.stretch(va, end)
		next := to + (stop - va)
		for len(ptes) > 0 && to < next {
			for level := as.missing(to); level > 0; level-- {
				if to/span(level+1) != last/span(level+1) {
					n++
				}
			}
			last = to
			to = spanEnd(to, 2)
		}
		va, to = stop, next
	}
	return n
}

// moveEntries moves the entries of [va, end) to the tables of [to, …).  The
// frames keep their counts.
func (as *AddressSpace) moveEntries(va, end, to VirtAddr) {
	for va < end {
		src, stop := as.stretch(va, min(end, va+(spanEnd(to, 2)-to)))
		if len(src) > 0 {
			dst := as.table(to)[to.Index(1):][:len(src)]
			watched := as.watch(src)
			for i, e := range src {
				if e.Present() {
					dst[i], src[i] = e, 0
					as.changed(va + VirtAddr(i)*PageSize)
				}
			}
			if watched {
				as.told(va, src)
				as.tell(to, empty[:len(dst)], dst)
			}
		}
		va, to = stop, to+(stop-va)
	}
}
