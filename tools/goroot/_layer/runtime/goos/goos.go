// Package goos is the seam between the Go runtime and whatever it runs on.
//
// It is TamaGo's contract (github.com/usbarmory/tamago/goos): a program without
// an operating system supplies the functions below, and sets the variables, from
// a board package by means of //go:linkname. Three things are added to it, each
// said to be ours where it is declared: Hosted, Walltime and the interrupt lines.
//
// # Order of events
//
//  1. The program's first instruction jumps to the assembly symbol cpuinit, which
//     the board package supplies. Nothing of Go exists yet, not even a stack.
//  2. cpuinit jumps to _rt0_tamago_start with a stack of at least 64 KiB below SP.
//  3. Hwinit0 runs on that stack, with g set, before any allocation is possible.
//  4. Unless Hosted: InitRNG, then GetRandomData for the runtime's own seed.
//  5. The runtime initialises memory, processor features and its one P.
//  6. Hwinit1 runs on the same stack; it may allocate. No goroutine exists yet.
//  7. The scheduler starts; package initialisers, then main.main, run.
//
// The clock must be right and monotonic from step 7 on.
package goos

// The functions without a body are supplied by the board package.
import "unsafe" // for go:linkname too

// Memory. The heap grows from Bloc to RamStart+RamSize; all of it must be mapped
// and read as zero when the runtime starts.
var (
	// RamStart is the lowest address of the memory given to the runtime.
	RamStart uint

	// RamSize is the length in bytes of the memory given to the runtime.
	RamSize uint

	// RamStackOffset is declared because TamaGo's packages define it. It is not
	// used: cpuinit chooses the stack.
	RamStackOffset uint

	// Bloc is where the heap starts; 0 means the end of the program's image.
	Bloc uintptr
)

// CPUInit is TamaGo's name for the first code that runs. It is never called: the
// entry point jumps to the assembly symbol cpuinit.
//
//go:linkname CPUInit
func CPUInit()

// Hwinit0 prepares what the runtime needs before it can allocate.
// It must not allocate.
//
//go:linkname Hwinit0
func Hwinit0()

// Hwinit1 runs after the runtime's own initialisation and before the scheduler.
//
//go:linkname Hwinit1
func Hwinit1()

// InitRNG prepares GetRandomData. It must not allocate.
//
//go:linkname InitRNG
func InitRNG()

// GetRandomData fills b with random bytes. It must not allocate.
//
//go:linkname GetRandomData
func GetRandomData(b []byte)

// Nanotime returns a monotonic clock in nanoseconds. It is called where stacks
// may not grow, so it must be assembly or //go:nosplit throughout.
//
//go:linkname Nanotime
func Nanotime() int64

// Printk writes one character to the console. It runs on the system stack and
// must not allocate. A Hosted program's Printk is never called.
//
//go:linkname Printk
func Printk(c byte)

// HeapRoom returns how many bytes the Go heap can still hand out, and the length
// of the longest piece among them.  Garbage that was not swept yet is none of
// them.  It allocates nothing and takes a few instructions. (Ours.)
//
//go:linkname HeapRoom
func HeapRoom() (total, largest uintptr)

// HeapReserve is what an allocation leaves of HeapRoom if it can: where less is
// left, all garbage is collected at once.  0, as at the start: never. (Ours.)
var HeapReserve uintptr

// Optional hooks; each may be nil.
var (
	// Exit ends the program. It does not return.
	Exit func(code int32)

	// Idle is called on the system stack when no goroutine can run. It returns
	// at the latest when Nanotime reaches until (math.MaxInt64: no limit), and
	// as soon as Pending is not zero; it may return earlier. It must not
	// allocate or block. Without Idle the scheduler polls the clock.
	Idle func(until int64)

	// ProcID, Task and Wake are declared because TamaGo's packages set them.
	// This runtime has one thread and uses none of them.
	ProcID func() uint64
	Task   func(sp, mp, gp, fn unsafe.Pointer)
	Wake   func(procid uint64)

	// Walltime returns the time since 1970-01-01 UTC. When it is nil,
	// the wall clock is Nanotime. (Ours.)
	Walltime func() (sec int64, nsec int32)
)

// Hosted says that an operating system is below: system calls are real SYSCALL
// instructions, and the initial stack holds argc, argv, envp and auxv as
// execve(2) leaves them. It must be set statically, by an initialised variable,
// because it is read by the first instructions. (Ours.)
//
//go:linkname Hosted
var Hosted bool

// Lines is the number of interrupt lines. (Ours.)
const Lines = 32

// Pending has bit n set while interrupt line n has fired and nobody has taken it.
//
// A processor's interrupt handler sets bits with a LOCK ORL; it can do that only
// while Idle has interrupts on, so that Go code never sees the word change under
// it. Many interrupts on a line before its goroutine runs are one wake-up: the
// goroutine must take all that its device has. (Ours.)
//
//go:linkname Pending
var Pending uint32

// WaitInterrupt parks the calling goroutine until interrupt line `line` is
// pending, takes it, and returns. It returns at once if it is pending already.
// One goroutine at a time may wait for a line, and line is less than Lines. (Ours.)
//
//go:linkname WaitInterrupt
func WaitInterrupt(line uint)

// Ready marks line as pending and makes the goroutine that waits for it runnable;
// the caller goes on running. It is for goroutines that learn of an interrupt by
// another way than Idle, as on return from user mode. (Ours.)
//
//go:linkname Ready
func Ready(line uint)
