package kernel

import (
	"encoding/binary"

	"yolk/kernel/abi"
	"yolk/mm"
)

// ids are the real, effective and saved user or group id (credentials(7)).
// User 0 may do everything; who else is who matters to kill alone so far.
type ids struct{ real, effective, saved uint32 }

// limits are the resource limits of getrlimit(2), by RLIMIT_ number.
type limits [abi.RLIM_NLIMITS]limit

type limit struct{ cur, max uint64 }

func defaultLimits(k *Kernel) (l limits) {
	for i := range l {
		l[i] = limit{abi.RLIM_INFINITY, abi.RLIM_INFINITY}
	}
	procs := min(uint64(k.budget.Limit()/(2*processCost)), MaxProcesses)
	l[abi.RLIMIT_STACK].cur = mm.StackLimit
	l[abi.RLIMIT_CORE] = limit{}
	l[abi.RLIMIT_NPROC] = limit{procs, procs}
	l[abi.RLIMIT_NOFILE] = limit{1024, 4096}
	return l
}

// identityCalls are the system calls about who a process is, and about the
// system as a whole.  Known calls that are refused stand here too, so that the
// log names only what nobody thought of.
var identityCalls = []call{
	{abi.SysGetpid, "getpid", sysGetpid}, {abi.SysGettid, "gettid", sysGetpid},
	{abi.SysGetppid, "getppid", sysGetppid}, {abi.SysGetpgrp, "getpgrp", sysGetpgrp},
	{abi.SysGetpgid, "getpgid", sysGetpgid}, {abi.SysSetpgid, "setpgid", sysSetpgid},
	{abi.SysGetsid, "getsid", sysGetsid}, {abi.SysSetsid, "setsid", sysSetsid},
	{abi.SysGetuid, "getuid", sysGetuid}, {abi.SysGeteuid, "geteuid", sysGeteuid},
	{abi.SysGetgid, "getgid", sysGetgid}, {abi.SysGetegid, "getegid", sysGetegid},
	{abi.SysSetuid, "setuid", setIDs(users, 1)}, {abi.SysSetgid, "setgid", setIDs(groups, 1)},
	{abi.SysSetreuid, "setreuid", setIDs(users, 2)}, {abi.SysSetregid, "setregid", setIDs(groups, 2)},
	{abi.SysSetresuid, "setresuid", setIDs(users, 3)}, {abi.SysSetresgid, "setresgid", setIDs(groups, 3)},
	{abi.SysGetresuid, "getresuid", getIDs(users)}, {abi.SysGetresgid, "getresgid", getIDs(groups)},
	{abi.SysGetgroups, "getgroups", accept}, {abi.SysSetgroups, "setgroups", accept},

	{abi.SysUname, "uname", sysUname}, {abi.SysSysinfo, "sysinfo", sysSysinfo},
	{abi.SysGetrandom, "getrandom", sysGetrandom}, {abi.SysReboot, "reboot", sysReboot},
	{abi.SysPrlimit64, "prlimit64", sysPrlimit64},
	{abi.SysGetrlimit, "getrlimit", sysGetrlimit}, {abi.SysSetrlimit, "setrlimit", sysSetrlimit},
	{abi.SysArchPrctl, "arch_prctl", sysArchPrctl}, {abi.SysPrctl, "prctl", sysPrctl},
	{abi.SysSetTidAddress, "set_tid_address", sysSetTidAddress}, {abi.SysSetRobustList, "set_robust_list", accept},
	{abi.SysPersonality, "personality", accept}, {abi.SysSchedGetaffinity, "sched_getaffinity", sysSchedGetaffinity},
	{abi.SysSchedSetaffinity, "sched_setaffinity", accept}, {abi.SysSchedGetscheduler, "sched_getscheduler", accept},
	{abi.SysSchedGetPriorityMax, "sched_get_priority_max", accept}, {abi.SysSchedGetPriorityMin, "sched_get_priority_min", accept},
	{abi.SysGetpriority, "getpriority", sysGetpriority}, {abi.SysSetpriority, "setpriority", accept},

	{abi.SysRseq, "rseq", refuse(abi.ENOSYS)}, {abi.SysClone3, "clone3", refuse(abi.ENOSYS)},
	{abi.SysMembarrier, "membarrier", refuse(abi.ENOSYS)}, {abi.SysPtrace, "ptrace", refuse(abi.EPERM)},
	{abi.SysSocket, "socket", refuse(abi.EAFNOSUPPORT)}, {abi.SysConnect, "connect", refuse(abi.ENOTSOCK)},
	{abi.SysSocketpair, "socketpair", refuse(abi.EAFNOSUPPORT)},
}

// accept is a system call that has nothing to do.
func accept(*Process, *Args) (uint64, error) { return 0, nil }

// refuse returns a system call that fails.
func refuse(e abi.Errno) doer {
	return func(*Process, *Args) (uint64, error) { return 0, e }
}

func sysGetpid(p *Process, _ *Args) (uint64, error)      { return uint64(p.pid), nil }
func sysGetppid(p *Process, _ *Args) (uint64, error)     { return uint64(p.Parent()), nil }
func sysGetpgrp(p *Process, _ *Args) (uint64, error)     { return uint64(p.pgid), nil }
func sysGetuid(p *Process, _ *Args) (uint64, error)      { return uint64(p.uid.real), nil }
func sysGeteuid(p *Process, _ *Args) (uint64, error)     { return uint64(p.uid.effective), nil }
func sysGetgid(p *Process, _ *Args) (uint64, error)      { return uint64(p.gid.real), nil }
func sysGetegid(p *Process, _ *Args) (uint64, error)     { return uint64(p.gid.effective), nil }
func sysGetpriority(p *Process, _ *Args) (uint64, error) { return 20, nil } // nice 0 (getpriority(2), NOTES)

// find returns the process that pid names, 0 being the caller; the caller too
// with ESRCH.
func (p *Process) find(pid uint64) (*Process, error) {
	if q := p.kernel.byPID[int(int32(pid))]; q != nil {
		return q, nil
	}
	if int32(pid) == 0 {
		return p, nil
	}
	return p, abi.ESRCH
}

func sysGetpgid(p *Process, a *Args) (uint64, error) {
	q, err := p.find(a[0])
	return uint64(q.pgid), err
}

func sysGetsid(p *Process, a *Args) (uint64, error) {
	q, err := p.find(a[0])
	return uint64(q.sid), err
}

// sysSetpgid moves the caller, or a child of its that has not called exec yet,
// into a group of their session, or makes it the first of a new group
// (setpgid(2)).
func sysSetpgid(p *Process, a *Args) (uint64, error) {
	q, err := p.find(a[0])
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
	for _, p := range k.slots {
		if p != nil && f(p) {
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

func users(p *Process) *ids  { return &p.uid }
func groups(p *Process) *ids { return &p.gid }

// setIDs returns setuid(2), setreuid(2) or setresuid(2), of n arguments, or their
// kin for groups.  ^0 leaves an id alone.  Without privilege, each must be one of
// the three that there are.
func setIDs(of func(*Process) *ids, n int) doer {
	return func(p *Process, a *Args) (uint64, error) {
		const same = ^uint32(0)
		id, privileged := of(p), p.uid.effective == 0
		to := [3]uint32{uint32(a[0]), uint32(a[1]), uint32(a[2])}
		switch {
		case n == 2:
			to[2] = to[1]
		case n == 1 && privileged:
			to[1], to[2] = to[0], to[0]
		case n == 1:
			to = [3]uint32{same, to[0], same}
		}
		for _, v := range to {
			if v != same && !privileged && v != id.real && v != id.effective && v != id.saved {
				return 0, abi.EPERM
			}
		}
		for i, field := range [...]*uint32{&id.real, &id.effective, &id.saved} {
			if to[i] != same {
				*field = to[i]
			}
		}
		return 0, nil
	}
}

func getIDs(of func(*Process) *ids) doer {
	return func(p *Process, a *Args) (uint64, error) {
		id := of(p)
		for i, v := range [...]uint32{id.real, id.effective, id.saved} {
			if err := p.space.StoreUint32(mm.VirtAddr(a[i]), v); err != nil {
				return 0, err
			}
		}
		return 0, nil
	}
}

func sysUname(p *Process, a *Args) (uint64, error) {
	fields := [6]string{"Linux", "yolk", "6.1.0-yolk", "Yolk", "x86_64", "(none)"}
	return 0, p.copyOut(a[0], abi.AppendUtsname(nil, fields))
}

func sysSysinfo(p *Process, a *Args) (uint64, error) {
	k, frames := p.kernel, p.kernel.memory.Frames
	info := abi.Sysinfo{
		Uptime: k.machine.Nanotime() / 1e9, Procs: uint16(k.procs),
		Total: uint64(frames.Total()) * mm.PageSize, Free: uint64(frames.Free()) * mm.PageSize,
	}
	return 0, p.copyOut(a[0], info.Append(nil))
}

func sysGetrandom(p *Process, a *Args) (uint64, error) {
	if a[2]&^(abi.GRND_NONBLOCK|abi.GRND_RANDOM|abi.GRND_INSECURE) != 0 {
		return 0, abi.EINVAL
	}
	n := min(a[1], 1<<25)
	for done := uint64(0); done < n; {
		b := p.kernel.scratch[:min(n-done, uint64(len(p.kernel.scratch)))]
		p.kernel.machine.Random(b)
		if err := p.copyOut(a[0]+done, b); err != nil {
			return 0, err
		}
		done += uint64(len(b))
	}
	return n, nil
}

func sysGetrlimit(p *Process, a *Args) (uint64, error) { return p.prlimit(p, a[0], 0, a[1]) }
func sysSetrlimit(p *Process, a *Args) (uint64, error) { return p.prlimit(p, a[0], a[1], 0) }
func sysPrlimit64(p *Process, a *Args) (uint64, error) {
	q, err := p.find(a[0])
	if err != nil {
		return 0, err
	}
	return p.prlimit(q, a[1], a[2], a[3])
}

// prlimit reads a limit of q's from set and writes what it was to get, each
// unless nil (prlimit(2)).
func (p *Process) prlimit(q *Process, which, set, get uint64) (uint64, error) {
	if which >= abi.RLIM_NLIMITS {
		return 0, abi.EINVAL
	}
	old := q.limits[which]
	if set != 0 {
		var b [abi.RlimitSize]byte
		if err := p.copyIn(b[:], set); err != nil {
			return 0, err
		}
		to := limit{binary.LittleEndian.Uint64(b[:]), binary.LittleEndian.Uint64(b[8:])}
		if err := q.setLimit(which, to, p.uid.effective == 0); err != nil {
			return 0, err
		}
	}
	return 0, p.copyOutWords(get, old.cur, old.max)
}

// setLimit changes a limit, and tells whoever holds p to it.  Descriptors and
// processes keep the kernel's heap from running out: nobody may have more.
func (p *Process) setLimit(which uint64, to limit, privileged bool) error {
	l := &p.limits[which]
	switch {
	case to.cur > to.max:
		return abi.EINVAL
	case to.max > l.max && (!privileged || which == abi.RLIMIT_NOFILE || which == abi.RLIMIT_NPROC):
		return abi.EPERM
	}
	*l = to
	switch {
	case p.space == nil: // it is exiting
	case which == abi.RLIMIT_NOFILE:
		p.Files.Limit = int(to.cur)
	case which == abi.RLIMIT_STACK:
		p.space.StackLimit = to.cur
	case which == abi.RLIMIT_AS:
		p.space.SizeLimit = min(to.cur, uint64(mm.UserEnd))
	}
	return nil
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

func sysPrctl(p *Process, a *Args) (uint64, error) {
	var name [16]byte
	switch a[0] {
	case abi.PR_SET_NAME:
		s, err := p.space.CopyInString(mm.VirtAddr(a[1]), len(name))
		if err == mm.ErrTooLong {
			err = p.copyIn(name[:], a[1])
			s = string(name[:15])
		}
		if err == nil {
			p.setComm(s)
		}
		return 0, err
	case abi.PR_GET_NAME:
		copy(name[:15], p.image.comm)
		return 0, p.copyOut(a[1], name[:])
	case abi.PR_GET_DUMPABLE, abi.PR_SET_DUMPABLE, abi.PR_SET_NO_NEW_PRIVS:
		return 0, nil
	}
	return 0, abi.EINVAL
}

func sysSetTidAddress(p *Process, a *Args) (uint64, error) {
	p.clearTID = a[0]
	return uint64(p.pid), nil
}

// sysReboot powers the machine off, however it is asked to end (reboot(2)).
func sysReboot(p *Process, a *Args) (uint64, error) {
	cmd := uint32(a[2])
	switch {
	case p.uid.effective != 0:
		return 0, abi.EPERM
	case uint32(a[0]) != abi.REBOOT_MAGIC1,
		cmd != abi.REBOOT_POWER_OFF && cmd != abi.REBOOT_HALT && cmd != abi.REBOOT_RESTART:
		return 0, abi.EINVAL
	}
	p.kernel.PowerOff(0)
	return 0, nil
}

// sysSchedGetaffinity tells that there is processor 0 and no other.
func sysSchedGetaffinity(p *Process, a *Args) (uint64, error) {
	if _, err := p.find(a[0]); err != nil || a[1] < 8 {
		return 0, abi.EINVAL
	}
	return 8, p.space.StoreUint64(mm.VirtAddr(a[2]), 1)
}
