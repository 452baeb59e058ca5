package strace

import "yolk/kernel/abi"

// A constant is a value with a name.
type constant struct {
	name  string
	value uint64
}

var accessModes = []constant{{"O_RDONLY", abi.O_RDONLY}, {"O_WRONLY", abi.O_WRONLY}, {"O_RDWR", abi.O_RDWR}}

var openBits = []constant{
	{"O_TMPFILE", abi.O_TMPFILE}, {"O_SYNC", abi.O_SYNC},
	{"O_CREAT", abi.O_CREAT}, {"O_EXCL", abi.O_EXCL}, {"O_NOCTTY", abi.O_NOCTTY}, {"O_TRUNC", abi.O_TRUNC}, {"O_APPEND", abi.O_APPEND},
	{"O_NONBLOCK", abi.O_NONBLOCK}, {"O_DSYNC", abi.O_DSYNC}, {"O_DIRECT", abi.O_DIRECT}, {"O_LARGEFILE", abi.O_LARGEFILE},
	{"O_DIRECTORY", abi.O_DIRECTORY}, {"O_NOFOLLOW", abi.O_NOFOLLOW}, {"O_NOATIME", abi.O_NOATIME}, {"O_CLOEXEC", abi.O_CLOEXEC},
	{"O_PATH", abi.O_PATH},
}

var atBits = []constant{
	{"AT_SYMLINK_NOFOLLOW", abi.AT_SYMLINK_NOFOLLOW}, {"AT_SYMLINK_FOLLOW", abi.AT_SYMLINK_FOLLOW},
	{"AT_NO_AUTOMOUNT", abi.AT_NO_AUTOMOUNT}, {"AT_EMPTY_PATH", abi.AT_EMPTY_PATH},
}

var (
	unlinkBits   = append([]constant{{"AT_REMOVEDIR", abi.AT_REMOVEDIR}}, atBits...)
	accessAtBits = append([]constant{{"AT_EACCESS", abi.AT_EACCESS}}, atBits...)
)

var accessBits = []constant{{"F_OK", abi.F_OK}, {"R_OK", abi.R_OK}, {"W_OK", abi.W_OK}, {"X_OK", abi.X_OK}}

var renameBits = []constant{{"RENAME_NOREPLACE", abi.RENAME_NOREPLACE}, {"RENAME_EXCHANGE", abi.RENAME_EXCHANGE}}

var whence = []constant{{"SEEK_SET", abi.SEEK_SET}, {"SEEK_CUR", abi.SEEK_CUR}, {"SEEK_END", abi.SEEK_END}}

var fcntlCommands = []constant{
	{"F_DUPFD", abi.F_DUPFD}, {"F_GETFD", abi.F_GETFD}, {"F_SETFD", abi.F_SETFD}, {"F_GETFL", abi.F_GETFL}, {"F_SETFL", abi.F_SETFL},
	{"F_GETLK", abi.F_GETLK}, {"F_SETLK", abi.F_SETLK}, {"F_SETLKW", abi.F_SETLKW}, {"F_SETOWN", abi.F_SETOWN}, {"F_GETOWN", abi.F_GETOWN},
	{"F_DUPFD_CLOEXEC", abi.F_DUPFD_CLOEXEC}, {"F_SETPIPE_SZ", abi.F_SETPIPE_SZ}, {"F_GETPIPE_SZ", abi.F_GETPIPE_SZ},
}

var ioctls = []constant{
	{"TCGETS", abi.TCGETS}, {"TCSETS", abi.TCSETS}, {"TCSETSW", abi.TCSETSW}, {"TCSETSF", abi.TCSETSF}, {"TCSBRK", abi.TCSBRK},
	{"TCXONC", abi.TCXONC}, {"TCFLSH", abi.TCFLSH}, {"TIOCSCTTY", abi.TIOCSCTTY}, {"TIOCGPGRP", abi.TIOCGPGRP}, {"TIOCSPGRP", abi.TIOCSPGRP},
	{"TIOCOUTQ", abi.TIOCOUTQ}, {"TIOCGWINSZ", abi.TIOCGWINSZ}, {"TIOCSWINSZ", abi.TIOCSWINSZ}, {"FIONREAD", abi.FIONREAD},
	{"TCSBRKP", abi.TCSBRKP}, {"FIONBIO", abi.FIONBIO}, {"TIOCNOTTY", abi.TIOCNOTTY}, {"TIOCGSID", abi.TIOCGSID},
	{"FIONCLEX", abi.FIONCLEX}, {"FIOCLEX", abi.FIOCLEX},
}

var protBits = []constant{
	{"PROT_NONE", abi.PROT_NONE}, {"PROT_READ", abi.PROT_READ}, {"PROT_WRITE", abi.PROT_WRITE}, {"PROT_EXEC", abi.PROT_EXEC},
	{"PROT_GROWSDOWN", abi.PROT_GROWSDOWN},
}

var mapBits = []constant{
	{"MAP_SHARED_VALIDATE", abi.MAP_SHARED_VALIDATE}, {"MAP_SHARED", abi.MAP_SHARED}, {"MAP_PRIVATE", abi.MAP_PRIVATE},
	{"MAP_FIXED", abi.MAP_FIXED}, {"MAP_ANONYMOUS", abi.MAP_ANONYMOUS}, {"MAP_GROWSDOWN", abi.MAP_GROWSDOWN},
	{"MAP_DENYWRITE", abi.MAP_DENYWRITE}, {"MAP_LOCKED", abi.MAP_LOCKED}, {"MAP_NORESERVE", abi.MAP_NORESERVE},
	{"MAP_POPULATE", abi.MAP_POPULATE}, {"MAP_STACK", abi.MAP_STACK}, {"MAP_FIXED_NOREPLACE", abi.MAP_FIXED_NOREPLACE},
}

var mremapBits = []constant{
	{"MREMAP_MAYMOVE", abi.MREMAP_MAYMOVE}, {"MREMAP_FIXED", abi.MREMAP_FIXED}, {"MREMAP_DONTUNMAP", abi.MREMAP_DONTUNMAP},
}

var msyncBits = []constant{{"MS_ASYNC", abi.MS_ASYNC}, {"MS_INVALIDATE", abi.MS_INVALIDATE}, {"MS_SYNC", abi.MS_SYNC}}

var advices = []constant{
	{"MADV_NORMAL", abi.MADV_NORMAL}, {"MADV_RANDOM", abi.MADV_RANDOM}, {"MADV_SEQUENTIAL", abi.MADV_SEQUENTIAL},
	{"MADV_WILLNEED", abi.MADV_WILLNEED}, {"MADV_DONTNEED", abi.MADV_DONTNEED}, {"MADV_FREE", abi.MADV_FREE},
	{"MADV_HUGEPAGE", abi.MADV_HUGEPAGE}, {"MADV_NOHUGEPAGE", abi.MADV_NOHUGEPAGE}, {"MADV_COLLAPSE", abi.MADV_COLLAPSE},
}

var cloneFlags = []constant{
	{"CLONE_VM", abi.CLONE_VM}, {"CLONE_FS", abi.CLONE_FS}, {"CLONE_FILES", abi.CLONE_FILES}, {"CLONE_SIGHAND", abi.CLONE_SIGHAND},
	{"CLONE_PTRACE", abi.CLONE_PTRACE}, {"CLONE_VFORK", abi.CLONE_VFORK}, {"CLONE_PARENT", abi.CLONE_PARENT},
	{"CLONE_THREAD", abi.CLONE_THREAD}, {"CLONE_NEWNS", abi.CLONE_NEWNS}, {"CLONE_SYSVSEM", abi.CLONE_SYSVSEM},
	{"CLONE_SETTLS", abi.CLONE_SETTLS}, {"CLONE_PARENT_SETTID", abi.CLONE_PARENT_SETTID},
	{"CLONE_CHILD_CLEARTID", abi.CLONE_CHILD_CLEARTID}, {"CLONE_DETACHED", abi.CLONE_DETACHED},
	{"CLONE_UNTRACED", abi.CLONE_UNTRACED}, {"CLONE_CHILD_SETTID", abi.CLONE_CHILD_SETTID},
}

var waitBits = []constant{
	{"WNOHANG", abi.WNOHANG}, {"WUNTRACED", abi.WUNTRACED}, {"WEXITED", abi.WEXITED}, {"WCONTINUED", abi.WCONTINUED},
	{"WNOWAIT", abi.WNOWAIT}, {"__WNOTHREAD", abi.WNOTHREAD}, {"__WALL", abi.WALL}, {"__WCLONE", abi.WCLONE},
}

var waitKinds = []constant{{"P_ALL", abi.P_ALL}, {"P_PID", abi.P_PID}, {"P_PGID", abi.P_PGID}}

var maskWays = []constant{{"SIG_BLOCK", abi.SIG_BLOCK}, {"SIG_UNBLOCK", abi.SIG_UNBLOCK}, {"SIG_SETMASK", abi.SIG_SETMASK}}

var clocks = []constant{
	{"CLOCK_REALTIME", abi.CLOCK_REALTIME}, {"CLOCK_MONOTONIC", abi.CLOCK_MONOTONIC},
	{"CLOCK_PROCESS_CPUTIME_ID", abi.CLOCK_PROCESS_CPUTIME_ID}, {"CLOCK_THREAD_CPUTIME_ID", abi.CLOCK_THREAD_CPUTIME_ID},
	{"CLOCK_MONOTONIC_RAW", abi.CLOCK_MONOTONIC_RAW}, {"CLOCK_REALTIME_COARSE", abi.CLOCK_REALTIME_COARSE},
	{"CLOCK_MONOTONIC_COARSE", abi.CLOCK_MONOTONIC_COARSE}, {"CLOCK_BOOTTIME", abi.CLOCK_BOOTTIME},
}

var timerBits = []constant{{"TIMER_ABSTIME", abi.TIMER_ABSTIME}}

var itimers = []constant{{"ITIMER_REAL", abi.ITIMER_REAL}, {"ITIMER_VIRTUAL", abi.ITIMER_VIRTUAL}, {"ITIMER_PROF", abi.ITIMER_PROF}}

var limits = []constant{
	{"RLIMIT_CPU", abi.RLIMIT_CPU}, {"RLIMIT_FSIZE", abi.RLIMIT_FSIZE}, {"RLIMIT_DATA", abi.RLIMIT_DATA}, {"RLIMIT_STACK", abi.RLIMIT_STACK},
	{"RLIMIT_CORE", abi.RLIMIT_CORE}, {"RLIMIT_RSS", abi.RLIMIT_RSS}, {"RLIMIT_NPROC", abi.RLIMIT_NPROC}, {"RLIMIT_NOFILE", abi.RLIMIT_NOFILE},
	{"RLIMIT_MEMLOCK", abi.RLIMIT_MEMLOCK}, {"RLIMIT_AS", abi.RLIMIT_AS},
}

var usages = []constant{{"RUSAGE_SELF", abi.RUSAGE_SELF}, {"RUSAGE_CHILDREN", 1<<64 - 1}, {"RUSAGE_THREAD", abi.RUSAGE_THREAD}}

var archCodes = []constant{
	{"ARCH_SET_GS", abi.ARCH_SET_GS}, {"ARCH_SET_FS", abi.ARCH_SET_FS}, {"ARCH_GET_FS", abi.ARCH_GET_FS}, {"ARCH_GET_GS", abi.ARCH_GET_GS},
}

var prctlOptions = []constant{
	{"PR_SET_PDEATHSIG", abi.PR_SET_PDEATHSIG}, {"PR_GET_DUMPABLE", abi.PR_GET_DUMPABLE}, {"PR_SET_DUMPABLE", abi.PR_SET_DUMPABLE},
	{"PR_SET_NAME", abi.PR_SET_NAME}, {"PR_GET_NAME", abi.PR_GET_NAME}, {"PR_SET_NO_NEW_PRIVS", abi.PR_SET_NO_NEW_PRIVS},
}

// futexOps have the bits FUTEX_PRIVATE_FLAG and FUTEX_CLOCK_REALTIME besides.
var (
	futexOps  = []constant{{"FUTEX_WAIT", abi.FUTEX_WAIT}, {"FUTEX_WAKE", abi.FUTEX_WAKE}, {"FUTEX_WAIT_BITSET", abi.FUTEX_WAIT_BITSET}, {"FUTEX_WAKE_BITSET", abi.FUTEX_WAKE_BITSET}}
	futexBits = []constant{{"FUTEX_PRIVATE_FLAG", abi.FUTEX_PRIVATE_FLAG}, {"FUTEX_CLOCK_REALTIME", abi.FUTEX_CLOCK_REALTIME}}
)

var randomBits = []constant{{"GRND_NONBLOCK", abi.GRND_NONBLOCK}, {"GRND_RANDOM", abi.GRND_RANDOM}, {"GRND_INSECURE", abi.GRND_INSECURE}}

var signalNames = [...]string{
	abi.SIGHUP: "SIGHUP", abi.SIGINT: "SIGINT", abi.SIGQUIT: "SIGQUIT", abi.SIGILL: "SIGILL", abi.SIGTRAP: "SIGTRAP",
	abi.SIGABRT: "SIGABRT", abi.SIGBUS: "SIGBUS", abi.SIGFPE: "SIGFPE", abi.SIGKILL: "SIGKILL", abi.SIGUSR1: "SIGUSR1",
	abi.SIGSEGV: "SIGSEGV", abi.SIGUSR2: "SIGUSR2", abi.SIGPIPE: "SIGPIPE", abi.SIGALRM: "SIGALRM", abi.SIGTERM: "SIGTERM",
	abi.SIGSTKFLT: "SIGSTKFLT", abi.SIGCHLD: "SIGCHLD", abi.SIGCONT: "SIGCONT", abi.SIGSTOP: "SIGSTOP", abi.SIGTSTP: "SIGTSTP",
	abi.SIGTTIN: "SIGTTIN", abi.SIGTTOU: "SIGTTOU", abi.SIGURG: "SIGURG", abi.SIGXCPU: "SIGXCPU", abi.SIGXFSZ: "SIGXFSZ",
	abi.SIGVTALRM: "SIGVTALRM", abi.SIGPROF: "SIGPROF", abi.SIGWINCH: "SIGWINCH", abi.SIGIO: "SIGIO", abi.SIGPWR: "SIGPWR",
	abi.SIGSYS: "SIGSYS",
}

// errorWords are those of strerror(3).
var errorWords = map[abi.Errno]string{
	abi.EPERM: "Operation not permitted", abi.ENOENT: "No such file or directory", abi.ESRCH: "No such process",
	abi.EINTR: "Interrupted system call", abi.EIO: "Input/output error", abi.ENXIO: "No such device or address",
	abi.E2BIG: "Argument list too long", abi.ENOEXEC: "Exec format error", abi.EBADF: "Bad file descriptor",
	abi.ECHILD: "No child processes", abi.EAGAIN: "Resource temporarily unavailable", abi.ENOMEM: "Cannot allocate memory",
	abi.EACCES: "Permission denied", abi.EFAULT: "Bad address", abi.EBUSY: "Device or resource busy", abi.EEXIST: "File exists",
	abi.EXDEV: "Invalid cross-device link", abi.ENODEV: "No such device", abi.ENOTDIR: "Not a directory",
	abi.EISDIR: "Is a directory", abi.EINVAL: "Invalid argument", abi.ENFILE: "Too many open files in system",
	abi.EMFILE: "Too many open files", abi.ENOTTY: "Inappropriate ioctl for device", abi.ETXTBSY: "Text file busy",
	abi.EFBIG: "File too large", abi.ENOSPC: "No space left on device", abi.ESPIPE: "Illegal seek",
	abi.EROFS: "Read-only file system", abi.EMLINK: "Too many links", abi.EPIPE: "Broken pipe",
	abi.EDOM: "Numerical argument out of domain", abi.ERANGE: "Numerical result out of range",
	abi.EDEADLK: "Resource deadlock avoided", abi.ENAMETOOLONG: "File name too long", abi.ENOLCK: "No locks available",
	abi.ENOSYS: "Function not implemented", abi.ENOTEMPTY: "Directory not empty", abi.ELOOP: "Too many levels of symbolic links",
	abi.EOVERFLOW: "Value too large for defined data type", abi.ENOTSOCK: "Socket operation on non-socket",
	abi.EOPNOTSUPP: "Operation not supported", abi.EAFNOSUPPORT: "Address family not supported by protocol",
	abi.ETIMEDOUT: "Connection timed out",
}
