package abi

import (
	"encoding/hex"
	"strings"
	"testing"
)

// TestSizes holds the encoders to the sizes of the C structures.
func TestSizes(t *testing.T) {
	for name, c := range map[string]struct{ got, want int }{
		"stat":     {len(new(Stat).Append(nil)), StatSize},
		"statfs":   {len(new(Statfs).Append(nil)), 120},
		"termios":  {len(new(Termios).Append(nil)), TermiosSize},
		"winsize":  {len(new(Winsize).Append(nil)), WinsizeSize},
		"rusage":   {len(new(Rusage).Append(nil)), RusageSize},
		"sysinfo":  {len(new(Sysinfo).Append(nil)), SysinfoSize},
		"utsname":  {len(AppendUtsname(nil, [6]string{"a"})), UtsnameSize},
		"timespec": {len(AppendTimespec(nil, 1)), TimespecSize},
		"timeval":  {len(AppendTimeval(nil, 1)), TimevalSize},
	} {
		if c.got != c.want {
			t.Errorf("%s: %d bytes, want %d", name, c.got, c.want)
		}
	}
}

// TestStatLayout compares with the offsets of the C structure (x86-64).
func TestStatLayout(t *testing.T) {
	s := Stat{
		Dev: 1, Ino: 2, Nlink: 3, Mode: 4, UID: 5, GID: 6, Rdev: 7, Size: 8, Blocks: 9,
		Atime: 10e9 + 11, Mtime: 12e9 + 13, Ctime: -1,
	}
	b := s.Append(nil)
	for off, want := range map[int]uint64{
		0: 1, 8: 2, 16: 3, 24: 5<<32 | 4, 32: 6, 40: 7, 48: 8, 56: 4096, 64: 9,
		72: 10, 80: 11, 88: 12, 96: 13, 104: 1<<64 - 1, 112: 999999999,
	} {
		if got := le.Uint64(b[off:]); got != want {
			t.Errorf("at %d: %#x, want %#x", off, got, want)
		}
	}
}

func TestDirent(t *testing.T) {
	for n := range 300 {
		b := AppendDirent([]byte("x"), 1, 2, S_IFDIR, strings.Repeat("n", n))[1:]
		if len(b) != DirentSize(n) || len(b)%8 != 0 || int(le.Uint16(b[16:])) != len(b) || b[len(b)-1] != 0 || len(b) > 20+n+7 {
			t.Fatalf("name of %d bytes: %s", n, hex.EncodeToString(b))
		}
	}
	if got := hex.EncodeToString(AppendDirent(nil, 5, 6, S_IFLNK, "abc")); got != "05000000000000000600000000000000"+"18000a6162630000" {
		t.Error(got)
	}
}

func TestTermiosRoundTrip(t *testing.T) {
	in := Termios{Iflag: 1, Oflag: 2, Cflag: 3, Lflag: 4, Line: 5, CC: [NCCS]uint8{6, NCCS - 1: 7}}
	var out Termios
	if out.Decode(in.Append(nil)); out != in {
		t.Errorf("%+v", out)
	}
}

func TestErrno(t *testing.T) {
	for e, want := range map[Errno]string{0: "OK", ENOENT: "ENOENT", ELOOP: "ELOOP", ERANGE: "ERANGE", ENOTEMPTY: "ENOTEMPTY",
		ETIMEDOUT: "ETIMEDOUT", 41: "errno 41", 4000: "errno 4000", -1: "errno -1"} {
		if e.String() != want {
			t.Errorf("%d: %s, want %s", int32(e), e, want)
		}
	}
	for e, want := range map[Errno]int32{EPERM: 1, ENOMEM: 12, EXDEV: 18, EMFILE: 24, EPIPE: 32, ENAMETOOLONG: 36, ENOSYS: 38, ELOOP: 40} {
		if int32(e) != want {
			t.Errorf("%v is %d, want %d", e, int32(e), want)
		}
	}
}

func TestMkdev(t *testing.T) {
	for _, c := range []struct {
		major, minor uint32
		want         uint64
	}{{1, 3, 0x103}, {5, 0, 0x500}, {240, 300, 0x10f02c}} {
		if got := Mkdev(c.major, c.minor); got != c.want {
			t.Errorf("%d:%d is %#x, want %#x", c.major, c.minor, got, c.want)
		}
	}
}
