// Package dev has the devices that are not terminals: null, zero, full,
// random, the byte channels to the host and the switch that ends the machine.
// All are reached through device nodes of a file system, by their numbers.
package dev

import (
	"strconv"
	"strings"

	"yolk/kernel/abi"
	"yolk/kernel/vfs"
)

// Entry is a device with a name in /dev.
type Entry struct {
	Name         string
	Major, Minor uint32
	Perm         uint32
	Device       vfs.Device
}

// Populate enters the devices into reg under their numbers and makes a node for
// each in dir, in place of whatever file has that name.
func Populate(dir vfs.Dir, reg vfs.Devices, entries []Entry) error {
	for _, e := range entries {
		rdev := abi.Mkdev(e.Major, e.Minor)
		reg[rdev] = e.Device
		if err := dir.Remove(nil, e.Name, false); err != nil && err != vfs.ErrNotExist {
			return err
		}
		if _, err := dir.Create(nil, e.Name, abi.S_IFCHR|e.Perm, rdev); err != nil {
			return err
		}
	}
	return nil
}

// Standard returns the devices that every machine has.  fill fills a slice with
// random bytes.
func Standard(fill func([]byte)) []Entry {
	random := device{read: func(b []byte) { fill(b) }, write: discard}
	return []Entry{
		{"null", 1, 3, 0o666, device{write: discard}},
		{"zero", 1, 5, 0o666, device{read: zero, write: discard}},
		{"full", 1, 7, 0o666, device{read: zero, write: func([]byte) error { return vfs.ErrNoSpace }}},
		{"random", 1, 8, 0o666, random},
		{"urandom", 1, 9, 0o666, random},
	}
}

// Exit returns the device whose writer ends the machine: off is called with the
// decimal number written, a wait status as in wait(2).
func Exit(off func(status uint32)) Entry {
	return Entry{"yolk-exit", 10, 240, 0o600, device{write: func(b []byte) error {
		status, err := strconv.ParseUint(strings.TrimSpace(string(b)), 10, 32)
		if err != nil {
			return vfs.ErrInvalid
		}
		off(uint32(status))
		return nil
	}}}
}

// Trigger returns a device that passes each word written to it to fire.
func Trigger(name string, minor uint32, fire func(word string)) Entry {
	return Entry{name, 10, minor, 0o600, device{write: func(b []byte) error {
		fire(strings.TrimSpace(string(b)))
		return nil
	}}}
}

func zero(b []byte)          { clear(b) }
func discard(b []byte) error { return nil }

// device is a stateless device: read fills a buffer (nil: end of file), write
// consumes one.
type device struct {
	read  func(b []byte)
	write func(b []byte) error
}

// Open implements vfs.Device.
func (d device) Open(_ vfs.Caller, node vfs.Node, _ int) (vfs.Handle, error) {
	return &handle{device: d, node: node}, nil
}

type handle struct {
	device
	node vfs.Node
	buf  [512]byte
}

// Read implements vfs.Handle.
func (h *handle) Read(_ vfs.Caller, dst vfs.Sink, _ int64) (done int, err error) {
	for h.read != nil && dst.Len() > 0 && err == nil {
		b := h.buf[:min(len(h.buf), dst.Len())]
		h.read(b)
		var n int
		n, err = dst.Write(b)
		done += n
	}
	return done, err
}

// Write implements vfs.Handle.
func (h *handle) Write(_ vfs.Caller, src vfs.Source, _ int64) (done int, err error) {
	for src.Len() > 0 && err == nil {
		var n int
		if n, err = src.Read(h.buf[:min(len(h.buf), src.Len())]); n == 0 {
			break
		}
		if werr := h.write(h.buf[:n]); werr != nil {
			return done, werr
		}
		done += n
	}
	return done, err
}

// Stat implements vfs.Handle.
func (h *handle) Stat() vfs.Stat { return h.node.Stat() }

// Close implements vfs.Handle.
func (h *handle) Close() {}
