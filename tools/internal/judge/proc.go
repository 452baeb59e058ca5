package judge

import (
	"encoding/binary"
	"fmt"

	"yolk/kernel/abi"
	"yolk/tools/internal/strace"
)

// A Proc is a process of the guest: a puppet.
type Proc struct {
	*Judge
	name   string
	cookie uint64 // in R13, so that it is known again
	root   uint64 // CR3 when it was last at the mark
	sp     uint64 // RSP, likewise

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

// call is the order to make a system call.
func call(nr uint64, args ...uint64) *order {
	o := &order{regs: map[string]uint64{"rax": nr, "r12": doCall}}
	for i, v := range args {
		o.regs[[]string{"rdi", "rsi", "rdx", "r10", "r8", "r9"}[i]] = v
	}
	return o
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

// call makes a system call and returns its result; errors are small negative
// numbers.
func (p *Proc) call(nr uint64, args ...uint64) int64 { return int64(p.do(call(nr, args...))) }

// poke stores a byte as the program's own instructions do: through the TLB.
func (p *Proc) poke(va uint64, b byte) {
	p.do(&order{regs: map[string]uint64{"r12": doStore, "rdi": va, "rsi": uint64(b)}})
}

// peek loads a byte; see poke.
func (p *Proc) peek(va uint64) byte {
	return byte(p.do(&order{regs: map[string]uint64{"r12": doLoad, "rdi": va}}))
}

// page is what p's tables say of va.
func (p *Proc) page(va uint64) Page { return p.walk(p.root, va) }

// read reads the n bytes that stand at va by p's tables.
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

// exit has p exit as soon as the machine goes on.
func (p *Proc) exit(status byte) {
	o := call(abi.SysExitGroup, uint64(status))
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
