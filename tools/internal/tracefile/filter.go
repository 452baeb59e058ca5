package tracefile

import (
	"iter"

	"yolk/kernel/trace"
)

// A Selection says which events are wanted.
type Selection struct {
	Classes    trace.Class
	PID        int32  // of this process; 0: of all
	Start, End uint64 // of what is about pages or regions, that which is about some of [Start, End); End 0: all of it
}

// pageSize is what an event about one address is about.
const pageSize = 4096

// about returns the addresses that an event is about; ok is false if it is about none.
func about(ev *trace.Event) (start, end uint64, ok bool) {
	switch ev.Kind {
	case trace.Fault, trace.Entry, trace.FlushPage:
		start = ev.VA &^ (pageSize - 1)
		return start, start + pageSize, true
	case trace.Map, trace.Unmap, trace.Protect:
		return ev.VA, ev.VA + ev.Aux, true
	case trace.TableMake, trace.TableFree:
		return ev.VA, ev.VA + pageSize<<(9*ev.Aux), true
	}
	return 0, 0, false
}

// wants reports whether an event is wanted.
func (s *Selection) wants(ev *trace.Event) bool {
	if ev.Kind == trace.Lost {
		return true
	}
	start, end, ok := about(ev)
	return (s.PID == 0 || ev.PID == s.PID) && ClassOf(ev.Kind)&s.Classes != 0 &&
		(!ok || s.End == 0 || start < s.End && s.Start < end)
}

// Filter yields the events that are wanted, each with the Args and Texts that belong
// to it.  Lost events always come.  So does the name of a process that was asked for,
// once, however it got it.
func Filter(events iter.Seq2[trace.Event, error], wanted Selection) iter.Seq2[trace.Event, error] {
	return func(yield func(trace.Event, error) bool) {
		f := filter{Selection: wanted, names: map[int32][]trace.Event{}}
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
	Selection
	names  map[int32][]trace.Event // by process: the Name event and its texts
	named  bool                    // the process's name was passed on
	last   trace.Kind              // of the event that texts belong to
	passed bool                    // it was passed on
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
	f.passed = f.wants(&ev)
	switch {
	case !f.passed:
		return nil
	case f.PID == 0 || f.named || ev.Kind == trace.Lost:
		return []trace.Event{ev}
	case ev.Kind == trace.Name:
		f.named = true
		return []trace.Event{ev}
	}
	f.named = true
	return append(append([]trace.Event(nil), f.names[f.PID]...), ev)
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
