package kernel

import (
	"yolk/kernel/abi"
	"yolk/mm"
)

// IDs are the real, effective and saved user or group id (credentials(7)).
// User 0 may do everything; who else is who matters to kill alone so far.
type IDs struct{ Real, Effective, Saved uint32 }

// Limit is one resource limit (getrlimit(2)).
type Limit struct{ Cur, Max uint64 }

func defaultLimits(k *Kernel) (l [abi.RLIM_NLIMITS]Limit) {
	for i := range l {
		l[i] = Limit{abi.RLIM_INFINITY, abi.RLIM_INFINITY}
	}
	procs := min(uint64(k.base.Limit()/processCost), MaxProcesses)
	l[abi.RLIMIT_STACK].Cur = mm.StackLimit
	l[abi.RLIMIT_CORE] = Limit{}
	l[abi.RLIMIT_NPROC] = Limit{procs, procs}
	l[abi.RLIMIT_NOFILE] = Limit{1024, 4096}
	return l
}

// identityCalls are the system calls about the groups that a process is in, and
// about its one thread.
var identityCalls = []Call{
	{abi.SysSetpgid, "setpgid", sysSetpgid}, {abi.SysSetsid, "setsid", sysSetsid},
	{abi.SysArchPrctl, "arch_prctl", sysArchPrctl}, {abi.SysSetTidAddress, "set_tid_address", sysSetTidAddress},
	{abi.SysSchedYield, "sched_yield", sysSchedYield},
}

// Find returns the process that an argument names, 0 being the caller; the
// caller too with ESRCH.
func (p *Process) Find(pid uint64) (*Process, error) {
	if q := p.kernel.byPID[int(int32(pid))]; q != nil {
		return q, nil
	}
	if int32(pid) == 0 {
		return p, nil
	}
	return p, abi.ESRCH
}

// sysSetpgid moves the caller, or a child of its that has not called exec yet,
// into a group of their session, or makes it the first of a new group
// (setpgid(2)).
func sysSetpgid(p *Process, a *Args) (uint64, error) {
	q, err := p.Find(a[0])
	pgid := int(int32(a[1]))
	switch {
	case pgid < 0:
		return 0, abi.EINVAL
	case err != nil || q != p && q.parent != p:
		return 0, abi.ESRCH
	case q != p && q.execed:
		return 0, abi.EACCES
	case q.sid == q.pid || q.sid != p.sid:
		return 0, abi.EPERM // a session leader's group is the session's
	case pgid == 0:
		pgid = q.pid
	}
	if pgid != q.pid && !p.kernel.any(func(o *Process) bool { return o.pgid == pgid && o.sid == p.sid }) {
		return 0, abi.EPERM
	}
	q.join(pgid, q.sid)
	return 0, nil
}

func sysSetsid(p *Process, _ *Args) (uint64, error) {
	if p.kernel.any(func(o *Process) bool { return o.pgid == p.pid }) {
		return 0, abi.EPERM // p leads a group, or others are still in the one it led
	}
	p.join(p.pid, p.pid)
	return uint64(p.pid), nil
}

// any reports whether f holds for some process.
func (k *Kernel) any(f func(*Process) bool) bool {
	for p := range k.Processes() {
		if f(p) {
			return true
		}
	}
	return false
}

// join moves p to a process group and a session.
func (p *Process) join(pgid, sid int) {
	k := p.kernel
	k.useID(pgid, 1) // before the old ones go: it may be the same number
	k.useID(sid, 1)
	k.useID(p.pgid, -1)
	k.useID(p.sid, -1)
	p.pgid, p.sid = pgid, sid
}

// sysArchPrctl sets or tells the FS and GS bases.
//
// WHY the check: writing an address that is not canonical to the MSR faults, in
// the kernel (SDM 2B, WRMSR).
func sysArchPrctl(p *Process, a *Args) (uint64, error) {
	base := &p.frame.FSBase
	if a[0] == abi.ARCH_SET_GS || a[0] == abi.ARCH_GET_GS {
		base = &p.frame.GSBase
	}
	switch a[0] {
	case abi.ARCH_SET_FS, abi.ARCH_SET_GS:
		if a[1] >= uint64(mm.UserEnd) {
			return 0, abi.EPERM
		}
		*base = a[1]
		return 0, nil
	case abi.ARCH_GET_FS, abi.ARCH_GET_GS:
		return 0, p.space.StoreUint64(mm.VirtAddr(a[1]), *base)
	}
	return 0, abi.EINVAL
}

func sysSetTidAddress(p *Process, a *Args) (uint64, error) {
	p.clearTID = a[0]
	return uint64(p.pid), nil
}

func sysSchedYield(p *Process, _ *Args) (uint64, error) {
	p.yield()
	return 0, nil
}

// maxPID bounds process numbers, as Linux's default pid_max.
const maxPID = 32768

// allocPID returns a number in [1, maxPID) that is in use neither as a pid nor as a process
// group or session: a group outlives its leader, and a new process that got
// its number would join it unasked.
//
//lab:process 1 choose a number for a process
func (k *Kernel) allocPID() int {
	for {
		k.lastPID++
		if k.lastPID == maxPID {
			k.lastPID = 2
		}
		if k.idUses[k.lastPID] == 0 {
			return k.lastPID
		}
	}
}

// useID notes that id is used n times more; 0 stands for none.
func (k *Kernel) useID(id, n int) {
	if id == 0 {
		return
	}
	if k.idUses[id] += n; k.idUses[id] == 0 {
		delete(k.idUses, id)
	}
}
