//go:build yolk

// The way into user mode and the ways out of it.
//
// Interrupts are off throughout: the gates are interrupt gates, SYSCALL masks
// IF, and the kernel never sets it but to halt.  So there is one trap at a time,
// and the variables ·current, ·kernelSP and ·userSP need no lock.

#include "go_asm.h"
#include "textflag.h"

// SAVE stores the registers that every exit from user mode saves alike.
#define SAVE(F) \
	MOVQ	BX, TrapFrame_RBX(F) \
	MOVQ	DX, TrapFrame_RDX(F) \
	MOVQ	SI, TrapFrame_RSI(F) \
	MOVQ	DI, TrapFrame_RDI(F) \
	MOVQ	BP, TrapFrame_RBP(F) \
	MOVQ	R8, TrapFrame_R8(F) \
	MOVQ	R9, TrapFrame_R9(F) \
	MOVQ	R10, TrapFrame_R10(F) \
	MOVQ	R12, TrapFrame_R12(F) \
	MOVQ	R13, TrapFrame_R13(F) \
	MOVQ	R14, TrapFrame_R14(F) \
	MOVQ	R15, TrapFrame_R15(F)

// LOAD is its mirror.
#define LOAD(F) \
	MOVQ	TrapFrame_RBX(F), BX \
	MOVQ	TrapFrame_RDX(F), DX \
	MOVQ	TrapFrame_RSI(F), SI \
	MOVQ	TrapFrame_RDI(F), DI \
	MOVQ	TrapFrame_RBP(F), BP \
	MOVQ	TrapFrame_R8(F), R8 \
	MOVQ	TrapFrame_R9(F), R9 \
	MOVQ	TrapFrame_R10(F), R10 \
	MOVQ	TrapFrame_R12(F), R12 \
	MOVQ	TrapFrame_R13(F), R13 \
	MOVQ	TrapFrame_R14(F), R14 \
	MOVQ	TrapFrame_R15(F), R15

#define REX_W	BYTE $0x48
#define LTR_AX	BYTE $0x0f; BYTE $0x00; BYTE $0xd8

// func enter(f *TrapFrame)
TEXT ·enter(SB), NOSPLIT|NOFRAME, $0-8
	// Step 1: remember the way back.  The trap returns from this very call.
	MOVQ	f+0(FP), R15
	PUSHQ	BP
	MOVQ	SP, ·kernelSP(SB)
	MOVQ	R15, ·current(SB)

	// Step 2: the user's thread-local storage and FPU.
	MOVL	$const_fsBaseNumber, CX
	MOVL	TrapFrame_FSBase+0(R15), AX
	MOVL	TrapFrame_FSBase+4(R15), DX
	WRMSR
	FXRSTOR64	TrapFrame_FPU(R15)

	// Step 3: SYSRET where it restores all there is to restore: it loads RIP
	// from RCX and RFLAGS from R11, and on Intel a non-canonical RCX would
	// fault in ring 0 on the user's stack (CVE-2012-0217); so RIP must lie
	// in the lower half.  Everything else takes IRETQ.
	MOVQ	TrapFrame_RIP(R15), CX
	MOVQ	TrapFrame_RFLAGS(R15), R11
	CMPQ	CX, TrapFrame_RCX(R15)
	JNE	slow
	CMPQ	R11, TrapFrame_R11(R15)
	JNE	slow
	MOVQ	CX, AX
	SHRQ	$47, AX
	JNZ	slow
	BTQ	$8, R11		// a single step must not begin inside SYSRET
	JCS	slow
	MOVQ	TrapFrame_RAX(R15), AX
	MOVQ	TrapFrame_RSP(R15), SP
	LOAD(R15)
	REX_W
	SYSRET

slow:
	PUSHQ	TrapFrame_SS(R15)
	PUSHQ	TrapFrame_RSP(R15)
	PUSHQ	R11
	PUSHQ	TrapFrame_CS(R15)
	PUSHQ	CX
	MOVQ	TrapFrame_RAX(R15), AX
	MOVQ	TrapFrame_RCX(R15), CX
	MOVQ	TrapFrame_R11(R15), R11
	LOAD(R15)
	IRETQ

// The system-call gate: SYSCALL has put RIP into RCX and RFLAGS into R11 and
// left the user's stack pointer where it was (SDM 2B, SYSCALL).  CS and SS stay
// as they are in the frame: there is but one selector of each for ring 3.
TEXT ·syscallEntry(SB), NOSPLIT|NOFRAME, $0
	MOVQ	SP, ·userSP(SB)
	MOVQ	·current(SB), SP
	SAVE(SP)
	MOVQ	AX, TrapFrame_RAX(SP)
	MOVQ	CX, TrapFrame_RCX(SP)
	MOVQ	CX, TrapFrame_RIP(SP)
	MOVQ	R11, TrapFrame_R11(SP)
	MOVQ	R11, TrapFrame_RFLAGS(SP)
	MOVQ	·userSP(SB), AX
	MOVQ	AX, TrapFrame_RSP(SP)
	MOVQ	$const_Syscall, TrapFrame_Vector(SP)
	MOVQ	SP, R15
	JMP	leave<>(SB)

// leave returns from the call of enter.  R15 points to the frame; the FPU and
// thread-local storage are still the user's.
TEXT leave<>(SB), NOSPLIT|NOFRAME, $0
	FXSAVE64	TrapFrame_FPU(R15)
	MOVQ	·kernelSP(SB), SP

	// RFLAGS as Go wants it: a user's AC, DF, NT or TF must not live on.
	PUSHQ	$2
	POPFQ

	// Go's thread-local storage, without which g cannot be found, and its
	// rounding mode.  The wrapper around this call reloads R14 and X15.
	MOVL	$const_fsBaseNumber, CX
	MOVL	·kernelFS+0(SB), AX
	MOVL	·kernelFS+4(SB), DX
	WRMSR
	LDMXCSR	mxcsr<>(SB)
	MOVQ	(SP), BP
	LEAQ	8(SP), SP
	RET

DATA	mxcsr<>+0(SB)/4, $0x1f80
GLOBL	mxcsr<>(SB), RODATA|NOPTR, $4

// The gates: one entry a vector, const_gateSize bytes apart.  The address that
// CALL pushes tells the vector, so 256 entries need one handler.
#define NOP3	BYTE $0x0f; BYTE $0x1f; BYTE $0x00
#define GATE	CALL bare<>(SB); NOP3
#define CODE	CALL coded<>(SB); NOP3
#define GATE8	GATE; GATE; GATE; GATE; GATE; GATE; GATE; GATE
#define GATE32	GATE8; GATE8; GATE8; GATE8

TEXT ·gates(SB), NOSPLIT|NOFRAME, $0
	GATE8			// 0–7
	CODE			// 8 double fault
	GATE
	CODE			// 10 invalid TSS
	CODE			// 11 segment not present
	CODE			// 12 stack fault
	CODE			// 13 general protection
	CODE			// 14 page fault
	GATE
	GATE
	CODE			// 17 alignment check
	GATE
	GATE
	GATE
	CODE			// 21 control protection
	GATE
	GATE
	GATE8			// 24–31; 29 and 30 push codes under SEV alone
	GATE32; GATE32; GATE32; GATE32; GATE32; GATE32; GATE32

// bare makes room for the error code that the processor did not push.
TEXT bare<>(SB), NOSPLIT|NOFRAME, $0
	PUSHQ	(SP)
	MOVQ	$0, 8(SP)
	JMP	coded<>(SB)

// What lies on a trap stack once the gate's CALL has run.
#define GATEIP	0
#define ERRCODE	8
#define IP	16
#define CSEL	24
#define FLAGS	32
#define USP	40
#define SSEL	48

TEXT coded<>(SB), NOSPLIT|NOFRAME, $0
	TESTB	$3, CSEL(SP)
	JZ	kernel

	// From user mode: the trap stack's content moves into the frame.
	PUSHQ	R15
	MOVQ	·current(SB), R15
	SAVE(R15)
	MOVQ	AX, TrapFrame_RAX(R15)
	MOVQ	CX, TrapFrame_RCX(R15)
	MOVQ	R11, TrapFrame_R11(R15)
	POPQ	AX
	MOVQ	AX, TrapFrame_R15(R15)
	MOVQ	GATEIP(SP), AX
	CALL	vector<>(SB)
	MOVQ	AX, TrapFrame_Vector(R15)
	CMPQ	AX, $const_FirstInterrupt
	JB	noted
	BTSQ	AX, ·pending(SB)
noted:
	MOVQ	CR2, AX
	MOVQ	AX, TrapFrame_CR2(R15)
	MOVQ	ERRCODE(SP), AX
	MOVQ	AX, TrapFrame_Error(R15)
	MOVQ	IP(SP), AX
	MOVQ	AX, TrapFrame_RIP(R15)
	MOVQ	CSEL(SP), AX
	MOVQ	AX, TrapFrame_CS(R15)
	MOVQ	FLAGS(SP), AX
	MOVQ	AX, TrapFrame_RFLAGS(R15)
	MOVQ	USP(SP), AX
	MOVQ	AX, TrapFrame_RSP(R15)
	MOVQ	SSEL(SP), AX
	MOVQ	AX, TrapFrame_SS(R15)
	JMP	leave<>(SB)

kernel:
	PUSHQ	AX
	MOVQ	(GATEIP+8)(SP), AX
	CALL	vector<>(SB)
	CMPQ	AX, $const_FirstInterrupt
	JB	exception

	// An interrupt of the idle kernel: note it and go on.  The idle loop acknowledges.
	BTSQ	AX, ·pending(SB)
	POPQ	AX
	ADDQ	$16, SP
	IRETQ

exception:
	CMPQ	AX, $const_DoubleFault
	JEQ	fatal
	CMPQ	AX, $const_NonMaskable
	JEQ	fatal

	// The kernel's own exception: keep its state, then make it look as if
	// the faulting instruction had called raise, so that the traceback
	// starts there.  Go code keeps nothing below its stack pointer.
	MOVQ	AX, ·fault+KernelTrap_Vector(SB)
	POPQ	AX
	MOVQ	AX, ·fault+KernelTrap_AX(SB)
	CALL	keep<>(SB)

	// After a jump to nowhere the caller's return address is on the stack
	// already, and it is the better one.
	MOVQ	IP(SP), CX
	LEAQ	runtime·text(SB), AX
	CMPQ	CX, AX
	JB	called
	LEAQ	runtime·etext(SB), AX
	CMPQ	CX, AX
	JAE	called
	INCQ	CX		// a traceback looks one byte before a return address
	MOVQ	USP(SP), AX
	SUBQ	$8, AX
	MOVQ	CX, (AX)
	MOVQ	AX, USP(SP)
called:
	LEAQ	·raise(SB), AX
	MOVQ	AX, IP(SP)
	ADDQ	$16, SP
	IRETQ

fatal:
	// A double fault or NMI: the goroutine's stack is not to be trusted.
	MOVQ	AX, ·fault+KernelTrap_Vector(SB)
	POPQ	AX
	MOVQ	AX, ·fault+KernelTrap_AX(SB)
	CALL	keep<>(SB)
	CALL	·doubleFault(SB)
	INT	$3

// keep stores the kernel's state into ·fault.  It is called with the trap
// stack's content one return address further down.
TEXT keep<>(SB), NOSPLIT|NOFRAME, $0
	MOVQ	CX, ·fault+KernelTrap_CX(SB)
	MOVQ	DX, ·fault+KernelTrap_DX(SB)
	MOVQ	BX, ·fault+KernelTrap_BX(SB)
	MOVQ	BP, ·fault+KernelTrap_BP(SB)
	MOVQ	SI, ·fault+KernelTrap_SI(SB)
	MOVQ	DI, ·fault+KernelTrap_DI(SB)
	MOVQ	R8, ·fault+KernelTrap_R8(SB)
	MOVQ	R9, ·fault+KernelTrap_R9(SB)
	MOVQ	R10, ·fault+KernelTrap_R10(SB)
	MOVQ	R11, ·fault+KernelTrap_R11(SB)
	MOVQ	R12, ·fault+KernelTrap_R12(SB)
	MOVQ	R13, ·fault+KernelTrap_R13(SB)
	MOVQ	R14, ·fault+KernelTrap_R14(SB)
	MOVQ	R15, ·fault+KernelTrap_R15(SB)
	MOVQ	(ERRCODE+8)(SP), AX
	MOVQ	AX, ·fault+KernelTrap_Error(SB)
	MOVQ	(IP+8)(SP), AX
	MOVQ	AX, ·fault+KernelTrap_IP(SB)
	MOVQ	(FLAGS+8)(SP), AX
	MOVQ	AX, ·fault+KernelTrap_Flags(SB)
	MOVQ	(USP+8)(SP), AX
	MOVQ	AX, ·fault+KernelTrap_SP(SB)
	MOVQ	CR2, AX
	MOVQ	AX, ·fault+KernelTrap_CR2(SB)
	RET

// vector turns the address that a gate's CALL pushed, in AX, into its vector.
TEXT vector<>(SB), NOSPLIT|NOFRAME, $0
	PUSHQ	CX
	LEAQ	·gates(SB), CX
	SUBQ	CX, AX
	SHRQ	$3, AX		// return address = entry + 5: the division drops it
	POPQ	CX
	RET

// raise is entered by the IRETQ above with the faulting address as return
// address.
TEXT ·raise(SB), NOSPLIT, $0-0
	CALL	·kernelFault(SB)
	INT	$3

// func syscallAddr() uint64
TEXT ·syscallAddr(SB), NOSPLIT, $0-8
	LEAQ	·syscallEntry(SB), AX
	MOVQ	AX, ret+0(FP)
	RET

// func gatesAddr() uint64
TEXT ·gatesAddr(SB), NOSPLIT, $0-8
	LEAQ	·gates(SB), AX
	MOVQ	AX, ret+0(FP)
	RET

// func loadTables(gdt, gdtLimit, idt, idtLimit uint64)
TEXT ·loadTables(SB), NOSPLIT, $16-32
	MOVQ	gdt+0(FP), AX
	MOVQ	gdtLimit+8(FP), CX
	MOVW	CX, 0(SP)
	MOVQ	AX, 2(SP)
	LGDT	0(SP)
	MOVQ	idt+16(FP), AX
	MOVQ	idtLimit+24(FP), CX
	MOVW	CX, 0(SP)
	MOVQ	AX, 2(SP)
	LIDT	0(SP)

	// The selectors: CS through a far return, SS the plain way, DS and ES null
	// (64-bit mode ignores them, and user mode sees them).  FS stays: loading
	// it would clear the base that Go's thread-local storage hangs on.
	CALL	reloadCS<>(SB)
	MOVL	$const_KernelData, AX
	MOVW	AX, SS
	XORL	AX, AX
	MOVW	AX, DS
	MOVW	AX, ES
	MOVL	$const_tssSelector, AX
	LTR_AX
	RET

// reloadCS returns to its caller through RETFQ, with CS loaded anew.
TEXT reloadCS<>(SB), NOSPLIT|NOFRAME, $0
	POPQ	AX
	PUSHQ	$const_KernelCode
	PUSHQ	AX
	REX_W
	RETFL
