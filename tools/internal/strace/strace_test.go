package strace

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"yolk/kernel/abi"
	"yolk/kernel/calls"
	"yolk/kernel/trace"
	"yolk/tools/internal/tracefile"
)

// entered is the record of a call's beginning; texts are pairs of an argument's
// index and a string, which ends in … if it is cut.
func entered(pid int32, nr uint64, args [6]uint64, texts ...any) *tracefile.Record {
	r := &tracefile.Record{Event: trace.Event{Kind: trace.Syscall, PID: pid, VA: nr}, Args: args}
	addTexts(r, texts)
	return r
}

func returned(pid int32, nr uint64, result int64, texts ...any) *tracefile.Record {
	r := &tracefile.Record{Event: trace.Event{Kind: trace.SysReturn, PID: pid, VA: nr, Aux: uint64(result)}}
	addTexts(r, texts)
	return r
}

func addTexts(r *tracefile.Record, texts []any) {
	for i := 0; i < len(texts); i += 2 {
		s, cut := strings.CutSuffix(texts[i+1].(string), "…")
		r.Texts = append(r.Texts, tracefile.Text{Arg: texts[i].(int), Bytes: []byte(s), Cut: cut})
	}
}

const cwd = ^uint64(99) // AT_FDCWD, -100

// TestCalls: what stands left of the bar is known when the call begins.
func TestCalls(t *testing.T) {
	type in = []any
	for _, c := range []struct {
		nr     uint64
		args   [6]uint64
		in     in
		result int64
		out    in
		want   string
	}{
		{abi.SysOpenat, [6]uint64{cwd, 5, abi.O_RDONLY}, in{1, "/etc/motd"}, 3, nil, `openat(AT_FDCWD, "/etc/motd", O_RDONLY|) = 3`},
		{abi.SysOpenat, [6]uint64{0xffffff9c, 5, abi.O_RDWR | abi.O_CREAT | abi.O_CLOEXEC, 0o644}, in{1, "a"}, -2, nil,
			`openat(AT_FDCWD, "a", O_RDWR|O_CREAT|O_CLOEXEC, 0644|) = -1 ENOENT (No such file or directory)`},
		{abi.SysOpen, [6]uint64{0xabc, abi.O_WRONLY | abi.O_SYNC | 1<<30}, nil, -14, nil, `open(0xabc, O_WRONLY|O_SYNC|0x40000000|) = -1 EFAULT (Bad address)`},
		{abi.SysFork, [6]uint64{}, nil, 12, nil, `fork(|) = 12`},
		{abi.SysMmap, [6]uint64{0, 4096, 3, 0x22, ^uint64(0), 0}, nil, 0x7fff00001000, nil,
			`mmap(NULL, 4096, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0|) = 0x7fff00001000`},
		{abi.SysMmap, [6]uint64{0x1000, 4096, 0, abi.MAP_SHARED | abi.MAP_FIXED, 3, 0x2000}, nil, -12, nil,
			`mmap(0x1000, 4096, PROT_NONE, MAP_SHARED|MAP_FIXED, 3, 0x2000|) = -1 ENOMEM (Cannot allocate memory)`},
		{abi.SysBrk, [6]uint64{}, nil, 0x6000, nil, `brk(NULL|) = 0x6000`},
		{abi.SysRead, [6]uint64{0, 0x5000, 64}, nil, 3, in{1, "abc"}, `read(0, |"abc", 64) = 3`},
		{abi.SysRead, [6]uint64{0, 0x5000, 64}, nil, -4, nil, `read(0, |0x5000, 64) = -1 EINTR (Interrupted system call)`},
		{abi.SysWrite, [6]uint64{1, 0x5000, 100}, in{1, "\"\\\a\x00\x009\n\x80…"}, 100, nil, `write(1, "\"\\\7\0\0009\n\200"..., 100|) = 100`},
		{abi.SysWritev, [6]uint64{1, 0x5000, 2}, in{1, "a", 1, "b…"}, 2, nil, `writev(1, ["a", "b"...], 2|) = 2`},
		{abi.SysExecve, [6]uint64{1, 2, 3}, in{0, "/bin/ls", 1, "ls", 1, "-l"}, 0, nil, `execve("/bin/ls", ["ls", "-l"], 0x3|) = 0`},
		{abi.SysRename, [6]uint64{1, 2}, in{1, "b"}, 0, nil, `rename(0x1, "b"|) = 0`},
		{abi.SysPipe2, [6]uint64{0x5000, abi.O_CLOEXEC}, nil, 0, in{0, "\x03\x00\x00\x00\x04\x00\x00\x00"}, `pipe2(|[3, 4], O_CLOEXEC) = 0`},
		{abi.SysPipe, [6]uint64{0x5000}, nil, -24, nil, `pipe(|0x5000) = -1 EMFILE (Too many open files)`},
		{abi.SysWait4, [6]uint64{^uint64(0), 0x5000, abi.WNOHANG | abi.WUNTRACED}, nil, 7, in{1, "\x00\x03\x00\x00"},
			`wait4(-1, |[{WIFEXITED(s) && WEXITSTATUS(s) == 3}], WNOHANG|WUNTRACED, NULL) = 7`},
		{abi.SysWait4, [6]uint64{7, 0x5000}, nil, 7, in{1, "\x8b\x00\x00\x00"}, `wait4(7, |[{WIFSIGNALED(s) && WTERMSIG(s) == SIGSEGV}], 0, NULL) = 7`},
		{abi.SysWait4, [6]uint64{7, 0x5000}, nil, 7, in{1, "\x7f\x13\x00\x00"}, `wait4(7, |[{WIFSTOPPED(s) && WSTOPSIG(s) == SIGSTOP}], 0, NULL) = 7`},
		{abi.SysWait4, [6]uint64{7, 0x5000}, nil, 7, in{1, "\xff\xff\x00\x00"}, `wait4(7, |[{WIFCONTINUED(s)}], 0, NULL) = 7`},
		{abi.SysNanosleep, [6]uint64{0x5000}, in{0, "\x03" + strings.Repeat("\x00", 15)}, 0, nil, `nanosleep({tv_sec=3, tv_nsec=0}, NULL|) = 0`},
		{abi.SysClone, [6]uint64{abi.CLONE_VM | abi.CLONE_VFORK | abi.SIGCHLD, 0x5000}, nil, 9, nil, `clone(CLONE_VM|CLONE_VFORK|SIGCHLD, 0x5000, NULL, NULL, 0|) = 9`},
		{abi.SysClone, [6]uint64{abi.SIGCHLD}, nil, 9, nil, `clone(SIGCHLD, NULL, NULL, NULL, 0|) = 9`},
		{abi.SysKill, [6]uint64{5, abi.SIGKILL}, nil, 0, nil, `kill(5, SIGKILL|) = 0`},
		{abi.SysKill, [6]uint64{5, 63}, nil, 0, nil, `kill(5, signal 63|) = 0`},
		{abi.SysFcntl, [6]uint64{1, abi.F_GETFD, 99}, nil, 1, nil, `fcntl(1, F_GETFD|) = 1`},
		{abi.SysFcntl, [6]uint64{1, abi.F_SETFD, 1}, nil, 0, nil, `fcntl(1, F_SETFD, 0x1|) = 0`},
		{abi.SysFutex, [6]uint64{0x5000, abi.FUTEX_WAKE | abi.FUTEX_PRIVATE_FLAG, 1, 99}, nil, 0, nil, `futex(0x5000, FUTEX_WAKE|FUTEX_PRIVATE_FLAG, 1|) = 0`},
		{abi.SysFutex, [6]uint64{0x5000, abi.FUTEX_WAIT, 1}, nil, -11, nil, `futex(0x5000, FUTEX_WAIT, 1, NULL|) = -1 EAGAIN (Resource temporarily unavailable)`},
		{abi.SysMremap, [6]uint64{0x5000, 1, 2, abi.MREMAP_MAYMOVE, 99}, nil, 0x6000, nil, `mremap(0x5000, 1, 2, MREMAP_MAYMOVE|) = 0x6000`},
		{abi.SysUmask, [6]uint64{0o22}, nil, 0o77, nil, `umask(022|) = 077`},
		{abi.SysLseek, [6]uint64{3, ^uint64(0), abi.SEEK_END}, nil, 5, nil, `lseek(3, -1, SEEK_END|) = 5`},
		{abi.SysAccess, [6]uint64{1}, in{0, "a"}, 0, nil, `access("a", F_OK|) = 0`},
		{abi.SysMknod, [6]uint64{1, abi.S_IFCHR | 0o600, abi.Mkdev(5, 1)}, in{0, "a"}, 0, nil, `mknod("a", 020600, makedev(0x5, 0x1)|) = 0`},
		{abi.SysExitGroup, [6]uint64{3}, nil, 0, nil, `exit_group(3|) = ?`},
		{abi.SysGetpid, [6]uint64{1, 2, 3}, nil, -4096, nil, `getpid(|) = -4096`},
		{400, [6]uint64{1, 0, 3}, nil, -38, nil, `syscall_400(0x1, 0, 0x3, 0, 0, 0|) = -1 ENOSYS (Function not implemented)`},
		{abi.SysClose, [6]uint64{1}, nil, -71, nil, `close(1|) = -1 (errno 71)`},
	} {
		call := New(entered(1, c.nr, c.args, c.in...))
		got := call.Begin() + "|"
		rest, result := call.End(returned(1, c.nr, c.result, c.out...))
		if got += rest + " = " + result; got != c.want {
			t.Errorf("%s\nwant %s", got, c.want)
		}
	}
}

// TestEveryCallIsKnown: each call that the kernel has is known under its name.
func TestEveryCallIsKnown(t *testing.T) {
	names := map[string]bool{}
	for _, c := range calls.All() {
		names[c.Name] = true
		if s := byNumber[uint64(c.Nr)]; s == nil || s.name != c.Name {
			t.Errorf("call %d is %s in the kernel", c.Nr, c.Name)
		}
	}
	// Those of package kernel are in tables that it shows nobody.
	files, err := filepath.Glob(filepath.Join("..", "..", "..", "kernel", "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`\{abi\.Sys\w+, "(\w+)", sys`).FindAllStringSubmatch(string(text), -1) {
			n++
			if !slices.ContainsFunc(signatures, func(s signature) bool { return s.name == m[1] }) {
				t.Errorf("%s is not known", m[1])
			}
		}
	}
	if n < 10 {
		t.Errorf("only %d calls in package kernel: the test looks for the wrong thing", n)
	}
	seen := map[string]bool{}
	for _, s := range signatures {
		if seen[s.name] || len(s.args) > 6 {
			t.Errorf("%s stands twice, or has %d arguments", s.name, len(s.args))
		}
		seen[s.name] = true
	}
}

func event(kind trace.Kind, pid int32, aux uint64, err uint32) *tracefile.Record {
	return &tracefile.Record{Event: trace.Event{Kind: kind, PID: pid, Aux: aux, Err: err}}
}

// story is a program with a child, started by init.
func story() []*tracefile.Record {
	return []*tracefile.Record{
		entered(1, abi.SysFork, [6]uint64{}), event(trace.Fork, 1, 2, 0), returned(1, abi.SysFork, 2),
		entered(2, abi.SysSetsid, [6]uint64{}), returned(2, abi.SysSetsid, 2),
		entered(2, abi.SysExecve, [6]uint64{1}, 0, "/bin/p"), event(trace.Exec, 2, 0, 0), returned(2, abi.SysExecve, 0),
		entered(2, abi.SysFork, [6]uint64{}), event(trace.Fork, 2, 3, 0), returned(2, abi.SysFork, 3),
		entered(2, abi.SysRead, [6]uint64{4, 0x5000, 1}),
		entered(3, abi.SysWrite, [6]uint64{5, 0x5000, 1}, 1, "."), returned(3, abi.SysWrite, 1),
		returned(2, abi.SysRead, 1, 1, "."),
		event(trace.SignalFrame, 2, 0, abi.SIGUSR1),
		entered(3, abi.SysPause, [6]uint64{}), event(trace.SignalKill, 3, 0, abi.SIGKILL), event(trace.Exit, 3, 0, abi.SIGKILL),
		event(trace.Lost, 0, 17, 0),
		returned(2, abi.SysWait4, 3),
		entered(2, abi.SysExitGroup, [6]uint64{7}), event(trace.Exit, 2, 0, 7<<8),
		entered(1, abi.SysGetpid, [6]uint64{}), event(trace.Fork, 1, 9, 0), entered(9, abi.SysGetpid, [6]uint64{}),
	}
}

func TestPrinter(t *testing.T) {
	for follow, want := range map[bool]string{
		false: `execve("/bin/p", NULL, NULL) = 0
fork() = 3
read(4, ".", 1) = 1
--- SIGUSR1 ---
... 17 events lost ...
<... wait4 resumed>) = 3
exit_group(7) = ?
+++ exited with 7 +++
`,
		true: `[pid 2] execve("/bin/p", NULL, NULL) = 0
[pid 2] fork() = 3
[pid 2] read(4,  <unfinished ...>
[pid 3] write(5, ".", 1) = 1
[pid 2] <... read resumed>".", 1) = 1
[pid 2] --- SIGUSR1 ---
[pid 3] pause( <unfinished ...>
[pid 3] --- SIGKILL ---
[pid 3] <... pause resumed>) = ?
[pid 3] +++ killed by SIGKILL +++
[pid 0] ... 17 events lost ...
[pid 2] <... wait4 resumed>) = 3
[pid 2] exit_group(7) = ?
[pid 2] +++ exited with 7 +++
`} {
		var b strings.Builder
		p := NewPrinter(&b, follow)
		for _, r := range story() {
			p.Record(r)
		}
		if b.String() != want {
			t.Errorf("follow %t:\n%s\nwant\n%s", follow, b.String(), want)
		}
	}
}

// TestProgramNeverStarts: nothing is printed of init's own doings.
func TestProgramNeverStarts(t *testing.T) {
	var b strings.Builder
	p := NewPrinter(&b, true)
	for _, r := range []*tracefile.Record{
		event(trace.Fork, 1, 2, 0), entered(2, abi.SysExecve, [6]uint64{}), event(trace.ExecFail, 2, 0, 2),
		returned(2, abi.SysExecve, -2), event(trace.Exit, 2, 0, 127<<8),
	} {
		p.Record(r)
	}
	if b.Len() != 0 {
		t.Errorf("%q", b.String())
	}
}

func TestStatusWords(t *testing.T) {
	for status, want := range map[uint32]string{0: "exited with 0", 3 << 8: "exited with 3", 9: "killed by SIGKILL", 11 | 0x80: "killed by SIGSEGV", 50: "killed by signal 50"} {
		if got := StatusWords(status); got != want {
			t.Errorf("%#x: %s, want %s", status, got, want)
		}
	}
	if ErrnoName(2) != "ENOENT" || ErrnoName(999) != "errno "+strconv.Itoa(999) {
		t.Error(ErrnoName(2), ErrnoName(999))
	}
}
