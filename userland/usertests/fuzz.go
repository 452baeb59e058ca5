package usertests

import (
	"yolk/userland/kit"
	"yolk/userland/procfs"
	"yolk/userland/sys"
)

func fuzzTests() []test {
	return []test{{"ALL-02-random-calls", yolk, fuzzTest}}
}

// random is a small generator of pseudo-random numbers (xorshift64*): the same
// seed gives the same tests everywhere.
type random struct{ state uint64 }

// newRandom makes a generator; any seed will do.
func newRandom(seed uint64) *random { return &random{seed*0x9e3779b97f4a7c15 + 1} }

// next is the next number.
func (r *random) next() uint64 {
	r.state ^= r.state >> 12
	r.state ^= r.state << 25
	r.state ^= r.state >> 27
	return r.state * 0x2545f4914f6cdd1d
}

// below is a number from 0 to n-1.
func (r *random) below(n int) int { return int(r.next() % uint64(n)) }

// fuzzTest: twenty thousand random calls; afterwards the kernel works and no
// memory is lost.
func fuzzTest(t *T) {
	t.lossless(func() { fuzzCalls(1, 20_000) })
	t.child(func() {})
}

// perProcess is how many calls a process makes before a fresh one takes over.
const perProcess = 200

// fuzzCalls makes random calls, in processes that are killed when they hang or
// harm themselves, and gives how many ended early.
func fuzzCalls(seed uint64, calls int) (ended int) {
	random := newRandom(seed)
	sys.Prctl(sys.SubreaperOption, 1)
	dir := kit.Format("/tmp/fuzzed.", sys.Getpid())
	sys.Mkdir(dir, 0o777)
	defer removeTree(dir)
	for done := 0; done < calls; done += perProcess {
		childSeed := random.next()
		pid, err := sys.Fork()
		if err != nil {
			return ended
		}
		if pid == 0 {
			sys.Setpgid(0, 0)
			sys.Chdir(dir)
			fuzzChild(newRandom(childSeed))
			sys.Exit(0)
		}
		if !waitFor(pid, 200e6) {
			sys.Kill(pid, sys.SIGKILL)
			ended++
		} else if _, status, err := sys.Wait4(pid, 0); err == nil && status != 0 {
			ended++
		}
		sys.Kill(-pid, sys.SIGKILL)
		reapAll()
	}
	return ended
}

// waitFor waits until the process is a zombie, but not longer than so many
// nanoseconds.
func waitFor(pid int, limit int64) bool {
	for start := now(); now()-start < limit; {
		if st, err := procfs.ReadStat(pid); err != nil || st.State == 'Z' {
			return true
		}
		sys.Sleep(1e6)
	}
	return false
}

// spared are the calls that a random program must not make: those that end it
// or make others, reach other processes, stop the machine, or wait for
// something that never comes.
var spared = map[uintptr]bool{
	sys.SysExit: true, sys.SysExitGroup: true, sys.SysFork: true, sys.SysVfork: true, sys.SysClone: true, 435: true,
	sys.SysKill: true, 200: true, 234: true, 129: true, 297: true, // tkill, tgkill, sigqueue
	sys.SysReboot: true, sys.SysPause: true, sys.SysRtSigsuspend: true, sys.SysRtSigreturn: true, 128: true,
	sys.SysSetpgid: true, sys.SysSetsid: true, sys.SysPrctl: true,
}

// fuzzChild makes random calls with arguments that are likely to mean something.
func fuzzChild(r *random) {
	data, _ := sys.MapPages(4)
	for fd := range 64 { // no other process is to hear of this
		sys.Close(fd)
	}
	sys.Open("file", sys.O_RDWR|sys.O_CREAT, 0o666)
	sys.Pipe2(sys.O_NONBLOCK)
	copy(sys.Bytes(data, 16), "a/b\x00")
	argument := func() uintptr {
		switch r.below(8) {
		case 0:
			return uintptr(r.below(16)) // a descriptor, a flag
		case 1:
			return data + uintptr(r.below(4*sys.PageSize))
		case 2:
			return data
		case 3:
			return wild[r.below(len(wild))]
		case 4:
			return uintptr(1) << r.below(64)
		case 5:
			return ^uintptr(r.below(16))
		case 6:
			return uintptr(r.below(8)) * sys.PageSize
		}
		return uintptr(r.next())
	}
	for range perProcess {
		nr := uintptr(r.below(335))
		if spared[nr] {
			continue
		}
		sys.Call(nr, argument(), argument(), argument(), argument(), argument(), argument())
	}
}
