package qemu

import (
	"archive/zip"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// record makes a recording of a machine that has kernel, initrd and a log.
func record(t *testing.T, result Result, exitCode int) (path string) {
	t.Helper()
	ownTemp(t)
	dir := t.TempDir()
	kernel, initrd := filepath.Join(dir, "k"), filepath.Join(dir, "i")
	write(t, kernel, "the kernel")
	write(t, initrd, "the initrd")
	cfg := &Config{Machine: "pc", Memory: 64, Kernel: kernel, Initrd: initrd, Params: Params{Program: []string{"ls"}}}
	path = filepath.Join(dir, "recording")
	rec, err := NewRecording(path, self(t), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer rec.Close()
	write(t, kernel, "another kernel") // a build in the meantime
	if b, err := os.ReadFile(cfg.Kernel); string(b) != "the kernel" {
		t.Errorf("the machine boots %q, %v", b, err)
	}
	write(t, filepath.Join(cfg.RR.Dir, fileEvents), "log of events")
	cfg.Params.Terminal[1] = true
	if err := rec.Save(cfg, result, exitCode); err != nil {
		t.Fatal(err)
	}
	return path
}

// ownTemp gives the test a directory for temporary files of its own.
func ownTemp(t *testing.T) {
	t.Helper()
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	t.Setenv("TMP", dir) // Windows
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
}

func self(t *testing.T) string {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// empty wants the directory for temporary files to be left as it was found.
func empty(t *testing.T) {
	t.Helper()
	if left, err := os.ReadDir(os.TempDir()); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// TestRecordingHoldsEverything: a recording is replayed with what was there when
// it began, and needs nothing else.
func TestRecordingHoldsEverything(t *testing.T) {
	path := record(t, Result{End: Finished, Status: 7 << 8}, 7)
	empty(t)
	rec, err := OpenRecording(path)
	if err != nil {
		t.Fatal(err)
	}
	cfg := rec.Config()
	want := Config{Machine: "pc", CPU: DefaultCPU, Memory: 64, Line: "tty=2 taken=1 -- ls"}
	if cfg.Machine != want.Machine || cfg.CPU != want.CPU || cfg.Memory != want.Memory || cfg.Line != want.Line || !cfg.RR.Replay {
		t.Errorf("%+v, want %+v", cfg, want)
	}
	if rec.QEMU != "7.2.22" || rec.Terminal != [3]bool{false, true, false} || rec.Yolk == "" {
		t.Errorf("%+v", rec.Manifest)
	}
	for file, text := range map[string]string{cfg.Kernel: "the kernel", cfg.Initrd: "the initrd", filepath.Join(cfg.RR.Dir, fileEvents): "log of events"} {
		if b, err := os.ReadFile(file); string(b) != text {
			t.Errorf("%s holds %q, %v", file, b, err)
		}
	}
	if b, err := os.ReadFile(filepath.Join(cfg.RR.Dir, fileSnapshots)); !bytes.HasPrefix(b, []byte("QFI\xfb")) {
		t.Errorf("the image begins with %.4q, %v", b, err)
	}
	if err := rec.CheckQEMU(self(t)); err != nil {
		t.Error(err)
	}
	rec.QEMU = "7.2.21"
	if err := rec.CheckQEMU(self(t)); !errors.Is(err, ErrRecording) || !strings.Contains(err.Error(), "with QEMU 7.2.21, and this is QEMU 7.2.22") {
		t.Errorf("another QEMU: %v", err)
	}
	rec.Close()
	empty(t)
}

// TestRecordingOutcome: the exit status is the recorded run's, unless the replay
// shows another.
func TestRecordingOutcome(t *testing.T) {
	rec := Recording{Manifest: Manifest{ExitCode: 7, Why: "reason"}}
	for _, c := range []struct {
		result Result
		code   int
		why    string
	}{
		{Result{End: Finished, Status: 7 << 8}, 7, "reason"},
		{Result{End: Replayed}, 7, "reason"},
		{Result{End: Finished, Status: 0}, ExitFailed, "with status 7, but with 0"},
		{Result{End: Failed, Why: "QEMU says"}, ExitFailed, "QEMU says"},
		{Result{End: Hung, Why: "silent"}, ExitFailed, "silent"},
	} {
		if code, why := rec.Outcome(c.result); code != c.code || !strings.Contains(why, c.why) {
			t.Errorf("%+v: %d, %q", c.result, code, why)
		}
	}
}

// TestRecordingNotKept: without QEMU's end of its log, or without a place for the
// file, there is no recording, and nothing is left behind.
func TestRecordingNotKept(t *testing.T) {
	ownTemp(t)
	dir := t.TempDir()
	kernel, path := filepath.Join(dir, "k"), filepath.Join(dir, "recording")
	write(t, kernel, "the kernel")
	for name, log := range map[string][]byte{"no log": nil, "a log of a killed QEMU": make([]byte, 100), "a short log": {2, 0}} {
		cfg := &Config{Kernel: kernel}
		rec, err := NewRecording(path, self(t), cfg)
		if err != nil {
			t.Fatal(err)
		}
		if log != nil {
			write(t, filepath.Join(cfg.RR.Dir, fileEvents), string(log))
		}
		if err := rec.Save(cfg, Result{}, 0); err == nil {
			t.Errorf("%s: saved", name)
		}
		rec.Close()
	}
	for name, c := range map[string][3]string{
		"no directory": {filepath.Join(path, "x"), self(t), kernel},
		"no kernel":    {path, self(t), kernel + "x"},
		"no QEMU":      {path, "no-such-qemu", kernel},
	} {
		if _, err := NewRecording(c[0], c[1], &Config{Kernel: c[2]}); err == nil {
			t.Errorf("%s: begun", name)
		}
	}
	if left, _ := filepath.Glob(path + "*"); left != nil {
		t.Errorf("left behind: %v", left)
	}
	empty(t)
}

// TestBadRecordings: each gets a sentence, and nothing is left behind.
func TestBadRecordings(t *testing.T) {
	path := record(t, Result{}, 0)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	bad := map[string]struct {
		content []byte
		want    string
	}{
		"empty":          {nil, "not a recording"},
		"foreign":        {[]byte("#!/bin/sh\n"), "not a recording"},
		"another zip":    {repack(t, whole, func(string, []byte) []byte { return nil }), "not a recording"},
		"half":           {whole[:len(whole)/2], "cut short"},
		"all but a byte": {whole[:len(whole)-1], "cut short"},
		"manifest":       {repack(t, whole, replace(memberManifest, "{")), "manifest is damaged"},
		"format":         {repack(t, whole, replace(memberManifest, `{"format": 2, "yolk": "v9"}`)), "format 2, recorded by yolk v9"},
		"no kernel":      {repack(t, whole, replace(memberKernel, "")), "kernel.elf is missing"},
		"no log":         {repack(t, whole, replace(fileEvents, "")), "events.rr is missing"},
		"no image":       {repack(t, whole, replace(fileSnapshots, "")), "snapshots.qcow2 is missing"},
		"a wrong byte":   {flip(repack(t, whole, func(_ string, b []byte) []byte { return b }), "the kernel"), "kernel.elf is missing or damaged"},
	}
	for name, c := range bad {
		file := filepath.Join(t.TempDir(), "bad")
		write(t, file, string(c.content))
		rec, err := OpenRecording(file)
		if !errors.Is(err, ErrRecording) || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), file) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
		if rec != nil {
			rec.Close()
		}
	}
	if _, err := OpenRecording(path + "x"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	empty(t)
}

// repack makes an archive of the members as change leaves them; nil drops one.
func repack(t *testing.T, archive []byte, change func(name string, content []byte) []byte) []byte {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		if content = change(f.Name, content); content == nil {
			continue
		}
		m, err := w.CreateHeader(&zip.FileHeader{Name: f.Name, Method: zip.Store})
		if err != nil {
			t.Fatal(err)
		}
		m.Write(content)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// replace gives one member another content; "" drops it.
func replace(member, content string) func(string, []byte) []byte {
	return func(name string, old []byte) []byte {
		switch {
		case name != member:
			return old
		case content == "":
			return nil
		}
		return []byte(content)
	}
}

// flip changes one bit of text in an archive.
func flip(archive []byte, text string) []byte {
	archive[bytes.Index(archive, []byte(text))] ^= 1
	return archive
}
