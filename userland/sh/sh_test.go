package sh

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"yolk/userland/kit"
)

// show writes a tree in a compact form, one pair of brackets a word.
func show(list List) string {
	var b strings.Builder
	for _, it := range list {
		showPipe(&b, it.First)
		for _, r := range it.Rest {
			b.WriteString(map[bool]string{true: "&&", false: "||"}[r.And])
			showPipe(&b, r.Pipe)
		}
		b.WriteString(map[bool]string{true: "&", false: ";"}[it.Background])
	}
	return b.String()
}

func showPipe(b *strings.Builder, p Pipeline) {
	for i, c := range p {
		if i > 0 {
			b.WriteString("|")
		}
		switch x := c.Body.(type) {
		case *Simple:
			for _, a := range x.Assigns {
				b.WriteString(a.Name + "=" + showWord(a.Value))
			}
			for _, w := range x.Words {
				b.WriteString(showWord(w))
			}
		case *If:
			for _, a := range x.Arms {
				b.WriteString("if{" + show(a.Cond) + "}{" + show(a.Then) + "}")
			}
			b.WriteString("else{" + show(x.Else) + "}")
		case *For:
			b.WriteString("for " + x.Name)
			if x.HasIn {
				b.WriteString(" in")
			}
			for _, w := range x.Words {
				b.WriteString(showWord(w))
			}
			b.WriteString("{" + show(x.Do) + "}")
		case *While:
			b.WriteString("while{" + show(x.Cond) + "}{" + show(x.Do) + "}")
		}
		for _, r := range c.Redirs {
			b.WriteString(kit.Format(r.Fd, r.Op, showWord(r.Target)))
		}
	}
}

func showWord(w Word) string {
	var b strings.Builder
	b.WriteString("[")
	for _, p := range w {
		quote := ""
		if p.Quoted {
			quote = "'"
		}
		switch p.Kind {
		case Literal:
			b.WriteString(quote + p.Text + quote)
		case Param:
			b.WriteString(quote + "$" + p.Text + quote)
		case CmdSubst:
			b.WriteString(quote + "$(" + show(p.Cmd) + ")" + quote)
		}
	}
	return b.String() + "]"
}

// parseAll parses a script to its end.
func parseAll(src string) (string, error) {
	p := newParser(src)
	var all List
	for {
		list, ok, err := p.next()
		if err != nil || !ok {
			return show(all), err
		}
		all = append(all, list...)
	}
}

func TestParse(t *testing.T) {
	for src, want := range map[string]string{
		"":                      "",
		"\n # only a comment\n": "",
		"a b  c":                "[a][b][c];",
		"a;b&c":                 "[a];[b]&[c];",
		"a|b | c && d||e":       "[a]|[b]|[c]&&[d]||[e];",
		"a &&\n\nb |\n c":       "[a]&&[b]|[c];",
		"a\\\nb":                "[ab];",
		"a \\\n b":              "[a][b];",
		"a # b\nc#d":            "[a];[c#d];",
		"'a b'c\"d $e\"":        "['a b'c'd ''$e'];",
		`"\$\x\"" \$a`:          `['$\x"']['$'a];`,
		`'' ""`:                 "[''][''];",
		"$a${b}c $1$? $":        "[$a$bc][$1$?][$];",
		"x=1 y='a b' cmd z=3":   "x=[1]y=['a b'][cmd][z=3];",
		"x=":                    "x=[];",
		"a>b 2>>c <d 2>&1":      "[a]1>[b]2>>[c]0<[d]2>&[1];",
		"a2>b":                  "[a2]1>[b];",
		">f":                    "1>[f];",
		"if a; then b; fi":      "if{[a];}{[b];}else{};",
		"if a\nthen b\nelif c; then d; else e\nfi >f": "if{[a];}{[b];}if{[c];}{[d];}else{[e];}1>[f];",
		"for i in 1 $x; do a; done":                   "for i in[1][$x]{[a];};",
		"for i\ndo a; b; done | c":                    "for i{[a];[b];}|[c];",
		"while a; do b; done&":                        "while{[a];}{[b];}&",
		"echo if then done":                           "[echo][if][then][done];",
		`"if" a`:                                      "['if'][a];",
		"echo $(a | b; c) d":                          "[echo][$([a]|[b];[c];)][d];",
		"echo \"x $(a $(b)) y\"":                      "[echo]['x ''$([a][$([b];)];)'' y'];",
		"echo $(a\nb\n)":                              "[echo][$([a];[b];)];",
	} {
		got, err := parseAll(src)
		if err != nil || got != want {
			t.Errorf("%q parses to %s (%v), want %s", src, got, err, want)
		}
	}
}

func TestIncomplete(t *testing.T) {
	for _, src := range []string{
		"'a", "\"a", "a \\", "a |", "a &&", "a ||", "if a", "if a; then", "if a; then b; else",
		"for", "for i in a", "for i in a; do", "for i in a; do b", "while a; do b;", "$(a", "${a", "echo $(if a; then b;",
		"a >",
	} {
		if got, err := parseAll(src); err != errIncomplete {
			t.Errorf("%q parses to %s (%v), want more input", src, got, err)
		}
	}
}

func TestSyntaxErrors(t *testing.T) {
	for src, line := range map[string]int{
		";": 1, "&& a": 1, "| a": 1, "a ; ; b": 1, "fi": 1, "\n\nthen": 3, "if ; then a; fi": 1,
		"if a; then fi": 1, "for 1 in a; do b; done": 1, "a > | b": 1, "${a-b}": 1, "a )": 1,
		"'a\nb' )": 2, "for i in a; b; done": 1, "( a )": 1, "while a; do done": 1, "a >\n": 1,
	} {
		_, err := parseAll(src)
		var syntax *SyntaxError
		if !errors.As(err, &syntax) {
			t.Errorf("%q: %v, want a syntax error", src, err)
		} else if syntax.Line != line {
			t.Errorf("%q: error in line %d, want %d", src, syntax.Line, line)
		}
	}
}

// A script's later lines are not looked at before the earlier ones ran.
func TestLinesAreParsedOneByOne(t *testing.T) {
	p := newParser("a\n)")
	if list, ok, err := p.next(); !ok || err != nil || show(list) != "[a];" {
		t.Fatalf("first line: %s %v %v", show(list), ok, err)
	}
	if _, _, err := p.next(); err == nil {
		t.Error("the second line is no error")
	}
}

// memoryFiles is a file system made of a list of paths.
func memoryFiles(paths ...string) fileSystem {
	has := func(p string) bool {
		for _, q := range paths {
			if q == strings.TrimSuffix(p, "/") || strings.HasPrefix(q, strings.TrimSuffix(p, "/")+"/") {
				return true
			}
		}
		return false
	}
	return fileSystem{
		exists: has,
		isDir: func(p string) bool {
			for _, q := range paths {
				if strings.HasPrefix(q, p+"/") {
					return true
				}
			}
			return false
		},
		list: func(dir string) []string {
			seen := map[string]bool{}
			var names []string
			for _, q := range paths {
				rest := q
				if dir != "." {
					var ok bool
					if rest, ok = strings.CutPrefix(q, strings.TrimSuffix(dir, "/")+"/"); !ok {
						continue
					}
				}
				name, _, _ := strings.Cut(rest, "/")
				if name != "" && !seen[name] {
					seen[name] = true
					names = append(names, name)
				}
			}
			return names
		},
	}
}

func TestExpand(t *testing.T) {
	s := &Shell{name: "name", args: []string{"one", "two words", ""}, status: 3, pid: 42,
		vars:  map[string]variable{"a": {"x y", false}, "e": {"", false}, "g": {"*.c", false}},
		files: memoryFiles("b.c", "a.c", "d/e.c", ".hidden.c", "x*y")}
	for src, want := range map[string][]string{
		"$a":            {"x", "y"},
		`"$a"`:          {"x y"},
		"p$a/q":         {"px", "y/q"},
		`"p$a"q`:        {"px yq"},
		"$e":            nil,
		`"$e"`:          {""},
		`$e""`:          {""},
		"''":            {""},
		"$unset":        nil,
		`"$@"`:          {"one", "two words", ""},
		`"p$@q"`:        {"pone", "two words", "q"},
		"$@":            {"one", "two", "words"},
		"$*":            {"one", "two", "words"},
		`"$*"`:          {"one two words "},
		"$# $? $$ $0":   {"3", "3", "42", "name"},
		"$1 ${2} $4":    {"one", "two", "words"},
		"$!":            nil,
		"*.c":           {"a.c", "b.c"},
		"'*'.c":         {"*.c"},
		`\*.c`:          {"*.c"},
		"$g":            {"a.c", "b.c"},
		`"$g"`:          {"*.c"},
		".*.c":          {".hidden.c"},
		"*/*.c d/?.c":   {"d/e.c", "d/e.c"},
		"*.h":           {"*.h"},
		"[ab].c [!b].c": {"a.c", "b.c", "a.c"},
		"x'*'*":         {"x*y"},
		"a=$a":          {"a=x", "y"},
	} {
		p := newParser("echo " + src)
		list, _, err := p.next()
		if err != nil {
			t.Fatal(err)
		}
		words := list[0].First[0].Body.(*Simple).Words[1:]
		if got := s.expand(words); !reflect.DeepEqual(got, want) {
			t.Errorf("%s expands to %q, want %q", src, got, want)
		}
	}
}

// The value of an assignment is neither split nor globbed.
func TestExpandOne(t *testing.T) {
	s := &Shell{args: []string{"1", "2"}, vars: map[string]variable{"a": {"x  *", false}}, files: memoryFiles("f")}
	for src, want := range map[string]string{
		"v=$a": "x  *", "v=*": "*", `v="$@"`: "1 2", "v=": "", `v=a"b"'c'`: "abc",
	} {
		p := newParser(src)
		list, _, err := p.next()
		if err != nil {
			t.Fatal(err)
		}
		if got := s.expandOne(list[0].First[0].Body.(*Simple).Assigns[0].Value); got != want {
			t.Errorf("%s assigns %q, want %q", src, got, want)
		}
	}
}

func TestMatch(t *testing.T) {
	for _, c := range []struct {
		pattern, name string
		want          bool
	}{
		{"*", "", true}, {"a*b*c", "axxbyyc", true}, {"a*b*c", "axxbyy", false},
		{"?", "", false}, {"??", "ab", true}, {"[a-c]x", "bx", true}, {"[a-c]x", "dx", false},
		{"[!a-c]", "d", true}, {"[!a-c]", "a", false}, {"[]]", "]", true}, {"[!]]", "]", false},
		{"[a", "[a", true}, {"[a-]", "-", true}, {`\*`, "*", true}, {`\*`, "x", false},
		{`[\-a]`, "-", true}, {"ab", "abc", false}, {"abc", "ab", false},
	} {
		if got := match(c.pattern, c.name); got != c.want {
			t.Errorf("match(%q, %q) = %v", c.pattern, c.name, got)
		}
	}
}

// keys feeds an editor and gives the lines that it makes of them, and the screen.
func keys(e *editor, input string) (lines []string, errs []error, screen string) {
	e.columns = 80
	var out strings.Builder
	e.write = func(b []byte) { out.Write(b) }
	e.read = func() (byte, error) {
		if input == "" {
			return 0, errEnd
		}
		c := input[0]
		input = input[1:]
		return c, nil
	}
	for input != "" {
		line, err := e.readLine("$ ")
		lines, errs = append(lines, line), append(errs, err)
	}
	return lines, errs, out.String()
}

func TestEditor(t *testing.T) {
	const left, right, up, down, home, end, del = "\x1b[D", "\x1b[C", "\x1b[A", "\x1b[B", "\x1b[H", "\x1bOF", "\x1b[3~"
	for input, want := range map[string]string{
		"abc\r":                              "abc\n",
		"ac" + left + "b\r":                  "abc\n",
		"abc\x7f\x7fd\r":                     "ad\n",
		"bc\x01a\x05d\r":                     "abcd\n",
		"bc" + home + "a" + end + "d\r":      "abcd\n",
		"abc\x15d\r":                         "d\n",
		"abc" + left + left + "\x0b\r":       "a\n",
		"abc" + left + left + "\x04\r":       "ac\n",
		"abc" + home + del + "\r":            "bc\n",
		"ab" + left + left + left + "x\r":    "xab\n",
		"ab" + right + "x\r":                 "abx\n",
		"one\rtwo\r" + up + up + "\r":        "one\ntwo\none\n",
		"one\r" + up + "x" + down + "y\r":    "one\ny\n",
		"one\rnew" + up + down + "er\r":      "one\nnewer\n",
		"one\r" + up + up + up + "!\r":       "one\none!\n",
		"a\ra\rb\r" + up + up + "\r":         "a\na\nb\na\n",
		"\x1b[Z\x1bxq\r":                     "q\n",
		"\x7f\x15\x0b" + del + left + "ok\r": "ok\n",
		"ec\tx\r":                            "echo x\n",
		"cat f\t\r":                          "cat file\n",
		"cat file\t\r":                       "cat file\n",
	} {
		e := &editor{complete: func(line string) (int, []string) {
			start := strings.LastIndexByte(line, ' ') + 1
			var names []string
			for _, n := range []string{"echo", "file1", "file2"} {
				if strings.HasPrefix(n, line[start:]) {
					names = append(names, n)
				}
			}
			return start, names
		}}
		lines, _, _ := keys(e, input)
		if got := strings.Join(lines, ""); got != want {
			t.Errorf("keys %q make %q, want %q", input, got, want)
		}
	}
}

func TestEditorEnds(t *testing.T) {
	if _, errs, _ := keys(&editor{}, "abc\x03\x04"); errs[0] != errInterrupted || errs[1] != errEnd {
		t.Errorf("Ctrl-C and Ctrl-D give %v", errs)
	}
}

// What is typed at a line's end appears as it is, for whoever reads the console.
func TestEditorScreen(t *testing.T) {
	if _, _, screen := keys(&editor{}, "abc\r"); screen != "$ abc\n" {
		t.Errorf("screen %q", screen)
	}
	e := &editor{}
	_, _, screen := keys(e, strings.Repeat("x", 100)+"\r")
	for _, drawn := range strings.Split(screen, "\r") {
		if len(strings.ReplaceAll(strings.TrimSpace(drawn), "\x1b[K", "")) > 79 {
			t.Errorf("a line of the screen has %d columns", len(drawn))
		}
	}
}

func TestComplete(t *testing.T) {
	s := &Shell{vars: map[string]variable{"PATH": {"/bin:/usr/bin", false}},
		files: memoryFiles("/bin/cat", "/bin/cow", "/usr/bin/cut", "dir/a", "dir/b", "data", ".dot")}
	s.builtins = s.builtinTable()
	for line, want := range map[string][]string{
		"c":          {"cat", "cd", "continue", "cow", "cut"},
		"x | c":      {"cat", "cd", "continue", "cow", "cut"},
		"x;ca":       {"cat"},
		"cat d":      {"data", "dir/"},
		"cat dir/":   {"dir/a", "dir/b"},
		"cat <di":    {"dir/"},
		"/bin/c":     {"/bin/cat", "/bin/cow"},
		"cat .":      {".dot"},
		"nothing":    nil,
		"cat absent": nil,
	} {
		if _, got := s.complete(line); !reflect.DeepEqual(got, want) {
			t.Errorf("complete(%q) = %q, want %q", line, got, want)
		}
	}
}
