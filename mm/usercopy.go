package mm

import (
	"bytes"
	"encoding/binary"
	"io"
	"strings"
)

// UserRange is a stretch of a user's memory that the kernel reads or writes:
// the buffer of a system call.  Read and Write walk the page tables, fault as
// the user would (a page is brought in, copy-on-write is broken) and move the
// range's start past the bytes copied.  A range that is not wholly below
// UserEnd, or a page that the user may not access so, is ErrFault.
type UserRange struct {
	as *AddressSpace
	va VirtAddr
	n  int
}

// Range returns the n bytes of user memory from va on.  It checks nothing yet.
func (as *AddressSpace) Range(va VirtAddr, n int) *UserRange {
	return &UserRange{as, va, n}
}

// Len returns the number of bytes left.
func (u *UserRange) Len() int { return u.n }

// Addr returns the address of the first byte left.
func (u *UserRange) Addr() VirtAddr { return u.va }

// Read copies from the user's memory to p.  It returns how many bytes it
// copied, also with an error; io.EOF when none are left.
func (u *UserRange) Read(p []byte) (int, error) {
	if u.n == 0 && len(p) > 0 {
		return 0, io.EOF
	}
	done, p := 0, p[:min(len(p), u.n)]
	for len(p) > 0 {
		b, err := u.bytes(0)
		if err != nil {
			return done, err
		}
		n := copy(p, b)
		p = p[n:]
		u.skip(n)
		done += n
	}
	return done, nil
}

// Write copies p to the user's memory.  It returns how many bytes it copied,
// also with an error; io.ErrShortWrite if p is longer than the range.
func (u *UserRange) Write(p []byte) (int, error) {
	done, rest := 0, p[:min(len(p), u.n)]
	for len(rest) > 0 {
		b, err := u.bytes(FaultWrite)
		if err != nil {
			return done, err
		}
		n := copy(b, rest)
		rest = rest[n:]
		u.skip(n)
		done += n
	}
	if done < len(p) {
		return done, io.ErrShortWrite
	}
	return done, nil
}

// Zero writes zeroes to all that is left.
func (u *UserRange) Zero() error {
	for u.n > 0 {
		b, err := u.bytes(FaultWrite)
		if err != nil {
			return err
		}
		n := min(len(b), u.n)
		clear(b[:n])
		u.skip(n)
	}
	return nil
}

func (u *UserRange) skip(n int) {
	u.va += VirtAddr(n)
	u.n -= n
}

// bytes returns the first page's part of the range, ready for the access.
//
// WHY through the entry and not by the frame that some earlier call saw: the
// entry carries the user's rights and the copy-on-write mark.  A write that
// went past it would change a page that others share.
func (u *UserRange) bytes(access FaultCode) ([]byte, error) {
	if u.n < 0 || !inUser(u.va, uint64(u.n)) {
		return nil, ErrFault
	}
	need := Present | User
	if access.Write() {
		need |= Writable
	}
	for {
		e, _ := u.as.Entry(u.va)
		if e&need == need {
			return u.as.mem.Phys.Page(e.Frame())[u.va.Offset():], nil
		}
		if e.Present() {
			access |= FaultPresent
		}
		if _, err := u.as.Fault(u.va, access|FaultUser); err != nil {
			return nil, err
		}
	}
}

// Peek fills dst with user memory from va on as far as it is present and the user
// may read it, and returns the number of bytes.  It faults nothing in and changes
// nothing.
func (as *AddressSpace) Peek(dst []byte, va VirtAddr) int {
	done := 0
	for done < len(dst) {
		at := va + VirtAddr(done)
		e, _ := as.Entry(at)
		if e&(Present|User) != Present|User {
			break
		}
		done += copy(dst[done:], as.mem.Phys.Page(e.Frame())[at.Offset():])
	}
	return done
}

// CopyIn fills dst from user memory, or fails with ErrFault or ErrNoMemory.
func (as *AddressSpace) CopyIn(dst []byte, va VirtAddr) error {
	u := UserRange{as, va, len(dst)}
	_, err := u.Read(dst)
	return err
}

// CopyOut writes src to user memory, or fails with ErrFault or ErrNoMemory;
// the pages before the one that failed have been written then.
func (as *AddressSpace) CopyOut(va VirtAddr, src []byte) error {
	u := UserRange{as, va, len(src)}
	_, err := u.Write(src)
	return err
}

// Zero writes n zero bytes to user memory; it fails as CopyOut does.
func (as *AddressSpace) Zero(va VirtAddr, n int) error {
	u := UserRange{as, va, n}
	return u.Zero()
}

// CopyInString returns the string at va, which ends before a zero byte.  It
// fails with ErrFault, ErrNoMemory, or ErrTooLong if the first max bytes hold
// no zero byte.  It allocates the string's length.
func (as *AddressSpace) CopyInString(va VirtAddr, max int) (string, error) {
	n := 0
	for n < max {
		u := UserRange{as, va + VirtAddr(n), 1}
		b, err := u.bytes(0)
		if err != nil {
			return "", err
		}
		b = b[:min(len(b), max-n)]
		if i := bytes.IndexByte(b, 0); i >= 0 {
			return as.Range(va, n+i).text()
		}
		n += len(b)
	}
	return "", ErrTooLong
}

// text reads all that is left as a string.
func (u *UserRange) text() (string, error) {
	var s strings.Builder
	s.Grow(u.n)
	for u.n > 0 {
		b, err := u.bytes(0)
		if err != nil {
			return "", err
		}
		b = b[:min(len(b), u.n)]
		s.Write(b)
		u.skip(len(b))
	}
	return s.String(), nil
}

// LoadUint32 reads a little-endian word of user memory.
func (as *AddressSpace) LoadUint32(va VirtAddr) (uint32, error) {
	var b [4]byte
	err := as.CopyIn(b[:], va)
	return binary.LittleEndian.Uint32(b[:]), err
}

// LoadUint64 reads a little-endian word of user memory.
func (as *AddressSpace) LoadUint64(va VirtAddr) (uint64, error) {
	var b [8]byte
	err := as.CopyIn(b[:], va)
	return binary.LittleEndian.Uint64(b[:]), err
}

// StoreUint32 writes a little-endian word to user memory.
func (as *AddressSpace) StoreUint32(va VirtAddr, v uint32) error {
	var b [4]byte
	binary.LittleEndian.PutUint32(b[:], v)
	return as.CopyOut(va, b[:])
}

// StoreUint64 writes a little-endian word to user memory.
func (as *AddressSpace) StoreUint64(va VirtAddr, v uint64) error {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], v)
	return as.CopyOut(va, b[:])
}
