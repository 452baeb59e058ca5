// Command yolk builds Yolk, boots it in QEMU and tests it.
//
// It finds the source tree by itself and names the Go toolchain that Yolk is
// pinned to in everything that it starts, so that neither the current directory
// nor the caller's Go settings matter.
package main

import (
	"fmt"
	"os"
	"strings"

	"yolk/qemu"
	"yolk/tools/internal/system"
)

// A command is one of yolk's subcommands.
type command struct {
	name string
	args string // in the notation of man pages
	help string // one line
	run  func(root string, args []string) int
}

// commands lists the subcommands.
func commands() []command {
	return []command{
		{"build", "", "build the kernel and the base image into bin/", buildCommand},
		{"run", "[FLAGS] [-- PROGRAM ARGS…]", "boot to a shell, or run PROGRAM (run -h lists the flags)", runCommand},
		{"debug", "[FLAGS] [-- PROGRAM ARGS…]", "the same, stopped, waiting for GDB", debugCommand},
		{"gdb", "[GDB'S ARGS…]", "attach GDB to it, in another terminal", gdbCommand},
		{"trace", "[-format F] [-pid N] [-events CLASSES] FILE", "show what yolk run -trace has written", traceCommand},
		{"strace", "[-f] [-o FILE] [FLAGS] -- PROGRAM ARGS…", "run PROGRAM and print its system calls", straceCommand},
		{"replay", "FILE [-gdb [PORT]] [-trace OUT]", "repeat what run -record FILE recorded, also under GDB", replayCommand},
		{"test", "[-run REGEXP] [-all] [-list] [-update]", "prove the mechanisms", testCommand},
		{"bench", "[-machine NAME]", "count instructions per operation", benchCommand},
		{"lab", "[list | start NAME DIR | export …]", "list the labs, cut the starter tree of one, or make its grader for others", labCommand},
		{"grade", "[-run REGEXP] [-v] [-html FILE] [DIR]", "give points for a lab (grade -h lists the flags)", gradeCommand},
		{"doctor", "", "say what is here, what is missing and how to get it", doctorCommand},
		{"clean", "", "remove everything that was built", cleanCommand},
		{"help", "", "print this", nil},
	}
}

func main() { os.Exit(dispatch(os.Args[1:])) }

// dispatch runs the subcommand that args names; its value is the exit status.
func dispatch(args []string) int {
	name := "help"
	if len(args) > 0 {
		name, args = strings.TrimLeft(args[0], "-"), args[1:]
	}
	for _, c := range commands() {
		if c.name != name || c.run == nil {
			continue
		}
		root, err := system.FindSource()
		if err != nil {
			return complain(err)
		}
		return c.run(root, args)
	}
	if name == "help" || name == "h" {
		usage()
		return 0
	}
	usage()
	return complain(fmt.Errorf("there is no command %q", name))
}

func usage() {
	fmt.Fprintln(os.Stderr, "usage: yolk COMMAND")
	for _, c := range commands() {
		fmt.Fprintf(os.Stderr, "  %-36s %s\n", strings.TrimSpace(c.name+" "+c.args), c.help)
	}
}

// complain prints an error; the value is yolk's exit status for what is not the
// guest's doing.
func complain(err error) int {
	fmt.Fprintf(os.Stderr, "yolk: %v\n", err)
	return qemu.ExitFailed
}
