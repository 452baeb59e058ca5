package cowdemo

import (
	"strings"
	"testing"
)

// sound is the program's output on a kernel that does everything right.
const sound = `step=before pid=6 va=0x1000 pfn=0xa0 refs=1 cow=0 copies=0 reuses=0
step=before pid=6 va=0x2000 pfn=0xb0 refs=1 cow=0 copies=0 reuses=0
step=forked pid=6 va=0x1000 pfn=0xa0 refs=2 cow=1 copies=0 reuses=0
step=forked pid=6 va=0x2000 pfn=0xb0 refs=2 cow=1 copies=0 reuses=0
step=forked pid=7 va=0x1000 pfn=0xa0 refs=2 cow=1 copies=0 reuses=0
step=forked pid=7 va=0x2000 pfn=0xb0 refs=2 cow=1 copies=0 reuses=0
step=child-writes pid=7 va=0x1000 pfn=0xc0 refs=1 cow=0 copies=1 reuses=0
step=child-writes pid=7 va=0x2000 pfn=0xb0 refs=2 cow=1 copies=0 reuses=0
step=child-writes pid=6 va=0x1000 pfn=0xa0 refs=1 cow=1 copies=0 reuses=0
step=child-writes pid=6 va=0x2000 pfn=0xb0 refs=2 cow=1 copies=0 reuses=0
step=parent-writes pid=6 va=0x1000 pfn=0xa0 refs=1 cow=0 copies=0 reuses=1
step=parent-writes pid=6 va=0x2000 pfn=0xb0 refs=2 cow=1 copies=0 reuses=0
step=parent-writes pid=7 va=0x1000 pfn=0xc0 refs=1 cow=0 copies=0 reuses=0
step=parent-writes pid=7 va=0x2000 pfn=0xb0 refs=2 cow=1 copies=0 reuses=0
step=child-exited pid=6 va=0x1000 pfn=0xa0 refs=1 cow=0 copies=0 reuses=0
step=child-exited pid=6 va=0x2000 pfn=0xb0 refs=1 cow=1 copies=0 reuses=0
step=reclaimed pid=6 va=0x1000 pfn=0xa0 refs=1 cow=0 copies=0 reuses=0
step=reclaimed pid=6 va=0x2000 pfn=0xb0 refs=1 cow=0 copies=0 reuses=1
`

func TestCheckAcceptsWhatIsRight(t *testing.T) {
	if wrong := Check(sound, false); wrong != nil {
		t.Errorf("a sound output: %q", wrong)
	}
	linux := strings.NewReplacer("cow=0", "cow=?", "cow=1", "cow=?", "copies=0", "copies=?", "copies=1", "copies=?",
		"reuses=0", "reuses=?", "reuses=1", "reuses=?").Replace(sound)
	if wrong := Check(linux, false); wrong != nil {
		t.Errorf("an output of Linux: %q", wrong)
	}
}

// Every figure of every line is checked: whichever is changed, it is noticed.
func TestCheckNoticesEveryFigure(t *testing.T) {
	lines := strings.SplitAfter(strings.TrimSuffix(sound, "\n"), "\n")
	for i, line := range lines {
		for _, figure := range strings.Fields(line) {
			changed := append([]string(nil), lines...)
			name, _, _ := strings.Cut(figure, "=")
			value := map[string]string{"step": "other", "pid": "99", "va": "0x9000", "pfn": "0xdd", "refs": "3", "cow": "2", "copies": "5", "reuses": "5"}[name]
			changed[i] = strings.Replace(line, figure, name+"="+value, 1)
			if wrong := Check(strings.Join(changed, ""), false); len(wrong) == 0 {
				// The very first sight of a page or a process defines it; what
				// contradicts it is then the rest.
				t.Errorf("line %d with %s=%s passes", i+1, name, value)
			}
		}
	}
	if len(Check(strings.Join(lines[1:], ""), false)) == 0 || len(Check("", false)) == 0 || len(Check(strings.Replace(sound, "refs=1", "refs=x", 1), false)) == 0 {
		t.Error("a damaged output passes")
	}
}

// On a kernel that copies at the fork, the child has frames of its own, and the
// output of copy-on-write is wrong; and the other way round.
func TestCheckEager(t *testing.T) {
	eager := strings.NewReplacer("refs=2", "refs=1", "cow=1", "cow=0", "copies=1", "copies=0", "reuses=1", "reuses=0").Replace(sound)
	lines := strings.SplitAfter(eager, "\n")
	for i, line := range lines {
		if strings.Contains(line, "pid=7") {
			lines[i] = strings.NewReplacer("pfn=0xa0", "pfn=0xc0", "pfn=0xb0", "pfn=0xd0").Replace(line)
		}
	}
	eager = strings.Join(lines, "")
	if wrong := Check(eager, true); wrong != nil {
		t.Errorf("an eager output: %q", wrong)
	}
	if len(Check(eager, false)) == 0 || len(Check(sound, true)) == 0 {
		t.Error("eager and lazy are not told apart")
	}
}

func TestLineRoundTrip(t *testing.T) {
	for line := range strings.Lines(sound) {
		l, ok := ParseLine(line)
		if !ok || l.String() != line {
			t.Errorf("%q comes back as %q", line, l.String())
		}
	}
}
