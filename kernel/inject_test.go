package kernel

import (
	"testing"

	"yolk/arch/amd64"
	"yolk/kernel/abi"
	"yolk/kernel/trace"
	"yolk/mm"
)

// scarcity makes allocations fail one step later each round, first of frames,
// then of the budget, until an operation has succeeded under both.
//
// A program under test loops over probe 1 (the operation follows), the
// operation, and probe 2 with its result in RAX, until probe 1 returns 0.
type scarcity struct {
	s        *system
	step     int64 // how much the round leaves
	heap     bool  // of the budget, not of frames
	done     bool
	held     int64
	modest   int64 // held of what the process has paid for
	p        *Process
	failures int

	free   int
	used   int64
	before string
}

// budgetStep is how finely the budget is cut: the smallest charge is larger.
const budgetStep = 16

// maxSteps is more than any operation takes.
const maxSteps = 10000

func (x *scarcity) probe(p *Process, id uint32, f *amd64.TrapFrame) {
	s := x.s
	switch id {
	case 1:
		f.RAX = 1
		if x.done {
			f.RAX = 0
			return
		}
		x.free, x.used, x.before = s.mem.Frames.Free(), s.budget.Used(), snapshot(p)
		if x.heap {
			x.p, x.modest = p, max(0, modesty-p.budget.Used())
			must(s.t, p.budget.Charge(x.modest))
			x.held = s.budget.Limit() - s.budget.Used() - x.step*budgetStep
			must(s.t, s.budget.Charge(x.held))
		} else {
			s.mem.Frames.SetReserve(x.free - int(x.step))
		}
	case 2:
		x.relent()
		s.check()
		if int64(f.RAX) >= 0 {
			if x.step == 0 {
				s.t.Error("the operation needs nothing at all")
			}
			x.done = x.heap
			x.heap, x.step = true, 0
			return
		}
		x.failures++
		x.step++
		if free, used := s.mem.Frames.Free(), s.budget.Used(); free != x.free || used != x.used {
			x.fail(p, "%d frames free, were %d; %d bytes charged, were %d", free, x.free, used, x.used)
		}
		if after := snapshot(p); after != x.before {
			x.fail(p, "the process was\n%s\nand is\n%s", x.before, after)
		}
		if x.step == maxSteps {
			x.fail(p, "the operation fails, however much it has")
		}
	}
}

// fail ends the test, by ending the process that it is about.
func (x *scarcity) fail(p *Process, format string, args ...any) {
	x.s.t.Errorf("step %d: "+format, append([]any{x.step}, args...)...)
	p.doom(abi.SIGKILL)
}

// relent lets everything be had again.
func (x *scarcity) relent() {
	x.s.mem.Frames.SetReserve(0)
	x.s.budget.Release(x.held)
	if x.p != nil {
		x.p.budget.Release(x.modest)
	}
	x.held, x.modest = 0, 0
}

// underScarcity runs a program whose operation fails at every step in turn.
func underScarcity(t *testing.T, least int, o options, prepare func(s *system), operation, undo func(a *Asm)) {
	t.Helper()
	bubble(t, o, func(s *system) {
		x := &scarcity{s: s}
		s.onProbe = x.probe
		prepare(s)
		s.program("/init", func(a *Asm) {
			store(a, varA, 1)
			store(a, dataBase+mm.PageSize, 1)
			a.Syscall(abi.SysOpen, "self", abi.O_RDONLY, 0)
			sleepless(a)
			a.Label("loop").Probe(1).CmpImm(RAX, 0).Jz("done")
			operation(a)
			a.Probe(2).CmpImm(RAX, 0).Js("loop")
			undo(a)
			a.Jmp("loop").Label("done")
			exit(a, 0)
			a.Label("child")
			exit(a, 0)
			a.String("self", "/init")
		})
		s.boot("/init")
		if x.failures < least || !x.done {
			t.Errorf("%d failures, done %v", x.failures, x.done)
		}
		t.Logf("%d steps failed", x.failures)
	})
}

// sleepless touches the code that the loop will run, so that no fault of its own
// falls into the operation.
func sleepless(a *Asm) { a.Syscall(abi.SysSchedYield) }

func TestFORK01OutOfMemoryAtEveryStep(t *testing.T) {
	for _, eager := range []bool{false, true} {
		underScarcity(t, 10, options{eager: eager}, crowd,
			func(a *Asm) { a.Syscall(abi.SysFork).CmpImm(RAX, 0).Jz("child") },
			func(a *Asm) { wait(a, 0) })
	}
}

// crowd gives the process more regions than a child has paid for.
func crowd(s *system) {
	next, done := s.onProbe, false
	s.onProbe = func(p *Process, id uint32, f *amd64.TrapFrame) {
		for i := 0; i < modesty/100 && !done; i++ { // a region costs more than 100 bytes
			_, err := p.space.Map(mm.MapRequest{
				Addr: mm.VirtAddr(0x20000000 + 2*i*mm.PageSize), Length: mm.PageSize, Fixed: mm.FixedReplace,
			})
			must(s.t, err)
		}
		done = true
		next(p, id, f)
	}
}

func TestVforkOutOfMemoryAtEveryStep(t *testing.T) {
	bubble(t, options{}, func(s *system) {
		x := &scarcity{s: s, heap: true}
		s.onProbe = x.probe
		s.program("/init", func(a *Asm) {
			a.Label("loop").Probe(1).CmpImm(RAX, 0).Jz("done")
			a.Syscall(abi.SysVfork).CmpImm(RAX, 0).Jz("done")
			a.Probe(2).CmpImm(RAX, 0).Js("loop")
			wait(a, 0)
			a.Jmp("loop").Label("done")
			exit(a, 0)
		})
		s.boot("/init")
		if x.failures < 10 {
			t.Errorf("%d failures", x.failures)
		}
	})
}

// EXEC-04: exec fails at every step, then succeeds.
func TestEXEC04OutOfMemoryAtEveryStep(t *testing.T) {
	for _, heap := range []bool{false, true} {
		bubble(t, options{}, func(s *system) {
			x := &scarcity{s: s, heap: heap}
			s.onProbe = x.probe
			s.program("/other", func(a *Asm) { exit(a, 0) })
			s.program("/init", func(a *Asm) {
				fork(a, abi.SysFork, "child")
				wait(a, varA)
				load(a, varA)
				a.Probe(3)
				exit(a, 0)
				a.Label("child").Mov(RBX, "path").Load(RAX, RBX, 0)
				sleepless(a)
				a.Label("loop").Probe(1)
				a.Syscall(abi.SysExecve, "path", 0, 0).Probe(2).Jmp("loop")
				a.String("path", "/other")
			})
			s.log.Attach(trace.ClassProcess, sinkFunc(func(ev *trace.Event) {
				if ev.Kind == trace.Exec { // enough of everything from here on
					x.relent()
				}
			}), nil)
			s.boot("/init")
			s.want(3, 0)
			if x.failures < 5 {
				t.Errorf("%d failures", x.failures)
			}
			t.Logf("%d steps failed", x.failures)
		})
	}
}

func TestMmapOutOfMemoryAtEveryStep(t *testing.T) {
	for name, operation := range map[string]func(a *Asm){
		"anonymous": func(a *Asm) {
			a.Syscall(abi.SysMmap, 0x10000000, 1<<20, 3, abi.MAP_PRIVATE|abi.MAP_ANONYMOUS|abi.MAP_FIXED, -1, 0)
		},
		"shared": func(a *Asm) {
			a.Syscall(abi.SysMmap, 0x10000000, 1<<20, 3, abi.MAP_SHARED|abi.MAP_ANONYMOUS|abi.MAP_FIXED, -1, 0)
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, options{}, func(s *system) {
				x := &scarcity{s: s, heap: true}
				s.onProbe = x.probe
				s.program("/init", func(a *Asm) {
					a.Label("loop").Probe(1).CmpImm(RAX, 0).Jz("done")
					operation(a)
					a.Probe(2).CmpImm(RAX, 0).Js("loop")
					a.Syscall(abi.SysMunmap, 0x10000000, 1<<20)
					a.Jmp("loop").Label("done")
					exit(a, 0)
				})
				s.boot("/init")
				if x.failures < 5 {
					t.Errorf("%d failures", x.failures)
				}
			})
		})
	}
}

// A fault that finds no frame kills the process that took it, with a line in
// the log, and nobody else.
func TestFaultOutOfMemoryAtEveryStep(t *testing.T) {
	bubble(t, options{}, func(s *system) {
		free, step := 0, 0
		s.onProbe = func(p *Process, id uint32, f *amd64.TrapFrame) {
			switch id {
			case 1: // the child, before its touch
				s.mem.Frames.SetReserve(s.mem.Frames.Free() - step)
			case 2: // the parent, with the status
				s.mem.Frames.SetReserve(0)
				s.check()
				switch {
				case free == 0:
					free = s.mem.Frames.Free()
				case s.mem.Frames.Free() != free:
					t.Errorf("step %d: %d frames free, were %d", step, s.mem.Frames.Free(), free)
				}
				if f.RAX != abi.SIGKILL && f.RAX != 0 {
					t.Errorf("step %d: status %#x", step, f.RAX)
				}
				step++
			}
		}
		s.program("/init", func(a *Asm) {
			a.Label("loop")
			fork(a, abi.SysFork, "child")
			wait(a, varA)
			load(a, varA)
			a.Probe(2).CmpImm(RAX, 0).Jnz("loop")
			exit(a, 0)
			a.Label("child")
			a.Syscall(abi.SysMmap, 0x10000000, 1<<20, 3, abi.MAP_PRIVATE|abi.MAP_ANONYMOUS|abi.MAP_FIXED, -1, 0)
			a.Mov(RBX, 0x10000000).Probe(1).Store(RBX, 0, RBX)
			exit(a, 0)
		})
		s.boot("/init")
		if step < 3 {
			t.Errorf("the touch was refused for want of %d frames at most, want 2 at least", step-1)
		}
		if !s.logged("out of memory at address 0x10000000") {
			t.Errorf("no line says %q; the log is %q", "out of memory at address 0x10000000", s.m.Lines())
		}
	})
}
