package proc

import (
	"encoding/binary"
	"fmt"

	"yolk/kernel"
	"yolk/mm"
)

// enough is the size in bytes from which a record takes no more lines.
const enough = 512

// maps is proc_pid_maps(5); a record's key is the address behind the regions of
// the one before.
func maps(fs *FS, p *kernel.Process, key uint64, b []byte) ([]byte, uint64) {
	if p.Space() == nil {
		return b, 0
	}
	for r := range p.Space().RegionsFrom(mm.VirtAddr(key)) {
		if len(b) >= enough {
			return b, key
		}
		b, key = fs.region(r, b), uint64(r.End)
	}
	return b, 0
}

// region appends the line of maps about r.
func (fs *FS) region(r *mm.Region, b []byte) []byte {
	share := 'p'
	if r.Shared() {
		share = 's'
	}
	var dev, ino uint64
	if r.Object != nil && r.Name != "" {
		if at, err := fs.Names.Walk(nil, nil, r.Name, 0); err == nil {
			st := at.Node.Stat()
			dev, ino = st.Dev, st.Ino
		}
	}
	start := len(b)
	b = fmt.Appendf(b, "%08x-%08x %s%c %08x %02x:%02x %d", uint64(r.Start), uint64(r.End),
		r.Prot, share, r.Offset, dev>>8, dev&0xff, ino)
	if r.Name != "" {
		b = append(fmt.Appendf(b, "%*s", max(1, 73-(len(b)-start)), ""), r.Name...)
	}
	return append(b, '\n')
}

// pagetable is Yolk's own: the root, then a line a present entry of the last
// level; a record's key is the address behind the pages of the one before.
//
//	root=0x1f000
//	0x000000400000 frame=0x12 P-U-A-- refs=1
//
// The flags are present, writable, user, no-execute, accessed, dirty and
// copy-on-write; refs counts all references to the frame.
func pagetable(fs *FS, p *kernel.Process, key uint64, b []byte) ([]byte, uint64) {
	space := p.Space()
	if space == nil {
		return b, 0
	}
	if key == 0 {
		b = fmt.Appendf(b, "root=%#x\n", uint64(space.Root().Addr()))
	}
	next := uint64(0)
	space.Walk(mm.VirtAddr(key), mm.UserEnd, func(va mm.VirtAddr, e mm.PTE) bool {
		flags := []byte("PWUNADC")
		for i, on := range [...]bool{true, e.Writable(), e.User(), !e.Executable(), e.Accessed(), e.Dirty(), e.COW()} {
			if !on {
				flags[i] = '-'
			}
		}
		b = fmt.Appendf(b, "0x%012x frame=%#x %s refs=%d\n", uint64(va), uint64(e.Frame()), flags, fs.Kernel.Memory().Frames.Refs(e.Frame()))
		if len(b) >= enough {
			next = uint64(va) + mm.PageSize
		}
		return next == 0
	})
	return b, next
}

// Bits of a word of pagemap (proc_pid_pagemap(5)).
const (
	pageExclusive = 1 << 56
	pageFile      = 1 << 61 // of a file, or shared
	pagePresent   = 1 << 63
)

// pagemap tells for each page of a process which frame backs it.
func pagemap(fs *FS, p *kernel.Process, index, n uint64, b []byte) []byte {
	end := uint64(mm.UserEnd) >> mm.PageShift
	if p.Space() == nil || index >= end {
		return b
	}
	n = min(n, end-index)
	b = append(b, make([]byte, 8*n)...)
	p.Space().Walk(mm.VirtAddr(index<<mm.PageShift), mm.VirtAddr((index+n)<<mm.PageShift), func(va mm.VirtAddr, e mm.PTE) bool {
		word, refs := pagePresent|uint64(e.Frame()), fs.Kernel.Memory().Frames.Refs(e.Frame())
		if r := p.Space().Lookup(va); r.Object != nil && (r.Shared() || !e.Writable() && !e.Dirty()) {
			word |= pageFile // what was never written is the file's own
			refs--           // the page cache's reference is no mapping
		}
		if refs == 1 {
			word |= pageExclusive
		}
		binary.LittleEndian.PutUint64(b[8*(uint64(va)>>mm.PageShift-index):], word)
		return true
	})
	return b
}

// kpagecount tells for each frame how many entries of page tables map it.
//
// WHY by walking and not from the frame's count: that counts the page cache, the
// pipes and the page tables as well.
func kpagecount(fs *FS, _ *kernel.Process, index, n uint64, b []byte) []byte {
	m := fs.Kernel.Memory()
	n = min(n, max(uint64(m.Phys.Frames()), index)-index)
	counts, seen := make([]uint64, n), map[*mm.AddressSpace]bool{nil: true}
	for _, pid := range fs.Kernel.PIDs() {
		space := fs.Kernel.Process(pid).Space()
		if seen[space] {
			continue
		}
		seen[space] = true
		space.Walk(0, mm.UserEnd, func(_ mm.VirtAddr, e mm.PTE) bool {
			if i := uint64(e.Frame()) - index; i < n && e.Frame() != m.ZeroFrame() {
				counts[i]++
			}
			return true
		})
	}
	for _, c := range counts {
		b = binary.LittleEndian.AppendUint64(b, c)
	}
	return b
}
