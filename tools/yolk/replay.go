package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"

	"yolk/qemu"
	"yolk/qemu/gdb"
	"yolk/tools/internal/build"
	"yolk/tools/internal/hosttools"
	"yolk/tools/internal/system"
)

// replayFlags are the flags of yolk replay.
type replayFlags struct {
	runFlags // trace and gdb
	files    []string
}

// parseReplay reads the command line of yolk replay: the file may stand before
// or behind the flags.
func parseReplay(args []string) (*replayFlags, error) {
	f := &replayFlags{}
	set := flag.NewFlagSet("yolk replay", flag.ContinueOnError)
	set.StringVar(&f.trace, "trace", "", "write the kernel's events to `file`")
	set.Var(&f.gdb, "gdb", "wait for GDB on this `port` (a free one if none is given)")
	for {
		if err := parseFlags(set, joinGDB(set, args)); err != nil {
			return nil, err
		}
		if args = set.Args(); len(args) == 0 {
			return f, nil
		}
		f.files, args = append(f.files, args[0]), args[1:]
	}
}

// check refuses what cannot be replayed.
func (f *replayFlags) check() error {
	switch {
	case len(f.files) != 1:
		return errors.New("replay needs one file that yolk run -record has made")
	case f.gdb.on && f.trace != "":
		return errors.New("-gdb excludes -trace: what happens more than once would be in the trace more than once")
	}
	return nil
}

// replayCommand repeats a recorded run.
func replayCommand(root string, args []string) int {
	f, err := parseReplay(args)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err != nil {
		return qemu.ExitFailed // package flag has said it
	}
	if err := f.check(); err != nil {
		return complain(err)
	}
	rec, err := qemu.OpenRecording(f.files[0])
	if err != nil {
		return complain(err)
	}
	defer rec.Close()
	qemuPath, err := hosttools.QEMU.Need(os.Stderr)
	if err == nil {
		err = rec.CheckQEMU(qemuPath)
	}
	if err != nil {
		return complain(err)
	}
	ctx, caught, stopSignals := onSignals()
	defer stopSignals()
	if f.gdb.on {
		return f.debug(ctx, caught, root, qemuPath, rec)
	}
	return f.repeat(ctx, caught, qemuPath, rec)
}

// repeat replays the run as it was; its input comes from the recording.
func (f *replayFlags) repeat(ctx context.Context, caught func() int, qemuPath string, rec *qemu.Recording) int {
	streams := &qemu.IO{ConsoleOut: os.Stderr, Stdout: os.Stdout, Stderr: os.Stderr, Log: os.Stderr, TraceRoom: math.MaxInt}
	if rec.Terminal[1] {
		streams.ConsoleOut = os.Stdout
	}
	finishTrace, err := f.openTrace(streams)
	if err != nil {
		return complain(err)
	}
	surviveBrokenPipe()
	result := qemu.Run(ctx, qemuPath, rec.Config(), streams)
	if err := finishTrace(); err != nil {
		complain(fmt.Errorf("the trace is not whole: %w", err))
	}
	if signal := caught(); signal != 0 {
		return 128 + signal
	}
	code, why := rec.Outcome(result)
	if why != "" {
		fmt.Fprintln(os.Stderr, "yolk: "+why)
	}
	return code
}

// debug replays the run for GDB, which may go back in time.
func (f *replayFlags) debug(ctx context.Context, caught func() int, root, qemuPath string, rec *qemu.Recording) int {
	cfg := rec.Config()
	f.gdb.attach = true
	var err error
	if cfg.GDB, err = f.gdb.choose(); err != nil {
		return complain(err)
	}
	t, err := replayTarget(root, cfg)
	if err == nil {
		err = f.announce(t, gdb.InitReplay(t))
	}
	if err != nil {
		return complain(err)
	}
	if err := qemu.RunForDebugger(ctx, qemuPath, cfg, os.Stderr); err != nil {
		return complain(err)
	}
	if signal := caught(); signal != 0 {
		return 128 + signal
	}
	return 0
}

// replayTarget is what GDB is told of a recorded machine.  The kernel and its
// symbols come from the recording; user programs have symbols only if the source
// tree still builds what was recorded.
func replayTarget(root string, cfg *qemu.Config) (gdb.Target, error) {
	tools, err := build.Find(root)
	if err != nil {
		return gdb.Target{}, err
	}
	t := gdb.Target{Root: root, Helpers: filepath.Join(root, "qemu", "gdb"), GOROOT: tools.GOROOT(), Kernel: cfg.Kernel, Port: cfg.GDB}
	s, err := system.Build(root)
	if err == nil {
		err = errors.Join(beginsWith(cfg.Kernel, s.Kernel), beginsWith(cfg.Initrd, s.Base))
	}
	var built gdb.Target
	if err == nil {
		built, err = s.DebugTarget(cfg.GDB, nil)
	}
	if err != nil {
		complain(fmt.Errorf("user programs have no symbols, and source lines may be off: %w", err))
	}
	t.Programs = built.Programs
	return t, nil
}

// beginsWith reports as an error if a file of a recording does not begin with
// what the source tree has built.
func beginsWith(recorded, built string) error {
	want, err := os.ReadFile(built)
	if err != nil {
		return err
	}
	got, err := os.ReadFile(recorded)
	if err == nil && !bytes.HasPrefix(got, want) {
		err = fmt.Errorf("%s is not what was recorded", built)
	}
	return err
}
