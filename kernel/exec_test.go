package kernel

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"yolk/arch/amd64"
	"yolk/kernel/abi"
	"yolk/kernel/elf"
	"yolk/kernel/signal"
	"yolk/kernel/trace"
	"yolk/kernel/vfs"
	"yolk/mm"
)

// tryExec installs content under /prog and has process 1 execute it; it returns
// the errno, or 0 if the exec succeeded.  The caller must be as before.
func tryExec(t *testing.T, name string, install func(s *system), want abi.Errno) {
	t.Helper()
	t.Run(name, func(t *testing.T) {
		bubble(t, options{}, func(s *system) {
			install(s)
			s.program("/init", func(a *Asm) {
				store(a, varA, 42)
				handler(a, abi.SIGUSR1, "handler", 0)
				a.Syscall(abi.SysOpen, "init", abi.O_RDONLY|abi.O_CLOEXEC, 0)
				a.Mov(R15, 15).Probe(100)
				a.Syscall(abi.SysExecve, "prog", "argv", "argv").Probe(1).Probe(101)
				exit(a, 0)
				a.Label("handler").Ret().String("init", "/init")
				a.String("prog", "/prog").Pointers("argv", "prog")
			})
			before := ""
			s.onProbe = func(p *Process, id uint32, f *amd64.TrapFrame) {
				switch id {
				case 100:
					p.space.Fault(mm.VirtAddr(f.RIP)+0x100, mm.FaultUser) // what exec itself will touch
					before = snapshot(p)
				case 101:
					if after := snapshot(p); after != before {
						t.Errorf("an exec that failed has changed the caller: %s", changes(before, after))
					}
				}
			}
			s.boot("/init")
			s.want(1, want)
			if n := len(s.kinds(trace.ExecFail)); n != 1 {
				t.Errorf("%d ExecFail events", n)
			}
		})
	})
}

// snapshot describes all of a process that exec could spoil.
func snapshot(p *Process) string {
	var b strings.Builder
	f := *p.frame
	f.RAX, f.RCX, f.RDX, f.RSI, f.RDI, f.R10, f.R11, f.RIP, f.CR2, f.Error, f.RFLAGS, f.Vector = 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0
	fmt.Fprintf(&b, "R15 %d\npath %q\nblocked signals %+v\n", f.R15, p.image.path, p.Signals.Blocked)
	fmt.Fprintf(&b, "%d bytes of the budget used\n%d frames free\nroot %#x\n", p.budget.Used(), p.kernel.memory.Frames.Free(), p.root)
	for sig, act := range p.Signals.Actions {
		if act != (signal.Action{}) {
			fmt.Fprintf(&b, "signal %d: %+v\n", sig, act)
		}
	}
	p.Files.Each(func(fd int, d *vfs.Description) bool {
		fmt.Fprintf(&b, "descriptor %d: %p\n", fd, d)
		return true
	})
	for r := range p.space.Regions() {
		fmt.Fprintf(&b, "%#x-%#x %v %v %#x %s\n", r.Start, r.End, r.Prot, r.Flags, r.Offset, r.Name)
	}
	p.space.Walk(0, mm.UserEnd, func(va mm.VirtAddr, e mm.PTE) bool {
		fmt.Fprintf(&b, "%#x %v %x\n", va, e&^(mm.Accessed|mm.Dirty), p.kernel.memory.Phys.Page(e.Frame())[:80])
		return true
	})
	return b.String()
}

// changes says in one line which lines of a snapshot went, and which came.
func changes(before, after string) string {
	var list []string
	missing := func(what, from, in string) {
		others := strings.Split(in, "\n")
		for _, line := range strings.Split(from, "\n") {
			if !slices.Contains(others, line) {
				list = append(list, fmt.Sprintf("%s %.80s", what, line))
			}
		}
	}
	missing("gone:", before, after)
	missing("new:", after, before)
	return strings.Join(list, "; ")
}

func TestEXEC01FailureLeavesTheCaller(t *testing.T) {
	file := func(content []byte, mode uint32) func(s *system) {
		return func(s *system) { s.write("/prog", content, mode) }
	}
	good := assemble(func(a *Asm) { exit(a, 0) })
	tryExec(t, "missing", func(*system) {}, abi.ENOENT)
	tryExec(t, "directory", func(s *system) { s.mkdir("/prog") }, abi.EACCES)
	tryExec(t, "no execute bit", file(good, 0o644), abi.EACCES)
	tryExec(t, "empty", file(nil, 0o755), abi.ENOEXEC)
	tryExec(t, "text", file([]byte("hello\n"), 0o755), abi.ENOEXEC)
	tryExec(t, "header cut off", file(good[:63], 0o755), abi.ENOEXEC)
	tryExec(t, "headers cut off", file(good[:100], 0o755), abi.ENOEXEC)
	tryExec(t, "over the stack", file(elfFile(elfSpec{entry: codeBase, segments: []elfSegment{
		{addr: uint64(mm.UserEnd) - 2*mm.PageSize, flags: elf.Read, data: make([]byte, 4096)}}}), 0o755), abi.ENOEXEC)
	tryExec(t, "too much memory", file(elfFile(elfSpec{entry: codeBase, segments: []elfSegment{
		{addr: codeBase, flags: elf.Read, data: make([]byte, 4096), size: 1 << 48}}}), 0o755), abi.ENOEXEC)
	// EXEC-12
	interp := func(path string) []byte {
		return elfFile(elfSpec{entry: codeBase, interp: path, segments: []elfSegment{{addr: codeBase, flags: elf.Read, data: make([]byte, 4096)}}})
	}
	tryExec(t, "interpreter missing", file(interp("/lib/ld.so\x00"), 0o755), abi.ENOENT)
	tryExec(t, "interpreter itself", file(interp("/prog\x00"), 0o755), abi.ENOEXEC)
	tryExec(t, "interpreter static", func(s *system) {
		s.write("/prog", interp("/static\x00"), 0o755)
		s.write("/static", good, 0o755)
	}, abi.ENOEXEC)
	tryExec(t, "interpreter unterminated", file(interp("/prog"), 0o755), abi.ENOEXEC)
	tryExec(t, "interpreter too short", file(interp("\x00"), 0o755), abi.ENOEXEC)
	tryExec(t, "interpreter too long", file(interp(strings.Repeat("a", 5000)+"\x00"), 0o755), abi.ENOEXEC)
	// EXEC-13
	tryExec(t, "script without interpreter", file([]byte("#!\nfoo"), 0o755), abi.ENOEXEC)
	tryExec(t, "script of blanks", file([]byte("#!  \t \n"), 0o755), abi.ENOEXEC)
	tryExec(t, "script of itself", file([]byte("#!/prog\n"), 0o755), abi.ELOOP)
	tryExec(t, "script with missing interpreter", file([]byte("#!/none -x\n"), 0o755), abi.ENOENT)
	tryExec(t, "script with directory", func(s *system) { s.mkdir("/d"); s.write("/prog", []byte("#!/d"), 0o755) }, abi.EACCES)
	tryExec(t, "script with over-long name", file([]byte("#!/"+strings.Repeat("x", 300)+"\n"), 0o755), abi.ENOEXEC)
	// EXEC-17
	tryExec(t, "open for writing", func(s *system) {
		s.write("/prog", good, 0o755)
		d, err := s.fs.Open(nil, nil, "/prog", abi.O_WRONLY, 0)
		must(t, err)
		s.keep = append(s.keep, d)
	}, abi.ETXTBSY)
}

// showArgs is a program that tells a test about its stack through probes.
func showArgs(a *Asm) { a.Probe(50); exit(a, 0) }

// stackOf reads what a new program finds on its stack.
type stackImage struct {
	argv, envp []string
	auxv       map[uint64]uint64
}

func readStack(t *testing.T, p *Process, sp uint64) (st stackImage) {
	t.Helper()
	word := func() uint64 {
		v, err := p.space.LoadUint64(mm.VirtAddr(sp))
		must(t, err)
		sp += 8
		return v
	}
	text := func(va uint64) string {
		s, err := p.space.CopyInString(mm.VirtAddr(va), maxString)
		must(t, err)
		return s
	}
	argc := word()
	for range argc {
		st.argv = append(st.argv, text(word()))
	}
	if v := word(); v != 0 {
		t.Errorf("argv ends with %#x", v)
	}
	for v := word(); v != 0; v = word() {
		st.envp = append(st.envp, text(v))
	}
	st.auxv = map[uint64]uint64{}
	for {
		k, v := word(), word()
		if k == abi.AT_NULL {
			return st
		}
		st.auxv[k] = v
	}
}

// EXEC-15, EXEC-18, M8: a new image's registers, stack and resident pages.
func TestEXEC15NewImage(t *testing.T) {
	bubble(t, options{}, func(s *system) {
		s.program("/other", showArgs)
		s.program("/init", func(a *Asm) {
			a.Mov(R15, 1).ToXMM().Syscall(abi.SysArchPrctl, abi.ARCH_SET_FS, 0x1000)
			a.Syscall(abi.SysExecve, "path", "argv", "envp").Probe(1)
			a.String("path", "/other").String("one", "first argument").String("empty", "").String("env", "KEY=value")
			a.Pointers("argv", "path", "one", "empty").Pointers("envp", "env")
		})
		checked := false
		s.log.Attach(trace.ClassAll, sinkFunc(func(ev *trace.Event) {
			s.events = append(s.events, *ev)
			p := s.k.Process(1)
			if ev.Kind != trace.Name || p.image.path != "/other" { // Name: the new image is in place
				return
			}
			checked = true
			want := amd64.TrapFrame{}
			want.Reset(codeBase, p.frame.RSP)
			if *p.frame != want {
				t.Errorf("registers %+v", *p.frame)
			}
			if p.frame.RSP%16 != 0 {
				t.Errorf("RSP is %#x", p.frame.RSP)
			}
			p.space.Walk(0, mm.UserEnd, func(va mm.VirtAddr, e mm.PTE) bool {
				if va < mm.UserEnd-stackStart {
					t.Errorf("a page at %#x is present: %v", va, e)
				}
				return true
			})
			if p.space.Resident() != 1 {
				t.Errorf("%d pages present", p.space.Resident())
			}
			if end, _ := p.space.SetBrk(0); end != dataBase+dataSize {
				t.Errorf("the heap starts at %#x", end)
			}
			if p.image.comm != "other" {
				t.Errorf("comm %q", p.image.comm)
			}
		}), nil)
		s.onProbe = func(p *Process, id uint32, f *amd64.TrapFrame) {
			st := readStack(t, p, f.RSP)
			if fmt.Sprintf("%q %q", st.argv, st.envp) != `["/other" "first argument" ""] ["KEY=value"]` {
				t.Errorf("argv %q, envp %q", st.argv, st.envp)
			}
			for key, want := range map[uint64]uint64{
				abi.AT_PHDR: textBase + 64, abi.AT_PHENT: 56, abi.AT_PHNUM: 2, abi.AT_PAGESZ: 4096,
				abi.AT_ENTRY: codeBase, abi.AT_UID: 0, abi.AT_SECURE: 0, abi.AT_CLKTCK: 100,
			} {
				if got, ok := st.auxv[key]; !ok || got != want {
					t.Errorf("auxv[%d] is %#x, want %#x", key, got, want)
				}
			}
			if name, _ := p.space.CopyInString(mm.VirtAddr(st.auxv[abi.AT_EXECFN]), 99); name != "/other" {
				t.Errorf("AT_EXECFN is %q", name)
			}
			if name, _ := p.space.CopyInString(mm.VirtAddr(st.auxv[abi.AT_PLATFORM]), 99); name != "x86_64" {
				t.Errorf("AT_PLATFORM is %q", name)
			}
			random := make([]byte, 16)
			must(t, p.space.CopyIn(random, mm.VirtAddr(st.auxv[abi.AT_RANDOM])))
			if bytes.Equal(random, make([]byte, 16)) {
				t.Error("AT_RANDOM is not")
			}
			args := make([]byte, p.image.argEnd-p.image.argStart)
			must(t, p.space.CopyIn(args, mm.VirtAddr(p.image.argStart)))
			if string(args) != "/other\x00first argument\x00\x00" {
				t.Errorf("arguments %q", args)
			}
		}
		s.boot("/init")
		if !checked {
			t.Error("no exec seen")
		}
		// The first thing that happens is the fault of the first instruction.
		last := 0
		for i, ev := range s.events {
			if ev.Kind == trace.Exec {
				last = i
			}
		}
		for _, ev := range s.events[last:] {
			if ev.Kind == trace.Fault {
				if ev.VA != codeBase || ev.Decision != trace.FilePage {
					t.Errorf("first fault %+v", ev)
				}
				break
			}
		}
	})
}

// EXEC-05: argc 0, too many strings, an over-long one, wild pointers.
func TestEXEC05Arguments(t *testing.T) {
	bubble(t, options{frames: 4096}, func(s *system) {
		s.program("/other", showArgs)
		s.program("/init", func(a *Asm) {
			a.Syscall(abi.SysExecve, "path", uint64(1)<<40, 0).Probe(1)
			a.Syscall(abi.SysExecve, "path", "wild", 0).Probe(2)
			a.Syscall(abi.SysExecve, uint64(1)<<40, 0, 0).Probe(3)
			a.Syscall(abi.SysExecve, "path", 0, uint64(1)<<63).Probe(4)
			// 4 MiB of memory full of pointers to "path", never ended
			a.Syscall(abi.SysMmap, 0x10000000, 8<<20, 3, abi.MAP_PRIVATE|abi.MAP_ANONYMOUS|abi.MAP_FIXED, -1, 0)
			a.Probe(5)
			a.Syscall(abi.SysExecve, "path", 0x10000000, 0).Probe(6)
			a.Syscall(abi.SysExecve, "path", "long", 0).Probe(7)
			a.Syscall(abi.SysExecve, "path", "many", 0).Probe(8)
			a.Syscall(abi.SysExecve, "path", 0, 0).Probe(9)
			a.String("path", "/other").Words("wild", 1<<40, 0)
			a.Words("long", 0x20000000, 0)
			words := make([]uint64, 33)
			for i := range words[:32] {
				words[i] = 0x30000000
			}
			a.Words("many", words...)
		})
		s.onProbe = func(p *Process, id uint32, f *amd64.TrapFrame) {
			switch id {
			case 5:
				page := bytes.Repeat(binary.LittleEndian.AppendUint64(nil, codeBase), 512)
				for va := mm.VirtAddr(0x10000000); va < 0x10800000; va += mm.PageSize {
					must(t, p.space.CopyOut(va, page))
				}
				for _, va := range []mm.VirtAddr{0x20000000, 0x30000000} {
					_, err := p.space.Map(mm.MapRequest{Addr: va, Length: 1 << 18, Prot: mm.ReadWrite, Fixed: mm.FixedReplace})
					must(t, err)
				}
				must(t, p.space.CopyOut(0x20000000, bytes.Repeat([]byte{'x'}, maxString)))
				must(t, p.space.CopyOut(0x30000000, bytes.Repeat([]byte{'y'}, maxString-1)))
			case 50:
				if st := readStack(t, p, f.RSP); len(st.argv) != 1 || st.argv[0] != "" || len(st.envp) != 0 {
					t.Errorf("argv %q, envp %q", st.argv, st.envp)
				}
			}
		}
		s.boot("/init")
		s.want(1, abi.EFAULT, 2, abi.EFAULT, 3, abi.EFAULT, 4, abi.EFAULT, 6, abi.E2BIG, 7, abi.E2BIG, 8, abi.E2BIG)
		s.value(50)
	})
}

// EXEC-05: a great many arguments arrive.
func TestEXEC05ThousandsOfArguments(t *testing.T) {
	bubble(t, options{}, func(s *system) {
		s.program("/other", showArgs)
		const n = 20000
		s.program("/init", func(a *Asm) {
			a.Syscall(abi.SysExecve, "path", "argv", 0).Probe(1)
			a.String("path", "/other").String("arg", "-argument")
			labels := make([]string, n)
			for i := range labels {
				labels[i] = "arg"
			}
			a.Pointers("argv", labels...)
		})
		s.onProbe = func(p *Process, id uint32, f *amd64.TrapFrame) {
			if st := readStack(t, p, f.RSP); len(st.argv) != n || st.argv[n-1] != "-argument" {
				t.Errorf("%d arguments", len(st.argv))
			}
		}
		s.boot("/init")
		s.value(50)
	})
}

// EXEC-13: what a script's interpreter is given.
func TestEXEC13Scripts(t *testing.T) {
	for _, c := range []struct{ script, want string }{
		{"#!/sh\necho", `["/sh" "/prog" "a"]`},
		{"#! /sh  -x  -y \t\n", `["/sh" "-x  -y" "/prog" "a"]`},
		{"#!/sh", `["/sh" "/prog" "a"]`},
		{"#!/sh -x", `["/sh" "-x" "/prog" "a"]`},
		{"#!/sh\x00junk", `["/sh" "/prog" "a"]`},
		{"#!/nested -n\n", `["/sh" "-e" "/nested" "-n" "/prog" "a"]`},
		{"#!/sh " + strings.Repeat("z", 400), `["/sh" "` + strings.Repeat("z", 249) + `" "/prog" "a"]`},
	} {
		bubble(t, options{}, func(s *system) {
			s.program("/sh", showArgs)
			s.write("/nested", []byte("#!/sh -e\n"), 0o755)
			s.write("/prog", []byte(c.script), 0o755)
			s.program("/init", func(a *Asm) {
				a.Syscall(abi.SysExecve, "path", "argv", 0).Probe(1)
				a.String("path", "/prog").String("zero", "zero").String("a", "a").Pointers("argv", "zero", "a")
			})
			s.onProbe = func(p *Process, id uint32, f *amd64.TrapFrame) {
				st := readStack(t, p, f.RSP)
				if got := fmt.Sprintf("%q", st.argv); got != c.want {
					t.Errorf("%q: arguments %s, want %s", c.script, got, c.want)
				}
				if name, err := p.space.CopyInString(mm.VirtAddr(st.auxv[abi.AT_EXECFN]), abi.PATH_MAX); name != "/prog" {
					t.Errorf("%q: AT_EXECFN %q (%v), want the script's path, \"/prog\"", c.script, name, err)
				}
				if p.image.comm != "prog" || p.image.path != "/sh" {
					t.Errorf("comm %q, path %q", p.image.comm, p.image.path)
				}
			}
			s.boot("/init")
			s.value(50)
		})
	}
}

// A new program has the limits that the old one set, for its stack and for its
// memory.
func TestExecKeepsLimits(t *testing.T) {
	const stack, memory = 256 << 10, 4 << 20
	bubble(t, options{}, func(s *system) {
		s.program("/prog", func(a *Asm) {
			a.Syscall(abi.SysMmap, 0, memory, 3, abi.MAP_PRIVATE|abi.MAP_ANONYMOUS, -1, 0).Probe(1)
			load(a, uint64(mm.UserEnd)-stack)
			a.Probe(2)
			load(a, uint64(mm.UserEnd)-stack-8)
			a.Probe(3)
		})
		s.program("/init", func(a *Asm) {
			store(a, varA, stack)
			store(a, varA+8, stack)
			a.Syscall(abi.SysSetrlimit, abi.RLIMIT_STACK, varA)
			store(a, varA, memory)
			store(a, varA+8, memory)
			a.Syscall(abi.SysSetrlimit, abi.RLIMIT_AS, varA)
			a.Syscall(abi.SysExecve, "prog", 0, 0).String("prog", "/prog")
		})
		if got := s.boot("/init"); got != abi.SIGSEGV {
			t.Errorf("status %#x, want SIGSEGV's: nothing lies below the stack's limit", got)
		}
		s.want(1, abi.ENOMEM, 2, 0)
		if len(s.probes) != 2 {
			t.Errorf("probes %v; the stack grew below its limit", s.probes)
		}
	})
}

// EXEC-13: five interpreters in a row, but not six.
func TestEXEC13Recursion(t *testing.T) {
	for n, want := range map[int]abi.Errno{5: 0, 6: abi.ELOOP} {
		bubble(t, options{}, func(s *system) {
			s.program("/s0", func(a *Asm) { a.Mov(RAX, 0).Probe(1); exit(a, 0) })
			for i := 1; i <= n; i++ {
				s.write(fmt.Sprintf("/s%d", i), fmt.Appendf(nil, "#!/s%d\n", i-1), 0o755)
			}
			s.program("/init", func(a *Asm) {
				a.Syscall(abi.SysExecve, "path", 0, 0).Probe(1)
				exit(a, 0)
				a.String("path", fmt.Sprintf("/s%d", n))
			})
			s.boot("/init")
			s.want(1, want)
		})
	}
}

// EXEC-14: what becomes of signals.
func TestEXEC14Signals(t *testing.T) {
	bubble(t, options{}, func(s *system) {
		s.program("/other", func(a *Asm) {
			for i, sig := range []int{abi.SIGUSR1, abi.SIGUSR2, abi.SIGTERM} {
				a.Syscall(abi.SysRtSigaction, sig, 0, varA, 8)
				load(a, varA)
				a.Probe(uint32(1 + i))
				load(a, varA+8)
				a.Probe(uint32(11 + i))
			}
			a.Syscall(abi.SysRtSigprocmask, 0, 0, varA, 8)
			load(a, varA)
			a.Probe(4).Syscall(abi.SysRtSigpending, varA, 8)
			load(a, varA)
			a.Probe(5).Syscall(abi.SysSigaltstack, 0, varA)
			load(a, varA+8)
			a.Probe(6)
			exit(a, 0)
		})
		s.program("/init", func(a *Asm) {
			handler(a, abi.SIGUSR1, "handler", abi.SA_ONSTACK)
			store(a, varB, abi.SIG_IGN)
			store(a, varB+8, abi.SA_RESTART)
			a.Syscall(abi.SysRtSigaction, abi.SIGUSR2, varB, 0, 8)
			store(a, varA, only(abi.SIGUSR1)|only(abi.SIGHUP))
			a.Syscall(abi.SysRtSigprocmask, abi.SIG_SETMASK, varA, 0, 8)
			a.Syscall(abi.SysGetpid).Syscall(abi.SysKill, RAX, abi.SIGUSR1)
			store(a, varC, dataBase+0x1000)
			store(a, varC+16, 4096)
			a.Syscall(abi.SysSigaltstack, varC, 0).Probe(7)
			a.Syscall(abi.SysExecve, "path", 0, 0)
			a.String("path", "/other").Label("handler").Ret()
		})
		s.boot("/init")
		s.want(7, 0, 1, 0, 11, 0, 2, abi.SIG_IGN, 12, 0, 3, 0, 6, abi.SS_DISABLE,
			4, only(abi.SIGUSR1)|only(abi.SIGHUP), 5, only(abi.SIGUSR1))
	})
}

// EXEC-08, EXEC-09: bytes behind the file's part of a segment are zero in
// memory, and still there in the file.
func TestEXEC08TailIsZero(t *testing.T) {
	bubble(t, options{}, func(s *system) {
		code := &Asm{Base: codeBase}
		code.Mov(RBX, 0x500000).Load(RAX, RBX, 0x108).Probe(1).Load(RAX, RBX, 0x110).Probe(2)
		code.Load(RAX, RBX, 0x1ff8).Probe(3).Mov(RCX, 5).Store(RBX, 0x110, RCX).Load(RAX, RBX, 0x110).Probe(4)
		code.Load(RAX, RBX, 0x108).Probe(5)
		exit(code, 0)
		data := bytes.Repeat([]byte{0xdd}, 0x110)
		s.write("/init", elfFile(elfSpec{entry: codeBase, segments: []elfSegment{
			{addr: textBase, flags: elf.Read | elf.Exec, data: append(make([]byte, mm.PageSize), code.Bytes()...), headers: true},
			{addr: 0x500000, flags: elf.Read | elf.Write, data: data, size: 0x2000},
		}}), 0o755)
		file := s.object("/init")
		before := make([]byte, file.Size())
		file.ReadBytes(before, 0)
		s.boot("/init")
		s.want(1, uint64(0xdddddddddddddddd), 2, 0, 3, 0, 4, 5, 5, uint64(0xdddddddddddddddd))
		after := make([]byte, file.Size())
		file.ReadBytes(after, 0)
		if !bytes.Equal(before, after) {
			t.Error("the file has changed")
		}
	})
}

// EXEC-16: a truncated program is SIGBUS past its end.
func TestEXEC16Truncated(t *testing.T) {
	bubble(t, options{}, func(s *system) {
		full := assemble(func(a *Asm) {
			a.Probe(1).Mov(RBX, codeBase+3*mm.PageSize).Load(RAX, RBX, 0).Probe(99)
			a.Raw(make([]byte, 4*mm.PageSize)...)
		})
		s.write("/init", full[:2*mm.PageSize], 0o755)
		if got := s.boot("/init"); got != abi.SIGBUS {
			t.Errorf("status %#x", got)
		}
		if len(s.probes) != 1 || !s.logged("signal 7 (code 2): read of 0x404000, past the end of the file in 0x400000-0x406000 r-x /init; pc=") {
			t.Errorf("probes %v, log %q", s.probes, s.m.Lines())
		}
	})
}

// EXEC-17: a running program cannot be opened for writing.
func TestEXEC17TextBusy(t *testing.T) {
	bubble(t, options{}, func(s *system) {
		s.program("/init", func(a *Asm) {
			a.Syscall(abi.SysOpen, "path", abi.O_RDWR, 0).Probe(1)
			exit(a, 0)
			a.String("path", "/init")
		})
		s.boot("/init")
		s.want(1, abi.ETXTBSY)
	})
}

// A static PIE is moved as a whole.
func TestStaticPIE(t *testing.T) {
	bubble(t, options{}, func(s *system) {
		code := &Asm{Base: pieBase + mm.PageSize}
		code.Label("start").Mov(RBX, "data").Load(RAX, RBX, 0).Probe(1)
		exit(code, 0)
		code.Words("data", 77)
		s.write("/init", elfFile(elfSpec{entry: mm.PageSize, dynamic: true, segments: []elfSegment{
			{addr: 0, flags: elf.Read | elf.Exec, data: append(make([]byte, mm.PageSize), code.Bytes()...), headers: true}}}), 0o755)
		s.boot("/init")
		s.want(1, 77)
	})
}

// EXEC-04, ALL-03: mutated images neither leak nor bring the kernel down.
func TestALL03MutatedImages(t *testing.T) {
	bubble(t, options{quantum: 50}, func(s *system) {
		base := assemble(func(a *Asm) { a.Mov(RBX, dataBase).Load(RAX, RBX, 0); exit(a, 0) })
		rnd := rand.New(rand.NewPCG(1, 2))
		s.write("/prog", base, 0o755)
		s.program("/init", func(a *Asm) {
			a.Label("loop").Probe(1).CmpImm(RAX, 0).Jz("done")
			fork(a, abi.SysVfork, "child")
			sleep(a, 1) // virtual time: whoever still runs has had its share
			a.Syscall(abi.SysKill, R12, abi.SIGKILL)
			wait(a, 0)
			a.Jmp("loop").Label("done")
			exit(a, 0)
			a.Label("child").Syscall(abi.SysExecve, "path", 0, 0)
			exit(a, 1)
			a.String("path", "/prog")
		})
		rounds, free := 0, 0
		s.onProbe = func(p *Process, id uint32, f *amd64.TrapFrame) {
			if rounds++; rounds == 2 {
				free = s.mem.Frames.Free()
			}
			if n := s.mem.Frames.Free(); rounds > 2 && n != free {
				t.Fatalf("round %d: %d frames free, were %d", rounds, n, free)
			}
			f.RAX = 1
			if rounds > 300 {
				f.RAX = 0
				return
			}
			image := bytes.Clone(base)
			for range 1 + rnd.IntN(4) {
				image[rnd.IntN(64+2*56)] = byte(rnd.Uint32())
			}
			s.object("/prog").WriteAt(bytes.NewReader(image), 0)
			s.check()
		}
		s.boot("/init")
	})
}
