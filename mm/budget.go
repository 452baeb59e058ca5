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
}

// NewBudget returns a budget of limit bytes under parent, which may be nil.
func NewBudget(parent *Budget, limit int64) *Budget {
	return &Budget{parent: parent, limit: limit}
}

// Charge takes n bytes from the budget and its parents, or nothing and
// returns ErrNoMemory.
func (b *Budget) Charge(n int64) error {
	for p := b; p != nil; p = p.parent {
		if n > p.limit-p.used {
			return ErrNoMemory
		}
	}
	for p := b; p != nil; p = p.parent {
		p.used += n
	}
	return nil
}

// Release gives back n bytes that were charged.
func (b *Budget) Release(n int64) {
	for p := b; p != nil; p = p.parent {
		if p.used -= n; p.used < 0 {
			panic("mm: more released than was charged")
		}
	}
}

// Used returns the bytes charged and not yet released.
func (b *Budget) Used() int64 { return b.used }

// Limit returns the bytes that may be charged in all.
func (b *Budget) Limit() int64 { return b.limit }
