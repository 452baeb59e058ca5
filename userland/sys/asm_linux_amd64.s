#include "go_asm.h"
#include "textflag.h"

// The parts of package sys that cannot be Go: what must not return, what runs
// outside Go, and what looks at registers.

#define SYS_rt_sigreturn 15
#define SYS_fork 57
#define SYS_vfork 58

// func Call(nr, a1, a2, a3, a4, a5, a6 uintptr) (r uintptr, e Errno)
TEXT ·Call(SB), NOSPLIT, $0-66
	MOVQ	nr+0(FP), AX
	MOVQ	a1+8(FP), DI
	MOVQ	a2+16(FP), SI
	MOVQ	a3+24(FP), DX
	MOVQ	a4+32(FP), R10
	MOVQ	a5+40(FP), R8
	MOVQ	a6+48(FP), R9
	SYSCALL
	CMPQ	AX, $0xfffffffffffff001
	JCC	failed
	MOVQ	AX, r+56(FP)
	MOVW	$0, e+64(FP)
	RET
failed:
	MOVQ	$-1, r+56(FP)
	NEGQ	AX
	MOVW	AX, e+64(FP)
	RET

// func vfork(c Child) uintptr
//
// 1. The prologue (this function is not NOSPLIT) makes sure that the frame of
//    4 KiB fits: the stack grows here, in the parent, or not at all.
// 2. The child runs on this very stack.  It calls runChild, which never
//    returns, with the stack pointer in the frame's upper part: there is room
//    below for all that a child should do.
// 3. The parent sleeps in SYSCALL meanwhile.  When it comes back, its return
//    address and its caller's frames lie above all that the child wrote.
TEXT ·vfork(SB), 0, $4096-24
	MOVQ	c_itable+0(FP), R12
	MOVQ	c_data+8(FP), R13
	MOVL	$SYS_vfork, AX
	SYSCALL
	TESTQ	AX, AX
	JNZ	parent
	LEAQ	3840(SP), SP
	MOVQ	R12, 0(SP)
	MOVQ	R13, 8(SP)
	CALL	·runChild(SB)
	INT	$3
parent:
	MOVQ	AX, ret+16(FP)
	RET

// func vforkHere(c Child) uintptr
//
// The same without the room: for the child of a vfork, which is in it already.
TEXT ·vforkHere(SB), NOSPLIT, $16-24
	MOVQ	c_itable+0(FP), R12
	MOVQ	c_data+8(FP), R13
	MOVL	$SYS_vfork, AX
	SYSCALL
	TESTQ	AX, AX
	JNZ	parent
	MOVQ	R12, 0(SP)
	MOVQ	R13, 8(SP)
	CALL	·runChild(SB)
	INT	$3
parent:
	MOVQ	AX, ret+16(FP)
	RET

// func vforkReturns() uintptr
//
// The child returns from here first, and its caller goes on to reuse the very
// stack that the parent will return through: the misuse that vfork(2) warns of.
// The return address is kept in a register, as C libraries do, so that the
// parent survives this frame at least; what the child does to the frames above
// is not ours to mend.
TEXT ·vforkReturns(SB), NOSPLIT, $0-8
	MOVQ	0(SP), R12
	MOVL	$SYS_vfork, AX
	SYSCALL
	MOVQ	R12, 0(SP)
	MOVQ	AX, ret+0(FP)
	RET

// func signalPCs() (handler, restorer uintptr)
TEXT ·signalPCs(SB), NOSPLIT, $0-16
	LEAQ	countSignal<>(SB), AX
	MOVQ	AX, handler+0(FP)
	LEAQ	restorer<>(SB), AX
	MOVQ	AX, restorer+8(FP)
	RET

// countSignal is the one signal handler: DI holds the signal number, the
// return address is the restorer's.  It spoils registers on purpose: what
// rt_sigreturn does not restore shows at once.
TEXT countSignal<>(SB), NOSPLIT|NOFRAME, $0
	LEAQ	·signalCounts(SB), AX
	LOCK
	INCL	(AX)(DI*4)
	MOVQ	$-1, CX
	MOVQ	CX, DX
	MOVQ	CX, BX
	MOVQ	CX, SI
	MOVQ	CX, DI
	MOVQ	CX, R8
	MOVQ	CX, R9
	MOVQ	CX, R10
	MOVQ	CX, R11
	MOVQ	CX, R12
	MOVQ	CX, R13
	MOVQ	CX, R14
	MOVQ	CX, R15
	PCMPEQL	X0, X0
	PCMPEQL	X1, X1
	PCMPEQL	X7, X7
	PCMPEQL	X15, X15
	RET

// restorer is where a handler returns to: the stack pointer stands at the
// signal frame (sigreturn(2)).
TEXT restorer<>(SB), NOSPLIT|NOFRAME, $0
	MOVL	$SYS_rt_sigreturn, AX
	SYSCALL
	INT	$3

// func readTSC() uint64
TEXT ·readTSC(SB), NOSPLIT, $0-8
	LFENCE
	RDTSC
	SHLQ	$32, DX
	ORQ	DX, AX
	MOVQ	AX, ret+0(FP)
	RET

// func countDown(n uint64)
TEXT ·countDown(SB), NOSPLIT, $0-8
	MOVQ	n+0(FP), CX
loop:
	DECQ	CX
	JNZ	loop
	RET

// LOAD gives every register but RAX, RCX, R11 and RSP a pattern of its own.
#define LOAD \
	MOVQ	$0x1111222233330001, BX; \
	MOVQ	$0x1111222233330002, DX; \
	MOVQ	$0x1111222233330003, SI; \
	MOVQ	$0x1111222233330004, DI; \
	MOVQ	$0x1111222233330005, BP; \
	MOVQ	$0x1111222233330006, R8; \
	MOVQ	$0x1111222233330007, R9; \
	MOVQ	$0x1111222233330008, R10; \
	MOVQ	$0x1111222233330009, R12; \
	MOVQ	$0x111122223333000a, R13; \
	MOVQ	$0x111122223333000b, R14; \
	MOVQ	$0x111122223333000c, R15; \
	MOVQ	BX, X0; \
	MOVQ	R8, X7; \
	MOVQ	R15, X15

// STORE writes what they hold now to the Registers at CX; R11 holds the flags.
#define STORE \
	MOVQ	BX, Registers_General+0(CX); \
	MOVQ	DX, Registers_General+8(CX); \
	MOVQ	SI, Registers_General+16(CX); \
	MOVQ	DI, Registers_General+24(CX); \
	MOVQ	BP, Registers_General+32(CX); \
	MOVQ	R8, Registers_General+40(CX); \
	MOVQ	R9, Registers_General+48(CX); \
	MOVQ	R10, Registers_General+56(CX); \
	MOVQ	R12, Registers_General+64(CX); \
	MOVQ	R13, Registers_General+72(CX); \
	MOVQ	R14, Registers_General+80(CX); \
	MOVQ	R15, Registers_General+88(CX); \
	MOVQ	X0, Registers_Vector+0(CX); \
	MOVQ	X7, Registers_Vector+8(CX); \
	MOVQ	X15, Registers_Vector+16(CX); \
	MOVQ	R11, Registers_Flags(CX)

// func forkRegisters(out *Registers) uintptr
//
// Both sides store what they find; the address of out waits on the stack.  RCX
// and R11 are lost to SYSCALL by definition.  R14 and X15, which Go's own code
// counts on, are put right by the wrapper that called us (ABIInternal to ABI0).
TEXT ·forkRegisters(SB), NOSPLIT, $16-16
	MOVQ	out+0(FP), AX
	MOVQ	AX, 8(SP)
	LOAD
	MOVL	$SYS_fork, AX
	STC
	SYSCALL
	PUSHFQ
	POPQ	R11
	MOVQ	8(SP), CX
	STORE
	MOVQ	AX, ret+8(FP)
	RET

// func spinRegisters(n uint64, out *Registers)
//
// The same while a loop runs n times, for signals and the timer to interrupt.
TEXT ·spinRegisters(SB), NOSPLIT, $16-16
	MOVQ	n+0(FP), AX
	MOVQ	AX, 8(SP)
	LOAD
	MOVQ	$0x5555666677770001, CX
	MOVQ	CX, AX
	MOVQ	CX, R11
spin:
	SUBQ	$1, 8(SP)
	JNZ	spin
	CMPQ	AX, CX
	JNE	lost
	CMPQ	R11, CX
	JNE	lost
	STC
	JMP	store
lost:
	MOVL	$0, BX
store:
	PUSHFQ
	POPQ	R11
	MOVQ	out+8(FP), CX
	STORE
	RET
