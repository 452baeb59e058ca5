// Package wire is the guest's end of the program channel: the framed streams
// between a program's descriptors 0 to 2 and the host, with the credit that
// keeps either side from sending what the other has no room for.
// qemu/PROTOCOL.md is the contract; this package is its half without hardware.
//
// All methods are called under the kernel lock.
package wire

import (
	"encoding/binary"
)

// Frame types (qemu/PROTOCOL.md, "The program channel").
const (
	Beat   = 0x00
	Stdout = 0x01
	Stderr = 0x02
	Credit = 0x03
	Exit   = 0x04
	Ready  = 0x05

	hostStdin   = 0x10
	hostEOF     = 0x11
	hostCredit  = 0x12
	hostBroken  = 0x13
	hostWinsize = 0x14
)

const (
	headerSize   = 3
	maxPayload   = 4096  // of a frame that the guest sends
	outputCredit = 65536 // what each output stream starts with
	inputWindow  = 4096  // bytes of standard input that the guest has room for
)

// Channel is the guest's end.
type Channel struct {
	send    func(frame []byte)
	winsize func(rows, cols uint16)

	header [headerSize]byte
	got    int    // bytes of the current frame's header and payload seen
	body   []byte // payload of the current frame, as far as it is kept

	in       []byte // standard input that has arrived and was not read
	asked    bool   // the first credit has been given
	eof      bool
	consumed uint32 // bytes read since the last credit

	out [3]output // by stream; 0 is unused
}

type output struct {
	credit  uint32
	broken  bool
	changed func() // tells sleepers that credit or the end has come
}

// New returns a channel that sends frames by send, which must put each out as
// a whole.  winsize is told when the host's terminal changes its size.
func New(send func(frame []byte), winsize func(rows, cols uint16)) *Channel {
	c := &Channel{send: send, winsize: winsize, body: make([]byte, 0, 1024), in: make([]byte, 0, inputWindow)}
	for i := range c.out {
		c.out[i].credit = outputCredit
	}
	return c
}

// Stream returns the channel's standard input (0), output (1) or error (2).
// changed is called when more can be read or written.
func (c *Channel) Stream(n int, changed func()) *Stream {
	c.out[n].changed = changed
	return &Stream{c, n}
}

// Send sends a frame; the payload is at most 4,096 bytes.
func (c *Channel) Send(kind byte, payload []byte) {
	frame := make([]byte, 0, headerSize+len(payload))
	frame = append(frame, kind)
	frame = binary.LittleEndian.AppendUint16(frame, uint16(len(payload)))
	c.send(append(frame, payload...))
}

// Receive takes bytes that have arrived from the host.
func (c *Channel) Receive(b []byte) {
	for _, ch := range b {
		c.receive(ch)
	}
}

func (c *Channel) receive(ch byte) {
	switch {
	case c.got < headerSize:
		c.header[c.got] = ch
	case len(c.body) < cap(c.body):
		c.body = append(c.body, ch)
	}
	c.got++
	if size := int(binary.LittleEndian.Uint16(c.header[1:])); c.got >= headerSize && c.got == headerSize+size {
		c.handle(c.header[0], c.body)
		c.got, c.body = 0, c.body[:0]
	}
}

// handle takes a whole frame.  A type it does not know is skipped, as is a
// payload that is too short for its type.
func (c *Channel) handle(kind byte, body []byte) {
	le := binary.LittleEndian
	switch {
	case kind == hostStdin:
		c.in = append(c.in, body[:min(len(body), inputWindow-len(c.in))]...)
		c.tell(0)
	case kind == hostEOF:
		c.eof = true
		c.tell(0)
	case kind == hostCredit && len(body) == 5 && body[0]-1 < 2:
		c.out[body[0]].credit += le.Uint32(body[1:])
		c.tell(int(body[0]))
	case kind == hostBroken && len(body) == 1 && body[0]-1 < 2:
		c.out[body[0]].broken = true
		c.tell(int(body[0]))
	case kind == hostWinsize && len(body) == 4:
		c.winsize(le.Uint16(body), le.Uint16(body[2:]))
	}
}

func (c *Channel) tell(stream int) {
	if f := c.out[stream].changed; f != nil {
		f()
	}
}

// ask gives the host its first credit.
//
// WHY not at boot: under -icount every byte that arrives is an interrupt at a
// moment of the host's choosing; a run that reads nothing must get none.
func (c *Channel) ask() {
	if !c.asked {
		c.asked = true
		c.giveCredit(inputWindow)
	}
}

func (c *Channel) giveCredit(n uint32) {
	c.Send(Credit, binary.LittleEndian.AppendUint32(nil, n))
}

// Stream is one direction of the channel; it is what /dev/channelN reads from
// or writes to.
type Stream struct {
	c *Channel
	n int
}

// Read moves bytes of standard input that have arrived to b; 0 when there are
// none, and eof when there will be none.
func (s *Stream) Read(b []byte) (n int, eof bool) {
	c := s.c
	if s.n != 0 {
		return 0, true
	}
	c.ask()
	n = copy(b, c.in)
	c.in = append(c.in[:0], c.in[n:]...)
	// Credit goes back in large pieces: a frame for each byte would drown it.
	if c.consumed += uint32(n); c.consumed >= inputWindow/2 {
		c.giveCredit(c.consumed)
		c.consumed = 0
	}
	return n, c.eof && len(c.in) == 0
}

// Write sends as many bytes of b as the host has room for; broken says that
// nobody reads the stream any more.
func (s *Stream) Write(b []byte) (n int, broken bool) {
	if s.n == 0 {
		return 0, true
	}
	out := &s.c.out[s.n]
	for !out.broken && n < len(b) && out.credit > 0 {
		part := b[n:min(len(b), n+maxPayload, n+int(out.credit))]
		s.c.Send(byte(s.n), part)
		out.credit -= uint32(len(part))
		n += len(part)
	}
	return n, out.broken
}

// Ready reports whether Read would deliver bytes or the end, and whether Write
// would take any or report that the stream is broken.
func (s *Stream) Ready() (read, write bool) {
	if s.n == 0 {
		s.c.ask()
		return len(s.c.in) > 0 || s.c.eof, false
	}
	out := &s.c.out[s.n]
	return false, out.credit > 0 || out.broken
}
