package build

import (
	"bytes"
	"context"
	"debug/elf"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// tree makes a source tree under dir: the real go.mod, go.sum and user runtime,
// testdata/hello as the kernel and package goroot's test program as a user program.
func tree(t *testing.T, dir string) string {
	t.Helper()
	root := filepath.Join("..", "..", "..")
	for to, from := range map[string]string{
		"boot":        filepath.Join("testdata", "hello"),
		"hosted":      filepath.Join("..", "..", "goroot", "testdata", "hosted"),
		"userland/rt": filepath.Join(root, "userland", "rt"),
	} {
		if err := os.CopyFS(filepath.Join(dir, filepath.FromSlash(to)), os.DirFS(from)); err != nil {
			t.Fatal(err)
		}
	}
	for _, f := range []string{"go.mod", "go.sum"} {
		b, err := os.ReadFile(filepath.Join(root, f))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, f), b, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func mustFind(t *testing.T, dir string) *Toolchain {
	t.Helper()
	tc, err := Find(dir)
	if err != nil {
		t.Fatal(err)
	}
	return tc
}

// built returns the bytes of the kernel and of a user program.
func built(t *testing.T, tc *Toolchain) [2][]byte {
	t.Helper()
	var b [2][]byte
	kernel, user := filepath.Join(tc.src, "kernel"), filepath.Join(tc.src, "user")
	if err := tc.Kernel(kernel); err != nil {
		t.Fatal(err)
	}
	if err := tc.User("./hosted", user, false); err != nil {
		t.Fatal(err)
	}
	for i, name := range []string{kernel, user} {
		var err error
		if b[i], err = os.ReadFile(name); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

// TestReproducible: two trees in two places, built in two environments, the second
// of which is as unhelpful as it can be, give the same bytes.
func TestReproducible(t *testing.T) {
	first := built(t, mustFind(t, tree(t, t.TempDir())))
	for k, v := range map[string]string{
		"GOFLAGS": "-mod=mod -buildvcs=true -tags=nonsense -race", "GOEXPERIMENT": "arenas", "GO111MODULE": "off",
		"GOOS": "plan9", "GOARCH": "386", "GOAMD64": "v3", "CGO_ENABLED": "1", "GOTOOLCHAIN": "local",
		"GOROOT": t.TempDir(), "GOWORK": "/nowhere/go.work", "GOFIPS140": "latest",
	} {
		t.Setenv(k, v)
	}
	second := built(t, mustFind(t, tree(t, filepath.Join(t.TempDir(), "a path with blanks"))))
	for i, what := range []string{"kernel", "user program"} {
		if !bytes.Equal(first[i], second[i]) {
			t.Errorf("two builds of the %s differ", what)
		}
	}
}

// TestNullRebuild: with nothing changed, a build makes the same files again.  How
// long it takes is told, not judged: under a second, where the machine is free.
func TestNullRebuild(t *testing.T) {
	dir := tree(t, t.TempDir())
	first := built(t, mustFind(t, dir))
	start := time.Now()
	again := built(t, mustFind(t, dir))
	t.Logf("kernel and a user program: %v", time.Since(start))
	if !bytes.Equal(first[0], again[0]) || !bytes.Equal(first[1], again[1]) {
		t.Error("a second build differs")
	}
}

func TestSymbols(t *testing.T) {
	tc := mustFind(t, tree(t, t.TempDir()))
	dir := t.TempDir()
	kernel, debug, stripped := filepath.Join(dir, "kernel"), filepath.Join(dir, "debug"), filepath.Join(dir, "stripped")
	for _, err := range []error{tc.Kernel(kernel), tc.User("./hosted", debug, true), tc.User("./hosted", stripped, false)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]bool{kernel: true, debug: true, stripped: false} {
		f, err := elf.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		syms, _ := f.Symbols()
		_, err = f.DWARF()
		if (len(syms) > 0) != want || want && err != nil {
			t.Errorf("%s: %d symbols, DWARF: %v", filepath.Base(name), len(syms), err)
		}
	}
}

func TestBuildErrors(t *testing.T) {
	dir := tree(t, t.TempDir())
	tc := mustFind(t, dir)
	if err := os.WriteFile(filepath.Join(dir, "boot", "bad.go"), []byte("package main\nfunc f() { nonsense }\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(dir, "kernel")
	if err := tc.Kernel(out); err == nil {
		t.Error("built a kernel that does not compile")
	}
	if _, err := os.Stat(out); err == nil {
		t.Error("a failed build left a kernel")
	}
	if err := tc.User("./nowhere", out, false); err == nil {
		t.Error("built a program that does not exist")
	}
}

// TestStockGone: a toolchain that has been cleaned from the module cache is looked
// for again.
func TestStockGone(t *testing.T) {
	dir := tree(t, t.TempDir())
	tc := mustFind(t, dir)
	if err := os.WriteFile(tc.stockFile(), []byte(filepath.Join(dir, "gone")), 0o666); err != nil {
		t.Fatal(err)
	}
	if again := mustFind(t, dir); again.root != tc.root {
		t.Errorf("found %s instead of %s", again.root, tc.root)
	}
}

// TestKernelBoots runs testdata/hello on each machine.
func TestKernelBoots(t *testing.T) {
	qemu, err := exec.LookPath("qemu-system-x86_64")
	if err != nil {
		t.Skip("SKIP: no qemu-system-x86_64 on PATH")
	}
	kernel := filepath.Join(t.TempDir(), "kernel")
	if err := mustFind(t, tree(t, t.TempDir())).Kernel(kernel); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ machine, cpu string }{{"q35", "max"}, {"pc", "max"}, {"microvm", "max"}, {"q35", "qemu64,+rdrand"}} {
		t.Run(c.machine+" "+c.cpu, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			cmd := exec.CommandContext(ctx, qemu, "-machine", c.machine, "-cpu", c.cpu, "-accel", "tcg", "-m", "64",
				"-display", "none", "-serial", "stdio", "-no-reboot", "-device", "isa-debug-exit,iobase=0xf4,iosize=4", "-kernel", kernel)
			out, _ := cmd.Output()
			want := "hello, high half: true\nslept: true\ngarbage: 20000000\ninterrupts: 5\n"
			if got := strings.ReplaceAll(string(out), "\r", ""); got != want {
				t.Errorf("wrote %q, want %q", got, want)
			}
			if s := cmd.ProcessState.ExitCode(); s != 7 {
				t.Errorf("QEMU's status is %d, want 7", s)
			}
		})
	}
}

// TestUserRuns runs a user program as this package builds it.
func TestUserRuns(t *testing.T) {
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
		t.Skip("SKIP: the program is for linux/amd64")
	}
	dir := tree(t, t.TempDir())
	prog := filepath.Join(dir, "hosted.elf")
	if err := mustFind(t, dir).User("./hosted", prog, false); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(prog, "args", "x").Output()
	if err != nil || !strings.HasPrefix(string(out), `["x"]`) {
		t.Errorf("%q, %v", out, err)
	}
}
