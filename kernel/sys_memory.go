package kernel

import (
	"yolk/kernel/abi"
	"yolk/kernel/vfs"
	"yolk/mm"
)

// memoryCalls are the system calls that change the address space, see mm for
// what they do; and futex.
var memoryCalls = []Call{
	{abi.SysBrk, "brk", sysBrk}, {abi.SysMmap, "mmap", sysMmap}, {abi.SysMunmap, "munmap", sysMunmap},
	{abi.SysMprotect, "mprotect", sysMprotect}, {abi.SysMremap, "mremap", sysMremap},
	{abi.SysFutex, "futex", sysFutex},
}

// sysBrk returns where the heap ends now; one that could not be moved tells the
// program by that alone (brk(2), C library/kernel differences).
func sysBrk(p *Process, a *Args) (uint64, error) {
	end, _ := p.space.SetBrk(mm.VirtAddr(a[0]))
	return uint64(end), nil
}

// allProt are the bits of PROT_…, which are mm.Prot's own.
const allProt = abi.PROT_READ | abi.PROT_WRITE | abi.PROT_EXEC

func sysMmap(p *Process, a *Args) (uint64, error) {
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
	} else if err := p.mapFile(&q, int(int32(a[4]))); err != nil {
		return 0, err
	}
	va, err := p.space.Map(q)
	return uint64(va), err
}

// mapFile fills in what q maps of the file fd, whose access mode decides what
// may be done with the mapping (mmap(2), EACCES).
func (p *Process) mapFile(q *mm.MapRequest, fd int) error {
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

func sysMunmap(p *Process, a *Args) (uint64, error) {
	return 0, p.space.Unmap(mm.VirtAddr(a[0]), a[1])
}

func sysMprotect(p *Process, a *Args) (uint64, error) {
	if a[2]&^allProt != 0 {
		return 0, abi.EINVAL
	}
	return 0, p.space.Protect(mm.VirtAddr(a[0]), a[1], mm.Prot(a[2]))
}

func sysMremap(p *Process, a *Args) (uint64, error) {
	flags := a[3]
	mayMove, fixed := flags&abi.MREMAP_MAYMOVE != 0, flags&abi.MREMAP_FIXED != 0
	if flags&^(abi.MREMAP_MAYMOVE|abi.MREMAP_FIXED) != 0 || fixed && !mayMove {
		return 0, abi.EINVAL
	}
	va, err := p.space.Remap(mm.RemapRequest{
		Old: mm.VirtAddr(a[0]), OldLength: a[1], NewLength: a[2],
		MayMove: mayMove, Fixed: fixed, New: mm.VirtAddr(a[4]),
	})
	return uint64(va), err
}
