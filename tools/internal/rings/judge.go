package rings

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"yolk/tools/internal/grade"
	"yolk/tools/internal/judge"
	"yolk/tools/internal/lab"
)

// judgeChecks have the kernel judged from outside, as hand-ins are; a check is
// about all cases whose names begin alike.  Some are tried each time, the others
// are in a lab's proof, too.
func judgeChecks(s *suite) ([]Check, error) {
	if r, err := lab.ReadRecord(s.root); r != nil || err != nil {
		return nil, err
	}
	var names []string
	tests := map[string][]lab.Test{}
	for _, c := range judge.Cases {
		name, _, _ := strings.Cut(c.Name, "-")
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
		tests[name] = append(tests[name], lab.Test{Outside: c.Name, Points: 1})
	}
	everyDay := []string{"cow", "vfork", "exec"}
	var checks []Check
	for _, name := range names {
		l := &lab.Lab{Name: "judge", Tests: tests[name]}
		checks = append(checks, Check{Name: "judge/" + name, Long: !slices.Contains(everyDay, name), run: func(ctx context.Context) outcome {
			return verdictOf(s.judged(ctx, l))
		}})
	}
	return checks, nil
}

// judged grades this tree for a lab, and fails unless it gets all points.
func (s *suite) judged(ctx context.Context, l *lab.Lab) error {
	report, err := grade.Run(ctx, grade.Options{Root: s.root, Lab: l, Notes: s.opt.Out}, func(*grade.Result) {})
	if err != nil {
		return err
	}
	for _, r := range report.Results {
		if !r.Passed {
			return fmt.Errorf("%s\n%s", r.Line(true), r.Detail)
		}
	}
	return nil
}
