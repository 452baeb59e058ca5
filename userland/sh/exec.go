package sh

import (
	"yolk/userland/kit"
	"yolk/userland/sys"
)

// Statuses that the shell itself gives (XCU 2.8.2).
const (
	statusSyntax      = 2
	statusNotRunnable = 126
	statusNotFound    = 127
)

// runList runs the items one after the other and gives the last one's status.
func (s *Shell) runList(list List) int {
	for _, it := range list {
		if s.unwinding() {
			break
		}
		if it.Background {
			s.status = s.background(it)
		} else {
			s.status = s.runItem(it)
		}
	}
	return s.status
}

// runItem runs a chain of && and ||.
func (s *Shell) runItem(it Item) int {
	s.status = s.runPipeline(it.First)
	for _, r := range it.Rest {
		if s.unwinding() {
			break
		}
		if (s.status == 0) == r.And {
			s.status = s.runPipeline(r.Pipe)
		}
	}
	return s.status
}

// background starts an item in a process of its own and does not wait for it.
func (s *Shell) background(it Item) int {
	pid, err := sys.Fork()
	if err != nil {
		return s.complain("fork", err)
	}
	if pid == 0 {
		s.enterChild()
		sys.SetSignal(sys.SIGINT, sys.SigIgn)
		sys.SetSignal(sys.SIGQUIT, sys.SigIgn)
		if fd, err := sys.Open("/dev/null", sys.O_RDONLY, 0); err == nil {
			moveFd(fd, kit.Stdin)
		}
		s.finish(it)
	}
	s.lastBackground = pid
	s.jobs[pid] = running
	if s.interactive {
		kit.Eprint("[", pid, "]\n")
	}
	return 0
}

// finish runs an item in a child that has nothing else to do, and exits.
//
// WHY the special case: a lone command needs no further process.
func (s *Shell) finish(it Item) {
	if len(it.Rest) == 0 && len(it.First) == 1 {
		sys.Exit(s.runCommand(it.First[0], true))
	}
	sys.Exit(s.runItem(it))
}

// runPipeline runs the commands of a pipeline side by side, waits for all, and
// gives the last one's status.  A lone command runs in the shell itself.
func (s *Shell) runPipeline(p Pipeline) int {
	if len(p) == 1 {
		return s.runCommand(p[0], false)
	}
	var pids []int
	input := -1 // the read end of the pipe before
	for i, c := range p {
		r, w := -1, -1
		if i < len(p)-1 {
			var err error
			if r, w, err = sys.Pipe2(sys.O_CLOEXEC); err != nil {
				s.complain("pipe", err)
				break
			}
		}
		pid, err := sys.Fork()
		if err == nil && pid == 0 {
			closeFd(r)
			moveFd(input, kit.Stdin)
			moveFd(w, kit.Stdout)
			s.enterChild()
			sys.Exit(s.runCommand(c, true))
		}
		closeFd(input)
		closeFd(w) // or the reader would never see the end
		input = r
		if err != nil {
			s.complain("fork", err)
			break
		}
		pids = append(pids, pid)
	}
	closeFd(input)
	status := 1
	for i, pid := range pids {
		status = s.wait(pid)
		if i < len(p)-1 {
			status = 1
		}
	}
	return status
}

// closeFd closes fd unless it is negative.
func closeFd(fd int) {
	if fd >= 0 {
		sys.Close(fd)
	}
}

// moveFd gives the open file fd the number to, for the program to inherit,
// unless fd is negative.
func moveFd(fd, to int) {
	switch {
	case fd == to && fd >= 0:
		sys.Fcntl(fd, sys.F_SETFD, 0)
	case fd >= 0:
		sys.Dup2(fd, to)
		sys.Close(fd)
	}
}

// capture runs a list in a child and gives what it prints (command substitution).
func (s *Shell) capture(list List) string {
	r, w, err := sys.Pipe2(sys.O_CLOEXEC)
	if err != nil {
		s.complain("pipe", err)
		return ""
	}
	pid, err := sys.Fork()
	if err == nil && pid == 0 {
		sys.Close(r)
		moveFd(w, kit.Stdout)
		s.enterChild()
		sys.Exit(s.runList(list))
	}
	sys.Close(w)
	defer sys.Close(r)
	if err != nil {
		s.complain("fork", err)
		return ""
	}
	out, _ := kit.ReadAll(r)
	s.captured = s.wait(pid)
	return string(out)
}

// runCommand runs one command with its redirections.  last says that the
// process has nothing to do afterwards, so that exec needs no fork.
func (s *Shell) runCommand(c Command, last bool) int {
	simple, ok := c.Body.(*Simple)
	if ok {
		return s.runSimple(simple, c.Redirs, last)
	}
	saved, err := s.redirect(c.Redirs, true)
	defer s.restore(saved)
	if err != nil {
		return 1
	}
	switch b := c.Body.(type) {
	case *If:
		return s.runIf(b)
	case *For:
		return s.runFor(b)
	default:
		return s.runWhile(b.(*While))
	}
}

// runIf runs the first arm whose condition holds.
func (s *Shell) runIf(c *If) int {
	for _, arm := range c.Arms {
		if cond := s.runList(arm.Cond); s.unwinding() {
			return cond
		} else if cond == 0 {
			return s.runList(arm.Then)
		}
	}
	s.status = 0
	return s.runList(c.Else)
}

// runFor runs the body once for each word.
func (s *Shell) runFor(c *For) int {
	words := s.args
	if c.HasIn {
		words = s.expand(c.Words)
	}
	s.status = 0
	s.loops++
	defer func() { s.loops-- }()
	for _, w := range words {
		s.set(c.Name, w)
		s.runList(c.Do)
		if s.leavesLoop() {
			break
		}
	}
	return s.status
}

// runWhile runs the body as long as the condition holds.  Its status is that of
// the body's last run, 0 when there was none.
func (s *Shell) runWhile(c *While) int {
	status := 0
	s.loops++
	defer func() { s.loops-- }()
	for {
		if cond := s.runList(c.Cond); !s.unwinding() {
			if cond != 0 {
				break
			}
			status = s.runList(c.Do)
		}
		if s.leavesLoop() {
			break
		}
	}
	return status
}

// runSimple runs assignments, a builtin or a program.
func (s *Shell) runSimple(c *Simple, redirs []Redir, last bool) int {
	s.captured = 0
	args := s.expand(c.Words)
	if len(args) == 0 {
		saved, err := s.redirect(redirs, true)
		s.restore(saved)
		if err != nil {
			return 1
		}
		for _, a := range c.Assigns {
			s.set(a.Name, s.expandOne(a.Value))
		}
		return s.captured
	}
	if builtin, ok := s.builtins[args[0]]; ok {
		saved, err := s.redirect(redirs, true)
		defer s.restore(saved)
		if err != nil {
			return 1
		}
		for _, a := range c.Assigns {
			s.set(a.Name, s.expandOne(a.Value))
		}
		return builtin(args)
	}
	if last {
		s.runProgram(c, args, redirs)
	}
	pid, err := sys.Fork()
	if err != nil {
		return s.complain("fork", err)
	}
	if pid == 0 {
		s.enterChild()
		s.runProgram(c, args, redirs)
	}
	return s.wait(pid)
}

// runProgram turns the process into the program args[0].  It does not return.
func (s *Shell) runProgram(c *Simple, args []string, redirs []Redir) {
	if _, err := s.redirect(redirs, false); err != nil {
		sys.Exit(1)
	}
	for _, a := range c.Assigns {
		s.vars[a.Name] = variable{s.expandOne(a.Value), true}
	}
	path, err := s.lookup(args[0])
	if err == nil {
		err = sys.Exec(path, args, s.environ())
	}
	if err == sys.ENOEXEC {
		sys.Exit(s.runFile(path, args[1:]))
	}
	if err == sys.ENOENT {
		kit.Eprint("sh: ", args[0], ": not found\n")
		sys.Exit(statusNotFound)
	}
	s.complain(args[0], err)
	sys.Exit(statusNotRunnable)
}

// lookup finds the file of the command name: as it is when it has a slash, else
// the first in the directories of $PATH that may be executed.
func (s *Shell) lookup(name string) (string, error) {
	if hasSlash(name) {
		if st, err := sys.Stat(name); err == nil && st.IsDir() {
			return "", sys.EACCES
		}
		return name, nil
	}
	found := error(sys.ENOENT)
	for _, dir := range s.searchPath() {
		path := joinPath(dir, name)
		st, err := sys.Stat(path)
		if err != nil || st.IsDir() {
			continue
		}
		if sys.Access(path, executable) == nil {
			return path, nil
		}
		found = sys.EACCES
	}
	return "", found
}

// executable is X_OK of access(2).
const executable = 1

// joinPath is dir/name; the empty directory is the working directory.
func joinPath(dir, name string) string {
	if dir == "" {
		return name
	}
	return dir + "/" + name
}

// savedFd is where a descriptor was put aside; copy is -1 when it was closed.
type savedFd struct{ fd, copy int }

// redirect opens the targets and puts them in place.  With save it gives what
// restore needs to undo that, also when it fails half-way.
func (s *Shell) redirect(redirs []Redir, save bool) (saved []savedFd, err error) {
	for _, r := range redirs {
		target := s.expandOne(r.Target)
		if save {
			copy, err := sys.Fcntl(r.Fd, sys.F_DUPFD_CLOEXEC, 10)
			if err != nil {
				copy = -1
			}
			saved = append(saved, savedFd{r.Fd, copy})
		}
		if err := apply(r, target); err != nil {
			s.complain(target, err)
			return saved, err
		}
	}
	return saved, nil
}

// apply does one redirection.
func apply(r Redir, target string) error {
	if r.Op == ">&" || r.Op == "<&" {
		switch {
		case target == "-":
			closeFd(r.Fd)
			return nil
		case len(target) == 1 && isDigit(target[0]):
			return sys.Dup2(int(target[0]-'0'), r.Fd)
		}
		return sys.EBADF
	}
	flags := map[string]int{
		"<":  sys.O_RDONLY,
		">":  sys.O_WRONLY | sys.O_CREAT | sys.O_TRUNC,
		">>": sys.O_WRONLY | sys.O_CREAT | sys.O_APPEND,
	}[r.Op]
	fd, err := sys.Open(target, flags, 0o666)
	if err != nil {
		return err
	}
	moveFd(fd, r.Fd)
	return nil
}

// restore undoes redirect, the last first.
func (s *Shell) restore(saved []savedFd) {
	for i := len(saved) - 1; i >= 0; i-- {
		if saved[i].copy < 0 {
			sys.Close(saved[i].fd)
		} else {
			moveFd(saved[i].copy, saved[i].fd)
		}
	}
}

// enterChild makes the shell a child that runs a part of the script: it asks
// nobody, owns no jobs, and dies of the signals that the shell survives.
func (s *Shell) enterChild() {
	if s.interactive {
		s.interactive = false
		for _, sig := range keyboardSignals {
			sys.SetSignal(sig, sys.SigDfl)
		}
	}
	s.loops = 0
	s.jobs = map[int]int{}
}

// wait waits for a child and gives its status as $? has it.  It says so when a
// signal ended the child, unless it is one that users send on purpose.
func (s *Shell) wait(pid int) int {
	status, err := kit.WaitFor(pid)
	if err != nil {
		return statusNotFound
	}
	switch {
	case !status.Signaled(), status.Signal() == sys.SIGPIPE:
	case status.Signal() == sys.SIGINT:
		s.interrupted = s.interactive
	default:
		kit.Eprint("sh: process ", pid, " was ended by signal ", status.Signal(), "\n")
	}
	return status.Code()
}
