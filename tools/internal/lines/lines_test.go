package lines_test

import (
	"bytes"
	"debug/elf"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"yolk/tools/internal/lines"
	"yolk/tools/internal/system"
)

// program is a Go program whose function stumble is looked for.
const program = `package main

//go:noinline
func stumble() { println() }

func main() { stumble() }
`

// build builds the program for Linux, as a guest's is, and returns the address of
// stumble.
func build(t *testing.T, out string, flags ...string) {
	t.Helper()
	source := filepath.Join(t.TempDir(), "main.go")
	if err := os.WriteFile(source, []byte(program), 0o666); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("go", append(append([]string{"build", "-o", out}, flags...), source)...)
	cmd.Env = append(system.GoEnv(), "GOOS=linux", "GOARCH=amd64", "CGO_ENABLED=0")
	if said, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
}

// address is that of a function in a program with symbols.
func address(t *testing.T, file, name string) uint64 {
	t.Helper()
	f, err := elf.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	symbols, err := f.Symbols()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range symbols {
		if s.Name == name {
			return s.Value
		}
	}
	t.Fatalf("%s has no %s", file, name)
	return 0
}

func TestLineOfGo(t *testing.T) {
	dir := t.TempDir()
	whole, stripped := filepath.Join(dir, "whole"), filepath.Join(dir, "stripped")
	build(t, whole)
	build(t, stripped, "-ldflags=-s -w")
	addr := address(t, whole, "main.stumble")
	files := lines.Files{{"/bin/whole", "/no/such/file"}, {"/bin/whole", whole}, {"/opt", dir}, {"/bin/none", filepath.Join(dir, "none")}}
	for _, guest := range []string{"/bin/whole", "/opt/whole", "/opt/stripped"} {
		if got := files.Line(guest, addr+1); !regexp.MustCompile(`^main\.stumble, .*main\.go:4$`).MatchString(got) {
			t.Errorf("%s: %q", guest, got)
		}
	}
	for guest, addr := range map[string]uint64{"/bin/whole": 1, "/bin/none": addr, "/optwhole": addr, "/opt": addr, "/etc/x": addr} {
		if got := files.Line(guest, addr); got != "" {
			t.Errorf("%s at %#x: %q", guest, addr, got)
		}
	}
}

func TestLineOfC(t *testing.T) {
	if _, err := exec.LookPath("cc"); err != nil || runtime.GOOS != "linux" {
		t.Skip("no C compiler for ELF here")
	}
	dir := t.TempDir()
	source, out := filepath.Join(dir, "x.c"), filepath.Join(dir, "x")
	if err := os.WriteFile(source, []byte("int other(void) { return 1; }\nint stumble(void)\n{\n\treturn other();\n}\nint main(void) { return stumble(); }\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	if said, err := exec.Command("cc", "-g", "-O0", "-o", out, source).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	files := lines.Files{{"/x", out}}
	if got := files.Line("/x", address(t, out, "stumble")+4); got != "stumble, x.c:4" && got != "stumble, x.c:3" {
		t.Errorf("%q", got)
	}
	if got := files.Line("/x", 1<<40); got != "" {
		t.Errorf("%q", got)
	}
}

// TestNoProgram: files that are nothing of the kind have no lines.
func TestNoProgram(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"empty": "", "text": "#!/bin/sh\n", "elf": "\x7fELF\x02\x01\x01" + strings.Repeat("\x00", 100)} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
		if got := (lines.Files{{"/", dir}}).Line("/"+name, 0x400000); got != "" {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestWriter(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "x")
	build(t, file)
	fault := fmt.Sprintf("process 3 (x): signal 11 (code 1): read of 0x0; pc=0x1 (/bin/x+%#x)", address(t, file, "main.stumble"))
	for _, size := range []int{1, 7, 10_000} {
		var out bytes.Buffer
		w := &lines.Writer{W: &out, Files: lines.Files{{"/bin", dir}}}
		in := "hello\n" + fault + "\n\n" + fault + " and more\n; pc=0x1 (/bin/y+0x5)\n\nlast"
		for b := []byte(in); len(b) > 0; {
			n, err := w.Write(b[:min(size, len(b))])
			if n != min(size, len(b)) || err != nil {
				t.Fatal(n, err)
			}
			b = b[n:]
		}
		if got := regexp.MustCompile(`: main\.stumble, \S*main\.go:4`).ReplaceAllString(out.String(), "!"); got != strings.Replace(in, fault+"\n", fault+"!\n", 1) {
			t.Errorf("in pieces of %d: %q", size, got)
		}
	}
}
