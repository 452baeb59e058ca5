package judge

import (
	"bytes"

	"yolk/kernel/abi"
	"yolk/qemu/stub"
)

var demandCases = []Case{
	{Name: "demand-zero", script: demandZero},
	{Name: "demand-file", script: demandFile},
	{Name: "demand-limits", script: demandLimits},
	{Name: "demand-stack", script: demandStack},
}

// demandZero: memory comes when it is touched, and is zero; what is only read
// costs nothing.
func demandZero(j *Judge) {
	const n = 40
	p := j.first
	base := p.mapPages(n)
	touched := map[uint64]bool{}
	var zero uint64 // the frame of what was only read
	for i, k := range j.distinct(12, n) {
		va := base + uint64(k)*pageSize
		write := i == 1 || i > 1 && j.rand.IntN(2) == 0
		page := p.freshPage(va, write)
		if i == 0 {
			zero = page.Frame
		}
		j.want(write || zero == page.Frame, "two pages that were only read have two frames, at %#x and %#x", zero, page.Frame)
		touched[va] = true
	}
	for i := range uint64(n) {
		va := base + i*pageSize
		j.want(p.page(va).Present == touched[va], "page %#x (touched: %t) is %v", va, touched[va], p.page(va))
	}
	j.want(bytes.Equal(j.physical(zero, pageSize), make([]byte, pageSize)), "the page of zeroes at %#x has other bytes in it", zero)
}

// freshPage has p touch a page that nobody has touched yet, and returns what the
// tables then say of it.
func (p *Proc) freshPage(va uint64, write bool) Page {
	p.want(!p.page(va).Present, "page %#x, which nobody has touched, is %v", va, p.page(va))
	want, at := make([]byte, pageSize), uint64(p.rand.IntN(pageSize))
	if write {
		want[at] = p.nonzero()
		p.poke(va+at, want[at])
	} else {
		p.want(p.peek(va+at) == 0, "fresh memory at %#x is not zero", va+at)
	}
	page := p.page(va)
	p.want(page.Present && page.Writable == write && !page.Exec, "page %#x was touched (written: %t), and is %v (executable: %t)", va, write, page, page.Exec)
	p.holds(p, va, want)
	return page
}

// demandFile: a page of a file comes from the file, and a private write goes into
// a copy.
func demandFile(j *Judge) {
	const privately = 2
	p := j.first
	seg := j.box.segments[0]
	last := uint64(len(seg.data)) / pageSize
	fd := j.open(p, "/bin/puppet")
	base := uint64(p.call(abi.SysMmap, 0, last*pageSize, 3, privately, fd, 0))
	for _, i := range j.distinct(4, int(last)) {
		offset, at := uint64(i)*pageSize, uint64(j.rand.IntN(pageSize))
		va, want := base+offset, seg.data[offset:][:pageSize]
		j.want(p.peek(va+at) == want[at], "the file has %#02x at offset %#x, and the mapping something else", want[at], offset+at)
		page := p.page(va)
		j.want(!page.Writable, "a page of a file that was only read is %v", page)
		j.holds(p, va, want)
		p.poke(va+at, ^want[at])
		own := p.page(va)
		j.want(own.Writable && own.Frame != page.Frame, "a private page of a file was written to: it was %v and is %v", page, own)
		j.holds(p, va, changed(want, at))
		j.want(bytes.Equal(j.physical(page.Frame, pageSize), want), "a private write has changed the file's own page at %#x", page.Frame)
	}
	present := 0
	for va := range j.space(p.root).pages {
		if va >= base && va < base+last*pageSize {
			present++
		}
	}
	j.want(present <= 4, "4 pages of a file were touched, and %d are present", present)
}

// demandLimits: where nothing may be, a process dies, and of the right signal.
func demandLimits(j *Judge) {
	const readable, shared, anonymous = 1, 1, 0x22
	p := j.first
	readOnly := uint64(p.call(abi.SysMmap, 0, pageSize, readable, anonymous, ^uint64(0), 0))
	fd := j.open(p, "/bin/puppet")
	const beyond = 64 << 20
	file := uint64(p.call(abi.SysMmap, 0, beyond, readable, shared, fd, 0))
	hole := p.mapPages(3)
	j.want(p.call(abi.SysMunmap, hole+pageSize, pageSize) == 0, "munmap fails")
	offset := uint64(j.rand.IntN(pageSize))
	for _, c := range []struct {
		what  string
		va    uint64
		write bool
		sig   uint32
	}{
		{"a load from where nothing is", hole + pageSize + offset, false, abi.SIGSEGV},
		{"a load from address 0", offset, false, abi.SIGSEGV},
		{"a store to what is read-only", readOnly + offset, true, abi.SIGSEGV},
		{"a load from the kernel's half", 0xffff_8000_0000_0000 + offset, false, abi.SIGSEGV},
		{"a load from past a file's end", file + beyond - pageSize + offset, false, abi.SIGBUS},
	} {
		victim := p.fork("the victim")
		pid := int64(p.result)
		o := &order{regs: map[string]uint64{"r12": doLoad, "rdi": c.va}, exits: true}
		if c.write {
			o.regs["r12"] = doStore
		}
		victim.begin(o)
		who, status := p.wait(uint64(pid))
		j.want(who == pid && status&0x7f == c.sig, "%s: wait4 returns %d with status %#x; it should be %d with signal %d", c.what, who, status, pid, c.sig)
	}
}

// demandStack: the stack grows down to where it is written, page by page.
func demandStack(j *Judge) {
	p := j.first
	var sp uint64
	j.check(j.conn.Break(j.box.entry))
	j.atEntry = func(regs stub.Registers) { sp = regs["rsp"] }
	j.want(p.exec("/bin/puppet", []string{"puppet"}, nil) == 0 && sp != 0, "exec fails")
	low := sp &^ (pageSize - 1)
	for n := 0; n < 512 && j.ok() && p.page(low-pageSize).Present; n++ {
		low -= pageSize
	}
	for range 6 {
		skip := uint64(1 + j.rand.IntN(3))
		va := low - skip*pageSize
		at := va + uint64(j.rand.IntN(pageSize))
		j.want(!p.page(va).Present, "page %#x of the stack, which nobody has touched, is %v", va, p.page(va))
		want := make([]byte, pageSize)
		want[at%pageSize] = j.nonzero()
		p.poke(at, want[at%pageSize])
		j.holds(p, va, want)
		j.want(p.page(va).Writable && !p.page(va).Exec, "page %#x of the stack is %v (executable: %t)", va, p.page(va), p.page(va).Exec)
		for between := va + pageSize; between < low; between += pageSize {
			j.want(!p.page(between).Present, "page %#x of the stack, which nobody has touched, is %v", between, p.page(between))
		}
		low = va
	}
}
