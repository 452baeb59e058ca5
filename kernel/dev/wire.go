package dev

import "encoding/binary"

// The frames of the program channel (qemu/PROTOCOL.md, "The program channel").
// Those of standard output and error have the channel's number.
const (
	frameCredit = 0x03
	FrameExit   = 0x04
	FrameReady  = 0x05
	FrameTaken  = 0x06

	hostStdin   = 0x10
	hostEOF     = 0x11
	hostCredit  = 0x12
	hostBroken  = 0x13
	hostWinsize = 0x14
)

const (
	headerSize   = 3
	maxPayload   = 4096  // of a frame that the guest sends
	outputCredit = 65536 // what each output channel starts with
	inputWindow  = 4096  // bytes of standard input that the guest has room for
)

// Wire is the guest's end of the program channel: the framed streams between a
// program's descriptors 0 to 2 and the host, with the credit that keeps either
// side from sending what the other has no room for.  It is the protocol's half
// without hardware.  All methods are called under the kernel lock.
type Wire struct {
	send    func(frame []byte)
	winsize func(rows, cols uint16)

	header [headerSize]byte
	got    int    // bytes of the current frame's header and payload seen
	body   []byte // payload of the current frame, as far as it is kept

	in       []byte // standard input that has arrived and was not read
	asked    bool   // the first credit has been given
	eof      bool
	consumed uint32 // bytes read since the last credit

	channels [3]channel // standard input, output, error
}

// NewWire returns a wire that sends frames by send, which must put each out as
// a whole.  winsize is told when the host's terminal changes its size.
func NewWire(send func(frame []byte), winsize func(rows, cols uint16)) *Wire {
	w := &Wire{send: send, winsize: winsize, body: make([]byte, 0, 1024), in: make([]byte, 0, inputWindow)}
	for i := range w.channels {
		w.channels[i] = channel{wire: w, n: i, credit: outputCredit}
	}
	return w
}

// Send sends a frame; the payload is at most 4,096 bytes.
func (w *Wire) Send(kind byte, payload []byte) {
	frame := make([]byte, 0, headerSize+len(payload))
	frame = append(frame, kind)
	frame = binary.LittleEndian.AppendUint16(frame, uint16(len(payload)))
	w.send(append(frame, payload...))
}

// Receive takes bytes that have arrived from the host.
func (w *Wire) Receive(b []byte) {
	for _, c := range b {
		w.receive(c)
	}
}

func (w *Wire) receive(c byte) {
	switch {
	case w.got < headerSize:
		w.header[w.got] = c
	case len(w.body) < cap(w.body):
		w.body = append(w.body, c)
	}
	w.got++
	if size := int(binary.LittleEndian.Uint16(w.header[1:])); w.got >= headerSize && w.got == headerSize+size {
		w.handle(w.header[0], w.body)
		w.got, w.body = 0, w.body[:0]
	}
}

// handle takes a whole frame.  A type it does not know is skipped, as is a
// payload that is too short for its type.
func (w *Wire) handle(kind byte, body []byte) {
	le, changed := binary.LittleEndian, &w.channels[0]
	switch {
	case kind == hostStdin:
		w.in = append(w.in, body[:min(len(body), inputWindow-len(w.in))]...)
	case kind == hostEOF:
		w.eof = true
	case kind == hostCredit && len(body) == 5 && body[0]-1 < 2:
		changed = &w.channels[body[0]]
		changed.credit += le.Uint32(body[1:])
	case kind == hostBroken && len(body) == 1 && body[0]-1 < 2:
		changed = &w.channels[body[0]]
		changed.broken = true
	case kind == hostWinsize && len(body) == 4:
		w.winsize(le.Uint16(body), le.Uint16(body[2:]))
	}
	changed.queue.WakeAll()
}

// ask gives the host its first credit.
//
// WHY not at boot: under -icount every byte that arrives is an interrupt at a
// moment of the host's choosing; a run that reads nothing must get none.
func (w *Wire) ask() {
	if !w.asked {
		w.asked = true
		w.giveCredit(inputWindow)
	}
}

func (w *Wire) giveCredit(n uint32) {
	w.Send(frameCredit, binary.LittleEndian.AppendUint32(nil, n))
}

// read moves bytes of standard input that have arrived to b; 0 when there are
// none, and eof when there will be none.
func (ch *channel) read(b []byte) (n int, eof bool) {
	w := ch.wire
	if ch.n != 0 {
		return 0, true
	}
	w.ask()
	n = copy(b, w.in)
	w.in = append(w.in[:0], w.in[n:]...)
	// Credit goes back in large pieces: a frame for each byte would drown it.
	if w.consumed += uint32(n); w.consumed >= inputWindow/2 {
		w.giveCredit(w.consumed)
		w.consumed = 0
	}
	return n, w.eof && len(w.in) == 0
}

// write sends as many bytes of b as the host has room for; broken says that
// nobody reads the channel any more.
func (ch *channel) write(b []byte) (n int, broken bool) {
	if ch.n == 0 {
		return 0, true
	}
	for !ch.broken && n < len(b) && ch.credit > 0 {
		part := b[n:min(len(b), n+maxPayload, n+int(ch.credit))]
		ch.wire.Send(byte(ch.n), part)
		ch.credit -= uint32(len(part))
		n += len(part)
	}
	return n, ch.broken
}

// ready reports whether read would deliver bytes or the end, and whether write
// would take any or report that the channel is broken.
func (ch *channel) ready() (read, write bool) {
	if w := ch.wire; ch.n == 0 {
		w.ask()
		return len(w.in) > 0 || w.eof, false
	}
	return false, ch.credit > 0 || ch.broken
}
