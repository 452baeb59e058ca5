package gdb

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// A Session is a machine and what GDB does to it, with the answers that GDB must
// give.
type Session struct {
	Name    string
	Program []string          // what the machine runs
	C       map[string]string // programs in C to add, path in the guest to file in testdata
	Parts   []Part            // each is a GDB that attaches, and lets go or ends the machine
	Ends    bool              // the machine is left running in the end: the program must succeed
	Page    bool              // the README shows it
}

// A Part is one attachment of GDB.
type Part struct {
	After string // the program's output that is waited for first; "" for none
	Steps []Step
}

// A Step is a command and what GDB must answer.
type Step struct {
	Command string
	Want    string // regular expression for some of the answer; "" for any
	Fails   bool   // the command must fail; Want is about the message
	Not     string // regular expression that the answer must not match; "" for none
}

// mark separates the steps in GDB's output.
const mark = "@@ step %d @@"

// Script returns a GDB script that attaches to the target and runs the steps.
func Script(t Target, steps []Step) string {
	var b strings.Builder
	b.WriteString("set pagination off\nset width 0\n" + Init(t))
	for i, s := range steps {
		fmt.Fprintf(&b, "echo "+mark+"\\n\n", i)
		if s.Fails { // or the script would end here
			fmt.Fprintf(&b, "python\ntry:\n  gdb.execute(%q)\n  print('no error')\nexcept gdb.error as e:\n  print('error: ' + str(e))\nend\n", s.Command)
		} else {
			b.WriteString(s.Command + "\n")
		}
	}
	return b.String()
}

// ErrAnswer means that GDB gave another answer than it must.
var ErrAnswer = errors.New("a wrong answer of the debugger's")

// Check holds GDB's output against the steps; the error wraps ErrAnswer.
func Check(output string, steps []Step) error {
	for i, s := range steps {
		answer, ok := answerTo(output, i)
		var wrong string
		switch {
		case !ok:
			return fmt.Errorf("%w: it did not get as far as %q", ErrAnswer, s.Command)
		case s.Fails != strings.HasPrefix(answer, "error: "):
			wrong = fmt.Sprintf("should it be an error: %v", s.Fails)
		case !matches(s.Want, answer):
			wrong = fmt.Sprintf("does not match %q", s.Want)
		case s.Not != "" && matches(s.Not, answer):
			wrong = fmt.Sprintf("matches %q", s.Not)
		}
		if wrong != "" {
			return fmt.Errorf("%w: %s: %q: %s", ErrAnswer, s.Command, strings.TrimSpace(answer), wrong)
		}
	}
	return nil
}

func matches(pattern, s string) bool { return regexp.MustCompile("(?s)" + pattern).MatchString(s) }

// answerTo returns what GDB said to step i, and whether it got there.
func answerTo(output string, i int) (string, bool) {
	_, answer, ok := strings.Cut(output, fmt.Sprintf(mark, i)+"\n")
	answer, _, _ = strings.Cut(answer, fmt.Sprintf(mark, i+1))
	return answer, ok
}

// Transcript is GDB's output as a user would have seen it.
func Transcript(output string, steps []Step) string {
	var b strings.Builder
	for i, s := range steps {
		answer, _ := answerTo(output, i)
		fmt.Fprintf(&b, "(gdb) %s\n%s", s.Command, answer)
	}
	return b.String()
}

// The page on GDB shows a session between these two lines.
const (
	pageBegins = "<!-- The session below is the output of a test: yolk test -run gdb/tour -update -->\n```\n"
	pageEnds   = "```\n<!-- Here it ends. -->\n"
)

// UpdatePage returns the page with another transcript.
func UpdatePage(page, transcript string) (string, error) {
	before, rest, ok := strings.Cut(page, pageBegins)
	_, after, ok2 := strings.Cut(rest, pageEnds)
	if !ok || !ok2 {
		return "", fmt.Errorf("the page has no place for a session: it should have the lines %q and %q", pageBegins, pageEnds)
	}
	return before + pageBegins + transcript + pageEnds + after, nil
}

// SamePage reports whether two pages differ in nothing but numbers and blanks:
// where frames and addresses lie is another thing in each version of the kernel.
func SamePage(a, b string) bool { return shape(a) == shape(b) }

func shape(page string) string {
	page = regexp.MustCompile(`\b(0x[0-9a-f]+|\d+)\b`).ReplaceAllString(page, "0")
	return strings.Join(strings.Fields(page), " ")
}
