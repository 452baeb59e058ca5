//go:build yolk

package main

import (
	"unsafe"

	"yolk/arch/amd64"
)

// The kernel's address space, built once and shared by every process: the
// upper 256 entries of each PML4 are copies of this one's.
//
//	0xffff800000000000  direct map: all RAM and the interrupt controllers
//	0xffffffff80200000  the image: text R-X, rodata R--, data RW-
//	behind the image    the Go heap, RW-
//
// Nothing else is mapped; page 0 and the boot stub's identity map are gone, so
// that a nil pointer faults.  Nothing is both writable and executable: where
// the direct map shows the image's text and constants, it is read-only too.

// Bits of a page-table entry (SDM 3A §4.5.5).
const (
	entryPresent  = 1 << 0
	entryWrite    = 1 << 1
	entryNoCache  = 1 << 4
	entryLarge    = 1 << 7
	entryGlobal   = 1 << 8
	entryNoExec   = 1 << 63
	entryAddress  = 0x000ffffffffff000
	largePageSize = 2 * mebibyte
)

// tables builds page tables from the frames of one range of memory.
type tables struct {
	root uint64      // physical address of the PML4
	pool memoryRange // frames still unused
}

// newTables takes table frames from the start of pool.
func newTables(pool memoryRange) *tables {
	t := &tables{pool: pool}
	t.root = t.frame()
	// The two entries that the kernel half uses are made here and never
	// change, so that every process's PML4 can hold copies of them.
	t.next(t.root, directMap>>39&511)
	t.next(t.root, imageBase>>39&511)
	return t
}

func (t *tables) frame() uint64 {
	if t.pool.Size < pageSize {
		panic("out of frames for the kernel's page tables")
	}
	pa := t.pool.Addr
	t.pool.Addr += pageSize
	t.pool.Size -= pageSize
	clear(physical[[pageSize]byte](pa)[:])
	return pa
}

// next returns the table that entry i of the given table points to, making it
// if it is missing.
func (t *tables) next(table, i uint64) uint64 {
	e := &physical[[512]uint64](table)[i]
	if *e&entryPresent == 0 {
		*e = t.frame() | entryPresent | entryWrite
	}
	return *e & entryAddress
}

// mapRange maps size bytes at va to pa, all divisible by the page size, with
// 2 MiB pages where both are aligned.
func (t *tables) mapRange(va, pa, size, flags uint64) {
	for size > 0 {
		pd := t.next(t.next(t.root, va>>39&511), va>>30&511)
		step := uint64(pageSize)
		if (va|pa)%largePageSize == 0 && size >= largePageSize {
			step = largePageSize
			physical[[512]uint64](pd)[va>>21&511] = pa | flags | entryLarge | entryPresent | entryGlobal
		} else {
			pt := t.next(pd, va>>21&511)
			physical[[512]uint64](pt)[va>>12&511] = pa | flags | entryPresent | entryGlobal
		}
		va, pa, size = va+step, pa+step, size-step
	}
}

// unmapPage makes one 4 KiB page of the map absent: a guard page.
func (t *tables) unmapPage(va uint64) {
	pd := t.next(t.next(t.root, va>>39&511), va>>30&511)
	physical[[512]uint64](t.next(pd, va>>21&511))[va>>12&511] = 0
}

// newAddressSpace builds the kernel's page tables from frames at the start of
// pool and returns them; the caller loads the root.
func newAddressSpace(pool memoryRange) *tables {
	t := newTables(pool)
	t.mapImage()
	t.mapRange(imageBase+heap.Addr, heap.Addr, heap.Size, entryWrite|entryNoExec)
	t.mapDirect()
	t.unmapPage(guardPage(unsafe.Pointer(&bootStack)))
	for i := range trapStacks {
		t.unmapPage(guardPage(unsafe.Pointer(&trapStacks[i])))
	}
	return t
}

// mapImage maps each segment of the image as its program header says, and the
// same frames of the direct map without the right to execute.
func (t *tables) mapImage() {
	for i := 0; ; i++ {
		p := segment(i)
		if p == nil {
			return
		}
		if !p.inImage() {
			continue
		}
		start := p.Vaddr &^ (pageSize - 1)
		size := (p.Vaddr+p.Memsz+pageSize-1)&^(pageSize-1) - start
		flags := uint64(entryNoExec)
		switch {
		case p.Flags&segmentWrite != 0:
			flags |= entryWrite
		case p.Flags&segmentExec != 0:
			flags = 0
		}
		t.mapRange(start, start-imageBase, size, flags)
		t.mapRange(start-imageBase+directMap, start-imageBase, size, flags|entryNoExec)
	}
}

// mapDirect maps the rest of RAM, and the interrupt controllers' registers.
func (t *tables) mapDirect() {
	const first = imageStart - imageBase
	last := heap.Addr // the image ends where the heap begins
	for i := range loaded.ranges {
		r := loaded.ram[i]
		start := (r.Addr + pageSize - 1) &^ (pageSize - 1)
		end := (r.Addr + r.Size) &^ (pageSize - 1)
		if start < first && first < end {
			t.mapRange(directMap+start, start, first-start, entryWrite|entryNoExec)
			start = last
		}
		if start < end {
			t.mapRange(directMap+start, start, end-start, entryWrite|entryNoExec)
		}
	}
	for _, device := range []uint64{0xfec00000, 0xfee00000} {
		t.mapRange(directMap+device, device, pageSize, entryWrite|entryNoExec|entryNoCache)
	}
}

// trapStacks are the stacks of the interrupt stack table.
var trapStacks [amd64.Stacks][6 * pageSize]byte

// guardPage is the lowest whole page of a stack that starts at p.
func guardPage(p unsafe.Pointer) uint64 {
	return (uint64(uintptr(p)) + pageSize - 1) &^ (pageSize - 1)
}

// stackTop is the upper end of trap stack i, divisible by 16.
func stackTop(i int) uint64 {
	return (uint64(uintptr(unsafe.Pointer(&trapStacks[i]))) + uint64(len(trapStacks[i]))) &^ 15
}
