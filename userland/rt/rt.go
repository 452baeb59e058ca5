//go:build yolk

// Package rt makes a Go program an ordinary static Linux process with one thread.
// It is imported for its effect:
//
//	import _ "yolk/userland/rt"
//
// It is the board package of package runtime/goos whose board is a system-call
// ABI. The program runs on Yolk and on Linux alike: arguments, environment, exit
// status, package os and everything above it are those of any Go program. What is
// missing follows from the one thread: a goroutine in a blocking system call blocks
// them all, os/signal cannot be used, and a nil dereference ends the process by
// SIGSEGV instead of a panic, since no signal handler is installed. In return raw
// fork(2) is safe, which an ordinary Go program can never do: there is no other
// thread that would be missing, holding a lock, in the child.
//
// WHY not TamaGo's user/linux, which has the same role: it writes a byte a system
// call, gives the program no arguments, ends it with exit(2), and takes its clock
// from CLOCK_REALTIME, which may jump back.
package rt

import _ "unsafe" // for go:linkname

// The heap is one mapping, made at the first instruction and never grown. It costs
// what is touched of it: pages are backed when they are first written.
//
// WHY at 4 GiB: the heap has to be in the low 32 GiB (tools/goroot), and there the
// program's image and its brk area, which is within 1 GiB of it, cannot collide
// with it.
const (
	heapStart = 4 << 30
	heapSize  = 512 << 20
)

//go:linkname hosted runtime/goos.Hosted
var hosted = true

//go:linkname ramStart runtime/goos.RamStart
var ramStart uint = heapStart

//go:linkname ramSize runtime/goos.RamSize
var ramSize uint = heapSize

//go:linkname bloc runtime/goos.Bloc
var bloc uintptr = heapStart

//go:linkname idle runtime/goos.Idle
var idle = sleepUntil

//go:linkname walltime runtime/goos.Walltime
var walltime = realtime

const (
	clockRealtime  = 0
	clockMonotonic = 1
)

//go:linkname nanotime runtime/goos.Nanotime
//go:nosplit
func nanotime() int64 {
	sec, nsec := clock(clockMonotonic)
	return sec*1e9 + nsec
}

func realtime() (int64, int32) {
	sec, nsec := clock(clockRealtime)
	return sec, int32(nsec)
}

// sleepUntil waits for the clock, or less: a signal ends it early.
func sleepUntil(until int64) {
	if d := until - nanotime(); d > 0 {
		sleep(d/1e9, d%1e9)
	}
}

//go:linkname getRandomData runtime/goos.GetRandomData
func getRandomData(b []byte) { getrandom(b) }

// What a machine without an operating system would need.

//go:linkname hwinit0 runtime/goos.Hwinit0
func hwinit0() {}

//go:linkname hwinit1 runtime/goos.Hwinit1
func hwinit1() {}

//go:linkname initRNG runtime/goos.InitRNG
func initRNG() {}

//go:linkname printk runtime/goos.Printk
func printk(c byte) {}

// clock is clock_gettime(2).
func clock(id uintptr) (sec, nsec int64)

// sleep is nanosleep(2).
func sleep(sec, nsec int64)

// getrandom is getrandom(2) without flags; it fills b up to 256 bytes.
//
//go:noescape
func getrandom(b []byte)
