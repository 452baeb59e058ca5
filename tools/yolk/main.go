// Command yolk builds Yolk, boots it in QEMU and tests it.
//
// It finds the source tree by itself and names the Go toolchain that Yolk is
// pinned to in everything that it starts, so that neither the current directory
// nor the caller's Go settings matter.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
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
		if c.args == "" && len(args) > 0 {
			return c.alone(args)
		}
		root, err := system.FindSource()
		if err != nil {
			return complain(err)
		}
		return c.run(root, args)
	}
	if name == "help" || name == "h" {
		usage(os.Stdout)
		return 0
	}
	usage(os.Stderr)
	return complain(fmt.Errorf("there is no command %q", name))
}

// alone answers to arguments of a command that takes none: one may ask for help.
func (c *command) alone(args []string) int {
	if wantsHelp(args) {
		fmt.Printf("usage: yolk %s    (%s)\n", c.name, c.help)
		return 0
	}
	return complain(fmt.Errorf("usage: yolk %s (it takes no arguments)", c.name))
}

// wantsHelp reports whether the arguments of a command ask how it is used.
func wantsHelp(args []string) bool {
	return len(args) == 1 && slices.Contains([]string{"-h", "-help", "--help", "help"}, args[0])
}

func usage(w io.Writer) {
	fmt.Fprintln(w, "usage: yolk COMMAND")
	for _, c := range commands() {
		fmt.Fprintf(w, "  %-36s %s\n", strings.TrimSpace(c.name+" "+c.args), c.help)
	}
}

// parseFlags is set.Parse, but for help that was asked for: that is no error, and
// goes to standard output.
func parseFlags(set *flag.FlagSet, args []string) error {
	set.Usage = func() {}
	err := set.Parse(args)
	if err == nil {
		return nil
	}
	if errors.Is(err, flag.ErrHelp) {
		set.SetOutput(os.Stdout)
	}
	fmt.Fprintf(set.Output(), "usage of %s:\n", set.Name())
	set.PrintDefaults()
	return err
}

// complain prints an error; the value is yolk's exit status for what is not the
// guest's doing.
func complain(err error) int {
	fmt.Fprintf(os.Stderr, "yolk: %v\n", err)
	return qemu.ExitFailed
}
