package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"time"

	"yolk/kernel/trace"
	"yolk/qemu"
	"yolk/qemu/gdb"
	"yolk/tools/internal/hosttools"
	"yolk/tools/internal/system"
)

// debugCommand boots the system stopped, with GDB's stub on.
func debugCommand(root string, args []string) int {
	if _, err := hosttools.GDB.Need(os.Stderr); err != nil {
		complain(err) // the machine can be debugged from elsewhere
	}
	return boot("debug", root, args, true)
}

// keptForGDB are the events that the kernel keeps for GDB's kfaults to show.
const keptForGDB = trace.ClassProcess | trace.ClassFault | trace.ClassSignal

// initFile is where yolk debug writes what yolk gdb reads.
func initFile(root string) string { return filepath.Join(root, ".gdbinit") }

// announceGDB tells GDB and the user of a machine that waits.
func (f *runFlags) announceGDB(s *system.System, cfg *qemu.Config) error {
	t, err := s.DebugTarget(cfg.GDB, f.adds)
	if err != nil {
		return err
	}
	return f.announce(t, gdb.Init(t))
}

// announce writes the script to .gdbinit and says how to attach; inside tmux it
// attaches.
func (f *runFlags) announce(t gdb.Target, script string) error {
	setup := filepath.Join(t.Root, filepath.FromSlash(gdb.SetupFile))
	if err := os.WriteFile(setup, []byte(gdb.Setup(t)), 0o666); err != nil {
		return err
	}
	if err := os.WriteFile(initFile(t.Root), []byte(script), 0o666); err != nil {
		return err
	}
	where := fmt.Sprintf("in another terminal:\n\n    make gdb        (or: %s gdb)\n", os.Args[0])
	if f.gdb.attach && openPane() {
		where = "it begins in the other pane"
	}
	fmt.Fprintf(os.Stderr, "%s; %s\n", announcement(t.Port), where)
	return nil
}

// announcement is what editors wait for, too (.vscode/tasks.json).
func announcement(port int) string {
	return fmt.Sprintf("yolk: stopped, waiting for GDB on port %d", port)
}

// openPane has GDB attach in a new pane of the tmux that yolk runs in, and reports
// whether there is one.
func openPane() bool {
	self, err := os.Executable()
	if os.Getenv("TMUX") == "" || err != nil {
		return false
	}
	return exec.Command("tmux", "split-window", "-h", self, "gdb", "-wait").Run() == nil
}

// choose returns the port for GDB: the one given, else the usual one if yolk debug
// asks and it is free, else any.
func (g *gdbFlag) choose() (int, error) {
	port := g.port
	if port == 0 && g.attach && portFree(gdb.DefaultPort) {
		port = gdb.DefaultPort
	}
	if port != 0 {
		if !portFree(port) {
			return 0, fmt.Errorf("port %d is in use, by another yolk debug perhaps: end that, or choose another port with -gdb PORT", port)
		}
		return port, nil
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer ln.Close()
	return ln.Addr().(*net.TCPAddr).Port, nil
}

// portFree reports whether nobody listens on a port.
//
// WHY by listening and not by connecting: QEMU takes whoever connects for GDB.
func portFree(port int) bool {
	ln, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return false
	}
	ln.Close()
	return true
}

// gdbCommand attaches GDB to the machine that yolk debug has started; args are
// GDB's, after a -wait for yolk itself.
func gdbCommand(root string, args []string) int {
	debugger, err := hosttools.GDB.Need(os.Stderr)
	if err != nil {
		return complain(err)
	}
	patience := time.Duration(0)
	if len(args) > 0 && args[0] == "-wait" {
		patience, args = 10*time.Second, args[1:]
	}
	if err := awaitMachine(root, patience); err != nil {
		return complain(err)
	}
	signal.Notify(make(chan os.Signal, 1), os.Interrupt) // Ctrl-C is for GDB, which stops the machine
	// WHY the switch: started in the source tree, GDB would find .gdbinit by itself, and
	// load it a second time or complain that it must not.
	cmd := exec.Command(debugger, append([]string{"-q", "-iex", "set auto-load local-gdbinit off", "-x", initFile(root)}, args...)...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	var exit *exec.ExitError
	if err := cmd.Run(); errors.As(err, &exit) {
		return exit.ExitCode()
	} else if err != nil {
		return complain(err)
	}
	return 0
}

// errNoMachine means that yolk gdb has nothing to attach to.
var errNoMachine = errors.New("no machine waits for GDB; start one in another terminal with make debug (or yolk debug)")

// awaitMachine returns when a machine listens for GDB, or at last errNoMachine.
func awaitMachine(root string, patience time.Duration) error {
	script, err := os.ReadFile(initFile(root))
	if errors.Is(err, fs.ErrNotExist) {
		return errNoMachine
	}
	if err != nil {
		return err
	}
	port, err := gdb.Port(string(script))
	if err != nil {
		return fmt.Errorf("%s: %w; yolk debug writes it anew", initFile(root), err)
	}
	for tried := time.Duration(0); portFree(port); tried += 100 * time.Millisecond {
		if tried >= patience {
			return errNoMachine
		}
		time.Sleep(100 * time.Millisecond)
	}
	return nil
}
