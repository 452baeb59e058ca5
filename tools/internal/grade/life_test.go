package grade

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestLife: what is under way is told when nothing else has been told for a while,
// again after the same while, and not when nothing is under way.
func TestLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b strings.Builder
		l := newLife(&b)
		defer l.stop()
		after := func(d time.Duration, want string) {
			t.Helper()
			time.Sleep(d)
			synctest.Wait()
			l.mu.Lock() // under which it writes
			defer l.mu.Unlock()
			if got := b.String(); got != want {
				t.Errorf("at %v: %q, want %q", d, got, want)
			}
			b.Reset()
		}
		after(quiet+2*time.Second, "")
		long := l.begin("long")
		after(time.Second, "… long, for 1 s\n")
		short := l.begin("short")
		after(quiet-2*time.Second, "")
		after(2*time.Second, "… long, for 16 s; short, for 15 s\n")
		short()
		after(10*time.Second, "")
		l.sign()
		after(quiet-time.Second, "")
		after(time.Second, "… long, for 41 s\n")
		long()
		after(time.Minute, "")
	})
}

// TestNobodyIsTold: without a writer there is nothing to stop.
func TestNobodyIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLife(nil)
		l.begin("it")
		time.Sleep(time.Hour)
		l.stop()
	})
}
