package main

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"yolk/qemu"
)

func TestParseReplay(t *testing.T) {
	for _, c := range []struct {
		args  string
		files []string
		trace string
		gdb   gdbFlag
	}{
		{"f", []string{"f"}, "", gdbFlag{}},
		{"f -gdb", []string{"f"}, "", gdbFlag{on: true}},
		{"f -gdb 4711", []string{"f"}, "", gdbFlag{on: true, port: 4711}},
		{"-gdb 4711 f", []string{"f"}, "", gdbFlag{on: true, port: 4711}},
		{"-gdb f", []string{"f"}, "", gdbFlag{on: true}},
		{"-trace t f", []string{"f"}, "t", gdbFlag{}},
		{"f -trace t", []string{"f"}, "t", gdbFlag{}},
		{"-trace t", nil, "t", gdbFlag{}},
		{"f -gdb g", []string{"f", "g"}, "", gdbFlag{on: true}},
	} {
		f, err := parseReplay(strings.Fields(c.args))
		if err != nil || !slices.Equal(f.files, c.files) || f.trace != c.trace || f.gdb != c.gdb {
			t.Errorf("%s: %+v, %v", c.args, f, err)
		}
	}
}

// TestRecordExcludes: what a recording could not hold is refused.
func TestRecordExcludes(t *testing.T) {
	for args, ok := range map[string]bool{
		"-record f": true, "-record f -trace t -m 64 -append x": true,
		"-record f -gdb": false, "-record f -gdb 4711": false, "-record f -qemu -nic": false, "-gdb -qemu x": true,
	} {
		f, err := parseRun("run", strings.Fields(args))
		if err != nil {
			t.Fatal(err)
		}
		if err := f.checkRecord(); (err == nil) != ok {
			t.Errorf("%s: %v", args, err)
		}
	}
}

// TestReplayRefuses: each mistake gets a sentence of its own and yolk's status.
func TestReplayRefuses(t *testing.T) {
	foreign := filepath.Join(t.TempDir(), "foreign")
	if err := os.WriteFile(foreign, []byte("text"), 0o666); err != nil {
		t.Fatal(err)
	}
	for args, want := range map[string]string{
		"":                     "needs one file",
		"a b":                  "needs one file",
		foreign:                "not a recording",
		foreign + "x":          "no such file",
		foreign + " -gdb":      "not a recording",
		"-gdb -trace t a":      "-gdb excludes -trace",
		"-no-such-flag":        "flag provided but not defined",
		foreign + " -gdb=port": "invalid",
	} {
		code, said := stderrOf(t, func() int { return replayCommand("", strings.Fields(args)) })
		if code != qemu.ExitFailed || !strings.Contains(said, want) {
			t.Errorf("%q: %d, %q, want %q", args, code, said, want)
		}
	}
}

// stderrOf is what run returns and what it writes to stderr.
func stderrOf(t *testing.T, run func() int) (int, string) {
	t.Helper()
	file, err := os.Create(filepath.Join(t.TempDir(), "stderr"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	saved := os.Stderr
	os.Stderr = file
	defer func() { os.Stderr = saved }()
	code := run()
	b, err := os.ReadFile(file.Name())
	if err != nil {
		t.Fatal(err)
	}
	return code, string(bytes.TrimSpace(b))
}

// TestBeginsWith: whether the source tree still builds what was recorded.
func TestBeginsWith(t *testing.T) {
	dir := t.TempDir()
	path := func(name, content string) string {
		p := filepath.Join(dir, name)
		if err := os.WriteFile(p, []byte(content), 0o666); err != nil {
			t.Fatal(err)
		}
		return p
	}
	recorded := path("recorded", "base and more")
	for built, ok := range map[string]bool{path("same", "base"): true, path("other", "case"): false, filepath.Join(dir, "none"): false} {
		if err := beginsWith(recorded, built); (err == nil) != ok {
			t.Errorf("%s: %v", built, err)
		}
	}
}
