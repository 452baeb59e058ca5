package usertests

import (
	"yolk/userland/procfs"
	"yolk/userland/sys"
)

// checkTests come last: after all that the others did, the kernel's counts must be
// what they should be.
func checkTests() []test {
	return []test{{"check", yolk, func(t *T) {
		wrong := procfs.Unclean()
		t.must(wrong == "", wrong)
	}}}
}

// A scale weighs the machine's free memory without changing it: the readings go
// to memory that is there already.
type scale struct {
	fd       int
	readings [2][4096]byte
	sizes    [2]int
}

// theScale is in package memory, which does not move.
var theScale scale

// newScale opens the file, and makes the scale's own memory ready.
func newScale() (*scale, error) {
	fd, err := sys.Open("/proc/meminfo", sys.O_RDONLY|sys.O_CLOEXEC, 0)
	theScale.fd = fd
	for i := range 2 {
		theScale.weigh(i)
	}
	return &theScale, err
}

// weigh takes the first or the second reading.
func (s *scale) weigh(i int) {
	sys.Lseek(s.fd, 0, sys.SEEK_SET)
	s.sizes[i], _ = sys.Read(s.fd, s.readings[i][:])
}

// free gives both readings, in KiB.
func (s *scale) free() (before, after uint64) {
	before, _ = procfs.Meminfo(string(s.readings[0][:max(s.sizes[0], 0)]), "MemFree")
	after, _ = procfs.Meminfo(string(s.readings[1][:max(s.sizes[1], 0)]), "MemFree")
	return before, after
}

// lossless runs body in a child and ends the test unless as much memory is free
// afterwards as before, to the page.
//
// WHY three tries: this process itself may touch a page of its heap for the first
// time meanwhile.  A leak leaks each time.
func (t *T) lossless(body func()) {
	s, err := newScale()
	t.noErr(err, "meminfo")
	for range 3 {
		s.weigh(0)
		t.child(body)
		s.weigh(1)
		if before, after := s.free(); before == after {
			return
		}
	}
	before, after := s.free()
	t.must(!procfs.IsYolk(), "free memory went from ", before, " to ", after, " KiB")
}
