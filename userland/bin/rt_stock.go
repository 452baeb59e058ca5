//go:build !yolk

package main

import (
	"runtime"
	"runtime/debug"
)

// tune makes the stock runtime, on which the box is for looking at and testing
// only, behave as if it had one thread: with one processor and no garbage
// collection it needs none, in a forked child, that the child does not have.
func tune() {
	runtime.GOMAXPROCS(1)
	debug.SetGCPercent(-1)
}
