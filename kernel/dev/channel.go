package dev

import (
	"strconv"

	"yolk/kernel/abi"
	"yolk/kernel/vfs"
)

// channel is a clean stream of bytes to or from the host, one of a Wire's, and a
// vfs.Device.
type channel struct {
	wire   *Wire
	n      int
	queue  vfs.Queue // woken when bytes, their end or room has arrived
	credit uint32    // bytes that the host has room for
	broken bool      // nobody there will ever read
}

// Entries returns the wire's channels as /dev/channel0 to /dev/channel2.
func (w *Wire) Entries() (list []Entry) {
	for i := range w.channels {
		list = append(list, Entry{"channel" + strconv.Itoa(i), 240, uint32(i), 0o666, &w.channels[i]})
	}
	return list
}

// Open implements vfs.Device.
func (ch *channel) Open(_ vfs.Caller, node vfs.Node, _ int) (vfs.Handle, error) {
	return &stream{ch: ch, node: node}, nil
}

// stream is an open channel.
type stream struct {
	vfs.Stream
	ch       *channel
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
		n, eof := h.ch.read(h.buf[:min(len(h.buf), dst.Len())])
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

// Write waits until the host has taken all of src.
func (h *stream) Write(c vfs.Caller, src vfs.Source, _ int64) (done int, err error) {
	for src.Len() > 0 && err == nil {
		if _, room := h.ch.ready(); !room {
			if err := h.wait(c); err != nil {
				return done, err
			}
			continue
		}
		var n int
		n, err = src.Read(h.buf[:min(len(h.buf), src.Len())])
		for b := h.buf[:n]; len(b) > 0; {
			took, broken := h.ch.write(b)
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
	read, write := h.ch.ready()
	if read {
		events |= abi.POLLIN | abi.POLLRDNORM
	}
	if write {
		events |= abi.POLLOUT | abi.POLLWRNORM
	}
	return events, &h.ch.queue
}
