package tracetext

import (
	"bytes"
	"errors"
	"flag"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"yolk/kernel/trace"
	"yolk/tools/internal/tracefile"
)

var update = flag.Bool("update", false, "write testdata/demo.txt anew")

// demo is a trace with an event of every kind.
func demo(t *testing.T) iter.Seq2[trace.Event, error] {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "tracefile", "testdata", "demo.json"))
	if err != nil {
		t.Fatal(err)
	}
	r, err := tracefile.Open(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	return r.All()
}

func TestDemo(t *testing.T) {
	var got bytes.Buffer
	if err := Write(&got, demo(t), ""); err != nil {
		t.Fatal(err)
	}
	golden := filepath.Join("testdata", "demo.txt")
	if *update {
		if err := os.WriteFile(golden, got.Bytes(), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	gotLines, wantLines := strings.Split(got.String(), "\n"), strings.Split(string(want), "\n")
	for i := range max(len(gotLines), len(wantLines)) {
		if i >= len(gotLines) || i >= len(wantLines) || gotLines[i] != wantLines[i] {
			t.Fatalf("line %d:\n%q, want\n%q", i+1, gotLines[min(i, len(gotLines)-1)], wantLines[min(i, len(wantLines)-1)])
		}
	}
}

// TestDemoIsWhole: the demo has an event of every kind.
func TestDemoIsWhole(t *testing.T) {
	seen := map[trace.Kind]bool{}
	for ev, err := range demo(t) {
		if err != nil {
			t.Fatal(err)
		}
		seen[ev.Kind] = true
	}
	for k := trace.None + 1; (&trace.Event{Kind: k}).Valid(); k++ {
		if !seen[k] {
			t.Errorf("no %v", k)
		}
	}
}

// TestErrors: what came before an error is written, and the error comes back.
func TestErrors(t *testing.T) {
	broken := errors.New("broken")
	var got bytes.Buffer
	err := Write(&got, func(yield func(trace.Event, error) bool) {
		if yield(trace.Event{Kind: trace.Syscall, VA: 39, PID: 1}, nil) {
			yield(trace.Event{}, broken)
		}
	}, "")
	if err != broken || !strings.HasSuffix(got.String(), "getpid( <unfinished ...>\n") {
		t.Errorf("%v, %q", err, &got)
	}
	if err := Write(failing{broken}, demo(t), ""); err != broken {
		t.Error(err)
	}
}

type failing struct{ error }

func (f failing) Write([]byte) (int, error) { return 0, f.error }

func TestEntry(t *testing.T) {
	for e, want := range map[uint64]string{
		0: "-", 0x1000: "0x1 -------", 0x1ffff067: "0x1ffff PWU-AD-", 1<<63 | 0x8cfc225: "0x8cfc P-UNA-C", 1<<62 | 1: "0x0 P------",
	} {
		if got := Entry(e); got != want {
			t.Errorf("%#x: %s, want %s", e, got, want)
		}
	}
}

func TestRegion(t *testing.T) {
	for what, want := range map[uint32]string{
		0: "--- private", trace.MapRead | trace.MapExec | trace.MapFile: "r-x private file", trace.MapRead | trace.MapWrite | trace.MapShared: "rw- shared",
		trace.MapRead | trace.MapWrite | trace.MapHeap: "rw- private heap", trace.MapRead | trace.MapGrowsDown: "r-- private stack",
	} {
		if got := Region(what); got != want {
			t.Errorf("%#x: %s, want %s", what, got, want)
		}
	}
}

// TestTail: what is kept is the end of the text of the whole, names included.
func TestTail(t *testing.T) {
	var whole bytes.Buffer
	if err := Write(&whole, demo(t), ""); err != nil {
		t.Fatal(err)
	}
	lines := strings.Count(whole.String(), "\n")
	for _, n := range []int{1, 2, 3, 10, 1000} {
		tail := NewTail(n)
		for ev := range demo(t) {
			tail.Event(&ev)
		}
		got := tail.String()
		if kept := strings.Count(got, "\n"); !strings.HasSuffix(whole.String(), got) || kept > n || kept == 0 || n == 1000 && kept != lines {
			t.Errorf("%d of %d lines, asked for %d:\n%s", kept, lines, n, got)
		}
	}
}
