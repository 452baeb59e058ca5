package usertests

import (
	"yolk/userland/kit"
	"yolk/userland/sys"
)

func pointerTests() []test {
	return []test{
		{"COW-13-wild-pointers", portable, pointerWild},
		{"COW-13-pointers-to-read-only-memory", portable, pointerReadOnly},
		{"COW-13-lengths-that-wrap", portable, pointerWrap},
		{"ENOSYS-unknown-calls", portable, unknownCalls},
	}
}

// wild are addresses that no user may hand over.
var wild = []uintptr{
	1, 0xfff, 0x7000_0000_0000, 0x7fff_ffff_ffff, 0x8000_0000_0000, 0x8000_0000_0000_0000,
	0xffff_8000_0000_0000, 0xffff_8000_0010_0000, 0xffff_ffff_8020_0000, ^uintptr(0) - 4095, ^uintptr(0),
}

// A pointerCall is a system call with one argument that is a pointer; bad makes
// the call with another in its place.
type pointerCall struct {
	what string
	bad  func(p uintptr) sys.Errno
}

// pointerCalls lists the calls; reads are those in which the kernel writes
// through the pointer.
func pointerCalls(t *T) (reads, writes []pointerCall) {
	path := sys.PinString(t.file("f", "0123456789abcdef", 0o644))
	fd := uintptr(t.open(t.dir+"/f", sys.O_RDWR))
	dirFd := uintptr(t.open(t.dir, sys.O_RDONLY))
	r, w := t.pipe()
	zero := uintptr(t.open("/dev/zero", sys.O_RDONLY))
	link := sys.PinString(t.dir + "/link")
	t.noErr(sys.Symlink("target", t.dir+"/link"), "symlink")
	cwd := ^uintptr(99) // AT_FDCWD
	at := func(nr uintptr, index int, args ...uintptr) func(uintptr) sys.Errno {
		var a [6]uintptr
		copy(a[:], args)
		return func(p uintptr) sys.Errno {
			a[index] = p
			_, e := sys.Call(nr, a[0], a[1], a[2], a[3], a[4], a[5])
			return e
		}
	}
	rewound := func(do func(uintptr) sys.Errno) func(uintptr) sys.Errno {
		return func(p uintptr) sys.Errno {
			sys.Call(sys.SysLseek, fd, 0, 0, 0, 0, 0)
			sys.Call(sys.SysLseek, dirFd, 0, 0, 0, 0, 0)
			sys.Call(sys.SysWrite, uintptr(w), path, 8, 0, 0, 0)
			return do(p)
		}
	}
	words := func(v ...int64) uintptr { return sys.PinWords(v) }
	reads = []pointerCall{
		{"read of a file", rewound(at(sys.SysRead, 1, fd, 0, 8))},
		{"read of a pipe", rewound(at(sys.SysRead, 1, uintptr(r), 0, 8))},
		{"read of zeros", at(sys.SysRead, 1, zero, 0, 8)},
		{"fstat", at(sys.SysFstat, 1, fd, 0)},
		{"stat", at(sys.SysStat, 1, path, 0)},
		{"lstat", at(sys.SysLstat, 1, path, 0)},
		{"newfstatat", at(sys.SysNewfstatat, 2, cwd, path, 0, 0)},
		{"pipe", at(sys.SysPipe, 0)},
		{"pipe2", at(sys.SysPipe2, 0)},
		{"getcwd", at(sys.SysGetcwd, 0, 0, 4096)},
		{"uname", at(sys.SysUname, 0)},
		{"readlink", at(sys.SysReadlink, 1, link, 0, 100)},
		{"getdents64", rewound(at(sys.SysGetdents64, 1, dirFd, 0, 4096))},
		{"clock_gettime", at(sys.SysClockGettime, 1, 1, 0)},
		{"gettimeofday", at(sys.SysGettimeofday, 0)},
		{"times", at(sys.SysTimes, 0)},
		{"getrandom", at(sys.SysGetrandom, 0, 0, 16)},
		{"prlimit64, old", at(sys.SysPrlimit64, 3, 0, 7, 0)},
		{"rt_sigaction, old", at(sys.SysRtSigaction, 2, 10, 0, 0, 8)},
		{"rt_sigprocmask, old", at(sys.SysRtSigprocmask, 2, 0, 0, 0, 8)},
		{"rt_sigpending", at(sys.SysRtSigpending, 0, 0, 8)},
		{"sigaltstack, old", at(sys.SysSigaltstack, 1)},
	}
	writes = []pointerCall{
		{"write to a file", at(sys.SysWrite, 1, fd, 0, 8)},
		{"write to a pipe", at(sys.SysWrite, 1, uintptr(w), 0, 8)},
		{"open", at(sys.SysOpen, 0)},
		{"openat", at(sys.SysOpenat, 1, cwd, 0)},
		{"stat, path", at(sys.SysStat, 0, 0, words(make([]int64, 32)...))},
		{"newfstatat, path", at(sys.SysNewfstatat, 1, cwd, 0, words(make([]int64, 32)...))},
		{"access", at(sys.SysAccess, 0)},
		{"chdir", at(sys.SysChdir, 0)},
		{"mkdir", at(sys.SysMkdir, 0)},
		{"rmdir", at(sys.SysRmdir, 0)},
		{"unlink", at(sys.SysUnlink, 0)},
		{"chmod", at(sys.SysChmod, 0)},
		{"rename, from", at(sys.SysRename, 0, 0, path)},
		{"rename, to", at(sys.SysRename, 1, path)},
		{"link, to", at(sys.SysLink, 1, path)},
		{"symlink, target", at(sys.SysSymlink, 0, 0, path)},
		{"readlink, path", at(sys.SysReadlink, 0, 0, words(make([]int64, 8)...), 64)},
		{"utimensat", at(sys.SysUtimensat, 2, cwd, path)},
		{"nanosleep", at(sys.SysNanosleep, 0)},
		{"poll", at(sys.SysPoll, 0, 0, 1, 0)},
		{"writev", at(sys.SysWritev, 1, fd, 0, 1)},
		{"readv", at(sys.SysReadv, 1, fd, 0, 1)},
		{"execve", at(sys.SysExecve, 0)},
		{"rt_sigaction", at(sys.SysRtSigaction, 1, 10, 0, 0, 8)},
		{"rt_sigprocmask", at(sys.SysRtSigprocmask, 1, 0, 0, 0, 8)},
		{"rt_sigsuspend", at(sys.SysRtSigsuspend, 0, 0, 8)},
		{"sigaltstack", at(sys.SysSigaltstack, 0)},
		{"prlimit64", at(sys.SysPrlimit64, 2, 0, 7)},
		{"writev, a part", func(p uintptr) sys.Errno {
			return at(sys.SysWritev, 1, fd, 0, 1)(words(int64(p), 8))
		}},
		{"readv, a part", rewound(func(p uintptr) sys.Errno {
			return at(sys.SysReadv, 1, fd, 0, 1)(words(int64(p), 8))
		})},
	}
	return reads, writes
}

// pointerWild: every call, every wild pointer: EFAULT.
func pointerWild(t *T) {
	reads, writes := pointerCalls(t)
	for _, c := range append(reads, writes...) {
		for _, p := range wild {
			e := c.bad(p)
			t.must(e == sys.EFAULT, c.what, " with a pointer ", kit.Hex(p), ": ", e)
		}
	}
}

// pointerReadOnly: results that would go to text, to a read-only page, to a page
// that may not be touched at all: EFAULT, and nothing is written.
func pointerReadOnly(t *T) {
	reads, writes := pointerCalls(t)
	readOnly, none := t.pages(1), t.pages(1)
	sys.Poke(readOnly, 0x77)
	t.noErr(sys.Mprotect(readOnly, page, sys.PROT_READ), "mprotect")
	t.noErr(sys.Mprotect(none, page, sys.PROT_NONE), "mprotect")
	for _, c := range reads {
		for _, p := range []uintptr{readOnly, none, textAddress(t)} {
			e := c.bad(p)
			t.must(e == sys.EFAULT, c.what, " to ", kit.Hex(p), ": ", e)
		}
		t.must(sys.Peek(readOnly) == 0x77, c.what, " wrote to a read-only page")
	}
	for _, c := range writes {
		e := c.bad(none)
		t.must(e == sys.EFAULT, c.what, " from PROT_NONE: ", e)
	}
}

// pointerWrap: lengths that run into the kernel's half, or around.
func pointerWrap(t *T) {
	fd := uintptr(t.open(t.file("f", "x", 0o644), sys.O_RDWR))
	addr := t.pages(1)
	_, e := sys.Call(sys.SysWrite, fd, 0x7fff_ffff_e000, 1<<47, 0, 0, 0)
	t.must(e == sys.EFAULT, "a write that runs into the kernel's half: ", e)
	for _, length := range []uintptr{^uintptr(0), ^uintptr(0) - addr, 1 << 63} {
		_, e := sys.Call(sys.SysWrite, fd, addr, length, 0, 0, 0)
		t.must(e == sys.EFAULT || e == sys.EINVAL, "a write of ", kit.Hex(length), " bytes: ", e)
	}
	for _, c := range [][2]uintptr{{addr, ^uintptr(0)}, {^uintptr(0) &^ 4095, 8192}, {1 << 46, 1<<64 - 1<<46}} {
		_, e := sys.Call(sys.SysMunmap, c[0], c[1], 0, 0, 0, 0)
		t.must(e == sys.EINVAL, "munmap of ", kit.Hex(c[0]), "+", kit.Hex(c[1]), ": ", e)
		_, e = sys.Call(sys.SysMprotect, c[0], c[1], sys.PROT_READ, 0, 0, 0)
		t.must(e == sys.EINVAL || e == sys.ENOMEM, "mprotect of ", kit.Hex(c[0]), "+", kit.Hex(c[1]), ": ", e)
	}
}

// unknownCalls: numbers that mean nothing.
func unknownCalls(t *T) {
	for _, nr := range []uintptr{400, 999, 5000, 1 << 20, 1<<31 - 1, 1 << 31} {
		_, e := sys.Call(nr, 1, 2, 3, 4, 5, 6)
		t.must(e == sys.ENOSYS, "call ", kit.Hex(nr), ": ", e)
	}
}
