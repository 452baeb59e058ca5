package softmmu

import (
	"testing"

	"yolk/mm"
)

// A machine of five tables by hand: root 1, PDPT 2, PD 3, PT 4, pages 5 and 6.
const va mm.VirtAddr = 0x7abc_1234_5000

func handmade() (*MMU, *mm.PTE, mm.Physical) {
	phys := mm.HostMemory(10)
	flags := mm.Present | mm.Writable | mm.User
	for level, f := 4, mm.Frame(1); level > 1; level, f = level-1, f+1 {
		phys.Table(f)[va.Index(level)] = mm.PTE((f + 1).Addr()) | flags
	}
	e := &phys.Table(4)[va.Index(1)]
	*e = mm.PTE(mm.Frame(5).Addr()) | flags | mm.NX
	phys.Table(4)[va.Index(1)+1] = mm.PTE(mm.Frame(6).Addr()) | mm.Present | mm.User
	return New(phys), e, phys
}

func TestRights(t *testing.T) {
	const p, w, u, f = mm.FaultPresent, mm.FaultWrite, mm.FaultUser, mm.FaultFetch
	const none = mm.FaultCode(0xFFFF)
	for _, c := range []struct {
		entry mm.PTE // flags of the leaf
		upper mm.PTE // flags that the PD entry lacks
		kind  Kind
		user  bool
		want  mm.FaultCode
	}{
		{0, 0, Read, true, u}, {0, 0, Write, true, u | w}, {0, 0, Exec, true, u | f}, {0, 0, Write, false, w},
		{mm.Present | mm.User, 0, Read, true, none}, {mm.Present | mm.User, 0, Exec, true, none},
		{mm.Present | mm.User, 0, Write, true, p | w | u}, {mm.Present | mm.User, 0, Write, false, p | w},
		{mm.Present | mm.User | mm.Writable, 0, Write, true, none},
		{mm.Present | mm.User | mm.NX, 0, Exec, true, p | f | u},
		{mm.Present | mm.Writable, 0, Read, true, p | u}, {mm.Present | mm.Writable, 0, Write, false, none},
		{mm.Present | mm.User | mm.Writable, mm.Writable, Write, true, p | w | u},
		{mm.Present | mm.User | mm.Writable, mm.User, Read, true, p | u},
		{mm.Present | mm.User | mm.Writable, mm.Present, Read, true, u},
	} {
		m, e, phys := handmade()
		*e = mm.PTE(mm.Frame(5).Addr()) | c.entry
		phys.Table(3)[va.Index(2)] &^= c.upper
		addr, fault := m.Access(1, va+9, c.kind, c.user)
		switch {
		case c.want == none && (fault != nil || addr != mm.Frame(5).Addr()+9):
			t.Errorf("%+v: %#x, %+v", c, addr, fault)
		case c.want != none && (fault == nil || *fault != PageFault{va + 9, c.want}):
			t.Errorf("%+v: %#x, %+v", c, addr, fault)
		}
		if used := c.want == none; e.Accessed() != used || e.Dirty() != (used && c.kind == Write) {
			t.Errorf("%+v: entry %v", c, *e)
		}
	}
}

func TestStaleUntilFlushed(t *testing.T) {
	reads := func(m *MMU, root mm.Frame) bool {
		_, fault := m.Access(root, va, Read, true)
		return fault == nil
	}
	for name, c := range map[string]struct {
		flush func(*MMU)
		gone  bool
	}{
		"nothing":       {func(*MMU) {}, false},
		"the page":      {func(m *MMU) { m.FlushPage(1, va) }, true},
		"another page":  {func(m *MMU) { m.FlushPage(1, va+mm.PageSize) }, false},
		"another root":  {func(m *MMU) { m.FlushPage(2, va); m.FlushSpace(2) }, false},
		"the space":     {func(m *MMU) { m.FlushSpace(1) }, true},
		"a load of CR3": {func(m *MMU) { m.Load(7) }, true},
	} {
		m, e, _ := handmade()
		if !reads(m, 1) {
			t.Fatal("cannot read at first")
		}
		*e = 0
		c.flush(m)
		if reads(m, 1) == c.gone {
			t.Errorf("after a flush of %s the entry is remembered: %t", name, !c.gone)
		}
	}
}

// TestFirstWrite: a writable page that was only read is walked again for D, and
// a write sees an entry that lost its Writable bit meanwhile.
func TestFirstWrite(t *testing.T) {
	m, e, _ := handmade()
	m.Access(1, va, Read, true)
	if e.Dirty() {
		t.Error("a read sets D")
	}
	if _, fault := m.Access(1, va, Write, true); fault != nil || !e.Dirty() {
		t.Errorf("first write: %+v, %v", fault, *e)
	}
	*e &^= mm.Writable
	if _, fault := m.Access(1, va, Write, true); fault != nil {
		t.Error("a stale writable entry was forgotten")
	}
}

// TestUpperLevels: entries of upper tables are remembered too, and any
// FlushPage of the root forgets them.
func TestUpperLevels(t *testing.T) {
	m, _, phys := handmade()
	m.Access(1, va, Read, true)
	phys.Table(3)[va.Index(2)] = 0
	if addr, fault := m.Access(1, va+mm.PageSize, Read, true); fault != nil || addr != mm.Frame(6).Addr() {
		t.Errorf("the PT was forgotten: %+v", fault)
	}
	m.FlushPage(1, va+mm.PageSize)
	if _, fault := m.Access(1, va+mm.PageSize, Read, true); fault == nil {
		t.Error("the PT is still remembered")
	}
}

func TestTransfers(t *testing.T) {
	m, e, phys := handmade()
	if n, fault := m.WriteUser(1, va+mm.PageSize-2, []byte("abcd")); n != 2 || fault == nil || fault.VA != va+mm.PageSize {
		t.Errorf("%d, %+v", n, fault)
	}
	phys.Page(6)[0] = 'x'
	b := make([]byte, 3)
	if n, fault := m.ReadUser(1, va+mm.PageSize-2, b); n != 3 || fault != nil || string(b) != "abx" {
		t.Errorf("%d, %+v, %q", n, fault, b)
	}
	if !e.Dirty() {
		t.Error("a write leaves no D")
	}
}
