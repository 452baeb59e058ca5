package stub

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
)

// The description that the fake stub gives: in two documents, the second of which
// comes in pieces.
const (
	targetXML = `<?xml version="1.0"?><!DOCTYPE target SYSTEM "gdb-target.dtd"><target><architecture>i386:x86-64</architecture><xi:include href="core.xml"/></target>`
	coreXML   = `<?xml version="1.0"?><feature name="core"><reg name="rax" bitsize="64" type="int64"/><reg name="eflags" bitsize="32"/><reg name="st0" bitsize="80"/><reg name="cr3" bitsize="64"/></feature>`
)

// serve is the other end: it answers each request by reply, "" for what it does not
// know, and keeps what it was asked.
func serve(t *testing.T, reply func(request string) string) (*Conn, *[]string, error) {
	here, there := net.Pipe()
	t.Cleanup(func() { here.Close(); there.Close() })
	asked := new([]string)
	go func() {
		in := bufio.NewReader(there)
		for {
			if _, err := in.ReadString('$'); err != nil {
				return
			}
			request, err := in.ReadString('#')
			if err != nil {
				return
			}
			in.Discard(2)
			request = request[:len(request)-1]
			*asked = append(*asked, request)
			answer := described(request)
			if answer == "" {
				answer = reply(request)
			}
			if answer == "end" {
				there.Close()
				return
			}
			fmt.Fprintf(there, "+$%s#%02x", answer, sum(answer))
		}
	}()
	c, err := Dial(here)
	return c, asked, err
}

func described(request string) string {
	var at, n int
	name, span, ok := strings.Cut(strings.TrimPrefix(request, "qXfer:features:read:"), ":")
	if request == "Qqemu.PhyMemMode:1" {
		return "OK"
	}
	if !ok || strings.HasPrefix(request, "m") {
		return ""
	}
	fmt.Sscanf(span, "%x,%x", &at, &n)
	text := map[string]string{"target.xml": targetXML, "core.xml": coreXML}[name]
	if text == "" {
		return ""
	}
	if at+100 < len(text) {
		return "m" + text[at:at+100]
	}
	return "l" + text[at:]
}

// TestRegisters: they are found by the description, whatever their order and size.
func TestRegisters(t *testing.T) {
	c, asked, err := serve(t, func(request string) string {
		switch request {
		case "g":
			return "0102030405060708" + "0a000000" + strings.Repeat("ff", 10) + "00f00*("
		case "P3=00f0000000000000":
			return "OK"
		}
		return ""
	})
	if err != nil {
		t.Fatal(err)
	}
	regs, err := c.Registers()
	if err != nil || regs["rax"] != 0x0807060504030201 || regs["eflags"] != 10 || regs["cr3"] != 0xf000 {
		t.Errorf("%x %v", regs, err)
	}
	if _, wide := regs["st0"]; wide {
		t.Error("a register of 80 bits in 64")
	}
	if err := c.SetRegister("cr3", 0xf000); err != nil {
		t.Error(err)
	}
	if err := c.SetRegister("cr9", 0); err == nil {
		t.Error("a register that is not there was set")
	}
	if (*asked)[0] != "Qqemu.PhyMemMode:1" {
		t.Errorf("%q", *asked)
	}
}

// TestMemory: it is read and written in pieces that the stub can take.
func TestMemory(t *testing.T) {
	memory := make([]byte, 3000)
	for i := range memory {
		memory[i] = byte(i * 7)
	}
	c, _, err := serve(t, func(request string) string {
		var at, n int
		if _, err := fmt.Sscanf(request, "m%x,%x", &at, &n); err == nil && at+n <= len(memory) && n <= 1024 {
			return fmt.Sprintf("%x", memory[at:at+n])
		}
		var data string
		if _, err := fmt.Sscanf(request, "M%x,%x:%s", &at, &n, &data); err == nil && at+n <= len(memory) && len(data) == 2*n {
			fmt.Sscanf(data, "%x", &data)
			copy(memory[at:], data)
			return "OK"
		}
		return "E14"
	})
	if err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 2500)
	if err := c.ReadPhysical(100, got); err != nil || string(got) != string(memory[100:2600]) {
		t.Errorf("%v", err)
	}
	if err := c.WritePhysical(10, []byte(strings.Repeat("x", 1500))); err != nil || string(memory[10:1510]) != strings.Repeat("x", 1500) || memory[1510] == 'x' {
		t.Errorf("%v", err)
	}
	if err := c.ReadPhysical(2900, got); !errors.Is(err, ErrAddress) {
		t.Errorf("memory that is not there was read: %v", err)
	}
	if err := c.WritePhysical(2990, got); !errors.Is(err, ErrAddress) {
		t.Errorf("memory that is not there was written: %v", err)
	}
}

// TestMemoryRefused: what else goes wrong with memory is not blamed on the address,
// and an end is an end.
func TestMemoryRefused(t *testing.T) {
	for answer, ended := range map[string]bool{"E22": false, "": false, "00": false, "end": true} {
		for _, write := range []bool{false, true} {
			c, _, err := serve(t, func(string) string { return answer })
			if err != nil {
				t.Fatal(err)
			}
			if b := make([]byte, 8); write {
				err = c.WritePhysical(0, b)
			} else {
				err = c.ReadPhysical(0, b)
			}
			if err == nil || errors.Is(err, ErrAddress) || errors.Is(err, ErrEnded) != ended {
				t.Errorf("%q, write %t: %v", answer, write, err)
			}
		}
	}
}

// TestContinue: a stop, an end, a connection that breaks, and text in between.
func TestContinue(t *testing.T) {
	for answer, want := range map[string]error{"T05thread:01;": nil, "S05": nil, "W00": ErrEnded, "X09": ErrEnded, "end": ErrEnded} {
		c, _, err := serve(t, func(string) string { return answer })
		if err != nil {
			t.Fatal(err)
		}
		if got := c.Continue(); !errors.Is(got, want) || (want == nil) != (got == nil) {
			t.Errorf("%s: %v", answer, got)
		}
	}
	c, _, err := serve(t, func(string) string { return "E22" })
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Continue(); err == nil || errors.Is(err, ErrEnded) {
		t.Errorf("an error: %v", err)
	}
	if err := c.Break(0x1000); err == nil {
		t.Error("a breakpoint that was refused")
	}
	if !isOutput("O48656c6c6f") || isOutput("OK") || isOutput("") {
		t.Error("text for the console")
	}
}

// TestUnpack: escapes and repetitions.
func TestUnpack(t *testing.T) {
	for text, want := range map[string]string{"abc": "abc", "0* 1": "00001", "a}\x03b": "a#b", "x*!": "xxxxx"} {
		if got, err := unpack(text); err != nil || got != want {
			t.Errorf("%q: %q %v", text, got, err)
		}
	}
	for _, text := range []string{"*a", "a*", "a}", "a*\x01"} {
		if _, err := unpack(text); err == nil {
			t.Errorf("%q was taken", text)
		}
	}
}

// TestWrongSum: a packet that was damaged on the way is an error.
func TestWrongSum(t *testing.T) {
	here, there := net.Pipe()
	defer here.Close()
	go func() {
		buf := make([]byte, 100)
		there.Read(buf)
		there.Write([]byte("+$OK#00"))
		there.Close()
	}()
	if _, err := Dial(here); err == nil || !strings.Contains(err.Error(), "wrong sum") {
		t.Errorf("%v", err)
	}
}
