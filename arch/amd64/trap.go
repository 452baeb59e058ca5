//go:build yolk

package amd64

import "unsafe"

// Every gate runs on a stack of its own through the TSS's interrupt stack
// table (SDM 3A §6.14.5): a trap from user mode finds a good stack, and an
// interrupt of the idle kernel leaves the goroutine's stack alone.
const (
	istTrap = 1 + iota
	istDoubleFault
	istNMI

	// Stacks is the number of trap stacks that Install wants, in IST order.
	Stacks = 3
)

// gateSize is the distance in bytes of two entries of ·gates.
const gateSize = 8

// tables are what GDTR, IDTR and TR point to.  They live in writable data:
// the processor itself sets the TSS descriptor's busy bit.
var tables struct {
	gdt [8]uint64
	tss [104]byte
	idt [256][2]uint64
}

// State that the assembly reads and writes, RIP-relative: it is mapped in
// every address space, so neither SWAPGS nor a per-processor area is needed
// on a machine of one processor.
var (
	current  uint64     // address of the TrapFrame that the next trap from user mode fills
	userSP   uint64     // user RSP between SYSCALL and its place in the frame
	kernelSP uint64     // stack to go back to when user mode ends
	kernelFS uint64     // FS base of Go's thread-local storage, constant on one M
	pending  [4]uint64  // bit v: interrupt v was taken and not yet acknowledged
	fault    KernelTrap // the exception that the kernel itself raised

	loadedRoot uint64 // what CR3 holds
	loadedGS   uint64 // what the GS base holds
)

// KernelTrap is the state of the kernel at an exception of its own.
type KernelTrap struct {
	AX, CX, DX, BX, SP, BP, SI, DI       uint64
	R8, R9, R10, R11, R12, R13, R14, R15 uint64
	IP, Flags, Vector, Error, CR2        uint64
}

// OnKernelFault is called, on the stack of the goroutine that was running and
// as if by the faulting instruction, for an exception in kernel mode.  It must
// not return.  Boot sets it once, before Install.
var OnKernelFault func(*KernelTrap)

// OnDoubleFault is called on a trap stack for an exception that found no usable
// stack, or for an NMI.  It must be marked nosplit, as all that it calls, and
// must not return.
var OnDoubleFault func(*KernelTrap)

// Install loads the descriptor tables, the trap gates and the system-call
// gate.  stacks are the tops of the trap stacks, divisible by 16.
func Install(stacks [Stacks]uint64) {
	kernelFS = ReadMSR(msrFSBase)
	buildGDT(stacks)
	buildIDT()
	loadTables(uint64(addr(&tables.gdt)), uint64(len(tables.gdt)*8-1),
		uint64(addr(&tables.idt)), uint64(len(tables.idt)*16-1))
	loadedRoot = ReadCR3()

	// SYSCALL takes CS and SS from STAR[47:32], SYSRET from STAR[63:48]
	// (APM 2 §6.1.1).  FMASK clears what a user must not bring along: IF, or
	// an interrupt would find the user's stack pointer in ring 0; TF; DF; NT,
	// with which IRETQ faults; AC, which lifts SMAP.
	WriteMSR(msrSTAR, KernelCode<<32|(UserData-8)<<48)
	WriteMSR(msrLSTAR, syscallAddr())
	WriteMSR(msrFMASK, FlagInterrupt|FlagTrap|FlagDirection|FlagNested|FlagAlign|FlagIOPL)
	WriteMSR(msrGSBase, 0)
}

// buildGDT fills the descriptor table (SDM 3A §3.4.5, §7.2.3).
func buildGDT(stacks [Stacks]uint64) {
	const (
		code = 0x00209a0000000000 // present, code, 64-bit, DPL 0
		data = 0x0000920000000000 // present, writable data, DPL 0
		dpl3 = 3 << 45
	)
	tss := tssDescriptor(uint64(addr(&tables.tss)), uint64(len(tables.tss)-1))
	for i, top := range stacks {
		*(*uint64)(unsafe.Pointer(&tables.tss[36+8*i])) = top // IST1 lies at offset 36
	}
	*(*uint16)(unsafe.Pointer(&tables.tss[102])) = 104 // no I/O permission map: beyond the limit
	tables.gdt = [8]uint64{
		KernelCode / 8:    code,
		KernelData / 8:    data,
		UserData / 8:      data | dpl3,
		UserCode / 8:      code | dpl3,
		tssSelector / 8:   tss[0],
		tssSelector/8 + 1: tss[1],
	}
}

const tssSelector = 0x30

// buildIDT points all 256 vectors at their gates (SDM 3A §6.14.1).
func buildIDT() {
	base := gatesAddr()
	for v := range tables.idt {
		ist, dpl := uint64(istTrap), uint64(0)
		switch v {
		case DoubleFault:
			ist = istDoubleFault
		case NonMaskable:
			ist = istNMI
		}
		if v == Breakpoint || v == Overflow {
			dpl = 3 // INT3 and INTO are for programs; any other INT n is #GP
		}
		tables.idt[v] = interruptGate(base+uint64(v*gateSize), ist, dpl)
	}
}

// Enter runs user mode from f in the address space rooted at the given
// physical address and returns at the next trap; f then tells the state and
// the reason.  Interrupts are off before and after.
//
// CR3 is written only when it changes: the kernel half is the same under
// every root, so the kernel goes on under whichever was loaded last.
func Enter(f *TrapFrame, root uint64) {
	LoadRoot(root)
	if f.GSBase != loadedGS {
		loadedGS = f.GSBase
		WriteMSR(msrGSBase, loadedGS)
	}
	enter(f)
}

// LoadRoot makes root the page-table root, which also drops every TLB entry
// that is not global (SDM 3A §4.10.4.1).
func LoadRoot(root uint64) {
	if root != loadedRoot {
		loadedRoot = root
		WriteCR3(root)
	}
}

// Root returns the physical address of the loaded page-table root.
func Root() uint64 { return loadedRoot }

// FlushAll drops every TLB entry that is not global.
func FlushAll() { WriteCR3(loadedRoot) }

// TakeInterrupts returns the set of interrupts that were taken since the last
// call, bit v&63 of word v>>6 for vector v, and empties it.
func TakeInterrupts() [4]uint64 {
	taken := pending
	pending = [4]uint64{}
	return taken
}

// kernelFault is where the assembly goes with an exception of the kernel's.
func kernelFault() {
	OnKernelFault(&fault)
	Halt()
}

// doubleFault is where the assembly goes when no goroutine's stack can be used.
//
//go:nosplit
func doubleFault() {
	OnDoubleFault(&fault)
	Halt()
}

func addr[T any](p *T) uintptr { return uintptr(unsafe.Pointer(p)) }

// Defined in trap.s.
func enter(f *TrapFrame)
func raise()
func syscallAddr() uint64
func gatesAddr() uint64
func loadTables(gdt, gdtLimit, idt, idtLimit uint64)
