package rings

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"

	"yolk/kernel/trace"
	"yolk/qemu"
	"yolk/qemu/gdb"
	"yolk/tools/internal/hosttools"
)

// gdbChecks are the scripted sessions.
func gdbChecks(s *suite) ([]Check, error) {
	var checks []Check
	for _, session := range gdb.Sessions {
		checks = append(checks, Check{Name: "gdb/" + session.Name, run: func(ctx context.Context) outcome {
			if _, err := exec.LookPath("cc"); session.C != nil && (err != nil || !oracle()) {
				return skipped("there is no C compiler for linux/amd64 here")
			}
			return verdictOf(s.playSession(ctx, &session, ""))
		}})
	}
	return append(checks,
		Check{Name: "gdb/editor", run: func(ctx context.Context) outcome { return verdictOf(s.playEditor(ctx)) }},
		Check{Name: "gdb/lldb", Long: true, run: func(ctx context.Context) outcome { return verdictOf(s.playLLDB(ctx)) }},
	), nil
}

// playEditor does what Visual Studio Code does with the launch.json of the tree.
func (s *suite) playEditor(ctx context.Context) error {
	debugger, err := hosttools.GDB.Need(s.opt.Out)
	if err != nil {
		return err
	}
	file, err := os.ReadFile(filepath.Join(s.root, ".vscode", "launch.json"))
	if err != nil {
		return err
	}
	launches, err := gdb.Launches(file)
	if err != nil {
		return err
	}
	cowdemo := filepath.Join(s.root, "userland", "cowdemo", "cowdemo.go")
	text, err := os.ReadFile(cowdemo)
	if err != nil {
		return err
	}
	before, _, _ := bytes.Cut(text, []byte("sys.MapPages"))
	m, err := s.bootForGDB(ctx, []string{"cowdemo"}, nil)
	if err != nil {
		return err
	}
	defer m.stop()
	setup := filepath.Join(s.root, filepath.FromSlash(gdb.SetupFile))
	if err := os.WriteFile(setup, []byte(gdb.Setup(m.target)), 0o666); err != nil {
		return err
	}
	line := fmt.Sprintf("%s:%d", cowdemo, 1+bytes.Count(before, []byte("\n")))
	out, err := m.run(gdb.EditorScript(&launches[0], s.root, line, m.target.Port), debugger, "-q", "-nx", "--interpreter=mi")
	if checkErr := gdb.CheckEditor(out); checkErr != nil {
		return fmt.Errorf("%w\n(gdb: %v)\n%s", checkErr, err, tail([]byte(out), 3000))
	}
	return nil
}

// playLLDB has LLDB do what it can; the machine must go on when it has let go.
func (s *suite) playLLDB(ctx context.Context) error {
	debugger, err := hosttools.LLDB.Need(s.opt.Out)
	if err != nil {
		return err
	}
	m, err := s.bootForGDB(ctx, []string{"cowdemo"}, nil)
	if err != nil {
		return err
	}
	defer m.stop()
	script, err := os.CreateTemp("", "lldb-")
	if err != nil {
		return err
	}
	defer os.Remove(script.Name())
	_, err = script.WriteString(gdb.ScriptLLDB(m.target))
	if err := errors.Join(err, script.Close()); err != nil {
		return err
	}
	out, err := m.run("", debugger, "--no-lldbinit", "--batch", "--source", script.Name())
	if checkErr := gdb.CheckLLDB(out); checkErr != nil {
		return fmt.Errorf("%w\n(lldb: %v)\n%s", checkErr, err, tail([]byte(out), 3000))
	}
	return m.succeeds()
}

// playSession boots a machine that waits for GDB, and has GDB attach to it for
// each part, with the helpers of another directory if one is given.
func (s *suite) playSession(ctx context.Context, session *gdb.Session, helpers string) error {
	debugger, err := hosttools.GDB.Need(s.opt.Out)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "gdb-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	adds, err := s.compile(session, dir)
	if err != nil {
		return err
	}
	m, err := s.bootForGDB(ctx, session.Program, adds)
	if err != nil {
		return err
	}
	defer m.stop()
	if helpers != "" {
		m.target.Helpers = helpers
	}
	for _, part := range session.Parts {
		if err := m.said.await(m.ctx, part.After); err != nil {
			return err
		}
		out, err := m.attach(debugger, part.Steps)
		if checkErr := gdb.Check(out, part.Steps); checkErr != nil {
			return fmt.Errorf("%w\n(gdb: %v)\n%s", checkErr, err, tail([]byte(out), 3000))
		}
		if session.Page && helpers == "" {
			if err := s.page(gdb.Transcript(out, part.Steps)); err != nil {
				return err
			}
		}
	}
	if session.Ends {
		return m.succeeds()
	}
	return nil
}

// succeeds waits for the machine's end, after the debugger has let go of it.
func (m *debugged) succeeds() error {
	if r := <-m.ended; r.ExitCode() != 0 {
		return fmt.Errorf("after the debugger had let go, the machine ended with status %d (%s)\n%s", r.ExitCode(), r.Why, m.said)
	}
	return nil
}

// compile compiles the session's programs in C into dir, each the way its name says,
// and returns the HOST:GUEST pairs that add them.
func (s *suite) compile(session *gdb.Session, dir string) (adds []string, err error) {
	for guest, source := range session.C {
		host := filepath.Join(dir, path.Base(guest))
		args := []string{"-g", "-O0", "-static"}
		if strings.HasSuffix(guest, "-pie") {
			args = []string{"-g", "-O0", "-static-pie", "-fPIE"}
		}
		args = append(args, "-o", host, filepath.Join(s.root, "qemu", "gdb", "testdata", source))
		if out, err := exec.Command("cc", args...).CombinedOutput(); err != nil {
			return nil, fmt.Errorf("compiling %s: %w\n%s", source, err, out)
		}
		adds = append(adds, host+":"+guest)
	}
	return adds, nil
}

// page holds the page on GDB against what GDB has just said, or updates it.
func (s *suite) page(transcript string) error {
	path := filepath.Join(s.root, "qemu", "gdb", "README.md")
	old, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	page, err := gdb.UpdatePage(string(old), transcript)
	switch {
	case err != nil:
		return err
	case s.opt.Update:
		return os.WriteFile(path, []byte(page), 0o666)
	case !gdb.SamePage(string(old), page):
		return errors.New("qemu/gdb/README.md shows another session than GDB does now; yolk test -run gdb/tour -update writes it anew")
	}
	return nil
}

// debugged is a machine that waits for GDB.
type debugged struct {
	target gdb.Target
	ctx    context.Context
	ended  chan qemu.Result
	said   *listener
	dog    *watchdog // GDB would wait for ever for a breakpoint that never comes
}

// bootForGDB starts a machine that runs the program once GDB lets it.
func (s *suite) bootForGDB(ctx context.Context, program, adds []string) (*debugged, error) {
	boot, err := s.sys()
	if err != nil {
		return nil, err
	}
	sys, err := s.built()
	if err != nil {
		return nil, err
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	m := &debugged{ended: make(chan qemu.Result, 1)}
	s.boxes.Lock()
	m.target, err = sys.DebugTarget(port, adds)
	s.boxes.Unlock()
	if err != nil {
		return nil, err
	}
	initrd, removeInitrd, err := boot.Initrd(nil, adds)
	if err != nil {
		return nil, err
	}
	m.ctx, m.dog = watch(ctx)
	m.said = newListener(m.dog)
	cfg := &qemu.Config{Kernel: sys.Kernel, Initrd: initrd, GDB: port, Params: qemu.Params{Program: program, Trace: trace.ClassFault}}
	go func() {
		defer removeInitrd()
		m.ended <- qemu.Run(m.ctx, boot.QEMU, cfg, &qemu.IO{Stdout: m.said, Stderr: m.said, Log: m.said})
		close(m.ended)
	}()
	if err := waitPort(m.ctx, port); err != nil {
		m.stop()
		return nil, err
	}
	return m, nil
}

// attach runs GDB with the steps and returns what it said.
func (m *debugged) attach(debugger string, steps []gdb.Step) (string, error) {
	dir, err := os.MkdirTemp("", "gdb-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	script := filepath.Join(dir, "script")
	if err := os.WriteFile(script, []byte(gdb.Script(m.target, steps)), 0o666); err != nil {
		return "", err
	}
	return m.run("", debugger, "-q", "-nx", "-batch", "-x", script)
}

// run runs a debugger that reads input and returns what it said.
func (m *debugged) run(input, debugger string, args ...string) (string, error) {
	said := newListener(m.dog)
	cmd := exec.CommandContext(m.ctx, debugger, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(input), said, said
	err := cmd.Run()
	return said.String(), err
}

// stop ends the machine, if it has not ended by itself.
func (m *debugged) stop() {
	m.dog.stop()
	<-m.ended
}

// listener keeps what somebody says.
type listener struct {
	mu    sync.Mutex
	heard bytes.Buffer  // guarded by mu
	more  chan struct{} // holds a token when something was heard
	dog   *watchdog
}

func newListener(dog *watchdog) *listener {
	return &listener{more: make(chan struct{}, 1), dog: dog}
}

func (l *listener) Write(b []byte) (int, error) {
	l.mu.Lock()
	l.heard.Write(b)
	l.mu.Unlock()
	l.dog.Write(b)
	select {
	case l.more <- struct{}{}:
	default:
	}
	return len(b), nil
}

func (l *listener) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.heard.String()
}

// await waits until what was heard matches the pattern.
func (l *listener) await(ctx context.Context, pattern string) error {
	for !regexp.MustCompile(pattern).MatchString(l.String()) {
		select {
		case <-l.more:
		case <-ctx.Done():
			return fmt.Errorf("waited for %q, heard %q", pattern, l)
		}
	}
	return nil
}

func freePort() (int, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer ln.Close()
	return ln.Addr().(*net.TCPAddr).Port, nil
}

// waitPort waits until QEMU listens.
//
// WHY it looks whether the port can be bound, and does not connect: QEMU takes
// the first connection for the debugger's.
func waitPort(ctx context.Context, port int) error {
	for {
		ln, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			return nil
		}
		ln.Close()
		select {
		case <-ctx.Done():
			return fmt.Errorf("QEMU does not listen for GDB: %w", ctx.Err())
		case <-time.After(50 * time.Millisecond):
		}
	}
}
