package signal

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

// Memory is the user memory that frames lie in (kernel.Process).  Scratch is a
// buffer of 4096 bytes that neither method uses; its contents are of no use to
// anybody else.
type Memory interface {
	CopyIn(b []byte, va uint64) error
	CopyOut(va uint64, b []byte) error
	Scratch() []byte
}

// savedRegs lists the general registers in sigcontext's order.
func savedRegs(f *amd64.TrapFrame) [17]*uint64 {
	return [...]*uint64{
		&f.R8, &f.R9, &f.R10, &f.R11, &f.R12, &f.R13, &f.R14, &f.R15,
		&f.RDI, &f.RSI, &f.RBP, &f.RBX, &f.RDX, &f.RAX, &f.RCX, &f.RSP, &f.RIP,
	}
}

// Handle makes sig's handler run when user mode goes on: it pushes the frame that
// holds the registers f, points f at the handler and blocks what its action says.
// It reports false, with nothing changed, where the stack cannot hold the frame,
// the program gave no restorer (sigreturn(2)), or the handler's address is none.
func (s *State) Handle(sig int, f *amd64.TrapFrame, mem Memory) bool {
	act := &s.Actions[sig]
	if act.Flags&abi.SA_RESTORER == 0 || act.Handler >= uint64(mm.UserEnd) || !s.push(sig, f, mem) {
		return false
	}
	f.RIP = act.Handler
	f.CS, f.SS = amd64.UserCode, amd64.UserData
	f.RFLAGS &^= amd64.FlagTrap | amd64.FlagDirection | amd64.FlagResume
	s.hasSaved = false // the frame holds that mask
	s.Blocked |= act.Mask
	if act.Flags&abi.SA_NODEFER == 0 {
		s.Blocked |= Only(sig)
	}
	s.Blocked &^= Unblockable
	if act.Flags&abi.SA_RESETHAND != 0 {
		act.Handler = abi.SIG_DFL
	}
	return true
}

// push writes the frame and makes it the handler's stack and arguments.
func (s *State) push(sig int, f *amd64.TrapFrame, mem Memory) bool {
	sp, onAlt := f.RSP-redZone, s.Alt.Contains(f.RSP)
	if s.Actions[sig].Flags&abi.SA_ONSTACK != 0 && s.Alt.Size != 0 && !onAlt {
		sp, onAlt = s.Alt.SP+s.Alt.Size, true
	}
	fpu := (sp - fpuSize) &^ 63
	frame := (fpu-frameSize)&^15 - 8
	if onAlt && !s.Alt.Contains(frame) {
		return false
	}
	b := mem.Scratch()[:fpu+fpuSize-frame]
	s.encode((*[frameSize]byte)(b), sig, f, fpu)
	clear(b[frameSize : fpu-frame])
	image := b[fpu-frame:]
	clear(image[copy(image, f.FPU[:fpuReserved]):])
	if mem.CopyOut(frame, b) != nil {
		return false
	}
	f.RSP = frame
	f.RDI, f.RSI, f.RDX, f.RAX = uint64(sig), frame+frameInfo, frame+frameContext, 0
	return true
}

// encode fills b, all but the FXSAVE image.
func (s *State) encode(b *[frameSize]byte, sig int, f *amd64.TrapFrame, fpu uint64) {
	le, mask := binary.LittleEndian, s.Blocked
	if s.hasSaved {
		mask = s.saved
	}
	*b = [frameSize]byte{}
	le.PutUint64(b[:], s.Actions[sig].Restorer)
	le.PutUint64(b[frameContext:], contextFlags)
	s.Alt.Encode(b[frameStack:], f.RSP)
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
	le.PutUint64(b[frameRegs+21*8:], uint64(mask))
	le.PutUint64(b[frameRegs+22*8:], f.CR2)
	le.PutUint64(b[frameFPU:], fpu)
	le.PutUint64(b[frameMask:], uint64(mask))
	s.Infos[sig].Encode(b[frameInfo:], sig)
}

// Encode fills b with a siginfo_t (sigaction(2)).
func (si *Info) Encode(b []byte, sig int) {
	le := binary.LittleEndian
	le.PutUint32(b, uint32(sig))
	le.PutUint32(b[8:], uint32(si.Code))
	le.PutUint64(b[16:], si.First)
	le.PutUint64(b[24:], si.Second)
}

// Return undoes Handle: it restores the registers f and the mask from the frame
// at va.  It reports false, with nothing changed, if that is not a state of user
// mode.
//
// WHY every field is checked: the frame lies in user memory, and what it holds
// goes into registers with which ring 3 must not be entered (SDM 3A §6.12): a
// selector of ring 0 would hand over the machine; a reserved MXCSR bit, or a
// non-canonical RIP, would fault in the kernel itself.
func (s *State) Return(f *amd64.TrapFrame, va uint64, mem Memory) bool {
	le, b := binary.LittleEndian, (*[frameSize]byte)(mem.Scratch()[:frameSize])
	if mem.CopyIn(b[:], va) != nil {
		return false
	}
	rip, rflags := le.Uint64(b[frameRegs+16*8:]), le.Uint64(b[frameRegs+17*8:])
	cs, ss := le.Uint16(b[frameSegs:]), le.Uint16(b[frameSegs+6:])
	if cs != amd64.UserCode || ss != amd64.UserData || rip >= uint64(mm.UserEnd) || !restoreFPU(f, le.Uint64(b[frameFPU:]), mem) {
		return false
	}
	for i, r := range savedRegs(f) {
		*r = le.Uint64(b[frameRegs+8*i:])
	}
	f.RFLAGS = rflags&amd64.FlagsUser | amd64.FlagsFixed
	s.Blocked = Set(le.Uint64(b[frameMask:])) &^ Unblockable
	s.SetAltStack(b[frameStack:], f.RSP) // one that is malformed by now changes nothing
	return true
}

// restoreFPU loads the FXSAVE image at va; 0 means the FPU's initial state.
func restoreFPU(f *amd64.TrapFrame, va uint64, mem Memory) bool {
	le := binary.LittleEndian
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
	image := mem.Scratch()[frameSize : frameSize+fpuSize]
	if mem.CopyIn(image, va) != nil || le.Uint32(image[mxcsrOffset:])&^mask != 0 {
		return false
	}
	copy(f.FPU[:], image)
	return true
}

// AltStack is the stack that handlers with SA_ONSTACK run on (sigaltstack(2));
// size 0 is none.
type AltStack struct{ SP, Size uint64 }

// Contains reports whether the stack pointer sp is on the stack.
func (a AltStack) Contains(sp uint64) bool { return sp-a.SP-1 < a.Size }

// Encode fills b with a stack_t, as one sees it whose stack pointer is sp.
func (a AltStack) Encode(b []byte, sp uint64) {
	le, flags := binary.LittleEndian, uint32(0)
	switch {
	case a.Size == 0:
		flags = abi.SS_DISABLE
	case a.Contains(sp):
		flags = abi.SS_ONSTACK
	}
	le.PutUint64(b, a.SP)
	le.PutUint32(b[8:], flags)
	le.PutUint64(b[16:], a.Size)
}

// SetAltStack takes over the stack_t in b from a process whose stack pointer is
// sp (sigaltstack(2)).  The error is an abi.Errno.
func (s *State) SetAltStack(b []byte, sp uint64) error {
	le := binary.LittleEndian
	a := AltStack{le.Uint64(b), le.Uint64(b[16:])}
	switch flags := le.Uint32(b[8:]); {
	case s.Alt.Contains(sp):
		return abi.EPERM
	case flags&abi.SS_DISABLE != 0:
		a = AltStack{}
	case flags&^abi.SS_ONSTACK != 0:
		return abi.EINVAL
	case a.Size < abi.MINSIGSTKSZ:
		return abi.ENOMEM
	}
	s.Alt = a
	return nil
}
