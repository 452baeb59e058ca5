package kernel

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"yolk/kernel/abi"
	"yolk/kernel/signal"
	"yolk/kernel/vfs"
	"yolk/mm"
)

// gate is a process without a program: a test makes its system calls and reads
// and writes its memory, one page at dataBase, with nothing mapped around it.
type gate struct {
	*testing.T
	s    *system
	p    *Process
	next uint64 // where str and put go on
}

// atGate runs test with a gate, under the kernel lock, and checks that nothing
// leaked.
func atGate(t *testing.T, test func(g *gate)) {
	t.Helper()
	bubble(t, options{}, func(s *system) {
		s.freeFrames, s.usedBytes = s.mem.Frames.Free(), s.budget.Used()
		s.k.Lock()
		defer s.k.Unlock()
		g := &gate{T: t, s: s, p: s.process()}
		g.clear()
		test(g)
		s.end(g.p)
		removeAll(s, s.tree.Root())
	})
}

// process makes a process with a page of memory and no goroutine.
func (s *system) process() *Process {
	s.t.Helper()
	p, err := s.k.newProcess(nil)
	must(s.t, err)
	p.Files, p.FS = vfs.NewTable(p.budget), s.fs.Clone()
	p.space, err = s.mem.NewSpace(p.budget)
	must(s.t, err)
	_, err = p.space.Map(mm.MapRequest{Addr: dataBase, Length: mm.PageSize, Prot: mm.Read | mm.Write, MaxProt: mm.AllProt, Fixed: mm.FixedReplace})
	must(s.t, err)
	return p
}

func (s *system) end(p *Process) {
	p.Files.CloseAll()
	p.space.Drop()
	p.space = nil
	s.k.forget(p)
}

// clear forgets what str and put wrote.
func (g *gate) clear() { g.next = dataBase }

// put puts b into user memory and returns its address.
func (g *gate) put(b []byte) uint64 {
	g.Helper()
	va := g.next
	must(g.T, g.p.CopyOut(va, b))
	g.next += uint64(len(b)+15) &^ 15
	return va
}

func (g *gate) str(s string) uint64 { return g.put(append([]byte(s), 0)) }

func (g *gate) words(w ...uint64) uint64 {
	var b []byte
	for _, v := range w {
		b = binary.LittleEndian.AppendUint64(b, v)
	}
	return g.put(b)
}

func (g *gate) get(va uint64, n int) []byte {
	g.Helper()
	b := make([]byte, n)
	must(g.T, g.p.CopyIn(b, va))
	return b
}

// call makes a system call; strings are put into memory, and only as long as
// the call lasts.
func (g *gate) call(nr int, args ...any) int64 {
	g.Helper()
	defer func(next uint64) { g.next = next }(g.next)
	var a Args
	for i, v := range args {
		switch v := v.(type) {
		case int:
			a[i] = uint64(v)
		case int64:
			a[i] = uint64(v)
		case uint64:
			a[i] = v
		case string:
			a[i] = g.str(v)
		}
	}
	ret, err := g.s.k.calls[nr].Do(g.p, &a)
	if err != nil {
		return -int64(errnoOf(err))
	}
	return int64(ret)
}

// expect makes a system call whose result is known: a number, or an abi.Errno.
func (g *gate) expect(want any, nr int, args ...any) int64 {
	g.Helper()
	got := g.call(nr, args...)
	switch want := want.(type) {
	case int:
		if got != int64(want) {
			g.Errorf("%s%q: %s, want %d", g.s.k.calls[nr].Name, fmt.Sprint(args...), result(got), want)
		}
	case abi.Errno:
		if got != -int64(want) {
			g.Errorf("%s%q: %s, want %v", g.s.k.calls[nr].Name, fmt.Sprint(args...), result(got), want)
		}
	}
	return got
}

func result(got int64) string {
	if got < 0 && got > -4096 {
		return abi.Errno(-got).String()
	}
	return fmt.Sprint(got)
}

const (
	cwd    = abi.AT_FDCWD
	create = abi.O_CREAT | abi.O_RDWR
)

// TestPathCalls is one session of calls on names; each sees what those before
// it did.
func TestPathCalls(t *testing.T) {
	atGate(t, func(g *gate) {
		buf := dataBase + 2048
		long := strings.Repeat("n", 256)
		for _, c := range []struct {
			want any
			nr   int
			args []any
		}{
			{0, abi.SysMkdir, []any{"d", 0o777}},
			{abi.EEXIST, abi.SysMkdir, []any{"d", 0o777}},
			{abi.EEXIST, abi.SysMkdir, []any{"/", 0o777}},
			{abi.ENOENT, abi.SysMkdir, []any{"", 0o777}},
			{abi.ENOENT, abi.SysMkdir, []any{"x/y", 0o777}},
			{0, abi.SysMkdirat, []any{cwd, "d/e/", 0o777}},
			{abi.ENAMETOOLONG, abi.SysMkdir, []any{long, 0o777}},
			{abi.EBADF, abi.SysMkdirat, []any{9, "x", 0o777}},
			{0, abi.SysOpen, []any{"f", create | abi.O_EXCL, 0o666}}, // 0
			{abi.EEXIST, abi.SysOpen, []any{"f", create | abi.O_EXCL, 0o666}},
			{1, abi.SysOpenat, []any{cwd, "d", abi.O_DIRECTORY, 0}}, // 1
			{abi.ENOTDIR, abi.SysOpenat, []any{0, "x", 0, 0}},
			{2, abi.SysOpenat, []any{1, "g", create, 0o600}}, // 2
			{3, abi.SysCreat, []any{"d/h", 0o600}},           // 3
			{abi.EISDIR, abi.SysOpen, []any{"d", abi.O_RDWR, 0}},
			{abi.EINVAL, abi.SysOpen, []any{"d", abi.O_DIRECTORY | abi.O_CREAT, 0}},
			{abi.EOPNOTSUPP, abi.SysOpen, []any{"d", abi.O_TMPFILE | abi.O_RDWR, 0}},
			{0, abi.SysSymlink, []any{"d/g", "link"}},
			{abi.EEXIST, abi.SysSymlink, []any{"d/g", "link"}},
			{abi.ENOENT, abi.SysSymlink, []any{"", "empty"}},
			{abi.ENOENT, abi.SysSymlink, []any{"x", "trailing/"}},
			{0, abi.SysSymlinkat, []any{"nowhere", 1, "dangling"}},
			{3, abi.SysReadlink, []any{"link", buf, 100}},
			{2, abi.SysReadlinkat, []any{cwd, "link", buf, 2}},
			{abi.EINVAL, abi.SysReadlink, []any{"f", buf, 100}},
			{abi.EINVAL, abi.SysReadlink, []any{"link", buf, 0}},
			{0, abi.SysAccess, []any{"link", abi.R_OK | abi.W_OK}},
			{abi.EACCES, abi.SysAccess, []any{"link", abi.X_OK}},
			{0, abi.SysAccess, []any{"d", abi.X_OK}},
			{abi.EINVAL, abi.SysAccess, []any{"d", 8}},
			{abi.ENOENT, abi.SysFaccessat, []any{1, "dangling", 0, 0xffff}}, // has no flags
			{0, abi.SysFaccessat2, []any{1, "dangling", 0, abi.AT_SYMLINK_NOFOLLOW}},
			{abi.EINVAL, abi.SysFaccessat2, []any{1, "dangling", 0, 0x8000}},
			{0, abi.SysChmod, []any{"link", 0o711}},
			{0, abi.SysFchmod, []any{0, 0o600}},
			{0, abi.SysFchmodat, []any{1, "g", 0o712, 0xffff}},
			{abi.EOPNOTSUPP, abi.SysFchmodat2, []any{cwd, "link", 0o777, abi.AT_SYMLINK_NOFOLLOW}},
			{0, abi.SysChown, []any{"f", 1, 2}},
			{0, abi.SysLchown, []any{"link", 3, -1}},
			{0, abi.SysFchownat, []any{1, "", 5, 6, abi.AT_EMPTY_PATH}},
			{abi.EBADF, abi.SysFchown, []any{77, 1, 2}},
			{0, abi.SysLink, []any{"f", "f2"}},
			{abi.EEXIST, abi.SysLink, []any{"f", "f2"}},
			{abi.EPERM, abi.SysLink, []any{"d", "d2"}},
			{0, abi.SysLink, []any{"link", "link2"}},
			{0, abi.SysLinkat, []any{cwd, "link", cwd, "g2", abi.AT_SYMLINK_FOLLOW}},
			{0, abi.SysLinkat, []any{0, "", cwd, "f3", abi.AT_EMPTY_PATH}},
			{abi.EINVAL, abi.SysLinkat, []any{cwd, "f", cwd, "f4", abi.AT_SYMLINK_NOFOLLOW}},
			{0, abi.SysRename, []any{"f3", "d/f3"}},
			{abi.ENOENT, abi.SysRename, []any{"f3", "f4"}},
			{abi.EINVAL, abi.SysRename, []any{"d", "d/e/d"}},
			{abi.EISDIR, abi.SysRename, []any{"f", "d"}},
			{abi.ENOTDIR, abi.SysRename, []any{"d", "f"}},
			{abi.ENOTEMPTY, abi.SysRename, []any{"/d/e", "../d"}},
			{abi.EBUSY, abi.SysRename, []any{"/", "x"}},
			{abi.EBUSY, abi.SysRename, []any{"d", "."}},
			{abi.ENOTDIR, abi.SysRename, []any{"f", "x/"}},
			{0, abi.SysRename, []any{"d/e", "e/"}},
			{0, abi.SysRenameat, []any{cwd, "e", 1, "e"}},
			{abi.EEXIST, abi.SysRenameat2, []any{cwd, "f", cwd, "f2", abi.RENAME_NOREPLACE}},
			{abi.EINVAL, abi.SysRenameat2, []any{cwd, "f", cwd, "f2", abi.RENAME_EXCHANGE}},
			{abi.EISDIR, abi.SysUnlink, []any{"d"}},
			{abi.EISDIR, abi.SysUnlink, []any{"/"}},
			{abi.EISDIR, abi.SysUnlink, []any{".."}},
			{abi.ENOTDIR, abi.SysUnlink, []any{"f/"}},
			{abi.ENOENT, abi.SysUnlink, []any{"none"}},
			{0, abi.SysUnlink, []any{"f2"}},
			{abi.ENOTEMPTY, abi.SysRmdir, []any{"d"}},
			{abi.ENOTDIR, abi.SysRmdir, []any{"f"}},
			{abi.EBUSY, abi.SysRmdir, []any{"/"}},
			{abi.EINVAL, abi.SysRmdir, []any{"d/."}},
			{abi.ENOTEMPTY, abi.SysRmdir, []any{"d/e/.."}},
			{0, abi.SysRmdir, []any{"d/e"}},
			{0, abi.SysUnlinkat, []any{1, "f3", 0}},
			{abi.EINVAL, abi.SysUnlinkat, []any{1, "f3", 1}},
			{0, abi.SysTruncate, []any{"f", 100}},
			{abi.EINVAL, abi.SysTruncate, []any{"f", -1}},
			{abi.EISDIR, abi.SysTruncate, []any{"d", 0}},
			{abi.EFBIG, abi.SysTruncate, []any{"f", int64(mm.MaxSize) + 1}},
			{0, abi.SysFtruncate, []any{0, 50}},
			{abi.EINVAL, abi.SysFtruncate, []any{1, 50}},
			{abi.EPERM, abi.SysMknod, []any{"dir", abi.S_IFDIR, 0}},
			{0, abi.SysMknod, []any{"null", abi.S_IFCHR | 0o666, int64(abi.Mkdev(1, 3))}},
			{0, abi.SysMknodat, []any{1, "fifo", abi.S_IFIFO | 0o600, 0}},
			{abi.EEXIST, abi.SysMknod, []any{"null", 0, 0}},
			{abi.ENXIO, abi.SysOpen, []any{"null", 0, 0}},
			{0, abi.SysChdir, []any{"d"}},
			{3, abi.SysGetcwd, []any{buf, 100}},
			{abi.ERANGE, abi.SysGetcwd, []any{buf, 2}},
			{abi.ENOTDIR, abi.SysChdir, []any{"g"}},
			{abi.ENOTDIR, abi.SysFchdir, []any{0}},
			{0, abi.SysStat, []any{"g", buf}},
			{0, abi.SysChdir, []any{".."}},
			{0, abi.SysFchdir, []any{1}},
			{0, abi.SysLstat, []any{"../link", buf}},
			{0o22, abi.SysUmask, []any{0o777077}},
			{0o77, abi.SysUmask, []any{0}},
			{0, abi.SysStatfs, []any{"/", buf}},
			{0, abi.SysFstatfs, []any{0, buf}},
			{0, abi.SysFsync, []any{0}},
			{abi.EBADF, abi.SysFdatasync, []any{50}},
			{0, abi.SysSync, nil},
		} {
			g.expect(c.want, c.nr, c.args...)
		}
	})
}

func (g *gate) stat(path string) (st abi.Stat) {
	g.Helper()
	buf := dataBase + 2048
	g.expect(0, abi.SysNewfstatat, cwd, path, buf, abi.AT_SYMLINK_NOFOLLOW)
	b, le := g.get(uint64(buf), abi.StatSize), binary.LittleEndian
	st.Nlink, st.Mode, st.UID, st.GID = le.Uint64(b[16:]), le.Uint32(b[24:]), le.Uint32(b[28:]), le.Uint32(b[32:])
	st.Size = int64(le.Uint64(b[48:]))
	st.Atime, st.Mtime = int64(le.Uint64(b[72:])*1e9+le.Uint64(b[80:])), int64(le.Uint64(b[88:])*1e9+le.Uint64(b[96:]))
	return st
}

func TestAttributesArrive(t *testing.T) {
	atGate(t, func(g *gate) {
		g.expect(0, abi.SysOpen, "f", create, 0o6777)
		if st := g.stat("f"); st.Mode != abi.S_IFREG|0o6755 || st.Nlink != 1 {
			g.Errorf("new file %+v", st)
		}
		g.expect(0, abi.SysChown, "f", 7, 8)
		g.expect(0, abi.SysChown, "f", -1, 9)
		g.expect(0, abi.SysTruncate, "f", 1234)
		times := g.words(5, 6, 7, abi.UTIME_OMIT)
		before := g.stat("f").Mtime
		g.expect(0, abi.SysUtimensat, cwd, "f", times, 0)
		if st := g.stat("f"); st.UID != 7 || st.GID != 9 || st.Size != 1234 || st.Atime != 5e9+6 || st.Mtime != before {
			g.Errorf("%+v", st)
		}
		time.Sleep(time.Second)
		g.expect(0, abi.SysUtimensat, 0, 0, g.words(0, abi.UTIME_OMIT, 0, abi.UTIME_NOW), 0)
		if st := g.stat("f"); st.Atime != 5e9+6 || st.Mtime != time.Now().UnixNano() {
			g.Errorf("%+v at %d", st, time.Now().UnixNano())
		}
		g.expect(abi.EINVAL, abi.SysUtimensat, cwd, "f", g.words(0, 1e9, 0, 0), 0)
		g.expect(abi.ENOENT, abi.SysUtimensat, cwd, "none", 0, 0)
		g.expect(abi.EBADF, abi.SysUtimensat, 9, 0, 0, 0)
	})
}

// TestDescriptorCalls is one session of calls on descriptors.
func TestDescriptorCalls(t *testing.T) {
	atGate(t, func(g *gate) {
		g.expect(0, abi.SysOpen, "f", create, 0o600)
		g.expect(10, abi.SysWrite, 0, "0123456789", 10)
		buf := dataBase + 1024
		for _, c := range []struct {
			want any
			nr   int
			args []any
		}{
			{3, abi.SysLseek, []any{0, 3, abi.SEEK_SET}},
			{1, abi.SysDup, []any{0}},
			{5, abi.SysDup2, []any{0, 5}},
			{5, abi.SysDup2, []any{5, 5}},
			{abi.EBADF, abi.SysDup2, []any{6, 6}},
			{abi.EBADF, abi.SysDup2, []any{0, -1}},
			{abi.EBADF, abi.SysDup2, []any{0, 1024}},
			{6, abi.SysDup3, []any{0, 6, abi.O_CLOEXEC}},
			{abi.EINVAL, abi.SysDup3, []any{0, 0, 0}},
			{abi.EINVAL, abi.SysDup3, []any{0, 7, abi.O_NONBLOCK}},
			{abi.FD_CLOEXEC, abi.SysFcntl, []any{6, abi.F_GETFD}},
			{0, abi.SysFcntl, []any{6, abi.F_SETFD, 0}},
			{0, abi.SysFcntl, []any{6, abi.F_GETFD}},
			{0, abi.SysIoctl, []any{6, abi.FIOCLEX}},
			{abi.FD_CLOEXEC, abi.SysFcntl, []any{6, abi.F_GETFD}},
			{10, abi.SysFcntl, []any{0, abi.F_DUPFD, 10}},
			{11, abi.SysFcntl, []any{0, abi.F_DUPFD_CLOEXEC, 10}},
			{abi.EINVAL, abi.SysFcntl, []any{0, abi.F_DUPFD, 1024}},
			{abi.EINVAL, abi.SysFcntl, []any{0, abi.F_DUPFD, -1}},
			{abi.O_RDWR, abi.SysFcntl, []any{0, abi.F_GETFL}},
			{0, abi.SysFcntl, []any{0, abi.F_SETFL, abi.O_APPEND | abi.O_WRONLY}},
			{abi.O_RDWR | abi.O_APPEND, abi.SysFcntl, []any{5, abi.F_GETFL}}, // shared
			{abi.EINVAL, abi.SysFcntl, []any{0, abi.F_SETLK, 0}},
			{abi.EBADF, abi.SysFcntl, []any{99, abi.F_GETFL}},
			{4, abi.SysRead, []any{5, buf, 4}}, // from the offset that all share
			{7, abi.SysLseek, []any{0, 0, abi.SEEK_CUR}},
			{3, abi.SysRead, []any{0, buf, 100}},
			{0, abi.SysRead, []any{0, buf, 100}},
			{0, abi.SysRead, []any{0, 0, 0}},
			{2, abi.SysPread64, []any{0, buf, 100, 8}},
			{0, abi.SysPread64, []any{0, buf, 100, 1000}},
			{abi.EINVAL, abi.SysPread64, []any{0, buf, 100, -1}},
			{abi.EINVAL, abi.SysRead, []any{0, buf, -1}},
			{2, abi.SysPwrite64, []any{0, buf, 2, 0}}, // appends: O_APPEND
			{12, abi.SysLseek, []any{0, 0, abi.SEEK_END}},
			{abi.EINVAL, abi.SysLseek, []any{0, -1, abi.SEEK_SET}},
			{abi.EINVAL, abi.SysLseek, []any{0, 0, 9}},
			{abi.EINVAL, abi.SysSendfile, []any{0, 1, 0, 10}},
			{abi.EBADF, abi.SysSendfile, []any{0, 60, 0, 10}},
			{abi.ENOTTY, abi.SysIoctl, []any{0, abi.TCGETS, buf}},
			{0, abi.SysClose, []any{1}},
			{abi.EBADF, abi.SysClose, []any{1}},
			{abi.EBADF, abi.SysRead, []any{1, buf, 1}},
			{abi.EBADF, abi.SysWrite, []any{-1, buf, 1}},
			{0, abi.SysPipe2, []any{buf, abi.O_CLOEXEC | abi.O_NONBLOCK}}, // 1 and 2
			{abi.EINVAL, abi.SysPipe2, []any{buf, 1}},
			{abi.ESPIPE, abi.SysLseek, []any{1, 0, abi.SEEK_CUR}},
			{abi.ESPIPE, abi.SysPread64, []any{1, buf, 1, 0}},
			{abi.EAGAIN, abi.SysRead, []any{1, buf, 1}},
			{abi.EBADF, abi.SysRead, []any{2, buf, 1}},
			{abi.EBADF, abi.SysWrite, []any{1, buf, 1}},
			{abi.FD_CLOEXEC, abi.SysFcntl, []any{2, abi.F_GETFD}},
			{5, abi.SysWrite, []any{2, buf, 5}},
			{0, abi.SysFstat, []any{1, buf}},
			{0, abi.SysFstatfs, []any{1, buf}},
			{abi.ENOTDIR, abi.SysGetdents64, []any{0, buf, 100}},
			{abi.EBADF, abi.SysGetdents64, []any{70, buf, 100}},
		} {
			g.expect(c.want, c.nr, c.args...)
		}
	})
}

// TestTransfersAcrossTheEndOfMemory: what fits counts; EFAULT only if nothing
// did, and then nothing is lost.
func TestTransfersAcrossTheEndOfMemory(t *testing.T) {
	atGate(t, func(g *gate) {
		end := uint64(dataBase + mm.PageSize)
		g.expect(0, abi.SysOpen, "f", create, 0o600)
		g.expect(100, abi.SysWrite, 0, end-100, 200)
		g.expect(abi.EFAULT, abi.SysWrite, 0, end, 200)
		g.expect(0, abi.SysLseek, 0, 0, abi.SEEK_SET)
		g.expect(60, abi.SysRead, 0, end-60, 100)
		g.expect(abi.EFAULT, abi.SysRead, 0, end, 100)
		g.expect(40, abi.SysRead, 0, end-60, 100)
		pipe := g.words(0)
		g.expect(0, abi.SysPipe, pipe)
		g.expect(30, abi.SysWrite, 2, end-30, 60)
		g.expect(abi.EFAULT, abi.SysRead, 1, end, 10)
		g.expect(30, abi.SysRead, 1, end-30, 60)
		iov := g.words(end-8, 8, 0x1000, 0, end, 8, end-8, 8)
		g.expect(8, abi.SysWritev, 2, iov, 4)
		g.expect(8, abi.SysReadv, 1, iov, 4)
		g.expect(abi.EFAULT, abi.SysWritev, 2, iov+32, 2)
		g.expect(abi.EFAULT, abi.SysWritev, 2, end-8, 1)
		g.expect(abi.EINVAL, abi.SysWritev, 2, g.words(end-8, 1<<63), 1)
		g.expect(abi.EINVAL, abi.SysWritev, 2, g.words(end-8, 1<<62, end-8, 1<<62), 2)
		g.expect(abi.EINVAL, abi.SysWritev, 2, iov, 1025)
		g.expect(0, abi.SysWritev, 2, 0, 0)
		g.expect(abi.EFAULT, abi.SysPipe, end-4)
		if n := g.s.files.OpenCount(); n != 3 {
			g.Errorf("%d descriptions: those of the failed pipe are open", n)
		}
	})
}

func TestVectorsGatherAndScatter(t *testing.T) {
	atGate(t, func(g *gate) {
		g.expect(0, abi.SysOpen, "f", create, 0o600)
		a, b := g.str("Hello, "), g.str("vectors")
		g.expect(14, abi.SysWritev, 0, g.words(a, 7, 0, 0, b, 7), 3)
		g.expect(3, abi.SysPwritev, 0, g.words(a, 1, b, 2), 2, 20, 0)
		out := g.put(make([]byte, 64))
		g.expect(23, abi.SysPreadv, 0, g.words(out, 5, out+16, 99), 2, 0, 0)
		if got := string(g.get(out, 5)) + "|" + string(g.get(out+16, 18)); got != "Hello|, vectors\x00\x00\x00\x00\x00\x00Hve" {
			g.Errorf("%q", got)
		}
		g.expect(0, abi.SysLseek, 0, 0, abi.SEEK_SET)
		g.expect(4, abi.SysReadv, 0, g.words(out, 4), 1)
		g.expect(4, abi.SysLseek, 0, 0, abi.SEEK_CUR)
	})
}

// TestWildPointersAreEFAULT gives every call that takes pointers bad ones.
func TestWildPointersAreEFAULT(t *testing.T) {
	const bad = "bad" // where the pointer goes
	calls := map[int][][]any{
		abi.SysRead: {{0, bad, 4}}, abi.SysWrite: {{0, bad, 4}}, abi.SysPread64: {{0, bad, 4, 0}}, abi.SysPwrite64: {{0, bad, 4, 0}},
		abi.SysReadv: {{0, bad, 1}}, abi.SysWritev: {{0, bad, 1}}, abi.SysPreadv: {{0, bad, 1, 0}}, abi.SysPwritev: {{0, bad, 1, 0}},
		abi.SysOpen: {{bad, create, 0}}, abi.SysOpenat: {{cwd, bad, create, 0}}, abi.SysCreat: {{bad, 0}},
		abi.SysStat: {{bad, dataBase}, {"f", bad}}, abi.SysLstat: {{bad, dataBase}, {"f", bad}}, abi.SysFstat: {{0, bad}},
		abi.SysNewfstatat: {{cwd, bad, dataBase, 0}, {cwd, "f", bad, 0}, {0, bad, dataBase, abi.AT_EMPTY_PATH}},
		abi.SysAccess:     {{bad, 0}}, abi.SysFaccessat: {{cwd, bad, 0}}, abi.SysFaccessat2: {{cwd, bad, 0, 0}},
		abi.SysChdir: {{bad}}, abi.SysGetcwd: {{bad, 100}}, abi.SysMkdir: {{bad, 0}}, abi.SysMkdirat: {{cwd, bad, 0}},
		abi.SysMknod: {{bad, 0, 0}}, abi.SysMknodat: {{cwd, bad, 0, 0}}, abi.SysUnlink: {{bad}}, abi.SysRmdir: {{bad}}, abi.SysUnlinkat: {{cwd, bad, 0}},
		abi.SysRename: {{bad, "x"}, {"f", bad}}, abi.SysRenameat: {{cwd, bad, cwd, "x"}}, abi.SysRenameat2: {{cwd, "f", cwd, bad, 0}},
		abi.SysLink: {{bad, "x"}, {"f", bad}}, abi.SysLinkat: {{cwd, "f", cwd, bad, 0}}, abi.SysSymlink: {{bad, "x"}, {"t", bad}}, abi.SysSymlinkat: {{"t", cwd, bad}},
		abi.SysReadlink: {{bad, dataBase, 9}, {"link", bad, 9}}, abi.SysReadlinkat: {{cwd, "link", bad, 9}},
		abi.SysChmod: {{bad, 0}}, abi.SysFchmodat: {{cwd, bad, 0}}, abi.SysFchmodat2: {{cwd, bad, 0, 0}},
		abi.SysChown: {{bad, 0, 0}}, abi.SysLchown: {{bad, 0, 0}}, abi.SysFchownat: {{cwd, bad, 0, 0, 0}},
		abi.SysUtimensat: {{cwd, "f", bad, 0}}, abi.SysTruncate: {{bad, 0}}, abi.SysStatfs: {{bad, dataBase}, {"f", bad}}, abi.SysFstatfs: {{0, bad}},
		abi.SysPipe: {{bad}}, abi.SysPipe2: {{bad, 0}}, abi.SysGetdents64: {{1, bad, 100}}, abi.SysIoctl: {{0, abi.FIONBIO, bad}},
		abi.SysPoll: {{bad, 1, 0}}, abi.SysPpoll: {{bad, 1, 0, 0, 0}, {dataBase, 0, bad, 0, 8}, {dataBase, 0, 0, bad, 8}},
		abi.SysSelect:    {{1, bad, 0, 0, 0}, {1, 0, bad, 0, 0}, {1, 0, 0, bad, 0}, {0, 0, 0, 0, bad}},
		abi.SysPselect6:  {{1, bad, 0, 0, 0, 0}, {0, 0, 0, 0, bad, 0}, {0, 0, 0, 0, 0, bad}},
		abi.SysNanosleep: {{bad, 0}}, abi.SysClockNanosleep: {{abi.CLOCK_MONOTONIC, 0, bad, 0}}, abi.SysClockGettime: {{0, bad}}, abi.SysClockGetres: {{0, bad}},
		abi.SysGettimeofday: {{bad, 0}, {0, bad}}, abi.SysTime: {{bad}}, abi.SysTimes: {{bad}}, abi.SysGetrusage: {{0, bad}},
		abi.SysUname: {{bad}}, abi.SysSysinfo: {{bad}}, abi.SysGetrandom: {{bad, 16, 0}}, abi.SysSchedGetaffinity: {{0, 8, bad}},
		abi.SysGetrlimit: {{abi.RLIMIT_STACK, bad}}, abi.SysSetrlimit: {{abi.RLIMIT_STACK, bad}}, abi.SysPrlimit64: {{0, abi.RLIMIT_STACK, bad, 0}, {0, abi.RLIMIT_STACK, 0, bad}},
		abi.SysGetresuid: {{bad, dataBase, dataBase}, {dataBase, dataBase, bad}}, abi.SysGetresgid: {{dataBase, bad, dataBase}},
		abi.SysMincore: {{dataBase, mm.PageSize, bad}}, abi.SysGetitimer: {{0, bad}}, abi.SysSetitimer: {{0, bad, 0}, {0, 0, bad}},
		abi.SysPrctl:       {{abi.PR_SET_NAME, bad}, {abi.PR_GET_NAME, bad}},
		abi.SysRtSigaction: {{abi.SIGHUP, bad, 0, 8}, {abi.SIGHUP, 0, bad, 8}}, abi.SysRtSigprocmask: {{abi.SIG_BLOCK, bad, 0, 8}, {0, 0, bad, 8}},
		abi.SysRtSigpending: {{bad, 8}}, abi.SysRtSigsuspend: {{bad, 8}}, abi.SysRtSigtimedwait: {{bad, 0, 0, 8}, {dataBase, 0, bad, 8}},
		abi.SysSigaltstack: {{bad, 0}, {0, bad}}, abi.SysFutex: {{dataBase, abi.FUTEX_WAIT, 0, bad}},
	}
	atGate(t, func(g *gate) {
		g.expect(0, abi.SysOpen, "f", create, 0o600)
		g.expect(4, abi.SysWrite, 0, dataBase, 4)
		g.expect(1, abi.SysOpen, "/", 0, 0)
		g.expect(0, abi.SysSymlink, "./f", "link")
		for _, c := range TestedCalls() {
			for _, args := range calls[c.Nr] {
				for _, wild := range []uint64{1, dataBase - 8, dataBase + mm.PageSize - 1, uint64(mm.UserEnd) - 1, 1 << 47, 1 << 63, 0xffff800000001000, ^uint64(0)} {
					g.expect(0, abi.SysLseek, 0, 0, abi.SEEK_SET)
					list := append([]any{}, args...)
					for i := range list {
						if list[i] == bad {
							list[i] = wild
						}
					}
					if strings.HasPrefix(c.Name, "get") || c.Nr == abi.SysMincore || c.Nr == abi.SysWrite || c.Nr == abi.SysPwrite64 || c.Nr == abi.SysRead || c.Nr == abi.SysPread64 {
						if wild == dataBase+mm.PageSize-1 {
							continue // the first byte is good
						}
					}
					if wild == dataBase+mm.PageSize-1 {
						must(g.T, g.p.CopyOut(wild, []byte{'x'})) // a string without an end
					}
					g.expect(abi.EFAULT, c.Nr, list...)
				}
			}
			if len(calls[c.Nr]) == 0 && !pointerless[c.Nr] {
				g.Errorf("%s: no wild pointers are tried", c.Name)
			}
		}
	})
}

// pointerless are the calls that take no pointers, or do not look at them.
var pointerless = map[int]bool{
	abi.SysClose: true, abi.SysLseek: true, abi.SysDup: true, abi.SysDup2: true, abi.SysDup3: true, abi.SysFcntl: true, abi.SysSendfile: true,
	abi.SysFtruncate: true, abi.SysFsync: true, abi.SysFdatasync: true, abi.SysSyncfs: true, abi.SysSync: true, abi.SysFchmod: true,
	abi.SysFchown: true, abi.SysFchdir: true, abi.SysUmask: true,
	abi.SysGetpid: true, abi.SysGettid: true, abi.SysGetppid: true, abi.SysGetpgrp: true, abi.SysGetpgid: true, abi.SysGetsid: true,
	abi.SysGetuid: true, abi.SysGeteuid: true, abi.SysGetgid: true, abi.SysGetegid: true, abi.SysGetgroups: true, abi.SysSetgroups: true,
	abi.SysSetuid: true, abi.SysSetgid: true, abi.SysSetreuid: true, abi.SysSetregid: true, abi.SysSetresuid: true, abi.SysSetresgid: true,
	abi.SysMadvise: true, abi.SysMsync: true, abi.SysMlock: true, abi.SysMunlock: true, abi.SysAlarm: true, abi.SysReboot: true, abi.SysGetpriority: true, abi.SysSetpriority: true, abi.SysPersonality: true, abi.SysSetRobustList: true,
	abi.SysSchedSetaffinity: true, abi.SysSchedGetscheduler: true, abi.SysSchedGetPriorityMax: true, abi.SysSchedGetPriorityMin: true,
	abi.SysRseq: true, abi.SysClone3: true, abi.SysMembarrier: true, abi.SysPtrace: true, abi.SysRestartSyscall: true,
	abi.SysBrk: true, abi.SysMmap: true, abi.SysMunmap: true, abi.SysMprotect: true, abi.SysMremap: true,
	abi.SysKill: true, abi.SysTkill: true, abi.SysTgkill: true, abi.SysPause: true,
	abi.SysSocket: true, abi.SysConnect: true, abi.SysSocketpair: true,
}

func TestGetdents(t *testing.T) {
	atGate(t, func(g *gate) {
		for _, name := range []string{"one", "two", "three", strings.Repeat("n", 255)} {
			g.expect(0, abi.SysMkdir, name, 0o755)
		}
		g.expect(0, abi.SysOpen, "/", 0, 0)
		buf := g.put(make([]byte, 300))
		g.expect(abi.EINVAL, abi.SysGetdents64, 0, buf, 23)
		var names []string
		for {
			n := g.call(abi.SysGetdents64, 0, buf, 280)
			if n <= 0 {
				g.expect(0, abi.SysGetdents64, 0, buf, 280)
				break
			}
			for b := g.get(buf, int(n)); len(b) > 0; {
				size := binary.LittleEndian.Uint16(b[16:])
				if size%8 != 0 || b[18] != 4 {
					g.Fatalf("record %q", b)
				}
				names = append(names, string(b[19:19+bytes.IndexByte(b[19:], 0)]))
				b = b[size:]
			}
		}
		if got := strings.Join(names, " "); got != ". .. one two three "+strings.Repeat("n", 255) {
			g.Errorf("%s", got)
		}
		g.expect(0, abi.SysLseek, 0, 0, abi.SEEK_SET)
		g.expect(72, abi.SysGetdents64, 0, buf, 72)
		g.expect(abi.EISDIR, abi.SysRead, 0, buf, 10)
	})
}

// TestOpenAtTheLimitCreatesNothing: the descriptor is there before the file.
func TestOpenAtTheLimitCreatesNothing(t *testing.T) {
	atGate(t, func(g *gate) {
		g.p.Files.Limit = 3
		g.expect(0, abi.SysOpen, "a", create, 0o600)
		g.expect(1, abi.SysDup, 0)
		g.expect(abi.EMFILE, abi.SysPipe, dataBase)
		g.expect(2, abi.SysDup, 0)
		g.expect(abi.EMFILE, abi.SysOpen, "b", create, 0o600)
		g.expect(abi.EMFILE, abi.SysPipe, dataBase)
		g.expect(abi.EMFILE, abi.SysDup, 0)
		g.expect(abi.ENOENT, abi.SysAccess, "b", 0)
		if n := g.s.files.OpenCount(); n != 1 {
			g.Errorf("%d descriptions", n)
		}
	})
}

func TestBrokenPipeIsSIGPIPE(t *testing.T) {
	atGate(t, func(g *gate) {
		g.expect(0, abi.SysPipe, dataBase)
		g.expect(0, abi.SysClose, 0)
		g.expect(abi.EPIPE, abi.SysWrite, 1, dataBase, 1)
		if g.p.Signals.Pending != signal.Only(abi.SIGPIPE) {
			g.Errorf("pending %#x", g.p.Signals.Pending)
		}
		g.p.Signals.Pending = 0
	})
}

// background makes a call in a goroutine of its own, as a process asleep would,
// and lets it go on until it sleeps.
func (g *gate) background(nr int, args ...uint64) *int64 {
	got := int64(-9999)
	var a Args
	copy(a[:], args)
	go func() {
		g.s.k.Lock()
		defer g.s.k.Unlock()
		ret, err := g.s.k.calls[nr].Do(g.p, &a)
		if got = int64(ret); err != nil {
			got = -int64(errnoOf(err))
		}
	}()
	g.others(0)
	return &got
}

// others lets everybody else run, for a time or until they sleep.
func (g *gate) others(d time.Duration) {
	g.s.k.Unlock()
	time.Sleep(d)
	synctest.Wait()
	g.s.k.Lock()
}

func pollfd(fd, events int) []byte {
	return binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(nil, uint32(fd)), uint32(events))
}

func TestPoll(t *testing.T) {
	atGate(t, func(g *gate) {
		g.expect(0, abi.SysPipe, dataBase) // 0 and 1
		g.expect(2, abi.SysOpen, "f", create, 0o600)
		fds := g.put(bytes.Join([][]byte{pollfd(0, abi.POLLIN), pollfd(-5, abi.POLLIN), pollfd(1, abi.POLLIN)}, nil))
		revents := func(want ...uint16) {
			g.Helper()
			for i, w := range want {
				if got := binary.LittleEndian.Uint16(g.get(fds+uint64(8*i)+6, 2)); got != w {
					g.Errorf("descriptor %d: events %#x, want %#x", i, got, w)
				}
			}
		}
		g.expect(0, abi.SysPoll, fds, 3, 0)
		start := time.Now()
		waited := g.background(abi.SysPoll, fds, 3, 1500)
		if g.others(2 * time.Second); *waited != 0 || time.Since(start) != 2*time.Second {
			g.Errorf("time-out: %d", *waited)
		}
		waited = g.background(abi.SysPoll, fds, 3, ^uint64(0))
		other := g.s.process()
		d, _ := g.p.Files.Get(1)
		d.Write(other, g.s.mustRange(other))
		if g.others(0); *waited != 1 {
			g.Errorf("a byte came: %d", *waited)
		}
		revents(abi.POLLIN, 0, 0)
		g.s.end(other)
		g.expect(0, abi.SysClose, 0)
		g.put(nil)
		must(g.T, g.p.CopyOut(fds, bytes.Join([][]byte{pollfd(99, 0), pollfd(2, abi.POLLOUT|abi.POLLIN), pollfd(1, abi.POLLOUT)}, nil)))
		g.expect(3, abi.SysPoll, fds, 3, -1)
		revents(abi.POLLNVAL, abi.POLLIN|abi.POLLOUT, abi.POLLOUT|abi.POLLERR)
		g.expect(abi.EINVAL, abi.SysPoll, fds, 1<<20, 0)
	})
}

// mustRange is a byte of the process's memory.
func (s *system) mustRange(p *Process) *mm.UserRange { return p.space.Range(dataBase, 1) }

func TestPpollMasksSignalsAndTellsTheTimeLeft(t *testing.T) {
	atGate(t, func(g *gate) {
		g.p.Signals.Blocked = signal.Only(abi.SIGUSR1)
		g.p.Signals.Actions[abi.SIGUSR1].Handler = 0x1234
		timeout, mask := g.words(5, 0), g.words(0)
		waited := g.background(abi.SysPpoll, 0, 0, timeout, mask, 8)
		g.others(2 * time.Second)
		g.p.Signal(abi.SIGUSR1)
		if g.others(0); *waited != -int64(abi.EINTR) {
			g.Errorf("%d", *waited)
		}
		if left := g.get(timeout, 8); left[0] != 3 {
			g.Errorf("%d seconds left", left[0])
		}
		if !g.p.Signals.EndMask() || g.p.Signals.Blocked != signal.Only(abi.SIGUSR1) {
			g.Error("the mask is not put back")
		}
		g.p.Signals.Pending = 0
		g.expect(abi.EINVAL, abi.SysPpoll, 0, 0, 0, mask, 4)
		g.expect(abi.EINVAL, abi.SysPpoll, 0, 0, g.words(0, 1e9), 0, 8)
	})
}

func TestSelect(t *testing.T) {
	atGate(t, func(g *gate) {
		g.expect(0, abi.SysPipe, dataBase) // 0 and 1
		g.expect(70, abi.SysDup2, 1, 70)
		const none = 0
		r, w := g.words(1, 0), g.words(2, 1<<6)
		g.expect(2, abi.SysSelect, 71, r, w, none, none)
		if got := g.get(r, 48); got[0] != 0 || g.get(w, 1)[0] != 2 || g.get(w+8, 1)[0] != 1<<6 {
			g.Errorf("% x", got)
		}
		timeout := g.words(3, 0)
		must(g.T, g.p.CopyOut(r, []byte{1}))
		waited := g.background(abi.SysSelect, 1, r, none, none, timeout)
		g.others(time.Second)
		g.expect(1, abi.SysWrite, 1, dataBase, 1)
		if g.others(0); *waited != 1 || g.get(timeout, 1)[0] != 2 || g.get(r, 1)[0] != 1 {
			g.Errorf("%d, %d seconds left", *waited, g.get(timeout, 1)[0])
		}
		g.expect(1, abi.SysRead, 0, dataBase, 1)
		g.expect(0, abi.SysSelect, 1, r, none, none, g.words(0, 0))
		if g.get(r, 1)[0] != 0 {
			g.Error("time-out left a bit")
		}
		must(g.T, g.p.CopyOut(r, []byte{8}))
		g.expect(abi.EBADF, abi.SysSelect, 4, r, none, none, none)
		g.expect(abi.EINVAL, abi.SysSelect, -1, r, none, none, none)
		g.expect(abi.EINVAL, abi.SysSelect, 0, none, none, none, g.words(0, 1e6))
		mask := g.words(1<<9, 8)
		g.expect(0, abi.SysPselect6, 0, none, none, none, g.words(0, 1), g.words(mask, 8))
		g.p.Signals.EndMask()
		g.expect(abi.EINVAL, abi.SysPselect6, 0, none, none, none, g.words(0, 0), g.words(mask, 4))
	})
}

// TestDescriptorsToTheLimit opens files and pipes until every limit is reached,
// in several processes; closing gives everything back (atGate checks).
func TestDescriptorsToTheLimit(t *testing.T) {
	atGate(t, func(g *gate) {
		seen := map[abi.Errno]bool{}
		var procs []*Process
		for !seen[abi.ENFILE] && len(procs) < 10 {
			p := g.s.process()
			procs = append(procs, p)
			all := &gate{g.T, g.s, p, dataBase}
			for errno := abi.Errno(0); errno == 0; seen[errno] = true {
				errno = abi.Errno(-min(0, all.call(abi.SysPipe, dataBase)))
			}
			for errno := abi.Errno(0); errno == 0; seen[errno] = true {
				errno = abi.Errno(-min(0, all.call(abi.SysOpen, "f", create, 0o600)))
			}
		}
		if !seen[abi.EMFILE] || !seen[abi.ENFILE] || len(seen) > 3 {
			g.Errorf("errors %v", seen)
		}
		for _, p := range procs {
			g.s.end(p)
		}
	})
}
