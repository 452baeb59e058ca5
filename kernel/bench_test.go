package kernel

import (
	"testing"

	"yolk/arch/amd64"
	"yolk/kernel/abi"
	"yolk/kernel/scripted"
	"yolk/mm"
)

// nullMachine is a processor whose programs do nothing but call getpid.
type nullMachine struct {
	*scripted.Machine
	left int
}

func (m *nullMachine) Enter(f *amd64.TrapFrame, _ mm.Frame) {
	f.Vector, f.RAX = amd64.Syscall, abi.SysGetpid
	if m.left--; m.left < 0 {
		f.RAX, f.RDI = abi.SysReboot, uint64(abi.REBOOT_MAGIC1)
		f.RDX = uint64(abi.REBOOT_POWER_OFF)
	}
}

// BenchmarkNullCall measures the way from one trap to the next, without the
// hardware's part of it.
func BenchmarkNullCall(b *testing.B) {
	s := newSystem(b, options{})
	s.log.Attach(0, nil, nil)
	s.program("/init", func(a *Asm) { a.Probe(1) })
	s.k.machine = &nullMachine{s.m, b.N}
	b.ReportAllocs()
	b.ResetTimer()
	s.boot("/init")
}
