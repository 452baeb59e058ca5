// Package stub is the client of QEMU's GDB stub: as much of GDB's remote serial
// protocol as it takes to stop a machine at an address, to look at its registers
// and its physical memory, and to let it go on.
//
// WHY not GDB itself: a grader needs no symbols, no Python and no program that may
// be missing, and it speaks of physical memory, of which GDB knows nothing.
//
// Source: GDB manual, appendix "GDB Remote Serial Protocol"; the packets that QEMU
// adds are in its manual, "GDB usage", "Advanced debugging options".
package stub

import (
	"bufio"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// ErrEnded means that the machine has ended.
var ErrEnded = errors.New("the machine has ended")

// ErrAddress means that nothing is at a physical address.  Whoever follows a guest's
// page tables may come to it; all other errors but ErrEnded are no guest's doing.
var ErrAddress = errors.New("nothing is there")

// badAddress is how the stub answers then: EFAULT, in hexadecimal.
const badAddress = "E14"

// A Conn is a connection to a stub.  The machine stands still except within
// Continue.
type Conn struct {
	in   *bufio.Reader
	out  io.Writer
	regs []register
}

// Dial starts the conversation with the stub at the other end of rw.
func Dial(rw io.ReadWriter) (*Conn, error) {
	c := &Conn{in: bufio.NewReaderSize(rw, 64<<10), out: rw}
	if err := c.ok("Qqemu.PhyMemMode:1"); err != nil {
		return nil, fmt.Errorf("QEMU's GDB stub cannot read physical memory; QEMU 5.0 can: %w", err)
	}
	var err error
	c.regs, err = c.describe()
	return c, err
}

// Break has the machine stop when it comes to the virtual address addr, before the
// instruction there, in whichever address space.
func (c *Conn) Break(addr uint64) error { return c.ok(fmt.Sprintf("Z1,%x,1", addr)) }

// Remove undoes Break.
func (c *Conn) Remove(addr uint64) error { return c.ok(fmt.Sprintf("z1,%x,1", addr)) }

// Continue lets the machine go on and returns when it has stopped.  The error is
// ErrEnded if it has ended instead.
func (c *Conn) Continue() error {
	reply, err := c.ask("c")
	switch {
	case err != nil:
		return err
	case reply == "" || strings.ContainsRune("WX", rune(reply[0])):
		return ErrEnded
	case strings.ContainsRune("TS", rune(reply[0])):
		return nil
	}
	return fmt.Errorf("QEMU's GDB stub answers %.40q to a request to go on", reply)
}

// pieceSize is how many bytes of memory one packet carries: the stub's buffer has
// 4,096 bytes for the hexadecimal digits of twice as many.
const pieceSize = 1024

// ReadPhysical fills b with the physical memory from addr on.
func (c *Conn) ReadPhysical(addr uint64, b []byte) error {
	for len(b) > 0 {
		n := min(len(b), pieceSize)
		reply, err := c.ask(fmt.Sprintf("m%x,%x", addr, n))
		if err != nil {
			return err
		}
		if reply == badAddress {
			return fmt.Errorf("physical address %#x cannot be read: %w", addr, ErrAddress)
		}
		piece, err := hex.DecodeString(reply)
		if err != nil || len(piece) != n {
			return fmt.Errorf("QEMU's GDB stub answers %.40q to a request for %d bytes", reply, n)
		}
		copy(b, piece)
		addr, b = addr+uint64(n), b[n:]
	}
	return nil
}

// WritePhysical writes b into physical memory from addr on.
func (c *Conn) WritePhysical(addr uint64, b []byte) error {
	for len(b) > 0 {
		n := min(len(b), pieceSize)
		reply, err := c.ask(fmt.Sprintf("M%x,%x:%x", addr, n, b[:n]))
		if reply == badAddress {
			return fmt.Errorf("physical address %#x cannot be written: %w", addr, ErrAddress)
		}
		if err := accepted(reply, err); err != nil {
			return err
		}
		addr, b = addr+uint64(n), b[n:]
	}
	return nil
}

// ok makes a request that is answered by OK.
func (c *Conn) ok(request string) error { return accepted(c.ask(request)) }

// accepted is nil if what ask returned is OK.
func accepted(reply string, err error) error {
	if err == nil && reply != "OK" {
		err = fmt.Errorf("QEMU's GDB stub refuses a request: %.40q", reply)
	}
	return err
}

// ask sends a packet and returns the answer's.
func (c *Conn) ask(request string) (string, error) {
	if err := c.send(request); err != nil {
		return "", err
	}
	for {
		reply, err := c.receive()
		if err != nil || !isOutput(reply) {
			return reply, err
		}
	}
}

// isOutput tells a packet with text for the console from an answer that is OK.
func isOutput(packet string) bool { return len(packet) > 1 && packet[0] == 'O' && packet != "OK" }

func (c *Conn) send(text string) error {
	if _, err := fmt.Fprintf(c.out, "$%s#%02x", text, sum(text)); err != nil {
		return ErrEnded
	}
	return nil
}

// sum is a packet's checksum.
func sum(text string) (s byte) {
	for i := range len(text) {
		s += text[i]
	}
	return s
}

// receive returns the next packet's text and acknowledges it; what stands between
// packets, the stub's acknowledgements, is skipped.
func (c *Conn) receive() (string, error) {
	if _, err := c.in.ReadString('$'); err != nil {
		return "", ErrEnded
	}
	text, err := c.in.ReadString('#')
	if err != nil {
		return "", ErrEnded
	}
	text = text[:len(text)-1]
	var digits [2]byte
	if _, err := io.ReadFull(c.in, digits[:]); err != nil {
		return "", ErrEnded
	}
	if want, err := strconv.ParseUint(string(digits[:]), 16, 8); err != nil || byte(want) != sum(text) {
		return "", fmt.Errorf("QEMU's GDB stub sends a packet with a wrong sum: %.40q", text)
	}
	if _, err := io.WriteString(c.out, "+"); err != nil {
		return "", ErrEnded
	}
	return unpack(text)
}

// unpack undoes the protocol's escapes and its repetitions.
//
//	}x    x ^ 0x20
//	x*n   x, and n-29 times more
func unpack(text string) (string, error) {
	if !strings.ContainsAny(text, "}*") {
		return text, nil
	}
	var out []byte
	for i := 0; i < len(text); i++ {
		switch b := text[i]; {
		case b != '}' && b != '*':
			out = append(out, b)
			continue
		case i+1 == len(text) || b == '*' && (len(out) == 0 || text[i+1] < 29):
			return "", fmt.Errorf("QEMU's GDB stub sends a broken packet: %.40q", text)
		case b == '}':
			out = append(out, text[i+1]^0x20)
		default:
			out = append(out, strings.Repeat(string(out[len(out)-1]), int(text[i+1])-29)...)
		}
		i++
	}
	return string(out), nil
}
