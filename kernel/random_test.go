package kernel

import (
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"yolk/arch/amd64"
	"yolk/kernel/abi"
	"yolk/kernel/trace"
	"yolk/kernel/vfs"
	"yolk/mm"
)

// ALL-02: random system calls with random arguments.  A worker makes them, and
// so do all the children that it happens to make; process 1 reaps them and
// starts a new worker when there is none.  Nothing may panic, no invariant may
// break, and at the end everything must be free again.
func TestALL02RandomCalls(t *testing.T) {
	calls := 20000
	if testing.Short() {
		calls = 4000
	}
	for seed := range uint64(4) {
		bubble(t, options{frames: 3000, heap: 4 << 20, quantum: 100}, func(s *system) {
			f := &fuzzer{s: s, rnd: rand.New(rand.NewPCG(seed, 1)), left: calls}
			s.onProbe = f.probe
			s.log.Attach(trace.ClassAll, sinkFunc(func(*trace.Event) {}), nil)
			free, used := s.mem.Frames.Free(), s.budget.Used()
			s.mkdir("/tmp")
			s.write("/script", []byte("#!/init x\n"), 0o755)
			s.write("/text", []byte("some text"), 0o644)
			s.program("/init", f.program)
			s.start("/init")
			dog := make(chan bool)
			go func() {
				f.watchdog()
				close(dog)
			}()
			s.finish()
			<-dog
			removeAll(s, s.tree.Root())
			s.freeFrames, s.usedBytes = free, used
			t.Logf("seed %d: %d checks, %d forks, %d vforks, %d execs, %d faults", seed, s.checks, s.k.Counters.Forks, s.k.Counters.VForks,
				s.k.Counters.Execs, sum(s.mem.Counters.Faults[:]))
		})
	}
}

func sum(list []uint64) (n uint64) {
	for _, v := range list {
		n += v
	}
	return n
}

type fuzzer struct {
	s     *system
	rnd   *rand.Rand
	left  int
	calls []int      // numbers to choose from
	args  []uint64   // addresses and numbers that may mean something
	sane  [][]uint64 // whole calls that do something
}

// program is process 1 and, at "worker", what calls at random.
func (f *fuzzer) program(a *Asm) {
	a.Syscall(abi.SysGetpid).CmpImm(RAX, 1).Jnz("worker") // it may be executed again
	a.Label("start").Probe(2).CmpImm(RAX, 0).Jz("done")
	fork(a, abi.SysFork, "worker")
	wait(a, 0)
	a.Jmp("start").Label("done").Syscall(abi.SysKill, -1, abi.SIGKILL).Label("reap")
	wait(a, 0)
	a.CmpImm(RAX, 0).Jns("reap")
	exit(a, 0)
	a.Label("worker").Probe(1).Raw(0x0f, 0x05).Jmp("worker")
	a.String("tmp", "/tmp/file").String("init", "/init").String("script", "/script").String("text", "/text").String("dir", "/tmp")
	a.Pointers("argv", "init", "text")
	a.Label("handler").Probe(3).Ret().Label("restorer").Syscall(abi.SysRtSigreturn)
	f.args = []uint64{
		0, 1, 2, 3, 4, 5, 8, 15, 16, 17, 0x1000, 4096, ^uint64(0), ^uint64(99), 1 << 31, 1 << 32, 1 << 47, 1 << 63,
		uint64(mm.UserEnd) - 8, dataBase, dataBase + 8, dataBase + 0x100, dataBase + 0x1ff8, dataBase + 0x2ffc,
		codeBase, 0x10000000, 0x10001000, a.Addr("tmp"), a.Addr("init"), a.Addr("script"), a.Addr("text"), a.Addr("dir"),
		a.Addr("argv"), a.Addr("handler"), a.Addr("restorer"), 0xffff800000000000, 0xffffffff80200000, 0x7ffffffff000,
	}
	anyone := ^uint64(0)
	f.sane = [][]uint64{
		{abi.SysExecve, a.Addr("init"), a.Addr("argv"), 0}, {abi.SysExecve, a.Addr("script"), a.Addr("argv"), 0},
		{abi.SysFork}, {abi.SysVfork}, {abi.SysWait4, anyone, dataBase, abi.WNOHANG, 0}, {abi.SysExitGroup, 1},
		{abi.SysMmap, 0, 0x5000, 7, abi.MAP_PRIVATE | abi.MAP_ANONYMOUS, 0, 0}, {abi.SysBrk, dataBase + 0x9000},
		{abi.SysMmap, 0x10000000, 0x3000, 3, abi.MAP_SHARED | abi.MAP_ANONYMOUS | abi.MAP_FIXED, 0, 0},
		{abi.SysMunmap, 0x10001000, 0x1000}, {abi.SysMremap, 0x10000000, 0x1000, 0x8000, 1, 0},
		{abi.SysOpen, a.Addr("tmp"), abi.O_RDWR | abi.O_CREAT, 0o777}, {abi.SysWrite, 0, codeBase, 100},
		{abi.SysRead, 0, dataBase, 0x1800}, {abi.SysPipe, dataBase}, {abi.SysKill, 0, abi.SIGUSR1},
		{abi.SysKill, 0, abi.SIGSTOP}, {abi.SysKill, anyone, abi.SIGCONT}, {abi.SysSetitimer, 0, dataBase, 0},
	}
}

// probe chooses the next call, or plays the part of a program's memory.
func (f *fuzzer) probe(p *Process, id uint32, regs *amd64.TrapFrame) {
	if f.calls == nil {
		for nr := range f.s.k.calls {
			if f.s.k.calls[nr].Do != nil {
				f.calls = append(f.calls, nr)
			}
		}
	}
	if f.left--; f.left%200 == 0 {
		f.s.check()
	}
	if id != 1 {
		regs.RAX = uint64(max(f.left, 0))
		return
	}
	if f.left <= 0 {
		regs.RAX, regs.RDI = abi.SysExit, 0
		return
	}
	regs.RAX = uint64(f.calls[f.rnd.IntN(len(f.calls))])
	if f.rnd.IntN(50) == 0 {
		regs.RAX = f.rnd.Uint64N(1000)
	}
	if regs.RAX == abi.SysExit && f.rnd.IntN(4) != 0 {
		regs.RAX = abi.SysFork
	}
	for _, r := range []*uint64{&regs.RDI, &regs.RSI, &regs.RDX, &regs.R10, &regs.R8, &regs.R9} {
		switch f.rnd.IntN(10) {
		case 0:
			*r = f.rnd.Uint64()
		case 1:
			*r = f.rnd.Uint64N(64)
		case 2:
			*r = 1 << f.rnd.IntN(64)
		default:
			*r = f.args[f.rnd.IntN(len(f.args))]
		}
	}
	if f.rnd.IntN(4) == 0 {
		c := f.sane[f.rnd.IntN(len(f.sane))]
		for i, r := range []*uint64{&regs.RAX, &regs.RDI, &regs.RSI, &regs.RDX, &regs.R10, &regs.R8, &regs.R9}[:len(c)] {
			*r = c[i]
		}
	}
	if f.rnd.IntN(4) == 0 { // words that may be pointers, times, masks
		p.space.StoreUint64(mm.VirtAddr(dataBase+8*f.rnd.Uint64N(64)), f.args[f.rnd.IntN(len(f.args))])
	}
	if f.rnd.IntN(500) == 0 {
		regs.RSP = f.args[f.rnd.IntN(len(f.args))]
	}
}

// watchdog runs whenever everybody sleeps, and kills somebody: random calls
// wait for things that never come.
func (f *fuzzer) watchdog() {
	for {
		time.Sleep(time.Second)
		synctest.Wait()
		f.s.k.Lock()
		if f.s.k.halted {
			f.s.k.Unlock()
			return
		}
		for _, p := range f.s.k.slots {
			if p != nil && p.pid != 1 && p.state != Zombie {
				p.doom(abi.SIGKILL)
				break
			}
		}
		f.s.k.Unlock()
	}
}

// removeAll empties a directory.
func removeAll(s *system, d vfs.Dir) {
	s.t.Helper()
	var names []vfs.Entry
	must(s.t, d.ReadDir(s.caller(), 0, func(e vfs.Entry) bool {
		names = append(names, e)
		return true
	}))
	for _, e := range names {
		isDir := e.Mode&abi.S_IFMT == abi.S_IFDIR
		if isDir {
			n, err := d.Lookup(s.caller(), e.Name)
			must(s.t, err)
			removeAll(s, n.(vfs.Dir))
		}
		must(s.t, d.Remove(s.caller(), e.Name, isDir))
	}
}
