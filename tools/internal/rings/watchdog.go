package rings

import (
	"context"
	"time"
)

// stillness is how long a check may go without a sign of progress.
//
// WHY no limit on the whole: a slow machine would fail it, and a hanging one is
// known by its silence.
const stillness = 2 * time.Minute

// A watchdog ends a context when nothing has been written to it for as long as
// stillness.
type watchdog struct {
	stop  context.CancelFunc
	timer *time.Timer
}

// watch returns a context that ends when nothing is written to the watchdog any
// more, or when it is stopped.
func watch(ctx context.Context) (context.Context, *watchdog) {
	ctx, cancel := context.WithCancel(ctx)
	return ctx, &watchdog{cancel, time.AfterFunc(stillness, cancel)}
}

// Write implements io.Writer: whatever it is, there is progress.
func (d *watchdog) Write(b []byte) (int, error) {
	d.timer.Reset(stillness)
	return len(b), nil
}
