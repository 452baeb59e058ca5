package judge

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"maps"

	"yolk/kernel/abi"
	"yolk/qemu/stub"
	"yolk/tools/internal/strace"
)

// A Proc is a process of the guest: a puppet.
type Proc struct {
	*Judge
	name   string
	cookie uint64 // in R13, so that it is known again
	root   uint64 // CR3 when it was last at the mark
	sp     uint64 // RSP

	ordered  *order // what it does when it goes on; nil: let others run
	underway *order // what it is doing
	result   uint64 // RAX afterwards
	done     bool
	child    *Proc  // of its last fork or vfork
	born     *order // its parent's order that made it; nil once it has been at the mark
	lender   *Proc  // whose memory it has, by vfork
	released bool   // it has called exit, or exec: its lender may run again
	scratch  uint64 // a page for arguments
}

// order is what a puppet is told to do.
type order struct {
	regs  map[string]uint64
	execs bool // the process will come as a new program
	exits bool // it will not come
	idle  bool // nobody waits for the result
}

// What R12 says (userland/puppet).
const (
	doCall = iota
	doLoad
	doStore
)

const sysExitGroup = abi.SysExitGroup

// call is the order to make a system call.
func call(nr uint64, args ...uint64) *order {
	o := &order{regs: map[string]uint64{"rax": nr, "r12": doCall}}
	for i, v := range args {
		o.regs[[]string{"rdi", "rsi", "rdx", "r10", "r8", "r9"}[i]] = v
	}
	return o
}

// kept are the registers that a system call leaves as they are: all but RAX, and
// RCX and R11, which the instruction itself takes (syscall(2), SDM 2B SYSCALL).
var kept = []string{"rbx", "rdx", "rsi", "rdi", "rbp", "r8", "r9", "r10", "r12", "r13", "r14", "r15"}

// awaitFirst runs the machine until the first puppet is at the mark.
func (j *Judge) awaitFirst() *Proc {
	p := &Proc{Judge: j, name: "the first process"}
	j.coming = p
	j.until(func() bool { return p.done }, p)
	return p
}

// begin has p do something as soon as the machine goes on.
func (p *Proc) begin(o *order) { p.ordered, p.done = o, false }

// do has p do something and returns RAX afterwards.
func (p *Proc) do(o *order) uint64 {
	p.begin(o)
	return p.await()
}

// await runs the machine until p has done what it was told to.
func (p *Proc) await() uint64 {
	p.until(func() bool { return p.done }, p)
	return p.result
}

// patience is how many times others may be at the mark before somebody who is
// waited for.
const patience = 3000

// until runs the machine until something has come about.
func (j *Judge) until(reached func() bool, who *Proc) {
	for range patience {
		if !j.ok() || reached() {
			return
		}
		j.step()
	}
	j.failf("%s does not come back from %v, while others run", who.name, who.underway)
}

func (o *order) String() string {
	if o == nil {
		return "where it was"
	}
	switch o.regs["r12"] {
	case doLoad:
		return fmt.Sprintf("a load from %#x", o.regs["rdi"])
	case doStore:
		return fmt.Sprintf("a store to %#x", o.regs["rdi"])
	}
	if name := strace.Name(o.regs["rax"]); name != "" {
		return name
	}
	return fmt.Sprintf("system call %d", int64(o.regs["rax"]))
}

// step lets the machine go on until some process is at the mark.
func (j *Judge) step() {
	if j.at != nil {
		j.at.leave()
	}
	j.at = nil
	if !j.ok() {
		return
	}
	if err := j.conn.Continue(); err != nil {
		j.check(err)
		return
	}
	j.touch()
	regs, err := j.conn.Registers()
	j.check(err)
	switch {
	case !j.ok():
	case j.atEntry != nil && regs["rip"] == j.box.entry:
		look := j.atEntry
		j.atEntry = nil
		j.check(j.conn.Remove(j.box.entry))
		look(regs)
	default:
		j.arrive(regs)
	}
}

// leave has the process at the mark go on with what was ordered.
func (p *Proc) leave() {
	o := p.ordered
	if o == nil {
		o = call(abi.SysSchedYield)
		o.idle = true
	}
	full := map[string]uint64{}
	for _, name := range kept {
		full[name] = p.rand.Uint64()
	}
	maps.Copy(full, o.regs)
	full["r13"] = p.cookie
	full["rip"] = p.box.mark + 1 // past the NOP
	for name, value := range full {
		p.check(p.conn.SetRegister(name, value))
	}
	o.regs = full
	p.ordered, p.underway, p.released = nil, o, o.exits || o.execs
}

// arrive finds out who has come to the mark, with which result.
//
//	R13     RAX   the rest as            it is
//	0                                    a new program: an exec's, or the first
//	known   0     its parent's at fork   a child that comes for the first time
//	known                                the process itself
//	else                                 nobody: a register was lost
func (j *Judge) arrive(regs stub.Registers) {
	if regs["cs"]&3 != 3 || regs["rip"] != j.box.mark {
		j.failf("the machine stands at %#x, on level %d, and not at the mark", regs["rip"], regs["cs"]&3)
		return
	}
	root := regs["cr3"] & address
	j.genuine(root)
	p := j.procs[regs["r13"]]
	switch {
	case regs["r13"] == 0 && j.coming != nil:
		p, j.coming = j.coming, nil
		p.replaced()
	case p == nil || p.underway == nil:
		j.failf("a process is at the mark with %#x in R13, which no process on its way has there", regs["r13"])
		return
	case p.child.isBornAs(regs):
		p = p.child
		p.preserved(p.born, regs)
		p.cookie = j.rand.Uint64() | 1
		j.procs[p.cookie] = p
	default:
		p.preserved(p.underway, regs)
		p.wakeable()
	}
	p.root, p.sp, j.at = root, regs["rsp"], p
	if p.underway == nil || !p.underway.idle {
		p.result, p.done, p.born = regs["rax"], true, nil
	}
	p.underway = nil
}

// isBornAs reports whether these are the registers of a child that has just been
// made.
func (c *Proc) isBornAs(regs stub.Registers) bool {
	return c != nil && c.born != nil && regs["rax"] == 0 && regs["rbx"] == c.born.regs["rbx"]
}

// replaced forgets what an exec takes away.
func (p *Proc) replaced() {
	delete(p.procs, p.cookie)
	p.cookie = p.rand.Uint64() | 1
	p.procs[p.cookie] = p
	p.scratch, p.underway, p.lender = 0, nil, nil
}

// wakeable: neither does a process run while its vfork child has its memory, nor
// has it run when the child comes back from an exec that failed.
func (p *Proc) wakeable() {
	early := p
	if p.underway.execs {
		p.released = false
		early = p.lender
	}
	if early != nil && early.child != nil && early.child.lender == early && !early.child.released && (early == p || early.done) {
		p.failf("%s runs, although its vfork child has neither exited nor gone into another program", early.name)
	}
}

// preserved: a system call, a load or a store leaves the registers as they were.
func (p *Proc) preserved(o *order, regs stub.Registers) {
	for _, name := range kept {
		if regs[name] != o.regs[name] {
			p.failf("%s comes back from %v with %#x in register %s; it was %#x", p.name, o, regs[name], name, o.regs[name])
			return
		}
	}
}

// genuine: the instructions at the mark are those of the program, and not of one
// that was patched.
func (j *Judge) genuine(root uint64) {
	page := j.walk(root, j.box.mark)
	va := j.box.mark &^ (pageSize - 1)
	j.want(page.Present && page.Exec && !page.Writable, "the page with the mark is %v, not executable or writable", page)
	j.want(bytes.Equal(j.physical(page.Frame, pageSize), j.box.page(va)), "the page with the mark is not what the program has there")
	j.kernelHidden(root)
}

// page is the page of the program at va, with zeroes after its segment's end.
func (b *program) page(va uint64) []byte {
	page := make([]byte, pageSize)
	for _, s := range b.segments {
		if va >= s.addr && va < s.addr+uint64(len(s.data)) {
			copy(page, s.data[va-s.addr:])
		}
	}
	return page
}

// call makes a system call and returns its result; errors are small negative
// numbers.
func (p *Proc) call(nr uint64, args ...uint64) int64 { return int64(p.do(call(nr, args...))) }

// poke stores a byte and peek loads one, as the program's own instructions do:
// through the TLB.
func (p *Proc) poke(va uint64, b byte) {
	p.do(&order{regs: map[string]uint64{"r12": doStore, "rdi": va, "rsi": uint64(b)}})
}

func (p *Proc) peek(va uint64) byte {
	return byte(p.do(&order{regs: map[string]uint64{"r12": doLoad, "rdi": va}}))
}

// page is what p's tables say of va.
func (p *Proc) page(va uint64) Page { return p.walk(p.root, va) }

// bytes reads what stands at va by p's tables.
func (p *Proc) read(va uint64, n int) []byte {
	var out []byte
	for n > 0 && p.ok() {
		page := p.page(va)
		if !page.Present {
			p.failf("%s has no page at %#x", p.name, va)
			break
		}
		m := min(n, int(pageSize-va%pageSize))
		out = append(out, p.physical(page.Frame+va%pageSize, m)...)
		va, n = va+uint64(m), n-m
	}
	return append(out, make([]byte, n)...)
}

// plant writes to where va is by p's tables, as a device would: no process and no
// kernel notices.
func (p *Proc) plant(va uint64, b []byte) {
	for len(b) > 0 && p.ok() {
		page := p.page(va)
		if !page.Present {
			p.failf("%s has no page at %#x", p.name, va)
			return
		}
		n := min(len(b), int(pageSize-va%pageSize))
		p.check(p.conn.WritePhysical(page.Frame+va%pageSize, b[:n]))
		va, b = va+uint64(n), b[n:]
	}
}

// mapPages maps fresh pages, private and anonymous.
func (p *Proc) mapPages(n int) uint64 {
	const readWrite, privateAnonymous = 3, 0x22
	r := p.call(abi.SysMmap, 0, uint64(n)*pageSize, readWrite, privateAnonymous, ^uint64(0), 0)
	p.want(r > 0 && r%pageSize == 0, "mmap of %d pages returns %d", n, r)
	return uint64(r)
}

// secrets maps pages, has p write to each, and plants random bytes, which it
// returns.
func (p *Proc) secrets(n int) (base uint64, pages [][]byte) {
	base = p.mapPages(n)
	for i := range n {
		p.poke(base+uint64(i)*pageSize, 1)
		pages = append(pages, p.Judge.bytes(pageSize))
		p.plant(base+uint64(i)*pageSize, pages[i])
	}
	return base, pages
}

// fork forks.
func (p *Proc) fork(name string) *Proc {
	c := p.split(abi.SysFork, name)
	p.until(func() bool { return p.done && (c.done || int64(p.result) < 0) }, p)
	return p.bear(c)
}

// vfork vforks: the child is at the mark, p is not until the child has gone.
func (p *Proc) vfork(name string) *Proc {
	c := p.split(abi.SysVfork, name)
	c.lender, c.scratch = p, p.scratch
	p.until(func() bool { return c.done || p.done && int64(p.result) < 0 }, c)
	return p.bear(c)
}

// split has p make a child.
func (p *Proc) split(nr uint64, name string) *Proc {
	o := call(nr)
	c := &Proc{Judge: p.Judge, name: name, born: o}
	p.child = c
	p.begin(o)
	return c
}

// bear looks at what came of it.
func (p *Proc) bear(c *Proc) *Proc {
	p.want(c.done, "there is no %s: the call returns %d", c.name, int64(p.result))
	return c
}

// exit has p exit and lets the machine go on, until who is at the mark.
func (p *Proc) exit(status byte) {
	o := call(sysExitGroup, uint64(status))
	o.exits = true
	p.begin(o)
}

// argument is room for arguments, in a page that only p has.
func (p *Proc) argument() uint64 {
	if p.scratch == 0 {
		p.scratch = p.mapPages(1)
	}
	p.poke(p.scratch, 0)
	return p.scratch
}

// wait waits for a child and returns its status; pid 0 is anybody's.
func (p *Proc) wait(pid uint64) (who int64, status uint32) {
	at := p.argument()
	p.plant(at, p.Judge.bytes(4))
	if pid == 0 {
		pid = ^uint64(0)
	}
	who = p.call(abi.SysWait4, pid, at, 0, 0)
	return who, binary.LittleEndian.Uint32(p.read(at, 4))
}

// exec has p execute a program; it returns 0, or a negative error.
func (p *Proc) exec(path string, argv, envp []string) int64 {
	at := p.argument()
	block, pointers := execBlock(at, path, argv, envp)
	p.plant(at, block)
	o := call(abi.SysExecve, at, pointers[0], pointers[1])
	o.execs = true
	p.coming = p
	r := int64(p.do(o))
	if p.coming == p {
		p.coming = nil
		return r
	}
	return 0
}

// execBlock lays out the arguments of execve in memory from at on: the path, the
// strings, and the two arrays of pointers, whose addresses it returns.
func execBlock(at uint64, path string, lists ...[]string) (block []byte, arrays [2]uint64) {
	block = append([]byte(path), 0)
	var addrs [2][]uint64
	for i, list := range lists {
		for _, s := range list {
			addrs[i] = append(addrs[i], at+uint64(len(block)))
			block = append(append(block, s...), 0)
		}
	}
	for len(block)%8 != 0 {
		block = append(block, 0)
	}
	for i := range lists {
		arrays[i] = at + uint64(len(block))
		for _, addr := range append(addrs[i], 0) {
			block = binary.LittleEndian.AppendUint64(block, addr)
		}
	}
	return block, arrays
}
