package view

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"yolk/kernel/trace"
	"yolk/tools/internal/tracefile"
)

// serve starts a server that keeps n events.
func serve(t *testing.T, n int) *Server {
	t.Helper()
	s, err := listen(DefaultAddr, "a title", n)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// get fetches something of the server's.
func get(t *testing.T, s *Server, path string) *http.Response {
	t.Helper()
	r, err := http.Get(s.URL() + path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Body.Close() })
	return r
}

// put sends the events numbered [from, to).
func put(s *Server, from, to uint64) {
	for n := from; n < to; n++ {
		s.Event(&trace.Event{Seq: n, Kind: trace.Fault, PID: 7})
	}
}

// take reads one event.
func take(t *testing.T, r io.Reader) trace.Event {
	t.Helper()
	var b [tracefile.RecordSize]byte
	if _, err := io.ReadFull(r, b[:]); err != nil {
		t.Fatal(err)
	}
	return trace.Event{Kind: trace.Kind(b[1]), Seq: binary.LittleEndian.Uint64(b[8:]), Aux: binary.LittleEndian.Uint64(b[56:])}
}

// wantEvents reads the events numbered [from, to).
func wantEvents(t *testing.T, r io.Reader, from, to uint64) {
	t.Helper()
	for n := from; n < to; n++ {
		if ev := take(t, r); ev.Kind != trace.Fault || ev.Seq != n {
			t.Fatalf("%v %d, want event %d", ev.Kind, ev.Seq, n)
		}
	}
}

func TestPage(t *testing.T) {
	s := serve(t, 10)
	r := get(t, s, "")
	b, _ := io.ReadAll(r.Body)
	if r.StatusCode != 200 || !bytes.Contains(b, []byte(`"live":"events"`)) || !bytes.Contains(b, []byte("<title>a title</title>")) {
		t.Errorf("%s, %d bytes", r.Status, len(b))
	}
	if r := get(t, s, "etc/passwd"); r.StatusCode != 404 {
		t.Errorf("a stranger's path: %s", r.Status)
	}
}

// TestFollow: what was there before comes first, then each event as it happens,
// and the end ends the stream.
func TestFollow(t *testing.T) {
	s := serve(t, 1000)
	put(s, 0, 5)
	body := get(t, s, "events").Body
	wantEvents(t, body, 0, 5)
	put(s, 5, 6)
	wantEvents(t, body, 5, 6)
	put(s, 6, 9)
	s.End()
	wantEvents(t, body, 6, 9)
	if n, err := body.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		t.Errorf("%d, %v after the end", n, err)
	}
	late := get(t, s, "events").Body
	wantEvents(t, late, 0, 9)
}

// TestSlowBrowser: a connection that takes nothing stops nobody, and is told how
// much it has missed.
func TestSlowBrowser(t *testing.T) {
	const keeps, all = 100, 400_000 // far more than the connection holds by itself
	s := serve(t, keeps)
	body := get(t, s, "events").Body
	put(s, 0, all) // returns, though nobody reads
	s.End()
	next, lost := uint64(0), uint64(0)
	for next < all {
		switch ev := take(t, body); ev.Kind {
		case trace.Lost:
			if ev.Seq != next {
				t.Fatalf("events are missing from %d on, told is %d", next, ev.Seq)
			}
			next += ev.Aux
			lost += ev.Aux
		default:
			if ev.Seq != next {
				t.Fatalf("event %d, want %d", ev.Seq, next)
			}
			next++
		}
	}
	if lost == 0 {
		t.Error("the connection held everything: this proves nothing")
	}
}

// reading is a reader that sleeps in the ring, in a synctest bubble, and the
// channel on which it says how many events it got.
func reading(ctx context.Context, r *ring) <-chan int {
	got := make(chan int, 1)
	go func() {
		b, _ := r.read(ctx, 0, make([]byte, 0, tracefile.RecordSize))
		got <- len(b) / tracefile.RecordSize
	}()
	synctest.Wait()
	return got
}

// TestReaderSleeps: what ends the sleep of a reader.  In a bubble, a sleep that
// nothing ends is a deadlock, and a failure at once.
func TestReaderSleeps(t *testing.T) {
	for _, c := range []struct {
		name string
		wake func(r *ring, cancel func())
		want int
	}{
		{"an event", func(r *ring, _ func()) { r.put(&trace.Event{Kind: trace.Fault}) }, 1},
		{"the end", func(r *ring, _ func()) { r.end() }, 0},
		{"a browser that goes away", func(_ *ring, cancel func()) { cancel() }, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				r := newRing(10)
				got := reading(ctx, r)
				if len(got) != 0 {
					t.Fatal("it did not sleep")
				}
				c.wake(r, cancel)
				if n := <-got; n != c.want {
					t.Errorf("%d events, want %d", n, c.want)
				}
			})
		})
	}
}

// TestPutNeverSleeps: though nobody reads.
func TestPutNeverSleeps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRing(10)
		for n := range uint64(100_000) {
			r.put(&trace.Event{Seq: n})
		}
	})
}

func TestPortInUse(t *testing.T) {
	s := serve(t, 10)
	_, err := Listen(strings.Trim(strings.TrimPrefix(s.URL(), "http://"), "/"), "t")
	if err == nil || !strings.Contains(err.Error(), "-view-addr") {
		t.Errorf("%v", err)
	}
}

// TestForeignNames: a page from elsewhere whose name leads here gets nothing.
func TestForeignNames(t *testing.T) {
	s := serve(t, 10)
	for host, want := range map[string]int{"evil.example:80": 403, "evil.example": 403, "localhost:1234": 200, "127.0.0.1": 200, "[::1]:80": 200, "[::1]": 200} {
		r, err := http.NewRequest("GET", s.URL(), nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Host = host
		got, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		got.Body.Close()
		if got.StatusCode != want {
			t.Errorf("%s: %s, want %d", host, got.Status, want)
		}
	}
}
