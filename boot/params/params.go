// Package params reads the kernel's command line: the words of
// qemu/PROTOCOL.md, "The command line".
package params

import (
	"fmt"
	"strconv"
	"strings"

	"yolk/kernel/trace"
)

// Params is what the command line asks for.
type Params struct {
	TTY         int         // bit i: descriptor i of the program is the console
	Rows, Cols  int         // the terminal's size, in characters
	Term        string      // TERM of the program's environment
	Trace       trace.Class // classes of events to stream
	EagerFork   bool        // fork copies every page at once
	FaultAround int         // pages that one file fault may bring
	ArgsFile    string      // file of the initrd that holds the arguments
	Args        []string    // PROGRAM and ARGS; none: an interactive shell
	Crash       string      // a fault to raise on purpose, to see the report
	Tick        int         // timer period in microseconds
	Taken       bool        // tell the host how many bytes have been taken from the UARTs

	// Complaints are sentences about words that were not understood.
	Complaints []string
}

// MinTick and MaxTick bound the timer period, in microseconds.
const (
	MinTick = 50
	MaxTick = 100_000
)

// Parse reads a command line.  It never fails: what cannot be understood keeps
// its default and is complained about.
func Parse(line string) Params {
	p := Params{TTY: 7, Rows: 24, Cols: 80, Term: "dumb", FaultAround: 1, Tick: 10_000}
	words := strings.Fields(line)
	for i, w := range words {
		if w == "--" {
			for _, arg := range words[i+1:] {
				p.Args = append(p.Args, p.decode(arg))
			}
			break
		}
		p.set(w)
	}
	return p
}

// set understands one word before the "--".
func (p *Params) set(word string) {
	key, val, _ := strings.Cut(word, "=")
	switch key {
	case "tty":
		p.number(word, val, &p.TTY, 0, 7)
	case "faultaround":
		p.number(word, val, &p.FaultAround, 1, 64)
	case "tick":
		p.number(word, val, &p.Tick, MinTick, MaxTick)
	case "winsize":
		rows, cols, _ := strings.Cut(val, "x")
		p.number(word, rows, &p.Rows, 1, 10_000)
		p.number(word, cols, &p.Cols, 1, 10_000)
	case "trace":
		mask := int(p.Trace)
		p.number(word, val, &mask, 0, int(trace.ClassAll))
		p.Trace = trace.Class(mask)
	case "term":
		p.Term = p.decode(val)
	case "args":
		p.ArgsFile = p.decode(val)
	case "crash":
		p.Crash = val
	case "taken":
		p.Taken = val == "1"
		if !p.Taken {
			p.complain("%s: taken is 1 or absent", word)
		}
	case "fork":
		p.EagerFork = val == "eager"
		if val != "eager" && val != "cow" {
			p.complain("%s: fork is cow or eager", word)
		}
	default:
		p.complain("%s: unknown parameter", word)
	}
}

func (p *Params) number(word, val string, to *int, low, high int) {
	n, err := strconv.ParseInt(val, 0, 64)
	if err != nil || n < int64(low) || n > int64(high) {
		p.complain("%s: not a number from %d to %d", word, low, high)
		return
	}
	*to = int(n)
}

// decode undoes the percent-encoding of a word; a lone % is the empty string.
func (p *Params) decode(word string) string {
	if word == "%" {
		return ""
	}
	var b strings.Builder
	for i := 0; i < len(word); i++ {
		if word[i] != '%' {
			b.WriteByte(word[i])
			continue
		}
		if i+2 >= len(word) {
			p.complain("%s: cut-off %%XX", word)
			break
		}
		n, err := strconv.ParseUint(word[i+1:i+3], 16, 8)
		if err != nil {
			p.complain("%s: %s is not hexadecimal", word, word[i+1:i+3])
		}
		b.WriteByte(byte(n))
		i += 2
	}
	return b.String()
}

func (p *Params) complain(format string, args ...any) {
	p.Complaints = append(p.Complaints, fmt.Sprintf(format, args...))
}
