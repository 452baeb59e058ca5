// Package softmmu is a processor's memory management unit in software: it
// translates through page tables in simulated RAM, with a TLB that never
// evicts.
//
// A real TLB forgets entries by chance, and chance hides a missing flush from
// tests.  This one forgets only what it is told to forget, and honours what it
// remembers however stale, so that a missing flush fails on the first try.
package softmmu

import "yolk/mm"

// Kind is the kind of an access.
type Kind uint8

// The kinds of access.
const (
	Read Kind = iota
	Write
	Exec
)

// PageFault is the exception #PF: the address as in CR2 and the error code
// (SDM 3A §4.7).
type PageFault struct {
	VA   mm.VirtAddr
	Code mm.FaultCode
}

// MMU implements mm.TLB.  Entries are tagged with the root that they came
// from, so that a forgotten flush of a space that is not loaded shows too.
type MMU struct {
	Loaded mm.Frame // the root that Load was last called with

	phys  mm.Physical
	tlb   map[key]mm.PTE   // leaf translations; rights are those of all levels together
	upper map[key]mm.Frame // paging-structure cache: the PT of each 2 MiB
}

// key is a root and a page number (for upper: the number of a 2 MiB stretch).
type key struct {
	root mm.Frame
	page uint64
}

var _ mm.TLB = (*MMU)(nil)

// New returns an MMU over phys with nothing cached.
func New(phys mm.Physical) *MMU {
	u := &MMU{phys: phys}
	u.forget()
	return u
}

// FlushPage implements mm.TLB.
func (u *MMU) FlushPage(root mm.Frame, va mm.VirtAddr) {
	delete(u.tlb, key{root, uint64(va) >> mm.PageShift})
	for k := range u.upper {
		if k.root == root {
			delete(u.upper, k)
		}
	}
}

// FlushSpace implements mm.TLB.
func (u *MMU) FlushSpace(root mm.Frame) {
	for k := range u.tlb {
		if k.root == root {
			delete(u.tlb, k)
		}
	}
	for k := range u.upper {
		if k.root == root {
			delete(u.upper, k)
		}
	}
}

// Load implements mm.TLB: a write to CR3 without PCID forgets everything.
func (u *MMU) Load(root mm.Frame) {
	u.Loaded = root
	u.forget()
}

func (u *MMU) forget() {
	u.tlb = map[key]mm.PTE{}
	u.upper = map[key]mm.Frame{}
}

// Access translates va through root for an access of the given kind, by user
// or supervisor, as the processor does with CR0.WP and EFER.NXE set: from the
// TLB if it remembers the page, else by a walk, which sets the A and D bits.
func (u *MMU) Access(root mm.Frame, va mm.VirtAddr, kind Kind, user bool) (mm.PhysAddr, *PageFault) {
	k := key{root, uint64(va) >> mm.PageShift}
	e, cached := u.tlb[k]
	if !cached || kind == Write && e.Writable() && !e.Dirty() {
		e = u.walk(root, va, kind, user) // a first write walks again, to set D
	}
	if code := deny(e, kind, user); code >= 0 {
		return 0, &PageFault{va, mm.FaultCode(code)}
	}
	u.tlb[k] = e
	return e.Frame().Addr() + mm.PhysAddr(va.Offset()), nil
}

// deny returns the error code if e forbids the access, else -1.
func deny(e mm.PTE, kind Kind, user bool) int {
	code, ok := mm.FaultCode(0), e.Present()
	if e.Present() {
		code |= mm.FaultPresent
	}
	if user {
		code |= mm.FaultUser
		ok = ok && e.User()
	}
	switch kind {
	case Write:
		code |= mm.FaultWrite
		ok = ok && e.Writable()
	case Exec:
		code |= mm.FaultFetch
		ok = ok && e.Executable()
	}
	if ok {
		return -1
	}
	return int(code)
}

// walk returns the leaf entry of va with the rights of all levels, 0 if some
// level is not present, and sets A and D if the access is allowed.
func (u *MMU) walk(root mm.Frame, va mm.VirtAddr, kind Kind, user bool) mm.PTE {
	pt, rights, ok := u.table(root, va)
	if !ok {
		return 0
	}
	e := &u.phys.Table(pt)[va.Index(1)]
	result := *e&^(mm.Writable|mm.User) | *e&rights&(mm.Writable|mm.User) | rights&mm.NX
	if e.Present() && deny(result, kind, user) < 0 {
		set := mm.Accessed
		if kind == Write {
			set |= mm.Dirty
		}
		*e |= set
		result |= set
	}
	return result
}

// table returns the PT of va and the rights that the levels above grant.
func (u *MMU) table(root mm.Frame, va mm.VirtAddr) (pt mm.Frame, rights mm.PTE, ok bool) {
	rights = mm.Writable | mm.User
	k := key{root, uint64(va) >> 21}
	if f, cached := u.upper[k]; cached {
		return f, rights, true
	}
	f := root
	for level := 4; level > 1; level-- {
		e := &u.phys.Table(f)[va.Index(level)]
		if !e.Present() {
			return 0, 0, false
		}
		*e |= mm.Accessed
		rights = rights&*e&(mm.Writable|mm.User) | (rights|*e)&mm.NX
		f = e.Frame()
	}
	if rights == mm.Writable|mm.User {
		u.upper[k] = f
	}
	return f, rights, true
}

// ReadUser reads user memory as user code would, byte ranges across pages too.
// It returns how many bytes it read before a fault.
func (u *MMU) ReadUser(root mm.Frame, va mm.VirtAddr, p []byte) (int, *PageFault) {
	return u.transfer(root, va, p, Read, func(user, p []byte) int { return copy(p, user) })
}

// WriteUser writes user memory as user code would; see ReadUser.
func (u *MMU) WriteUser(root mm.Frame, va mm.VirtAddr, p []byte) (int, *PageFault) {
	return u.transfer(root, va, p, Write, func(user, p []byte) int { return copy(user, p) })
}

func (u *MMU) transfer(root mm.Frame, va mm.VirtAddr, p []byte, kind Kind, move func(user, p []byte) int) (int, *PageFault) {
	done := 0
	for done < len(p) {
		addr, fault := u.Access(root, va+mm.VirtAddr(done), kind, true)
		if fault != nil {
			return done, fault
		}
		page := u.phys.Page(mm.Frame(addr >> mm.PageShift))
		done += move(page[addr%mm.PageSize:], p[done:])
	}
	return done, nil
}
