package main

import (
	"bufio"
	"errors"
	"flag"
	"io"
	"os"

	"yolk/kernel/trace"
	"yolk/qemu"
	"yolk/tools/internal/strace"
	"yolk/tools/internal/tracefile"
)

// straceCommand boots the system for a program and prints the system calls of
// that program while it runs.
func straceCommand(root string, args []string) int { return boot("strace", root, args, false) }

// straceFlags are the flags that yolk strace has beside those of yolk run.
type straceFlags struct {
	follow bool
	name   string

	file   *os.File // nil: standard error
	out    *bufio.Writer
	joiner *tracefile.Joiner
}

// checkProgram refuses to trace no program: a shell's calls are not what was asked for.
func (f *runFlags) checkProgram() error {
	if f.strace != nil && len(f.program) == 0 {
		return errors.New("usage: yolk strace [-f] [-o FILE] [FLAGS] -- PROGRAM ARGS… (strace -h lists the flags)")
	}
	return nil
}

func newStraceFlags(set *flag.FlagSet) *straceFlags {
	s := &straceFlags{}
	set.BoolVar(&s.follow, "f", false, "also the calls of the processes that the program makes")
	set.StringVar(&s.name, "o", "", "write the calls to `file`, not to standard error")
	return s
}

// open makes the file that the calls are written to.
func (s *straceFlags) open() (err error) {
	if s.name != "" {
		s.file, err = tracefile.CreateFile(s.name)
	}
	return err
}

// attach has the machine traced, and its trace printed: to the file, or to the
// host's standard error, which is log.  What -trace writes is written besides.
func (s *straceFlags) attach(cfg *qemu.Config, streams *qemu.IO, log io.Writer) {
	cfg.Params.Trace |= trace.ClassProcess | trace.ClassSyscall | trace.ClassSignal
	if s.file != nil {
		log = s.file
	}
	s.out = bufio.NewWriter(log)
	s.joiner = tracefile.NewJoiner(strace.NewPrinter(s.out, s.follow).Record)
	streams.Trace = both(streams.Trace, func(ev *trace.Event) {
		s.joiner.Event(ev)
		s.out.Flush() // a call that waits is to be seen; the error stays in out
	})
}

// close ends the output and returns the first error of writing it.
func (s *straceFlags) close() error {
	s.joiner.End()
	err := s.out.Flush()
	if s.file != nil {
		err = errors.Join(err, s.file.Close())
	}
	return err
}
