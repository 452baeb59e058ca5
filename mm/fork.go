package mm

import "yolk/kernel/trace"

// ForkMode says what fork does with private writable pages.
type ForkMode uint8

// The ways to fork.
const (
	ForkCOW   ForkMode = iota // share them, mark both sides copy-on-write
	ForkEager                 // copy them at once, as early UNIX did
)

// Fork returns a logically identical copy of the address space with page
// tables of its own and one user, charged to b (fork(2)).  It fails with
// ErrNoMemory, and then has changed nothing.
//
//	page of the parent                 ForkCOW                   ForkEager
//	private, writable, its own         shared, both sides marked copied
//	private, writable, marked          shared, marked            copied
//	zero page                          shared                    shared
//	private, read-only (text)          shared, needs no mark     shared
//	of a shared mapping                shared, stays writable    shared, stays writable
//
// WHY a read-only region's pages need no mark: Protect looks at the count
// before it makes such a page writable.
//
//lab:cow 1 make a child that is a logically identical copy, or fail and change nothing
func (as *AddressSpace) Fork(mode ForkMode, b *Budget) (*AddressSpace, error) {
	m := as.mem
	frames, cost := as.tables, int64(0)
	for i := range as.regions.len() {
		r := as.regions.at(i)
		cost += r.cost()
		if mode == ForkEager && r.copied() {
			frames += as.copies(r)
		}
	}
	if err := m.Frames.Ensure(frames); err != nil {
		return nil, err
	}
	if err := b.Charge(cost); err != nil {
		return nil, err
	}
	child, err := m.NewSpace(b)
	if err != nil {
		b.Release(cost)
		return nil, err
	}
	// Point of no return.
	child.spare = cost
	child.inherit(as)
	marked := false
	for i := range as.regions.len() {
		r := as.regions.at(i)
		s := *r
		s.space = child
		child.insert(i, &s)
		if mode == ForkEager && r.copied() {
			as.copyPages(child, r)
		} else if as.sharePages(child, r) {
			marked = true
		}
	}
	if marked {
		as.flushSpace() // or the parent would go on writing to pages it shares
	}
	m.Counters.Forks++
	return child, nil
}

// inherit copies what is not regions and pages.
func (as *AddressSpace) inherit(parent *AddressSpace) {
	as.StackLimit, as.SizeLimit = parent.StackLimit, parent.SizeLimit
	as.cursor, as.brkBase, as.brk = parent.cursor, parent.brkBase, parent.brk
	if parent.exe != nil {
		as.exe = parent.exe
		as.exe.denied++
		as.exe.Ref()
	}
}

// copied reports whether an eager fork copies the region's pages.
func (r *Region) copied() bool { return !r.Shared() && r.Prot&Write != 0 }

// copies returns the number of frames that copyPages will take for r.
//
//lab:cow helper
func (as *AddressSpace) copies(r *Region) int {
	n := 0
	as.Walk(r.Start, r.End, func(_ VirtAddr, e PTE) bool {
		if e.Frame() != as.mem.zero {
			n++
		}
		return true
	})
	return n
}

// sharePages lets the child map the region's frames, and reports whether
// entries of the parent lost their Writable bit.
func (as *AddressSpace) sharePages(child *AddressSpace, r *Region) (marked bool) {
	for va := r.Start; va < r.End; {
		src, stop := as.stretch(va, r.End)
		if len(src) > 0 {
			dst := child.table(va)[va.Index(1):][:len(src)]
			watched := as.watch(src)
			for i := used(src, 0); i < len(src); i = used(src, i+group) {
				end := min(i+group, len(src))
				if as.mem.shareEntries(dst[i:end], src[i:end], !r.Shared()) {
					marked = true
				}
			}
			if watched {
				as.told(va, src)
				child.tell(va, empty[:len(dst)], dst)
			}
		}
		va = stop
	}
	return marked
}

// shareEntries is sharePages for a few entries of the parent, src, and their
// places in the child's PT, which are empty.
//
//lab:cow 2 let the child map the frames of these entries, and mark what both may write to
func (m *Memory) shareEntries(dst, src []PTE, private bool) (marked bool) {
	refs := m.Frames.refs
	dst = dst[:len(src)]
	for i, e := range src {
		if !e.Present() {
			continue
		}
		if private && e.Writable() {
			e = e&^Writable | COW
			src[i] = e
			marked = true
		}
		dst[i] = e &^ (Accessed | Dirty)
		refs[e.Frame()]++
		m.Counters.ForkShared++
	}
	return marked
}

// copyPages gives the child copies of the region's pages.  The parent's
// entries stay as they are.
func (as *AddressSpace) copyPages(child *AddressSpace, r *Region) {
	as.Walk(r.Start, r.End, func(va VirtAddr, e PTE) bool {
		slot := &child.table(va)[va.Index(1)]
		*slot = as.mem.copyEntry(r, e)
		if as.mem.Log.On(trace.ClassEntry) {
			child.tellEntry(va, 0, *slot)
		}
		return true
	})
}

// copyEntry returns an entry of r for a copy of the page that e maps, for which
// Ensure has promised a frame; the zero page needs none.
//
//lab:cow 1 copy a page into a frame of the child
func (m *Memory) copyEntry(r *Region, e PTE) PTE {
	if e.Frame() == m.zero {
		m.Frames.Get(m.zero)
		return r.mapping(m.zero) &^ Accessed
	}
	f := m.Frames.mustAlloc()
	m.Phys.Copy(f, e.Frame())
	m.Counters.ForkCopied++
	return r.owned(f) &^ (Accessed | Dirty)
}
