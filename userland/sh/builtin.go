package sh

import (
	"sort"
	"strconv"
	"strings"

	"yolk/userland/kit"
	"yolk/userland/sys"
)

// builtinTable lists the commands that run in the shell's own process, because
// they change it; anything else is a program.
func (s *Shell) builtinTable() map[string]func(args []string) int {
	return map[string]func([]string) int{
		":":        func([]string) int { return 0 },
		"break":    func(args []string) int { return s.jump(leaveLoop, args) },
		"cd":       s.cd,
		"continue": func(args []string) int { return s.jump(nextRound, args) },
		"exit":     s.exit,
		"export":   s.export,
		"pwd":      s.pwd,
		"shift":    s.shift,
		"unset":    s.unset,
		"wait":     s.waitJobs,
	}
}

// cd changes the working directory; without an argument, to $HOME.
func (s *Shell) cd(args []string) int {
	dir := s.vars["HOME"].value
	if len(args) > 1 {
		dir = args[1]
	}
	if err := sys.Chdir(dir); err != nil {
		return s.complain("cd: "+dir, err)
	}
	return 0
}

// pwd prints the working directory.
func (s *Shell) pwd([]string) int {
	dir, err := sys.Getcwd()
	if err != nil {
		return s.complain("pwd", err)
	}
	kit.Print(dir, "\n")
	return 0
}

// exit ends the shell, with the status of the last command unless one is given.
func (s *Shell) exit(args []string) int {
	status := s.status
	if len(args) > 1 {
		n, err := strconv.Atoi(args[1])
		if err != nil {
			return s.usage("exit: " + args[1] + ": bad number")
		}
		status = n
	}
	sys.Exit(status)
	return status
}

// export marks variables for the environment of programs: `export name[=value]…`.
func (s *Shell) export(args []string) int {
	for _, a := range args[1:] {
		name, value, given := strings.Cut(a, "=")
		if !isName(name) {
			return s.usage("export: " + a + ": bad name")
		}
		if !given {
			value = s.vars[name].value
		}
		s.vars[name] = variable{value, true}
	}
	if len(args) == 1 {
		list := s.environ()
		sort.Strings(list)
		for _, v := range list {
			kit.Print("export ", v, "\n")
		}
	}
	return 0
}

// unset removes variables.
func (s *Shell) unset(args []string) int {
	for _, name := range args[1:] {
		delete(s.vars, name)
	}
	return 0
}

// shift drops the first arguments: one, or as many as given.
func (s *Shell) shift(args []string) int {
	n, ok := optionalNumber(args)
	if !ok || n > len(s.args) {
		return s.usage("shift: bad number")
	}
	s.args = s.args[n:]
	return 0
}

// jump begins to unwind to a loop, the innermost or as many out as given.
func (s *Shell) jump(how flow, args []string) int {
	n, ok := optionalNumber(args)
	if !ok || n == 0 {
		return s.usage(args[0] + ": bad number")
	}
	if s.loops > 0 {
		s.flow, s.levels = how, min(n, s.loops)
	}
	return 0
}

// optionalNumber is the number args[1], or 1 when there is none.
func optionalNumber(args []string) (n int, ok bool) {
	if len(args) < 2 {
		return 1, true
	}
	n, err := strconv.Atoi(args[1])
	return n, err == nil && n >= 0
}

// waitJobs waits for the processes given and reports the last one's status, or
// for all that run in the background.
func (s *Shell) waitJobs(args []string) int {
	if len(args) == 1 {
		for pid := range s.jobs {
			s.waitJob(pid)
		}
		return 0
	}
	status := 0
	for _, a := range args[1:] {
		pid, err := strconv.Atoi(a)
		if err != nil {
			return s.usage("wait: " + a + ": bad process number")
		}
		status = s.waitJob(pid)
	}
	return status
}

// running in the table of jobs says that the process was not waited for yet.
const running = -1

// waitJob gives the status of a background process, once; 127 when it is not ours.
func (s *Shell) waitJob(pid int) int {
	status, ours := s.jobs[pid]
	if !ours {
		return statusNotFound
	}
	delete(s.jobs, pid)
	if status == running {
		status = s.wait(pid)
	}
	return status
}

// reapJobs collects, without waiting, the background processes that have ended.
func (s *Shell) reapJobs() {
	for pid, status := range s.jobs {
		if status != running {
			continue
		}
		if got, w, err := sys.Wait4(pid, sys.WNOHANG); err == nil && got == pid {
			s.jobs[pid] = w.Code()
			kit.Eprint("[", pid, "] done, status ", w.Code(), "\n")
		}
	}
}
