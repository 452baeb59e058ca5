package judge

import (
	"bytes"
	"fmt"

	"yolk/kernel/abi"
)

var forkCases = []Case{
	{Name: "fork-shares", script: forkShares},
	{Name: "fork-flushes", script: forkFlushes},
	{Name: "fork-eager-copies", Append: "fork=eager", script: forkEagerCopies},
	{Name: "cow-splits", script: cowSplits},
	{Name: "cow-kernel-writes", script: cowKernelWrites},
	{Name: "cow-generations", script: cowGenerations},
	{Name: "fork-frees", Memory: 64, script: forkFrees},
}

// watched is how many pages a case looks at.
const watched = 6

// forkShares: the child has tables of its own, and they point at the parent's
// frames, which neither can write to.
func forkShares(j *Judge) {
	p := j.first
	base, pages := p.secrets(watched)
	before := j.space(p.root)
	c := p.fork("the child")
	j.want(c.root != p.root, "parent and child have one PML4, at %#x", p.root)
	parent, child := j.space(p.root), j.space(c.root)
	for frame := range child.tables {
		j.want(!parent.tables[frame], "the table at %#x is in both address spaces", frame)
	}
	for i, secret := range pages {
		va := base + uint64(i)*pageSize
		now, was := child.pages[va], before.pages[va]
		j.want(now.Present && now.Frame == was.Frame && parent.pages[va].Frame == was.Frame,
			"after fork, page %#x is %v in the child and %v in the parent; it was %v", va, now, parent.pages[va], was)
		j.want(bytes.Equal(j.physical(now.Frame, pageSize), secret), "after fork, page %#x has other bytes than before", va)
	}
	j.separate([]*Proc{p, c})
}

// forkFlushes: the parent, which could write to its pages a moment ago, cannot any
// more when fork returns, though the TLB remembers it.
//
// WHY before the child is looked at: to run it is to change the address space, and
// that flushes what the kernel forgot to.
func forkFlushes(j *Judge) {
	p := j.first
	base, pages := p.secrets(watched)
	for i := range pages {
		p.poke(base+uint64(i)*pageSize, pages[i][0])
	}
	c := p.split(abi.SysFork, "the child")
	p.until(func() bool { return p.done }, p)
	at := uint64(j.rand.IntN(watched * pageSize))
	p.poke(base+at, ^pages[at/pageSize][at%pageSize])
	p.until(func() bool { return c.done }, c)
	for i, secret := range pages {
		j.holds(c, base+uint64(i)*pageSize, secret)
	}
	j.holds(p, base+at/pageSize*pageSize, changed(pages[at/pageSize], at%pageSize))
}

// separate: no process can write to what another one sees.  Mappings that are
// shared on purpose are not looked at; the puppets have none.
func (j *Judge) separate(procs []*Proc) {
	type seen struct {
		who *Proc
		va  uint64
		Page
	}
	frames := map[uint64]seen{}
	for _, p := range procs {
		for va, page := range j.space(p.root).pages {
			other, there := frames[page.Frame]
			if there && other.who != p && (page.Writable || other.Writable) {
				j.failf("%s has %#x %v, and %s has the same frame at %#x, %v", p.name, va, page, other.who.name, other.va, other.Page)
			}
			if !there || page.Writable {
				frames[page.Frame] = seen{p, va, page}
			}
		}
	}
}

// forkEagerCopies: with fork=eager, what may be written to is copied at once.
func forkEagerCopies(j *Judge) {
	p := j.first
	base, pages := p.secrets(watched)
	c := p.fork("the child")
	for i, secret := range pages {
		va := base + uint64(i)*pageSize
		of, copied := p.page(va), c.page(va)
		j.want(copied.Present && copied.Writable && of.Writable && copied.Frame != of.Frame,
			"after an eager fork, page %#x is %v in the child and %v in the parent", va, copied, of)
		j.want(bytes.Equal(j.physical(copied.Frame, pageSize), secret), "the child's copy of page %#x has other bytes than the parent's", va)
	}
	j.separate([]*Proc{p, c})
}

// cowSplits: the first to write gets a frame of its own, whoever it is, and the
// last owner keeps the old one.
func cowSplits(j *Judge) {
	p := j.first
	base, pages := p.secrets(watched)
	c := p.fork("the child")
	for i, secret := range pages {
		first, second := p, c
		if j.rand.IntN(2) == 0 {
			first, second = c, p
		}
		va := base + uint64(i)*pageSize
		old := p.page(va).Frame
		at := uint64(j.rand.IntN(pageSize))
		first.poke(va+at, ^secret[at])
		mine, theirs := first.page(va), second.page(va)
		j.want(mine.Frame != old && mine.Writable && theirs.Frame == old && !theirs.Writable,
			"%s has written to page %#x, which was in the frame at %#x: its own is %v, %s's %v", first.name, va, old, mine, second.name, theirs)
		j.holds(second, va, secret)
		j.want(second.peek(va+at) == secret[at], "%s reads at %#x what %s has written", second.name, va+at, first.name)
		j.holds(first, va, changed(secret, at))
		second.poke(va+at, secret[at]^1)
		theirs = second.page(va)
		j.want(theirs.Frame == old && theirs.Writable,
			"%s is the last to have the frame at %#x and writes to it: now its page is %v", second.name, old, theirs)
		j.want(first.peek(va+at) == ^secret[at], "%s reads at %#x what %s has written", first.name, va+at, second.name)
	}
	j.separate([]*Proc{p, c})
}

// changed is the page with one byte complemented.
func changed(page []byte, at uint64) []byte {
	page = bytes.Clone(page)
	page[at] = ^page[at]
	return page
}

// holds: a process's page, in memory, has these bytes.
func (j *Judge) holds(p *Proc, va uint64, want []byte) {
	got := p.read(va, len(want))
	if !j.ok() || bytes.Equal(got, want) {
		return
	}
	for i := range want {
		if got[i] != want[i] {
			j.failf("%s has %#02x at %#x, in its frame; it should be %#02x", p.name, got[i], va+uint64(i), want[i])
			return
		}
	}
}

// cowKernelWrites: what the kernel writes for the child, in read(2), breaks
// copy-on-write as its own store does.
func cowKernelWrites(j *Judge) {
	p := j.first
	base, pages := p.secrets(3)
	fds := p.argument()
	j.want(p.call(abi.SysPipe2, fds, 0) == 0, "pipe2 fails")
	r, w := uint64(p.read(fds, 1)[0]), uint64(p.read(fds+4, 1)[0])
	c := p.fork("the child")
	old := p.page(base).Frame
	n := uint64(1 + j.rand.IntN(2000))
	from, to := uint64(j.rand.IntN(2000)), uint64(j.rand.IntN(2000))
	got := p.call(abi.SysWrite, w, base+pageSize+from, n)
	j.want(got == int64(n), "write to a pipe of %d bytes returns %d", n, got)
	got = c.call(abi.SysRead, r, base+to, n)
	j.want(got == int64(n), "read from a pipe of %d bytes returns %d", n, got)
	mine := bytes.Clone(pages[0])
	copy(mine[to:], pages[1][from:from+n])
	j.want(c.page(base).Frame != old && p.page(base).Frame == old, "read(2) into a shared page of the child's: it is %v, the parent's %v", c.page(base), p.page(base))
	j.holds(c, base, mine)
	j.holds(p, base, pages[0])
	j.separate([]*Proc{p, c})
}

// cowGenerations: processes fork, write, read and exit at random, and each has the
// memory that it would have if every fork copied.
func cowGenerations(j *Judge) {
	base, pages := j.first.secrets(watched)
	model := map[*Proc][][]byte{j.first: pages}
	procs := []*Proc{j.first}
	for n := 0; n < 60 && j.ok(); n++ {
		i := j.rand.IntN(len(procs))
		p, page, at := procs[i], j.rand.IntN(watched), j.rand.IntN(pageSize)
		va := base + uint64(page)*pageSize + uint64(at)
		switch k := j.rand.IntN(10); {
		case k == 0 && len(procs) < 5:
			c := p.fork(fmt.Sprintf("process %d", n))
			procs, model[c] = append(procs, c), nil
			for _, b := range model[p] {
				model[c] = append(model[c], bytes.Clone(b))
			}
		case k == 1 && i > 0:
			p.exit(0)
			procs = append(procs[:i], procs[i+1:]...)
			delete(model, p)
		case k < 7:
			model[p][page][at] = byte(j.rand.Uint32())
			p.poke(va, model[p][page][at])
		default:
			got := p.peek(va)
			j.want(got == model[p][page][at], "%s reads %#02x at %#x; it should be %#02x", p.name, got, va, model[p][page][at])
		}
	}
	for _, p := range procs {
		for i, want := range model[p] {
			j.holds(p, base+uint64(i)*pageSize, want)
		}
	}
	j.separate(procs)
}

// forkFrees: a child's memory is free again when it has gone.  Together the
// children have more than the machine has.
func forkFrees(j *Judge) {
	const size, rounds = 4 << 20, 16 // of 36 MiB that are free
	p := j.first
	zero := j.open(p, "/dev/zero")
	base := p.mapPages(size / pageSize)
	for n := 0; n < rounds && j.ok(); n++ {
		c := p.fork(fmt.Sprintf("child %d", n))
		got := c.call(abi.SysRead, zero, base, size)
		j.want(got == size, "child %d cannot have %d MiB: read returns %d; %d children have had as much and are gone", n, size>>20, got, n)
		va := base + uint64(j.rand.IntN(size/pageSize))*pageSize
		j.want(c.page(va).Writable && !p.page(va).Writable, "page %#x is %v in child %d, and %v in the parent", va, c.page(va), n, p.page(va))
		status := j.nonzero()
		c.exit(status)
		_, got32 := p.wait(0)
		j.want(got32 == uint32(status)<<8, "child %d exits with %d, and the wait status is %#x", n, status, got32)
	}
}

// open opens a file for reading.
func (j *Judge) open(p *Proc, path string) uint64 {
	at := p.argument()
	p.plant(at, append([]byte(path), 0))
	fd := p.call(abi.SysOpen, at, abi.O_RDONLY, 0)
	j.want(fd >= 0, "open of %s returns %d", path, fd)
	return uint64(fd)
}
