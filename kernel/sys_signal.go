package kernel

import (
	"encoding/binary"
	"time"

	"yolk/kernel/abi"
)

// signalCalls are the system calls about signals.
var signalCalls = []Call{
	{abi.SysKill, "kill", sysKill}, {abi.SysTkill, "tkill", sysTkill}, {abi.SysTgkill, "tgkill", sysTgkill},
	{abi.SysRtSigaction, "rt_sigaction", sysRtSigaction}, {abi.SysRtSigprocmask, "rt_sigprocmask", sysRtSigprocmask},
	{abi.SysRtSigpending, "rt_sigpending", sysRtSigpending}, {abi.SysRtSigsuspend, "rt_sigsuspend", sysRtSigsuspend},
	{abi.SysRtSigtimedwait, "rt_sigtimedwait", sysRtSigtimedwait}, {abi.SysRtSigreturn, "rt_sigreturn", sysRtSigreturn},
	{abi.SysSigaltstack, "sigaltstack", sysSigaltstack}, {abi.SysPause, "pause", sysPause},
}

// sysKill sends a signal to the processes that pid names (kill(2)):
//
//	pid > 0     that process
//	pid = 0     the caller's group
//	pid = -1    all but process 1 and the caller
//	pid < -1    the group -pid
func sysKill(p *Process, a *Args) (uint64, error) {
	pid := int(int32(a[0]))
	if pid > 0 {
		return p.sendTo(p.kernel.byPID[pid], a[1], abi.SI_USER)
	}
	pgid := -pid
	if pid == 0 {
		pgid = p.pgid
	}
	err := error(abi.ESRCH)
	for _, q := range p.kernel.slots {
		if q == nil || pid != -1 && q.pgid != pgid || pid == -1 && (q == p || q == p.kernel.init) {
			continue
		}
		if _, e := p.sendTo(q, a[1], abi.SI_USER); e == nil || err == abi.ESRCH {
			err = e
		}
	}
	return 0, err
}

func sysTkill(p *Process, a *Args) (uint64, error) {
	tid := int(int32(a[0]))
	if tid <= 0 {
		return 0, abi.EINVAL
	}
	return p.sendTo(p.kernel.byPID[tid], a[1], abi.SI_TKILL)
}

func sysTgkill(p *Process, a *Args) (uint64, error) {
	if tgid := int32(a[0]); tgid > 0 && tgid != int32(a[1]) {
		return 0, abi.ESRCH // a process has one thread, which bears its number
	}
	a[1] = a[2]
	return sysTkill(p, a)
}

// sendTo sends q a signal of p's; signal 0 only asks whether p may.
func (p *Process) sendTo(q *Process, sig uint64, code int32) (uint64, error) {
	switch {
	case uint32(sig) > abi.NSIG:
		return 0, abi.EINVAL
	case q == nil:
		return 0, abi.ESRCH
	case !p.maySignal(q) && !(sig == abi.SIGCONT && p.sid == q.sid):
		return 0, abi.EPERM
	case uint32(sig) != 0:
		q.signal(int(sig), p.fromUser(code))
	}
	return 0, nil
}

// maySignal reports whether p's user may signal q (kill(2)).
func (p *Process) maySignal(q *Process) bool {
	u, v := p.UID, q.UID
	return u.Effective == 0 || u.Effective == v.Real || u.Effective == v.Saved || u.Real == v.Real || u.Real == v.Saved
}

func sysRtSigaction(p *Process, a *Args) (uint64, error) {
	sig, le := int(int32(a[0])), binary.LittleEndian
	if a[3] != abi.SigsetSize || sig < 1 || sig > abi.NSIG || a[1] != 0 && sigBit(sig)&unblockable != 0 {
		return 0, abi.EINVAL
	}
	old := p.actions[sig]
	if a[1] != 0 {
		var b [abi.SigactionSize]byte
		if err := p.CopyIn(b[:], a[1]); err != nil {
			return 0, err
		}
		p.actions[sig] = action{le.Uint64(b[:]), le.Uint64(b[8:]), le.Uint64(b[16:]), le.Uint64(b[24:])}
		if p.ignores(sig) {
			p.pending &^= sigBit(sig) // even a blocked one (sigaction(2))
		}
	}
	return 0, p.CopyOutWords(a[2], old.handler, old.flags, old.restorer, old.mask)
}

// copyInSet reads a sigset_t of the given size.
func (p *Process) copyInSet(va, size uint64) (uint64, error) {
	if size != abi.SigsetSize {
		return 0, abi.EINVAL
	}
	var b [abi.SigsetSize]byte
	err := p.CopyIn(b[:], va)
	return binary.LittleEndian.Uint64(b[:]), err
}

func sysRtSigprocmask(p *Process, a *Args) (uint64, error) {
	old := p.blocked
	if a[3] != abi.SigsetSize || a[1] != 0 && a[0] > abi.SIG_SETMASK {
		return 0, abi.EINVAL
	}
	if a[1] != 0 {
		set, err := p.copyInSet(a[1], a[3])
		if err != nil {
			return 0, err
		}
		switch a[0] {
		case abi.SIG_BLOCK:
			set |= old
		case abi.SIG_UNBLOCK:
			set = old &^ set
		}
		p.blocked = set &^ unblockable
		p.recheck()
	}
	return 0, p.CopyOutWords(a[2], old)
}

func sysRtSigpending(p *Process, a *Args) (uint64, error) {
	if a[1] > abi.SigsetSize {
		return 0, abi.EINVAL
	}
	return 0, p.CopyOut(a[0], binary.LittleEndian.AppendUint64(nil, p.pending&p.blocked)[:a[1]])
}

// UseMask makes the signal set at va, of the given size, the blocked signals
// until the system call in progress is over; a handler that it lets through runs
// under that set and returns to the mask of before (sigsuspend(2), ppoll(2)).
// The error is EINVAL or mm.ErrFault.
func (p *Process) UseMask(va, size uint64) error {
	set, err := p.copyInSet(va, size)
	if err == nil {
		p.saved, p.hasSaved, p.attention = p.blocked, true, true
		p.blocked = set &^ unblockable
	}
	return err
}

func sysRtSigsuspend(p *Process, a *Args) (uint64, error) {
	if err := p.UseMask(a[0], a[1]); err != nil {
		return 0, err
	}
	return sysPause(p, a)
}

func sysPause(p *Process, _ *Args) (uint64, error) {
	return 0, p.sleepUntil(never)
}

// sysRtSigtimedwait takes a pending signal of a set, or waits for one
// (sigwaitinfo(2)).
func sysRtSigtimedwait(p *Process, a *Args) (uint64, error) {
	deadline := int64(never)
	set, err := p.copyInSet(a[0], a[3])
	if err == nil && a[2] != 0 {
		var span int64
		span, err = p.CopyInTime(a[2])
		deadline = after(p.kernel.machine.Nanotime(), span)
	}
	p.awaited = set &^ unblockable
	defer func() { p.awaited = 0 }()
	for err == nil {
		if sig := lowest(p.pending & p.awaited); sig != 0 {
			p.pending &^= sigBit(sig)
			p.took(sig)
			var b [abi.SiginfoSize]byte
			p.infos[sig].encode(b[:], sig)
			return uint64(sig), p.CopyOutMaybe(a[1], b[:])
		}
		if p.kernel.machine.Nanotime() >= deadline {
			return 0, abi.EAGAIN
		}
		if err = p.sleepOnce(deadline); p.pending&p.awaited != 0 {
			err = nil // that is what ended the sleep
		}
	}
	return 0, err
}

func sysSigaltstack(p *Process, a *Args) (uint64, error) {
	var old, b [abi.StackTSize]byte
	p.encodeAltStack(old[:])
	if a[0] != 0 {
		if err := p.CopyIn(b[:], a[0]); err != nil {
			return 0, err
		}
		if err := p.setAltStack(b[:]); err != nil {
			return 0, err
		}
	}
	return 0, p.CopyOutMaybe(a[1], old[:])
}

// alarm is ITIMER_REAL (setitimer(2)); times are Machine.Nanotime's.
type alarm struct {
	at, every int64 // 0: off, once
	timer     *time.Timer
}

// Alarm returns the nanoseconds until SIGALRM, and its interval; 0 is off.
func (p *Process) Alarm() (left, every int64) {
	if p.alarm.at == 0 {
		return 0, 0
	}
	return max(p.alarm.at-p.kernel.machine.Nanotime(), 1), p.alarm.every
}

// SetAlarm has SIGALRM sent after first nanoseconds, then, each time that it was
// taken, at the next interval's end; first 0 turns it off.
func (p *Process) SetAlarm(first, every int64) {
	if p.alarm.timer != nil {
		p.alarm.timer.Stop()
	}
	p.alarm = alarm{every: every}
	if first == 0 {
		return
	}
	at := after(p.kernel.machine.Nanotime(), first)
	p.alarm.at = at
	p.alarm.timer = time.AfterFunc(time.Duration(first), func() {
		p.kernel.Lock()
		defer p.kernel.Unlock()
		if p.alarm.at == at { // else it was set anew while this function waited for the lock
			if every == 0 {
				p.alarm = alarm{}
			}
			p.signal(abi.SIGALRM, sigInfo{code: abi.SI_KERNEL})
		}
	})
}

// took is called when p has taken a pending signal: after SIGALRM, the alarm goes
// on with its next interval.
//
// WHY not when it rings, as an alarm clock would: one with an interval of a
// microsecond, whose signal is blocked or ignored, would keep the kernel busy with
// itself.  User mode, where interrupts come, would never be entered.
func (p *Process) took(sig int) {
	now := p.kernel.machine.Nanotime()
	if a := &p.alarm; sig == abi.SIGALRM && a.every > 0 && a.at <= now {
		p.SetAlarm(a.every-(now-a.at)%a.every, a.every)
	}
}
