package dev

import (
	"bytes"
	"encoding/binary"
	"slices"
	"testing"
)

// wireHost is the other end of a wire.
type wireHost struct {
	sent [][]byte
	size [2]uint16
	told [3]counter // wake-ups by channel
}

// counter is a sleeper that counts how often it is woken.
type counter int

func (c *counter) Wake() { *c++ }

func newWireHost() (*wireHost, *Wire, *[3]channel) {
	h := &wireHost{}
	w := NewWire(func(f []byte) { h.sent = append(h.sent, f) }, func(r, c uint16) { h.size = [2]uint16{r, c} })
	for i := range h.told {
		w.channels[i].queue.Join(&h.told[i])
	}
	return h, w, &w.channels
}

func frame(kind byte, payload ...byte) []byte {
	return append(binary.LittleEndian.AppendUint16([]byte{kind}, uint16(len(payload))), payload...)
}

func TestHostIsSilentUntilInputIsAskedFor(t *testing.T) {
	h, _, s := newWireHost()
	s[1].write([]byte("x"))
	if len(h.sent) != 1 || h.sent[0][0] != 1 {
		t.Fatalf("sent %x before anybody read", h.sent)
	}
	s[0].ready()
	s[0].ready()
	if want := frame(frameCredit, 0, 0x10, 0, 0); len(h.sent) != 2 || !bytes.Equal(h.sent[1], want) {
		t.Errorf("after two polls sent %x, want one credit %x", h.sent[1:], want)
	}
}

func TestInputArrivesInOrderAndCreditGoesBack(t *testing.T) {
	h, c, s := newWireHost()
	s[0].ready()
	want := make([]byte, inputWindow)
	for i := range want {
		want[i] = byte(i * 7)
	}
	var wireBytes []byte
	for part := range slices.Chunk(want, 1000) {
		wireBytes = append(wireBytes, frame(hostStdin, part...)...)
	}
	for part := range slices.Chunk(wireBytes, 13) { // as a UART's FIFO delivers
		c.Receive(part)
	}
	var got []byte
	buf := make([]byte, 100)
	for {
		n, eof := s[0].read(buf)
		if n == 0 {
			if eof {
				t.Fatal("end of input before EOF")
			}
			break
		}
		got = append(got, buf[:n]...)
	}
	if !bytes.Equal(got, want) {
		t.Fatal("bytes were lost or changed")
	}
	credit := uint32(0)
	for _, f := range h.sent {
		credit += binary.LittleEndian.Uint32(f[headerSize:])
	}
	if in := uint32(len(want)); credit < in+inputWindow/2 || credit > in+inputWindow {
		t.Errorf("credit in all %d for %d bytes read", credit, in)
	}
	c.Receive(frame(hostEOF))
	if n, eof := s[0].read(buf); n != 0 || !eof {
		t.Errorf("after EOF: %d, %v", n, eof)
	}
}

func TestOutputStopsWithoutCredit(t *testing.T) {
	h, c, s := newWireHost()
	big := make([]byte, outputCredit+10)
	n, broken := s[1].write(big)
	if n != outputCredit || broken {
		t.Fatalf("took %d of %d bytes, broken %v", n, len(big), broken)
	}
	for _, f := range h.sent {
		if len(f) > headerSize+maxPayload {
			t.Fatalf("a frame of %d bytes", len(f))
		}
	}
	if _, w := s[1].ready(); w {
		t.Error("writable without credit")
	}
	if _, w := s[2].ready(); !w {
		t.Error("standard error waits for standard output's credit")
	}
	c.Receive(frame(hostCredit, 1, 10, 0, 0, 0))
	if n, _ := s[1].write(big[n:]); n != 10 || h.told[1] != 1 {
		t.Errorf("with credit for 10: took %d, told %d times", n, h.told[1])
	}
}

func TestBrokenStreamTellsItsWriter(t *testing.T) {
	h, c, s := newWireHost()
	c.Receive(frame(hostBroken, 2))
	if n, broken := s[2].write([]byte("x")); n != 0 || !broken || h.told[2] != 1 {
		t.Errorf("write after BROKEN: %d, %v, told %d times", n, broken, h.told[2])
	}
	if _, w := s[2].ready(); !w {
		t.Error("a broken stream must not keep its poller waiting")
	}
}

func TestStrangeFramesAreSkipped(t *testing.T) {
	h, c, s := newWireHost()
	c.Receive(frame(0x77, make([]byte, 3000)...))
	c.Receive(frame(hostCredit, 0, 1, 0, 0, 0)) // no such stream
	c.Receive(frame(hostCredit, 3, 1, 0, 0, 0))
	c.Receive(frame(hostBroken))
	c.Receive(frame(hostWinsize, 50, 0, 132, 0))
	if h.size != [2]uint16{50, 132} {
		t.Errorf("size %v: the frame after strange ones was not understood", h.size)
	}
	if n, _ := s[1].write(make([]byte, outputCredit+1)); n != outputCredit {
		t.Errorf("credit for stream 0 or 3 reached stream 1: %d", n)
	}
}
