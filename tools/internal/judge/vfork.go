package judge

import "yolk/kernel/abi"

var vforkCases = []Case{
	{Name: "vfork-borrows", script: vforkBorrows},
	{Name: "vfork-exec-releases", script: vforkExecReleases},
	{Name: "vfork-failed-exec", script: vforkFailedExec},
	{Name: "vfork-killed-child", script: vforkKilledChild},
}

// vforkBorrows: the child runs on the parent's tables, the parent sleeps as long,
// and what the child wrote has been written.
func vforkBorrows(j *Judge) {
	p := j.first
	base, pages := p.secrets(watched)
	before := j.space(p.root)
	c := p.vfork("the vfork child")
	j.want(c.root == p.root, "a vfork child has its own PML4, at %#x; its parent's is at %#x", c.root, p.root)
	during := j.space(p.root)
	for va, was := range before.pages {
		j.want(during.pages[va] == was, "after vfork, page %#x is %v; it was %v", va, during.pages[va], was)
	}
	va := base + uint64(j.rand.IntN(watched*pageSize))
	value := ^pages[(va-base)/pageSize][va%pageSize]
	c.poke(va, value)
	own, fresh := c.mapPages(1), j.nonzero()
	c.poke(own, fresh)
	c.idle(8)
	status := j.nonzero()
	c.exit(status)
	pid := p.await()
	j.want(p.peek(va) == value && p.peek(own) == fresh, "what a vfork child has written is not there afterwards")
	j.want(p.page(va) == before.pages[va&^(pageSize-1)], "after vfork, page %#x is %v; it was %v", va, p.page(va), before.pages[va&^(pageSize-1)])
	j.reaps(p, int64(pid), uint32(status)<<8)
}

// idle lets everybody run who can.
func (p *Proc) idle(times int) {
	for range times {
		p.call(abi.SysSchedYield)
	}
}

// reaps: the parent has this child to wait for, with this status, and then no
// more.
func (j *Judge) reaps(p *Proc, pid int64, status uint32) {
	who, got := p.wait(uint64(pid))
	j.want(who == pid && got == status, "wait4 for process %d returns %d, with status %#x; it should be %#x", pid, who, got, status)
	who, _ = p.wait(uint64(pid))
	j.want(who == -int64(abi.ECHILD), "a second wait4 for process %d returns %d, and not ECHILD", pid, who)
}

// vforkExecReleases: the exec ends the borrowing: the child gets a space of its
// own, and the parent, which has its own as it was, goes on before the child ends.
func vforkExecReleases(j *Judge) {
	p := j.first
	base, pages := p.secrets(watched)
	root := p.root
	c := p.vfork("the vfork child")
	c.exec("/bin/puppet", []string{"puppet"}, nil)
	pid := p.await()
	j.want(p.root == root && c.root != root, "after the child's exec, parent and child have their PML4s at %#x and %#x; before, it was at %#x", p.root, c.root, root)
	j.want(!c.page(base).Present, "the child's new program has the old one's page at %#x", base)
	for i, want := range pages {
		j.holds(p, base+uint64(i)*pageSize, want)
		j.want(p.page(base+uint64(i)*pageSize).Writable, "after the child's exec the parent's page %#x is %v", base, p.page(base))
	}
	j.separate([]*Proc{p, c})
	status := j.nonzero()
	c.exit(status)
	j.reaps(p, int64(pid), uint32(status)<<8)
}

// vforkFailedExec: an exec that fails leaves the child where it was, and the
// parent asleep.
func vforkFailedExec(j *Judge) {
	p := j.first
	base, pages := p.secrets(1)
	root := p.root
	c := p.vfork("the vfork child")
	got := c.exec("/bin/nothing", []string{"nothing"}, nil)
	j.want(got == -int64(abi.ENOENT), "exec of a file that is not there returns %d", got)
	c.idle(8)
	j.want(c.root == root, "after an exec that failed, the child's PML4 is at %#x; it was at %#x", c.root, root)
	c.poke(base, ^pages[0][0])
	c.exit(0)
	pid := p.await()
	j.holds(p, base, changed(pages[0], 0))
	j.reaps(p, int64(pid), 0)
}

// vforkKilledChild: a child that dies of a fault gives the memory back like one
// that exits.
func vforkKilledChild(j *Judge) {
	p := j.first
	base, pages := p.secrets(watched)
	c := p.vfork("the vfork child")
	c.dies(8)
	pid := p.await()
	for i, want := range pages {
		j.holds(p, base+uint64(i)*pageSize, want)
	}
	p.poke(base, 1)
	j.reaps(p, int64(pid), uint32(abi.SIGSEGV))
}

// dies has p access an address where nothing is.
func (p *Proc) dies(at uint64) {
	o := &order{regs: map[string]uint64{"r12": doLoad, "rdi": at}, exits: true}
	p.begin(o)
}
