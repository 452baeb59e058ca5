//go:build yolk

package main

import (
	"runtime"
	"runtime/debug"
	"runtime/goos"
)

// How the Go heap is divided.  When an allocation finds no room the runtime ends
// the program, so none must ever come to that.
//
//	0                     5/8              13/16       1  of the arenas
//	│ charged, and really  │ garbage, until │ reserve  │
//	│ in use: mm.Budget,   │ the collector  │          │
//	│ goHeap               │ comes          │          │
//
// WHY so much for garbage: the less there is, the more often the collector has
// to run while the rest is in use.

// limitHeap tells the collector where the reserve begins: its pace is set so that
// it comes before, and where that fails, it comes there.  The limit counts the
// runtime's tables too, in the room before the first arena.
func limitHeap() {
	reserve, tables := arenas.Size*3/16, (heap.Size-arenas.Size)/2
	debug.SetMemoryLimit(int64(arenas.Size - reserve + tables))
	debug.SetGCPercent(400) // the arenas are the heap's anyway: what is left unused there is wasted
	goos.HeapReserve = uintptr(reserve)
}

// goHeap is the kernel's heap behind mm.GoHeap.
type goHeap struct {
	room    int64 // after the last collection that Spare asked for
	charged int64 // since then
}

// Spare implements mm.GoHeap.  It counts what was charged since it saw the heap
// without garbage, and has it collected when that might be too much.
func (h *goHeap) Spare(n int64) bool {
	const piece = 8 // the longest that is allocated at once, one part in so many
	keep := int64(arenas.Size) * 3 / 8
	total, largest := goos.HeapRoom()
	h.charged += n
	if largest >= uintptr(arenas.Size/piece) && (int64(total)-n >= keep || h.room-h.charged >= keep) {
		return true
	}
	runtime.GC()
	total, largest = goos.HeapRoom()
	h.room, h.charged = int64(total), n
	return largest >= uintptr(arenas.Size/piece) && h.room-n >= keep
}
