// Package pid1 is the first process: it starts the shell or the one program
// that the machine was booted for, adopts and reaps every orphan, and stops the
// machine with that program's status.
package pid1

import (
	"strings"

	"yolk/userland/kit"
	"yolk/userland/sys"
)

// Prog is the program init.
var Prog = kit.Prog{Name: "init", Usage: "[-- PROGRAM [ARG…] | -f FILE]", Main: Main,
	Help: "the first process: run a shell or PROGRAM, then power off"}

// The environment variables by which the kernel's command line tells init what
// to use; the program does not see them.
const (
	envPrefix = "YOLK_"
	envStdin  = "YOLK_STDIN"  // device or file of descriptor 0
	envStdout = "YOLK_STDOUT" // of descriptor 1
	envStderr = "YOLK_STDERR" // of descriptor 2
	envExit   = "YOLK_EXIT"   // where the wait status goes
)

// What is used where the environment says nothing.
const (
	console  = "/dev/console"
	exitFile = "/dev/yolk-exit"
)

// Statuses of a program that could not be started, as a shell gives them.
const (
	statusNotRunnable = 126
	statusNotFound    = 127
)

// Main starts the program, reaps until it has ended, and stops the machine.
//
// WHY the program is a child and never process 1 itself: process 1 gets no
// signal that it did not ask for, and adopts orphans; a program that expects
// neither would misbehave.
func Main(args []string) int {
	first := sys.Getpid() == 1
	if !first { // as a test on another system has it
		sys.Prctl(sys.SubreaperOption, 1)
	}
	for fd := range 3 { // for our own messages, where the kernel left us without
		if _, err := sys.Fcntl(fd, sys.F_GETFD, 0); err != nil {
			sys.Open(console, sys.O_RDWR, 0)
		}
	}
	argv := []string{"/bin/sh"}
	switch {
	case len(args) > 2 && args[1] == "--":
		argv = args[2:]
	case len(args) == 3 && args[1] == "-f":
		list, err := kit.ReadFile(args[2])
		if err != nil {
			kit.Complain("init", args[2], err)
			return stop(first, statusNotFound<<8)
		}
		argv = strings.Split(strings.TrimSuffix(string(list), "\x00"), "\x00")
	case len(args) > 1:
		return kit.BadUsage
	}
	pid, err := sys.Fork()
	if err != nil {
		kit.Complain("init", "fork", err)
		return stop(first, statusNotRunnable<<8)
	}
	if pid == 0 {
		sys.Exit(start(argv))
	}
	status := reapUntil(pid)
	reapRest(first)
	return stop(first, status)
}

// start turns the child into the program; it gives a status when it cannot.
func start(argv []string) int {
	sys.Setsid()
	for fd, name := range []string{envStdin, envStdout, envStderr} {
		if err := openAs(fd, device(name)); err != nil {
			return kit.Complain("init", device(name), err)
		}
	}
	sys.SetControllingTerminal(kit.Stdin) // fails where it is no terminal, or has an owner
	sys.Chdir("/")
	path := argv[0]
	if !strings.Contains(path, "/") {
		path = "/bin/" + path
	}
	err := sys.Exec(path, argv, programEnvironment(kit.Environ))
	kit.Complain("yolk", argv[0], err) // it was yolk run that was asked for it
	if err == sys.ENOENT || err == sys.ENOTDIR {
		return statusNotFound
	}
	return statusNotRunnable
}

// device is the path that the variable names, the console by default.
func device(variable string) string {
	if path := kit.Getenv(variable); path != "" {
		return path
	}
	return console
}

// openAs opens path as descriptor fd: 0 for reading, 1 and 2 for writing; the
// console both ways, since terminal programs read what they write to.
func openAs(fd int, path string) error {
	flags := sys.O_WRONLY | sys.O_APPEND
	if fd == kit.Stdin {
		flags = sys.O_RDONLY
	}
	if path == console {
		flags = sys.O_RDWR
	}
	opened, err := sys.Open(path, flags, 0)
	if err != nil || opened == fd {
		return err
	}
	defer sys.Close(opened)
	return sys.Dup2(opened, fd)
}

// programEnvironment is what the program gets: what came from the kernel's
// command line without init's own variables, and the basics where they lack.
func programEnvironment(environ []string) []string {
	var list []string
	has := map[string]bool{}
	for _, e := range environ {
		name, _, _ := strings.Cut(e, "=")
		if !strings.HasPrefix(name, envPrefix) {
			list = append(list, e)
			has[name] = true
		}
	}
	for _, e := range []string{"HOME=/", "PATH=/bin", "TERM=vt100"} {
		if name, _, _ := strings.Cut(e, "="); !has[name] {
			list = append(list, e)
		}
	}
	return list
}

// reapUntil reaps every child that ends until pid has, and gives its status.
func reapUntil(pid int) sys.WaitStatus {
	for {
		ended, status, err := sys.Wait4(-1, 0)
		if err == nil && ended == pid {
			return status
		}
		if err == sys.ECHILD {
			return statusNotRunnable << 8 // somebody else reaped it
		}
	}
}

// reapRest ends what is left and reaps it, so that every page is free again
// when the machine stops.  Only process 1 may: for it, -1 means everybody else.
func reapRest(first bool) {
	if !first {
		return
	}
	sys.Kill(-1, sys.SIGKILL)
	for {
		if _, _, err := sys.Wait4(-1, 0); err == sys.ECHILD {
			return
		}
	}
}

// stop hands the wait status to the host and stops the machine.  Where there is
// neither a device for that nor a machine of ours, init ends like the program.
func stop(first bool, status sys.WaitStatus) int {
	path := kit.Getenv(envExit)
	if path == "" {
		path = exitFile
	}
	fd, err := sys.Open(path, sys.O_WRONLY, 0)
	if err == nil {
		kit.Fprint(fd, uint32(status), "\n")
		sys.Close(fd)
	}
	if first {
		sys.Reboot(sys.RebootPowerOff)
	}
	return status.Code()
}
