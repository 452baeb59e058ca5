package grade

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// quiet is how long a grading says nothing before it says what it is at.
const quiet = 15 * time.Second

// life tells people, when there has been no verdict for a while, what is under way:
// a first build takes a minute, and a test that hangs has its chance, too.
type life struct {
	w    io.Writer // nil: nobody is told
	done chan struct{}

	mu    sync.Mutex
	doing map[string]time.Time // what is under way, and since when
	last  time.Time            // when something was told
}

func newLife(w io.Writer) *life {
	l := &life{w: w, done: make(chan struct{}), doing: map[string]time.Time{}, last: time.Now()}
	if w != nil {
		go l.watch()
	}
	return l
}

func (l *life) stop() { close(l.done) }

func (l *life) watch() {
	t := time.NewTicker(time.Second)
	defer t.Stop()
	for {
		select {
		case <-l.done:
			return
		case <-t.C:
			l.tell()
		}
	}
}

// tell says what is under way, if it has been quiet for long.
func (l *life) tell() {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	if now.Sub(l.last) < quiet || len(l.doing) == 0 {
		return
	}
	l.last = now
	var all []string
	for _, what := range slices.Sorted(maps.Keys(l.doing)) {
		all = append(all, fmt.Sprintf("%s, for %d s", what, int(now.Sub(l.doing[what]).Seconds())))
	}
	fmt.Fprintln(l.w, "… "+strings.Join(all, "; "))
}

// sign notes that something was told.
func (l *life) sign() {
	l.mu.Lock()
	l.last = time.Now()
	l.mu.Unlock()
}

// begin notes that something is under way, until end is called.
func (l *life) begin(what string) (end func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.doing[what] = time.Now()
	return func() {
		l.mu.Lock()
		delete(l.doing, what)
		l.mu.Unlock()
	}
}
