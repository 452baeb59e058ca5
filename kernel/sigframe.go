package kernel

import (
	"encoding/binary"

	"yolk/arch/amd64"
	"yolk/kernel/abi"
	"yolk/mm"
)

// What a signal handler finds on its stack, and what rt_sigreturn(2) reads
// back: Linux's struct rt_sigframe for x86-64, below an FXSAVE image.  Offsets
// are bytes from the frame's start.
//
//	high  ┌──────────────────────────┐
//	      │ 128 bytes, the red zone  │  the interrupted function's own
//	      ├──────────────────────────┤  ◄─ aligned to 64
//	      │ FXSAVE image, 512 bytes  │
//	      ├──────────────────────────┤
//	      │ siginfo_t, 128 bytes     │  frameInfo
//	      │ ucontext_t, 304 bytes    │  frameContext
//	      │ return address: restorer │  0  ◄─ RSP at the handler's entry, 8 mod 16
//	low   └──────────────────────────┘
const (
	redZone = 128
	fpuSize = 512

	frameContext = 8
	frameStack   = frameContext + 16  // uc_stack: sp, flags, size
	frameRegs    = frameContext + 40  // uc_mcontext: struct sigcontext
	frameSegs    = frameRegs + 18*8   // cs, gs, fs, ss: 16 bits each
	frameFPU     = frameRegs + 23*8   // address of the FXSAVE image
	frameMask    = frameContext + 296 // uc_sigmask
	frameInfo    = frameContext + 304 // siginfo_t
	frameSize    = frameInfo + abi.SiginfoSize

	contextFlags = 2 | 4 // UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS

	mxcsrOffset, mxcsrMaskOffset = 24, 28 // in the FXSAVE image (SDM 1 table 10-2)
	defaultMXCSRMask             = 0xffbf
	fpuReserved                  = 464 // software's part of the FXSAVE image
)

// savedRegs lists the general registers in sigcontext's order.
func savedRegs(f *amd64.TrapFrame) [17]*uint64 {
	return [...]*uint64{
		&f.R8, &f.R9, &f.R10, &f.R11, &f.R12, &f.R13, &f.R14, &f.R15,
		&f.RDI, &f.RSI, &f.RBP, &f.RBX, &f.RDX, &f.RAX, &f.RCX, &f.RSP, &f.RIP,
	}
}

// pushFrame writes the frame for sig's handler and points the registers at the
// handler.  It reports false, with no register changed, where the stack cannot
// hold it, the program gave no restorer (sigreturn(2)), or the handler's address
// is none.
func (p *Process) pushFrame(sig int, act action, mask uint64) bool {
	f := p.frame
	if act.flags&abi.SA_RESTORER == 0 || act.handler >= uint64(mm.UserEnd) {
		return false
	}
	sp := f.RSP - redZone
	onAlt := p.altStack.size != 0 && p.altStack.contains(f.RSP)
	if act.flags&abi.SA_ONSTACK != 0 && p.altStack.size != 0 && !onAlt {
		sp, onAlt = p.altStack.sp+p.altStack.size, true
	}
	fpu := (sp - fpuSize) &^ 63
	frame := (fpu-frameSize)&^15 - 8
	if onAlt && !p.altStack.contains(frame) {
		return false
	}
	b := p.kernel.scratch[:fpu+fpuSize-frame]
	p.encodeFrame((*[frameSize]byte)(b), sig, act, mask, fpu)
	clear(b[frameSize : fpu-frame])
	image := b[fpu-frame:]
	clear(image[copy(image, f.FPU[:fpuReserved]):])
	if p.CopyOut(frame, b) != nil {
		return false
	}
	f.RIP, f.RSP = act.handler, frame
	f.RDI, f.RSI, f.RDX, f.RAX = uint64(sig), frame+frameInfo, frame+frameContext, 0
	f.CS, f.SS = amd64.UserCode, amd64.UserData
	f.RFLAGS &^= amd64.FlagTrap | amd64.FlagDirection | amd64.FlagResume
	return true
}

// encodeFrame fills b, all but the FXSAVE image.
func (p *Process) encodeFrame(b *[frameSize]byte, sig int, act action, mask, fpu uint64) {
	f, le := p.frame, binary.LittleEndian
	*b = [frameSize]byte{}
	le.PutUint64(b[:], act.restorer)
	le.PutUint64(b[frameContext:], contextFlags)
	p.encodeAltStack(b[frameStack:])
	for i, r := range savedRegs(f) {
		le.PutUint64(b[frameRegs+8*i:], *r)
	}
	le.PutUint64(b[frameRegs+17*8:], f.RFLAGS)
	le.PutUint16(b[frameSegs:], uint16(f.CS))
	le.PutUint16(b[frameSegs+6:], uint16(f.SS))
	le.PutUint64(b[frameRegs+19*8:], f.Error)
	if f.Vector != amd64.Syscall {
		le.PutUint64(b[frameRegs+20*8:], f.Vector)
	}
	le.PutUint64(b[frameRegs+21*8:], mask)
	le.PutUint64(b[frameRegs+22*8:], f.CR2)
	le.PutUint64(b[frameFPU:], fpu)
	le.PutUint64(b[frameMask:], mask)
	p.infos[sig].encode(b[frameInfo:], sig)
}

// encode fills b with a siginfo_t (sigaction(2)).
func (si *sigInfo) encode(b []byte, sig int) {
	le := binary.LittleEndian
	le.PutUint32(b, uint32(sig))
	le.PutUint32(b[8:], uint32(si.code))
	le.PutUint64(b[16:], si.first)
	le.PutUint64(b[24:], si.second)
}

// encodeAltStack fills b with a stack_t (sigaltstack(2)).
func (p *Process) encodeAltStack(b []byte) {
	le, flags := binary.LittleEndian, uint32(0)
	switch {
	case p.altStack.size == 0:
		flags = abi.SS_DISABLE
	case p.altStack.contains(p.frame.RSP):
		flags = abi.SS_ONSTACK
	}
	le.PutUint64(b, p.altStack.sp)
	le.PutUint32(b[8:], flags)
	le.PutUint64(b[16:], p.altStack.size)
}

// sysRtSigreturn undoes pushFrame (rt_sigreturn(2)): the handler's RET has
// taken the return address off the stack.
//
// WHY every field is checked: the frame lies in user memory, and what it holds
// goes into registers with which ring 3 must not be entered (SDM 3A §6.12): a
// selector of ring 0 would hand over the machine; a reserved MXCSR bit, or a
// non-canonical RIP, would fault in the kernel itself.
func sysRtSigreturn(p *Process, _ *Args) (uint64, error) {
	if !p.popFrame(p.frame.RSP - 8) {
		p.kernel.logf("%s: malformed signal frame at %#x", p, p.frame.RSP-8)
		p.fault(abi.SIGSEGV, abi.SI_KERNEL, 0)
	}
	return p.frame.RAX, nil
}

// popFrame restores the state in the frame at va.  It reports false, with
// nothing changed, if that is not a state of user mode.
func (p *Process) popFrame(va uint64) bool {
	le, b := binary.LittleEndian, (*[frameSize]byte)(p.kernel.scratch[:])
	if p.CopyIn(b[:], va) != nil {
		return false
	}
	rip, rflags := le.Uint64(b[frameRegs+16*8:]), le.Uint64(b[frameRegs+17*8:])
	cs, ss := le.Uint16(b[frameSegs:]), le.Uint16(b[frameSegs+6:])
	if cs != amd64.UserCode || ss != amd64.UserData || rip >= uint64(mm.UserEnd) || !p.restoreFPU(le.Uint64(b[frameFPU:])) {
		return false
	}
	for i, r := range savedRegs(p.frame) {
		*r = le.Uint64(b[frameRegs+8*i:])
	}
	p.frame.RFLAGS = rflags&amd64.FlagsUser | amd64.FlagsFixed
	p.blocked = le.Uint64(b[frameMask:]) &^ unblockable
	p.setAltStack(b[frameStack:]) // one that is malformed by now changes nothing
	p.recheck()
	return true
}

// restoreFPU loads the FXSAVE image at va; 0 means the FPU's initial state.
func (p *Process) restoreFPU(va uint64) bool {
	f, le := p.frame, binary.LittleEndian
	if va == 0 {
		var initial amd64.TrapFrame
		initial.Reset(0, 0)
		f.FPU = initial.FPU
		return true
	}
	mask := le.Uint32(f.FPU[mxcsrMaskOffset:])
	if mask == 0 {
		mask = defaultMXCSRMask
	}
	image := p.kernel.scratch[frameSize : frameSize+fpuSize]
	if p.CopyIn(image, va) != nil || le.Uint32(image[mxcsrOffset:])&^mask != 0 {
		return false
	}
	copy(f.FPU[:], image)
	return true
}

// setAltStack takes over the stack_t in b (sigaltstack(2)).
func (p *Process) setAltStack(b []byte) error {
	le := binary.LittleEndian
	s := altStack{le.Uint64(b), le.Uint64(b[16:])}
	switch flags := le.Uint32(b[8:]); {
	case p.altStack.size != 0 && p.altStack.contains(p.frame.RSP):
		return abi.EPERM
	case flags&abi.SS_DISABLE != 0:
		s = altStack{}
	case flags&^abi.SS_ONSTACK != 0:
		return abi.EINVAL
	case s.size < abi.MINSIGSTKSZ:
		return abi.ENOMEM
	}
	p.altStack = s
	return nil
}
