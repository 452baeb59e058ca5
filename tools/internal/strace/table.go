package strace

import (
	"fmt"

	"yolk/kernel/abi"
)

// A signature is how a system call is written.
type signature struct {
	nr     uint64
	name   string
	args   []argument
	result resultForm
	count  func(c *Call) int // how many of args there are this time; nil: all
}

// A resultForm is how a result is written that is no error.
type resultForm uint8

const (
	number resultForm = iota
	address
	octal
	never // the call does not return
)

type args []argument

// futexMask are the bits that an operation of futex(2) can have besides.
const futexMask = abi.FUTEX_PRIVATE_FLAG | abi.FUTEX_CLOCK_REALTIME

var futexOp = in(func(v uint64) string { return oneOf(futexOps)(v&^futexMask) + more(futexBits, v&futexMask) })

// signatures are the calls, in the order of their numbers.
var signatures = []signature{
	{nr: abi.SysRead, name: "read", args: args{integer, outText, size}},
	{nr: abi.SysWrite, name: "write", args: args{integer, text, size}},
	{nr: abi.SysOpen, name: "open", args: args{text, openFlags, mode}, count: created(1)},
	{nr: abi.SysClose, name: "close", args: args{integer}},
	{nr: abi.SysStat, name: "stat", args: args{text, pointer}},
	{nr: abi.SysFstat, name: "fstat", args: args{integer, pointer}},
	{nr: abi.SysLstat, name: "lstat", args: args{text, pointer}},
	{nr: abi.SysPoll, name: "poll", args: args{pointer, size, integer}},
	{nr: abi.SysLseek, name: "lseek", args: args{integer, offset, choice(whence)}},
	{nr: abi.SysMmap, name: "mmap", args: args{pointer, size, flags(protBits), flags(mapBits), integer, word}, result: address},
	{nr: abi.SysMprotect, name: "mprotect", args: args{pointer, size, flags(protBits)}},
	{nr: abi.SysMunmap, name: "munmap", args: args{pointer, size}},
	{nr: abi.SysBrk, name: "brk", args: args{pointer}, result: address},
	{nr: abi.SysRtSigaction, name: "rt_sigaction", args: args{signal, pointer, pointer, size}},
	{nr: abi.SysRtSigprocmask, name: "rt_sigprocmask", args: args{choice(maskWays), pointer, pointer, size}},
	{nr: abi.SysRtSigreturn, name: "rt_sigreturn"},
	{nr: abi.SysIoctl, name: "ioctl", args: args{integer, choice(ioctls), pointer}},
	{nr: abi.SysPread64, name: "pread64", args: args{integer, outText, size, offset}},
	{nr: abi.SysPwrite64, name: "pwrite64", args: args{integer, text, size, offset}},
	{nr: abi.SysReadv, name: "readv", args: args{integer, pointer, integer}},
	{nr: abi.SysWritev, name: "writev", args: args{integer, strs, integer}},
	{nr: abi.SysAccess, name: "access", args: args{text, flags(accessBits)}},
	{nr: abi.SysPipe, name: "pipe", args: args{fds}},
	{nr: abi.SysSelect, name: "select", args: args{integer, pointer, pointer, pointer, pointer}},
	{nr: abi.SysSchedYield, name: "sched_yield"},
	{nr: abi.SysMremap, name: "mremap", args: args{pointer, size, size, flags(mremapBits), pointer}, result: address, count: func(c *Call) int {
		return 4 + int(c.args[3]&abi.MREMAP_FIXED/abi.MREMAP_FIXED)
	}},
	{nr: abi.SysMsync, name: "msync", args: args{pointer, size, flags(msyncBits)}},
	{nr: abi.SysMincore, name: "mincore", args: args{pointer, size, pointer}},
	{nr: abi.SysMadvise, name: "madvise", args: args{pointer, size, choice(advices)}},
	{nr: abi.SysDup, name: "dup", args: args{integer}},
	{nr: abi.SysDup2, name: "dup2", args: args{integer, integer}},
	{nr: abi.SysPause, name: "pause"},
	{nr: abi.SysNanosleep, name: "nanosleep", args: args{time, pointer}},
	{nr: abi.SysGetitimer, name: "getitimer", args: args{choice(itimers), pointer}},
	{nr: abi.SysAlarm, name: "alarm", args: args{integer}},
	{nr: abi.SysSetitimer, name: "setitimer", args: args{choice(itimers), pointer, pointer}},
	{nr: abi.SysGetpid, name: "getpid"},
	{nr: abi.SysSendfile, name: "sendfile", args: args{integer, integer, pointer, size}},
	{nr: abi.SysSocket, name: "socket", args: args{integer, word, integer}},
	{nr: abi.SysConnect, name: "connect", args: args{integer, pointer, integer}},
	{nr: abi.SysSocketpair, name: "socketpair", args: args{integer, word, integer, pointer}},
	{nr: abi.SysClone, name: "clone", args: args{cloneBits, pointer, pointer, pointer, word}},
	{nr: abi.SysFork, name: "fork"},
	{nr: abi.SysVfork, name: "vfork"},
	{nr: abi.SysExecve, name: "execve", args: args{text, strs, pointer}},
	{nr: abi.SysExit, name: "exit", args: args{integer}, result: never},
	{nr: abi.SysWait4, name: "wait4", args: args{integer, status, flags(waitBits), pointer}},
	{nr: abi.SysKill, name: "kill", args: args{integer, signal}},
	{nr: abi.SysUname, name: "uname", args: args{pointer}},
	{nr: abi.SysFcntl, name: "fcntl", args: args{integer, choice(fcntlCommands), word}, count: func(c *Call) int {
		switch c.args[1] {
		case abi.F_GETFD, abi.F_GETFL, abi.F_GETOWN, abi.F_GETPIPE_SZ:
			return 2
		}
		return 3
	}},
	{nr: abi.SysFlock, name: "flock", args: args{integer, word}},
	{nr: abi.SysFsync, name: "fsync", args: args{integer}},
	{nr: abi.SysFdatasync, name: "fdatasync", args: args{integer}},
	{nr: abi.SysTruncate, name: "truncate", args: args{text, offset}},
	{nr: abi.SysFtruncate, name: "ftruncate", args: args{integer, offset}},
	{nr: abi.SysGetcwd, name: "getcwd", args: args{outText, size}},
	{nr: abi.SysChdir, name: "chdir", args: args{text}},
	{nr: abi.SysFchdir, name: "fchdir", args: args{integer}},
	{nr: abi.SysRename, name: "rename", args: args{text, text}},
	{nr: abi.SysMkdir, name: "mkdir", args: args{text, mode}},
	{nr: abi.SysRmdir, name: "rmdir", args: args{text}},
	{nr: abi.SysCreat, name: "creat", args: args{text, mode}},
	{nr: abi.SysLink, name: "link", args: args{text, text}},
	{nr: abi.SysUnlink, name: "unlink", args: args{text}},
	{nr: abi.SysSymlink, name: "symlink", args: args{text, text}},
	{nr: abi.SysReadlink, name: "readlink", args: args{text, outText, size}},
	{nr: abi.SysChmod, name: "chmod", args: args{text, mode}},
	{nr: abi.SysFchmod, name: "fchmod", args: args{integer, mode}},
	{nr: abi.SysChown, name: "chown", args: args{text, integer, integer}},
	{nr: abi.SysFchown, name: "fchown", args: args{integer, integer, integer}},
	{nr: abi.SysLchown, name: "lchown", args: args{text, integer, integer}},
	{nr: abi.SysUmask, name: "umask", args: args{mode}, result: octal},
	{nr: abi.SysGettimeofday, name: "gettimeofday", args: args{pointer, pointer}},
	{nr: abi.SysGetrlimit, name: "getrlimit", args: args{choice(limits), pointer}},
	{nr: abi.SysGetrusage, name: "getrusage", args: args{choice(usages), pointer}},
	{nr: abi.SysSysinfo, name: "sysinfo", args: args{pointer}},
	{nr: abi.SysTimes, name: "times", args: args{pointer}},
	{nr: abi.SysPtrace, name: "ptrace", args: args{word, integer, pointer, pointer}},
	{nr: abi.SysGetuid, name: "getuid"},
	{nr: abi.SysGetgid, name: "getgid"},
	{nr: abi.SysSetuid, name: "setuid", args: args{integer}},
	{nr: abi.SysSetgid, name: "setgid", args: args{integer}},
	{nr: abi.SysGeteuid, name: "geteuid"},
	{nr: abi.SysGetegid, name: "getegid"},
	{nr: abi.SysSetpgid, name: "setpgid", args: args{integer, integer}},
	{nr: abi.SysGetppid, name: "getppid"},
	{nr: abi.SysGetpgrp, name: "getpgrp"},
	{nr: abi.SysSetsid, name: "setsid"},
	{nr: abi.SysSetreuid, name: "setreuid", args: args{integer, integer}},
	{nr: abi.SysSetregid, name: "setregid", args: args{integer, integer}},
	{nr: abi.SysGetgroups, name: "getgroups", args: args{integer, pointer}},
	{nr: abi.SysSetgroups, name: "setgroups", args: args{integer, pointer}},
	{nr: abi.SysSetresuid, name: "setresuid", args: args{integer, integer, integer}},
	{nr: abi.SysGetresuid, name: "getresuid", args: args{pointer, pointer, pointer}},
	{nr: abi.SysSetresgid, name: "setresgid", args: args{integer, integer, integer}},
	{nr: abi.SysGetresgid, name: "getresgid", args: args{pointer, pointer, pointer}},
	{nr: abi.SysGetpgid, name: "getpgid", args: args{integer}},
	{nr: abi.SysGetsid, name: "getsid", args: args{integer}},
	{nr: abi.SysRtSigpending, name: "rt_sigpending", args: args{pointer, size}},
	{nr: abi.SysRtSigtimedwait, name: "rt_sigtimedwait", args: args{pointer, pointer, pointer, size}},
	{nr: abi.SysRtSigsuspend, name: "rt_sigsuspend", args: args{pointer, size}},
	{nr: abi.SysSigaltstack, name: "sigaltstack", args: args{pointer, pointer}},
	{nr: abi.SysUtime, name: "utime", args: args{text, pointer}},
	{nr: abi.SysMknod, name: "mknod", args: args{text, mode, device}},
	{nr: abi.SysPersonality, name: "personality", args: args{word}},
	{nr: abi.SysStatfs, name: "statfs", args: args{text, pointer}},
	{nr: abi.SysFstatfs, name: "fstatfs", args: args{integer, pointer}},
	{nr: abi.SysGetpriority, name: "getpriority", args: args{integer, integer}},
	{nr: abi.SysSetpriority, name: "setpriority", args: args{integer, integer, integer}},
	{nr: abi.SysSchedGetscheduler, name: "sched_getscheduler", args: args{integer}},
	{nr: abi.SysSchedGetPriorityMax, name: "sched_get_priority_max", args: args{integer}},
	{nr: abi.SysSchedGetPriorityMin, name: "sched_get_priority_min", args: args{integer}},
	{nr: abi.SysMlock, name: "mlock", args: args{pointer, size}},
	{nr: abi.SysMunlock, name: "munlock", args: args{pointer, size}},
	{nr: abi.SysPrctl, name: "prctl", args: args{choice(prctlOptions), word}},
	{nr: abi.SysArchPrctl, name: "arch_prctl", args: args{choice(archCodes), pointer}},
	{nr: abi.SysSetrlimit, name: "setrlimit", args: args{choice(limits), pointer}},
	{nr: abi.SysSync, name: "sync"},
	{nr: abi.SysReboot, name: "reboot", args: args{word, word, word}},
	{nr: abi.SysGettid, name: "gettid"},
	{nr: abi.SysTkill, name: "tkill", args: args{integer, signal}},
	{nr: abi.SysTime, name: "time", args: args{pointer}},
	{nr: abi.SysFutex, name: "futex", args: args{pointer, futexOp, integer, pointer}, count: func(c *Call) int {
		if c.args[1]&^futexMask == abi.FUTEX_WAKE {
			return 3
		}
		return 4
	}},
	{nr: abi.SysSchedSetaffinity, name: "sched_setaffinity", args: args{integer, size, pointer}},
	{nr: abi.SysSchedGetaffinity, name: "sched_getaffinity", args: args{integer, size, pointer}},
	{nr: abi.SysGetdents64, name: "getdents64", args: args{integer, pointer, size}},
	{nr: abi.SysSetTidAddress, name: "set_tid_address", args: args{pointer}},
	{nr: abi.SysRestartSyscall, name: "restart_syscall"},
	{nr: abi.SysClockGettime, name: "clock_gettime", args: args{choice(clocks), pointer}},
	{nr: abi.SysClockGetres, name: "clock_getres", args: args{choice(clocks), pointer}},
	{nr: abi.SysClockNanosleep, name: "clock_nanosleep", args: args{choice(clocks), flags(timerBits), time, pointer}},
	{nr: abi.SysExitGroup, name: "exit_group", args: args{integer}, result: never},
	{nr: abi.SysTgkill, name: "tgkill", args: args{integer, integer, signal}},
	{nr: abi.SysUtimes, name: "utimes", args: args{text, pointer}},
	{nr: abi.SysWaitid, name: "waitid", args: args{choice(waitKinds), integer, pointer, flags(waitBits), pointer}},
	{nr: abi.SysOpenat, name: "openat", args: args{directory, text, openFlags, mode}, count: created(2)},
	{nr: abi.SysMkdirat, name: "mkdirat", args: args{directory, text, mode}},
	{nr: abi.SysMknodat, name: "mknodat", args: args{directory, text, mode, device}},
	{nr: abi.SysFchownat, name: "fchownat", args: args{directory, text, integer, integer, flags(atBits)}},
	{nr: abi.SysFutimesat, name: "futimesat", args: args{directory, text, pointer}},
	{nr: abi.SysNewfstatat, name: "newfstatat", args: args{directory, text, pointer, flags(atBits)}},
	{nr: abi.SysUnlinkat, name: "unlinkat", args: args{directory, text, flags(unlinkBits)}},
	{nr: abi.SysRenameat, name: "renameat", args: args{directory, text, directory, text}},
	{nr: abi.SysLinkat, name: "linkat", args: args{directory, text, directory, text, flags(atBits)}},
	{nr: abi.SysSymlinkat, name: "symlinkat", args: args{text, directory, text}},
	{nr: abi.SysReadlinkat, name: "readlinkat", args: args{directory, text, outText, size}},
	{nr: abi.SysFchmodat, name: "fchmodat", args: args{directory, text, mode}},
	{nr: abi.SysFaccessat, name: "faccessat", args: args{directory, text, flags(accessBits)}},
	{nr: abi.SysPselect6, name: "pselect6", args: args{integer, pointer, pointer, pointer, pointer, pointer}},
	{nr: abi.SysPpoll, name: "ppoll", args: args{pointer, size, pointer, pointer, size}},
	{nr: abi.SysSetRobustList, name: "set_robust_list", args: args{pointer, size}},
	{nr: abi.SysUtimensat, name: "utimensat", args: args{directory, text, pointer, flags(atBits)}},
	{nr: abi.SysDup3, name: "dup3", args: args{integer, integer, flags(openBits)}},
	{nr: abi.SysPipe2, name: "pipe2", args: args{fds, flags(openBits)}},
	{nr: abi.SysPreadv, name: "preadv", args: args{integer, pointer, integer, offset}},
	{nr: abi.SysPwritev, name: "pwritev", args: args{integer, pointer, integer, offset}},
	{nr: abi.SysPrlimit64, name: "prlimit64", args: args{integer, choice(limits), pointer, pointer}},
	{nr: abi.SysSyncfs, name: "syncfs", args: args{integer}},
	{nr: abi.SysRenameat2, name: "renameat2", args: args{directory, text, directory, text, flags(renameBits)}},
	{nr: abi.SysGetrandom, name: "getrandom", args: args{pointer, size, flags(randomBits)}},
	{nr: abi.SysMembarrier, name: "membarrier", args: args{integer, word, integer}},
	{nr: abi.SysStatx, name: "statx", args: args{directory, text, flags(atBits), word, pointer}},
	{nr: abi.SysRseq, name: "rseq", args: args{pointer, size, word, word}},
	{nr: abi.SysClone3, name: "clone3", args: args{pointer, size}},
	{nr: abi.SysFaccessat2, name: "faccessat2", args: args{directory, text, flags(accessBits), flags(accessAtBits)}},
	{nr: abi.SysFchmodat2, name: "fchmodat2", args: args{directory, text, mode, flags(atBits)}},
}

// created counts the arguments of open(2): the mode is one only where a file may
// be made.
func created(flags int) func(*Call) int {
	return func(c *Call) int {
		if c.args[flags]&(abi.O_CREAT|abi.O_TMPFILE&^abi.O_DIRECTORY) != 0 {
			return flags + 2
		}
		return flags + 1
	}
}

var byNumber = func() map[uint64]*signature {
	m := make(map[uint64]*signature)
	for i := range signatures {
		m[signatures[i].nr] = &signatures[i]
	}
	return m
}()

// lookup returns the signature of a call; one that is not known has six words
// for arguments.
func lookup(nr uint64) *signature {
	if s := byNumber[nr]; s != nil {
		return s
	}
	return &signature{nr: nr, name: fmt.Sprintf("syscall_%d", nr), args: args{word, word, word, word, word, word}}
}

// Name is the name of a system call; "" if there is no such call.
func Name(nr uint64) string {
	if s := byNumber[nr]; s != nil {
		return s.name
	}
	return ""
}
