package qemu

import (
	"slices"
	"testing"
	"testing/synctest"

	"yolk/kernel/trace"
)

// TestTraceQueue: a reader that sleeps learns of each event, one that does not come
// of what there was no room for, and where: also at the end.
func TestTraceQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newTraceQueue(2)
		type seen struct{ seq, lost uint64 }
		taken := make(chan []seen)
		read := func() {
			var all []seen
			for _, ev := range q.take(nil) {
				all = append(all, seen{ev.Seq, ev.Aux})
			}
			taken <- all
		}
		put := func(from, to uint64) {
			for n := from; n < to; n++ {
				q.put(trace.Event{Kind: trace.Fault, Seq: n})
			}
		}
		want := func(want ...seen) {
			t.Helper()
			if got := <-taken; !slices.Equal(got, want) {
				t.Fatalf("%v, want %v", got, want)
			}
		}
		go read()
		synctest.Wait()
		put(0, 1)
		want(seen{0, 0})
		put(1, 6) // 3 to 5 find no room
		go read()
		want(seen{1, 0}, seen{2, 0})
		put(6, 7)
		put(7, 8) // neither does 7, beside the notice
		q.close()
		go read()
		want(seen{3, 3}, seen{6, 0}, seen{7, 1})
		go read()
		want()
	})
}

// TestTraceQueueCloses: the end ends a reader's sleep.
func TestTraceQueueCloses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newTraceQueue(0)
		ended := make(chan bool)
		go func() { ended <- len(q.take(nil)) == 0 }()
		synctest.Wait()
		q.close()
		if !<-ended {
			t.Error("an event out of nothing")
		}
	})
}
