// Idling, and how an interrupt becomes a runnable goroutine.
//
// Interrupts are the network poller of a machine without an operating system.
// Each has a line; a goroutine parks on it in goos.WaitInterrupt, and the
// scheduler looks at goos.Pending whenever a goroutine parks or yields and
// whenever there is nothing to run. All of it happens on the one thread, and interrupt
// handlers set bits of Pending only while goos.Idle has interrupts on: no lock is
// needed.

package runtime

import (
	"internal/runtime/atomic"
	"runtime/goos"
	_ "unsafe" // for go:linkname
)

// lineWaiter holds the goroutine parked on each line. A guintptr is no reference
// for the collector; allgs keeps every goroutine.
var lineWaiter [goos.Lines]guintptr

//go:linkname waitInterrupt runtime/goos.WaitInterrupt
func waitInterrupt(line uint) {
	bit := uint32(1) << line
	for goos.Pending&bit == 0 {
		if lineWaiter[line] != 0 {
			throw("two goroutines wait for one interrupt line")
		}
		// WHY before parking: nothing can set the bit, and so ready us, between
		// the test and the scheduler's next look.
		lineWaiter[line].set(getg())
		gopark(nil, nil, waitReasonIOWait, traceBlockNet, 1)
	}
	atomic.And(&goos.Pending, ^bit)
}

//go:linkname readyInterrupt runtime/goos.Ready
func readyInterrupt(line uint) {
	atomic.Or(&goos.Pending, 1<<line)
	wakeWaiters()
}

// wakeWaiters makes runnable every goroutine whose line is pending.
func wakeWaiters() (woken bool) {
	for line := range lineWaiter {
		gp := lineWaiter[line].ptr()
		if gp != nil && goos.Pending&(1<<line) != 0 {
			lineWaiter[line] = 0
			goready(gp, 1)
			woken = true
		}
	}
	return woken
}

// checkTimeouts is called when a goroutine parks or yields.
func checkTimeouts() {
	if goos.Pending != 0 {
		wakeWaiters()
	}
}

// beforeIdle is called by the scheduler when it has found nothing to run; with
// otherReady it looks again. pollUntil is when the next timer is due, 0 for never.
//
//	timer   waiters   what happens
//	-       none      otherReady false: the runtime reports a deadlock
//	-       some      goos.Idle without a limit
//	due     any       look again
//	later   any       goos.Idle until then
func beforeIdle(now, pollUntil int64) (gp *g, otherReady bool) {
	if wakeWaiters() {
		return nil, true
	}
	if pollUntil == 0 {
		if lineWaiter == [goos.Lines]guintptr{} {
			return nil, false
		}
		pollUntil = maxWhen
	}
	if goos.Idle != nil && nanotime() < pollUntil {
		goos.Idle(pollUntil)
	}
	wakeWaiters()
	return nil, true
}
