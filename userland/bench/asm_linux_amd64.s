#include "textflag.h"

#define SYS_execve 59
#define SYS_wait4 61
#define SYS_exit_group 231

// The loops around processes and system calls.  They keep to registers: a word
// written to memory would be one more page to copy in the fork that is measured.

// func spawn(nr, path, argv, envp uintptr, n int) (left int)
//
// 1. System call nr, fork or vfork, makes a child.
// 2. The child exits, or executes the program at path if there is one.
// 3. The parent waits for it.  This n times; left is how often it went wrong.
TEXT ·spawn(SB), NOSPLIT, $0-48
	MOVQ	nr+0(FP), R12
	MOVQ	path+8(FP), R13
	MOVQ	argv+16(FP), R14
	MOVQ	envp+24(FP), R15
	MOVQ	n+32(FP), BX
next:
	MOVQ	R12, AX
	SYSCALL
	TESTQ	AX, AX
	JZ	child
	JLT	done
	MOVQ	AX, DI
	XORL	SI, SI
	XORL	DX, DX
	XORL	R10, R10
	MOVL	$SYS_wait4, AX
	SYSCALL
	TESTQ	AX, AX
	JLE	done
	DECQ	BX
	JNZ	next
done:
	MOVQ	BX, left+40(FP)
	RET
child:
	XORL	DI, DI
	TESTQ	R13, R13
	JZ	quit
	MOVQ	R13, DI
	MOVQ	R14, SI
	MOVQ	R15, DX
	MOVL	$SYS_execve, AX
	SYSCALL
	MOVL	$1, DI
quit:
	MOVL	$SYS_exit_group, AX
	SYSCALL
	INT	$3

// func calls(nr uintptr, n int)
TEXT ·calls(SB), NOSPLIT, $0-16
	MOVQ	nr+0(FP), R12
	MOVQ	n+8(FP), BX
again:
	MOVQ	R12, AX
	SYSCALL
	DECQ	BX
	JNZ	again
	RET
