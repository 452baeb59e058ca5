package judge

import (
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"strings"

	"yolk/kernel/abi"
)

var pagingCases = []Case{
	{Name: "paging-rights", script: pagingRights},
	{Name: "paging-unmap", script: pagingUnmap},
	{Name: "paging-flushes", script: pagingFlushes},
	{Name: "paging-frees", Memory: 64, script: pagingFrees},
	{Name: "paging-told", script: pagingTold},
}

// pagingRights: nothing of a program can be both written and executed, the file's
// parts are what the file says, and each is where it says.
func pagingRights(j *Judge) {
	p := j.first
	s := j.space(p.root)
	j.want(len(s.pages) > 20, "the tables of a running program have %d pages", len(s.pages))
	for va, page := range s.pages {
		j.want(!(page.Writable && page.Exec), "page %#x can be written and executed", va)
	}
	text := j.box.segments[0]
	for i := uint64(0); i < uint64(len(text.data)); i += pageSize {
		page, there := s.pages[text.addr+i]
		if !there {
			continue
		}
		j.want(page.Exec && !page.Writable, "page %#x of the program's text is %v (executable: %t)", text.addr+i, page, page.Exec)
		j.holds(p, text.addr+i, j.box.page(text.addr + i)[:min(pageSize, uint64(len(text.data))-i)])
	}
}

// pagingUnmap: what is unmapped is gone from the tables; tables with nothing in them
// go, too, and what is beside it stays.
func pagingUnmap(j *Judge) {
	const n = 3 * 512 // pages: at least two whole page tables
	p := j.first
	before := len(j.space(p.root).tables)
	base := p.mapPages(n)
	left, right := base+uint64(j.rand.IntN(100))*pageSize, base+uint64(n-1-j.rand.IntN(100))*pageSize
	mine := map[uint64]byte{left: 0, right: 0}
	for range 12 {
		mine[base+uint64(110+j.rand.IntN(n-220))*pageSize] = 0
	}
	for _, va := range slices.Sorted(maps.Keys(mine)) { // in an order that the seed repeats
		mine[va] = j.nonzero()
		p.poke(va, mine[va])
	}
	cut, end := base+101*pageSize, base+(n-101)*pageSize
	j.want(p.call(abi.SysMunmap, cut, end-cut) == 0, "munmap fails")
	s := j.space(p.root)
	for va, value := range mine {
		if va > left && va < right {
			j.want(!s.pages[va].Present, "page %#x was unmapped, and is %v", va, s.pages[va])
			continue
		}
		j.want(p.peek(va) == value, "page %#x was not unmapped, and its byte is lost", va)
	}
	j.want(p.call(abi.SysMunmap, base, n*pageSize) == 0, "munmap fails")
	after := len(j.space(p.root).tables)
	j.want(after <= before+1, "the address space had %d tables, and after all was unmapped again it has %d", before, after)
}

// pagingFlushes: what was unmapped, or may not be written to any more, is so at
// once, though the TLB remembers it.
//
// WHY the parent sleeps meanwhile: from the system call to the access nobody else
// may run, or the change of address spaces would flush what the kernel forgot to.
func pagingFlushes(j *Judge) {
	const readable = 1
	p := j.first
	base := p.mapPages(watched)
	for _, forbid := range []*order{call(abi.SysMunmap, base, pageSize), call(abi.SysMprotect, base, pageSize, readable)} {
		status := p.argument()
		victim := p.fork("the victim")
		victim.poke(base, 1)
		p.begin(call(abi.SysWait4, p.result, status, 0, 0))
		victim.idle(3)
		victim.poke(base, 2)
		j.want(int64(victim.do(forbid)) == 0, "%v fails", forbid)
		o := &order{regs: map[string]uint64{"r12": doStore, "rdi": base, "rsi": 3}, exits: true}
		victim.begin(o)
		p.await()
		got := binary.LittleEndian.Uint32(p.read(status, 4))
		j.want(got&0x7f == uint32(abi.SIGSEGV), "a store to what %v took away ends with status %#x, and not with SIGSEGV", forbid, got)
	}
}

// pagingFrees: what was unmapped is free for others, and for oneself.
func pagingFrees(j *Judge) {
	const size, rounds = 4 << 20, 16 // of 36 MiB that are free
	p := j.first
	zero := j.open(p, "/dev/zero")
	for n := 0; n < rounds && j.ok(); n++ {
		base := p.mapPages(size / pageSize)
		got := p.call(abi.SysRead, zero, base, size)
		j.want(got == size, "after %d times %d MiB were unmapped again, read into as much returns %d", n, size>>20, got)
		j.want(p.page(base+uint64(j.rand.IntN(size/pageSize))*pageSize).Writable, "a page that was read into is not there")
		j.want(p.call(abi.SysMunmap, base, size) == 0, "munmap fails")
	}
}

// pagingTold: what the kernel says of a process's tables is what they are.
func pagingTold(j *Judge) {
	const room = 64 << 10
	p := j.first
	base, _ := p.secrets(watched)
	buffer := p.mapPages(room / pageSize)
	told := string(j.slurp(p, "/proc/self/pagetable", buffer, room))
	for i := range uint64(watched) {
		va := base + i*pageSize
		page := p.page(va)
		line := lineOf(told, va)
		j.want(strings.Contains(line, fmt.Sprintf("%#x", page.Frame/pageSize)),
			"/proc/self/pagetable says of %#x %q; in the tables it is in frame %#x", va, line, page.Frame/pageSize)
	}
}

// slurp has p read a file into its memory and returns what is there then.
func (j *Judge) slurp(p *Proc, path string, buffer, room uint64) []byte {
	fd := j.open(p, path)
	at := uint64(0)
	for j.ok() {
		n := p.call(abi.SysRead, fd, buffer+at, room-at)
		j.want(n >= 0, "read of %s returns %d", path, n)
		if n <= 0 || at+uint64(n) == room {
			break
		}
		at += uint64(n)
	}
	return p.read(buffer, int(at))
}

// lineOf returns the line about an address.
func lineOf(text string, va uint64) string {
	for line := range strings.Lines(text) {
		if strings.Contains(line, fmt.Sprintf("%x", va)) {
			return line
		}
	}
	return ""
}
