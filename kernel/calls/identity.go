package calls

import (
	"yolk/kernel"
	"yolk/kernel/abi"
	"yolk/mm"
)

// identityCalls are the system calls about who a process is.
var identityCalls = []call{
	{abi.SysGetpid, "getpid", sysGetpid}, {abi.SysGettid, "gettid", sysGetpid},
	{abi.SysGetppid, "getppid", sysGetppid}, {abi.SysGetpgrp, "getpgrp", sysGetpgrp},
	{abi.SysGetpgid, "getpgid", sysGetpgid}, {abi.SysGetsid, "getsid", sysGetsid},
	{abi.SysGetuid, "getuid", sysGetuid}, {abi.SysGeteuid, "geteuid", sysGeteuid},
	{abi.SysGetgid, "getgid", sysGetgid}, {abi.SysGetegid, "getegid", sysGetegid},
	{abi.SysSetuid, "setuid", setIDs(users, 1)}, {abi.SysSetgid, "setgid", setIDs(groups, 1)},
	{abi.SysSetreuid, "setreuid", setIDs(users, 2)}, {abi.SysSetregid, "setregid", setIDs(groups, 2)},
	{abi.SysSetresuid, "setresuid", setIDs(users, 3)}, {abi.SysSetresgid, "setresgid", setIDs(groups, 3)},
	{abi.SysGetresuid, "getresuid", getIDs(users)}, {abi.SysGetresgid, "getresgid", getIDs(groups)},
	{abi.SysPrctl, "prctl", sysPrctl},
}

func sysGetpid(p *kernel.Process, _ *kernel.Args) (uint64, error)  { return uint64(p.PID()), nil }
func sysGetppid(p *kernel.Process, _ *kernel.Args) (uint64, error) { return uint64(p.Parent()), nil }
func sysGetpgrp(p *kernel.Process, _ *kernel.Args) (uint64, error) { return uint64(p.Group()), nil }
func sysGetuid(p *kernel.Process, _ *kernel.Args) (uint64, error)  { return uint64(p.UID.Real), nil }
func sysGeteuid(p *kernel.Process, _ *kernel.Args) (uint64, error) {
	return uint64(p.UID.Effective), nil
}
func sysGetgid(p *kernel.Process, _ *kernel.Args) (uint64, error) { return uint64(p.GID.Real), nil }
func sysGetegid(p *kernel.Process, _ *kernel.Args) (uint64, error) {
	return uint64(p.GID.Effective), nil
}

func sysGetpgid(p *kernel.Process, a *kernel.Args) (uint64, error) {
	q, err := p.Find(a[0])
	return uint64(q.Group()), err
}

func sysGetsid(p *kernel.Process, a *kernel.Args) (uint64, error) {
	q, err := p.Find(a[0])
	return uint64(q.Session()), err
}

func users(p *kernel.Process) *kernel.IDs  { return &p.UID }
func groups(p *kernel.Process) *kernel.IDs { return &p.GID }

// setIDs returns setuid(2), setreuid(2) or setresuid(2), of n arguments, or their
// kin for groups.  ^0 leaves an id alone.  Without privilege, each must be one of
// the three that there are.
func setIDs(of func(*kernel.Process) *kernel.IDs, n int) doer {
	return func(p *kernel.Process, a *kernel.Args) (uint64, error) {
		const same = ^uint32(0)
		id, privileged := of(p), p.UID.Effective == 0
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
			if v != same && !privileged && v != id.Real && v != id.Effective && v != id.Saved {
				return 0, abi.EPERM
			}
		}
		for i, field := range [...]*uint32{&id.Real, &id.Effective, &id.Saved} {
			if to[i] != same {
				*field = to[i]
			}
		}
		return 0, nil
	}
}

func getIDs(of func(*kernel.Process) *kernel.IDs) doer {
	return func(p *kernel.Process, a *kernel.Args) (uint64, error) {
		id := of(p)
		for i, v := range [...]uint32{id.Real, id.Effective, id.Saved} {
			if err := p.Space().StoreUint32(mm.VirtAddr(a[i]), v); err != nil {
				return 0, err
			}
		}
		return 0, nil
	}
}

func sysPrctl(p *kernel.Process, a *kernel.Args) (uint64, error) {
	var name [16]byte
	switch a[0] {
	case abi.PR_SET_NAME:
		s, err := p.Space().CopyInString(mm.VirtAddr(a[1]), len(name))
		if err == mm.ErrTooLong {
			err = p.CopyIn(name[:], a[1])
			s = string(name[:15])
		}
		if err == nil {
			p.SetComm(s)
		}
		return 0, err
	case abi.PR_GET_NAME:
		copy(name[:15], p.Comm())
		return 0, p.CopyOut(a[1], name[:])
	case abi.PR_GET_DUMPABLE, abi.PR_SET_DUMPABLE, abi.PR_SET_NO_NEW_PRIVS:
		return 0, nil
	}
	return 0, abi.EINVAL
}
