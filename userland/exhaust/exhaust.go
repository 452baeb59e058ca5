// Package exhaust is the program that asks the kernel for more of everything
// than there is.
//
// The kernel is a Go program with a heap that cannot grow, and a Go program
// that runs out of heap dies.  So whatever a user can make the kernel allocate
// is counted beforehand and refused while a reserve remains.  Each attack here
// takes one thing until the kernel says no, says how much it got and with which
// error it was refused, and then looks whether everything came back:
//
//	attacker   takes and takes, until it is refused; then it holds what it has
//	witness    meanwhile, a shell starts programs
//	afterwards the attacker has ended: budget, Go heap and frames are as before
package exhaust

import (
	"bytes"
	"strings"

	"yolk/userland/kit"
	"yolk/userland/procfs"
	"yolk/userland/sys"
)

const name = "exhaust"

// Prog is the program exhaust.
var Prog = kit.Prog{Name: name, Usage: "[-l | ATTACK[=N]…]", Main: Main,
	Help: "ask the kernel for too much, in every way"}

// An attack takes one thing until it is refused.
type attack struct {
	name    string
	unit    string      // what is counted
	limit   int         // how many are asked for at most
	refusal []sys.Errno // the errors with which it may be refused
	flags   flags
	run     func(a *attempt)
}

type flags uint8

const (
	mayBeKilled flags = 1 << iota // by SIGKILL, when it touches memory that is not there
	takesFrames                   // all memory: then no witness could start
	takesSlots                    // all process slots, or the heap itself: likewise
	isLong                        // only when it is asked for by name
)

// Main runs the attacks named, with another limit where one is given, or all
// that are not long.
func Main(args []string) int {
	if len(args) > 1 && args[1] == holder { // and its burden
		sys.Call(sys.SysPause, 0, 0, 0, 0, 0, 0)
	}
	for i, path := range []string{"/proc/vmstat", "/proc/self/statm"} {
		statistics[i].fd, _ = sys.Open(path, sys.O_RDONLY|sys.O_CLOEXEC, 0)
	}
	status := kit.BadUsage
	for _, k := range attacks {
		limit, chosen := k.limit, len(args) == 1 && k.flags&isLong == 0
		for _, arg := range args[1:] {
			if title, number, given := strings.Cut(arg, "="); title == k.name {
				chosen = true
				if given {
					limit = parse(number)
				}
			}
		}
		switch {
		case len(args) == 2 && args[1] == "-l":
			kit.Print(k.name, "\n")
			status = 0
		case chosen:
			status = max(status, k.judge(limit))
		}
	}
	return status
}

// parse reads the decimal number that s begins with.
func parse[T string | []byte](s T) (n int) {
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			break
		}
		n = n*10 + int(c-'0')
	}
	return n
}

// judge runs the attack and tells what came of it; 1 is a defect.
func (k *attack) judge(limit int) int {
	rehearse.strike(0)
	crowd := uint64(processes())
	before := weigh(crowd, 0)
	a := k.strike(limit)
	after := weigh(crowd, before.live+before.heapSlack()/2)
	kit.Print(k.name, ": ", a.count(), " ", k.unit, a.ending(), "\n", before.compare(a.held, after))
	wrong := k.complaint(a, limit)
	if wrong == "" && !before.equals(after) {
		wrong = "not everything came back"
	}
	if wrong == "" {
		wrong = procfs.Unclean()
	}
	if wrong == "" {
		return 0
	}
	kit.Print(name, ": ", k.name, ": FAILED: ", wrong, "\n")
	return 1
}

// ending tells how the attack went.
func (a *attempt) ending() (text string) {
	switch e := a.errno(); {
	case a.ended != 0:
		text = kit.Format(", then ended with ", a.ended)
	case e != 0:
		text = kit.Format(", then ", e)
	default:
		text = ", never refused"
	}
	if a.witness != "" {
		text += "; meanwhile " + a.witness
	}
	return text
}

// complaint names what should not have happened; nothing if all is well.
func (k *attack) complaint(a *attempt, limit int) string {
	killed := a.killed && k.flags&mayBeKilled != 0
	switch e := a.errno(); {
	case a.ended != 0 && !killed:
		return "the attacker should not have ended so"
	case e != 0 && !k.refuses(e):
		return "that is not the documented error"
	case e == 0 && !killed && a.count() < limit:
		return "it gave up by itself"
	case a.witness != "" && a.witness != worked && k.flags&takesSlots == 0:
		return "nobody else could work"
	}
	return ""
}

func (k *attack) refuses(e sys.Errno) bool {
	for _, r := range k.refusal {
		if r == e {
			return true
		}
	}
	return false
}

// rehearse is an attack that takes nothing: after it, all that stays when a
// process has come and gone has come to stay.
var rehearse = &attack{name: "nothing", unit: "times", run: func(*attempt) {}}

// scales is what must be as it was.
type scales struct {
	frames, budget, limit, live, inUse, processes uint64
}

// frameSlack is for this program's own page tables.
const frameSlack = 4

// heapSlack is how far the live heap may be off: lists of dead goroutines, and
// maps that have grown, do not shrink, and some garbage always floats.
func (s scales) heapSlack() uint64 { return max(1<<20, s.limit/32) }

func (s scales) equals(t scales) bool {
	return t.frames+frameSlack >= s.frames && s.budget == t.budget && t.live < s.live+s.heapSlack() && s.processes == t.processes
}

// compare tells the readings before, at the height of the attack and after it.
func (s scales) compare(held, t scales) string {
	row := func(name string, a, b, c uint64) string {
		return kit.Format("  ", kit.Column{Width: 16, Value: name}, kit.Column{Width: -10, Value: a},
			kit.Column{Width: -10, Value: b}, kit.Column{Width: -10, Value: c}, "\n")
	}
	return row("charged, bytes", s.budget, held.budget, t.budget) + row("Go heap in use", s.inUse, held.inUse, t.inUse) +
		row("of it alive", s.live, held.live, t.live) + row("free frames", s.frames, held.frames, t.frames)
}

// weigh waits until no more processes are left than there should be, has the
// kernel's collector go round until not more is alive than expected, at least
// twice and at most eight times, and reads the scales.
//
// WHY partly in a child: what that takes in memory is gone again with it.  The
// rest allocates nothing.
func weigh(crowd, alive uint64) (s scales) {
	pid, err := sys.Fork()
	if err == nil && pid == 0 {
		sys.Exit(settle(int(crowd)+1, alive))
	}
	status, _ := kit.WaitFor(pid)
	s.processes = crowd + uint64(status.ExitStatus())
	s.read()
	return s
}

// statistics are the files /proc/vmstat and /proc/self/statm, opened while that
// was possible.
var statistics [2]statistic

type statistic struct {
	fd   int
	text [4096]byte
}

// read gives what the file says now.
func (f *statistic) read() []byte {
	sys.Lseek(f.fd, 0, sys.SEEK_SET)
	n, _ := sys.Read(f.fd, f.text[:])
	return f.text[:max(n, 0)]
}

// read reads the scales as they stand.  Frames that this program has are counted
// as free: it comes to have more as it goes on.
func (s *scales) read() {
	for line := statistics[0].read(); len(line) > 0; {
		end := bytes.IndexByte(line, '\n') + 1
		s.note(line[:end])
		line = line[end:]
	}
	_, resident, _ := bytes.Cut(statistics[1].read(), []byte(" "))
	s.frames += uint64(parse(resident))
}

// note takes the number from a line of vmstat.
func (s *scales) note(line []byte) {
	for _, f := range []struct {
		name string
		at   *uint64
	}{
		{"nr_free ", &s.frames}, {"kernel_budget_used ", &s.budget}, {"kernel_budget_limit ", &s.limit},
		{"go_heap_live ", &s.live}, {"go_heap_inuse ", &s.inUse},
	} {
		if len(line) > len(f.name) && string(line[:len(f.name)]) == f.name {
			*f.at = uint64(parse(line[len(f.name) : len(line)-1]))
		}
	}
}

// settle is what weigh does in its child; it gives how many processes too many
// there are.
func settle(crowd int, alive uint64) int {
	n := processes()
	for i := 0; n > crowd && i < 500; i++ {
		sys.Sleep(10e6)
		n = processes()
	}
	garbage := strings.Repeat("/", 4000)
	for start := collector("go_gc_cycles"); ; {
		rounds := collector("go_gc_cycles") - start
		if rounds >= 8 || rounds >= 2 && collector("go_heap_live") <= alive {
			return n - crowd
		}
		for range 200 {
			sys.Access(garbage, 0) // the kernel copies the path in, and forgets it
		}
	}
}

// collector is a counter of the kernel's collector.
func collector(name string) uint64 {
	text, _ := procfs.ReadVmstat()
	n, _ := procfs.Counter(text, name)
	return n
}

// processes is the number of processes, zombies included.
func processes() (n int) {
	list, _ := sys.ReadDir("/proc")
	for _, d := range list {
		if d.Name[0] >= '0' && d.Name[0] <= '9' {
			n++
		}
	}
	return n
}
