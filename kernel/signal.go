package kernel

import (
	"fmt"
	"math/bits"

	"yolk/kernel/abi"
	"yolk/kernel/trace"
)

// Sets of signals, bit n-1 for signal n.
const (
	unblockable = 1<<(abi.SIGKILL-1) | 1<<(abi.SIGSTOP-1)

	// What the default action is (signal(7)); any other signal terminates.
	defaultStop   = 1<<(abi.SIGSTOP-1) | 1<<(abi.SIGTSTP-1) | 1<<(abi.SIGTTIN-1) | 1<<(abi.SIGTTOU-1)
	defaultIgnore = 1<<(abi.SIGCHLD-1) | 1<<(abi.SIGURG-1) | 1<<(abi.SIGWINCH-1) | 1<<(abi.SIGCONT-1)

	// Signals of faults come first: the handler of another one would find the
	// state of a faulting instruction otherwise.
	synchronous = 1<<(abi.SIGSEGV-1) | 1<<(abi.SIGBUS-1) | 1<<(abi.SIGILL-1) |
		1<<(abi.SIGTRAP-1) | 1<<(abi.SIGFPE-1) | 1<<(abi.SIGSYS-1)
)

// sigBit returns the set of sig alone.
func sigBit(sig int) uint64 { return 1 << (sig - 1) }

// lowest returns the lowest signal of a set, 0 of an empty one.
func lowest(set uint64) int {
	if set == 0 {
		return 0
	}
	return bits.TrailingZeros64(set) + 1
}

// action is what a process does about one signal, as rt_sigaction(2) sets it.
type action struct {
	handler, flags, restorer, mask uint64
}

// sigInfo is what a siginfo says beside the signal's number.  first is the
// word at offset 16 (pid and uid of the sender, or a fault's address), second
// the one at 24 (a child's status, or a value).
type sigInfo struct {
	code          int32
	first, second uint64
}

// signals are a process's signals.  One of a number can be pending at a time,
// real-time signals too.
type signals struct {
	actions  [abi.NSIG + 1]action
	infos    [abi.NSIG + 1]sigInfo // of pending signals
	pending  uint64
	blocked  uint64
	saved    uint64 // blocked as it was before sigsuspend or ppoll, if hasSaved
	hasSaved bool
	awaited  uint64 // what rt_sigtimedwait sleeps for: kept even if ignored
	altStack altStack
	stopped  bool
}

// altStack is sigaltstack(2)'s; size 0 is none.
type altStack struct{ sp, size uint64 }

func (a altStack) contains(sp uint64) bool { return sp-a.sp-1 < a.size }

// fromUser is the sigInfo of a signal that p sends.
func (p *Process) fromUser(code int32) sigInfo {
	return sigInfo{code: code, first: uint64(uint32(p.pid)) | uint64(p.UID.Real)<<32}
}

// signal sends p a signal.  What becomes of it:
//
//	p is a zombie                         nothing
//	p ignores it and does not block it    nothing
//	it is pending already                 nothing more
//	p blocks it                           it stays pending
//	else                                  p stops sleeping and settles it
//
// SIGCONT and the stop signals cancel each other, whatever becomes of them.
func (p *Process) signal(sig int, info sigInfo) {
	bit := sigBit(sig)
	if p.state == Zombie || p.exiting {
		return
	}
	switch {
	case sig == abi.SIGCONT:
		p.pending &^= defaultStop
		p.resume()
	case bit&defaultStop != 0:
		p.pending &^= sigBit(abi.SIGCONT)
	}
	if p.ignores(sig) && (p.blocked|p.awaited)&bit == 0 || p.pending&bit != 0 {
		return
	}
	p.post(sig, info)
}

// post makes a signal pending and p look at it.
func (p *Process) post(sig int, info sigInfo) {
	if log := p.kernel.trace; log.On(trace.ClassSignal) { // on behalf of the sender, if it is one
		log.Emit(trace.Event{Kind: trace.SignalSend, Aux: uint64(p.pid), Err: uint32(sig)})
	}
	p.infos[sig] = info
	p.pending |= sigBit(sig)
	if p.blocked&^p.awaited&sigBit(sig) == 0 {
		p.attention = true
		p.Wake()
	}
}

// doom makes p die of a signal at its next step, whatever it does about it.
func (p *Process) doom(sig int) {
	if p.exiting || p.state == Zombie {
		return
	}
	p.emit(trace.ClassSignal, trace.Event{Kind: trace.SignalKill, Err: uint32(sig)})
	p.terminate(uint32(sig))
}

// terminate makes p exit with the given wait status at its next step.
func (p *Process) terminate(status uint32) {
	p.exiting, p.attention, p.status = true, true, status
	p.Wake()
}

// ignores reports whether sig, if not blocked, would have no effect.  Process 1
// ignores whatever it has no handler for: without it the system would end.
func (p *Process) ignores(sig int) bool {
	switch p.actions[sig].handler {
	case abi.SIG_IGN:
		return true
	case abi.SIG_DFL:
		return sigBit(sig)&defaultIgnore != 0 || p.kernel.init == p
	}
	return false
}

// recheck recomputes whether p must settle something.
func (p *Process) recheck() {
	p.attention = p.exiting || p.hasSaved || p.pending&^p.blocked != 0
}

// next returns the signal to be handled next, or 0.  Signals that have come to
// be ignored while they were blocked are dropped.
func (p *Process) next() int {
	for {
		set := p.pending &^ p.blocked
		if urgent := set & synchronous; urgent != 0 {
			set = urgent
		}
		sig := lowest(set)
		if sig == 0 || !p.ignores(sig) {
			return sig
		}
		p.pending &^= sigBit(sig)
	}
}

// interrupted reports whether a sleep must end: p is to exit, or has a signal
// to handle.  A signal that only stops p does so in here.
func (p *Process) interrupted() bool {
	for !p.exiting && p.pending&p.awaited == 0 {
		sig := p.next()
		if sig == 0 {
			return false
		}
		if !p.stops(sig) {
			return true
		}
		p.pending &^= sigBit(sig)
		p.stop(sig)
	}
	return true
}

// doomed reports whether p must not sleep on even in a sleep that no handler
// may interrupt: it exits, or has a signal that will terminate it.
func (p *Process) doomed() bool {
	if p.exiting {
		return true
	}
	for set := p.pending &^ p.blocked; set != 0; set &= set - 1 {
		sig := lowest(set)
		if p.actions[sig].handler == abi.SIG_DFL && !p.ignores(sig) && !p.stops(sig) {
			return true
		}
	}
	return false
}

// stops reports whether sig's action is to stop the process.
func (p *Process) stops(sig int) bool {
	return p.actions[sig].handler == abi.SIG_DFL && sigBit(sig)&defaultStop != 0
}

// settle does what has come up before user mode goes on: it carries out the
// actions of the pending signals, restarts a system call that was interrupted
// for nothing, and puts back the mask of sigsuspend.
func (p *Process) settle() {
	for !p.exiting {
		sig := p.next()
		if sig == 0 && p.hasSaved {
			p.blocked, p.hasSaved = p.saved, false
			continue // that may have let another one through
		}
		if sig == 0 {
			break
		}
		p.pending &^= sigBit(sig)
		p.took(sig)
		switch {
		case p.stops(sig):
			p.stop(sig)
		case p.actions[sig].handler == abi.SIG_DFL:
			p.doom(sig)
		default:
			p.handle(sig)
		}
	}
	if p.interruptedCall >= 0 {
		p.restart()
	}
	p.recheck()
}

// handle makes p run its handler for sig next.
func (p *Process) handle(sig int) {
	act := p.actions[sig]
	if nr := p.interruptedCall; nr >= 0 {
		if act.flags&abi.SA_RESTART != 0 && !neverRestarted[nr] {
			p.restart()
		}
		p.interruptedCall = -1 // else the handler returns to EINTR
	}
	mask := p.blocked
	if p.hasSaved {
		mask, p.hasSaved = p.saved, false
	}
	if !p.pushFrame(sig, act, mask) {
		p.kernel.logf("%s: no room for the frame of signal %d, killed", p, sig)
		p.doom(abi.SIGSEGV)
		return
	}
	p.emit(trace.ClassSignal, trace.Event{Kind: trace.SignalFrame, Err: uint32(sig), VA: act.handler})
	p.blocked |= act.mask
	if act.flags&abi.SA_NODEFER == 0 {
		p.blocked |= sigBit(sig)
	}
	p.blocked &^= unblockable
	if act.flags&abi.SA_RESETHAND != 0 {
		p.actions[sig].handler = abi.SIG_DFL
	}
}

// syscallLength is the length of the SYSCALL instruction (SDM 2B).
const syscallLength = 2

// restart makes p repeat the system call that was interrupted.
func (p *Process) restart() {
	p.frame.RAX = uint64(p.interruptedCall)
	p.frame.RIP -= syscallLength
	p.interruptedCall = -1
}

// stop keeps p from running until SIGCONT or its end.
func (p *Process) stop(sig int) {
	p.stopped = true
	p.report(uint32(sig)<<8 | 0x7f)
	for p.stopped && !p.exiting && p.pending&sigBit(abi.SIGKILL) == 0 {
		p.pause(Stopped)
	}
	p.stopped = false
	// The stop has used up the token of whatever else woke p meanwhile: whoever
	// sleeps next must look at its condition again.
	p.Wake()
}

// resume lets a stopped process go on.
func (p *Process) resume() {
	if p.stopped {
		p.stopped = false
		p.report(statusContinued)
		p.Wake()
	}
}

// report tells the parent of a stop or a continuation (wait(2), WUNTRACED,
// WCONTINUED).
func (p *Process) report(status uint32) {
	p.stopReport = status
	if p.parent == nil {
		return
	}
	if p.parent.actions[abi.SIGCHLD].flags&abi.SA_NOCLDSTOP == 0 {
		p.parent.signal(abi.SIGCHLD, p.childInfo(status))
	}
	p.parent.Wake()
}

// String names the process in the kernel's log.
func (p *Process) String() string { return fmt.Sprintf("process %d (%s)", p.pid, p.image.comm) }
