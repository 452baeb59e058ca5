//go:build yolk

package main

import (
	"runtime/debug"

	_ "yolk/userland/rt" // one thread, so that fork is safe
)

// tune has the heap collected when it has grown by a fifth of what Go thinks
// small: a shell is to fit into a machine of 64 MiB many times over.
func tune() { debug.SetGCPercent(20) }
