package kernel

import (
	"yolk/kernel/calltrace"
	"yolk/kernel/trace"
	"yolk/mm"
)

// traceBoot opens the stream of events.
func (k *Kernel) traceBoot() {
	if m := k.memory; k.trace.On(trace.ClassAll) {
		k.trace.Emit(trace.Event{
			Kind: trace.Boot, Err: trace.StreamVersion, Old: uint64(m.ZeroFrame()), New: uint64(m.KernelRoot),
			Aux: uint64(m.Frames.Total()), VA: uint64(m.Frames.Free()),
		})
	}
}

// traceSwitch records that p runs, if it was not p before.
func (p *Process) traceSwitch() {
	if k := p.kernel; k.traced.running != p {
		k.traced.running = p
		k.trace.Emit(trace.Event{Kind: trace.Switch, New: uint64(p.root)})
	}
}

// sampleInterval is the least time in nanoseconds between two samples for which
// nothing but time is the reason.
const sampleInterval = 10e6

// sample records how memory stands.
func (k *Kernel) sample() {
	if !k.trace.On(trace.ClassSched) {
		return
	}
	m := k.memory
	k.traced.sampled = k.machine.Nanotime()
	k.trace.Emit(trace.Event{
		Kind: trace.Free, Aux: uint64(m.Frames.Free()), VA: uint64(m.Frames.Shared()),
		Old: m.Counters.FlushPages + m.Counters.FlushSpaces,
	})
}

// traceName records the name of p's program.
func (p *Process) traceName() {
	if log := p.kernel.trace; log.On(trace.ClassProcess) {
		p.emit(trace.ClassProcess, trace.Event{Kind: trace.Name, Refs: trace.TextEvents(len(p.image.comm))})
		log.EmitText(0, []byte(p.image.comm), false)
	}
}

func (p *Process) traceCall(nr uint64) {
	calltrace.Enter(p.kernel.trace, p.peek, nr, (*[6]uint64)(&p.args))
}

// traceReturn takes the arguments from the registers, which hold them still:
// the call may have used p.args up.
func (p *Process) traceReturn(nr, ret uint64) {
	f := p.frame
	calltrace.Leave(p.kernel.trace, p.peek, nr, ret, &[6]uint64{f.RDI, f.RSI, f.RDX, f.R10, f.R8, f.R9})
}

func (p *Process) peek(b []byte, va uint64) int { return p.space.Peek(b, mm.VirtAddr(va)) }
