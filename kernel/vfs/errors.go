package vfs

import "errors"

// The reasons for which file operations fail.  They travel upwards unchanged
// or wrapped, beside those of package mm; package kernel turns them into errno in one place.
var (
	ErrPerm          = errors.New("operation not permitted")               // EPERM
	ErrNotExist      = errors.New("no such file or directory")             // ENOENT
	ErrInterrupted   = errors.New("interrupted by a signal")               // EINTR, or the call is restarted
	ErrNoDevice      = errors.New("no such device or address")             // ENXIO
	ErrBadFile       = errors.New("bad file descriptor")                   // EBADF
	ErrAgain         = errors.New("resource temporarily unavailable")      // EAGAIN
	ErrAccess        = errors.New("permission denied")                     // EACCES
	ErrBusy          = errors.New("device or resource busy")               // EBUSY
	ErrExist         = errors.New("file exists")                           // EEXIST
	ErrCrossDevice   = errors.New("invalid cross-device link")             // EXDEV
	ErrUnsupported   = errors.New("operation not supported by device")     // ENODEV
	ErrNotDir        = errors.New("not a directory")                       // ENOTDIR
	ErrIsDir         = errors.New("is a directory")                        // EISDIR
	ErrInvalid       = errors.New("invalid argument")                      // EINVAL
	ErrFileTableFull = errors.New("too many open files in the system")     // ENFILE
	ErrTooManyFiles  = errors.New("too many open files")                   // EMFILE
	ErrNotTTY        = errors.New("inappropriate request for this device") // ENOTTY
	ErrNoSpace       = errors.New("no space left on device")               // ENOSPC
	ErrSeekPipe      = errors.New("illegal seek")                          // ESPIPE
	ErrTooManyLinks  = errors.New("too many links")                        // EMLINK
	ErrPipe          = errors.New("broken pipe")                           // EPIPE
	ErrRange         = errors.New("result does not fit")                   // ERANGE
	ErrNameTooLong   = errors.New("file name too long")                    // ENAMETOOLONG
	ErrNotEmpty      = errors.New("directory not empty")                   // ENOTEMPTY
	ErrLoop          = errors.New("too many levels of symbolic links")     // ELOOP
	ErrOverflow      = errors.New("value too large")                       // EOVERFLOW
)
