package sys

import "unsafe"

// PageSize is the size of a page on x86-64.
const PageSize = 4096

// Protections, flags and advice of mmap(2), mprotect(2), mremap(2), madvise(2).
const (
	PROT_NONE  = 0
	PROT_READ  = 1
	PROT_WRITE = 2
	PROT_EXEC  = 4

	MAP_SHARED          = 1
	MAP_PRIVATE         = 2
	MAP_FIXED           = 0x10
	MAP_ANONYMOUS       = 0x20
	MAP_NORESERVE       = 0x4000
	MAP_FIXED_NOREPLACE = 0x100000

	MREMAP_MAYMOVE = 1
	MADV_DONTNEED  = 4
)

// Mmap is mmap(2).
func Mmap(addr, length uintptr, prot, flags, fd int, offset int64) (uintptr, error) {
	r, e := Call(SysMmap, addr, length, uintptr(prot), uintptr(flags), uintptr(fd), uintptr(offset))
	if e != 0 {
		return 0, e
	}
	return r, nil
}

// MapPages maps n fresh pages, private and anonymous, readable and writable.
func MapPages(n int) (uintptr, error) {
	return Mmap(0, uintptr(n)*PageSize, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0)
}

// Munmap is munmap(2).
func Munmap(addr, length uintptr) error { return fails(Call(SysMunmap, addr, length, 0, 0, 0, 0)) }

// Mprotect is mprotect(2).
func Mprotect(addr, length uintptr, prot int) error {
	return fails(Call(SysMprotect, addr, length, uintptr(prot), 0, 0, 0))
}

// Madvise is madvise(2).
func Madvise(addr, length uintptr, advice int) error {
	return fails(Call(SysMadvise, addr, length, uintptr(advice), 0, 0, 0))
}

// Mremap is mremap(2).
func Mremap(addr, oldLength, newLength uintptr, flags int) (uintptr, error) {
	r, e := Call(SysMremap, addr, oldLength, newLength, uintptr(flags), 0, 0)
	if e != 0 {
		return 0, e
	}
	return r, nil
}

// Brk is the raw brk(2): it gives the break, old or new; addr 0 only asks.
func Brk(addr uintptr) uintptr { r, _ := Call(SysBrk, addr, 0, 0, 0, 0, 0); return r }

// Peek reads the byte at addr, Poke writes it.  They fault where any access does.
//
//go:nosplit
func Peek(addr uintptr) byte { return **(**byte)(unsafe.Pointer(&addr)) }

// Poke writes the byte at addr; see [Peek].
//
//go:nosplit
func Poke(addr uintptr, v byte) { **(**byte)(unsafe.Pointer(&addr)) = v }

// PokeWord writes the word at addr; see [Peek].
//
//go:nosplit
func PokeWord(addr, v uintptr) { **(**uintptr)(unsafe.Pointer(&addr)) = v }
