package kernel

import (
	"yolk/kernel/abi"
	"yolk/kernel/trace"
	"yolk/mm"
)

// cloneRequest is what fork(2), vfork(2) and clone(2) have in common.
type cloneRequest struct {
	flags      uint64 // CLONE_…, without the signal
	exitSignal int
	stack      uint64 // child's RSP; 0: the parent's
	parentTID  uint64
	childTID   uint64
	tls        uint64
}

// cloneFlags are the flags that a process, not a thread, can be made with.
// CLONE_VM only goes with CLONE_VFORK: the two never run at the same time.
const cloneFlags = abi.CLONE_VM | abi.CLONE_VFORK | abi.CLONE_SETTLS |
	abi.CLONE_PARENT_SETTID | abi.CLONE_CHILD_SETTID | abi.CLONE_CHILD_CLEARTID

func (q *cloneRequest) check() error {
	vm, vfork := q.flags&abi.CLONE_VM != 0, q.flags&abi.CLONE_VFORK != 0
	switch {
	case q.flags&^cloneFlags != 0 || vm && !vfork || q.exitSignal > abi.NSIG:
		return abi.EINVAL
	case q.flags&abi.CLONE_SETTLS != 0 && q.tls >= uint64(mm.UserEnd):
		return abi.EPERM
	}
	return nil
}

func sysFork(p *Process, _ *Args) (uint64, error) {
	return p.clone(&cloneRequest{exitSignal: abi.SIGCHLD})
}

func sysVfork(p *Process, _ *Args) (uint64, error) {
	return p.clone(&cloneRequest{flags: abi.CLONE_VM | abi.CLONE_VFORK, exitSignal: abi.SIGCHLD})
}

func sysClone(p *Process, a *Args) (uint64, error) {
	return p.clone(&cloneRequest{
		flags: a[0] &^ 0xff, exitSignal: int(a[0] & 0xff),
		stack: a[1], parentTID: a[2], childTID: a[3], tls: a[4],
	})
}

// clone makes a child of p that is a copy of it, and returns the child's pid.
// The child finds 0 in RAX.  With CLONE_VFORK, p sleeps until the child has
// left its address space.
func (p *Process) clone(q *cloneRequest) (uint64, error) {
	if err := q.check(); err != nil {
		return 0, err
	}
	child, err := p.copyProcess(q)
	if err != nil {
		return 0, err
	}
	// Point of no return.
	pid := child.pid
	p.children = append(p.children, child)
	p.announce(child, q) // before setTIDs, which may change the memory that they have in common
	child.setTIDs(q)
	go child.run()
	if q.flags&abi.CLONE_VFORK != 0 {
		p.awaitRelease(child)
	}
	return uint64(pid), nil
}

// copyProcess makes the child and all it owns, or nothing.
func (p *Process) copyProcess(q *cloneRequest) (child *Process, err error) {
	k := p.kernel
	if k.procs >= int(min(p.Limits[abi.RLIMIT_NPROC].Cur, MaxProcesses)) {
		return nil, errLimit
	}
	if child, err = k.newProcess(p); err != nil {
		return nil, err
	}
	if child.Files, err = p.Files.Clone(child.budget); err != nil {
		k.forget(child)
		return nil, err
	}
	if q.flags&abi.CLONE_VM != 0 {
		p.lendSpace(child)
	} else if child.space, err = p.space.Fork(k.forkMode, child.budget); err != nil {
		child.Files.CloseAll()
		k.forget(child)
		return nil, err
	}
	// Nothing below can fail.
	child.root = child.space.Root()
	child.FS = p.FS.Clone()
	child.inherit(p, q)
	return child, nil
}

// lendSpace lets child run on p's own address space, as vfork and CLONE_VM want
// it.
//
//lab:vfork 1 let the child run on the address space of its parent
func (p *Process) lendSpace(child *Process) {
	p.space.Borrow()
	child.space = p.space
}

// inherit copies what a child has in common with its parent and can be had
// without asking (fork(2)).  Pending signals, timers and CPU times are not.
//
//lab:process 1 give a child what it has in common with its parent
func (child *Process) inherit(p *Process, q *cloneRequest) {
	*child.frame = *p.frame
	child.frame.RAX = 0
	if q.stack != 0 {
		child.frame.RSP = q.stack
	}
	if q.flags&abi.CLONE_SETTLS != 0 {
		child.frame.FSBase = q.tls
	}
	child.Signals.Actions, child.Signals.Blocked = p.Signals.Actions, p.Signals.Blocked
	if q.flags&abi.CLONE_VM == 0 || q.stack == 0 {
		child.Signals.Alt = p.Signals.Alt
	}
	child.join(p.pgid, p.sid)
	child.UID, child.GID, child.Limits = p.UID, p.GID, p.Limits
	child.exitSignal = q.exitSignal
	child.image = p.image
	if q.flags&abi.CLONE_VFORK != 0 {
		child.vforkParent = p
	}
}

// setTIDs stores the child's pid where clone(2) was asked to.  As on Linux, an
// address that cannot be written is not an error: the child exists by now.
func (child *Process) setTIDs(q *cloneRequest) {
	pid := [4]byte{byte(child.pid), byte(child.pid >> 8)}
	if q.flags&abi.CLONE_PARENT_SETTID != 0 {
		child.parent.CopyOut(q.parentTID, pid[:])
	}
	if q.flags&abi.CLONE_CHILD_SETTID != 0 {
		child.CopyOut(q.childTID, pid[:])
	}
	if q.flags&abi.CLONE_CHILD_CLEARTID != 0 {
		child.clearTID = q.childTID
	}
}

// announce counts and records the birth of child.
func (p *Process) announce(child *Process, q *cloneRequest) {
	ev := trace.Event{Kind: trace.Fork, Aux: uint64(child.pid), New: uint64(child.root), Old: uint64(p.root)}
	k := p.kernel
	if q.flags&abi.CLONE_VM != 0 {
		k.Counters.VForks++
		ev.Kind = trace.VFork
		hookVfork(p, child)
	} else {
		k.Counters.Forks++
		hookFork(p, child)
	}
	p.emit(trace.ClassProcess, ev)
	k.sample()
}

// awaitRelease is the parent's half of vfork: it sleeps until the child has
// called exec or has exited.  Only a signal that ends the parent ends the
// sleep; any other waits (vfork(2)).
//
// WHY the parent must not run: the child is on the parent's stack.  Whatever
// either of them does there, the other finds.
//
//lab:vfork 2 keep the parent asleep until the child has left the address space
func (p *Process) awaitRelease(child *Process) {
	p.emit(trace.ClassProcess, trace.Event{Kind: trace.VForkSleep, Aux: uint64(child.pid)})
	for child.vforkParent == p && !p.exiting && !p.Signals.Fatal() {
		p.pause(Sleeping)
	}
	child.vforkParent = nil
}

// releaseSpace is the one way out of an address space, for exec and exit.  It
// ends the sleep of a vfork parent, so whatever the child must have done before
// its parent goes on has been done by now: close-on-exec descriptors are closed.
func (p *Process) releaseSpace() {
	space := p.space
	if p.clearTID != 0 && space.Users() > 1 {
		var zero [4]byte
		if p.CopyOut(p.clearTID, zero[:]) == nil { // the memory may be gone: then nobody looks
			p.wakeFutex(p.clearTID)
		}
	}
	p.clearTID = 0
	p.space, p.root = nil, 0
	if p.vforkParent != nil {
		p.wakeParent()
	}
	space.Drop()
}

// wakeParent ends the sleep of p's vfork parent.  Whatever p does from here on
// is no concern of that sleep.
//
//lab:vfork 3 end the sleep of the parent, once
func (p *Process) wakeParent() {
	parent := p.vforkParent
	p.vforkParent = nil
	parent.emit(trace.ClassProcess, trace.Event{Kind: trace.VForkWake, Aux: uint64(p.pid)})
	parent.Wake()
}

// wakeFutex wakes one of those who wait for the word at va to change, as if by
// futex(2).
func (p *Process) wakeFutex(va uint64) {
	if call := p.kernel.calls[abi.SysFutex]; call.Do != nil {
		call.Do(p, &Args{va, abi.FUTEX_WAKE, 1})
	}
}
