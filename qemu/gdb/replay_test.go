package gdb

import (
	"regexp"
	"strings"
	"testing"
)

// TestInitReplay: the breakpoint at the end can be set once the machine is there.
func TestInitReplay(t *testing.T) {
	got := InitReplay(Target{Root: "/r", Kernel: "/k", Port: 4711})
	connected, stop := strings.Index(got, "target remote"), strings.Index(got, "break 'main.(*machine).PowerOff'")
	if connected < 0 || stop < connected {
		t.Errorf("connected at %d, breakpoint at %d in\n%s", connected, stop, got)
	}
}

// TestRewind: a pattern that does not compile would fail only in a run with QEMU.
func TestRewind(t *testing.T) {
	steps := Rewind(7, 0x7000)
	for _, s := range steps {
		if _, err := regexp.Compile(s.Want); err != nil {
			t.Error(err)
		}
	}
	if !strings.Contains(steps[0].Command, "pid == 7") {
		t.Errorf("the session is about another process: %q", steps[0].Command)
	}
}
