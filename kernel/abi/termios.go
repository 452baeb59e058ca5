package abi

// Indices of a terminal's control characters (termios(3)).
const (
	VINTR, VQUIT, VERASE, VKILL, VEOF, VTIME, VMIN = 0, 1, 2, 3, 4, 5, 6
	VSTART, VSTOP, VSUSP, VEOL, VREPRINT           = 8, 9, 10, 11, 12
	VWERASE, VLNEXT, VEOL2                         = 14, 15, 16
	NCCS                                           = 19
)

// Flags of a terminal's modes (termios(3)).
const (
	// Iflag
	BRKINT, ISTRIP                   = 0o2, 0o40
	INLCR, IGNCR, ICRNL, IXON, IUTF8 = 0o100, 0o200, 0o400, 0o2000, 0o40000
	// Oflag
	OPOST, ONLCR, OCRNL, ONLRET = 0o1, 0o4, 0o10, 0o40
	// Cflag
	B38400, CS8, CREAD, HUPCL = 0o17, 0o60, 0o200, 0o2000
	// Lflag
	ISIG, ICANON, ECHO, ECHOE, ECHOK = 0o1, 0o2, 0o10, 0o20, 0o40
	ECHONL, NOFLSH, TOSTOP           = 0o100, 0o200, 0o400
	ECHOCTL, ECHOKE, IEXTEN          = 0o1000, 0o4000, 0o100000
)

// TermiosSize is the size of the kernel's struct termios, which TCGETS fills.
const TermiosSize = 36

// Termios is a terminal's modes and control characters.
type Termios struct {
	Iflag, Oflag, Cflag, Lflag uint32
	Line                       uint8
	CC                         [NCCS]uint8
}

// Append appends the structure's TermiosSize bytes to b.
func (t *Termios) Append(b []byte) []byte {
	for _, v := range [...]uint32{t.Iflag, t.Oflag, t.Cflag, t.Lflag} {
		b = le.AppendUint32(b, v)
	}
	b = append(b, t.Line)
	return append(b, t.CC[:]...)
}

// Decode fills t from the first TermiosSize bytes of b.
func (t *Termios) Decode(b []byte) {
	t.Iflag, t.Oflag, t.Cflag, t.Lflag = le.Uint32(b), le.Uint32(b[4:]), le.Uint32(b[8:]), le.Uint32(b[12:])
	t.Line = b[16]
	copy(t.CC[:], b[17:TermiosSize])
}

// WinsizeSize is the size of struct winsize.
const WinsizeSize = 8

// Winsize is a terminal's size in characters and pixels (ioctl_tty(2)).
type Winsize struct{ Rows, Cols, X, Y uint16 }

// Append appends the structure's WinsizeSize bytes to b.
func (w *Winsize) Append(b []byte) []byte {
	for _, v := range [...]uint16{w.Rows, w.Cols, w.X, w.Y} {
		b = le.AppendUint16(b, v)
	}
	return b
}

// Decode fills w from the first WinsizeSize bytes of b.
func (w *Winsize) Decode(b []byte) {
	w.Rows, w.Cols, w.X, w.Y = le.Uint16(b), le.Uint16(b[2:]), le.Uint16(b[4:]), le.Uint16(b[6:])
}
