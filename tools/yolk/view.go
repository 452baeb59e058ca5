package main

import (
	"context"
	"fmt"
	"os"
	"path"

	"yolk/kernel/trace"
	"yolk/qemu"
	"yolk/tools/internal/view"
)

// viewFlags say whether and where the picture is served.
type viewFlags struct {
	on   bool
	addr string // "": view.DefaultAddr
}

// wanted reports whether the picture is served: an address says so, too.
func (v *viewFlags) wanted() bool { return v.on || v.addr != "" }

// open starts to serve the picture, if that is wanted, of the events that streams
// gets.  end is to be called after the machine's end: it keeps the picture until
// ctx is done.
func (v *viewFlags) open(streams *qemu.IO, title string) (end func(ctx context.Context), err error) {
	if !v.wanted() {
		return func(context.Context) {}, nil
	}
	addr := v.addr
	if addr == "" {
		addr = view.DefaultAddr
	}
	s, err := view.Listen(addr, title)
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(os.Stderr, "yolk: the picture is at %s\n", s.URL())
	streams.Trace = both(streams.Trace, s.Event)
	return func(ctx context.Context) {
		s.End()
		if ctx.Err() == nil {
			fmt.Fprintf(os.Stderr, "yolk: the machine has ended; its picture stays at %s until Ctrl-C\n", s.URL())
		}
		<-ctx.Done()
		s.Close()
	}, nil
}

// both passes events to two readers, the first of which may be nil.
func both(first, second func(*trace.Event)) func(*trace.Event) {
	if first == nil {
		return second
	}
	return func(ev *trace.Event) {
		first(ev)
		second(ev)
	}
}

// title is what the picture of this run is called.
func (f *runFlags) title() string {
	if len(f.program) == 0 {
		return "Yolk"
	}
	return path.Base(f.program[0])
}
