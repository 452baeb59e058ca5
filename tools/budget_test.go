package tools_test

import (
	"bytes"
	"fmt"
	"path"
	"regexp"
	"strings"
	"testing"
)

// A budget bounds the lines of code, Go and assembly, in some directories.  A
// line of code is one that holds more than blanks and comments.  Tests and what
// only tests use are left out.
type budget struct {
	name  string
	dirs  []string
	lines int // fewer than
}

var budgets = []budget{
	{"the core", []string{"mm", "arch/amd64", "boot/...", "kernel"}, 6400},
	{"the kernel with files, pipes, terminal and proc", []string{"mm", "arch/amd64", "boot/...", "kernel/..."}, 12600},
}

// scaffolding is what only tests use.
var scaffolding = []string{"kernel/scripted", "kernel/vfs/vfstest", "mm/softmmu"}

func TestBudget(t *testing.T) {
	lines := make(map[string]int)
	walk(t, func(p string) {
		ext := path.Ext(p)
		if (ext == ".go" && !strings.HasSuffix(p, "_test.go") || ext == ".s") && !isData(p) && !under(path.Dir(p), scaffolding) {
			lines[path.Dir(p)] += linesOfCode(read(t, p))
		}
	})
	for _, b := range budgets {
		sum, detail := 0, ""
		for dir, n := range lines {
			if under(dir, b.dirs) {
				sum += n
				detail += fmt.Sprintf("\n%6d %s", n, dir)
			}
		}
		t.Logf("%s: %d lines of %d", b.name, sum, b.lines)
		if sum >= b.lines || sum == 0 {
			t.Errorf("%s has %d lines, fewer than %d are allowed%s", b.name, sum, b.lines, detail)
		}
	}
}

// linesOfCode counts the lines of a Go or assembly file that are more than
// blanks and comments.
func linesOfCode(text []byte) (n int) {
	code := lexeme.ReplaceAllFunc(text, func(l []byte) []byte {
		if l[0] == '/' {
			return bytes.Repeat([]byte("\n"), bytes.Count(l, []byte("\n")))
		}
		return l
	})
	for line := range bytes.Lines(code) {
		if len(bytes.TrimSpace(line)) > 0 {
			n++
		}
	}
	return n
}

// lexeme matches comments, and the literals in which // and /* are none.
var lexeme = regexp.MustCompile("(?s)//[^\n]*|/\\*.*?\\*/|\"(?:[^\"\\\\\n]|\\\\.)*\"|'(?:[^'\\\\\n]|\\\\.)*'|`[^`]*`")

func TestLinesOfCode(t *testing.T) {
	for text, want := range map[string]int{
		"":                                      0,
		"\n \t\n":                               0,
		"// a\n\t// b\nx := 1 // c\n":           1,
		"/* a\n\nb */\nx /* c\n d */ y\n":       2,
		"s := \"/*\"\nt := \"*/\"\n":            2,
		"s := `\n// a`\n":                       2,
		"c := '\"' // \"\n// \"\nd := '\\''\n":  2,
		"s := \"a\\\\\" // b\n// c\nx := '/'":   2,
		"MOVQ\tAX, BX // it's one\n// 'tis not": 1,
	} {
		if n := linesOfCode([]byte(text)); n != want {
			t.Errorf("%q: %d lines of code, want %d", text, n, want)
		}
	}
}

// TestBudgetIsStated: the README states what the test holds.
func TestBudgetIsStated(t *testing.T) {
	readme := string(read(t, "README.md"))
	for _, b := range budgets {
		if want := fmt.Sprintf("%d,%03d lines", b.lines/1000, b.lines%1000); !strings.Contains(readme, want) {
			t.Errorf("README.md does not say %q", want)
		}
	}
}
