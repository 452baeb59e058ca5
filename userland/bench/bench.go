// Package bench is the program that counts instructions per operation.
//
// It reads the processor's time-stamp counter around many rounds of an
// operation.  Under QEMU's -icount shift=0 the counter advances by one with each
// instruction, whoever executes it, so that the figures are exact and come out
// the same each time; elsewhere they are as good as the counter.  The relation
// of the counter to instructions is measured, not assumed ([calibrate]).
package bench

import (
	"slices"

	"strconv"

	"yolk/userland/kit"
	"yolk/userland/procfs"
	"yolk/userland/sys"
	"yolk/userland/tiny/gen"
)

const name = "bench"

// Prog is the program bench.
var Prog = kit.Prog{Name: name, Usage: "[OPERATION [ROUNDS]]", Help: "count instructions per operation", Main: Main}

// An operation is something to measure.
type operation struct {
	name   string
	rounds int // of a sample
	mib    int // of memory dirtied beforehand
	run    func(b *B)
}

// operations lists them in the order in which they are printed.
var operations = []operation{
	{"null", 500, 0, null},
	{"fork0", 8, 0, forkExit}, {"fork1", 8, 1, forkExit}, {"fork16", 4, 16, forkExit}, {"fork64", 2, 64, forkExit},
	{"vfork0", 8, 0, vforkExit}, {"vfork1", 8, 1, vforkExit}, {"vfork16", 8, 16, vforkExit}, {"vfork64", 8, 64, vforkExit},
	{"forkexec", 8, 0, forkExec}, {"vforkexec", 8, 0, vforkExec},
	{"cowcopy", 128, 0, cowCopy}, {"cowreuse", 128, 0, cowReuse},
	{"demandzero", 128, 0, demandZero}, {"filefault", 128, 0, fileFault},
	{"mmapmunmap", 64, 0, mmapMunmap},
	{"pipe", 64, 0, pipe}, {"yield", 64, 0, yield}, {"signal", 64, 0, signal},
}

// Main measures all operations, or the one named, each in a process of its own.
func Main(args []string) int {
	boot := sys.ReadTSC()
	ratio := calibrate()
	status, found := 0, false
	for _, op := range operations {
		if len(args) > 1 && args[1] != op.name {
			continue
		}
		if len(args) > 2 {
			n, err := strconv.Atoi(args[2])
			if err != nil || n < 1 {
				return kit.BadUsage
			}
			op.rounds = n
		}
		found = true
		status = max(status, op.measure(ratio))
	}
	if len(args) == 1 {
		line("boot", ratio.instructions(boot)) // from reset to here
	} else if !found {
		return kit.BadUsage
	}
	return status
}

// line prints a result.
func line(name string, instructions uint64) {
	kit.Print(kit.Column{Width: 12, Value: name}, kit.Column{Width: -12, Value: instructions}, "\n")
}

// A scale relates the time-stamp counter to instructions: so many ticks were
// counted while so many instructions were executed.
type scale struct{ ticks, executed uint64 }

// calibrate times a loop of known length twice, so that what goes on around the
// loop cancels out; the shorter of a few tries is the undisturbed one.
func calibrate() scale {
	const short, long = 10_000, 60_000
	best := ^uint64(0)
	for range 5 {
		t0 := sys.ReadTSC()
		sys.CountDown(short)
		t1 := sys.ReadTSC()
		sys.CountDown(long)
		t2 := sys.ReadTSC()
		if d := (t2 - t1) - (t1 - t0); d < best {
			best = d
		}
	}
	return scale{max(best, 1), 2 * (long - short)}
}

// instructions turns ticks into instructions.
func (s scale) instructions(ticks uint64) uint64 {
	return ticks/s.ticks*s.executed + ticks%s.ticks*s.executed/s.ticks
}

// B is what an operation is measured with.
type B struct {
	n     int    // rounds
	spent uint64 // ticks, of all rounds
	since uint64
}

// start begins, stop ends a measured stretch.
func (b *B) start() { b.since = sys.ReadTSC() }
func (b *B) stop()  { b.spent += sys.ReadTSC() - b.since }

// measure runs the operation in a child and prints what a round takes.
//
// WHY a child: each operation finds the same small process, whatever was
// measured before it.
func (op operation) measure(ratio scale) int {
	if op.mib > 0 && procfs.FreeKiB() < uint64(op.mib+8)<<10 {
		kit.Eprint(name, ": too little memory for ", op.name, "\n")
		return 1
	}
	pid, err := sys.Fork()
	if err != nil {
		return kit.Complain(name, "fork", err)
	}
	if pid == 0 {
		dirty(op.mib)
		line(op.name, ratio.instructions(op.median())/uint64(op.rounds))
		sys.Exit(0)
	}
	status, _ := kit.WaitFor(pid)
	if status != 0 {
		kit.Eprint(name, ": ", op.name, " ended with ", status, "\n")
		return 1
	}
	return 0
}

// samples is how often an operation's rounds are measured.
const samples = 9

// median runs the operation's rounds so often and gives the ticks of the median.
//
// WHY not the mean: the kernel's garbage collector comes round once in a few
// hundred forks and takes as long as a hundred; one sample or none has it.
func (op operation) median() uint64 {
	var spent [samples]uint64
	for i := range spent {
		b := B{n: op.rounds}
		op.run(&b)
		spent[i] = b.spent
	}
	slices.Sort(spent[:])
	return spent[samples/2]
}

// dirty maps and writes so many MiB.
func dirty(mib int) {
	if mib > 0 {
		write(mapPages(mib<<8), mib<<8)
	}
}

// mapPages maps n pages, or ends the process.
func mapPages(n int) uintptr {
	addr, err := sys.MapPages(n)
	check(err)
	return addr
}

// check ends the process if there is an error.
func check(err error) {
	if err != nil {
		sys.Exit(kit.Complain(name, "system call", err))
	}
}

// write writes to each of n pages, read reads from each.
func write(addr uintptr, n int) {
	for i := range uintptr(n) {
		sys.Poke(addr+i*sys.PageSize, 1)
	}
}

func read(addr uintptr, n int) {
	for i := range uintptr(n) {
		sys.Peek(addr + i*sys.PageSize)
	}
}

// warm is how many rounds go before those that are measured.
const warm = 3

// each measures n rounds of do, after a few that are not.
func (b *B) each(do func()) {
	for range warm {
		do()
	}
	b.start()
	for range b.n {
		do()
	}
	b.stop()
}

// null: a system call that does nothing.
func null(b *B) { b.calls(sys.SysGetpid) }

// calls measures a system call without arguments.
func (b *B) calls(nr uintptr) {
	calls(nr, warm)
	b.start()
	calls(nr, b.n)
	b.stop()
}

// spawn measures a child made by the call nr that exits, or executes the image
// if there is one, and is waited for.
func (b *B) spawn(nr uintptr, image *sys.Image) {
	var path, argv, envp uintptr
	if image != nil {
		path, argv, envp = image.Addresses()
	}
	left := spawn(nr, path, argv, envp, warm)
	b.start()
	left += spawn(nr, path, argv, envp, b.n)
	b.stop()
	if left > 0 {
		check(sys.EAGAIN)
	}
}

// forkExit: fork, exit in the child, wait; vforkExit likewise.
func forkExit(b *B)  { b.spawn(sys.SysFork, nil) }
func vforkExit(b *B) { b.spawn(sys.SysVfork, nil) }

// forkExec: fork, exec of a tiny program, its exit, wait; vforkExec likewise.
func forkExec(b *B)  { b.spawnTiny(sys.SysFork) }
func vforkExec(b *B) { b.spawnTiny(sys.SysVfork) }

// spawnTiny measures children that execute the smallest program there is.
func (b *B) spawnTiny(nr uintptr) {
	path := kit.Format("/tmp/bench.", sys.Getpid())
	check(kit.WriteFile(path, gen.Image(), 0o755))
	image := sys.NewImage(path, []string{"tiny"}, nil)
	pid, err := sys.VForkExec(path, []string{"tiny"}, nil)
	check(err)
	status, err := kit.WaitFor(pid)
	check(err)
	if status != 0 {
		check(sys.ENOEXEC)
	}
	b.spawn(nr, image)
	sys.Unlink(path)
}

// share forks a child that lives until end is called.
func share() (end func()) {
	r, w, err := sys.Pipe2(0)
	check(err)
	pid, err := sys.Fork()
	check(err)
	if pid == 0 {
		sys.Close(w)
		kit.Read(r, make([]byte, 1))
		sys.Exit(0)
	}
	sys.Close(r)
	return func() {
		sys.Close(w)
		kit.WaitFor(pid)
	}
}

// cowCopy: the first write to a page that is shared with a child; per page.
func cowCopy(b *B) {
	addr := mapPages(b.n)
	write(addr, b.n)
	end := share()
	b.start()
	write(addr, b.n)
	b.stop()
	end()
}

// cowReuse: the first write to a page that was shared with a child which is
// gone; per page.
func cowReuse(b *B) {
	addr := mapPages(b.n)
	write(addr, b.n)
	share()()
	b.start()
	write(addr, b.n)
	b.stop()
}

// demandZero: the first write to a fresh page.
func demandZero(b *B) {
	addr := mapPages(b.n)
	b.start()
	write(addr, b.n)
	b.stop()
}

// fileFault: the first read of a mapped page of a file that is in memory.
func fileFault(b *B) {
	path := kit.Format("/tmp/bench.", sys.Getpid())
	check(kit.WriteFile(path, make([]byte, b.n*sys.PageSize), 0o644))
	fd, err := sys.Open(path, sys.O_RDONLY, 0)
	check(err)
	addr, err := sys.Mmap(0, uintptr(b.n)*sys.PageSize, sys.PROT_READ, sys.MAP_PRIVATE, fd, 0)
	check(err)
	b.start()
	read(addr, b.n)
	b.stop()
	sys.Unlink(path)
}

// mmapMunmap: mapping a page and unmapping it, untouched.
func mmapMunmap(b *B) {
	b.each(func() { check(sys.Munmap(mapPages(1), sys.PageSize)) })
}

// pipe: a byte to another process and back.
func pipe(b *B) {
	thereR, thereW, err1 := sys.Pipe2(0)
	backR, backW, err2 := sys.Pipe2(0)
	check(err1)
	check(err2)
	buf := make([]byte, 1)
	pid, err := sys.Fork()
	check(err)
	if pid == 0 {
		sys.Close(thereW)
		for {
			if n, _ := sys.Read(thereR, buf); n == 0 {
				sys.Exit(0)
			}
			sys.Write(backW, buf)
		}
	}
	b.each(func() {
		sys.Write(thereW, buf)
		sys.Read(backR, buf)
	})
	sys.Close(thereW)
	kit.WaitFor(pid)
}

// yield: giving up the processor to another process that does the same.
func yield(b *B) {
	pid, err := sys.Fork()
	check(err)
	if pid == 0 {
		for {
			sys.Yield()
		}
	}
	b.calls(sys.SysSchedYield)
	b.spent /= 2 // for each of ours there is one of the other's
	sys.Kill(pid, sys.SIGKILL)
	kit.WaitFor(pid)
}

// signal: a signal to self, its handler, and the return from it.
func signal(b *B) {
	check(sys.CountSignal(sys.SIGUSR1, 0, 0))
	pid, before := sys.Getpid(), sys.SignalCount(sys.SIGUSR1)
	b.each(func() { sys.Kill(pid, sys.SIGUSR1) })
	if sys.SignalCount(sys.SIGUSR1) != before+uint32(b.n+warm) {
		sys.Exit(kit.Complain(name, "signals were lost", sys.EIO))
	}
}
