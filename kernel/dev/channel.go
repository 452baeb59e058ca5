package dev

import (
	"strconv"

	"yolk/kernel/abi"
	"yolk/kernel/vfs"
)

// Port is the machine's side of a byte channel.  Neither method sleeps.
type Port interface {
	// Read moves bytes that have arrived to b; 0 when there are none, and eof
	// when there will be none.
	Read(b []byte) (n int, eof bool)
	// Write takes as many bytes of b as there is room for; broken says that
	// nobody will ever read them.
	Write(b []byte) (n int, broken bool)
	// Ready reports whether Read would deliver bytes or eof, and whether
	// Write would take any or say that the port is broken.
	Ready() (read, write bool)
}

// Channel is a clean stream of bytes to or from the host, and a vfs.Device.
type Channel struct {
	port  Port
	queue vfs.Queue
}

// NewChannel returns the channel over port.
func NewChannel(port Port) *Channel { return &Channel{port: port} }

// Entry returns the channel as device number n, /dev/channelN.
func (ch *Channel) Entry(n int) Entry {
	return Entry{"channel" + strconv.Itoa(n), 240, uint32(n), 0o666, ch}
}

// Changed tells the channel, under the kernel lock, that bytes, their end or
// room has arrived.
func (ch *Channel) Changed() { ch.queue.WakeAll() }

// Open implements vfs.Device.
func (ch *Channel) Open(_ vfs.Caller, node vfs.Node, _ int) (vfs.Handle, error) {
	return &stream{ch: ch, node: node}, nil
}

// stream is an open channel.
type stream struct {
	vfs.Stream
	ch       *Channel
	node     vfs.Node
	nonblock bool
	buf      [512]byte
}

// SetNonblock implements vfs.Blocker.
func (h *stream) SetNonblock(on bool) { h.nonblock = on }

// Stat implements vfs.Handle.
func (h *stream) Stat() vfs.Stat { return h.node.Stat() }

// Close implements vfs.Handle.
func (h *stream) Close() {}

// Read waits for bytes or the end of them.
func (h *stream) Read(c vfs.Caller, dst vfs.Sink, _ int64) (int, error) {
	if dst.Len() == 0 {
		return 0, nil
	}
	for {
		n, eof := h.ch.port.Read(h.buf[:min(len(h.buf), dst.Len())])
		if n > 0 {
			return dst.Write(h.buf[:n])
		}
		if eof {
			return 0, nil
		}
		if err := h.wait(c); err != nil {
			return 0, err
		}
	}
}

// Write waits until the port has taken all of src.
func (h *stream) Write(c vfs.Caller, src vfs.Source, _ int64) (done int, err error) {
	for src.Len() > 0 && err == nil {
		if _, room := h.ch.port.Ready(); !room {
			if err := h.wait(c); err != nil {
				return done, err
			}
			continue
		}
		var n int
		n, err = src.Read(h.buf[:min(len(h.buf), src.Len())])
		for b := h.buf[:n]; len(b) > 0; {
			took, broken := h.ch.port.Write(b)
			b, done = b[took:], done+took
			if broken {
				c.Signal(abi.SIGPIPE)
				return done, vfs.ErrPipe
			}
			if took > 0 {
				continue
			}
			if err := h.wait(c); err != nil {
				return done, err
			}
		}
	}
	return done, err
}

func (h *stream) wait(c vfs.Caller) error {
	if h.nonblock {
		return vfs.ErrAgain
	}
	return vfs.SleepOn(c, &h.ch.queue)
}

// Poll implements vfs.Poller.
func (h *stream) Poll() (events int, q *vfs.Queue) {
	read, write := h.ch.port.Ready()
	if read {
		events |= abi.POLLIN | abi.POLLRDNORM
	}
	if write {
		events |= abi.POLLOUT | abi.POLLWRNORM
	}
	return events, &h.ch.queue
}
