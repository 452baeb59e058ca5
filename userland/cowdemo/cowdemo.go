// Package cowdemo is the program that shows copy-on-write at work: two pages, a
// fork, and who gets which frame when either side writes.
//
// The first page is written by the child, then by the parent: the child gets a
// copy, the parent keeps the frame.  The second is left alone while the child
// lives; when the parent writes it afterwards, nothing is copied.
package cowdemo

import (
	"strconv"

	"yolk/userland/kit"
	"yolk/userland/procfs"
	"yolk/userland/sys"
)

// Prog is the program cowdemo.
var Prog = kit.Prog{Name: name, Help: "watch pages being shared and copied after a fork", Main: Main}

// The steps, in their order, as the output names them.
const (
	Before       = "before"        // one process
	Forked       = "forked"        // two, nothing written
	ChildWrites  = "child-writes"  // the child writes the first page
	ParentWrites = "parent-writes" // then the parent does
	ChildExited  = "child-exited"  // one process again
	Reclaimed    = "reclaimed"     // the parent writes the second page
)

// pages is how many pages are watched.
const pages = 2

// A side is one of the two processes.
type side struct {
	base uintptr // of the pages
	pid  int
	in   int // the other side's turns come from here
	out  int // and ours go there
}

// Main plays the parent, and in the fork the child.
func Main(args []string) int {
	base, err := sys.MapPages(pages)
	if err != nil {
		return kit.Complain(args[0], "mmap", err)
	}
	for i := range pages {
		sys.Poke(page(base, i), 'a')
	}
	parent := side{base: base, pid: sys.Getpid()}
	parent.report(Before, -1, effect{})
	child := parent
	if child.in, parent.out, err = sys.Pipe2(0); err != nil {
		return kit.Complain(args[0], "pipe", err)
	}
	if parent.in, child.out, err = sys.Pipe2(0); err != nil {
		return kit.Complain(args[0], "pipe", err)
	}
	pid, err := sys.Fork()
	if err != nil {
		return kit.Complain(args[0], "fork", err)
	}
	if pid == 0 {
		child.pid = sys.Getpid()
		parent.close()
		sys.Exit(child.play())
	}
	child.close() // or the parent would not notice the child's end
	return parent.direct(pid)
}

// close closes the side's descriptors: they are the other process's.
func (s side) close() {
	sys.Close(s.in)
	sys.Close(s.out)
}

// direct is the parent's part: it sets the steps.
func (s side) direct(child int) int {
	s.report(Forked, -1, effect{})
	s.pass()
	s.report(ChildWrites, -1, effect{})
	s.report(ParentWrites, 0, measure(page(s.base, 0)))
	s.pass()
	if _, err := kit.WaitFor(child); err != nil {
		return kit.Complain(name, "wait", err)
	}
	s.report(ChildExited, -1, effect{})
	s.report(Reclaimed, 1, measure(page(s.base, 1)))
	return 0
}

// play is the child's part.
func (s side) play() int {
	s.await()
	s.report(Forked, -1, effect{})
	s.report(ChildWrites, 0, measure(page(s.base, 0)))
	s.pass()
	s.report(ParentWrites, -1, effect{})
	return 0
}

// name is the program's, in complaints.
const name = "cowdemo"

// pass gives the other side its turn and waits for it to come back, or to end.
func (s side) pass() {
	kit.WriteAll(s.out, []byte{'.'})
	s.await()
}

// await waits for the turn.
func (s side) await() {
	var b [1]byte
	kit.Read(s.in, b[:])
}

// page is the address of the i'th page.
func page(base uintptr, i int) uintptr { return base + uintptr(i)*sys.PageSize }

// effect is what one write made the kernel do; known is false on a kernel that
// does not count it.
type effect struct {
	known          bool
	copies, reuses uint64
}

// Two readings of the counters.  WHY in memory of their own, made ready before:
// whatever is written between the two readings may cause a copy itself.
var reading [2][8192]byte

// measure writes to the page and counts what that caused.
func measure(addr uintptr) effect {
	fd, err := sys.Open("/proc/vmstat", sys.O_RDONLY, 0)
	if err != nil {
		return effect{}
	}
	defer sys.Close(fd)
	var n [2]int
	for range 2 { // the first time round, the pages of reading and of the stack become ours
		n[0] = reread(fd, reading[0][:])
		n[1] = reread(fd, reading[1][:])
	}
	n[0] = reread(fd, reading[0][:])
	sys.Poke(addr, 'b')
	n[1] = reread(fd, reading[1][:])
	before, after := string(reading[0][:n[0]]), string(reading[1][:n[1]])
	copies, ok1 := grown(before, after, "cow_copy")
	reuses, ok2 := grown(before, after, "cow_reuse")
	return effect{ok1 && ok2, copies, reuses}
}

// reread reads the file from its start.
func reread(fd int, buf []byte) int {
	sys.Lseek(fd, 0, sys.SEEK_SET)
	n, _ := sys.Read(fd, buf)
	return max(n, 0)
}

// grown is by how much a counter grew.
func grown(before, after, name string) (uint64, bool) {
	a, ok1 := procfs.Counter(before, name)
	b, ok2 := procfs.Counter(after, name)
	return b - a, ok1 && ok2
}

// report prints a line for each page as this side sees it; written is the page
// that this side wrote in this step, -1 when none, and e what that caused.
func (s side) report(step string, written int, e effect) {
	counting := e.known
	if written < 0 {
		_, counting = counters()
	}
	var text []byte
	for i := range pages {
		l := Line{Step: step, PID: s.pid, VA: uint64(page(s.base, i)), Cow: "?", Copies: "?", Reuses: "?"}
		l.look()
		if counting {
			l.Copies, l.Reuses = "0", "0"
		}
		if counting && i == written {
			l.Copies, l.Reuses = strconv.FormatUint(e.copies, 10), strconv.FormatUint(e.reuses, 10)
		}
		text = append(text, l.String()...)
	}
	kit.Print(text)
}

// counters reads the copies so far, if the kernel counts them.
func counters() (uint64, bool) {
	text, _ := procfs.ReadVmstat()
	return procfs.Counter(text, "cow_copy")
}
