package kernel

import (
	"yolk/arch/amd64"
	"yolk/mm"
)

// Machine is the hardware as the kernel proper needs it: boot supplies the
// real one, the tests a scripted one.
type Machine interface {
	// NewFrame returns a zeroed trap frame at an address that the
	// processor's FXSAVE64 accepts.
	NewFrame() *amd64.TrapFrame

	// Enter runs user mode from f's state in the address space whose root
	// is given, and returns when user mode ends: f then holds the state and,
	// in Vector, Error and CR2, the reason.  A device's interrupt has been
	// acknowledged and its waiter made ready by then; the kernel only has
	// to give other goroutines their turn.  Called with the kernel lock held.
	Enter(f *amd64.TrapFrame, root mm.Frame)

	// Nanotime is the time since boot in nanoseconds; it never goes back.
	Nanotime() int64

	// Walltime is the time since the epoch in nanoseconds.
	Walltime() int64

	// Random fills b with random bytes.
	Random(b []byte)

	// Log writes one line to the kernel's log.
	Log(line string)

	// PowerOff ends the machine; the host learns the status, a wait status
	// as in wait(2).  It does not return on the real machine.
	PowerOff(status uint32)
}
