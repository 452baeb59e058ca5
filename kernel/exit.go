package kernel

import (
	"slices"

	"yolk/kernel/abi"
	"yolk/kernel/signal"
	"yolk/kernel/trace"
	"yolk/mm"
)

// processCalls are the system calls of a process's life.
var processCalls = []Call{
	{abi.SysFork, "fork", sysFork}, {abi.SysVfork, "vfork", sysVfork}, {abi.SysClone, "clone", sysClone},
	{abi.SysExecve, "execve", sysExecve},
	{abi.SysExit, "exit", sysExit}, {abi.SysExitGroup, "exit_group", sysExit},
	{abi.SysWait4, "wait4", sysWait4}, {abi.SysWaitid, "waitid", sysWaitid},
	{abi.SysRtSigreturn, "rt_sigreturn", sysRtSigreturn},
}

func sysExit(p *Process, a *Args) (uint64, error) {
	p.terminate(uint32(a[0]&0xff) << 8)
	return 0, nil
}

// exit takes p apart, its own goroutine doing the work, and leaves a zombie
// that holds the status until the parent asks for it.  Directly behind its event
// stands a sample of memory, and then nobody runs.  PowerOff may not return.
//
//lab:process 2 take a process apart, and leave a zombie
func (p *Process) exit() {
	k := p.kernel
	hookExit(p)
	p.SetAlarm(0, 0)
	p.Files.CloseAll()
	p.releaseSpace()
	p.abandonChildren()
	p.emit(trace.ClassProcess, trace.Event{Kind: trace.Exit, Err: p.status})
	k.sample()
	k.traced.running = nil
	p.state = Zombie
	if k.init == p {
		k.init = nil
		if !k.halted {
			k.logf("%s has ended with status %#x: nothing is left to do", p, p.status)
		}
		k.PowerOff(p.status)
	}
	if p.parent == nil {
		k.forget(p)
		return
	}
	p.notifyParent()
}

// abandonChildren gives p's children, zombies too, to process 1; those of
// process 1 itself are nobody's, without an event.  From then on their end is
// told by SIGCHLD, whatever they were made with: process 1 asks for no others.
//
//lab:process 3 give the children of a process to process 1
func (p *Process) abandonChildren() {
	k, heir := p.kernel, p.kernel.init
	if heir == p {
		heir = nil
	}
	for _, c := range p.children {
		c.parent, c.exitSignal = heir, abi.SIGCHLD
		if heir != nil {
			heir.children = append(heir.children, c)
			c.emit(trace.ClassProcess, trace.Event{Kind: trace.Reparent, Aux: uint64(heir.pid)})
		}
		switch {
		case c.state != Zombie:
		case heir == nil:
			k.forget(c)
		default:
			c.notifyParent()
		}
	}
	p.children = nil
}

// notifyParent tells the parent that p is a zombie.  A parent that ignores
// SIGCHLD, or set SA_NOCLDWAIT, has declared that it will not wait: then there
// is no zombie (wait(2), NOTES), if it is SIGCHLD that tells of p's end.
//
//lab:process 3 tell the parent, unless it does not want to know
func (p *Process) notifyParent() {
	parent, act := p.parent, &p.parent.Signals.Actions[abi.SIGCHLD]
	usual := p.exitSignal == abi.SIGCHLD
	if p.exitSignal != 0 && !(usual && act.Handler == abi.SIG_IGN) {
		parent.signal(p.exitSignal, p.childInfo(p.status))
	}
	if usual && (act.Handler == abi.SIG_IGN || act.Flags&abi.SA_NOCLDWAIT != 0) {
		p.detach()
		p.kernel.forget(p)
	}
	parent.Wake()
}

// detach takes p from its parent's children.
func (p *Process) detach() {
	i := slices.Index(p.parent.children, p)
	p.parent.children = slices.Delete(p.parent.children, i, i+1)
}

// waitRequest is what wait4(2) and waitid(2) have in common.
type waitRequest struct {
	kind    uint64 // P_ALL, P_PID or P_PGID
	id      int
	options uint64
}

const waitCommon = abi.WNOHANG | abi.WCONTINUED | abi.WNOTHREAD | abi.WALL | abi.WCLONE

func sysWait4(p *Process, a *Args) (uint64, error) {
	pid := int(int32(a[0]))
	if a[2]&^(waitCommon|abi.WUNTRACED) != 0 || pid == -1<<31 {
		return 0, abi.EINVAL
	}
	q := waitRequest{abi.P_PID, pid, a[2] | abi.WEXITED}
	switch {
	case pid == -1:
		q.kind = abi.P_ALL
	case pid == 0:
		q.kind, q.id = abi.P_PGID, p.pgid
	case pid < 0:
		q.kind, q.id = abi.P_PGID, -pid
	}
	c, status, err := p.await(&q)
	if c == nil {
		return 0, err
	}
	if a[1] != 0 {
		err = p.space.StoreUint32(mm.VirtAddr(a[1]), status)
	}
	if err == nil {
		err = p.CopyOutMaybe(a[3], c.usage.Append(nil))
	}
	return p.collect(c, status, &q, err)
}

func sysWaitid(p *Process, a *Args) (uint64, error) {
	const events = abi.WEXITED | abi.WSTOPPED | abi.WCONTINUED
	q := waitRequest{a[0], int(int32(a[1])), a[3]}
	if q.options&^(waitCommon|events|abi.WNOWAIT) != 0 || q.options&events == 0 ||
		q.kind > abi.P_PGID || q.kind != abi.P_ALL && q.id < 0 || q.kind == abi.P_PID && q.id == 0 {
		return 0, abi.EINVAL
	}
	if q.kind == abi.P_PGID && q.id == 0 {
		q.id = p.pgid
	}
	c, status, err := p.await(&q)
	if err != nil {
		return 0, err
	}
	var info [abi.SiginfoSize]byte // stays zero where no child has news
	if c != nil {
		si := c.childInfo(status)
		si.Encode(info[:], abi.SIGCHLD)
		err = p.CopyOutMaybe(a[4], c.usage.Append(nil))
	}
	if err == nil {
		err = p.CopyOutMaybe(a[2], info[:])
	}
	if c == nil {
		return 0, err
	}
	_, err = p.collect(c, status, &q, err)
	return 0, err
}

// await returns a child with news, and the news as a wait status.  It sleeps
// until there is one, or under WNOHANG returns none.  Errors are ECHILD, and that
// of a sleep which a signal ended, if there is no news by then either: SIGCHLD
// with a handler would otherwise keep its own news from being told.
//
//lab:process 4 wait for a child with news
func (p *Process) await(q *waitRequest) (*Process, uint32, error) {
	for err := error(nil); ; err = p.Sleep() {
		some := false
		for _, c := range p.children {
			if !q.match(c) {
				continue
			}
			some = true
			if status, ok := q.news(c); ok {
				return c, status, nil
			}
		}
		switch {
		case !some:
			return nil, 0, abi.ECHILD
		case q.options&abi.WNOHANG != 0:
			return nil, 0, nil
		case err != nil:
			return nil, 0, err
		}
	}
}

// match reports whether q asks about c.  A child by clone(2) whose end is not
// told by SIGCHLD is asked about with __WCLONE or __WALL.  A zombie has nothing to
// tell but its end, so who does not ask for ends (WEXITED) does not mean it.
//
//lab:process 4 say whether a child is among those that are waited for
func (q *waitRequest) match(c *Process) bool {
	if q.kind == abi.P_PID && c.pid != q.id || q.kind == abi.P_PGID && c.pgid != q.id {
		return false
	}
	if c.state == Zombie && q.options&abi.WEXITED == 0 {
		return false
	}
	return q.options&abi.WALL != 0 || (c.exitSignal != abi.SIGCHLD) == (q.options&abi.WCLONE != 0)
}

// news returns what there is to tell about c, as a wait status.
//
//lab:process 4 say what there is to tell about a child
func (q *waitRequest) news(c *Process) (uint32, bool) {
	switch {
	case c.state == Zombie:
		return c.status, true
	case c.stopReport == statusContinued:
		return c.stopReport, q.options&abi.WCONTINUED != 0
	}
	return c.stopReport, c.stopReport != 0 && q.options&abi.WUNTRACED != 0
}

// collect takes the news about c as told and returns c's pid; unless they could
// not be told: err loses no child.  What a zombie used, and what its own children
// left to it, is its parent's from then on (getrusage(2), RUSAGE_CHILDREN).
//
//lab:process 4 take the news as told, and a zombie away
func (p *Process) collect(c *Process, status uint32, q *waitRequest, err error) (uint64, error) {
	pid := uint64(c.pid)
	switch {
	case err != nil:
		return 0, err
	case q.options&abi.WNOWAIT != 0:
	case c.state == Zombie:
		p.emit(trace.ClassProcess, trace.Event{Kind: trace.Wait, Aux: pid, Err: status})
		for _, use := range [...]*abi.Rusage{&c.usage, &c.childUse} {
			p.childUse.User += use.User
			p.childUse.MinorFaults += use.MinorFaults
		}
		c.detach()
		p.kernel.forget(c)
	default:
		c.stopReport = 0
	}
	return pid, nil
}

// statusContinued is the wait status of a process that goes on after SIGCONT.
const statusContinued = 0xffff

// childInfo is the Info of a SIGCHLD that tells p's wait status.
func (p *Process) childInfo(status uint32) signal.Info {
	si := p.fromUser(abi.CLD_EXITED)
	switch si.Second = uint64(status >> 8); {
	case status == statusContinued:
		si.Code, si.Second = abi.CLD_CONTINUED, abi.SIGCONT
	case status&0xff == 0x7f:
		si.Code = abi.CLD_STOPPED
	case status != status>>8<<8:
		si.Code, si.Second = abi.CLD_KILLED, uint64(status&0x7f)
	}
	return si
}
