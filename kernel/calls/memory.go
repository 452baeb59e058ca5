package calls

import (
	"yolk/kernel"
	"yolk/kernel/abi"
	"yolk/kernel/vfs"
	"yolk/mm"
)

// memoryCalls are the system calls about the address space; mm does what they
// ask for.
var memoryCalls = []call{
	{abi.SysBrk, "brk", sysBrk}, {abi.SysMmap, "mmap", sysMmap}, {abi.SysMunmap, "munmap", sysMunmap},
	{abi.SysMprotect, "mprotect", sysMprotect}, {abi.SysMremap, "mremap", sysMremap},
	{abi.SysMadvise, "madvise", sysMadvise}, {abi.SysMincore, "mincore", sysMincore},
	{abi.SysMsync, "msync", sysMapped}, {abi.SysMlock, "mlock", sysMapped}, {abi.SysMunlock, "munlock", sysMapped},
}

// sysBrk returns where the heap ends now; one that could not be moved tells the
// program by that alone (brk(2), C library/kernel differences).
func sysBrk(p *kernel.Process, a *kernel.Args) (uint64, error) {
	end, _ := p.Space().SetBrk(mm.VirtAddr(a[0]))
	return uint64(end), nil
}

// allProt are the bits of PROT_…, which are mm.Prot's own.
const allProt = abi.PROT_READ | abi.PROT_WRITE | abi.PROT_EXEC

func sysMmap(p *kernel.Process, a *kernel.Args) (uint64, error) {
	flags := a[3]
	q := mm.MapRequest{Addr: mm.VirtAddr(a[0]), Length: a[1], Prot: mm.Prot(a[2]), Offset: a[5]}
	if kind := flags & abi.MAP_TYPE; kind == 0 || kind > abi.MAP_SHARED_VALIDATE || a[2]&^allProt != 0 {
		return 0, abi.EINVAL
	} else if kind != abi.MAP_PRIVATE {
		q.Flags |= mm.Shared
	}
	switch {
	case flags&abi.MAP_FIXED_NOREPLACE != 0:
		q.Fixed = mm.FixedNoReplace
	case flags&abi.MAP_FIXED != 0:
		q.Fixed = mm.FixedReplace
	}
	if flags&abi.MAP_ANONYMOUS != 0 {
		q.Offset = 0
		if flags&abi.MAP_GROWSDOWN != 0 {
			q.Flags |= mm.GrowsDown
		}
	} else if err := mapFile(p, &q, int(int32(a[4]))); err != nil {
		return 0, err
	}
	va, err := p.Space().Map(q)
	return uint64(va), err
}

// mapFile fills in what q maps of the file fd, whose access mode decides what
// may be done with the mapping (mmap(2), EACCES).
func mapFile(p *kernel.Process, q *mm.MapRequest, fd int) error {
	d, err := p.Files.Get(fd)
	if err != nil {
		return err
	}
	shared := q.Flags&mm.Shared != 0
	q.MaxProt = mm.AllProt
	if shared && !d.Writable() {
		q.MaxProt &^= mm.Write
	}
	switch {
	case !d.Readable() || q.Prot&^q.MaxProt != 0:
		return vfs.ErrAccess
	case d.Object() == nil:
		return vfs.ErrUnsupported
	}
	q.Object = d.Object()
	if q.Name, err = p.FS.Path(d.Place); err != nil {
		q.Name = d.Place.Name
	}
	return nil
}

func sysMunmap(p *kernel.Process, a *kernel.Args) (uint64, error) {
	return 0, p.Space().Unmap(mm.VirtAddr(a[0]), a[1])
}

func sysMprotect(p *kernel.Process, a *kernel.Args) (uint64, error) {
	if a[2]&^allProt != 0 {
		return 0, abi.EINVAL
	}
	return 0, p.Space().Protect(mm.VirtAddr(a[0]), a[1], mm.Prot(a[2]))
}

func sysMremap(p *kernel.Process, a *kernel.Args) (uint64, error) {
	flags := a[3]
	mayMove, fixed := flags&abi.MREMAP_MAYMOVE != 0, flags&abi.MREMAP_FIXED != 0
	if flags&^(abi.MREMAP_MAYMOVE|abi.MREMAP_FIXED) != 0 || fixed && !mayMove {
		return 0, abi.EINVAL
	}
	va, err := p.Space().Remap(mm.RemapRequest{
		Old: mm.VirtAddr(a[0]), OldLength: a[1], NewLength: a[2],
		MayMove: mayMove, Fixed: fixed, New: mm.VirtAddr(a[4]),
	})
	return uint64(va), err
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
