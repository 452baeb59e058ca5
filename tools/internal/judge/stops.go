package judge

import (
	"bytes"
	"fmt"
	"maps"

	"yolk/kernel/abi"
	"yolk/qemu/stub"
)

// scrambled are the registers that are random whenever a puppet goes on, unless its
// order says what is in them.
var scrambled = []string{"rbx", "rdx", "rsi", "rdi", "rbp", "r8", "r9", "r10", "r12", "r13", "r14", "r15"}

// kept are the registers that a system call leaves as they are: all but RAX, and
// RCX and R11, which the instruction itself takes (syscall(2), SDM 2B SYSCALL).
var kept = append([]string{"rsp"}, scrambled...)

// needed are the registers that a judge looks at.
var needed = append([]string{"rip", "cs", "cr3", "rax"}, kept...)

// awaitFirst runs the machine until the first puppet is at the mark.
func (j *Judge) awaitFirst() *Proc {
	p := &Proc{Judge: j, name: "the first process"}
	j.coming = p
	j.until(func() bool { return p.done }, p)
	return p
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
	regs := j.registers()
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

// registers reads the registers, of which none that is needed may be missing.
func (j *Judge) registers() stub.Registers {
	regs, err := j.conn.Registers()
	for _, name := range needed {
		if _, there := regs[name]; !there && err == nil {
			err = fmt.Errorf("QEMU's GDB stub does not say what is in register %s", name)
		}
	}
	j.check(err)
	return regs
}

// leave has the process at the mark go on with what was ordered.
func (p *Proc) leave() {
	o := p.ordered
	if o == nil {
		o = call(abi.SysSchedYield)
		o.idle = true
	}
	full := map[string]uint64{}
	for _, name := range scrambled {
		full[name] = p.rand.Uint64()
	}
	maps.Copy(full, o.regs)
	full["r13"] = p.cookie
	full["rip"] = p.box.mark + 1 // past the NOP
	for name, value := range full {
		p.check(p.conn.SetRegister(name, value))
	}
	full["rsp"] = p.sp // which nobody writes
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
