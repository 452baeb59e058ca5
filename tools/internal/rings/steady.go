package rings

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"slices"
	"sync"

	"yolk/tools/internal/grade"
	"yolk/tools/internal/lab"
	"yolk/tools/internal/tree"
)

const (
	gradings   = 10
	steadyLab  = "vfork"
	steadyTree = "the child gets a copy" // a wrong solution of that lab
)

// steadyChecks: one tree is graded ten times, on a machine that is busy with other
// things, too, and the verdicts are the same ten times.
func steadyChecks(s *suite) ([]Check, error) {
	if r, err := lab.ReadRecord(s.root); r != nil || err != nil {
		return nil, err
	}
	return []Check{{Name: "steady/" + steadyLab, Long: true, run: func(ctx context.Context) outcome {
		return verdictOf(s.steady(ctx))
	}}}, nil
}

func (s *suite) steady(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "steady-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	l, err := s.wrongTree(dir, steadyLab, steadyTree)
	if err != nil {
		return err
	}
	defer burden()()
	var first []string
	for n := range gradings {
		passed, err := s.passed(ctx, dir, l)
		if err != nil {
			return err
		}
		if n == 0 {
			first = passed
		}
		if len(passed) == 0 || len(passed) == len(l.Tests) || !slices.Equal(passed, first) {
			return fmt.Errorf("grading %d: passed %q, and in the first one %q", n+1, passed, first)
		}
	}
	return nil
}

// wrongTree makes the tree of a wrong solution.
func (s *suite) wrongTree(dir, name, wrong string) (*lab.Lab, error) {
	l, err := lab.Load(s.root, name)
	if err != nil {
		return nil, err
	}
	wrongs, err := l.Wrongs(s.root)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(wrongs, func(w lab.Wrong) bool { return w.Name == wrong })
	if i < 0 {
		return nil, fmt.Errorf("lab %s has no wrong solution %q", name, wrong)
	}
	if err := tree.Copy(dir, s.root); err != nil {
		return nil, err
	}
	return l, wrongs[i].Apply(dir)
}

// passed grades a tree and names the tests that passed, in their order.
func (s *suite) passed(ctx context.Context, dir string, l *lab.Lab) (names []string, err error) {
	files, err := lab.OwnFiles(dir, l)
	if err != nil {
		return nil, err
	}
	_, err = grade.Run(ctx, grade.Options{Root: dir, Lab: l, Files: files, Notes: s.opt.Out}, func(r *grade.Result) {
		if r.Passed {
			names = append(names, r.Test.Name())
		}
	})
	return names, err
}

// burden keeps all processors busy until it is taken off.
func burden() (off func()) {
	done := make(chan struct{})
	var wg sync.WaitGroup
	for range runtime.NumCPU() {
		wg.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
			}
		})
	}
	return func() { close(done); wg.Wait() }
}
