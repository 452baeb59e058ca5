package stub

import (
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"slices"
	"strings"
)

// A register is one of those that the stub knows, at an offset of its 'g' packet.
type register struct {
	name         string
	offset, size int // in bytes
}

// Registers are the values of a stopped processor, by the names that GDB has for
// them: rax, rip, eflags, cs, cr3.  Those wider than 64 bits are left out.
type Registers map[string]uint64

// Registers reads them all.
func (c *Conn) Registers() (Registers, error) {
	reply, err := c.ask("g")
	if err != nil {
		return nil, err
	}
	values := Registers{}
	for _, r := range c.regs {
		if r.size > 8 || 2*(r.offset+r.size) > len(reply) {
			continue
		}
		digits := reply[2*r.offset : 2*(r.offset+r.size)]
		if digits[0] == 'x' {
			continue // not available
		}
		b, err := hex.DecodeString(digits)
		if err != nil {
			return nil, fmt.Errorf("QEMU's GDB stub: register %s is %q", r.name, digits)
		}
		values[r.name] = little(b)
	}
	return values, nil
}

// little is the number whose bytes in memory are b.
func little(b []byte) (v uint64) {
	for _, x := range slices.Backward(b) {
		v = v<<8 | uint64(x)
	}
	return v
}

// SetRegister writes one register.
//
// WHY not several at a time: a packet with all of them writes CR3, too, which
// flushes the TLB, and then a kernel that forgets to do so would go unnoticed.
func (c *Conn) SetRegister(name string, value uint64) error {
	i := slices.IndexFunc(c.regs, func(r register) bool { return r.name == name })
	if i < 0 {
		return fmt.Errorf("QEMU's GDB stub knows no register %s", name)
	}
	b := make([]byte, c.regs[i].size)
	for k := range b {
		b[k] = byte(value >> (8 * k))
	}
	return c.ok(fmt.Sprintf("P%x=%x", i, b))
}

// describe asks for the description of the processor, and lays out the registers:
// they are numbered and stored in the order in which they are described.
func (c *Conn) describe() ([]register, error) {
	top, err := c.feature("target.xml")
	if err != nil {
		return nil, err
	}
	var target struct {
		Include []struct {
			File string `xml:"href,attr"`
		} `xml:"include"`
	}
	if err := parse(top, &target); err != nil {
		return nil, err
	}
	var regs []register
	for _, inc := range target.Include {
		text, err := c.feature(inc.File)
		if err != nil {
			return nil, err
		}
		var f struct {
			Regs []struct {
				Name string `xml:"name,attr"`
				Bits int    `xml:"bitsize,attr"`
			} `xml:"reg"`
		}
		if err := parse(text, &f); err != nil {
			return nil, err
		}
		for _, r := range f.Regs {
			regs = append(regs, register{name: r.Name, size: r.Bits / 8})
		}
	}
	at := 0
	for i := range regs {
		regs[i].offset = at
		at += regs[i].size
	}
	return regs, nil
}

func parse(text string, to any) error {
	d := xml.NewDecoder(strings.NewReader(text))
	d.Strict = false // a DOCTYPE, and a prefix for include that nothing declares
	if err := d.Decode(to); err != nil {
		return fmt.Errorf("QEMU's GDB stub: its description of the processor: %w", err)
	}
	return nil
}

// feature reads a document of the description.
func (c *Conn) feature(name string) (string, error) {
	var text strings.Builder
	for {
		reply, err := c.ask(fmt.Sprintf("qXfer:features:read:%s:%x,%x", name, text.Len(), pieceSize))
		if err != nil {
			return "", err
		}
		if reply == "" || reply[0] != 'm' && reply[0] != 'l' {
			return "", fmt.Errorf("QEMU's GDB stub has no %s: %.40q", name, reply)
		}
		text.WriteString(reply[1:])
		if reply[0] == 'l' {
			return text.String(), nil
		}
	}
}
