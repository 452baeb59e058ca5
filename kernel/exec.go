package kernel

import (
	"bytes"
	"strings"

	"yolk/kernel/abi"
	"yolk/kernel/elf"
	"yolk/kernel/trace"
	"yolk/kernel/vfs"
	"yolk/mm"
)

const (
	stackStart  = 33 << mm.PageShift // a stack's first region: what Linux gives it
	pieBase     = 0x5555_5555_4000   // where a position-independent image goes, as on Linux
	scriptHead  = 255                // bytes of a script that its #! line is looked for in (execve(2))
	scriptDepth = 5                  // interpreters that may be scripts themselves
)

func sysExecve(p *Process, a *Args) (uint64, error) {
	err := p.execve(a[0], a[1], a[2])
	if err != nil {
		p.emit(trace.ClassProcess, trace.Event{Kind: trace.ExecFail, Err: uint32(errnoOf(err))})
	}
	return 0, err
}

// execve copies in what exec is given, and only then does it.
func (p *Process) execve(path, argv, envp uint64) error {
	name, err := p.space.CopyInString(mm.VirtAddr(path), abi.PATH_MAX)
	if err != nil {
		return err
	}
	in := newArgReader(p)
	defer in.release()
	args, err := in.strings(argv)
	if err != nil {
		return err
	}
	env, err := in.strings(envp)
	if err != nil {
		return err
	}
	return p.load(name, args, env)
}

// load replaces what p runs by the program at path (execve(2)).  Its first half
// builds the new image beside the old one; all that can fail is in it, and a
// failure leaves p as it was.  Its second half cannot fail.  The new address space
// has p's limits, RLIMIT_STACK and RLIMIT_AS.
//
//lab:exec 5 do all that can fail beside the old image, and then become the new one
func (p *Process) load(path string, argv, envp []string) error {
	if len(argv) == 0 {
		argv = []string{""} // programs rely on having a name
	}
	b := &builder{p: p, name: path, target: path, argv: argv, envp: envp}
	if err := b.openProgram(0); err != nil {
		return err
	}
	defer b.file.Drop()
	space, err := p.kernel.memory.NewSpace(p.budget)
	if err != nil {
		return err
	}
	b.space = space
	space.StackLimit = p.Limits[abi.RLIMIT_STACK].Cur
	space.SizeLimit = min(p.Limits[abi.RLIMIT_AS].Cur, uint64(mm.UserEnd))
	if err := b.build(); err != nil {
		space.Drop()
		return err
	}
	// Point of no return.
	p.become(b)
	return nil
}

// become makes the image that b built p's own: the old address space is left, and
// descriptors, registers and signals become what execve(2) wants them to be.
// Process 1 comes here without an old one.  Whoever hears of the new name
// (SetComm) finds the rest in place.
//
//lab:exec 5 put the new image in place, which cannot fail
func (p *Process) become(b *builder) {
	p.emit(trace.ClassProcess, trace.Event{Kind: trace.Exec, Old: uint64(p.root), New: uint64(b.space.Root())})
	p.Files.CloseExec() // before releaseSpace: a vfork parent must find them closed
	if p.space != nil {
		p.releaseSpace()
	}
	p.space, p.root = b.space, b.space.Root()
	p.frame.Reset(b.entry, b.sp)
	p.Signals.Exec()
	p.exitSignal, p.execed = abi.SIGCHLD, true
	p.image = b.image
	p.SetComm(b.name[strings.LastIndexByte(b.name, '/')+1:])
	p.kernel.Counters.Execs++
	p.kernel.sample()
	hookExec(p)
}

// builder finds a program and makes a process image of it.
type builder struct {
	p          *Process
	name       string // the path that exec was called with
	target     string // the path to load: name, or a script's interpreter
	argv, envp []string

	file    *vfs.Description
	object  *mm.Object
	program *elf.Image
	space   *mm.AddressSpace
	entry   uint64
	sp      uint64
	image   image
}

// openProgram opens and verifies the target; where that is a script, the
// interpreter that its first line names, to which the script's path is passed
// (execve(2), Interpreter scripts).
func (b *builder) openProgram(depth int) error {
	if depth > scriptDepth {
		return vfs.ErrLoop
	}
	file, err := b.p.FS.OpenExec(b.p, nil, b.target, 0)
	if err != nil {
		return err
	}
	b.file, b.object = file, file.Object()
	interp, arg, err := scriptLine(b.object)
	if err == nil && interp == "" {
		if err = b.verify(); err == nil {
			return nil
		}
	}
	file.Drop()
	if err != nil {
		return err
	}
	argv := []string{interp}
	if arg != "" {
		argv = append(argv, arg)
	}
	b.argv = append(append(argv, b.target), b.argv[1:]...)
	b.target = interp
	return b.openProgram(depth + 1)
}

// verify parses the file as ELF.  Yolk has no loader for dynamic programs; one
// that asks for an interpreter gets the error of looking for it, and ENOEXEC
// even where it is there.
func (b *builder) verify() (err error) {
	if b.program, err = elf.Parse(objectReader{b.object}); err != nil {
		return err
	}
	if b.image.path, err = b.p.FS.Path(b.file.Place); err != nil {
		b.image.path = b.target // it has been removed: the name that it was called by will do
	}
	if b.program.Interp == "" {
		return nil
	}
	loader, err := b.p.FS.OpenExec(b.p, nil, b.program.Interp, 0)
	if err != nil {
		return err
	}
	loader.Drop()
	return errNotProgram
}

// scriptLine returns the interpreter that a script's first line names, and the
// one argument that may follow; "" for a file that is no script.
func scriptLine(o *mm.Object) (interp, arg string, err error) {
	var buf [scriptHead]byte
	n := o.ReadBytes(buf[:], 0)
	line, isScript := strings.CutPrefix(string(buf[:n]), "#!")
	if !isScript {
		return "", "", nil
	}
	end := strings.IndexAny(line, "\n\x00")
	if end >= 0 {
		line = line[:end]
	}
	interp = strings.Trim(line, " \t")
	if i := strings.IndexAny(interp, " \t"); i >= 0 {
		interp, arg = interp[:i], strings.Trim(interp[i:], " \t")
	} else if end < 0 && n == scriptHead {
		interp = "" // the name itself may have been cut off
	}
	if interp == "" {
		return "", "", errNotProgram
	}
	return interp, arg, nil
}

// objectReader lets elf.Parse read from the page cache.
type objectReader struct{ o *mm.Object }

func (r objectReader) ReadAt(p []byte, off int64) (int, error) {
	return r.o.ReadBytes(p, uint64(off)), nil
}

// build maps the program and writes the stack.
func (b *builder) build() error {
	if err := b.space.SetExecutable(b.object); err != nil {
		return err
	}
	if _, err := b.space.Map(mm.MapRequest{
		Addr: mm.UserEnd - stackStart, Length: stackStart, Prot: mm.ReadWrite,
		Flags: mm.GrowsDown, Fixed: mm.FixedNoReplace, Name: "[stack]",
	}); err != nil {
		return err
	}
	if align := b.program.Align; !b.program.Fixed {
		b.image.bias = (pieBase + align - 1) &^ (align - 1)
	}
	for _, s := range b.program.Segments {
		if err := b.mapSegment(s); err != nil {
			return err
		}
	}
	b.entry = b.program.Entry + b.image.bias
	b.space.SetBrkStart(mm.VirtAddr(b.program.High() + b.image.bias))
	return b.writeStack()
}

// mapSegment maps a segment; no page becomes present.
//
//	Start              FileEnd              End
//	  │ whole pages │ tail │0000│ zero pages │
//	  │ of the file │  a page   │ anonymous  │
//
//lab:exec 2 map a segment, of which no page may become present
func (b *builder) mapSegment(s elf.Segment) error {
	tail := s.FileEnd &^ (mm.PageSize - 1)
	if err := b.mapPages(b.object, s.Start, tail, s.Offset, s.Flags); err != nil {
		return err
	}
	zero := tail
	if n := s.FileEnd - tail; n > 0 {
		zero += mm.PageSize
		if err := b.mapTail(tail, s.Offset+tail-s.Start, n, s.Flags); err != nil {
			return err
		}
	}
	return b.mapPages(nil, zero, s.End, 0, s.Flags)
}

// mapTail maps the page in which the file's part of a segment ends and the
// zeroes begin: n bytes from off on, or as many as there are.
//
// WHY an object of its own: the bytes that follow in the file must not show, and
// the page cache's page is everybody's.  To clear them in a private copy would
// make a page present that the program may never touch.
//
//lab:exec 2 map the page in which the bytes of a segment end and its zeroes begin
func (b *builder) mapTail(va, off, n uint64, flags uint32) error {
	if off >= b.object.Size() { // past the file's end: SIGBUS
		return b.mapPages(b.object, va, va+mm.PageSize, off, flags)
	}
	tail, err := mm.NewObject(b.p.kernel.memory, b.p.budget)
	if err != nil {
		return err
	}
	defer tail.Drop() // the region holds it
	buf := b.p.kernel.scratch[:n]
	if _, err := tail.WriteAt(bytes.NewReader(buf[:b.object.ReadBytes(buf, off)]), 0); err != nil {
		return err
	}
	return b.mapPages(tail, va, va+mm.PageSize, 0, flags)
}

// mapPages maps [start, end), addresses of the image, to an object; nil is
// anonymous memory.
func (b *builder) mapPages(o *mm.Object, start, end, off uint64, flags uint32) error {
	if start == end {
		return nil
	}
	q := mm.MapRequest{
		Addr: mm.VirtAddr(start + b.image.bias), Length: end - start, Fixed: mm.FixedNoReplace, Object: o, Offset: off,
		Prot: mm.Prot(flags&elf.Read>>2 | flags&elf.Write | flags&elf.Exec<<2), // the same bits, in reverse
	}
	if o != nil {
		q.Name = b.image.path
	}
	_, err := b.space.Map(q)
	if err == mm.ErrExists {
		return elf.BadOverlap // with the stack: the segments are disjoint
	}
	return err
}
