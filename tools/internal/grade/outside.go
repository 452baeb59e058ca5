package grade

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"yolk/qemu"
	"yolk/tools/internal/judge"
	"yolk/tools/internal/lab"
)

// outside runs a test in which nothing is believed that the guest says: a judge
// looks at the machine from outside.
func (m *machine) outside(ctx context.Context, t *lab.Test) (*Result, error) {
	c := judge.Lookup(t.Outside)
	if c == nil {
		return nil, fmt.Errorf("there is no case %q to be judged from outside", t.Outside)
	}
	j, err := judge.New(c, m.sys.Box)
	if err != nil {
		return nil, err
	}
	if m.lifeless != nil {
		return &Result{Test: t, Seen: m.lifeless.end.Error(), Detail: m.lifeless.detail()}, nil
	}
	b := m.start(ctx, func(_ *booted, cfg *qemu.Config, streams *qemu.IO, touch, cancel func()) {
		j.Prepare(c, cfg, streams, touch, cancel)
	})
	r, err := m.conclude(t, b, j)
	if err == nil && !r.Passed {
		r.Detail = fmt.Sprintf("seed %#x\n%s", j.Seed, b.detail())
	}
	return r, err
}

// finding is what a judge says of a boot: a *judge.Judge.
type finding interface {
	Err() error
	Verdict(r qemu.Result, why string) string
}

// conclude makes a result of a boot and what a judge says of it.
//
// WHY what was seen becomes the boot's end: a judge who has seen enough ends the
// machine, and of a kernel that runs no program at all the reason is told again
// with each test that follows.
func (m *machine) conclude(t *lab.Test, b *booted, j finding) (*Result, error) {
	if err := cmp.Or(b.infra, j.Err()); err != nil {
		return nil, err
	}
	why := ""
	if b.end != nil {
		why = b.end.Error()
	}
	r := &Result{Test: t, Seen: j.Verdict(b.result, why), Took: b.took}
	if r.Passed = r.Seen == ""; b.end != nil {
		b.end = errors.New(r.Seen)
		m.mourn(b)
	}
	return r, nil
}

// mourn notes, of a boot that has ended badly, that the kernel runs no program at
// all, if that is so: other boots are spared.
func (m *machine) mourn(b *booted) {
	if m.lifeless == nil && m.listed() == nil {
		m.lifeless = b
	}
}
