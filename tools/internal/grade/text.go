package grade

import (
	"fmt"
	"io"
	"regexp"
	"strings"
)

// Text writes verdicts for people, as they come.
type Text struct {
	W       io.Writer
	Verbose bool   // also all that a failure has printed
	common  string // the reason that was told for the tests that come now
}

// Tell writes a verdict.  Why several tests were not run is told once.
func (t *Text) Tell(r *Result) {
	if !r.Common {
		t.common = ""
		io.WriteString(t.W, r.Line(t.Verbose))
		return
	}
	if r.Seen != t.common {
		t.common = r.Seen
		fmt.Fprintf(t.W, "\n%s\nThat is why these tests were not run:\n", r.Seen)
	}
	io.WriteString(t.W, r.head())
}

// head is the first line of the verdict.
func (r *Result) head() string {
	name, verdict := r.Test.Name(), "FAIL"
	if r.Passed {
		verdict = "OK"
	}
	return fmt.Sprintf("== Test %s == %s: %s (%.1fs)\n", name, name, verdict, r.Took.Seconds())
}

// Line is the verdict on one test as MIT's course has it, with the reasons of a
// failure under it; verbose adds all that the test printed.
func (r *Result) Line(verbose bool) string {
	if r.Passed {
		return r.head()
	}
	var b strings.Builder
	b.WriteString(r.head())
	field := func(key, value string) {
		fmt.Fprintf(&b, "    %-9s %s\n", key+":", strings.ReplaceAll(value, "\n", "\n              "))
	}
	field("expected", r.Test.Want)
	field("seen", r.Seen)
	field("look at", fmt.Sprintf("%s; task %d of the handout", r.Look, r.Task))
	if !verbose {
		field("again", "bin/yolk grade -v -run '^"+regexp.QuoteMeta(r.Test.Name())+"$'")
	} else if r.Detail != "" {
		b.WriteString("    | " + strings.ReplaceAll(strings.TrimSpace(r.Detail), "\n", "\n    | ") + "\n")
	}
	return b.String()
}

// Summary is the last line.
func (r *Report) Summary() string {
	got, of := r.Score()
	works, worksOf := r.part(false)
	robust, robustOf := r.part(true)
	return fmt.Sprintf("Score: %d/%d (functionality %d/%d, robustness %d/%d)\n", got, of, works, worksOf, robust, robustOf)
}
