package sh

import (
	"strconv"
	"strings"
)

// Expansion turns a Word into the strings that a command gets, in the order
// that POSIX lays down (XCU 2.6): parameters and command substitutions, then
// splitting of what came from unquoted ones, then globbing of what was not
// quoted, then the quotes are gone.
//
// A field under construction is kept twice: as the text that it stands for, and
// as a pattern in which a backslash stands before each quoted character that
// would mean something to the globber.

// A field is one string under construction.
type field struct {
	text, pattern []byte
}

// fields collects the strings that a word becomes.
type fields struct {
	done []field
	cur  field
	open bool // cur is a field, though perhaps an empty one
}

// end closes the field under construction, if there is one.
func (f *fields) end() {
	if f.open {
		f.done = append(f.done, f.cur)
	}
	f.cur, f.open = field{}, false
}

// quoted appends text that is neither split nor globbed.
func (f *fields) quoted(text string) {
	f.open = true
	for i := range len(text) {
		f.cur.text = append(f.cur.text, text[i])
		if strings.IndexByte(`*?[]\-!`, text[i]) >= 0 {
			f.cur.pattern = append(f.cur.pattern, '\\')
		}
		f.cur.pattern = append(f.cur.pattern, text[i])
	}
}

// plain appends text that may be globbed but is not split: a literal.
func (f *fields) plain(text string) {
	f.open = true
	f.cur.text = append(f.cur.text, text...)
	f.cur.pattern = append(f.cur.pattern, text...)
}

// split appends the value of an unquoted expansion: blanks in it end fields.
func (f *fields) split(text string) {
	for i := range len(text) {
		if c := text[i]; c == ' ' || c == '\t' || c == '\n' {
			f.end()
		} else {
			f.plain(text[i : i+1])
		}
	}
}

// expand gives the arguments that words become.
func (s *Shell) expand(words []Word) []string {
	var args []string
	for _, w := range words {
		for _, f := range s.expandWord(w).done {
			names := s.files.glob(string(f.pattern))
			if len(names) == 0 {
				names = []string{string(f.text)}
			}
			args = append(args, names...)
		}
	}
	return args
}

// expandOne gives the one string that a word becomes where nothing is split or
// globbed: the value of an assignment, the target of a redirection.
func (s *Shell) expandOne(w Word) string {
	whole := make(Word, len(w))
	for i, p := range w {
		p.Quoted = true
		if p.Kind == Param && p.Text == "@" {
			p.Text = "*"
		}
		whole[i] = p
	}
	var text []byte
	for _, f := range s.expandWord(whole).done {
		text = append(text, f.text...)
	}
	return string(text)
}

// expandWord expands and splits one word.
func (s *Shell) expandWord(w Word) *fields {
	f := &fields{}
	for _, p := range w {
		switch {
		case p.Kind == Literal && p.Quoted:
			f.quoted(p.Text)
		case p.Kind == Literal:
			f.plain(p.Text)
		case p.Kind == Param && (p.Text == "@" || p.Text == "*" && !p.Quoted):
			s.expandArgs(f, p.Quoted)
		default:
			if value := s.value(p); p.Quoted {
				f.quoted(value)
			} else {
				f.split(value)
			}
		}
	}
	f.end()
	return f
}

// expandArgs expands "$@" (quoted: each argument is a field as it is) and $@ or
// $* (each is split further).
func (s *Shell) expandArgs(f *fields, quoted bool) {
	for i, a := range s.args {
		if i > 0 {
			f.end()
		}
		if quoted {
			f.quoted(a)
		} else {
			f.split(a)
		}
	}
}

// value is what a parameter or a command substitution stands for.
func (s *Shell) value(p Part) string {
	if p.Kind == CmdSubst {
		return strings.TrimRight(s.capture(p.Cmd), "\n")
	}
	switch name := p.Text; {
	case name == "*":
		return strings.Join(s.args, " ")
	case name == "#":
		return strconv.Itoa(len(s.args))
	case name == "?":
		return strconv.Itoa(s.status)
	case name == "$":
		return strconv.Itoa(s.pid)
	case name == "!" && s.lastBackground == 0:
		return ""
	case name == "!":
		return strconv.Itoa(s.lastBackground)
	case name == "0":
		return s.name
	case isDigit(name[0]):
		if n, err := strconv.Atoi(name); err == nil && n <= len(s.args) {
			return s.args[n-1]
		}
		return ""
	default:
		return s.vars[name].value
	}
}
