package boottest

import (
	"bytes"
	"io"
	"regexp"
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
		Judge: func(ev []trace.Event) error {
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
