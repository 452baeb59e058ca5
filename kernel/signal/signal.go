// Package signal is what a process has of signals, as data: what it does about
// each, which are pending, which may act now, and the frame that a handler finds
// on its stack.
//
// Whose signal it is, and what stopping or dying means, is the kernel proper's
// affair: it posts a signal, asks the [State] what becomes of it, and does that.
// Like all that belongs to a process, a State is guarded by the kernel lock.
package signal

import (
	"math/bits"

	"yolk/kernel/abi"
)

// Set is a set of signals, bit n-1 for signal n: a sigset_t.
type Set uint64

// The sets that signal(7) names.
const (
	Unblockable Set = 1<<(abi.SIGKILL-1) | 1<<(abi.SIGSTOP-1)

	// What the default action is; any other signal terminates.
	DefaultStop   Set = 1<<(abi.SIGSTOP-1) | 1<<(abi.SIGTSTP-1) | 1<<(abi.SIGTTIN-1) | 1<<(abi.SIGTTOU-1)
	DefaultIgnore Set = 1<<(abi.SIGCHLD-1) | 1<<(abi.SIGURG-1) | 1<<(abi.SIGWINCH-1) | 1<<(abi.SIGCONT-1)

	// Signals of faults come first: the handler of another one would find the
	// state of a faulting instruction otherwise.
	synchronous Set = 1<<(abi.SIGSEGV-1) | 1<<(abi.SIGBUS-1) | 1<<(abi.SIGILL-1) |
		1<<(abi.SIGTRAP-1) | 1<<(abi.SIGFPE-1) | 1<<(abi.SIGSYS-1)
)

// Only returns the set of sig alone.
func Only(sig int) Set { return 1 << (sig - 1) }

// Has reports whether sig is in the set.
func (s Set) Has(sig int) bool { return s&Only(sig) != 0 }

// Lowest returns the lowest signal of the set, 0 of an empty one.
func (s Set) Lowest() int {
	if s == 0 {
		return 0
	}
	return bits.TrailingZeros64(uint64(s)) + 1
}

// Action is what a process does about one signal, as rt_sigaction(2) sets it.
type Action struct {
	Handler  uint64 // abi.SIG_DFL, abi.SIG_IGN or an address
	Flags    uint64 // abi.SA_…
	Restorer uint64 // where the handler returns to
	Mask     Set    // blocked, too, while the handler runs
}

// Info is what a siginfo_t says beside the signal's number (sigaction(2)).
// First is the word at offset 16: pid and uid of the sender, or a fault's
// address; Second the one at 24: a child's status, or a value.
type Info struct {
	Code          int32
	First, Second uint64
}

// State is what one process has of signals.  One of a number can be pending at a
// time, real-time signals too.  A child of fork starts with its parent's Actions,
// Blocked and Alt.
type State struct {
	Actions [abi.NSIG + 1]Action
	Infos   [abi.NSIG + 1]Info // of pending signals
	Pending Set
	Blocked Set
	Awaited Set // what rt_sigtimedwait(2) sleeps for: kept even if ignored
	Alt     AltStack

	// Init marks process 1, which ignores whatever it has no handler for:
	// without it the system would end.
	Init bool

	saved    Set // Blocked as it was before UseMask, if hasSaved
	hasSaved bool
}

// Post makes a signal pending, and reports whether the process must look at it.
func (s *State) Post(sig int, info Info) bool {
	s.Infos[sig] = info
	s.Pending |= Only(sig)
	return !(s.Blocked &^ s.Awaited).Has(sig)
}

// Drops reports whether a signal that is sent now goes no further: it is pending
// already, or it would be ignored and nobody waits for it.
func (s *State) Drops(sig int) bool {
	return s.Pending.Has(sig) || s.Ignores(sig) && !(s.Blocked|s.Awaited).Has(sig)
}

// Ignores reports whether sig, if not blocked, would have no effect.
func (s *State) Ignores(sig int) bool {
	switch s.Actions[sig].Handler {
	case abi.SIG_IGN:
		return true
	case abi.SIG_DFL:
		return s.Init || DefaultIgnore.Has(sig)
	}
	return false
}

// Stops reports whether sig's action is to stop the process.
func (s *State) Stops(sig int) bool {
	return s.Actions[sig].Handler == abi.SIG_DFL && DefaultStop.Has(sig)
}

// Next returns the pending signal to be acted upon next, or 0: one that ends the
// process before any other, then those of faults, then the lowest.  Signals that have
// come to be ignored while they were blocked are dropped.
//
// WHY the end comes first: nothing of a process that is to die may run, or be left
// behind, for the sake of another signal.  The parent of a vfork would push that
// one's frame on the stack that its child runs on.
func (s *State) Next() int {
	for {
		set := s.fatal()
		if set == 0 {
			set = s.Pending &^ s.Blocked
		}
		if urgent := set & synchronous; urgent != 0 {
			set = urgent
		}
		sig := set.Lowest()
		if sig == 0 || !s.Ignores(sig) {
			return sig
		}
		s.Pending &^= Only(sig)
	}
}

// Fatal reports whether a pending signal will terminate the process.
func (s *State) Fatal() bool { return s.fatal() != 0 }

// fatal returns the pending signals that will.
func (s *State) fatal() (fatal Set) {
	for set := s.Pending &^ s.Blocked; set != 0; set &= set - 1 {
		sig := set.Lowest()
		if s.Actions[sig].Handler == abi.SIG_DFL && !s.Ignores(sig) && !s.Stops(sig) {
			fatal |= Only(sig)
		}
	}
	return fatal
}

// Settled reports whether user mode may go on: no signal is to be acted upon, and
// no mask to be put back.
func (s *State) Settled() bool { return !s.hasSaved && s.Pending&^s.Blocked == 0 }

// Force is called before a signal that cannot wait, that of a fault: if the
// process blocks or ignores it, its action becomes the default one
// (sigaction(2)).  It reports whether a handler will run.
func (s *State) Force(sig int) bool {
	act := &s.Actions[sig]
	if act.Handler == abi.SIG_IGN || s.Blocked.Has(sig) {
		act.Handler = abi.SIG_DFL
		s.Blocked &^= Only(sig)
	}
	return act.Handler != abi.SIG_DFL
}

// UseMask blocks the signals of set until the system call in progress is over: a
// handler that set lets through runs under it, and then the mask of before comes
// back (sigsuspend(2), ppoll(2)).
func (s *State) UseMask(set Set) {
	s.saved, s.hasSaved = s.Blocked, true
	s.Blocked = set &^ Unblockable
}

// EndMask ends what UseMask began, and reports whether there was anything to end.
func (s *State) EndMask() bool {
	if !s.hasSaved {
		return false
	}
	s.Blocked, s.hasSaved = s.saved, false
	return true
}

// Exec gives caught signals their default action: the handlers are gone.
// Ignored ones stay ignored; mask and pending signals stay (execve(2)).
func (s *State) Exec() {
	for sig := range s.Actions {
		act := Action{}
		if s.Actions[sig].Handler == abi.SIG_IGN {
			act.Handler = abi.SIG_IGN
		}
		s.Actions[sig] = act
	}
	s.Alt = AltStack{}
}
