//go:build yolk

#include "textflag.h"

// func funcEntry() uint64
TEXT ·funcEntry(SB), NOSPLIT, $0-8
	LEAQ	·invalid(SB), AX
	MOVQ	AX, ret+0(FP)
	RET

// func jump(to uint64)
TEXT ·jump(SB), NOSPLIT, $0-8
	MOVQ	to+0(FP), AX
	CALL	AX
	RET

// func invalid()
TEXT ·invalid(SB), NOSPLIT, $0-0
	UNDEF
	RET
