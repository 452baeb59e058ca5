package boot

import (
	"fmt"
	"testing"
)

// TestWalk: each access goes where its student says.  The sheet is printed with -v.
func TestWalk(t *testing.T) {
	if len(name()) < 3 {
		t.Fatalf("the name is %q: sign with yours", name())
	}
	p := New(name())
	t.Logf("for %s:\n%s", name(), p)
	got := answers()
	for i, want := range p.answers {
		t.Run(fmt.Sprint(i+1), func(t *testing.T) {
			if i >= len(got) {
				t.Fatal("there is no answer")
			}
			if got[i] != want {
				t.Errorf("%v is not what comes of it", got[i])
			}
		})
	}
	if len(got) > len(p.answers) {
		t.Errorf("%d answers", len(got))
	}
}

// TestPuzzle: the sheets differ from name to name, and each tells enough: a walk
// through its words alone gives its answers.
func TestPuzzle(t *testing.T) {
	seen := map[string]bool{}
	for i := range 200 {
		p := New(fmt.Sprintf("Student %d", i))
		if seen[p.String()] || len(p.Accesses) != 7 {
			t.Fatalf("%d: %d accesses, or a sheet that somebody else has", i, len(p.Accesses))
		}
		seen[p.String()] = true
		for j, a := range p.Accesses {
			if got := p.walk(a); got != p.answers[j] {
				t.Errorf("%s\n%d gives %+v, not %+v", p, j+1, got, p.answers[j])
			}
		}
	}
	if New(" Ada  LOVELACE ").String() != New("ada lovelace").String() {
		t.Error("blanks or capitals make another sheet")
	}
}

func TestAnswerString(t *testing.T) {
	for want, a := range map[string]Answer{
		"the physical address 0x1f":                                          {Physical: 0x1f},
		"a fault with error code 0x15":                                       {Fault: true, Code: 0x15},
		"the physical address 0x1f (and what does not apply is not zero)":    {Physical: 0x1f, Code: 1},
		"a fault with error code 0x15 (and what does not apply is not zero)": {Fault: true, Code: 0x15, Physical: 1},
	} {
		if got := a.String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// walk is the processor's walk (SDM 3A §4.5.4, §4.6).
func (p *Puzzle) walk(a Access) Answer {
	code := uint64(codeUser)
	if a.Write {
		code |= codeWrite
	}
	if a.Fetch {
		code |= codeFetch
	}
	rights, table := uint64(writable|user), p.CR3
	for shift := 39; ; shift -= 9 {
		e := p.Memory[table+a.VA>>shift&511*8]
		if e&present == 0 {
			return Answer{Fault: true, Code: code}
		}
		rights = rights&e | (rights|e)&noExecute
		table = e &^ noExecute >> 12 << 12
		if shift > 12 && e&large == 0 {
			continue
		}
		if rights&user == 0 || a.Write && rights&writable == 0 || a.Fetch && rights&noExecute != 0 {
			return Answer{Fault: true, Code: code | codePresent}
		}
		return Answer{Physical: table + a.VA&(1<<shift-1)}
	}
}
