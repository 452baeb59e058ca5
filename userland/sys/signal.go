package sys

import (
	"sync/atomic"
	"unsafe"
)

// The signals that the programs here name (signal(7)).
const (
	SIGHUP  = 1
	SIGINT  = 2
	SIGQUIT = 3
	SIGILL  = 4
	SIGTRAP = 5
	SIGABRT = 6
	SIGBUS  = 7
	SIGFPE  = 8
	SIGKILL = 9
	SIGUSR1 = 10
	SIGSEGV = 11
	SIGUSR2 = 12
	SIGPIPE = 13
	SIGALRM = 14
	SIGTERM = 15
	SIGCHLD = 17
	SIGCONT = 18
	SIGSTOP = 19
	SIGTSTP = 20
	SIGTTIN = 21
	SIGTTOU = 22
	SIGURG  = 23
)

// How SigProcMask changes the mask.
const (
	SigBlock   = 0
	SigUnblock = 1
	SigSetMask = 2
)

// Dispositions and flags of rt_sigaction(2).
const (
	SigDfl       = 0
	SigIgn       = 1
	SaNoCldWait  = 2
	SaRestorer   = 0x04000000
	SaOnStack    = 0x08000000
	SaRestart    = 0x10000000
	SaNoDefer    = 0x40000000
	SaResetHand  = 0x80000000
	sigsetSize   = 8
	altStackSize = 64 << 10
	ssDisable    = 2
)

// SigAction is struct sigaction as the kernel reads it.
type SigAction struct {
	Handler, Flags, Restorer uintptr
	Mask                     uint64
}

// SigMask is the set that holds the signals given.
func SigMask(signals ...int) uint64 {
	var m uint64
	for _, s := range signals {
		m |= 1 << (s - 1)
	}
	return m
}

// Sigaction is rt_sigaction(2); a nil act only asks.
func Sigaction(sig int, act *SigAction) (old SigAction, err error) {
	err = fails(Call(SysRtSigaction, uintptr(sig), uintptr(unsafe.Pointer(act)),
		uintptr(unsafe.Pointer(&old)), sigsetSize, 0, 0))
	return old, err
}

// SetSignal sets the disposition of sig to SigDfl or SigIgn.
func SetSignal(sig, disposition int) error {
	_, err := Sigaction(sig, &SigAction{Handler: uintptr(disposition)})
	return err
}

// signalCounts is written by the handler in assembly, one counter a signal.
var signalCounts [65]uint32

// altStack is where handlers run.
var altStack [altStackSize]byte

// CountSignal installs the one handler that there is: it counts the signal and
// returns.  flags are added to those that the handler needs itself (SaRestart,
// say); mask is blocked while it runs.
//
// WHY no Go function as a handler: a signal comes between any two instructions,
// perhaps while the runtime moves the stack or holds the heap's lock, and Go
// code may need both.  A handler that adds one to a word is all that is safe,
// and enough: the program looks at [SignalCount] when it likes.
//
// WHY a stack of its own: a goroutine's stack may have a few hundred bytes
// left, and the kernel's frame takes more.
func CountSignal(sig int, flags uintptr, mask uint64) error {
	if err := ensureAltStack(); err != nil {
		return err
	}
	handler, restorer := signalPCs()
	_, err := Sigaction(sig, &SigAction{handler, SaRestorer | SaOnStack | flags, restorer, mask})
	return err
}

// SignalCount is how often the handler of CountSignal ran for sig.
func SignalCount(sig int) uint32 { return atomic.LoadUint32(&signalCounts[sig]) }

// stackT is stack_t of sigaltstack(2).
type stackT struct {
	sp    uintptr
	flags int32
	_     int32
	size  uintptr
}

// ensureAltStack gives the process a signal stack unless it has one.
func ensureAltStack() error {
	var s stackT
	if err := fails(Call(SysSigaltstack, 0, uintptr(unsafe.Pointer(&s)), 0, 0, 0, 0)); err != nil {
		return err
	}
	if s.flags&ssDisable == 0 {
		return nil
	}
	s = stackT{sp: Addr(altStack[:]), size: altStackSize}
	return fails(Call(SysSigaltstack, uintptr(unsafe.Pointer(&s)), 0, 0, 0, 0, 0))
}

// HasAltStack tells whether the process has an alternate signal stack.
func HasAltStack() bool {
	var s stackT
	err := fails(Call(SysSigaltstack, 0, uintptr(unsafe.Pointer(&s)), 0, 0, 0, 0))
	return err == nil && s.flags&ssDisable == 0
}

// SigProcMask is rt_sigprocmask(2): it changes the mask and gives the old one.
func SigProcMask(how int, set uint64) (old uint64, err error) {
	err = fails(Call(SysRtSigprocmask, uintptr(how), uintptr(unsafe.Pointer(&set)),
		uintptr(unsafe.Pointer(&old)), sigsetSize, 0, 0))
	return old, err
}

// SigSuspend is rt_sigsuspend(2): it waits with the mask given; the error is
// always EINTR, after a handler ran.
func SigSuspend(mask uint64) error {
	return fails(Call(SysRtSigsuspend, uintptr(unsafe.Pointer(&mask)), sigsetSize, 0, 0, 0, 0))
}

// SigPending is rt_sigpending(2).
func SigPending() (set uint64, err error) {
	err = fails(Call(SysRtSigpending, uintptr(unsafe.Pointer(&set)), sigsetSize, 0, 0, 0, 0))
	return set, err
}

// Kill is kill(2).
func Kill(pid, sig int) error { return fails(Call(SysKill, uintptr(pid), uintptr(sig), 0, 0, 0, 0)) }
