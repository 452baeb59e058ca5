package usertests

import (
	"sort"
	"strings"

	"yolk/userland/kit"
	"yolk/userland/sys"
)

func fileTests() []test {
	return []test{
		{"FILE-open-flags", portable, fileOpen},
		{"FILE-seek", portable, fileSeek},
		{"FILE-append", portable, fileAppend},
		{"FILE-link-and-unlink", portable, fileLinks},
		{"FILE-symlink", portable, fileSymlinks},
		{"FILE-rename", portable, fileRename},
		{"FILE-directories", portable, fileDirectories},
		{"FILE-getdents", portable, fileGetdents},
		{"FILE-stat", portable, fileStat},
		{"FILE-modes", portable, fileModes},
		{"FILE-dup", portable, fileDup},
		{"FILE-limits", portable, fileLimits},
		{"FILE-vectors", portable, fileVectors},
		{"FILE-paths", portable, filePaths},
		{"FILE-devices", portable, fileDevices},
	}
}

// content is what a file holds.
func (t *T) content(path string) string {
	b, err := kit.ReadFile(path)
	t.noErr(err, "read ", path)
	return string(b)
}

// fileOpen: what the flags of open do.
func fileOpen(t *T) {
	_, err := sys.Open("f", sys.O_RDONLY, 0)
	t.wantErr(err, "open of a missing file", sys.ENOENT)
	fd := t.open("f", sys.O_WRONLY|sys.O_CREAT|sys.O_EXCL)
	kit.WriteAll(fd, []byte("hello"))
	_, err = sys.Read(fd, make([]byte, 1))
	t.wantErr(err, "read of a descriptor for writing", sys.EBADF)
	_, err = sys.Open("f", sys.O_WRONLY|sys.O_CREAT|sys.O_EXCL, 0o666)
	t.wantErr(err, "O_EXCL", sys.EEXIST)
	_, err = sys.Write(t.open("f", sys.O_RDONLY), []byte("x"))
	t.wantErr(err, "write to a descriptor for reading", sys.EBADF)
	sys.Close(t.open("f", sys.O_WRONLY|sys.O_TRUNC))
	t.must(t.content("f") == "", "O_TRUNC left something")
	_, err = sys.Open("f", sys.O_RDONLY|sys.O_DIRECTORY, 0)
	t.wantErr(err, "O_DIRECTORY", sys.ENOTDIR)
	_, err = sys.Open(".", sys.O_WRONLY, 0)
	t.wantErr(err, "a directory for writing", sys.EISDIR)
	_, err = sys.Open("f/x", sys.O_RDONLY, 0)
	t.wantErr(err, "a path through a file", sys.ENOTDIR)
	_, err = sys.Open("no/x", sys.O_WRONLY|sys.O_CREAT, 0o666)
	t.wantErr(err, "a path through nothing", sys.ENOENT)
	t.wantErr(sys.Close(77), "close", sys.EBADF)
}

// fileSeek: the three origins, holes, and what cannot be sought.
func fileSeek(t *T) {
	fd := t.open(t.file("f", "0123456789", 0o644), sys.O_RDWR)
	for _, c := range []struct {
		offset int64
		whence int
		want   int64
	}{{3, sys.SEEK_SET, 3}, {2, sys.SEEK_CUR, 5}, {-1, sys.SEEK_END, 9}, {100, sys.SEEK_SET, 100}} {
		got, err := sys.Lseek(fd, c.offset, c.whence)
		t.must(err == nil && got == c.want, "lseek gave ", got, ", want ", c.want)
	}
	n, err := sys.Read(fd, make([]byte, 4))
	t.must(n == 0 && err == nil, "a read beyond the end gave ", n)
	kit.WriteAll(fd, []byte("end"))
	text := t.content("f")
	t.must(len(text) == 103 && text[10:100] == strings.Repeat("\x00", 90), "the hole is not zero")
	_, err = sys.Lseek(fd, -1, sys.SEEK_SET)
	t.wantErr(err, "lseek to -1", sys.EINVAL)
	_, err = sys.Lseek(fd, 0, 9)
	t.wantErr(err, "lseek of an unknown kind", sys.EINVAL)
	r, _ := t.pipe()
	_, err = sys.Lseek(r, 0, sys.SEEK_CUR)
	t.wantErr(err, "lseek of a pipe", sys.ESPIPE)
}

// fileAppend: every write goes to the end, wherever the offset is.
func fileAppend(t *T) {
	fd := t.open(t.file("f", "ab", 0o644), sys.O_RDWR|sys.O_APPEND)
	other := t.open("f", sys.O_WRONLY|sys.O_APPEND)
	kit.WriteAll(fd, []byte("cd"))
	kit.WriteAll(other, []byte("ef"))
	sys.Lseek(fd, 0, sys.SEEK_SET)
	kit.WriteAll(fd, []byte("gh"))
	t.must(t.content("f") == "abcdefgh", "the file is ", t.content("f"))
}

// fileLinks: a file has as many names as it has links; without any it lives on
// as long as it is open.
func fileLinks(t *T) {
	t.file("a", "text", 0o644)
	t.noErr(sys.Link("a", "b"), "link")
	st, err := sys.Stat("b")
	t.must(err == nil && st.Nlink == 2, "there are ", st.Nlink, " links")
	t.wantErr(sys.Link("a", "b"), "link to what exists", sys.EEXIST)
	t.wantErr(sys.Link("no", "c"), "link of nothing", sys.ENOENT)
	t.wantErr(sys.Link(".", "c"), "link of a directory", sys.EPERM)
	t.noErr(sys.Unlink("a"), "unlink")
	t.must(t.content("b") == "text", "the other name lost the file")
	fd := t.open("b", sys.O_RDWR)
	t.noErr(sys.Unlink("b"), "unlink")
	kit.WriteAll(fd, []byte("TEXT+"))
	sys.Lseek(fd, 0, sys.SEEK_SET)
	b, _ := kit.ReadAll(fd)
	t.must(string(b) == "TEXT+", "the unlinked file holds ", b)
	st, _ = sys.Fstat(fd)
	t.must(st.Nlink == 0, "it has ", st.Nlink, " links")
	t.wantErr(sys.Unlink("b"), "unlink of nothing", sys.ENOENT)
	t.wantErr(sys.Unlink("."), "unlink of a directory", sys.EISDIR, sys.EPERM)
}

// fileSymlinks: followed, looked at, dangling, and in circles.
func fileSymlinks(t *T) {
	t.file("f", "text", 0o644)
	t.noErr(sys.Mkdir("d", 0o777), "mkdir")
	t.noErr(sys.Symlink("../f", "d/l"), "symlink")
	t.must(t.content("d/l") == "text", "a relative link leads elsewhere")
	target, err := sys.Readlink("d/l")
	t.must(err == nil && target == "../f", "readlink gave ", target)
	st, _ := sys.Lstat("d/l")
	t.must(st.Mode&sys.S_IFMT == sys.S_IFLNK && st.Size == 4, "lstat gave mode ", kit.Hex(st.Mode))
	t.noErr(sys.Symlink("d", "dl"), "symlink")
	t.must(t.content("dl/l") == "text", "a link to a directory leads elsewhere")
	t.noErr(sys.Symlink("nowhere", "dangling"), "symlink")
	_, err = sys.Open("dangling", sys.O_RDONLY, 0)
	t.wantErr(err, "a dangling link", sys.ENOENT)
	t.noErr(sys.Symlink("loop", "loop"), "symlink")
	_, err = sys.Open("loop", sys.O_RDONLY, 0)
	t.wantErr(err, "a link to itself", sys.ELOOP)
	_, err = sys.Open("d/l", sys.O_RDONLY|sys.O_NOFOLLOW, 0)
	t.wantErr(err, "O_NOFOLLOW", sys.ELOOP)
	_, err = sys.Readlink("f")
	t.wantErr(err, "readlink of a file", sys.EINVAL)
	t.wantErr(sys.Symlink("x", "f"), "symlink over a file", sys.EEXIST)
	t.noErr(sys.Unlink("d/l"), "unlink of a link")
	t.must(t.content("f") == "text", "the link's target is gone")
}

// fileRename: to a new name, over a file, over a directory, into itself.
func fileRename(t *T) {
	t.file("a", "A", 0o644)
	t.file("b", "B", 0o644)
	open := t.open("b", sys.O_RDONLY)
	t.noErr(sys.Rename("a", "b"), "rename over a file")
	t.must(t.content("b") == "A", "the wrong file")
	old, _ := kit.ReadAll(open)
	t.must(string(old) == "B", "the replaced file changed while open")
	_, err := sys.Stat("a")
	t.wantErr(err, "the old name", sys.ENOENT)
	t.noErr(sys.Mkdir("d", 0o777), "mkdir")
	t.noErr(sys.Mkdir("e", 0o777), "mkdir")
	t.noErr(sys.Rename("b", "d/c"), "rename into a directory")
	t.wantErr(sys.Rename("d", "d/x"), "a directory into itself", sys.EINVAL)
	t.wantErr(sys.Rename("e", "d"), "a directory over one that is not empty", sys.ENOTEMPTY, sys.EEXIST)
	t.wantErr(sys.Rename("e", "d/c"), "a directory over a file", sys.ENOTDIR)
	t.wantErr(sys.Rename("d/c", "e"), "a file over a directory", sys.EISDIR)
	t.noErr(sys.Rename("d", "e"), "a directory over an empty one")
	t.must(t.content("e/c") == "A", "the directory's content is lost")
	t.wantErr(sys.Rename("no", "x"), "nothing", sys.ENOENT)
	t.noErr(sys.Link("e/c", "same"), "link")
	t.noErr(sys.Rename("e/c", "same"), "rename onto the same file")
	t.must(t.content("e/c") == "A" && t.content("same") == "A", "a name of the same file is lost")
}

// fileDirectories: making, entering, removing.
func fileDirectories(t *T) {
	t.noErr(sys.Mkdir("d", 0o755), "mkdir")
	t.wantErr(sys.Mkdir("d", 0o755), "mkdir of what exists", sys.EEXIST)
	t.wantErr(sys.Mkdir("no/d", 0o755), "mkdir in nothing", sys.ENOENT)
	st, _ := sys.Stat("d")
	t.must(st.IsDir() && st.Nlink == 2 && st.Mode&0o777 == 0o755, "mode ", kit.Hex(st.Mode), ", links ", st.Nlink)
	t.file("d/f", "x", 0o644)
	t.wantErr(sys.Rmdir("d"), "rmdir of a full one", sys.ENOTEMPTY)
	t.wantErr(sys.Rmdir("d/f"), "rmdir of a file", sys.ENOTDIR)
	t.noErr(sys.Chdir("d"), "chdir")
	dir, _ := sys.Getcwd()
	t.must(dir == t.dir+"/d", "getcwd gave ", dir)
	t.must(t.content("../d/./f") == "x", "dots lead elsewhere")
	t.wantErr(sys.Chdir("f"), "chdir to a file", sys.ENOTDIR)
	t.noErr(sys.Unlink("f"), "unlink")
	t.noErr(sys.Rmdir("../d"), "rmdir of the working directory")
	_, err := sys.Open("x", sys.O_CREAT|sys.O_WRONLY, 0o666)
	t.wantErr(err, "a file in a removed directory", sys.ENOENT)
	_, err = sys.Getcwd()
	t.wantErr(err, "getcwd in a removed directory", sys.ENOENT)
	t.noErr(sys.Chdir(t.dir), "chdir back")
	b := make([]byte, 4)
	_, e := sys.Call(sys.SysGetcwd, sys.Pin(b), 4, 0, 0, 0, 0)
	t.must(e == sys.ERANGE, "getcwd with little room: ", e)
}

// fileGetdents: many entries through a small buffer: each once, with its type.
func fileGetdents(t *T) {
	const n = 200
	var want []string
	for i := range n {
		name := kit.Format("file-with-a-name-", i)
		t.file(name, "", 0o644)
		want = append(want, name)
	}
	t.noErr(sys.Mkdir("directory", 0o777), "mkdir")
	fd := t.open(".", sys.O_RDONLY|sys.O_DIRECTORY)
	for range 2 { // the second time after going back to the start
		got := t.names(fd)
		sort.Strings(want)
		all := append([]string{".", "..", "directory"}, want...)
		t.must(strings.Join(got, " ") == strings.Join(all, " "), "got ", len(got), " names, want ", len(all))
		sys.Lseek(fd, 0, sys.SEEK_SET)
	}
	_, err := sys.Getdents(fd, make([]byte, 8))
	t.wantErr(err, "a buffer that is too small", sys.EINVAL)
	_, err = sys.Getdents(t.open("file-with-a-name-1", sys.O_RDONLY), make([]byte, 4096))
	t.wantErr(err, "getdents of a file", sys.ENOTDIR)
}

// names reads all entries of a directory, sorted, and checks their types.
func (t *T) names(fd int) []string {
	var names []string
	buf := make([]byte, 300)
	for {
		entries, err := sys.Getdents(fd, buf)
		t.noErr(err, "getdents64")
		if len(entries) == 0 {
			sort.Strings(names)
			return names
		}
		for _, e := range entries {
			names = append(names, e.Name)
			st, err := sys.Lstat(e.Name)
			t.noErr(err, "lstat ", e.Name)
			t.must(uint32(e.Type) == st.Mode>>12, "the type of ", e.Name, " is ", int(e.Type))
			t.must(e.Ino == st.Ino || e.Name == "..", "the inode number of ", e.Name)
		}
	}
}

// fileStat: what stat says about a file.
func fileStat(t *T) {
	path := t.file("f", "12345", 0o640)
	st, err := sys.Stat(path)
	t.must(err == nil && st.Mode == sys.S_IFREG|0o640 && st.Size == 5 && st.Nlink == 1, "mode ", kit.Hex(st.Mode), " size ", st.Size)
	again, _ := sys.Fstat(t.open(path, sys.O_RDONLY))
	t.must(again.Ino == st.Ino && again.Dev == st.Dev && st.Ino != 0, "stat and fstat differ")
	other, _ := sys.Stat(t.file("g", "", 0o644))
	t.must(other.Ino != st.Ino, "two files with one inode number")
	now := sys.Now(sys.ClockRealtime)
	t.must(st.Mtime.Nanoseconds() <= now && st.Mtime.Nanoseconds() > now-100e9, "mtime is ", st.Mtime.Nanoseconds(), ", now is ", now)
	_, err = sys.Stat("")
	t.wantErr(err, "stat of nothing", sys.ENOENT)
	times := sys.PinWords([]int64{1000, 5, 2000, 6})
	cwd := ^uintptr(99)
	_, e := sys.Call(sys.SysUtimensat, cwd, sys.PinString(path), times, 0, 0, 0)
	t.must(e == 0, "utimensat: ", e)
	st, _ = sys.Stat(path)
	t.must(st.Mtime == sys.Timespec{Sec: 2000, Nsec: 6} && st.Atime == sys.Timespec{Sec: 1000, Nsec: 5}, "times are ", st.Mtime.Sec)
	r, _ := t.pipe()
	st, err = sys.Fstat(r)
	t.must(err == nil && st.Mode&sys.S_IFMT == sys.S_IFIFO, "a pipe's mode is ", kit.Hex(st.Mode))
}

// fileModes: chmod and umask.
func fileModes(t *T) {
	sys.Umask(0o027)
	fd, err := sys.Open("f", sys.O_CREAT|sys.O_WRONLY, 0o777)
	t.noErr(err, "open")
	sys.Close(fd)
	st, _ := sys.Stat("f")
	t.must(st.Mode&0o7777 == 0o750, "the mode is ", kit.Hex(st.Mode))
	t.noErr(sys.Chmod("f", 0o604), "chmod")
	st, _ = sys.Stat("f")
	t.must(st.Mode&0o7777 == 0o604, "the mode is ", kit.Hex(st.Mode))
	t.must(sys.Umask(0o022) == 0o027, "umask gave another")
	t.wantErr(sys.Access("f", 1), "access for execution", sys.EACCES)
	t.noErr(sys.Access("f", 4), "access for reading")
	t.wantErr(sys.Access("no", 0), "access of nothing", sys.ENOENT)
}

// fileDup: dup and dup2 share the offset, not the close-on-exec flag.
func fileDup(t *T) {
	fd := t.open(t.file("f", "abcdef", 0o644), sys.O_RDONLY|sys.O_CLOEXEC)
	buf := make([]byte, 2)
	copied, err := sys.Dup(fd)
	t.noErr(err, "dup")
	sys.Read(fd, buf)
	sys.Read(copied, buf)
	t.must(string(buf) == "cd", "the copy reads ", buf)
	flags, _ := sys.Fcntl(copied, sys.F_GETFD, 0)
	t.must(flags == 0, "the copy has close-on-exec")
	t.noErr(sys.Dup2(fd, 50), "dup2")
	sys.Read(50, buf)
	t.must(string(buf) == "ef", "the second copy reads ", buf)
	t.noErr(sys.Dup2(fd, fd), "dup2 onto itself")
	flags, _ = sys.Fcntl(fd, sys.F_GETFD, 0)
	t.must(flags == sys.FD_CLOEXEC, "dup2 onto itself changed the flag")
	t.wantErr(sys.Dup2(99, 3), "dup2 of nothing", sys.EBADF)
	t.wantErr(sys.Dup2(fd, -1), "dup2 to -1", sys.EBADF)
	high, err := sys.Fcntl(fd, sys.F_DUPFD_CLOEXEC, 40)
	t.must(err == nil && high >= 40, "F_DUPFD_CLOEXEC gave ", high)
	mode, _ := sys.Fcntl(fd, sys.F_GETFL, 0)
	t.must(mode&3 == sys.O_RDONLY, "F_GETFL gave ", mode)
	low, err := sys.Open("f", sys.O_RDONLY, 0)
	t.noErr(err, "open")
	sys.Close(low)
	again, _ := sys.Open("f", sys.O_RDONLY, 0)
	t.must(again == low, "open did not give the lowest descriptor")
}

// fileLimits: descriptors run out with EMFILE, and come back.
func fileLimits(t *T) {
	old, err := sys.Getrlimit(sys.RlimitNofile)
	t.noErr(err, "getrlimit")
	t.noErr(sys.Setrlimit(sys.RlimitNofile, sys.Rlimit{Cur: 64, Max: old.Max}), "setrlimit")
	var fds []int
	for {
		fd, err := sys.Open("/dev/null", sys.O_RDONLY, 0)
		if err != nil {
			t.wantErr(err, "open at the limit", sys.EMFILE)
			break
		}
		fds = append(fds, fd)
		t.must(len(fds) < 64, "more descriptors than the limit")
	}
	_, _, err = sys.Pipe2(0)
	t.wantErr(err, "pipe at the limit", sys.EMFILE)
	for _, fd := range fds {
		t.noErr(sys.Close(fd), "close")
	}
	t.pipe()
}

// fileVectors: writev and readv gather and scatter.
func fileVectors(t *T) {
	fd := uintptr(t.open("f", sys.O_RDWR|sys.O_CREAT))
	a, b, c := []byte("one"), []byte(""), []byte("two!")
	out := sys.PinWords([]int64{int64(sys.Pin(a)), 3, int64(sys.Pin(b)), 0, int64(sys.Pin(c)), 4})
	n, e := sys.Call(sys.SysWritev, fd, out, 3, 0, 0, 0)
	t.must(e == 0 && n == 7 && t.content("f") == "onetwo!", "writev gave ", int(n))
	sys.Lseek(int(fd), 0, sys.SEEK_SET)
	x, y := make([]byte, 2), make([]byte, 10)
	in := sys.PinWords([]int64{int64(sys.Pin(x)), 2, int64(sys.Pin(y)), 10})
	n, e = sys.Call(sys.SysReadv, fd, in, 2, 0, 0, 0)
	t.must(e == 0 && n == 7 && string(x) == "on" && string(y[:5]) == "etwo!", "readv gave ", int(n))
	_, e = sys.Call(sys.SysWritev, fd, out, 1<<20, 0, 0, 0)
	t.must(e == sys.EINVAL, "writev of too many: ", e)
}

// filePaths: names that are too long, and odd ones.
func filePaths(t *T) {
	long := strings.Repeat("x", 255)
	t.file(long, "1", 0o644)
	t.must(t.content(long) == "1", "a name of 255 bytes")
	_, err := sys.Open(long+"x", sys.O_CREAT|sys.O_WRONLY, 0o666)
	t.wantErr(err, "a name of 256 bytes", sys.ENAMETOOLONG)
	_, err = sys.Open(strings.Repeat("./", 3000)+"f", sys.O_RDONLY, 0)
	t.wantErr(err, "a path of 6,000 bytes", sys.ENAMETOOLONG)
	t.must(t.content(strings.Repeat("./", 500)+long) == "1", "a path of 1,255 bytes")
	t.file("ünïcode \n?*", "2", 0o644)
	t.must(t.content("ünïcode \n?*") == "2", "an odd name")
	t.must(t.content(t.dir+"//.//../"+t.dir[5:]+"/"+long) == "1", "slashes and dots")
}

// fileDevices: null, zero, tty-ness.
func fileDevices(t *T) {
	null := t.open("/dev/null", sys.O_RDWR)
	n, err := sys.Read(null, make([]byte, 10))
	t.must(n == 0 && err == nil, "read of null gave ", n)
	n, err = sys.Write(null, make([]byte, 10))
	t.must(n == 10 && err == nil, "write to null gave ", n)
	zero := t.open("/dev/zero", sys.O_RDWR)
	b := []byte("xxxxxxxxxx")
	n, err = sys.Read(zero, b)
	t.must(n == 10 && err == nil && string(b) == strings.Repeat("\x00", 10), "read of zero gave ", n)
	_, err = sys.GetTermios(null)
	t.wantErr(err, "TCGETS of null", sys.ENOTTY)
	st, _ := sys.Fstat(null)
	t.must(st.Mode&sys.S_IFMT == sys.S_IFCHR, "the mode of null is ", kit.Hex(st.Mode))
}
