package mm_test

import (
	"testing"

	"yolk/mm"
)

// spare is a heap with so many bytes left.
type spare int64

func (s spare) Spare(n int64) bool { return n <= int64(s) }

func charge(t *testing.T, b *mm.Budget, n int64, want error) {
	t.Helper()
	if err := b.Charge(n); err != want {
		t.Errorf("a charge of %d: %v, want %v", n, err, want)
	}
}

// A share gets three times what remains, so that something remains for the next.
func TestShareLeavesSomething(t *testing.T) {
	all := mm.NewBudget(nil, 1600)
	a, b, c := mm.NewShare(all, 0), mm.NewShare(all, 0), mm.NewShare(all, 0)
	charge(t, a, 1201, mm.ErrNoMemory)
	charge(t, a, 1200, nil)
	charge(t, b, 301, mm.ErrNoMemory)
	charge(t, b, 300, nil)
	charge(t, a, 1, mm.ErrNoMemory)
	charge(t, a, 0, nil) // though it has more than three times of what remains by now
	charge(t, c, 75, nil)
	a.Release(1200)
	charge(t, b, 600, nil)
	b.Release(900)
	c.Release(75)
	if all.Used() != 0 {
		t.Errorf("%d bytes are still charged", all.Used())
	}
}

// What was paid in advance is there, whatever the others have, and costs the
// parent nothing; in which order things go back makes no difference.
func TestShareThatWasPaidFor(t *testing.T) {
	all := mm.NewBudget(nil, 100)
	charge(t, all, 100, nil)
	s := mm.NewShare(all, 50)
	charge(t, s, 50, nil)
	charge(t, s, 1, mm.ErrNoMemory)
	all.Release(100)
	charge(t, s, 30, nil)
	charge(t, all, 5, nil) // somebody else's
	if s.Used() != 80 || all.Used() != 35 {
		t.Errorf("the share has %d bytes, its parent %d", s.Used(), all.Used())
	}
	s.Release(50)
	if s.Used() != 30 || all.Used() != 5 {
		t.Errorf("of 30 bytes, all paid for, the parent has %d", all.Used()-5)
	}
	charge(t, s, 40, nil)
	s.Release(70)
	all.Release(5)
	if s.Used() != 0 || all.Used() != 0 {
		t.Errorf("%d and %d bytes are still charged", s.Used(), all.Used())
	}
}

// The heap has the last word, and is not asked for what was paid in advance.
func TestBudgetAsksTheHeap(t *testing.T) {
	all := mm.NewBudget(nil, 1000)
	all.Back(spare(10))
	s := mm.NewShare(all, 20)
	charge(t, s, 20, nil)
	charge(t, s, 11, mm.ErrNoMemory)
	charge(t, s, 10, nil)
	if all.Used() != 10 {
		t.Errorf("%d bytes are charged, want 10", all.Used())
	}
}
