package tracefile

import (
	"encoding/json"
	"errors"
	"io"
	"iter"
	"strconv"
	"strings"

	"yolk/kernel/trace"
)

// A slot is a part of an event that can hold a number.
type slot uint8

const (
	va slot = iota
	old
	new_
	aux
	auxLow // bits 0 to 31
	auxHigh
	code // Err
	refs
	decision
)

// A form is how a number is written.
type form uint8

const (
	dec    form = iota
	signed      // as an int64
	hex         // a string: JSON's readers have 53 bits for a number
	word        // the decision's name
)

// A field is one member of an event's JSON object.
type field struct {
	name string
	slot slot
	form form
}

// Members that several kinds have.
var (
	fVA, fRoot             = field{"va", va, hex}, field{"root", old, dec}
	fOldRoot, fNewRoot     = field{"old_root", old, dec}, field{"new_root", new_, dec}
	fOld, fNew             = field{"old_pfn", old, dec}, field{"new_pfn", new_, dec}
	fChild, fStatus        = field{"child", aux, dec}, field{"status", code, dec}
	fLevel, fLength        = field{"level", aux, dec}, field{"length", aux, dec}
	fSignal, fRefs, fTexts = field{"signal", code, dec}, field{"refs", refs, dec}, field{"with", refs, dec}
	fCall                  = field{"call", va, dec}
)

// fields says which members an event of each kind has beside seq, t, pid and
// kind.  The comments in trace.Kind are the source.  Text has members of its own.
var fields = map[trace.Kind][]field{
	trace.Fork:        {fChild, fOldRoot, fNewRoot},
	trace.VFork:       {fChild, fOldRoot, fNewRoot},
	trace.VForkSleep:  {fChild},
	trace.VForkWake:   {fChild},
	trace.Exec:        {fOldRoot, fNewRoot},
	trace.ExecFail:    {{"errno", code, dec}},
	trace.Exit:        {fStatus},
	trace.Wait:        {fChild, fStatus},
	trace.Reparent:    {{"parent", aux, dec}},
	trace.Fault:       {fVA, {"err", code, dec}, {"decision", decision, word}, fOld, fNew, fRefs, {"new_refs", auxLow, dec}, {"rights", auxHigh, dec}},
	trace.TableMake:   {fVA, fNew, fLevel, fRoot},
	trace.TableFree:   {fVA, fOld, fLevel},
	trace.FlushPage:   {fVA, fRoot},
	trace.FlushSpace:  {fRoot},
	trace.SignalSend:  {{"to", aux, dec}, fSignal},
	trace.SignalFrame: {fSignal, fVA},
	trace.SignalKill:  {fSignal},
	trace.Syscall:     {fCall, {"a1", aux, hex}, {"a2", old, hex}, {"a3", new_, hex}, fTexts},
	trace.Args:        {{"a4", va, hex}, {"a5", old, hex}, {"a6", new_, hex}},
	trace.SysReturn:   {fCall, {"result", aux, signed}, fTexts},
	trace.Boot:        {{"frames", aux, dec}, {"free", va, dec}, {"zero_pfn", old, dec}, {"kernel_root", new_, dec}, {"version", code, dec}},
	trace.Name:        {fTexts},
	trace.Text:        {},
	trace.Map:         {fVA, fLength, fRoot, {"flags", code, dec}, {"offset", new_, dec}, fTexts},
	trace.Unmap:       {fVA, fLength, fRoot},
	trace.Protect:     {fVA, fLength, fRoot, {"flags", code, dec}},
	trace.Entry:       {fVA, {"old", old, hex}, {"new", new_, hex}, {"root", aux, dec}, fRefs},
	trace.Switch:      {{"root", new_, dec}},
	trace.Free:        {{"free", aux, dec}, {"shared", va, dec}, {"flushes", old, dec}},
	trace.Lost:        {{"events", aux, dec}},
}

// get returns the number in a slot of ev.
func (s slot) get(ev *trace.Event) uint64 {
	switch s {
	case va:
		return ev.VA
	case old:
		return ev.Old
	case new_:
		return ev.New
	case aux:
		return ev.Aux
	case auxLow:
		return ev.Aux & 0xffff_ffff
	case auxHigh:
		return ev.Aux >> 32
	case code:
		return uint64(ev.Err)
	case refs:
		return uint64(ev.Refs)
	}
	return uint64(ev.Decision)
}

// set puts a number into a slot of ev.
func (s slot) set(ev *trace.Event, v uint64) {
	switch s {
	case va:
		ev.VA = v
	case old:
		ev.Old = v
	case new_:
		ev.New = v
	case aux:
		ev.Aux = v
	case auxLow:
		ev.Aux |= v & 0xffff_ffff
	case auxHigh:
		ev.Aux |= v << 32
	case code:
		ev.Err = uint32(v)
	case refs:
		ev.Refs = uint32(v)
	case decision:
		ev.Decision = trace.Decision(v)
	}
}

// AppendJSON appends the event as one JSON object and a newline: seq, t (in
// nanoseconds since boot), pid, kind and what the kind has besides.  Addresses
// and page-table entries are strings in hexadecimal, frames are decimal frame
// numbers.
func AppendJSON(b []byte, ev *trace.Event) []byte {
	b = strconv.AppendUint(append(b, `{"seq":`...), ev.Seq, 10)
	b = strconv.AppendInt(append(b, `,"t":`...), ev.Time, 10)
	b = strconv.AppendInt(append(b, `,"pid":`...), int64(ev.PID), 10)
	b = append(append(append(b, `,"kind":"`...), ev.Kind.String()...), '"')
	if ev.Kind == trace.Text {
		b = appendTextJSON(b, ev)
	}
	for _, f := range fields[ev.Kind] {
		b = append(append(append(b, `,"`...), f.name...), `":`...)
		v := f.slot.get(ev)
		switch f.form {
		case dec:
			b = strconv.AppendUint(b, v, 10)
		case signed:
			b = strconv.AppendInt(b, int64(v), 10)
		case hex:
			b = append(strconv.AppendUint(append(b, `"0x`...), v, 16), '"')
		case word:
			b = append(append(append(b, '"'), ev.Decision.String()...), '"')
		}
	}
	return append(b, '}', '\n')
}

// appendTextJSON appends what a Text has besides: its bytes, each as a character
// of its own.
func appendTextJSON(b []byte, ev *trace.Event) []byte {
	b = append(b, `,"text":"`...)
	for _, c := range TextBytes(ev) {
		if c < ' ' || c > '~' || c == '"' || c == '\\' {
			b = append(b, `\u00`...)
			b = append(b, "0123456789abcdef"[c>>4], "0123456789abcdef"[c&15])
		} else {
			b = append(b, c)
		}
	}
	b = strconv.AppendUint(append(b, `","more":`...), uint64(ev.Refs), 10)
	b = strconv.AppendUint(append(b, `,"of":`...), uint64(TextArg(ev)), 10)
	return strconv.AppendBool(append(b, `,"cut":`...), ev.Err&trace.TextCut != 0)
}

// kinds and decisions are the values by their names.
var (
	kinds     = byName(func(i int) (trace.Kind, bool) { k := trace.Kind(i); return k, (&trace.Event{Kind: k}).Valid() })
	decisions = byName(func(i int) (trace.Decision, bool) {
		d := trace.Decision(i)
		return d, (&trace.Event{Kind: trace.Fault, Decision: d}).Valid()
	})
)

func byName[T interface{ String() string }](value func(int) (T, bool)) map[string]T {
	m := make(map[string]T)
	for i := range 256 {
		if v, ok := value(i); ok {
			m[v.String()] = v
		}
	}
	return m
}

// ParseJSON reads what AppendJSON wrote; trace.ErrFormat if it did not.
func ParseJSON(line []byte) (ev trace.Event, err error) {
	var head struct {
		Seq  *uint64
		T    int64
		PID  int32
		Kind string
		Text string
		More uint32
		Of   uint32
		Cut  bool
	}
	var rest map[string]json.RawMessage
	if json.Unmarshal(line, &head) != nil || json.Unmarshal(line, &rest) != nil || head.Seq == nil {
		return ev, trace.ErrFormat
	}
	ev = trace.Event{Seq: *head.Seq, Time: head.T, PID: head.PID, Kind: kinds[head.Kind], Refs: head.More}
	if ev.Kind == trace.Text && !setText(&ev, head.Text, head.Of, head.Cut) {
		return ev, trace.ErrFormat
	}
	for _, f := range fields[ev.Kind] {
		v, err := f.parse(string(rest[f.name]))
		if err != nil {
			return ev, trace.ErrFormat
		}
		f.slot.set(&ev, v)
	}
	if !ev.Valid() {
		return ev, trace.ErrFormat
	}
	return ev, nil
}

func (f field) parse(s string) (uint64, error) {
	switch f.form {
	case dec:
		return strconv.ParseUint(s, 10, 64)
	case signed:
		n, err := strconv.ParseInt(s, 10, 64)
		return uint64(n), err
	case hex:
		return strconv.ParseUint(strings.Trim(s, `"`), 0, 64)
	}
	d, ok := decisions[strings.Trim(s, `"`)]
	if !ok {
		return 0, trace.ErrFormat
	}
	return uint64(d), nil
}

// WriteJSON writes the events as JSON, one object a line.  Its error is that of
// the events, after all that came before it was written, or w's.
func WriteJSON(w io.Writer, events iter.Seq2[trace.Event, error], _ string) error {
	t := NewWriter(w, true)
	for ev, err := range events {
		if err != nil {
			return errors.Join(err, t.Close())
		}
		t.Event(&ev)
	}
	return t.Close()
}
