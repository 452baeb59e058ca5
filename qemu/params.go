package qemu

import (
	"fmt"
	"strings"

	"yolk/kernel/trace"
)

// MaxCommandLine is the longest kernel command line in bytes: QEMU's PVH
// loader has a buffer of 4,096 with the final NUL.
const MaxCommandLine = 4095

// ArgsFile is where the initrd holds the arguments of a program when they do
// not fit on the command line.
const ArgsFile = "/.args"

// Size is the size of a terminal in characters.
type Size struct{ Rows, Cols int }

// Params is what the kernel is told on its command line (PROTOCOL.md, "The
// command line").
type Params struct {
	Terminal [3]bool     // which of the program's descriptors are the console
	Size     Size        // of the terminal; zero leaves the guest's default
	Term     string      // TERM; "" leaves the guest's default
	Trace    trace.Class // classes to trace; 0 is none
	Taken    bool        // the kernel says how many bytes it has taken from the UARTs
	Append   string      // further parameters, verbatim; they override the above
	Program  []string    // program and arguments; none starts a shell
	ArgsFile bool        // the arguments stand in ArgsFile of the initrd instead
}

// CommandLine renders the parameters.  It fails if Append could be taken for
// the start of the arguments, or if the line is too long.
func (p *Params) CommandLine() (string, error) {
	var tty int
	for i, on := range p.Terminal {
		if on {
			tty |= 1 << i
		}
	}
	words := []string{fmt.Sprintf("tty=%d", tty)}
	if p.Size.Rows > 0 && p.Size.Cols > 0 {
		words = append(words, fmt.Sprintf("winsize=%dx%d", p.Size.Rows, p.Size.Cols))
	}
	if p.Term != "" {
		words = append(words, "term="+encodeWord(p.Term))
	}
	if p.Trace != 0 {
		words = append(words, fmt.Sprintf("trace=%#x", uint32(p.Trace)))
	}
	if p.Taken {
		words = append(words, "taken=1")
	}
	if p.ArgsFile {
		words = append(words, "args="+ArgsFile)
	}
	for _, w := range strings.Fields(p.Append) {
		if w == "--" {
			return "", fmt.Errorf("the kernel's parameters must not hold a lone --: the program comes after yolk's own --")
		}
		words = append(words, w)
	}
	if len(p.Program) > 0 && !p.ArgsFile {
		words = append(words, "--")
		for _, arg := range p.Program {
			words = append(words, encodeWord(arg))
		}
	}
	line := strings.Join(words, " ")
	if len(line) > MaxCommandLine {
		return "", fmt.Errorf("the kernel's command line has %d bytes; it can have %d", len(line), MaxCommandLine)
	}
	return line, nil
}

// encodeWord writes an argument as one word: bytes outside the plain set
// become %XX, and an empty argument becomes a lone %.
func encodeWord(arg string) string {
	if arg == "" {
		return "%"
	}
	var b strings.Builder
	for i := range len(arg) {
		c := arg[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9',
			strings.IndexByte("._/:=,+@^~-", c) >= 0:
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}
