package mm

import "fmt"

// Sizes of the four-level paging scheme (SDM 3A §4.5).
const (
	PageShift = 12
	PageSize  = 1 << PageShift
	pageMask  = PageSize - 1

	indexBits = 9              // bits of an address that index one table
	Entries   = 1 << indexBits // entries of a table
	topLevel  = 4              // the PML4; a PT is level 1
	leafShift = PageShift + indexBits
)

// The user half of an address space.  Page 0 stays unmapped, so that a nil
// dereference faults; the last page below the canonical boundary stays
// unmapped, so that a SYSCALL instruction can never stand right before the
// non-canonical hole (SYSRET would fault in ring 0, SDM 2B SYSRET).
const (
	MinUser VirtAddr = 0x1000
	UserEnd VirtAddr = 0x7fff_ffff_f000 // exclusive
	MmapTop VirtAddr = 0x7fff_0000_0000 // Map looks for room downward from here

	userTop VirtAddr = 1 << 47 // end of what the lower half of the PML4 covers
)

// VirtAddr is a virtual address of a user address space.
type VirtAddr uint64

// PhysAddr is a physical address.
type PhysAddr uint64

// Frame is the number of a page-sized piece of physical memory: its physical
// address divided by PageSize.  Frame 0 is never handed out; it means "none".
type Frame uint64

// Page returns the address of the page that va lies in.
func (va VirtAddr) Page() VirtAddr { return va &^ pageMask }

// Offset returns va's distance in bytes from the start of its page.
func (va VirtAddr) Offset() uint64 { return uint64(va & pageMask) }

// PageUp returns va rounded up to a page boundary; va must not exceed UserEnd.
func (va VirtAddr) PageUp() VirtAddr { return (va + pageMask) &^ pageMask }

// Index returns which entry of a table of the given level translates va.
//
//	 63      48 47   39 38   30 29   21 20   12 11        0
//	+----------+-------+-------+-------+-------+-----------+
//	| sign     | PML4  | PDPT  | PD    | PT    | offset in |
//	| extension| index | index | index | index | the page  |
//	+----------+-------+-------+-------+-------+-----------+
//	   level:      4       3       2       1      (SDM 3A fig. 4-8)
//
//lab:paging 1 say which entry of a table of this level translates va
func (va VirtAddr) Index(level int) int {
	return int(va>>(PageShift+indexBits*(level-1))) & (Entries - 1)
}

// span is the number of bytes that one entry of a table of this level covers.
func span(level int) VirtAddr { return 1 << (PageShift + indexBits*(level-1)) }

// spanEnd returns the first address past the stretch that va's entry covers.
func spanEnd(va VirtAddr, level int) VirtAddr { return (va | (span(level) - 1)) + 1 }

// Addr returns the physical address of the frame's first byte.
func (f Frame) Addr() PhysAddr { return PhysAddr(f) << PageShift }

// PTE is one entry of a page table of any level, as the processor reads it
// (SDM 3A §4.5, fig. 4-11):
//
//	 63  62     52 51                    12 11  10   9  8 7 6 5 4 3  2   1   0
//	+---+---------+------------------------+------+---+-+-+-+-+-+-+---+---+---+
//	|NX | ignored |  frame number          |ignor.|COW|G|S|D|A|C|T|U/S|R/W| P |
//	+---+---------+------------------------+------+---+-+-+-+-+-+-+---+---+---+
//
// Bits 9 to 11 are ignored by the processor and free for software; bit 9 is
// Yolk's copy-on-write mark.
type PTE uint64

// The bits of a PTE that Yolk uses.
const (
	Present  PTE = 1 << 0  // P: the entry translates
	Writable PTE = 1 << 1  // R/W: writes are allowed
	User     PTE = 1 << 2  // U/S: user mode may use it; clear under PROT_NONE
	Accessed PTE = 1 << 5  // A: set by the processor on first use
	Dirty    PTE = 1 << 6  // D: set by the processor on first write; leaf entries only
	COW      PTE = 1 << 9  // software: a write copies the page first
	NX       PTE = 1 << 63 // instruction fetches fault

	frameBits PTE = 0x000f_ffff_ffff_f000
)

// Present reports whether the entry translates at all.
func (e PTE) Present() bool { return e&Present != 0 }

// Writable reports whether the processor lets writes through.
func (e PTE) Writable() bool { return e&Writable != 0 }

// User reports whether the processor lets user mode through.
func (e PTE) User() bool { return e&User != 0 }

// Accessed reports whether the page was used since the bit was last cleared.
func (e PTE) Accessed() bool { return e&Accessed != 0 }

// Dirty reports whether the page was written through this entry.
func (e PTE) Dirty() bool { return e&Dirty != 0 }

// COW reports whether the page is marked copy-on-write.
func (e PTE) COW() bool { return e&COW != 0 }

// Executable reports whether instruction fetches are let through.
func (e PTE) Executable() bool { return e&NX == 0 }

// Frame returns the frame that the entry points at; 0 for an empty entry.
func (e PTE) Frame() Frame { return Frame(e&frameBits) >> PageShift }

// String draws the entry as GDB helpers and failures show it: frame and flags.
//
//lab:paging 1 decode an entry: its frame, and a letter for each flag
func (e PTE) String() string {
	flags := []byte("PWUADCX")
	for i, on := range []bool{e.Present(), e.Writable(), e.User(), e.Accessed(), e.Dirty(), e.COW(), e.Executable()} {
		if !on {
			flags[i] = '-'
		}
	}
	return fmt.Sprintf("%#x %s", uint64(e.Frame()), flags)
}

// entry returns an entry that points at f with the given flags.
func entry(f Frame, flags PTE) PTE { return PTE(f)<<PageShift | flags }

// Table is one page table of any level: 512 entries, exactly one frame.
type Table [Entries]PTE

// FaultCode is the error code that the processor pushes on #PF (SDM 3A §4.7).
type FaultCode uint32

// The bits of a FaultCode.
const (
	FaultPresent  FaultCode = 1 << 0 // the page was present: a right was missing
	FaultWrite    FaultCode = 1 << 1 // the access was a write
	FaultUser     FaultCode = 1 << 2 // the access came from user mode
	FaultReserved FaultCode = 1 << 3 // a reserved bit was set in some entry
	FaultFetch    FaultCode = 1 << 4 // the access was an instruction fetch
)

// Write reports whether the access was a write.
func (c FaultCode) Write() bool { return c&FaultWrite != 0 }

// Fetch reports whether the access was an instruction fetch.
func (c FaultCode) Fetch() bool { return c&FaultFetch != 0 }

// Access names the access for reports, with a preposition: "write to".
func (c FaultCode) Access() string {
	switch {
	case c.Fetch():
		return "fetch from"
	case c.Write():
		return "write to"
	}
	return "read of"
}
