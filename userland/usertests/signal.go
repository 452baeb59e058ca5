package usertests

import (
	"encoding/binary"

	"yolk/userland/kit"
	"yolk/userland/sys"
)

func signalTests() []test {
	return []test{
		{"SIGNAL-handler-and-return", portable, signalHandler},
		{"SIGNAL-registers-survive", portable, signalRegisters},
		{"SIGNAL-default-actions", portable, signalDefaults},
		{"SIGNAL-ignored", portable, signalIgnored},
		{"SIGNAL-mask", portable, signalMask},
		{"SIGNAL-masked-in-its-own-handler", portable, signalOwnMask},
		{"SIGNAL-sigsuspend", portable, signalSuspend},
		{"SIGNAL-child", portable, signalChild},
		{"SIGNAL-eintr-and-restart-of-read", portable, signalRead},
		{"SIGNAL-eintr-and-restart-of-wait", portable, signalWait},
		{"SIGNAL-eintr-of-sleep", portable, signalSleep},
		{"SIGNAL-kill-targets", portable, signalKill},
		{"SIGNAL-kill-is-not-caught", portable, signalUncatchable},
		{"SIGNAL-stop-and-continue", portable, signalStop},
		{"SIGNAL-bad-stack", portable, signalBadStack},
		{"SIGNAL-forged-frames", portable, signalForged},
		{"SIGNAL-fault-while-blocked", portable, signalBlockedFault},
	}
}

// self sends a signal to the caller.
func self(sig int) { sys.Kill(sys.Getpid(), sig) }

// catch installs the counting handler.
func (t *T) catch(sig int, flags uintptr) { t.noErr(sys.CountSignal(sig, flags, 0), "sigaction") }

// counts ends the test unless the handler ran so often for sig.
func (t *T) counts(sig int, want uint32) {
	t.must(sys.SignalCount(sig) == want, "the handler of signal ", sig, " ran ", sys.SignalCount(sig), " times, not ", want)
}

// signalHandler: a handler runs and returns, as often as the signal is sent.
func signalHandler(t *T) {
	t.catch(sys.SIGUSR1, 0)
	for i := range uint32(5) {
		self(sys.SIGUSR1)
		t.counts(sys.SIGUSR1, i+1)
	}
	old, err := sys.Sigaction(sys.SIGUSR1, nil)
	t.must(err == nil && old.Handler > sys.SigIgn, "the disposition changed")
	_, err = sys.Sigaction(65, nil)
	t.wantErr(err, "signal 65", sys.EINVAL)
	t.wantErr(sys.CountSignal(0, 0, 0), "signal 0", sys.EINVAL)
}

// signalRegisters: whatever the handler does to them, the interrupted program
// finds its registers, flags and vector registers as they were, at any point at
// which a signal may come.
func signalRegisters(t *T) {
	t.catch(sys.SIGUSR1, 0)
	target := sys.Getpid()
	pid := t.fork(func() {
		for {
			sys.Kill(target, sys.SIGUSR1)
			sys.Sleep(1e6)
		}
	})
	for start := now(); sys.SignalCount(sys.SIGUSR1) < 50 && now()-start < 20e9; {
		regs := sys.SpinRegisters(200_000)
		t.must(regs.Want(), "a register or flag was lost")
	}
	sys.Kill(pid, sys.SIGKILL)
	t.wait(pid)
	t.must(sys.SignalCount(sys.SIGUSR1) >= 50, "only ", sys.SignalCount(sys.SIGUSR1), " signals came")
}

// signalDefaults: what each signal does to a process that made no provision.
func signalDefaults(t *T) {
	for _, sig := range []int{
		sys.SIGHUP, sys.SIGINT, sys.SIGQUIT, sys.SIGILL, sys.SIGTRAP, sys.SIGABRT, sys.SIGBUS, sys.SIGFPE,
		sys.SIGKILL, sys.SIGUSR1, sys.SIGSEGV, sys.SIGUSR2, sys.SIGPIPE, sys.SIGALRM, sys.SIGTERM,
	} {
		t.dies(kit.Format("signal ", sig), func() {
			sys.SetSignal(sig, sys.SigDfl)
			self(sig)
			sys.Sleep(1e9)
		}, sig)
	}
	for _, sig := range []int{sys.SIGCHLD, sys.SIGCONT, sys.SIGURG} {
		t.child(func() { self(sig) })
	}
}

// signalIgnored: an ignored signal does nothing, and is not kept.
func signalIgnored(t *T) {
	t.noErr(sys.SetSignal(sys.SIGTERM, sys.SigIgn), "sigaction")
	sys.SigProcMask(sys.SigBlock, sys.SigMask(sys.SIGTERM))
	self(sys.SIGTERM)
	t.noErr(sys.SetSignal(sys.SIGTERM, sys.SigIgn), "sigaction") // drops what is pending
	t.catch(sys.SIGTERM, 0)
	sys.SigProcMask(sys.SigSetMask, 0)
	t.counts(sys.SIGTERM, 0)
	t.child(func() {
		sys.SetSignal(sys.SIGINT, sys.SigIgn)
		self(sys.SIGINT)
	})
}

// signalMask: a blocked signal waits, once however often it was sent.
func signalMask(t *T) {
	t.catch(sys.SIGUSR1, 0)
	old, err := sys.SigProcMask(sys.SigBlock, sys.SigMask(sys.SIGUSR1))
	t.must(err == nil && old == 0, "the mask was ", kit.Hex(old))
	self(sys.SIGUSR1)
	self(sys.SIGUSR1)
	t.counts(sys.SIGUSR1, 0)
	pending, _ := sys.SigPending()
	t.must(pending == sys.SigMask(sys.SIGUSR1), "pending are ", kit.Hex(pending))
	sys.SigProcMask(sys.SigUnblock, sys.SigMask(sys.SIGUSR1))
	t.counts(sys.SIGUSR1, 1)
	sys.SigProcMask(sys.SigSetMask, ^uint64(0))
	mask, _ := sys.SigProcMask(sys.SigBlock, 0)
	t.must(mask&sys.SigMask(sys.SIGKILL, sys.SIGSTOP) == 0, "SIGKILL or SIGSTOP can be blocked")
	_, err = sys.SigProcMask(77, 0)
	t.wantErr(err, "an unknown way", sys.EINVAL)
}

// signalOwnMask: while a handler runs, its signal and those of its mask wait;
// afterwards the mask is what it was.
func signalOwnMask(t *T) {
	t.noErr(sys.CountSignal(sys.SIGUSR1, 0, sys.SigMask(sys.SIGUSR2)), "sigaction")
	t.catch(sys.SIGUSR2, 0)
	sys.SigProcMask(sys.SigBlock, sys.SigMask(sys.SIGUSR1, sys.SIGUSR2))
	self(sys.SIGUSR1)
	self(sys.SIGUSR2)
	sys.SigProcMask(sys.SigSetMask, 0)
	t.counts(sys.SIGUSR1, 1)
	t.counts(sys.SIGUSR2, 1)
	mask, _ := sys.SigProcMask(sys.SigBlock, 0)
	t.must(mask == 0, "the mask is ", kit.Hex(mask))
	_, err := sys.Sigaction(sys.SIGUSR1, &sys.SigAction{Handler: sys.SigDfl, Flags: sys.SaResetHand})
	t.noErr(err, "sigaction")
	t.catch(sys.SIGUSR1, sys.SaResetHand)
	self(sys.SIGUSR1)
	old, _ := sys.Sigaction(sys.SIGUSR1, nil)
	t.must(old.Handler == sys.SigDfl, "SA_RESETHAND did not reset")
}

// signalSuspend: the mask is changed and the wait begins in one step; the old
// mask is back afterwards.
func signalSuspend(t *T) {
	t.catch(sys.SIGUSR1, 0)
	sys.SigProcMask(sys.SigBlock, sys.SigMask(sys.SIGUSR1))
	self(sys.SIGUSR1) // before the wait: nothing is lost
	t.wantErr(sys.SigSuspend(0), "sigsuspend", sys.EINTR)
	t.counts(sys.SIGUSR1, 1)
	parent := sys.Getpid()
	pid := t.fork(func() {
		sys.Sleep(20e6)
		sys.Kill(parent, sys.SIGUSR1)
	})
	t.wantErr(sys.SigSuspend(0), "sigsuspend", sys.EINTR)
	t.counts(sys.SIGUSR1, 2)
	mask, _ := sys.SigProcMask(sys.SigBlock, 0)
	t.must(mask == sys.SigMask(sys.SIGUSR1), "the mask is ", kit.Hex(mask))
	t.join(pid)
}

// signalChild: a child's end sends SIGCHLD.
func signalChild(t *T) {
	t.catch(sys.SIGCHLD, sys.SaRestart)
	sys.SigProcMask(sys.SigBlock, sys.SigMask(sys.SIGCHLD))
	pid := t.fork(func() {})
	t.wantErr(sys.SigSuspend(0), "sigsuspend", sys.EINTR)
	t.counts(sys.SIGCHLD, 1)
	t.join(pid)
	sys.SetSignal(sys.SIGCHLD, sys.SigIgn) // children are then not waited for
	t.fork(func() {})
	_, _, err := sys.Wait4(-1, 0)
	t.wantErr(err, "wait with SIGCHLD ignored", sys.ECHILD)
}

// poke sends a signal to this process after a while, from a child.
func (t *T) poke(sig int) int {
	parent := sys.Getpid()
	return t.fork(func() {
		sys.Sleep(30e6)
		sys.Kill(parent, sig)
		sys.Sleep(30e6)
	})
}

// signalRead: a handler ends a read that waits with EINTR, or, with SA_RESTART,
// the read goes on.
func signalRead(t *T) {
	r, w := t.pipe()
	buf := make([]byte, 1)
	t.catch(sys.SIGUSR1, 0)
	pid := t.poke(sys.SIGUSR1)
	_, err := sys.Read(r, buf)
	t.wantErr(err, "read", sys.EINTR)
	t.join(pid)
	t.catch(sys.SIGUSR1, sys.SaRestart)
	parent := sys.Getpid()
	pid = t.fork(func() {
		sys.Sleep(30e6)
		sys.Kill(parent, sys.SIGUSR1)
		sys.Sleep(30e6)
		kit.WriteAll(w, []byte{'x'})
	})
	n, err := sys.Read(r, buf)
	t.must(n == 1 && err == nil, "read under SA_RESTART: ", n)
	t.counts(sys.SIGUSR1, 2)
	t.join(pid)
}

// signalWait: the same for wait.
func signalWait(t *T) {
	t.catch(sys.SIGUSR1, 0)
	pid := t.poke(sys.SIGUSR1)
	_, _, err := sys.Wait4(pid, 0)
	t.wantErr(err, "wait", sys.EINTR)
	t.join(pid)
	t.catch(sys.SIGUSR1, sys.SaRestart)
	pid = t.poke(sys.SIGUSR1)
	got, _, err := sys.Wait4(pid, 0)
	t.must(got == pid && err == nil, "wait under SA_RESTART: ", got)
	t.counts(sys.SIGUSR1, 2)
}

// signalSleep: a handler ends a sleep also under SA_RESTART, and the rest of the
// time is reported; an ignored signal does not.
func signalSleep(t *T) {
	t.catch(sys.SIGUSR1, sys.SaRestart)
	pid := t.poke(sys.SIGUSR1)
	rest, err := sys.Nanosleep(sys.Timespec{Sec: 10})
	t.wantErr(err, "nanosleep", sys.EINTR)
	t.must(rest.Nanoseconds() > 5e9 && rest.Nanoseconds() < 10e9, "the rest is ", rest.Nanoseconds(), " ns")
	t.join(pid)
	sys.SetSignal(sys.SIGUSR1, sys.SigIgn)
	pid = t.poke(sys.SIGUSR1)
	_, err = sys.Nanosleep(sys.Timespec{Nsec: 100e6})
	t.noErr(err, "nanosleep with the signal ignored")
	t.join(pid)
}

// signalKill: whom kill reaches.
func signalKill(t *T) {
	t.noErr(sys.Kill(sys.Getpid(), 0), "signal 0")
	t.wantErr(sys.Kill(0x3fffffff, sys.SIGTERM), "nobody", sys.ESRCH)
	t.wantErr(sys.Kill(sys.Getpid(), 65), "signal 65", sys.EINVAL)
	zombie := t.fork(func() {})
	sys.Sleep(20e6)
	t.noErr(sys.Kill(zombie, 0), "a zombie")
	t.join(zombie)
	t.wantErr(sys.Kill(zombie, 0), "a reaped child", sys.ESRCH)
	group := t.fork(func() {
		sys.Setpgid(0, 0)
		t.fork(func() { sys.Sleep(5e9) })
		sys.Sleep(5e9)
	})
	sys.Setpgid(group, group)
	sys.Sleep(20e6)
	t.noErr(sys.Kill(-group, sys.SIGTERM), "a group")
	status := t.wait(group)
	t.must(status.Signal() == sys.SIGTERM, "the group's leader ended with ", status)
}

// signalUncatchable: SIGKILL and SIGSTOP keep their actions.
func signalUncatchable(t *T) {
	for _, sig := range []int{sys.SIGKILL, sys.SIGSTOP} {
		t.wantErr(sys.SetSignal(sig, sys.SigIgn), kit.Format("ignoring signal ", sig), sys.EINVAL)
	}
	pid := t.fork(func() {
		sys.SigProcMask(sys.SigSetMask, ^uint64(0))
		for {
			sys.Sleep(1e9)
		}
	})
	sys.Sleep(10e6)
	sys.Kill(pid, sys.SIGKILL)
	status := t.wait(pid)
	t.must(status.Signal() == sys.SIGKILL, "ended with ", status)
}

// signalStop: a stopped process does not run until it is continued, and can be
// killed.
func signalStop(t *T) {
	counter := t.sharedPage()
	word := sys.Bytes(counter, 8)
	pid := t.fork(func() {
		for n := uint64(1); ; n++ {
			binary.LittleEndian.PutUint64(word, n)
			sys.Sleep(1e6)
		}
	})
	value := func() uint64 { return binary.LittleEndian.Uint64(word) }
	sys.Sleep(20e6)
	sys.Kill(pid, sys.SIGSTOP)
	_, status, err := sys.Wait4(pid, sys.WUNTRACED)
	t.must(err == nil && status&0xff == 0x7f && status>>8 == sys.SIGSTOP, "wait for the stop: ", kit.Hex(status))
	before := value()
	sys.Sleep(30e6)
	t.must(value() == before && before > 0, "the stopped process ran")
	sys.Kill(pid, sys.SIGCONT)
	for start := now(); value() == before && now()-start < 5e9; {
		sys.Sleep(1e6)
	}
	t.must(value() != before, "the process did not go on")
	sys.Kill(pid, sys.SIGSTOP)
	sys.Kill(pid, sys.SIGKILL)
	t.must(t.wait(pid).Signal() == sys.SIGKILL, "a stopped process was not killed")
}

// signalBadStack: a frame that cannot be written ends the process, and nothing
// else.
func signalBadStack(t *T) {
	t.dies("a signal stack that is not mapped", func() {
		t.catch(sys.SIGUSR1, 0)
		addr := t.pages(4)
		stack := sys.PinWords([]int64{int64(addr), 0, 4 * int64(page)})
		_, e := sys.Call(sys.SysSigaltstack, stack, 0, 0, 0, 0, 0)
		t.must(e == 0, "sigaltstack: ", e)
		t.noErr(sys.Munmap(addr, 4*page), "munmap")
		self(sys.SIGUSR1)
	}, sys.SIGSEGV)
	t.dies("a handler that is not mapped", func() {
		sys.Sigaction(sys.SIGUSR1, &sys.SigAction{Handler: 0x10, Flags: sys.SaRestorer, Restorer: 0x10})
		self(sys.SIGUSR1)
	}, sys.SIGSEGV)
}

// Places in the frame that rt_sigreturn reads (struct rt_sigframe without its
// first word): the saved registers, and what matters of them here.
const (
	frameRSP   = 40 + 15*8
	frameRIP   = 40 + 16*8
	frameFlags = 40 + 17*8
	frameCS    = 40 + 18*8
	frameFP    = 40 + 23*8
	frameSize  = 1024
)

// forged makes a frame on a page of its own that would go on at rip with the
// stack pointer, flags and selectors given.
func (t *T) forged(rip, flags, selectors uint64) uintptr {
	base := t.pages(2)
	addr := base + 64 // the word before it is the handler's return address
	frame := sys.Bytes(addr, frameSize)
	le := binary.LittleEndian
	le.PutUint64(frame[frameRSP:], uint64(base+2*page-64))
	le.PutUint64(frame[frameRIP:], rip)
	le.PutUint64(frame[frameFlags:], flags)
	le.PutUint64(frame[frameCS:], selectors)
	return addr
}

// signalForged: rt_sigreturn with what no kernel would have saved: addresses
// that are not canonical, the kernel's selectors and flags.  The process dies,
// or goes on without any right that it did not have.
func signalForged(t *T) {
	cs, ss := selectors()
	user := cs | ss<<48               // as the frame has them
	code := t.machineCode(0xfa, 0xc3) // cli
	exit := t.machineCode(0xbf, 5, 0, 0, 0, 0xb8, 60, 0, 0, 0, 0x0f, 0x05)
	status := t.status(func() { sigreturn(t.forged(uint64(exit), 0x202, user)) })
	t.must(status.ExitStatus() == 5, "a sound frame: ", status)
	for _, c := range []struct {
		what             string
		rip              uint64
		flags, selectors uint64
	}{
		{"rip not canonical", 0x8000_0000_0000_0000, 0x202, user},
		{"rip just behind the user's half", 0x0000_8000_0000_0000, 0x202, user},
		{"rip in the kernel", 0xffff_ffff_8020_0000, 0x202, user},
		{"the kernel's selectors", uint64(code), 0x202, 0x10 | 0x18<<48},
		{"null selectors", uint64(code), 0x202, 0},
		{"IOPL 3 and interrupts off", uint64(code), 0x3000, user},
		{"all flags", uint64(code), ^uint64(0), user},
	} {
		status := t.status(func() { sigreturn(t.forged(c.rip, c.flags, c.selectors)) })
		t.must(status.Signaled(), c.what, ": ended with ", status)
	}
	t.dies("a frame that is not mapped", func() { sigreturn(0x7000_0000_0000) }, sys.SIGSEGV)
	t.dies("a frame in the kernel", func() { sigreturn(0xffff_8000_0000_0000) }, sys.SIGSEGV)
	t.dies("a bad pointer to the vector state", func() {
		frame := t.forged(uint64(exit), 0x202, user)
		binary.LittleEndian.PutUint64(sys.Bytes(frame, frameSize)[frameFP:], 0xffff_8000_0000_0000)
		sigreturn(frame)
	}, sys.SIGSEGV)
}

// signalBlockedFault: a fault while its signal is blocked or ignored ends the
// process all the same.
func signalBlockedFault(t *T) {
	t.dies("blocked", func() {
		sys.SigProcMask(sys.SigSetMask, ^uint64(0))
		sys.Peek(8)
	}, sys.SIGSEGV)
	t.dies("ignored", func() {
		sys.SetSignal(sys.SIGSEGV, sys.SigIgn)
		sys.Peek(8)
	}, sys.SIGSEGV)
}
