package tty

import (
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"yolk/kernel/abi"
	"yolk/kernel/vfs"
	"yolk/kernel/vfs/vfstest"
	"yolk/mm"
)

// bench is a terminal with a caller in its foreground, in a synctest bubble.
type bench struct {
	*testing.T
	lock    sync.Mutex
	tty     *TTY
	shown   strings.Builder
	signals []int
	c       *vfstest.Caller
	h       vfs.Handle
}

type node struct{ vfs.Fixed }

func (node) Stat() vfs.Stat                           { return vfs.Stat{Mode: abi.S_IFCHR, Rdev: 7} }
func (node) Open(vfs.Caller, int) (vfs.Handle, error) { return nil, nil }

func run(t *testing.T, f func(b *bench)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := &bench{T: t}
		b.tty = New(Config{Out: &b.shown, Alive: func(pid int) bool { return pid < 100 }, Signal: func(pgid, sig int) {
			b.signals = append(b.signals, pgid, sig)
		}})
		b.c = vfstest.New(&b.lock, 5)
		b.lock.Lock()
		defer b.lock.Unlock()
		b.h, _ = b.tty.Open(b.c, node{}, 0)
		f(b)
	})
}

func (b *bench) others() {
	b.lock.Unlock()
	synctest.Wait()
	b.lock.Lock()
}

// read reads n bytes in a goroutine of its own; the string is ready when done is
// true.
type read struct {
	text string
	err  error
	done bool
}

func (b *bench) read(n int) *read {
	r := new(read)
	go func() {
		b.lock.Lock()
		defer b.lock.Unlock()
		sink := &vfstest.Sink{Room: n}
		_, r.err = b.h.Read(b.c, sink, 0)
		r.text, r.done = string(sink.Data), true
	}()
	b.others()
	return r
}

// TestCanonical types into a fresh terminal.  reads are what reads of 20 bytes
// deliver, in turn; shown is what the device was sent.
func TestCanonical(t *testing.T) {
	for _, tc := range []struct {
		name, typed string
		reads       []string
		shown       string
	}{
		{"a line", "ls\r", []string{"ls\n"}, "ls\r\n"},
		{"two lines", "a\nb\n", []string{"a\n", "b\n"}, "a\r\nb\r\n"},
		{"an unfinished line waits", "abc", nil, "abc"},
		{"erase", "lx\x7fs\n", []string{"ls\n"}, "lx\b \bs\r\n"},
		{"erase at the start", "\x7f\x7fa\n", []string{"a\n"}, "a\r\n"},
		{"erase stops at the line before", "a\n\x7f\n", []string{"a\n", "\n"}, "a\r\n\r\n"},
		{"erase of UTF-8", "é\x7fe\n", []string{"e\n"}, "é\b \be\r\n"},
		{"erase of a control character", "\x01\x7f\n", []string{"\n"}, "^A\b \b\b \b\r\n"},
		{"erase word", "ab  cd  \x17x\n", []string{"ab  x\n"}, "ab  cd  \b \b\b \b\b \b\b \bx\r\n"},
		{"kill", "abc\x15d\n", []string{"d\n"}, "abc\b \b\b \b\b \bd\r\n"},
		{"end of file", "\x04", []string{""}, ""},
		{"end of file after a line", "a\n\x04b\n", []string{"a\n", "", "b\n"}, "a\r\nb\r\n"},
		{"end of file pushes a part", "ab\x04c\n", []string{"ab", "c\n"}, "abc\r\n"},
		{"twenty bytes and a push are no end of file", strings.Repeat("x", 20) + "\x04y\n",
			[]string{strings.Repeat("x", 20), "y\n"}, strings.Repeat("x", 20) + "y\r\n"},
		{"a long line in parts", "0123456789012345678901234\n", []string{"01234567890123456789", "01234\n"}, "0123456789012345678901234\r\n"},
		{"interrupt drops the line", "abc\x03d\n", []string{"d\n"}, "abc^Cd\r\n"},
		{"literal", "\x16\x03\n", []string{"\x03\n"}, "^C\r\n"},
		{"a zero byte is a character", "\x00\n", []string{"\x00\n"}, "^@\r\n"},
		{"tab is shown as it is", "a\tb\n", []string{"a\tb\n"}, "a\tb\r\n"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			run(t, func(b *bench) {
				b.tty.Input([]byte(tc.typed))
				for i, want := range tc.reads {
					if r := b.read(20); !r.done || r.text != want || r.err != nil {
						b.Errorf("read %d: %+v, want %q", i, r, want)
					}
				}
				if r := b.read(20); r.done {
					b.Errorf("another read did not wait: %+v", r)
				}
				if b.shown.String() != tc.shown {
					b.Errorf("shown %q, want %q", b.shown.String(), tc.shown)
				}
				b.c.Interrupt()
				b.others()
			})
		})
	}
}

func TestSignalsGoToTheForeground(t *testing.T) {
	run(t, func(b *bench) {
		b.tty.Input([]byte("\x03\x1a\x1c"))
		want := []int{5, abi.SIGINT, 5, abi.SIGTSTP, 5, abi.SIGQUIT}
		if len(b.signals) != 6 || [6]int(b.signals) != [6]int(want) {
			b.Errorf("signals %v, want %v", b.signals, want)
		}
		b.modes(func(m *abi.Termios) { m.Lflag &^= abi.ISIG })
		if b.tty.Input([]byte("\x03")); len(b.signals) != 6 {
			b.Error("a signal without ISIG")
		}
		b.tty.SetSize(abi.Winsize{Rows: 50, Cols: 100})
		if len(b.signals) != 8 || b.signals[7] != abi.SIGWINCH {
			b.Errorf("signals %v", b.signals)
		}
	})
}

// memory is user memory at address 0.
type memory []byte

func (m memory) CopyIn(dst []byte, va mm.VirtAddr) error {
	if int(va)+len(dst) > len(m) {
		return mm.ErrFault
	}
	copy(dst, m[va:])
	return nil
}

func (m memory) CopyOut(va mm.VirtAddr, src []byte) error {
	if int(va)+len(src) > len(m) {
		return mm.ErrFault
	}
	copy(m[va:], src)
	return nil
}

func (b *bench) ioctl(req uint32, arg uint64, mem memory) error {
	return b.h.(vfs.Controller).Ioctl(b.c, req, arg, mem)
}

// modes changes the terminal's modes as tcsetattr(3) does.
func (b *bench) modes(change func(m *abi.Termios)) {
	b.Helper()
	mem := make(memory, abi.TermiosSize)
	if err := b.ioctl(abi.TCGETS, 0, mem); err != nil {
		b.Fatal(err)
	}
	var m abi.Termios
	m.Decode(mem)
	change(&m)
	if err := b.ioctl(abi.TCSETSW, 0, m.Append(nil)); err != nil {
		b.Fatal(err)
	}
}

func (b *bench) raw(vmin, vtime byte) {
	b.modes(func(m *abi.Termios) {
		m.Lflag &^= abi.ICANON | abi.ECHO | abi.ISIG
		m.Iflag &^= abi.ICRNL
		m.Oflag &^= abi.OPOST
		m.CC[abi.VMIN], m.CC[abi.VTIME] = vmin, vtime
	})
}

func TestRawWaits(t *testing.T) {
	for _, tc := range []struct {
		name        string
		vmin, vtime byte
		typed       []string // with 300 ms before each
		want        string
		after       time.Duration
	}{
		{"a character", 1, 0, []string{"a", "b"}, "a", 300 * time.Millisecond},
		{"three characters", 3, 0, []string{"a", "b", "\r"}, "ab\r", 900 * time.Millisecond},
		{"as many as are wanted", 200, 0, []string{"ab", "cd"}, "abcd", 600 * time.Millisecond},
		{"none, at once", 0, 0, []string{"a"}, "", 0},
		{"none, for a second", 0, 10, nil, "", time.Second},
		{"one within a second", 0, 10, []string{"a"}, "a", 300 * time.Millisecond},
		{"a pause between characters", 9, 5, []string{"a", "b"}, "ab", 1100 * time.Millisecond},
		{"no hurry before the first", 9, 2, []string{"a"}, "a", 500 * time.Millisecond},
	} {
		t.Run(tc.name, func(t *testing.T) {
			run(t, func(b *bench) {
				b.raw(tc.vmin, tc.vtime)
				start := time.Now()
				r := b.read(4)
				step := func(d time.Duration) {
					b.lock.Unlock()
					time.Sleep(d)
					b.lock.Lock()
				}
				for _, s := range tc.typed {
					if r.done {
						break
					}
					step(300 * time.Millisecond)
					b.tty.Input([]byte(s))
					b.others()
				}
				for range 20 {
					if r.done {
						break
					}
					step(100 * time.Millisecond)
					b.others()
				}
				if took := time.Since(start); !r.done || r.text != tc.want || took != tc.after {
					b.Errorf("%+v after %v, want %q after %v", r, took, tc.want, tc.after)
				}
			})
		})
	}
}

func TestModesChangeUnderTyping(t *testing.T) {
	run(t, func(b *bench) {
		b.tty.Input([]byte("abc"))
		b.raw(1, 0)
		if r := b.read(20); r.text != "abc" {
			b.Errorf("a line in the making, raw: %+v", r)
		}
		b.tty.Input([]byte("def"))
		b.modes(func(m *abi.Termios) { m.Lflag |= abi.ICANON })
		if r := b.read(20); r.text != "def" {
			b.Errorf("raw characters, canonical: %+v", r)
		}
		waiting := b.read(20)
		b.raw(1, 0)
		b.tty.Input([]byte("x"))
		if b.others(); waiting.text != "x" {
			b.Errorf("a reader that waited for a line: %+v", waiting)
		}
		b.tty.Input([]byte("lost"))
		mem := b.tty.modes.Append(nil)
		b.ioctl(abi.TCSETSF, 0, mem)
		if n := b.tty.readable(); n != 0 {
			b.Errorf("TCSETSF left %d characters", n)
		}
	})
}

func TestFullBufferKeepsTheLineEnd(t *testing.T) {
	run(t, func(b *bench) {
		b.modes(func(m *abi.Termios) { m.Lflag &^= abi.ECHO })
		b.tty.Input([]byte(strings.Repeat("x", 5000) + "\n" + strings.Repeat("\x04", 9000)))
		r := b.read(9999)
		if want := strings.Repeat("x", bufferSize-1) + "\n"; r.text != want {
			b.Errorf("%d characters, done %v", len(r.text), r.done)
		}
		if cap(b.tty.cells) > 2*bufferSize {
			b.Errorf("room for %d cells", cap(b.tty.cells))
		}
	})
}

func TestPollAndFIONREAD(t *testing.T) {
	run(t, func(b *bench) {
		ready := func(want int, in bool) {
			b.Helper()
			mem := make(memory, 4)
			b.ioctl(abi.FIONREAD, 0, mem)
			events, _ := b.h.(vfs.Poller).Poll()
			if n := int(abi.Int(mem)); n != want || (events&abi.POLLIN != 0) != in || events&abi.POLLOUT == 0 {
				b.Errorf("%d characters, events %#x", n, events)
			}
		}
		ready(0, false)
		b.tty.Input([]byte("ab"))
		ready(0, false)
		b.tty.Input([]byte("\ncd"))
		ready(3, true)
		b.ioctl(abi.TCFLSH, abi.TCIFLUSH, nil)
		b.tty.Input([]byte("\x04"))
		ready(0, true)
		b.ioctl(abi.TCFLSH, abi.TCIOFLUSH, nil)
		b.raw(2, 0)
		b.tty.Input([]byte("x"))
		ready(1, false)
		b.tty.Input([]byte("y"))
		ready(2, true)
		if err := b.ioctl(abi.TCFLSH, 3, nil); err != vfs.ErrInvalid {
			b.Errorf("TCFLSH 3: %v", err)
		}
	})
}

func TestNonblockAndInterrupt(t *testing.T) {
	run(t, func(b *bench) {
		r := b.read(1)
		b.c.Interrupt()
		if b.others(); r.err != vfs.ErrInterrupted {
			b.Errorf("%+v", r)
		}
		b.h.(vfs.Blocker).SetNonblock(true)
		if r := b.read(1); r.err != vfs.ErrAgain {
			b.Errorf("canonical: %+v", r)
		}
		b.raw(1, 0)
		if r := b.read(1); r.err != vfs.ErrAgain {
			b.Errorf("raw: %+v", r)
		}
	})
}

func TestBackgroundReadersAreStopped(t *testing.T) {
	run(t, func(b *bench) {
		b.c.Grp = 9
		b.tty.Input([]byte("mine\n"))
		r := b.read(20)
		if r.done || len(b.c.Signals) != 2 || b.c.Signals[0] != -9 || b.c.Signals[1] != abi.SIGTTIN {
			b.Errorf("%+v, signals %v", r, b.c.Signals)
		}
		shell := vfstest.New(&b.lock, 5)
		if err := b.h.(vfs.Controller).Ioctl(shell, abi.TIOCSPGRP, 0, memory(abi.AppendInt(nil, 9))); err != nil {
			b.Fatal(err)
		}
		if b.others(); r.text != "mine\n" {
			b.Errorf("in the foreground: %+v", r)
		}
	})
}

func TestControllingTerminal(t *testing.T) {
	run(t, func(b *bench) {
		devTTY := Controlling{[]*TTY{b.tty}}
		if _, err := devTTY.Open(b.c, node{}, 0); err != nil {
			b.Errorf("/dev/tty: %v", err)
		}
		other := vfstest.New(&b.lock, 8)
		if _, err := devTTY.Open(other, node{}, 0); err != vfs.ErrNoDevice {
			b.Errorf("/dev/tty of another session: %v", err)
		}
		ctl := func(c *vfstest.Caller, req uint32, arg uint64, mem memory, want error) {
			b.Helper()
			if err := b.h.(vfs.Controller).Ioctl(c, req, arg, mem); err != want {
				b.Errorf("request %#x: %v, want %v", req, err, want)
			}
		}
		mem := make(memory, 4)
		ctl(other, abi.TIOCGPGRP, 0, mem, vfs.ErrNotTTY)
		ctl(other, abi.TIOCSCTTY, 0, mem, vfs.ErrPerm)
		ctl(b.c, abi.TIOCGPGRP, 0, mem, nil)
		ctl(b.c, abi.TIOCSPGRP, 0, memory(abi.AppendInt(nil, -1)), vfs.ErrInvalid)
		ctl(b.c, abi.TIOCSPGRP, 1, mem, mm.ErrFault)
		if abi.Int(mem) != 5 {
			b.Errorf("foreground group %d", abi.Int(mem))
		}
		ctl(other, abi.TIOCSCTTY, 1, mem, nil)
		ctl(other, abi.TIOCGSID, 0, mem, nil)
		if abi.Int(mem) != 8 {
			b.Errorf("session %d", abi.Int(mem))
		}
		ctl(b.c, abi.TIOCSCTTY, 0, mem, vfs.ErrPerm)
		other.Sess = 5
		ctl(other, abi.TIOCSCTTY, 1, mem, vfs.ErrPerm) // no session leader
		b.tty.session = 100                            // whose leader has died
		b.tty.Open(b.c, node{}, abi.O_NOCTTY)
		if b.tty.session != 100 {
			b.Error("O_NOCTTY took the terminal")
		}
		b.tty.Open(b.c, node{}, 0)
		ctl(b.c, abi.TIOCGPGRP, 0, mem, nil)
		ctl(b.c, 0x1234, 0, mem, vfs.ErrNotTTY)
		ctl(b.c, abi.TIOCNOTTY, 0, mem, nil)
		ctl(b.c, abi.TIOCGPGRP, 0, mem, vfs.ErrNotTTY)
	})
}

func TestOutput(t *testing.T) {
	run(t, func(b *bench) {
		long := strings.Repeat("line\n", 200)
		n, err := b.h.Write(b.c, &vfstest.Source{Data: []byte(long)}, 0)
		if n != len(long) || err != nil || b.shown.String() != strings.ReplaceAll(long, "\n", "\r\n") {
			b.Errorf("%d, %v, %d bytes shown", n, err, b.shown.Len())
		}
		b.shown.Reset()
		b.raw(1, 0)
		if n, err := b.h.Write(b.c, &vfstest.Source{Data: []byte("a\nb"), Bad: true}, 0); n != 3 || err != mm.ErrFault || b.shown.String() != "a\nb" {
			b.Errorf("raw: %d, %v, %q", n, err, b.shown.String())
		}
		if st := b.h.Stat(); st.Rdev != 7 || !vfs.IsStream(b.h) {
			b.Error("stat is not the node's, or the terminal has an offset")
		}
	})
}

func TestWindowSize(t *testing.T) {
	run(t, func(b *bench) {
		w := abi.Winsize{Rows: 43, Cols: 132}
		mem := make(memory, abi.WinsizeSize)
		if err := b.ioctl(abi.TIOCSWINSZ, 0, w.Append(nil)); err != nil {
			b.Fatal(err)
		}
		b.ioctl(abi.TIOCGWINSZ, 0, mem)
		var got abi.Winsize
		if got.Decode(mem); got != w {
			b.Errorf("%+v", got)
		}
		if err := b.ioctl(abi.TIOCGWINSZ, 1, mem); err != mm.ErrFault {
			b.Errorf("bad address: %v", err)
		}
	})
}
