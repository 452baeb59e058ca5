//go:build yolk

#include "go_asm.h"
#include "textflag.h"

// cpuinit is the kernel's first instruction, entered by the low entry stub that
// tools/pvh adds: 64-bit mode, interrupts off, the stub's page tables loaded
// (image, direct map and identity map), RDI = physical address of hvm_start_info.
TEXT cpuinit(SB), NOSPLIT|NOFRAME, $0
	// Step 1: SSE, which compiled Go uses everywhere (SDM 3A §10.5): clear
	// CR0.EM, set CR0.MP, then CR4.OSFXSR and CR4.OSXMMEXCPT.
	MOVQ	CR0, AX
	ANDQ	$~(1<<2), AX
	ORQ	$(1<<1), AX
	MOVQ	AX, CR0
	MOVQ	CR4, AX
	ORQ	$(1<<9 | 1<<10), AX
	MOVQ	AX, CR4

	// Step 2: the stack that becomes g0's, from the end of the array down.
	LEAQ	·bootStack+const_bootStackSize(SB), SP
	ANDQ	$~15, SP

	// Step 3: calling Go loads g from -8(FS); give it a word to find there.
	LEAQ	·noG+8(SB), AX
	MOVQ	AX, DX
	SHRQ	$32, DX
	MOVL	$0xc0000100, CX
	WRMSR

	// Step 4: read what the loader left, choose the heap, start the clock.
	PUSHQ	$0
	PUSHQ	DI
	CALL	·early(SB)
	ADDQ	$16, SP

	// Step 5: the Go runtime; it ends in main.main.
	JMP	_rt0_tamago_start(SB)
