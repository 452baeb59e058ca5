#include "textflag.h"

#define SYS_exit_group 231

// func dance()
//
// R13 is 0 until a judge has named the process; what stands in the other registers
// makes it exit if there is no judge.
TEXT ·dance(SB), NOSPLIT, $0-0
	MOVL	$SYS_exit_group, AX
	XORL	DI, DI
	XORL	R12, R12
	XORL	R13, R13
	JMP	·mark(SB)

// mark is where the judge waits.  The NOP is there to be passed over.
//
//	R12   what is done
//	0     the system call RAX (RDI, RSI, RDX, R10, R8, R9)
//	1     RAX = the byte at RDI
//	2     the byte at RDI = RSI
TEXT ·mark(SB), NOSPLIT|NOFRAME, $0-0
again:
	BYTE	$0x90
	CMPQ	R12, $1
	JEQ	load
	JHI	store
	SYSCALL
	JMP	again
load:
	MOVBQZX	(DI), AX
	JMP	again
store:
	MOVB	SI, (DI)
	JMP	again
