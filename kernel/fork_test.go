package kernel

import (
	"slices"
	"testing"
	"time"

	"yolk/arch/amd64"
	"yolk/kernel/abi"
	"yolk/kernel/trace"
	"yolk/mm"
)

// store puts a word at an address.
func store(a *Asm, va, v any) { a.Mov(RBX, va).Mov(RCX, v).Store(RBX, 0, RCX) }

// load gets the word at an address into RAX.
func load(a *Asm, va any) { a.Mov(RBX, va).Load(RAX, RBX, 0) }

// fork calls nr and jumps to label in the child; the pid is in RAX and R12.
func fork(a *Asm, nr int, label string) {
	a.Syscall(nr).CmpImm(RAX, 0).Jz(label).Copy(R12, RAX)
}

// wait reaps a child; its status goes to status, 0 for none.
func wait(a *Asm, status any) { a.Syscall(abi.SysWait4, -1, status, 0, 0) }

// sleep sleeps for whole seconds, with a timespec on the stack.
func sleep(a *Asm, seconds int) {
	a.Mov(RCX, 0).Push(RCX).Mov(RCX, seconds).Push(RCX).Copy(RDI, RSP)
	a.Syscall(abi.SysNanosleep, nil, 0).Pop(RCX).Pop(RCX)
}

const (
	varA = dataBase + 64*iota
	varB
	varC
	varD
	varE
)

func TestInitExits(t *testing.T) {
	bubble(t, options{}, func(s *system) {
		s.program("/init", func(a *Asm) {
			a.Syscall(abi.SysGetpid).Probe(1)
			exit(a, 7)
		})
		if got := s.boot("/init"); got != exited(7) {
			t.Errorf("status %#x", got)
		}
		s.want(1, 1)
	})
}

// isolation is a program in which parent and child write to the same addresses.
func isolation(a *Asm) {
	store(a, varA, 1)
	a.Mov(R15, 0x1515).Push(R15) // a stack page too
	fork(a, abi.SysFork, "child")
	a.Probe(1)
	store(a, varB, 5)
	wait(a, varC)
	a.Probe(2)
	load(a, varC)
	a.Probe(3)
	load(a, varA)
	a.Probe(4).Pop(RAX).Probe(5)
	exit(a, 0)
	a.Label("child").Probe(10)
	load(a, varA)
	a.Probe(11)
	store(a, varA, 2)
	load(a, varA)
	a.Probe(12)
	load(a, varB)
	a.Probe(13).Pop(RAX).Mov(RCX, 77).Push(RCX)
	exit(a, 9)
}

// ALL-04: wherever the timer interrupts, parent and child do not see each other's
// writes, with and without copy-on-write.
func TestALL04ForkIsolatesUnderAnyTimer(t *testing.T) {
	for _, eager := range []bool{false, true} {
		for _, quantum := range []int{1, 2, 3, 5, 8, 13, 500} {
			bubble(t, options{eager: eager, quantum: quantum}, func(s *system) {
				s.program("/init", isolation)
				s.boot("/init")
				s.want(1, 2, 2, 2, 3, 9<<8, 4, 1, 5, 0x1515, 10, 0, 11, 1, 12, 2)
				if got := s.value(13); got != 0 && got != 5 {
					t.Errorf("the child reads %d", got)
				}
				if copied := s.mem.Counters.ForkCopied; (copied > 0) != eager {
					t.Errorf("eager %v: %d pages copied by fork", eager, copied)
				}
			})
		}
	}
}

// FORK-04, FORK-06: all registers, the FPU and the FS base are the parent's.
func TestFORK06RegistersArePreserved(t *testing.T) {
	bubble(t, options{}, func(s *system) {
		var frames [2]amd64.TrapFrame
		s.onProbe = func(p *Process, id uint32, f *amd64.TrapFrame) {
			if id == 1 {
				f.RBX, f.RBP, f.R8, f.R9, f.R10 = 0xb, 0xbb, 8, 9, 10
				f.R12, f.R13, f.R14, f.R15 = 12, 13, 14, 15
				f.RSI, f.RDI, f.RDX = 0x51, 0xd1, 0xdd
				f.FSBase, f.GSBase = 0x12345000, 0x54321000
				f.RFLAGS |= 1 | 1<<11
				for i := range f.FPU {
					f.FPU[i] = byte(i * 7)
				}
				frames[0] = *f
				frames[1] = *f
			}
			if id == 2 {
				want := frames[0]
				want.RAX = map[int]uint64{1: 2, 2: 0}[p.pid]
				want.RCX, want.R11, want.RIP = f.RCX, f.R11, f.RIP
				want.Vector, want.Error, want.CR2 = f.Vector, f.Error, f.CR2
				if *f != want {
					t.Errorf("pid %d came out of fork as\n%+v, not as\n%+v", p.pid, *f, want)
				}
			}
		}
		s.program("/init", func(a *Asm) {
			a.Mov(RAX, abi.SysFork).Probe(1).Raw(0x0f, 0x05).Probe(2)
			a.CmpImm(RAX, 0).Jz("child")
			wait(a, 0)
			a.Label("child")
			exit(a, 0)
		})
		s.boot("/init")
		if n := len(s.probes); n != 3 {
			t.Errorf("%d probes", n)
		}
	})
}

// FORK-05: a base that is not canonical is an error.
func TestFORK05NonCanonicalBase(t *testing.T) {
	bubble(t, options{}, func(s *system) {
		s.program("/init", func(a *Asm) {
			a.Syscall(abi.SysArchPrctl, abi.ARCH_SET_FS, uint64(1)<<47).Probe(1)
			a.Syscall(abi.SysArchPrctl, abi.ARCH_SET_GS, uint64(1)<<63).Probe(2)
			a.Syscall(abi.SysClone, abi.CLONE_SETTLS|abi.SIGCHLD, 0, 0, 0, uint64(1)<<50).Probe(3)
			a.Syscall(abi.SysArchPrctl, abi.ARCH_SET_FS, 0x7000).Probe(4)
			a.Syscall(abi.SysArchPrctl, abi.ARCH_GET_FS, varA).Probe(5)
			load(a, varA)
			a.Probe(6)
			exit(a, 0)
		})
		s.boot("/init")
		s.want(1, abi.EPERM, 2, abi.EPERM, 3, abi.EPERM, 4, 0, 5, 0, 6, 0x7000)
	})
}

// FORK-07: pending signals stay the parent's; the mask and handlers go along.
func TestFORK07PendingNotInherited(t *testing.T) {
	bubble(t, options{}, func(s *system) {
		s.program("/init", func(a *Asm) {
			handler(a, abi.SIGUSR2, "handler", 0)
			store(a, varA, only(abi.SIGUSR1))
			a.Syscall(abi.SysRtSigprocmask, abi.SIG_BLOCK, varA, 0, 8)
			handler(a, abi.SIGUSR1, "handler", 0)
			a.Syscall(abi.SysGetpid).Syscall(abi.SysKill, RAX, abi.SIGUSR1)
			fork(a, abi.SysFork, "child")
			a.Syscall(abi.SysRtSigpending, varB, 8)
			load(a, varB)
			a.Probe(1)
			wait(a, 0)
			exit(a, 0)
			a.Label("child").Syscall(abi.SysRtSigpending, varB, 8)
			load(a, varB)
			a.Probe(2).Syscall(abi.SysRtSigprocmask, abi.SIG_BLOCK, 0, varB, 8)
			load(a, varB)
			a.Probe(3).Syscall(abi.SysRtSigaction, abi.SIGUSR2, 0, varC, 8)
			load(a, varC)
			a.Mov(RCX, "handler").Sub(RAX, RCX).Probe(4)
			exit(a, 0)
			a.Label("handler").Ret()
		})
		s.boot("/init")
		s.want(1, only(abi.SIGUSR1), 2, 0, 3, only(abi.SIGUSR1), 4, 0)
	})
}

// FORK-09: a bomb ends in EAGAIN, and the system lives on.
func TestFORK09Bomb(t *testing.T) {
	for name, o := range map[string]options{
		"heap": {heap: 1 << 20}, "frames": {frames: 600, heap: 64 << 20}, "table": {frames: 40000, heap: 1 << 30},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, o, func(s *system) {
				s.program("/init", func(a *Asm) {
					a.Label("again").Syscall(abi.SysFork).CmpImm(RAX, 0).Jz("child").Jns("again")
					a.Probe(1).Syscall(abi.SysKill, -1, abi.SIGKILL).Probe(2)
					a.Label("reap")
					wait(a, 0)
					a.CmpImm(RAX, 0).Jns("reap").Probe(3)
					fork(a, abi.SysFork, "last")
					wait(a, 0)
					a.Probe(4)
					exit(a, 0)
					a.Label("child").Syscall(abi.SysPause)
					a.Label("last")
					exit(a, 0)
				})
				s.boot("/init")
				want := abi.EAGAIN
				if name == "frames" {
					want = abi.ENOMEM
				}
				s.want(1, want, 2, 0, 3, abi.ECHILD)
				if s.value(4) <= 0 {
					t.Error("no process could be made afterwards")
				}
				if n := s.k.Counters.Forks; n < 10 {
					t.Errorf("the bomb ended after %d forks", n)
				}
			})
		})
	}
}

// FORK-10: one offset, two tables.
func TestFORK10OffsetsSharedTablesNot(t *testing.T) {
	bubble(t, options{}, func(s *system) {
		s.write("/file", []byte("abcdef"), 0o644)
		s.program("/init", func(a *Asm) {
			a.Syscall(abi.SysOpen, "name", abi.O_RDONLY, 0).Probe(1)
			a.Syscall(abi.SysRead, 0, varA, 2)
			fork(a, abi.SysFork, "child")
			wait(a, 0)
			a.Syscall(abi.SysRead, 0, varA, 1)
			a.Mov(RBX, varA).Load8(RAX, RBX, 0).Probe(2)
			a.Syscall(abi.SysRead, 1, varA, 1).Probe(3)
			exit(a, 0)
			a.Label("child").Syscall(abi.SysRead, 0, varA, 2)
			a.Syscall(abi.SysDup, 0).Probe(4).Syscall(abi.SysClose, 0)
			exit(a, 0)
			a.String("name", "/file")
		})
		s.boot("/init")
		s.want(1, 0, 2, 'e', 3, abi.EBADF, 4, 1)
	})
}

// COW-21, M4: once the child has gone, the parent's pages are ordinary again.
func TestCOW21WriteAfterExitReuses(t *testing.T) {
	bubble(t, options{}, func(s *system) {
		var before mm.Counters
		s.onProbe = func(p *Process, id uint32, _ *amd64.TrapFrame) {
			if id == 1 {
				before = s.mem.Counters
			}
			if id == 2 {
				c := s.mem.Counters
				if copies := c.Faults[trace.COWCopy] - before.Faults[trace.COWCopy]; copies != 0 {
					t.Errorf("%d copies", copies)
				}
				if reuses := c.Faults[trace.COWReuse] - before.Faults[trace.COWReuse]; reuses != 2 {
					t.Errorf("%d reuses, want 2", reuses)
				}
				if e, _ := p.space.Entry(dataBase); e.COW() || !e.Writable() {
					t.Errorf("the mark is still there: %v", e)
				}
			}
		}
		s.program("/init", func(a *Asm) {
			store(a, varA, 1)
			store(a, dataBase+mm.PageSize, 1)
			fork(a, abi.SysFork, "child")
			wait(a, 0)
			a.Probe(1)
			store(a, varA, 2)
			store(a, dataBase+mm.PageSize, 2)
			a.Probe(2)
			a.Label("child")
			exit(a, 0)
		})
		s.boot("/init")
	})
}

// VFORK-01, -04, -08, -13: TLPI's t_vfork.  The child runs first though it
// sleeps for 3 seconds, on the parent's tables; its writes are the parent's.
func TestVFORK01ChildRunsFirst(t *testing.T) {
	bubble(t, options{quantum: 2}, func(s *system) {
		var root mm.Frame
		var before mm.Counters
		start := time.Now()
		s.onProbe = func(p *Process, id uint32, _ *amd64.TrapFrame) {
			switch id {
			case 1:
				root, before = p.root, s.mem.Counters
			case 2:
				c := s.mem.Counters
				if p.root != root || p.parent.root != root || p.space.Users() != 2 {
					t.Errorf("the child runs on %#x, the parent on %#x", p.root, root)
				}
				if c.TablesMade != before.TablesMade || c.ForkShared != before.ForkShared || c.ForkCopied != before.ForkCopied {
					t.Error("vfork made or copied something")
				}
			case 4:
				if d := time.Since(start); d < 3*time.Second {
					t.Errorf("the parent ran after %v", d)
				}
			}
		}
		s.program("/init", func(a *Asm) {
			store(a, varA, 222)
			a.Probe(1)
			fork(a, abi.SysVfork, "child")
			a.Probe(4)
			load(a, varA)
			a.Probe(5)
			wait(a, 0)
			exit(a, 0)
			a.Label("child").Probe(2)
			sleep(a, 3)
			store(a, varA, 666)
			a.Probe(3)
			exit(a, 0)
		})
		s.boot("/init")
		s.want(5, 666)
		if got := s.seen(); len(got) != 5 || got[2] != 3 || got[3] != 4 {
			t.Errorf("order %v", got)
		}
		var kinds []trace.Kind
		for _, ev := range s.kinds(trace.VFork, trace.VForkSleep, trace.VForkWake, trace.Exit) {
			kinds = append(kinds, ev.Kind)
			if ev.Kind != trace.Exit && (ev.PID != 1 || ev.Aux != 2) {
				t.Errorf("event %+v", ev)
			}
		}
		want := []trace.Kind{trace.VFork, trace.VForkSleep, trace.VForkWake, trace.Exit, trace.Exit}
		if len(kinds) != len(want) || [5]trace.Kind(kinds) != [5]trace.Kind(want) {
			t.Errorf("events %v, want %v", kinds, want)
		}
	})
}

// VFORK-01, -02, -06: exec releases the parent, once, and leaves its memory.
func TestVFORK02ExecReleasesOnce(t *testing.T) {
	bubble(t, options{}, func(s *system) {
		s.program("/other", func(a *Asm) {
			a.Probe(20)
			sleep(a, 1)
			a.Probe(21)
			exit(a, 3)
		})
		s.program("/init", func(a *Asm) {
			store(a, varA, 1)
			fork(a, abi.SysVfork, "child")
			a.Probe(1)
			load(a, varA)
			a.Probe(2)
			fork(a, abi.SysVfork, "second") // the exit of the first must not end this sleep
			a.Probe(3)
			wait(a, 0)
			wait(a, 0)
			a.Probe(4)
			exit(a, 0)
			a.Label("child")
			store(a, varA, 2)
			a.Syscall(abi.SysExecve, "path", 0, 0)
			a.Label("second")
			sleep(a, 2)
			a.Probe(22)
			exit(a, 0)
			a.String("path", "/other")
		})
		s.boot("/init")
		s.want(2, 2)
		order := map[uint32]int{}
		for i, id := range s.seen() {
			order[id] = i
		}
		if order[1] > order[21] {
			t.Errorf("the parent slept until the end of the program that the child became: order %v", s.seen())
		}
		if order[21] > order[22] || order[22] > order[3] {
			t.Errorf("order %v", s.seen())
		}
	})
}

// VFORK-03: a failed exec is the child's own affair.
func TestVFORK03FailedExec(t *testing.T) {
	bubble(t, options{}, func(s *system) {
		s.program("/init", func(a *Asm) {
			fork(a, abi.SysVfork, "child")
			a.Probe(3)
			wait(a, varA)
			load(a, varA)
			a.Probe(4)
			exit(a, 0)
			a.Label("child").Syscall(abi.SysExecve, "path", 0, 0).Probe(1)
			sleep(a, 1)
			a.Probe(2)
			exit(a, 127)
			a.String("path", "/none")
		})
		s.boot("/init")
		s.want(1, abi.ENOENT, 4, 127<<8)
		if got := s.seen(); got[1] != 2 || got[2] != 3 {
			t.Errorf("order %v", got)
		}
	})
}

// VFORK-05: what is not memory is the child's own.
func TestVFORK05ChildHasItsOwn(t *testing.T) {
	bubble(t, options{}, func(s *system) {
		s.write("/file", []byte("x"), 0o644)
		s.mkdir("/dir")
		s.program("/init", func(a *Asm) {
			a.Syscall(abi.SysOpen, "file", abi.O_RDONLY, 0)
			fork(a, abi.SysVfork, "child")
			wait(a, 0)
			a.Syscall(abi.SysRead, 0, varB, 1).Probe(1)
			a.Syscall(abi.SysUmask, 0).Probe(2)
			a.Syscall(abi.SysGetcwd, varB, 64).Probe(3)
			a.Syscall(abi.SysRtSigaction, abi.SIGUSR1, 0, varC, 8)
			load(a, varC)
			a.Probe(4)
			exit(a, 0)
			a.Label("child").Syscall(abi.SysClose, 0).Syscall(abi.SysUmask, 0o77)
			a.Syscall(abi.SysChdir, "dir").Probe(5)
			handler(a, abi.SIGUSR1, "child", 0)
			exit(a, 0)
			a.String("file", "/file").String("dir", "/dir")
		})
		s.boot("/init")
		s.want(1, 1, 2, 0o22, 3, 2, 4, 0, 5, 0)
	})
}

// VFORK-07: close-on-exec descriptors are closed before the parent wakes.
func TestVFORK07CloexecBeforeWake(t *testing.T) {
	bubble(t, options{}, func(s *system) {
		s.write("/file", []byte("x"), 0o644)
		s.program("/other", func(a *Asm) { a.Probe(2); exit(a, 0) })
		s.program("/init", func(a *Asm) {
			fork(a, abi.SysVfork, "child")
			wait(a, 0)
			exit(a, 0)
			a.Label("child").Syscall(abi.SysOpen, "file", abi.O_RDONLY|abi.O_CLOEXEC, 0).Probe(1)
			a.Syscall(abi.SysExecve, "path", 0, 0)
			a.String("path", "/other").String("file", "/file")
		})
		s.log.Attach(trace.ClassAll, sinkFunc(func(ev *trace.Event) {
			if ev.Kind == trace.VForkWake {
				s.events = append(s.events, *ev)
				if n := s.files.OpenCount(); n > 1 { // the program that is being loaded may be
					t.Errorf("%d files are open when the parent wakes, want 1 at most", n)
				}
			}
		}), nil)
		s.boot("/init")
		s.value(2)
		if len(s.events) != 1 {
			t.Errorf("%d wake-ups", len(s.events))
		}
	})
}

type sinkFunc func(ev *trace.Event)

func (f sinkFunc) Event(ev *trace.Event) { f(ev) }

// VFORK-09: a vfork child forks, vforks, and then execs.
func TestVFORK09Nested(t *testing.T) {
	bubble(t, options{}, func(s *system) {
		s.program("/other", func(a *Asm) {
			sleep(a, 1) // the parent goes on meanwhile
			a.Probe(5)
			exit(a, 0)
		})
		s.program("/init", func(a *Asm) {
			fork(a, abi.SysVfork, "child")
			a.Probe(6)
			wait(a, 0)
			exit(a, 0)
			a.Label("child").Probe(1)
			fork(a, abi.SysFork, "leaf")
			wait(a, 0)
			a.Probe(2)
			fork(a, abi.SysVfork, "inner")
			a.Probe(4)
			wait(a, 0)
			a.Syscall(abi.SysExecve, "path", 0, 0)
			a.Label("inner").Probe(3)
			a.Label("leaf")
			exit(a, 0)
			a.String("path", "/other")
		})
		s.boot("/init")
		if got := s.seen(); !slices.Equal(got, []uint32{1, 2, 3, 4, 6, 5}) {
			t.Errorf("order %v, want 1 2 3 4, then 6, the outer parent's, and then 5, the end of the program that its child became", got)
		}
	})
}

// VFORK-10, VFORK-11: a signal that the sleeping parent handles waits; one that
// kills it does not, and leaves the child's memory alone.
func TestVFORK10SignalsToTheParent(t *testing.T) {
	bubble(t, options{}, func(s *system) {
		s.program("/init", func(a *Asm) {
			fork(a, abi.SysFork, "middle")
			wait(a, varA)
			load(a, varA)
			a.Probe(9)
			wait(a, 0) // the orphans, one a zombie already
			wait(a, 0)
			exit(a, 0)

			a.Label("middle")
			handler(a, abi.SIGUSR1, "handler", 0)
			a.Syscall(abi.SysGetpid).Copy(R13, RAX)
			fork(a, abi.SysVfork, "child")
			a.Probe(3)
			fork(a, abi.SysVfork, "killer")
			a.Probe(99)

			a.Label("child").Syscall(abi.SysKill, R13, abi.SIGUSR1)
			sleep(a, 1)
			a.Probe(1)
			exit(a, 0)

			a.Label("killer").Syscall(abi.SysKill, R13, abi.SIGTERM)
			sleep(a, 1)
			store(a, varB, 5) // the memory is still there
			load(a, varB)
			a.Probe(4).Syscall(abi.SysGetppid).Probe(5)
			exit(a, 0)

			a.Label("handler").Probe(2).Ret()
		})
		s.boot("/init")
		s.want(4, 5, 5, 1, 9, abi.SIGTERM)
		got := s.seen()
		if got[0] != 1 || got[1] != 2 || got[2] != 3 {
			t.Errorf("probes came in the order %v, want first 1, the child that is about to exit, then 2, the parent's handler, and 3, the parent", got)
		}
		if n := len(s.kinds(trace.VForkWake)); n != 1 {
			t.Errorf("%d wake-ups, want 1: a parent that was killed in its sleep is not woken by its child", n)
		}
	})
}

// VFORK-10: a signal that kills the sleeping parent comes before one that it would
// handle, or that would stop it: nothing of the parent's is pushed on the stack that
// the child runs on, and the parent dies at once.
func TestVFORK10FatalSignalFirst(t *testing.T) {
	for _, other := range []int{abi.SIGUSR1, abi.SIGTSTP} { // both with lower numbers than the fatal one
		const fatal = abi.SIGXCPU
		bubble(t, options{}, func(s *system) {
			s.program("/init", func(a *Asm) {
				fork(a, abi.SysFork, "middle")
				a.Syscall(abi.SysWait4, -1, varA, abi.WUNTRACED, 0)
				load(a, varA)
				a.Probe(1)
				wait(a, 0) // the orphan
				exit(a, 0)

				a.Label("middle")
				handler(a, abi.SIGUSR1, "handler", 0)
				a.Syscall(abi.SysGetpid).Copy(R13, RAX)
				fork(a, abi.SysVfork, "child")
				a.Probe(98)
				a.Label("child").Syscall(abi.SysKill, R13, other)
				a.Syscall(abi.SysKill, R13, fatal)
				sleep(a, 1)
				a.Probe(2)
				exit(a, 0)
				a.Label("handler").Probe(99).Ret()
			})
			s.boot("/init")
			s.want(1, fatal)
			if got := s.seen(); !slices.Equal(got, []uint32{1, 2}) {
				t.Errorf("signals %d and %d: order %v, want 1, the parent's end, and 2, the child's", other, fatal, got)
			}
			if n := len(s.kinds(trace.SignalFrame)); n != 0 {
				t.Errorf("signals %d and %d: %d frames on the stack that the child runs on", other, fatal, n)
			}
		})
	}
}

// VFORK-11: a signal that stops the parent waits like any other.
func TestVFORK11StopWaits(t *testing.T) {
	bubble(t, options{}, func(s *system) {
		s.onProbe = func(p *Process, id uint32, _ *amd64.TrapFrame) {
			if id == 1 && p.parent.State() != Sleeping {
				t.Errorf("a stop signal came in the parent's sleep, whose state is %c, want %c", p.parent.State(), Sleeping)
			}
		}
		s.program("/init", func(a *Asm) {
			fork(a, abi.SysFork, "middle")
			a.Syscall(abi.SysWait4, -1, varA, abi.WUNTRACED, 0)
			load(a, varA)
			a.Probe(2)
			a.Syscall(abi.SysKill, R12, abi.SIGCONT)
			wait(a, 0)
			exit(a, 0)

			a.Label("middle").Syscall(abi.SysGetpid).Copy(R13, RAX)
			fork(a, abi.SysVfork, "child")
			a.Probe(3)
			wait(a, 0)
			exit(a, 0)
			a.Label("child").Syscall(abi.SysKill, R13, abi.SIGTSTP)
			sleep(a, 1)
			a.Probe(1)
			exit(a, 0)
		})
		s.boot("/init")
		s.want(2, abi.SIGTSTP<<8|0x7f)
		if got := s.seen(); !slices.Equal(got, []uint32{1, 2, 3}) {
			t.Errorf("order %v, want 1, the child's, 2, told of the stop, and 3, the parent's", got)
		}
	})
}

// VFORK-12: clone with CLONE_VM and CLONE_VFORK and a stack, as posix_spawn.
func TestVFORK12CloneWithStack(t *testing.T) {
	bubble(t, options{}, func(s *system) {
		s.program("/init", func(a *Asm) {
			a.Copy(R13, RSP)
			flags := abi.CLONE_VM | abi.CLONE_VFORK | abi.CLONE_PARENT_SETTID | abi.CLONE_CHILD_SETTID | abi.CLONE_CHILD_CLEARTID | abi.CLONE_SETTLS | abi.SIGCHLD
			store(a, varB, 0x77)
			a.Syscall(abi.SysClone, flags, dataBase+0x2000, varA, varB, 0x5000).CmpImm(RAX, 0).Jz("child")
			a.Copy(R12, RAX).Probe(3)
			load(a, varA)
			a.Sub(RAX, R12).Probe(4)
			load(a, varB) // cleared: the child shared the memory
			a.Probe(5).Copy(RAX, RSP).Sub(RAX, R13).Probe(6)
			wait(a, 0)
			exit(a, 0)
			a.Label("child").Copy(RAX, RSP).Probe(1)
			load(a, varB)
			a.Probe(2).Syscall(abi.SysArchPrctl, abi.ARCH_GET_FS, varC)
			load(a, varC)
			a.Probe(7)
			exit(a, 0)
		})
		s.boot("/init")
		s.want(1, dataBase+0x2000, 2, 2, 4, 0, 5, 0, 6, 0, 7, 0x5000)
	})
}

func TestCloneRefusesThreads(t *testing.T) {
	bubble(t, options{}, func(s *system) {
		s.program("/init", func(a *Asm) {
			for i, flags := range []int{
				abi.CLONE_VM, abi.CLONE_THREAD | abi.CLONE_VM | abi.CLONE_SIGHAND,
				abi.CLONE_FILES, abi.CLONE_NEWNS, abi.CLONE_PARENT, 65,
			} {
				a.Syscall(abi.SysClone, flags, 0, 0, 0, 0).Probe(uint32(i))
			}
			a.Syscall(abi.SysClone3, 0, 0).Probe(6)
			exit(a, 0)
		})
		s.boot("/init")
		for i := range 6 {
			s.want(i, abi.EINVAL)
		}
		s.want(6, abi.ENOSYS)
	})
}

// VFORK-14: a child that waits for its parent sleeps with it; killing the child
// frees the parent.
func TestVFORK14Deadlock(t *testing.T) {
	bubble(t, options{}, func(s *system) {
		s.program("/init", func(a *Asm) {
			fork(a, abi.SysFork, "victim")
			sleep(a, 5)
			a.Copy(R13, R12).AddImm(R13, 1).Syscall(abi.SysKill, R13, abi.SIGKILL).Probe(1)
			wait(a, 0)
			exit(a, 0)
			a.Label("victim")
			fork(a, abi.SysVfork, "child")
			a.Probe(2)
			wait(a, varA)
			load(a, varA)
			a.Probe(3)
			exit(a, 0)
			a.Label("child").Syscall(abi.SysPause).Probe(99)
		})
		s.boot("/init")
		s.want(1, 0, 3, abi.SIGKILL)
	})
}

func TestRun100ForksLeakNothing(t *testing.T) {
	bubble(t, options{quantum: 7}, func(s *system) {
		s.program("/init", func(a *Asm) {
			a.Mov(R13, 100).Label("loop")
			store(a, varA, 13)
			fork(a, abi.SysFork, "child")
			a.Syscall(abi.SysGetpid).CmpImm(RAX, 1).Jnz("child") // whatever fork told it, it does not multiply
			wait(a, 0)
			fork(a, abi.SysVfork, "child")
			wait(a, 0)
			a.AddImm(R13, -1).Jnz("loop").Probe(1)
			exit(a, 0)
			a.Label("child")
			exit(a, 0)
		})
		free := 0
		s.onProbe = func(*Process, uint32, *amd64.TrapFrame) { free = s.mem.Frames.Free() }
		s.boot("/init")
		if free == 0 || free < s.freeFrames-20 { // FORK-03
			t.Errorf("%d frames free at the end of %d", free, s.freeFrames)
		}
	})
}
