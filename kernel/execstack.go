package kernel

import (
	"encoding/binary"

	"yolk/kernel/abi"
	"yolk/mm"
)

const (
	maxString = 128 << 10 // one argument or environment string, with its NUL (execve(2))
	minArgs   = 128 << 10 // all of them and the pointers to them may take a quarter
	maxArgs   = 6 << 20   // of the stack's limit, within these bounds

	stringCost = 96 // Go heap for a string, its bytes apart; a list that grows has its place twice
)

// argReader copies argument lists in, and charges for them while they are here.
type argReader struct {
	p       *Process
	left    int64 // bytes that the strings and their pointers may yet take
	charged int64
}

func newArgReader(p *Process) *argReader {
	quarter := p.Limits[abi.RLIMIT_STACK].Cur / 4
	return &argReader{p: p, left: int64(min(max(quarter, minArgs), maxArgs))}
}

func (r *argReader) release() { r.p.budget.Release(r.charged) }

// strings copies in the strings to which the array of pointers at va leads; a
// nil array is empty, as on Linux.  The pointer that ends it is not counted.
//
//lab:exec 4 copy in a list of strings, of which nothing is to be believed
func (r *argReader) strings(va uint64) (list []string, err error) {
	for ; va != 0; va += 8 {
		ptr, err := r.p.space.LoadUint64(mm.VirtAddr(va))
		if err != nil || ptr == 0 {
			return list, err
		}
		s, err := r.p.space.CopyInString(mm.VirtAddr(ptr), int(min(maxString, max(r.left, 1))))
		if err == mm.ErrTooLong {
			return nil, errArgsTooBig
		} else if err != nil {
			return nil, err
		}
		cost := int64(len(s)) + stringCost
		if r.left -= int64(len(s)) + 1 + 8; r.left < 0 || r.p.budget.Charge(cost) != nil {
			return nil, errArgsTooBig
		}
		r.charged += cost
		list = append(list, s)
	}
	return list, nil
}

// writeStack writes what a program finds on its stack (System V ABI, AMD64
// supplement, §3.4.1):
//
//	RSP ──►  argc; aligned to 16
//	         pointers to the argument strings, ended by 0
//	         pointers to the environment strings, ended by 0
//	         auxiliary vector: (type, value) pairs, ended by AT_NULL
//	         a gap of 0 or 8 bytes
//	         16 random bytes, the platform's name, up to 15 bytes of a gap
//	         argument strings
//	         environment strings
//	         the path that exec was called with, for AT_EXECFN
//	UserEnd  8 zero bytes
//
//lab:exec 3 write what a program finds on its stack
func (b *builder) writeStack() error {
	const platform = "x86_64"
	execfn := uint64(mm.UserEnd) - 8 - size(b.name)
	envStart := execfn - size(b.envp...)
	argStart := envStart - size(b.argv...)
	random := (argStart - size(platform) - 16) &^ 15
	auxv := b.auxv(random, execfn)
	b.sp = (random - 8*uint64(1+len(b.argv)+1+len(b.envp)+1+len(auxv))) &^ 15
	b.image.argStart, b.image.argEnd, b.image.envStart, b.image.envEnd = argStart, envStart, envStart, execfn

	w := stackWriter{space: b.space, at: b.sp, buf: b.p.kernel.scratch[:0]}
	w.words(uint64(len(b.argv)))
	w.pointers(argStart, b.argv)
	w.pointers(envStart, b.envp)
	w.words(auxv...)
	w.zeroUntil(random)
	var bytes [16]byte
	b.p.kernel.machine.Random(bytes[:])
	w.bytes(bytes[:]...)
	w.strings(platform)
	w.zeroUntil(argStart)
	w.strings(b.argv...)
	w.strings(b.envp...)
	w.strings(b.name)
	w.zeroUntil(uint64(mm.UserEnd))
	w.flush()
	return w.err
}

// auxv is the auxiliary vector (getauxval(3)).  The random bytes are followed by
// the platform's name.
func (b *builder) auxv(random, execfn uint64) []uint64 {
	phdr := b.program.Phdr
	if phdr != 0 {
		phdr += b.image.bias
	}
	return []uint64{
		abi.AT_PHDR, phdr, abi.AT_PHENT, 56, abi.AT_PHNUM, uint64(b.program.Phnum),
		abi.AT_PAGESZ, mm.PageSize, abi.AT_BASE, 0, abi.AT_FLAGS, 0, abi.AT_ENTRY, b.entry,
		abi.AT_UID, uint64(b.p.UID.Real), abi.AT_EUID, uint64(b.p.UID.Effective),
		abi.AT_GID, uint64(b.p.GID.Real), abi.AT_EGID, uint64(b.p.GID.Effective),
		abi.AT_SECURE, 0, abi.AT_CLKTCK, abi.ClockTicks, abi.AT_HWCAP, 0,
		abi.AT_RANDOM, random, abi.AT_PLATFORM, random + 16, abi.AT_EXECFN, execfn,
		abi.AT_MINSIGSTKSZ, abi.MINSIGSTKSZ, abi.AT_NULL, 0,
	}
}

// size returns the bytes that strings take with their NULs.
func size(list ...string) (n uint64) {
	for _, s := range list {
		n += uint64(len(s)) + 1
	}
	return n
}

// stackWriter writes to a new image's stack from a low address up.  After an
// error, which it keeps, it does nothing more.  All of it is there after flush.
type stackWriter struct {
	space *mm.AddressSpace
	at    uint64 // where buf goes
	buf   []byte // must have a capacity, as Process.Scratch has: so much is written at a time
	err   error
}

func (w *stackWriter) bytes(b ...byte) {
	for len(b) > 0 {
		if len(w.buf) == cap(w.buf) {
			w.flush()
		}
		n := min(len(b), cap(w.buf)-len(w.buf))
		w.buf = append(w.buf, b[:n]...)
		b = b[n:]
	}
}

func (w *stackWriter) flush() {
	if w.err == nil {
		w.err = w.space.CopyOut(mm.VirtAddr(w.at), w.buf)
	}
	w.at += uint64(len(w.buf))
	w.buf = w.buf[:0]
}

func (w *stackWriter) words(list ...uint64) {
	var b [8]byte
	for _, v := range list {
		binary.LittleEndian.PutUint64(b[:], v)
		w.bytes(b[:]...)
	}
}

// pointers writes where each string of a list that begins at va will be, and a
// nil pointer.
func (w *stackWriter) pointers(va uint64, list []string) {
	for _, s := range list {
		w.words(va)
		va += size(s)
	}
	w.words(0)
}

func (w *stackWriter) strings(list ...string) {
	for _, s := range list {
		w.bytes([]byte(s)...)
		w.bytes(0)
	}
}

func (w *stackWriter) zeroUntil(va uint64) {
	for w.at+uint64(len(w.buf)) < va {
		w.bytes(0)
	}
}
