//go:build yolk

#include "go_asm.h"
#include "textflag.h"

#define SYS_write		1
#define SYS_mmap		9
#define SYS_nanosleep		35
#define SYS_clock_gettime	228
#define SYS_exit_group		231
#define SYS_getrandom		318

// The first instruction of the process. SP points at argc, as execve(2) left it,
// and stays: this is also the stack of the runtime's g0, and the system grows it.
TEXT cpuinit(SB),NOSPLIT|NOFRAME,$0
	MOVQ	$const_heapStart, DI
	MOVQ	$const_heapSize, SI
	MOVL	$3, DX		// PROT_READ|PROT_WRITE
	MOVL	$0x4032, R10	// MAP_PRIVATE|MAP_ANONYMOUS|MAP_FIXED|MAP_NORESERVE
	MOVQ	$-1, R8
	MOVL	$0, R9
	MOVL	$SYS_mmap, AX
	SYSCALL
	MOVQ	$const_heapStart, DI
	CMPQ	AX, DI
	JNE	fail
	JMP	_rt0_tamago_start(SB)
fail:
	MOVL	$2, DI
	LEAQ	noHeap<>(SB), SI
	MOVL	$24, DX
	MOVL	$SYS_write, AX
	SYSCALL
	MOVL	$2, DI
	MOVL	$SYS_exit_group, AX
	SYSCALL
	INT	$3

DATA	noHeap<>+0(SB)/8, $"cannot m"
DATA	noHeap<>+8(SB)/8, $"ap the G"
DATA	noHeap<>+16(SB)/8, $"o heap.\n"
GLOBL	noHeap<>(SB), RODATA, $24

// func clock(id uintptr) (sec, nsec int64)
// The two results lie one behind the other: they are the struct timespec.
TEXT ·clock(SB),NOSPLIT,$0-24
	MOVQ	id+0(FP), DI
	LEAQ	sec+8(FP), SI
	MOVL	$SYS_clock_gettime, AX
	SYSCALL
	RET

// func sleep(sec, nsec int64)
// The two arguments are the struct timespec.
TEXT ·sleep(SB),NOSPLIT,$0-16
	LEAQ	sec+0(FP), DI
	MOVL	$0, SI
	MOVL	$SYS_nanosleep, AX
	SYSCALL
	RET

// func getrandom(b []byte)
TEXT ·getrandom(SB),NOSPLIT,$0-24
	MOVQ	b_base+0(FP), DI
	MOVQ	b_len+8(FP), SI
	MOVL	$0, DX
	MOVL	$SYS_getrandom, AX
	SYSCALL
	RET
