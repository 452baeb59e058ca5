package sh

import "strings"

// tokenKind says what a token is.
type tokenKind uint8

// The kinds of tokens.
const (
	tokEOF tokenKind = iota
	tokNewline
	tokWord
	tokOp
)

// A token is a word or an operator of the script.
type token struct {
	kind tokenKind
	op   string // of tokOp
	word Word   // of tokWord
	fd   int    // of an operator < or >: the number before it, or -1
	line int    // where it stands
}

// text is the token as an error message names it.
func (t token) text() string {
	switch t.kind {
	case tokEOF:
		return "end of file"
	case tokNewline:
		return "newline"
	case tokOp:
		return t.op
	}
	if b := t.word.bare(); b != "" {
		return b
	}
	return "word"
}

// operators, longest first: the first that the text starts with is taken.
var operators = []string{"&&", "||", ">>", ">&", "<&", "|", "&", ";", "<", ">", "(", ")"}

// A lexer cuts a script into tokens, one at a time.
type lexer struct {
	src  string
	pos  int
	line int // of pos, from 1
}

// next gives the token at pos and moves behind it.
func (l *lexer) next() (token, error) {
	l.skipBlank()
	line := l.line
	t, err := l.token()
	t.line = line
	return t, err
}

// token is next without the blanks and the line.
func (l *lexer) token() (token, error) {
	if l.pos == len(l.src) {
		return token{kind: tokEOF}, nil
	}
	if l.src[l.pos] == '\n' {
		l.pos++
		l.line++
		return token{kind: tokNewline}, nil
	}
	if op := l.operator(); op != "" {
		return token{kind: tokOp, op: op, fd: -1}, nil
	}
	if fd := l.number(); fd >= 0 {
		return token{kind: tokOp, op: l.operator(), fd: fd}, nil
	}
	w, err := l.word()
	return token{kind: tokWord, word: w}, err
}

// skipBlank moves over blanks, comments and newlines behind a backslash.
func (l *lexer) skipBlank() {
	for l.pos < len(l.src) {
		switch {
		case l.src[l.pos] == ' ' || l.src[l.pos] == '\t':
			l.pos++
		case l.src[l.pos] == '#':
			for l.pos < len(l.src) && l.src[l.pos] != '\n' {
				l.pos++
			}
		case strings.HasPrefix(l.src[l.pos:], "\\\n"):
			l.pos += 2
			l.line++
		default:
			return
		}
	}
}

// operator moves over an operator, if one stands here.
func (l *lexer) operator() string {
	for _, op := range operators {
		if strings.HasPrefix(l.src[l.pos:], op) {
			l.pos += len(op)
			return op
		}
	}
	return ""
}

// number moves over a digit, if one stands here right before < or >; else -1.
func (l *lexer) number() int {
	if l.pos+1 < len(l.src) && isDigit(l.src[l.pos]) && (l.src[l.pos+1] == '<' || l.src[l.pos+1] == '>') {
		l.pos++
		return int(l.src[l.pos-1] - '0')
	}
	return -1
}

// word reads a word: up to a blank, newline or operator that is not quoted.
func (l *lexer) word() (Word, error) {
	var w Word
	for l.pos < len(l.src) && !strings.ContainsRune(" \t\n|&;<>()", rune(l.src[l.pos])) {
		var err error
		switch c := l.src[l.pos]; c {
		case '\\':
			w, err = l.backslash(w)
		case '\'':
			w, err = l.singleQuoted(w)
		case '"':
			w, err = l.doubleQuoted(w)
		case '$':
			w, err = l.dollar(w, false)
		default:
			w = w.add(c, false)
			l.pos++
		}
		if err != nil {
			return nil, err
		}
	}
	return w, nil
}

// add appends a byte to the word's last part, or opens a new part for it.
func (w Word) add(c byte, quoted bool) Word {
	if n := len(w); n > 0 && w[n-1].Kind == Literal && w[n-1].Quoted == quoted {
		w[n-1].Text += string([]byte{c})
		return w
	}
	return append(w, Part{Kind: Literal, Quoted: quoted, Text: string([]byte{c})})
}

// backslash reads an unquoted backslash and what it quotes.
func (l *lexer) backslash(w Word) (Word, error) {
	l.pos++
	if l.pos == len(l.src) {
		return nil, errIncomplete
	}
	c := l.src[l.pos]
	l.pos++
	if c == '\n' { // the line goes on
		l.line++
		return w, nil
	}
	return w.add(c, true), nil
}

// singleQuoted reads '…'.
func (l *lexer) singleQuoted(w Word) (Word, error) {
	n := strings.IndexByte(l.src[l.pos+1:], '\'')
	if n < 0 {
		return nil, errIncomplete
	}
	text := l.src[l.pos+1 : l.pos+1+n]
	l.pos += n + 2
	l.line += strings.Count(text, "\n")
	return append(w, Part{Kind: Literal, Quoted: true, Text: text}), nil
}

// doubleQuoted reads "…", in which $ and some backslashes mean something.
func (l *lexer) doubleQuoted(w Word) (Word, error) {
	l.pos++
	before := len(w)
	for l.pos < len(l.src) {
		c := l.src[l.pos]
		switch {
		case c == '"':
			l.pos++
			if len(w) == before { // "" is a word too
				w = append(w, Part{Kind: Literal, Quoted: true})
			}
			return w, nil
		case c == '$':
			var err error
			if w, err = l.dollar(w, true); err != nil {
				return nil, err
			}
			continue
		case c == '\\' && l.pos+1 < len(l.src) && strings.IndexByte("$`\"\\\n", l.src[l.pos+1]) >= 0:
			l.pos++
			if c = l.src[l.pos]; c == '\n' {
				l.line++
				l.pos++
				continue
			}
		case c == '\n':
			l.line++
		}
		w = w.add(c, true)
		l.pos++
	}
	return nil, errIncomplete
}

// dollar reads $name, ${name}, $1, $?, $(list), or a dollar that is only that.
func (l *lexer) dollar(w Word, quoted bool) (Word, error) {
	l.pos++
	rest := l.src[l.pos:]
	switch {
	case strings.HasPrefix(rest, "("):
		return l.substitution(w, quoted)
	case strings.HasPrefix(rest, "{"):
		n := strings.IndexByte(rest, '}')
		if n < 0 {
			return nil, errIncomplete
		}
		name := rest[1:n]
		if !isName(name) && !isSpecial(name) && !isNumber(name) {
			return nil, l.fail("bad substitution ${" + name + "}")
		}
		l.pos += n + 1
		return append(w, Part{Kind: Param, Quoted: quoted, Text: name}), nil
	}
	n := nameLength(rest)
	if n == 0 && rest != "" && (isSpecial(rest[:1]) || isDigit(rest[0])) {
		n = 1
	}
	if n == 0 {
		return w.add('$', quoted), nil
	}
	l.pos += n
	return append(w, Part{Kind: Param, Quoted: quoted, Text: rest[:n]}), nil
}

// substitution reads $(list): the list is parsed by a parser of its own, which
// stops at the closing parenthesis.
func (l *lexer) substitution(w Word, quoted bool) (Word, error) {
	inner := parser{lexer: lexer{src: l.src, pos: l.pos + 1, line: l.line}}
	list, err := inner.subList()
	if err != nil {
		return nil, err
	}
	l.pos, l.line = inner.pos, inner.line
	return append(w, Part{Kind: CmdSubst, Quoted: quoted, Cmd: list}), nil
}

// isSpecial tells whether $s is one of the shell's own parameters.
func isSpecial(s string) bool { return len(s) == 1 && strings.Contains("@*#?$!", s) }

// isDigit tells whether c is a decimal digit.
func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// isNumber tells whether s is decimal digits only.
func isNumber(s string) bool {
	for i := range len(s) {
		if !isDigit(s[i]) {
			return false
		}
	}
	return s != ""
}

// nameLength is the length of the variable's name that s starts with.
func nameLength(s string) int {
	for i := range len(s) {
		c := s[i]
		letter := 'a' <= c|0x20 && c|0x20 <= 'z' || c == '_'
		if !letter && (i == 0 || !isDigit(c)) {
			return i
		}
	}
	return len(s)
}

// isName tells whether s is a variable's name.
func isName(s string) bool { return s != "" && nameLength(s) == len(s) }
