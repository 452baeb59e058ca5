// Package gdb holds what GDB needs to debug a running Yolk: the commands that
// attach it, and a session that proves that they work.
package gdb

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
)

// Target is a machine that waits for GDB.
type Target struct {
	Root   string // the source tree
	GOROOT string // of the toolchain that built it
	Kernel string // path of the kernel, with symbols
	Box    string // path of the user programs, with symbols; "" for none
	Port   int    // on 127.0.0.1
}

// Init returns the commands that attach GDB to the target, for .gdbinit.
//
// WHY the files come before the connection: GDB takes the processor's mode from
// them; without, it believes in the 16-bit mode of a machine that was just
// reset, and refuses the longer register packets that follow.
func Init(t Target) string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("# Written by yolk; attaches GDB to the machine that it has just started.")
	line("set confirm off")
	line("set architecture i386:x86-64")
	line("file %s", quote(t.Kernel))
	if t.Box != "" {
		line("# User programs lie below, the kernel above: both sets of symbols are right.")
		line("add-symbol-file %s", quote(t.Box))
	}
	line("set substitute-path yolk %s", quote(t.Root))
	line("directory %s", quote(filepath.Join(t.GOROOT, "src")))
	line("target remote 127.0.0.1:%d", t.Port)
	line("echo \\nTry: break 'yolk/mm.(*AddressSpace).Fault', continue, info args, backtrace\\n")
	return b.String()
}

// quote quotes a path for GDB: blanks and backslashes are escaped.
func quote(path string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(filepath.ToSlash(path)) + `"`
}

// A Step is a command of a scripted session and what GDB must answer.
type Step struct {
	Command string
	Want    string // a regular expression
}

// Session shows that GDB sees both halves of the system: it stops in the
// page-fault handler, reads its arguments and its callers, then stops in a
// user program.
var Session = []Step{
	{"break 'yolk/mm.(*AddressSpace).Fault'", `Breakpoint 1 at 0xffffffff8`},
	{"continue", `Breakpoint 1, .*Fault`},
	{"info args", `(?s)as = 0x.*va = `},
	{"backtrace", `(?s)#0 .*AddressSpace.*Fault.*#1 .*yolk/kernel\.`},
	{"delete", ``},
	{"break main.dispatch", `Breakpoint 2 at 0x[0-9a-f]{6,7}\b`},
	{"continue", `Breakpoint 2, main\.dispatch`},
	{"backtrace", `(?s)#0 .*main\.dispatch.*#1 .*main\.main`},
	{"stepi", ``},
	{"print $cs & 3", `= 3`},
	{"kill", ``},
}

// mark separates the steps in GDB's output.
const mark = "@@ step %d @@"

// Script returns a GDB script that attaches to the target and runs the steps.
func Script(t Target, steps []Step) string {
	var b strings.Builder
	b.WriteString("set pagination off\nset width 0\n" + Init(t))
	for i, s := range steps {
		fmt.Fprintf(&b, "echo "+mark+"\\n\n%s\n", i, s.Command)
	}
	return b.String()
}

// Check holds GDB's output against the steps.
func Check(output string, steps []Step) error {
	for i, s := range steps {
		_, answer, ok := strings.Cut(output, fmt.Sprintf(mark, i))
		if !ok {
			return fmt.Errorf("GDB did not get as far as %q", s.Command)
		}
		answer, _, _ = strings.Cut(answer, fmt.Sprintf(mark, i+1))
		if !regexp.MustCompile(s.Want).MatchString(answer) {
			return fmt.Errorf("%s: GDB answered %q, which does not match %q", s.Command, strings.TrimSpace(answer), s.Want)
		}
	}
	return nil
}
