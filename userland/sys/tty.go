package sys

import "unsafe"

// Requests of ioctl_tty(2) and flags of termios(3).
const (
	tcgets     = 0x5401
	tcsets     = 0x5402
	tiocsctty  = 0x540e
	tiocgwinsz = 0x5413

	ICRNL  = 0000400
	IXON   = 0002000
	ISIG   = 0000001
	ICANON = 0000002
	ECHO   = 0000010
	IEXTEN = 0100000
	VTIME  = 5
	VMIN   = 6
)

// Termios is struct termios as the kernel has it.
type Termios struct {
	Iflag, Oflag, Cflag, Lflag uint32
	Line                       uint8
	Cc                         [19]uint8
}

// GetTermios gives the terminal's settings; ENOTTY when fd is no terminal.
func GetTermios(fd int) (Termios, error) {
	var t Termios
	err := fails(Call(SysIoctl, uintptr(fd), tcgets, uintptr(unsafe.Pointer(&t)), 0, 0, 0))
	return t, err
}

// SetTermios changes the terminal's settings at once.
func SetTermios(fd int, t Termios) error {
	return fails(Call(SysIoctl, uintptr(fd), tcsets, uintptr(unsafe.Pointer(&t)), 0, 0, 0))
}

// Raw gives t with line editing, echo and signal characters off: each byte is
// read as it comes, and output stays as it was.
func (t Termios) Raw() Termios {
	t.Iflag &^= ICRNL | IXON
	t.Lflag &^= ISIG | ICANON | ECHO | IEXTEN
	t.Cc[VMIN], t.Cc[VTIME] = 1, 0
	return t
}

// IsTerminal tells whether fd is a terminal.
func IsTerminal(fd int) bool { _, err := GetTermios(fd); return err == nil }

// WindowColumns is the terminal's width in characters, 80 when it does not say.
func WindowColumns(fd int) int {
	var w [4]uint16 // rows, columns, and the two in pixels
	err := fails(Call(SysIoctl, uintptr(fd), tiocgwinsz, uintptr(unsafe.Pointer(&w)), 0, 0, 0))
	if err != nil || w[1] == 0 {
		return 80
	}
	return int(w[1])
}

// SetControllingTerminal makes the terminal at fd that of the caller's session
// (TIOCSCTTY).
func SetControllingTerminal(fd int) error {
	return fails(Call(SysIoctl, uintptr(fd), tiocsctty, 0, 0, 0, 0))
}
