package mm

import "fmt"

// MaxFrames bounds the RAM that Frames manages: 32 GiB.
//
// WHY counts cannot overflow: nearly every reference to a frame is an 8-byte
// entry that itself lies in RAM.  2^23 frames hold at most 2^32 entries if all
// of memory were page tables, so a 32-bit count never wraps.  A count of 8 or
// 16 bits does: one page that 70,000 mappings share is nothing unusual.
const MaxFrames = 1 << 23

// Frames hands out frames and counts the references to each: entries that map
// it, page caches that hold it, page tables that it is.  A count lives in a
// side array, not in the frame, so that the frame is the user's to the byte.
type Frames struct {
	phys    Physical
	refs    []uint32 // by frame number; 0: free, or not ours
	free    []uint32 // stack of free frames
	total   int
	reserve int
}

// NewFrames returns an allocator for phys that owns no frame yet; see AddFree.
// Frames from MaxFrames on are never used.
func NewFrames(phys Physical) *Frames {
	n := min(phys.Frames(), MaxFrames)
	return &Frames{phys: phys, refs: make([]uint32, n), free: make([]uint32, 0, n)}
}

// AddFree gives the allocator n frames from first on.
func (fr *Frames) AddFree(first Frame, n int) {
	for f := first + Frame(n); f > max(first, 1); {
		f-- // downward, so that Alloc begins with the lowest
		if f < Frame(len(fr.refs)) {
			fr.free = append(fr.free, uint32(f))
			fr.total++
		}
	}
}

// Total returns the number of frames that the allocator owns, in use or not.
func (fr *Frames) Total() int { return fr.total }

// Free returns the number of frames that nobody uses.
func (fr *Frames) Free() int { return len(fr.free) }

// SetReserve makes Alloc fail while no more than n frames are free, and
// returns the reserve before.  The kernel keeps one for its own needs; a test
// uses it to make the Nth allocation fail.
func (fr *Frames) SetReserve(n int) int {
	old := fr.reserve
	fr.reserve = n
	return old
}

// Ensure returns ErrNoMemory unless the next n calls of Alloc will succeed.
// An operation that needs several frames asks once, before it changes
// anything, so that it has nothing to roll back.
func (fr *Frames) Ensure(n int) error {
	if len(fr.free)-fr.reserve < n {
		return ErrNoMemory
	}
	return nil
}

// Alloc returns a frame with a count of 1 and undefined contents, or
// ErrNoMemory.
func (fr *Frames) Alloc() (Frame, error) {
	n := len(fr.free) - 1
	if n < fr.reserve {
		return 0, ErrNoMemory
	}
	f := fr.free[n]
	fr.free = fr.free[:n]
	fr.refs[f] = 1
	return Frame(f), nil
}

// AllocZeroed is Alloc of a frame that is filled with zeroes.
func (fr *Frames) AllocZeroed() (Frame, error) {
	f, err := fr.Alloc()
	if err == nil {
		fr.phys.Zero(f)
	}
	return f, err
}

// mustAlloc is Alloc after a successful Ensure.
func (fr *Frames) mustAlloc() Frame {
	f, err := fr.Alloc()
	if err != nil {
		panic("mm: a frame that Ensure promised is not there")
	}
	return f
}

// mustAllocZeroed is AllocZeroed after a successful Ensure.
func (fr *Frames) mustAllocZeroed() Frame {
	f := fr.mustAlloc()
	fr.phys.Zero(f)
	return f
}

// adopt takes over n frames from first on that belonged to nobody, each with
// a count of 1.
func (fr *Frames) adopt(first Frame, n int) {
	for f := first; f < first+Frame(n); f++ {
		if f == 0 || fr.refs[f] != 0 {
			panic(fmt.Sprintf("mm: frame %#x cannot be adopted, it is in use", uint64(f)))
		}
		fr.refs[f] = 1
	}
	fr.total += n
}

// Get adds a reference to f, which must be in use.
func (fr *Frames) Get(f Frame) {
	if fr.refs[f] == 0 {
		badCount(f)
	}
	fr.refs[f]++
}

// Put takes a reference to f away and frees the frame with the last one.
// Whoever unmapped f has flushed the TLB before.
func (fr *Frames) Put(f Frame) {
	switch n := fr.refs[f]; n {
	case 0:
		badCount(f)
	case 1:
		fr.refs[f] = 0
		fr.free = append(fr.free, uint32(f)) // never grows: cap is all of RAM
	default:
		fr.refs[f] = n - 1
	}
}

// putAll is Put of all that the entries point at.
func (fr *Frames) putAll(entries []PTE) {
	refs := fr.refs
	for _, e := range entries {
		if f := e.Frame(); f < Frame(len(refs)) && refs[f] > 1 {
			refs[f]-- // what most come to, without a call
		} else if e.Present() {
			fr.Put(f)
		}
	}
}

// Shared returns the number of frames that have more than one reference.
func (fr *Frames) Shared() (n int) {
	for _, refs := range fr.refs {
		if refs > 1 {
			n++
		}
	}
	return n
}

// Refs returns the number of references to f; 0 if it is free or not ours.
func (fr *Frames) Refs(f Frame) uint32 { return fr.refs[f] }

//go:noinline
func badCount(f Frame) {
	panic(fmt.Sprintf("mm: frame %#x is used after its last reference was dropped", uint64(f)))
}
