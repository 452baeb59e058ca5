//go:build yolk

package main

import (
	"math/bits"
	_ "unsafe" // go:linkname

	"yolk/arch/amd64"
)

// The clock is the time-stamp counter, measured against the one timer whose
// frequency is known on every PC: the 8254, at 1,193,182 Hz.
//
// WHY so much care: the Go runtime trusts its clock.  One that runs too fast
// makes the garbage collector believe that it takes too much of the processor;
// it then stops asking for help and the heap overflows.

const (
	pitHz      = 1193182
	pitCounter = 0x40 // channel 0
	pitControl = 0x43
)

// clock turns TSC ticks into nanoseconds: (tsc-start) * mult >> 32.
var clock struct {
	start uint64
	mult  uint64 // nanoseconds per tick, 32 fractional bits; 0 before calibration
	hz    uint64
}

// nanotime is the runtime's clock: nanoseconds since boot.
//
//go:linkname nanotime runtime/goos.Nanotime
//go:nosplit
func nanotime() int64 {
	hi, lo := bits.Mul64(amd64.TSC()-clock.start, clock.mult)
	return int64(hi<<32|lo>>32) + 1 // never 0: the runtime takes 0 for "no time"
}

// calibrate measures the TSC.  A try is spoilt when the host takes the
// processor away in its midst, so it goes on until two tries agree to 1/256 or
// twenty have been made, and then takes the last.
//
//go:nosplit
func calibrate() {
	startPIT()
	previous := uint64(0)
	for range 20 {
		hz := measure()
		diff := hz - previous
		if hz < previous {
			diff = previous - hz
		}
		previous = hz
		if hz != 0 && diff < hz>>8 {
			break
		}
	}
	clock.hz = max(previous, 1_000_000)
	clock.start = amd64.TSC()
	clock.mult = (1_000_000_000 << 32) / clock.hz
}

// measure counts TSC ticks over about a millisecond of the PIT.  The interval
// is far below the 55 ms after which the counter has gone round.
//
//go:nosplit
func measure() uint64 {
	const interval = pitHz / 1000
	first, begin := pitAndTSC()
	for {
		now, end := pitAndTSC()
		if gone := first - now; gone >= interval { // it counts down, modulo 65,536
			return (end - begin) * pitHz / uint64(gone)
		}
	}
}

// startPIT sets channel 0 to count down from 65,536 for ever (mode 2).
//
//go:nosplit
func startPIT() {
	amd64.Out8(pitControl, 0x34)
	amd64.Out8(pitCounter, 0)
	amd64.Out8(pitCounter, 0)
}

// pitAndTSC reads both counters as close together as can be.
//
//go:nosplit
func pitAndTSC() (uint16, uint64) {
	amd64.Out8(pitControl, 0) // latch channel 0
	tsc := amd64.TSC()
	lo := amd64.In8(pitCounter)
	return uint16(lo) | uint16(amd64.In8(pitCounter))<<8, tsc
}
