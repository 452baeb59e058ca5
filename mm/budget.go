package mm

// Budget bounds the bytes of Go heap that someone may make the kernel use.
// The kernel's heap cannot grow, and a Go program that runs out of heap dies;
// so whatever a user can make the kernel allocate is charged first and refused
// with ErrNoMemory while a reserve remains.  A charge counts against the
// budget and all its parents, for instance process → whole system.
type Budget struct {
	parent *Budget
	limit  int64
	used   int64
	paid   int64  // of used, what does not count against parent
	share  bool   // made by NewShare
	heap   GoHeap // of a budget without parent; may be nil
}

// GoHeap is what the bytes of a budget are taken from.
type GoHeap interface {
	// Spare reports whether n bytes can really be taken and the reserve stays.
	//
	// WHY ask, where all is counted: a charge is an estimate, and a heap that
	// cannot move its objects has holes.  Whoever frees all but one object in
	// each of its blocks is charged for little and occupies much.
	Spare(n int64) bool
}

// NewBudget returns a budget of limit bytes under parent, which may be nil.
func NewBudget(parent *Budget, limit int64) *Budget {
	return &Budget{parent: parent, limit: limit}
}

// greed is how many times what then remains in its parent a share may have.
const greed = 3

// NewShare returns a budget for one of many users of parent.  It may be charged
// greed times as much as then remains in parent: three quarters of it for one
// alone.  What was paid for in advance, elsewhere, comes first; whatever the
// others have, nobody can be refused that.
func NewShare(parent *Budget, paid int64) *Budget {
	return &Budget{parent: parent, limit: parent.limit + paid, paid: paid, share: true}
}

// Back makes h what the budget, which has no parent, is taken from.
func (b *Budget) Back(h GoHeap) { b.heap = h }

// Charge takes n bytes from the budget and its parents, or nothing and
// returns ErrNoMemory.
func (b *Budget) Charge(n int64) error {
	if n > b.Left() || !b.take(n) {
		return ErrNoMemory
	}
	return nil
}

// Left returns how many bytes could be charged now, if the heap has them.
func (b *Budget) Left() int64 {
	left := b.limit - b.used
	if b.parent != nil {
		above := b.parent.Left()
		if b.share {
			above = min(above, (greed*(b.parent.limit-b.parent.used)-b.owed())/(greed+1))
		}
		left = min(left, max(0, b.paid-b.used)+above)
	}
	return max(0, left)
}

// owed returns what of the budget's charges counts against its parent.
func (b *Budget) owed() int64 { return max(0, b.used-b.paid) }

// take is Charge of bytes that are left; false says that the heap lacks them.
func (b *Budget) take(n int64) bool {
	more := max(0, b.used+n-b.paid) - b.owed()
	switch {
	case more == 0:
	case b.parent != nil && !b.parent.take(more), b.heap != nil && !b.heap.Spare(more):
		return false
	}
	b.used += n
	return true
}

// Release gives back n bytes that were charged.
func (b *Budget) Release(n int64) {
	owed := b.owed()
	if b.used -= n; b.used < 0 {
		panic("mm: more released than was charged")
	}
	if b.parent != nil {
		b.parent.Release(owed - b.owed())
	}
}

// Used returns the bytes charged and not yet released.
func (b *Budget) Used() int64 { return b.used }

// Limit returns the bytes that may be charged in all.
func (b *Budget) Limit() int64 { return b.limit }
