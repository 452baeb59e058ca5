package usertests

import (
	"encoding/binary"

	"yolk/userland/kit"
	"yolk/userland/procfs"
	"yolk/userland/sys"
	"yolk/userland/tiny/gen"
)

func elfTests() []test {
	return []test{
		{"EXEC-06-segment-arithmetic", portable, elfArithmetic},
		{"EXEC-07-empty-segments", portable, elfEmpty},
		{"EXEC-08-zeros-behind-the-file", portable, elfTail},
		{"EXEC-09-zeroing-spares-the-file", portable, elfSparesFile},
		{"EXEC-10-segments-in-one-page", portable, elfSharedPage},
		{"EXEC-10-segments-in-bad-places", portable, elfPlaces},
		{"EXEC-11-bad-headers", portable, elfHeaders},
		{"EXEC-12-interpreter", portable, elfInterpreter},
		{"EXEC-static-pie", portable, elfPie},
		{"ALL-03-mutations", portable, elfMutations},
	}
}

// text is the program header of a file's first segment, which holds everything.
func text(phdrs int, code []byte) gen.Phdr {
	size := gen.BodyOffset(phdrs) + uint64(len(code))
	return gen.Phdr{Type: gen.Load, Flags: gen.R | gen.X, Vaddr: gen.Base, Filesz: size, Memsz: size, Align: 4096}
}

// two makes a file of two segments: the text, and p.
func two(code []byte, p gen.Phdr) *gen.File {
	return gen.NewSegments(code, text(2, code), p)
}

// refused ends the test unless exec refuses the file.  Linux finds some of it
// out only after its point of no return, and kills; ours must not.
func refused(t *T, what string, f *gen.File, want ...sys.Errno) {
	status, err := t.exec(t.program("bad", f.Bytes()), []string{"bad"}, nil)
	if err == nil && status.Signaled() && !procfs.IsYolk() {
		return
	}
	t.must(err != nil, what, ": not refused, ended with ", status)
	t.wantErr(err, what, append(want, sys.ENOEXEC, sys.EINVAL)...)
}

// accepted ends the test unless the file runs and exits with the status.
func accepted(t *T, what string, image []byte, want int) {
	status, err := t.exec(t.program("good", image), []string{"good"}, nil)
	t.noErr(err, what)
	t.must(!status.Signaled() && status.ExitStatus() == want, what, ": ended with ", status, ", want ", want)
}

// elfArithmetic: sizes and offsets that do not fit together.
func elfArithmetic(t *T) {
	code := gen.Exit(0)
	ok := gen.Phdr{Type: gen.Load, Flags: gen.R | gen.W, Offset: 0, Vaddr: 0x600000, Filesz: 64, Memsz: 64, Align: 4096}
	accepted(t, "a sound second segment", two(code, ok).Bytes(), 0)
	for _, c := range []struct {
		what string
		edit func(p *gen.Phdr)
	}{
		{"more in the file than in memory", func(p *gen.Phdr) { p.Filesz = 128 }},
		{"memory that wraps", func(p *gen.Phdr) { p.Memsz = ^uint64(0) - 0x1000 }},
		{"file range that wraps", func(p *gen.Phdr) { p.Offset, p.Memsz, p.Filesz = ^uint64(0)&^0xfff, 0x2000, 0x2000 }},
		{"address and offset not congruent", func(p *gen.Phdr) { p.Offset = 1 }},
		{"huge sizes", func(p *gen.Phdr) { p.Filesz, p.Memsz = 1<<62, 1<<62 }},
		{"an address that is not canonical", func(p *gen.Phdr) { p.Vaddr = 0x8000_0000_0000_0000 }},
	} {
		p := ok
		c.edit(&p)
		refused(t, c.what, two(code, p), sys.ENOMEM)
	}
}

// elfEmpty: a segment of nothing but zeros, and one of nothing at all.
func elfEmpty(t *T) {
	const at = 0x600000
	bss := gen.Phdr{Type: gen.Load, Flags: gen.R | gen.W, Vaddr: at, Memsz: 0x2345, Align: 4096}
	accepted(t, "zeros only", two(gen.ExitWithByteAt(at+0x2344), bss).Bytes(), 0)
	code := append(gen.StoreByteAt(at+0x1800, 42), gen.ExitWithByteAt(at+0x1800)...)
	accepted(t, "zeros that are written", two(code, bss).Bytes(), 42)
	accepted(t, "an empty segment", two(gen.Exit(3), gen.Phdr{Type: gen.Load, Flags: gen.R, Vaddr: at, Align: 4096}).Bytes(), 3)
}

// elfTail: behind a segment's bytes from the file there are zeros, though the
// file goes on; a read-only segment that does not ask for more keeps the file's.
func elfTail(t *T) {
	const at = 0x600000
	pad := func(code []byte) []byte { // so that the file has 0xff in the rest of its first page
		body := append([]byte(nil), code...)
		for len(body) < 4096 {
			body = append(body, 0xff)
		}
		return body
	}
	data := gen.Phdr{Type: gen.Load, Flags: gen.R | gen.W, Vaddr: at, Filesz: 512, Memsz: 2048, Align: 4096}
	for offset, want := range map[uint32]int{512: 0, 2047: 0, 4095: 0} {
		accepted(t, kit.Format("byte ", offset), two(pad(gen.ExitWithByteAt(at+offset)), data).Bytes(), want)
	}
	exact := data
	exact.Memsz = exact.Filesz
	accepted(t, "the last byte of the file's", two(pad(gen.ExitWithByteAt(at+511)), exact).Bytes(), 0xff)
}

// elfSparesFile: zeroing a segment's tail, and the program's own stores, leave
// the file and its cached page alone.
func elfSparesFile(t *T) {
	const at = 0x600000
	code := append(gen.StoreByteAt(at+100, 0x55), gen.ExitWithByteAt(at+600)...)
	body := append([]byte(nil), code...)
	for len(body) < 4096 {
		body = append(body, 0xee)
	}
	image := two(body, gen.Phdr{Type: gen.Load, Flags: gen.R | gen.W, Vaddr: at, Filesz: 512, Memsz: 4096, Align: 4096}).Bytes()
	for range 2 {
		accepted(t, "a data segment in the text's page", image, 0)
		after, err := kit.ReadFile("good")
		t.noErr(err, "read")
		t.must(string(after) == string(image), "the file changed")
	}
}

// elfSharedPage: two segments that meet in one page of the file, each in a page
// of memory of its own.
func elfSharedPage(t *T) {
	const at = 0x600000
	code := gen.ExitWithByteAt(at + 0x100)
	body := append([]byte(nil), code...)
	for len(body) < 1024 {
		body = append(body, byte(len(body)))
	}
	f := two(body, gen.Phdr{Type: gen.Load, Flags: gen.R | gen.W, Offset: 0x100, Vaddr: at + 0x100, Filesz: 0x100, Memsz: 0x100, Align: 4096})
	image := f.Bytes()
	accepted(t, "one page of the file twice", image, int(image[0x100]))
	text := f.Phdrs[0]
	f.Phdrs[0], f.Phdrs[1] = f.Phdrs[1], text
	status, err := t.exec(t.program("order", f.Bytes()), []string{"x"}, nil)
	t.must(err != nil || status.Signaled() || status.ExitStatus() == int(image[0x100]), "out of order: ", status)
}

// elfPlaces: segments where none may be.
func elfPlaces(t *T) {
	at := func(vaddr uint64) *gen.File {
		return two(gen.Exit(0), gen.Phdr{Type: gen.Load, Flags: gen.R | gen.W, Vaddr: vaddr, Filesz: 64, Memsz: 64, Align: 4096})
	}
	refused(t, "in the kernel's half", at(0xffff_8000_0000_0000), sys.ENOMEM, sys.EFAULT)
	refused(t, "at the kernel", at(0xffff_ffff_8020_0000), sys.ENOMEM, sys.EFAULT)
	refused(t, "at the end of the user's half", at(0x7fff_ffff_f000), sys.ENOMEM, sys.EFAULT)
	if procfs.IsYolk() { // Linux lets root map page 0
		refused(t, "at page 0", at(0), sys.EPERM, sys.ENOMEM)
	}
	overlap := at(gen.Base)
	status, err := t.exec(t.program("overlap", overlap.Bytes()), []string{"x"}, nil)
	t.must(err != nil || status != 1<<31, "overlapping: ", status) // whatever comes of it, we are here
	overStack := two(gen.Exit(0), gen.Phdr{Type: gen.Load, Flags: gen.R | gen.W, Vaddr: 0x7fff_fff0_0000, Memsz: 0xf_0000, Align: 4096})
	_, _ = t.exec(t.program("stack", overStack.Bytes()), []string{"x"}, nil)
}

// elfHeaders: the file's header, field by field.
func elfHeaders(t *T) {
	for _, c := range []struct {
		what string
		edit func(f *gen.File)
	}{
		{"no magic number", func(f *gen.File) { f.Ident[0] = 0 }},
		{"an object file", func(f *gen.File) { f.Type = 1 }},
		{"a core file", func(f *gen.File) { f.Type = 4 }},
		{"ARM64", func(f *gen.File) { f.Machine = 183 }},
		{"no program headers", func(f *gen.File) { f.Phnum = 0 }},
		{"65,535 program headers", func(f *gen.File) { f.Phnum = 65535 }},
		{"small program headers", func(f *gen.File) { f.Phentsize = 32 }},
		{"large program headers", func(f *gen.File) { f.Phentsize = 64 }},
		{"program headers outside the file", func(f *gen.File) { f.Phoff = 1 << 20 }},
		{"program headers at the end of everything", func(f *gen.File) { f.Phoff = ^uint64(0) - 8 }},
	} {
		f := gen.New(gen.Exit(0))
		c.edit(f)
		refused(t, c.what, f, sys.EIO)
	}
	for _, n := range []int{1, 4, 16, 63, 64, 100} {
		image := gen.New(gen.Exit(0)).Bytes()
		_, err := t.exec(t.program("short", image[:min(n, len(image))]), []string{"x"}, nil)
		t.wantErr(err, kit.Format("a file of ", n, " bytes"), sys.ENOEXEC, sys.EIO, sys.EINVAL)
	}
	f := gen.New(gen.Exit(0))
	f.Entry = 0x1234
	status, err := t.exec(t.program("entry", f.Bytes()), []string{"x"}, nil)
	t.must(err != nil || status.Signal() == sys.SIGSEGV, "an entry outside: ", status)
	for i, what := range map[int]string{4: "32 bits", 5: "big-endian", 6: "version 0"} {
		f = gen.New(gen.Exit(0))
		f.Ident[i] ^= 3
		if procfs.IsYolk() { // Linux does not look at these
			refused(t, what, f)
		}
	}
}

// elfInterpreter: a request for an interpreter that is not there, or is damaged.
func elfInterpreter(t *T) {
	code := gen.Exit(0)
	with := func(name string, size uint64) *gen.File {
		body := append(append([]byte(nil), code...), name...)
		f := gen.NewSegments(body, text(2, body), gen.Phdr{
			Type: gen.Interp, Flags: gen.R, Offset: gen.BodyOffset(2) + uint64(len(code)), Filesz: size, Memsz: size, Align: 1,
		})
		return f
	}
	missing := "/no/such/interpreter\x00"
	refused(t, "missing", with(missing, uint64(len(missing))), sys.ENOENT)
	refused(t, "too short", with("\x00", 1), sys.ENOENT)
	refused(t, "empty", with("", 0), sys.ENOENT)
	refused(t, "without an end", with("/no/such", 8), sys.ENOENT)
	refused(t, "too long", with(missing, 1<<20), sys.ENOENT, sys.ENAMETOOLONG, sys.EIO, sys.ENOMEM)
}

// elfPie: a position-independent file without an interpreter runs wherever it is
// put.
func elfPie(t *T) {
	f := gen.New(gen.Exit(11))
	f.Type = gen.TypeDyn
	f.Phdrs[0].Vaddr = 0
	f.Entry = gen.BodyOffset(1)
	accepted(t, "a static PIE", f.Bytes(), 11)
}

// mutationRounds is how many mutations are tried.
const mutationRounds = 300

// elfMutations: seeded mutations of a program's first bytes, its headers.  What
// comes of each is its own affair; the system lives, and no memory is lost.
//
// WHY a program of three segments that can do nothing but exit: a mutated entry
// may run any code that the file has.
func elfMutations(t *T) {
	body := gen.Exit(0)
	for len(body) < 8192 {
		body = append(body, 0xcc)
	}
	code := text(3, body)
	base := gen.NewSegments(body, code,
		gen.Phdr{Type: gen.Load, Flags: gen.R, Offset: 4096, Vaddr: 0x600000, Filesz: 2048, Memsz: 2048, Align: 4096},
		gen.Phdr{Type: gen.Load, Flags: gen.R | gen.W, Vaddr: 0x700000, Offset: 0x1000, Filesz: 256, Memsz: 0x3000, Align: 4096},
	).Bytes()
	random := newRandom(1)
	try := func() {
		image := append([]byte(nil), base...)
		for range 1 + random.below(4) {
			mutate(image[:gen.BodyOffset(3)], random)
		}
		_, _ = t.exec(t.program("mutant", image), []string{"mutant"}, nil)
	}
	t.lossless(func() {
		for range mutationRounds {
			try()
		}
		sys.Unlink("mutant")
	})
}

// mutate changes one field of the headers: to a random byte, or a 64-bit word to
// one of the values at which arithmetic goes wrong.
func mutate(headers []byte, random *random) {
	switch random.below(3) {
	case 0:
		headers[random.below(len(headers))] = byte(random.next())
	case 1:
		headers[random.below(len(headers))] ^= 1 << random.below(8)
	default:
		edge := []uint64{0, 1, 0xfff, 0x1000, 1 << 31, 1 << 47, 1<<47 - 1, 1<<63 - 1, 1 << 63, ^uint64(0), ^uint64(0) - 0xfff, 0xffff_8000_0000_0000}
		binary.LittleEndian.PutUint64(headers[8*random.below(len(headers)/8):], edge[random.below(len(edge))])
	}
}
