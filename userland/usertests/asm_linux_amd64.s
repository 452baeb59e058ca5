#include "textflag.h"

#define SYS_rt_sigreturn 15
#define SYS_clone 56
#define SYS_exit 60

// func jump(addr uintptr)
//
// The code at addr finds the return address on the stack, as if called.
TEXT ·jump(SB), NOSPLIT, $0-8
	MOVQ	addr+0(FP), AX
	JMP	AX

// func sigreturn(frame uintptr)
TEXT ·sigreturn(SB), NOSPLIT, $0-8
	MOVQ	frame+0(FP), SP
	MOVL	$SYS_rt_sigreturn, AX
	SYSCALL
	INT	$3

// func cloneOnStack(flags, stack uintptr, word *uint64) uintptr
//
// The child runs on a stack of its own: it pushes and pops a value by way of
// that stack into the word, and exits with status 7.
TEXT ·cloneOnStack(SB), NOSPLIT, $0-32
	MOVQ	flags+0(FP), DI
	MOVQ	stack+8(FP), SI
	MOVQ	word+16(FP), R12
	MOVL	$0, DX
	MOVL	$0, R10
	MOVL	$0, R8
	MOVL	$SYS_clone, AX
	SYSCALL
	TESTQ	AX, AX
	JNZ	parent
	MOVQ	$0x1234, AX
	MOVQ	AX, -8(SP)
	MOVQ	-8(SP), CX
	MOVQ	CX, 0(R12)
	MOVL	$7, DI
	MOVL	$SYS_exit, AX
	SYSCALL
	INT	$3
parent:
	MOVQ	AX, ret+24(FP)
	RET

// func setMXCSR(v uint32)
TEXT ·setMXCSR(SB), NOSPLIT, $0-4
	LDMXCSR	v+0(FP)
	RET

// func getMXCSR() uint32
TEXT ·getMXCSR(SB), NOSPLIT, $8-4
	STMXCSR	0(SP)
	MOVL	0(SP), AX
	MOVL	AX, ret+0(FP)
	RET

// func selectors() (cs, ss uint64)
TEXT ·selectors(SB), NOSPLIT, $0-16
	XORL	AX, AX
	MOVW	CS, AX
	MOVQ	AX, cs+0(FP)
	MOVW	SS, AX
	MOVQ	AX, ss+8(FP)
	RET
