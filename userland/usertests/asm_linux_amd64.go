package usertests

// jump runs the machine code at addr, which may return.
func jump(addr uintptr)

// sigreturn calls rt_sigreturn with the stack pointer at frame.  It does not return.
func sigreturn(frame uintptr)

// cloneOnStack is clone(2) for a child on a stack of its own.
func cloneOnStack(flags, stack uintptr, word *uint64) uintptr

// setMXCSR sets, getMXCSR reads the control register of the vector unit.
func setMXCSR(v uint32)
func getMXCSR() uint32

// selectors gives the code and stack segments of user mode.
func selectors() (cs, ss uint64)
