package judge

import (
	"fmt"
	"strings"

	"yolk/kernel/abi"
)

var pagingCases = []Case{
	{Name: "paging-rights", script: pagingRights},
	{Name: "paging-unmap", script: pagingUnmap},
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

// pagingUnmap: what is unmapped is gone, from the tables and from the TLB; tables
// with nothing in them go, too, and what is beside it stays.
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
	for va := range mine {
		mine[va] = byte(1 + j.rand.IntN(255))
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
	victim := p.fork("the victim")
	pid := int64(p.result)
	victim.dies(cut + pageSize)
	_, status := p.wait(uint64(pid))
	j.want(status&0x7f == uint32(abi.SIGSEGV), "a load from what was unmapped ends with status %#x", status)
	j.want(p.call(abi.SysMunmap, base, n*pageSize) == 0, "munmap fails")
	after := len(j.space(p.root).tables)
	j.want(after <= before+1, "the address space had %d tables, and after all was unmapped again it has %d", before, after)
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
