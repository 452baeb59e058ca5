package main

import (
	"os"

	"golang.org/x/sys/windows"

	"yolk/qemu"
)

// endingSignals are the signals that end yolk.
func endingSignals() []os.Signal { return []os.Signal{os.Interrupt} }

// surviveBrokenPipe has nothing to do: there is no such signal.
func surviveBrokenPipe() {}

// signalNumber is that of SIGINT, as Unix counts.
func signalNumber(os.Signal) int { return 2 }

// prepareOutput has the console understand escape sequences.
func prepareOutput() (undo func()) {
	h := windows.Handle(os.Stdout.Fd())
	var mode uint32
	if windows.GetConsoleMode(h, &mode) != nil {
		return func() {} // no console
	}
	windows.SetConsoleMode(h, mode|windows.ENABLE_VIRTUAL_TERMINAL_PROCESSING)
	return func() { windows.SetConsoleMode(h, mode) }
}

func terminalName() string { return "xterm-256color" }

// resizes reports nothing: a console of Windows tells of its size only to
// those who read its input records.
func (t *terminal) resizes() <-chan qemu.Size { return nil }
