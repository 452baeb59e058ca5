package usertests

import (
	"encoding/binary"
	"strings"

	"yolk/userland/kit"
	"yolk/userland/procfs"
	"yolk/userland/sys"
	"yolk/userland/tiny/gen"
)

func execTests() []test {
	return []test{
		{"EXEC-01-failure-leaves-all", portable, execFailure},
		{"EXEC-03-arguments-survive", portable, execArguments},
		{"EXEC-05-many-arguments", portable, execMany},
		{"EXEC-05-too-much", portable, execTooMuch},
		{"EXEC-05-bad-arrays", portable, execBadArrays},
		{"EXEC-05-no-arguments", portable, execNoArguments},
		{"EXEC-13-scripts", portable, execScripts},
		{"EXEC-14-signals", portable, execSignals},
		{"EXEC-15-registers", portable, execRegisters},
		{"EXEC-15-initial-stack", portable, execStack},
		{"EXEC-15-random-bytes", portable, execRandom},
		{"EXEC-16-truncated", portable, execTruncated},
		{"EXEC-17-text-is-never-changed", portable, execTextBusy},
		{"EXEC-18-only-touched-pages", yolk, execTouched},
		{"EXEC-close-on-exec", portable, execCloexec},
		{"EXEC-errors", portable, execErrors},
	}
}

// program makes an executable file and gives its path.
func (t *T) program(name string, image []byte) string {
	return t.file(name, string(image), 0o755)
}

// exitProgram is a program that exits with a status.
func exitProgram(status byte) []byte { return gen.New(gen.Exit(status)).Bytes() }

// waiter is a program that waits for a byte on standard input, ready to exec.
func waiter(t *T) *sys.Image {
	return sys.NewImage(t.program("waiter", gen.New(gen.Wait()).Bytes()), []string{"waiter"}, nil)
}

// exec runs a program in a child and gives how it ended; err is that of exec.
func (t *T) exec(path string, argv, envp []string) (status sys.WaitStatus, err error) {
	addr := t.sharedPage()
	defer sys.Munmap(addr, page)
	image := sys.NewImage(path, argv, envp)
	status = t.status(func() {
		errno := image.Exec()
		sys.Poke(addr, byte(errno))
	})
	if errno := sys.Errno(sys.Peek(addr)); errno != 0 {
		return status, errno
	}
	return status, nil
}

// output runs a program in a child and gives what it prints.
func (t *T) output(path string, argv, envp []string) string {
	r, w := t.pipe()
	pid := t.fork(func() {
		sys.Dup2(w, kit.Stdout)
		sys.Close(r)
		t.noErr(sys.Exec(path, argv, envp), "exec ", path)
	})
	sys.Close(w)
	out, _ := kit.ReadAll(r)
	sys.Close(r)
	t.join(pid)
	return string(out)
}

// execFailure: after a failed exec memory, descriptors, handlers and the rest of
// the caller are what they were.
//
// WHY another descriptor for messages: the usual one is to be closed on exec, and an
// exec that fails is not trusted to leave it open.
func execFailure(t *T) {
	log, err := sys.Dup(t.log)
	t.noErr(err, "dup")
	t.log = log
	addr := t.pages(32)
	fill(addr, 32, 5)
	fd, err := sys.Open("/dev/null", sys.O_RDONLY|sys.O_CLOEXEC, 0)
	t.noErr(err, "open")
	t.noErr(sys.CountSignal(sys.SIGUSR1, 0, 0), "sigaction")
	brk := sys.Brk(0)
	for _, path := range []string{
		"/no/such/file", t.dir, t.file("plain", "text", 0o644), t.program("short", []byte("\x7fELF")),
		t.program("bad", gen.NewSegments(gen.Exit(0), gen.Phdr{Type: gen.Load, Flags: gen.R, Vaddr: 0xffff_8000_0000_0000, Filesz: 64, Memsz: 64}).Bytes()),
		t.program("interpreter", []byte("#!/no/such/interpreter\n")),
	} {
		if strings.HasSuffix(path, "bad") && !procfs.IsYolk() {
			continue // Linux finds this out after its point of no return
		}
		err := sys.Exec(path, []string{path}, nil)
		t.must(err != nil, "exec of ", path, " worked")
		t.must(holds(addr, 32, 5), "memory changed after ", path)
		_, err = sys.Fcntl(fd, sys.F_GETFD, 0)
		t.noErr(err, "a descriptor, after ", path)
		before := sys.SignalCount(sys.SIGUSR1)
		sys.Kill(sys.Getpid(), sys.SIGUSR1)
		t.must(sys.SignalCount(sys.SIGUSR1) == before+1, "the handler is gone after ", path)
		t.must(sys.Brk(0) == brk, "the break moved after ", path)
	}
}

// dump is what a new program finds on its stack.
type dump struct {
	rsp        uint64
	bytes      []byte // from rsp on
	argv, envp []uint64
	auxv       map[uint64]uint64
}

// dumpStack runs the program that dumps its stack, and takes the dump apart.
func dumpStack(t *T, argv, envp []string) dump {
	path := t.program("dump", gen.New(gen.DumpStack()).Bytes())
	out := []byte(t.output(path, argv, envp))
	t.must(len(out) > 64, "the dump has ", len(out), " bytes")
	le := binary.LittleEndian
	d := dump{rsp: le.Uint64(out), bytes: out[8:], auxv: map[uint64]uint64{}}
	word := func(i int) uint64 {
		t.must(i*8+8 <= len(d.bytes), "the dump ends before the vectors do")
		return le.Uint64(d.bytes[i*8:])
	}
	argc := int(word(0))
	t.must(argc <= len(argv)+1, "argc is ", argc)
	i := 1
	for ; word(i) != 0; i++ {
		d.argv = append(d.argv, word(i))
	}
	t.must(len(d.argv) == argc, "argc is ", argc, ", argv has ", len(d.argv))
	for i++; word(i) != 0; i++ {
		d.envp = append(d.envp, word(i))
	}
	for i++; word(i) != 0; i += 2 {
		d.auxv[word(i)] = word(i + 1)
	}
	return d
}

// at is the string at an address on the dumped stack.
func (d dump) at(t *T, addr uint64) string {
	t.must(addr >= d.rsp && addr < d.rsp+uint64(len(d.bytes)), "a string at ", kit.Hex(addr), " is not on the stack")
	text, _, ok := strings.Cut(string(d.bytes[addr-d.rsp:]), "\x00")
	t.must(ok, "a string without an end")
	return text
}

// execArguments: argv and envp reach the new program as they were, also where
// the caller's own memory, which they were read from, is gone by then.
func execArguments(t *T) {
	argv, envp := []string{"name", "", "two words", "ü"}, []string{"A=1", "EMPTY=", "B=" + strings.Repeat("x", 5000)}
	d := dumpStack(t, argv, envp)
	for i, a := range argv {
		t.must(d.at(t, d.argv[i]) == a, "argument ", i, " is ", d.at(t, d.argv[i]))
	}
	t.must(len(d.envp) == len(envp), "the environment has ", len(d.envp), " strings")
	for i, e := range envp {
		t.must(d.at(t, d.envp[i]) == e, "environment string ", i, " is wrong")
	}
}

// execMany: thousands of arguments and environment strings.
func execMany(t *T) {
	argv, envp := make([]string, 3000), make([]string, 3000)
	for i := range argv {
		argv[i] = kit.Format("argument", i)
		envp[i] = kit.Format("V", i, "=x")
	}
	d := dumpStack(t, argv, envp)
	t.must(len(d.argv) == 3000 && len(d.envp) == 3000, len(d.argv), " arguments, ", len(d.envp), " environment strings")
	t.must(d.at(t, d.argv[2999]) == "argument2999" && d.at(t, d.envp[2999]) == "V2999=x", "the last strings are wrong")
}

// execTooMuch: one string that is too long, and too much in all: E2BIG.
func execTooMuch(t *T) {
	path := t.program("true", exitProgram(0))
	_, err := t.exec(path, []string{"x", strings.Repeat("y", 200<<10)}, nil)
	t.wantErr(err, "a string of 200 KiB", sys.E2BIG)
	_, err = t.exec(path, []string{"x"}, []string{strings.Repeat("y", 200<<10)})
	t.wantErr(err, "an environment string of 200 KiB", sys.E2BIG)
	long := strings.Repeat("z", 100<<10)
	argv := make([]string, 100)
	for i := range argv {
		argv[i] = long
	}
	_, err = t.exec(path, argv, nil)
	t.wantErr(err, "10 MiB of arguments", sys.E2BIG)
	status, err := t.exec(path, []string{"x", strings.Repeat("y", 100<<10)}, nil)
	t.must(err == nil && status == 0, "100 KiB in one string: ", status)
}

// execBadArrays: arrays and strings that are not there, or have no end: EFAULT.
func execBadArrays(t *T) {
	path := sys.PinString(t.program("true", exitProgram(0)))
	end := t.pages(2) + page // what follows is not mapped
	t.noErr(sys.Munmap(end, page), "munmap")
	sys.PokeWord(end-8, path)
	sys.Poke(end-9, 'x')
	good := sys.PinWords([]int64{int64(path), 0})
	for _, c := range []struct {
		what             string
		path, argv, envp uintptr
	}{
		{"no path", 0, good, 0}, {"path beyond the end", end, good, 0},
		{"argv without an end", path, end - 8, 0}, {"envp without an end", path, good, end - 8},
		{"argv in the kernel", path, 0xffff_8000_0000_0000, 0}, {"argv not canonical", path, 0x8000_0000_0000_0000, 0},
		{"a string at 1", path, sys.PinWords([]int64{1, 0}), 0},
		{"a string in the kernel", path, sys.PinWords([]int64{-0x7fff_0000_0000, 0}), 0},
	} {
		t.child(func() {
			_, e := sys.Call(sys.SysExecve, c.path, c.argv, c.envp, 0, 0, 0)
			t.must(e == sys.EFAULT, c.what, ": ", e)
		})
	}
	tail := t.pages(2) + page // a string that runs into nothing
	t.noErr(sys.Munmap(tail, page), "munmap")
	copy(sys.Bytes(tail-4, 4), "abcd")
	_, e := sys.Call(sys.SysExecve, path, sys.PinWords([]int64{int64(tail - 4), 0}), 0, 0, 0, 0)
	t.must(e == sys.EFAULT, "a string without an end: ", e)
}

// execNoArguments: an empty argv and none at all work; newer kernels put one
// empty string there.
func execNoArguments(t *T) {
	d := dumpStack(t, nil, []string{"A=1"})
	t.must(len(d.argv) <= 1 && len(d.envp) == 1, "argv has ", len(d.argv), ", envp ", len(d.envp))
	path := sys.PinString(t.dir + "/dump")
	status := t.status(func() {
		sys.Close(1)
		sys.Call(sys.SysExecve, path, 0, 0, 0, 0, 0)
		sys.Exit(9)
	})
	t.must(status == 0, "argv nil: ", status)
}

// execScripts: what #! lines may look like.
func execScripts(t *T) {
	dump := t.program("dump", gen.New(gen.DumpStack()).Bytes())
	argvOf := func(script string) []string {
		out := []byte(t.output(script, []string{"shown", "arg"}, nil))
		le := binary.LittleEndian
		d := dump0(out)
		var argv []string
		for i := range int(le.Uint64(d.bytes)) {
			argv = append(argv, d.at(t, le.Uint64(d.bytes[8+i*8:])))
		}
		return argv
	}
	for i, c := range []struct {
		line string
		want []string
	}{
		{"#!" + dump + "\n", []string{dump}},
		{"#! \t" + dump + "  \n", []string{dump}},
		{"#!" + dump, []string{dump}}, // no newline
		{"#!" + dump + " one two \n", []string{dump, "one two"}},
		{"#!" + dump + "\tx\nrest", []string{dump, "x"}},
	} {
		path := t.program(kit.Format("script", i), []byte(c.line))
		want := append(c.want, path, "arg")
		got := argvOf(path)
		t.must(strings.Join(got, "|") == strings.Join(want, "|"), c.line, ": argv is ", strings.Join(got, "|"))
	}
	chain := t.program("chain", []byte("#!"+t.dir+"/script0\n"))
	t.must(strings.Join(argvOf(chain), "|") == strings.Join([]string{dump, t.dir + "/script0", chain, "arg"}, "|"), "a script's script")
	for _, c := range []struct {
		name, text string
		want       []sys.Errno
	}{
		{"itself", "#!" + t.dir + "/itself\n", []sys.Errno{sys.ELOOP, sys.ENOEXEC}},
		{"missing", "#!/no/such/file\n", []sys.Errno{sys.ENOENT}},
		{"directory", "#!" + t.dir + "\n", []sys.Errno{sys.EACCES}},
		{"nothing", "#!\n", []sys.Errno{sys.ENOEXEC}},
		{"blanks", "#!  \t \n", []sys.Errno{sys.ENOEXEC}},
		{"text", "echo hello\n", []sys.Errno{sys.ENOEXEC}},
		{"empty", "", []sys.Errno{sys.ENOEXEC}},
		{"long", "#!/" + strings.Repeat("x", 600) + "\n", []sys.Errno{sys.ENOEXEC, sys.ENOENT, sys.ENAMETOOLONG}},
	} {
		_, err := t.exec(t.program(c.name, []byte(c.text)), []string{"x"}, nil)
		t.wantErr(err, c.name, c.want...)
	}
}

// dump0 is a dump without its vectors taken apart.
func dump0(out []byte) dump {
	if len(out) < 16 {
		return dump{bytes: make([]byte, 16)}
	}
	return dump{rsp: binary.LittleEndian.Uint64(out), bytes: out[8:]}
}

// execErrors: what cannot be executed, and why.
func execErrors(t *T) {
	for _, c := range []struct {
		path string
		want sys.Errno
	}{
		{"", sys.ENOENT}, {"/no/such/file", sys.ENOENT}, {t.dir, sys.EACCES},
		{t.file("plain", string(exitProgram(0)), 0o644), sys.EACCES},
		{t.dir + "/plain/x", sys.ENOTDIR},
		{"/" + strings.Repeat("x", 300), sys.ENAMETOOLONG},
		{strings.Repeat("x/", 3000), sys.ENAMETOOLONG},
		{"/dev/null", sys.EACCES},
	} {
		_, err := t.exec(c.path, []string{"x"}, nil)
		t.wantErr(err, kit.Format("exec of ", c.path), c.want)
	}
}

// execSignals: caught signals are reset to the default, ignored ones stay
// ignored; mask and pending signals are kept; the signal stack is gone.
func execSignals(t *T) {
	out := t.reexec("signals", func() {
		sys.CountSignal(sys.SIGUSR1, 0, 0)
		sys.SetSignal(sys.SIGUSR2, sys.SigIgn)
		sys.SigProcMask(sys.SigSetMask, sys.SigMask(sys.SIGTERM))
		sys.Kill(sys.Getpid(), sys.SIGTERM)
	})
	want := "SIGUSR1=0 SIGUSR2=1 blocked=1 pending=1 stack=0"
	t.must(out == want, out, ", want ", want)
}

// afterExec is the first argument by which the program knows that it was
// exec'd by one of its own tests.
const afterExec = "-after-exec"

// reexec runs prepare and then this very program, which prints what report
// gives for the word.
func (t *T) reexec(word string, prepare func()) string {
	r, w := t.pipe()
	pid := t.fork(func() {
		sys.Dup2(w, kit.Stdout)
		prepare()
		t.noErr(sys.Exec("/proc/self/exe", []string{name, afterExec, word}, kit.Environ), "exec of itself")
	})
	sys.Close(w)
	out, _ := kit.ReadAll(r)
	t.join(pid)
	return string(out)
}

// report is what the program prints when it was exec'd by one of its tests.
func report(word string) int {
	if word != "signals" {
		return 2
	}
	one, _ := sys.Sigaction(sys.SIGUSR1, nil)
	two, _ := sys.Sigaction(sys.SIGUSR2, nil)
	mask, _ := sys.SigProcMask(sys.SigBlock, 0)
	pending, _ := sys.SigPending()
	flag := func(set bool) int {
		if set {
			return 1
		}
		return 0
	}
	kit.Print("SIGUSR1=", int(one.Handler), " SIGUSR2=", int(two.Handler),
		" blocked=", flag(mask == sys.SigMask(sys.SIGTERM)), " pending=", flag(pending == sys.SigMask(sys.SIGTERM)),
		" stack=", flag(sys.HasAltStack()))
	return 0
}

// execRegisters: all registers are zero but the stack pointer, which is a
// multiple of 16.
func execRegisters(t *T) {
	status, err := t.exec(t.program("registers", gen.New(gen.ExitIfRegisters()).Bytes()), []string{"x"}, nil)
	t.must(err == nil && status == 0, "ended with ", status)
}

// Entries of the auxiliary vector (getauxval(3)).
const (
	atPhdr, atPhent, atPhnum = 3, 4, 5
	atPagesz, atEntry        = 6, 9
	atSecure, atRandom       = 23, 25
	atExecfn                 = 31
)

// execStack: argc at the top, 16-byte aligned, the vectors behind it, and what
// the auxiliary vector must hold.
func execStack(t *T) {
	d := dumpStack(t, []string{"x"}, []string{"A=1"})
	t.must(d.rsp%16 == 0, "rsp is ", kit.Hex(d.rsp))
	for key, want := range map[uint64]uint64{
		atPhdr: gen.Base + gen.HeaderSize, atPhent: gen.PhdrSize, atPhnum: 1,
		atPagesz: uint64(page), atEntry: gen.Base + gen.BodyOffset(1), atSecure: 0,
	} {
		got, ok := d.auxv[key]
		t.must(ok && got == want, "auxv ", key, " is ", kit.Hex(got), ", want ", kit.Hex(want))
	}
	t.must(d.at(t, d.auxv[atExecfn]) == t.dir+"/dump", "AT_EXECFN is wrong")
}

// execRandom: AT_RANDOM points at sixteen bytes that differ from run to run.
func execRandom(t *T) {
	random := func() string {
		d := dumpStack(t, []string{"x"}, nil)
		offset := d.auxv[atRandom] - d.rsp
		t.must(offset+16 <= uint64(len(d.bytes)), "AT_RANDOM is not on the stack")
		return string(d.bytes[offset:][:16])
	}
	t.must(random() != random(), "the same random bytes twice")
}

// execTruncated: a program whose segment goes on where its file has ended gets
// SIGBUS there.
func execTruncated(t *T) {
	const at = gen.Base + 3*4096
	code := gen.ExitWithByteAt(at)
	f := gen.New(code)
	f.Phdrs[0].Filesz, f.Phdrs[0].Memsz = 0x4000, 0x4000
	path := t.program("truncated", append(f.Bytes(), make([]byte, 0x4000)...))
	status, err := t.exec(path, []string{"x"}, nil)
	t.must(err == nil && status == 0, "the whole file: ", status)
	fd := t.open(path, sys.O_WRONLY)
	t.noErr(sys.Ftruncate(fd, 0x1000), "ftruncate")
	sys.Close(fd)
	status, err = t.exec(path, []string{"x"}, nil)
	t.must(err == sys.ENOEXEC || status.Signal() == sys.SIGBUS, "the truncated file: ", status)
}

// execTextBusy: writing to a program that runs is refused, or the process keeps
// the text that it has.
func execTextBusy(t *T) {
	image := waiter(t)
	path := t.dir + "/waiter"
	r, w := t.pipe()
	pid := t.fork(func() {
		sys.Dup2(r, 0)
		t.must(false, "exec: ", image.Exec())
	})
	for i := 0; !asleepIn(pid, "waiter") && i < 200; i++ {
		sys.Sleep(10e6)
	}
	fd, err := sys.Open(path, sys.O_WRONLY, 0)
	if err == nil {
		kit.WriteAll(fd, make([]byte, 4096))
		sys.Close(fd)
	} else {
		t.wantErr(err, "open for writing", sys.ETXTBSY)
	}
	kit.WriteAll(w, []byte{1})
	t.join(pid)
	if err != nil {
		t.noErr(kit.WriteFile(path, []byte("x"), 0o755), "write once it has ended")
	}
}

// asleepIn tells whether the process sleeps and runs the program of that name.
func asleepIn(pid int, program string) bool {
	st, err := procfs.ReadStat(pid)
	return err == nil && st.Name == program && (st.State == 'S' || st.State == 'D')
}

// execTouched: of a program that has executed a few instructions only the pages
// that these touched are there: one of its sixteen of text, and some stack.
func execTouched(t *T) {
	const textPages = 16
	f := gen.New(gen.Wait())
	f.Phdrs[0].Filesz, f.Phdrs[0].Memsz = textPages*4096, textPages*4096
	image := append(f.Bytes(), make([]byte, textPages*4096)...)
	path := t.program("sparse", image)
	r, w := t.pipe()
	pid := t.fork(func() {
		sys.Dup2(r, 0)
		t.noErr(sys.Exec(path, []string{"sparse"}, nil), "exec")
	})
	for i := 0; !asleepIn(pid, "sparse") && i < 200; i++ {
		sys.Sleep(10e6)
	}
	maps, err := procfs.ReadMaps(pid)
	t.noErr(err, "maps")
	table, err := procfs.ReadPageTable(pid)
	t.noErr(err, "pagetable")
	text := 0
	for _, e := range table.Entries {
		if e.Addr >= gen.Base && e.Addr < gen.Base+textPages*4096 {
			text++
			t.must(e.Addr == gen.Base && !e.Has('W') && !e.Has('N'), "a page that was not touched: ", e)
		}
	}
	t.must(text == 1, text, " pages of text are there")
	t.must(len(table.Entries) <= 3, len(table.Entries), " pages are there, of ", len(maps), " regions")
	kit.WriteAll(w, []byte{1})
	t.join(pid)
}

// execCloexec: descriptors with the flag are closed, the others are not.
func execCloexec(t *T) {
	keepR, keepW := t.pipe()
	closeR, closeW, err := sys.Pipe2(sys.O_CLOEXEC)
	t.noErr(err, "pipe")
	image := waiter(t)
	in, inW := t.pipe()
	pid := t.fork(func() {
		sys.Dup2(in, 0)
		sys.Close(inW)
		image.Exec()
	})
	sys.Close(keepW)
	sys.Close(closeW)
	t.must(readable(closeR, 5000), "a close-on-exec descriptor is open after exec")
	t.must(!readable(keepR, 0), "an ordinary descriptor was closed by exec")
	kit.WriteAll(inW, []byte{1})
	t.join(pid)
}
