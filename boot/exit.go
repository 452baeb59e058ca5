//go:build yolk

package main

import (
	"yolk/arch/amd64"
	"yolk/kernel"
	"yolk/kernel/trace"
)

// reportedEvents is how many of the last events a panic report shows.
const reportedEvents = 12

// events is the kernel's log, for the report of a panic; nil until there is one.
var events *trace.Log

// exit is where the Go runtime goes at its end: main returned, or it panicked,
// ran out of memory or found itself corrupt.  None of them is meant to happen.
// The runtime has said on the log which it was, with the trace of the
// goroutine; what is added here allocates nothing, since it may be the heap
// that is at its end.
func exit(code int32) {
	if events != nil {
		reportProcess(events.PID)
		reportEvents()
	}
	powerOff(exitPanic)
}

// reportProcess tells for which process the kernel ran, and the state in which
// its user mode was left.
func reportProcess(pid int32) {
	if pid == 0 {
		logString("\nno process: the kernel ran on its own behalf\n")
		return
	}
	for i := range kernel.DebugRoot.Processes {
		p := &kernel.DebugRoot.Processes[i]
		if p.PID != pid {
			continue
		}
		logDecimal("\nprocess ", int64(pid))
		logString(" (")
		for _, c := range p.Comm {
			if c != 0 {
				amd64.Out8(portLog, c)
			}
		}
		logDecimal("), child of ", int64(p.Parent))
		logHex(", page-table root ", uint64(p.Root)*pageSize)
		logString("\n")
		if p.Frame != nil {
			reportFrame(p.Frame)
		}
	}
}

// reportFrame shows the user registers that a trap saved.
func reportFrame(f *amd64.TrapFrame) {
	for _, r := range [...]struct {
		name string
		val  uint64
	}{
		{"user rip ", f.RIP}, {"  rsp ", f.RSP}, {"  rflags ", f.RFLAGS},
		{"\nrax ", f.RAX}, {"  rbx ", f.RBX}, {"  rcx ", f.RCX}, {"  rdx ", f.RDX},
		{"\nrsi ", f.RSI}, {"  rdi ", f.RDI}, {"  rbp ", f.RBP}, {"  fs  ", f.FSBase},
		{"\nr8  ", f.R8}, {"  r9  ", f.R9}, {"  r10 ", f.R10}, {"  r11 ", f.R11},
		{"\nr12 ", f.R12}, {"  r13 ", f.R13}, {"  r14 ", f.R14}, {"  r15 ", f.R15},
	} {
		logHex(r.name, r.val)
	}
	logDecimal("\nlast trap: vector ", int64(f.Vector))
	logHex("  error code ", f.Error)
	logHex("  cr2 ", f.CR2)
	logString("\n")
}

// reportEvents shows the last events, the latest first.
func reportEvents() {
	if events.Recent(0) == nil {
		return
	}
	logString("last events, the latest first:\n")
	for i := range reportedEvents {
		ev := events.Recent(i)
		if ev == nil {
			return
		}
		logDecimal("  ", int64(ev.Seq))
		logDecimal("  pid ", int64(ev.PID))
		logString("  ")
		logString(ev.Kind.String())
		if ev.Decision != trace.NoDecision {
			logString(" ")
			logString(ev.Decision.String())
		}
		logHex("  va ", ev.VA)
		logHex("  old ", ev.Old)
		logHex("  new ", ev.New)
		logDecimal("  aux ", int64(ev.Aux))
		logString("\n")
	}
}

// logDecimal writes name and a value in decimal; it needs no memory.
func logDecimal(name string, val int64) {
	logString(name)
	if val < 0 {
		logString("-")
		val = -val
	}
	div := int64(1)
	for val/div >= 10 {
		div *= 10
	}
	for ; div > 0; div /= 10 {
		amd64.Out8(portLog, byte('0'+val/div%10))
	}
}
