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
	{"", false, regexp.MustCompile(`^(mm|kernel|arch|tools)/`)},
	{"machine/", true, regexp.MustCompile(`^(guest|boot|outside)\b`)},
}

// labChecks prove of each lab that its tests tell right from wrong: what students
// start with gets no point, and for the reason that it names; the reference gets
// all; each wrong solution loses what it should and nothing else; where a lab has
// defects, whoever mends one has its points.  A student's tree has nothing to prove.
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
		wrongs, err := p.load()
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
			for _, d := range p.defects {
				add("mended/"+d.Name, true, func(ctx context.Context) error { return p.mended(ctx, ring, &d) })
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
	defects  []lab.Defect
	building *sync.Mutex // two builds of one tree at a time would be in each other's way
}

// load reads the lab's defects and its wrong solutions, among them those that have
// left one of the defects.
func (p *labProof) load() (wrongs []lab.Wrong, err error) {
	if p.defects, err = p.lab.Defects(p.root); err != nil {
		return nil, err
	}
	if wrongs, err = p.lab.Wrongs(p.root); err != nil {
		return nil, err
	}
	for i := range p.defects {
		wrongs = append(wrongs, p.lab.Left(&p.defects[i]))
	}
	return wrongs, nil
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

// starter: it vets; each test fails, and says which task is to be done, or in a lab
// with defects fails by itself.
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
	} else if err := p.boots(ctx, dir); err != nil {
		return err
	}
	report, err := p.grade(ctx, dir, ring)
	if err != nil {
		return err
	}
	for _, r := range report.Results {
		if r.Passed || !p.meant(r) {
			return fmt.Errorf("%s of the starter: passed %t, seen: %s", r.Test.Name(), r.Passed, r.Seen)
		}
	}
	return somethingIn(report)
}

// sentence begins the panic of each task.
func (p *labProof) sentence() string { return "panic: lab " + p.lab.Name + ", task " }

// meant reports whether a test of the starter fails for a reason that the lab is
// about: the panic of a task; with defects, what the test itself complains of, and
// not the end of the kernel or of the compiler.
func (p *labProof) meant(r *grade.Result) bool {
	if len(p.defects) == 0 {
		return strings.HasPrefix(r.Seen, p.sentence())
	}
	return !notByItself.MatchString(r.Seen)
}

// notByItself matches what is said of a test that did not come to a verdict.
var notByItself = regexp.MustCompile(`^(does not compile|panic|fatal error|kernel fault|the kernel died|no end in sight|was not run|the test gave no)`)

// somethingIn guards against proofs about nothing.
func somethingIn(r *grade.Report) error {
	if len(r.Results) < 5 {
		return fmt.Errorf("only %d tests were run", len(r.Results))
	}
	return nil
}

// boots: the starter boots, and ends in the panic of a task when the lab's program
// runs; with defects, the program runs and ends well.
func (p *labProof) boots(ctx context.Context, dir string) error {
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
	if len(p.defects) > 0 {
		if r.End != qemu.Finished || r.ExitCode() != 0 {
			return fmt.Errorf("%q ends with status %d (%s)\n%s", p.lab.Boot, r.ExitCode(), r.Why, tail([]byte(log.String()), 2000))
		}
		return nil
	}
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
	report, err := p.gradeCopy(ctx, ring, w)
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

// gradeCopy runs a ring of the lab's tests on a copy of the reference with edits.
func (p *labProof) gradeCopy(ctx context.Context, ring labRing, w *lab.Wrong) (*grade.Report, error) {
	dir, err := os.MkdirTemp("", "wrong-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	if err := tree.Copy(dir, p.root); err != nil {
		return nil, err
	}
	if err := w.Apply(dir); err != nil {
		return nil, err
	}
	return p.grade(ctx, dir, ring)
}

// mended: where one defect is mended and the others are still there, the tests of its
// task pass, and no others.
func (p *labProof) mended(ctx context.Context, ring labRing, mended *lab.Defect) error {
	all := lab.Wrong{Name: "all but " + mended.Name}
	for _, d := range p.defects {
		if d.Task != mended.Task {
			all.Edits = append(all.Edits, d.Edits...)
		}
	}
	report, err := p.gradeCopy(ctx, ring, &all)
	if err != nil {
		return err
	}
	for _, r := range report.Results {
		if r.Passed != (r.Test.Task == mended.Task) {
			return fmt.Errorf("%s of task %d: passed %t\n%s", r.Test.Name(), r.Test.Task, r.Passed, r.Seen)
		}
	}
	return somethingIn(report)
}

// untouched: in the starter, every Go test of memory, kernel and tree passes, or ends
// in the panic of a task, or is said to fail with a defect; the starter breaks nothing
// else.
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
		} else if !strings.HasPrefix(r.Seen, p.sentence()) && !p.fails(r.Test.Name()) {
			return fmt.Errorf("%s of the starter fails for another reason than a task: %s", r.Test.Name(), r.Seen)
		}
	}
	if passed < 5 {
		return fmt.Errorf("only %d tests pass", passed)
	}
	return somethingIn(report)
}

// fails reports whether a Go test is said to fail with one of the defects.
func (p *labProof) fails(name string) bool {
	for i := range p.defects {
		d := &p.defects[i]
		for _, f := range append(p.lab.Left(d).Fails, d.Also...) {
			if f == name || strings.HasPrefix(f, name+"/") {
				return true
			}
		}
	}
	return false
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
