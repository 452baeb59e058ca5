package sys

// Call makes the system call nr with six arguments in RDI, RSI, RDX, R10, R8
// and R9, and gives back RAX, or the error number where RAX is in -4095…-1.
//
// It takes no stack of its own, so that the child of a vfork may call it, with
// arguments that are numbers.  A pointer argument is written as
// uintptr(unsafe.Pointer(p)) in the call itself: since the function is assembly,
// the compiler keeps what p points at alive and in its place during the call
// (package unsafe, rule 4).
func Call(nr, a1, a2, a3, a4, a5, a6 uintptr) (r uintptr, e Errno)

// vfork makes the vfork call and runs the child in it; see [VFork].
//
//go:noescape
func vfork(c Child) uintptr

// vforkHere is vfork without room of its own; see [VForkChild].
//
//go:noescape
func vforkHere(c Child) uintptr

// vforkReturns is vfork as C has it; see [VForkReturns].
func vforkReturns() uintptr

// signalPCs gives the addresses of the counting handler and of the restorer.
func signalPCs() (handler, restorer uintptr)

// readTSC reads the time-stamp counter (SDM 2B, RDTSC) behind a fence.
func readTSC() uint64

// countDown runs a loop of exactly two instructions n times, n > 0.
func countDown(n uint64)

// forkRegisters forks with a known pattern in every register; see [ForkRegisters].
//
//go:noescape
func forkRegisters(out *Registers) uintptr

// spinRegisters loops n times with the same pattern; see [SpinRegisters].
//
//go:noescape
func spinRegisters(n uint64, out *Registers)
