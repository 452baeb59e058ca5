package proc

import (
	"encoding/binary"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	gostrings "strings"
	"sync"
	"testing"
	"testing/synctest"

	"yolk/arch/amd64"
	"yolk/kernel"
	"yolk/kernel/abi"
	"yolk/kernel/calls"
	"yolk/kernel/fs"
	"yolk/kernel/pipe"
	"yolk/kernel/scripted"
	"yolk/kernel/trace"
	"yolk/kernel/vfs"
	"yolk/kernel/vfs/vfstest"
	"yolk/mm"
)

const (
	codeAt = 0x401000
	dataAt = 0x600000
)

// image is an ELF file with write's code and a page of data.
func image(write func(a *scripted.Asm)) []byte {
	a := &scripted.Asm{Base: codeAt}
	write(a)
	code, le := a.Bytes(), binary.LittleEndian
	out := make([]byte, mm.PageSize)
	copy(out, "\x7fELF\x02\x01\x01")
	for at, v := range map[int]uint16{16: 2, 18: 62, 20: 1, 52: 64, 54: 56, 56: 2} {
		le.PutUint16(out[at:], v)
	}
	le.PutUint64(out[24:], codeAt)
	le.PutUint64(out[32:], 64)
	for i, seg := range [][6]uint64{
		{5<<32 | 1, 0, 0x400000, 0, mm.PageSize + uint64(len(code)), mm.PageSize + uint64(len(code))},
		{6<<32 | 1, 0, dataAt, 0, 8, 2 * mm.PageSize},
	} {
		for j, v := range append(seg[:], mm.PageSize) {
			le.PutUint64(out[64+56*i+8*j:], v)
		}
	}
	return append(out, code...)
}

// world is a kernel whose process 1 has forked process 2, which sleeps; process
// 1 has written to dataAt since.
type world struct {
	*testing.T
	proc *FS
	c    *vfstest.Caller
}

// inWorld runs test at the moment when process 1 comes by its probe, under the
// kernel lock.
func inWorld(t *testing.T, test func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		phys := mm.HostMemory(1024)
		frames := mm.NewFrames(phys)
		frames.AddFree(1, 1023)
		m, log, budget := scripted.New(phys), new(trace.Log), mm.NewBudget(nil, 8<<20)
		kernelRoot, _ := frames.AllocZeroed()
		mem, err := mm.New(mm.Config{Phys: phys, Frames: frames, TLB: m.MMU, Log: log, KernelRoot: kernelRoot})
		if err != nil {
			t.Fatal(err)
		}
		pipes := pipe.NewPool(mem, 64)
		tree, err := fs.New(fs.Config{Memory: mem, Budget: budget, Now: m.Walltime, Pipes: pipes})
		if err != nil {
			t.Fatal(err)
		}
		x := vfs.NewContext(vfs.NewSystem(64, pipes), tree.Root())
		k := kernel.New(kernel.Config{Machine: m, Memory: mem, Log: log, Budget: budget, Calls: calls.All()})
		w := &world{T: t, proc: New(Config{Kernel: k, Names: x, Uptime: m.Nanotime, Walltime: m.Walltime, Cmdline: "quiet x=1",
			Holders: []mm.Holder{k, tree, pipes, holder(kernelRoot)}})}
		w.c = vfstest.New(new(sync.Mutex), 1)
		w.files(x)
		tested := false
		m.Probe = func(uint32, *amd64.TrapFrame) { tested = true; test(w) }
		if err := k.Start("/bin/init", []string{"init", "arg two"}, []string{"A=b"}, vfs.NewTable(budget), x.Clone()); err != nil {
			t.Fatal(err)
		}
		if k.Run(); !tested {
			t.Error("the program never came by its probe")
		}
	})
}

// holder holds one frame.
type holder mm.Frame

// Hold implements mm.Holder.
func (f holder) Hold(c *mm.Checker) { c.Frame(mm.Frame(f)) }

// files makes what the program needs, and mounts /proc.
func (w *world) files(x *vfs.Context) {
	mk := func(path string, mode uint32, data []byte) vfs.Node {
		at, err := x.Walk(nil, nil, path, vfs.MayLack)
		if err != nil {
			w.Fatal(err)
		}
		n, err := at.Dir.Create(nil, at.Name, mode, 0)
		if err != nil {
			w.Fatal(err)
		}
		if data != nil {
			h, _ := n.Open(nil, abi.O_WRONLY)
			h.Write(nil, &vfstest.Source{Data: data}, 0)
			h.Close()
		}
		return n
	}
	mk("/bin", abi.S_IFDIR|0o755, nil)
	x.System.Mount(mk("/proc", abi.S_IFDIR|0o755, nil).(vfs.Dir), w.proc.Root())
	mk("/bin/gone", abi.S_IFREG|0o600, nil)
	mk("/bin/idle", abi.S_IFREG|0o600, []byte("nobody has it open"))
	mk("/bin/init", abi.S_IFREG|0o755, image(func(a *scripted.Asm) {
		a.Syscall(abi.SysChdir, "bin").Syscall(abi.SysOpen, "self", abi.O_RDONLY, 0)
		a.Syscall(abi.SysPipe, dataAt+64).Syscall(abi.SysOpen, "gone", abi.O_RDWR, 0).Syscall(abi.SysUnlink, "gone")
		a.Syscall(abi.SysWrite, 2, dataAt, 8).Syscall(abi.SysWrite, 3, dataAt, 8)
		a.Syscall(abi.SysMmap, 0x10000000, 0x3000, 3, abi.MAP_SHARED|abi.MAP_ANONYMOUS|abi.MAP_FIXED, -1, 0)
		a.Mov(scripted.RBX, 0x10000000).Store(scripted.RBX, 0, scripted.RBX)
		a.Mov(scripted.RBX, dataAt).Store(scripted.RBX, 0, scripted.RBX).Store(scripted.RBX, mm.PageSize, scripted.RBX)
		a.Syscall(abi.SysFork).CmpImm(scripted.RAX, 0).Jz("child")
		a.Syscall(abi.SysNanosleep, "second", 0).Mov(scripted.RBX, dataAt).Store(scripted.RBX, 0, scripted.RBX)
		a.Probe(1).Syscall(abi.SysKill, 2, abi.SIGKILL).Syscall(abi.SysExitGroup, 0)
		a.Label("child").Syscall(abi.SysPause).Jmp("child")
		a.String("bin", "/bin").String("self", "/bin/init").String("gone", "gone").Words("second", 1, 0)
	}))
}

// open opens a path below /proc.
func (w *world) open(path string) vfs.Handle {
	w.Helper()
	at, err := w.proc.Names.Walk(w.c, nil, "/proc/"+path, 0)
	if err != nil {
		w.Fatalf("%s: %v", path, err)
	}
	h, err := at.Node.Open(w.c, abi.O_RDONLY)
	if err != nil {
		w.Fatalf("%s: %v", path, err)
	}
	return h
}

// read reads a file in pieces of n bytes.
func (w *world) read(path string, n int) string {
	w.Helper()
	h, all := w.open(path), &vfstest.Sink{Room: 1 << 20}
	for got := -1; got != 0; {
		sink := &vfstest.Sink{Room: n}
		var err error
		if got, err = h.Read(w.c, sink, int64(len(all.Data))); err != nil || got != len(sink.Data) {
			w.Fatalf("%s: %d, %v", path, got, err)
		}
		all.Write(sink.Data)
	}
	return string(all.Data)
}

func (w *world) match(path, pattern string) []string {
	w.Helper()
	text := w.read(path, 1<<16)
	found := regexp.MustCompile(pattern).FindStringSubmatch(text)
	if found == nil {
		w.Errorf("%s does not match %q:\n%s", path, pattern, text)
	}
	return found
}

func TestTextFiles(t *testing.T) {
	inWorld(t, func(w *world) {
		for path, pattern := range map[string]string{
			"cmdline":     `^quiet x=1\n$`,
			"self/comm":   `^init\n$`,
			"1/cmdline":   `^init\x00arg two\x00$`,
			"2/environ":   `^A=b\x00$`,
			"1/stat":      `^1 \(init\) R 0 1 1 0 -1 (0 ){5}\d+ \d+ 0 0 20 0 1 0 \d+ \d+ \d+ 18446744073709551615 (\d+ ){26}0\n$`,
			"2/stat":      `^2 \(init\) S 1 1 1 `,
			"2/status":    `^Name:\tinit\nState:\tS \(sleeping\)\nTgid:\t2\nNgid:\t0\nPid:\t2\nPPid:\t1\n[^$]*VmRSS:\t +\d+ kB\n`,
			"1/statm":     `^\d+ \d+ 0 0 0 \d+ 0\n$`,
			"meminfo":     `^MemTotal: +4092 kB\nMemFree: +\d+ kB\nMemAvailable: +\d+ kB\n`,
			"uptime":      `^1\.\d\d [01]\.\d\d\n$`,
			"loadavg":     `^0.00 0.00 0.00 1/2 0\n$`,
			"mounts":      `proc /proc proc rw 0 0\n$`,
			"version":     `^Linux version \d`,
			"filesystems": `^nodev\ttmpfs\n`,
			"stat":        `^cpu  \d+ 0 0 \d+ 0 0 0 0 0 0\ncpu0 .*\nintr 0\nctxt 0\nbtime \d+\nprocesses 2\nprocs_running 1\nprocs_blocked 0\n$`,
			"vmstat":      `(?s)^nr_free \d+\nfault_zero [1-9]\d*\n.*cow_copy 1\ncow_reuse 0\n.*forks 1\nvforks 0\nexecs 1\n`,
		} {
			w.match(path, pattern)
		}
		if n := len(gostrings.Fields(w.read("1/stat", 99))); n != 52 {
			w.Errorf("stat has %d fields", n)
		}
	})
}

// TestMaps holds the format to the column: addresses, rights, offset, device,
// inode, and the name from column 73 on (proc_pid_maps(5)).
func TestMaps(t *testing.T) {
	inWorld(t, func(w *world) {
		text := w.read("self/maps", 1<<16)
		line := regexp.MustCompile(`^[0-9a-f]{8,}-[0-9a-f]{8,} [r-][w-][x-][ps] [0-9a-f]{8} [0-9a-f]{2}:[0-9a-f]{2} \d+( +(/bin/init|\[stack\]|\[heap\]))?$`)
		names := map[string]bool{}
		for l := range gostrings.Lines(text) {
			l = gostrings.TrimSuffix(l, "\n")
			if !line.MatchString(l) {
				w.Errorf("%q", l)
			}
			if len(l) > 73 {
				names[l[73:]] = true
				if l[72] != ' ' {
					w.Errorf("no blank before column 73: %q", l)
				}
			}
		}
		if !names["/bin/init"] || !names["[stack]"] {
			w.Errorf("names %v in\n%s", names, text)
		}
		w.match("self/maps", `\n10000000-10003000 rw-s 00000000 `)
		at, _ := w.proc.Names.Walk(nil, nil, "/bin/init", 0)
		w.match("self/maps", fmt.Sprintf(`00400000-00402000 r-xp 00000000 00:01 %d +/bin/init\n`, at.Node.Stat().Ino))
	})
}

// TestCheck: what the program holds, a file without a name, bytes in a pipe and shared
// memory among it, is known; a reference too many is noticed; whoever cannot pay
// is told so.
func TestCheck(t *testing.T) {
	inWorld(t, func(w *world) {
		w.match("check", `^clean\n$`)
		frames := w.proc.Kernel.Memory().Frames
		e, _ := w.proc.Kernel.Process(1).Space().Entry(dataAt)
		frames.Get(e.Frame())
		w.match("check", fmt.Sprintf(`^mm: .* %#x .* 2 references`, uint64(e.Frame())))
		frames.Put(e.Frame())
		w.match("check", `^clean\n$`)
		all := w.c.Budget().Left()
		w.c.Budget().Charge(all)
		if _, err := w.open("check").Read(w.c, &vfstest.Sink{Room: 99}, 0); err != mm.ErrNoMemory {
			w.Errorf("with an empty budget: %v", err)
		}
		w.c.Budget().Release(all)
	})
}

func TestTextIsTheSameInAnyPieces(t *testing.T) {
	inWorld(t, func(w *world) {
		for _, path := range []string{"1/maps", "1/pagetable", "1/cmdline", "meminfo", "2/status"} {
			want := w.read(path, 1<<16)
			for _, n := range []int{1, 7, 100} {
				if got := w.read(path, n); got != want {
					w.Errorf("%s in pieces of %d differs", path, n)
				}
			}
			h, sink := w.open(path), &vfstest.Sink{Room: 5}
			h.Read(w.c, &vfstest.Sink{Room: 1 << 16}, 0)
			if h.Read(w.c, sink, 3); string(sink.Data) != want[3:8] {
				w.Errorf("%s, backwards: %q", path, sink.Data)
			}
			if n, err := h.Read(w.c, sink, 1<<20); n != 0 || err != nil {
				w.Errorf("%s, behind its end: %d, %v", path, n, err)
			}
		}
	})
}

// TestLongTextComesInRecords reads maps and pagetable of a process with so many
// regions and pages that they are made in several records.
func TestLongTextComesInRecords(t *testing.T) {
	inWorld(t, func(w *world) {
		space := w.proc.Kernel.Process(2).Space()
		for i := range mm.VirtAddr(300) {
			va := 0x20000000 + 2*mm.PageSize*i
			if _, err := space.Map(mm.MapRequest{Addr: va, Length: mm.PageSize, Prot: mm.Read | mm.Write, MaxProt: mm.AllProt, Fixed: mm.FixedReplace}); err != nil {
				w.Fatal(err)
			}
			if err := space.CopyOut(va, []byte("x")); err != nil {
				w.Fatal(err)
			}
		}
		for _, path := range []string{"2/maps", "2/pagetable"} {
			long := w.read(path, 1<<20)
			if n := gostrings.Count(long, "\n"); n < 300 || n > 330 || long != w.read(path, 999) {
				w.Errorf("%s: %d lines, or other ones in pieces", path, n)
			}
			lines := gostrings.Split(long, "\n")
			slices.Sort(lines)
			if len(slices.Compact(lines)) < 300 {
				w.Errorf("%s: lines are there twice", path)
			}
		}
	})
}

// TestPages reads what cowdemo reads: the page that process 1 wrote after the
// fork has a frame of its own, the page beside it is shared and marked.
func TestPages(t *testing.T) {
	inWorld(t, func(w *world) {
		entry := func(pid int, va uint64) (frame uint64, flags string, refs int) {
			m := w.match(strconv.Itoa(pid)+"/pagetable", fmt.Sprintf(`(?s)^root=0x[0-9a-f]+000\n.*0x%012x frame=0x([0-9a-f]+) ([PWUNADC-]{7}) refs=(\d+)\n`, va))
			frame, _ = strconv.ParseUint(m[1], 16, 64)
			refs, _ = strconv.Atoi(m[3])
			return frame, m[2], refs
		}
		word := func(path string, index uint64) uint64 {
			sink := &vfstest.Sink{Room: 8}
			if n, err := w.open(path).Read(w.c, sink, int64(8*index)); n != 8 || err != nil {
				w.Fatalf("%s: %d, %v", path, n, err)
			}
			return binary.LittleEndian.Uint64(sink.Data)
		}
		for _, c := range []struct {
			va    uint64
			flags string
			refs  int
			count uint64
			bits  uint64
			same  bool // in both processes
		}{
			{dataAt, "PWUNAD-", 1, 1, pagePresent | pageExclusive, false},
			{dataAt + mm.PageSize, "P-UNADC", 2, 2, pagePresent, true},
			{codeAt, "P-U-A--", 3, 2, pagePresent | pageFile, true},
			{0x10000000, "PWUNAD-", 3, 2, pagePresent | pageFile, true},
		} {
			frame, flags, refs := entry(1, c.va)
			other, _, _ := entry(2, c.va)
			if flags != c.flags || refs != c.refs || frame == other != c.same {
				w.Errorf("%#x: %s, %d references, frames %#x and %#x; want %+v", c.va, flags, refs, frame, other, c)
			}
			if got := word("1/pagemap", c.va/mm.PageSize); got != c.bits|frame {
				w.Errorf("%#x: pagemap %#x, want %#x", c.va, got, c.bits|frame)
			}
			if got := word("kpagecount", frame); got != c.count {
				w.Errorf("%#x: frame is mapped %d times, want %d", c.va, got, c.count)
			}
		}
		if got := word("1/pagemap", 1); got != 0 {
			w.Errorf("pagemap of a page that is not there: %#x", got)
		}
		if n := len(w.read("kpagecount", 1<<16)); n != 8*1024 {
			w.Errorf("kpagecount has %d bytes", n)
		}
		h := w.open("1/pagemap")
		for _, c := range []struct{ off, n int64 }{{4, 8}, {8, 9}} {
			if _, err := h.Read(w.c, &vfstest.Sink{Room: int(c.n)}, c.off); err != vfs.ErrInvalid {
				w.Errorf("pagemap, %d bytes at %d: %v", c.n, c.off, err)
			}
		}
		if n, err := h.Read(w.c, &vfstest.Sink{Room: 8}, 1<<50); n != 0 || err != nil {
			w.Errorf("pagemap behind its end: %d, %v", n, err)
		}
	})
}

func TestLinks(t *testing.T) {
	inWorld(t, func(w *world) {
		for path, want := range map[string]string{
			"self": "1", "1/exe": "/bin/init", "self/cwd": "/bin", "2/fd/0": "/bin/init", "1/fd/3": "/bin/gone (deleted)",
		} {
			at, err := w.proc.Names.Walk(w.c, nil, "/proc/"+path, vfs.NoFollow)
			if err != nil {
				w.Fatalf("%s: %v", path, err)
			}
			if got, err := at.Node.(vfs.Symlink).Readlink(w.c); got != want || err != nil {
				w.Errorf("%s: %q, %v, want %q", path, got, err, want)
			}
		}
		at, _ := w.proc.Names.Walk(w.c, nil, "/proc/1/fd/1", vfs.NoFollow)
		if got, _ := at.Node.(vfs.Symlink).Readlink(w.c); !regexp.MustCompile(`^pipe:\[\d+\]$`).MatchString(got) {
			w.Errorf("pipe: %q", got)
		}
		for _, path := range []string{"/proc/1/fd/3", "/proc/1/fd/2", "/proc/self/exe"} { // a file without a name, a pipe, a program
			d, err := w.proc.Names.Open(w.c, nil, path, abi.O_RDONLY, 0)
			if err != nil {
				w.Errorf("open %s: %v", path, err)
				continue
			}
			d.Drop()
		}
		if at, err := w.proc.Names.Walk(w.c, nil, "/proc/2/cwd/init", 0); err != nil || at.Node.Stat().Mode&abi.S_IFMT != abi.S_IFREG {
			w.Errorf("through cwd: %v", err)
		}
	})
}

func TestDirectories(t *testing.T) {
	inWorld(t, func(w *world) {
		list := func(path string) (names []string) {
			d, err := w.proc.Names.Open(w.c, nil, path, abi.O_RDONLY, 0)
			if err != nil {
				w.Fatal(err)
			}
			defer d.Drop()
			for n := -1; n != 0; {
				n = 0
				d.ReadDir(w.c, func(e vfs.Entry) bool { // one at a time
					if n++; n == 1 {
						names = append(names, e.Name)
						at, err := w.proc.Names.Walk(w.c, nil, path+"/"+e.Name, vfs.NoFollow)
						if st := at.Node.Stat(); err != nil || e.Name != ".." && (st.Ino != e.Ino || st.Mode&abi.S_IFMT != e.Mode&abi.S_IFMT) {
							w.Errorf("%s/%s: %v, inode %d, listed %+v", path, e.Name, err, st.Ino, e)
						}
					}
					return n == 1
				})
			}
			return names
		}
		for path, want := range map[string]string{
			"/proc":      ". .. self check cmdline filesystems kpagecount loadavg meminfo mounts stat uptime version vmstat 1 2",
			"/proc/2":    ". .. cmdline comm cwd environ exe fd maps pagemap pagetable stat statm status",
			"/proc/1/fd": ". .. 0 1 2 3",
		} {
			if got := gostrings.Join(list(path), " "); got != want {
				w.Errorf("%s: %s", path, got)
			}
		}
		for path, want := range map[string]error{
			"/proc/3": vfs.ErrNotExist, "/proc/01": vfs.ErrNotExist, "/proc/none": vfs.ErrNotExist, "/proc/1/none": vfs.ErrNotExist,
			"/proc/1/fd/9": vfs.ErrNotExist, "/proc/1/fd/x": vfs.ErrNotExist, "/proc/1/fd/../../2/../1/fd": nil,
		} {
			if _, err := w.proc.Names.Walk(w.c, nil, path, 0); !errors.Is(err, want) {
				w.Errorf("%s: %v", path, err)
			}
		}
		if _, err := w.proc.Names.Open(w.c, nil, "/proc/version", abi.O_WRONLY, 0); err != vfs.ErrAccess {
			w.Errorf("writing: %v", err)
		}
		if _, err := w.proc.Root().Create(w.c, "x", abi.S_IFREG, 0); err != vfs.ErrPerm {
			w.Errorf("creating: %v", err)
		}
		h := &handle{file: &file{node{fs: w.proc, pid: 99}, &pidFiles[0]}}
		if _, err := h.Read(w.c, &vfstest.Sink{Room: 1}, 0); err != abi.ESRCH {
			w.Errorf("reading about a process that has gone: %v", err)
		}
	})
}
