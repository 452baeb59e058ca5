package judge

import (
	"fmt"

	"yolk/kernel/abi"
)

var processCases = []Case{
	{Name: "process-status", script: processStatus},
	{Name: "process-zombie", script: processZombie},
	{Name: "process-orphan", script: processOrphan},
}

// processStatus: who waits learns who has ended, and how.
func processStatus(j *Judge) {
	p := j.first
	want := map[int64]uint32{}
	var running []int64
	for i := range 5 {
		c := p.fork(fmt.Sprintf("child %d", i))
		pid := int64(p.result)
		_, again := want[pid]
		j.want(pid > 1 && !again, "fork returns %d, for the second time or out of range", pid)
		switch j.rand.IntN(3) {
		case 0:
			status := j.nonzero()
			c.exit(status)
			want[pid] = uint32(status) << 8
		case 1:
			c.dies(8)
			want[pid] = uint32(abi.SIGSEGV)
		default:
			sig := []uint64{1, 2, 9, 10, 12, 13, 14, 15}[j.rand.IntN(8)]
			j.want(p.call(abi.SysKill, uint64(pid), sig) == 0, "kill fails")
			want[pid] = uint32(sig)
		}
		running = append(running, pid)
	}
	j.rand.Shuffle(len(running), func(a, b int) { running[a], running[b] = running[b], running[a] })
	for i, pid := range running {
		if i%2 == 0 {
			j.reaps(p, pid, want[pid])
			delete(want, pid)
		}
	}
	for len(want) > 0 && j.ok() {
		who, status := p.wait(0)
		expected, mine := want[who]
		j.want(mine && status == expected, "wait4 for anybody returns %d with status %#x; waited for are %v", who, status, want)
		delete(want, who)
	}
	who, _ := p.wait(0)
	j.want(who == -int64(abi.ECHILD), "wait4 without children returns %d, and not ECHILD", who)
}

// processZombie: a process that has ended is there until it was waited for, and
// then it is not.
func processZombie(j *Judge) {
	p := j.first
	c := p.fork("the child")
	pid := uint64(p.result)
	c.exit(j.nonzero())
	p.idle(20)
	j.want(p.call(abi.SysKill, pid, 0) == 0, "a process that has ended and was not waited for is not there any more")
	next := p.fork("another child")
	j.want(next.root != p.root && uint64(p.result) != pid, "the child has the parent's tables, or the number of a zombie")
	p.wait(pid)
	got := p.call(abi.SysKill, pid, 0)
	j.want(got == -int64(abi.ESRCH), "kill of a process that was waited for returns %d, and not ESRCH", got)
}

// processOrphan: whose parent ends gets process 1 for a parent.
func processOrphan(j *Judge) {
	p := j.first
	self := p.call(abi.SysGetpid)
	c := p.fork("the child")
	child := p.result
	g := c.fork("the grandchild")
	got := g.call(abi.SysGetppid)
	j.want(uint64(got) == child, "the grandchild's parent is process %d, and not %d", got, child)
	j.want(c.call(abi.SysGetppid) == self, "the child's parent is not process %d", self)
	c.exit(0)
	j.reaps(p, int64(child), 0)
	got = g.call(abi.SysGetppid)
	j.want(got == 1, "the parent of an orphan is process %d, and not 1", got)
	g.exit(0)
	who, _ := p.wait(0)
	j.want(who == -int64(abi.ECHILD), "wait4 for somebody else's child returns %d, and not ECHILD", who)
}
