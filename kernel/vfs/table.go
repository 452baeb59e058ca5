package vfs

import "yolk/mm"

// Limits of descriptors a process (getrlimit(2), RLIMIT_NOFILE).
const (
	DefaultDescriptors = 1024
	MaxDescriptors     = 4096
)

// slotSize is what one slot of a table costs in bytes of kernel heap.
const slotSize = 16

type slot struct {
	desc    *Description
	cloexec bool
}

// Table maps a process's descriptors to descriptions.  It is the process's own;
// the descriptions may be shared.
type Table struct {
	Limit int // descriptors from Limit on cannot be made; at most MaxDescriptors

	slots  []slot // index is the descriptor; charged to budget
	budget *mm.Budget
}

// NewTable returns an empty table, which charges its slots to b.
func NewTable(b *mm.Budget) *Table {
	return &Table{Limit: DefaultDescriptors, budget: b}
}

// Get returns the description of fd, or ErrBadFile.
func (t *Table) Get(fd int) (*Description, error) {
	if uint(fd) >= uint(len(t.slots)) || t.slots[fd].desc == nil {
		return nil, ErrBadFile
	}
	return t.slots[fd].desc, nil
}

// Open gives d the lowest descriptor that is free and not below least, and
// takes over the caller's reference; where it fails (ErrTooManyFiles, or
// mm.ErrNoMemory) it drops it.
func (t *Table) Open(d *Description, least int, cloexec bool) (int, error) {
	fd, err := t.Room(least)
	if err != nil {
		d.Drop()
		return 0, err
	}
	t.slots[fd] = slot{d, cloexec}
	return fd, nil
}

// Room returns the descriptor that Open would give, or fails as it would: a
// call asks before it does what could not be undone.
func (t *Table) Room(least int) (int, error) {
	fd := least
	for fd < len(t.slots) && t.slots[fd].desc != nil {
		fd++
	}
	return fd, t.grow(fd)
}

// grow makes room for fd.
func (t *Table) grow(fd int) error {
	if fd >= min(t.Limit, MaxDescriptors) {
		return ErrTooManyFiles
	}
	if fd < len(t.slots) {
		return nil
	}
	n := max(16, 2*len(t.slots))
	for n <= fd {
		n *= 2
	}
	if err := t.budget.Charge(int64(n-len(t.slots)) * slotSize); err != nil {
		return err
	}
	slots := make([]slot, n)
	copy(slots, t.slots)
	t.slots = slots
	return nil
}

// Dup makes another descriptor, not below least, for fd's description (dup(2),
// fcntl(2) F_DUPFD).
func (t *Table) Dup(fd, least int, cloexec bool) (int, error) {
	d, err := t.Get(fd)
	if err != nil {
		return 0, err
	}
	if least < 0 || least >= t.Limit {
		return 0, ErrInvalid
	}
	return t.Open(d.Ref(), least, cloexec)
}

// DupTo makes to a descriptor for fd's description, closing what it was
// (dup2(2), for fd ≠ to).
func (t *Table) DupTo(fd, to int, cloexec bool) error {
	d, err := t.Get(fd)
	if err != nil {
		return err
	}
	if to < 0 || to >= t.Limit {
		return ErrBadFile
	}
	if err := t.grow(to); err != nil {
		return err
	}
	old := t.slots[to].desc
	t.slots[to] = slot{d.Ref(), cloexec}
	if old != nil {
		old.Drop()
	}
	return nil
}

// Close frees fd and drops its description.
func (t *Table) Close(fd int) error {
	d, err := t.Get(fd)
	if err != nil {
		return err
	}
	t.slots[fd] = slot{}
	d.Drop()
	return nil
}

// Cloexec reports whether fd, which must be open, is closed by exec.
func (t *Table) Cloexec(fd int) bool { return t.slots[fd].cloexec }

// SetCloexec says whether fd, which must be open, is closed by exec.
func (t *Table) SetCloexec(fd int, on bool) { t.slots[fd].cloexec = on }

// Each calls f for each open descriptor in ascending order, until it returns
// false.
func (t *Table) Each(f func(fd int, d *Description) bool) {
	for fd, s := range t.slots {
		if s.desc != nil && !f(fd, s.desc) {
			return
		}
	}
}

// Clone returns a copy for a child whose budget is b: the same descriptions,
// offsets shared, under the same descriptors.
func (t *Table) Clone(b *mm.Budget) (*Table, error) {
	if err := b.Charge(int64(len(t.slots)) * slotSize); err != nil {
		return nil, err
	}
	child := &Table{Limit: t.Limit, slots: make([]slot, len(t.slots)), budget: b}
	copy(child.slots, t.slots)
	for _, s := range child.slots {
		if s.desc != nil {
			s.desc.Ref()
		}
	}
	return child, nil
}

// CloseExec closes the descriptors that are marked close-on-exec.
func (t *Table) CloseExec() {
	for fd, s := range t.slots {
		if s.desc != nil && s.cloexec {
			t.Close(fd)
		}
	}
}

// CloseAll closes every descriptor and gives back what the table was charged.
func (t *Table) CloseAll() {
	for fd := range t.slots {
		if t.slots[fd].desc != nil {
			t.Close(fd)
		}
	}
	t.budget.Release(int64(len(t.slots)) * slotSize)
	t.slots = nil
}
