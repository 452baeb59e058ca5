package grade

import (
	"errors"
	"testing"

	"yolk/qemu"
	"yolk/tools/internal/lab"
)

// found is a judge that has come to an end.
type found struct {
	err  error
	text string // "": nothing but how the machine ended
}

func (f found) Err() error { return f.err }

func (f found) Verdict(_ qemu.Result, why string) string {
	if f.text != "" {
		return f.text
	}
	return why
}

// TestConclude: a boot that could not be looked at is no result, and why a kernel
// runs no program at all is what was seen first.
func TestConclude(t *testing.T) {
	dies := errors.New("the kernel died")
	broken := errors.New("wrong sum")
	for _, c := range []struct {
		name     string
		boot     booted
		found    found
		lifeless bool // the kernel runs no program at all
		seen     string
		err      error
		mourned  string
	}{
		{"well", booted{}, found{}, false, "", nil, ""},
		{"no QEMU", booted{infra: broken}, found{}, false, "", broken, ""},
		{"no conversation", booted{end: errNoEnd}, found{err: broken}, true, "", broken, ""},
		{"a finding", booted{end: errNoEnd}, found{text: "two frames"}, false, "two frames", nil, ""},
		{"a finding after a good end", booted{}, found{text: "status 3"}, true, "status 3", nil, ""},
		{"a finding, lifeless", booted{end: errNoEnd}, found{text: "two frames"}, true, "two frames", nil, "two frames"},
		{"death, lifeless", booted{end: dies}, found{}, true, "the kernel died", nil, "the kernel died"},
		{"no end, lifeless", booted{end: errNoEnd}, found{}, true, errNoEnd.Error(), nil, errNoEnd.Error()},
	} {
		m := &machine{listed: func() []string { return map[bool][]string{false: {"a"}}[c.lifeless] }}
		r, err := m.conclude(&lab.Test{Outside: "x"}, &c.boot, c.found)
		if !errors.Is(err, c.err) || (r == nil) != (c.err != nil) || r != nil && (r.Seen != c.seen || r.Passed != (c.seen == "")) {
			t.Errorf("%s: %+v, %v", c.name, r, err)
		}
		mourned := ""
		if m.lifeless != nil {
			mourned = m.lifeless.end.Error()
		}
		if mourned != c.mourned {
			t.Errorf("%s: other tests are told %q, want %q", c.name, mourned, c.mourned)
		}
	}
}
