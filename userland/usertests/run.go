package usertests

import (
	"strings"

	"yolk/userland/kit"
	"yolk/userland/sys"
)

// timeLimit is how long a test may take, in nanoseconds: far more than any
// needs, also on an emulated machine.
const timeLimit = 120e9

// Exit statuses of a test's process.
const (
	statusFailed  = 1
	statusSkipped = 77
)

// T is what a test talks to.
type T struct {
	log int    // where messages go
	dir string // an empty directory of its own
}

// result is what came of a test.
type result struct {
	ok        bool
	reason    string // why it was skipped
	diagnosis string // what failed, in lines of comment
}

// runOne runs a test in a process of its own, in a directory and a process group
// of its own, of which nothing is left afterwards.
func runOne(t test) result {
	r, w, err := sys.Pipe2(sys.O_CLOEXEC)
	if err != nil {
		return result{diagnosis: kit.Format("# pipe: ", err, "\n")}
	}
	defer sys.Close(r)
	dir := kit.Format("/tmp/usertests.", sys.Getpid())
	removeTree(dir)
	sys.Mkdir(dir, 0o777)
	defer removeTree(dir)
	pid, err := sys.Fork()
	if err != nil {
		sys.Close(w)
		return result{diagnosis: kit.Format("# fork: ", err, "\n")}
	}
	if pid == 0 {
		sys.Setpgid(0, 0)
		sys.Chdir(dir)
		t.run(&T{log: w, dir: dir})
		sys.Exit(0)
	}
	sys.Close(w)
	status, text, late := watch(pid, r)
	sys.Kill(-pid, sys.SIGKILL) // what it left behind
	switch {
	case late:
		text += "still running after two minutes\n"
	case status.Signaled():
		text += kit.Format("ended by ", status, "\n")
	case status.ExitStatus() == statusSkipped:
		return result{reason: strings.TrimSpace(text)}
	case status != 0:
		text += kit.Format("ended with ", status, "\n")
	}
	if status == 0 && !late {
		return result{ok: true}
	}
	return result{diagnosis: "# " + strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n# ") + "\n"}
}

// watch waits for the test's end, but not forever, and collects what it says.
//
// WHY both by poll and by wait: the pipe ends only when all descendants have
// ended, wait knows nothing of time.
func watch(pid, log int) (status sys.WaitStatus, text string, late bool) {
	deadline := sys.Now(sys.ClockMonotonic) + timeLimit
	open := true
	buf := make([]byte, 1024)
	for { // WHY nothing here allocates: tests weigh the machine's memory meanwhile
		if !open {
			sys.Sleep(1e6)
		} else if readable(log, 20) {
			n, _ := kit.Read(log, buf)
			text += string(buf[:max(n, 0)])
			open = n > 0
			continue
		}
		got, status, err := sys.Wait4(pid, sys.WNOHANG)
		switch {
		case got == pid:
			return status, text + drain(log, open), late
		case err != nil && err != sys.EINTR:
			return 0, text + kit.Format("wait: ", err, "\n"), true
		case sys.Now(sys.ClockMonotonic) > deadline:
			late = true
			sys.Kill(pid, sys.SIGKILL)
		}
	}
}

// readable waits up to so many milliseconds for something to read.
func readable(fd, milliseconds int) bool {
	fds := [1]sys.PollFd{{Fd: int32(fd), Events: sys.POLLIN}}
	n, err := sys.Poll(fds[:], milliseconds)
	return err == nil && n > 0
}

// drain reads what is in the pipe without waiting for more.
func drain(log int, open bool) (text string) {
	buf := make([]byte, 1024)
	for open && readable(log, 0) {
		n, _ := kit.Read(log, buf)
		text += string(buf[:max(n, 0)])
		open = n > 0
	}
	return text
}

// removeTree removes a directory with all in it, if it is there.
func removeTree(dir string) {
	entries, err := sys.ReadDir(dir)
	if err != nil {
		return
	}
	for _, e := range entries {
		path := dir + "/" + e.Name
		if st, err := sys.Lstat(path); err == nil && st.IsDir() {
			removeTree(path)
		} else {
			sys.Unlink(path)
		}
	}
	sys.Rmdir(dir)
}

// must ends the test as failed unless ok; the arguments say what was wrong.
// It may be called in a child: the parent sees the child fail.
func (t *T) must(ok bool, what ...any) {
	if !ok {
		kit.Fprint(t.log, append(what, "\n")...)
		sys.Exit(statusFailed)
	}
}

// noErr ends the test unless err is nil.
func (t *T) noErr(err error, what ...any) {
	if err != nil {
		t.must(false, append(what, ": ", err)...)
	}
}

// wantErr ends the test unless err is one of the errors wanted.
func (t *T) wantErr(err error, what string, want ...sys.Errno) {
	for _, w := range want {
		if err == w {
			return
		}
	}
	if err == nil {
		t.must(false, what, ": no error, want ", want[0])
	}
	t.must(false, what, ": ", err, ", want ", want[0])
}

// skip ends the test as one that makes no sense here.
func (t *T) skip(reason ...any) {
	kit.Fprint(t.log, reason...)
	sys.Exit(statusSkipped)
}

// fork runs body in a child, which then exits with status 0.
func (t *T) fork(body func()) int {
	pid, err := sys.Fork()
	t.noErr(err, "fork")
	if pid == 0 {
		body()
		sys.Exit(0)
	}
	return pid
}

// wait waits for a child and gives its status.
func (t *T) wait(pid int) sys.WaitStatus {
	status, err := kit.WaitFor(pid)
	t.noErr(err, "wait for ", pid)
	return status
}

// join waits for a child, which must exit with status 0.
func (t *T) join(pid int) {
	status := t.wait(pid)
	t.must(status == 0, "the child ended with ", status)
}

// child runs body in a child and waits for its good end.
func (t *T) child(body func()) { t.join(t.fork(body)) }

// status runs body in a child and gives how it ended.
func (t *T) status(body func()) sys.WaitStatus { return t.wait(t.fork(body)) }

// dies runs body in a child, which must be ended by one of the signals.
func (t *T) dies(what string, body func(), signals ...int) {
	status := t.status(body)
	for _, s := range signals {
		if status.Signaled() && status.Signal() == s {
			return
		}
	}
	t.must(false, what, ": ended with ", status, ", not by signal ", signals[0])
}

// pages maps n fresh pages.
func (t *T) pages(n int) uintptr {
	addr, err := sys.MapPages(n)
	t.noErr(err, "mmap")
	return addr
}

// file makes a file in the test's directory and gives its path.
func (t *T) file(name, text string, mode int) string {
	path := t.dir + "/" + name
	t.noErr(kit.WriteFile(path, []byte(text), mode), "write ", path)
	return path
}

// open opens a file.
func (t *T) open(path string, flags int) int {
	fd, err := sys.Open(path, flags, 0o666)
	t.noErr(err, "open ", path)
	return fd
}

// mapFile maps n pages of a file.
func (t *T) mapFile(fd, n, prot, flags int) uintptr {
	addr, err := sys.Mmap(0, uintptr(n)*page, prot, flags, fd, 0)
	t.noErr(err, "mmap of a file")
	return addr
}

// pipe makes a pipe.
func (t *T) pipe() (r, w int) {
	r, w, err := sys.Pipe2(0)
	t.noErr(err, "pipe")
	return r, w
}

// A gate lets one process wait until another opens it.
type gate struct{ r, w int }

// gate makes a gate, to be shared by fork.
func (t *T) gate() gate {
	r, w := t.pipe()
	return gate{r, w}
}

// pass waits for the gate to be opened, once.
func (g gate) pass() {
	var b [1]byte
	kit.Read(g.r, b[:])
}

// open lets one process through.
func (g gate) open() { kit.WriteAll(g.w, []byte{1}) }

// sharedPage maps a page that stays shared with children.
func (t *T) sharedPage() uintptr {
	addr, err := sys.Mmap(0, page, sys.PROT_READ|sys.PROT_WRITE, sys.MAP_SHARED|sys.MAP_ANONYMOUS, -1, 0)
	t.noErr(err, "mmap of a shared page")
	return addr
}

// page is the size of a page, as an address.
const page = uintptr(sys.PageSize)

// protections and flags that most mappings here have.
const (
	readWrite = sys.PROT_READ | sys.PROT_WRITE
	private   = sys.MAP_PRIVATE | sys.MAP_ANONYMOUS
)
