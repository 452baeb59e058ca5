package gdb

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
)

func TestInit(t *testing.T) {
	got := Init(Target{Root: "/a b/yolk", GOROOT: "/go", Kernel: "/a b/yolk/bin/kernel.elf", Box: "/box", Port: 4711})
	for _, want := range []string{
		"file \"/a b/yolk/bin/kernel.elf\"\n", "add-symbol-file \"/box\"\n", "set substitute-path yolk \"/a b/yolk\"\n",
		"target remote 127.0.0.1:4711\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if strings.Index(got, "file") > strings.Index(got, "target remote") {
		t.Error("the connection comes before the files")
	}
}

// TestSessionPatterns: a pattern that does not compile would fail only in a
// run with QEMU.
func TestSessionPatterns(t *testing.T) {
	for _, s := range Session {
		if _, err := regexp.Compile(s.Want); err != nil {
			t.Error(err)
		}
	}
}

func TestCheck(t *testing.T) {
	steps := []Step{{"a", "x+"}, {"b", "^$|y"}}
	say := func(a, b string) string {
		return fmt.Sprintf("hello\n"+mark+"\n%s\n"+mark+"\n%s\n", 0, a, 1, b)
	}
	if err := Check(say("xx", "y"), steps); err != nil {
		t.Error(err)
	}
	for _, bad := range []string{say("y", "y"), say("xx", "z"), "hello", strings.SplitN(say("x", "y"), fmt.Sprintf(mark, 1), 2)[0]} {
		if Check(bad, steps) == nil {
			t.Errorf("passed: %q", bad)
		}
	}
}
