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

// Read copies from the user's memory to p.  It returns how many bytes it
// copied, also with an error; io.EOF when none are left.
func (u *UserRange) Read(p []byte) (int, error) {
	if u.n == 0 && len(p) > 0 {
		return 0, io.EOF
	}
	if !u.valid() {
		return 0, ErrFault
	}
	n, err := u.as.copyIn(p[:min(len(p), u.n)], u.va)
	u.skip(n)
	return n, err
}

// Write copies p to the user's memory.  It returns how many bytes it copied,
// also with an error; io.ErrShortWrite if p is longer than the range.
func (u *UserRange) Write(p []byte) (int, error) {
	if !u.valid() {
		return 0, ErrFault
	}
	n, err := u.as.copyOut(u.va, p[:min(len(p), u.n)])
	u.skip(n)
	if err == nil && n < len(p) {
		err = io.ErrShortWrite
	}
	return n, err
}

func (u *UserRange) skip(n int) {
	u.va += VirtAddr(n)
	u.n -= n
}

// valid reports whether the range lies wholly in the user half; one without
// bytes may lie anywhere.
//
//lab:gate 3 say whether a range is wholly the user's
func (u *UserRange) valid() bool { return u.n == 0 || u.n > 0 && inUser(u.va, uint64(u.n)) }

// bytes returns the first page's part of the range, ready for the access.
func (u *UserRange) bytes(access FaultCode) ([]byte, error) {
	if !u.valid() {
		return nil, ErrFault
	}
	return u.as.bytes(u.va, access)
}

// bytes returns the rest of the page from va on, ready for the access.
//
// WHY through the entry and not by the frame that some earlier call saw: the
// entry carries the user's rights and the copy-on-write mark.  A write that
// went past it would change a page that others share.
//
//lab:gate 3 make a page of the user's ready for an access, with the rights of the user
func (as *AddressSpace) bytes(va VirtAddr, access FaultCode) ([]byte, error) {
	need := Present | User
	if access.Write() {
		need |= Writable
	}
	for {
		e, _ := as.Entry(va)
		if e&need == need {
			return as.mem.Phys.Page(e.Frame())[va.Offset():], nil
		}
		if e.Present() {
			access |= FaultPresent
		}
		if _, err := as.Fault(va, access|FaultUser); err != nil {
			return nil, err
		}
	}
}

// copyIn is CopyIn; it returns how many bytes were copied, also with an error.
//
//lab:gate 3 copy from user memory, page by page
func (as *AddressSpace) copyIn(dst []byte, va VirtAddr) (done int, err error) {
	for done < len(dst) {
		b, err := as.bytes(va+VirtAddr(done), 0)
		if err != nil {
			return done, err
		}
		done += copy(dst[done:], b)
	}
	return done, nil
}

// copyOut is CopyOut; it returns how many bytes were copied, also with an error.
//
//lab:gate 3 copy to user memory, page by page
func (as *AddressSpace) copyOut(va VirtAddr, src []byte) (done int, err error) {
	for done < len(src) {
		b, err := as.bytes(va+VirtAddr(done), FaultWrite)
		if err != nil {
			return done, err
		}
		done += copy(b, src[done:])
	}
	return done, nil
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
	if u := (UserRange{as, va, len(dst)}); !u.valid() {
		return ErrFault
	}
	_, err := as.copyIn(dst, va)
	return err
}

// CopyOut writes src to user memory, or fails with ErrFault or ErrNoMemory;
// the pages before the one that failed have been written then.
func (as *AddressSpace) CopyOut(va VirtAddr, src []byte) error {
	if u := (UserRange{as, va, len(src)}); !u.valid() {
		return ErrFault
	}
	_, err := as.copyOut(va, src)
	return err
}

// CopyInString returns the string at va, which ends before a zero byte.  It
// fails with ErrFault, ErrNoMemory, or ErrTooLong if the first max bytes hold
// no zero byte.  It allocates the string's length.
//
//lab:gate 4 copy in a string of which nobody knows how long it is
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
