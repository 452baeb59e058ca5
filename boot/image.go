//go:build yolk

package main

import "unsafe"

// The kernel's own ELF headers lie in memory at the start of its text segment:
// the linker puts them there.  They say which part of the image may be
// executed, written or only read.

const imageStart = imageBase + 0x200000

type elfHeader struct {
	Ident             [16]byte
	Type, Machine     uint16
	Version           uint32
	Entry, Phoff      uint64
	Shoff             uint64
	Flags             uint32
	Ehsize, Phentsize uint16
	Phnum             uint16
}

type programHeader struct {
	Type, Flags                             uint32
	Off, Vaddr, Paddr, Filesz, Memsz, Align uint64
}

// Segment types and flags (ELF-64 Object File Format §5).
const (
	segmentLoad  = 1
	segmentExec  = 1
	segmentWrite = 2
)

// segment returns the i-th program header of the image, nil behind the last.
//
//go:nosplit
func segment(i int) *programHeader {
	h := (*elfHeader)(virtual(imageStart))
	if i >= int(h.Phnum) {
		return nil
	}
	return (*programHeader)(virtual(imageStart + h.Phoff + uint64(i)*uint64(h.Phentsize)))
}

// inImage reports whether p is a loadable segment of the image itself; the
// entry stub's segment lies low and is used up once the kernel runs.
//
//go:nosplit
func (p *programHeader) inImage() bool { return p.Type == segmentLoad && p.Vaddr >= imageStart }

// virtual makes a pointer of an address outside the Go heap.
//
//go:nosplit
func virtual(va uint64) unsafe.Pointer { return *(*unsafe.Pointer)(unsafe.Pointer(&va)) }
