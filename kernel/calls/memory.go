package calls

import (
	"yolk/kernel"
	"yolk/kernel/abi"
	"yolk/mm"
)

// memoryCalls are the system calls that advise or ask about memory.
var memoryCalls = []call{
	{abi.SysMadvise, "madvise", sysMadvise}, {abi.SysMincore, "mincore", sysMincore},
	{abi.SysMsync, "msync", sysMapped}, {abi.SysMlock, "mlock", sysMapped}, {abi.SysMunlock, "munlock", sysMapped},
}

// sysMadvise follows the advice that changes what a program can see; advice
// about speed alone is taken and forgotten.  MADV_FREE pages may go at any time,
// at once for instance.
func sysMadvise(p *kernel.Process, a *kernel.Args) (uint64, error) {
	switch int32(a[2]) {
	case abi.MADV_DONTNEED, abi.MADV_FREE:
		return 0, p.Space().Discard(mm.VirtAddr(a[0]), a[1])
	case abi.MADV_NORMAL, abi.MADV_RANDOM, abi.MADV_SEQUENTIAL, abi.MADV_WILLNEED,
		abi.MADV_HUGEPAGE, abi.MADV_NOHUGEPAGE, abi.MADV_COLLAPSE:
		return sysMapped(p, a)
	}
	return 0, abi.EINVAL
}

// sysMapped is for calls that have nothing to do where there is neither swap
// nor a disk behind the page cache, but answer ENOMEM for a range with holes.
func sysMapped(p *kernel.Process, a *kernel.Args) (uint64, error) {
	va, end := mm.VirtAddr(a[0]), mm.VirtAddr(a[0]+a[1])
	if va.Offset() != 0 || end < va {
		return 0, abi.EINVAL
	}
	for va < end {
		r := p.Space().Lookup(va)
		if r == nil {
			return 0, abi.ENOMEM
		}
		va = r.End
	}
	return 0, nil
}

// sysMincore tells which pages of a range are present, a byte each (mincore(2)).
func sysMincore(p *kernel.Process, a *kernel.Args) (uint64, error) {
	if _, err := sysMapped(p, a); err != nil {
		return 0, err
	}
	for va, end, out := a[0], a[0]+a[1], a[2]; va < end; {
		b := p.Scratch()
		b = b[:min((end-va+mm.PageSize-1)/mm.PageSize, uint64(cap(b)))]
		clear(b)
		part := mm.VirtAddr(va)
		va += uint64(len(b)) * mm.PageSize
		p.Space().Walk(part, mm.VirtAddr(va), func(at mm.VirtAddr, _ mm.PTE) bool { // huge reservations are mostly empty
			b[(at-part)/mm.PageSize] = 1
			return true
		})
		if err := p.CopyOut(out, b); err != nil {
			return 0, err
		}
		out += uint64(len(b))
	}
	return 0, nil
}
