//go:build yolk

#include "textflag.h"

// The kernel's first instruction: 64-bit mode, as package pvh's entry code leaves
// it. Go needs SSE (SDM 3A §9.6).
TEXT cpuinit(SB),NOSPLIT|NOFRAME,$0
	MOVQ	CR0, AX
	ANDQ	$~(1<<2), AX	// EM off
	ORQ	$(1<<1), AX	// MP on
	MOVQ	AX, CR0
	MOVQ	CR4, AX
	ORQ	$(3<<9), AX	// OSFXSR, OSXMMEXCPT
	MOVQ	AX, CR4
	JMP	_rt0_tamago_start(SB)

// func rdtsc() uint64
TEXT ·rdtsc(SB),NOSPLIT,$0-8
	RDTSC
	SHLQ	$32, DX
	ORQ	DX, AX
	MOVQ	AX, ret+0(FP)
	RET

// func in8(port uint16) uint8
TEXT ·in8(SB),NOSPLIT,$0-9
	MOVW	port+0(FP), DX
	INB
	MOVB	AX, ret+8(FP)
	RET

// func out8(port uint16, v uint8)
TEXT ·out8(SB),NOSPLIT,$0-3
	MOVW	port+0(FP), DX
	MOVB	v+2(FP), AX
	OUTB
	RET

// func out32(port uint16, v uint32)
TEXT ·out32(SB),NOSPLIT,$0-8
	MOVW	port+0(FP), DX
	MOVL	v+4(FP), AX
	OUTL
	RET

// func wait()
// Interrupts are on only here. STI takes effect after the next instruction, so that
// none can slip in before HLT.
TEXT ·wait(SB),NOSPLIT,$0
	STI
	HLT
	CLI
	RET

// The local APIC's timer: mark line 0, acknowledge through the direct map.
TEXT tick<>(SB),NOSPLIT|NOFRAME,$0
	PUSHQ	AX
	LOCK
	ORL	$1, runtime∕goos·Pending(SB)
	MOVQ	$0xffff8000fee000b0, AX
	MOVL	$0, (AX)
	POPQ	AX
	IRETQ

// func tickPC() uint64
TEXT ·tickPC(SB),NOSPLIT,$0-8
	LEAQ	tick<>(SB), AX
	MOVQ	AX, ret+0(FP)
	RET

// func lidt(limit uint16, base uint64)
TEXT ·lidt(SB),NOSPLIT,$16-16
	MOVW	limit+0(FP), AX
	MOVQ	base+8(FP), BX
	MOVW	AX, 0(SP)
	MOVQ	BX, 2(SP)
	LIDT	0(SP)
	RET
