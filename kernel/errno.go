package kernel

import (
	"errors"

	"yolk/kernel/abi"
	"yolk/kernel/elf"
	"yolk/kernel/vfs"
	"yolk/mm"
)

// The reasons for which operations of this package fail; those of mm, vfs and
// elf pass through it unchanged.
var (
	errNotProgram = errors.New("neither an ELF program nor a script") // ENOEXEC
	errArgsTooBig = errors.New("arguments too large")                 // E2BIG
	errLimit      = errors.New("process limit reached")               // EAGAIN
)

// errnos is the one table from reasons to numbers.
var errnos = []struct {
	reason error
	errno  abi.Errno
}{
	{vfs.ErrAgain, abi.EAGAIN}, {vfs.ErrInterrupted, abi.EINTR}, {vfs.ErrNotExist, abi.ENOENT},
	{vfs.ErrBadFile, abi.EBADF}, {mm.ErrFault, abi.EFAULT}, {vfs.ErrInvalid, abi.EINVAL},
	{mm.ErrInvalid, abi.EINVAL}, {mm.ErrNoMemory, abi.ENOMEM}, {mm.ErrExists, abi.EEXIST},
	{mm.ErrAccess, abi.EACCES}, {mm.ErrTextBusy, abi.ETXTBSY}, {mm.ErrTooLong, abi.ENAMETOOLONG},
	{mm.ErrTooBig, abi.EFBIG}, {errNotProgram, abi.ENOEXEC}, {errArgsTooBig, abi.E2BIG}, {errLimit, abi.EAGAIN},
	{vfs.ErrPerm, abi.EPERM}, {vfs.ErrNoDevice, abi.ENXIO}, {vfs.ErrAccess, abi.EACCES},
	{vfs.ErrBusy, abi.EBUSY}, {vfs.ErrExist, abi.EEXIST}, {vfs.ErrCrossDevice, abi.EXDEV},
	{vfs.ErrUnsupported, abi.ENODEV}, {vfs.ErrNotDir, abi.ENOTDIR}, {vfs.ErrIsDir, abi.EISDIR},
	{vfs.ErrFileTableFull, abi.ENFILE}, {vfs.ErrTooManyFiles, abi.EMFILE}, {vfs.ErrNotTTY, abi.ENOTTY},
	{vfs.ErrNoSpace, abi.ENOSPC}, {vfs.ErrSeekPipe, abi.ESPIPE}, {vfs.ErrTooManyLinks, abi.EMLINK},
	{vfs.ErrPipe, abi.EPIPE}, {vfs.ErrRange, abi.ERANGE}, {vfs.ErrNameTooLong, abi.ENAMETOOLONG},
	{vfs.ErrNotEmpty, abi.ENOTEMPTY}, {vfs.ErrLoop, abi.ELOOP}, {vfs.ErrOverflow, abi.EOVERFLOW},
}

// errnoOf turns a reason into the number that the gate returns (errno(3)).  A
// reason that is not in the table is a defect of the kernel's.
//
//lab:gate 2 find the number of an error, however it is wrapped
func errnoOf(err error) abi.Errno {
	for e := err; e != nil; e = errors.Unwrap(e) {
		switch e := e.(type) {
		case abi.Errno:
			return e
		case elf.Reason:
			return abi.ENOEXEC
		}
		for i := range errnos {
			if errnos[i].reason == e {
				return errnos[i].errno
			}
		}
	}
	panic("kernel: no errno for: " + err.Error())
}
