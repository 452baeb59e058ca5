package grade

import (
	"crypto/rand"
	"slices"

	"yolk/kernel/trace"
	"yolk/qemu"
	"yolk/tools/internal/lab"
	"yolk/tools/internal/tracetext"
)

// keptEvents is how many of the last events the details of a failure show.
const keptEvents = 40

// trace sets up what is kept of a boot's events: of all of them for a picture, the
// last ones for the details, else none.
func (m *machine) trace(cfg *qemu.Config, streams *qemu.IO, b *booted) {
	switch {
	case m.drawn != nil:
		cfg.Params.Trace, streams.Trace = trace.ClassAll, m.drawn
	case m.Trace:
		b.events = tracetext.NewTail(keptEvents)
		cfg.Params.Trace = trace.ClassProcess | trace.ClassFault | trace.ClassTLB
		streams.Trace = b.events.Event
	}
}

// lastEvents is the end of the boot's trace, one event a line.
func (b *booted) lastEvents() string {
	if b.events == nil {
		return ""
	}
	return b.events.String()
}

// A Drawing is what a picture of a failure is made of: a boot in which the test
// ran.
type Drawing struct {
	Test   *lab.Test
	Others int           // how many other tests were run in the boot
	Failed bool          // whether the test failed in it, as it had before
	Events []trace.Event // from the first on, of all classes
	Cut    bool          // there were more
}

// mostEvents bounds a Drawing.
//
// WHY the first events are kept and not the last: a picture is played from the
// boot on.  Only a kernel that runs in circles has more.
const mostEvents = 1 << 20

// draw runs the first test that failed in the guest once more, with all events,
// for whoever asked for a picture: by itself or, where it passes then, among those
// with which it failed.
//
// WHY once more: in the boot in which it failed, thirty others may have run before
// it, and events of all classes are too many to be kept on suspicion.
func (m *machine) draw() error {
	if m.Draw == nil || m.first == nil {
		return nil
	}
	t := m.first.Test
	if t.Outside != "" {
		return m.drawOutside(t)
	}
	var d *Drawing
	for _, tests := range [][]*lab.Test{{t}, m.together(t.Append)} {
		d = &Drawing{Test: t, Others: len(tests) - 1}
		m.drawn = d.keep
		key := rand.Text()
		b := m.run(t.Append, programOf(tests, key))
		b.key = key
		if b.infra != nil {
			return b.infra
		}
		results := map[*lab.Test]*Result{}
		b.verdicts(tests, results)
		if r := results[t]; r == nil || !r.Passed {
			d.Failed = true
			break
		}
	}
	return m.Draw(d)
}

// drawOutside is draw for a test that is judged from outside.
func (m *machine) drawOutside(t *lab.Test) error {
	d := &Drawing{Test: t}
	m.drawn = d.keep
	r, err := m.judged(t)
	if err != nil {
		return err
	}
	d.Failed = !r.Passed
	return m.Draw(d)
}

// together returns the tests in the guest that run with these kernel parameters.
func (m *machine) together(append string) []*lab.Test {
	return slices.DeleteFunc(slices.Clone(m.tests), func(t *lab.Test) bool { return t.Guest == "" || t.Append != append })
}

func (d *Drawing) keep(ev *trace.Event) {
	if len(d.Events) == mostEvents {
		d.Cut = true
		return
	}
	d.Events = append(d.Events, *ev)
}
