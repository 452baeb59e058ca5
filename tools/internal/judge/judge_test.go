package judge

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"yolk/kernel/abi"
	"yolk/qemu"
	"yolk/qemu/stub"
)

// The fake machine's memory: page tables from root on, and a page with the mark.
const (
	root  = 0x1000
	frame = 0x9000 // of the page with the mark
	mark  = 0x401010
)

// fake is a machine whose processes do what a test says.
type fake struct {
	memory map[uint64][]byte // by page
	regs   stub.Registers
	stops  []func(regs stub.Registers) // what each Continue changes; then the machine ends
}

func (f *fake) Break(uint64) error  { return nil }
func (f *fake) Remove(uint64) error { return nil }

func (f *fake) Continue() error {
	if len(f.stops) == 0 {
		return stub.ErrEnded
	}
	f.stops[0](f.regs)
	f.stops = f.stops[1:]
	f.regs["rip"] = mark
	return nil
}

func (f *fake) Registers() (stub.Registers, error) {
	regs := stub.Registers{}
	for name, value := range f.regs {
		regs[name] = value
	}
	return regs, nil
}

func (f *fake) SetRegister(name string, value uint64) error { f.regs[name] = value; return nil }

func (f *fake) ReadPhysical(addr uint64, b []byte) error {
	page, there := f.memory[addr&^(pageSize-1)]
	if !there {
		return stub.ErrAddress
	}
	copy(b, page[addr%pageSize:])
	return nil
}

func (f *fake) WritePhysical(addr uint64, b []byte) error {
	copy(f.memory[addr&^(pageSize-1)][addr%pageSize:], b)
	return nil
}

// set writes an entry of a table, which it makes.
func (f *fake) set(table, index, entry uint64) {
	if f.memory[table] == nil {
		f.memory[table] = make([]byte, pageSize)
	}
	binary.LittleEndian.PutUint64(f.memory[table][8*index:], entry)
}

// entry reads an entry of a table.
func (f *fake) entry(table, index uint64) uint64 {
	return binary.LittleEndian.Uint64(f.memory[table][8*index:])
}

// newFake is a machine with one page, that of the mark, and its judge.
func newFake() (*fake, *Judge) {
	const all = present | writable | user
	text := make([]byte, pageSize)
	text[mark%pageSize] = 0x90
	f := &fake{memory: map[uint64][]byte{frame: text}, regs: stub.Registers{}}
	for _, name := range needed {
		f.regs[name] = 0
	}
	f.regs["cs"], f.regs["cr3"], f.regs["rsp"] = 0x2b, root, 0x7ff0
	f.set(root, 0, 0x2000|all)
	f.set(0x2000, 0, 0x3000|all)
	f.set(0x3000, 2, 0x4000|all)
	f.set(0x4000, 1, frame|present|user)
	box := &program{mark: mark, segments: []segment{{mark &^ (pageSize - 1), append([]byte(nil), text...)}}}
	j := &Judge{conn: f, box: box, procs: map[uint64]*Proc{}, touch: func() {}, rand: rand.New(rand.NewPCG(1, 2))}
	return f, j
}

// said is what the judge holds against the kernel.
func (j *Judge) said() string {
	if v := j.err.Load(); v != nil {
		return v.text
	}
	return ""
}

// TestWalk: a page has a right if all levels have it, and none is the kernel's.
func TestWalk(t *testing.T) {
	const va = mark
	for _, c := range []struct {
		name         string
		table, index uint64
		entry        uint64
		want         Page
	}{
		{"writable", 0x4000, 1, frame | present | user | writable, Page{true, true, true, frame}},
		{"read-only", 0x4000, 1, frame | present | user, Page{true, false, true, frame}},
		{"not to be executed", 0x4000, 1, frame | present | user | noExec, Page{true, false, false, frame}},
		{"not to be executed, above", 0x3000, 2, 0x4000 | present | user | writable | noExec, Page{true, true, false, frame}},
		{"read-only above", 0x2000, 0, 0x3000 | present | user, Page{true, false, true, frame}},
		{"the kernel's", 0x4000, 1, frame | present, Page{}},
		{"the kernel's above", root, 0, 0x2000 | present | writable, Page{}},
		{"absent", 0x4000, 1, frame | user | writable, Page{}},
		{"absent above", 0x3000, 2, 0x4000 | user, Page{}},
	} {
		f, j := newFake()
		f.set(0x4000, 1, frame|present|user|writable)
		f.set(c.table, c.index, c.entry)
		if got := j.walk(root, va); got != c.want || !j.ok() {
			t.Errorf("%s: %+v, want %+v; %s", c.name, got, c.want, j.said())
		}
	}
	f, j := newFake()
	f.set(0x3000, 2, 0x4000|present|user|large)
	if j.walk(root, va); !strings.Contains(j.said(), "large page") {
		t.Errorf("a large page: %q", j.said())
	}
	f, j = newFake()
	f.set(0x3000, 2, 0xdead000|present|user)
	if j.walk(root, va); !strings.Contains(j.said(), stub.ErrAddress.Error()) || j.Err() != nil {
		t.Errorf("a table outside of memory: %q", j.said())
	}
}

// TestSpace: all pages and tables are found, and what no address space may have.
func TestSpace(t *testing.T) {
	f, j := newFake()
	f.set(0x4000, 5, 0xa000|present|user|writable|noExec)
	s := j.space(root)
	if len(s.pages) != 2 || s.pages[0x405000] != (Page{true, true, false, 0xa000}) || len(s.tables) != 4 || !s.tables[0x3000] || !j.ok() {
		t.Errorf("%+v %s", s, j.said())
	}
	f.set(0x4000, 6, 0xb000|present)
	if j.space(root); !strings.Contains(j.said(), "not the user's") {
		t.Errorf("a page of the kernel's: %q", j.said())
	}
	f, j = newFake()
	f.set(0x3000, 7, 0x4000|present|user)
	if j.space(root); !strings.Contains(j.said(), "twice") {
		t.Errorf("a table twice: %q", j.said())
	}
	f, j = newFake()
	f.set(root, 300, 0x2000|present|writable)
	if j.space(root); !j.ok() {
		t.Errorf("the kernel's half: %q", j.said())
	}
	f.set(root, 300, 0x2000|present|writable|user)
	if j.kernelHidden(root); !strings.Contains(j.said(), "open to the user") {
		t.Errorf("the kernel's half, open: %q", j.said())
	}
}

// back is a stop at which the process comes back with a result.
func back(rax uint64) func(stub.Registers) {
	return func(regs stub.Registers) { regs["rax"] = rax }
}

// TestCall: a system call's result is what is in RAX, and others are given a turn
// meanwhile.
func TestCall(t *testing.T) {
	f, j := newFake()
	f.stops = []func(stub.Registers){back(0), back(42)}
	p := j.awaitFirst()
	got := p.call(abi.SysGetpid, 7)
	if got != 42 || !j.ok() {
		t.Errorf("%d %s", got, j.said())
	}
	if f.regs["rdi"] != 7 || f.regs["rip"] != mark || f.regs["r13"] != p.cookie || p.root != root {
		t.Errorf("%x", f.regs)
	}
	if p.call(abi.SysGetpid); j.said() != stub.ErrEnded.Error() {
		t.Errorf("the machine has ended: %q", j.said())
	}
}

// TestArriveRefuses: what a judge does not take.
func TestArriveRefuses(t *testing.T) {
	for _, c := range []struct {
		name string
		stop func(f *fake, regs stub.Registers)
		want string
	}{
		{"a register is lost", func(_ *fake, regs stub.Registers) { regs["rbx"]++ }, "in register rbx"},
		{"its stack is lost", func(_ *fake, regs stub.Registers) { regs["rsp"] -= 8 }, "in register rsp; it was 0x7ff0"},
		{"it has become another", func(_ *fake, regs stub.Registers) { regs["r13"]++ }, "in R13"},
		{"nobody has called exec", func(_ *fake, regs stub.Registers) { regs["r13"] = 0 }, "in R13"},
		{"it is the kernel", func(_ *fake, regs stub.Registers) { regs["cs"] = 0x8 }, "on level 0"},
		{"the program was patched", func(f *fake, _ stub.Registers) { f.memory[frame][mark%pageSize+1] ^= 1 }, "not what the program has there"},
		{"the program may be patched", func(f *fake, _ stub.Registers) { f.set(0x4000, 1, frame|present|user|writable) }, "is writable"},
		{"the kernel's half is open", func(f *fake, _ stub.Registers) { f.set(root, 511, 0x2000|present|user) }, "open to the user"},
	} {
		f, j := newFake()
		f.stops = []func(stub.Registers){back(0), func(regs stub.Registers) { regs["rax"] = 0; c.stop(f, regs) }}
		p := j.awaitFirst()
		p.call(abi.SysGetpid)
		if !strings.Contains(j.said(), c.want) || j.Err() != nil {
			t.Errorf("%s: %q, want %q; %v", c.name, j.said(), c.want, j.Err())
		}
	}
}

// keep has the fake machine's processes come to the mark in the order that a test
// says, each with the registers that it left with.
func keep(f *fake, who map[string]stub.Registers, name string, rax uint64) func(stub.Registers) {
	return func(regs stub.Registers) {
		for reg, value := range who[name] {
			regs[reg] = value
		}
		regs["rax"] = rax
	}
}

// TestFork: parent and child are told apart, whoever comes first.
func TestFork(t *testing.T) {
	for _, order := range [][]uint64{{0, 5}, {5, 0}} {
		f, j := newFake()
		f.stops = []func(stub.Registers){back(0)}
		p := j.awaitFirst()
		at := stub.Registers{}
		who := map[string]stub.Registers{"fork": at}
		f.stops = []func(stub.Registers){
			func(regs stub.Registers) {
				for reg, value := range regs {
					at[reg] = value
				}
				regs["rax"] = order[0]
			},
			keep(f, who, "fork", order[1]),
		}
		c := p.fork("the child")
		if !j.ok() || !c.done || !p.done || p.result != 5 || c.cookie == p.cookie {
			t.Errorf("%v: %+v %s", order, p, j.said())
		}
	}
}

// TestForkLosesStack: a child has its parent's stack, whoever comes first.
func TestForkLosesStack(t *testing.T) {
	for _, order := range [][]uint64{{0, 5}, {5, 0}} {
		f, j := newFake()
		f.stops = []func(stub.Registers){back(0)}
		p := j.awaitFirst()
		at := stub.Registers{}
		come := func(rax uint64) func(stub.Registers) {
			return func(regs stub.Registers) {
				if len(at) == 0 {
					maps.Copy(at, regs)
				}
				maps.Copy(regs, at)
				if regs["rax"] = rax; rax == 0 {
					regs["rsp"] += 16
				}
			}
		}
		f.stops = []func(stub.Registers){come(order[0]), come(order[1])}
		if p.fork("the child"); !strings.Contains(j.said(), "the child comes back from fork with 0x8000 in register rsp") {
			t.Errorf("%v: %q", order, j.said())
		}
	}
}

// TestExecHasItsOwnStack: a new program's is where the kernel has put it, and stays
// there.
func TestExecHasItsOwnStack(t *testing.T) {
	f, j := newFake()
	f.stops = []func(stub.Registers){back(0)}
	p := j.awaitFirst()
	p.coming = p
	f.stops = []func(stub.Registers){func(regs stub.Registers) { regs["r13"], regs["rsp"] = 0, 0x6000 }, back(1)}
	p.do(call(abi.SysExecve))
	if p.call(abi.SysGetpid); !j.ok() || p.sp != 0x6000 {
		t.Errorf("%#x: %q", p.sp, j.said())
	}
}

// TestVforkParentSleeps: a parent that runs while its child has its memory is
// found out, and one that runs after the child's exit is not.
func TestVforkParentSleeps(t *testing.T) {
	for _, exits := range []bool{false, true} {
		f, j := newFake()
		f.stops = []func(stub.Registers){back(0)}
		p := j.awaitFirst()
		at := stub.Registers{}
		f.stops = []func(stub.Registers){func(regs stub.Registers) {
			for reg, value := range regs {
				at[reg] = value
			}
			regs["rax"] = 0
		}}
		c := p.vfork("the child")
		f.stops = []func(stub.Registers){keep(f, map[string]stub.Registers{"parent": at}, "parent", 5)}
		if exits {
			c.exit(0)
			p.await()
		} else {
			c.call(abi.SysSchedYield)
		}
		if exits != j.ok() || !exits && !strings.Contains(j.said(), "neither exited") {
			t.Errorf("child exits %t: %q", exits, j.said())
		}
	}
}

// TestPatience: a process that does not come back is not waited for without end.
func TestPatience(t *testing.T) {
	f, j := newFake()
	f.stops = []func(stub.Registers){back(0)}
	p := j.awaitFirst()
	other := &Proc{Judge: j, name: "the other"}
	for range patience + 10 {
		f.stops = append(f.stops, back(0))
	}
	j.at = p
	if other.await(); !strings.Contains(j.said(), "the other does not come back") {
		t.Errorf("%q", j.said())
	}
}

// TestErr: what goes wrong between the judge and QEMU is no verdict, and neither is
// it one of the kernel's ends.
func TestErr(t *testing.T) {
	for _, c := range []struct {
		name  string
		err   error
		infra bool
		want  string // the verdict, if there is one
	}{
		{"the machine has ended", stub.ErrEnded, false, "why"},
		{"the machine has ended meanwhile", fmt.Errorf("no answer: %w", stub.ErrEnded), false, "why"},
		{"tables lead nowhere", fmt.Errorf("at 0x1000: %w", stub.ErrAddress), false, "at 0x1000: " + stub.ErrAddress.Error()},
		{"a damaged packet", errors.New("wrong sum"), true, ""},
	} {
		_, j := newFake()
		j.check(c.err)
		j.failf("too late")
		if got := j.Err(); (got != nil) != c.infra || c.infra && !errors.Is(got, c.err) {
			t.Errorf("%s: %v", c.name, got)
		}
		if got := j.Verdict(qemu.Result{End: qemu.Panicked}, "why"); !c.infra && got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
	_, j := newFake()
	j.failf("two frames")
	j.check(errors.New("wrong sum"))
	if j.Err() != nil || j.said() != "two frames" {
		t.Errorf("an error after a finding: %q, %v", j.said(), j.Err())
	}
}

// TestRegisterMissing: a register that QEMU does not show is not one that the kernel
// has lost.
func TestRegisterMissing(t *testing.T) {
	f, j := newFake()
	delete(f.regs, "cr3")
	f.stops = []func(stub.Registers){back(0)}
	if j.awaitFirst(); j.Err() == nil || !strings.Contains(j.said(), "cr3") {
		t.Errorf("%q, %v", j.said(), j.Err())
	}
}

// TestAttend: a conversation that does not come about ends the machine, unless it
// has ended already.
func TestAttend(t *testing.T) {
	for answer, infra := range map[string]bool{"": false, "+$OK#00": true, "+$#00": true} {
		ended := false
		j := &Judge{box: &program{}, cancel: func() { ended = true }}
		j.attend(struct {
			io.Reader
			io.Writer
		}{strings.NewReader(answer), io.Discard})
		if (j.Err() != nil) != infra || ended != infra || j.ok() {
			t.Errorf("%q: %v; the machine was ended: %t", answer, j.Err(), ended)
		}
	}
}

// TestVerdict: how the machine's end and the judge's finding make one verdict.
func TestVerdict(t *testing.T) {
	finished := qemu.Result{End: qemu.Finished, Status: 3 << 8}
	for _, c := range []struct {
		name   string
		err    string // a finding; else the machine has ended
		result qemu.Result
		ended  bool
		stdout string
		want   string
	}{
		{"well", "", finished, true, "out", ""},
		{"a finding", "two frames", qemu.Result{End: qemu.Stopped}, false, "", "two frames"},
		{"a finding, and a good end", "two frames", finished, true, "out", "two frames"},
		{"a panic", "", qemu.Result{End: qemu.Panicked}, false, "", "why"},
		{"a panic at the end", "", qemu.Result{End: qemu.Panicked}, true, "out", "why"},
		{"an early end", "", finished, false, "out", "before it was told to"},
		{"another status", "", qemu.Result{End: qemu.Finished}, true, "out", "status 3"},
		{"other output", "", finished, true, "oxt", "standard output"},
	} {
		j := &Judge{status: 3, ended: c.ended, wrote: []byte("out")}
		j.stdout.WriteString(c.stdout)
		if c.err != "" {
			j.failf("%s", c.err)
		} else {
			j.check(stub.ErrEnded)
		}
		got := j.Verdict(c.result, "why")
		if (c.want == "") != (got == "") || !strings.Contains(got, c.want) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

// TestExecBlock: the arrays point at the strings.
func TestExecBlock(t *testing.T) {
	const at = 0x5000
	block, arrays := execBlock(at, "/bin/x", []string{"a", "bc"}, []string{"e=1"})
	text := func(addr uint64) string {
		s, _, _ := strings.Cut(string(block[addr-at:]), "\x00")
		return s
	}
	word := func(addr uint64) uint64 { return binary.LittleEndian.Uint64(block[addr-at:]) }
	if text(at) != "/bin/x" || text(word(arrays[0])) != "a" || text(word(arrays[0]+8)) != "bc" || word(arrays[0]+16) != 0 ||
		text(word(arrays[1])) != "e=1" || word(arrays[1]+8) != 0 || arrays[0]%8 != 0 {
		t.Errorf("%q %x", block, arrays)
	}
}

// TestLoad: a file without a puppet is no file of user programs.
func TestLoad(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := load(self); err == nil {
		t.Error("the test itself was taken for the user programs")
	}
	if _, err := New(&Cases[0], filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("a file that is not there was taken for the user programs")
	}
}

// TestCases: names are unique, and what a lab may name.
func TestCases(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range Cases {
		if seen[c.Name] || c.script == nil || Lookup(c.Name) == nil || Lookup(c.Name).Name != c.Name {
			t.Errorf("%q", c.Name)
		}
		seen[c.Name] = true
	}
	if len(seen) < 25 || Lookup("none") != nil {
		t.Errorf("%d cases", len(seen))
	}
}
