package gdb

import (
	"fmt"
	"path/filepath"
	"strings"
)

// lldbSteps are what LLDB can do: breakpoints by name, in the kernel and in a
// program, backtraces, registers, memory by its address, steps.
var lldbSteps = []Step{
	{Command: "breakpoint set --one-shot true --name yolk/userland/cowdemo.Main", Want: `where = yolkbox\.debug.yolk/userland/cowdemo\.Main`},
	{Command: "continue", Want: `one-shot breakpoint 1.*yolkbox\.debug.yolk/userland/cowdemo\.Main at cowdemo\.go:\d+`},
	{Command: "thread backtrace", Want: `frame #0: .*cowdemo\.Main at .*kit\.Prog\.Run at kit\.go.*main\.main at main\.go`},
	{Command: "breakpoint set --one-shot true --name 'yolk/mm.(*AddressSpace).breakCOW'", Want: `where = kernel\.elf.yolk/mm`},
	{Command: "continue", Want: `one-shot breakpoint 2.*breakCOW at fault\.go:\d+\n-> \d+ `},
	{Command: "thread backtrace", Want: `breakCOW at fault\.go.*yolk/kernel\.\(\*Process\)\.pageFault at trap\.go.*yolk/kernel\.\(\*Process\)\.run at process\.go`},
	{Command: "register read rip cr3 cs", Want: `rip = 0xffffffff8.*cr3 = 0x.*cs = 0x0+8\n`},
	{Command: "memory read --format x --size 8 --count 1 0xffffffff80200000", Want: `: 0x[0-9a-f]{8}464c457f\n`}, // the kernel's own ELF header
	{Command: "thread step-out", Want: `stop reason = step out.*faultPresent`},
	{Command: "detach", Want: `detached`},
}

// ScriptLLDB returns an LLDB script that attaches to the target and runs lldbSteps.
//
// WHY the slide of the programs' file: LLDB gives a second file no addresses by
// itself, though it says which it has.
func ScriptLLDB(t Target) string {
	box := t.Programs[0].Host
	lines := []string{
		"settings set stop-line-count-after 1", "settings set stop-line-count-before 0",
		"settings set target.source-map yolk " + quote(t.Root),
		"target create " + quote(t.Kernel),
		"target modules add " + quote(box),
		"target modules load --slide 0 --file " + quote(filepath.Base(box)),
		fmt.Sprintf("gdb-remote 127.0.0.1:%d", t.Port),
	}
	for _, s := range lldbSteps {
		lines = append(lines, s.Command)
	}
	return strings.Join(append(lines, "quit", ""), "\n")
}

// CheckLLDB holds LLDB's output, which repeats each command, against lldbSteps.
func CheckLLDB(output string) error {
	for _, s := range lldbSteps {
		_, rest, ok := strings.Cut(output, "(lldb) "+s.Command+"\n")
		answer, _, _ := strings.Cut(rest, "\n(lldb) ")
		if !ok || !matches(s.Want, answer+"\n") {
			return fmt.Errorf("%w: LLDB: %s: %q does not match %q", ErrAnswer, s.Command, answer, s.Want)
		}
		output = rest
	}
	return nil
}
