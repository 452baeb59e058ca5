package grade

import (
	"sync/atomic"
	"time"
)

// pace is a clock that counts what this machine can do, and not seconds.  Now and
// then it does a piece of work whose cost is known; on a machine that is slow, or
// busy with other things, the piece takes longer and the clock goes slower.
//
// WHY: whoever gives a test so many seconds grades the machine.  A test that has
// had many times of this clock what the slowest one takes has had its chance on
// any machine.
type pace struct {
	now  atomic.Int64 // in nanoseconds of an ordinary machine that does nothing else
	done chan struct{}
}

const (
	// How long a test may take, of a pace's time: on the host, where the longest
	// takes 3 s, and in the guest from one verdict to the next, which takes 2 s.
	hostPatience  = 60 * time.Second
	guestPatience = 20 * time.Second

	paceEvery = time.Second / 2
	paceWork  = 4 << 20              // rounds of the piece of work
	paceCost  = 6 * time.Millisecond // what it takes on an ordinary machine
)

func newPace() *pace {
	p := &pace{done: make(chan struct{})}
	go func() {
		t := time.NewTicker(paceEvery)
		defer t.Stop()
		last := time.Now()
		for {
			select {
			case <-p.done:
				return
			case <-t.C:
			}
			cost := work()
			now := time.Now()
			// A machine that was suspended comes back to one late tick.
			passed := min(now.Sub(last), 2*paceEvery)
			last = now
			p.now.Add(int64(float64(passed) * speed(cost)))
		}
	}()
	return p
}

func (p *pace) stop() { close(p.done) }

// speed is how fast the machine is, 1 at most, if the piece of work takes so long.
func speed(cost time.Duration) float64 { return min(1, float64(paceCost)/float64(max(cost, 1))) }

// work does the piece of work and returns how long it took.
func work() time.Duration {
	start := time.Now()
	x := uint64(start.UnixNano()) | 1
	for range paceWork {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
	}
	if x == 0 {
		panic("xorshift has no way to 0")
	}
	return time.Since(start)
}

// watch calls late when the clock has gone on by patience since the last touch;
// end ends the watch.
func (p *pace) watch(patience time.Duration, late func()) (touch, end func()) {
	var last atomic.Int64
	touch = func() { last.Store(p.now.Load()) }
	touch()
	over := make(chan struct{})
	go func() {
		t := time.NewTicker(paceEvery)
		defer t.Stop()
		for {
			select {
			case <-over:
				return
			case <-t.C:
			}
			if p.now.Load()-last.Load() > int64(patience) {
				late()
				return
			}
		}
	}()
	return touch, func() { close(over) }
}
