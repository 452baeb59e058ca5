//go:build linux && amd64

package sys

import (
	"os"
	"path/filepath"
	"testing"
)

func TestCallErrors(t *testing.T) {
	if _, err := Open("/no/such/file", O_RDONLY, 0); err != ENOENT {
		t.Errorf("open: %v", err)
	}
	if n, err := Read(-1, make([]byte, 1)); n != -1 || err != EBADF {
		t.Errorf("read: %d, %v", n, err)
	}
	if _, e := Call(9999, 0, 0, 0, 0, 0, 0); e != ENOSYS {
		t.Errorf("call 9999: %v", e)
	}
	if Getpid() != os.Getpid() {
		t.Error("getpid")
	}
}

func TestFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	fd, err := Open(path, O_RDWR|O_CREAT, 0o640)
	if err != nil {
		t.Fatal(err)
	}
	defer Close(fd)
	if n, err := Write(fd, []byte("hello")); n != 5 || err != nil {
		t.Errorf("write: %d, %v", n, err)
	}
	st, err := Stat(path)
	if err != nil || st.Size != 5 || st.Mode&0o7777 != 0o640 || st.IsDir() || st.Nlink != 1 {
		t.Errorf("stat: %+v, %v", st, err)
	}
	info, err := os.Stat(path)
	if err != nil || info.ModTime().UnixNano() != st.Mtime.Nanoseconds() {
		t.Errorf("mtime %d, the os package says %v", st.Mtime.Nanoseconds(), info.ModTime())
	}
	list, err := ReadDir(filepath.Dir(path))
	if err != nil || len(list) != 1 || list[0].Name != "f" || list[0].Ino != st.Ino || list[0].Type != S_IFREG>>12 {
		t.Errorf("readdir: %+v, %v", list, err)
	}
}

func TestMemory(t *testing.T) {
	addr, err := MapPages(2)
	if err != nil {
		t.Fatal(err)
	}
	Poke(addr+PageSize, 7)
	if b := Bytes(addr, 2*PageSize); b[PageSize] != 7 || b[0] != 0 || Peek(addr+PageSize) != 7 {
		t.Error("the page does not hold what was written")
	}
	if err := Munmap(addr, 2*PageSize); err != nil {
		t.Error(err)
	}
}

func TestVForkExec(t *testing.T) {
	pid, err := VForkExec("/bin/sh", []string{"sh", "-c", "exit $X"}, []string{"X=7"})
	if err != nil {
		t.Fatal(err)
	}
	if _, status, err := Wait4(pid, 0); err != nil || status.ExitStatus() != 7 {
		t.Errorf("status %v, %v", status, err)
	}
	if _, err := VForkExec("/no/such/file", []string{"x"}, nil); err != ENOENT {
		t.Errorf("a missing file: %v", err)
	}
}

// VFORK-04: the child works on the caller's own variables.
func TestVFORK04Memory(t *testing.T) {
	c := tripler{n: 222}
	pid, err := VFork(&c)
	if err != nil {
		t.Fatal(err)
	}
	if c.n != 666 {
		t.Errorf("n is %d", c.n)
	}
	if _, status, err := Wait4(pid, 0); err != nil || status.ExitStatus() != 127 {
		t.Errorf("a child whose Run returns ended with %v, %v", status, err)
	}
}

// tripler is a vfork child that triples and returns.
type tripler struct{ n int }

//go:nosplit
func (c *tripler) Run() { c.n *= 3 }

// FORK-06: every register is the same on both sides.
func TestFORK06Registers(t *testing.T) {
	pid, regs, err := ForkRegisters()
	if err != nil {
		t.Fatal(err)
	}
	if pid == 0 {
		if regs.Want() {
			Exit(0)
		}
		Exit(1)
	}
	if !regs.Want() {
		t.Errorf("in the parent: %+v", regs)
	}
	if _, status, err := Wait4(pid, 0); err != nil || status != 0 {
		t.Errorf("in the child: %v, %v", status, err)
	}
}

func TestSpinRegisters(t *testing.T) {
	if r := SpinRegisters(1000); !r.Want() {
		t.Errorf("%+v", r)
	}
}

func TestTSCAdvances(t *testing.T) {
	a := ReadTSC()
	CountDown(1000)
	if b := ReadTSC(); b <= a {
		t.Errorf("from %d to %d", a, b)
	}
}
