//go:build yolk

package amd64

import (
	"sync/atomic"
	"unsafe"
)

// Interrupt controllers.  TamaGo's lapic and ioapic packages take 32-bit
// identity-mapped addresses; Yolk has no identity map, so these few registers
// are reached through the direct map instead.

// APIC is the local interrupt controller (SDM 3A ch. 11).
type APIC struct {
	base uintptr // virtual address of its register page
}

// Local APIC registers, byte offsets (SDM 3A table 11-1).
const (
	apicEOI      = 0x0b0
	apicSpurious = 0x0f0
	apicTimer    = 0x320
	apicLINT0    = 0x350
	apicLINT1    = 0x360
	apicInitial  = 0x380
	apicCurrent  = 0x390
	apicDivide   = 0x3e0

	apicEnable     = 1 << 8
	apicMasked     = 1 << 16
	apicPeriodic   = 1 << 17
	apicDivideBy16 = 0x3
)

// Interrupt vectors of the devices that Yolk listens to.
const (
	TimerVector    = 32
	SpuriousVector = 255
)

// NewAPIC enables the local APIC, whose registers appear at directMap plus their
// physical address, with every source but the timer masked.
func NewAPIC(directMap uint64) *APIC {
	a := &APIC{base: uintptr(directMap + ReadMSR(msrAPICBase)&^0xfff)}
	a.write(apicSpurious, apicEnable|SpuriousVector)
	a.write(apicLINT0, apicMasked)
	a.write(apicLINT1, apicMasked)
	a.write(apicDivide, apicDivideBy16)
	a.Stop()
	return a
}

// EOI tells the controller that the interrupt in service has been handled.
func (a *APIC) EOI() { a.write(apicEOI, 0) }

// Periodic makes the timer interrupt every count of its ticks.
func (a *APIC) Periodic(count uint32) {
	a.write(apicTimer, apicPeriodic|TimerVector)
	a.write(apicInitial, count)
}

// Once makes the timer interrupt once, count ticks from now.
func (a *APIC) Once(count uint32) {
	a.write(apicTimer, TimerVector)
	a.write(apicInitial, count)
}

// Stop masks the timer.
func (a *APIC) Stop() {
	a.write(apicTimer, apicMasked)
	a.write(apicInitial, 0)
}

// Countdown starts the masked timer at its highest count, for calibration;
// Elapsed returns how many ticks have gone since.
func (a *APIC) Countdown() {
	a.write(apicTimer, apicMasked)
	a.write(apicInitial, ^uint32(0))
}

// Elapsed returns the ticks since Countdown.
func (a *APIC) Elapsed() uint32 { return ^a.read(apicCurrent) }

func (a *APIC) reg(off uintptr) *uint32 { return at[uint32](a.base + off) }

func (a *APIC) read(off uintptr) uint32       { return atomic.LoadUint32(a.reg(off)) }
func (a *APIC) write(off uintptr, val uint32) { atomic.StoreUint32(a.reg(off), val) }

// IOAPIC spreads the devices' interrupt lines (82093AA data sheet).
type IOAPIC struct {
	base uintptr
}

// ioapicAddress is where QEMU's machines have their first I/O APIC.
const ioapicAddress = 0xfec00000

// NewIOAPIC returns the I/O APIC seen through the direct map.
func NewIOAPIC(directMap uint64) *IOAPIC {
	return &IOAPIC{base: uintptr(directMap + ioapicAddress)}
}

// Route sends an edge-triggered line to a vector of processor 0.
func (io *IOAPIC) Route(line int, vector uint32) {
	entry := uint32(0x10 + 2*line)
	io.write(entry+1, 0)
	io.write(entry, vector)
}

func (io *IOAPIC) write(reg, val uint32) {
	atomic.StoreUint32(at[uint32](io.base), reg)
	atomic.StoreUint32(at[uint32](io.base+0x10), val)
}

// at is the object at a virtual address that is not Go's to move: a device's
// register, or RAM seen through the direct map.
func at[T any](va uintptr) *T { return *(**T)(unsafe.Pointer(&va)) }
