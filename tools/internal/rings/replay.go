package rings

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"

	"yolk/kernel/trace"
	"yolk/qemu"
	"yolk/qemu/boottest"
	"yolk/qemu/gdb"
	"yolk/tools/internal/hosttools"
)

// A recordedRun is what is recorded and then replayed.
type recordedRun struct {
	name    string
	machine string
	program []string // none: a shell
	typed   string   // at the console, in one piece
	stdin   string
	append  string // parameters of the kernel
	stop    string // what the program prints before the user ends the machine; "": it ends by itself
	code    int    // the exit status that is expected
	long    bool
}

// recordedRuns are the runs: with input of each kind, more output than the credit
// at the start, and each way to end.
var recordedRuns = []recordedRun{
	{name: "demo", machine: "q35", program: []string{"cowdemo"}, long: true},
	{name: "demo", machine: "pc", program: []string{"cowdemo"}, long: true},
	{name: "demo", machine: "microvm", program: []string{"cowdemo"}, long: true},
	{name: "input", machine: "q35", program: []string{"cat"}, stdin: strings.Repeat("0123456789abcde\n", 1500), long: true},
	{name: "output", machine: "q35", program: []string{"cat", "/bin/yolkbox"}, long: true},
	{name: "console", machine: "q35", typed: "echo one two three four five | wc -w\nexit 7\n", code: 7, long: true},
	{name: "panic", machine: "q35", program: []string{"sh", "-c", "echo nil > /dev/crash"}, append: "crash=device", code: qemu.ExitPanicked, long: true},
	{name: "stopped", machine: "q35", program: []string{"sh", "-c", "echo begun; sleep 1000"}, stop: "begun\n", long: true},
}

// replayChecks record runs and replay them, and go backwards in one.
func replayChecks(s *suite) ([]Check, error) {
	var checks []Check
	for _, run := range recordedRuns {
		checks = append(checks, Check{Name: "replay/" + run.machine + "/" + run.name, Long: run.long, run: func(ctx context.Context) outcome {
			return s.inTemp(func(dir string, sys *boottest.System) error { return run.repeats(ctx, sys, dir) })
		}})
	}
	return append(checks, Check{Name: "replay/command", run: func(ctx context.Context) outcome {
		return s.inTemp(func(dir string, _ *boottest.System) error { return replayCommand(ctx, dir) })
	}}, Check{Name: "replay/rewind", run: func(ctx context.Context) outcome {
		return s.inTemp(func(dir string, sys *boottest.System) error { return s.rewind(ctx, sys, dir) })
	}}), nil
}

// inTemp runs check with the system built and a directory of its own.
func (s *suite) inTemp(check func(dir string, sys *boottest.System) error) outcome {
	sys, err := s.sys()
	if err != nil {
		return failed("%v", err)
	}
	dir, err := os.MkdirTemp("", "replay-")
	if err != nil {
		return failed("%v", err)
	}
	defer os.RemoveAll(dir)
	return verdictOf(check(dir, sys))
}

// observed is what is seen of a run.
type observed struct {
	console, stdout, log bytes.Buffer
	events               []trace.Event
	code                 int
}

// streams leads a run's channels to o.
func (o *observed) streams() *qemu.IO {
	return &qemu.IO{ConsoleOut: &o.console, Stdout: &o.stdout, Stderr: &o.log, Log: &o.log, TraceRoom: math.MaxInt,
		Trace: func(ev *trace.Event) { o.events = append(o.events, *ev) }}
}

// difference says in what a replay differs from the run, or "".
func (o *observed) difference(replay *observed) string {
	switch {
	case replay.code != o.code:
		return fmt.Sprintf("the replay's exit status is %d and not %d\n%s", replay.code, o.code, tail(replay.log.Bytes(), 2000))
	case !bytes.Equal(replay.stdout.Bytes(), o.stdout.Bytes()):
		return fmt.Sprintf("the replay's %d bytes of output are not the %d of the run", replay.stdout.Len(), o.stdout.Len())
	case !bytes.Equal(replay.console.Bytes(), o.console.Bytes()):
		return fmt.Sprintf("the replay's console shows %q and not %q", replay.console.Bytes(), o.console.Bytes())
	case len(o.events) == 0:
		return "no event was recorded"
	case len(replay.events) != len(o.events):
		return fmt.Sprintf("the replay has %d events and not %d", len(replay.events), len(o.events))
	}
	for i := range o.events {
		if replay.events[i] != o.events[i] {
			return fmt.Sprintf("event %d of the replay is %+v and not %+v", i, replay.events[i], o.events[i])
		}
	}
	return ""
}

// repeats records the run and replays it twice.
func (r *recordedRun) repeats(ctx context.Context, sys *boottest.System, dir string) error {
	file := filepath.Join(dir, "recording")
	run, err := r.record(ctx, sys, file)
	if err != nil {
		return err
	}
	if run.code != r.code {
		return fmt.Errorf("the recorded run's exit status is %d and not %d\n%s", run.code, r.code, tail(run.log.Bytes(), 2000))
	}
	for range 2 {
		again, err := replay(ctx, sys.QEMU, file)
		if err != nil {
			return err
		}
		if diff := run.difference(again); diff != "" {
			return errors.New(diff)
		}
	}
	return nil
}

// record records the run into file.
func (r *recordedRun) record(ctx context.Context, sys *boottest.System, file string) (*observed, error) {
	initrd, done, err := sys.Initrd(nil, nil)
	if err != nil {
		return nil, err
	}
	defer done()
	cfg := &qemu.Config{Machine: r.machine, Kernel: sys.Kernel, Initrd: initrd, Params: qemu.Params{
		Program: r.program, Append: r.append, Trace: trace.ClassAll, Terminal: [3]bool{r.program == nil, r.program == nil, r.program == nil},
	}}
	rec, err := qemu.NewRecording(file, sys.QEMU, cfg)
	if err != nil {
		return nil, err
	}
	defer rec.Close()
	run := &observed{}
	streams := run.streams()
	streams.Stdin, streams.ConsoleIn = strings.NewReader(r.stdin), strings.NewReader(r.typed)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if r.stop != "" {
		streams.Stdout = writerFunc(func(b []byte) (int, error) {
			run.stdout.Write(b)
			if bytes.Contains(run.stdout.Bytes(), []byte(r.stop)) {
				cancel()
			}
			return len(b), nil
		})
	}
	result := qemu.Run(ctx, sys.QEMU, cfg, streams)
	run.code = result.ExitCode()
	return run, rec.Save(cfg, result, run.code)
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }

// replay replays a recording.
func replay(ctx context.Context, qemuPath, file string) (*observed, error) {
	rec, err := qemu.OpenRecording(file)
	if err != nil {
		return nil, err
	}
	defer rec.Close()
	if err := rec.CheckQEMU(qemuPath); err != nil {
		return nil, err
	}
	o := &observed{}
	result := qemu.Run(ctx, qemuPath, rec.Config(), o.streams())
	o.code, _ = rec.Outcome(result)
	return o, nil
}

// replayCommand records cowdemo by yolk run and replays it by yolk replay: twice,
// and once more when the recording has been cut short.
func replayCommand(ctx context.Context, dir string) error {
	stdout, _, err := yolk(ctx, dir, 0, "run", "-record", "recording", "-trace", "trace", "--", "cowdemo")
	if err != nil {
		return err
	}
	for _, args := range [][]string{{"replay", "recording", "-trace", "again"}, {"replay", "-trace", "again", "recording"}} {
		again, _, err := yolk(ctx, dir, 0, args...)
		if err != nil {
			return err
		}
		if len(again) == 0 || !bytes.Equal(again, stdout) {
			return fmt.Errorf("%q prints %d bytes, not the %d of the run", args, len(again), len(stdout))
		}
		want, err := os.ReadFile(filepath.Join(dir, "trace"))
		if err != nil {
			return err
		}
		if got, err := os.ReadFile(filepath.Join(dir, "again")); len(got) == 0 || !bytes.Equal(got, want) {
			return fmt.Errorf("%q: its trace has %d bytes and is not that of the run, which has %d (%v)", args, len(got), len(want), err)
		}
	}
	recording := filepath.Join(dir, "recording")
	if err := os.Truncate(recording, 1<<20); err != nil {
		return err
	}
	_, said, err := yolk(ctx, dir, qemu.ExitFailed, "replay", "recording")
	if err == nil && !bytes.Contains(said, []byte("cut short")) {
		err = fmt.Errorf("of a recording that was cut short, yolk says %q", said)
	}
	return err
}

// yolk runs this program in dir and wants its exit status to be code.
func yolk(ctx context.Context, dir string, code int, args ...string) (stdout, stderr []byte, err error) {
	self, err := os.Executable()
	if err != nil {
		return nil, nil, err
	}
	var out, said bytes.Buffer
	cmd := exec.CommandContext(ctx, self, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &out, &said
	cmd.Run()
	if got := cmd.ProcessState.ExitCode(); got != code {
		err = fmt.Errorf("yolk %q: exit status %d and not %d\n%s", args, got, code, tail(said.Bytes(), 2000))
	}
	return out.Bytes(), said.Bytes(), err
}

// firstPage matches cowdemo's first line, which names the process and its first
// page.
var firstPage = regexp.MustCompile(`^step=before pid=(\d+) va=(0x[0-9a-f]+) `)

// rewind records cowdemo and has GDB go backwards in a replay of it.
func (s *suite) rewind(ctx context.Context, sys *boottest.System, dir string) error {
	debugger, err := hosttools.GDB.Need(s.opt.Out)
	if err != nil {
		return err
	}
	file := filepath.Join(dir, "recording")
	run, err := (&recordedRun{program: []string{"cowdemo"}}).record(ctx, sys, file)
	if err != nil {
		return err
	}
	var pid int
	var va uint64
	found := firstPage.FindSubmatch(run.stdout.Bytes())
	if found == nil {
		return fmt.Errorf("cowdemo printed %q", run.stdout.Bytes())
	}
	if _, err := fmt.Sscan(string(found[1])+" "+string(found[2]), &pid, &va); err != nil {
		return err
	}
	rec, err := qemu.OpenRecording(file)
	if err != nil {
		return err
	}
	defer rec.Close()
	m, err := s.replayForGDB(ctx, sys.QEMU, rec)
	if err != nil {
		return err
	}
	defer m.stop()
	steps := gdb.Rewind(pid, va)
	out, err := m.attach(debugger, steps)
	if checkErr := gdb.Check(out, steps); checkErr != nil {
		return fmt.Errorf("%w\n(gdb: %v; QEMU: %s)\n%s", checkErr, err, m.said, tail([]byte(out), 3000))
	}
	return nil
}

// replayForGDB starts a replay that waits for GDB.
func (s *suite) replayForGDB(ctx context.Context, qemuPath string, rec *qemu.Recording) (*debugged, error) {
	built, err := s.built()
	if err != nil {
		return nil, err
	}
	cfg := rec.Config()
	if cfg.GDB, err = freePort(); err != nil {
		return nil, err
	}
	m := &debugged{ended: make(chan qemu.Result, 1)}
	s.boxes.Lock()
	m.target, err = built.DebugTarget(cfg.GDB, nil)
	s.boxes.Unlock()
	if err != nil {
		return nil, err
	}
	m.target.Kernel = cfg.Kernel
	m.ctx, m.dog = watch(ctx)
	m.said = newListener(m.dog)
	go func() {
		if err := qemu.RunForDebugger(m.ctx, qemuPath, cfg, m.said); err != nil {
			fmt.Fprintln(m.said, err)
		}
		close(m.ended)
	}()
	if err := waitPort(m.ctx, cfg.GDB); err != nil {
		m.stop()
		return nil, err
	}
	return m, nil
}
