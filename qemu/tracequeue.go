package qemu

import (
	"sync"

	"yolk/kernel/trace"
)

// DefaultTraceRoom is how many events wait at most for a reader of the trace
// that does not take them.
const DefaultTraceRoom = 1 << 19

// traceQueue holds the events that the reader of the trace has not taken yet.
//
// WHY it never refuses: QEMU writes each byte of a debug console when the guest
// does, and waits for the host to take it, with the whole machine standing still.
// So the host takes everything at once, and what it has no room for is counted
// instead of kept: a Lost event stands where events are missing.
type traceQueue struct {
	room   int
	mu     sync.Mutex
	cond   sync.Cond
	events []trace.Event // guarded by mu
	lost   trace.Event   // Aux counts what was dropped since the last of events; guarded by mu
	closed bool          // no more will come; guarded by mu
}

func newTraceQueue(room int) *traceQueue {
	if room == 0 {
		room = DefaultTraceRoom
	}
	q := &traceQueue{room: room}
	q.cond.L = &q.mu
	return q
}

// put takes an event from the guest.
func (q *traceQueue) put(ev trace.Event) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.events) >= q.room {
		if q.lost.Aux == 0 {
			q.lost = trace.Event{Kind: trace.Lost, Seq: ev.Seq, Time: ev.Time}
		}
		q.lost.Aux++
		return
	}
	q.tellLost()
	q.events = append(q.events, ev)
	q.cond.Signal()
}

// tellLost has the reader know of what was dropped.
func (q *traceQueue) tellLost() {
	if q.lost.Aux > 0 {
		q.events = append(q.events, q.lost)
		q.lost.Aux = 0
	}
}

// take returns all events that wait, as soon as there are some, or none after
// close.  used is a slice that it returned before, to be used again.
func (q *traceQueue) take(used []trace.Event) []trace.Event {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.events) == 0 && !q.closed {
		q.cond.Wait()
	}
	events := q.events
	q.events = used[:0]
	return events
}

func (q *traceQueue) close() {
	q.mu.Lock()
	q.tellLost()
	q.closed = true
	q.mu.Unlock()
	q.cond.Signal()
}
