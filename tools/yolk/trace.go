package main

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"io"
	"iter"
	"os"
	"strconv"
	"strings"

	"yolk/kernel/trace"
	"yolk/qemu"
	"yolk/tools/internal/perfetto"
	"yolk/tools/internal/picture"
	"yolk/tools/internal/tracefile"
	"yolk/tools/internal/tracetext"
)

// formats are the forms in which yolk trace shows a trace.  The title is the
// file's name.  A writer passes on the error that ends the events, after it has
// made what it has written whole.
var formats = []struct {
	name  string
	write func(w io.Writer, events iter.Seq2[trace.Event, error], title string) error
}{
	{"text", tracetext.Write},
	{"json", tracefile.WriteJSON},
	{"perfetto", perfetto.Write},
	{"html", picture.Write},
}

// formatNames lists the formats.
func formatNames() string {
	var names []string
	for _, f := range formats {
		names = append(names, f.name)
	}
	return strings.Join(names, ", ")
}

// traceCommand shows a trace.
func traceCommand(_ string, args []string) int {
	set := flag.NewFlagSet("yolk trace", flag.ContinueOnError)
	format := set.String("format", formats[0].name, "the `form`: "+formatNames())
	pid := set.Int("pid", 0, "only the events of this `process`")
	var va rangeFlag
	set.Var(&va, "va", "of what is about pages and regions, only that which is about this `address`, or ADDRESS-END")
	events := eventsFlag(trace.ClassAll)
	set.Var(&events, "events", "only events of these `classes`, with commas between: "+tracefile.ClassNames())
	out := set.String("o", "", "write to `file`, not to standard output")
	err := parseFlags(set, args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return qemu.ExitFailed // package flag has said it
	case set.NArg() != 1:
		return complain(errors.New("yolk trace takes the name of one trace, or - for standard input"))
	}
	err = showTrace(set.Arg(0), *out, *format, func(all iter.Seq2[trace.Event, error]) iter.Seq2[trace.Event, error] {
		return tracefile.Filter(all, tracefile.Selection{Classes: trace.Class(events), PID: int32(*pid), Start: va.start, End: va.end})
	})
	if err != nil {
		return complain(err)
	}
	return 0
}

// rangeFlag is a range of addresses, ADDRESS or ADDRESS-END.
type rangeFlag struct{ start, end uint64 }

func (r *rangeFlag) String() string { return "" }

func (r *rangeFlag) Set(s string) (err error) {
	from, to, isRange := strings.Cut(s, "-")
	if r.start, err = strconv.ParseUint(from, 0, 64); err != nil {
		return errors.New("an address is a number, as 0x40006000")
	}
	r.end = r.start + 1
	if isRange {
		r.end, err = strconv.ParseUint(to, 0, 64)
	}
	if err != nil || r.end <= r.start {
		return errors.New("a range is two addresses, as 0x40006000-0x40008000, the end behind the last byte")
	}
	return nil
}

// showTrace writes the events of a file that filter leaves in a format.
func showTrace(name, out, format string, filter func(iter.Seq2[trace.Event, error]) iter.Seq2[trace.Event, error]) error {
	in := os.Stdin
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		defer f.Close()
		in = f
	}
	for _, f := range formats {
		if f.name != format {
			continue
		}
		t, err := tracefile.Open(in)
		if err == nil {
			err = writeTo(out, func(w io.Writer) error { return f.write(w, filter(t.All()), name) })
		}
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		return nil
	}
	return fmt.Errorf("there is no format %q; there are %s", format, formatNames())
}

// writeTo calls write with the file of that name, or with standard output.
func writeTo(name string, write func(io.Writer) error) error {
	if name == "" {
		return write(os.Stdout)
	}
	f, err := tracefile.CreateFile(name)
	if err != nil {
		return err
	}
	w := bufio.NewWriter(f)
	return errors.Join(write(w), w.Flush(), f.Close())
}
