package qemu

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"yolk/kernel/trace"
)

// TestMain makes the test binary stand in for QEMU: started with -fake NAME it
// plays the guest of that name and speaks the guest's half of PROTOCOL.md.
func TestMain(m *testing.M) {
	if slices.Contains(os.Args, "--version") {
		fmt.Println("QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7)\nCopyright (c) 2003-2022")
		os.Exit(0)
	}
	if i := slices.Index(os.Args, "-fake"); i >= 0 {
		g := openGuest(os.Args)
		guests[os.Args[i+1]](g)
		os.Exit(3)
	}
	os.Exit(m.Run())
}

// A guest is the fake machine's side of the channels.
type guest struct {
	com1, com2, log, trace, out io.ReadWriter
	com2in                      *bufio.Reader
}

// openGuest opens the channels that the arguments name.
func openGuest(args []string) *guest {
	open := make(map[string]io.ReadWriter)
	for i, a := range args {
		if a == "-chardev" {
			opts := strings.Split(args[i+1], ",")
			open[value(opts, "id")] = openChardev(opts)
		}
	}
	g := &guest{com1: open["com1"], com2: open["com2"], log: open["log"], trace: open["trace"], out: open["out"]}
	g.com2in = bufio.NewReader(g.com2)
	return g
}

func openChardev(opts []string) io.ReadWriter {
	switch opts[0] {
	case "null":
		return discard{}
	case "pipe":
		return openPipe(opts)
	}
	if port := value(opts, "port"); port != "" {
		conn, err := net.Dial("tcp", "127.0.0.1:"+port)
		must(err)
		return conn
	}
	var fd int
	if path := value(opts, "path"); path != "" {
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		must(err)
		return f
	}
	_, err := fmt.Sscan(value(opts, "fd"), &fd)
	must(err)
	return os.NewFile(uintptr(fd), "fd")
}

func value(opts []string, key string) string {
	for _, o := range opts {
		if v, ok := strings.CutPrefix(o, key+"="); ok {
			return v
		}
	}
	return ""
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "fake:", err)
		os.Exit(4)
	}
}

func (g *guest) frame(kind byte, payload ...byte) {
	_, err := g.out.Write(appendFrame(nil, kind, payload...))
	must(err)
}

func (g *guest) frame32(kind byte, n uint32) {
	g.frame(kind, binary.LittleEndian.AppendUint32(nil, n)...)
}

func (g *guest) ready() { g.frame(frameReady) }

// finish ends the machine as the kernel does.
func (g *guest) finish(status uint32) {
	g.frame32(frameExit, status)
	os.Exit(qemuNormal)
}

// receive reads one frame from the host.
func (g *guest) receive() (byte, []byte) {
	var h [frameHeader]byte
	_, err := io.ReadFull(g.com2in, h[:])
	must(err)
	b := make([]byte, binary.LittleEndian.Uint16(h[1:]))
	_, err = io.ReadFull(g.com2in, b)
	must(err)
	return h[0], b
}

// idle is a kernel that has stopped.
func (g *guest) idle() { select {} }

// guests are the fake machines by name.
var guests = map[string]func(*guest){
	"exit-7":     func(g *guest) { g.ready(); g.finish(7 << 8) },
	"signal-9":   func(g *guest) { g.ready(); g.finish(9) },
	"core-11":    func(g *guest) { g.ready(); g.finish(11 | 0x80) },
	"no-status":  func(g *guest) { g.ready(); os.Exit(qemuNormal) },
	"panic":      func(g *guest) { g.ready(); io.WriteString(g.log, "panic: x\n"); os.Exit(qemuPanic) },
	"odd-exit":   func(g *guest) { io.WriteString(g.log, "hello\n"); os.Exit(0x42<<1 | 1) },
	"no-guest":   func(*guest) { os.Exit(0x42<<1 | 1) },
	"boot-fails": func(g *guest) { io.WriteString(g.log, "pass -cpu max\n"); os.Exit(qemuBootFail) },
	"reset-boot": func(g *guest) { os.Exit(qemuReset) },
	"reset":      func(g *guest) { g.ready(); os.Exit(qemuReset) },
	"killed-by-gdb": func(g *guest) {
		g.ready()
		fmt.Fprintln(os.Stderr, "qemu-system-x86_64: QEMU: Terminated via GDBstub")
		os.Exit(0)
	},
	"bad-option": func(g *guest) { fmt.Fprintln(os.Stderr, "qemu: no such option"); os.Exit(1) },
	"hung":       func(g *guest) { g.ready(); g.frame(frameBeat); g.idle() },
	"hung-boot":  func(g *guest) { g.idle() },
	"chatter": func(g *guest) { // logs for ever, but its heart has stopped
		g.ready()
		for {
			io.WriteString(g.log, "tick\n")
			time.Sleep(10 * time.Millisecond)
		}
	},
	"slow-boot": func(g *guest) { // boot is slow, but says so
		for range 20 {
			io.WriteString(g.log, ".")
			time.Sleep(50 * time.Millisecond)
		}
		g.ready()
		g.finish(0)
	},
	"long-run":   func(g *guest) { g.ready(); g.live(func() {}) }, // computes for long; its heart beats
	"on-stdout":  func(g *guest) { g.ready(); g.live(func() { g.frame(frameStdout, '.') }) },
	"on-console": func(g *guest) { g.ready(); g.live(func() { io.WriteString(g.com1, ".") }) },
	"on-log":     func(g *guest) { g.ready(); g.live(func() { io.WriteString(g.log, ".") }) },
	"on-trace": func(g *guest) {
		var enc trace.Encoder
		g.ready()
		g.live(func() { g.trace.Write(enc.Append(nil, &trace.Event{Kind: trace.Exit})) })
	},
	"bad-type":   func(g *guest) { g.ready(); g.frame(0x77); g.idle() },
	"bad-length": func(g *guest) { g.ready(); g.frame(frameExit, 1); g.idle() },
	"cut-trace":  func(g *guest) { g.ready(); g.trace.Write(exits(2)[:7]); g.finish(0) },
	"traces-on":  func(g *guest) { g.ready(); g.trace.Write(exits(300)); g.idle() },
	"flood": func(g *guest) { // traces more than a pipe holds, and says when it is through
		g.ready()
		g.trace.Write(exits(flood))
		g.frame(frameStdout, '.')
		g.finish(0)
	},
	"bad-trace": func(g *guest) { g.ready(); g.trace.Write(make([]byte, 64)); g.idle() },
	"cut-short": func(g *guest) { g.ready(); g.out.Write([]byte{frameStdout, 9, 0, 'x'}); os.Exit(qemuPanic) },
	"traces":    (*guest).playTrace,
	"cat":       (*guest).playCat,
	"yes":       (*guest).playYes,
	"silence":   (*guest).playSilence,
	"terminal":  (*guest).playTerminal,
	"resize":    (*guest).playResize,
	"records":   (*guest).playRecords,
	"stuck":     (*guest).playStuck,
	"torrent":   func(g *guest) { g.ready(); g.flood(8 * outputCredit); g.finish(0) },
	"both":      func(g *guest) { g.ready(); g.say(); g.finish(0) },
	"babble":    func(g *guest) { g.ready(); g.babble() },
}

// live goes on for a second, in which the heart beats and words come.
func (g *guest) live(say func()) {
	for range 20 {
		g.frame(frameBeat)
		say()
		time.Sleep(50 * time.Millisecond)
	}
	g.finish(0)
}

// say writes to both output streams.
func (g *guest) say() {
	g.frame(frameStdout, []byte("out\r\n\x00\xff")...)
	g.frame(frameStderr, []byte("err")...)
}

// flood sends n bytes of output, whatever the credit.
func (g *guest) flood(n int) {
	for ; n > 0; n -= maxToHost {
		g.frame(frameStdout, make([]byte, maxToHost)...)
	}
}

// babble fills the console until the host takes no more, then waits for it to
// take the rest, while the heart stands still.
func (g *guest) babble() {
	for range 64 {
		g.com1.Write(make([]byte, 64<<10))
	}
	g.finish(0)
}

// flood is how many events the guest flood sends.
const flood = 200_000

// exits are n events.
func exits(n int) (b []byte) {
	var enc trace.Encoder
	for range n {
		b = enc.Append(b, &trace.Event{Kind: trace.Exit, PID: 5, Err: 256})
	}
	return b
}

func (g *guest) playTrace() {
	g.ready()
	g.trace.Write(exits(3))
	g.finish(0)
}

// playCat copies standard input to standard output and keeps to its credit.
func (g *guest) playCat() {
	g.ready()
	credit, held := outputCredit, []byte(nil)
	g.frame32(frameAsk, 4096)
	for eof := false; !eof || len(held) > 0; {
		kind, b := g.receive()
		switch kind {
		case frameStdin:
			held = append(held, b...)
			g.frame32(frameAsk, uint32(len(b)))
		case frameEOF:
			eof = true
		case frameGrant:
			credit += int(binary.LittleEndian.Uint32(b[1:]))
		}
		n := min(len(held), credit, maxToHost)
		for n > 0 {
			g.frame(frameStdout, held[:n]...)
			held, credit = held[n:], credit-n
			n = min(len(held), credit, maxToHost)
		}
	}
	g.finish(0)
}

// playYes writes until nobody reads.
func (g *guest) playYes() {
	g.ready()
	credit := outputCredit
	for {
		for credit >= maxToHost {
			g.frame(frameStdout, make([]byte, maxToHost)...)
			credit -= maxToHost
		}
		switch kind, b := g.receive(); kind {
		case frameGrant:
			credit += int(binary.LittleEndian.Uint32(b[1:]))
		case frameBroken:
			g.finish(13)
		}
	}
}

// playSilence writes just too little for credit to come back, and reports
// whether anything arrived all the same.
func (g *guest) playSilence() {
	g.ready()
	g.flood(grantAt - maxToHost)
	heard := make(chan bool)
	go func() { g.receive(); heard <- true }()
	select {
	case <-heard:
		g.finish(1 << 8)
	case <-time.After(300 * time.Millisecond):
		g.finish(0)
	}
}

// playTerminal echoes the console until Ctrl-D.
func (g *guest) playTerminal() {
	g.ready()
	for {
		var b [1]byte
		_, err := g.com1.Read(b[:])
		must(err)
		g.com1.Write(b[:])
		if b[0] == ctrlD {
			g.finish(0)
		}
	}
}

// playResize exits with the rows of the first new size.
func (g *guest) playResize() {
	g.ready()
	for {
		if kind, b := g.receive(); kind == frameWinSize {
			g.finish(uint32(b[0]) << 8)
		}
	}
}
