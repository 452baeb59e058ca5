package sys

// Errno is an error number as the kernel returns it (errno(3)); 0 is success.
type Errno uint16

// The error numbers that the programs and tests here name.
const (
	EPERM        Errno = 1
	ENOENT       Errno = 2
	ESRCH        Errno = 3
	EINTR        Errno = 4
	EIO          Errno = 5
	ENXIO        Errno = 6
	E2BIG        Errno = 7
	ENOEXEC      Errno = 8
	EBADF        Errno = 9
	ECHILD       Errno = 10
	EAGAIN       Errno = 11
	ENOMEM       Errno = 12
	EACCES       Errno = 13
	EFAULT       Errno = 14
	EBUSY        Errno = 16
	EEXIST       Errno = 17
	EXDEV        Errno = 18
	ENODEV       Errno = 19
	ENOTDIR      Errno = 20
	EISDIR       Errno = 21
	EINVAL       Errno = 22
	ENFILE       Errno = 23
	EMFILE       Errno = 24
	ENOTTY       Errno = 25
	ETXTBSY      Errno = 26
	EFBIG        Errno = 27
	ENOSPC       Errno = 28
	ESPIPE       Errno = 29
	EROFS        Errno = 30
	EMLINK       Errno = 31
	EPIPE        Errno = 32
	ERANGE       Errno = 34
	ENAMETOOLONG Errno = 36
	ENOSYS       Errno = 38
	ENOTEMPTY    Errno = 39
	ELOOP        Errno = 40
	ETIMEDOUT    Errno = 110
)

// errnoText is indexed by error number; the words are those of strerror(3).
var errnoText = [...]string{
	EPERM: "operation not permitted", ENOENT: "no such file or directory",
	ESRCH: "no such process", EINTR: "interrupted system call", EIO: "input/output error",
	ENXIO: "no such device or address", E2BIG: "argument list too long",
	ENOEXEC: "exec format error", EBADF: "bad file descriptor", ECHILD: "no child processes",
	EAGAIN: "resource temporarily unavailable", ENOMEM: "cannot allocate memory",
	EACCES: "permission denied", EFAULT: "bad address", EBUSY: "device or resource busy",
	EEXIST: "file exists", EXDEV: "invalid cross-device link", ENODEV: "no such device",
	ENOTDIR: "not a directory", EISDIR: "is a directory", EINVAL: "invalid argument",
	ENFILE: "too many open files in system", EMFILE: "too many open files",
	ENOTTY: "inappropriate ioctl for device", ETXTBSY: "text file busy", EFBIG: "file too large",
	ENOSPC: "no space left on device", ESPIPE: "illegal seek", EROFS: "read-only file system",
	EMLINK: "too many links", EPIPE: "broken pipe", ERANGE: "result too large",
	ENAMETOOLONG: "file name too long", ENOSYS: "function not implemented",
	ENOTEMPTY: "directory not empty", ELOOP: "too many levels of symbolic links",
	ETIMEDOUT: "connection timed out",
}

// Error gives the words of strerror(3), in lower case.
func (e Errno) Error() string {
	if int(e) < len(errnoText) && errnoText[e] != "" {
		return errnoText[e]
	}
	return "errno " + itoa(int(e))
}

// itoa writes n in decimal.  WHY not strconv: this package imports nothing that
// a reader would have to look into.
func itoa(n int) string {
	if n < 0 {
		return "-" + itoa(-n)
	}
	if n < 10 {
		return string(rune('0' + n))
	}
	return itoa(n/10) + string(rune('0'+n%10))
}
