//go:build yolk

package main

import (
	"math/bits"
	"runtime/goos"

	"yolk/arch/amd64"
)

// Interrupt lines of goos.WaitInterrupt: what a goroutine can wait for.
const (
	lineConsole = iota // COM1 has received
	lineChannel        // COM2 has received
)

// Vectors of the devices' interrupts.
const (
	vectorConsole = 33
	vectorChannel = 34
)

// The heartbeat, in nanoseconds of guest time (qemu/PROTOCOL.md).
const (
	beatInterval = 100_000_000
	idleLimit    = 200_000_000
)

var interrupts struct {
	apic     *amd64.APIC
	rate     uint64 // timer ticks per second
	period   uint32 // timer ticks between two interrupts of user mode
	periodic bool   // the timer runs with that period
	lastBeat int64
}

// startInterrupts measures the APIC timer against the clock, routes the
// devices' lines and takes over the scheduler's idle time.
func startInterrupts(tickMicroseconds int) {
	apic := amd64.NewAPIC(directMap)
	apic.Countdown()
	begin := nanotime()
	for nanotime()-begin < 1_000_000 {
	}
	ticks, took := uint64(apic.Elapsed()), uint64(nanotime()-begin)
	interrupts.apic = apic
	interrupts.rate = max(ticks*1_000_000_000/took, 1_000_000)
	interrupts.period = uint32(interrupts.rate * uint64(tickMicroseconds) / 1_000_000)
	apic.Stop()

	io := amd64.NewIOAPIC(directMap)
	io.Route(4, vectorConsole)
	io.Route(3, vectorChannel)
	goos.Idle = idle
}

// idle is the scheduler's way to wait for time until, or for an interrupt that
// some goroutine waits for.  It runs on g0 and allocates nothing.
func idle(until int64) {
	interrupts.periodic = false
	for goos.Pending == 0 {
		now := nanotime()
		if now >= until {
			return
		}
		wait := uint64(min(until-now, idleLimit))
		interrupts.apic.Once(uint32(wait*interrupts.rate/1_000_000_000) + 1)
		amd64.WaitInterrupt()
		handleInterrupts()
	}
}

// wantTicks makes the timer periodic again after an idle spell.  User mode is
// interrupted at each tick; kernel mode never is.
func wantTicks() {
	if !interrupts.periodic {
		interrupts.periodic = true
		interrupts.apic.Periodic(interrupts.period)
	}
}

// handleInterrupts acknowledges the interrupts that were taken and marks their
// lines; the scheduler then makes the goroutines that wait for them runnable.
func handleInterrupts() {
	for word, set := range amd64.TakeInterrupts() {
		for ; set != 0; set &= set - 1 {
			acknowledge(word<<6 | bits.TrailingZeros64(set))
		}
	}
	beat()
}

func acknowledge(vector int) {
	switch vector {
	case amd64.SpuriousVector:
		return // the one interrupt that wants no EOI (SDM 3A §11.9)
	case vectorConsole:
		goos.Pending |= 1 << lineConsole
	case vectorChannel:
		goos.Pending |= 1 << lineChannel
	}
	interrupts.apic.EOI()
}

// beat tells the host that the kernel is alive.
func beat() {
	now := nanotime()
	if now-interrupts.lastBeat < beatInterval {
		return
	}
	interrupts.lastBeat = now
	for range 3 { // a BEAT frame: type 0, length 0
		amd64.Out8(portChannel, 0)
	}
}
