package qemu

import (
	"io"
	"slices"
	"strings"
	"testing"

	"yolk/kernel/trace"
)

func TestArgs(t *testing.T) {
	l, err := newLinks(tcpLink, false)
	if err != nil {
		t.Fatal(err)
	}
	defer l.close()
	c := Config{Machine: "microvm", CPU: "qemu64,+rdrand", Memory: 64, Kernel: "k", Initrd: "i",
		ICount: true, GDB: 1234, Extra: []string{"-d", "int"}}
	args, err := c.args(l)
	if err != nil {
		t.Fatal(err)
	}
	line := " " + strings.Join(args, " ") + " "
	for _, want := range []string{
		" -machine microvm,", " -cpu qemu64,+rdrand ", " -m 64 ", " -kernel k ", " -initrd i ", " -no-reboot ",
		" -icount shift=0,sleep=off -seed 1 -rtc base=2026-01-01,clock=vm ", " -gdb tcp:127.0.0.1:1234 -S ",
		"isa-serial,chardev=com1,iobase=0x3f8,irq=4 ", "isa-serial,chardev=com2,iobase=0x2f8,irq=3 ",
		"isa-debugcon,chardev=log,iobase=0xe9,readback=0xe9 ", "isa-debugcon,chardev=trace,iobase=0xea,",
		"isa-debugcon,chardev=out,iobase=0xeb,", "isa-debug-exit,iobase=0xf4,iosize=4 ",
	} {
		if !strings.Contains(line, want) {
			t.Errorf("no %q in %s", want, line)
		}
	}
	if !slices.Equal(args[len(args)-2:], c.Extra) {
		t.Error("the user's arguments are not the last")
	}
}

func TestArgsUnknownMachine(t *testing.T) {
	if _, err := (&Config{Machine: "vax"}).args(&links{}); err == nil || !strings.Contains(err.Error(), "q35, pc, microvm") {
		t.Errorf("%v", err)
	}
}

func TestCommandLine(t *testing.T) {
	p := Params{
		Terminal: [3]bool{true, false, true}, Size: Size{50, 132}, Term: "xterm 256", Trace: trace.ClassProcess | trace.ClassFault,
		Append: " fork=eager  quiet ", Program: []string{"sh", "-c", "echo a b%", "", "é", "--"},
	}
	got, err := p.CommandLine()
	want := "tty=5 winsize=50x132 term=xterm%20256 trace=0x3 fork=eager quiet -- sh -c echo%20a%20b%25 % %C3%A9 --"
	if err != nil || got != want {
		t.Errorf("%q, %v; want %q", got, err, want)
	}
}

func TestCommandLineErrors(t *testing.T) {
	for name, p := range map[string]Params{
		"too long": {Program: []string{strings.Repeat("x", 4090)}},
		"--":       {Append: "a -- b"},
	} {
		if line, err := p.CommandLine(); err == nil {
			t.Errorf("%s: %q", name, line)
		}
	}
	p := Params{Program: []string{strings.Repeat("x", 5000)}, ArgsFile: true}
	if line, err := p.CommandLine(); err != nil || line != "tty=0 args=/.args" {
		t.Errorf("%q, %v", line, err)
	}
}

func TestEscape(t *testing.T) {
	for _, c := range []struct {
		in, out string
		quit    bool
	}{
		{"abc", "abc", false},
		{"a\x01xb", "a", true},
		{"a\x01Xb", "a", true},
		{"\x01\x01b", "\x01b", false},
		{"\x01\x01x", "\x01x", false},
		{"\x01cx", "\x01cx", false},
		{"\x01\x01\x01x", "\x01", true},
	} {
		for _, size := range []int{2, 3, 64} { // also with the sequence cut by the reads
			e := &Escape{R: strings.NewReader(c.in)}
			var out []byte
			var err error
			for err == nil {
				p := make([]byte, size)
				var n int
				n, err = e.Read(p)
				out = append(out, p[:n]...)
			}
			if string(out) != c.out || (err == ErrQuit) != c.quit || (err != ErrQuit && err != io.EOF) {
				t.Errorf("%q by %d: %q, %v", c.in, size, out, err)
			}
		}
	}
}
