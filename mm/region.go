package mm

import (
	"cmp"
	"fmt"
)

// Prot says what a user may do with a region, as in mmap(2).
type Prot uint8

// The rights.  x86 has no write-only or execute-only pages: any right at all
// implies reading.
const (
	Read Prot = 1 << iota
	Write
	Exec

	ReadWrite = Read | Write
	AllProt   = Read | Write | Exec
)

// String returns the rights as ls(1) writes them: "rw-".
func (p Prot) String() string { return "---r---w-rw---xr-x-wxrwx"[3*(p&AllProt):][:3] }

// Flags say what kind of region it is.
type Flags uint8

// The flags of a region.  Without Shared it is private: a write copies.
const (
	Shared    Flags = 1 << iota // writes reach the object and all who map it
	GrowsDown                   // a stack: faults below it extend it
	Heap                        // made by SetBrk
)

// MaxRegions is how many regions an address space may have; Linux's default
// for vm.max_map_count.
const MaxRegions = 65530

// What the Go heap pays for, rounded up: the struct, its slot in the list
// with the list's slack, the allocator's size class.
const (
	regionCost = 144
	spaceCost  = 512
	objectCost = 192
)

// Region is a range of an address space with one set of rights: it says what
// is allowed, where page-table entries say what is ready.  Read its fields,
// never write them.
type Region struct {
	Start, End VirtAddr // page-aligned, End exclusive
	Prot       Prot
	MaxProt    Prot // what Protect may grant
	Flags      Flags
	Object     *Object // nil: anonymous and private
	Offset     uint64  // of Start in Object, page-aligned
	Name       string  // a path, "[heap]", "[stack]" or nothing

	space      *AddressSpace
	next, prev *Region // the object's list of regions that map it
}

// String shows the region as the kernel's log does.
func (r *Region) String() string {
	return fmt.Sprintf("%#x-%#x %s %s", uint64(r.Start), uint64(r.End), r.Prot, cmp.Or(r.Name, "(anonymous)"))
}

// Shared reports whether writes reach the object.
func (r *Region) Shared() bool { return r.Flags&Shared != 0 }

// pages returns the region's length in pages.
func (r *Region) pages() int { return int((r.End - r.Start) / PageSize) }

// page returns the index of va's page in the region's object.
func (r *Region) page(va VirtAddr) uint64 {
	return (r.Offset + uint64(va-r.Start)) / PageSize
}

// low returns the lowest address that a new mapping must keep clear of.
func (r *Region) low() VirtAddr {
	if r.Flags&GrowsDown != 0 {
		return r.Start - min(r.Start, StackGuard)
	}
	return r.Start
}

// permits reports whether the region allows the access that faulted.
func (r *Region) permits(code FaultCode) bool {
	switch {
	case code.Write():
		return r.Prot&Write != 0
	case code.Fetch():
		return r.Prot&Exec != 0
	}
	return r.Prot != 0
}

// flags returns the flags that an entry of the region has before it is
// decided whether it is writable or copy-on-write.
//
// WHY PROT_NONE pages stay present, without the User bit: their contents must
// survive until mprotect brings them back, and an entry that is present needs
// no second encoding.
func (r *Region) flags() PTE {
	e := Present | Accessed
	if r.Prot != 0 {
		e |= User
	}
	if r.Prot&Exec == 0 {
		e |= NX
	}
	return e
}

// mapping returns the entry that maps f, a frame that others use too: the
// zero page, the page cache's, one that a fork shared.
func (r *Region) mapping(f Frame) PTE {
	e := entry(f, r.flags())
	switch {
	case r.Prot&Write == 0:
	case r.Shared():
		e |= Writable
	default:
		e |= COW
	}
	return e
}

// owned returns the entry that maps f, a frame of the region's own.
func (r *Region) owned(f Frame) PTE {
	e := entry(f, r.flags())
	if r.Prot&Write != 0 {
		e |= Writable | Dirty
	}
	return e
}

// cost returns the bytes of Go heap charged for the region.
func (r *Region) cost() int64 { return regionCost + int64(len(r.Name)) }

// alike reports whether r ends where s starts and both could be one region.
func (r *Region) alike(s *Region) bool {
	return r.End == s.Start && r.Prot == s.Prot && r.MaxProt == s.MaxProt &&
		r.Flags == s.Flags && r.Object == s.Object && r.Name == s.Name &&
		(r.Object == nil || r.Offset+uint64(r.End-r.Start) == s.Offset)
}

// regionList holds regions by address, in a slice with a gap where the last
// change took place.  Programs map and unmap at neighbouring addresses, so
// that next to nothing moves even among 65,530 regions.
type regionList struct {
	slots []*Region // [0, gap) in order, free slots, the rest in order
	gap   int
	free  int
}

func (l *regionList) len() int { return len(l.slots) - l.free }

// at returns the i-th region by address.
func (l *regionList) at(i int) *Region {
	if i >= l.gap {
		i += l.free
	}
	return l.slots[i]
}

// after returns the index of the first region that ends above va.
func (l *regionList) after(va VirtAddr) int {
	lo, hi := 0, l.len()
	for lo < hi {
		if mid := (lo + hi) / 2; l.at(mid).End > va {
			hi = mid
		} else {
			lo = mid + 1
		}
	}
	return lo
}

// insert makes r the i-th region.
func (l *regionList) insert(i int, r *Region) {
	if l.free == 0 {
		l.resize(max(8, 2*len(l.slots)))
	}
	l.moveGap(i)
	l.slots[l.gap] = r
	l.gap++
	l.free--
}

// remove takes out the i-th region, and gives memory back when most of it is
// slack.
func (l *regionList) remove(i int) {
	l.moveGap(i)
	l.slots[l.gap+l.free] = nil
	l.free++
	if len(l.slots) > 8 && l.free > 3*len(l.slots)/4 {
		l.resize(len(l.slots) / 2)
	}
}

// resize moves the regions to a slice of n slots.
func (l *regionList) resize(n int) {
	slots := make([]*Region, n)
	copy(slots, l.slots[:l.gap])
	tail := l.slots[l.gap+l.free:]
	copy(slots[n-len(tail):], tail)
	l.free += n - len(l.slots)
	l.slots = slots
}

// moveGap moves the gap before the i-th region, and leaves no pointer in it.
func (l *regionList) moveGap(i int) {
	switch {
	case i < l.gap:
		copy(l.slots[i+l.free:], l.slots[i:l.gap])
		clear(l.slots[i:min(l.gap, i+l.free)])
	case i > l.gap:
		copy(l.slots[l.gap:], l.slots[l.gap+l.free:i+l.free])
		clear(l.slots[max(i, l.gap+l.free) : i+l.free])
	}
	l.gap = i
}
