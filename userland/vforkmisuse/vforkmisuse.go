// Package vforkmisuse is the program that shows three ways to go wrong with
// vfork, each of which follows from what it is: a child on the parent's memory
// and stack, and a parent that sleeps.
package vforkmisuse

import (
	"yolk/userland/kit"
	"yolk/userland/procfs"
	"yolk/userland/sys"
)

// Prog is the program vforkmisuse.
var Prog = kit.Prog{Name: name, Usage: "[data | return | wait]", Main: Main,
	Help: "watch three misuses of vfork"}

// cases are the misuses by name.
var cases = []struct {
	name string
	run  func() int
}{{"data", data}, {"return", returns}, {"wait", waits}}

// Main runs the case named, or all.
func Main(args []string) int {
	status, found := 0, false
	for _, c := range cases {
		if len(args) == 1 || len(args) == 2 && args[1] == c.name {
			found = true
			status = max(status, c.run())
		}
	}
	if !found {
		return kit.BadUsage
	}
	return status
}

// hits is a counter as the C shell had one: how often its table of commands
// helped.  csh counted in the vfork child, relying on the count to be its own.
var hits = 41

// csh is a child that changes its parent's data.
type csh struct{}

// Run counts, as if the memory were the child's.
//
//go:nosplit
func (csh) Run() {
	hits++
	sys.Exit(0)
}

// data: the child's assignment is the parent's.  csh lived on it; as soon as
// vfork was made a plain fork, its counts were wrong.
func data() int {
	pid, err := sys.VFork(csh{})
	if err != nil {
		return kit.Complain(name, "vfork", err)
	}
	kit.WaitFor(pid)
	kit.Print("data: the child added 1 to 41; the parent reads ", hits, "\n")
	return expect(hits == 42)
}

// name is the program's, in complaints.
const name = "vforkmisuse"

// expect is the exit status for a result that should be true.
func expect(ok bool) int {
	if ok {
		return 0
	}
	return 1
}

// returns: the child returns from the function that called vfork, and goes on to
// call others, whose frames overwrite the one that the parent returns through.
// A process of its own is sacrificed to it.
func returns() int {
	victim, err := sys.Fork()
	if err != nil {
		return kit.Complain(name, "fork", err)
	}
	if victim == 0 {
		stepOut()
	}
	status, _ := kit.WaitFor(victim)
	kit.Print("return: the child returned from its caller's frame; the parent died by ", status, ", nobody else did\n")
	return expect(status.Signaled())
}

// stepOut is where the child arrives once it has returned from the frame that
// called vfork, and from the one above.
//
//go:noinline
func stepOut() {
	if middle() == 0 {
		overwrite(1)
	}
	sys.Exit(0) // the parent never gets here
}

// middle calls frame.  Its own frame is gone, like frame's, when overwrite runs.
//
//go:noinline
func middle() int { return frame() }

// frame calls vfork and returns: in the child, and then in the parent.
//
//go:noinline
func frame() int { return sys.VForkReturns() }

// garbage is an address that no program can return to: it is not canonical.
const garbage = 0x6b6f6c79_6b6f6c79

// overwrite fills the stack where the frames of frame and middle were.
//
//go:noinline
//go:nosplit
func overwrite(n uintptr) uintptr {
	var words [32]uintptr
	for i := range words {
		words[i] = garbage * n
	}
	return sum(&words)
}

// sum keeps the compiler from leaving out what nobody reads.
//
//go:noinline
//go:nosplit
func sum(words *[32]uintptr) (s uintptr) {
	for _, w := range words {
		s += w
	}
	return s
}

// stuck is a child that waits for its parent: for a byte in a pipe that only the
// parent would write.
type stuck struct {
	read, tell uintptr // descriptors
}

// A word for each of the two descriptors' traffic, outside any stack.
var childPID, neverComes [1]int64

// Run tells who it is, and waits for what never comes.
//
//go:nosplit
func (c *stuck) Run() {
	pid, _ := sys.Call(sys.SysGetpid, 0, 0, 0, 0, 0, 0)
	childPID[0] = int64(pid)
	sys.Call(sys.SysWrite, c.tell, sys.WordsAddr(childPID[:]), 8, 0, 0, 0)
	sys.Call(sys.SysRead, c.read, sys.WordsAddr(neverComes[:]), 8, 0, 0, 0)
	sys.Exit(0)
}

// waits: parent and child wait for each other.  A third process sees both asleep,
// ends the child, and the parent wakes.
func waits() int {
	tellR, tellW, err1 := sys.Pipe2(0)
	neverR, neverW, err2 := sys.Pipe2(0)
	if err1 != nil || err2 != nil {
		return kit.Complain(name, "pipe", sys.EMFILE)
	}
	defer closeAll(tellR, tellW, neverR, neverW)
	parent, err := sys.Fork()
	if err != nil {
		return kit.Complain(name, "fork", err)
	}
	if parent == 0 {
		pid, _ := sys.VFork(&stuck{uintptr(neverR), uintptr(tellW)})
		status, _ := kit.WaitFor(pid)
		sys.Exit(expect(status.Signaled() && status.Signal() == sys.SIGKILL))
	}
	kit.Read(tellR, sys.Bytes(sys.WordsAddr(childPID[:]), 8))
	child := int(childPID[0])
	sys.Sleep(200e6) // far longer than it takes either to fall asleep
	asleep := sleeping(parent) && sleeping(child)
	kit.Print("wait: parent and child both asleep: ", asleep, "\n")
	sys.Kill(child, sys.SIGKILL)
	status, _ := kit.WaitFor(parent)
	kit.Print("wait: the child was killed; the parent woke and ended with ", status, "\n")
	return expect(asleep && status == 0)
}

// sleeping tells whether /proc shows the process as asleep.
func sleeping(pid int) bool {
	st, err := procfs.ReadStat(pid)
	return err == nil && (st.State == 'S' || st.State == 'D')
}

// closeAll closes the descriptors.
func closeAll(fds ...int) {
	for _, fd := range fds {
		sys.Close(fd)
	}
}
