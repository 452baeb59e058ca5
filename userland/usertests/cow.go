package usertests

import (
	"yolk/userland/kit"
	"yolk/userland/procfs"
	"yolk/userland/sys"
)

func cowTests() []test {
	return []test{
		{"COW-01-second-fork", portable, cowSecondFork},
		{"COW-02-many-mappings", portable, cowManyMappings},
		{"COW-04-only-the-written-page", lazyFork, cowOnePage},
		{"COW-05-reuse-keeps-the-page", portable, cowReuse},
		{"COW-06-read-only-stays-read-only", portable, cowReadOnly},
		{"COW-07-mprotect-around-fork", portable, cowMprotect},
		{"COW-08-parent-writes-first", portable, cowParentFirst},
		{"COW-09-generations", portable, cowGenerations},
		{"COW-10-kernel-writes", portable, cowKernelWrites},
		{"COW-11-copy-across-a-boundary", portable, cowBoundary},
		{"COW-12-kernel-write-to-read-only", portable, cowKernelReadOnly},
		{"COW-14-error-codes", portable, cowErrorCodes},
		{"COW-16-zero-page", portable, cowZeroPage},
		{"COW-17-fresh-memory-is-zero", portable, cowFreshZero},
		{"COW-18-pipe-keeps-old-bytes", portable, cowPipe},
		{"COW-19-discard-and-write-again", portable, cowDirty},
		{"COW-20-shared-and-private", portable, cowShared},
		{"COW-21-after-exit-nothing-is-copied", lazyFork, cowAfterExit},
		{"COW-21-after-exec-nothing-is-copied", lazyFork, cowAfterExec},
		{"COW-22-cutting-through", portable, cowCutting},
	}
}

// fill writes v into the first byte of each of n pages.
func fill(addr uintptr, n int, v byte) {
	for i := range uintptr(n) {
		sys.Poke(addr+i*page, v)
	}
}

// holds tells whether the first byte of each of n pages is v.
func holds(addr uintptr, n int, v byte) bool {
	for i := range uintptr(n) {
		if sys.Peek(addr+i*page) != v {
			return false
		}
	}
	return true
}

// cowSecondFork: a page that is shared already is shared once more and still
// separates all three.
func cowSecondFork(t *T) {
	addr := t.pages(2)
	fill(addr, 2, 1)
	g := t.gate()
	first := t.fork(func() {
		g.pass()
		t.must(holds(addr, 2, 1), "the first child sees another's write")
		fill(addr, 2, 2)
		t.must(holds(addr, 2, 2), "the first child lost its write")
	})
	second := t.fork(func() {
		fill(addr, 2, 3)
		t.must(holds(addr, 2, 3), "the second child lost its write")
	})
	t.join(second)
	g.open()
	t.join(first)
	t.must(holds(addr, 2, 1), "the parent sees a child's write")
	fill(addr, 2, 4)
	t.must(holds(addr, 2, 4), "the parent's write is lost")
}

// cowManyMappings: a page in more than 255 places, in several processes; the
// count does not wrap, and the bytes stay.
func cowManyMappings(t *T) {
	const n = 300
	fd := t.open(t.file("f", "the page", 0o644), sys.O_RDONLY)
	var maps [n]uintptr
	for i := range maps {
		maps[i] = t.mapFile(fd, 1, sys.PROT_READ, sys.MAP_PRIVATE)
		t.must(sys.Peek(maps[i]) == 't', "mapping ", i, " is wrong")
	}
	frame := procfs.PageAt(0, maps[0]).Frame()
	count, err := procfs.FrameCount(frame)
	t.must(err != nil || frame == 0 || count >= n, "the frame's count is ", count)
	t.child(func() {
		for _, m := range maps {
			t.must(sys.Peek(m) == 't', "wrong in the child")
			t.noErr(sys.Munmap(m, page), "munmap")
		}
	})
	for i, m := range maps {
		t.must(sys.Peek(m) == 't', "mapping ", i, " is wrong after the child")
		t.noErr(sys.Munmap(m, page), "munmap")
	}
	m := t.mapFile(fd, 1, sys.PROT_READ, sys.MAP_PRIVATE)
	t.must(sys.Peek(m) == 't', "the page is lost")
}

// cowOnePage: a write after a fork gives the written page another frame, and no
// other page of the whole space.
func cowOnePage(t *T) {
	addr := t.pages(8)
	fill(addr, 8, 1)
	hold := t.gate()
	pid := t.fork(hold.pass)
	before, err := procfs.Pagemap(0, addr, 8)
	t.noErr(err, "pagemap")
	sys.Poke(addr+3*page, 2)
	after, _ := procfs.Pagemap(0, addr, 8)
	for i := range before {
		changed := before[i].Frame() != after[i].Frame()
		t.must(changed == (i == 3), "page ", i, " had frame ", kit.Hex(before[i].Frame()), " and has ", kit.Hex(after[i].Frame()))
	}
	hold.open()
	t.join(pid)
}

// cowReuse: the last owner's write keeps what stood in the page beside it.
func cowReuse(t *T) {
	addr := t.pages(16)
	bytes := sys.Bytes(addr, 16*int(page))
	for i := range bytes {
		bytes[i] = byte(i * 7)
	}
	t.child(func() {})
	fill(addr, 16, 9)
	t.child(func() { t.pages(64) })
	fresh := t.pages(64) // if a page was given back by mistake, it comes here
	fill(fresh, 64, 0xff)
	for i, b := range bytes {
		want := byte(i * 7)
		if i%int(page) == 0 {
			want = 9
		}
		t.must(b == want, "byte ", i, " changed")
	}
}

// cowReadOnly: fork makes nothing writable that was not.
func cowReadOnly(t *T) {
	addr := t.pages(1)
	sys.Poke(addr, 1)
	t.noErr(sys.Mprotect(addr, page, sys.PROT_READ), "mprotect")
	write := func() { sys.Poke(addr, 2) }
	t.dies("a write in the child", write, sys.SIGSEGV)
	t.dies("a write after a fork", write, sys.SIGSEGV)
	t.child(func() { t.dies("a write in the grandchild", write, sys.SIGSEGV) })
	t.must(sys.Peek(addr) == 1, "the page changed")
}

// cowMprotect: read-only at the fork, writable afterwards: the sides separate.
func cowMprotect(t *T) {
	addr := t.pages(2)
	fill(addr, 2, 1)
	t.noErr(sys.Mprotect(addr, 2*page, sys.PROT_READ), "mprotect")
	g := t.gate()
	pid := t.fork(func() {
		t.noErr(sys.Mprotect(addr, 2*page, readWrite), "mprotect")
		fill(addr, 1, 2)
		g.pass()
		t.must(sys.Peek(addr) == 2 && sys.Peek(addr+page) == 1, "the child sees the parent's write")
	})
	t.noErr(sys.Mprotect(addr, 2*page, readWrite), "mprotect")
	fill(addr, 2, 3)
	g.open()
	t.join(pid)
	t.must(holds(addr, 2, 3), "the parent sees the child's write")
}

// cowParentFirst: the parent's own entries were made read-only and its
// translations flushed: its first write does not reach the child.
func cowParentFirst(t *T) {
	addr := t.pages(64)
	fill(addr, 64, 1)
	g := t.gate()
	pid := t.fork(func() {
		g.pass()
		t.must(holds(addr, 64, 1), "the child sees the parent's writes")
	})
	fill(addr, 64, 2)
	g.open()
	t.join(pid)
}

// cowGenerations: parent, child and grandchild share a page; in every order of
// writing and of leaving, each sees its own value.
func cowGenerations(t *T) {
	for _, order := range [][3]int{{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}} {
		addr := t.pages(1)
		sys.Poke(addr, 9)
		var turn, done [3]gate
		for i := range turn {
			turn[i], done[i] = t.gate(), t.gate()
		}
		part := func(i int) {
			turn[i].pass()
			t.must(sys.Peek(addr) == 9, "generation ", i, " sees another's write")
			sys.Poke(addr, byte(i))
			t.must(sys.Peek(addr) == byte(i), "generation ", i, " lost its write")
			done[i].open()
		}
		child := t.fork(func() {
			grandchild := t.fork(func() { part(2) })
			part(1)
			t.join(grandchild)
		})
		for _, i := range order {
			turn[i].open()
			if i == 0 {
				part(0)
			}
			done[i].pass()
		}
		t.join(child)
		t.must(sys.Peek(addr) == 0, "the parent's value is lost")
		t.noErr(sys.Munmap(addr, page), "munmap")
	}
}

// cowKernelWrites: what the kernel writes into a shared page separates it, too:
// read from a file and from a pipe, the wait status, a signal frame.
func cowKernelWrites(t *T) {
	fd := t.open(t.file("f", "xyz", 0o644), sys.O_RDONLY)
	r, w := t.pipe()
	kit.WriteAll(w, []byte("pq"))
	addr := t.pages(4)
	fill(addr, 4, 1)
	g := t.gate()
	pid := t.fork(func() {
		g.pass()
		t.must(holds(addr, 4, 1), "the child sees what the kernel wrote for the parent")
	})
	n, err := sys.Read(fd, sys.Bytes(addr, 3))
	t.must(n == 3 && err == nil && sys.Peek(addr) == 'x', "read from a file: ", n)
	n, err = sys.Read(r, sys.Bytes(addr+page, 2))
	t.must(n == 2 && err == nil && sys.Peek(addr+page) == 'p', "read from a pipe: ", n)
	ended := t.fork(func() { sys.Exit(5) })
	_, e := sys.Call(sys.SysWait4, uintptr(ended), addr+2*page, 0, 0, 0, 0)
	t.must(e == 0 && sys.Peek(addr+2*page+1) == 5, "wait status: ", e)
	t.child(func() { // the signal stack lies in package memory that is shared here
		t.noErr(sys.CountSignal(sys.SIGUSR1, 0, 0), "sigaction")
		t.child(func() { sys.Kill(sys.Getpid(), sys.SIGUSR1) })
		sys.Kill(sys.Getpid(), sys.SIGUSR1)
		t.must(sys.SignalCount(sys.SIGUSR1) == 1, "the handler did not run")
	})
	g.open()
	t.join(pid)
}

// cowBoundary: one read across a page boundary, with each half mapped in its own
// way.  It either fails or stops at the boundary, and never writes where it must
// not.
func cowBoundary(t *T) {
	fd := t.open(t.file("f", "0123456789", 0o644), sys.O_RDONLY)
	for _, second := range []string{"shared", "absent", "read-only", "none", "unmapped"} {
		addr := t.pages(2)
		sys.Poke(addr, 1)
		if second != "absent" {
			sys.Poke(addr+page, 7)
		}
		hold := t.gate()
		pid := t.fork(hold.pass) // the first half is shared
		switch second {
		case "read-only":
			sys.Mprotect(addr+page, page, sys.PROT_READ)
		case "none":
			sys.Mprotect(addr+page, page, sys.PROT_NONE)
		case "unmapped":
			sys.Munmap(addr+page, page)
		}
		sys.Lseek(fd, 0, sys.SEEK_SET)
		n, err := sys.Read(fd, sys.Bytes(addr+page-5, 10))
		whole := second == "shared" || second == "absent"
		switch {
		case whole:
			t.must(err == nil && n == 10 && sys.Peek(addr+page-1) == '4' && sys.Peek(addr+page) == '5', second, ": read gave ", n)
		case err != nil:
			t.wantErr(err, second, sys.EFAULT)
		default:
			t.must(n == 5 && sys.Peek(addr+page-1) == '4', second, ": read gave ", n)
		}
		if second == "read-only" {
			t.must(sys.Peek(addr+page) == 7, "a read-only page was written")
		}
		hold.open()
		t.join(pid)
	}
}

// cowKernelReadOnly: the kernel's write to a page that is read-only, and not
// because it is shared, fails and grants nothing.
func cowKernelReadOnly(t *T) {
	fd := t.open(t.file("f", "xyz", 0o644), sys.O_RDONLY)
	addr := t.pages(1)
	sys.Poke(addr, 1)
	t.noErr(sys.Mprotect(addr, page, sys.PROT_READ), "mprotect")
	_, err := sys.Read(fd, sys.Bytes(addr, 3))
	t.wantErr(err, "read into a read-only page", sys.EFAULT)
	t.must(sys.Peek(addr) == 1, "the page was written")
	t.dies("a write afterwards", func() { sys.Poke(addr, 2) }, sys.SIGSEGV)
	filePage := t.mapFile(fd, 1, sys.PROT_READ, sys.MAP_SHARED)
	sys.Lseek(fd, 1, sys.SEEK_SET)
	_, err = sys.Read(fd, sys.Bytes(filePage, 1))
	t.wantErr(err, "read into a read-only file page", sys.EFAULT)
	t.must(sys.Peek(filePage) == 'x', "the file was changed")
}

// cowErrorCodes: a fetch from a page that holds data, and an access to the
// kernel's half, end in a signal, not in a loop.
func cowErrorCodes(t *T) {
	addr := t.pages(1)
	sys.Poke(addr, 0xc3)
	t.child(func() { // also where the page is shared
		t.dies("a call into data", func() { jump(addr) }, sys.SIGSEGV)
	})
	t.dies("a read of the kernel's half", func() { sys.Peek(0xffff_8000_0000_0000) }, sys.SIGSEGV)
	t.dies("a read of the kernel's text", func() { sys.Peek(0xffff_ffff_8020_0000) }, sys.SIGSEGV)
	t.dies("a jump there", func() { jump(0xffff_ffff_8020_0000) }, sys.SIGSEGV)
}

// cowZeroPage: pages that are only read are zeros, and a write to one shows in
// no other, in no other process.
func cowZeroPage(t *T) {
	const n = 32
	addr, other := t.pages(n), t.pages(n)
	t.must(holds(addr, n, 0) && holds(other, n, 0), "fresh pages are not zero")
	t.child(func() {
		t.must(holds(addr, n, 0), "not zero in the child")
		fill(addr, n, 1)
		t.must(holds(other, n, 0), "the zero page was written")
	})
	t.must(holds(addr, n, 0), "the child's write shows in the parent")
	fill(addr, 1, 2)
	t.must(sys.Peek(addr+page) == 0 && holds(other, n, 0), "the zero page was written")
	t.noErr(sys.Munmap(other, n*page), "munmap")
	again := t.pages(n)
	t.must(holds(again, n, 0), "the zero page is lost")
}

// cowFreshZero: memory that another process left dirty comes as zeros.
func cowFreshZero(t *T) {
	const n = 256
	for range 2 {
		t.child(func() {
			addr := t.pages(n)
			for _, b := range sys.Bytes(addr, n*int(page)) {
				t.must(b == 0, "stale bytes in fresh memory")
			}
			bytes := sys.Bytes(addr, n*int(page))
			for i := range bytes {
				bytes[i] = 0xa5
			}
		})
	}
}

// cowPipe: bytes in a pipe are those of the time of the write.
func cowPipe(t *T) {
	addr := t.pages(1)
	fill(addr, 1, 'o')
	r, w := t.pipe()
	pid := t.fork(func() {
		sys.Sleep(20e6)
		buf := make([]byte, 4096)
		n, _ := kit.Read(r, buf)
		t.must(n == 4096 && buf[0] == 'o', "the reader sees ", buf[:1])
		t.must(sys.Peek(addr) == 'o', "the child's page changed")
	})
	kit.WriteAll(w, sys.Bytes(addr, 4096))
	fill(addr, 1, 'n')
	t.join(pid)
}

// cowDirty: write to a private mapping of a file, discard the copy, write again:
// the file never changes.
func cowDirty(t *T) {
	path := t.file("f", "original", 0o644)
	fd := t.open(path, sys.O_RDONLY)
	addr := t.mapFile(fd, 1, readWrite, sys.MAP_PRIVATE)
	for range 3 {
		t.must(sys.Peek(addr) == 'o', "the mapping does not begin with the file")
		sys.Poke(addr, 'X')
		t.child(func() { sys.Poke(addr, 'Y') })
		t.must(sys.Peek(addr) == 'X', "the private write is lost")
		t.noErr(sys.Madvise(addr, page, sys.MADV_DONTNEED), "madvise")
	}
	text, _ := kit.ReadFile(path)
	t.must(string(text) == "original", "the file became ", text)
}

// cowShared: shared mappings stay shared across fork; private writes reach
// neither the file nor another process.
func cowShared(t *T) {
	path := t.file("f", "abc", 0o644)
	fd := t.open(path, sys.O_RDWR)
	shared := t.mapFile(fd, 1, readWrite, sys.MAP_SHARED)
	private := t.mapFile(fd, 1, readWrite, sys.MAP_PRIVATE)
	anonymous := t.sharedPage()
	t.child(func() {
		sys.Poke(shared, 'S')
		sys.Poke(private+1, 'P')
		sys.Poke(anonymous, 'A')
	})
	t.must(sys.Peek(shared) == 'S' && sys.Peek(anonymous) == 'A', "a shared write is lost")
	t.must(sys.Peek(private+1) == 'b' && sys.Peek(shared+1) == 'b', "a private write got out")
	text, _ := kit.ReadFile(path)
	t.must(string(text) == "Sbc", "the file is ", text)
	sys.Close(fd)
	sys.Unlink(path)
	t.child(func() { sys.Poke(shared+2, 'T') })
	t.must(sys.Peek(shared+2) == 'T', "not shared any more once the file is unlinked")
}

// counted gives by how much the counters of copies and reuses grow while write
// runs.  It works on memory that it has made its own beforehand.
func counted(t *T, write func()) (copies, reuses uint64) {
	fd := t.open("/proc/vmstat", sys.O_RDONLY)
	defer sys.Close(fd)
	bufs := [2][]byte{make([]byte, 8192), make([]byte, 8192)}
	read := func(i int) {
		sys.Lseek(fd, 0, sys.SEEK_SET)
		sys.Read(fd, bufs[i])
	}
	for range 2 {
		read(0)
		read(1)
	}
	read(0)
	write()
	read(1)
	value := func(i int, name string) uint64 {
		n, ok := procfs.Counter(string(bufs[i]), name)
		t.must(ok, "vmstat has no ", name)
		return n
	}
	return value(1, "cow_copy") - value(0, "cow_copy"), value(1, "cow_reuse") - value(0, "cow_reuse")
}

// unmarked ends the test unless the n pages are writable, not marked, and owned
// by this process alone.
func unmarked(t *T, addr uintptr, n int) {
	table, err := procfs.ReadPageTable(0)
	t.noErr(err, "pagetable")
	for i := range uintptr(n) {
		e, ok := table.Find(uint64(addr + i*page))
		t.must(ok && e.Has('W') && !e.Has('C') && e.Refs == 1, "page ", int(i), " is not ordinary again: ", e)
	}
}

// cowAfterExit: once the child has gone, the parent's writes copy nothing.
func cowAfterExit(t *T) {
	const n = 16
	addr := t.pages(n)
	fill(addr, n, 1)
	t.child(func() {})
	copies, reuses := counted(t, func() { fill(addr, n, 2) })
	t.must(copies == 0 && reuses == n, copies, " copies and ", reuses, " reuses")
	unmarked(t, addr, n)
}

// cowAfterExec: the same once the child has become another program.
func cowAfterExec(t *T) {
	const n = 16
	addr := t.pages(n)
	fill(addr, n, 1)
	r, w := t.pipe()
	ready, readyW, err := sys.Pipe2(sys.O_CLOEXEC)
	t.noErr(err, "pipe")
	image := waiter(t)
	pid := t.fork(func() {
		sys.Dup2(r, 0)
		t.must(false, "exec: ", image.Exec())
	})
	sys.Close(readyW)
	kit.Read(ready, make([]byte, 1)) // ends when exec closes the other end
	copies, reuses := counted(t, func() { fill(addr, n, 2) })
	t.must(copies == 0 && reuses == n, copies, " copies and ", reuses, " reuses")
	unmarked(t, addr, n)
	kit.WriteAll(w, []byte{1})
	t.join(pid)
}

// cowCutting: unmapping, protecting and moving ranges that begin and end inside
// a range of shared pages.
func cowCutting(t *T) {
	addr := t.pages(8)
	fill(addr, 8, 1)
	hold := t.gate()
	pid := t.fork(func() {
		hold.pass()
		t.must(holds(addr, 8, 1), "the child's pages changed")
		fill(addr, 8, 3)
	})
	t.noErr(sys.Munmap(addr+page, page), "munmap")
	t.noErr(sys.Mprotect(addr+3*page, page, sys.PROT_READ), "mprotect")
	moved, err := sys.Mremap(addr+5*page, page, 2*page, sys.MREMAP_MAYMOVE)
	t.noErr(err, "mremap")
	t.must(sys.Peek(moved) == 1 && sys.Peek(moved+page) == 0, "the moved page is not what it was")
	for _, p := range []uintptr{addr, addr + 2*page, addr + 4*page, addr + 7*page, moved} {
		sys.Poke(p, 2)
	}
	t.dies("a write to the read-only page", func() { sys.Poke(addr+3*page, 2) }, sys.SIGSEGV)
	t.dies("a read of the unmapped page", func() { sys.Peek(addr + page) }, sys.SIGSEGV)
	hold.open()
	t.join(pid)
	t.must(sys.Peek(moved) == 2 && sys.Peek(addr+3*page) == 1, "the parent's pages changed")
}
