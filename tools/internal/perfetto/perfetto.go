// Package perfetto writes a trace as JSON in Chrome's trace event format, which
// ui.perfetto.dev and chrome://tracing open.
//
//	process             a process and its one thread, named after its program
//	system call         a slice, B and E
//	fork, exec, exit,   a slice of a nanosecond: what flows lead from and to
//	page that is split
//	fork                a flow from the parent to the child
//	shared pages        a flow from the fork by the faults that split its pages to the child's exec or exit
//	vfork's sleep       an asynchronous slice, b and e: it overlaps with the parent's others
//	page fault, signal  an instant
//	who runs            slices of a process apart, the machine
//	memory              counters of the machine: free frames, shared frames, TLB flushes
//
// The format is that of the "Trace Event Format" document; times are microseconds.
package perfetto

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"

	"yolk/kernel/trace"
	"yolk/tools/internal/strace"
	"yolk/tools/internal/tracefile"
	"yolk/tools/internal/tracetext"
)

// Write writes the events.  Its error is that of the events, after all that came
// before it was written and the JSON closed, or w's.
func Write(w io.Writer, events iter.Seq2[trace.Event, error], title string) error {
	out := bufio.NewWriterSize(w, 64<<10)
	p := newWriter(out)
	var err error
	for r, e := range tracefile.Records(events) {
		if err = e; err != nil {
			break
		}
		p.record(r)
	}
	p.end(title)
	if werr := out.Flush(); err == nil {
		err = werr
	}
	return err
}

// An event is one of the format's.
type event struct {
	Name string         `json:"name,omitempty"`
	Cat  string         `json:"cat,omitempty"`
	Ph   string         `json:"ph"`
	Ts   json.Number    `json:"ts"`
	Dur  json.Number    `json:"dur,omitempty"`
	PID  int32          `json:"pid"`
	TID  int32          `json:"tid"`
	ID   string         `json:"id,omitempty"`
	BP   string         `json:"bp,omitempty"` // binding point of a flow's end: "e", the enclosing slice
	S    string         `json:"s,omitempty"`  // scope of an instant: "t", its thread
	Args map[string]any `json:"args,omitempty"`
}

// args are the arguments of an event.
type args = map[string]any

// micros writes a time.
func micros(ns int64) json.Number { return json.Number(fmt.Sprintf("%d.%03d", ns/1000, ns%1000)) }

// instant is how long a slice is that is none.
const instant = "0.001"

// machine is the process that the counters and the processor belong to.  It has a
// number that no process of Yolk's can have; Perfetto takes 0 for Linux's idle
// thread.
const machine = 100_000

// writer turns records into events.
type writer struct {
	out     *bufio.Writer
	first   bool
	now     int64
	names   tracefile.Names
	known   map[int32]bool      // processes that have been introduced
	calls   map[int32]*openCall // that have not returned, by process
	asleep  map[int32]string    // ids of vforks' sleeps, by the parent
	running int32               // the process that the processor's open slice is of; 0: none
	ids     int

	born   map[uint64][]uint64 // frames marked copy-on-write by root, of spaces whose Fork has not come yet
	shares map[uint64]string   // id of the flow of the fork that shared a frame
	ends   map[int32]string    // flows that end with the process's exec or exit
}

// openCall is a system call whose slice has begun.
type openCall struct {
	*strace.Call
	begin string
}

func newWriter(out *bufio.Writer) *writer {
	out.WriteString(`{"displayTimeUnit":"ns","traceEvents":[`)
	return &writer{
		out: out, first: true, names: tracefile.Names{}, known: map[int32]bool{}, calls: map[int32]*openCall{},
		asleep: map[int32]string{}, born: map[uint64][]uint64{}, shares: map[uint64]string{}, ends: map[int32]string{},
	}
}

// put writes an event of a process, the machine for 0, at the time of the current
// record.
func (p *writer) put(pid int32, ev event) {
	if pid == 0 {
		pid = machine
	}
	ev.PID, ev.TID = pid, pid
	if ev.Ts == "" {
		ev.Ts = micros(p.now)
	}
	b, err := json.Marshal(ev)
	if err != nil {
		panic("perfetto: an event that is no JSON: " + err.Error())
	}
	if !p.first {
		p.out.WriteByte(',')
	}
	p.first = false
	p.out.WriteByte('\n')
	p.out.Write(b)
}

// id returns a fresh identifier.
func (p *writer) id() string {
	p.ids++
	return fmt.Sprintf("%#x", p.ids)
}

// mark writes a slice of a nanosecond, for a flow to lead to or from.
func (p *writer) mark(pid int32, name string, a args) {
	p.put(pid, event{Name: name, Cat: "process", Ph: "X", Dur: instant, Args: a})
}

// introduce names a process's tracks, again when its program changes.
func (p *writer) introduce(pid int32, name string) {
	p.known[pid] = true
	p.put(pid, event{Name: "process_name", Ph: "M", Args: args{"name": name}})
	p.put(pid, event{Name: "thread_name", Ph: "M", Args: args{"name": name}})
	p.put(pid, event{Name: "process_sort_index", Ph: "M", Args: args{"sort_index": pid}})
}

func (p *writer) record(r *tracefile.Record) {
	p.now = r.Time
	p.names.Follow(r)
	if !p.known[machine] {
		p.introduce(machine, "machine")
	}
	if name := p.names[r.PID]; name != "" && (r.Kind == trace.Name || !p.known[r.PID]) {
		p.introduce(r.PID, name)
	}
	switch r.Kind {
	case trace.Syscall:
		c := &openCall{Call: strace.New(r)}
		c.begin = c.Begin()
		p.calls[r.PID] = c
		p.put(r.PID, event{Name: c.Name(), Cat: "syscall", Ph: "B"})
	case trace.SysReturn:
		p.returned(r.PID, r)
	case trace.SignalSend, trace.SignalFrame, trace.SignalKill:
		p.put(r.PID, event{Name: r.Kind.String() + " " + strace.SignalName(r.Err), Cat: "signal", Ph: "i", S: "t"})
	default:
		p.life(r)
		p.memory(r)
	}
}

// returned ends the slice of a process's system call, if it has one; r is nil for
// a call that never returns.
func (p *writer) returned(pid int32, r *tracefile.Record) {
	if c := p.calls[pid]; c != nil {
		delete(p.calls, pid)
		rest, result := c.End(r)
		p.put(pid, event{Ph: "E", Args: args{"call": c.begin + rest, "return": result}})
	}
}

// life is record for the events of processes.
func (p *writer) life(r *tracefile.Record) {
	child := int32(r.Aux)
	switch r.Kind {
	case trace.Fork, trace.VFork:
		p.fork(r, child)
	case trace.VForkSleep:
		id := p.id()
		p.asleep[r.PID] = id
		p.put(r.PID, event{Name: "vfork sleep", Cat: "vfork", Ph: "b", ID: id, Args: args{"child": child}})
	case trace.VForkWake:
		p.wake(r.PID)
	case trace.Exec:
		delete(p.born, r.New) // no fork's
		p.mark(r.PID, "exec", args{"old_root": r.Old, "new_root": r.New})
		p.unshare(r.PID)
	case trace.ExecFail:
		p.put(r.PID, event{Name: "exec fails", Cat: "process", Ph: "i", S: "t", Args: args{"errno": strace.ErrnoName(r.Err)}})
	case trace.Exit:
		p.returned(r.PID, nil)
		p.wake(r.PID) // it was killed in its sleep
		p.mark(r.PID, "exit", args{"status": strace.StatusWords(r.Err)})
		p.unshare(r.PID)
		p.known[r.PID] = false // another process may get the number
	case trace.Switch:
		p.idle()
		p.running = r.PID
		p.put(machine, event{Name: fmt.Sprintf("%s (%d)", p.names[r.PID], r.PID), Cat: "sched", Ph: "B"})
	}
}

// fork writes the flows of a fork: the birth, and the sharing of pages.
func (p *writer) fork(r *tracefile.Record, child int32) {
	birth := p.id()
	what := args{"child": child, "parent": r.PID, "parent_root": r.Old, "child_root": r.New}
	p.mark(r.PID, r.Kind.String(), what)
	p.put(r.PID, event{Name: r.Kind.String(), Cat: "fork", Ph: "s", ID: birth})
	if frames := p.born[r.New]; len(frames) > 0 {
		share := p.id()
		p.ends[child] = share
		for _, f := range frames {
			p.shares[f] = share
		}
		p.put(r.PID, event{Name: "shared pages", Cat: "share", Ph: "s", ID: share})
	}
	delete(p.born, r.New)
	p.introduce(child, p.names[child])
	p.mark(child, "born", what)
	p.put(child, event{Name: r.Kind.String(), Cat: "fork", Ph: "f", BP: "e", ID: birth})
}

// wake ends the sleep of a vfork's parent, if it sleeps.
func (p *writer) wake(pid int32) {
	if id, ok := p.asleep[pid]; ok {
		delete(p.asleep, pid)
		p.put(pid, event{Name: "vfork sleep", Cat: "vfork", Ph: "e", ID: id})
	}
}

// unshare ends the flow of the pages that the process got from its parent.
func (p *writer) unshare(pid int32) {
	if id, ok := p.ends[pid]; ok {
		delete(p.ends, pid)
		p.put(pid, event{Name: "shared pages", Cat: "share", Ph: "f", BP: "e", ID: id})
	}
}

// idle ends the processor's open slice.
func (p *writer) idle() {
	if p.running != 0 {
		p.running = 0
		p.put(machine, event{Ph: "E"})
	}
}

// Bits of a page-table entry.
const (
	cow       = 1 << 9
	frameMask = 0x000f_ffff_ffff_f000
)

// memory is record for the events of memory.
func (p *writer) memory(r *tracefile.Record) {
	switch r.Kind {
	case trace.Fault:
		p.fault(r)
	case trace.Entry:
		if list, ok := p.born[r.Aux]; ok && r.Old == 0 && r.New&cow != 0 {
			p.born[r.Aux] = append(list, r.New&frameMask>>12)
		}
	case trace.TableMake:
		if r.Aux == 4 {
			p.born[r.New] = []uint64{}
		}
	case trace.TableFree:
		delete(p.born, r.Old) // of an exec that failed
	case trace.Free:
		for _, c := range []struct {
			name string
			n    uint64
		}{{"free frames", r.Aux}, {"shared frames", r.VA}, {"TLB flushes", r.Old}} {
			p.put(machine, event{Name: c.name, Ph: "C", Args: args{"n": c.n}})
		}
	case trace.Lost:
		p.put(machine, event{Name: fmt.Sprintf("%d events lost", r.Aux), Cat: "lost", Ph: "i", S: "t"})
	}
}

// fault writes a page fault, and where it splits a page that a fork has shared,
// the flow from there.
func (p *writer) fault(r *tracefile.Record) {
	p.put(r.PID, event{Name: "page fault", Cat: "fault", Ph: "i", S: "t", Args: args{
		"va": fmt.Sprintf("%#x", r.VA), "err": r.Err, "kind": tracetext.Access(r.Err), "decision": r.Decision.String(),
		"old_pfn": r.Old, "new_pfn": r.New, "refs": r.Refs,
	}})
	id, shared := p.shares[r.Old]
	if (r.Decision != trace.COWCopy && r.Decision != trace.COWReuse) || !shared {
		return
	}
	if r.Decision == trace.COWReuse {
		delete(p.shares, r.Old) // its last owner has it for itself
	}
	if p.live(id) {
		p.mark(r.PID, r.Decision.String(), args{"va": fmt.Sprintf("%#x", r.VA), "old_pfn": r.Old, "new_pfn": r.New})
		p.put(r.PID, event{Name: "shared pages", Cat: "share", Ph: "t", ID: id})
	}
}

// live reports whether a flow of shared pages has not ended.
func (p *writer) live(id string) bool {
	for _, open := range p.ends {
		if open == id {
			return true
		}
	}
	return false
}

// end closes what is open and the JSON.
func (p *writer) end(title string) {
	p.now += 1000 // a microsecond after the last event, when every instant is over
	p.idle()
	for _, pid := range sorted(p.calls) {
		p.returned(pid, nil)
	}
	for _, pid := range sorted(p.asleep) {
		p.wake(pid)
	}
	for _, pid := range sorted(p.ends) {
		p.mark(pid, "the trace ends", nil)
		p.unshare(pid)
	}
	name, _ := json.Marshal(strings.ToValidUTF8(title, "?"))
	fmt.Fprintf(p.out, "\n],\"otherData\":{\"title\":%s}}\n", name)
}

func sorted[V any](m map[int32]V) []int32 {
	list := make([]int32, 0, len(m))
	for pid := range m {
		list = append(list, pid)
	}
	slices.Sort(list)
	return list
}
