#include "textflag.h"

// func Syscall6(num, a1, a2, a3, a4, a5, a6 uintptr) (r1, r2, errno uintptr)
//
// The one system call of Go programs: packages syscall, os and runtime all end
// here. A hosted program executes SYSCALL; for any other the runtime is the
// operating system, and takes the arguments in the registers they came in.
//
//	          num  a1  a2  a3  a4   a5  a6     r1  r2  errno
//	Go        AX   BX  CX  DI  SI   R8  R9     AX  BX  CX
//	SYSCALL   AX   DI  SI  DX  R10  R8  R9     AX  DX  -AX where AX is -4095..-1
TEXT ·Syscall6<ABIInternal>(SB),NOSPLIT,$0
	CMPB	runtime∕goos·Hosted(SB), $0
	JEQ	bare
	MOVQ	SI, R10
	MOVQ	DI, DX
	MOVQ	CX, SI
	MOVQ	BX, DI
	SYSCALL
	CMPQ	AX, $-4095
	JCC	failed
	MOVQ	DX, BX
	MOVQ	$0, CX
	RET
failed:
	NEGQ	AX
	MOVQ	AX, CX
	MOVQ	$-1, AX
	MOVQ	$0, BX
	RET
bare:
	JMP	runtime·bareSyscall<ABIInternal>(SB)
