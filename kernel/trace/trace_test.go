package trace

import (
	"errors"
	"testing"
)

type collector []Event

func (c *collector) Event(ev *Event) { *c = append(*c, *ev) }

func TestOnlyAttachedClassesAreOn(t *testing.T) {
	var l Log
	if l.On(ClassAll) {
		t.Error("a fresh Log has a class on")
	}
	l.Attach(ClassFault|ClassTLB, nil, nil)
	for c := Class(1); c < ClassAll; c <<= 1 {
		if want := c == ClassFault || c == ClassTLB; l.On(c) != want {
			t.Errorf("class %#x on: %v", c, !want)
		}
	}
}

func TestEmitNumbersStampsAndPassesOn(t *testing.T) {
	var l Log
	var got collector
	clock := int64(100)
	l.Attach(ClassAll, &got, func() int64 { clock++; return clock })
	l.PID = 7
	l.Emit(Event{Kind: Fork})
	l.Emit(Event{Kind: Exit, PID: 3})
	if len(got) != 2 || got[0].Seq != 0 || got[1].Seq != 1 {
		t.Fatalf("sequence numbers %+v", got)
	}
	if got[0].PID != 7 || got[1].PID != 3 {
		t.Errorf("pids %d and %d, want the current one and the one given", got[0].PID, got[1].PID)
	}
	if got[0].Time != 101 || got[1].Time != 102 {
		t.Errorf("times %d, %d", got[0].Time, got[1].Time)
	}
}

func TestRingKeepsTheLastEvents(t *testing.T) {
	var l Log
	if n := len(l.Last(5)); n != 0 || l.Recent(0) != nil {
		t.Fatalf("%d events in an empty log", n)
	}
	for i := range uint64(RingSize + 10) {
		l.Emit(Event{Kind: Fault, VA: i})
	}
	last := l.Last(RingSize * 2)
	if len(last) != RingSize || last[0].VA != 10 || last[RingSize-1].VA != RingSize+9 {
		t.Errorf("kept %d events, from %d to %d", len(last), last[0].VA, last[len(last)-1].VA)
	}
	if l.Recent(0).VA != RingSize+9 || l.Recent(RingSize-1).VA != 10 || l.Recent(RingSize) != nil {
		t.Error("Recent counts wrongly")
	}
}

func TestBinaryRoundTrip(t *testing.T) {
	for k := Kind(0); k < kindCount; k++ {
		ev := Event{
			Seq: 1 << 40, Time: -5, PID: -1, Kind: k, Decision: COWCopy, Err: 7,
			VA: 0xffff800000000123, Old: 1, New: 1 << 35, Refs: 65537, Aux: 42,
		}
		b := ev.AppendBinary(nil)
		if len(b) != EventSize {
			t.Fatalf("%d bytes, want %d", len(b), EventSize)
		}
		if got, err := Decode(b); err != nil || got != ev {
			t.Errorf("got %+v, %v\nwant %+v", got, err, ev)
		}
	}
}

func TestDecodeRefusesWhatIsNoEvent(t *testing.T) {
	good := (&Event{Kind: Fork}).AppendBinary(nil)
	for name, spoil := range map[string]func([]byte) []byte{
		"cut off":          func(b []byte) []byte { return b[:EventSize-1] },
		"wrong magic":      func(b []byte) []byte { b[0]++; return b },
		"unknown kind":     func(b []byte) []byte { b[1] = byte(kindCount); return b },
		"unknown decision": func(b []byte) []byte { b[2] = byte(decisionCount); return b },
	} {
		if _, err := Decode(spoil(append([]byte(nil), good...))); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestEverythingHasAName(t *testing.T) {
	seen := map[string]bool{}
	for k := None + 1; k < kindCount; k++ {
		if s := k.String(); s == "unknown" || seen[s] {
			t.Errorf("kind %d is called %q", k, s)
		} else {
			seen[s] = true
		}
	}
	for d := NoDecision; d < decisionCount; d++ {
		if s := d.String(); s == "" || seen[s] {
			t.Errorf("decision %d is called %q", d, s)
		} else {
			seen[s] = true
		}
	}
	if kindCount.String() != "unknown" || decisionCount.String() != "unknown" {
		t.Error("a value that does not exist has a name")
	}
}
