package trace

import (
	"bytes"
	"io"
	"math/rand/v2"
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

// wild returns events whose fields are anything at all.
func wild(n int) (list []Event) {
	r := rand.New(rand.NewPCG(1, 2))
	word := func() uint64 { return r.Uint64() >> (r.Uint64() % 65) << (r.Uint64() % 3 * 12) * (r.Uint64() % 2) }
	for i := range n {
		list = append(list, Event{
			Seq: uint64(i), Time: int64(word()), PID: int32(word()), Kind: 1 + Kind(i)%(kindCount-1), Decision: Decision(word() % uint64(decisionCount)),
			Err: uint32(word()), Refs: uint32(word()), VA: word(), Old: word(), New: word(), Aux: word(),
		})
	}
	for _, ev := range []Event{{Time: -5, PID: -1}, {Time: -5, PID: -1, VA: 1 << 63}, {Time: -5, PID: -1, VA: 1 << 63}} { // equal to the one before
		ev.Seq, ev.Kind = uint64(len(list)), Exit
		list = append(list, ev)
	}
	return list
}

func TestWireRoundTrip(t *testing.T) {
	var enc Encoder
	var b []byte
	events := wild(2000)
	for _, ev := range events {
		b = enc.Append(b, &ev)
	}
	in, dec := bytes.NewReader(b), Decoder{}
	for _, want := range events {
		if got, err := dec.Decode(in); err != nil || got != want {
			t.Fatalf("got %+v, %v\nwant %+v", got, err, want)
		}
	}
	if _, err := dec.Decode(in); err != io.EOF {
		t.Errorf("at the end: %v", err)
	}
}

// TestWireIsCompact: the usual event takes a fraction of its 64 bytes.
func TestWireIsCompact(t *testing.T) {
	var enc Encoder
	entry := Event{Time: 5e9, PID: 3, Kind: Entry, VA: 0x7ffeffffe000, Old: 1<<63 | 0x85fa067, New: 1<<63 | 0x85fa265, Aux: 0x8595, Refs: 2}
	enc.Append(nil, &entry)
	entry.Time, entry.VA = entry.Time+1500, entry.VA+0x1000
	if n := len(enc.Append(nil, &entry)); n > 17 {
		t.Errorf("%d bytes", n)
	}
}

func TestDecodeRefusesWhatIsNoEvent(t *testing.T) {
	good := new(Encoder).Append(nil, &Event{Kind: Fork, Decision: 1, PID: 300})
	for cut := range good {
		want := io.ErrUnexpectedEOF
		if cut == 0 {
			want = io.EOF
		}
		if _, err := new(Decoder).Decode(bytes.NewReader(good[:cut])); err != want {
			t.Errorf("cut off after %d bytes: %v", cut, err)
		}
	}
	for name, b := range map[string][]byte{
		"no kind":             {0, 0, 0},
		"unknown kind":        {byte(kindCount), 0, 0},
		"unknown decision":    {byte(Fault), 2, 0, byte(decisionCount)},
		"number of 11 bytes":  {byte(Fault), 0, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1},
		"another unfit field": {byte(Fault), 128, 0, 255, 255, 255, 255, 255, 255, 255, 255, 255, 2},
	} {
		if _, err := new(Decoder).Decode(bytes.NewReader(b)); err != ErrFormat {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzDecode: whatever comes, there is an event or an error, and an event comes
// back as it is.
func FuzzDecode(f *testing.F) {
	f.Add(new(Encoder).Append(nil, &Event{Kind: Fault, Decision: COWCopy, VA: 1 << 40, Old: 1, New: 2}))
	f.Fuzz(func(t *testing.T, b []byte) {
		in, dec, enc := bytes.NewReader(b), Decoder{}, Encoder{}
		var events []Event
		var again []byte
		for {
			ev, err := dec.Decode(in)
			if err != nil {
				break
			}
			events, again = append(events, ev), enc.Append(again, &ev)
		}
		in, dec = bytes.NewReader(again), Decoder{}
		for _, want := range events {
			if got, err := dec.Decode(in); err != nil || got != want {
				t.Fatalf("got %+v, %v, want %+v", got, err, want)
			}
		}
	})
}

func TestEmitText(t *testing.T) {
	for _, c := range []struct {
		n    int
		errs []uint32
		left []uint32
	}{
		{0, []uint32{2<<TextArg | TextCut}, []uint32{0}},
		{5, []uint32{5 | 2<<TextArg | TextCut}, []uint32{0}},
		{32, []uint32{32 | 2<<TextArg | TextCut}, []uint32{0}},
		{70, []uint32{32 | 2<<TextArg, 32 | 2<<TextArg, 6 | 2<<TextArg | TextCut}, []uint32{38, 6, 0}},
	} {
		var l Log
		var got collector
		l.Attach(ClassAll, &got, nil)
		s := make([]byte, c.n)
		for i := range s {
			s[i] = byte('a' + i%26)
		}
		l.EmitText(2, s, true)
		if len(got) != len(c.errs) {
			t.Fatalf("%d bytes in %d events", c.n, len(got))
		}
		for i, ev := range got {
			if ev.Kind != Text || ev.Err != c.errs[i] || ev.Refs != c.left[i] {
				t.Errorf("%d bytes, event %d: %+v", c.n, i, ev)
			}
		}
		if c.n == 70 && (got[0].VA != 0x6867666564636261 || got[0].Aux>>56 != 'f') {
			t.Errorf("the bytes are in another order: %#x … %#x", got[0].VA, got[0].Aux)
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
