package kernel

import (
	"slices"
	"testing"

	"yolk/arch/amd64"
	"yolk/kernel/abi"
	"yolk/kernel/trace"
	"yolk/mm"
)

// WAIT-01: EFAULT loses no child.
func TestWAIT01BadAddressLosesNoChild(t *testing.T) {
	bubble(t, options{}, func(s *system) {
		s.program("/init", func(a *Asm) {
			fork(a, abi.SysFork, "child")
			a.Syscall(abi.SysWait4, -1, codeBase, 0, 0).Probe(1)
			a.Syscall(abi.SysWait4, -1, varA, 0, uint64(1)<<50).Probe(2)
			a.Syscall(abi.SysWaitid, abi.P_ALL, 0, 8, abi.WEXITED, 0).Probe(3)
			wait(a, varA)
			a.Probe(4)
			load(a, varA)
			a.Probe(5)
			exit(a, 0)
			a.Label("child")
			exit(a, 3)
		})
		s.boot("/init")
		s.want(1, abi.EFAULT, 2, abi.EFAULT, 3, abi.EFAULT, 4, 2, 5, 3<<8)
	})
}

// WAIT-02: orphans, zombies among them, go to process 1.
func TestWAIT02Orphans(t *testing.T) {
	bubble(t, options{}, func(s *system) {
		s.program("/init", func(a *Asm) {
			fork(a, abi.SysFork, "middle")
			for i := range 3 {
				wait(a, 0)
				a.Probe(uint32(1 + i))
			}
			wait(a, 0)
			a.Probe(4)
			exit(a, 0)
			a.Label("middle")
			fork(a, abi.SysFork, "zombie")
			sleep(a, 1) // it is one by now
			fork(a, abi.SysFork, "orphan")
			exit(a, 0)
			a.Label("orphan")
			sleep(a, 1)
			a.Syscall(abi.SysGetppid).Probe(5)
			a.Label("zombie")
			exit(a, 0)
		})
		s.boot("/init")
		s.want(4, abi.ECHILD, 5, 1)
		sum := s.value(1) + s.value(2) + s.value(3)
		if sum != 2+3+4 {
			t.Errorf("reaped %v", s.probes)
		}
		if n := len(s.kinds(trace.Reparent)); n != 2 {
			t.Errorf("%d Reparent events", n)
		}
	})
}

// WAIT-02: a zombie whose new parent wants no zombies is none of its children.
func TestWAIT02OrphanedZombieNobodyWants(t *testing.T) {
	bubble(t, options{}, func(s *system) {
		s.program("/init", func(a *Asm) {
			ignore(a, abi.SIGCHLD)
			fork(a, abi.SysFork, "middle")
			wait(a, 0)
			a.Probe(1)
			exit(a, 0)
			a.Label("middle")
			store(a, varD, abi.SIG_DFL)
			a.Syscall(abi.SysRtSigaction, abi.SIGCHLD, varD, 0, 8)
			fork(a, abi.SysFork, "zombie")
			sleep(a, 1) // it is one by now
			exit(a, 0)
			a.Label("zombie")
			exit(a, 0)
		})
		s.boot("/init")
		s.want(1, abi.ECHILD)
	})
}

// WAIT-02: process 1 waits for SIGCHLD's children; an orphan becomes one of them,
// whatever its end was to be told by.
func TestWAIT02OrphanOfAnotherSignal(t *testing.T) {
	bubble(t, options{}, func(s *system) {
		s.program("/init", func(a *Asm) {
			fork(a, abi.SysFork, "middle")
			wait(a, 0)
			wait(a, 0)
			a.Probe(1)
			exit(a, 0)
			a.Label("middle")
			a.Syscall(abi.SysClone, 0, 0, 0, 0, 0).CmpImm(RAX, 0).Jz("orphan") // a child that sends no signal
			exit(a, 0)
			a.Label("orphan")
			sleep(a, 1)
			exit(a, 0)
		})
		s.boot("/init")
		s.want(1, 3)
	})
}

// WAIT-03: whom wait4 and waitid wait for.
func TestWAIT03Selectors(t *testing.T) {
	bubble(t, options{}, func(s *system) {
		s.program("/init", func(a *Asm) {
			wait(a, 0)
			a.Probe(1)
			fork(a, abi.SysFork, "child")
			a.Syscall(abi.SysWait4, -1, 0, abi.WNOHANG, 0).Probe(2)
			a.Syscall(abi.SysWait4, 77, 0, abi.WNOHANG, 0).Probe(3)
			a.Syscall(abi.SysWait4, -77, 0, abi.WNOHANG, 0).Probe(4)
			a.Syscall(abi.SysWait4, 0, 0, abi.WNOHANG, 0).Probe(5)
			a.Syscall(abi.SysWait4, -1, 0, 0x100, 0).Probe(6)
			a.Syscall(abi.SysWait4, uint64(0x80000000), 0, 0, 0).Probe(7)
			a.Syscall(abi.SysSetpgid, R12, R12)
			a.Syscall(abi.SysWait4, 0, 0, abi.WNOHANG, 0).Probe(8) // it has left the group
			a.Mov(R13, 0).Sub(R13, R12)
			a.Syscall(abi.SysWaitid, abi.P_ALL, 0, varA, abi.WEXITED|abi.WNOHANG, 0).Probe(9)
			load(a, varA)
			a.Probe(10)
			a.Syscall(abi.SysWaitid, abi.P_PID, R12, varA, abi.WEXITED|abi.WNOWAIT, 0).Probe(11)
			load(a, varA)
			a.Probe(12) // si_signo, si_errno
			load(a, varA+8)
			a.Probe(13) // si_code
			load(a, varA+24)
			a.Probe(14)                                                                        // si_status
			a.Syscall(abi.SysWaitid, abi.P_PID, R12, 0, abi.WSTOPPED|abi.WNOHANG, 0).Probe(21) // it will not stop any more
			a.Syscall(abi.SysWaitid, abi.P_PGID, R12, 0, abi.WEXITED, 0).Probe(15)
			a.Syscall(abi.SysWaitid, abi.P_PID, R12, 0, abi.WEXITED, 0).Probe(16)
			a.Syscall(abi.SysWaitid, abi.P_ALL, 0, 0, abi.WNOHANG, 0).Probe(17)
			a.Syscall(abi.SysWaitid, 9, 0, 0, abi.WEXITED, 0).Probe(18)
			a.Syscall(abi.SysClone, 0, 0, 0, 0, 0).CmpImm(RAX, 0).Jz("child") // a child that sends no signal
			a.Syscall(abi.SysWait4, -1, 0, 0, 0).Probe(19)
			a.Syscall(abi.SysWait4, -1, 0, abi.WCLONE, 0).Probe(20)
			exit(a, 0)
			a.Label("child")
			sleep(a, 1)
			exit(a, 6)
		})
		s.boot("/init")
		s.want(1, abi.ECHILD, 2, 0, 3, abi.ECHILD, 4, abi.ECHILD, 5, 0, 6, abi.EINVAL, 7, abi.EINVAL, 8, abi.ECHILD,
			9, 0, 10, 0, 11, 0, 12, abi.SIGCHLD, 13, abi.CLD_EXITED, 14, 6, 15, 0, 16, abi.ECHILD, 17, abi.EINVAL, 18, abi.EINVAL,
			19, abi.ECHILD, 20, 3, 21, abi.ECHILD)
	})
}

// WAIT-03: a signal ends wait's sleep, but not where there is news by then.  The
// first is SIGCHLD itself, whose handler does not restart the call.
func TestWAIT03NewsBeforeEINTR(t *testing.T) {
	bubble(t, options{}, func(s *system) {
		s.program("/init", func(a *Asm) {
			handler(a, abi.SIGCHLD, "handler", 0)
			fork(a, abi.SysFork, "child")
			wait(a, 0)
			a.Probe(1)
			exit(a, 0)
			a.Label("child")
			sleep(a, 1)
			exit(a, 0)
			a.Label("handler").Probe(2).Ret()
		})
		s.boot("/init")
		s.want(1, 2)
		if got := s.seen(); got[0] != 2 {
			t.Errorf("probes came in the order %v, want 2, the handler, before 1, behind wait4", got)
		}
	})
}

// WAIT-03: who reaps a child is seen in the trace, and has what the child used, and
// what the child's children had used.
func TestWAIT03WhatAZombieLeaves(t *testing.T) {
	const at, pages = 0x10000000, 40
	bubble(t, options{}, func(s *system) {
		s.program("/init", func(a *Asm) {
			fork(a, abi.SysFork, "middle")
			wait(a, 0)
			a.Probe(1)
			exit(a, 0)
			a.Label("middle")
			fork(a, abi.SysFork, "grandchild")
			wait(a, 0)
			exit(a, 3)
			a.Label("grandchild")
			a.Syscall(abi.SysMmap, at, pages<<mm.PageShift, 3, abi.MAP_PRIVATE|abi.MAP_ANONYMOUS|abi.MAP_FIXED, -1, 0)
			for i := range pages {
				store(a, at+i<<mm.PageShift, 1)
			}
			exit(a, 4)
		})
		s.onProbe = func(p *Process, _ uint32, _ *amd64.TrapFrame) {
			if n := p.childUse.MinorFaults; n < pages {
				t.Errorf("process 1's children and theirs had %d page faults, want %d at least", n, pages)
			}
		}
		s.boot("/init")
		var told [][3]uint64
		for _, ev := range s.kinds(trace.Wait) {
			told = append(told, [3]uint64{uint64(ev.PID), ev.Aux, uint64(ev.Err)})
		}
		if want := [][3]uint64{{2, 3, 4 << 8}, {1, 2, 3 << 8}}; !slices.Equal(told, want) {
			t.Errorf("Wait events: waiter, pid and status %v, want %v", told, want)
		}
	})
}

// WAIT-04: neither a zombie's pid nor a living group's is given away.
func TestWAIT04PIDsAreNotReused(t *testing.T) {
	bubble(t, options{}, func(s *system) {
		s.onProbe = func(p *Process, id uint32, f *amd64.TrapFrame) { p.kernel.lastPID = maxPID - 2 }
		s.program("/init", func(a *Asm) {
			fork(a, abi.SysFork, "zombie") // pid 2
			fork(a, abi.SysFork, "leader") // pid 3
			sleep(a, 2)
			a.Syscall(abi.SysWait4, 3, 0, 0, 0)
			a.Probe(0) // the next pid is the highest, then it starts anew
			fork(a, abi.SysFork, "zombie")
			a.Probe(1)
			fork(a, abi.SysFork, "zombie")
			a.Probe(2)
			a.Syscall(abi.SysKill, -1, abi.SIGKILL)
			exit(a, 0)
			a.Label("leader").Syscall(abi.SysSetpgid, 0, 0)
			fork(a, abi.SysFork, "member") // pid 4, of group 3
			a.Label("zombie")
			exit(a, 0)
			a.Label("member").Syscall(abi.SysPause)
		})
		s.onProbe = func(p *Process, id uint32, f *amd64.TrapFrame) {
			if id == 0 {
				p.kernel.lastPID = maxPID - 2
			}
		}
		s.boot("/init")
		s.want(1, maxPID-1, 2, 5)
	})
}

// WAIT-05: clear_child_tid in memory that is gone.
func TestWAIT05ClearTIDGone(t *testing.T) {
	bubble(t, options{}, func(s *system) {
		s.program("/init", func(a *Asm) {
			fork(a, abi.SysVfork, "child")
			wait(a, varA)
			load(a, varA)
			a.Probe(1)
			exit(a, 0)
			a.Label("child").Syscall(abi.SysSetTidAddress, uint64(1)<<40).Probe(2)
			exit(a, 4)
		})
		s.boot("/init")
		s.want(1, 4<<8, 2, 2)
	})
}

// A parent that ignores SIGCHLD, or asks for no zombies, gets none.
func TestNoZombiesWanted(t *testing.T) {
	for _, how := range []string{"ignored", "SA_NOCLDWAIT"} {
		bubble(t, options{}, func(s *system) {
			s.program("/init", func(a *Asm) {
				if how == "ignored" {
					ignore(a, abi.SIGCHLD)
				} else {
					handler(a, abi.SIGCHLD, "handler", abi.SA_NOCLDWAIT)
				}
				fork(a, abi.SysFork, "child")
				a.Label("again")
				wait(a, 0)
				a.CmpImm(RAX, -int32(abi.EINTR)).Jz("again").Probe(1)
				exit(a, 0)
				a.Label("child")
				sleep(a, 1)
				exit(a, 0)
				a.Label("handler").Probe(2).Ret()
			})
			s.boot("/init")
			s.want(1, abi.ECHILD)
			if handled := len(s.probes) == 2; handled != (how == "SA_NOCLDWAIT") {
				t.Errorf("%s: probes %v", how, s.probes)
			}
		})
	}
}

// Who ignores SIGCHLD still hears of a child whose end another signal tells, and
// finds its zombie.
func TestAnotherSignalThanSIGCHLD(t *testing.T) {
	bubble(t, options{}, func(s *system) {
		s.program("/init", func(a *Asm) {
			ignore(a, abi.SIGCHLD)
			handler(a, abi.SIGUSR1, "handler", abi.SA_RESTART)
			a.Syscall(abi.SysClone, abi.SIGUSR1, 0, 0, 0, 0).CmpImm(RAX, 0).Jz("child")
			a.Syscall(abi.SysWait4, -1, 0, abi.WALL, 0).Probe(1)
			exit(a, 0)
			a.Label("child")
			sleep(a, 1)
			exit(a, 0)
			a.Label("handler").Probe(2).Ret()
		})
		s.boot("/init")
		s.want(1, 2)
		if got := s.seen(); got[0] != 2 {
			t.Errorf("probes came in the order %v, want 2, the handler of SIGUSR1, before 1, behind wait4", got)
		}
	})
}

// SIGCHLD tells who and how.
func TestSIGCHLDInfo(t *testing.T) {
	bubble(t, options{}, func(s *system) {
		s.onProbe = func(p *Process, id uint32, f *amd64.TrapFrame) {
			if id == 2 {
				if si := p.Signals.Infos[abi.SIGCHLD]; si.Code != abi.CLD_KILLED || si.First != 2 || si.Second != abi.SIGKILL {
					t.Errorf("siginfo %+v", si)
				}
			}
		}
		s.program("/init", func(a *Asm) {
			handler(a, abi.SIGCHLD, "handler", abi.SA_RESTART)
			fork(a, abi.SysFork, "child")
			a.Syscall(abi.SysKill, R12, abi.SIGKILL)
			wait(a, 0)
			a.Probe(1)
			exit(a, 0)
			a.Label("child").Syscall(abi.SysPause)
			a.Label("handler").Probe(2).Ret()
		})
		s.boot("/init")
		s.want(1, 2)
	})
}

// Process 1's end is the machine's.
func TestInitDies(t *testing.T) {
	bubble(t, options{}, func(s *system) {
		s.program("/init", func(a *Asm) {
			fork(a, abi.SysFork, "child")
			load(a, 0)
			a.Label("child").Syscall(abi.SysPause)
		})
		if got := s.boot("/init"); got != abi.SIGSEGV {
			t.Errorf("the machine's status is %#x, want SIGSEGV's", got)
		}
		if !s.logged("nothing is left to do") {
			t.Errorf("the log is %q, want a line that says \"nothing is left to do\"", s.m.Lines())
		}
	})
}

func TestPowerOff(t *testing.T) {
	bubble(t, options{}, func(s *system) {
		s.program("/init", func(a *Asm) {
			fork(a, abi.SysFork, "child")
			a.Syscall(abi.SysReboot, 1, 2, 3).Probe(1)
			a.Syscall(abi.SysReboot, uint64(abi.REBOOT_MAGIC1), uint64(abi.REBOOT_MAGIC2), uint64(abi.REBOOT_POWER_OFF))
			a.Probe(2)
			a.Label("child").Syscall(abi.SysPause)
		})
		if got := s.boot("/init"); got != 0 {
			t.Errorf("status %#x", got)
		}
		if _, off := s.m.Off(); !off {
			t.Error("the machine is still on")
		}
		s.want(1, abi.EINVAL)
	})
}
