package usertests

import (
	"yolk/userland/kit"
	"yolk/userland/procfs"
	"yolk/userland/sys"
)

func mmapTests() []test {
	return []test{
		{"MMAP-01-end-of-file", portable, mmapEOF},
		{"MMAP-02-truncate", portable, mmapTruncate},
		{"MMAP-02-behind-the-end", yolk, mmapBehindTheEnd},
		{"MMAP-03-splitting", portable, mmapSplit},
		{"MMAP-04-failing-fixed", portable, mmapFixed},
		{"MMAP-06-kernel-and-cold-pages", portable, mmapCold},
		{"MMAP-07-stack-growth", portable, mmapStack},
		{"MMAP-08-protections", portable, mmapProtections},
		{"MMAP-09-huge-reservations", portable, mmapHuge},
		{"MMAP-errors", portable, mmapErrors},
		{"MMAP-brk", portable, mmapBrk},
		{"MMAP-mremap", portable, mmapMremap},
		{"MMAP-one-fault-one-page", yolk, mmapOnePage},
	}
}

// mmapEOF: the rest of a file's last page is zero, what follows is SIGBUS.
func mmapEOF(t *T) {
	fd := t.open(t.file("f", "abc", 0o644), sys.O_RDWR)
	for _, flags := range []int{sys.MAP_PRIVATE, sys.MAP_SHARED} {
		addr := t.mapFile(fd, 3, readWrite, flags)
		t.must(sys.Peek(addr+2) == 'c' && sys.Peek(addr+3) == 0 && sys.Peek(addr+page-1) == 0, "the rest is not zero")
		t.dies("a read past the end", func() { sys.Peek(addr + page) }, sys.SIGBUS)
		t.dies("a write past the end", func() { sys.Poke(addr+2*page, 1) }, sys.SIGBUS)
	}
	addr := t.mapFile(fd, 2, sys.PROT_READ, sys.MAP_PRIVATE)
	_, w := t.pipe()
	_, err := sys.Write(w, sys.Bytes(addr+page, 1))
	t.wantErr(err, "the kernel's read past the end", sys.EFAULT)
}

// mmapTruncate: pages that the file has lost are SIGBUS, and zeros when it grows
// again.
func mmapTruncate(t *T) {
	path := t.file("f", "", 0o644)
	fd := t.open(path, sys.O_RDWR)
	t.noErr(sys.Ftruncate(fd, 4*int64(page)), "ftruncate")
	addr := t.mapFile(fd, 4, readWrite, sys.MAP_SHARED)
	fill(addr, 4, 7)
	t.noErr(sys.Ftruncate(fd, int64(page)+10), "ftruncate")
	t.must(sys.Peek(addr) == 7 && sys.Peek(addr+page) == 7, "a page that is left changed")
	t.dies("a page that is lost", func() { sys.Peek(addr + 2*page) }, sys.SIGBUS)
	t.noErr(sys.Ftruncate(fd, 4*int64(page)), "ftruncate")
	t.must(sys.Peek(addr+2*page) == 0 && sys.Peek(addr+3*page) == 0, "old bytes are back")
	t.must(sys.Peek(addr+page) == 7, "a page that is left changed")
}

// mmapBehindTheEnd: what is stored behind the end of a mapped file is in no file,
// however large it becomes (mmap(2), ftruncate(2)).
func mmapBehindTheEnd(t *T) {
	fd := t.open(t.file("f", "0123456789", 0o644), sys.O_RDWR)
	addr := t.mapFile(fd, 1, readWrite, sys.MAP_SHARED)
	sys.Poke(addr+9, 'x')
	sys.Poke(addr+100, 'y')
	t.noErr(sys.Ftruncate(fd, 200), "ftruncate")
	t.must(sys.Peek(addr+9) == 'x', "the last byte of the file is not what was stored")
	t.must(sys.Peek(addr+100) == 0, "a byte from behind the end has become one of the file")
}

// mmapSplit: the parts of a split mapping show the same bytes of the file as
// before.
func mmapSplit(t *T) {
	text := make([]byte, 6*page)
	for i := range text {
		text[i] = byte(i / int(page) * 16)
	}
	fd := t.open(t.file("f", string(text), 0o644), sys.O_RDONLY)
	addr := t.mapFile(fd, 6, sys.PROT_READ, sys.MAP_PRIVATE)
	t.noErr(sys.Munmap(addr+2*page, page), "munmap")
	t.noErr(sys.Mprotect(addr+4*page, page, readWrite), "mprotect")
	for _, i := range []uintptr{0, 1, 3, 4, 5} {
		t.must(sys.Peek(addr+i*page) == byte(i*16), "page ", int(i), " shows ", int(sys.Peek(addr+i*page)))
	}
	sys.Poke(addr+4*page, 1)
	t.dies("the hole", func() { sys.Peek(addr + 2*page) }, sys.SIGSEGV)
	t.dies("the read-only part", func() { sys.Poke(addr+5*page, 1) }, sys.SIGSEGV)
	t.noErr(sys.Munmap(addr, 6*page), "munmap of parts and hole")
	t.dies("afterwards", func() { sys.Peek(addr + 4*page) }, sys.SIGSEGV)
}

// mmapFixed: MAP_FIXED replaces what is there; where it fails, it has unmapped
// nothing.
func mmapFixed(t *T) {
	addr := t.pages(4)
	fill(addr, 4, 1)
	got, err := sys.Mmap(addr+page, page, readWrite, private|sys.MAP_FIXED, -1, 0)
	t.must(err == nil && got == addr+page && sys.Peek(addr+page) == 0, "MAP_FIXED did not replace")
	t.must(sys.Peek(addr) == 1 && sys.Peek(addr+2*page) == 1, "MAP_FIXED replaced too much")
	_, err = sys.Mmap(addr, 4*page, readWrite, sys.MAP_PRIVATE|sys.MAP_FIXED, 99, 0)
	t.wantErr(err, "a bad descriptor", sys.EBADF)
	fd := t.open(t.file("f", "x", 0o644), sys.O_RDONLY)
	_, err = sys.Mmap(addr, 4*page, readWrite, sys.MAP_SHARED|sys.MAP_FIXED, fd, 0)
	t.wantErr(err, "a writable shared mapping of a file that is open for reading", sys.EACCES)
	t.must(sys.Peek(addr) == 1 && sys.Peek(addr+3*page) == 1, "a failing mmap has unmapped")
	_, err = sys.Mmap(addr, page, readWrite, private|sys.MAP_FIXED_NOREPLACE, -1, 0)
	t.wantErr(err, "MAP_FIXED_NOREPLACE", sys.EEXIST)
}

// mmapCold: the kernel reads and writes pages that were never touched, several
// in one call.
func mmapCold(t *T) {
	const n = 3*4096 + 100
	fd := t.open(t.file("f", "", 0o644), sys.O_RDWR)
	cold := t.pages(5)
	k, err := sys.Write(fd, sys.Bytes(cold+50, n))
	t.must(err == nil && k == n, "write from cold pages: ", k)
	text := make([]byte, n)
	for i := range text {
		text[i] = byte(i)
	}
	sys.Lseek(fd, 0, sys.SEEK_SET)
	kit.WriteAll(fd, text)
	sys.Lseek(fd, 0, sys.SEEK_SET)
	target := t.pages(5)
	k, err = sys.Read(fd, sys.Bytes(target+50, n))
	t.must(err == nil && k == n, "read into cold pages: ", k)
	t.must(string(sys.Bytes(target+50, n)) == string(text), "other bytes arrived")
	source := t.mapFile(fd, 4, sys.PROT_READ, sys.MAP_PRIVATE)
	out := t.open(t.dir+"/g", sys.O_RDWR|sys.O_CREAT)
	k, err = sys.Write(out, sys.Bytes(source+10, n-10))
	t.must(err == nil && k == n-10, "write from cold file pages: ", k)
	got, _ := kit.ReadFile(t.dir + "/g")
	t.must(string(got) == string(text[10:]), "other bytes were written")
}

// mmapStack: the stack grows by faults down to its limit, and not beyond.
func mmapStack(t *T) {
	maps, err := procfs.ReadMaps(0)
	t.noErr(err, "maps")
	var stack procfs.Mapping
	for _, m := range maps {
		if m.Path == "[stack]" {
			stack = m
		}
	}
	t.must(stack.End != 0, "there is no [stack] in maps")
	limit, err := sys.Getrlimit(sys.RlimitStack)
	t.noErr(err, "getrlimit")
	t.must(limit.Cur >= 1<<20 && limit.Cur < 1<<32, "the stack's limit is ", limit.Cur)
	t.child(func() { sys.Poke(uintptr(stack.End)-256<<10, 1) })
	t.child(func() { // page by page, as calls go down
		for d := uintptr(0); d < 512<<10; d += page {
			sys.Poke(uintptr(stack.Start)-d+page, 1)
		}
	})
	t.dies("a store below the limit", func() { sys.Poke(uintptr(stack.End-limit.Cur)-2*page, 1) }, sys.SIGSEGV)
	t.child(func() {
		t.noErr(sys.Setrlimit(sys.RlimitStack, sys.Rlimit{Cur: 512 << 10, Max: limit.Max}), "setrlimit")
		t.dies("a store below the new limit", func() { sys.Poke(uintptr(stack.End)-600<<10, 1) }, sys.SIGSEGV)
	})
}

// mmapProtections: what each protection forbids is SIGSEGV.
func mmapProtections(t *T) {
	addr := t.pages(1)
	sys.Poke(addr, 0xc3) // ret
	access := map[string]func(){
		"read": func() { sys.Peek(addr) }, "write": func() { sys.Poke(addr, 0xc3) }, "fetch": func() { jump(addr) },
	}
	for _, c := range []struct {
		prot    int
		allowed string
	}{
		{sys.PROT_NONE, ""}, {sys.PROT_READ, "read"}, {readWrite, "read write"},
		{sys.PROT_READ | sys.PROT_EXEC, "read fetch"}, {readWrite | sys.PROT_EXEC, "read write fetch"},
	} {
		t.noErr(sys.Mprotect(addr, page, c.prot), "mprotect")
		for what, do := range access {
			if contains(c.allowed, what) {
				t.child(do)
			} else {
				t.dies(kit.Format(what, " under protection ", c.prot), do, sys.SIGSEGV)
			}
		}
	}
	t.dies("a write to text", func() { sys.Poke(textAddress(t), 0) }, sys.SIGSEGV)
	t.dies("a read of page 0", func() { sys.Peek(8) }, sys.SIGSEGV)
}

// contains tells whether the list, separated by blanks, has the word.
func contains(list, word string) bool {
	for i := 0; i+len(word) <= len(list); i++ {
		if list[i:i+len(word)] == word {
			return true
		}
	}
	return false
}

// textAddress is somewhere in the program's text.
func textAddress(t *T) uintptr {
	maps, err := procfs.ReadMaps(0)
	t.noErr(err, "maps")
	for _, m := range maps {
		if m.Perm == "r-xp" {
			return uintptr(m.Start) + 64
		}
	}
	t.must(false, "no text in maps")
	return 0
}

// mmapHuge: hundreds of gigabytes can be reserved, and cost nothing.
func mmapHuge(t *T) {
	before := procfs.FreeKiB()
	const size = 256 << 30
	addr, err := sys.Mmap(0, size, sys.PROT_NONE, private|sys.MAP_NORESERVE, -1, 0)
	t.noErr(err, "256 GiB, PROT_NONE")
	t.noErr(sys.Mprotect(addr+size/2, page, readWrite), "mprotect in the middle")
	sys.Poke(addr+size/2, 1)
	t.dies("beside it", func() { sys.Peek(addr + size/2 + page) }, sys.SIGSEGV)
	t.child(func() { t.must(sys.Peek(addr+size/2) == 1, "lost in the child") })
	used := int64(before) - int64(procfs.FreeKiB())
	t.must(used < 1024 || !procfs.IsYolk(), "it cost ", used, " KiB")
	t.noErr(sys.Munmap(addr, size), "munmap")
}

// mmapErrors: what mmap and its kin refuse.
func mmapErrors(t *T) {
	addr := t.pages(1)
	for _, c := range []struct {
		what string
		err  error
		want sys.Errno
	}{
		{"mmap of nothing", second(sys.Mmap(0, 0, readWrite, private, -1, 0)), sys.EINVAL},
		{"mmap neither private nor shared", second(sys.Mmap(0, page, readWrite, sys.MAP_ANONYMOUS, -1, 0)), sys.EINVAL},
		{"mmap at an odd address", second(sys.Mmap(addr+1, page, readWrite, private|sys.MAP_FIXED, -1, 0)), sys.EINVAL},
		{"mmap in the kernel's half", second(sys.Mmap(0xffff_8000_0000_0000, page, readWrite, private|sys.MAP_FIXED, -1, 0)), sys.ENOMEM},
		{"mmap of too much", second(sys.Mmap(0, 1<<62, readWrite, private, -1, 0)), sys.ENOMEM},
		{"munmap at an odd address", sys.Munmap(addr+1, page), sys.EINVAL},
		{"munmap of nothing", sys.Munmap(addr, 0), sys.EINVAL},
		{"munmap in the kernel's half", sys.Munmap(0xffff_8000_0000_0000, page), sys.EINVAL},
		{"mprotect at an odd address", sys.Mprotect(addr+1, page, readWrite), sys.EINVAL},
		{"madvise of an unknown kind", sys.Madvise(addr, page, 9999), sys.EINVAL},
	} {
		t.wantErr(c.err, c.what, c.want)
	}
	hole := t.pages(1)
	t.noErr(sys.Munmap(hole, page), "munmap")
	t.wantErr(sys.Mprotect(hole, page, readWrite), "mprotect of nothing", sys.ENOMEM)
	t.noErr(sys.Munmap(hole, page), "munmap of what is not mapped")
}

// second is the error of a call with two results.
func second(_ uintptr, err error) error { return err }

// mmapBrk: the break moves up, with zeros, and down.
func mmapBrk(t *T) {
	start := sys.Brk(0)
	t.must(start != 0 && sys.Brk(start+8*page) == start+8*page, "brk did not grow")
	t.must(holds((start+page-1)&^(page-1), 7, 0), "not zero")
	sys.Poke(start+4*page, 1)
	t.must(sys.Brk(start) == start, "brk did not shrink")
	t.dies("a read above the break", func() { sys.Peek(start + 5*page) }, sys.SIGSEGV)
	t.must(sys.Brk(start+8*page) == start+8*page && sys.Peek(start+4*page) == 0, "old bytes are back")
	t.must(sys.Brk(1<<62) == start+8*page, "an impossible break was taken")
}

// mmapMremap: growing, shrinking and moving keep the bytes.
func mmapMremap(t *T) {
	addr := t.pages(4)
	for i := range uintptr(4) {
		sys.Poke(addr+i*page, byte(i+1))
	}
	small, err := sys.Mremap(addr, 4*page, 2*page, 0)
	t.must(err == nil && small == addr, "shrinking: ", err)
	t.dies("what was cut off", func() { sys.Peek(addr + 3*page) }, sys.SIGSEGV)
	large, err := sys.Mremap(addr, 2*page, 64*page, sys.MREMAP_MAYMOVE)
	t.noErr(err, "growing")
	t.must(sys.Peek(large) == 1 && sys.Peek(large+page) == 2 && sys.Peek(large+63*page) == 0, "other bytes after growing")
	blocked := t.pages(2)
	_, err = sys.Mremap(blocked, page, 2*page, 0)
	t.wantErr(err, "growing into a neighbour", sys.ENOMEM)
	sys.Poke(blocked, 7)
	moved, err := sys.Mremap(blocked, page, 2*page, sys.MREMAP_MAYMOVE)
	t.noErr(err, "moving")
	_, err = sys.Mmap(blocked, page, readWrite, private|sys.MAP_FIXED, -1, 0)
	t.noErr(err, "mmap of the place that was left")
	t.must(sys.Peek(blocked) == 0, "the old place shows ", int(sys.Peek(blocked)))
	sys.Poke(blocked, 8)
	t.must(sys.Peek(moved) == 7, "a store to the old place has changed the new one")
}

// mmapOnePage: a fault brings the page that was touched and no other.
func mmapOnePage(t *T) {
	fd := t.open(t.file("f", string(make([]byte, 16*page)), 0o644), sys.O_RDONLY)
	file, anonymous := t.mapFile(fd, 16, readWrite, sys.MAP_PRIVATE), t.pages(16)
	for _, addr := range []uintptr{file, anonymous} {
		resident := func() int {
			return procfs.Resident(0, procfs.Mapping{Start: uint64(addr), End: uint64(addr + 16*page)})
		}
		t.must(resident() == 0, "pages are there before the first touch")
		sys.Peek(addr + 5*page)
		t.must(resident() == 1, "one read brought ", resident())
		sys.Poke(addr+5*page, 1)
		t.must(resident() == 1, "a write to it brought ", resident())
		sys.Poke(addr+9*page, 1)
		t.must(resident() == 2, "two touches brought ", resident())
	}
}
