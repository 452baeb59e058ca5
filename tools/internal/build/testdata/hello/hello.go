//go:build yolk

// Command hello is the least kernel on the private toolchain: TamaGo's processor
// and serial port packages, a clock, and one interrupt. It uses what the runtime
// promises (goroutines, channels, collections, sleep, interrupt lines), says so on
// COM1, and ends QEMU with status 2·3+1.
package main

import (
	"fmt"
	"os"
	"runtime"
	"runtime/goos"
	"time"
	"unsafe"

	_ "github.com/usbarmory/tamago/amd64" // random numbers
	"github.com/usbarmory/tamago/soc/intel/uart"
)

func main() {
	println("hello, high half:", uintptr(unsafe.Pointer(&idt)) > 0xffffffff80000000)
	start := time.Now()
	time.Sleep(20 * time.Millisecond)
	fmt.Println("slept:", time.Since(start) >= 20*time.Millisecond)
	fmt.Println("garbage:", garbage())
	startTicks()
	for range 5 {
		goos.WaitInterrupt(0)
	}
	fmt.Println("interrupts: 5")
	os.Exit(3)
}

// garbage makes 20 MB of it in ten goroutines.
func garbage() int {
	c := make(chan int)
	for range 10 {
		go func() {
			n := 0
			for range 2000 {
				n += len(make([]byte, 1000+n%2)) // not a constant, so on the heap
			}
			c <- n
		}()
	}
	sum := 0
	for range 10 {
		sum += <-c
	}
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	if m.Sys > 12<<20 {
		panic(m.Sys)
	}
	return sum
}

var com1 = uart.UART{Index: 1, Base: 0x3f8}

// What package runtime/goos asks of a board.

//go:linkname ramStart runtime/goos.RamStart
var ramStart uint = 0xffffffff80000000

//go:linkname ramSize runtime/goos.RamSize
var ramSize uint = 32 << 20

//go:linkname printk runtime/goos.Printk
func printk(c byte) { com1.Tx(c) }

//go:linkname hwinit1 runtime/goos.Hwinit1
func hwinit1() {
	calibrate()
	goos.Exit = func(code int32) { out32(0xf4, uint32(code)) }
}

// The clock: nanoseconds = TSC · mult >> 32.
var mult uint64

//go:linkname nanotime runtime/goos.Nanotime
//go:nosplit
func nanotime() int64 {
	tsc := rdtsc()
	return int64(tsc>>32*mult+tsc&(1<<32-1)*mult>>32) + 1
}

// calibrate measures the TSC against channel 0 of the PIT (Intel 8254), which
// counts down at 1,193,182 Hz. Of five tries the least ratio is right: whatever
// disturbs a try makes the TSC run longer for a tick.
func calibrate() {
	out8(0x43, 0x34)
	out8(0x40, 0)
	out8(0x40, 0)
	best := ^uint64(0)
	for range 5 {
		c0, t0 := pit(), rdtsc()
		c1, t1 := c0, t0
		for c0-c1 < 10000 {
			c1, t1 = pit(), rdtsc()
		}
		best = min(best, (t1-t0)*1193182/uint64(c0-c1))
	}
	mult = 1e9 << 32 / best
}

func pit() uint16 {
	out8(0x43, 0)
	low := in8(0x40)
	return uint16(low) | uint16(in8(0x40))<<8
}

var idt [256][2]uint64

// startTicks has the local APIC interrupt about every 10 ms on line 0.
func startTicks() {
	pc := tickPC()
	idt[0x20] = [2]uint64{pc&0xffff | 0x08<<16 | 0x8e<<40 | pc>>16&0xffff<<48, pc >> 32}
	lidt(4095, uint64(uintptr(unsafe.Pointer(&idt))))
	out8(0x21, 0xff) // the 8259s stay silent
	out8(0xa1, 0xff)
	apic := (*[1024]uint32)(unsafe.Pointer(uintptr(0xffff8000fee00000)))
	apic[0x0f0/4] = 1<<8 | 255   // enabled, spurious vector 255
	apic[0x3e0/4] = 0b1011       // undivided
	apic[0x320/4] = 1<<17 | 0x20 // periodic, vector 0x20
	apic[0x380/4] = 10_000_000   // at QEMU's 1 GHz
	goos.Idle = func(int64) { wait() }
}

func rdtsc() uint64
func in8(port uint16) uint8
func out8(port uint16, v uint8)
func out32(port uint16, v uint32)
func wait()
func tickPC() uint64
func lidt(limit uint16, base uint64)
