package sh

import (
	"errors"
	"sort"
	"strings"

	"yolk/userland/kit"
	"yolk/userland/sys"
)

// How reading a line ends when it does not end in a line.
var (
	errEnd         = errors.New("end of input")
	errInterrupted = errors.New("interrupted")
)

// interact reads commands from the terminal until it ends.
//
// WHY SIGINT is counted while SIGQUIT and SIGTERM are ignored: Ctrl-C goes to
// the shell as well as to the program that it waits for, and has to end a loop
// of the shell's own, too.
func (s *Shell) interact() int {
	s.interactive = true
	if sys.CountSignal(sys.SIGINT, 0, 0) != nil {
		sys.SetSignal(sys.SIGINT, sys.SigIgn)
	}
	sys.SetSignal(sys.SIGQUIT, sys.SigIgn)
	sys.SetSignal(sys.SIGTERM, sys.SigIgn)
	return s.runLines(&terminal{shell: s, editor: editor{
		read: readByte, write: func(b []byte) { kit.WriteAll(kit.Stdout, b) }, complete: s.complete}})
}

// readByte reads one byte from the terminal.
func readByte() (byte, error) {
	var b [1]byte
	n, err := kit.Read(kit.Stdin, b[:])
	if err == nil && n == 0 {
		err = errEnd
	}
	return b[0], err
}

// terminal reads lines from the terminal through the editor.
type terminal struct {
	shell  *Shell
	editor editor
}

// readLine prompts for a line.  The terminal is raw only meanwhile: programs
// find it as they expect it.
func (t *terminal) readLine(more bool) (string, error) {
	s := t.shell
	s.reapJobs()
	s.interrupted, s.interrupts = false, sys.SignalCount(sys.SIGINT)
	prompt := "$ "
	if v, ok := s.vars["PS1"]; ok {
		prompt = v.value
	}
	if more {
		prompt = "> "
	}
	cooked, err := sys.GetTermios(kit.Stdin)
	if err != nil {
		return "", errEnd
	}
	sys.SetTermios(kit.Stdin, cooked.Raw())
	defer sys.SetTermios(kit.Stdin, cooked)
	t.editor.columns = sys.WindowColumns(kit.Stdout)
	return t.editor.readLine(prompt)
}

// complete gives what the last word of line could become, and where that word
// begins: commands where a command stands, else files.
func (s *Shell) complete(line string) (start int, names []string) {
	start = strings.LastIndexAny(line, " \t|&;<>()") + 1
	word := line[start:]
	before := strings.TrimRight(line[:start], " \t")
	if !hasSlash(word) && (before == "" || strings.ContainsAny(before[len(before)-1:], "|&;(")) {
		return start, s.commandsWith(word)
	}
	slash := strings.LastIndexByte(word, '/') + 1
	dir := word[:slash]
	if dir == "" {
		dir = "."
	}
	for _, name := range s.files.list(dir) {
		if strings.HasPrefix(name, word[slash:]) && (name[0] != '.' || len(word) > slash) {
			path := word[:slash] + name
			if s.files.isDir(path) {
				path += "/"
			}
			names = append(names, path)
		}
	}
	sort.Strings(names)
	return start, names
}

// commandsWith lists the builtins and the programs in $PATH that begin with word.
func (s *Shell) commandsWith(word string) []string {
	found := map[string]bool{}
	for name := range s.builtins {
		found[name] = true
	}
	for _, dir := range s.searchPath() {
		for _, name := range s.files.list(dir) {
			found[name] = true
		}
	}
	var names []string
	for name := range found {
		if strings.HasPrefix(name, word) {
			names = append(names, name)
		}
	}
	sort.Strings(names)
	return names
}
