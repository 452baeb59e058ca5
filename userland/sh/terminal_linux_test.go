package sh

import (
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"
)

// A screen is the outer side of a terminal on which a shell runs.
type screen struct {
	t     *testing.T
	outer *os.File
	cmd   *exec.Cmd
	text  chan string
	seen  string
}

// newScreen starts the shell on a terminal of its own.
func newScreen(t *testing.T) *screen {
	t.Helper()
	outer, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skip("no terminals on this host: ", err)
	}
	t.Cleanup(func() { outer.Close() })
	number, unlock := uint32(0), uint32(0)
	ioctl(t, outer, syscall.TIOCSPTLCK, &unlock)
	ioctl(t, outer, syscall.TIOCGPTN, &number)
	inner, err := os.OpenFile("/dev/pts/"+strconv.Itoa(int(number)), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skip("no terminals on this host: ", err)
	}
	defer inner.Close()
	argv, env := ourShell(t)
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Dir = t.TempDir()
	cmd.Env = []string{"PATH=/usr/bin:/bin", "LC_ALL=C", env}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = inner, inner, inner
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s := &screen{t: t, outer: outer, cmd: cmd, text: make(chan string, 100)}
	go func() {
		buf := make([]byte, 1000)
		for {
			n, err := outer.Read(buf)
			if err != nil {
				close(s.text)
				return
			}
			s.text <- string(buf[:n])
		}
	}()
	t.Cleanup(func() { cmd.Process.Kill() })
	return s
}

func ioctl(t *testing.T, f *os.File, request uintptr, arg *uint32) {
	t.Helper()
	if _, _, e := syscall.Syscall(syscall.SYS_IOCTL, f.Fd(), request, uintptr(unsafe.Pointer(arg))); e != 0 {
		t.Skip("no terminals on this host: ", e)
	}
}

// expect waits for text on the screen, and forgets all up to it.
func (s *screen) expect(text string) {
	s.t.Helper()
	late := time.After(20 * time.Second)
	for !strings.Contains(s.seen, text) {
		select {
		case more, ok := <-s.text:
			if !ok {
				s.t.Fatalf("the shell ended; want %q, have %q", text, s.seen)
			}
			s.seen += more
		case <-late:
			s.t.Fatalf("want %q, have %q", text, s.seen)
		}
	}
	s.seen = s.seen[strings.Index(s.seen, text)+len(text):]
}

// send types.
func (s *screen) send(keys string) {
	s.t.Helper()
	if _, err := s.outer.WriteString(keys); err != nil {
		s.t.Fatal(err)
	}
}

func TestInteractive(t *testing.T) {
	// Whoever runs the tests in the background may have SIGINT ignored, and
	// programs inherit that; a signal that is caught here is not.
	caught := make(chan os.Signal, 1)
	signal.Notify(caught, os.Interrupt)
	defer signal.Stop(caught)
	s := newScreen(t)
	s.expect("$ ")
	s.send("echo one two\r")
	s.expect("echo one two\r\n")
	s.expect("one two\r\n$ ")
	s.send("\x1b[A\x1b[D\x1b[D\x1b[D\x7f-\r") // the last line, three to the left, the blank out, a dash in
	s.expect("one-two\r\n$ ")
	s.send("touch unique-name\r")
	s.expect("unique-name\r\n$ ")
	s.send("echo un\t\r")
	s.expect("\r\nunique-name\r\n$ ")
	s.send("if true\r")
	s.expect("> ")
	s.send("then echo inner; fi\r")
	s.expect("\r\ninner\r\n$ ")
	s.send("echo 'never run\x03")
	s.expect("^C\r\n$ ")
	s.send("stty -a | grep -c '^isig icanon'\r") // programs find the terminal as it was
	s.expect("\r\n1\r\n$ ")
	s.send("sleep 100\r")
	s.expect("sleep 100\r\n")
	time.Sleep(200 * time.Millisecond)
	s.send("\x03")
	s.expect("$ ")
	s.send("echo $?\r")
	s.expect("130\r\n$ ")
	s.send("while true; do sleep 0.01; done\r")
	s.expect("done\r\n")
	time.Sleep(200 * time.Millisecond)
	s.send("\x03")
	s.expect("$ ")
	s.send("while :; do :; done\r")
	s.expect("done\r\n")
	time.Sleep(200 * time.Millisecond)
	s.send("\x03")
	s.expect("$ ")
	s.send("sleep 0.1 & wait $!; echo waited $?\r")
	s.expect("waited 0\r\n$ ")
	s.send("(exit 4\r")
	s.expect("syntax error")
	s.expect("$ ")
	s.send("sh -c 'exit 6'\r")
	s.expect("$ ")
	s.send("\x04")
	if err := s.cmd.Wait(); s.cmd.ProcessState.ExitCode() != 6 {
		t.Errorf("Ctrl-D ended the shell with %v", err)
	}
}
