// Package abi is the Linux system-call interface on x86-64 in Go: numbers,
// flags and the layout of the structures that cross the gate.  It decides
// nothing and imports nothing of Yolk.  Names are Linux's own, so that the
// manual pages apply; numbers are those of the x86-64 tables
// (syscalls(2), errno(3), signal(7), stat(2), termios(3)).
//
// Structures are encoded by functions named Append… (they append to a slice)
// and Put… (they fill a slice of at least the named size), all little-endian.
package abi

import "strconv"

// Errno is an error number as the gate returns it, negated, in RAX (errno(3)).
// Zero is no error.
type Errno int32

// The error numbers that Yolk returns.
const (
	EPERM, ENOENT, ESRCH, EINTR, EIO, ENXIO, E2BIG, ENOEXEC, EBADF, ECHILD Errno = 1, 2, 3, 4, 5, 6, 7, 8, 9, 10
	EAGAIN, ENOMEM, EACCES, EFAULT, EBUSY, EEXIST, EXDEV, ENODEV, ENOTDIR  Errno = 11, 12, 13, 14, 16, 17, 18, 19, 20
	EISDIR, EINVAL, ENFILE, EMFILE, ENOTTY, ETXTBSY, EFBIG, ENOSPC, ESPIPE Errno = 21, 22, 23, 24, 25, 26, 27, 28, 29
	EROFS, EMLINK, EPIPE, EDOM, ERANGE, EDEADLK, ENAMETOOLONG, ENOLCK      Errno = 30, 31, 32, 33, 34, 35, 36, 37
	ENOSYS, ENOTEMPTY, ELOOP, EOVERFLOW, ENOTSOCK, EOPNOTSUPP              Errno = 38, 39, 40, 75, 88, 95
	EAFNOSUPPORT, ETIMEDOUT                                                Errno = 97, 110
)

var errnoNames = [...]string{
	"OK", "EPERM", "ENOENT", "ESRCH", "EINTR", "EIO", "ENXIO", "E2BIG", "ENOEXEC", "EBADF",
	"ECHILD", "EAGAIN", "ENOMEM", "EACCES", "EFAULT", "ENOTBLK", "EBUSY", "EEXIST", "EXDEV",
	"ENODEV", "ENOTDIR", "EISDIR", "EINVAL", "ENFILE", "EMFILE", "ENOTTY", "ETXTBSY", "EFBIG",
	"ENOSPC", "ESPIPE", "EROFS", "EMLINK", "EPIPE", "EDOM", "ERANGE", "EDEADLK", "ENAMETOOLONG",
	"ENOLCK", "ENOSYS", "ENOTEMPTY", "ELOOP",
	EOVERFLOW: "EOVERFLOW", ENOTSOCK: "ENOTSOCK", EOPNOTSUPP: "EOPNOTSUPP",
	EAFNOSUPPORT: "EAFNOSUPPORT", ETIMEDOUT: "ETIMEDOUT",
}

// String returns the number's name, or "errno N" for one that Yolk never returns.
func (e Errno) String() string {
	if e >= 0 && int(e) < len(errnoNames) && errnoNames[e] != "" {
		return errnoNames[e]
	}
	return "errno " + strconv.Itoa(int(e))
}

// Error makes an Errno an error, for code that already stands at the gate.
func (e Errno) Error() string { return e.String() }
