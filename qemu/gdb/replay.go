package gdb

import "fmt"

// InitReplay returns the commands that attach GDB to the target, which replays a
// recorded run, for .gdbinit.
//
// WHY there is a breakpoint at the end: a machine that has ended is not there
// any more to go back from.
func InitReplay(t Target) string {
	return Init(t) + `break 'main.(*machine).PowerOff'
echo \nThis is a replay: it stops at its end, by the breakpoint above, and it can go backwards.\n
echo Try: continue, watch {uint64} ADDRESS, reverse-continue, reverse-stepi\n
`
}

// Rewind is a session on a replay of cowdemo, which runs as process pid: it goes
// to the process's exit and from there backwards, to the instruction that marked
// the page at va copy-on-write.
//
//	going backwards, the watchpoint on the page-table entry finds
//	first    the write of the process that broke the COW: the mark goes
//	second   the fork: the mark comes
func Rewind(pid int, va uint64) []Step {
	const mark = "print ({uint64} $entry >> 9) & 1"
	return []Step{
		{Command: fmt.Sprintf("tbreak 'yolk/kernel.hookFork' if parent.pid == %d", pid), Want: `breakpoint \d+ at`},
		{Command: "continue", Want: `hookFork \(parent=0x`},
		{Command: fmt.Sprintf("set $entry = $kpte(%d, %#x)", pid, va)},
		{Command: mark, Want: `= 1\n`},
		{Command: fmt.Sprintf("tbreak 'yolk/kernel.hookExit' if p.pid == %d", pid), Want: `breakpoint \d+ at`},
		{Command: "continue", Want: `hookExit \(p=0x`},
		{Command: mark, Want: `= 0\n`},
		{Command: "watch {uint64} $entry", Want: `Hardware watchpoint \d+`},
		{Command: "reverse-continue", Want: `yolk/mm\.`},
		{Command: "backtrace", Want: `breakCOW .*yolk/mm\.\(\*AddressSpace\)\.Fault `},
		{Command: "reverse-continue", Want: `yolk/mm\.`},
		{Command: "backtrace", Want: `yolk/mm\..*yolk/mm\.\(\*AddressSpace\)\.Fork .*yolk/kernel\.`},
		{Command: mark, Want: `= 1\n`},
		{Command: "reverse-stepi"},
		{Command: mark, Want: `= 0\n`},
		{Command: "x/i $pc", Want: `mov .*,\(`},
		{Command: "stepi"},
		{Command: mark, Want: `= 1\n`},
		{Command: "kill"},
	}
}
