//go:build yolk

package main

import (
	"fmt"
	"runtime"
	"strings"
	"unsafe"

	"golang.org/x/arch/x86/x86asm"

	"yolk/arch/amd64"
	"yolk/mm"
)

// dying is set once a report has begun: a second fault in it ends the machine
// at once instead of reporting for ever.
var dying bool

// reportKernelFault is amd64.OnKernelFault: it says what the processor said,
// then panics, so that the Go runtime adds the trace of the faulting goroutine
// and ends the machine through exit.
func reportKernelFault(t *amd64.KernelTrap) {
	if dying {
		lastWords(t)
	}
	dying = true
	var b strings.Builder
	fmt.Fprintf(&b, "\nkernel fault: %s\n", describeTrap(t))
	fmt.Fprintf(&b, "at %#x %s\n    %s\n", t.IP, symbol(t.IP), disassemble(t.IP))
	writeRegisters(&b, t)
	logString(b.String())
	panic("kernel fault")
}

// describeTrap puts vector, error code and CR2 into words.
func describeTrap(t *amd64.KernelTrap) string {
	switch t.Vector {
	case amd64.PageFault:
		return fmt.Sprintf("page fault at %#x: %s (error code %#x)", t.CR2, describePageFault(t.Error), t.Error)
	case amd64.GeneralProtection:
		return fmt.Sprintf("general protection fault (error code %#x)", t.Error)
	}
	return fmt.Sprintf("exception %d (error code %#x)", t.Vector, t.Error)
}

// describePageFault decodes a page fault's error code (SDM 3A §4.7).
func describePageFault(code uint64) string {
	words := []string{mm.FaultCode(code).Access(), "a missing page"}
	switch {
	case code&8 != 0:
		words[1] = "a page whose entry has a reserved bit set"
	case code&1 != 0:
		words[1] = "a protected page"
	}
	if code&4 == 0 {
		words = append(words, "in kernel mode")
	}
	return strings.Join(words, " ")
}

// symbol names the function, file and line of an address.
func symbol(pc uint64) string {
	fn := runtime.FuncForPC(uintptr(pc))
	if fn == nil {
		return "(no function)"
	}
	file, line := fn.FileLine(uintptr(pc))
	return fmt.Sprintf("%s %s:%d", fn.Name(), file, line)
}

// disassemble shows the instruction at pc, if pc lies in the kernel's text.
func disassemble(pc uint64) string {
	if runtime.FuncForPC(uintptr(pc)) == nil {
		return "(not in the kernel's text)"
	}
	inst, err := x86asm.Decode(unsafe.Slice((*byte)(virtual(pc)), 15), 64)
	if err != nil {
		return "(not an instruction)"
	}
	return x86asm.GoSyntax(inst, pc, nil)
}

func writeRegisters(b *strings.Builder, t *amd64.KernelTrap) {
	registers := []struct {
		name string
		val  uint64
	}{
		{"rax", t.AX}, {"rbx", t.BX}, {"rcx", t.CX}, {"rdx", t.DX},
		{"rsi", t.SI}, {"rdi", t.DI}, {"rbp", t.BP}, {"rsp", t.SP},
		{"r8 ", t.R8}, {"r9 ", t.R9}, {"r10", t.R10}, {"r11", t.R11},
		{"r12", t.R12}, {"r13", t.R13}, {"r14", t.R14}, {"r15", t.R15},
		{"rip", t.IP}, {"rfl", t.Flags}, {"cr2", t.CR2}, {"cr3", amd64.ReadCR3()},
	}
	for i, r := range registers {
		sep := "  "
		if i%4 == 3 {
			sep = "\n"
		}
		fmt.Fprintf(b, "%s %016x%s", r.name, r.val, sep)
	}
}

// lastWords is amd64.OnDoubleFault: no stack can be trusted, so it writes what
// it knows byte by byte and ends the machine.
//
//go:nosplit
func lastWords(t *amd64.KernelTrap) {
	logHex("\nkernel fault without a usable stack: vector ", t.Vector)
	logHex("\nrip ", t.IP)
	logHex("  rsp ", t.SP)
	logHex("  cr2 ", t.CR2)
	logString("\n")
	powerOff(exitPanic)
}
