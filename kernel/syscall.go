package kernel

import (
	"encoding/binary"

	"yolk/arch/amd64"
	"yolk/kernel/abi"
	"yolk/kernel/trace"
	"yolk/kernel/vfs"
	"yolk/mm"
)

// Args are the arguments of a system call: RDI, RSI, RDX, R10, R8, R9
// (syscall(2)).
type Args [6]uint64

// Call is one system call.  What Do returns goes to RAX; of an error, which is
// an abi.Errno or a reason of mm, vfs or elf, the negated errno.  Do is called
// with the kernel lock held, and may use the arguments for itself.
type Call struct {
	Nr   int // abi.Sys…
	Name string
	Do   func(p *Process, a *Args) (uint64, error)
}

// load takes the arguments from the registers that they are passed in.
//
//lab:gate 1 take the arguments of a system call out of the registers
func (a *Args) load(f *amd64.TrapFrame) {
	a[0], a[1], a[2], a[3], a[4], a[5] = f.RDI, f.RSI, f.RDX, f.R10, f.R8, f.R9
}

// syscall carries out the system call that the trap frame asks for.
//
// WHY the arguments live in the Process: Do is called through a table, so the
// compiler could not keep them on the stack, and a null system call must not
// allocate.
func (p *Process) syscall() {
	f, log := p.frame, p.kernel.trace
	nr := f.RAX
	p.args.load(f)
	if log.On(trace.ClassSyscall) {
		p.traceCall(nr)
	}
	f.RAX = p.dispatch(nr)
	if log.On(trace.ClassSyscall) {
		p.traceReturn(nr, f.RAX)
	}
}

// dispatch has system call nr done and returns what goes to RAX: its result, or
// an errno, negated.  A call that was interrupted is remembered, to be restarted
// perhaps (settle).
//
//lab:gate 2 have the system call done, and make one number of its result or its error
func (p *Process) dispatch(nr uint64) uint64 {
	k := p.kernel
	if nr >= abi.SysCount || k.calls[nr].Do == nil {
		k.logUnknown(nr)
		return errnoValue(abi.ENOSYS)
	}
	ret, err := k.calls[nr].Do(p, &p.args)
	if err == nil {
		return ret
	}
	if err == vfs.ErrInterrupted {
		p.interruptedCall = int(nr)
	}
	return errnoValue(errnoOf(err))
}

// errnoValue is an errno as RAX carries it.
func errnoValue(e abi.Errno) uint64 { return uint64(-int64(e)) }

// logUnknown tells once per number that a program asked for a call that is
// not there.
func (k *Kernel) logUnknown(nr uint64) {
	if seen := &k.unknown[min(nr, abi.SysCount)]; !*seen {
		*seen = true
		k.logf("system call %d is not implemented", nr)
	}
}

// neverRestarted are the calls that a handler ends with EINTR even under
// SA_RESTART (signal(7)).
var neverRestarted = map[int]bool{
	abi.SysPause: true, abi.SysRtSigsuspend: true, abi.SysRtSigtimedwait: true,
	abi.SysNanosleep: true, abi.SysClockNanosleep: true,
	abi.SysPoll: true, abi.SysPpoll: true, abi.SysSelect: true, abi.SysPselect6: true,
}

// CopyIn fills b from user memory at va; the error is mm.ErrFault.
func (p *Process) CopyIn(b []byte, va uint64) error {
	return p.space.CopyIn(b, mm.VirtAddr(va))
}

// CopyOut writes b to user memory at va; the error is mm.ErrFault.
func (p *Process) CopyOut(va uint64, b []byte) error {
	return p.space.CopyOut(mm.VirtAddr(va), b)
}

// CopyOutMaybe is CopyOut for results that a nil pointer declines.
func (p *Process) CopyOutMaybe(va uint64, b []byte) error {
	if va == 0 {
		return nil
	}
	return p.CopyOut(va, b)
}

// CopyOutWords is CopyOutMaybe for 64-bit words.
func (p *Process) CopyOutWords(va uint64, words ...uint64) error {
	b := p.Scratch()
	for _, w := range words {
		b = binary.LittleEndian.AppendUint64(b, w)
	}
	return p.CopyOutMaybe(va, b)
}
