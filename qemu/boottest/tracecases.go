package boottest

import (
	"fmt"
	"regexp"
	"strconv"

	"yolk/kernel/trace"
)

// traceCases hold traces against what programs say about the same moments.
var traceCases = []Case{
	{
		Name:    "trace-fork-exec-exit", // the order in which a command lives
		Program: []string{"sh", "-c", "/bin/echo x; exit 0"}, Stdout: "x\n",
		Trace: trace.ClassProcess | trace.ClassFault, Judge: func(_ string, events []trace.Event) error { return forkExecExit(events) },
	}, {
		Name: "trace-cowdemo", Machines: everywhere, // each write splits one page, the one that the program says
		Program: []string{"cowdemo"}, Stdout: "(step=.*\n){18}",
		Trace: trace.ClassAll, Judge: cowdemo,
	}, {
		Name:    "trace-cowdemo-eager",
		Append:  "fork=eager",
		Program: []string{"cowdemo"}, Stdout: "(step=.*\n){18}",
		Trace: trace.ClassAll, Judge: func(_ string, events []trace.Event) error { return replay(events) },
	}, {
		Name:    "trace-vforkdemo", // one address space, two processes, the parent asleep
		Program: []string{"vforkdemo"},
		Trace:   trace.ClassAll, Judge: vforkdemo,
	}, {
		Name:    "trace-execdemo",
		Program: []string{"execdemo"},
		Trace:   trace.ClassAll, Judge: func(_ string, events []trace.Event) error { return replay(events) },
	}, {
		Name: "trace-reader-stalls", // the machine goes on, and what is missing is counted
		// It says "done" behind far more events than there is room for.
		Program: []string{"sh", "-c", "/bin/echo; /bin/echo; /bin/echo done"}, Stdout: "\n\ndone\n",
		Trace: trace.ClassAll, TraceRoom: 100, TraceAfter: "done", Judge: stalled,
	},
}

// cowLine is a line of cowdemo's output.
var cowLine = regexp.MustCompile(`step=(\S+) pid=(\d+) va=0x([0-9a-f]+) pfn=0x([0-9a-f]+) refs=\d+ cow=\d copies=(\d) reuses=(\d)`)

// cowdemo wants for each write of cowdemo's exactly one fault on its page, with
// the decision and the frames that the program has printed.
func cowdemo(stdout string, events []trace.Event) error {
	if err := replay(events); err != nil {
		return err
	}
	before := map[uint64]uint64{} // frame by page, of the step before
	writes := 0
	for _, m := range cowLine.FindAllStringSubmatch(stdout, -1) {
		pid, _ := strconv.Atoi(m[2])
		va, _ := strconv.ParseUint(m[3], 16, 64)
		pfn, _ := strconv.ParseUint(m[4], 16, 64)
		if m[5] == "0" && m[6] == "0" {
			if m[1] == "before" {
				before[va] = pfn
			}
			continue
		}
		writes++
		want := trace.Event{Kind: trace.Fault, Decision: trace.COWCopy, PID: int32(pid), Old: before[va], New: pfn, Refs: 2}
		if m[6] == "1" {
			want.Decision, want.Refs = trace.COWReuse, 1
		}
		if err := onlyFault(events, va, &want); err != nil {
			return fmt.Errorf("%s: %w", m[0], err)
		}
	}
	if writes != 3 {
		return fmt.Errorf("%d writes that copied or reused a page, want 3", writes)
	}
	return nil
}

// onlyFault wants exactly one write fault by the process on the page, once it is
// there, and that one to be as given; and right before it the change of the entry.
func onlyFault(events []trace.Event, va uint64, want *trace.Event) error {
	const present, write = 1, 2
	n := 0
	for i, ev := range events {
		if ev.Kind != trace.Fault || ev.PID != want.PID || ev.VA&^0xfff != va || ev.Err&(present|write) != present|write {
			continue
		}
		n++
		if ev.Decision != want.Decision || ev.Old != want.Old || ev.New != want.New || ev.Refs != want.Refs {
			return fmt.Errorf("%v %#x → %#x with %d references", ev.Decision, ev.Old, ev.New, ev.Refs)
		}
		entry, flush := events[i-2], events[i-1]
		if entry.Kind != trace.Entry || entry.VA != va || frame(entry.Old) != want.Old || frame(entry.New) != want.New ||
			entry.Old&cow == 0 || entry.New&cow != 0 || flush.Kind != trace.FlushPage || flush.VA != va {
			return fmt.Errorf("before the fault: %+v, %+v", entry, flush)
		}
	}
	if n != 1 {
		return fmt.Errorf("%d faults", n)
	}
	return nil
}

// Bits of a page-table entry.
const (
	cow           = 1 << 9
	accessedDirty = 1<<5 | 1<<6
)

// frame is the frame that a page-table entry points at.
func frame(entry uint64) uint64 { return entry & 0x000f_ffff_ffff_f000 >> 12 }

// replay rebuilds all page tables from the events: each entry must be what the
// event that changes it says it was, and none may be left when its space goes.
func replay(events []trace.Event) error {
	type place struct{ root, va uint64 }
	entries := map[place]uint64{}
	changes := 0
	for i, ev := range events {
		if ev.Seq != uint64(i) {
			return fmt.Errorf("event %d has number %d", i, ev.Seq)
		}
		switch at := (place{ev.Aux, ev.VA}); {
		case ev.Kind == trace.Entry:
			changes++
			if (entries[at]^ev.Old)&^accessedDirty != 0 {
				return fmt.Errorf("event %d changes the entry of %#x from %#x, but it was %#x", i, ev.VA, ev.Old, entries[at])
			}
			entries[at] = ev.New
			if ev.New == 0 {
				delete(entries, at)
			}
		case ev.Kind == trace.TableFree && ev.Aux == 4:
			for at, e := range entries {
				if at.root == ev.Old {
					return fmt.Errorf("event %d: space %#x goes, with %#x still at %#x", i, ev.Old, e, at.va)
				}
			}
		}
	}
	if changes < 100 {
		return fmt.Errorf("only %d entries changed", changes)
	}
	return nil
}

// vforkdemo wants a vfork on one root, and nothing of the parent between its
// falling asleep and the child's leaving.
func vforkdemo(_ string, events []trace.Event) error {
	if err := replay(events); err != nil {
		return err
	}
	var vfork, sleep *trace.Event
	for i := range events {
		switch ev := &events[i]; {
		case ev.Kind == trace.VFork && ev.PID != 1 && vfork == nil:
			if vfork = ev; ev.Old != ev.New || ev.Old == 0 {
				return fmt.Errorf("two roots: %+v", *ev)
			}
		case vfork == nil:
		case ev.Kind == trace.VForkSleep && ev.PID == vfork.PID:
			sleep = ev
		case sleep == nil:
		case ev.Kind == trace.VForkWake && ev.PID == vfork.PID && ev.Aux == vfork.Aux:
			return nil
		case ev.PID == vfork.PID:
			return fmt.Errorf("the parent is not asleep: %+v", *ev)
		case ev.Kind == trace.TableMake:
			return fmt.Errorf("a table was made: %+v", *ev)
		}
	}
	return fmt.Errorf("no vfork, or no end of it, in %d events", len(events))
}

// stalled wants the events in order, with none missing but those that Lost events
// count, of which there must be some.
func stalled(_ string, events []trace.Event) error {
	next, lost := uint64(0), uint64(0)
	for _, ev := range events {
		if ev.Seq != next {
			return fmt.Errorf("event %d where %d was due", ev.Seq, next)
		}
		next++
		if ev.Kind == trace.Lost {
			next += ev.Aux - 1
			lost += ev.Aux
		}
	}
	if lost < 100 || lost == next {
		return fmt.Errorf("%d of %d events lost", lost, next)
	}
	return nil
}
