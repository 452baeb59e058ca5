package rings

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"

	"yolk/qemu"
	"yolk/tools/internal/grade"
	"yolk/tools/internal/hosttools"
	"yolk/tools/internal/lab"
	"yolk/tools/internal/system"
	"yolk/tools/internal/tree"
)

// A ring of a lab's tests: those on the host, or those that need the machine.
type labRing struct {
	prefix  string
	machine bool
	match   *regexp.Regexp // of the tests' names
}

var labRings = []labRing{
	{"", false, regexp.MustCompile(`^(mm|kernel)/`)},
	{"machine/", true, regexp.MustCompile(`^(guest|boot|outside)\b`)},
}

// labChecks prove of each lab that its tests tell right from wrong: what students
// start with gets no point, and for the reason that it names; the reference gets
// all; each wrong solution loses what it should and nothing else.  A student's
// tree has nothing to prove.
func labChecks(s *suite) ([]Check, error) {
	if r, err := lab.ReadRecord(s.root); r != nil || err != nil {
		return nil, err
	}
	names, err := lab.Names(s.root)
	if err != nil {
		return nil, err
	}
	var checks []Check
	building := new(sync.Mutex)
	for _, name := range names {
		p := &labProof{suite: s, building: building}
		if p.lab, err = lab.Load(s.root, name); err != nil {
			return nil, err
		}
		wrongs, err := p.lab.Wrongs(s.root)
		if err != nil {
			return nil, err
		}
		for _, ring := range labRings {
			add := func(what string, long bool, run func(ctx context.Context) error) {
				checks = append(checks, Check{Name: "lab/" + name + "/" + ring.prefix + what, Long: long, run: func(ctx context.Context) outcome {
					return verdictOf(run(ctx))
				}})
			}
			add("starter", ring.machine, func(ctx context.Context) error { return p.starter(ctx, ring) })
			add("reference", ring.machine, func(ctx context.Context) error { return p.reference(ctx, ring) })
			for _, w := range wrongs { // too many for every day
				add("wrong/"+w.Name, true, func(ctx context.Context) error { return p.wrong(ctx, ring, &w) })
			}
		}
		checks = append(checks, Check{Name: "lab/" + name + "/untouched", Long: true, run: func(ctx context.Context) outcome {
			return verdictOf(p.untouched(ctx))
		}})
	}
	return checks, nil
}

// labProof proves one lab.
type labProof struct {
	*suite
	lab      *lab.Lab
	building *sync.Mutex // two builds of one tree at a time would be in each other's way
}

// grade runs a ring of the lab's tests on a tree.
func (p *labProof) grade(ctx context.Context, root string, ring labRing) (*grade.Report, error) {
	files, err := lab.OwnFiles(root, p.lab)
	if err != nil {
		return nil, err
	}
	opt := grade.Options{Root: root, Lab: p.lab, Files: files, Match: ring.match, Notes: p.opt.Out}
	return grade.Run(ctx, opt, func(*grade.Result) {})
}

// cut makes the lab's starter tree.
func (p *labProof) cut() (dir string, remove func(), err error) {
	dir, err = os.MkdirTemp("", "lab-")
	if err != nil {
		return "", nil, err
	}
	remove = func() { os.RemoveAll(dir) }
	files, err := tree.Files(p.root)
	if err == nil {
		err = p.lab.Write(p.root, dir, files, "")
	}
	if err != nil {
		remove()
		return "", nil, err
	}
	return dir, remove, nil
}

// starter: it vets; each test fails, and says which task is to be done.
func (p *labProof) starter(ctx context.Context, ring labRing) error {
	dir, remove, err := p.cut()
	if err != nil {
		return err
	}
	defer remove()
	if !ring.machine {
		if o := runGo(system.Go(dir, "vet", "-trimpath", "./mm/...", "./kernel/...", "./tools/yolk")); o.verdict != Pass {
			return fmt.Errorf("the starter does not vet: %s", o.detail)
		}
	} else if err := p.bootsToPanic(ctx, dir); err != nil {
		return err
	}
	report, err := p.grade(ctx, dir, ring)
	if err != nil {
		return err
	}
	for _, r := range report.Results {
		if r.Passed || !strings.HasPrefix(r.Seen, p.sentence()) {
			return fmt.Errorf("%s of the starter: passed %t, seen: %s", r.Test.Name(), r.Passed, r.Seen)
		}
	}
	return somethingIn(report)
}

// sentence begins the panic of each task.
func (p *labProof) sentence() string { return "panic: lab " + p.lab.Name + ", task " }

// somethingIn guards against proofs about nothing.
func somethingIn(r *grade.Report) error {
	if len(r.Results) < 5 {
		return fmt.Errorf("only %d tests were run", len(r.Results))
	}
	return nil
}

// bootsToPanic: the starter boots, and ends in the panic of a task when the lab's
// program runs.
func (p *labProof) bootsToPanic(ctx context.Context, dir string) error {
	path, err := hosttools.QEMU.Need(p.opt.Out)
	if err != nil {
		return err
	}
	sys, err := system.Build(dir)
	if err != nil {
		return err
	}
	var log strings.Builder
	cfg := &qemu.Config{Kernel: sys.Kernel, Initrd: sys.Base, Params: qemu.Params{Program: p.lab.Boot}}
	r := qemu.Run(ctx, path, cfg, &qemu.IO{Log: &log})
	if r.End != qemu.Panicked || !strings.Contains(log.String(), p.sentence()) {
		return fmt.Errorf("%q ends with status %d (%s), and not in a task's panic\n%s", p.lab.Boot, r.ExitCode(), r.Why, tail([]byte(log.String()), 2000))
	}
	return nil
}

// reference: the full score.
func (p *labProof) reference(ctx context.Context, ring labRing) error {
	p.building.Lock()
	report, err := p.grade(ctx, p.root, ring)
	p.building.Unlock()
	if err != nil {
		return err
	}
	for _, r := range report.Results {
		if !r.Passed {
			return fmt.Errorf("the reference fails:\n%s", r.Line(true))
		}
	}
	return somethingIn(report)
}

// wrong: a wrong solution fails the tests that its data names, and no others.
func (p *labProof) wrong(ctx context.Context, ring labRing, w *lab.Wrong) error {
	dir, err := os.MkdirTemp("", "wrong-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := tree.Copy(dir, p.root); err != nil {
		return err
	}
	if err := w.Apply(dir); err != nil {
		return err
	}
	report, err := p.grade(ctx, dir, ring)
	if err != nil {
		return err
	}
	var wrong []string
	for _, r := range report.Results {
		switch name := r.Test.Name(); {
		case slices.Contains(w.May, name):
		case r.Passed && slices.Contains(w.Fails, name):
			wrong = append(wrong, "passes: "+name)
		case !r.Passed && !slices.Contains(w.Fails, name):
			wrong = append(wrong, "fails: "+name+"\n  "+strings.ReplaceAll(r.Seen, "\n", "\n  "))
		case strings.HasPrefix(r.Seen, "does not compile"):
			return fmt.Errorf("the wrong solution %s", r.Seen)
		}
	}
	if wrong != nil {
		return fmt.Errorf("tests that do not do what %s says:\n%s", lab.WrongFile, strings.Join(wrong, "\n"))
	}
	return somethingIn(report)
}

// untouched: in the starter, every Go test of memory, kernel and tree passes, or ends
// in the panic of a task; the starter breaks nothing else.
func (p *labProof) untouched(ctx context.Context) error {
	dir, remove, err := p.cut()
	if err != nil {
		return err
	}
	defer remove()
	all := *p.lab
	all.Tests = nil
	for _, pkg := range []string{"mm", "mm/softmmu", "kernel", "tools"} {
		names, err := goTests(dir, pkg)
		if err != nil {
			return err
		}
		for _, name := range names {
			all.Tests = append(all.Tests, lab.Test{Unit: pkg + " " + name, Points: 1})
		}
	}
	q := labProof{suite: p.suite, lab: &all}
	report, err := q.grade(ctx, dir, labRing{})
	if err != nil {
		return err
	}
	passed := 0
	for _, r := range report.Results {
		if r.Passed {
			passed++
		} else if !strings.HasPrefix(r.Seen, p.sentence()) {
			return fmt.Errorf("%s of the starter fails for another reason than a task: %s", r.Test.Name(), r.Seen)
		}
	}
	if passed < 5 {
		return fmt.Errorf("only %d tests pass", passed)
	}
	return somethingIn(report)
}

// goTests lists the tests of a package.
func goTests(root, pkg string) ([]string, error) {
	cmd := system.Go(root, "test", "-trimpath", "-vet=off", "-list", "^Test", "./"+pkg)
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go test -list %s: %w", filepath.ToSlash(pkg), err)
	}
	return slices.DeleteFunc(strings.Fields(string(out)), func(word string) bool {
		return !strings.HasPrefix(word, "Test") || word == "TestMain"
	}), nil
}
