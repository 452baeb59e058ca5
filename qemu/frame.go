package qemu

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
)

// The types of frames on the program channel (PROTOCOL.md, "The program
// channel").
const (
	frameBeat   = 0x00
	frameStdout = 0x01
	frameStderr = 0x02
	frameAsk    = 0x03 // CREDIT for standard input
	frameExit   = 0x04
	frameReady  = 0x05
	frameTaken  = 0x06

	frameStdin   = 0x10
	frameEOF     = 0x11
	frameGrant   = 0x12 // CREDIT for an output stream
	frameBroken  = 0x13
	frameWinSize = 0x14
)

const (
	frameHeader = 3    // bytes before the payload
	maxToHost   = 4096 // longest payload of STDOUT and STDERR
	maxToGuest  = 1024 // longest payload of STDIN

	outputCredit = 65536 // credit of each output stream at the start
	grantAt      = 32768 // credit goes back when so many bytes have gathered
)

// payloadSize gives the shortest and longest payload of the frames that the
// guest sends; an absent type is not the guest's to send.
var payloadSize = map[byte][2]int{
	frameBeat:   {0, 0},
	frameStdout: {1, maxToHost},
	frameStderr: {1, maxToHost},
	frameAsk:    {4, 4},
	frameExit:   {4, 4},
	frameReady:  {0, 0},
	frameTaken:  {2, 2},
}

// readFrame reads one frame of the guest's.  io.EOF means that the channel
// ended, between two frames or within one that the machine's end cut short.
func readFrame(r *bufio.Reader, buf []byte) (kind byte, payload []byte, err error) {
	var h [frameHeader]byte
	if _, err := io.ReadFull(r, h[:]); err != nil {
		return 0, nil, io.EOF
	}
	n := int(binary.LittleEndian.Uint16(h[1:]))
	size, ok := payloadSize[h[0]]
	if !ok || n < size[0] || n > size[1] {
		return 0, nil, fmt.Errorf("a frame of type %#02x with %d bytes", h[0], n)
	}
	if _, err := io.ReadFull(r, buf[:n]); err != nil {
		return 0, nil, io.EOF
	}
	return h[0], buf[:n], nil
}

// appendFrame appends a frame for the guest to b.
func appendFrame(b []byte, kind byte, payload ...byte) []byte {
	b = append(b, kind)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(payload)))
	return append(b, payload...)
}
