//go:build yolk

package main

import (
	_ "unsafe" // go:linkname

	"yolk/arch/amd64"
)

// Ports and exit codes of the wire to the host; qemu/PROTOCOL.md is the
// contract.
const (
	portLog     = 0xe9
	portTrace   = 0xea
	portChannel = 0xeb
	portExit    = 0xf4
	portCOM2    = 0x2f8

	exitNormal      = 0x10
	exitPanic       = 0x11
	exitBootFailure = 0x12
)

// printk is the Go runtime's console: panics and print go to the kernel's log.
//
//go:linkname printk runtime/goos.Printk
//go:nosplit
func printk(c byte) { amd64.Out8(portLog, c) }

// logString writes s to the kernel's log.
//
//go:nosplit
func logString(s string) {
	for i := range len(s) {
		amd64.Out8(portLog, s[i])
	}
}

// logHex writes name and a value in hexadecimal; it needs no memory.
//
//go:nosplit
func logHex(name string, val uint64) {
	logString(name)
	for shift := 60; shift >= 0; shift -= 4 {
		amd64.Out8(portLog, "0123456789abcdef"[val>>shift&0xf])
	}
}

// powerOff ends the machine with one of the exit codes.
//
// WHY a byte goes to COM2, where nobody reads it: a byte that leaves a UART is an
// event in a recorded run, and the machine's end is none with some QEMU (10.0
// among them), whose replay would end at the last event before.
//
//go:nosplit
func powerOff(code uint32) {
	amd64.Out8(portCOM2, 0)
	amd64.Out32(portExit, code)
	amd64.Halt()
}
