package vfs

// Waker is a sleeper that can be woken: in the kernel, a process.
type Waker interface {
	// Wake ends the waker's sleep, or its next one if it does not sleep.
	// Waking twice is as good as once.
	Wake()
}

// Queue holds the sleepers that wait for one condition.  The zero Queue is
// empty.  A condition is changed first, its queue woken after; a sleeper joins
// the queue first, then looks at the condition again: under the kernel lock no
// wake-up can fall between the two.
type Queue struct {
	sleepers []Waker
}

// Join adds w to the queue, where it stays until it leaves.  Joining twice in a
// row, as one who polls many descriptors of one file does, is as good as once.
func (q *Queue) Join(w Waker) {
	if n := len(q.sleepers); n == 0 || q.sleepers[n-1] != w {
		q.sleepers = append(q.sleepers, w)
	}
}

// Leave takes w off the queue.
func (q *Queue) Leave(w Waker) {
	for i, s := range q.sleepers {
		if s == w {
			last := len(q.sleepers) - 1
			q.sleepers[i], q.sleepers[last] = q.sleepers[last], nil
			q.sleepers = q.sleepers[:last]
			if cap(q.sleepers) > 4*(last+1) {
				q.sleepers = append([]Waker(nil), q.sleepers[:last]...) // nobody is charged for the room any more
			}
			return
		}
	}
}

// WakeAll wakes every sleeper; each looks at its condition again.
func (q *Queue) WakeAll() {
	for _, w := range q.sleepers {
		w.Wake()
	}
}

// Empty reports whether nobody waits.
func (q *Queue) Empty() bool { return len(q.sleepers) == 0 }
