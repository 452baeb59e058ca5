// Package sys is the whole contact between a user program and the kernel: thin
// wrappers over the raw Linux system calls of x86-64, one function a call.
//
// Nothing here hides what the kernel does.  There is no retry after EINTR, no
// buffering, no goroutine, no descriptor object: a wrapper puts its arguments
// into the registers, and gives back what came out.  Every error is an [Errno].
//
// The package builds on every system, so that the programs above it can be
// vetted and unit-tested anywhere; where there is no Linux on amd64 underneath,
// every call answers ENOSYS.
package sys

import "unsafe"

// System call numbers of Linux on x86-64 (syscalls(2)).
const (
	SysRead          = 0
	SysWrite         = 1
	SysOpen          = 2
	SysClose         = 3
	SysStat          = 4
	SysFstat         = 5
	SysLstat         = 6
	SysPoll          = 7
	SysLseek         = 8
	SysMmap          = 9
	SysMprotect      = 10
	SysMunmap        = 11
	SysBrk           = 12
	SysRtSigaction   = 13
	SysRtSigprocmask = 14
	SysRtSigreturn   = 15
	SysIoctl         = 16
	SysReadv         = 19
	SysWritev        = 20
	SysAccess        = 21
	SysPipe          = 22
	SysSchedYield    = 24
	SysMremap        = 25
	SysMadvise       = 28
	SysDup           = 32
	SysDup2          = 33
	SysPause         = 34
	SysNanosleep     = 35
	SysGetpid        = 39
	SysSocket        = 41
	SysClone         = 56
	SysFork          = 57
	SysVfork         = 58
	SysExecve        = 59
	SysExit          = 60
	SysWait4         = 61
	SysKill          = 62
	SysUname         = 63
	SysFcntl         = 72
	SysFtruncate     = 77
	SysGetcwd        = 79
	SysChdir         = 80
	SysFchdir        = 81
	SysRename        = 82
	SysMkdir         = 83
	SysRmdir         = 84
	SysLink          = 86
	SysUnlink        = 87
	SysSymlink       = 88
	SysReadlink      = 89
	SysChmod         = 90
	SysUmask         = 95
	SysGettimeofday  = 96
	SysTimes         = 100
	SysGetuid        = 102
	SysSetuid        = 105
	SysSetpgid       = 109
	SysGetppid       = 110
	SysGetpgrp       = 111
	SysSetsid        = 112
	SysRtSigpending  = 127
	SysRtSigsuspend  = 130
	SysSigaltstack   = 131
	SysPrctl         = 157
	SysArchPrctl     = 158
	SysReboot        = 169
	SysGettid        = 186
	SysGetdents64    = 217
	SysSetTidAddress = 218
	SysClockGettime  = 228
	SysClockNanoslp  = 230
	SysExitGroup     = 231
	SysWaitid        = 247
	SysOpenat        = 257
	SysNewfstatat    = 262
	SysUtimensat     = 280
	SysDup3          = 292
	SysPipe2         = 293
	SysPrlimit64     = 302
	SysGetrandom     = 318
)

// check turns the two results of a raw call into Go's usual pair.
func check(r uintptr, e Errno) (int, error) {
	if e != 0 {
		return -1, e
	}
	return int(r), nil
}

// fails keeps the error of a raw call only.
func fails(_ uintptr, e Errno) error {
	if e != 0 {
		return e
	}
	return nil
}

// cstr copies s with the NUL byte that the kernel looks for at its end.
func cstr(s string) *byte {
	b := make([]byte, len(s)+1)
	copy(b, s)
	return &b[0]
}

// data is the address of the first byte of b; nil when b is empty.
//
//go:nosplit
func data(b []byte) unsafe.Pointer { return unsafe.Pointer(unsafe.SliceData(b)) }

// Addr is the address of the first byte of b, as a number.  It does not keep b
// where it is: it is good for package variables only.
//
//go:nosplit
func Addr(b []byte) uintptr { return uintptr(data(b)) }

// WordsAddr is [Addr] for words.
//
//go:nosplit
func WordsAddr(w []int64) uintptr { return uintptr(unsafe.Pointer(unsafe.SliceData(w))) }

// pinned keeps what Pin was given: reachable, and on the heap, which does not
// move.
var pinned []any

// Pin is the address of the first byte of b, which stays good from now on.
func Pin(b []byte) uintptr {
	pinned = append(pinned, b)
	return Addr(b)
}

// PinWords is [Pin] for words.
func PinWords(w []int64) uintptr {
	pinned = append(pinned, w)
	return WordsAddr(w)
}

// PinString is [Pin] for a copy of s with a NUL at its end.
func PinString(s string) uintptr { return Pin(append([]byte(s), 0)) }

// Bytes views n bytes of memory at addr, for instance of a mapping that [Mmap]
// made.  Touching them faults as any access to addr does.
func Bytes(addr uintptr, n int) []byte {
	return unsafe.Slice(*(**byte)(unsafe.Pointer(&addr)), n)
}
