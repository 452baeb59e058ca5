package scripted

import (
	"testing"

	"yolk/arch/amd64"
	"yolk/mm"
)

// boot returns a machine with one address space that has a writable page at
// 0x1000 and executable code at 0x10000.
func boot(t *testing.T, code []byte) (*Machine, *mm.AddressSpace) {
	t.Helper()
	phys := mm.HostMemory(64)
	frames := mm.NewFrames(phys)
	frames.AddFree(1, 63)
	m := New(phys)
	root, err := frames.AllocZeroed()
	must(t, err)
	mem, err := mm.New(mm.Config{Phys: phys, Frames: frames, TLB: m.MMU, KernelRoot: root})
	must(t, err)
	as, err := mem.NewSpace(mm.NewBudget(nil, 1<<20))
	must(t, err)
	for _, q := range []mm.MapRequest{
		{Addr: 0x1000, Length: mm.PageSize, Prot: mm.ReadWrite, Fixed: mm.FixedReplace},
		{Addr: 0x10000, Length: 2 * mm.PageSize, Prot: mm.ReadWrite, Fixed: mm.FixedReplace},
	} {
		_, err := as.Map(q)
		must(t, err)
	}
	must(t, as.CopyOut(0x10000, code))
	must(t, as.Protect(0x10000, 2*mm.PageSize, mm.Read|mm.Exec))
	return m, as
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// run runs code until it traps for good, answering page faults.
func run(t *testing.T, a *Asm) *amd64.TrapFrame {
	t.Helper()
	m, as := boot(t, a.Bytes())
	f := new(amd64.TrapFrame)
	f.Reset(0x10000, 0x2000)
	for {
		m.Enter(f, as.Root())
		if f.Vector == amd64.PageFault {
			if _, err := as.Fault(mm.VirtAddr(f.CR2), mm.FaultCode(f.Error)); err == nil {
				continue
			}
		}
		if f.Vector != amd64.FirstInterrupt {
			return f
		}
	}
}

func TestInstructions(t *testing.T) {
	asm := func() *Asm { return &Asm{Base: 0x10000} }
	for name, c := range map[string]struct {
		a      *Asm
		rax    uint64
		vector uint64
	}{
		"move":         {asm().Mov(R15, 7).Copy(RAX, R15).Raw(opInt3), 7, amd64.Breakpoint},
		"add":          {asm().Mov(RAX, -1).Mov(R9, 3).Add(RAX, R9).Raw(opInt3), 2, amd64.Breakpoint},
		"xor":          {asm().Mov(RAX, 6).Xor(RAX, RAX).Jz("z").Raw(0xf4).Label("z").Raw(opInt3), 0, amd64.Breakpoint},
		"sub":          {asm().Mov(RAX, 1).Mov(RBX, 2).Sub(RAX, RBX).Js("s").Raw(0xf4).Label("s").Raw(opInt3), 1<<64 - 1, amd64.Breakpoint},
		"memory":       {asm().Mov(R12, 0x1100).Mov(RCX, 9).Store(R12, -8, RCX).Load(RAX, R12, -8).Raw(opInt3), 9, amd64.Breakpoint},
		"byte":         {asm().Mov(RBP, 0x1000).Mov(RCX, 0x1ff).Store8(RBP, 1, RCX).Load(RAX, RBP, 0).Raw(opInt3), 0xff00, amd64.Breakpoint},
		"call":         {asm().Call("f").Raw(opInt3).Label("f").Mov(RAX, 5).Ret(), 5, amd64.Breakpoint},
		"stack":        {asm().Mov(RCX, 8).Push(RCX).Pop(RAX).Raw(opInt3), 8, amd64.Breakpoint},
		"xmm":          {asm().Mov(RAX, 11).ToXMM().Mov(RAX, 0).FromXMM().Raw(opInt3), 11, amd64.Breakpoint},
		"loop":         {asm().Mov(RCX, 2000).Label("l").AddImm(RAX, 2).AddImm(RCX, -1).Jnz("l").Raw(opInt3), 4000, amd64.Breakpoint},
		"syscall":      {asm().Syscall(39), 39, amd64.Syscall},
		"unknown":      {asm().Raw(0x0f, 0x0b), 0, amd64.InvalidOpcode},
		"int 0x80":     {asm().Raw(0xcd, 0x80), 0, amd64.GeneralProtection},
		"wild jump":    {asm().Mov(RAX, 1<<50).JmpReg(RAX), 1 << 50, amd64.GeneralProtection},
		"wild read":    {asm().Mov(RBX, 1<<50).Load(RAX, RBX, 0), 0, amd64.GeneralProtection},
		"no page":      {asm().Mov(RBX, 0x5000).Load(RAX, RBX, 0), 0, amd64.PageFault},
		"read-only":    {asm().Mov(RBX, 0x10000).Store(RBX, 0, RBX), 0, amd64.PageFault},
		"not for code": {asm().Mov(RAX, 0x1000).JmpReg(RAX), 0x1000, amd64.PageFault},
	} {
		if f := run(t, c.a); f.RAX != c.rax || f.Vector != c.vector {
			t.Errorf("%s: RAX %#x and vector %d, want %#x and %d", name, f.RAX, f.Vector, c.rax, c.vector)
		}
	}
}

// A faulting instruction has no effect and can be repeated, also one that
// crosses pages.
func TestFaultsAreRestartable(t *testing.T) {
	a := &Asm{Base: 0x10000}
	a.Jmp("far").Raw(make([]byte, mm.PageSize-12)...).Label("far").Mov(RAX, 0x1122334455667788)
	a.Mov(RBX, 0x1ff8).Store(RBX, 0, RAX).Load(RAX, RBX, 0).Raw(opInt3)
	if f := run(t, a); f.RAX != 0x1122334455667788 || f.Vector != amd64.Breakpoint {
		t.Errorf("RAX %#x, vector %d, RIP %#x", f.RAX, f.Vector, f.RIP)
	}
}

func TestEnterRefusesRing0(t *testing.T) {
	m, as := boot(t, nil)
	for name, spoil := range map[string]func(f *amd64.TrapFrame){
		"CS":      func(f *amd64.TrapFrame) { f.CS = amd64.KernelCode },
		"SS":      func(f *amd64.TrapFrame) { f.SS = amd64.KernelData },
		"RIP":     func(f *amd64.TrapFrame) { f.RIP = 1 << 47 },
		"FS base": func(f *amd64.TrapFrame) { f.FSBase = 1 << 47 },
		"IOPL":    func(f *amd64.TrapFrame) { f.RFLAGS |= amd64.FlagIOPL },
		"IF":      func(f *amd64.TrapFrame) { f.RFLAGS &^= amd64.FlagInterrupt },
	} {
		f := new(amd64.TrapFrame)
		f.Reset(0x10000, 0x2000)
		spoil(f)
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: user mode was entered", name)
				}
			}()
			m.Enter(f, as.Root())
		}()
	}
}
