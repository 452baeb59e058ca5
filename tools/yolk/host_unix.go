//go:build unix

package main

import (
	"os"
	"os/signal"

	"golang.org/x/sys/unix"

	"yolk/qemu"
)

// endingSignals are the signals that end yolk.
func endingSignals() []os.Signal {
	return []os.Signal{unix.SIGINT, unix.SIGTERM, unix.SIGHUP, unix.SIGQUIT}
}

// surviveBrokenPipe has a write to a pipe that nobody reads fail, where it would
// end yolk: the guest is to be told, and the terminal restored.
func surviveBrokenPipe() { signal.Notify(make(chan os.Signal, 1), unix.SIGPIPE) }

func signalNumber(s os.Signal) int {
	n, _ := s.(unix.Signal)
	return int(n)
}

// prepareOutput has nothing to do: terminals understand escape sequences.
func prepareOutput() (undo func()) { return func() {} }

func terminalName() string { return os.Getenv("TERM") }

// resizes reports the terminal's new sizes.
func (t *terminal) resizes() <-chan qemu.Size {
	if t.is == [3]bool{} {
		return nil
	}
	c := make(chan os.Signal, 1)
	signal.Notify(c, unix.SIGWINCH)
	sizes := make(chan qemu.Size, 1)
	go func() {
		for range c {
			sizes <- t.size()
		}
	}()
	return sizes
}
