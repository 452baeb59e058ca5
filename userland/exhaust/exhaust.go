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
	"strings"

	"yolk/userland/kit"
	"yolk/userland/procfs"
	"yolk/userland/sys"
)

const name = "exhaust"

// Prog is the program exhaust.
var Prog = kit.Prog{Name: name, Usage: "[-l | [ATTACK[=N]…]]", Main: Main,
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
	takesSlots                    // all process slots: likewise
	isLong                        // only when it is asked for by name
)

// Main runs the attacks named, with another limit where one is given, or all
// that are not long.
func Main(args []string) int {
	status, found := 0, 0
	for _, k := range attacks {
		limit, chosen := k.limit, len(args) == 1 && k.flags&isLong == 0
		for _, arg := range args[1:] {
			if arg == "-l" {
				kit.Print(k.name, "\n")
				found++
				continue
			}
			title, number, given := strings.Cut(arg, "=")
			if title != k.name {
				continue
			}
			chosen = true
			if given {
				limit = parse(number)
			}
		}
		if chosen {
			found++
			status = max(status, k.judge(limit))
		}
	}
	if found == 0 {
		return kit.BadUsage
	}
	return status
}

// parse reads a decimal number; what is none counts as 0.
func parse(s string) (n int) {
	for _, c := range s {
		if c < '0' || c > '9' {
			return 0
		}
		n = n*10 + int(c-'0')
	}
	return n
}

// judge runs the attack and tells what came of it; 1 is a defect.
func (k *attack) judge(limit int) int {
	rehearse.strike(0)
	before := weigh()
	a := k.strike(limit)
	after := weigh()
	line := kit.Append(nil, k.name, ": ", a.count(), " ", k.unit)
	wrong := ""
	switch e := a.errno(); {
	case a.killed && k.flags&mayBeKilled != 0:
		line = kit.Append(line, ", then killed")
	case a.ended != 0:
		wrong = kit.Format("the attacker ended with ", a.ended)
	case e == 0:
		line = kit.Append(line, ", never refused")
		if a.count() < limit {
			wrong = "it gave up by itself"
		}
	default:
		line = kit.Append(line, ", then ", e)
		if !k.refuses(e) {
			wrong = "that is not the documented error"
		}
	}
	line = kit.Append(line, "; meanwhile ", a.witness)
	if a.witness != "a shell worked" && k.flags&(takesFrames|takesSlots) == 0 {
		wrong = "nobody else could work"
	}
	line = kit.Append(line, "\n", before.compare(after))
	if !before.equals(after) {
		wrong = "not everything came back"
	}
	if wrong == "" {
		kit.Print(line)
		return 0
	}
	kit.Print(line, name, ": ", k.name, ": FAILED: ", wrong, "\n")
	return 1
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
	frames, budget, live, sys, processes uint64
}

// slack is how far the live Go heap may be off: the runtime's lists of dead
// goroutines and tables that have grown do not shrink.
const slack = 512 << 10

func (s scales) equals(t scales) bool {
	return s.frames == t.frames && s.budget == t.budget && t.live < s.live+slack && s.processes == t.processes
}

// compare tells both readings.
func (s scales) compare(t scales) string {
	return kit.Format("  budget ", s.budget, " → ", t.budget, ", live heap ", s.live>>10, " → ", t.live>>10,
		" KiB of ", t.sys>>10, ", free frames ", s.frames, " → ", t.frames, "\n")
}

// weigh waits until all the dead are buried and the kernel's collector has been
// round twice, and reads the scales.
func weigh() (s scales) {
	for range 200 {
		if s.processes = processes(); s.processes <= 3 {
			break
		}
		sys.Sleep(10e6)
	}
	garbage := strings.Repeat("/", 4000)
	text, _ := procfs.ReadVmstat()
	for start := counter(text, "go_gc_cycles"); counter(text, "go_gc_cycles") < start+2; text, _ = procfs.ReadVmstat() {
		for range 200 {
			sys.Access(garbage, 0) // the kernel copies the path in, and forgets it
		}
	}
	s.frames, s.budget = counter(text, "nr_free"), counter(text, "kernel_budget_used")
	s.live, s.sys = counter(text, "go_heap_live"), counter(text, "go_heap_sys")
	return s
}

func counter(vmstat, name string) uint64 {
	n, _ := procfs.Counter(vmstat, name)
	return n
}

// processes is the number of processes, zombies included.
func processes() (n uint64) {
	list, _ := sys.ReadDir("/proc")
	for _, d := range list {
		if d.Name[0] >= '0' && d.Name[0] <= '9' {
			n++
		}
	}
	return n
}
