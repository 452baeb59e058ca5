package signal

import _ "unsafe" // for go:linkname

// Waiting is TamaGo's question whether a goroutine waits for relayed signals.
// Signals need a second thread, so none ever does. It is here so that TamaGo's
// packages compile; interrupts are taken with runtime/goos.WaitInterrupt.
func Waiting() bool { return false }

// Relay is what TamaGo's interrupt handler calls with a signal's number. Nothing
// uses that handler here; it only has to link.
//
//go:linkname Relay
func Relay(sig uint32) {}
