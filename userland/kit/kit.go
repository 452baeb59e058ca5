// Package kit is the little that the programs share: what a program is, how it
// prints, how it complains.
//
// Printing goes straight to a descriptor, one write(2) a call.  WHY no buffer:
// a buffer that is full when a process forks is in both processes afterwards,
// and comes out twice.
package kit

import (
	"strings"

	"yolk/userland/sys"
)

// A Prog is one program of the multi-call binary.
type Prog struct {
	Name  string // as in argv[0], without directories
	Usage string // the arguments, in the notation of man pages
	Help  string // one line on what it is for
	// Main runs the program with args[0] its name and gives its exit status.
	Main func(args []string) int
}

// Descriptors that every program starts with.
const (
	Stdin  = 0
	Stdout = 1
	Stderr = 2
)

// Environ holds the strings name=value that the process was started with; the
// main program fills it before any Prog runs.
var Environ []string

// Getenv is the value of an environment variable, "" when it is not set.
func Getenv(name string) string {
	for _, e := range Environ {
		if v, ok := strings.CutPrefix(e, name+"="); ok {
			return v
		}
	}
	return ""
}

// Print writes the arguments, formatted by [Format], to standard output.
func Print(args ...any) error { return Fprint(Stdout, args...) }

// Eprint writes the arguments, formatted by [Format], to standard error.
func Eprint(args ...any) error { return Fprint(Stderr, args...) }

// Fprint writes the arguments, formatted by [Format], to fd.
func Fprint(fd int, args ...any) error { return WriteAll(fd, Append(nil, args...)) }

// WriteAll writes all of b, however many calls it takes and signals come.
func WriteAll(fd int, b []byte) error {
	for len(b) > 0 {
		n, err := sys.Write(fd, b)
		if err == sys.EINTR {
			continue
		}
		if err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}

// Read reads from fd, again when a signal interrupts it.
func Read(fd int, b []byte) (int, error) {
	for {
		n, err := sys.Read(fd, b)
		if err != sys.EINTR {
			return n, err
		}
	}
}

// ReadAll reads fd to its end.
func ReadAll(fd int) ([]byte, error) {
	var all []byte
	buf := make([]byte, 4096)
	for {
		n, err := Read(fd, buf)
		if err != nil || n == 0 {
			return all, err
		}
		all = append(all, buf[:n]...)
	}
}

// ReadFile reads the whole file at path.
func ReadFile(path string) ([]byte, error) {
	fd, err := sys.Open(path, sys.O_RDONLY|sys.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	defer sys.Close(fd)
	return ReadAll(fd)
}

// WriteFile makes or replaces the file at path; mode is for a new one.
func WriteFile(path string, b []byte, mode int) error {
	fd, err := sys.Open(path, sys.O_WRONLY|sys.O_CREAT|sys.O_TRUNC|sys.O_CLOEXEC, mode)
	if err != nil {
		return err
	}
	defer sys.Close(fd)
	return WriteAll(fd, b)
}

// Complain writes "program: what: reason" to standard error and gives 1, the
// exit status of a program that failed.
func Complain(program, what string, err error) int {
	Eprint(program, ": ", what, ": ", err, "\n")
	return 1
}

// BadUsage is what a program's Main gives when it was called wrongly; [Prog.Run]
// turns it into words and exit status 2.
const BadUsage = -1

// Run runs the program and gives its exit status.
func (p Prog) Run(args []string) int {
	status := p.Main(args)
	if status == BadUsage {
		Eprint("usage: ", p.Name, " ", p.Usage, "\n")
		return 2
	}
	return status
}

// WaitFor waits for the child pid, however many signals come, and gives its status.
func WaitFor(pid int) (sys.WaitStatus, error) {
	for {
		_, status, err := sys.Wait4(pid, 0)
		if err != sys.EINTR {
			return status, err
		}
	}
}
