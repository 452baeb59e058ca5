// Package calls holds the system calls that are no part of a process's life:
// thin stubs that turn numbers and addresses into calls of vfs and kernel.
//
// The kernel proper does not know this package: boot hands it the table All
// ([kernel.Config]).  Every function here runs on the calling process's
// goroutine, under the kernel lock; see [kernel.Call].
package calls

import (
	"yolk/kernel"
	"yolk/kernel/abi"
)

// call is a kernel.Call.
type call kernel.Call

// All returns this package's system calls for one kernel, each number once.
func All() (all []kernel.Call) {
	futexCalls := []call{{abi.SysFutex, "futex", new(futexes).call}}
	for _, list := range [][]call{
		fileCalls, pathCalls, pollCalls, timeCalls, identityCalls, systemCalls, memoryCalls, signalCalls, futexCalls, otherCalls,
	} {
		for _, c := range list {
			all = append(all, kernel.Call(c))
		}
	}
	return all
}

// otherCalls are the known calls that have nothing to do, or are refused: they
// stand here so that the log names only what nobody thought of.
var otherCalls = []call{
	{abi.SysSync, "sync", accept}, {abi.SysSetRobustList, "set_robust_list", accept},
	{abi.SysGetgroups, "getgroups", accept}, {abi.SysSetgroups, "setgroups", accept},
	{abi.SysPersonality, "personality", accept}, {abi.SysSetpriority, "setpriority", accept},
	{abi.SysSchedSetaffinity, "sched_setaffinity", accept}, {abi.SysSchedGetscheduler, "sched_getscheduler", accept},
	{abi.SysSchedGetPriorityMax, "sched_get_priority_max", accept}, {abi.SysSchedGetPriorityMin, "sched_get_priority_min", accept},

	{abi.SysRseq, "rseq", refuse(abi.ENOSYS)}, {abi.SysClone3, "clone3", refuse(abi.ENOSYS)},
	{abi.SysMembarrier, "membarrier", refuse(abi.ENOSYS)}, {abi.SysPtrace, "ptrace", refuse(abi.EPERM)},
	{abi.SysSocket, "socket", refuse(abi.EAFNOSUPPORT)}, {abi.SysConnect, "connect", refuse(abi.ENOTSOCK)},
	{abi.SysSocketpair, "socketpair", refuse(abi.EAFNOSUPPORT)}, {abi.SysRestartSyscall, "restart_syscall", refuse(abi.EINTR)},
}

// accept is a system call that has nothing to do.
func accept(*kernel.Process, *kernel.Args) (uint64, error) { return 0, nil }

// refuse returns a system call that fails.
func refuse(e abi.Errno) doer {
	return func(*kernel.Process, *kernel.Args) (uint64, error) { return 0, e }
}

// doer is what a system call does.
type doer = func(p *kernel.Process, a *kernel.Args) (uint64, error)

// adapt makes a call out of one that takes more arguments than the n of its
// own: the others are those given, then zero.
func adapt(do doer, n int, more ...uint64) doer {
	return func(p *kernel.Process, a *kernel.Args) (uint64, error) {
		clear(a[n:])
		copy(a[n:], more)
		return do(p, a)
	}
}
