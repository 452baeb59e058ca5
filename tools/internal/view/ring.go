package view

import (
	"context"
	"sync"

	"yolk/kernel/trace"
	"yolk/tools/internal/tracefile"
)

// ring keeps the last events.
type ring struct {
	room int // events that it keeps at most

	mu      sync.Mutex
	cond    sync.Cond
	records []byte // event n begins at n%room records; guarded by mu
	next    uint64 // number of the next event; guarded by mu
	ended   bool   // no more will come; guarded by mu
}

func newRing(room int) *ring {
	r := &ring{room: room}
	r.cond.L = &r.mu
	return r
}

// put adds an event, in the place of the oldest if there is no room.
func (r *ring) put(ev *trace.Event) {
	r.mu.Lock()
	if at := int(r.next%uint64(r.room)) * tracefile.RecordSize; at < len(r.records) {
		tracefile.AppendRecord(r.records[:at], ev)
	} else {
		r.records = tracefile.AppendRecord(r.records, ev)
	}
	r.next++
	r.mu.Unlock()
	r.cond.Broadcast()
}

// end says that no more events will come.
func (r *ring) end() {
	r.mu.Lock()
	r.ended = true
	r.mu.Unlock()
	r.cond.Broadcast()
}

// read appends records to b, which must be empty, up to its capacity: those from
// event number `from` on, as soon as there are some.  It returns them and the
// number of the next event to ask for; no records mean that none will come, or
// that ctx is done.  Where events have made room for later ones, a Lost event
// counts them.
func (r *ring) read(ctx context.Context, from uint64, b []byte) ([]byte, uint64) {
	stop := context.AfterFunc(ctx, func() {
		r.mu.Lock() // or it might come between the look at ctx below and the sleep
		r.cond.Broadcast()
		r.mu.Unlock()
	})
	defer stop()
	r.mu.Lock()
	defer r.mu.Unlock()
	for from == r.next && !r.ended && ctx.Err() == nil {
		r.cond.Wait()
	}
	if ctx.Err() != nil {
		return b, from
	}
	if oldest := r.next - min(r.next, uint64(r.room)); from < oldest {
		b = tracefile.AppendRecord(b, &trace.Event{Kind: trace.Lost, Seq: from, Aux: oldest - from})
		from = oldest
	}
	for from < r.next && len(b) < cap(b) {
		at := int(from%uint64(r.room)) * tracefile.RecordSize
		b = append(b, r.records[at:at+tracefile.RecordSize]...)
		from++
	}
	return b, from
}
