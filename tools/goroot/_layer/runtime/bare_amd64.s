// The start of a program, and the operating system's primitives that one thread
// does without.

#include "go_asm.h"
#include "go_tls.h"
#include "textflag.h"

#define SYS_arch_prctl	158
#define ARCH_SET_FS	0x1002
#define MSR_FS_BASE	0xc0000100
#define ENOMEM		12
#define ENOSYS		38

// The program's entry point. Registers and stack are as the machine left them.
TEXT _rt0_amd64_linux(SB),NOSPLIT|NOFRAME,$0
	JMP	cpuinit(SB)

// cpuinit's way into Go. SP has 64 KiB of stack below it; in a hosted program it
// still points at argc.
TEXT _rt0_tamago_start(SB),NOSPLIT|NOFRAME,$0
	CMPB	runtime∕goos·Hosted(SB), $0
	JEQ	bare
	JMP	_rt0_amd64(SB)
bare:
	MOVQ	$1, DI
	LEAQ	bareArgs<>(SB), SI
	JMP	runtime·rt0_go(SB)

// What execve(2) would have left on the stack: argv, envp, auxv.
DATA	bareArgs<>+0x00(SB)/8, $bareName<>(SB)
DATA	bareArgs<>+0x08(SB)/8, $0	// end of argv
DATA	bareArgs<>+0x10(SB)/8, $0	// end of envp
DATA	bareArgs<>+0x18(SB)/8, $6	// AT_PAGESZ
DATA	bareArgs<>+0x20(SB)/8, $4096
DATA	bareArgs<>+0x28(SB)/8, $25	// AT_RANDOM, filled in by bareStart
DATA	bareArgs<>+0x30(SB)/8, $bareRandom<>(SB)
DATA	bareArgs<>+0x38(SB)/8, $0	// AT_NULL
DATA	bareArgs<>+0x40(SB)/8, $0
GLOBL	bareArgs<>(SB), NOPTR, $0x48

DATA	bareName<>+0(SB)/8, $"kernel\x00\x00"
GLOBL	bareName<>(SB), RODATA, $8
GLOBL	bareRandom<>(SB), NOPTR, $16

// settls makes FS such that -8(FS) is the word at DI.
TEXT runtime·settls(SB),NOSPLIT,$0
	ADDQ	$8, DI
	CMPB	runtime∕goos·Hosted(SB), $0
	JEQ	bare
	MOVQ	DI, SI
	MOVQ	$ARCH_SET_FS, DI
	MOVQ	$SYS_arch_prctl, AX
	SYSCALL
	RET
bare:
	MOVQ	DI, AX
	MOVQ	DI, DX
	SHRQ	$32, DX
	MOVL	$MSR_FS_BASE, CX
	WRMSR
	RET

TEXT runtime·halt(SB),NOSPLIT,$0
	CLI
	HLT
	RET

// func CallOnG0(fn uintptr)
TEXT runtime·CallOnG0(SB),NOSPLIT,$0-8
	MOVQ	fn+0(FP), DX
	get_tls(CX)
	MOVQ	g(CX), AX
	MOVQ	g_m(AX), BX
	MOVQ	m_g0(BX), R14
	CMPQ	AX, R14
	JEQ	call
	MOVQ	R14, g(CX)
	MOVQ	(g_sched+gobuf_sp)(R14), SP
call:
	CALL	DX
	CALL	runtime·abort(SB)
	RET

// FUTEX_WAKE has nobody to wake; for FUTEX_WAIT nobody would wake us.
TEXT runtime·futex(SB),NOSPLIT,$0-44
	MOVL	op+8(FP), AX
	TESTL	$0x7f, AX
	JNE	2(PC)
	CALL	runtime·soleThreadSleeps(SB)
	MOVL	$0, ret+40(FP)
	RET

TEXT runtime·clone(SB),NOSPLIT|NOFRAME,$0-44
	MOVL	$-ENOSYS, ret+40(FP)
	RET

// Signals: no handler is ever installed, and every mask is empty.

TEXT runtime·rtsigprocmask(SB),NOSPLIT,$0-28
	MOVQ	old+16(FP), AX
	TESTQ	AX, AX
	JEQ	2(PC)
	MOVQ	$0, (AX)
	RET

TEXT runtime·rt_sigaction(SB),NOSPLIT,$0-36
	MOVQ	old+16(FP), DI
	TESTQ	DI, DI
	JEQ	done
	MOVQ	$(sigactiont__size/8), CX
	XORL	AX, AX
	REP; STOSQ
done:
	MOVL	$0, ret+32(FP)
	RET

TEXT runtime·sigaltstack(SB),NOSPLIT,$0-16
	MOVQ	old+8(FP), DI
	TESTQ	DI, DI
	JEQ	done
	MOVQ	$(stackt__size/8), CX
	XORL	AX, AX
	REP; STOSQ
done:
	RET

TEXT runtime·raise(SB),NOSPLIT,$0-4
	RET
TEXT runtime·raiseproc(SB),NOSPLIT,$0-4
	RET
TEXT runtime·tgkill(SB),NOSPLIT,$0-24
	RET
TEXT runtime·sigfwd(SB),NOSPLIT,$0-32
	CALL	runtime·abort(SB)
	RET
TEXT runtime·sigtramp(SB),NOSPLIT,$0
	CALL	runtime·abort(SB)
	RET
TEXT runtime·cgoSigtramp(SB),NOSPLIT,$0
	CALL	runtime·abort(SB)
	RET
TEXT runtime·sigreturn__sigaction(SB),NOSPLIT,$0
	CALL	runtime·abort(SB)
	RET

// Profiling timers.

TEXT runtime·setitimer(SB),NOSPLIT,$0-24
	RET
TEXT runtime·timer_create(SB),NOSPLIT,$0-28
	MOVL	$-ENOSYS, ret+24(FP)
	RET
TEXT runtime·timer_settime(SB),NOSPLIT,$0-28
	MOVL	$-ENOSYS, ret+24(FP)
	RET
TEXT runtime·timer_delete(SB),NOSPLIT,$0-12
	MOVL	$-ENOSYS, ret+8(FP)
	RET

// One thread on one processor.

TEXT runtime·osyield(SB),NOSPLIT,$0
	RET
TEXT runtime·gettid(SB),NOSPLIT,$0-4
	MOVL	$1, ret+0(FP)
	RET
TEXT ·getpid(SB),NOSPLIT,$0-8
	MOVQ	$1, ret+0(FP)
	RET
TEXT runtime·sched_getaffinity(SB),NOSPLIT,$0-28
	MOVL	$-ENOSYS, ret+24(FP)
	RET

// Memory comes from sbrk alone.

TEXT runtime·sysMmap(SB),NOSPLIT,$0-48
	MOVQ	$0, p+32(FP)
	MOVQ	$ENOMEM, err+40(FP)
	RET
TEXT runtime·sysMunmap(SB),NOSPLIT,$0-16
	RET
TEXT runtime·mincore(SB),NOSPLIT,$0-28
	MOVL	$-ENOSYS, ret+24(FP)
	RET
TEXT runtime·sbrk0(SB),NOSPLIT,$0-8
	MOVQ	$0, ret+0(FP)
	RET
TEXT runtime·vgetrandom1<ABIInternal>(SB),NOSPLIT,$0-48
	MOVQ	$-1, AX
	RET

// C code, which is never there.

TEXT runtime·callCgoMmap(SB),NOSPLIT,$0-40
	CALL	runtime·abort(SB)
	RET
TEXT runtime·callCgoMunmap(SB),NOSPLIT,$0-16
	CALL	runtime·abort(SB)
	RET
TEXT runtime·callCgoSigaction(SB),NOSPLIT,$0-28
	CALL	runtime·abort(SB)
	RET

// Files that only other systems' runtimes open.

TEXT runtime·pipe2(SB),NOSPLIT,$0-20
	MOVL	$ENOSYS, errno+16(FP)
	RET
TEXT runtime·access(SB),NOSPLIT,$0-20
	MOVL	$-ENOSYS, ret+16(FP)
	RET
TEXT runtime·connect(SB),NOSPLIT,$0-28
	MOVL	$-ENOSYS, ret+24(FP)
	RET
TEXT runtime·socket(SB),NOSPLIT,$0-20
	MOVL	$-ENOSYS, ret+16(FP)
	RET
