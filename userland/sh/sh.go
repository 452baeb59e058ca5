// Package sh is the shell: it reads commands, and turns each into processes.
//
// A script goes through four stages, a file each: the lexer cuts it into
// tokens, the parser builds a tree ([List]), expansion turns words into
// arguments, and the executor forks, redirects and execs.  Beside them stand
// the builtins, which must run in the shell's own process, and the line editor.
package sh

import (
	"sort"
	"strings"

	"yolk/userland/kit"
	"yolk/userland/sys"
)

// Prog is the program sh.
var Prog = kit.Prog{Name: "sh", Usage: "[FILE [ARG…] | -c COMMANDS [NAME [ARG…]]]",
	Help: "read commands and run them", Main: Main}

// A variable is a shell variable; exported ones are in programs' environment.
type variable struct {
	value    string
	exported bool
}

// flow says why commands are being skipped.
type flow uint8

// The reasons.
const (
	straight  flow = iota // none are
	leaveLoop             // break
	nextRound             // continue
)

// A Shell is the state of one shell process.
type Shell struct {
	name           string   // $0
	args           []string // $1…
	vars           map[string]variable
	status         int         // $?
	captured       int         // status of the last command substitution
	pid            int         // $$, also in children
	lastBackground int         // $!
	jobs           map[int]int // background processes: status, or running
	files          fileSystem
	builtins       map[string]func(args []string) int

	interactive bool
	interrupts  uint32 // how many SIGINTs the current line began with
	interrupted bool   // Ctrl-C: back to the prompt
	loops       int    // how many loops run around the current command
	flow        flow
	levels      int // how many loops flow still has to reach
}

// keyboardSignals are those that an interactive shell survives.
var keyboardSignals = []int{sys.SIGINT, sys.SIGQUIT, sys.SIGTERM}

// Main is the program.
func Main(args []string) int {
	s := New(kit.Environ)
	s.name = args[0]
	switch {
	case len(args) > 2 && args[1] == "-c":
		if len(args) > 3 {
			s.name, s.args = args[3], args[4:]
		}
		return s.runText(args[2])
	case len(args) > 1 && args[1][0] != '-':
		return s.runFile(args[1], args[2:])
	case len(args) > 1:
		return kit.BadUsage
	case sys.IsTerminal(kit.Stdin):
		return s.interact()
	}
	return s.runLines(&lineReader{fd: kit.Stdin})
}

// New makes a shell whose variables are the environment's.
func New(environment []string) *Shell {
	s := &Shell{vars: map[string]variable{}, jobs: map[int]int{}, pid: sys.Getpid(), files: kernelFiles()}
	s.builtins = s.builtinTable()
	for _, e := range environment {
		if name, value, ok := strings.Cut(e, "="); ok && isName(name) {
			s.vars[name] = variable{value, true}
		}
	}
	return s
}

// runFile runs the script in a file with the arguments given.
func (s *Shell) runFile(path string, args []string) int {
	text, err := kit.ReadFile(path)
	if err != nil {
		s.complain(path, err)
		return statusNotFound
	}
	if strings.IndexByte(string(text[:min(len(text), 256)]), 0) >= 0 {
		s.complain(path, sys.ENOEXEC) // a damaged program, not a script
		return statusNotRunnable
	}
	s.name, s.args = path, args
	return s.runText(string(text))
}

// runText runs a whole script.
func (s *Shell) runText(text string) int {
	p := newParser(text)
	for {
		list, ok, err := p.next()
		if err != nil {
			kit.Eprint("sh: ", s.name, ": ", err, "\n")
			return statusSyntax
		}
		if !ok {
			return s.status
		}
		s.runTop(list)
	}
}

// runTop runs a list that stands in no loop.
func (s *Shell) runTop(list List) {
	s.runList(list)
	s.flow = straight
}

// lines is where commands come from, line by line; more says that the line
// before was not complete.  It ends with an error.
type lines interface {
	readLine(more bool) (string, error)
}

// runLines runs commands as their lines come in.
func (s *Shell) runLines(in lines) int {
	for text := ""; ; {
		line, err := in.readLine(text != "")
		if err == errInterrupted {
			text = ""
			continue
		}
		if err != nil && text == "" && line == "" {
			return s.status
		}
		text += line
		if !s.runComplete(&text, err != nil) && !s.interactive {
			return statusSyntax
		}
	}
}

// runComplete runs the commands in text if they are complete, and empties it.
// At the end of the input what is not complete is an error.
func (s *Shell) runComplete(text *string, end bool) bool {
	p := newParser(*text)
	var lists []List
	for {
		list, ok, err := p.next()
		if err == errIncomplete && !end {
			return true
		}
		if err != nil {
			kit.Eprint("sh: ", err, "\n")
			s.status, *text = statusSyntax, ""
			return false
		}
		if !ok {
			break
		}
		lists = append(lists, list)
	}
	*text = ""
	for _, list := range lists {
		s.runTop(list)
	}
	return true
}

// lineReader reads lines from a descriptor.
//
// WHY byte by byte: what follows the line belongs to the programs that the line
// starts, which read the same descriptor.
type lineReader struct{ fd int }

// readLine reads up to a newline or the end.
func (r *lineReader) readLine(bool) (string, error) {
	var line []byte
	var b [1]byte
	for {
		n, err := kit.Read(r.fd, b[:])
		if err != nil || n == 0 {
			return string(line), errEnd
		}
		line = append(line, b[0])
		if b[0] == '\n' {
			return string(line), nil
		}
	}
}

// set assigns a variable; an exported one stays exported.
func (s *Shell) set(name, value string) {
	s.vars[name] = variable{value, s.vars[name].exported}
}

// environ is the environment that programs get, sorted by name.
func (s *Shell) environ() []string {
	var list []string
	for name, v := range s.vars {
		if v.exported {
			list = append(list, name+"="+v.value)
		}
	}
	sort.Strings(list)
	return list
}

// searchPath is the directories of $PATH.
func (s *Shell) searchPath() []string {
	if v, ok := s.vars["PATH"]; ok {
		return strings.Split(v.value, ":")
	}
	return []string{"/bin"}
}

// hasSlash tells whether the command's name is a path.
func hasSlash(name string) bool { return strings.Contains(name, "/") }

// unwinding tells whether commands are to be skipped: on the way to a loop, or
// back to the prompt.
func (s *Shell) unwinding() bool {
	if s.interactive && sys.SignalCount(sys.SIGINT) != s.interrupts {
		s.interrupted = true
	}
	return s.flow != straight || s.interrupted
}

// leavesLoop is asked by a loop after each round: it tells whether the loop
// ends here, and lets a `continue` that was meant for it end.
func (s *Shell) leavesLoop() bool {
	if !s.unwinding() || s.interrupted {
		return s.interrupted
	}
	s.levels--
	if s.levels > 0 {
		return true
	}
	leaves := s.flow == leaveLoop
	s.flow = straight
	return leaves
}

// complain says on standard error what failed and why, and gives status 1.
func (s *Shell) complain(what string, err error) int { return kit.Complain("sh", what, err) }

// usage says on standard error what is wrong with a builtin's arguments.
func (s *Shell) usage(msg string) int {
	kit.Eprint("sh: ", msg, "\n")
	return statusSyntax
}
