package tracefile

import (
	"iter"

	"yolk/kernel/trace"
)

// Filter yields those events that are of one of the classes and, unless pid is 0,
// of that process, each with the Args and Texts that belong to it.  Lost events
// always come.  So does the name of the process, once, however it got it.
func Filter(events iter.Seq2[trace.Event, error], pid int32, classes trace.Class) iter.Seq2[trace.Event, error] {
	return func(yield func(trace.Event, error) bool) {
		f := filter{pid: pid, classes: classes, names: map[int32][]trace.Event{}}
		for ev, err := range events {
			if err != nil {
				yield(ev, err)
				return
			}
			for _, ev := range f.event(ev) {
				if !yield(ev, nil) {
					return
				}
			}
		}
	}
}

type filter struct {
	pid     int32
	classes trace.Class
	names   map[int32][]trace.Event // by process: the Name event and its texts
	named   bool                    // the process's name was passed on
	last    trace.Kind              // of the event that texts belong to
	passed  bool                    // it was passed on
}

// event returns what to pass on when ev comes.
func (f *filter) event(ev trace.Event) []trace.Event {
	if ev.Kind == trace.Text || ev.Kind == trace.Args {
		if f.last == trace.Name {
			f.names[ev.PID] = append(f.names[ev.PID], ev)
		}
		if f.passed {
			return []trace.Event{ev}
		}
		return nil
	}
	f.last = ev.Kind
	switch ev.Kind {
	case trace.Name:
		f.names[ev.PID] = []trace.Event{ev}
	case trace.Fork, trace.VFork:
		f.inherit(ev.PID, int32(ev.Aux))
	}
	wanted := ev.Kind == trace.Lost || (f.pid == 0 || ev.PID == f.pid) && ClassOf(ev.Kind)&f.classes != 0
	f.passed = wanted
	switch {
	case !wanted:
		return nil
	case f.pid == 0 || f.named || ev.Kind == trace.Lost:
		return []trace.Event{ev}
	case ev.Kind == trace.Name:
		f.named = true
		return []trace.Event{ev}
	}
	f.named = true
	return append(append([]trace.Event(nil), f.names[f.pid]...), ev)
}

// inherit gives a child its parent's name.
func (f *filter) inherit(parent, child int32) {
	var list []trace.Event
	for _, ev := range f.names[parent] {
		ev.PID = child
		list = append(list, ev)
	}
	f.names[child] = list
}
