package main

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"yolk/qemu/gdb"
)

// listen takes a port and says which.
func listen(t *testing.T) (port int, stop func()) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	return ln.Addr().(*net.TCPAddr).Port, func() { ln.Close() }
}

func TestChoosePort(t *testing.T) {
	if port, err := (&gdbFlag{on: true}).choose(); port < 1024 || err != nil {
		t.Errorf("%d %v", port, err)
	}
	taken, free := listen(t)
	if _, err := (&gdbFlag{on: true, port: taken}).choose(); err == nil || !strings.Contains(err.Error(), "is in use") {
		t.Errorf("a port in use: %v", err)
	}
	free()
	if port, err := (&gdbFlag{on: true, port: taken}).choose(); port != taken || err != nil {
		t.Errorf("%d %v", port, err)
	}
	if port, err := (&gdbFlag{on: true, attach: true}).choose(); err != nil || port != gdb.DefaultPort && portFree(gdb.DefaultPort) {
		t.Errorf("%d %v", port, err)
	}
}

// TestAwaitMachine: a clear word when there is nothing to attach to.
func TestAwaitMachine(t *testing.T) {
	root := t.TempDir()
	if err := awaitMachine(root, 0); !errors.Is(err, errNoMachine) {
		t.Errorf("without a .gdbinit: %v", err)
	}
	port, stop := listen(t)
	if err := os.WriteFile(initFile(root), []byte(gdb.Init(gdb.Target{Port: port})), 0o666); err != nil {
		t.Fatal(err)
	}
	if err := awaitMachine(root, 0); err != nil {
		t.Errorf("a machine that waits: %v", err)
	}
	stop()
	if err := awaitMachine(root, 0); !errors.Is(err, errNoMachine) {
		t.Errorf("a machine that has ended: %v", err)
	}
	time.AfterFunc(200*time.Millisecond, func() { net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port))) })
	if err := awaitMachine(root, time.Minute); err != nil {
		t.Errorf("a machine that comes late: %v", err)
	}
	if err := os.WriteFile(initFile(root), []byte("set confirm off\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	if err := awaitMachine(root, 0); err == nil || errors.Is(err, errNoMachine) {
		t.Errorf("somebody else's .gdbinit: %v", err)
	}
}

// TestOpenPane: inside tmux GDB gets a pane beside the machine's, elsewhere none.
func TestOpenPane(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the stand-in for tmux is a script")
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "tmux"), []byte("#!/bin/sh\necho \"$@\" > "+dir+"/said\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir)
	t.Setenv("TMUX", "")
	if openPane() {
		t.Error("a pane was opened outside of tmux")
	}
	t.Setenv("TMUX", "/tmp/tmux-0/default,1,0")
	if !openPane() {
		t.Error("no pane was opened")
	}
	if said, _ := os.ReadFile(filepath.Join(dir, "said")); !strings.HasPrefix(string(said), "split-window -h ") || !strings.HasSuffix(string(said), " gdb -wait\n") {
		t.Errorf("tmux was asked for %q", said)
	}
	t.Setenv("PATH", filepath.Join(dir, "nowhere"))
	if openPane() {
		t.Error("a pane was opened without tmux")
	}
}
