package kernel

import (
	"encoding/binary"
	"fmt"
	"testing"
	"time"

	"yolk/arch/amd64"
	"yolk/kernel/abi"
	"yolk/kernel/signal"
	"yolk/kernel/trace"
	"yolk/mm"
)

// What a handler finds on its stack, bytes from RSP: Linux's struct rt_sigframe.
const (
	frameStack  = 24  // stack_t
	frameRegs   = 48  // struct sigcontext: R8 to R15, RDI, RSI, RBP, RBX, RDX, RAX, RCX, RSP, RIP, RFLAGS
	frameSegs   = 192 // CS, …, SS
	frameFPU    = 232 // address of the FXSAVE image
	frameMask   = 304
	frameInfo   = 312 // siginfo_t
	frameSize   = 440
	mxcsrOffset = 24 // in the FXSAVE image
)

// only is the set of one signal, as memory and registers hold it.
func only(sig int) uint64 { return uint64(signal.Only(sig)) }

// handler sets the action of sig to the code at label, with a restorer that it
// defines on first use.
func handler(a *Asm, sig int, label string, flags int) {
	restorer := "restorer"
	a.Mov(RCX, 0).Push(RCX) // mask
	a.Mov(RCX, restorer).Push(RCX)
	a.Mov(RCX, flags|abi.SA_RESTORER).Push(RCX)
	a.Mov(RCX, label).Push(RCX)
	a.Copy(RSI, RSP).Syscall(abi.SysRtSigaction, sig, nil, 0, 8)
	a.Pop(RCX).Pop(RCX).Pop(RCX).Pop(RCX)
	if !a.Has(restorer) {
		a.Jmp("after " + restorer).Label(restorer).Syscall(abi.SysRtSigreturn).Label("after " + restorer)
	}
}

// raise sends the caller a signal.
func raise(a *Asm, sig int) { a.Syscall(abi.SysGetpid).Syscall(abi.SysKill, RAX, sig) }

// mask sets the blocked signals.
func mask(a *Asm, set uint64) {
	store(a, varE, set)
	a.Syscall(abi.SysRtSigprocmask, abi.SIG_SETMASK, varE, 0, 8)
}

func TestSignalDefaultActions(t *testing.T) {
	for sig := 1; sig <= abi.NSIG; sig++ {
		bubble(t, options{}, func(s *system) {
			s.program("/init", func(a *Asm) {
				fork(a, abi.SysFork, "child")
				a.Syscall(abi.SysWait4, -1, varA, abi.WUNTRACED, 0)
				load(a, varA)
				a.Probe(1)
				exit(a, 0)
				a.Label("child")
				raise(a, sig)
				exit(a, 0)
			})
			s.boot("/init")
			want := sig
			switch {
			case signal.DefaultIgnore.Has(sig):
				want = 0
			case signal.DefaultStop.Has(sig):
				want = sig<<8 | 0x7f
			}
			s.want(1, want)
		})
	}
}

// A handler runs with everything saved, and what it returns to is unchanged.
func TestSignalHandlerSavesAndRestores(t *testing.T) {
	for _, flags := range []int{0, abi.SA_SIGINFO, abi.SA_ONSTACK, abi.SA_NODEFER, abi.SA_RESETHAND} {
		bubble(t, options{}, func(s *system) {
			var saved amd64.TrapFrame
			s.onProbe = func(p *Process, id uint32, f *amd64.TrapFrame) {
				switch id {
				case 1:
					f.RBX, f.RBP, f.R8, f.R15, f.R10 = 3, 4, 8, 15, 10
					f.RFLAGS |= 1 | amd64.FlagDirection
					for i := range f.FPU[160:400] {
						f.FPU[160+i] = byte(i)
					}
					saved = *f
				case 2:
					if f.RSP%16 != 8 || f.RDI != abi.SIGUSR1 || f.RFLAGS&amd64.FlagDirection != 0 {
						t.Errorf("handler entered with RSP %#x, RDI %d, RFLAGS %#x", f.RSP, f.RDI, f.RFLAGS)
					}
					fpu, err := p.space.LoadUint64(mm.VirtAddr(f.RSP + frameFPU))
					must(t, err)
					if flags != abi.SA_ONSTACK && fpu+512 > saved.RSP-128 {
						t.Errorf("the FPU's state at %#x lies in the red zone of %#x", fpu, saved.RSP)
					}
					if on := p.Signals.Alt.Contains(f.RSP); on != (flags == abi.SA_ONSTACK) {
						t.Errorf("on the alternate stack: %v", on)
					}
					if wantBlocked := flags != abi.SA_NODEFER; p.Signals.Blocked.Has(abi.SIGUSR1) != wantBlocked {
						t.Errorf("blocked %#x", p.Signals.Blocked)
					}
					var b [frameSize]byte
					must(t, p.CopyIn(b[:], f.RSP))
					le := binary.LittleEndian
					if code, pid := le.Uint32(b[frameInfo+8:]), le.Uint32(b[frameInfo+16:]); code != abi.SI_USER || pid != 1 {
						t.Errorf("si_code %d, si_pid %d", code, pid)
					}
					if got := le.Uint64(b[frameRegs+15*8:]); got != saved.RSP {
						t.Errorf("saved RSP %#x", got)
					}
					f.FPU[170], f.RBX, f.R15, f.RFLAGS = 0xff, 0, 0, f.RFLAGS&^1 // what a handler may do
				case 3:
					want := saved
					want.RAX, want.RCX, want.R11, want.RIP, want.RDI, want.RSI = f.RAX, f.RCX, f.R11, f.RIP, f.RDI, f.RSI
					want.Vector, want.Error, want.CR2 = f.Vector, f.Error, f.CR2
					if *f != want {
						t.Errorf("after the handler\n%+v, want\n%+v", *f, want)
					}
					if p.Signals.Blocked != 0 {
						t.Errorf("blocked %#x", p.Signals.Blocked)
					}
					if reset := p.Signals.Actions[abi.SIGUSR1].Handler == abi.SIG_DFL; reset != (flags == abi.SA_RESETHAND) {
						t.Errorf("reset: %v", reset)
					}
				}
			}
			s.program("/init", func(a *Asm) {
				store(a, varC, dataBase+0x1000)
				store(a, varC+16, 4096)
				a.Syscall(abi.SysSigaltstack, varC, 0)
				handler(a, abi.SIGUSR1, "handler", flags)
				a.Syscall(abi.SysGetpid).Copy(RDI, RAX).Mov(RSI, abi.SIGUSR1).Mov(RAX, abi.SysKill).Probe(1).Raw(0x0f, 0x05).Probe(3)
				exit(a, 0)
				a.Label("handler").Probe(2).Ret()
			})
			s.boot("/init")
			s.want(3, 0)
			if len(s.probes) != 3 || len(s.kinds(trace.SignalFrame)) != 1 {
				t.Errorf("probes %v", s.probes)
			}
		})
	}
}

// Two signals at once: both handlers run, then the program goes on.
func TestSignalsNest(t *testing.T) {
	bubble(t, options{}, func(s *system) {
		s.program("/init", func(a *Asm) {
			handler(a, abi.SIGUSR1, "one", 0)
			handler(a, abi.SIGUSR2, "two", 0)
			mask(a, only(abi.SIGUSR1)|only(abi.SIGUSR2))
			raise(a, abi.SIGUSR1)
			raise(a, abi.SIGUSR2)
			raise(a, abi.SIGUSR2) // one of a number is pending at a time
			a.Probe(1)
			mask(a, 0)
			a.Probe(2)
			exit(a, 0)
			a.Label("one").Probe(3).Ret()
			a.Label("two").Probe(4).Ret()
		})
		s.boot("/init")
		if got := s.seen(); len(got) != 4 || got[0] != 1 || got[3] != 2 {
			t.Errorf("order %v", got)
		}
	})
}

// What rt_sigreturn must not believe.
func TestSigreturnTrustsNothing(t *testing.T) {
	type corruption struct {
		name string
		bad  bool
		do   func(b []byte)
	}
	le := binary.LittleEndian
	for _, c := range []corruption{
		{"nothing", false, func([]byte) {}},
		{"CS of ring 0", true, func(b []byte) { le.PutUint16(b[frameSegs:], amd64.KernelCode) }},
		{"SS of ring 0", true, func(b []byte) { le.PutUint16(b[frameSegs+6:], amd64.KernelData) }},
		{"CS null", true, func(b []byte) { le.PutUint16(b[frameSegs:], 0) }},
		{"RIP not canonical", true, func(b []byte) { le.PutUint64(b[frameRegs+16*8:], 1<<47) }},
		{"RIP in the kernel", true, func(b []byte) { le.PutUint64(b[frameRegs+16*8:], 1<<63|1<<62|1<<47) }},
		{"FPU pointer wild", true, func(b []byte) { le.PutUint64(b[frameFPU:], 1<<60) }},
		{"FPU pointer nil", false, func(b []byte) { le.PutUint64(b[frameFPU:], 0) }},
		{"RFLAGS all ones", false, func(b []byte) { le.PutUint64(b[frameRegs+17*8:], ^uint64(amd64.FlagTrap)) }},
		{"mask all ones", false, func(b []byte) { le.PutUint64(b[frameMask:], ^uint64(0)) }},
		{"stack_t mad", false, func(b []byte) { le.PutUint64(b[frameStack+8:], ^uint64(0)) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, options{}, func(s *system) {
				s.onProbe = func(p *Process, id uint32, f *amd64.TrapFrame) {
					if id == 2 {
						var b [frameSize]byte
						must(t, p.CopyIn(b[:], f.RSP))
						c.do(b[:])
						must(t, p.CopyOut(f.RSP, b[:]))
					}
					if id == 3 {
						if f.CS != amd64.UserCode || f.SS != amd64.UserData || f.RFLAGS&^(amd64.FlagsUser|amd64.FlagsFixed) != 0 ||
							f.RFLAGS&amd64.FlagsFixed != amd64.FlagsFixed || p.Signals.Blocked&signal.Unblockable != 0 {
							t.Errorf("CS %#x SS %#x RFLAGS %#x blocked %#x", f.CS, f.SS, f.RFLAGS, p.Signals.Blocked)
						}
					}
				}
				s.program("/init", func(a *Asm) {
					handler(a, abi.SIGUSR1, "handler", 0)
					raise(a, abi.SIGUSR1)
					a.Probe(3)
					exit(a, 0)
					a.Label("handler").Probe(2).Ret()
				})
				want := uint32(0)
				if c.bad {
					want = abi.SIGSEGV
				}
				if got := s.boot("/init"); got != want {
					t.Errorf("status %#x, want %#x", got, want)
				}
			})
		})
	}
}

// A reserved bit of MXCSR would fault in the kernel's FXRSTOR.
func TestSigreturnMXCSR(t *testing.T) {
	bubble(t, options{}, func(s *system) {
		s.onProbe = func(p *Process, id uint32, f *amd64.TrapFrame) {
			fpu, err := p.space.LoadUint64(mm.VirtAddr(f.RSP + frameFPU))
			must(t, err)
			must(t, p.space.StoreUint32(mm.VirtAddr(fpu+mxcsrOffset), 1<<16|0x1f80))
		}
		s.program("/init", func(a *Asm) {
			handler(a, abi.SIGUSR1, "handler", 0)
			raise(a, abi.SIGUSR1)
			exit(a, 0)
			a.Label("handler").Probe(2).Ret()
		})
		if got := s.boot("/init"); got != abi.SIGSEGV {
			t.Errorf("status %#x", got)
		}
	})
}

// A frame that cannot be pushed kills: no stack, no restorer, a wild handler.
func TestSignalFrameCannotBePushed(t *testing.T) {
	for name, prepare := range map[string]func(a *Asm){
		"no stack":          func(a *Asm) { handler(a, abi.SIGUSR1, "handler", 0); a.Mov(RSP, 64) },
		"stack in the hole": func(a *Asm) { handler(a, abi.SIGUSR1, "handler", 0); a.Mov(RSP, uint64(1)<<50) },
		"no restorer": func(a *Asm) {
			store(a, varA, codeBase)
			a.Syscall(abi.SysRtSigaction, abi.SIGUSR1, varA, 0, 8)
		},
		"wild handler": func(a *Asm) {
			store(a, varA, uint64(1)<<48)
			store(a, varA+8, abi.SA_RESTORER)
			a.Syscall(abi.SysRtSigaction, abi.SIGUSR1, varA, 0, 8)
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, options{}, func(s *system) {
				s.program("/init", func(a *Asm) {
					prepare(a)
					raise(a, abi.SIGUSR1)
					exit(a, 0)
					a.Label("handler").Ret()
				})
				if got := s.boot("/init"); got != abi.SIGSEGV || !s.logged("no room") {
					t.Errorf("status %#x, log %q", got, s.m.Lines())
				}
			})
		})
	}
}

// ALL-05: what user mode must not do is a signal to it and a line in the log.
func TestALL05FaultsBecomeSignals(t *testing.T) {
	for name, c := range map[string]struct {
		sig, code int
		says      string // part of the line in the log
		do        func(a *Asm)
	}{
		"read of nil":        {abi.SIGSEGV, abi.SEGV_MAPERR, "read of 0x0, where nothing is mapped, below 0x400000-0x402000 r-x /init; pc=0x4", func(a *Asm) { load(a, 0) }},
		"write to text":      {abi.SIGSEGV, abi.SEGV_ACCERR, "write to 0x401000, but the rights are 0x400000-0x402000 r-x /init; pc=", func(a *Asm) { store(a, codeBase, 1) }},
		"jump to data":       {abi.SIGSEGV, abi.SEGV_ACCERR, "fetch from 0x600000, but the rights are 0x600000-0x601000 rw- /init; pc=0x600000 (/init+0x600000)", func(a *Asm) { a.Mov(RAX, dataBase).JmpReg(RAX) }},
		"jump to the kernel": {abi.SIGSEGV, abi.SEGV_MAPERR, "fetch from 0xffffffff80200000, which is not the user's; pc=", func(a *Asm) { a.Mov(RAX, uint64(0xffffffff80200000)).JmpReg(RAX) }},
		"read of the kernel": {abi.SIGSEGV, abi.SEGV_MAPERR, "read of 0xffff800000000000, which is not the user's; pc=", func(a *Asm) { load(a, uint64(0xffff800000000000)) }},
		"not canonical":      {abi.SIGSEGV, abi.SI_KERNEL, "privileged instruction or non-canonical address; pc=", func(a *Asm) { load(a, uint64(1)<<50) }},
		"hlt":                {abi.SIGSEGV, abi.SI_KERNEL, "privileged instruction or non-canonical address; pc=", func(a *Asm) { a.Raw(0xf4) }},
		"int 0x80":           {abi.SIGSEGV, abi.SI_KERNEL, "privileged instruction or non-canonical address; pc=", func(a *Asm) { a.Raw(0xcd, 0x80) }},
		"ud2":                {abi.SIGILL, abi.ILL_ILLOPN, "invalid instruction; pc=", func(a *Asm) { a.Raw(0x0f, 0x0b) }},
		"int3":               {abi.SIGTRAP, abi.SI_KERNEL, "breakpoint; pc=", func(a *Asm) { a.Raw(0xcc) }},
		"below the stack":    {abi.SIGSEGV, abi.SEGV_MAPERR, ", where nothing is mapped, above ", func(a *Asm) { a.Copy(RBX, RSP).AddImm(RBX, -9<<20).Load(RAX, RBX, 0) }},
		"SIGSEGV is ignored": {abi.SIGSEGV, abi.SEGV_MAPERR, "read of 0x0, where", func(a *Asm) { ignore(a, abi.SIGSEGV); load(a, 0) }},
		"SIGSEGV is blocked": {abi.SIGSEGV, abi.SEGV_MAPERR, "read of 0x0, where", func(a *Asm) { mask(a, ^uint64(0)); load(a, 0) }},
		"hlt, blocked":       {abi.SIGSEGV, abi.SI_KERNEL, "privileged instruction or", func(a *Asm) { mask(a, ^uint64(0)); a.Raw(0xf4) }},
		"ud2, ignored":       {abi.SIGILL, abi.ILL_ILLOPN, "invalid instruction; pc=", func(a *Asm) { ignore(a, abi.SIGILL); a.Raw(0x0f, 0x0b) }},
		"caught but blocked": {abi.SIGSEGV, abi.SEGV_MAPERR, "read of 0x0, where", func(a *Asm) {
			handler(a, abi.SIGSEGV, "handler", 0)
			mask(a, ^uint64(0))
			load(a, 0)
			a.Label("handler")
		}},
		"stack is overflowed": {abi.SIGSEGV, abi.SEGV_MAPERR, ", where nothing is mapped, above ", func(a *Asm) { a.Label("loop").Push(RAX).Jmp("loop") }},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, options{frames: 8192, quantum: 5000}, func(s *system) {
				s.program("/init", func(a *Asm) {
					fork(a, abi.SysFork, "child")
					wait(a, varA)
					load(a, varA)
					a.Probe(1)
					exit(a, 0)
					a.Label("child")
					c.do(a)
					a.Probe(99)
				})
				s.boot("/init")
				s.want(1, c.sig)
				if len(s.probes) != 1 || len(s.m.Lines()) != 2 || !s.logged(fmt.Sprintf("process 2 (init): signal %d (code %d): ", c.sig, c.code)) || !s.logged(c.says) {
					t.Errorf("probes %v, log %q", s.probes, s.m.Lines())
				}
			})
		})
	}
}

func ignore(a *Asm, sig int) {
	store(a, varD, abi.SIG_IGN)
	store(a, varD+8, 0)
	a.Syscall(abi.SysRtSigaction, sig, varD, 0, 8)
}

// A program mends its own fault in a handler.
func TestFaultHandlerMends(t *testing.T) {
	bubble(t, options{}, func(s *system) {
		s.onProbe = func(p *Process, id uint32, f *amd64.TrapFrame) {
			if id != 2 {
				return
			}
			var b [frameSize]byte
			must(t, p.CopyIn(b[:], f.RSP))
			le := binary.LittleEndian
			if code, addr := le.Uint32(b[frameInfo+8:]), le.Uint64(b[frameInfo+16:]); code != abi.SEGV_MAPERR || addr != 0x10000 {
				t.Errorf("si_code %d, si_addr %#x", code, addr)
			}
			if cr2, vector := le.Uint64(b[frameRegs+22*8:]), le.Uint64(b[frameRegs+20*8:]); cr2 != 0x10000 || vector != amd64.PageFault {
				t.Errorf("cr2 %#x, trapno %d", cr2, vector)
			}
		}
		s.program("/init", func(a *Asm) {
			handler(a, abi.SIGSEGV, "handler", abi.SA_SIGINFO)
			load(a, 0x10000)
			a.Probe(1)
			exit(a, 0)
			a.Label("handler").Probe(2)
			a.Syscall(abi.SysMmap, 0x10000, 4096, 3, abi.MAP_PRIVATE|abi.MAP_ANONYMOUS|abi.MAP_FIXED, -1, 0).Ret()
		})
		s.boot("/init")
		s.want(1, 0)
	})
}

// What a handler is told of a page fault: why it was refused, and the address that was
// accessed.
func TestFaultAddresses(t *testing.T) {
	const file = 0x20000000 // 256 pages of a file that has a few
	for name, c := range map[string]struct {
		sig  int
		code uint32
		addr uint64
	}{
		"nothing there": {abi.SIGSEGV, abi.SEGV_MAPERR, 0x10008},
		"read-only":     {abi.SIGSEGV, abi.SEGV_ACCERR, codeBase + 8},
		"past the end":  {abi.SIGBUS, abi.BUS_ADRERR, file + 200*mm.PageSize + 8},
	} {
		bubble(t, options{}, func(s *system) {
			s.onProbe = func(p *Process, id uint32, f *amd64.TrapFrame) {
				var b [frameSize]byte
				must(t, p.CopyIn(b[:], f.RSP))
				le := binary.LittleEndian
				if code, addr := le.Uint32(b[frameInfo+8:]), le.Uint64(b[frameInfo+16:]); code != c.code || addr != c.addr {
					t.Errorf("%s: si_code %d, si_addr %#x, want %d, %#x", name, code, addr, c.code, c.addr)
				}
			}
			s.program("/init", func(a *Asm) {
				handler(a, c.sig, "handler", abi.SA_SIGINFO)
				a.Syscall(abi.SysOpen, "self", abi.O_RDONLY, 0).Copy(R13, RAX)
				a.Syscall(abi.SysMmap, file, 256*mm.PageSize, 3, abi.MAP_PRIVATE|abi.MAP_FIXED, R13, 0)
				store(a, c.addr, 1)
				a.Label("handler").Probe(1)
				exit(a, 0)
				a.String("self", "/init")
			})
			s.boot("/init")
			if len(s.probes) != 1 {
				t.Errorf("%s: the handler ran %d times, want once", name, len(s.probes))
			}
		})
	}
}

// Each page fault counts as a minor one (getrusage(2)), also one that is refused.
func TestFaultsAreCounted(t *testing.T) {
	bubble(t, options{}, func(s *system) {
		var counts []uint64
		s.onProbe = func(p *Process, _ uint32, _ *amd64.TrapFrame) { counts = append(counts, p.usage.MinorFaults) }
		s.program("/init", func(a *Asm) {
			handler(a, abi.SIGSEGV, "handler", abi.SA_SIGINFO)
			a.Syscall(abi.SysMmap, 0x10000000, 3*mm.PageSize, 3, abi.MAP_PRIVATE|abi.MAP_ANONYMOUS|abi.MAP_FIXED, -1, 0)
			sleepless(a)
			store(a, varA, 1)
			a.Probe(1)
			for i := range 3 {
				store(a, 0x10000000+i*mm.PageSize, 1)
			}
			a.Probe(2)
			load(a, 0x10000)
			a.Label("handler").Probe(3)
			exit(a, 0)
		})
		s.boot("/init")
		if len(counts) != 3 || counts[1]-counts[0] != 3 || counts[2]-counts[1] != 1 {
			t.Errorf("%d faults were counted at first, and after three and one more", counts)
		}
	})
}

// A fault of an access with the kernel's rights, which an instruction of the program's
// has caused: its entry is in order, and it would come back for ever.
func TestFaultWithKernelRights(t *testing.T) {
	bubble(t, options{}, func(s *system) {
		s.onProbe = func(p *Process, id uint32, f *amd64.TrapFrame) {
			if id == 1 {
				f.Vector, f.Error, f.CR2 = amd64.PageFault, uint64(mm.FaultPresent|mm.FaultWrite), varA
				p.trap()
			}
		}
		s.program("/init", func(a *Asm) {
			fork(a, abi.SysFork, "child")
			wait(a, varA)
			load(a, varA)
			a.Probe(2)
			exit(a, 0)
			a.Label("child")
			store(a, varA, 1)
			a.Probe(1)
			sleepless(a) // the next entry to the kernel
			a.Probe(99)
			exit(a, 0)
		})
		s.boot("/init")
		s.want(2, abi.SIGSEGV)
	})
}

// ALL-05: the address that a handler is told is the instruction's where that is to
// blame, and none where it is not.
func TestAddressOfAnException(t *testing.T) {
	for name, c := range map[string]struct {
		sig  int
		code []byte
		told bool
	}{
		"ud2":  {abi.SIGILL, []byte{0x0f, 0x0b}, true},
		"hlt":  {abi.SIGSEGV, []byte{0xf4}, false},
		"int3": {abi.SIGTRAP, []byte{0xcc}, false},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, options{}, func(s *system) {
				s.onProbe = func(p *Process, id uint32, f *amd64.TrapFrame) {
					var b [frameSize]byte
					must(t, p.CopyIn(b[:], f.RSP))
					want := uint64(0)
					if c.told {
						want = f.R15
					}
					if addr := binary.LittleEndian.Uint64(b[frameInfo+16:]); addr != want {
						t.Errorf("si_addr %#x, want %#x", addr, want)
					}
				}
				s.program("/init", func(a *Asm) {
					handler(a, c.sig, "handler", abi.SA_SIGINFO)
					a.Mov(R15, "fault").Label("fault").Raw(c.code...)
					a.Label("handler").Probe(1)
					exit(a, 0)
				})
				s.boot("/init")
				s.value(1)
			})
		})
	}
}

// EINTR and SA_RESTART around wait4, read of a pipe, nanosleep and pause.
func TestInterruptedCalls(t *testing.T) {
	calls := map[string]struct {
		call     func(a *Asm)
		restarts bool
		done     any // result where it is restarted
	}{
		"wait4": {func(a *Asm) { a.Syscall(abi.SysWait4, R12, 0, 0, 0) }, true, 2},
		"read":  {func(a *Asm) { a.Mov(RBX, varB).Load(RDI, RBX, 0).Syscall(abi.SysRead, nil, varC, 1) }, true, 1},
		"nanosleep": {func(a *Asm) {
			store(a, varC, 10)
			store(a, varC+8, 0)
			a.Syscall(abi.SysNanosleep, varC, varD)
		}, false, 0},
		"pause":      {func(a *Asm) { a.Syscall(abi.SysPause) }, false, 0},
		"futex":      {func(a *Asm) { a.Syscall(abi.SysFutex, varE, abi.FUTEX_WAIT, 0, 0) }, true, 0},
		"sigsuspend": {func(a *Asm) { store(a, varC, 0); a.Syscall(abi.SysRtSigsuspend, varC, 8) }, false, 0},
	}
	for name, c := range calls {
		for _, flags := range []int{0, abi.SA_RESTART} {
			t.Run(name, func(t *testing.T) {
				bubble(t, options{}, func(s *system) {
					s.program("/init", func(a *Asm) {
						handler(a, abi.SIGUSR1, "handler", flags)
						a.Syscall(abi.SysPipe, varA) // two 32-bit descriptors: 0 and 1
						store(a, varB, 0)
						a.Syscall(abi.SysGetpid).Copy(R13, RAX)
						fork(a, abi.SysFork, "child")
						c.call(a)
						a.Probe(2)
						exit(a, 0)
						a.Label("child")
						sleep(a, 2)
						a.Syscall(abi.SysKill, R13, abi.SIGUSR1)
						sleep(a, 2)
						a.Syscall(abi.SysWrite, 1, varB, 1)
						a.Syscall(abi.SysKill, R13, abi.SIGCONT)
						a.Syscall(abi.SysFutex, varE, abi.FUTEX_WAKE, 1)
						exit(a, 0)
						a.Label("handler").Probe(1).Ret()
					})
					if name == "futex" && flags != 0 {
						return // needs memory that both share
					}
					s.boot("/init")
					if c.restarts && flags != 0 {
						s.want(2, c.done)
					} else {
						s.want(2, abi.EINTR)
					}
					if got := s.seen(); len(got) != 2 || got[0] != 1 {
						t.Errorf("order %v", got)
					}
				})
			})
		}
	}
}

// The time left of an interrupted sleep is told.
func TestNanosleepRemainder(t *testing.T) {
	bubble(t, options{}, func(s *system) {
		s.program("/init", func(a *Asm) {
			handler(a, abi.SIGALRM, "handler", 0)
			a.Syscall(abi.SysAlarm, 3).Probe(1)
			store(a, varC, 10)
			a.Syscall(abi.SysNanosleep, varC, varD).Probe(2)
			load(a, varD)
			a.Probe(3)
			a.Syscall(abi.SysAlarm, 5).Syscall(abi.SysAlarm, 0).Probe(4)
			exit(a, 0)
			a.Label("handler").Ret()
		})
		s.boot("/init")
		s.want(1, 0, 2, abi.EINTR, 3, 7, 4, 5)
	})
}

// A stop and a continuation in the middle of a sleep leave it as it was.
func TestStopAndContinue(t *testing.T) {
	bubble(t, options{}, func(s *system) {
		start := time.Now()
		s.onProbe = func(p *Process, id uint32, _ *amd64.TrapFrame) {
			if id == 20 {
				if d := time.Since(start); d < 10*time.Second || d > 11*time.Second {
					t.Errorf("the sleep took %v", d)
				}
			}
			if id == 21 && p.kernel.byPID[2].State() != Stopped {
				t.Errorf("state %c", p.kernel.byPID[2].State())
			}
		}
		s.program("/init", func(a *Asm) {
			fork(a, abi.SysFork, "child")
			sleep(a, 2)
			a.Syscall(abi.SysKill, R12, abi.SIGSTOP)
			sleep(a, 1)
			a.Syscall(abi.SysWait4, -1, varA, abi.WNOHANG, 0).Probe(8) // does not ask for stops
			a.Syscall(abi.SysWait4, -1, varA, abi.WUNTRACED, 0).Probe(1)
			load(a, varA)
			a.Probe(2).Probe(21)
			a.Syscall(abi.SysWait4, -1, varA, abi.WUNTRACED|abi.WNOHANG, 0).Probe(3) // told once
			a.Syscall(abi.SysKill, R12, abi.SIGTERM)                                 // waits until it is continued
			sleep(a, 1)
			a.Syscall(abi.SysWait4, -1, varA, abi.WNOHANG, 0).Probe(4)
			a.Syscall(abi.SysKill, R12, abi.SIGCONT)
			a.Syscall(abi.SysWait4, -1, varA, abi.WCONTINUED, 0).Probe(5)
			load(a, varA)
			a.Probe(6)
			wait(a, varA)
			load(a, varA)
			a.Probe(7)
			exit(a, 0)
			a.Label("child")
			handler(a, abi.SIGTERM, "handler", 0)
			sleep(a, 20)
			a.Label("handler")
			exit(a, 0)
		})
		s.boot("/init")
		s.want(8, 0, 1, 2, 2, abi.SIGSTOP<<8|0x7f, 3, 0, 4, 0, 5, 2, 6, 0xffff, 7, 0)
	})
}

func TestKillWhileStopped(t *testing.T) {
	bubble(t, options{}, func(s *system) {
		s.program("/init", func(a *Asm) {
			fork(a, abi.SysFork, "child")
			a.Syscall(abi.SysWait4, -1, 0, abi.WUNTRACED, 0)
			a.Syscall(abi.SysKill, R12, abi.SIGKILL)
			wait(a, varA)
			load(a, varA)
			a.Probe(1)
			exit(a, 0)
			a.Label("child")
			raise(a, abi.SIGSTOP)
			a.Probe(99)
		})
		s.boot("/init")
		s.want(1, abi.SIGKILL)
	})
}

func TestSigsuspendRunsHandlerUnderOldMask(t *testing.T) {
	bubble(t, options{}, func(s *system) {
		s.program("/init", func(a *Asm) {
			handler(a, abi.SIGUSR1, "handler", 0)
			mask(a, only(abi.SIGUSR1)|only(abi.SIGHUP))
			raise(a, abi.SIGUSR1)
			store(a, varA, only(abi.SIGINT))
			a.Syscall(abi.SysRtSigsuspend, varA, 8).Probe(1)
			a.Syscall(abi.SysRtSigprocmask, 0, 0, varB, 8)
			load(a, varB)
			a.Probe(2)
			exit(a, 0)
			a.Label("handler").Syscall(abi.SysRtSigprocmask, 0, 0, varB, 8)
			load(a, varB)
			a.Probe(3).Ret()
		})
		s.boot("/init")
		s.want(1, abi.EINTR, 2, only(abi.SIGUSR1)|only(abi.SIGHUP), 3, only(abi.SIGINT)|only(abi.SIGUSR1))
	})
}

func TestSigtimedwait(t *testing.T) {
	bubble(t, options{}, func(s *system) {
		s.program("/init", func(a *Asm) {
			mask(a, only(abi.SIGCHLD))
			store(a, varA, only(abi.SIGCHLD)|only(abi.SIGUSR1))
			store(a, varB, 1)
			a.Syscall(abi.SysRtSigtimedwait, varA, 0, varB, 8).Probe(1)
			fork(a, abi.SysFork, "child")
			a.Syscall(abi.SysRtSigtimedwait, varA, varC, 0, 8).Probe(2)
			load(a, varC+24)
			a.Probe(3)
			exit(a, 0)
			a.Label("child")
			sleep(a, 1)
			exit(a, 5)
		})
		s.boot("/init")
		s.want(1, abi.EAGAIN, 2, abi.SIGCHLD, 3, 5)
	})
}

func TestSetitimerRepeats(t *testing.T) {
	bubble(t, options{}, func(s *system) {
		start := time.Now()
		s.program("/init", func(a *Asm) {
			handler(a, abi.SIGALRM, "handler", 0)
			store(a, varA, 2)    // interval
			store(a, varA+16, 1) // first
			a.Syscall(abi.SysSetitimer, abi.ITIMER_REAL, varA, 0).Probe(1)
			for range 3 {
				a.Syscall(abi.SysPause)
			}
			a.Syscall(abi.SysGetitimer, abi.ITIMER_REAL, varB)
			load(a, varB)
			a.Probe(2)
			exit(a, 0)
			a.Label("handler").Probe(3).Ret()
		})
		s.boot("/init")
		s.want(1, 0, 2, 2)
		if d := time.Since(start); d != 5*time.Second {
			t.Errorf("three alarms took %v", d)
		}
	})
}

// A signal that is blocked rings once, however short the interval; when it has
// been taken, the alarm goes on in its old rhythm.
func TestSetitimerWaitsForItsSignal(t *testing.T) {
	bubble(t, options{}, func(s *system) {
		start := time.Now()
		s.program("/init", func(a *Asm) {
			handler(a, abi.SIGALRM, "handler", 0)
			store(a, varA, 2)    // interval
			store(a, varA+16, 1) // first
			store(a, varB, 1<<(abi.SIGALRM-1))
			a.Syscall(abi.SysRtSigprocmask, abi.SIG_BLOCK, varB, 0, 8)
			a.Syscall(abi.SysSetitimer, abi.ITIMER_REAL, varA, 0)
			store(a, varA, 10)
			store(a, varA+8, 0)
			a.Syscall(abi.SysNanosleep, varA, 0).Probe(1)
			a.Syscall(abi.SysGetitimer, abi.ITIMER_REAL, varA)
			load(a, varA+16)
			a.Probe(5) // it is overdue
			a.Syscall(abi.SysRtSigprocmask, abi.SIG_UNBLOCK, varB, 0, 8).Probe(2)
			a.Syscall(abi.SysPause).Probe(4)
			exit(a, 0)
			a.Label("handler").Probe(3).Ret()
		})
		s.boot("/init")
		s.want(1, 0, 5, 0, 3, 0, 2, 0, 3, 0)
		if d := time.Since(start); d != 11*time.Second {
			t.Errorf("two alarms took %v", d)
		}
	})
}

// kill: groups, everybody, nobody, process 1.
func TestKill(t *testing.T) {
	bubble(t, options{}, func(s *system) {
		s.program("/init", func(a *Asm) {
			a.Syscall(abi.SysKill, 99, 0).Probe(1)
			a.Syscall(abi.SysKill, 1, 65).Probe(2)
			a.Syscall(abi.SysKill, 1, abi.SIGKILL).Probe(3) // process 1 cannot be killed
			a.Syscall(abi.SysKill, -1, 0).Probe(4)
			fork(a, abi.SysFork, "child")
			a.Syscall(abi.SysSetpgid, R12, R12).Probe(5)
			a.Copy(R14, R12)
			fork(a, abi.SysFork, "child")
			a.Syscall(abi.SysSetpgid, R12, R14).Probe(6)
			a.Mov(R15, 0).Sub(R15, R14)
			a.Syscall(abi.SysKill, R15, abi.SIGTERM).Probe(7)
			wait(a, varA)
			load(a, varA)
			a.Probe(8)
			wait(a, varA)
			load(a, varA)
			a.Probe(9)
			a.Syscall(abi.SysKill, R15, 0).Probe(10)
			a.Syscall(abi.SysTgkill, 1, 1, 0).Probe(11).Syscall(abi.SysTgkill, 1, 2, 0).Probe(12).Syscall(abi.SysTkill, 0, 0).Probe(13)
			fork(a, abi.SysFork, "alone")
			wait(a, 0)
			exit(a, 0)
			a.Label("alone").Syscall(abi.SysKill, -1, abi.SIGTERM).Probe(14) // not the caller, and not process 1
			exit(a, 0)
			a.Label("child").Syscall(abi.SysPause)
		})
		s.boot("/init")
		s.want(1, abi.ESRCH, 2, abi.EINVAL, 3, 0, 4, abi.ESRCH, 5, 0, 6, 0, 7, 0, 8, abi.SIGTERM, 9, abi.SIGTERM,
			10, abi.ESRCH, 11, 0, 12, abi.ESRCH, 13, abi.EINVAL, 14, abi.ESRCH)
	})
}

// kill(2) by a user who is not 0: its own processes, and nobody else's, but SIGCONT
// in its session.
func TestKillPermission(t *testing.T) {
	bubble(t, options{}, func(s *system) {
		s.program("/init", func(a *Asm) {
			fork(a, abi.SysFork, "child")
			a.Copy(R14, R12)
			a.Syscall(abi.SysSetresuid, 10, 20, 30).Probe(1)
			a.Syscall(abi.SysKill, R14, abi.SIGTERM).Probe(2) // of user 0
			a.Syscall(abi.SysKill, R14, abi.SIGCONT).Probe(3)
			a.Syscall(abi.SysKill, R14, 0).Probe(4)
			sleep(a, 2)
			a.Syscall(abi.SysKill, R14, 0).Probe(5) // of user 10 by now
			a.Syscall(abi.SysKill, R14, abi.SIGTERM).Probe(6)
			wait(a, varA)
			load(a, varA)
			a.Probe(7)
			exit(a, 0)
			a.Label("child")
			sleep(a, 1)
			a.Syscall(abi.SysSetresuid, 10, 10, 10)
			a.Syscall(abi.SysPause)
		})
		s.boot("/init")
		s.want(1, 0, 2, abi.EPERM, 3, 0, 4, abi.EPERM, 5, 0, 6, 0, 7, abi.SIGTERM)
	})
}
