package tracetext

import (
	"strings"

	"yolk/kernel/trace"
	"yolk/tools/internal/tracefile"
)

// A Tail keeps the last records of a trace, and as much of those before them as
// the text needs.
type Tail struct {
	join  *tracefile.Joiner
	most  int
	names tracefile.Names // as they were before the first of last
	last  []tracefile.Record
}

// NewTail returns a Tail that keeps n records.
func NewTail(n int) *Tail {
	t := &Tail{most: n, names: tracefile.Names{}}
	t.join = tracefile.NewJoiner(t.record)
	return t
}

// Event takes the next event.
func (t *Tail) Event(ev *trace.Event) { t.join.Event(ev) }

func (t *Tail) record(r *tracefile.Record) {
	if len(t.last) == 2*t.most {
		t.drop(t.most)
	}
	t.last = append(t.last, *r)
}

// drop drops the first n of last.
func (t *Tail) drop(n int) {
	for i := range t.last[:n] {
		t.names.Follow(&t.last[i])
	}
	t.last = append(t.last[:0], t.last[n:]...)
}

// String is the text of the records, as Write has it.  No event may come later.
func (t *Tail) String() string {
	t.join.End()
	t.drop(max(0, len(t.last)-t.most))
	var s strings.Builder
	x := newText(&s)
	x.names = t.names
	for i := range t.last {
		x.record(&t.last[i])
	}
	x.calls.Break()
	return s.String()
}
