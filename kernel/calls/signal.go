package calls

import (
	"encoding/binary"

	"yolk/kernel"
	"yolk/kernel/abi"
	"yolk/kernel/signal"
	"yolk/kernel/vfs"
	"yolk/mm"
)

// signalCalls are the system calls about signals; what becomes of one that was
// sent is the kernel proper's affair.
var signalCalls = []call{
	{abi.SysKill, "kill", sysKill}, {abi.SysTkill, "tkill", sysTkill}, {abi.SysTgkill, "tgkill", sysTgkill},
	{abi.SysRtSigaction, "rt_sigaction", sysRtSigaction}, {abi.SysRtSigprocmask, "rt_sigprocmask", sysRtSigprocmask},
	{abi.SysRtSigpending, "rt_sigpending", sysRtSigpending}, {abi.SysRtSigsuspend, "rt_sigsuspend", sysRtSigsuspend},
	{abi.SysRtSigtimedwait, "rt_sigtimedwait", sysRtSigtimedwait},
	{abi.SysSigaltstack, "sigaltstack", sysSigaltstack}, {abi.SysPause, "pause", sysPause},
}

// sysKill sends a signal to the processes that pid names (kill(2)):
//
//	pid > 0     that process
//	pid = 0     the caller's group
//	pid = -1    all but process 1 and the caller
//	pid < -1    the group -pid
//
//lab:process 5 send a signal to those whom a number names
func sysKill(p *kernel.Process, a *kernel.Args) (uint64, error) {
	pid := int(int32(a[0]))
	if pid > 0 {
		return sendTo(p, p.Kernel().Process(pid), a[1], abi.SI_USER)
	}
	pgid := -pid
	if pid == 0 {
		pgid = p.Group()
	}
	err := error(abi.ESRCH)
	for q := range p.Kernel().Processes() {
		if pid != -1 && q.Group() != pgid || pid == -1 && (q == p || q.Signals.Init) {
			continue
		}
		if _, e := sendTo(p, q, a[1], abi.SI_USER); e == nil || err == abi.ESRCH {
			err = e
		}
	}
	return 0, err
}

func sysTkill(p *kernel.Process, a *kernel.Args) (uint64, error) {
	tid := int(int32(a[0]))
	if tid <= 0 {
		return 0, abi.EINVAL
	}
	return sendTo(p, p.Kernel().Process(tid), a[1], abi.SI_TKILL)
}

func sysTgkill(p *kernel.Process, a *kernel.Args) (uint64, error) {
	if tgid := int32(a[0]); tgid > 0 && tgid != int32(a[1]) {
		return 0, abi.ESRCH // a process has one thread, which bears its number
	}
	a[1] = a[2]
	return sysTkill(p, a)
}

// sendTo sends q a signal of p's; signal 0 only asks whether p may.
func sendTo(p, q *kernel.Process, sig uint64, code int32) (uint64, error) {
	switch {
	case uint32(sig) > abi.NSIG:
		return 0, abi.EINVAL
	case q == nil:
		return 0, abi.ESRCH
	case !maySignal(p, q) && !(sig == abi.SIGCONT && p.Session() == q.Session()):
		return 0, abi.EPERM
	case uint32(sig) != 0:
		p.Send(q, int(sig), code)
	}
	return 0, nil
}

// maySignal reports whether p's user may signal q (kill(2)).
//
//lab:process 5 say whether one process may signal another
func maySignal(p, q *kernel.Process) bool {
	u, v := p.UID, q.UID
	return u.Effective == 0 || u.Effective == v.Real || u.Effective == v.Saved || u.Real == v.Real || u.Real == v.Saved
}

func sysRtSigaction(p *kernel.Process, a *kernel.Args) (uint64, error) {
	sig, le := int(int32(a[0])), binary.LittleEndian
	if a[3] != abi.SigsetSize || sig < 1 || sig > abi.NSIG || a[1] != 0 && signal.Unblockable.Has(sig) {
		return 0, abi.EINVAL
	}
	old := p.Signals.Actions[sig]
	if a[1] != 0 {
		var b [abi.SigactionSize]byte
		if err := p.CopyIn(b[:], a[1]); err != nil {
			return 0, err
		}
		p.Signals.Actions[sig] = signal.Action{
			Handler: le.Uint64(b[:]), Flags: le.Uint64(b[8:]), Restorer: le.Uint64(b[16:]), Mask: signal.Set(le.Uint64(b[24:])),
		}
		if p.Signals.Ignores(sig) {
			p.Signals.Pending &^= signal.Only(sig) // even a blocked one (sigaction(2))
		}
	}
	return 0, p.CopyOutWords(a[2], old.Handler, old.Flags, old.Restorer, uint64(old.Mask))
}

// copyInSet reads a sigset_t of the given size.
func copyInSet(p *kernel.Process, va, size uint64) (signal.Set, error) {
	if size != abi.SigsetSize {
		return 0, abi.EINVAL
	}
	set, err := p.Space().LoadUint64(mm.VirtAddr(va))
	return signal.Set(set), err
}

func sysRtSigprocmask(p *kernel.Process, a *kernel.Args) (uint64, error) {
	old := p.Signals.Blocked
	if a[3] != abi.SigsetSize || a[1] != 0 && a[0] > abi.SIG_SETMASK {
		return 0, abi.EINVAL
	}
	if a[1] != 0 {
		set, err := copyInSet(p, a[1], a[3])
		if err != nil {
			return 0, err
		}
		switch a[0] {
		case abi.SIG_BLOCK:
			set |= old
		case abi.SIG_UNBLOCK:
			set = old &^ set
		}
		p.Signals.Blocked = set &^ signal.Unblockable
		p.Recheck()
	}
	return 0, p.CopyOutWords(a[2], uint64(old))
}

func sysRtSigpending(p *kernel.Process, a *kernel.Args) (uint64, error) {
	if a[1] > abi.SigsetSize {
		return 0, abi.EINVAL
	}
	set := p.Signals.Pending & p.Signals.Blocked
	return 0, p.CopyOut(a[0], binary.LittleEndian.AppendUint64(nil, uint64(set))[:a[1]])
}

// useMask makes the signal set at va, of the given size, the blocked signals
// until the system call in progress is over (signal.State.UseMask).
func useMask(p *kernel.Process, va, size uint64) error {
	set, err := copyInSet(p, va, size)
	if err == nil {
		p.Signals.UseMask(set)
		p.Recheck()
	}
	return err
}

func sysRtSigsuspend(p *kernel.Process, a *kernel.Args) (uint64, error) {
	if err := useMask(p, a[0], a[1]); err != nil {
		return 0, err
	}
	return sysPause(p, a)
}

func sysPause(p *kernel.Process, _ *kernel.Args) (uint64, error) {
	_, err := sleep(p, noTimeout)
	return 0, err
}

// sysRtSigtimedwait takes a pending signal of a set, or waits for one
// (sigwaitinfo(2)).
func sysRtSigtimedwait(p *kernel.Process, a *kernel.Args) (uint64, error) {
	set, err := copyInSet(p, a[0], a[3])
	if err != nil {
		return 0, err
	}
	wait, err := timeout(p, a[2])
	if err != nil {
		return 0, err
	}
	alarm, s := vfs.NewAlarm(p, wait), &p.Signals
	defer alarm.Stop()
	s.Awaited = set &^ signal.Unblockable
	defer func() { s.Awaited = 0 }()
	for {
		if sig := (s.Pending & s.Awaited).Lowest(); sig != 0 {
			p.Take(sig)
			var b [abi.SiginfoSize]byte
			s.Infos[sig].Encode(b[:], sig)
			return uint64(sig), p.CopyOutMaybe(a[1], b[:])
		}
		if alarm.Rang() {
			return 0, abi.EAGAIN
		}
		if err := p.Sleep(); err != nil && s.Pending&s.Awaited == 0 {
			return 0, err // it was no signal of the set that ended the sleep
		}
	}
}

func sysSigaltstack(p *kernel.Process, a *kernel.Args) (uint64, error) {
	var old, b [abi.StackTSize]byte
	sp := p.StackPointer()
	p.Signals.Alt.Encode(old[:], sp)
	if a[0] != 0 {
		if err := p.CopyIn(b[:], a[0]); err != nil {
			return 0, err
		}
		if err := p.Signals.SetAltStack(b[:], sp); err != nil {
			return 0, err
		}
	}
	return 0, p.CopyOutMaybe(a[1], old[:])
}
