// Package vforkdemo is the program that shows what vfork does: the child runs
// first, however long it takes, on the parent's own memory.
package vforkdemo

import (
	"strings"

	"yolk/userland/kit"
	"yolk/userland/procfs"
	"yolk/userland/sys"
)

// Prog is the program vforkdemo.
var Prog = kit.Prog{Name: "vforkdemo", Usage: "[-v]", Main: Main,
	Help: "watch a vfork child run on its parent's memory"}

// What the child needs lies ready before the vfork: it must not allocate.
var (
	message   = []byte("Child executing\n")
	tableFile = []byte("/proc/self/pagetable\x00")
	statFile  = []byte("/proc/vmstat\x00")

	childTable     [64]byte   // the first line is enough
	before, after  [8192]byte // the counters around the child's life
	napSeconds     = [2]int64{3, 0}
	napSecondsAddr = sys.WordsAddr(napSeconds[:])
)

// child is what runs in the child.  istack stands in a variable of the parent's
// stack, and the child works on that very variable.
type child struct {
	istack  int
	verbose bool
}

// Run sleeps, prints, triples istack and exits.
//
//go:nosplit
func (c *child) Run() {
	sys.Call(sys.SysNanosleep, napSecondsAddr, 0, 0, 0, 0, 0)
	sys.Call(sys.SysWrite, kit.Stdout, sys.Addr(message), uintptr(len(message)), 0, 0, 0)
	c.istack *= 3
	if c.verbose {
		readInto(childTable[:], tableFile)
		readInto(after[:], statFile)
	}
	sys.Exit(0)
}

// readInto reads the beginning of a file with nothing but raw calls.
//
//go:nosplit
func readInto(buf, path []byte) {
	fd, e := sys.Call(sys.SysOpen, sys.Addr(path), sys.O_RDONLY, 0, 0, 0, 0)
	if e == 0 {
		sys.Call(sys.SysRead, fd, sys.Addr(buf), uintptr(len(buf)), 0, 0, 0)
		sys.Call(sys.SysClose, fd, 0, 0, 0, 0, 0)
	}
}

// Main starts the child and then looks at what it left.
func Main(args []string) int {
	verbose := len(args) == 2 && args[1] == "-v"
	if len(args) > 1 && !verbose {
		return kit.BadUsage
	}
	c := child{istack: 222, verbose: verbose}
	if verbose {
		settle()
		readInto(before[:], statFile)
	}
	pid, err := sys.VFork(&c)
	if err != nil {
		return kit.Complain(args[0], "vfork", err)
	}
	kit.Print("Parent executing\n")
	kit.Print("istack=", c.istack, "\n")
	if _, err := kit.WaitFor(pid); err != nil {
		return kit.Complain(args[0], "wait", err)
	}
	if verbose {
		return explain()
	}
	return 0
}

// settle makes the counters stand still: the buffers are touched beforehand, and
// the process that started this one, whose own pages were shared until the exec,
// gets the time to write to them and fall asleep.
func settle() {
	readInto(childTable[:], tableFile)
	readInto(after[:], statFile)
	readInto(before[:], statFile)
	sys.Sleep(50e6)
}

// counters are those that fork would move and vfork must not.
var counters = []string{"forks", "cow_copy", "cow_reuse", "table_made"}

// explain prints on standard error that nothing was copied: both roots, and by
// how much the counters grew from before the vfork to the child's end.
func explain() int {
	table, err := procfs.ReadPageTable(0)
	line, _, _ := strings.Cut(string(childTable[:]), "\n")
	if err != nil || line == "" {
		kit.Eprint("this kernel does not show page tables\n")
		return 0
	}
	mine := kit.Format("root=", kit.Hex(table.Root))
	kit.Eprint("parent ", mine, "\nchild ", line, "\n")
	status := 0
	if line != mine {
		status = 1
	}
	for _, name := range counters {
		a, _ := procfs.Counter(string(before[:]), name)
		b, ok := procfs.Counter(string(after[:]), name)
		kit.Eprint(name, "=", b-a, "\n")
		if !ok || a != b {
			status = 1
		}
	}
	return status
}
