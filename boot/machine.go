//go:build yolk

package main

import (
	"encoding/binary"
	"time"
	"unsafe"

	tamago "github.com/usbarmory/tamago/amd64"
	"github.com/usbarmory/tamago/soc/intel/rtc"

	"yolk/arch/amd64"
	"yolk/kernel/dev"
	"yolk/mm"
)

// machine is the hardware behind kernel.Machine.
type machine struct {
	epoch int64 // wall time at boot, nanoseconds since 1970
}

// newMachine returns the machine with its wall clock set.
func newMachine() *machine {
	m := new(machine)
	m.readRTC()
	return m
}

// readRTC sets the wall clock from the real-time clock, which counts seconds.
func (m *machine) readRTC() {
	clock := &rtc.RTC{Location: time.UTC}
	for range 1000 { // an update in progress takes at most 2 ms (MC146818A)
		if now, err := clock.Now(); err == nil {
			m.epoch = now.UnixNano() - nanotime()
			return
		}
	}
}

// NewFrame implements kernel.Machine.  A TrapFrame holds no pointers and fills
// a size class of the Go heap that is a multiple of 16, so every one is aligned.
func (m *machine) NewFrame() *amd64.TrapFrame {
	f := new(amd64.TrapFrame)
	if uintptr(unsafe.Pointer(f))%16 != 0 {
		panic("a trap frame is not aligned for FXSAVE64")
	}
	return f
}

// Enter implements kernel.Machine.
func (m *machine) Enter(f *amd64.TrapFrame, root mm.Frame) {
	wantTicks()
	amd64.Enter(f, uint64(root)*pageSize)
	if v := f.Vector; v >= amd64.FirstInterrupt && v < amd64.Syscall {
		handleInterrupts()
	}
}

// Nanotime implements kernel.Machine.
func (m *machine) Nanotime() int64 { return nanotime() }

// Walltime implements kernel.Machine.
func (m *machine) Walltime() int64 { return m.epoch + nanotime() }

// Random implements kernel.Machine with the processor's RDRAND.
func (m *machine) Random(b []byte) { tamago.GetRandomData(b) }

// Log implements kernel.Machine.
func (m *machine) Log(line string) { logString(line + "\n") }

// PowerOff implements kernel.Machine: the status goes to the host in an EXIT
// frame, the last one (qemu/PROTOCOL.md).
func (m *machine) PowerOff(status uint32) {
	frame := binary.LittleEndian.AppendUint32([]byte{dev.FrameExit, 4, 0}, status)
	amd64.OutBytes(portChannel, &frame[0], len(frame))
	powerOff(exitNormal)
}
