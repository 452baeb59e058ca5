package judge

import (
	"encoding/binary"
	"fmt"
	"slices"

	"yolk/kernel/abi"
	"yolk/qemu/stub"
)

var execCases = []Case{
	{Name: "exec-stack", script: execStack},
	{Name: "exec-lazy", script: execLazy},
	{Name: "exec-fails-whole", script: execFailsWhole},
	{Name: "exec-closes", script: execCloses},
}

// randomWords returns words that nobody can foresee.
func (j *Judge) randomWords(n int) (words []string) {
	for range n {
		words = append(words, fmt.Sprintf("%x", j.bytes(1+j.rand.IntN(12))))
	}
	return words
}

// execStack: at a program's first instruction its stack is what the System V ABI
// says (AMD64 supplement, section 3.4.1): the arguments, the environment and the
// auxiliary vector.
func execStack(j *Judge) {
	p := j.first
	argv, envp := append([]string{"puppet"}, j.randomWords(3)...), j.randomWords(2)
	j.check(j.conn.Break(j.box.entry))
	j.atEntry = func(regs stub.Registers) {
		q := &Proc{Judge: j, name: "the new program", root: regs["cr3"] & address}
		q.initialStack(regs["rsp"], argv, envp)
		for _, name := range []string{"rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "r8", "r9", "r10", "r12", "r13", "r14", "r15"} {
			j.want(regs[name] == 0, "a new program finds %#x in register %s", regs[name], name)
		}
	}
	got := p.exec("/bin/puppet", argv, envp)
	j.want(got == 0 && j.atEntry == nil, "exec returns %d", got)
}

// initialStack looks at the stack that begins at sp.
func (p *Proc) initialStack(sp uint64, argv, envp []string) {
	p.want(sp%16 == 0, "the stack pointer of a new program is %#x", sp)
	argc := p.word(sp)
	p.want(argc == uint64(len(argv)), "argc is %d, for %d arguments", argc, len(argv))
	sp += 8
	for _, list := range [][]string{argv, envp} {
		for i, want := range list {
			got := p.text(p.word(sp), len(want)+1)
			p.want(got == want+"\x00", "string %d of %q is %q", i, list, got)
			sp += 8
		}
		p.want(p.word(sp) == 0, "no null pointer ends the pointers to %q", list)
		sp += 8
	}
	aux := map[uint64]uint64{}
	for n := 0; n < 64 && p.ok(); n++ {
		kind, value := p.word(sp), p.word(sp+8)
		sp += 16
		if kind == abi.AT_NULL {
			break
		}
		aux[kind] = value
	}
	for kind, want := range map[uint64]uint64{
		abi.AT_PAGESZ: pageSize, abi.AT_ENTRY: p.box.entry, abi.AT_PHDR: p.box.phdr, abi.AT_PHNUM: uint64(p.box.phnum), abi.AT_PHENT: 56,
	} {
		p.want(aux[kind] == want, "entry %d of the auxiliary vector is %#x; it should be %#x", kind, aux[kind], want)
	}
	p.want(len(p.read(aux[abi.AT_RANDOM], 16)) == 16, "AT_RANDOM points nowhere")
}

// word reads eight bytes of p's memory, and text n.
func (p *Proc) word(va uint64) uint64 { return binary.LittleEndian.Uint64(p.read(va, 8)) }

func (p *Proc) text(va uint64, n int) string { return string(p.read(va, n)) }

// execLazy: a new program has next to nothing of its file yet, and nothing of the
// old program's memory.
func execLazy(j *Judge) {
	p := j.first
	base, _ := p.secrets(watched)
	old := p.root
	j.check(j.conn.Break(j.box.entry))
	j.atEntry = func(regs stub.Registers) {
		root := regs["cr3"] & address
		s := j.space(root)
		of := 0
		for va := range s.pages {
			if slices.ContainsFunc(j.box.segments, func(t segment) bool { return va >= t.addr && va < t.addr+uint64(len(t.data)) }) {
				of++
			}
		}
		j.want(of <= 16, "at its first instruction a program has %d pages of its file", of)
		j.want(!s.pages[base].Present, "a new program has the old one's page at %#x", base)
	}
	got := p.exec("/bin/puppet", []string{"puppet"}, nil)
	j.want(got == 0 && j.atEntry == nil, "exec returns %d", got)
	j.want(p.root != old || !p.page(base).Present, "after exec the old program's page at %#x is there", base)
}

// execFailsWhole: an exec that cannot succeed leaves the process as it was.
func execFailsWhole(j *Judge) {
	p := j.first
	base, pages := p.secrets(watched)
	p.argument()
	before := j.space(p.root)
	for _, c := range []struct {
		path string
		want int64
	}{
		{"/bin/none-" + j.randomWords(1)[0], -int64(abi.ENOENT)},
		{"/bin", -int64(abi.EACCES)},
		{"/proc/self/maps", -int64(abi.EACCES)},
		{"/bin/puppet/x", -int64(abi.ENOTDIR)},
	} {
		got := p.exec(c.path, []string{"x"}, nil)
		j.want(got == c.want, "exec of %s returns %d; it should be %d", c.path, got, c.want)
	}
	for va, was := range before.pages {
		j.want(p.page(va) == was, "after execs that failed, page %#x is %v; it was %v", va, p.page(va), was)
	}
	for i, want := range pages {
		j.holds(p, base+uint64(i)*pageSize, want)
	}
}

// execCloses: descriptors that are to be closed on exec are, and the others stay.
func execCloses(j *Judge) {
	p := j.first
	fds := p.argument()
	j.want(p.call(abi.SysPipe2, fds, 0) == 0, "pipe2 fails")
	stays, w := uint64(p.read(fds, 1)[0]), uint64(p.read(fds+4, 1)[0])
	j.want(p.call(abi.SysPipe2, fds, abi.O_CLOEXEC) == 0, "pipe2 fails")
	goes := uint64(p.read(fds, 1)[0])
	base, pages := p.secrets(1)
	j.want(p.call(abi.SysWrite, w, base, pageSize) == pageSize, "write to a pipe fails")
	got := p.exec("/bin/puppet", []string{"puppet"}, nil)
	j.want(got == 0, "exec returns %d", got)
	base = p.mapPages(1)
	n := p.call(abi.SysRead, goes, base, 1)
	j.want(n == -int64(abi.EBADF), "read from a descriptor that was to be closed returns %d, and not EBADF", n)
	n = p.call(abi.SysRead, stays, base, pageSize)
	j.want(n == pageSize, "read from a descriptor that was to stay returns %d", n)
	j.holds(p, base, pages[0])
}
