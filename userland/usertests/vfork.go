package usertests

import (
	"strconv"

	"yolk/userland/kit"
	"yolk/userland/procfs"
	"yolk/userland/sys"
)

func vforkTests() []test {
	return []test{
		{"VFORK-01-parent-sleeps-until-exit", portable, vforkExit},
		{"VFORK-01-parent-sleeps-until-exec", portable, vforkExec},
		{"VFORK-02-later-exit-wakes-nobody", portable, vforkSecond},
		{"VFORK-03-failed-exec", portable, vforkFailedExec},
		{"VFORK-04-shared-memory", portable, vforkMemory},
		{"VFORK-05-own-attributes", portable, vforkAttributes},
		{"VFORK-06-exec-keeps-the-parents-memory", portable, vforkKeeps},
		{"VFORK-07-cloexec-before-wake", portable, vforkCloexec},
		{"VFORK-08-child-sleeps", portable, vforkSleeps},
		{"VFORK-09-child-forks-and-vforks", portable, vforkNested},
		{"VFORK-10-fatal-signals", portable, vforkKilled},
		{"VFORK-11-pending-signals", portable, vforkPending},
		{"VFORK-12-clone-with-a-stack", portable, vforkClone},
		{"VFORK-13-copies-nothing", yolk, vforkCopiesNothing},
		{"VFORK-14-mutual-wait", portable, vforkMutual},
	}
}

// A step is one thing that a vfork child does: a raw call, or a store.
type step struct {
	nr             uintptr // the call, or storeWord: a2 into the word at a1
	a1, a2, a3, a4 uintptr
}

// storeWord in place of a call's number makes the step a store.
const storeWord = ^uintptr(0)

// store is the step that stores a value in memory.
func store(word []int64, value int) step {
	return step{nr: storeWord, a1: sys.WordsAddr(word), a2: uintptr(value)}
}

// call is the step that makes a system call.
func call(nr uintptr, args ...uintptr) step {
	args = append(args, 0, 0, 0, 0)
	return step{nr, args[0], args[1], args[2], args[3]}
}

// A script is what a vfork child does, laid out beforehand: it cannot allocate.
// The results of the calls are kept.
type script struct {
	steps   []step
	results [16]int64
	image   *sys.Image
	errno   sys.Errno // of the exec
}

// Run does the steps, then the exec if there is one, and exits with status 3.
//
//go:nosplit
func (s *script) Run() {
	for i := range s.steps {
		p := &s.steps[i]
		if p.nr == storeWord {
			sys.PokeWord(p.a1, p.a2)
			continue
		}
		r, e := sys.Call(p.nr, p.a1, p.a2, p.a3, p.a4, 0, 0)
		s.results[i] = int64(r)
		if e != 0 {
			s.results[i] = -int64(e)
		}
	}
	if s.image != nil {
		s.errno = s.image.Exec()
	}
	sys.Exit(3)
}

// vfork runs a script in a vfork child and gives its pid.
func (t *T) vfork(s *script) int {
	pid, err := sys.VFork(s)
	t.noErr(err, "vfork")
	return pid
}

// nap is a step that sleeps.
func nap(ns int64) step {
	return call(sys.SysNanosleep, sys.PinWords([]int64{ns / 1e9, ns % 1e9}))
}

// words is memory that children write and parents read.
var words [8]int64

// now is the monotonic clock in nanoseconds.
func now() int64 { return sys.Now(sys.ClockMonotonic) }

// vforkExit: the parent goes on only after the child's exit.
func vforkExit(t *T) {
	pid := t.vfork(&script{steps: []step{nap(50e6), store(words[:], 1)}})
	t.must(words[0] == 1, "the parent ran before the child had ended")
	t.must(t.wait(pid).ExitStatus() == 3, "wrong status")
}

// vforkExec: the parent goes on when the child has called exec, not before, and
// not only when the new program has ended.
func vforkExec(t *T) {
	r, w := t.pipe()
	start := now()
	pid := t.vfork(&script{
		steps: []step{nap(50e6), store(words[:], 1), call(sys.SysDup2, uintptr(r), 0)},
		image: waiter(t),
	})
	t.must(words[0] == 1 && now()-start >= 50e6, "the parent ran before the child's exec")
	got, _, err := sys.Wait4(pid, sys.WNOHANG)
	t.must(err == nil && got == 0, "the parent woke only at the new program's end")
	kit.WriteAll(w, []byte{1})
	t.join(pid)
}

// vforkSecond: the end of a program that an earlier child became does not wake
// the parent from a later vfork.
func vforkSecond(t *T) {
	r, w := t.pipe()
	first := t.vfork(&script{steps: []step{call(sys.SysDup2, uintptr(r), 0)}, image: waiter(t)})
	second := t.vfork(&script{steps: []step{
		call(sys.SysWrite, uintptr(w), sys.WordsAddr(words[1:]), 1), // ends the first
		nap(100e6), store(words[:], 1),
	}})
	t.must(words[0] == 1, "the first child's end woke the parent")
	t.join(first)
	t.must(t.wait(second).ExitStatus() == 3, "wrong status")
}

// vforkFailedExec: a failing exec returns to the child, and the parent sleeps on.
func vforkFailedExec(t *T) {
	s := &script{image: sys.NewImage("/no/such/file", []string{"x"}, nil)}
	pid := t.vfork(s)
	t.must(s.errno == sys.ENOENT, "exec gave the child ", s.errno)
	t.must(t.wait(pid).ExitStatus() == 3, "wrong status")
	_, err := sys.VForkExec("/no/such/file", []string{"x"}, nil)
	t.wantErr(err, "VForkExec", sys.ENOENT)
	_, _, err = sys.Wait4(-1, sys.WNOHANG)
	t.wantErr(err, "wait", sys.ECHILD)
}

// vforkMemory: stores to data and heap are the parent's, and so are mappings.
func vforkMemory(t *T) {
	addr := t.pages(1)
	s := &script{steps: []step{store(words[:], 666), call(sys.SysMunmap, addr, page)}}
	t.wait(t.vfork(s))
	t.must(words[0] == 666 && s.results[1] == 0, "the child's stores are lost")
	t.dies("a page that the child unmapped", func() { sys.Peek(addr) }, sys.SIGSEGV)
}

// vforkAttributes: descriptors, directory, mode mask and dispositions that the
// child changes stay its own.
func vforkAttributes(t *T) {
	fd := t.open(t.file("f", "abc", 0o644), sys.O_RDONLY)
	sys.Umask(0o022)
	t.noErr(sys.SetSignal(sys.SIGUSR1, sys.SigIgn), "sigaction")
	action := sys.PinWords(make([]int64, 4)) // SIG_DFL, or an empty mask
	s := &script{steps: []step{
		call(sys.SysChdir, sys.PinString("/")), call(sys.SysUmask, 0o077), call(sys.SysClose, uintptr(fd)),
		call(sys.SysRtSigaction, sys.SIGUSR1, action, 0, 8),
		call(sys.SysRtSigprocmask, sys.SigBlock, action, 0, 8),
	}}
	t.wait(t.vfork(s))
	for i, want := range []int64{0, 0o022, 0, 0, 0} {
		t.must(s.results[i] == want, "step ", i, " in the child gave ", s.results[i])
	}
	dir, _ := sys.Getcwd()
	t.must(dir == t.dir, "the child's chdir is the parent's")
	t.must(sys.Umask(0o022) == 0o022, "the child's umask is the parent's")
	_, err := sys.Fcntl(fd, sys.F_GETFD, 0)
	t.noErr(err, "the descriptor that the child closed")
	old, _ := sys.Sigaction(sys.SIGUSR1, nil)
	t.must(old.Handler == sys.SigIgn, "the child's disposition is the parent's")
}

// vforkKeeps: the child's exec leaves the parent's memory as it is.
func vforkKeeps(t *T) {
	addr := t.pages(16)
	for i := range uintptr(16) {
		sys.Poke(addr+i*page, byte(i+1))
	}
	for range 4 {
		pid, err := sys.VForkExec(t.program("true", exitProgram(0)), []string{"true"}, nil)
		t.noErr(err, "vfork and exec")
		t.join(pid)
	}
	for i := range uintptr(16) {
		t.must(sys.Peek(addr+i*page) == byte(i+1), "page ", int(i), " is lost")
	}
}

// vforkCloexec: close-on-exec descriptors are closed when the parent wakes.  On
// Linux that takes a moment longer.
func vforkCloexec(t *T) {
	r, w, err := sys.Pipe2(sys.O_CLOEXEC)
	t.noErr(err, "pipe")
	holdR, holdW := t.pipe()
	pid := t.vfork(&script{steps: []step{call(sys.SysDup2, uintptr(holdR), 0)}, image: waiter(t)})
	sys.Close(w)
	patience := 5000
	if procfs.IsYolk() {
		patience = 0
	}
	t.must(readable(r, patience), "the child still has the write end")
	n, _ := sys.Read(r, make([]byte, 1))
	t.must(n == 0, "no end of file")
	kit.WriteAll(holdW, []byte{1})
	t.join(pid)
}

// vforkSleeps: a child that sleeps for a second does not let the parent run.
func vforkSleeps(t *T) {
	start := now()
	pid := t.vfork(&script{steps: []step{nap(1e9)}})
	t.must(now()-start >= 1e9, "the parent ran while the child slept")
	t.wait(pid)
}

// nested is a vfork child that makes children itself: one by fork, one by vfork
// that execs.
type nested struct {
	inner *script
	ok    bool
}

// Run forks and vforks.
//
//go:nosplit
func (n *nested) Run() {
	pid, e := sys.Call(sys.SysFork, 0, 0, 0, 0, 0, 0)
	if e == 0 && pid == 0 {
		sys.Exit(5)
	}
	words[0] = int64(pid)
	sys.Call(sys.SysWait4, pid, sys.WordsAddr(words[1:]), 0, 0, 0, 0)
	n.ok = e == 0
	sys.VForkChild(n.inner)
	sys.Call(sys.SysWait4, ^uintptr(0), sys.WordsAddr(words[2:]), 0, 0, 0, 0)
	sys.Exit(3)
}

// vforkNested: a vfork child forks, and vforks and execs.
func vforkNested(t *T) {
	n := &nested{inner: &script{image: sys.NewImage(t.program("six", exitProgram(6)), []string{"six"}, nil)}}
	pid, err := sys.VFork(n)
	t.noErr(err, "vfork")
	t.must(t.wait(pid).ExitStatus() == 3, "wrong status")
	t.must(n.ok && words[1] == 5<<8, "the forked grandchild ended with ", words[1])
	t.must(words[2] == 6<<8, "the exec'd grandchild ended with ", words[2])
}

// vforkKilled: a fatal signal to the child wakes the parent; one to the sleeping
// parent ends it at once, and the child runs on undisturbed.
func vforkKilled(t *T) {
	child := t.vfork(&script{steps: []step{store(words[:], 1), {nr: storeWord, a1: 8}}})
	status := t.wait(child)
	t.must(words[0] == 1 && status.Signaled() && status.Signal() == sys.SIGSEGV, "the child ended with ", status)
	r, w := t.pipe()
	hold := t.gate()
	parent := t.fork(func() {
		t.vfork(&script{steps: []step{
			call(sys.SysWrite, uintptr(w), sys.WordsAddr(words[:]), 1), // here
			call(sys.SysRead, uintptr(hold.r), sys.WordsAddr(words[:]), 1),
			call(sys.SysWrite, uintptr(w), sys.WordsAddr(words[:]), 1), // and still here
		}})
	})
	sys.Close(w)
	one := make([]byte, 1)
	kit.Read(r, one)
	sys.Kill(parent, sys.SIGKILL)
	got, status := 0, sys.WaitStatus(0)
	for deadline := now() + 10e9; got == 0 && now() < deadline; sys.Sleep(1e6) {
		got, status, _ = sys.Wait4(parent, sys.WNOHANG)
	}
	hold.open()
	t.must(got == parent, "the parent sleeps on, and was killed")
	t.must(status.Signaled() && status.Signal() == sys.SIGKILL, "the parent ended with ", status)
	n, _ := kit.Read(r, one)
	t.must(n == 1, "the child did not live on")
	n, _ = kit.Read(r, one)
	t.must(n == 0, "the child did not end")
}

// vforkPending: signals that come while the parent sleeps are delivered
// afterwards, SIGCHLD among them.
func vforkPending(t *T) {
	t.noErr(sys.CountSignal(sys.SIGUSR1, 0, 0), "sigaction")
	t.noErr(sys.CountSignal(sys.SIGCHLD, 0, 0), "sigaction")
	pid := t.vfork(&script{steps: []step{
		call(sys.SysKill, uintptr(sys.Getpid()), sys.SIGUSR1), nap(20e6),
		store(words[:], 1),
	}})
	t.must(words[0] == 1, "the signal woke the parent")
	t.must(sys.SignalCount(sys.SIGUSR1) == 1, "SIGUSR1 was delivered ", sys.SignalCount(sys.SIGUSR1), " times")
	t.wait(pid) // a parent is woken when the child leaves its memory, which is before the end
	t.must(sys.SignalCount(sys.SIGCHLD) == 1, "SIGCHLD was delivered ", sys.SignalCount(sys.SIGCHLD), " times")
}

// vforkClone: clone with CLONE_VM and CLONE_VFORK on a stack of the child's own,
// as posix_spawn has it.
func vforkClone(t *T) {
	const cloneVM, cloneVfork = 0x100, 0x4000
	stack := t.pages(4)
	var word uint64
	pid := cloneOnStack(cloneVM|cloneVfork|sys.SIGCHLD, stack+4*page, &word)
	t.must(int(pid) > 0, "clone gave ", int(pid))
	t.must(word == 0x1234, "the child did not run first, or not on our memory")
	t.must(t.wait(int(pid)).ExitStatus() == 7, "wrong status")
	t.must(sys.Peek(stack+4*page-8) == 0x34, "the child did not use the stack that it was given")
}

// vforkCopiesNothing: the counters of tables and copies stand still, and both
// have one root.
//
// WHY twice: this process was forked itself, so the first time round it still
// gets its own copies of the pages that the measurement writes.
func vforkCopiesNothing(t *T) {
	addr := t.pages(64)
	for i := range uintptr(64) {
		sys.Poke(addr+i*page, 1)
	}
	vmstat := t.open("/proc/vmstat", sys.O_RDONLY)
	table := t.open("/dev/null", sys.O_RDONLY) // a place for the child's descriptor
	before, after, first := make([]byte, 8192), make([]byte, 8192), make([]byte, 64)
	s := &script{steps: []step{
		call(sys.SysClose, uintptr(table)),
		call(sys.SysOpen, sys.PinString("/proc/self/pagetable"), sys.O_RDONLY),
		call(sys.SysRead, uintptr(table), sys.Pin(first), uintptr(len(first))),
		call(sys.SysLseek, uintptr(vmstat), 0, sys.SEEK_SET),
		call(sys.SysRead, uintptr(vmstat), sys.Pin(after), uintptr(len(after))),
	}}
	for range 2 {
		sys.Lseek(vmstat, 0, sys.SEEK_SET)
		sys.Read(vmstat, before)
		t.wait(t.vfork(s))
	}
	mine, err := procfs.ReadPageTable(0)
	t.noErr(err, "pagetable")
	root := kit.Format("root=", kit.Hex(mine.Root), "\n")
	t.must(string(first[:len(root)]) == root, "the child's table begins with ", first, ", ours with ", root)
	for name, growth := range map[string]uint64{"cow_copy": 0, "cow_reuse": 0, "table_made": 0, "forks": 0, "vforks": 1} {
		a, ok1 := procfs.Counter(string(before), name)
		b, ok2 := procfs.Counter(string(after), name)
		t.must(ok1 && ok2 && b-a == growth, name, " went from ", a, " to ", b)
	}
}

// vforkMutual: a child that waits for its parent sleeps, and so does the parent;
// killing the child frees the parent.
func vforkMutual(t *T) {
	tellR, tellW := t.pipe()
	neverR, _ := t.pipe()
	parent := t.fork(func() {
		child := t.vfork(&script{steps: []step{
			call(sys.SysGetpid),
			call(sys.SysWrite, uintptr(tellW), sys.WordsAddr(words[:]), 1),
			call(sys.SysRead, uintptr(neverR), sys.WordsAddr(words[:]), 1),
		}})
		status := t.wait(child)
		t.must(status.Signaled() && status.Signal() == sys.SIGKILL, "the child ended with ", status)
	})
	kit.Read(tellR, make([]byte, 1))
	sys.Sleep(50e6)
	child := childOf(t, parent)
	t.must(asleep(parent) && asleep(child), "they do not both sleep")
	sys.Kill(child, sys.SIGKILL)
	t.join(parent)
}

// childOf finds the child of a process in /proc.
func childOf(t *T, parent int) int {
	entries, err := sys.ReadDir("/proc")
	t.noErr(err, "/proc")
	for _, e := range entries {
		if e.Name[0] < '1' || e.Name[0] > '9' {
			continue
		}
		pid, _ := strconv.Atoi(e.Name)
		if st, err := procfs.ReadStat(pid); err == nil && st.PPID == parent {
			return pid
		}
	}
	t.must(false, "process ", parent, " has no child in /proc")
	return 0
}

// asleep tells whether /proc shows the process as asleep.
func asleep(pid int) bool {
	st, err := procfs.ReadStat(pid)
	return err == nil && (st.State == 'S' || st.State == 'D')
}
