package mm

import (
	"fmt"
	"unsafe"
)

// Physical is all of RAM, seen through the direct map: the frame with number f
// lies at base + f*PageSize.  It is the only place of mm where a number turns
// into a pointer; everything above works on *[PageSize]byte and *Table.
//
// WHY the kernel never touches user memory through the user's own addresses:
// the direct map needs no address space to be loaded, no STAC/CLAC window and
// no fault handler around each access, and it works the same in a host test.
type Physical struct {
	base   unsafe.Pointer
	frames Frame
}

// NewPhysical describes RAM of the given number of frames whose frame 0 is
// mapped at base.  base must be page-aligned and stay mapped for good.
func NewPhysical(base unsafe.Pointer, frames int) Physical {
	return Physical{base, Frame(frames)}
}

// HostMemory makes a Physical out of ordinary Go memory, for machines that are
// simulated.
func HostMemory(frames int) Physical {
	ram := make([]byte, (frames+1)*PageSize)
	base := unsafe.Pointer(unsafe.SliceData(ram))
	return NewPhysical(unsafe.Add(base, -uintptr(base)&pageMask), frames)
}

// Frames returns the number of frames, holes included.
func (p Physical) Frames() int { return int(p.frames) }

// Page returns the bytes of frame f.
func (p Physical) Page(f Frame) *[PageSize]byte {
	return (*[PageSize]byte)(p.at(f))
}

// Table returns frame f as a page table.
func (p Physical) Table(f Frame) *Table {
	return (*Table)(p.at(f))
}

// at panics on a frame that does not exist: some entry or count is corrupt.
func (p Physical) at(f Frame) unsafe.Pointer {
	if f >= p.frames {
		p.outside(f)
	}
	return unsafe.Add(p.base, f<<PageShift)
}

//go:noinline
func (p Physical) outside(f Frame) {
	panic(fmt.Sprintf("mm: frame %#x is outside of the %#x frames of RAM", uint64(f), uint64(p.frames)))
}

// Zero clears frame f.
//
// WHY not with clear: it ends in REP STOSQ, 512 steps of 8 bytes; this loop
// makes 32 stores of 16 bytes a round.
func (p Physical) Zero(f Frame) {
	page := (*[8][4][PageSize / 32]byte)(p.at(f))
	for i := 0; i < len(page); i++ {
		part := &page[i]
		part[0] = [PageSize / 32]byte{}
		part[1] = [PageSize / 32]byte{}
		part[2] = [PageSize / 32]byte{}
		part[3] = [PageSize / 32]byte{}
	}
}

// Copy copies frame src to frame dst.
func (p Physical) Copy(dst, src Frame) { copy(p.Page(dst)[:], p.Page(src)[:]) }
