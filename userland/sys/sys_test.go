package sys

import (
	"reflect"
	"testing"
)

func TestErrno(t *testing.T) {
	for e, want := range map[Errno]string{
		ENOENT: "no such file or directory", ELOOP: "too many levels of symbolic links", 41: "errno 41", 999: "errno 999",
	} {
		if got := e.Error(); got != want {
			t.Errorf("%d: %q, want %q", int(e), got, want)
		}
	}
}

func TestWaitStatus(t *testing.T) {
	for _, c := range []struct {
		status   WaitStatus
		exited   bool
		signaled bool
		code     int
		text     string
	}{
		{0, true, false, 0, "exit 0"}, {0x700, true, false, 7, "exit 7"}, {0xff00, true, false, 255, "exit 255"},
		{9, false, true, 137, "signal 9"}, {0x8b, false, true, 139, "signal 11"}, {0x137f, false, false, 0x13, "exit 19"},
	} {
		w := c.status
		if w.Exited() != c.exited || w.Signaled() != c.signaled || w.Code() != c.code || w.String() != c.text {
			t.Errorf("%#x: %v %v %d %q", uint32(w), w.Exited(), w.Signaled(), w.Code(), w.String())
		}
	}
}

func TestSigMask(t *testing.T) {
	if got := SigMask(SIGHUP, SIGCHLD); got != 1|1<<16 {
		t.Errorf("mask %#x", got)
	}
}

// dirent makes a record as getdents64(2) does.
func dirent(ino byte, kind byte, name string, size int) []byte {
	b := make([]byte, size)
	b[0], b[16], b[17], b[18] = ino, byte(size), byte(size>>8), kind
	copy(b[19:], name)
	return b
}

func TestParseDirents(t *testing.T) {
	b := append(dirent(1, 4, ".", 24), dirent(2, 8, "a name", 32)...)
	want := []Dirent{{".", 1, 4}, {"a name", 2, 8}}
	if got := parseDirents(b); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v", got)
	}
	for n := range b { // cut anywhere, it must not run over the end
		if got := parseDirents(b[:n]); len(got) > 1 {
			t.Errorf("%d entries in %d bytes", len(got), n)
		}
	}
	if got := parseDirents(dirent(1, 4, "x", 24)[:23]); got != nil {
		t.Errorf("a record cut off gives %+v", got)
	}
}

func TestRaw(t *testing.T) {
	cooked := Termios{Iflag: ICRNL | IXON | 1, Oflag: 5, Lflag: ISIG | ICANON | ECHO | IEXTEN | 1<<20}
	raw := cooked.Raw()
	if raw.Iflag != 1 || raw.Oflag != 5 || raw.Lflag != 1<<20 || raw.Cc[VMIN] != 1 || raw.Cc[VTIME] != 0 {
		t.Errorf("raw is %+v", raw)
	}
}

func TestRegistersWant(t *testing.T) {
	var r Registers
	for i := range r.General {
		r.General[i] = registerPattern + uint64(i)
	}
	r.Vector = [3]uint64{registerPattern, registerPattern + 5, registerPattern + 11}
	r.Flags = CarryFlag
	if !r.Want() {
		t.Error("the pattern is not accepted")
	}
	for i := range r.General {
		bad := r
		bad.General[i]++
		if bad.Want() {
			t.Errorf("register %d may be wrong", i)
		}
	}
	r.Flags = 0
	if r.Want() {
		t.Error("the flag may be lost")
	}
}
