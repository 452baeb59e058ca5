package bench

import "testing"

func TestScale(t *testing.T) {
	for _, c := range []struct {
		s           scale
		ticks, want uint64
	}{
		{scale{100, 100}, 12345, 12345},
		{scale{250, 100}, 1000, 400},
		{scale{3, 1}, 10, 3},
		{scale{1000, 3000}, 1 << 50, 3 << 50}, // no overflow on the way
	} {
		if got := c.s.instructions(c.ticks); got != c.want {
			t.Errorf("%+v: %d ticks are %d instructions, want %d", c.s, c.ticks, got, c.want)
		}
	}
}

func TestOperationsHaveNames(t *testing.T) {
	seen := map[string]bool{}
	for _, op := range operations {
		if op.name == "" || seen[op.name] || op.rounds < 1 || op.run == nil {
			t.Errorf("operation %+v", op.name)
		}
		seen[op.name] = true
	}
}
