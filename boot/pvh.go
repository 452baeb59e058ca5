//go:build yolk

package main

import "unsafe"

// Where physical memory and the kernel's image appear in every address space.
const (
	directMap = 0xffff800000000000 // + physical address
	imageBase = 0xffffffff80000000 // + physical address, for the kernel's image
)

// startInfo is what the PVH loader passes (Xen public headers,
// arch-x86/hvm/start_info.h).
type startInfo struct {
	Magic, Version, Flags, Modules uint32
	ModuleList, CommandLine, RSDP  uint64
	MemoryMap                      uint64
	MemoryMapEntries, _            uint32
}

const startMagic = 0x336ec578

type startModule struct {
	Addr, Size, CommandLine, _ uint64
}

type memoryRange struct {
	Addr, Size uint64
	Type, _    uint32
}

const memoryRAM = 1 // memoryRange.Type of usable memory (ACPI 6.5 table 15.1)

// loaded is what the loader left behind, read while its own memory is still
// untouched.  It is filled before the Go runtime exists, so it holds no Go
// pointers and has fixed sizes.
var loaded struct {
	ram     [32]memoryRange
	ranges  int
	initrd  memoryRange
	command [2048]byte
	length  int
}

// physical returns the object at a physical address, through the direct map.
//
//go:nosplit
func physical[T any](addr uint64) *T {
	return (*T)(virtual(directMap + addr))
}

// readStartInfo copies the start information at a physical address into loaded
// and reports whether it is one.
//
//go:nosplit
func readStartInfo(addr uint64) bool {
	info := physical[startInfo](addr)
	if info.Magic != startMagic {
		return false
	}
	for i := uint64(0); i < uint64(info.MemoryMapEntries) && loaded.ranges < len(loaded.ram); i++ {
		r := physical[memoryRange](info.MemoryMap + i*uint64(unsafe.Sizeof(memoryRange{})))
		if r.Type == memoryRAM {
			loaded.ram[loaded.ranges] = *r
			loaded.ranges++
		}
	}
	if info.Modules > 0 {
		m := physical[startModule](info.ModuleList)
		loaded.initrd = memoryRange{Addr: m.Addr, Size: m.Size}
	}
	if info.CommandLine != 0 {
		for loaded.length < len(loaded.command) {
			c := *physical[byte](info.CommandLine + uint64(loaded.length))
			if c == 0 {
				break
			}
			loaded.command[loaded.length] = c
			loaded.length++
		}
	}
	return true
}
