package boottest

import (
	"bytes"
	"io"
	"regexp"
	"slices"
	"strings"
	"testing"

	"yolk/kernel/trace"
	"yolk/qemu"
)

// TestCases: names are unique, machines exist, patterns compile.
func TestCases(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range Cases {
		if seen[c.Name] || !regexp.MustCompile(`^[a-z0-9-]+$`).MatchString(c.Name) {
			t.Errorf("name %q", c.Name)
		}
		seen[c.Name] = true
		for _, m := range c.Machines {
			if _, ok := qemu.Lookup(m); !ok {
				t.Errorf("%s: machine %q", c.Name, m)
			}
		}
		patterns := []string{c.Why, c.Stderr, c.Log}
		if !c.Exact {
			patterns = append(patterns, c.Stdout)
		}
		for _, l := range c.Dialogue {
			patterns = append(patterns, l.Hear)
		}
		for _, p := range patterns {
			if _, err := regexp.Compile(p); err != nil {
				t.Errorf("%s: %v", c.Name, err)
			}
		}
	}
}

// TestJudge: each expectation of a case can fail by itself.
func TestJudge(t *testing.T) {
	c := Case{Exit: 3, Why: "", Stdout: "o+\n", Stderr: "e", Log: "needle",
		Judge: func(_ string, ev []trace.Event) error {
			if len(ev) != 1 {
				return io.EOF
			}
			return nil
		}}
	good := func() *record {
		r := &record{result: qemu.Result{End: qemu.Finished, Status: 3 << 8}, events: make([]trace.Event, 1)}
		r.stdout.WriteString("ooo\n")
		r.stderr.WriteString("e")
		r.log.WriteString("a needle here")
		return r
	}
	if err := c.judge(good()); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(*record){
		"status":  func(r *record) { r.result.Status = 4 << 8 },
		"stopped": func(r *record) { r.result.End = qemu.Stopped },
		"stdout":  func(r *record) { r.stdout.WriteString("more") },
		"stderr":  func(r *record) { r.stderr.Reset() },
		"log":     func(r *record) { r.log.Reset() },
		"trace":   func(r *record) { r.events = nil },
		"babble":  func(r *record) { r.said.left = -1 },
	} {
		r := good()
		spoil(r)
		if c.judge(r) == nil {
			t.Errorf("%s: not noticed", name)
		}
	}
	exact := Case{Stdout: "a.b", Exact: true}
	r := &record{stdout: *bytes.NewBufferString("axb")}
	if exact.judge(r) == nil {
		t.Error("an exact text was taken for a pattern")
	}
}

// TestMeter: what is said on several channels adds up, and too much ends it.
func TestMeter(t *testing.T) {
	ended := false
	m := meter{left: 10, over: func() { ended = true }}
	var a, b bytes.Buffer
	io.WriteString(m.on(&a), "12345")
	io.WriteString(m.on(&b), "67890")
	if ended || a.String()+b.String() != "1234567890" {
		t.Errorf("ended %v after %q and %q", ended, &a, &b)
	}
	if m.add(1); !ended {
		t.Error("more than may be said, and nothing happened")
	}
}

func TestDialogue(t *testing.T) {
	k := newConsole([]Line{{`\$ $`, "ls\r"}, {`b\r\n\$ `, "exit\r"}})
	var typed []byte
	read := func(n int) {
		b := make([]byte, n)
		io.ReadFull(k, b)
		typed = append(typed, b...)
	}
	io.WriteString(k, "welcome\r\n$")
	if k.finish() == nil {
		t.Error("finished before it began")
	}
	io.WriteString(k, " ")
	read(3)
	io.WriteString(k, "ls\r\na b\r\n$ ")
	read(5)
	if string(typed) != "ls\rexit\r" || k.finish() != nil {
		t.Errorf("typed %q, %v", typed, k.finish())
	}
}

func TestForkExecExit(t *testing.T) {
	life := []trace.Event{
		{Kind: trace.Fork, PID: 2, Aux: 3}, {Kind: trace.Exec, PID: 3}, {Kind: trace.Fault, PID: 3},
		{Kind: trace.Exit, PID: 3}, {Kind: trace.Wait, PID: 2, Aux: 3},
	}
	number := func(events []trace.Event) []trace.Event {
		for i := range events {
			events[i].Seq = uint64(i)
		}
		return events
	}
	if err := forkExecExit(number(append([]trace.Event{}, life...))); err != nil {
		t.Error(err)
	}
	for i := range life {
		cut := append(append([]trace.Event{}, life[:i]...), life[i+1:]...)
		if forkExecExit(number(cut)) == nil {
			t.Errorf("event %d is not missed", i)
		}
	}
	if forkExecExit(nil) == nil || !strings.Contains(forkExecExit(life[3:]).Error(), "number") {
		t.Error("lost events are not noticed")
	}
}

// cowTrace is what cowdemo prints of a write that copies and one that does not,
// and the events that fit it.
func cowTrace() (stdout string, events []trace.Event) {
	const user = 1 | 4 | 1<<63
	type write struct {
		pid                int32
		va, old, new, refs uint64
		decision           trace.Decision
	}
	add := func(ev trace.Event) {
		ev.Seq = uint64(len(events))
		events = append(events, ev)
	}
	stdout = "step=before pid=2 va=0x1000 pfn=0xa refs=1 cow=0 copies=0 reuses=0\nstep=before pid=2 va=0x2000 pfn=0xb refs=1 cow=0 copies=0 reuses=0\n" +
		"step=child-writes pid=3 va=0x1000 pfn=0xc refs=1 cow=0 copies=1 reuses=0\n" +
		"step=parent-writes pid=2 va=0x1000 pfn=0xa refs=1 cow=0 copies=0 reuses=1\n" +
		"step=reclaimed pid=2 va=0x2000 pfn=0xb refs=1 cow=0 copies=0 reuses=1\n"
	for i := range uint64(100) {
		add(trace.Event{Kind: trace.Entry, VA: 0x100000 + i<<12, New: user, Aux: 9})
	}
	for _, e := range [][3]uint64{{0x1000, 0xa, 7}, {0x1000, 0xa, 8}, {0x2000, 0xb, 7}} {
		add(trace.Event{Kind: trace.Entry, VA: e[0], New: e[1]<<12 | user | cow, Aux: e[2]})
	}
	for _, w := range []write{
		{3, 0x1000, 0xa, 0xc, 2, trace.COWCopy}, {2, 0x1000, 0xa, 0xa, 1, trace.COWReuse}, {2, 0x2000, 0xb, 0xb, 1, trace.COWReuse},
	} {
		root := map[int32]uint64{2: 7, 3: 8}[w.pid]
		add(trace.Event{Kind: trace.Entry, PID: w.pid, VA: w.va, Old: w.old<<12 | user | cow | 1<<5, New: w.new<<12 | user | 2, Aux: root})
		add(trace.Event{Kind: trace.FlushPage, PID: w.pid, VA: w.va, Old: root})
		add(trace.Event{Kind: trace.Fault, PID: w.pid, VA: w.va + 8, Err: 7, Decision: w.decision, Old: w.old, New: w.new, Refs: uint32(w.refs)})
	}
	return stdout, events
}

// TestCowdemoIsHeldAgainstItsTrace: whatever does not fit is noticed.
func TestCowdemoIsHeldAgainstItsTrace(t *testing.T) {
	stdout, events := cowTrace()
	if err := cowdemo(stdout, events); err != nil {
		t.Fatal(err)
	}
	last := len(events) - 1
	for name, spoil := range map[string]func(ev []trace.Event) []trace.Event{
		"frame":      func(ev []trace.Event) []trace.Event { ev[last].New++; return ev },
		"decision":   func(ev []trace.Event) []trace.Event { ev[last].Decision = trace.COWCopy; return ev },
		"references": func(ev []trace.Event) []trace.Event { ev[last].Refs++; return ev },
		"two faults": func(ev []trace.Event) []trace.Event { ev[last-3].VA = ev[last].VA; return ev },
		"no fault":   func(ev []trace.Event) []trace.Event { return ev[:last] },
		"mark":       func(ev []trace.Event) []trace.Event { ev[last-2].New |= cow; return ev },
		"flush":      func(ev []trace.Event) []trace.Event { ev[last-1].VA = 0; return ev },
		"entry":      func(ev []trace.Event) []trace.Event { ev[last-2].Old ^= 4; return ev },
		"gap":        func(ev []trace.Event) []trace.Event { ev[last].Seq++; return ev },
		"left over": func(ev []trace.Event) []trace.Event {
			return append(ev, trace.Event{Seq: uint64(last + 1), Kind: trace.TableFree, Aux: 4, Old: 7})
		},
	} {
		if cowdemo(stdout, spoil(slices.Clone(events))) == nil {
			t.Errorf("%s: not noticed", name)
		}
	}
	if cowdemo(strings.Replace(stdout, "reuses=1", "reuses=0", 1), events) == nil || cowdemo("", events) == nil {
		t.Error("a program that says less is not noticed")
	}
}

func TestVforkdemoIsHeldAgainstItsTrace(t *testing.T) {
	_, events := cowTrace()
	for _, ev := range []trace.Event{
		{Kind: trace.VFork, PID: 1, Aux: 2, Old: 5, New: 5}, {Kind: trace.VFork, PID: 2, Aux: 3, Old: 9, New: 9}, {Kind: trace.Free, PID: 2},
		{Kind: trace.VForkSleep, PID: 2, Aux: 3}, {Kind: trace.Fault, PID: 3}, {Kind: trace.VForkWake, PID: 2, Aux: 3}, {Kind: trace.TableMake, PID: 2},
	} {
		ev.Seq = uint64(len(events))
		events = append(events, ev)
	}
	if err := vforkdemo("", events); err != nil {
		t.Fatal(err)
	}
	n := len(events)
	for name, spoil := range map[string]func(ev []trace.Event){
		"two roots": func(ev []trace.Event) { ev[n-6].New++ }, "awake": func(ev []trace.Event) { ev[n-3].PID = 2 },
		"a table": func(ev []trace.Event) { ev[n-3].Kind = trace.TableMake }, "no sleep": func(ev []trace.Event) { ev[n-4].Kind = trace.Free },
		"no wake": func(ev []trace.Event) { ev[n-2].Aux = 4 },
	} {
		spoilt := slices.Clone(events)
		if spoil(spoilt); vforkdemo("", spoilt) == nil {
			t.Errorf("%s: not noticed", name)
		}
	}
}

func TestStalledCounts(t *testing.T) {
	good := []trace.Event{{Seq: 0}, {Kind: trace.Lost, Seq: 1, Aux: 100}, {Seq: 101}}
	if err := stalled("", good); err != nil {
		t.Error(err)
	}
	for i, bad := range [][]trace.Event{
		{{Seq: 0}, {Kind: trace.Lost, Seq: 1, Aux: 100}, {Seq: 102}}, {{Seq: 0}, {Seq: 1}}, {{Kind: trace.Lost, Aux: 500}}, nil,
	} {
		if stalled("", bad) == nil {
			t.Errorf("%d: not noticed", i)
		}
	}
}

// TestTelling: of a long report its beginning is shown, too, and nothing twice.
func TestTelling(t *testing.T) {
	const reason = "panic: memory is lost\n"
	goroutines := strings.Repeat("goroutine 1 [running]:\n", 1000)
	for name, c := range map[string]struct {
		text         string
		whole, cause bool
	}{
		"short":          {"boot\n" + reason, true, true},
		"long":           {"boot\n" + reason + goroutines, false, true},
		"long, no panic": {"boot\n" + goroutines, false, false},
		"at the end":     {goroutines + reason, false, true},
	} {
		got := telling(c.text)
		if (got == c.text) != c.whole || strings.Count(got, reason) == 1 != c.cause || len(got) > 3100 || !strings.HasSuffix(got, c.text[len(c.text)-20:]) {
			t.Errorf("%s: %d bytes, %.60q", name, len(got), got)
		}
	}
}
