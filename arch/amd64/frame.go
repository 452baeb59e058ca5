// Package amd64 is the processor as Yolk sees it: the state of user mode, the
// descriptor tables, the trap entries and the few instructions that Go has no
// words for.
//
// This file is portable, so that the kernel proper can be compiled and tested
// on any host; every other file of the package is for the machine itself and
// carries the build constraint `yolk`.
package amd64

// Vectors of the exceptions that the kernel names (SDM 3A §6.3.1, table 6-1).
const (
	DivideError       = 0
	DebugException    = 1
	NonMaskable       = 2
	Breakpoint        = 3
	Overflow          = 4
	BoundRange        = 5
	InvalidOpcode     = 6
	DeviceNotAvail    = 7
	DoubleFault       = 8
	SegmentNotPresent = 11
	StackFault        = 12
	GeneralProtection = 13
	PageFault         = 14
	FloatingPoint     = 16
	AlignmentCheck    = 17
	SIMDFloatingPoint = 19

	FirstInterrupt = 32  // the first vector that is not an exception
	Syscall        = 256 // not a vector of the IDT: entry through SYSCALL
)

// Selectors of the descriptor table; user selectors carry RPL 3.  SYSRET takes
// SS from STAR[63:48]+8 and CS from STAR[63:48]+16 (APM 3, SYSRET), which
// fixes the order of the user descriptors.
const (
	KernelCode = 0x08
	KernelData = 0x10
	UserData   = 0x20 | 3
	UserCode   = 0x28 | 3
)

// Bits of RFLAGS (SDM 1 §3.4.3).
const (
	FlagTrap      = 1 << 8
	FlagInterrupt = 1 << 9
	FlagDirection = 1 << 10
	FlagIOPL      = 3 << 12
	FlagNested    = 1 << 14
	FlagResume    = 1 << 16
	FlagAlign     = 1 << 18

	// FlagsUser are the bits that a program may choose for itself; the rest
	// is what the kernel says it is.
	FlagsUser = 1<<0 | 1<<2 | 1<<4 | 1<<6 | 1<<7 | FlagTrap | FlagDirection | 1<<11 | FlagResume | FlagAlign | 1<<21
	// FlagsFixed are the bits that are always set in user mode.
	FlagsFixed = 1<<1 | FlagInterrupt
)

// TrapFrame is user mode's whole state while the kernel runs: what a trap
// saved and what the next entry to user mode loads.  It must lie at an address
// divisible by 16 (FXSAVE64, SDM 2A) and contain no pointers.
type TrapFrame struct {
	FPU [512]byte // x87, MMX and SSE state, in FXSAVE64's layout

	RAX, RBX, RCX, RDX, RSI, RDI, RBP uint64
	R8, R9, R10, R11, R12, R13        uint64
	R14, R15                          uint64

	RIP, CS, RFLAGS, RSP, SS uint64 // in IRETQ's order

	FSBase, GSBase uint64

	// Why user mode ended; written by the trap, read by the kernel.
	Vector uint64 // 0–255, or Syscall
	Error  uint64 // error code of the exceptions that push one, else 0
	CR2    uint64 // faulting address, for PageFault; else without meaning
}

// Reset makes the frame that of a program's first instruction: every register
// zero, the FPU in its initial state (SDM 1 §8.1.5, §11.6.4), interrupts on.
func (f *TrapFrame) Reset(rip, rsp uint64) {
	*f = TrapFrame{RIP: rip, RSP: rsp, CS: UserCode, SS: UserData, RFLAGS: FlagsFixed}
	f.FPU[0], f.FPU[1] = 0x7f, 0x03   // FCW 0x037f
	f.FPU[24], f.FPU[25] = 0x80, 0x1f // MXCSR 0x1f80
}
