// Package judge looks at a kernel from outside.  It has processes of the program
// userland/puppet do what it likes, and between any two of their steps it stops
// the machine, reads the processor's CR3, the page tables and the frames from
// physical memory, and compares them with what it expects.
//
// WHY: what a program in the guest reports, the kernel under it may have made up.
// CR3 and the frames are what the processor itself works with.
package judge

import (
	"bytes"
	crand "crypto/rand"
	"debug/elf"
	"debug/gosym"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync/atomic"

	"yolk/kernel/abi"
	"yolk/qemu"
	"yolk/qemu/stub"
)

// A Case is something that a kernel must do, and that can be seen from outside.
type Case struct {
	Name   string
	Append string // parameters for the kernel
	Memory int    // MiB; 0 is the machine's default
	Stdin  bool   // random bytes wait on standard input
	script func(*Judge)
}

// A Judge judges one boot.
type Judge struct {
	Seed uint64 // of all that is random

	script func(*Judge)
	box    *program
	rand   *rand.Rand
	stdin  []byte
	stdout bytes.Buffer
	wrote  []byte // what a script had written to standard output; nil if nothing
	touch  func()
	cancel func()

	conn   machine
	procs  map[uint64]*Proc // by what the judge keeps in their R13
	at     *Proc            // the one at the mark
	coming *Proc            // of which a new program will come to the mark; nil if nobody's
	first  *Proc
	// atEntry looks at a new program's first instruction; nil if nobody does.
	atEntry func(regs stub.Registers)
	status  byte // with which the first process exits in the end
	ended   bool // it was told to

	err atomic.Pointer[verdict]
}

// machine is what a judge sees and does: a *stub.Conn.
type machine interface {
	Break(addr uint64) error
	Remove(addr uint64) error
	Continue() error
	Registers() (stub.Registers, error)
	SetRegister(name string, value uint64) error
	ReadPhysical(addr uint64, b []byte) error
	WritePhysical(addr uint64, b []byte) error
}

// verdict is the first thing that was not as it should be.
type verdict struct {
	text string
	err  error // of the connection; nil if it is the kernel that is not as it should be
}

// New returns a judge for a case, with inputs that only it knows.  box is the path
// of the file with all user programs.
func New(c *Case, box string) (*Judge, error) {
	program, err := load(box)
	if err != nil {
		return nil, err
	}
	var seed [8]byte
	crand.Read(seed[:])
	j := &Judge{Seed: binary.LittleEndian.Uint64(seed[:]), script: c.script, box: program, procs: map[uint64]*Proc{}}
	j.rand = rand.New(rand.NewPCG(j.Seed, 0))
	if c.Stdin {
		j.stdin = j.bytes(64 << 10)
	}
	return j, nil
}

// Prepare sets up a run for the case: cfg already names kernel and initrd, streams
// where the log goes.  touch is called as long as there is progress, and cancel
// when there is nothing more to see.
func (j *Judge) Prepare(c *Case, cfg *qemu.Config, streams *qemu.IO, touch, cancel func()) {
	cfg.Memory = c.Memory
	cfg.Params.Append = c.Append
	cfg.Params.Program = []string{"puppet"}
	streams.Stdin = bytes.NewReader(j.stdin)
	streams.Stdout = &j.stdout
	streams.Debugger = j.attend
	j.touch, j.cancel = touch, cancel
}

// Verdict says what was not as it should be; "" if all was.  why is how the
// machine ended, if it ended badly.  There is a verdict if Err is nil.
func (j *Judge) Verdict(r qemu.Result, why string) string {
	v := j.err.Load()
	switch {
	case v != nil && !errors.Is(v.err, stub.ErrEnded):
		return v.text
	case r.End != qemu.Finished:
		return why
	case !j.ended:
		return fmt.Sprintf("the machine ended, with status %d, before it was told to", r.ExitCode())
	case r.ExitCode() != int(j.status):
		return fmt.Sprintf("a process exited with status %d, and the machine ended with %d", j.status, r.ExitCode())
	case !bytes.Equal(j.wrote, j.stdout.Bytes()):
		return fmt.Sprintf("%d bytes were written to standard output, and %d others have come", len(j.wrote), j.stdout.Len())
	}
	return ""
}

// Err is what has gone wrong between the judge and QEMU; then there is no verdict.
// It is to be asked when the machine has ended.
//
// WHY not just any error of the connection: a guest may end the machine, and its
// page tables may point to where no memory is.  It cannot make QEMU refuse a
// breakpoint, or damage a packet.
func (j *Judge) Err() error {
	v := j.err.Load()
	if v == nil || v.err == nil || errors.Is(v.err, stub.ErrEnded) {
		return nil
	}
	return fmt.Errorf("the machine cannot be looked at from outside: %w", v.err)
}

// attend is the debugger of the machine.
func (j *Judge) attend(rw io.ReadWriter) {
	defer j.giveUp()
	conn, err := stub.Dial(rw)
	if err == nil {
		j.conn = conn
		err = conn.Break(j.box.mark)
	}
	if err != nil {
		j.check(err)
		return
	}
	j.first = j.awaitFirst()
	j.script(j)
	j.finish()
}

// giveUp ends the machine if there is no more to see.
func (j *Judge) giveUp() {
	if v := j.err.Load(); v != nil && !errors.Is(v.err, stub.ErrEnded) {
		j.cancel()
	}
}

// finish has the first process exit, with which the machine ends.
func (j *Judge) finish() {
	if !j.ok() {
		return
	}
	j.status, j.ended = j.nonzero(), true
	j.first.begin(call(abi.SysExitGroup, uint64(j.status)))
	for n := 0; n < patience && j.ok(); n++ {
		j.step()
	}
	j.failf("%s has exited, and the machine runs on", j.first.name)
}

// ok reports whether all is as it should be so far.
func (j *Judge) ok() bool { return j.err.Load() == nil }

// failf notes what is not as it should be.  Only the first of these counts: from
// then on nothing is done any more, and scripts run to their end without effect.
func (j *Judge) failf(format string, args ...any) {
	j.err.CompareAndSwap(nil, &verdict{text: fmt.Sprintf(format, args...)})
}

// check notes an error of the connection.  That tables lead to where nothing is
// counts against the kernel.
func (j *Judge) check(err error) {
	switch {
	case errors.Is(err, stub.ErrAddress):
		j.failf("%v", err)
	case err != nil:
		j.err.CompareAndSwap(nil, &verdict{text: err.Error(), err: err})
	}
}

// want fails unless something holds.
func (j *Judge) want(holds bool, format string, args ...any) {
	if !holds {
		j.failf(format, args...)
	}
}

// bytes returns random bytes.
func (j *Judge) bytes(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(j.rand.Uint32())
	}
	return b
}

// nonzero returns a random byte that fresh memory has not, nor the status of who
// has none.
func (j *Judge) nonzero() byte { return byte(1 + j.rand.IntN(255)) }

// distinct returns n different random numbers below a limit.
func (j *Judge) distinct(n, limit int) []int { return j.rand.Perm(limit)[:n] }

// program is what the judge knows of the file with all user programs.
type program struct {
	mark, entry uint64
	phdr        uint64 // where the program headers are in memory
	phnum       int
	segments    []segment
}

// segment is a part of the file that is mapped read-only.
type segment struct {
	addr uint64
	data []byte
}

// errNoMark means that the file is not what it should be.
var errNoMark = errors.New("the file of user programs has no puppet in it")

// load reads the file with the user programs.
func load(path string) (*program, error) {
	f, err := elf.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	p := &program{entry: f.Entry, phnum: len(f.Progs)}
	for _, s := range f.Progs {
		switch {
		case s.Type == elf.PT_PHDR:
			p.phdr = s.Vaddr
		case s.Type == elf.PT_LOAD && s.Flags&elf.PF_W == 0:
			data := make([]byte, s.Filesz)
			if _, err := s.ReadAt(data, 0); err != nil {
				return nil, err
			}
			p.segments = append(p.segments, segment{s.Vaddr, data})
		}
	}
	p.mark, err = function(f, "yolk/userland/puppet.mark")
	return p, err
}

// function finds a function's address in the table that every Go program has, even
// where it was stripped of all symbols.
func function(f *elf.File, name string) (uint64, error) {
	lines, text := f.Section(".gopclntab"), f.Section(".text")
	if lines == nil || text == nil {
		return 0, errNoMark
	}
	data, err := lines.Data()
	if err != nil {
		return 0, err
	}
	table, err := gosym.NewTable(nil, gosym.NewLineTable(data, text.Addr))
	if err != nil {
		return 0, err
	}
	if fn := table.LookupFunc(name); fn != nil {
		return fn.Entry, nil
	}
	return 0, errNoMark
}
