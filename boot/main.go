//go:build yolk

// Command boot is the kernel's image: it brings the machine up, gives the
// kernel proper its hardware, and starts the first process.
//
// The order of events:
//
//  1. cpuinit (entry.s) and early: processor features, the loader's hand-over,
//     clock, heap;
//  2. the Go runtime starts, TamaGo's contract in runtime/goos below it;
//  3. main: protection bits, the kernel's own page tables, trap gates,
//     interrupts, memory, files, and at last process 1.
package main

import (
	"fmt"
	"runtime/goos"
	_ "unsafe" // go:linkname

	"yolk/arch/amd64"
	"yolk/boot/params"
	"yolk/kernel"
	"yolk/kernel/calls"
	"yolk/kernel/trace"
	"yolk/mm"
)

// hwinit1 runs once the Go runtime is initialised, before any goroutine.
//
//go:linkname hwinit1 runtime/goos.Hwinit1
func hwinit1() {
	goos.Exit = exit
}

func main() {
	limitHeap()
	pool := protectMachine()
	p := params.Parse(string(loaded.command[:loaded.length]))
	for _, c := range p.Complaints {
		logString("yolk: command line: " + c + "\n")
	}
	startInterrupts(p.Tick)
	crash(p.Crash, nil)

	hw := newMachine()
	log := newTrace(p.Trace)
	memory := newMemory(pool.Addr, amd64.Root(), log, p.FaultAround)
	budget := mm.NewBudget(nil, int64(arenas.Size)*5/8)
	budget.Back(new(goHeap))
	k := kernel.New(kernel.Config{
		Machine: hw, Memory: memory, Log: log, Budget: budget,
		EagerFork: p.EagerFork, Calls: calls.All(), Debug: &kernel.DebugRoot,
	})
	events = log
	sys, err := newSystem(k, hw, &p)
	if err == nil {
		err = sys.start()
	}
	if err != nil {
		refuse(fmt.Sprintf("yolk: cannot start the first process: %v\n", err))
	}
	k.Run()
}

// protectMachine leaves the boot stub's world: protection bits, page tables and
// trap gates of our own.  It returns the memory behind the page tables.
func protectMachine() memoryRange {
	amd64.Protect(amd64.Detect())
	t := newAddressSpace(memoryRange{Addr: heap.Addr + heap.Size, Size: 4 * mebibyte})
	amd64.OnKernelFault = reportKernelFault
	amd64.OnDoubleFault = lastWords
	amd64.WriteCR3(t.root)
	var tops [amd64.Stacks]uint64
	for i := range tops {
		tops[i] = stackTop(i)
	}
	amd64.Install(tops)
	return t.pool
}

// ringClasses are kept in the ring even when nothing is streamed, for the panic
// report: they are rare enough to cost nothing that could be measured.
const ringClasses = trace.ClassProcess | trace.ClassSignal

// newTrace returns the kernel's event log, which streams the classes wanted to
// the trace port.
func newTrace(classes trace.Class) *trace.Log {
	log := new(trace.Log)
	if classes == 0 {
		log.Attach(ringClasses, nil, nanotime)
	} else {
		log.Attach(classes, new(tracePort), nanotime)
	}
	return log
}

// tracePort writes events to the debug console that the host listens to.
type tracePort struct {
	enc trace.Encoder
	buf [128]byte // more than the longest event
}

// Event implements trace.Sink.
func (t *tracePort) Event(ev *trace.Event) {
	b := t.enc.Append(t.buf[:0], ev)
	amd64.OutBytes(portTrace, &b[0], len(b))
}
