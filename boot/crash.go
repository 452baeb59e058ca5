//go:build yolk

package main

import (
	"unsafe"

	"yolk/mm"
)

// crash raises a fault on purpose, for the parameter crash=KIND: to see what
// a report looks like, and to test that each ends in one.
//
//	nil      write through a nil pointer: page 0 is not mapped
//	low      read the boot stub's identity map, which must be gone
//	text     write to the kernel's text
//	alias    write to the kernel's text through the direct map
//	rodata   write to a constant
//	exec     jump into writable data
//	stack    run off a trap stack's guard page
//	panic    a Go panic
//	ud       an invalid opcode
//	refs     a reference to a frame that nobody has: /proc/check must find it;
//	         only by /dev/crash, when there is a memory to spoil
//	hang     a loop without end, interrupts off: the heart stops
//	device   nothing yet: /dev/crash raises whatever KIND is written to it
func crash(kind string, memory *mm.Memory) {
	text := funcEntry()
	switch kind {
	case "nil":
		*(*byte)(virtual(0)) = 1
	case "low":
		sink = *(*byte)(virtual(0x100000))
	case "text":
		*(*byte)(virtual(text)) = 1
	case "alias":
		*(*byte)(virtual(text - imageBase + directMap)) = 1
	case "rodata":
		*unsafe.StringData(kind[:0] + "a constant") = 1
	case "exec":
		jump(uint64(uintptr(unsafe.Pointer(&bootStack))))
	case "stack":
		*(*byte)(virtual(guardPage(unsafe.Pointer(&trapStacks[0])))) = 1
	case "panic":
		panic("asked for by crash=panic")
	case "ud":
		invalid()
	case "refs":
		if memory != nil {
			memory.Frames.Get(memory.ZeroFrame())
		}
	case "hang":
		logString("asked for by crash=hang: the kernel loops\n")
		for {
		}
	}
}

var sink byte

// Defined in crash.s.
func funcEntry() uint64
func jump(to uint64)
func invalid()
