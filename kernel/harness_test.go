package kernel

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"yolk/arch/amd64"
	"yolk/kernel/abi"
	"yolk/kernel/elf"
	"yolk/kernel/fs"
	"yolk/kernel/pipe"
	"yolk/kernel/scripted"
	"yolk/kernel/trace"
	"yolk/kernel/vfs"
	"yolk/mm"
)

// Asm and the registers, under short names.
type Asm = scripted.Asm

const (
	RAX, RCX, RDX, RBX = scripted.RAX, scripted.RCX, scripted.RDX, scripted.RBX
	RSP, RBP, RSI, RDI = scripted.RSP, scripted.RBP, scripted.RSI, scripted.RDI
	R8, R9, R10, R11   = scripted.R8, scripted.R9, scripted.R10, scripted.R11
	R12, R13, R14, R15 = scripted.R12, scripted.R13, scripted.R14, scripted.R15
)

// Addresses of the programs that tests write.
const (
	textBase = 0x400000
	codeBase = textBase + mm.PageSize // the first page holds the headers
	dataBase = 0x600000               // a page of .data, then two of .bss
	dataSize = 3 * mm.PageSize
)

// TestedCalls returns the system calls beside the kernel's own; TestMain sets it.
var TestedCalls func() []Call

// system is a kernel on a scripted machine, inside a synctest bubble.
type system struct {
	t       testing.TB
	k       *Kernel
	m       *scripted.Machine
	mem     *mm.Memory
	tree    *fs.Tree
	pipes   *pipe.Pool
	files   *vfs.System
	fs      *vfs.Context
	log     *trace.Log
	budget  *mm.Budget
	root    mm.Frame // the kernel's own PML4
	events  []trace.Event
	probes  []probe
	onProbe func(p *Process, id uint32, f *amd64.TrapFrame)

	keep []*vfs.Description // dropped at the end

	freeFrames int
	checks     int
	usedBytes  int64
}

// probe is one Asm.Probe that a program came by.
type probe struct {
	id  uint32
	pid int
	rax uint64
}

// options are what a test wants otherwise than usual.
type options struct {
	frames  int
	eager   bool
	heap    int64
	quantum int
	around  int
}

// bubble runs test with a system of its own, and checks afterwards that nothing
// leaked: not a frame, not a byte of the budget.
func bubble(t *testing.T, o options, test func(s *system)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := newSystem(t, o)
		test(s)
		s.checkNothingLeaked()
	})
}

func newSystem(t testing.TB, o options) *system {
	t.Helper()
	if o.frames == 0 {
		o.frames = 2048
	}
	if o.heap == 0 {
		o.heap = 16 << 20
	}
	s := &system{t: t, log: new(trace.Log), budget: mm.NewBudget(nil, o.heap)}
	phys := mm.HostMemory(o.frames)
	frames := mm.NewFrames(phys)
	frames.AddFree(1, o.frames-1)
	s.m = scripted.New(phys)
	if o.quantum != 0 {
		s.m.Quantum = o.quantum
	}
	root, err := frames.AllocZeroed()
	must(t, err)
	s.root = root
	s.mem, err = mm.New(mm.Config{Phys: phys, Frames: frames, TLB: s.m.MMU, Log: s.log, KernelRoot: root, FaultAround: o.around})
	must(t, err)
	s.pipes = pipe.NewPool(s.mem, 256)
	s.tree, err = fs.New(fs.Config{Memory: s.mem, Budget: s.budget, Now: s.m.Walltime, Pipes: s.pipes})
	must(t, err)
	s.files = vfs.NewSystem(4096, s.pipes)
	s.fs = vfs.NewContext(s.files, s.tree.Root())
	s.k = New(Config{Machine: s.m, Memory: s.mem, Log: s.log, Budget: s.budget, Calls: TestedCalls(), EagerFork: o.eager})
	s.m.Probe = s.probe
	s.log.Attach(trace.ClassAll&^trace.ClassSyscall, s, s.m.Nanotime)
	return s
}

// Event implements trace.Sink.
func (s *system) Event(ev *trace.Event) { s.events = append(s.events, *ev) }

func (s *system) probe(id uint32, f *amd64.TrapFrame) {
	for _, p := range s.k.slots {
		if p != nil && p.frame == f {
			s.probes = append(s.probes, probe{id, p.pid, f.RAX})
			if s.onProbe != nil {
				s.onProbe(p, id, f)
			}
			return
		}
	}
	s.t.Errorf("probe %d by nobody", id)
}

func (s *system) caller() vfs.Caller {
	return &Process{kernel: s.k, budget: s.budget, FS: s.fs}
}

// write makes a file.
func (s *system) write(path string, content []byte, mode uint32) {
	s.t.Helper()
	d, err := s.fs.Open(s.caller(), nil, path, abi.O_WRONLY|abi.O_CREAT|abi.O_TRUNC, mode)
	must(s.t, err)
	_, err = d.Write(s.caller(), bytes.NewReader(content))
	must(s.t, err)
	d.Drop()
}

func (s *system) mkdir(path string) {
	s.t.Helper()
	at, err := s.fs.Walk(s.caller(), nil, path, vfs.MayLack)
	must(s.t, err)
	_, err = at.Dir.Create(s.caller(), at.Name, abi.S_IFDIR|0o755, 0)
	must(s.t, err)
}

// program assembles a program and makes it a file.
func (s *system) program(path string, write func(a *Asm)) {
	s.t.Helper()
	s.write(path, assemble(write), 0o755)
}

// assemble returns an ELF file of write's code at codeBase and dataSize bytes
// of zeroed, writable memory at dataBase.
func assemble(write func(a *Asm)) []byte {
	a := &Asm{Base: codeBase}
	write(a)
	code := a.Bytes()
	return elfFile(elfSpec{entry: codeBase, segments: []elfSegment{
		{addr: textBase, flags: elf.Read | elf.Exec, data: append(make([]byte, mm.PageSize), code...), headers: true},
		{addr: dataBase, flags: elf.Read | elf.Write, data: make([]byte, 8), size: dataSize},
	}})
}

// elfSpec describes an ELF file.
type elfSpec struct {
	entry    uint64
	dynamic  bool
	segments []elfSegment
	interp   string
}

type elfSegment struct {
	addr    uint64
	flags   uint32
	data    []byte // what lies in the file
	size    uint64 // in memory; 0: as in the file
	headers bool   // data begins at offset 0, its first bytes are the file's headers
}

// elfFile lays out an ELF file.
func elfFile(spec elfSpec) []byte {
	le := binary.LittleEndian
	out := make([]byte, mm.PageSize)
	n := len(spec.segments)
	if spec.interp != "" {
		n++
	}
	copy(out, "\x7fELF\x02\x01\x01")
	kind := uint16(2)
	if spec.dynamic {
		kind = 3
	}
	le.PutUint16(out[16:], kind)
	le.PutUint16(out[18:], 62)
	le.PutUint32(out[20:], 1)
	le.PutUint64(out[24:], spec.entry)
	le.PutUint64(out[32:], 64)
	le.PutUint16(out[52:], 64)
	le.PutUint16(out[54:], 56)
	le.PutUint16(out[56:], uint16(n))
	header := func(i int, kind, flags uint32, off, addr, fileSize, memSize uint64) {
		ph := out[64+56*i:]
		le.PutUint32(ph, kind)
		le.PutUint32(ph[4:], flags)
		le.PutUint64(ph[8:], off)
		le.PutUint64(ph[16:], addr)
		le.PutUint64(ph[32:], fileSize)
		le.PutUint64(ph[40:], memSize)
		le.PutUint64(ph[48:], mm.PageSize)
	}
	for i, s := range spec.segments {
		off := uint64(0)
		if s.headers {
			out = append(out[:mm.PageSize], s.data[min(len(s.data), mm.PageSize):]...)
		} else {
			for uint64(len(out))%mm.PageSize != s.addr%mm.PageSize {
				out = append(out, 0xee) // never to be seen in memory
			}
			off = uint64(len(out))
			out = append(out, s.data...)
		}
		header(i, 1, s.flags, off, s.addr, uint64(len(s.data)), max(s.size, uint64(len(s.data))))
	}
	if spec.interp != "" {
		off := uint64(len(out))
		out = append(out, spec.interp...)
		header(n-1, 3, elf.Read, off, 0, uint64(len(spec.interp)), uint64(len(spec.interp)))
	}
	return append(out, 0xee, 0xee, 0xee) // bytes behind the last segment
}

// boot runs path as process 1 until the machine is off, and returns the status.
func (s *system) boot(path string, args ...string) uint32 {
	s.t.Helper()
	s.start(path, args...)
	return s.finish()
}

// start runs path as process 1.
func (s *system) start(path string, args ...string) {
	s.t.Helper()
	s.freeFrames, s.usedBytes = s.mem.Frames.Free(), s.budget.Used()
	must(s.t, s.k.Start(path, append([]string{path}, args...), []string{"HOME=/", "TERM=dumb"}, vfs.NewTable(s.budget), s.fs.Clone()))
}

// finish waits for the end.
func (s *system) finish() uint32 {
	return s.k.Run()
}

func (s *system) checkNothingLeaked() {
	s.t.Helper()
	if s.freeFrames == 0 {
		return // never started
	}
	for _, d := range s.keep {
		d.Drop()
	}
	s.check()
	if n := s.mem.Frames.Free(); n != s.freeFrames {
		s.t.Errorf("%d frames were free before, %d after", s.freeFrames, n)
	}
	if n := s.budget.Used(); n != s.usedBytes {
		s.t.Errorf("%d bytes were charged before, %d after", s.usedBytes, n)
	}
	if n := s.files.OpenCount(); n != 0 {
		s.t.Errorf("%d files are still open", n)
	}
	if len(s.k.byPID)+len(s.k.idUses)+s.k.procs != 0 {
		s.t.Errorf("left over: processes %v, ids %v", s.k.byPID, s.k.idUses)
	}
}

// object returns the data of a file.
func (s *system) object(path string) *mm.Object {
	s.t.Helper()
	d, err := s.fs.Open(s.caller(), nil, path, abi.O_RDONLY, 0)
	must(s.t, err)
	defer d.Drop()
	return d.Object()
}

// check has mm recompute its invariants.  The kernel lock is free or held by the
// caller.
func (s *system) check() {
	s.t.Helper()
	s.checks++
	if err := s.mem.Check(mm.NewBudget(nil, 1<<30), s.k, s.tree, s.pipes, holder(s.root)); err != nil {
		s.t.Error(err)
	}
}

// holder holds one frame.
type holder mm.Frame

// Hold implements mm.Holder.
func (f holder) Hold(c *mm.Checker) { c.Frame(mm.Frame(f)) }

// seen returns the ids of the probes in order.
func (s *system) seen() (ids []uint32) {
	for _, p := range s.probes {
		ids = append(ids, p.id)
	}
	return ids
}

// value returns RAX at the first probe with the id.
func (s *system) value(id uint32) int64 {
	s.t.Helper()
	for _, p := range s.probes {
		if p.id == id {
			return int64(p.rax)
		}
	}
	s.t.Errorf("no probe %d; there were %v", id, s.probes)
	return 0
}

// want checks RAX at probes: pairs of an id and a value, or an abi.Errno.
func (s *system) want(pairs ...any) {
	s.t.Helper()
	for i := 0; i < len(pairs); i += 2 {
		id := uint32(pairs[i].(int))
		want := int64(0)
		switch v := pairs[i+1].(type) {
		case int:
			want = int64(v)
		case rune:
			want = int64(v)
		case uint64:
			want = int64(v)
		case abi.Errno:
			want = -int64(v)
		}
		if got := s.value(id); got != want {
			s.t.Errorf("probe %d: RAX is %d (%s), want %d (%v)", id, got, inWords(got), want, pairs[i+1])
		}
	}
}

// inWords names the error in RAX, or gives the number as addresses are written.
func inWords(rax int64) string {
	if rax < 0 && rax > -4096 {
		return abi.Errno(-rax).String()
	}
	return fmt.Sprintf("%#x", rax)
}

// kinds returns the events of the given kinds, in order.
func (s *system) kinds(kinds ...trace.Kind) (list []trace.Event) {
	for _, ev := range s.events {
		if slices.Contains(kinds, ev.Kind) {
			list = append(list, ev)
		}
	}
	return list
}

// logged reports whether a line with the text was logged.
func (s *system) logged(text string) bool {
	return slices.ContainsFunc(s.m.Lines(), func(l string) bool { return strings.Contains(l, text) })
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// exit ends a program with a status.
func exit(a *Asm, status any) { a.Syscall(abi.SysExitGroup, status) }

// exited is the wait status of exit_group(n).
func exited(n int) uint32 { return uint32(n) << 8 }
