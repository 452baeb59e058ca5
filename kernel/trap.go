package kernel

import (
	"cmp"
	"fmt"

	"yolk/arch/amd64"
	"yolk/kernel/abi"
	"yolk/kernel/signal"
	"yolk/kernel/trace"
	"yolk/mm"
)

// trap answers whatever ended user mode other than a system call.
//
//lab:gate 1 find out why user mode has ended, and who answers that
func (p *Process) trap() {
	switch v := p.frame.Vector; {
	case v == amd64.PageFault:
		p.pageFault()
	case v >= amd64.FirstInterrupt:
		p.interrupt()
	default:
		p.exception(v)
	}
}

// pageFault has mm bring the page, or turns its refusal into a signal:
//
//	decision      signal
//	SegvMapErr    SIGSEGV, SEGV_MAPERR
//	SegvAccErr    SIGSEGV, SEGV_ACCERR
//	BusAdrErr     SIGBUS, BUS_ADRERR
//	OutOfMemory   SIGKILL, and a line in the log, "out of memory at address …":
//	              the access can neither be done nor be explained
//	any other     none: the page is there now
//
// mm is not asked about a fault whose code lacks the U bit: SIGSEGV, SEGV_ACCERR.
//
// WHY a fault without the U bit is not mm's: the program made the processor
// access memory with the kernel's rights (SDM 3A §4.6.1, implicit supervisor-mode
// accesses), and SMAP forbids that whatever the entry says.  Found to be in
// order by mm, it would come back for ever.
//
//lab:demand 4 have mm answer the fault, and make a signal of what it refuses
func (p *Process) pageFault() {
	f := p.frame
	p.usage.MinorFaults++
	code := mm.FaultCode(f.Error)
	if code&mm.FaultUser == 0 {
		p.fault(abi.SIGSEGV, abi.SEGV_ACCERR, f.CR2)
		return
	}
	decision, err := p.space.Fault(mm.VirtAddr(f.CR2), code)
	if err == nil {
		return
	}
	switch decision {
	case trace.SegvMapErr:
		p.fault(abi.SIGSEGV, abi.SEGV_MAPERR, f.CR2)
	case trace.SegvAccErr:
		p.fault(abi.SIGSEGV, abi.SEGV_ACCERR, f.CR2)
	case trace.BusAdrErr:
		p.fault(abi.SIGBUS, abi.BUS_ADRERR, f.CR2)
	default:
		p.kernel.logf("%s: out of memory at address %#x, killed", p, f.CR2)
		p.doom(abi.SIGKILL)
	}
}

// longestTick bounds what one timer interrupt accounts for: the machine may
// have been idle since the one before.
const longestTick = 10e6

// interrupt accounts for the time since the last one and lets others run.
func (p *Process) interrupt() {
	k := p.kernel
	now := k.machine.Nanotime()
	p.usage.User += min(now-k.lastTick, longestTick)
	k.lastTick = now
	if now-k.traced.sampled >= sampleInterval {
		k.sample()
	}
	p.yield()
}

// exceptions says which signal each exception of user mode is, as signal(7)
// and Linux have it; addr says that si_addr is the instruction's address.
// Vectors that are not listed are SIGSEGV, like the general protection fault
// that a privileged instruction causes.
var exceptions = map[uint64]struct {
	sig  int
	code int32
	addr bool
	name string
}{
	amd64.DivideError:       {abi.SIGFPE, abi.FPE_INTDIV, true, "division error"},
	amd64.DebugException:    {abi.SIGTRAP, abi.TRAP_TRACE, true, "single step"},
	amd64.Breakpoint:        {abi.SIGTRAP, abi.SI_KERNEL, false, "breakpoint"},
	amd64.InvalidOpcode:     {abi.SIGILL, abi.ILL_ILLOPN, true, "invalid instruction"},
	amd64.SegmentNotPresent: {abi.SIGBUS, abi.SI_KERNEL, false, "segment that is not present"},
	amd64.StackFault:        {abi.SIGBUS, abi.SI_KERNEL, false, "stack at a non-canonical address"},
	amd64.GeneralProtection: {abi.SIGSEGV, abi.SI_KERNEL, false, "privileged instruction or non-canonical address"},
	amd64.FloatingPoint:     {abi.SIGFPE, abi.FPE_FLTINV, true, "floating-point error"},
	amd64.SIMDFloatingPoint: {abi.SIGFPE, abi.FPE_FLTINV, true, "floating-point error"},
	amd64.AlignmentCheck:    {abi.SIGBUS, abi.BUS_ADRALN, false, "misaligned access"},
}

// exception sends the signal that the table has for a vector.
//
//lab:gate 5 make a signal of an exception
func (p *Process) exception(vector uint64) {
	e, ok := exceptions[vector]
	if !ok {
		e.sig, e.code = abi.SIGSEGV, abi.SI_KERNEL
	}
	addr := uint64(0)
	if e.addr {
		addr = p.frame.RIP
	}
	p.fault(e.sig, e.code, addr)
}

// fault sends the signal of a fault that the process itself raised.  It cannot
// wait: a process that blocks or ignores it would fault again at once, so it
// dies of it (sigaction(2)).
func (p *Process) fault(sig int, code int32, addr uint64) {
	if !p.Signals.Force(sig) {
		rip, im := p.frame.RIP, &p.image
		p.kernel.logf("%s: signal %d (code %d): %s; pc=%#x (%s+%#x)", p, sig, code, p.wrong(sig), rip, im.path, rip-im.bias)
		p.doom(sig)
		return
	}
	p.post(sig, signal.Info{Code: code, First: addr})
}

// wrong says what the program did to raise the exception in its frame: what,
// where, and why that cannot be.
//
//lab:boot 4 say in words what a program did wrong
func (p *Process) wrong(sig int) string {
	f := p.frame
	if f.Vector != amd64.PageFault {
		return cmp.Or(exceptions[f.Vector].name, fmt.Sprintf("exception %d, error code %#x", f.Vector, f.Error))
	}
	below, r, above := p.space.Around(mm.VirtAddr(f.CR2))
	what := fmt.Sprintf("%s %#x, ", mm.FaultCode(f.Error).Access(), f.CR2)
	switch {
	case mm.VirtAddr(f.CR2) >= mm.UserEnd:
		return what + "which is not the user's"
	case sig == abi.SIGBUS:
		return what + "past the end of the file in " + r.String()
	case r != nil:
		return what + "but the rights are " + r.String()
	}
	what += "where nothing is mapped"
	if below != nil {
		what += ", above " + below.String()
	}
	if above != nil {
		what += ", below " + above.String()
	}
	return what
}
