package tracefile

import (
	"encoding/binary"
	"iter"

	"yolk/kernel/trace"
)

// TextBytes returns the bytes of a Text event.
func TextBytes(ev *trace.Event) []byte {
	le := binary.LittleEndian
	b := le.AppendUint64(make([]byte, 0, trace.TextSize), ev.VA)
	b = le.AppendUint64(le.AppendUint64(le.AppendUint64(b, ev.Old), ev.New), ev.Aux)
	return b[:min(ev.Err&(1<<trace.TextArg-1), trace.TextSize)]
}

// TextArg returns the index of the argument that a Text event is about.
func TextArg(ev *trace.Event) int {
	return int(ev.Err &^ trace.TextCut >> trace.TextArg)
}

// setText makes a Text event hold what TextBytes and TextArg return; s has one
// character for each byte.
func setText(ev *trace.Event, s string, arg uint32, cut bool) bool {
	var b [trace.TextSize]byte
	n := 0
	for _, r := range s {
		if n == len(b) || r > 0xff {
			return false
		}
		b[n] = byte(r)
		n++
	}
	le := binary.LittleEndian
	ev.VA, ev.Old, ev.New, ev.Aux = le.Uint64(b[:]), le.Uint64(b[8:]), le.Uint64(b[16:]), le.Uint64(b[24:])
	ev.Err = uint32(n) | arg<<trace.TextArg&(trace.TextCut-1)
	if cut {
		ev.Err |= trace.TextCut
	}
	return true
}

// A Record is an event together with the Args and Text events that belong to it.
// Whoever is passed one may use it until the next comes; Texts stay.
type Record struct {
	trace.Event
	Args  [6]uint64 // of a Syscall
	Texts []Text    // in the order in which they came
}

// A Text is a string, or the beginning of one.
type Text struct {
	Arg   int // index of the argument that it is of
	Bytes []byte
	Cut   bool // there was more
}

// Text returns the record's first text, "" if it has none.
func (r *Record) Text() string {
	if len(r.Texts) == 0 {
		return ""
	}
	return string(r.Texts[0].Bytes)
}

// A Joiner makes records out of events.  Each is passed on with its last event,
// so that nothing waits for what comes later.
type Joiner struct {
	pass func(*Record)
	rec  Record
	left uint32 // events that belong to rec and have not come yet
	more bool   // the last text of rec goes on
}

// NewJoiner returns a Joiner that calls pass for each record.
func NewJoiner(pass func(*Record)) *Joiner { return &Joiner{pass: pass} }

// Event takes the next event.
func (j *Joiner) Event(ev *trace.Event) {
	belongs := ev.Kind == trace.Text || ev.Kind == trace.Args
	switch {
	case belongs && j.left > 0:
		j.left--
		j.add(ev)
	case belongs:
		return // of an event that was lost
	default:
		j.End()
		j.rec, j.left, j.more = Record{Event: *ev}, follows(ev), false
		if ev.Kind == trace.Syscall {
			j.rec.Args = [6]uint64{ev.Aux, ev.Old, ev.New}
		}
		if j.left > 0 {
			return
		}
	}
	if j.left == 0 {
		j.pass(&j.rec)
	}
}

// End passes on a record that is not whole, because no more events come or some
// were lost.
func (j *Joiner) End() {
	if j.left > 0 {
		j.left = 0
		j.pass(&j.rec)
	}
}

func (j *Joiner) add(ev *trace.Event) {
	if ev.Kind == trace.Args {
		copy(j.rec.Args[3:], []uint64{ev.VA, ev.Old, ev.New})
		return
	}
	if !j.more {
		j.rec.Texts = append(j.rec.Texts, Text{Arg: TextArg(ev)})
	}
	t := &j.rec.Texts[len(j.rec.Texts)-1]
	t.Bytes = append(t.Bytes, TextBytes(ev)...)
	t.Cut = ev.Err&trace.TextCut != 0
	j.more = ev.Refs > 0
}

// follows returns how many events that belong to ev come after it.
func follows(ev *trace.Event) uint32 {
	switch ev.Kind {
	case trace.Syscall, trace.SysReturn, trace.Name, trace.Map:
		return ev.Refs
	}
	return 0
}

// Records yields the records of a trace; an error comes last.
func Records(events iter.Seq2[trace.Event, error]) iter.Seq2[*Record, error] {
	return func(yield func(*Record, error) bool) {
		on := true
		j := NewJoiner(func(r *Record) { on = on && yield(r, nil) })
		for ev, err := range events {
			if err != nil {
				j.End()
				if on {
					yield(nil, err)
				}
				return
			}
			if j.Event(&ev); !on {
				return
			}
		}
		j.End()
	}
}
