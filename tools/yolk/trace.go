package main

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"io"
	"iter"
	"os"
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
	events := eventsFlag(trace.ClassAll)
	set.Var(&events, "events", "only events of these `classes`, with commas between: "+tracefile.ClassNames())
	out := set.String("o", "", "write to `file`, not to standard output")
	err := set.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return qemu.ExitFailed // package flag has said it
	case set.NArg() != 1:
		return complain(errors.New("yolk trace takes the name of one trace, or - for standard input"))
	}
	err = showTrace(set.Arg(0), *out, *format, func(all iter.Seq2[trace.Event, error]) iter.Seq2[trace.Event, error] {
		return tracefile.Filter(all, int32(*pid), trace.Class(events))
	})
	if err != nil {
		return complain(err)
	}
	return 0
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
