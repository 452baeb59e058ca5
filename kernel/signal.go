package kernel

import (
	"fmt"

	"yolk/kernel/abi"
	"yolk/kernel/signal"
	"yolk/kernel/trace"
)

// fromUser is the Info of a signal that p sends.
func (p *Process) fromUser(code int32) signal.Info {
	return signal.Info{Code: code, First: uint64(uint32(p.pid)) | uint64(p.UID.Real)<<32}
}

// Send sends q a signal of p's; code is abi.SI_USER or another SI_….
func (p *Process) Send(q *Process, sig int, code int32) { q.signal(sig, p.fromUser(code)) }

// signal sends p a signal.  What becomes of it:
//
//	p is a zombie                         nothing
//	p ignores it and does not block it    nothing
//	it is pending already                 nothing more
//	p blocks it                           it stays pending
//	else                                  p stops sleeping and settles it
//
// SIGCONT and the stop signals cancel each other, whatever becomes of them.
func (p *Process) signal(sig int, info signal.Info) {
	if p.state == Zombie || p.exiting {
		return
	}
	switch {
	case sig == abi.SIGCONT:
		p.Signals.Pending &^= signal.DefaultStop
		p.resume()
	case signal.DefaultStop.Has(sig):
		p.Signals.Pending &^= signal.Only(abi.SIGCONT)
	}
	if !p.Signals.Drops(sig) {
		p.post(sig, info)
	}
}

// post makes a signal pending and p look at it.
func (p *Process) post(sig int, info signal.Info) {
	if log := p.kernel.trace; log.On(trace.ClassSignal) { // on behalf of the sender, if it is one
		log.Emit(trace.Event{Kind: trace.SignalSend, Aux: uint64(p.pid), Err: uint32(sig)})
	}
	if p.Signals.Post(sig, info) {
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

// Recheck notes whether p must settle something before user mode goes on.  It is
// called after a change of Signals that may have let one through.
func (p *Process) Recheck() { p.attention = p.exiting || !p.Signals.Settled() }

// interrupted reports whether a sleep must end: p is to exit, or has a signal
// to handle.  A signal that only stops p does so in here.
func (p *Process) interrupted() bool {
	s := &p.Signals
	for !p.exiting && s.Pending&s.Awaited == 0 {
		sig := s.Next()
		if sig == 0 {
			return false
		}
		if !s.Stops(sig) {
			return true
		}
		s.Pending &^= signal.Only(sig)
		p.stop(sig)
	}
	return true
}

// settle does what has come up before user mode goes on: it carries out the
// actions of the pending signals, restarts a system call that was interrupted
// for nothing, and puts back the mask of sigsuspend.
func (p *Process) settle() {
	s := &p.Signals
	for !p.exiting {
		sig := s.Next()
		if sig == 0 && s.EndMask() {
			continue // that may have let another one through
		}
		if sig == 0 {
			break
		}
		p.Take(sig)
		switch {
		case s.Stops(sig):
			p.stop(sig)
		case s.Actions[sig].Handler == abi.SIG_DFL:
			p.doom(sig)
		default:
			p.handle(sig)
		}
	}
	if p.interruptedCall >= 0 {
		p.restart()
	}
	p.Recheck()
}

// Take makes a pending signal one that has arrived.
func (p *Process) Take(sig int) {
	p.Signals.Pending &^= signal.Only(sig)
	if sig == abi.SIGALRM {
		p.alarmTaken()
	}
}

// handle makes p run its handler for sig next.
func (p *Process) handle(sig int) {
	act := &p.Signals.Actions[sig]
	if nr := p.interruptedCall; nr >= 0 {
		if act.Flags&abi.SA_RESTART != 0 && !neverRestarted[nr] {
			p.restart()
		}
		p.interruptedCall = -1 // else the handler returns to EINTR
	}
	if !p.Signals.Handle(sig, p.frame, p) {
		p.kernel.logf("%s: no room for the frame of signal %d, killed", p, sig)
		p.doom(abi.SIGSEGV)
		return
	}
	p.emit(trace.ClassSignal, trace.Event{Kind: trace.SignalFrame, Err: uint32(sig), VA: p.frame.RIP})
}

// sysRtSigreturn ends a handler (rt_sigreturn(2)), whose RET has taken the return
// address off the stack.
func sysRtSigreturn(p *Process, _ *Args) (uint64, error) {
	if !p.Signals.Return(p.frame, p.frame.RSP-8, p) {
		p.kernel.logf("%s: malformed signal frame at %#x", p, p.frame.RSP-8)
		p.fault(abi.SIGSEGV, abi.SI_KERNEL, 0)
	}
	p.Recheck()
	return p.frame.RAX, nil
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
	for p.stopped && !p.exiting && !p.Signals.Pending.Has(abi.SIGKILL) {
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
	if p.parent.Signals.Actions[abi.SIGCHLD].Flags&abi.SA_NOCLDSTOP == 0 {
		p.parent.signal(abi.SIGCHLD, p.childInfo(status))
	}
	p.parent.Wake()
}

// String names the process in the kernel's log.
func (p *Process) String() string { return fmt.Sprintf("process %d (%s)", p.pid, p.image.comm) }
