package abi

// Signals (signal(7)).
const (
	SIGHUP, SIGINT, SIGQUIT, SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE      = 1, 2, 3, 4, 5, 6, 7, 8
	SIGKILL, SIGUSR1, SIGSEGV, SIGUSR2, SIGPIPE, SIGALRM, SIGTERM          = 9, 10, 11, 12, 13, 14, 15
	SIGSTKFLT, SIGCHLD, SIGCONT, SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU        = 16, 17, 18, 19, 20, 21, 22
	SIGURG, SIGXCPU, SIGXFSZ, SIGVTALRM, SIGPROF, SIGWINCH, SIGIO, SIGPWR  = 23, 24, 25, 26, 27, 28, 29, 30
	SIGSYS, NSIG                                                           = 31, 64
	SIG_DFL, SIG_IGN                                                       = 0, 1
	SIG_BLOCK, SIG_UNBLOCK, SIG_SETMASK                                    = 0, 1, 2
	SA_NOCLDSTOP, SA_NOCLDWAIT, SA_SIGINFO, SA_RESTORER                    = 1, 2, 4, 0x04000000
	SA_ONSTACK, SA_RESTART, SA_NODEFER, SA_RESETHAND                       = 0x08000000, 0x10000000, 0x40000000, 0x80000000
	SI_USER, SI_KERNEL, SI_QUEUE, SI_TIMER, SI_TKILL                       = 0, 0x80, -1, -2, -6
	SEGV_MAPERR, SEGV_ACCERR, BUS_ADRALN, BUS_ADRERR                       = 1, 2, 1, 2
	ILL_ILLOPN, FPE_INTDIV, FPE_INTOVF, FPE_FLTINV, TRAP_BRKPT, TRAP_TRACE = 2, 1, 2, 7, 1, 2
	CLD_EXITED, CLD_KILLED, CLD_DUMPED, CLD_STOPPED, CLD_CONTINUED         = 1, 2, 3, 5, 6
	SS_ONSTACK, SS_DISABLE, MINSIGSTKSZ, SS_AUTODISARM                     = 1, 2, 2048, 1 << 31
)

// Options of wait4(2) and waitid(2).
const (
	WNOHANG, WUNTRACED, WSTOPPED, WEXITED, WCONTINUED, WNOWAIT = 1, 2, 2, 4, 8, 0x01000000
	WNOTHREAD, WALL, WCLONE                                    = 0x20000000, 0x40000000, 0x80000000
	P_ALL, P_PID, P_PGID                                       = 0, 1, 2
)

// Flags of clone(2).
const (
	CLONE_VM, CLONE_FS, CLONE_FILES, CLONE_SIGHAND = 0x100, 0x200, 0x400, 0x800
	CLONE_PTRACE, CLONE_VFORK, CLONE_PARENT        = 0x2000, 0x4000, 0x8000
	CLONE_THREAD, CLONE_NEWNS, CLONE_SYSVSEM       = 0x10000, 0x20000, 0x40000
	CLONE_SETTLS, CLONE_PARENT_SETTID              = 0x80000, 0x100000
	CLONE_CHILD_CLEARTID, CLONE_DETACHED           = 0x200000, 0x400000
	CLONE_UNTRACED, CLONE_CHILD_SETTID             = 0x800000, 0x1000000
)

// Protections, flags and advice of mmap(2), mremap(2) and madvise(2).
const (
	PROT_NONE, PROT_READ, PROT_WRITE, PROT_EXEC = 0, 1, 2, 4
	PROT_GROWSDOWN                              = 0x01000000

	MAP_SHARED, MAP_PRIVATE, MAP_SHARED_VALIDATE, MAP_TYPE = 1, 2, 3, 0xf
	MAP_FIXED, MAP_ANONYMOUS, MAP_GROWSDOWN                = 0x10, 0x20, 0x100
	MAP_DENYWRITE, MAP_LOCKED, MAP_NORESERVE               = 0x800, 0x2000, 0x4000
	MAP_POPULATE, MAP_STACK, MAP_FIXED_NOREPLACE           = 0x8000, 0x20000, 0x100000

	MREMAP_MAYMOVE, MREMAP_FIXED, MREMAP_DONTUNMAP = 1, 2, 4
	MS_ASYNC, MS_INVALIDATE, MS_SYNC               = 1, 2, 4

	MADV_NORMAL, MADV_RANDOM, MADV_SEQUENTIAL, MADV_WILLNEED, MADV_DONTNEED = 0, 1, 2, 3, 4
	MADV_FREE, MADV_HUGEPAGE, MADV_NOHUGEPAGE, MADV_COLLAPSE                = 8, 14, 15, 25
)

// Clocks, timers and limits (clock_gettime(2), setitimer(2), getrlimit(2)).
const (
	CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_PROCESS_CPUTIME_ID, CLOCK_THREAD_CPUTIME_ID        = 0, 1, 2, 3
	CLOCK_MONOTONIC_RAW, CLOCK_REALTIME_COARSE, CLOCK_MONOTONIC_COARSE, CLOCK_BOOTTIME        = 4, 5, 6, 7
	TIMER_ABSTIME                                                                             = 1
	ITIMER_REAL, ITIMER_VIRTUAL, ITIMER_PROF                                                  = 0, 1, 2
	RLIMIT_CPU, RLIMIT_FSIZE, RLIMIT_DATA, RLIMIT_STACK, RLIMIT_CORE, RLIMIT_RSS              = 0, 1, 2, 3, 4, 5
	RLIMIT_NPROC, RLIMIT_NOFILE, RLIMIT_MEMLOCK, RLIMIT_AS, RLIM_NLIMITS                      = 6, 7, 8, 9, 16
	RLIM_INFINITY                                                                      uint64 = 1<<64 - 1
	RUSAGE_SELF, RUSAGE_CHILDREN, RUSAGE_THREAD                                               = 0, -1, 1
)

// ClockTicks is the unit of times(2), a second's worth (sysconf(3), _SC_CLK_TCK).
const ClockTicks = 100

// Entries of the auxiliary vector (getauxval(3)).
const (
	AT_NULL, AT_PHDR, AT_PHENT, AT_PHNUM, AT_PAGESZ, AT_BASE, AT_FLAGS = 0, 3, 4, 5, 6, 7, 8
	AT_ENTRY, AT_UID, AT_EUID, AT_GID, AT_EGID, AT_PLATFORM, AT_HWCAP  = 9, 11, 12, 13, 14, 15, 16
	AT_CLKTCK, AT_SECURE, AT_RANDOM, AT_HWCAP2, AT_EXECFN              = 17, 23, 25, 26, 31
	AT_MINSIGSTKSZ                                                     = 51
)

// Requests of arch_prctl(2), prctl(2), futex(2) and reboot(2).
const (
	ARCH_SET_GS, ARCH_SET_FS, ARCH_GET_FS, ARCH_GET_GS = 0x1001, 0x1002, 0x1003, 0x1004

	PR_SET_PDEATHSIG, PR_GET_DUMPABLE, PR_SET_DUMPABLE = 1, 3, 4
	PR_SET_NAME, PR_GET_NAME, PR_SET_NO_NEW_PRIVS      = 15, 16, 38

	FUTEX_WAIT, FUTEX_WAKE, FUTEX_WAIT_BITSET, FUTEX_WAKE_BITSET        = 0, 1, 9, 10
	FUTEX_PRIVATE_FLAG, FUTEX_CLOCK_REALTIME                            = 128, 256
	REBOOT_MAGIC1, REBOOT_MAGIC2                                 uint32 = 0xfee1dead, 672274793
	REBOOT_RESTART, REBOOT_HALT, REBOOT_POWER_OFF                uint32 = 0x01234567, 0xcdef0123, 0x4321fedc

	GRND_NONBLOCK, GRND_RANDOM, GRND_INSECURE = 1, 2, 4
)

// Sizes in bytes of structures that calls copy in or out.
const (
	TimespecSize, TimevalSize, ItimervalSize = 16, 16, 32
	UtsnameSize, RusageSize, SysinfoSize     = 390, 144, 112
	SiginfoSize, SigsetSize, SigactionSize   = 128, 8, 32
	StackTSize, RlimitSize, TmsSize          = 24, 16, 32
)

// AppendTimespec appends ns, nanoseconds, as struct timespec.
func AppendTimespec(b []byte, ns int64) []byte {
	sec, nsec := ns/1e9, ns%1e9
	if nsec < 0 {
		sec, nsec = sec-1, nsec+1e9
	}
	return appendWords(b, uint64(sec), uint64(nsec))
}

// Timespec decodes struct timespec into its two fields.
func Timespec(b []byte) (sec, nsec int64) { return int64(le.Uint64(b)), int64(le.Uint64(b[8:])) }

// TimespecSpan decodes struct timespec, a span of time, as nanoseconds; a span
// that does not fit is as long as can be.  ok is false if it is malformed.
func TimespecSpan(b []byte) (ns int64, ok bool) { return span(b, 1) }

// TimevalSpan is TimespecSpan for struct timeval.
func TimevalSpan(b []byte) (ns int64, ok bool) { return span(b, 1e3) }

// span decodes seconds and parts of unit nanoseconds.
func span(b []byte, unit int64) (ns int64, ok bool) {
	sec, part := Timespec(b)
	return min(sec, 1<<33)*1e9 + part*unit, sec >= 0 && part >= 0 && part < 1e9/unit
}

// AppendTimeval appends ns, nanoseconds, as struct timeval.
func AppendTimeval(b []byte, ns int64) []byte {
	return appendWords(b, uint64(ns/1e9), uint64(ns%1e9/1e3))
}

// AppendUtsname appends struct utsname: six fields of 65 bytes (uname(2)).
func AppendUtsname(b []byte, fields [6]string) []byte {
	for _, f := range fields {
		var field [65]byte
		copy(field[:64], f)
		b = append(b, field[:]...)
	}
	return b
}

// Rusage is what getrusage(2) tells; times are nanoseconds, MaxRSS is KiB.
type Rusage struct {
	User, System             int64
	MaxRSS                   uint64
	MinorFaults, MajorFaults uint64
	Voluntary, Involuntary   uint64 // context switches
}

// Append appends the structure's RusageSize bytes to b.
func (r *Rusage) Append(b []byte) []byte {
	b = AppendTimeval(AppendTimeval(b, r.User), r.System)
	b = appendWords(b, r.MaxRSS, 0, 0, 0, r.MinorFaults, r.MajorFaults)
	return appendWords(b, 0, 0, 0, 0, 0, 0, r.Voluntary, r.Involuntary)
}

// Sysinfo is what sysinfo(2) tells; Uptime is seconds, memory is bytes, Loads
// are fixed-point numbers with 16 bits after the point.
type Sysinfo struct {
	Uptime                      int64
	Loads                       [3]uint64
	Total, Free, Shared, Buffer uint64
	Procs                       uint16
}

// Append appends the structure's SysinfoSize bytes to b.
func (s *Sysinfo) Append(b []byte) []byte {
	b = appendWords(b, uint64(s.Uptime), s.Loads[0], s.Loads[1], s.Loads[2])
	b = appendWords(b, s.Total, s.Free, s.Shared, s.Buffer, 0, 0)
	return appendWords(b, uint64(s.Procs), 0, 0, 1)
}
