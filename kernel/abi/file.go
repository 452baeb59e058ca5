package abi

import "encoding/binary"

var le = binary.LittleEndian

// Flags of open(2) and of an open file description.
const (
	O_RDONLY, O_WRONLY, O_RDWR, O_ACCMODE = 0, 1, 2, 3

	O_CREAT     = 0o100
	O_EXCL      = 0o200
	O_NOCTTY    = 0o400
	O_TRUNC     = 0o1000
	O_APPEND    = 0o2000
	O_NONBLOCK  = 0o4000
	O_DSYNC     = 0o10000
	O_DIRECT    = 0o40000
	O_LARGEFILE = 0o100000
	O_DIRECTORY = 0o200000
	O_NOFOLLOW  = 0o400000
	O_NOATIME   = 0o1000000
	O_CLOEXEC   = 0o2000000
	O_SYNC      = 0o4010000
	O_PATH      = 0o10000000
	O_TMPFILE   = 0o20200000
)

// File types and permission bits of a mode (inode(7)).
const (
	S_IFMT   = 0o170000
	S_IFSOCK = 0o140000
	S_IFLNK  = 0o120000
	S_IFREG  = 0o100000
	S_IFBLK  = 0o060000
	S_IFDIR  = 0o040000
	S_IFCHR  = 0o020000
	S_IFIFO  = 0o010000
	S_ISVTX  = 0o1000
	S_IXANY  = 0o111
)

// Flags and limits of calls that take paths (path_resolution(7), openat(2)).
const (
	AT_FDCWD            = -100
	AT_SYMLINK_NOFOLLOW = 0x100
	AT_EACCESS          = 0x200
	AT_REMOVEDIR        = 0x200
	AT_SYMLINK_FOLLOW   = 0x400
	AT_NO_AUTOMOUNT     = 0x800
	AT_EMPTY_PATH       = 0x1000

	NAME_MAX = 255
	PATH_MAX = 4096 // with the NUL

	RENAME_NOREPLACE = 1
	RENAME_EXCHANGE  = 2

	R_OK, W_OK, X_OK, F_OK = 4, 2, 1, 0

	UTIME_NOW, UTIME_OMIT = 0x3fffffff, 0x3ffffffe
)

// Commands of fcntl(2), positions of lseek(2), limits of vectored and pipe
// input and output.
const (
	F_DUPFD, F_GETFD, F_SETFD, F_GETFL, F_SETFL    = 0, 1, 2, 3, 4
	F_GETLK, F_SETLK, F_SETLKW, F_SETOWN, F_GETOWN = 5, 6, 7, 8, 9
	F_DUPFD_CLOEXEC, F_SETPIPE_SZ, F_GETPIPE_SZ    = 1030, 1031, 1032
	FD_CLOEXEC                                     = 1

	SEEK_SET, SEEK_CUR, SEEK_END = 0, 1, 2

	IOV_MAX   = 1024
	IOVecSize = 16
	PIPE_BUF  = 4096

	// MAX_RW_COUNT is the most that one read or write transfers (read(2), NOTES).
	MAX_RW_COUNT = 0x7ffff000
)

// Events of poll(2); select(2) is expressed in them.
const (
	POLLIN     = 0x001
	POLLPRI    = 0x002
	POLLOUT    = 0x004
	POLLERR    = 0x008
	POLLHUP    = 0x010
	POLLNVAL   = 0x020
	POLLRDNORM = 0x040
	POLLWRNORM = 0x100

	PollFDSize = 8    // struct pollfd
	FD_SETSIZE = 1024 // descriptors in an fd_set
)

// Requests of ioctl(2) (ioctl_tty(2)).
const (
	TCGETS, TCSETS, TCSETSW, TCSETSF = 0x5401, 0x5402, 0x5403, 0x5404
	TCSBRK, TCXONC, TCFLSH           = 0x5409, 0x540a, 0x540b
	TIOCSCTTY, TIOCGPGRP, TIOCSPGRP  = 0x540e, 0x540f, 0x5410
	TIOCOUTQ                         = 0x5411
	TIOCGWINSZ, TIOCSWINSZ           = 0x5413, 0x5414
	FIONREAD, TCSBRKP, FIONBIO       = 0x541b, 0x5425, 0x5421
	TIOCNOTTY, TIOCGSID              = 0x5422, 0x5429
	FIONCLEX, FIOCLEX                = 0x5450, 0x5451

	TCIFLUSH, TCOFLUSH, TCIOFLUSH = 0, 1, 2
)

// StatSize is the size of struct stat (stat(3type)).
const StatSize = 144

// Stat is what stat(2) tells about a file.  Times are nanoseconds since the
// epoch; Size is bytes, Blocks counts units of 512 bytes.
type Stat struct {
	Dev, Ino            uint64
	Nlink               uint64
	Mode, UID, GID      uint32
	Rdev                uint64
	Size, Blocks        int64
	Atime, Mtime, Ctime int64
}

// Append appends the structure's StatSize bytes to b.
func (s *Stat) Append(b []byte) []byte {
	b = appendWords(b, s.Dev, s.Ino, s.Nlink)
	b = le.AppendUint32(b, s.Mode)
	b = le.AppendUint32(b, s.UID)
	b = appendWords(b, uint64(s.GID), s.Rdev, uint64(s.Size), 4096, uint64(s.Blocks))
	b = AppendTimespec(b, s.Atime)
	b = AppendTimespec(b, s.Mtime)
	b = AppendTimespec(b, s.Ctime)
	return appendWords(b, 0, 0, 0)
}

// Mkdev makes a device number of its major and minor parts (makedev(3)).
func Mkdev(major, minor uint32) uint64 {
	return uint64(minor&0xff) | uint64(major&0xfff)<<8 | uint64(minor&^0xff)<<12 | uint64(major&^0xfff)<<32
}

// DirentSize is the length of the linux_dirent64 record for a name of n bytes:
// a multiple of 8 (getdents64(2)).
func DirentSize(n int) int { return (19 + n + 1 + 7) &^ 7 }

// AppendDirent appends one linux_dirent64 record.  off is the cookie that
// lseek takes to go on after it; mode's type bits give d_type.
func AppendDirent(b []byte, ino uint64, off int64, mode uint32, name string) []byte {
	size := DirentSize(len(name))
	b = appendWords(b, ino, uint64(off))
	b = le.AppendUint16(b, uint16(size))
	b = append(b, byte(mode&S_IFMT>>12))
	b = append(b, name...)
	return append(b, make([]byte, size-19-len(name))...)
}

// Statfs is what statfs(2) tells about a file system; blocks are BlockSize bytes.
type Statfs struct {
	Type, BlockSize  uint64
	Blocks, Free     uint64
	Files, FreeFiles uint64
	NameMax, Flags   uint64
}

// Magic numbers of file systems (statfs(2)).
const (
	TMPFS_MAGIC  = 0x01021994
	PROC_MAGIC   = 0x9fa0
	PIPEFS_MAGIC = 0x50495045
)

// Append appends the structure's 120 bytes to b.
func (s *Statfs) Append(b []byte) []byte {
	b = appendWords(b, s.Type, s.BlockSize, s.Blocks, s.Free, s.Free, s.Files, s.FreeFiles)
	return appendWords(b, 0, s.NameMax, s.BlockSize, s.Flags, 0, 0, 0, 0)
}

// appendWords appends 64-bit words.
func appendWords(b []byte, words ...uint64) []byte {
	for _, w := range words {
		b = le.AppendUint64(b, w)
	}
	return b
}

// AppendInt appends an int, 4 bytes.
func AppendInt(b []byte, v int32) []byte { return le.AppendUint32(b, uint32(v)) }

// Int decodes an int.
func Int(b []byte) int32 { return int32(le.Uint32(b)) }
