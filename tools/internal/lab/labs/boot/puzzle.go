// Package boot holds the page tables that students of the lab of this name walk
// through on paper: a few words of a physical memory, made from the student's name,
// so that no two students have the same.
package boot

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
)

// An Access is what a program does: to which address, and how.
type Access struct {
	VA           uint64
	Write, Fetch bool
}

// An Answer is what comes of an access in user mode: the physical address that it
// goes to, or the error code of its page fault (SDM 3A §4.7).  What does not apply is
// zero.
type Answer struct {
	Physical uint64
	Fault    bool
	Code     uint64
}

// String is the answer in the sheet's figures.
func (a Answer) String() string {
	s, other := fmt.Sprintf("the physical address %#x", a.Physical), a.Code
	if a.Fault {
		s, other = fmt.Sprintf("a fault with error code %#x", a.Code), a.Physical
	}
	if other != 0 {
		s += " (and what does not apply is not zero)"
	}
	return s
}

// Flags of a page-table entry (SDM 3A §4.5).
const (
	present   = 1 << 0
	writable  = 1 << 1
	user      = 1 << 2
	large     = 1 << 7 // in a PD: the entry maps 2 MiB
	noExecute = 1 << 63

	all = present | writable | user
)

// Bits of an error code.
const (
	codePresent = 1 << 0
	codeWrite   = 1 << 1
	codeUser    = 1 << 2
	codeFetch   = 1 << 4
)

// A Puzzle is a register, a memory and some accesses.
type Puzzle struct {
	CR3      uint64
	Memory   map[uint64]uint64 // words by their physical addresses; all others are zero
	Accesses []Access
	answers  []Answer
	used     []uint64 // frames
	random   *rand.Rand
}

// New returns the puzzle of somebody's name.
func New(name string) *Puzzle {
	h := fnv.New64a()
	h.Write([]byte(strings.Join(strings.Fields(strings.ToLower(name)), " ")))
	p := &Puzzle{Memory: map[uint64]uint64{}, random: rand.New(rand.NewPCG(h.Sum64(), 1))}
	p.CR3 = p.frame()
	p.add(Access{}, [4]uint64{all, all, all, present | user}, 0)
	p.add(Access{Write: true}, [4]uint64{all, all, all, all | noExecute}, 0)
	p.add(Access{Write: true}, [4]uint64{all, present | user, all, all}, codePresent|codeWrite|codeUser)
	p.add(Access{Fetch: true}, [4]uint64{all | noExecute, all, all, all}, codePresent|codeUser|codeFetch)
	p.add(Access{}, [4]uint64{all, all, present | writable, all}, codePresent|codeUser)
	p.add(Access{Write: true}, [4]uint64{all, all, writable | user, all}, codeWrite|codeUser)
	p.add(Access{}, [4]uint64{all, all, all | large, 0}, 0)
	p.random.Shuffle(len(p.Accesses), func(i, j int) {
		p.Accesses[i], p.Accesses[j] = p.Accesses[j], p.Accesses[i]
		p.answers[i], p.answers[j] = p.answers[j], p.answers[i]
	})
	return p
}

// frame returns the address of a frame below 4 GiB that has not been used yet.
func (p *Puzzle) frame() uint64 {
	for {
		f := p.random.Uint64N(1<<20) << 12
		if !slices.Contains(p.used, f) {
			p.used = append(p.used, f)
			return f
		}
	}
}

// add makes the tables for an access to an address of its own, with these flags from
// the PML4 down, and notes what comes of it: a code of 0 stands for no fault.
func (p *Puzzle) add(a Access, flags [4]uint64, code uint64) {
	for a.VA == 0 || p.Memory[p.CR3+a.VA>>39*8] != 0 {
		a.VA = p.random.Uint64N(1 << 47)
	}
	answer := Answer{Fault: code != 0, Code: code}
	table := p.CR3
	for i, f := range flags {
		shift := 39 - 9*i
		next := p.frame()
		if f&large != 0 {
			next &^= 1<<21 - 1
		}
		p.Memory[table+a.VA>>shift&511*8] = next | f
		if code == 0 && (i == 3 || f&large != 0) {
			answer.Physical = next + a.VA&(1<<shift-1)
		}
		if f&large != 0 {
			break
		}
		table = next
	}
	p.Accesses = append(p.Accesses, a)
	p.answers = append(p.answers, answer)
}

// String is the sheet of paper: the words of memory as x/gx shows them, and the
// accesses.
func (p *Puzzle) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "cr3 %#x\n", p.CR3)
	for _, at := range slices.SortedFunc(maps.Keys(p.Memory), cmp.Compare) {
		fmt.Fprintf(&b, "0x%08x: 0x%016x\n", at, p.Memory[at])
	}
	for i, a := range p.Accesses {
		how := "read of"
		if a.Write {
			how = "write to"
		} else if a.Fetch {
			how = "fetch from"
		}
		fmt.Fprintf(&b, "%d. %s %#x\n", i+1, how, a.VA)
	}
	return b.String()
}
