package judge

import (
	"encoding/binary"
	"fmt"
)

// Page-table entries: SDM 3A, section 4.5 (5.5 in newer editions), tables for
// 4-level paging.
const (
	present  = 1 << 0
	writable = 1 << 1
	user     = 1 << 2
	large    = 1 << 7
	noExec   = 1 << 63
	address  = 0x000ffffffffff000

	pageSize = 4096
	levels   = 4
	userTop  = 256 // entries of a PML4 that are the user's
)

// Page is what the tables say of a virtual page, all levels together.
type Page struct {
	Present, Writable, Exec bool
	Frame                   uint64 // the physical address
}

func (p Page) String() string {
	if !p.Present {
		return "absent"
	}
	rights := "read-only"
	if p.Writable {
		rights = "writable"
	}
	return fmt.Sprintf("%s in the frame at %#x", rights, p.Frame)
}

// table reads a page table.
func (j *Judge) table(frame uint64) (entries [512]uint64) {
	b := j.physical(frame, pageSize)
	for i := range entries {
		entries[i] = binary.LittleEndian.Uint64(b[8*i:])
	}
	return entries
}

// physical reads physical memory.
func (j *Judge) physical(addr uint64, n int) []byte {
	b := make([]byte, n)
	if j.ok() {
		j.check(j.conn.ReadPhysical(addr, b))
	}
	return b
}

// walk translates va as the processor does for user mode: a right is there if all
// levels grant it.
func (j *Judge) walk(root, va uint64) Page {
	p := Page{Writable: true, Exec: true, Frame: root}
	for level := levels - 1; level >= 0; level-- {
		index := va >> (12 + 9*level) & 511
		e := binary.LittleEndian.Uint64(j.physical(p.Frame+8*index, 8))
		if e&(present|user) != present|user {
			return Page{}
		}
		if e&large != 0 && level > 0 {
			j.failf("the tables at %#x have a large page at %#x; no case asks for one", root, va)
			return Page{}
		}
		p.Writable = p.Writable && e&writable != 0
		p.Exec = p.Exec && e&noExec == 0
		p.Frame = e & address
	}
	p.Present = true
	return p
}

// space is an address space as its tables have it.
type space struct {
	pages  map[uint64]Page
	tables map[uint64]bool // the frames of the tables of the user's half, and the PML4's
}

// space reads all tables of the user's half.
func (j *Judge) space(root uint64) space {
	s := space{map[uint64]Page{}, map[uint64]bool{}}
	j.enter(s, root, 0, levels-1, Page{Writable: true, Exec: true})
	return s
}

// enter reads a table, at a level, for the addresses from base on, and those under
// it; above is what the levels above grant.
func (j *Judge) enter(s space, frame, base uint64, level int, above Page) {
	if s.tables[frame] {
		j.failf("the table at %#x is there twice in one address space", frame)
		return
	}
	s.tables[frame] = true
	entries := j.table(frame)
	for i, e := range entries {
		if level == levels-1 && i >= userTop || e&present == 0 || !j.ok() {
			continue
		}
		va := base + uint64(i)<<(12+9*level)
		p := Page{true, above.Writable && e&writable != 0, above.Exec && e&noExec == 0, e & address}
		switch {
		case e&user == 0:
			j.failf("the user's half of the tables has an entry at %#x that is not the user's", va)
		case level > 0:
			j.enter(s, p.Frame, va, level-1, p)
		default:
			s.pages[va] = p
		}
	}
}

// kernelHidden: no entry of the kernel's half may be the user's.
func (j *Judge) kernelHidden(root uint64) {
	top := j.table(root)
	for i, e := range top[userTop:] {
		if e&(present|user) == present|user {
			j.failf("entry %d of the PML4 at %#x, of the kernel's half, is open to the user", userTop+i, root)
		}
	}
}
