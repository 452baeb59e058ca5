package amd64

import (
	"reflect"
	"testing"
	"unsafe"
)

func TestTrapFrameFitsFXSAVE(t *testing.T) {
	var f TrapFrame
	if off := unsafe.Offsetof(f.FPU); off%16 != 0 {
		t.Errorf("FPU state at offset %d: FXSAVE64 wants a multiple of 16", off)
	}
	if len(f.FPU) != 512 {
		t.Errorf("FPU state of %d bytes, FXSAVE64 writes 512", len(f.FPU))
	}
}

// A frame with a pointer would be scanned, and Go puts a header of 8 bytes before
// objects with pointers of this size: they would not be aligned.
func TestTrapFrameHoldsNoPointers(t *testing.T) {
	typ := reflect.TypeFor[TrapFrame]()
	for i := range typ.NumField() {
		f := typ.Field(i)
		if f.Type.Kind() != reflect.Uint64 && f.Name != "FPU" {
			t.Errorf("field %s is a %v", f.Name, f.Type)
		}
	}
}

// IRETQ pops RIP, CS, RFLAGS, RSP, SS in this order (SDM 2A, IRET).
func TestTrapFrameIsInIRETOrder(t *testing.T) {
	var f TrapFrame
	base := unsafe.Offsetof(f.RIP)
	for i, off := range []uintptr{unsafe.Offsetof(f.RIP), unsafe.Offsetof(f.CS),
		unsafe.Offsetof(f.RFLAGS), unsafe.Offsetof(f.RSP), unsafe.Offsetof(f.SS)} {
		if off != base+uintptr(8*i) {
			t.Errorf("word %d of the IRET frame lies at offset %d", i, off-base)
		}
	}
}

func TestResetLeaksNothing(t *testing.T) {
	var f TrapFrame
	p := (*[unsafe.Sizeof(f)]byte)(unsafe.Pointer(&f))
	for i := range p {
		p[i] = 0xa5
	}
	f.Reset(0x401000, 0x7ffffff0)
	want := TrapFrame{RIP: 0x401000, RSP: 0x7ffffff0, CS: UserCode, SS: UserData, RFLAGS: FlagsFixed}
	want.FPU[0], want.FPU[1] = 0x7f, 0x03
	want.FPU[24], want.FPU[25] = 0x80, 0x1f
	if f != want {
		t.Error("the frame of a first instruction holds more than RIP, RSP, selectors, flags and the FPU's initial state")
	}
	if f.CS&3 != 3 || f.SS&3 != 3 || f.RFLAGS&FlagInterrupt == 0 || f.RFLAGS&FlagIOPL != 0 {
		t.Errorf("not user mode with interrupts on: cs %#x ss %#x rflags %#x", f.CS, f.SS, f.RFLAGS)
	}
}

// SYSRET takes SS from STAR[63:48]+8 and CS from STAR[63:48]+16 (APM 3).
func TestSelectorsSuitSYSRET(t *testing.T) {
	if UserCode != UserData+8 {
		t.Errorf("UserCode %#x does not follow UserData %#x", UserCode, UserData)
	}
	if KernelData != KernelCode+8 {
		t.Errorf("KernelData %#x does not follow KernelCode %#x (SYSCALL)", KernelData, KernelCode)
	}
}
