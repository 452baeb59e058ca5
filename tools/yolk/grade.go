package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"yolk/qemu"
	"yolk/tools/internal/grade"
	"yolk/tools/internal/lab"
	"yolk/tools/internal/tree"
)

// gradeFlags are the flags of yolk grade.
type gradeFlags struct {
	lab, format string
	html        string // the file for the picture of a failure; "": none
	tests       string // a directory with tests that are not in the reference; "": none
	summary     bool
	verbose     bool
	match       *regexp.Regexp
	dir         string   // a hand-in; "" is this tree
	class       []string // with summary: the files to sum up
}

func parseGrade(args []string) (*gradeFlags, error) {
	f := &gradeFlags{}
	set := flag.NewFlagSet("yolk grade", flag.ContinueOnError)
	set.StringVar(&f.lab, "lab", "", "the `name` of the lab, where the tree does not say it")
	set.StringVar(&f.format, "format", "mit", "what to write: mit, tap, junit, gradescope, classroom or autolab")
	set.BoolVar(&f.verbose, "v", false, "of failures, show all that was printed, and the kernel's last events")
	set.StringVar(&f.tests, "tests", "", "of a hand-in, add the tests of this `directory`")
	set.StringVar(&f.html, "html", "", "write the picture of the first failure in the guest to `file`")
	set.BoolVar(&f.summary, "summary", false, "sum up files that -format gradescope has written, or all in a directory; with -format csv for spreadsheets")
	set.Func("run", "only the tests whose names match the `regexp`", func(s string) (err error) {
		f.match, err = regexp.Compile(s)
		return err
	})
	if err := parseFlags(set, args); err != nil {
		return nil, err
	}
	if f.class = set.Args(); f.summary && set.NArg() > 0 && slices.Contains([]string{"mit", "csv"}, f.format) {
		return f, nil
	}
	if f.dir = set.Arg(0); f.dir != "" {
		f.dir = grade.Top(f.dir)
	}
	if f.summary || set.NArg() > 1 || f.format != "mit" && !grade.IsFormat(f.format) || f.tests != "" && f.dir == "" {
		err := errors.New("usage: yolk grade [-lab NAME] [-run REGEXP] [-v] [-html FILE] [-tests DIR] [-format mit|tap|junit|gradescope|classroom|autolab] [DIR], or yolk grade -summary [-format csv] FILE…")
		fmt.Fprintln(os.Stderr, err)
		return nil, err
	}
	return f, nil
}

// gradeCommand grades this tree, which is a student's, or what a student handed
// in.  Its exit status is 0 for the full score, 1 for less, 125 where there is no
// verdict.
func gradeCommand(root string, args []string) int {
	f, err := parseGrade(args)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err != nil {
		return qemu.ExitFailed // package flag has said it
	}
	if f.summary {
		return sumUp(f)
	}
	ctx, _, stop := onSignals()
	defer stop()
	report, err := f.grade(ctx, root)
	if err != nil {
		if f.format == "tap" {
			grade.BailOut(os.Stdout, err)
		}
		return complain(err)
	}
	if f.format != "mit" {
		if err := grade.Write(os.Stdout, f.format, report); err != nil {
			return complain(err)
		}
	}
	if !report.Full() {
		return 1
	}
	return 0
}

// sumUp writes the table of a class.  The exit status is 125 if a submission has no
// verdict.
func sumUp(f *gradeFlags) int {
	class, err := grade.ReadClass(f.class)
	if err != nil {
		return complain(err)
	}
	write := grade.WriteClass
	if f.format == "csv" {
		write = grade.WriteClassCSV
	}
	if err := write(os.Stdout, class); err != nil {
		return complain(err)
	}
	return 0
}

// grade runs the tests and writes the text for people: to stdout, or to stderr
// where stdout is for a program.
func (f *gradeFlags) grade(ctx context.Context, root string) (*grade.Report, error) {
	opt, done, err := f.options(ctx, root)
	if err != nil {
		return nil, err
	}
	defer done()
	var text io.Writer = os.Stdout
	if f.format != "mit" {
		text = os.Stderr
	}
	drawn := f.draws(opt)
	verdicts := &grade.Text{W: text, Verbose: f.verbose}
	report, err := grade.Run(ctx, *opt, verdicts.Tell)
	if err != nil {
		return nil, err
	}
	io.WriteString(text, drawn())
	if len(report.Results) == 0 {
		return nil, errors.New("no test has such a name")
	}
	io.WriteString(text, report.Summary())
	return report, nil
}

// options finds out what is graded, for which lab:
//
//	DIR     this tree      graded
//	given   the reference  DIR's files in a copy of this tree
//	given   a student's    nothing: the tests would be the student's
//	none    any            this tree, with its own tests
func (f *gradeFlags) options(ctx context.Context, root string) (opt *grade.Options, done func(), err error) {
	own, err := lab.ReadRecord(root)
	if err != nil {
		return nil, nil, err
	}
	record := own
	if f.dir != "" {
		if own != nil {
			return nil, nil, errors.New("a hand-in is graded from the reference, and this tree is a student's")
		}
		if record, err = f.recordOf(f.dir); err != nil {
			return nil, nil, err
		}
	}
	name := f.lab
	if name == "" && record != nil {
		name = record.Lab
	}
	if name == "" {
		return nil, nil, fmt.Errorf("which lab? There is no %s in %s; say yolk grade -lab NAME", lab.HandIn, cmp.Or(f.dir, root))
	}
	l, err := lab.Load(root, name)
	if err != nil {
		return nil, nil, err
	}
	opt = &grade.Options{Root: root, Lab: l, Match: f.match, Trace: f.verbose, Notes: os.Stderr, Alive: os.Stderr}
	if f.dir != "" {
		done, err = f.handIn(ctx, opt, record)
		return opt, done, err
	}
	noteStrays(root, own)
	opt.Files, err = lab.OwnFiles(root, l)
	return opt, func() {}, err
}

// recordOf reads what a hand-in says of itself, unless that was said already.
func (f *gradeFlags) recordOf(dir string) (*lab.Record, error) {
	info, err := os.Stat(dir)
	switch {
	case err != nil:
		return nil, err
	case !info.IsDir():
		return nil, fmt.Errorf("%s is a file: unpack it, and name the directory", dir)
	}
	record, err := lab.ReadRecord(dir)
	if err != nil && f.lab != "" {
		return nil, nil
	}
	if err == nil && record != nil && f.lab == "" {
		fmt.Fprintf(os.Stderr, "note: %s says that it is lab %s\n", filepath.Join(dir, lab.HandIn), record.Lab)
	}
	return record, err
}

// handIn has opt grade what was handed in, and with tests of its own if there are
// any.  record is what the hand-in says of itself, or nil.
func (f *gradeFlags) handIn(ctx context.Context, opt *grade.Options, record *lab.Record) (done func(), err error) {
	if record != nil && record.Lab == opt.Lab.Name && !opt.Lab.Takes(record.Version) {
		return nil, fmt.Errorf("%s is of lab %s %s, and this is the reference for %s: grade it with the one that it was cut from",
			f.dir, record.Lab, record.Version, opt.Lab.Version)
	}
	reference := opt.Root
	if f.tests != "" {
		if opt.Lab, err = opt.Lab.WithTests(f.tests); err != nil {
			return nil, err
		}
	}
	h, err := grade.NewHandIn(ctx, reference, f.dir, f.tests, opt.Lab)
	if err != nil {
		return nil, err
	}
	opt.Root, opt.Files, opt.Problem = h.Root, h.Files, h.Problem
	return h.Remove, nil
}

// noteStrays tells a student of changes that will not be handed in.
func noteStrays(root string, own *lab.Record) {
	if own == nil {
		return
	}
	changed, err := tree.ChangedSinceStart(root)
	if err != nil {
		return // without git there is nothing to compare with
	}
	changed = slices.DeleteFunc(changed, func(name string) bool { return slices.Contains(own.Files, name) })
	if len(changed) > 0 {
		fmt.Fprintf(os.Stderr, "note: changed, but not among the files that are handed in: %s\n", strings.Join(changed, ", "))
	}
}
