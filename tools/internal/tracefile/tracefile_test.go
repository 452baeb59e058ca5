package tracefile

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"

	"yolk/kernel/trace"
)

// sample has an event of every kind; each field that the kind uses is different.
func sample() (list []trace.Event) {
	for k := trace.None + 1; (&trace.Event{Kind: k}).Valid(); k++ {
		ev := trace.Event{Seq: uint64(k) - 1, Time: int64(k) * 1000, PID: 3, Kind: k}
		for i, f := range fields[k] {
			f.slot.set(&ev, uint64(i+1))
		}
		switch k {
		case trace.SysReturn:
			ev.Aux = ^uint64(1) // -2
		case trace.Entry:
			ev.Old = 1 << 63
		case trace.Text:
			setText(&ev, "a \"\x00\\ \u00ff", 2, true)
			ev.Refs = 7
		case trace.Boot:
			ev.Err = trace.StreamVersion
		}
		list = append(list, ev)
	}
	return list
}

func write(t *testing.T, events []trace.Event, json bool) []byte {
	t.Helper()
	var b bytes.Buffer
	w := NewWriter(&b, json)
	for i := range events {
		w.Event(&events[i])
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// read returns all events and the error that ended them, nil for io.EOF.
func read(r io.Reader) (list []trace.Event, err error) {
	t, err := Open(r)
	if err != nil {
		return nil, err
	}
	for ev, err := range t.All() {
		if err != nil {
			if _, again := t.Next(); again != err {
				return list, errors.New("the error did not last")
			}
			return list, err
		}
		list = append(list, ev)
	}
	return list, nil
}

func TestRoundTrip(t *testing.T) {
	want := sample()
	for _, json := range []bool{false, true} {
		got, err := read(iotest.OneByteReader(bytes.NewReader(write(t, want, json))))
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("JSON %t: %v\n%+v\nwant\n%+v", json, err, got, want)
		}
	}
	for _, json := range []bool{false, true} {
		got, err := read(bytes.NewReader(write(t, nil, json)))
		if len(got) != 0 || err != nil && (err != ErrEmpty || !json) {
			t.Errorf("a trace of nothing, JSON %t: %v, %v", json, got, err)
		}
	}
}

// TestTheFormIsFixed: what was written yesterday can be read tomorrow.
func TestTheFormIsFixed(t *testing.T) {
	b := write(t, []trace.Event{{Seq: 1, Time: 2, PID: -3, Kind: trace.Fault, Decision: trace.COWCopy, Err: 4, VA: 5, Old: 6, New: 7, Refs: 8, Aux: 9}}, false)
	want := "YOLKTRAC\x01\x00\x00\x00\x40\x00\x00\x00" +
		"\xe7\x0a\x05\x00\x04\x00\x00\x00" + "\x01\x00\x00\x00\x00\x00\x00\x00" + "\x02\x00\x00\x00\x00\x00\x00\x00" + "\xfd\xff\xff\xff\x08\x00\x00\x00" +
		"\x05\x00\x00\x00\x00\x00\x00\x00" + "\x06\x00\x00\x00\x00\x00\x00\x00" + "\x07\x00\x00\x00\x00\x00\x00\x00" + "\x09\x00\x00\x00\x00\x00\x00\x00" +
		"\xe7\x00\x00\x00" + strings.Repeat("\x00", 52) + "\x01\x00\x00\x00\x00\x00\x00\x00"
	if string(b) != want {
		t.Errorf("%q, want\n%q", b, want)
	}
}

// TestCutOff: wherever a trace is cut off, the events before the cut come, and
// then the reason.
func TestCutOff(t *testing.T) {
	events := sample()[:5]
	for _, isJSON := range []bool{false, true} {
		b := write(t, events, isJSON)
		for cut := 1; cut < len(b); cut++ {
			whole := max(0, cut-headerSize) / RecordSize
			if isJSON {
				whole = bytes.Count(b[:cut], []byte("\n"))
				if b[cut-1] == '\n' {
					continue // nobody can tell
				}
			}
			whole = min(whole, len(events))
			got, err := read(bytes.NewReader(b[:cut]))
			var cutOff *TruncatedError
			if !errors.As(err, &cutOff) || cutOff.Events != uint64(whole) || len(got) != whole {
				t.Fatalf("JSON %t, %d bytes: %d events, %v", isJSON, cut, len(got), err)
			}
		}
	}
}

func TestBadFiles(t *testing.T) {
	good := write(t, sample()[:3], false)
	version, size, amid, end := bytes.Clone(good), bytes.Clone(good), bytes.Clone(good), bytes.Clone(good)
	version[8], size[12], amid[headerSize+RecordSize], end[len(end)-8] = 9, 32, 0, 2
	stream := write(t, []trace.Event{{Kind: trace.Boot, Err: trace.StreamVersion + 1}}, false)
	line := string(AppendJSON(nil, &sample()[0]))
	for _, c := range []struct {
		name string
		in   string
		want error
		n    int
	}{
		{"empty", "", ErrEmpty, 0},
		{"a text", "#!/bin/sh\necho this is not it\n", ErrForeign, 0},
		{"a short text", "x", ErrForeign, 0},
		{"an ELF file", "\x7fELF" + strings.Repeat("\x00", 100), ErrForeign, 0},
		{"other JSON", `{"traceEvents":[]}` + "\n", ErrForeign, 0},
		{"another version", string(version), &VersionError{9}, 0},
		{"other records", string(size), ErrForeign, 0},
		{"another version of the events", string(stream), &VersionError{trace.StreamVersion + 1}, 0},
		{"a damaged record", string(amid), &CorruptError{1}, 1},
		{"an end that does not fit", string(end), &CorruptError{3}, 3},
		{"a damaged line", line + "{\n", &CorruptError{1}, 1},
		{"an endless line", line + "{" + strings.Repeat(" ", 1<<20), &CorruptError{1}, 1},
	} {
		got, err := read(strings.NewReader(c.in))
		if !reflect.DeepEqual(err, c.want) || len(got) != c.n {
			t.Errorf("%s: %d events, %v (%T)", c.name, len(got), err, err)
		}
		if err != nil && len(strings.Fields(err.Error())) < 6 {
			t.Errorf("%s: %q is no sentence", c.name, err)
		}
	}
	broken := errors.New("broken")
	if _, err := read(iotest.ErrReader(broken)); err != broken {
		t.Errorf("%v", err)
	}
	if _, err := read(io.MultiReader(bytes.NewReader(good[:100]), iotest.ErrReader(broken))); err != broken {
		t.Errorf("%v", err)
	}
}

func TestCreate(t *testing.T) {
	dir := t.TempDir()
	for name, first := range map[string]byte{"a.yt": 'Y', "a": 'Y', "a.JSON": '{', "a.jsonl": '{'} {
		w, err := Create(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		w.Event(&sample()[0])
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if b, _ := os.ReadFile(filepath.Join(dir, name)); len(b) == 0 || b[0] != first {
			t.Errorf("%s: %q", name, b)
		}
	}
	if _, err := Create(filepath.Join(dir, "a", "b")); err == nil {
		t.Error("a file below a file")
	}
}

// TestDiskFull: the writer goes on, and its end tells.
func TestDiskFull(t *testing.T) {
	full := errors.New("full")
	w := NewWriter(failing{full}, false)
	for range 3000 {
		w.Event(&sample()[0])
	}
	if err := w.Close(); err != full {
		t.Error(err)
	}
}

type failing struct{ error }

func (f failing) Write([]byte) (int, error) { return 0, f.error }

// TestEveryKind: each is one valid JSON object on one line with its name, has
// fields of its own and belongs to a class.
func TestEveryKind(t *testing.T) {
	for _, ev := range sample() {
		line := AppendJSON(nil, &ev)
		var m map[string]any
		if err := json.Unmarshal(line, &m); err != nil || bytes.IndexByte(line, '\n') != len(line)-1 || m["kind"] != ev.Kind.String() {
			t.Errorf("%s: %v", line, err)
		}
		if _, ok := fields[ev.Kind]; !ok || ClassOf(ev.Kind) == 0 || len(m) < 5 {
			t.Errorf("%v is not known: %s", ev.Kind, line)
		}
	}
}

func TestJSONOfAFault(t *testing.T) {
	ev := trace.Event{Seq: 9, Time: 1500, PID: 3, Kind: trace.Fault, Decision: trace.COWCopy, Err: 7,
		VA: 0x401000, Old: 100, New: 200, Refs: 2, Aux: 3<<32 | 1}
	want := `{"seq":9,"t":1500,"pid":3,"kind":"fault","va":"0x401000","err":7,"decision":"cow-copy","old_pfn":100,"new_pfn":200,"refs":2,"new_refs":1,"rights":3}` + "\n"
	if got := string(AppendJSON(nil, &ev)); got != want {
		t.Errorf("%s", got)
	}
}

func TestParseClasses(t *testing.T) {
	for list, want := range map[string]trace.Class{
		"fault": trace.ClassFault, "process,entry": trace.ClassProcess | trace.ClassEntry, "all": trace.ClassAll,
		"tlb, table": trace.ClassTLB | trace.ClassTable, "fault,fault": trace.ClassFault,
	} {
		if got, err := ParseClasses(list); got != want || err != nil {
			t.Errorf("%q: %#x, %v", list, got, err)
		}
	}
	for _, list := range []string{"", "faults", "fault,,tlb", "0x3f"} {
		if set, err := ParseClasses(list); err == nil || !strings.Contains(err.Error(), "process, fault, table") {
			t.Errorf("%q: %#x, %v", list, set, err)
		}
	}
	var set trace.Class
	for _, c := range classes[:len(classes)-1] {
		set |= c.class
	}
	if set != trace.ClassAll {
		t.Errorf("a class has no name: %#x", trace.ClassAll&^set)
	}
	if DefaultClasses("x.yt") != trace.ClassAll || DefaultClasses("x.json")&trace.ClassEntry != 0 || DefaultClasses("x")&trace.ClassSyscall == 0 {
		t.Error("default classes")
	}
}

func text(s string, arg uint32, more int, cut bool) trace.Event {
	ev := trace.Event{Kind: trace.Text, Refs: uint32(more)}
	setText(&ev, s, arg, cut)
	return ev
}

func TestRecords(t *testing.T) {
	events := []trace.Event{
		text("of an event that was lost", 0, 0, false),
		{Kind: trace.Name, PID: 3, Refs: 1}, text("sh", 0, 0, false),
		{Kind: trace.Syscall, Aux: 1, Old: 2, New: 3, Refs: 4}, {Kind: trace.Args, VA: 4, Old: 5, New: 6},
		text(strings.Repeat("x", 32), 1, 2, false), text("yz", 1, 0, false), text("", 3, 0, true),
		{Kind: trace.Fault, Refs: 9},
		{Kind: trace.SysReturn, Refs: 2}, text("a", 0, 0, false), {Kind: trace.Lost, Aux: 5},
		text("stray", 0, 0, false), {Kind: trace.Exit},
		{Kind: trace.Map, Refs: 1},
	}
	x := []byte(strings.Repeat("x", 32) + "yz")
	want := []Record{
		{Event: events[1], Texts: []Text{{0, []byte("sh"), false}}},
		{Event: events[3], Args: [6]uint64{1, 2, 3, 4, 5, 6}, Texts: []Text{{1, x, false}, {3, nil, true}}},
		{Event: events[8]},
		{Event: events[9], Texts: []Text{{0, []byte("a"), false}}},
		{Event: events[11]}, {Event: events[13]}, {Event: events[14]},
	}
	all := func(yield func(trace.Event, error) bool) {
		for _, ev := range events {
			if !yield(ev, nil) {
				return
			}
		}
		yield(trace.Event{}, io.ErrUnexpectedEOF)
	}
	var got []Record
	var last error
	for r, err := range Records(all) {
		if last = err; err == nil {
			got = append(got, *r)
		}
	}
	if !reflect.DeepEqual(got, want) || last != io.ErrUnexpectedEOF {
		t.Errorf("%v\n%+v\nwant\n%+v", last, got, want)
	}
	for range Records(all) {
		break
	}
}

// TestRecordsInTime: a record that is whole is passed on at once.
func TestRecordsInTime(t *testing.T) {
	n := 0
	j := NewJoiner(func(*Record) { n++ })
	for i, ev := range []trace.Event{{Kind: trace.Syscall}, {Kind: trace.Name, Refs: 1}, text("a", 0, 0, false), {Kind: trace.Fork}} {
		j.Event(&ev)
		if want := []int{1, 1, 2, 3}[i]; n != want {
			t.Errorf("after event %d: %d records, want %d", i, n, want)
		}
	}
}

// FuzzReader: whatever the file, there are events and then an end or a sentence;
// and the events come back when they are written again.
func FuzzReader(f *testing.F) {
	for _, isJSON := range []bool{false, true} {
		var b bytes.Buffer
		w := NewWriter(&b, isJSON)
		for _, ev := range sample() {
			w.Event(&ev)
		}
		w.Close()
		f.Add(b.Bytes())
		f.Add(b.Bytes()[:b.Len()/2])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		got, _ := read(bytes.NewReader(b))
		for _, ev := range got {
			j := NewJoiner(func(*Record) {})
			j.Event(&ev)
		}
		again, err := read(bytes.NewReader(write(t, got, false)))
		if err != nil || len(got) > 0 && !reflect.DeepEqual(again, got) {
			t.Fatalf("%v\n%+v\n%+v", err, again, got)
		}
	})
}

// demo is a trace with an event of every kind.
func demo(t *testing.T) []trace.Event {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "demo.json"))
	if err != nil {
		t.Fatal(err)
	}
	list, err := read(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func filtered(list []trace.Event, pid int32, classes trace.Class) (got []trace.Event) {
	return chosen(list, Selection{PID: pid, Classes: classes})
}

func chosen(list []trace.Event, wanted Selection) (got []trace.Event) {
	for ev, err := range Filter(func(yield func(trace.Event, error) bool) {
		for _, ev := range list {
			if !yield(ev, nil) {
				return
			}
		}
	}, wanted) {
		if err == nil {
			got = append(got, ev)
		}
	}
	return got
}

func TestFilter(t *testing.T) {
	all := demo(t)
	if got := filtered(all, 0, trace.ClassAll); !reflect.DeepEqual(got, all) {
		t.Error("without a filter something is missing")
	}
	for _, ev := range filtered(all, 0, trace.ClassFault|trace.ClassTLB) {
		if k := ev.Kind; k != trace.Fault && k != trace.FlushPage && k != trace.FlushSpace && k != trace.Lost {
			t.Errorf("of class fault or tlb: %+v", ev)
		}
	}
	// A call comes with its arguments and texts, others' do not come.
	args, texts := 0, 0
	for _, ev := range filtered(all, 2, trace.ClassSyscall) {
		switch ev.Kind {
		case trace.Args:
			args++
		case trace.Text:
			texts++
		}
		if ev.PID != 2 && ev.Kind != trace.Lost {
			t.Errorf("of process 2: %+v", ev)
		}
	}
	if args != 1 || texts != 4 { // the process's name, two paths or buffers and a time
		t.Errorf("%d further arguments, %d texts", args, texts)
	}
	// Its name comes first, though nobody but its parent has ever had it told.
	got := filtered(all, 2, trace.ClassFault)
	if got[0].Kind != trace.Name || got[0].PID != 2 || string(TextBytes(&got[1])) != "init" || got[2].Kind != trace.Fault {
		t.Errorf("%+v", got[:3])
	}
	for i, ev := range got[2:] {
		if ev.Kind == trace.Name {
			t.Errorf("again, as event %d", i+2)
		}
	}
	if got := filtered(all, 1, trace.ClassProcess); got[0].Kind != trace.Exec && got[0].Kind != trace.Name {
		t.Errorf("%+v", got[0])
	}
}

// TestFilterAddresses: what is about pages and regions must be about those that were
// asked for; what is about something else comes.
func TestFilterAddresses(t *testing.T) {
	for _, c := range []struct {
		ev         trace.Event
		start, end uint64
		want       bool
	}{
		{trace.Event{Kind: trace.Fault, VA: 0x5fff}, 0x5000, 0x5001, true},
		{trace.Event{Kind: trace.Entry, VA: 0x5000}, 0x5fff, 0x6000, true},
		{trace.Event{Kind: trace.FlushPage, VA: 0x5000}, 0x6000, 0x7000, false},
		{trace.Event{Kind: trace.FlushPage, VA: 0x5000}, 0x4fff, 0x5000, false},
		{trace.Event{Kind: trace.FlushPage, VA: 0x5000}, 0, 0, true},
		{trace.Event{Kind: trace.Map, VA: 0x4000, Aux: 0x2000}, 0x5800, 0x5801, true},
		{trace.Event{Kind: trace.Unmap, VA: 0x4000, Aux: 0x2000}, 0x6000, 0x6001, false},
		{trace.Event{Kind: trace.Protect, VA: 0x4000, Aux: 0x2000}, 0x3000, 0x4000, false},
		{trace.Event{Kind: trace.TableMake, VA: 0x200000, Aux: 1}, 0x3ff000, 0x3ff001, true},
		{trace.Event{Kind: trace.TableFree, VA: 0x200000, Aux: 1}, 0x400000, 0x400001, false},
		{trace.Event{Kind: trace.TableFree, VA: 0, Aux: 4}, 0x7fff_ffff_f000, 0x7fff_ffff_f001, true},
		{trace.Event{Kind: trace.Syscall, VA: 9}, 0x5000, 0x5001, true},
		{trace.Event{Kind: trace.Lost, Aux: 9}, 0x5000, 0x5001, true},
	} {
		got := chosen([]trace.Event{c.ev}, Selection{Classes: trace.ClassAll, Start: c.start, End: c.end})
		if (len(got) == 1) != c.want {
			t.Errorf("%+v for %#x to %#x: comes %t", c.ev, c.start, c.end, !c.want)
		}
	}
}

// TestFilterPassesErrors: the error that ends the events, and who stops early.
func TestFilterPassesErrors(t *testing.T) {
	broken := errors.New("broken")
	n := 0
	for _, err := range Filter(func(yield func(trace.Event, error) bool) {
		_ = yield(trace.Event{Kind: trace.Fork}, nil) && yield(trace.Event{}, broken)
	}, Selection{Classes: trace.ClassAll}) {
		if n++; (n == 2) != (err == broken) {
			t.Errorf("event %d: %v", n, err)
		}
	}
	for range Filter(func(yield func(trace.Event, error) bool) {
		if yield(trace.Event{Kind: trace.Fork}, nil) {
			t.Error("it goes on")
		}
	}, Selection{Classes: trace.ClassAll}) {
		break
	}
	if n != 2 {
		t.Errorf("%d events", n)
	}
}

func TestWriteJSON(t *testing.T) {
	want, err := os.ReadFile(filepath.Join("testdata", "demo.json"))
	if err != nil {
		t.Fatal(err)
	}
	r, err := Open(bytes.NewReader(want))
	if err != nil {
		t.Fatal(err)
	}
	var got bytes.Buffer
	if err := WriteJSON(&got, r.All(), ""); err != nil || !bytes.Equal(got.Bytes(), want) {
		t.Errorf("%v\n%s", err, &got)
	}
	r, err = Open(bytes.NewReader(want[:len(want)-5]))
	if err != nil {
		t.Fatal(err)
	}
	var cutOff *TruncatedError
	if err := WriteJSON(&got, r.All(), ""); !errors.As(err, &cutOff) {
		t.Error(err)
	}
}

func TestNames(t *testing.T) {
	n := Names{}
	for r := range Records(func(yield func(trace.Event, error) bool) {
		for _, ev := range demo(t) {
			if !yield(ev, nil) {
				return
			}
		}
	}) {
		n.Follow(r)
	}
	if n[1] != "init" || n[2] != "init" || n[3] != "init" || n[4] != "" {
		t.Errorf("%q", n)
	}
}
