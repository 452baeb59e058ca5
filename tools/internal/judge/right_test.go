package judge

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"yolk/kernel/abi"
	"yolk/qemu/stub"
)

// Where the right kernel has what its process maps, and what.
const (
	areaTop   = 0x600000 // and 512 pages from there on
	areaTable = 0x5000
	zeroFrame = 0xa000
	fileFrame = 0x100000 // and those that follow
	newFrame  = 0x200000 // and those that follow
	fileFD    = 3
)

// right is a fake machine with a kernel that is right, for as much as one process
// can do with mappings, files and its standard streams.
type right struct {
	*fake
	next    uint64            // of what is mapped
	frames  uint64            // that were given out
	fileAt  map[uint64]uint64 // of each page of a file, its frame
	touches []uint64          // loads and stores, in R12
	stdin   []byte
	stdout  []byte
}

// newRight is such a machine and a judge that draws by the seed; the file that can
// be opened has n pages.
func newRight(seed uint64, n int) (*right, *Judge) {
	f, j := newFake()
	k := &right{fake: f, next: areaTop, fileAt: map[uint64]uint64{}}
	f.set(0x3000, 3, areaTable|present|writable|user)
	f.set(areaTable, 0, 0)
	f.memory[zeroFrame] = make([]byte, pageSize)
	j.conn, j.rand = k, rand.New(rand.NewPCG(seed, 0))
	file := j.bytes(n * pageSize)
	for i := range n {
		f.memory[fileFrame+uint64(i)*pageSize] = bytes.Clone(file[i*pageSize:][:pageSize])
	}
	j.box.segments = append([]segment{{0x10000000, file}}, j.box.segments...)
	f.stops = []func(stub.Registers){back(0)}
	j.first = j.awaitFirst()
	return k, j
}

// Continue does what the process was told to, until it is back at the mark.
func (k *right) Continue() error {
	if len(k.stops) > 0 {
		return k.fake.Continue()
	}
	switch k.regs["r12"] {
	case doCall:
		k.regs["rax"] = uint64(k.syscall(k.regs["rdi"], k.regs["rsi"], k.regs["rdx"]))
	case doLoad:
		k.touches = append(k.touches, doLoad)
		k.regs["rax"] = uint64(*k.at(k.regs["rdi"], false))
	default:
		k.touches = append(k.touches, doStore)
		*k.at(k.regs["rdi"], true) = byte(k.regs["rsi"])
	}
	k.regs["rip"] = mark
	return nil
}

// syscall does a system call.
func (k *right) syscall(rdi, rsi, rdx uint64) int64 {
	switch k.regs["rax"] {
	case abi.SysOpen:
		return fileFD
	case abi.SysMmap:
		base := k.next
		for k.next < base+rsi {
			if k.regs["r8"] == fileFD {
				k.fileAt[k.next] = fileFrame + k.next - base
			}
			k.next += pageSize
		}
		return int64(base)
	case abi.SysWrite:
		for i := range rdx {
			k.stdout = append(k.stdout, *k.at(rsi+i, false))
		}
		return int64(rdx)
	case abi.SysRead:
		n := min(rdx, uint64(len(k.stdin)))
		for i := range n {
			*k.at(rsi+i, true) = k.stdin[i]
		}
		k.stdin = k.stdin[n:]
		return int64(n)
	}
	return -int64(abi.ENOSYS)
}

// at is the byte at va; its page comes when it is touched, and is copied when it is
// written to.
func (k *right) at(va uint64, write bool) *byte {
	page := va &^ (pageSize - 1)
	index := (page - areaTop) / pageSize
	e := k.entry(areaTable, index)
	if e&present == 0 {
		e = zeroFrame
		if frame, of := k.fileAt[page]; of {
			e = frame
		}
		e |= present | user | noExec
	}
	if write && e&writable == 0 {
		frame := newFrame + k.frames*pageSize
		k.frames++
		k.memory[frame] = bytes.Clone(k.memory[e&address])
		e = frame | present | user | writable | noExec
	}
	k.set(areaTable, index, e)
	return &k.memory[e&address][va%pageSize]
}

// TestNoLuck: whatever is drawn, a script finds nothing to say against a kernel that
// is right, and looks at what it is about.
func TestNoLuck(t *testing.T) {
	for _, c := range []struct {
		name   string
		script func(*Judge)
	}{{"demand-zero", demandZero}, {"demand-file", demandFile}, {"gate-copies", gateCopies}} {
		for seed := range uint64(40) {
			k, j := newRight(seed, 5)
			j.stdin = j.bytes(3 * pageSize)
			k.stdin = bytes.Clone(j.stdin)
			c.script(j)
			read, wrote := len(k.stdin) < len(j.stdin), len(k.stdout) > 0
			if !j.ok() || !bytes.Equal(j.wrote, k.stdout) {
				t.Fatalf("%s, seed %d: %q", c.name, seed, j.said())
			}
			if c.name == "gate-copies" && !(read && wrote) {
				t.Errorf("%s, seed %d: read %t, wrote %t", c.name, seed, read, wrote)
			}
			if c.name == "demand-zero" && (k.touches[0] != doLoad || k.touches[1] != doStore) {
				t.Errorf("%s, seed %d: touches are %d", c.name, seed, k.touches)
			}
		}
	}
}

// TestDraws: what is drawn to differ does.
func TestDraws(t *testing.T) {
	_, j := newFake()
	for range 2000 {
		if a := j.distinct(2, 3); a[0] == a[1] || max(a[0], a[1]) > 2 {
			t.Fatalf("%d", a)
		}
		if j.nonzero() == 0 {
			t.Fatal("a byte that is not zero is")
		}
	}
}
