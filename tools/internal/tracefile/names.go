package tracefile

import "yolk/kernel/trace"

// Names are the names of processes' programs, as far as a trace has told.
type Names map[int32]string

// Follow takes the next record: a child begins with its parent's program, exec
// gives it another.
func (n Names) Follow(r *Record) {
	switch r.Kind {
	case trace.Name:
		n[r.PID] = r.Text()
	case trace.Fork, trace.VFork:
		n[int32(r.Aux)] = n[r.PID]
	}
}
