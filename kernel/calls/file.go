package calls

import (
	"yolk/kernel"
	"yolk/kernel/abi"
	"yolk/kernel/vfs"
	"yolk/mm"
)

// fileCalls are the system calls on descriptors.
var fileCalls = []call{
	{abi.SysRead, "read", transfer(oneRange, read)},
	{abi.SysWrite, "write", transfer(oneRange, write)},
	{abi.SysPread64, "pread64", transfer(oneRange, readAt)},
	{abi.SysPwrite64, "pwrite64", transfer(oneRange, writeAt)},
	{abi.SysReadv, "readv", transfer(ranges, read)},
	{abi.SysWritev, "writev", transfer(ranges, write)},
	{abi.SysPreadv, "preadv", transfer(ranges, readAt)},
	{abi.SysPwritev, "pwritev", transfer(ranges, writeAt)},
	{abi.SysSendfile, "sendfile", onFile(sendfile)},
	{abi.SysClose, "close", sysClose},
	{abi.SysLseek, "lseek", onFile(lseek)},
	{abi.SysDup, "dup", sysDup},
	{abi.SysDup2, "dup2", sysDup2},
	{abi.SysDup3, "dup3", sysDup3},
	{abi.SysFcntl, "fcntl", onFile(fcntl)},
	{abi.SysIoctl, "ioctl", onFile(ioctl)},
	{abi.SysPipe, "pipe", adapt(sysPipe2, 1)},
	{abi.SysPipe2, "pipe2", sysPipe2},
	{abi.SysGetdents64, "getdents64", onFile(getdents64)},
	{abi.SysFtruncate, "ftruncate", onFile(ftruncate)},
	{abi.SysFsync, "fsync", onFile(fsync)},
	{abi.SysFdatasync, "fdatasync", onFile(fsync)},
	{abi.SysSyncfs, "syncfs", onFile(fsync)},
}

// file returns the description that a call's argument names.
func file(p *kernel.Process, fd uint64) (*vfs.Description, error) {
	return p.Files.Get(int(int32(fd)))
}

// onFile makes a call out of what is done with the description that the first
// argument names.
func onFile(do func(p *kernel.Process, d *vfs.Description, a *kernel.Args) (uint64, error)) doer {
	return func(p *kernel.Process, a *kernel.Args) (uint64, error) {
		d, err := file(p, a[0])
		if err != nil {
			return 0, err
		}
		return do(p, d, a)
	}
}

// userMemory is what a transfer fills or empties.
type userMemory interface {
	vfs.Sink
	vfs.Source
}

// transfer makes a call that moves bytes between a file and the memory that the
// second and third argument name.  An error counts only if it came before the
// first byte.
func transfer(
	memory func(p *kernel.Process, va, n uint64) (userMemory, error),
	move func(p *kernel.Process, d *vfs.Description, m userMemory, off int64) (int, error),
) doer {
	return onFile(func(p *kernel.Process, d *vfs.Description, a *kernel.Args) (uint64, error) {
		m, err := memory(p, a[1], a[2])
		if err != nil {
			return 0, err
		}
		n, err := move(p, d, m, int64(a[3]))
		if n > 0 {
			err = nil
		}
		return uint64(n), err
	})
}

func read(p *kernel.Process, d *vfs.Description, m userMemory, _ int64) (int, error) {
	return d.Read(p, m)
}
func write(p *kernel.Process, d *vfs.Description, m userMemory, _ int64) (int, error) {
	return d.Write(p, m)
}
func readAt(p *kernel.Process, d *vfs.Description, m userMemory, off int64) (int, error) {
	return d.ReadAt(p, m, off)
}
func writeAt(p *kernel.Process, d *vfs.Description, m userMemory, off int64) (int, error) {
	return d.WriteAt(p, m, off)
}

// oneRange is the memory of read(2) and write(2).
func oneRange(p *kernel.Process, va, n uint64) (userMemory, error) {
	if int64(n) < 0 {
		return nil, abi.EINVAL
	}
	return p.Space().Range(mm.VirtAddr(va), int(min(n, abi.MAX_RW_COUNT))), nil
}

// vector is the memory that an array of struct iovec names (readv(2)).  Its
// elements are read when their turn comes; whatever the user does to the array
// meanwhile, no more bytes are moved than were counted at first.
type vector struct {
	space *mm.AddressSpace
	next  mm.VirtAddr // of the next element
	left  int         // bytes left in all
	cur   *mm.UserRange
}

// ranges is the memory of readv(2) and writev(2).
func ranges(p *kernel.Process, va, n uint64) (userMemory, error) {
	if n > abi.IOV_MAX {
		return nil, abi.EINVAL
	}
	v := &vector{space: p.Space(), next: mm.VirtAddr(va), cur: p.Space().Range(0, 0)}
	for i := range n {
		size, err := p.Space().LoadUint64(v.next + mm.VirtAddr(i*abi.IOVecSize+8))
		if err != nil {
			return nil, err
		}
		if int64(size) < 0 || v.left+int(size) < 0 {
			return nil, abi.EINVAL
		}
		v.left += int(size)
	}
	v.left = min(v.left, abi.MAX_RW_COUNT)
	return v, nil
}

// Len implements vfs.Sink and vfs.Source.
func (v *vector) Len() int { return v.left }

// Read implements vfs.Source.
func (v *vector) Read(b []byte) (int, error) { return v.each(b, (*mm.UserRange).Read) }

// Write implements vfs.Sink.
func (v *vector) Write(b []byte) (int, error) { return v.each(b, (*mm.UserRange).Write) }

// each moves b piece by piece between the elements and the kernel.
func (v *vector) each(b []byte, move func(*mm.UserRange, []byte) (int, error)) (done int, err error) {
	for done < len(b) && err == nil {
		if v.cur.Len() == 0 {
			err = v.advance()
			continue
		}
		var n int
		n, err = move(v.cur, b[done:min(len(b), done+v.cur.Len())])
		done, v.left = done+n, v.left-n
	}
	return done, err
}

// advance goes on to the next element.
func (v *vector) advance() error {
	base, err := v.space.LoadUint64(v.next)
	if err != nil {
		return err
	}
	size, err := v.space.LoadUint64(v.next + 8)
	if err != nil {
		return err
	}
	v.next += abi.IOVecSize
	v.cur = v.space.Range(mm.VirtAddr(base), int(min(size, uint64(v.left))))
	return nil
}

// sendfile declines: its callers fall back to read and write (sendfile(2),
// NOTES).
func sendfile(p *kernel.Process, _ *vfs.Description, a *kernel.Args) (uint64, error) {
	if _, err := file(p, a[1]); err != nil {
		return 0, err
	}
	return 0, abi.EINVAL
}

func sysClose(p *kernel.Process, a *kernel.Args) (uint64, error) {
	return 0, p.Files.Close(int(int32(a[0])))
}

func lseek(_ *kernel.Process, d *vfs.Description, a *kernel.Args) (uint64, error) {
	off, err := d.Seek(int64(a[1]), int(int32(a[2])))
	return uint64(off), err
}

func sysDup(p *kernel.Process, a *kernel.Args) (uint64, error) {
	fd, err := p.Files.Dup(int(int32(a[0])), 0, false)
	return uint64(fd), err
}

func sysDup2(p *kernel.Process, a *kernel.Args) (uint64, error) {
	if int32(a[0]) != int32(a[1]) {
		a[2] = 0
		return sysDup3(p, a)
	}
	_, err := file(p, a[0])
	return uint64(uint32(a[1])), err
}

func sysDup3(p *kernel.Process, a *kernel.Args) (uint64, error) {
	from, to := int32(a[0]), int32(a[1])
	if from == to || a[2]&^abi.O_CLOEXEC != 0 {
		return 0, abi.EINVAL
	}
	return uint64(to), p.Files.DupTo(int(from), int(to), a[2] != 0)
}

// fcntl does what concerns descriptors and status flags; there are no locks,
// leases and owners (fcntl(2)).
func fcntl(p *kernel.Process, d *vfs.Description, a *kernel.Args) (uint64, error) {
	fd := int(int32(a[0]))
	switch a[1] {
	case abi.F_DUPFD, abi.F_DUPFD_CLOEXEC:
		to, err := p.Files.Dup(fd, int(int32(a[2])), a[1] == abi.F_DUPFD_CLOEXEC)
		return uint64(to), err
	case abi.F_GETFD:
		if p.Files.Cloexec(fd) {
			return abi.FD_CLOEXEC, nil
		}
		return 0, nil
	case abi.F_SETFD:
		p.Files.SetCloexec(fd, a[2]&abi.FD_CLOEXEC != 0)
		return 0, nil
	case abi.F_GETFL:
		return uint64(d.Flags()), nil
	case abi.F_SETFL:
		d.SetFlags(int(a[2]))
		return 0, nil
	}
	return 0, abi.EINVAL
}

func ioctl(p *kernel.Process, d *vfs.Description, a *kernel.Args) (uint64, error) {
	switch req := uint32(a[1]); req {
	case abi.FIOCLEX, abi.FIONCLEX:
		p.Files.SetCloexec(int(int32(a[0])), req == abi.FIOCLEX)
		return 0, nil
	case abi.FIONBIO:
		on, err := p.Space().LoadUint32(mm.VirtAddr(a[2]))
		if err != nil {
			return 0, err
		}
		flags := d.Flags() &^ abi.O_NONBLOCK
		if on != 0 {
			flags |= abi.O_NONBLOCK
		}
		d.SetFlags(flags)
		return 0, nil
	default:
		if c, ok := d.Handle.(vfs.Controller); ok {
			return 0, c.Ioctl(p, req, a[2], p.Space())
		}
	}
	return 0, vfs.ErrNotTTY
}

func sysPipe2(p *kernel.Process, a *kernel.Args) (uint64, error) {
	if a[1]&^(abi.O_CLOEXEC|abi.O_NONBLOCK|abi.O_DIRECT) != 0 {
		return 0, abi.EINVAL
	}
	r, w, err := openPipe(p, int(a[1]))
	if err != nil {
		return 0, err
	}
	b := abi.AppendInt(abi.AppendInt(p.Scratch(), int32(r)), int32(w))
	if err = p.CopyOut(a[0], b); err != nil {
		p.Files.Close(r)
		p.Files.Close(w)
	}
	return 0, err
}

// openPipe makes a pipe and opens descriptors for its ends; on an error it
// leaves neither.
func openPipe(p *kernel.Process, flags int) (r, w int, err error) {
	reader, writer, node := p.FS.System.Pipes.Pipe(p)
	if r, err = install(p, reader, node, abi.O_RDONLY|flags); err != nil {
		writer.Close()
		return 0, 0, err
	}
	if w, err = install(p, writer, node, abi.O_WRONLY|flags); err != nil {
		p.Files.Close(r)
	}
	return r, w, err
}

// install opens a descriptor for a handle, which it closes if it cannot.
func install(p *kernel.Process, h vfs.Handle, node vfs.Node, flags int) (int, error) {
	d, err := p.FS.System.NewDescription(p, h, vfs.Place{Node: node}, flags&^abi.O_CLOEXEC)
	if err != nil {
		return 0, err
	}
	return p.Files.Open(d, 0, flags&abi.O_CLOEXEC != 0)
}

func getdents64(p *kernel.Process, d *vfs.Description, a *kernel.Args) (uint64, error) {
	buf := p.Space().Range(mm.VirtAddr(a[1]), int(uint32(a[2])))
	done, fault := uint64(0), error(nil)
	err := d.ReadDir(p, func(e vfs.Entry) bool {
		size := abi.DirentSize(len(e.Name))
		if size > buf.Len() {
			fault = abi.EINVAL // unless other entries came before
			return false
		}
		if _, fault = buf.Write(abi.AppendDirent(p.Scratch(), e.Ino, e.Next, e.Mode, e.Name)); fault != nil {
			return false
		}
		done += uint64(size)
		return true
	})
	switch {
	case done > 0:
		return done, nil
	case err == nil:
		err = fault
	}
	return 0, err
}

func ftruncate(p *kernel.Process, d *vfs.Description, a *kernel.Args) (uint64, error) {
	if !d.Writable() || d.Object() == nil {
		return 0, abi.EINVAL
	}
	return 0, truncate(p, d.Place, a[1:])
}

// fsync has nothing to do: what is written is in memory, and stays there.
func fsync(*kernel.Process, *vfs.Description, *kernel.Args) (uint64, error) { return 0, nil }
