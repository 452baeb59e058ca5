package sh

import (
	"errors"
	"strings"

	"yolk/userland/kit"
)

// errIncomplete says that the script ends in the middle of a command: an
// interactive shell then asks for another line.
var errIncomplete = errors.New("syntax error: unexpected end of file")

// A SyntaxError says what is wrong with a script, and where.
type SyntaxError struct {
	Line int
	Msg  string
}

// Error gives `line N: message`.
func (e *SyntaxError) Error() string { return kit.Format("line ", e.Line, ": ", e.Msg) }

// fail makes a SyntaxError at the lexer's line.
func (l *lexer) fail(msg string) error { return &SyntaxError{l.line, "syntax error: " + msg} }

// A parser reads commands by recursive descent, with one token of look-ahead.
type parser struct {
	lexer
	tok    token
	err    error // of reading tok
	peeked bool  // tok is still to be taken
}

// newParser makes a parser for the script src.
func newParser(src string) *parser { return &parser{lexer: lexer{src: src, line: 1}} }

// next reads the commands up to the end of a line; ok is false at the end of
// the script.  WHY not the whole script at once: what stands on a line is
// executed before the next line is looked at, so `exit` ends a script whose
// rest makes no sense.
func (p *parser) next() (list List, ok bool, err error) {
	for {
		t, err := p.peek()
		if err != nil || t.kind == tokEOF {
			return nil, false, err
		}
		if t.kind != tokNewline {
			break
		}
		p.take()
	}
	list, err = p.list(false)
	if err != nil {
		return nil, false, err
	}
	if t, err := p.peek(); err != nil || t.kind != tokNewline && t.kind != tokEOF {
		return nil, false, p.unexpected(t, err)
	}
	p.take()
	return list, true, nil
}

// subList reads the list of a command substitution and its closing parenthesis.
func (p *parser) subList() (List, error) {
	list, err := p.list(true)
	if err != nil {
		return nil, err
	}
	return list, p.expectOp(")")
}

// peek gives the next token without taking it.
func (p *parser) peek() (token, error) {
	if !p.peeked {
		p.tok, p.err = p.lexer.next()
		p.peeked = true
	}
	return p.tok, p.err
}

// take takes the token that peek gave.
func (p *parser) take() { p.peeked = false }

// unexpected is the error for a token that cannot stand where it does.
func (p *parser) unexpected(t token, err error) error {
	if err != nil {
		return err
	}
	if t.kind == tokEOF {
		return errIncomplete
	}
	return &SyntaxError{t.line, "syntax error: unexpected " + t.text()}
}

// acceptOp takes the operator if it comes next.
func (p *parser) acceptOp(op string) bool {
	t, err := p.peek()
	if err != nil || t.kind != tokOp || t.op != op {
		return false
	}
	p.take()
	return true
}

// expectOp takes the operator or fails.
func (p *parser) expectOp(op string) error {
	if p.acceptOp(op) {
		return nil
	}
	return p.unexpected(p.peek())
}

// reserved gives the reserved word that comes next, or "".
func (p *parser) reserved() string {
	t, err := p.peek()
	if err != nil || t.kind != tokWord {
		return ""
	}
	switch b := t.word.bare(); b {
	case "if", "then", "elif", "else", "fi", "for", "do", "done", "while":
		return b
	}
	return ""
}

// expect takes the reserved word or fails.
func (p *parser) expect(word string) error {
	if p.reserved() == word {
		p.take()
		return nil
	}
	return p.unexpected(p.peek())
}

// list reads and-or chains that are separated by ; or & and, if newlines is
// set, by newlines.  It ends before what can begin no command.
func (p *parser) list(newlines bool) (List, error) {
	var list List
	for {
		if newlines {
			p.skipNewlines()
		}
		t, err := p.peek()
		if err != nil {
			return nil, err
		}
		if !p.startsCommand(t) {
			return list, nil
		}
		item, err := p.item()
		if err != nil {
			return nil, err
		}
		switch {
		case p.acceptOp("&"):
			item.Background = true
		case p.acceptOp(";"):
		default:
			if t, err := p.peek(); err != nil || !newlines || t.kind != tokNewline {
				return append(list, item), err
			}
		}
		list = append(list, item)
	}
}

// startsCommand tells whether a command can begin with t.
func (p *parser) startsCommand(t token) bool {
	switch t.kind {
	case tokWord:
		r := p.reserved()
		return r == "" || r == "if" || r == "for" || r == "while"
	case tokOp:
		return t.op[0] == '<' || t.op[0] == '>'
	}
	return false
}

// skipNewlines takes newlines.
func (p *parser) skipNewlines() {
	for {
		if t, err := p.peek(); err != nil || t.kind != tokNewline {
			return
		}
		p.take()
	}
}

// item reads `pipeline && pipeline || …`.
func (p *parser) item() (Item, error) {
	var it Item
	var err error
	if it.First, err = p.pipeline(); err != nil {
		return it, err
	}
	for {
		and := p.acceptOp("&&")
		if !and && !p.acceptOp("||") {
			return it, nil
		}
		p.skipNewlines()
		pipe, err := p.pipeline()
		if err != nil {
			return it, err
		}
		it.Rest = append(it.Rest, AndOr{and, pipe})
	}
}

// pipeline reads `command | command | …`.
func (p *parser) pipeline() (Pipeline, error) {
	var pipe Pipeline
	for {
		c, err := p.command()
		if err != nil {
			return nil, err
		}
		pipe = append(pipe, c)
		if !p.acceptOp("|") {
			return pipe, nil
		}
		p.skipNewlines()
	}
}

// command reads a simple or compound command and the redirections behind it.
func (p *parser) command() (c Command, err error) {
	switch p.reserved() {
	case "if":
		c.Body, err = p.ifCommand()
	case "for":
		c.Body, err = p.forCommand()
	case "while":
		c.Body, err = p.whileCommand()
	default:
		return p.simple()
	}
	for err == nil {
		t, err2 := p.peek()
		if err2 != nil || t.kind != tokOp || t.op[0] != '<' && t.op[0] != '>' {
			return c, err2
		}
		var r Redir
		r, err = p.redir(t)
		c.Redirs = append(c.Redirs, r)
	}
	return c, err
}

// simple reads assignments, words and redirections, in any order but that
// assignments come before the first word.
func (p *parser) simple() (Command, error) {
	s := &Simple{}
	c := Command{Body: s}
	for {
		t, err := p.peek()
		if err != nil {
			return c, err
		}
		switch {
		case t.kind == tokWord:
			p.take()
			if a, ok := assignment(t.word); ok && len(s.Words) == 0 {
				s.Assigns = append(s.Assigns, a)
			} else {
				s.Words = append(s.Words, t.word)
			}
		case t.kind == tokOp && (t.op[0] == '<' || t.op[0] == '>'):
			r, err := p.redir(t)
			if err != nil {
				return c, err
			}
			c.Redirs = append(c.Redirs, r)
		case len(s.Words)+len(s.Assigns)+len(c.Redirs) == 0:
			return c, p.unexpected(t, nil)
		default:
			return c, nil
		}
	}
}

// assignment splits a word `name=value`.
func assignment(w Word) (Assign, bool) {
	if len(w) == 0 || w[0].Kind != Literal || w[0].Quoted {
		return Assign{}, false
	}
	name, value, ok := strings.Cut(w[0].Text, "=")
	if !ok || !isName(name) {
		return Assign{}, false
	}
	rest := w[1:]
	if value != "" {
		rest = append(Word{{Kind: Literal, Text: value}}, rest...)
	}
	return Assign{name, rest}, true
}

// redir reads a redirection, of which t is the operator.
func (p *parser) redir(t token) (Redir, error) {
	p.take()
	r := Redir{Fd: t.fd, Op: t.op}
	if r.Fd < 0 && t.op[0] == '>' {
		r.Fd = 1
	} else if r.Fd < 0 {
		r.Fd = 0
	}
	w, err := p.peek()
	if err != nil || w.kind != tokWord {
		return r, p.unexpected(w, err)
	}
	p.take()
	r.Target = w.word
	return r, nil
}

// ifCommand reads `if list then list {elif list then list} [else list] fi`.
func (p *parser) ifCommand() (Body, error) {
	c := &If{}
	for word := "if"; p.reserved() == word; word = "elif" {
		p.take()
		cond, err := p.block("then")
		if err != nil {
			return nil, err
		}
		then, err := p.nonEmpty()
		if err != nil {
			return nil, err
		}
		c.Arms = append(c.Arms, Arm{cond, then})
	}
	if p.reserved() == "else" {
		p.take()
		var err error
		if c.Else, err = p.nonEmpty(); err != nil {
			return nil, err
		}
	}
	return c, p.expect("fi")
}

// whileCommand reads `while list do list done`.
func (p *parser) whileCommand() (Body, error) {
	p.take()
	cond, err := p.block("do")
	if err != nil {
		return nil, err
	}
	do, err := p.block("done")
	return &While{cond, do}, err
}

// forCommand reads `for name [in word…] ; do list done`.
func (p *parser) forCommand() (Body, error) {
	p.take()
	t, err := p.peek()
	if err != nil || !isName(t.word.bare()) {
		return nil, p.unexpected(t, err)
	}
	p.take()
	c := &For{Name: t.word.bare()}
	p.skipNewlines()
	if t, err := p.peek(); err == nil && t.word.bare() == "in" {
		p.take()
		c.HasIn = true
		for {
			if t, err = p.peek(); err != nil || t.kind != tokWord {
				break
			}
			p.take()
			c.Words = append(c.Words, t.word)
		}
	}
	p.acceptOp(";")
	p.skipNewlines()
	if err := p.expect("do"); err != nil {
		return nil, err
	}
	c.Do, err = p.block("done")
	return c, err
}

// block reads a list that is not empty and the reserved word behind it.
func (p *parser) block(end string) (List, error) {
	list, err := p.nonEmpty()
	if err != nil {
		return nil, err
	}
	return list, p.expect(end)
}

// nonEmpty reads a list over several lines that holds at least one command.
func (p *parser) nonEmpty() (List, error) {
	list, err := p.list(true)
	if err == nil && len(list) == 0 {
		return nil, p.unexpected(p.peek())
	}
	return list, err
}
