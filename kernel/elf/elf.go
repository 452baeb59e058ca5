// Package elf decides whether a file is a program that Yolk can run, and where
// each of its bytes goes.
//
// [Parse] is a pure function from a file to an [Image]: it maps nothing and
// changes nothing, so a malformed file costs its caller nothing but an error.
// All that exec does afterwards can trust the Image: its segments are
// page-aligned, in ascending order, disjoint, and inside the user half.
package elf

import (
	"cmp"
	"encoding/binary"
	"io"
	"slices"
)

// Reason says what is wrong with a file; it is the error that Parse returns.
type Reason string

func (r Reason) Error() string { return "elf: " + string(r) }

// What can be wrong with a file (elf(5)).  exec answers all of them with
// ENOEXEC.
const (
	Truncated     Reason = "shorter than its header"
	BadMagic      Reason = "no ELF magic"
	BadClass      Reason = "not 64-bit"
	BadEndian     Reason = "not little-endian"
	BadVersion    Reason = "unknown version"
	BadMachine    Reason = "not for x86-64"
	BadType       Reason = "neither ET_EXEC nor ET_DYN"
	BadPhentsize  Reason = "program headers of a strange size"
	BadPhnum      Reason = "no program header, or too many"
	BadPhoff      Reason = "program headers outside the file"
	NoSegment     Reason = "nothing to load"
	TooMany       Reason = "too many segments"
	BadFileSize   Reason = "segment larger in the file than in memory"
	BadOffset     Reason = "segment's file range wraps"
	BadAddress    Reason = "segment outside the user half"
	BadCongruence Reason = "segment's address and offset differ within the page"
	BadAlign      Reason = "alignment is no power of two, or too large"
	BadOverlap    Reason = "segments overlap"
	BadEntry      Reason = "entry outside the user half"
	BadInterp     Reason = "malformed PT_INTERP"
)

// Bits of Segment.Flags (elf(5), p_flags).
const Exec, Write, Read = 1, 2, 4

const (
	pageSize, userEnd                = 4096, 1<<47 - 4096
	headerSize, progSize             = 64, 56
	maxProgs                         = 65536 / progSize // as Linux: program headers of at most 64 KiB
	maxSegments, maxInterp, maxAlign = 64, 4096, 1 << 30
	typeExec, typeDyn, machineX86_64 = 2, 3, 62
	ptLoad, ptInterp                 = 1, 3
)

// Segment is a run of pages of one kind.  The bytes of [Start, FileEnd) come
// from the file, the first from Offset; those of [FileEnd, End) are zero.
type Segment struct {
	Start, End uint64 // page-aligned
	Offset     uint64 // page-aligned
	FileEnd    uint64 // in [Start, End]
	Flags      uint32 // of Exec, Write, Read
}

// Image is a verified program.  The addresses of an image that is not Fixed
// are relative to a base that the kernel chooses, a multiple of Align.
type Image struct {
	Fixed    bool // ET_EXEC
	Align    uint64
	Entry    uint64
	Phdr     uint64 // where the program headers lie in memory; 0: nowhere
	Phnum    int
	Interp   string // the program interpreter that it asks for; "": none
	Segments []Segment
}

// High returns the address past the last segment.
func (im *Image) High() uint64 { return im.Segments[len(im.Segments)-1].End }

// Parse verifies the program in r and says how to lay it out.  Errors are
// Reasons, or what r returns other than io.EOF.
func Parse(r io.ReaderAt) (*Image, error) {
	var h [headerSize]byte
	if err := readFull(r, h[:], 0, Truncated); err != nil {
		return nil, err
	}
	im, phoff, err := parseHeader(h[:])
	if err != nil {
		return nil, err
	}
	var progs []prog
	for i := range im.Phnum {
		var b [progSize]byte
		if err := readFull(r, b[:], phoff+uint64(i)*progSize, BadPhoff); err != nil {
			return nil, err
		}
		ph := decodeProg(b[:])
		switch ph.kind {
		case ptInterp:
			if im.Interp, err = readInterp(r, ph); err != nil {
				return nil, err
			}
		case ptLoad:
			if err := ph.check(im); err != nil {
				return nil, err
			}
			if ph.memSize == 0 {
				continue // an empty segment loads nothing
			}
			if len(progs) == maxSegments {
				return nil, TooMany
			}
			progs = append(progs, ph)
		}
	}
	return im, im.layOut(progs, phoff)
}

// parseHeader checks the file header and returns the image with what it says,
// and the offset of the program headers.  Whether these lie in the file Parse
// finds out by reading them; what no file's size can be is refused here.
//
//lab:exec 1 check the header of an ELF file, and take from it what an image needs
func parseHeader(h []byte) (im *Image, phoff uint64, err error) {
	le := binary.LittleEndian
	kind, phnum := le.Uint16(h[16:]), int(le.Uint16(h[56:]))
	im = &Image{Fixed: kind == typeExec, Align: pageSize, Entry: le.Uint64(h[24:]), Phnum: phnum}
	phoff = le.Uint64(h[32:])
	switch {
	case string(h[:4]) != "\x7fELF":
		err = BadMagic
	case h[4] != 2:
		err = BadClass
	case h[5] != 1:
		err = BadEndian
	case h[6] != 1 || le.Uint32(h[20:]) != 1:
		err = BadVersion
	case kind != typeExec && kind != typeDyn:
		err = BadType
	case le.Uint16(h[18:]) != machineX86_64:
		err = BadMachine
	case le.Uint16(h[54:]) != progSize:
		err = BadPhentsize
	case phnum == 0 || phnum > maxProgs:
		err = BadPhnum
	case phoff > 1<<62:
		err = BadPhoff
	}
	return im, phoff, err
}

// prog is a program header.
type prog struct {
	kind, flags               uint32
	offset, addr              uint64
	fileSize, memSize, pAlign uint64
}

func decodeProg(b []byte) prog {
	le := binary.LittleEndian
	return prog{
		kind: le.Uint32(b), flags: le.Uint32(b[4:]), offset: le.Uint64(b[8:]), addr: le.Uint64(b[16:]),
		fileSize: le.Uint64(b[32:]), memSize: le.Uint64(b[40:]), pAlign: le.Uint64(b[48:]),
	}
}

// check verifies one PT_LOAD by itself.  A file that ends before the segment
// does is no error: a touch beyond its end is SIGBUS, as on Linux.  Of an ET_EXEC
// the first page is no address; an ET_DYN's addresses are relative.  Where no bytes
// come from the file, its offset says nothing; a segment of no bytes loads nothing,
// and only its sizes are checked.  Alignments of 0 and 1 ask for none.
//
//lab:exec 1 check one segment by itself
func (ph *prog) check(im *Image) error {
	low := uint64(pageSize)
	if !im.Fixed {
		low = 0
	}
	switch {
	case ph.fileSize > ph.memSize:
		return BadFileSize
	case ph.memSize == 0:
		return nil
	case ph.addr < low || ph.addr >= userEnd || ph.memSize > userEnd-ph.addr:
		return BadAddress
	case ph.fileSize > 0 && (ph.offset > 1<<62 || ph.fileSize > 1<<62):
		return BadOffset
	case ph.fileSize > 0 && (ph.addr^ph.offset)%pageSize != 0:
		return BadCongruence
	case ph.pAlign&(ph.pAlign-1) != 0 || ph.pAlign > maxAlign:
		return BadAlign
	}
	im.Align = max(im.Align, ph.pAlign)
	return nil
}

// layOut turns the segments into runs of whole pages.
func (im *Image) layOut(progs []prog, phoff uint64) error {
	if len(progs) == 0 {
		return NoSegment
	}
	slices.SortStableFunc(progs, func(a, b prog) int { return cmp.Compare(a.addr, b.addr) })
	size := uint64(im.Phnum) * progSize
	for i := range progs {
		ph := &progs[i]
		if phoff >= ph.offset && phoff-ph.offset+size <= ph.fileSize {
			im.Phdr = ph.addr + phoff - ph.offset
		}
		if err := im.place(ph); err != nil {
			return err
		}
	}
	if im.Fixed && (im.Entry < pageSize || im.Entry >= userEnd) || !im.Fixed && im.Entry >= im.High() {
		return BadEntry
	}
	return nil
}

// place appends ph as a Segment.
func (im *Image) place(ph *prog) error {
	s := Segment{
		Start: pageDown(ph.addr), End: pageUp(ph.addr + ph.memSize),
		Offset: pageDown(ph.offset), FileEnd: ph.addr + ph.fileSize, Flags: ph.flags & (Read | Write | Exec),
	}
	switch {
	case ph.fileSize == 0:
		s.Offset, s.FileEnd = 0, s.Start
	case ph.fileSize == ph.memSize:
		s.FileEnd = s.End // nothing to zero: the page shows what the file has there
	}
	if n := len(im.Segments); n > 0 {
		if prev := &im.Segments[n-1]; prev.End > s.Start {
			// Old linkers let two segments share a page.  The page is then
			// the same page of the file in both, and takes the later one's
			// rights, as on Linux; anything else would lose bytes.
			sameFile := prev.FileEnd == prev.End && s.FileEnd > s.Start && prev.Offset-prev.Start == s.Offset-s.Start
			if !sameFile || prev.End-s.Start > pageSize {
				return BadOverlap
			}
			prev.End, prev.FileEnd = s.Start, s.Start
			if prev.Start == prev.End {
				im.Segments = im.Segments[:n-1]
			}
		}
	}
	im.Segments = append(im.Segments, s)
	return nil
}

// readInterp returns the path in a PT_INTERP segment.
func readInterp(r io.ReaderAt, ph prog) (string, error) {
	if ph.fileSize < 2 || ph.fileSize > maxInterp || ph.offset > 1<<62 {
		return "", BadInterp
	}
	b := make([]byte, ph.fileSize)
	if err := readFull(r, b, ph.offset, BadInterp); err != nil {
		return "", err
	}
	if b[0] == 0 || slices.Index(b, 0) != len(b)-1 {
		return "", BadInterp
	}
	return string(b[:len(b)-1]), nil
}

// readFull fills b from off; a file that ends before is the reason short.
func readFull(r io.ReaderAt, b []byte, off uint64, short Reason) error {
	n, err := r.ReadAt(b, int64(off))
	switch {
	case n == len(b):
		return nil
	case err == nil || err == io.EOF:
		return short
	}
	return err
}

func pageDown(a uint64) uint64 { return a &^ (pageSize - 1) }
func pageUp(a uint64) uint64   { return pageDown(a + pageSize - 1) }
