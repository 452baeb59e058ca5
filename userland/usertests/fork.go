package usertests

import (
	"yolk/userland/kit"
	"yolk/userland/procfs"
	"yolk/userland/sys"
)

func forkTests() []test {
	return []test{
		{"FORK-isolation", portable, forkIsolation},
		{"FORK-results", portable, forkResults},
		{"FORK-04-fpu-and-fs-base", portable, forkFPU},
		{"FORK-06-registers", portable, forkRegisters},
		{"FORK-07-signals", portable, forkSignals},
		{"FORK-08-holes", portable, forkHoles},
		{"FORK-09-bomb", portable, forkBomb},
		{"FORK-09-killed-while-forking", portable, forkKilled},
		{"FORK-10-offsets-shared-tables-not", portable, forkFiles},
		{"FORK-attributes", portable, forkAttributes},
		{"FORK-no-page-copied", lazyFork, forkCopiesNothing},
	}
}

// forkIsolation: neither side sees the other's writes, in data, heap and stack.
func forkIsolation(t *T) {
	heap := make([]byte, 3*page)
	heap[0], heap[len(heap)-1] = 1, 1
	local := 1
	g := t.gate()
	pid := t.fork(func() {
		t.must(heap[0] == 1 && local == 1, "the child does not start with the parent's values")
		heap[0], local = 2, 2
		g.pass()
		t.must(heap[0] == 2 && heap[len(heap)-1] == 1 && local == 2, "the child sees the parent's writes")
	})
	heap[len(heap)-1], local = 3, 3
	g.open()
	t.join(pid)
	t.must(heap[0] == 1 && heap[len(heap)-1] == 3 && local == 3, "the parent sees the child's writes")
}

// forkResults: 0 in the child, its pid in the parent.
func forkResults(t *T) {
	r, w := t.pipe()
	parent := sys.Getpid()
	pid := t.fork(func() {
		t.must(sys.Getppid() == parent, "getppid is not the parent")
		kit.Fprint(w, sys.Getpid())
	})
	sys.Close(w)
	said, _ := kit.ReadAll(r)
	t.must(string(said) == kit.Format(pid), "fork gave ", pid, ", getpid ", said)
	t.join(pid)
}

// forkFPU: the vector unit's control register and the FS base are inherited.
func forkFPU(t *T) {
	const towardsZero = 0x1f80 | 3<<13
	setMXCSR(towardsZero)
	before := fsBase(t)
	t.child(func() {
		t.must(getMXCSR()&^0x3f == towardsZero, "MXCSR of the child is ", kit.Hex(getMXCSR()))
		t.must(fsBase(t) == before, "FS base of the child is another")
		setMXCSR(0x1f80)
	})
	t.must(getMXCSR()&^0x3f == towardsZero, "MXCSR of the parent changed")
}

// fsBase reads the FS base (arch_prctl(2), ARCH_GET_FS).
func fsBase(t *T) uint64 {
	var base [1]int64
	_, e := sys.Call(sys.SysArchPrctl, 0x1003, sys.WordsAddr(base[:]), 0, 0, 0, 0)
	if e == sys.EINVAL || e == sys.ENOSYS {
		return 0
	}
	t.must(e == 0, "arch_prctl: ", e)
	return uint64(base[0])
}

// forkRegisters: every register but RAX is as before, on both sides; so are the flags.
func forkRegisters(t *T) {
	pid, regs, err := sys.ForkRegisters()
	t.noErr(err, "fork")
	if pid == 0 {
		t.must(regs.Want(), "registers differ in the child")
		sys.Exit(0)
	}
	t.must(regs.Want(), "registers differ in the parent")
	t.join(pid)
}

// forkSignals: handlers and mask are inherited, pending signals are not.
func forkSignals(t *T) {
	t.noErr(sys.CountSignal(sys.SIGUSR1, 0, 0), "sigaction")
	sys.SigProcMask(sys.SigBlock, sys.SigMask(sys.SIGUSR1))
	sys.Kill(sys.Getpid(), sys.SIGUSR1)
	pid := t.fork(func() {
		pending, err := sys.SigPending()
		t.noErr(err, "sigpending")
		t.must(pending == 0, "the child has pending signals ", kit.Hex(pending))
		mask, _ := sys.SigProcMask(sys.SigBlock, 0)
		t.must(mask&sys.SigMask(sys.SIGUSR1) != 0, "the child's mask is ", kit.Hex(mask))
		sys.Kill(sys.Getpid(), sys.SIGUSR1)
		sys.SigProcMask(sys.SigSetMask, 0)
		t.must(sys.SignalCount(sys.SIGUSR1) == 1, "the child's handler ran ", sys.SignalCount(sys.SIGUSR1), " times")
	})
	t.join(pid)
	t.must(sys.SignalCount(sys.SIGUSR1) == 0, "the parent's signal came early")
	sys.SigProcMask(sys.SigSetMask, 0)
	t.must(sys.SignalCount(sys.SIGUSR1) == 1, "the parent's pending signal was lost")
}

// forkHoles: what is not mapped in the parent is not in the child, and what is
// mapped on both sides of the hole is.
func forkHoles(t *T) {
	addr := t.pages(3)
	sys.Poke(addr, 1)
	sys.Poke(addr+2*page, 3)
	t.noErr(sys.Munmap(addr+page, uintptr(page)), "munmap")
	t.dies("a hole, in the child", func() { sys.Peek(addr + page) }, sys.SIGSEGV)
	t.child(func() { t.must(sys.Peek(addr) == 1 && sys.Peek(addr+2*page) == 3, "pages beside the hole are lost") })
}

// forkBomb: a process that forks without end gets EAGAIN or ENOMEM, and the
// system lives on.
func forkBomb(t *T) {
	const enough = 4000
	bomb := t.fork(func() {
		sys.Setrlimit(sys.RlimitNproc, sys.Rlimit{Cur: 64, Max: 64})
		sys.Call(sys.SysSetuid, 54321, 0, 0, 0, 0, 0) // root has no such limit on Linux
		sys.Setpgid(0, 0)
		for range enough {
			pid, err := sys.Fork()
			if err != nil {
				t.wantErr(err, "the last fork", sys.EAGAIN, sys.ENOMEM)
				sys.SetSignal(sys.SIGTERM, sys.SigIgn)
				sys.Kill(0, sys.SIGTERM)
				reapAll()
				sys.Exit(0)
			}
			if pid == 0 {
				for {
					sys.Sleep(1e9)
				}
			}
		}
		sys.Kill(0, sys.SIGKILL)
	})
	status := t.wait(bomb)
	t.must(status == 0, "the bomb ended with ", status)
	t.child(func() {}) // there is room again
}

// reapAll waits for all children.
func reapAll() {
	for {
		if _, _, err := sys.Wait4(-1, 0); err == sys.ECHILD {
			return
		}
	}
}

// forkKilled: a process that is killed while it forks leaves nothing behind that
// could not be reaped.
func forkKilled(t *T) {
	for round := range 8 {
		sys.Prctl(sys.SubreaperOption, 1)
		pid := t.fork(func() {
			for {
				child, _ := sys.Fork()
				if child == 0 {
					sys.Exit(0)
				}
				sys.Wait4(-1, sys.WNOHANG)
			}
		})
		sys.Sleep(int64(round) * 700_000)
		sys.Kill(pid, sys.SIGKILL)
		status := t.wait(pid)
		t.must(status.Signaled() && status.Signal() == sys.SIGKILL, "ended with ", status)
		reapAll()
	}
}

// forkFiles: the offset is one, the tables of descriptors are two.
func forkFiles(t *T) {
	fd := t.open(t.file("f", "abcdef", 0o644), sys.O_RDONLY)
	buf := make([]byte, 2)
	t.child(func() {
		sys.Read(fd, buf)
		t.must(string(buf) == "ab", "the child reads ", buf)
		sys.Close(fd)
	})
	sys.Read(fd, buf)
	t.must(string(buf) == "cd", "the parent reads ", buf)
	t.child(func() { t.open("f", sys.O_RDONLY) })
	_, err := sys.Fcntl(fd+1, sys.F_GETFD, 0)
	t.wantErr(err, "a descriptor that the child opened", sys.EBADF)
}

// forkAttributes: working directory and file mode mask are inherited, and the
// child's changes are its own.
func forkAttributes(t *T) {
	sys.Umask(0o027)
	t.child(func() {
		dir, _ := sys.Getcwd()
		t.must(dir == t.dir, "the child's directory is ", dir)
		t.must(sys.Umask(0) == 0o027, "the child's mask is another")
		t.noErr(sys.Chdir("/"), "chdir")
	})
	dir, _ := sys.Getcwd()
	t.must(dir == t.dir && sys.Umask(0o022) == 0o027, "the child's changes reached the parent")
}

// forkCopiesNothing: a fork of a process with many dirty pages shares them all;
// every frame is in both, marked.
func forkCopiesNothing(t *T) {
	const n = 256
	addr := t.pages(n)
	for i := range uintptr(n) {
		sys.Poke(addr+i*page, byte(i))
	}
	mine, err := procfs.Pagemap(0, addr, n)
	t.noErr(err, "pagemap")
	t.child(func() {
		table, err := procfs.ReadPageTable(0)
		t.noErr(err, "pagetable")
		theirs, _ := procfs.Pagemap(0, addr, n)
		for i := range n {
			e, ok := table.Find(uint64(addr + uintptr(i)*page))
			t.must(ok && e.Has('C') && !e.Has('W'), "page ", i, " is not marked copy-on-write: ", e)
			t.must(theirs[i].Frame() == mine[i].Frame() && e.Refs == 2, "page ", i, " is not shared by two: ", e)
		}
	})
}
