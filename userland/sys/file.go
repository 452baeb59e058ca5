package sys

import "unsafe"

// Flags of open(2), dup3(2), fcntl(2) and lseek(2).
const (
	O_RDONLY    = 0
	O_WRONLY    = 1
	O_RDWR      = 2
	O_CREAT     = 0100
	O_EXCL      = 0200
	O_NOCTTY    = 0400
	O_TRUNC     = 01000
	O_APPEND    = 02000
	O_NONBLOCK  = 04000
	O_DIRECTORY = 0200000
	O_NOFOLLOW  = 0400000
	O_CLOEXEC   = 02000000

	F_DUPFD         = 0
	F_GETFD         = 1
	F_SETFD         = 2
	F_GETFL         = 3
	F_SETFL         = 4
	F_DUPFD_CLOEXEC = 1030
	FD_CLOEXEC      = 1

	SEEK_SET = 0
	SEEK_CUR = 1
	SEEK_END = 2

	atFdcwd           = -100
	atSymlinkNofollow = 0x100

	S_IFMT  = 0170000
	S_IFDIR = 0040000
	S_IFCHR = 0020000
	S_IFREG = 0100000
	S_IFIFO = 0010000
	S_IFLNK = 0120000

	POLLIN  = 1
	POLLOUT = 4
	POLLERR = 8
	POLLHUP = 16
)

// Open is open(2).
func Open(path string, flags, mode int) (int, error) {
	return check(Call(SysOpen, uintptr(unsafe.Pointer(cstr(path))), uintptr(flags), uintptr(mode), 0, 0, 0))
}

// Close is close(2).
func Close(fd int) error { return fails(Call(SysClose, uintptr(fd), 0, 0, 0, 0, 0)) }

// Read is read(2): 0 at the end of the file.
func Read(fd int, b []byte) (int, error) {
	return check(Call(SysRead, uintptr(fd), uintptr(data(b)), uintptr(len(b)), 0, 0, 0))
}

// Write is write(2): it may take less than all of b.
func Write(fd int, b []byte) (int, error) {
	return check(Call(SysWrite, uintptr(fd), uintptr(data(b)), uintptr(len(b)), 0, 0, 0))
}

// Lseek is lseek(2).
func Lseek(fd int, offset int64, whence int) (int64, error) {
	n, err := check(Call(SysLseek, uintptr(fd), uintptr(offset), uintptr(whence), 0, 0, 0))
	return int64(n), err
}

// Pipe2 is pipe2(2): the read end and the write end.
func Pipe2(flags int) (r, w int, err error) {
	var fds [2]int32
	err = fails(Call(SysPipe2, uintptr(unsafe.Pointer(&fds)), uintptr(flags), 0, 0, 0, 0))
	return int(fds[0]), int(fds[1]), err
}

// Dup is dup(2).
func Dup(fd int) (int, error) { return check(Call(SysDup, uintptr(fd), 0, 0, 0, 0, 0)) }

// Dup2 is dup2(2): newfd becomes a copy of oldfd.
func Dup2(oldfd, newfd int) error {
	return fails(Call(SysDup2, uintptr(oldfd), uintptr(newfd), 0, 0, 0, 0))
}

// Fcntl is fcntl(2) with a number for an argument.
func Fcntl(fd, cmd, arg int) (int, error) {
	return check(Call(SysFcntl, uintptr(fd), uintptr(cmd), uintptr(arg), 0, 0, 0))
}

// Ftruncate is ftruncate(2).
func Ftruncate(fd int, size int64) error {
	return fails(Call(SysFtruncate, uintptr(fd), uintptr(size), 0, 0, 0, 0))
}

// path1 makes a call with one path and one number.
func path1(nr uintptr, path string, arg int) error {
	return fails(Call(nr, uintptr(unsafe.Pointer(cstr(path))), uintptr(arg), 0, 0, 0, 0))
}

// path2 makes a call with two paths.
func path2(nr uintptr, a, b string) error {
	return fails(Call(nr, uintptr(unsafe.Pointer(cstr(a))), uintptr(unsafe.Pointer(cstr(b))), 0, 0, 0, 0))
}

// Access is access(2).
func Access(path string, mode int) error { return path1(SysAccess, path, mode) }

// Chdir is chdir(2).
func Chdir(path string) error { return path1(SysChdir, path, 0) }

// Mkdir is mkdir(2).
func Mkdir(path string, mode int) error { return path1(SysMkdir, path, mode) }

// Rmdir is rmdir(2).
func Rmdir(path string) error { return path1(SysRmdir, path, 0) }

// Unlink is unlink(2).
func Unlink(path string) error { return path1(SysUnlink, path, 0) }

// Chmod is chmod(2).
func Chmod(path string, mode int) error { return path1(SysChmod, path, mode) }

// Rename is rename(2).
func Rename(from, to string) error { return path2(SysRename, from, to) }

// Link is link(2).
func Link(from, to string) error { return path2(SysLink, from, to) }

// Symlink is symlink(2).
func Symlink(target, path string) error { return path2(SysSymlink, target, path) }

// Umask is umask(2).
func Umask(mask int) int { r, _ := Call(SysUmask, uintptr(mask), 0, 0, 0, 0, 0); return int(r) }

// Readlink is readlink(2).
func Readlink(path string) (string, error) {
	b := make([]byte, 4096)
	n, err := check(Call(SysReadlink, uintptr(unsafe.Pointer(cstr(path))), uintptr(data(b)), uintptr(len(b)), 0, 0, 0))
	if err != nil {
		return "", err
	}
	return string(b[:n]), nil
}

// Getcwd is getcwd(2).
func Getcwd() (string, error) {
	b := make([]byte, 4096)
	n, err := check(Call(SysGetcwd, uintptr(data(b)), uintptr(len(b)), 0, 0, 0, 0))
	if err != nil || n < 1 {
		return "", err
	}
	return string(b[:n-1]), nil // without the NUL that the kernel counts
}

// FileStat is struct stat of x86-64 (stat(2)).
type FileStat struct {
	Dev, Ino, Nlink     uint64
	Mode, UID, GID, _   uint32
	Rdev                uint64
	Size                int64
	Blksize, Blocks     int64
	Atime, Mtime, Ctime Timespec
	_                   [3]int64
}

// IsDir tells whether the file is a directory.
func (s *FileStat) IsDir() bool { return s.Mode&S_IFMT == S_IFDIR }

// Stat is stat(2).
func Stat(path string) (FileStat, error) { return statAt(path, 0) }

// Lstat is lstat(2): it does not follow a symbolic link.
func Lstat(path string) (FileStat, error) { return statAt(path, atSymlinkNofollow) }

// statAt is newfstatat(2) relative to the working directory.
func statAt(path string, flags int) (FileStat, error) {
	var s FileStat
	at := atFdcwd
	err := fails(Call(SysNewfstatat, uintptr(at), uintptr(unsafe.Pointer(cstr(path))),
		uintptr(unsafe.Pointer(&s)), uintptr(flags), 0, 0))
	return s, err
}

// Fstat is fstat(2).
func Fstat(fd int) (FileStat, error) {
	var s FileStat
	err := fails(Call(SysFstat, uintptr(fd), uintptr(unsafe.Pointer(&s)), 0, 0, 0, 0))
	return s, err
}

// Dirent is one entry of a directory.
type Dirent struct {
	Name string
	Ino  uint64
	Type uint8 // DT_DIR and its kin: the mode's file type, shifted right by 12
}

// Getdents is getdents64(2): the next entries of the directory, into buf; none
// at its end.
func Getdents(fd int, buf []byte) ([]Dirent, error) {
	n, err := check(Call(SysGetdents64, uintptr(fd), uintptr(data(buf)), uintptr(len(buf)), 0, 0, 0))
	if err != nil {
		return nil, err
	}
	return parseDirents(buf[:n]), nil
}

// parseDirents decodes the records of getdents64(2): inode (8), offset (8),
// record length (2), type (1), name up to a NUL.
func parseDirents(b []byte) []Dirent {
	var list []Dirent
	for len(b) >= 19 {
		size := int(b[16]) | int(b[17])<<8
		if size < 20 || size > len(b) {
			break
		}
		name := b[19:size]
		for i, c := range name {
			if c == 0 {
				name = name[:i]
				break
			}
		}
		var ino uint64
		for i := 7; i >= 0; i-- {
			ino = ino<<8 | uint64(b[i])
		}
		list = append(list, Dirent{string(name), ino, b[18]})
		b = b[size:]
	}
	return list
}

// ReadDir lists the directory at path, without "." and "..".
func ReadDir(path string) ([]Dirent, error) {
	fd, err := Open(path, O_RDONLY|O_DIRECTORY|O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	defer Close(fd)
	var list []Dirent
	buf := make([]byte, 8192)
	for {
		some, err := Getdents(fd, buf)
		if err != nil || len(some) == 0 {
			return list, err
		}
		for _, d := range some {
			if d.Name != "." && d.Name != ".." {
				list = append(list, d)
			}
		}
	}
}

// PollFd is struct pollfd of poll(2).
type PollFd struct {
	Fd              int32
	Events, Revents int16
}

// Poll is poll(2); timeout is in milliseconds, negative for none.
func Poll(fds []PollFd, timeout int) (int, error) {
	return check(Call(SysPoll, uintptr(unsafe.Pointer(unsafe.SliceData(fds))), uintptr(len(fds)), uintptr(timeout), 0, 0, 0))
}
