package mm

import (
	"fmt"

	"yolk/kernel/trace"
)

// outcome is what a fault led to, for the counters and the trace.  Frames that play
// no part are 0: all of them where nothing was found or nothing is allowed.
type outcome struct {
	decision trace.Decision
	old      Frame  // that the entry had, or of the object's page
	new      Frame  // that the entry has now
	refs     uint32 // references to old before the decision
}

// Fault answers a page fault of user mode at va with the error code that the
// processor pushed, or one that a copy by the kernel would have caused.  When
// it returns nil the access can be retried and will succeed; ErrFault stands
// for the signal that the decision names, ErrNoMemory for no frame.
//
//	region      access            entry         decision
//	none        any               -             StackGrow if a stack may reach down to va, else SegvMapErr
//	forbids it  any               any           SegvAccErr
//	allows it   any               allows it     Spurious: somebody mended it meanwhile
//	anonymous   read, fetch       empty         ZeroPage: the shared zero frame, marked if writable
//	anonymous   write             empty         DemandZero
//	private     write             COW, zero     DemandZero: there is nothing to copy
//	private     write             COW, refs 1   COWReuse: the last owner, nothing is copied
//	private     write             COW, of file  FileCopy
//	private     write             COW           COWCopy
//	object      any, past the end empty         BusAdrErr
//	object      read, fetch       empty         FilePage: the object's frame, marked if private and writable
//	shared      write             empty         SharedWrite: the object's frame
//	private     write             empty         FileCopy: a copy of the object's frame
//	allows it   needs a frame     empty or COW  OutOfMemory if none is free; nothing has changed
func (as *AddressSpace) Fault(va VirtAddr, code FaultCode) (trace.Decision, error) {
	out := as.resolve(va, code)
	m := as.mem
	m.Counters.Faults[out.decision]++
	as.Faults++
	if m.Log.On(trace.ClassFault | trace.ClassEntry) {
		as.tellFault(va, code, out)
	}
	switch out.decision {
	case trace.SegvMapErr, trace.SegvAccErr, trace.BusAdrErr:
		return out.decision, ErrFault
	case trace.OutOfMemory:
		return out.decision, ErrNoMemory
	}
	return out.decision, nil
}

// resolve is Fault without the accounts: it finds the row of the table, and
// leaves what takes frames and entries to the functions below.
//
//lab:demand 1 decide what a fault at va means, and who answers it
func (as *AddressSpace) resolve(va VirtAddr, code FaultCode) outcome {
	if code&FaultReserved != 0 {
		panic(fmt.Sprintf("mm: a reserved bit is set in an entry on the way to %#x", uint64(va)))
	}
	if va >= UserEnd {
		return outcome{decision: trace.SegvMapErr}
	}
	r := as.Lookup(va)
	if r == nil {
		return as.faultBelowStack(va, code)
	}
	if !r.permits(code) {
		return outcome{decision: trace.SegvAccErr}
	}
	pt := as.find(va)
	if pt != nil {
		if e := &pt[va.Index(1)]; e.Present() {
			return as.faultPresent(r, e, va, code)
		}
	}
	return as.faultEmpty(r, pt, va, code)
}

// faultBelowStack extends the stack region above va, where nothing is mapped,
// down to va's page, unless there is none, it would get too long or too close
// to the region below.
//
//lab:demand 5 let the stack grow down to va, or refuse to
func (as *AddressSpace) faultBelowStack(va VirtAddr, code FaultCode) outcome {
	none := outcome{decision: trace.SegvMapErr}
	i, start := as.regions.after(va), va.Page()
	if i == as.regions.len() || start < MinUser {
		return none
	}
	r := as.regions.at(i)
	if r.Flags&GrowsDown == 0 || uint64(r.End-start) > as.StackLimit {
		return none
	}
	if i > 0 && start-as.regions.at(i-1).End < StackGuard {
		return none
	}
	more := r.Start - start
	if as.size+uint64(more) > as.SizeLimit {
		return none
	}
	if !r.permits(code) {
		return outcome{decision: trace.SegvAccErr}
	}
	pt := as.find(va)
	out := as.faultEmpty(r, pt, va, code)
	if out.decision != trace.OutOfMemory {
		out.decision = trace.StackGrow
		r.Start -= more
		as.size += uint64(more)
		as.mapped(r, start, start+more)
	}
	return out
}

// faultEmpty maps the page of va, which the region allows.  pt is its PT, or
// nil if tables must be made first.
//
//lab:demand 2 map a page of anonymous memory that was never touched
func (as *AddressSpace) faultEmpty(r *Region, pt *Table, va VirtAddr, code FaultCode) outcome {
	if r.Object != nil {
		return as.faultObject(r, pt, va, code)
	}
	m, need := as.mem, 0
	if code.Write() {
		need = 1
	}
	if pt = as.tableWith(pt, va, need); pt == nil {
		return outcome{decision: trace.OutOfMemory}
	}
	if code.Write() {
		f := m.Frames.mustAllocZeroed()
		pt[va.Index(1)] = r.owned(f)
		return outcome{decision: trace.DemandZero, new: f}
	}
	m.Frames.Get(m.zero)
	pt[va.Index(1)] = r.mapping(m.zero)
	return outcome{decision: trace.ZeroPage, new: m.zero}
}

// faultObject is faultEmpty where the region maps an object.
//
//lab:demand 3 map a page of a file or of shared memory
func (as *AddressSpace) faultObject(r *Region, pt *Table, va VirtAddr, code FaultCode) outcome {
	m, i := as.mem, r.page(va)
	if i >= r.Object.Pages() {
		return outcome{decision: trace.BusAdrErr}
	}
	need, copies := r.Object.missing(i), code.Write() && !r.Shared()
	if copies {
		need++
	}
	if pt = as.tableWith(pt, va, need); pt == nil {
		return outcome{decision: trace.OutOfMemory}
	}
	page := r.Object.mustPage(i)
	out := outcome{decision: trace.FilePage, old: page, new: page, refs: m.Frames.Refs(page)}
	switch {
	case copies:
		out.decision, out.new = trace.FileCopy, m.Frames.mustAlloc()
		m.Phys.Copy(out.new, page)
		pt[va.Index(1)] = r.owned(out.new)
		return out
	case code.Write():
		out.decision = trace.SharedWrite
	}
	m.Frames.Get(page)
	pt[va.Index(1)] = r.mapping(page)
	if m.faultAround > 1 && !code.Write() {
		as.mapAround(r, va, pt)
	}
	return out
}

// tableWith returns va's PT, which is pt if that is not nil, when as many
// frames are left as needed; else nil, and no table has been made.
func (as *AddressSpace) tableWith(pt *Table, va VirtAddr, needed int) *Table {
	if pt == nil {
		needed += as.missing(va)
	}
	switch {
	case as.mem.Frames.Ensure(needed) != nil:
		return nil
	case pt == nil:
		return as.table(va)
	}
	return pt
}

// mapAround maps those neighbours of va that the object has ready, inside the
// window of faultAround pages that va lies in.
func (as *AddressSpace) mapAround(r *Region, va VirtAddr, pt *Table) {
	m := as.mem
	window := VirtAddr(m.faultAround) * PageSize
	start := va &^ (window - 1)
	end := min(start+window, r.End)
	for va := max(start, r.Start); va < end; va += PageSize {
		i := r.page(va)
		if i >= r.Object.Pages() {
			return
		}
		if e := &pt[va.Index(1)]; !e.Present() {
			if f := r.Object.lookup(i); f != 0 {
				m.Frames.Get(f)
				*e = r.mapping(f) &^ Accessed
				m.Counters.AroundMapped++
				if m.Log.On(trace.ClassEntry) {
					as.tellEntry(va, 0, *e)
				}
			}
		}
	}
}

// faultPresent answers a fault on a page that is there: the mark says that a
// write copies, or the fault is out of date.
func (as *AddressSpace) faultPresent(r *Region, e *PTE, va VirtAddr, code FaultCode) outcome {
	switch {
	case code.Write() && e.COW():
		return as.breakCOW(r, e, va)
	case code.Write() && !e.Writable(), code.Fetch() && !e.Executable(), !e.User():
		panic(fmt.Sprintf("mm: entry %v of %#x lags behind its region", *e, uint64(va)))
	}
	as.flushPage(va) // or a stale translation would fault for ever
	return outcome{decision: trace.Spurious, old: e.Frame(), new: e.Frame()}
}

// breakCOW gives the writer a page of its own.
//
// WHY the count decides and not the mark alone: the mark says that the page
// was shared when the fork took place.  The others may have gone since, and
// the last owner needs no copy.  Count, copy and new entry are one step under
// the kernel lock; were they not, two last owners could each see the other,
// and both copy, or one could write to a page that the other reads.
//
//lab:cow 3 give the writer of a marked page a page of its own
func (as *AddressSpace) breakCOW(r *Region, e *PTE, va VirtAddr) outcome {
	m, f := as.mem, e.Frame()
	out := outcome{decision: trace.COWReuse, old: f, new: f, refs: m.Frames.Refs(f)}
	if out.refs == 1 {
		as.replace(va, e, r.owned(f)) // the processor may remember that it is read-only
		return out
	}
	page, err := m.Frames.Alloc()
	if err != nil {
		return outcome{decision: trace.OutOfMemory, old: f, refs: out.refs}
	}
	out.new = page
	switch {
	case f == m.zero:
		out.decision = trace.DemandZero
		m.Phys.Zero(page)
	case r.Object != nil && r.Object.lookup(r.page(va)) == f:
		out.decision = trace.FileCopy
		m.Phys.Copy(page, f)
	default:
		out.decision = trace.COWCopy
		m.Phys.Copy(page, f)
	}
	as.replace(va, e, r.owned(page))
	m.Frames.Put(f) // after the flush: nobody may reach a frame that is free
	return out
}
