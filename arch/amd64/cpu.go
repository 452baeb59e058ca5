//go:build yolk

package amd64

// The instructions below have no words in Go.  TamaGo has most of them too,
// but in packages internal to its module; and its MMIO accessors take 32-bit
// identity-mapped addresses, where Yolk reaches devices through the direct map.

// In8 reads a byte from an I/O port (IN, SDM 2A).
func In8(port uint16) uint8

// Out8 writes a byte to an I/O port (OUT, SDM 2B).
func Out8(port uint16, val uint8)

// Out32 writes a 32-bit word to an I/O port.
func Out32(port uint16, val uint32)

// OutBytes writes n bytes from p to an I/O port, in order (REP OUTSB).
func OutBytes(port uint16, p *byte, n int)

// CPUID returns the four result registers for a leaf and subleaf (SDM 2A).
func CPUID(leaf, subleaf uint32) (eax, ebx, ecx, edx uint32)

// TSC reads the time-stamp counter (RDTSC, SDM 2B).
func TSC() uint64

// ReadMSR and WriteMSR access a model-specific register (SDM 4).
func ReadMSR(msr uint32) uint64
func WriteMSR(msr uint32, val uint64)

// ReadCR0 to WriteCR4 access the control registers (SDM 3A §2.5).
func ReadCR0() uint64
func WriteCR0(val uint64)
func ReadCR3() uint64
func WriteCR3(val uint64)
func ReadCR4() uint64
func WriteCR4(val uint64)

// InvalidatePage drops the TLB entries of one page (INVLPG, SDM 3A §4.10.4.1).
func InvalidatePage(va uint64)

// WaitInterrupt turns interrupts on, halts until one has been taken and turns
// them off again.  STI delays recognition by one instruction, so no interrupt
// can slip in between it and HLT (SDM 2B, STI).
func WaitInterrupt()

// Halt stops the processor for good.
func Halt()

// Bits of the control registers and of EFER (SDM 3A §2.2.1, §2.5).
const (
	CR0WriteProtect = 1 << 16

	CR4PageGlobal = 1 << 7
	CR4FXSR       = 1 << 9
	CR4XMMExcept  = 1 << 10
	CR4UMIP       = 1 << 11
	CR4SMEP       = 1 << 20
	CR4SMAP       = 1 << 21

	EFERSyscall   = 1 << 0
	EFERNoExecute = 1 << 11
)

// Model-specific registers (SDM 4 table 2-2).
const (
	msrAPICBase  = 0x1b
	msrEFER      = 0xc0000080
	msrSTAR      = 0xc0000081
	msrLSTAR     = 0xc0000082
	msrFMASK     = 0xc0000084
	msrFSBase    = 0xc0000100
	msrGSBase    = 0xc0000101
	fsBaseNumber = msrFSBase // for the assembly
)

// Features are the processor's abilities that Yolk uses or asks for.
type Features struct {
	NX, SMEP, SMAP, UMIP, RDRAND, Syscall, FXSR bool
}

// Detect reads the processor's features (SDM 2A, CPUID).
func Detect() Features {
	var f Features
	_, _, ecx, edx := CPUID(1, 0)
	f.RDRAND = ecx>>30&1 != 0
	f.FXSR = edx>>24&1 != 0
	if leaves, _, _, _ := CPUID(0, 0); leaves >= 7 {
		_, ebx, ecx, _ := CPUID(7, 0)
		f.SMEP = ebx>>7&1 != 0
		f.SMAP = ebx>>20&1 != 0
		f.UMIP = ecx>>2&1 != 0
	}
	if leaves, _, _, _ := CPUID(0x80000000, 0); leaves >= 0x80000001 {
		_, _, _, edx = CPUID(0x80000001, 0)
		f.NX = edx>>20&1 != 0
		f.Syscall = edx>>11&1 != 0
	}
	return f
}

// Protect turns on what keeps user and kernel apart: write protection in ring
// 0, SYSCALL, no-execute, and SMEP, SMAP and UMIP where the processor has them.
// The kernel reaches user memory through the direct map alone, so SMAP never
// has to be lifted.
func Protect(f Features) {
	WriteCR0(ReadCR0() | CR0WriteProtect)
	WriteMSR(msrEFER, ReadMSR(msrEFER)|EFERSyscall|EFERNoExecute)
	cr4 := ReadCR4() | CR4FXSR | CR4XMMExcept | CR4PageGlobal
	if f.SMEP {
		cr4 |= CR4SMEP
	}
	if f.SMAP {
		cr4 |= CR4SMAP
	}
	if f.UMIP {
		cr4 |= CR4UMIP
	}
	WriteCR4(cr4)
}
