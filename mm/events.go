package mm

import "yolk/kernel/trace"

// watch remembers what entries are that are about to change, and reports whether
// told is to be called when they have: false if nobody wants to know.  A loop over
// entries asks once for each PT, so that events which are off cost it nothing.
func (as *AddressSpace) watch(ptes []PTE) bool {
	return as.mem.Log.On(trace.ClassEntry) && as.remember(ptes)
}

func (as *AddressSpace) remember(ptes []PTE) bool {
	m := as.mem
	if m.pending.held+len(ptes) > len(m.pending.frames) {
		as.settle() // not in the midst of the loop: a flush is told after the change that it is for
	}
	copy(m.watched[:], ptes)
	return true
}

// told tells of the entries that watch remembered, the first of which is va's.
func (as *AddressSpace) told(va VirtAddr, ptes []PTE) { as.tell(va, as.mem.watched[:len(ptes)], ptes) }

// tell emits an event for each entry that differs.
func (as *AddressSpace) tell(va VirtAddr, before, after []PTE) {
	for i, old := range before {
		if e := after[i]; e != old {
			as.tellEntry(va+VirtAddr(i)*PageSize, old, e)
		}
	}
}

// empty are the entries of an empty table.
var empty [Entries]PTE

func (as *AddressSpace) tellEntry(va VirtAddr, old, e PTE) {
	f := e.Frame()
	if !e.Present() {
		f = old.Frame()
	}
	refs := as.mem.Frames.Refs(f)
	for _, held := range as.mem.pending.frames[:as.mem.pending.held] {
		if held == f {
			refs-- // it goes with the next settle
		}
	}
	as.mem.Log.Emit(trace.Event{
		Kind: trace.Entry, VA: uint64(va.Page()), Old: uint64(old), New: uint64(e), Aux: uint64(as.root), Refs: refs,
	})
}

// replace puts another entry of va into its slot and has the TLB forget the one
// before.
func (as *AddressSpace) replace(va VirtAddr, slot *PTE, e PTE) {
	m := as.mem
	if m.Log.On(trace.ClassEntry | trace.ClassTLB) {
		as.tellReplaced(va, *slot, e)
	}
	*slot = e
	m.Counters.FlushPages++
	m.TLB.FlushPage(as.root, va.Page())
}

func (as *AddressSpace) tellReplaced(va VirtAddr, old, e PTE) {
	if as.mem.Log.On(trace.ClassEntry) {
		as.tellEntry(va, old, e)
	}
	if as.mem.Log.On(trace.ClassTLB) {
		as.tellFlush(va)
	}
}

func (as *AddressSpace) tellFlush(va VirtAddr) {
	as.mem.Log.Emit(trace.Event{Kind: trace.FlushPage, VA: uint64(va.Page()), Old: uint64(as.root)})
}

// tellFault tells of a fault, and of the entry that it has filled if the
// processor found none there.
func (as *AddressSpace) tellFault(va VirtAddr, code FaultCode, out outcome) {
	log := as.mem.Log
	filled := out.new != 0 && out.decision != trace.Spurious && code&FaultPresent == 0
	if filled && log.On(trace.ClassEntry) {
		e, _ := as.Entry(va)
		as.tellEntry(va, 0, e)
	}
	if !log.On(trace.ClassFault) {
		return
	}
	ev := trace.Event{
		Kind: trace.Fault, VA: uint64(va), Err: uint32(code), Decision: out.decision,
		Old: uint64(out.old), New: uint64(out.new), Refs: out.refs,
	}
	if out.new != 0 {
		ev.Aux = uint64(as.mem.Frames.Refs(out.new))
	}
	if r := as.Lookup(va); r != nil {
		ev.Aux |= uint64(r.describe()) << 32
	}
	log.Emit(ev)
}

// mapped tells of a new part of a region, if anybody wants to know.
func (as *AddressSpace) mapped(r *Region, start, end VirtAddr) {
	if as.mem.Log.On(trace.ClassMap) {
		as.tellMap(r, start, end)
	}
}

func (as *AddressSpace) tellMap(r *Region, start, end VirtAddr) {
	log := as.mem.Log
	ev := trace.Event{Kind: trace.Map, VA: uint64(start), Aux: uint64(end - start), Old: uint64(as.root), Err: r.describe()}
	if r.Object != nil {
		ev.New = r.Offset + uint64(start-r.Start)
	}
	if r.Name == "" {
		log.Emit(ev)
		return
	}
	ev.Refs = trace.TextEvents(len(r.Name))
	log.Emit(ev)
	log.EmitText(0, []byte(r.Name), false)
}

// describe returns the region's rights and kind as a Map event has them.
func (r *Region) describe() uint32 {
	d := uint32(r.Prot)
	for _, is := range [...]struct {
		so   bool
		flag uint32
	}{
		{r.Shared(), trace.MapShared}, {r.Flags&GrowsDown != 0, trace.MapGrowsDown},
		{r.Object != nil && r.Name != "", trace.MapFile}, {r.Flags&Heap != 0, trace.MapHeap},
	} {
		if is.so {
			d |= is.flag
		}
	}
	return d
}

// tellRange tells that a range was unmapped or has other rights.
func (as *AddressSpace) tellRange(kind trace.Kind, start, end VirtAddr, prot Prot) {
	as.mem.Log.Emit(trace.Event{Kind: kind, VA: uint64(start), Aux: uint64(end - start), Old: uint64(as.root), Err: uint32(prot)})
}
