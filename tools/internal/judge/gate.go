package judge

import (
	"bytes"

	"yolk/kernel/abi"
)

var gateCases = []Case{
	{Name: "gate-registers", script: gateRegisters},
	{Name: "gate-copies", Stdin: true, script: gateCopies},
	{Name: "gate-bad-pointers", script: gateBadPointers},
}

// gateRegisters: a system call keeps all registers but three (which is looked at
// at each step of each case), whatever its number, and unknown ones are ENOSYS.
func gateRegisters(j *Judge) {
	p := j.first
	pid := p.call(abi.SysGetpid)
	for range 25 {
		nr := uint64(600 + j.rand.IntN(1<<20))
		switch j.rand.IntN(3) {
		case 0:
			nr = j.rand.Uint64() | 1<<63
		case 1: // one that there is, in the lower half of RAX
			nr = abi.SysGetpid + uint64(1+j.rand.IntN(1<<20))<<32
		}
		got := p.call(nr, j.rand.Uint64(), j.rand.Uint64(), j.rand.Uint64(), j.rand.Uint64(), j.rand.Uint64(), j.rand.Uint64())
		j.want(got == -int64(abi.ENOSYS), "system call %d, which is none, returns %d", int64(nr), got)
		got = p.call(abi.SysGetpid, j.rand.Uint64(), j.rand.Uint64())
		j.want(got == pid && pid > 0, "getpid returns %d, and returned %d before", got, pid)
	}
}

// gateCopies: bytes go in and out as they are, across pages and at any offset.
func gateCopies(j *Judge) {
	p := j.first
	base, pages := p.secrets(4)
	memory := bytes.Join(pages, nil)
	var written []byte
	taken := 0
	for i := range 12 {
		at := j.rand.IntN(len(memory))
		n := 1 + j.rand.IntN(len(memory)-at)
		left := len(j.stdin) - taken // when all was read, who reads gets nothing
		if i == 0 || i > 1 && j.rand.IntN(2) == 0 || left == 0 {
			got := p.call(abi.SysWrite, 1, base+uint64(at), uint64(n))
			j.want(got == int64(n), "write of %d bytes returns %d", n, got)
			written = append(written, memory[at:at+n]...)
			continue
		}
		n = min(n, left)
		got := int(p.call(abi.SysRead, 0, base+uint64(at), uint64(n)))
		j.want(got > 0 && got <= n, "read of %d bytes returns %d", n, got)
		if !j.ok() {
			return
		}
		copy(memory[at:], j.stdin[taken:taken+got])
		taken += got
		j.holds(p, base, memory)
	}
	j.wrote = written
}

// gateBadPointers: where the user may not go, the kernel does not go for it.
func gateBadPointers(j *Judge) {
	const readable, privateAnonymous = 1, 0x22
	p := j.first
	base, pages := p.secrets(2)
	readOnly := uint64(p.call(abi.SysMmap, 0, pageSize, readable, privateAnonymous, ^uint64(0), 0))
	fds := p.argument()
	hole := p.mapPages(1)
	j.want(p.call(abi.SysMunmap, hole, pageSize) == 0, "munmap fails")
	j.want(p.call(abi.SysPipe2, fds, 0) == 0, "pipe2 fails")
	r, w := uint64(p.read(fds, 1)[0]), uint64(p.read(fds+4, 1)[0])
	j.want(p.call(abi.SysWrite, w, base, 100) == 100, "write to a pipe fails")
	offset := uint64(j.rand.IntN(pageSize))
	kernel := uint64(0xffff_8000_0000_0000) + j.rand.Uint64()%(1<<30)
	for _, c := range []struct {
		what   string
		nr, fd uint64
		va     uint64
	}{
		{"write(2) from where nothing is", abi.SysWrite, w, hole + offset},
		{"write(2) from the kernel's half", abi.SysWrite, w, kernel},
		{"write(2) from an address that is not canonical", abi.SysWrite, w, 1<<47 + offset},
		{"write(2) from the end of the address space", abi.SysWrite, w, ^uint64(0) - 3},
		{"read(2) to where nothing is", abi.SysRead, r, hole + offset},
		{"read(2) to the kernel's half", abi.SysRead, r, kernel},
		{"read(2) to what is read-only", abi.SysRead, r, readOnly + offset},
		{"read(2) to the program's text", abi.SysRead, r, j.box.mark},
	} {
		got := p.call(c.nr, c.fd, c.va, 8)
		j.want(got == -int64(abi.EFAULT), "%s, %#x, returns %d, and not EFAULT", c.what, c.va, got)
	}
	j.holds(p, base, pages[0])
	j.want(p.call(abi.SysRead, r, base+pageSize, 100) == 100, "what stood in the pipe is lost")
	copy(pages[1], pages[0][:100])
	j.holds(p, base+pageSize, pages[1])
}
