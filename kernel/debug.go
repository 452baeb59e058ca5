package kernel

import (
	"yolk/arch/amd64"
	"yolk/mm"
)

// DebugRoot is what GDB reads: boot passes its address to New.  It stays where
// it is and holds nothing but plain fields, so that a debugger needs to
// understand neither Go's maps nor its interfaces.
var DebugRoot Debug

const debugVersion = 1

// Debug is the process table as a debugger sees it.
type Debug struct {
	Version   uint32                     // changes when the layout does
	Processes [MaxProcesses]DebugProcess // by slot
}

// DebugProcess is one slot; PID 0 is a free one.
type DebugProcess struct {
	PID, Parent int32
	State       State
	Comm        [16]byte         // NUL-terminated
	Root        mm.Frame         // the PML4's frame; 0: has left its address space
	Frame       *amd64.TrapFrame // registers of user mode
	Space       *mm.AddressSpace
}

// update fills the slot of p.
func (d *Debug) update(p *Process) {
	s := &d.Processes[p.slot]
	*s = DebugProcess{
		PID: int32(p.pid), Parent: int32(p.Parent()), State: p.state,
		Root: p.root, Frame: p.frame, Space: p.space,
	}
	copy(s.Comm[:15], p.image.comm)
}

// The functions below do nothing: they are for breakpoints.  hookEnter is called
// before a process enters user mode for the first time.

//go:noinline
func hookFork(parent, child *Process) {}

//go:noinline
func hookVfork(parent, child *Process) {}

//go:noinline
func hookExec(p *Process) {}

//go:noinline
func hookExit(p *Process) {}

//go:noinline
func hookEnter(p *Process) {}
