package perfetto

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"yolk/kernel/trace"
	"yolk/tools/internal/tracefile"
)

var update = flag.Bool("update", false, "write testdata/demo.json anew")

// load reads a trace.
func load(t *testing.T, path string) iter.Seq2[trace.Event, error] {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	r, err := tracefile.Open(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	return r.All()
}

var demo = filepath.Join("..", "tracefile", "testdata", "demo.json")

func TestDemo(t *testing.T) {
	var got bytes.Buffer
	if err := Write(&got, load(t, demo), "demo \"trace\"\xff"); err != nil {
		t.Fatal(err)
	}
	if err := validate(got.Bytes()); err != nil {
		t.Error(err)
	}
	golden := filepath.Join("testdata", "demo.json")
	if *update {
		if err := os.WriteFile(golden, got.Bytes(), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes(), want) {
		t.Errorf("%s is not what is written:\n%s", golden, &got)
	}
}

// TestCutAnywhere: a trace that ends amid anything is valid all the same.
func TestCutAnywhere(t *testing.T) {
	var all []trace.Event
	for ev, err := range load(t, demo) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, ev)
	}
	broken := errors.New("broken")
	for n := range all {
		var got bytes.Buffer
		err := Write(&got, func(yield func(trace.Event, error) bool) {
			for _, ev := range all[:n] {
				if !yield(ev, nil) {
					return
				}
			}
			yield(trace.Event{}, broken)
		}, "")
		if err != broken {
			t.Fatal(err)
		}
		if err := validate(got.Bytes()); err != nil {
			t.Fatalf("%d events: %v", n, err)
		}
	}
}

// TestFrames: the fault's arguments, and the arrow from the fork to the fault
// that splits a page which it shared.
func TestFrames(t *testing.T) {
	var b bytes.Buffer
	if err := Write(&b, load(t, demo), ""); err != nil {
		t.Fatal(err)
	}
	var doc document
	if err := json.Unmarshal(b.Bytes(), &doc); err != nil {
		t.Fatal(err)
	}
	from, to := "", ""
	faults := 0
	for _, ev := range doc.TraceEvents {
		switch {
		case ev.Name == "page fault" && ev.Args["decision"] == "cow-copy":
			faults++
			want := map[string]any{"va": "0x7fffffffe010", "err": 7.0, "kind": "write to", "decision": "cow-copy", "old_pfn": 30.0, "new_pfn": 31.0, "refs": 2.0}
			if fmt.Sprint(ev.Args) != fmt.Sprint(want) || *ev.PID != 2 {
				t.Errorf("%v", ev)
			}
		case ev.Ph == "s" && ev.Cat == "share":
			from = fmt.Sprint(*ev.PID, " ", ev.ID)
		case ev.Ph == "t" && to == "":
			to = fmt.Sprint(*ev.PID, " ", ev.ID)
		}
	}
	if faults != 1 || from != "1 0x2" || to != "2 0x2" {
		t.Errorf("%d faults, shared by %q, split by %q", faults, from, to)
	}
}

// A document is what is written, as a reader sees it.
type document struct {
	DisplayTimeUnit string
	TraceEvents     []seen
}

type seen struct {
	Name, Cat, Ph, ID, BP, S string
	Ts, Dur                  *float64
	PID, TID                 *int
	Args                     map[string]any
}

// validate holds a document against the format: which members an event of each
// phase has, times that never go back, slices that nest in each thread, and
// asynchronous slices and flows whose ends belong together.
func validate(b []byte) error {
	dec := json.NewDecoder(bytes.NewReader(b))
	var doc document
	if err := dec.Decode(&doc); err != nil {
		return err
	}
	v := validator{open: map[int][]string{}, until: map[int][]float64{}, async: map[string]bool{}, flows: map[string]string{}}
	for i, ev := range doc.TraceEvents {
		if err := v.event(&ev); err != nil {
			return fmt.Errorf("event %d, %+v: %w", i, ev, err)
		}
	}
	for tid, list := range v.open {
		if len(list) > 0 {
			return fmt.Errorf("thread %d: slices are still open: %q", tid, list)
		}
	}
	for id, open := range v.async {
		if open {
			return fmt.Errorf("asynchronous slice %s is still open", id)
		}
	}
	for id, last := range v.flows {
		if last != "f" {
			return fmt.Errorf("flow %s does not end", id)
		}
	}
	return nil
}

type validator struct {
	now   float64
	open  map[int][]string  // B slices by thread
	until map[int][]float64 // ends of X slices by thread
	async map[string]bool   // by category and id: open
	flows map[string]string // the last phase, by category and id
}

var metadata = []string{"process_name", "thread_name", "process_sort_index"}

func (v *validator) event(ev *seen) error {
	fail := func(format string, args ...any) error { return fmt.Errorf(format, args...) }
	if ev.Ts == nil || ev.PID == nil || ev.TID == nil || *ev.Ts < v.now {
		return fail("no time, process or thread, or a time that goes back")
	}
	v.now = *ev.Ts
	tid, key := *ev.TID, ev.Cat+" "+ev.ID
	if ev.Ph != "E" && ev.Name == "" || ev.Ph != "M" && ev.Ph != "C" && ev.Ph != "E" && ev.Cat == "" {
		return fail("no name or category")
	}
	if strings.Contains("stfbe", ev.Ph) != (ev.ID != "") || (ev.Ph == "X") != (ev.Dur != nil) || (ev.Ph == "i") != (ev.S == "t") || (ev.Ph == "f") != (ev.BP == "e") {
		return fail("a member is missing, or too many")
	}
	switch ev.Ph {
	case "B":
		v.open[tid] = append(v.open[tid], ev.Name)
	case "E":
		n := len(v.open[tid])
		if n == 0 {
			return fail("nothing is open")
		}
		v.open[tid] = v.open[tid][:n-1]
		if v.inX(tid) {
			return fail("ends within an X")
		}
	case "X":
		if v.inX(tid) || *ev.Dur <= 0 {
			return fail("X slices overlap, or are empty")
		}
		v.until[tid] = append(v.until[tid], *ev.Ts+*ev.Dur)
	case "i":
	case "C":
		if n, ok := ev.Args["n"].(float64); !ok || n < 0 {
			return fail("a counter without a number")
		}
	case "M":
		if !slices.Contains(metadata, ev.Name) || len(ev.Args) != 1 {
			return fail("unknown metadata")
		}
	case "b", "e":
		if v.async[key] == (ev.Ph == "b") {
			return fail("begins twice, or ends before it begins")
		}
		v.async[key] = ev.Ph == "b"
	case "s", "t", "f":
		if last := v.flows[key]; (last == "") != (ev.Ph == "s") || last == "f" {
			return fail("a flow's %s after %q", ev.Ph, last)
		}
		if !v.inX(tid) {
			return fail("a flow needs a slice to be bound to")
		}
		v.flows[key] = ev.Ph
	default:
		return fail("unknown phase")
	}
	return nil
}

// inX reports whether an X slice of the thread is open.
func (v *validator) inX(tid int) bool {
	return slices.ContainsFunc(v.until[tid], func(end float64) bool { return v.now < end })
}

// TestValidatorRefuses: the validator is not one that accepts everything.
func TestValidatorRefuses(t *testing.T) {
	b, x := `{"name":"a","cat":"c","ph":"B","ts":1,"pid":1,"tid":1}`, `{"name":"a","cat":"c","ph":"X","ts":1,"dur":2,"pid":1,"tid":1}`
	e := `{"ph":"E","ts":2,"pid":1,"tid":1}`
	at := func(ph, rest string) string {
		return `{"name":"a","cat":"c","ph":"` + ph + `","ts":1.5,"pid":1,"tid":1` + rest + `}`
	}
	id := `,"id":"0x1"`
	for name, events := range map[string][]string{
		"open slice": {b}, "end of nothing": {e}, "time goes back": {b, strings.Replace(e, "2", "0.5", 1)}, "no duration": {at("X", "")},
		"no process": {strings.Replace(x, `"pid":1,`, "", 1)}, "overlap": {x, strings.Replace(x, `"ts":1`, `"ts":2`, 1)},
		"flow without a slice": {at("s", id)}, "flow that does not begin": {x, at("f", id+`,"bp":"e"`)}, "flow that does not end": {x, at("s", id)},
		"sleep that does not end": {at("b", id)}, "sleep that does not begin": {at("e", id)}, "counter of words": {at("C", `,"args":{"n":"x"}`)},
		"phase": {at("Z", "")}, "metadata": {at("M", `,"args":{"name":"x"}`)}, "instant without scope": {at("i", "")}, "no id": {x, at("s", "")},
	} {
		if validate([]byte(`{"traceEvents":[`+strings.Join(events, ",")+`]}`)) == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	for name, events := range map[string][]string{
		"slices": {b, at("i", `,"s":"t"`), e}, "flow": {x, at("s", id), at("t", id), at("f", id+`,"bp":"e"`)}, "sleep": {at("b", id), at("e", id)},
		"counter": {at("C", `,"args":{"n":1}`)}, "nothing": nil,
	} {
		if err := validate([]byte(`{"traceEvents":[` + strings.Join(events, ",") + `]}`)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if validate([]byte(`{"traceEvents":[`)) == nil {
		t.Error("no JSON: accepted")
	}
}
