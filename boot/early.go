//go:build yolk

package main

import (
	"runtime"
	"runtime/goos"

	"yolk/arch/amd64"
)

const (
	pageSize = 4096
	mebibyte = 1 << 20

	// bootStackSize holds g0's stack, 64 KiB at least, above a guard page.
	bootStackSize = 20 * pageSize

	// The Go heap is made of arenas, of which it gets a quarter of memory,
	// within these bounds (tools/goroot sets their size).
	arenaSize = 4 * mebibyte
	minArenas = 3
	maxArenas = 64

	// minMemory is what a shell needs; less is refused in words.
	minMemory = 40 * mebibyte
)

// bootStack is the stack of the boot path and of the Go scheduler.  Its lowest
// whole page is unmapped by newAddressSpace.
var bootStack [bootStackSize]byte

// noG stands in for the thread-local word that holds g.
var noG [2]uint64

// heap is the range of physical memory that the Go runtime was given, arenas
// the part of it that its heap can have.
var heap, arenas memoryRange

// early runs before the Go runtime, on the boot stack and without a g: it and
// all that it calls are nosplit and allocate nothing.
//
//go:nosplit
func early(info uint64) {
	maskLegacyInterrupts()
	requireFeatures()
	if !readStartInfo(info) {
		refuse("yolk: not started by a PVH loader; use qemu-system-x86_64 -kernel\n")
	}
	calibrate()
	chooseHeap()
}

// maskLegacyInterrupts silences the two 8259s, whose interrupts come through the
// I/O APIC instead.
//
// WHY first of all: the 8254's tick reaches the processor through the local
// APIC's LINT0 until that is masked.  A tick that is pending at that moment
// would stay requested with nobody to name its vector once interrupts go on.
//
//go:nosplit
func maskLegacyInterrupts() {
	amd64.Out8(0x21, 0xff)
	amd64.Out8(0xa1, 0xff)
}

// requireFeatures refuses a processor that lacks what every part relies on.
//
//go:nosplit
func requireFeatures() {
	f := amd64.Detect()
	switch {
	case !f.RDRAND:
		refuse("yolk: the processor has no RDRAND; start QEMU with -cpu max (or -cpu qemu64,+rdrand)\n")
	case !f.NX:
		refuse("yolk: the processor has no NX; start QEMU with -cpu max (or add ,+nx to -cpu)\n")
	case !f.Syscall || !f.FXSR:
		refuse("yolk: the processor has no SYSCALL or FXSAVE; start QEMU with -cpu max\n")
	}
}

// chooseHeap gives the Go runtime a piece of the RAM range that holds the
// image, right behind the image.  The loader put the initrd at the top of
// memory, far from it.
//
//	image end   arenas.Addr, aligned                    heap's end
//	    │ metadata │ arena │ arena │ …               │ arena │
//
// WHY the room before the first arena: arenas are aligned, and what the runtime
// skips for that it gives to its own tables.  Were that too little, they would
// grow behind the last arena, and one that no longer fits is lost whole.
//
//go:nosplit
func chooseHeap() {
	total, end := uint64(0), uint64(0)
	first := imageEnd()
	for i := range loaded.ranges {
		r := &loaded.ram[i]
		total += r.Size
		if r.Addr <= first && first < r.Addr+r.Size {
			end = r.Addr + r.Size
		}
	}
	if loaded.initrd.Size != 0 && loaded.initrd.Addr >= first && loaded.initrd.Addr < end {
		end = loaded.initrd.Addr
	}
	size := min(max((total/4+arenaSize/2)/arenaSize, minArenas), maxArenas) * arenaSize
	start := (first + mebibyte + size/32 + arenaSize - 1) &^ (arenaSize - 1)
	// Beside the heap there must be room for page tables and a few programs.
	if total < minMemory || end < start+size+4*mebibyte {
		refuse("yolk: too little memory; start QEMU with -m 64 or more\n")
	}
	arenas = memoryRange{Addr: start, Size: size}
	heap = memoryRange{Addr: first, Size: start + size - first}
	goos.RamStart = uint(imageBase + heap.Addr)
	goos.RamSize = uint(heap.Size)
	goos.Bloc = uintptr(imageBase + heap.Addr)
	runtime.MemProfileRate = 0 // the table of its samples would take 1.4 MB
}

// imageEnd is the physical address of the first page behind the kernel's image.
//
//go:nosplit
func imageEnd() uint64 {
	end := uint64(0)
	for i := 0; ; i++ {
		p := segment(i)
		if p == nil {
			break
		}
		if p.inImage() {
			end = max(end, p.Vaddr+p.Memsz)
		}
	}
	return (end - imageBase + pageSize - 1) &^ (pageSize - 1)
}

// refuse ends the boot with one sentence on the kernel's log.
//
//go:nosplit
func refuse(sentence string) {
	logString(sentence)
	powerOff(exitBootFailure)
}
