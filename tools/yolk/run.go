package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"strings"

	"yolk/kernel/trace"
	"yolk/qemu"
	"yolk/tools/internal/lines"
	"yolk/tools/internal/system"
	"yolk/tools/internal/tracefile"
)

// runFlags are the flags of yolk run, and of the commands that are made of it.
type runFlags struct {
	machine, cpu, append, trace string
	events                      eventsFlag
	view                        viewFlags
	record                      string
	memory                      int
	icount                      bool
	gdb                         gdbFlag
	initrds, adds, qemu         listFlag
	program                     []string
	strace                      *straceFlags // nil: not yolk strace
}

// parseRun reads the command line of yolk run and yolk debug.
func parseRun(name string, args []string) (*runFlags, error) {
	f := &runFlags{}
	set := flag.NewFlagSet("yolk "+name, flag.ContinueOnError)
	set.IntVar(&f.memory, "m", qemu.DefaultMemory, "memory in `MiB`")
	set.StringVar(&f.machine, "machine", qemu.DefaultMachine, "the `machine`: q35, pc or microvm")
	set.StringVar(&f.cpu, "cpu", qemu.DefaultCPU, "the processor `model`, as QEMU's -cpu takes it")
	set.Var(&f.initrds, "initrd", "lay a cpio `archive` (newc, plain or gzip) over the base image; may be repeated")
	set.Var(&f.adds, "add", "add a file or directory, `HOST:GUEST`; may be repeated")
	set.StringVar(&f.append, "append", "", "`parameters` for the kernel")
	set.BoolVar(&f.icount, "icount", false, "count instructions: the virtual clock runs by them, and runs repeat exactly")
	set.StringVar(&f.trace, "trace", "", "write the kernel's events to `file`, as JSON if it ends in .json; see yolk trace")
	set.Var(&f.events, "trace-events", "the `classes` of events to trace, with commas between: "+tracefile.ClassNames())
	set.BoolVar(&f.view.on, "view", false, "serve the picture of the running machine to a browser on this host")
	set.StringVar(&f.view.addr, "view-addr", "", "serve it at this `address`; without it, at a free port")
	set.StringVar(&f.record, "record", "", "record the run into `file`, for yolk replay")
	set.Var(&f.gdb, "gdb", "wait for GDB on this `port` (a free one if none is given)")
	set.Var(&f.qemu, "qemu", "a further `argument` for QEMU; may be repeated")
	if name == "strace" {
		f.strace = newStraceFlags(set)
	}
	if err := parseFlags(set, joinGDB(set, args)); err != nil {
		return nil, err
	}
	f.program = set.Args()
	return f, nil
}

// gdbFlag is a flag with a value that may be missing.
type gdbFlag struct {
	on     bool
	port   int  // 0: a free one
	attach bool // yolk debug: somebody is about to attach with yolk gdb
}

func (g *gdbFlag) String() string   { return "" }
func (g *gdbFlag) IsBoolFlag() bool { return true }

func (g *gdbFlag) Set(s string) error {
	g.on = true
	if s == "true" {
		return nil
	}
	port, err := strconv.ParseUint(s, 10, 16)
	g.port = int(port)
	return err
}

// joinGDB writes the port behind -gdb as -gdb=PORT, which package flag needs.
func joinGDB(set *flag.FlagSet, args []string) []string {
	var out []string
	for i := 0; i < len(args); i++ {
		arg := args[i]
		name, _, joined := strings.Cut(strings.TrimLeft(arg, "-"), "=")
		f := set.Lookup(name)
		if !strings.HasPrefix(arg, "-") || arg == "--" || f == nil {
			return append(out, args[i:]...) // the program begins, or an error
		}
		out = append(out, arg)
		b, isBool := f.Value.(interface{ IsBoolFlag() bool })
		last := i+1 == len(args)
		switch {
		case joined || last:
		case name == "gdb":
			if _, err := strconv.ParseUint(args[i+1], 10, 16); err == nil {
				out[len(out)-1] += "=" + args[i+1]
				i++
			}
		case !isBool || !b.IsBoolFlag():
			out = append(out, args[i+1])
			i++
		}
	}
	return out
}

// eventsFlag is a set of classes of events; 0 if none were named.
type eventsFlag trace.Class

func (e *eventsFlag) String() string { return "" }

func (e *eventsFlag) Set(s string) error {
	set, err := tracefile.ParseClasses(s)
	*e = eventsFlag(set)
	return err
}

// listFlag is a flag that may be repeated.
type listFlag []string

func (l *listFlag) String() string     { return strings.Join(*l, " ") }
func (l *listFlag) Set(s string) error { *l = append(*l, s); return nil }

// runCommand boots the system.
func runCommand(root string, args []string) int { return boot("run", root, args, false) }

// boot is yolk run and yolk debug.
func boot(name, root string, args []string, debug bool) int {
	f, err := parseRun(name, args)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err != nil {
		return qemu.ExitFailed // package flag has said it
	}
	if _, ok := qemu.Lookup(f.machine); !ok {
		return complain(fmt.Errorf("there is no machine %q", f.machine))
	}
	f.gdb.on, f.gdb.attach = f.gdb.on || debug, debug
	if err := errors.Join(f.checkProgram(), f.checkRecord()); err != nil {
		return complain(err)
	}
	qemuPath, s, err := prepare(root)
	if err != nil {
		return complain(err)
	}
	return f.start(qemuPath, s)
}

// start starts the machine with the host's terminal and streams.
func (f *runFlags) start(qemuPath string, s *system.System) int {
	cfg, cleanup, err := f.config(s)
	if err != nil {
		return complain(err)
	}
	defer cleanup()
	if f.gdb.on {
		if err := f.announceGDB(s, cfg); err != nil {
			return complain(err)
		}
	}
	streams := &qemu.IO{}
	endReaders, err := f.openReaders(streams)
	if err != nil {
		return complain(err)
	}
	rec, err := f.startRecording(qemuPath, cfg)
	if err != nil {
		return complain(err)
	}
	surviveBrokenPipe()
	ctx, caught, stopSignals := onSignals()
	defer stopSignals()
	term := openTerminal()
	term.makeRaw()
	f.connect(cfg, streams, term)
	streams.Log = &lines.Writer{W: streams.Log, Files: s.Files(f.adds)}
	if f.strace != nil {
		f.strace.attach(cfg, streams, term.log())
	}
	result := qemu.Run(ctx, qemuPath, cfg, streams)
	term.restore()
	endReaders(ctx)
	return rec.finish(cfg, result, f.exitCode(result, caught()))
}

// exitCode is yolk's exit status for the result; signal is the one that has
// ended yolk, or 0.
func (f *runFlags) exitCode(result qemu.Result, signal int) int {
	if result.End == qemu.Stopped {
		return f.stopped(signal)
	}
	if result.Why != "" {
		fmt.Fprintln(os.Stderr, "yolk: "+result.Why)
	}
	return result.ExitCode()
}

// stopped is yolk's exit status when the user ended the machine, by a signal
// or by Ctrl-A x: of a shell it is the natural end; of a program it is a kill.
func (f *runFlags) stopped(signal int) int {
	const sigKill = 9
	switch {
	case signal != 0:
		return 128 + signal
	case len(f.program) > 0:
		fmt.Fprintln(os.Stderr, "yolk: stopped")
		return 128 + sigKill
	}
	return 0
}

// config turns the flags into a machine; cleanup removes what was made for it.
func (f *runFlags) config(s *system.System) (cfg *qemu.Config, cleanup func(), err error) {
	cfg = &qemu.Config{
		Machine: f.machine, CPU: f.cpu, Memory: f.memory, Kernel: s.Kernel, ICount: f.icount, Extra: f.qemu,
		Params: qemu.Params{Append: f.append, Program: f.program},
	}
	extra := system.Extra{Initrds: f.initrds, Adds: f.adds}
	// The parameters of the terminal come later; 200 bytes are enough for them.
	if line, err := cfg.Params.CommandLine(); err != nil || len(line) > qemu.MaxCommandLine-200 {
		cfg.Params.ArgsFile, extra.Args = len(f.program) > 0, f.program
	}
	if f.gdb.on {
		cfg.Params.Trace = keptForGDB
		if cfg.GDB, err = f.gdb.choose(); err != nil {
			return nil, nil, err
		}
	}
	cfg.Initrd, cleanup, err = s.Initrd(extra)
	return cfg, cleanup, err
}

// openReaders opens whatever reads the machine's trace.  end is to be called after
// the machine's end; it complains about what could not be written.
func (f *runFlags) openReaders(streams *qemu.IO) (end func(ctx context.Context), err error) {
	finishTrace, err := f.openTrace(streams)
	if err == nil && f.strace != nil {
		err = f.strace.open()
	}
	if err != nil {
		return nil, err
	}
	endView, err := f.view.open(streams, f.title())
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context) {
		if err := finishTrace(); err != nil {
			complain(fmt.Errorf("the trace is not whole: %w", err))
		}
		if f.strace != nil {
			if err := f.strace.close(); err != nil {
				complain(fmt.Errorf("the system calls are not all written: %w", err))
			}
		}
		endView(ctx)
	}, nil
}

// openTrace opens the trace's file; finish closes it.
func (f *runFlags) openTrace(streams *qemu.IO) (finish func() error, err error) {
	if f.trace == "" {
		return func() error { return nil }, nil
	}
	w, err := tracefile.Create(f.trace)
	if err != nil {
		return nil, err
	}
	streams.Trace = w.Event
	return w.Close, nil
}

// connect leads the machine's channels to the host's terminal and streams:
//
//	                        console               program's 0, 1, 2
//	no program              stdin, stdout         –
//	program, a descriptor   stdin and the first   each descriptor that is no
//	is a terminal           output that is one    terminal: the channel
func (f *runFlags) connect(cfg *qemu.Config, streams *qemu.IO, t *terminal) {
	shell := len(f.program) == 0
	p := &cfg.Params
	if shell {
		p.Terminal = [3]bool{true, true, true}
	} else {
		p.Terminal = t.is
	}
	switch {
	case f.events != 0:
		p.Trace = trace.Class(f.events)
	case f.view.wanted():
		p.Trace = trace.ClassAll
	case f.trace != "":
		p.Trace = tracefile.DefaultClasses(f.trace)
	}
	p.Size, p.Term = t.size(), t.name()
	streams.Stdin, streams.Stdout, streams.Stderr = os.Stdin, os.Stdout, os.Stderr
	streams.ConsoleOut = t.output(shell)
	if shell || t.is[0] {
		streams.ConsoleIn = &qemu.Escape{R: os.Stdin}
		streams.Stdin = nil
	}
	streams.Log = t.log()
	streams.Resized = t.resizes()
}

// onSignals gives a context that ends with the signals that end a program,
// so that the terminal is restored and QEMU ended first; caught is the number
// of the one that came, or 0.
func onSignals() (ctx context.Context, caught func() int, stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	c := make(chan os.Signal, 1)
	signal.Notify(c, endingSignals()...)
	number := make(chan int, 1)
	go func() {
		if s, ok := <-c; ok {
			number <- signalNumber(s)
			cancel()
		}
	}()
	caught = func() int {
		select {
		case n := <-number:
			return n
		default:
			return 0
		}
	}
	return ctx, caught, func() { signal.Stop(c); cancel() }
}
