// Package coreutils holds the small everyday programs: each does one thing, with the
// few options that a session needs.
package coreutils

import (
	"strconv"
	"strings"

	"yolk/userland/kit"
	"yolk/userland/sys"
)

// Progs are the programs of this package.
func Progs() []kit.Prog {
	return []kit.Prog{
		{Name: "cat", Usage: "[FILE…]", Help: "copy files to standard output", Main: cat},
		{Name: "echo", Usage: "[-n] [TEXT…]", Help: "print the arguments", Main: echo},
		{Name: "false", Help: "fail", Main: func([]string) int { return 1 }},
		{Name: "free", Help: "show how much memory is free", Main: free},
		{Name: "kill", Usage: "[-SIGNAL] PID…", Help: "send a signal to processes", Main: kill},
		{Name: "ls", Usage: "[-al] [FILE…]", Help: "list directories", Main: ls},
		{Name: "mkdir", Usage: "[-p] DIR…", Help: "make directories", Main: mkdir},
		{Name: "ps", Help: "list the processes", Main: ps},
		{Name: "rm", Usage: "[-fr] FILE…", Help: "remove files", Main: rm},
		{Name: "sleep", Usage: "SECONDS", Help: "do nothing for a while", Main: sleep},
		{Name: "true", Help: "succeed", Main: func([]string) int { return 0 }},
		{Name: "wc", Usage: "[-clw] [FILE…]", Help: "count lines, words and bytes", Main: wc},
	}
}

// options splits args into the letters of its options, all of which must be in
// known, and the rest; "--" ends the options.
func options(args []string, known string) (letters string, rest []string, ok bool) {
	rest = args[1:]
	for len(rest) > 0 && len(rest[0]) > 1 && rest[0][0] == '-' {
		word := rest[0][1:]
		rest = rest[1:]
		if word == "-" {
			break
		}
		if strings.Trim(word, known) != "" {
			return "", nil, false
		}
		letters += word
	}
	return letters, rest, true
}

// echo prints its arguments with blanks between them.
func echo(args []string) int {
	words, end := args[1:], "\n"
	if len(words) > 0 && words[0] == "-n" {
		words, end = words[1:], ""
	}
	if err := kit.Print(strings.Join(words, " "), end); err != nil {
		return kit.Complain(args[0], "write", err)
	}
	return 0
}

// eachFile calls do with each file opened, or with standard input when there is
// none, and complains about what fails.
func eachFile(program string, files []string, do func(name string, fd int) error) int {
	if len(files) == 0 {
		files = []string{"-"}
	}
	status := 0
	for _, name := range files {
		fd, err := kit.Stdin, error(nil)
		if name != "-" {
			fd, err = sys.Open(name, sys.O_RDONLY, 0)
		}
		if err == nil {
			err = do(name, fd)
		}
		if err != nil {
			status = kit.Complain(program, name, err)
		}
		if fd > kit.Stderr {
			sys.Close(fd)
		}
	}
	return status
}

// cat copies files to standard output.
func cat(args []string) int {
	buf := make([]byte, 16<<10)
	return eachFile(args[0], args[1:], func(_ string, fd int) error {
		for {
			n, err := kit.Read(fd, buf)
			if err != nil || n == 0 {
				return err
			}
			if err := kit.WriteAll(kit.Stdout, buf[:n]); err != nil {
				return err
			}
		}
	})
}

// counts is what wc counts.
type counts struct{ lines, words, bytes int }

// add counts what is in b; inWord says whether the byte before it was in a word.
func (c *counts) add(b []byte, inWord bool) bool {
	c.bytes += len(b)
	for _, x := range b {
		blank := x == ' ' || '\t' <= x && x <= '\r'
		if x == '\n' {
			c.lines++
		}
		if !blank && !inWord {
			c.words++
		}
		inWord = !blank
	}
	return inWord
}

// print prints the counts that the letters ask for, all when there are none.
func (c counts) print(letters, name string) {
	var columns []string
	for i, n := range []int{c.lines, c.words, c.bytes} {
		if letters == "" || strings.IndexByte(letters, "lwc"[i]) >= 0 {
			columns = append(columns, strconv.Itoa(n))
		}
	}
	if name != "-" {
		columns = append(columns, name)
	}
	kit.Print(strings.Join(columns, " "), "\n")
}

// wc counts lines, words and bytes.
func wc(args []string) int {
	letters, files, ok := options(args, "clw")
	if !ok {
		return kit.BadUsage
	}
	buf := make([]byte, 16<<10)
	var total counts
	status := eachFile(args[0], files, func(name string, fd int) error {
		var c counts
		for inWord := false; ; {
			n, err := kit.Read(fd, buf)
			if err != nil {
				return err
			}
			if n == 0 {
				break
			}
			inWord = c.add(buf[:n], inWord)
		}
		c.print(letters, name)
		total = counts{total.lines + c.lines, total.words + c.words, total.bytes + c.bytes}
		return nil
	})
	if len(files) > 1 {
		total.print(letters, "total")
	}
	return status
}

// mkdir makes directories; with -p also their parents, and those that are there
// already are no error.
func mkdir(args []string) int {
	letters, dirs, ok := options(args, "p")
	if !ok || len(dirs) == 0 {
		return kit.BadUsage
	}
	status := 0
	for _, dir := range dirs {
		for i := 1; letters != "" && i < len(dir); i++ {
			if dir[i] == '/' {
				sys.Mkdir(dir[:i], 0o777)
			}
		}
		err := sys.Mkdir(dir, 0o777)
		if st, _ := sys.Stat(dir); err == sys.EEXIST && letters != "" && st.IsDir() {
			err = nil
		}
		if err != nil {
			status = kit.Complain(args[0], dir, err)
		}
	}
	return status
}

// rm removes files; with -r whole trees, with -f without a word about what is
// not there.
func rm(args []string) int {
	letters, files, ok := options(args, "fr")
	if !ok || len(files) == 0 {
		return kit.BadUsage
	}
	recursive, force := strings.Contains(letters, "r"), strings.Contains(letters, "f")
	status := 0
	for _, f := range files {
		if err := remove(f, recursive); err != nil && !(force && err == sys.ENOENT) {
			status = kit.Complain(args[0], f, err)
		}
	}
	return status
}

// remove removes a file, or a directory with all in it.
func remove(path string, recursive bool) error {
	st, err := sys.Lstat(path)
	if err != nil {
		return err
	}
	if !st.IsDir() {
		return sys.Unlink(path)
	}
	if !recursive {
		return sys.EISDIR
	}
	entries, err := sys.ReadDir(path)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := remove(path+"/"+e.Name, true); err != nil {
			return err
		}
	}
	return sys.Rmdir(path)
}

// signalNames are those that kill knows besides numbers.
var signalNames = map[string]int{
	"HUP": sys.SIGHUP, "INT": sys.SIGINT, "QUIT": sys.SIGQUIT, "KILL": sys.SIGKILL,
	"USR1": sys.SIGUSR1, "USR2": sys.SIGUSR2, "TERM": sys.SIGTERM, "CHLD": sys.SIGCHLD,
	"CONT": sys.SIGCONT, "STOP": sys.SIGSTOP,
}

// kill sends a signal, SIGTERM unless another is given, to processes.
func kill(args []string) int {
	sig, pids := sys.SIGTERM, args[1:]
	if len(pids) > 0 && len(pids[0]) > 1 && pids[0][0] == '-' {
		name := strings.TrimPrefix(pids[0][1:], "SIG")
		var known bool
		if sig, known = signalNames[name]; !known {
			n, err := strconv.Atoi(name)
			if err != nil {
				return kit.BadUsage
			}
			sig = n
		}
		pids = pids[1:]
	}
	if len(pids) == 0 {
		return kit.BadUsage
	}
	status := 0
	for _, p := range pids {
		pid, err := strconv.Atoi(p)
		if err == nil {
			err = sys.Kill(pid, sig)
		}
		if err != nil {
			status = kit.Complain(args[0], p, err)
		}
	}
	return status
}

// sleep sleeps for a number of seconds, which may have a fraction.
func sleep(args []string) int {
	if len(args) != 2 {
		return kit.BadUsage
	}
	ns, ok := parseSeconds(args[1])
	if !ok {
		return kit.BadUsage
	}
	sys.Sleep(ns)
	return 0
}

// parseSeconds reads a decimal fraction of seconds as nanoseconds.
func parseSeconds(text string) (ns int64, ok bool) {
	whole, fraction, _ := strings.Cut(text, ".")
	fraction = (fraction + "000000000")[:9]
	s, err1 := strconv.ParseUint("0"+whole, 10, 31)
	f, err2 := strconv.ParseUint(fraction, 10, 31)
	return int64(s)*1e9 + int64(f), err1 == nil && err2 == nil && text != "" && text != "."
}
