// Package tty is the terminal: the line discipline between a device that
// delivers and takes bytes and the processes that read lines (termios(3),
// ioctl_tty(2)).
//
//	device ──Input──▶ edit, echo, signals ──▶ cells ──Read──▶ process
//	device ◀─Config.Out── \n → \r\n ◀── echo, Write ◀── process
//
// In canonical mode the cells behind the last line end are the line being
// edited, and only those before it can be read; in raw mode all can.
//
// Everything is guarded by the kernel lock; the device's side takes it before
// it calls Input.
package tty

import (
	"io"

	"yolk/kernel/abi"
	"yolk/kernel/vfs"
)

// bufferSize is how many characters wait to be read at most.
const bufferSize = 4096

// Config is what a terminal needs.
type Config struct {
	Out    io.Writer           // takes what is to be shown, at once
	Signal func(pgid, sig int) // sends a signal of the terminal's to a process group
	Alive  func(pid int) bool  // reports whether a session's leader still lives
}

// cell is a character that was typed, or a mark.
type cell uint16

const (
	lineEnd cell = 1 << 8 // the last of its line
	endMark cell = 1 << 9 // end of file: no character at all
)

// TTY is a terminal.  It implements vfs.Device.
type TTY struct {
	Config
	modes abi.Termios
	size  abi.Winsize

	session int // whose controlling terminal it is; 0: nobody's
	group   int // foreground process group; 0: none

	cells   []cell // what was typed and not read yet
	lines   int    // how many of them end a line
	literal bool   // VLNEXT: the next character is an ordinary one
	echoed  []byte // to be shown when Input is done
	queue   vfs.Queue
}

// New returns a terminal in the modes of a fresh Linux console.
func New(c Config) *TTY {
	t := &TTY{Config: c, size: abi.Winsize{Rows: 24, Cols: 80}}
	t.modes = abi.Termios{
		Iflag: abi.ICRNL | abi.IUTF8,
		Oflag: abi.OPOST | abi.ONLCR,
		Cflag: abi.B38400 | abi.CS8 | abi.CREAD | abi.HUPCL,
		Lflag: abi.ISIG | abi.ICANON | abi.ECHO | abi.ECHOE | abi.ECHOK | abi.ECHOCTL | abi.ECHOKE | abi.IEXTEN,
	}
	t.modes.CC = [abi.NCCS]uint8{
		abi.VINTR: 'C' & 31, abi.VQUIT: '\\' & 31, abi.VERASE: 127, abi.VKILL: 'U' & 31,
		abi.VEOF: 'D' & 31, abi.VMIN: 1, abi.VSTART: 'Q' & 31, abi.VSTOP: 'S' & 31,
		abi.VSUSP: 'Z' & 31, abi.VWERASE: 'W' & 31, abi.VLNEXT: 'V' & 31,
	}
	return t
}

// SetSize sets the terminal's size and tells the foreground group (SIGWINCH).
func (t *TTY) SetSize(w abi.Winsize) {
	if w != t.size {
		t.size = w
		t.signal(abi.SIGWINCH)
	}
}

// Input takes bytes that the device delivered.
func (t *TTY) Input(b []byte) {
	for _, ch := range b {
		t.input(ch)
	}
	if len(t.echoed) > 0 {
		t.show(t.echoed)
		t.echoed = t.echoed[:0]
	}
	t.queue.WakeAll()
}

// input takes one character.
//
//	character            mode      effect
//	CR                   ICRNL     is taken for NL
//	VINTR VQUIT VSUSP    ISIG      input flushed, signal to the foreground group
//	VLNEXT               ICANON    the next character is an ordinary one
//	VERASE VWERASE VKILL ICANON    a character, word, line is taken back
//	VEOF                 ICANON    what is there can be read; alone: end of file
//	NL VEOL VEOL2        ICANON    ends the line
//	any other            -         is echoed and kept
func (t *TTY) input(ch byte) {
	if t.literal {
		t.literal = false
		t.keep(ch, 0)
		return
	}
	ch, ok := t.translate(ch)
	if !ok || t.has(abi.ISIG) && t.interrupt(ch) {
		return
	}
	cc := &t.modes.CC
	switch {
	case !t.has(abi.ICANON):
		t.keep(ch, 0)
	case ch == '\n':
		t.keep(ch, lineEnd)
	case ch == 0: // the code of a control character that is switched off
		t.keep(ch, 0)
	case ch == cc[abi.VERASE]:
		t.erase()
	case ch == cc[abi.VKILL]:
		for t.erase() {
		}
	case ch == cc[abi.VEOF]:
		if len(t.cells) < bufferSize {
			t.cells = append(t.cells, endMark|lineEnd)
			t.lines++
		}
	case ch == cc[abi.VEOL] || ch == cc[abi.VEOL2]:
		t.keep(ch, lineEnd)
	case !t.has(abi.IEXTEN):
		t.keep(ch, 0)
	case ch == cc[abi.VWERASE]:
		t.eraseWord()
	case ch == cc[abi.VLNEXT]:
		t.literal = true
	default:
		t.keep(ch, 0)
	}
}

// translate applies the input modes; false drops the character.
func (t *TTY) translate(ch byte) (byte, bool) {
	switch in := t.modes.Iflag; {
	case ch == '\r' && in&abi.IGNCR != 0:
		return 0, false
	case ch == '\r' && in&abi.ICRNL != 0:
		return '\n', true
	}
	return ch, true
}

// interrupt handles the characters that send signals.
func (t *TTY) interrupt(ch byte) bool {
	for i, sig := range [...]int{abi.VINTR: abi.SIGINT, abi.VQUIT: abi.SIGQUIT, abi.VSUSP: abi.SIGTSTP} {
		if sig != 0 && ch != 0 && ch == t.modes.CC[i] {
			if !t.has(abi.NOFLSH) {
				t.flush()
			}
			t.echo(ch)
			t.signal(sig)
			return true
		}
	}
	return false
}

// keep stores a character and echoes it.  When the buffer is full, characters
// are lost, but there is always room to end the line.
func (t *TTY) keep(ch byte, mark cell) {
	if len(t.cells) >= bufferSize || mark == 0 && len(t.cells) >= bufferSize-1 && t.has(abi.ICANON) {
		t.echoed = append(t.echoed, '\a')
		return
	}
	t.cells = append(t.cells, cell(ch)|mark)
	if mark != 0 {
		t.lines++
	}
	if ch == '\n' && mark != 0 && t.has(abi.ECHONL) && !t.has(abi.ECHO) {
		t.echoed = append(t.echoed, '\n')
	}
	t.echo(ch)
}

// echo shows a character that was typed, a control character as ^X.
func (t *TTY) echo(ch byte) {
	switch {
	case !t.has(abi.ECHO):
	case caret(ch) && t.has(abi.ECHOCTL):
		t.echoed = append(t.echoed, '^', ch^0x40)
	default:
		t.echoed = append(t.echoed, ch)
	}
}

// caret reports whether ECHOCTL shows ch in two columns.
func caret(ch byte) bool { return ch < ' ' && ch != '\t' && ch != '\n' || ch == 0x7f }

// editable reports whether the last cell belongs to the line being edited.
func (t *TTY) editable() bool {
	n := len(t.cells)
	return n > 0 && t.cells[n-1]&lineEnd == 0
}

// erase takes the last character of the line back, all bytes of it where the
// input is UTF-8, and reports whether there was one.
func (t *TTY) erase() bool {
	if !t.editable() {
		return false
	}
	ch := byte(t.cells[len(t.cells)-1])
	for t.cells = t.cells[:len(t.cells)-1]; t.modes.Iflag&abi.IUTF8 != 0 && ch&0xc0 == 0x80 && t.editable(); {
		ch = byte(t.cells[len(t.cells)-1])
		t.cells = t.cells[:len(t.cells)-1]
	}
	if t.has(abi.ECHO | abi.ECHOE) {
		t.echoed = append(t.echoed, "\b \b"...)
		if caret(ch) && t.has(abi.ECHOCTL) {
			t.echoed = append(t.echoed, "\b \b"...)
		}
	}
	return true
}

// eraseWord takes blanks and the word before them back.
func (t *TTY) eraseWord() {
	blank := func() bool {
		ch := byte(t.cells[len(t.cells)-1])
		return ch == ' ' || ch == '\t'
	}
	for t.editable() && blank() {
		t.erase()
	}
	for t.editable() && !blank() {
		t.erase()
	}
}

// flush drops what was typed and not read.
func (t *TTY) flush() { t.cells, t.lines, t.literal = t.cells[:0], 0, false }

// has reports whether all the local modes given are on.
func (t *TTY) has(modes uint32) bool { return t.modes.Lflag&modes == modes }

// signal sends sig to the foreground group.
func (t *TTY) signal(sig int) {
	if t.group != 0 {
		t.Signal(t.group, sig)
	}
}

// show sends b to the device, through the output modes.
func (t *TTY) show(b []byte) {
	if t.modes.Oflag&(abi.OPOST|abi.ONLCR) != abi.OPOST|abi.ONLCR {
		t.Out.Write(b)
		return
	}
	start := 0
	for i, ch := range b {
		if ch == '\n' {
			t.Out.Write(b[start:i])
			t.Out.Write(crlf)
			start = i + 1
		}
	}
	t.Out.Write(b[start:])
}

var crlf = []byte("\r\n")
