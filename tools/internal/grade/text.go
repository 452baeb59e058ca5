package grade

import (
	"fmt"
	"regexp"
	"strings"
)

// Line is the verdict on one test as MIT's course has it, with the reasons of a
// failure under it; verbose adds all that the test printed.
func (r *Result) Line(verbose bool) string {
	name := r.Test.Name()
	if r.Passed {
		return fmt.Sprintf("== Test %s == %s: OK (%.1fs)\n", name, name, r.Took.Seconds())
	}
	var b strings.Builder
	fmt.Fprintf(&b, "== Test %s == %s: FAIL (%.1fs)\n", name, name, r.Took.Seconds())
	field := func(key, value string) {
		fmt.Fprintf(&b, "    %-9s %s\n", key+":", strings.ReplaceAll(value, "\n", "\n              "))
	}
	field("expected", r.Test.Want)
	field("seen", r.Seen)
	field("look at", fmt.Sprintf("%s; task %d of the handout", r.Look, r.Task))
	if !verbose {
		field("again", "yolk grade -v -run '^"+regexp.QuoteMeta(name)+"$'")
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
