package kernel

// DebugRoot is where a debugger begins: boot passes its address to New.  From
// here the helpers in qemu/gdb follow pointers, through the types that the
// compiler describes in DWARF: process table, address spaces, page tables,
// reference counts, the last events.  No Go map is on the way.
//
// WHY nothing is copied into plain fields for the debugger: state that is kept
// twice has to be kept alike, at a cost, and the copy is wrong just when
// somebody looks for a bug.
var DebugRoot Debug

// debugVersion changes when a field that the helpers read does.
const debugVersion = 2

// Debug is the root.
type Debug struct {
	Version uint32 // 0 until there is a kernel
	Kernel  *Kernel
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
