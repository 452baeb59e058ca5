//go:build yolk

package main

import (
	"yolk/arch/amd64"
	"yolk/kernel"
	"yolk/kernel/trace"
	"yolk/mm"
)

// reportedEvents is how many of the last events a panic report shows.
const reportedEvents = 12

// events is the kernel's log, for the report of a panic; nil until there is one.
var events *trace.Log

// exit is where the Go runtime goes at its end: main returned, or it panicked,
// ran out of memory or found itself corrupt.  None of them is meant to happen.
// The runtime has said on the log which it was, with the trace of the
// goroutine; what is added here allocates nothing, since it may be the heap
// that is at its end: it uses print, the language's own, which needs no memory
// and shows pointers in hexadecimal.
func exit(code int32) {
	if events != nil {
		reportProcess(int(events.PID))
		reportEvents("last events, the latest first:\n", 0)
	}
	powerOff(exitPanic)
}

// reportProcess tells for which process the kernel ran: the state in which its
// user mode was left, what is mapped around there, and the last that it did.
func reportProcess(pid int) {
	p := kernel.DebugRoot.Kernel.Process(pid)
	if p == nil {
		print("\nno process: the kernel ran on its own behalf\n")
		return
	}
	print("\nprocess ", pid, " (", p.Comm(), "), child of ", p.Parent(), "\n")
	f := p.Frame()
	reportFrame(f)
	if space := p.Space(); space != nil {
		print("page-table root ", virtual(uint64(space.Root().Addr())), "\n")
		reportRegions(space, "rip ", f.RIP)
		if f.Vector == amd64.PageFault {
			reportRegions(space, "cr2 ", f.CR2)
		}
	}
	reportEvents("its last events, the latest first:\n", int32(pid))
}

// reportRegions shows the region that an address of the user's lies in, marked,
// and the ones below and above.
func reportRegions(space *mm.AddressSpace, name string, va uint64) {
	below, at, above := space.Around(mm.VirtAddr(va))
	print("regions around ", name, virtual(va), "\n")
	for _, r := range [...]*mm.Region{below, at, above} {
		mark := "  "
		switch r {
		case nil:
			continue
		case at:
			mark = "> "
		}
		print(mark, virtual(uint64(r.Start)), "-", virtual(uint64(r.End)), " ", r.Prot.String(), " ", r.Name, "\n")
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
	print("\nlast trap: vector ", f.Vector, "  error code ", virtual(f.Error), "  cr2 ", virtual(f.CR2), "\n")
}

// reportEvents shows the last events of a process, or of all where pid is 0, but
// not those that only carry the strings of others.
func reportEvents(title string, pid int32) {
	for i, shown := 0, 0; shown < reportedEvents; i++ {
		ev := events.Recent(i)
		if ev == nil {
			return
		}
		if pid != 0 && ev.PID != pid || ev.Kind == trace.Text || ev.Kind == trace.Name || ev.Kind == trace.Args {
			continue
		}
		if shown++; shown == 1 {
			print(title)
		}
		print("  ", ev.Seq, "  pid ", ev.PID, "  ", ev.Kind.String())
		if ev.Decision != trace.NoDecision {
			print(" ", ev.Decision.String())
		}
		print("  va ", virtual(ev.VA), "  old ", virtual(ev.Old), "  new ", virtual(ev.New), "  aux ", ev.Aux, "\n")
	}
}
