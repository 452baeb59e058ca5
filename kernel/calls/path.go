package calls

import (
	"yolk/kernel"
	"yolk/kernel/abi"
	"yolk/kernel/vfs"
	"yolk/mm"
)

// The system calls on names.  What is done with a file (a placeOp) is written
// once; it reaches the file by a path, by a path from a directory descriptor, or
// by a descriptor.
var pathCalls = []call{
	{abi.SysStat, "stat", byPath(stat, 0)},
	{abi.SysLstat, "lstat", byPath(stat, vfs.NoFollow)},
	{abi.SysFstat, "fstat", byFD(stat)},
	{abi.SysNewfstatat, "newfstatat", byPathAt(stat, 1, abi.AT_NO_AUTOMOUNT)},
	{abi.SysAccess, "access", byPath(access, 0)},
	{abi.SysFaccessat, "faccessat", adapt(byPathAt(access, 1, 0), 3)},
	{abi.SysFaccessat2, "faccessat2", byPathAt(access, 1, abi.AT_EACCESS)},
	{abi.SysChmod, "chmod", byPath(chmod, 0)},
	{abi.SysFchmod, "fchmod", byFD(chmod)},
	{abi.SysFchmodat, "fchmodat", adapt(byPathAt(chmod, 1, 0), 3)},
	{abi.SysFchmodat2, "fchmodat2", byPathAt(chmod, 1, 0)},
	{abi.SysChown, "chown", byPath(chown, 0)},
	{abi.SysLchown, "lchown", byPath(chown, vfs.NoFollow)},
	{abi.SysFchown, "fchown", byFD(chown)},
	{abi.SysFchownat, "fchownat", byPathAt(chown, 2, 0)},
	{abi.SysUtimensat, "utimensat", sysUtimensat},
	{abi.SysTruncate, "truncate", byPath(truncate, 0)},
	{abi.SysStatfs, "statfs", byPath(statfs, 0)},
	{abi.SysFstatfs, "fstatfs", byFD(statfs)},
	{abi.SysChdir, "chdir", byPath(chdir, 0)},
	{abi.SysFchdir, "fchdir", byFD(chdir)},
	{abi.SysGetcwd, "getcwd", sysGetcwd},
	{abi.SysUmask, "umask", sysUmask},

	{abi.SysOpen, "open", fromCwd(sysOpenat, 3)},
	{abi.SysOpenat, "openat", sysOpenat},
	{abi.SysCreat, "creat", sysCreat},
	{abi.SysMkdir, "mkdir", fromCwd(sysMkdirat, 2)},
	{abi.SysMkdirat, "mkdirat", sysMkdirat},
	{abi.SysMknod, "mknod", fromCwd(sysMknodat, 3)},
	{abi.SysMknodat, "mknodat", sysMknodat},
	{abi.SysUnlink, "unlink", fromCwd(sysUnlinkat, 1)},
	{abi.SysRmdir, "rmdir", fromCwd(sysUnlinkat, 1, abi.AT_REMOVEDIR)},
	{abi.SysUnlinkat, "unlinkat", sysUnlinkat},
	{abi.SysRename, "rename", betweenCwd(sysRenameat2)},
	{abi.SysRenameat, "renameat", adapt(sysRenameat2, 4)},
	{abi.SysRenameat2, "renameat2", sysRenameat2},
	{abi.SysLink, "link", betweenCwd(sysLinkat)},
	{abi.SysLinkat, "linkat", sysLinkat},
	{abi.SysSymlink, "symlink", sysSymlink},
	{abi.SysSymlinkat, "symlinkat", sysSymlinkat},
	{abi.SysReadlink, "readlink", fromCwd(sysReadlinkat, 3)},
	{abi.SysReadlinkat, "readlinkat", sysReadlinkat},
}

// atCwd is AT_FDCWD as an argument.
const atCwd = 1<<64 + abi.AT_FDCWD

// fromCwd makes a call of n arguments out of one that takes a directory
// descriptor before them; more are arguments after them.
func fromCwd(do doer, n int, more ...uint64) doer {
	at := adapt(do, n+1, more...)
	return func(p *kernel.Process, a *kernel.Args) (uint64, error) {
		copy(a[1:], a[:n])
		a[0] = atCwd
		return at(p, a)
	}
}

// betweenCwd makes a call of two paths out of one that takes a directory
// descriptor before each.
func betweenCwd(do doer) doer {
	return func(p *kernel.Process, a *kernel.Args) (uint64, error) {
		*a = kernel.Args{atCwd, a[0], atCwd, a[1]}
		return do(p, a)
	}
}

// placeOp does something with the file at a place; a are the call's arguments
// behind those that say which.
type placeOp func(p *kernel.Process, at vfs.Place, a []uint64) error

// byPath makes a call (path, …).
func byPath(do placeOp, how vfs.How) doer {
	return func(p *kernel.Process, a *kernel.Args) (uint64, error) {
		at, err := walk(p, atCwd, a[0], how)
		if err != nil {
			return 0, err
		}
		return 0, do(p, at, a[1:])
	}
}

// byFD makes a call (fd, …).
func byFD(do placeOp) doer {
	return onFile(func(p *kernel.Process, d *vfs.Description, a *kernel.Args) (uint64, error) {
		return 0, do(p, d.Place, a[1:])
	})
}

// byPathAt makes a call (dirfd, path, …, flags) with n arguments in the middle.
// Of the flags it heeds AT_SYMLINK_NOFOLLOW and AT_EMPTY_PATH, and lets those in
// also pass.
func byPathAt(do placeOp, n int, also uint64) doer {
	return func(p *kernel.Process, a *kernel.Args) (uint64, error) {
		at, err := walkAt(p, a[0], a[1], a[2+n], also)
		if err != nil {
			return 0, err
		}
		return 0, do(p, at, a[2:])
	}
}

// path copies a path in.
func path(p *kernel.Process, va uint64) (string, error) {
	return p.Space().CopyInString(mm.VirtAddr(va), abi.PATH_MAX)
}

// base returns the directory that a relative path begins at; nil is the working
// directory.
func base(p *kernel.Process, fd uint64, path string) (vfs.Dir, error) {
	if int32(fd) == abi.AT_FDCWD || path != "" && path[0] == '/' {
		return nil, nil
	}
	d, err := file(p, fd)
	if err != nil {
		return nil, err
	}
	if dir, ok := d.Place.Node.(vfs.Dir); ok {
		return dir, nil
	}
	return nil, vfs.ErrNotDir
}

// walk resolves the path at va from the directory fd.
func walk(p *kernel.Process, fd, va uint64, how vfs.How) (vfs.Place, error) {
	path, err := path(p, va)
	if err != nil {
		return vfs.Place{}, err
	}
	base, err := base(p, fd, path)
	if err != nil {
		return vfs.Place{}, err
	}
	return p.FS.Walk(p, base, path, how)
}

// walkAt is walk as the flags of the …at calls have it.
func walkAt(p *kernel.Process, fd, va, flags, also uint64) (vfs.Place, error) {
	if uint32(flags)&^uint32(also|abi.AT_SYMLINK_NOFOLLOW|abi.AT_EMPTY_PATH) != 0 {
		return vfs.Place{}, abi.EINVAL
	}
	if flags&abi.AT_EMPTY_PATH != 0 {
		switch path, err := path(p, va); {
		case err != nil:
			return vfs.Place{}, err
		case path == "":
			return placeOf(p, fd)
		}
	}
	how := vfs.How(0)
	if flags&abi.AT_SYMLINK_NOFOLLOW != 0 {
		how = vfs.NoFollow
	}
	return walk(p, fd, va, how)
}

// placeOf returns where a descriptor was opened, or the working directory.
func placeOf(p *kernel.Process, fd uint64) (vfs.Place, error) {
	if int32(fd) == abi.AT_FDCWD {
		return vfs.Place{Node: p.FS.Cwd}, nil
	}
	d, err := file(p, fd)
	if err != nil {
		return vfs.Place{}, err
	}
	return d.Place, nil
}

// newName resolves a path that is to be made: its last component must not
// exist, nor end in a slash unless a directory is to be made.
func newName(p *kernel.Process, fd, va uint64, dir bool) (vfs.Place, error) {
	at, err := walk(p, fd, va, vfs.NoFollow|vfs.MayLack)
	switch {
	case err != nil:
	case at.Node != nil:
		err = vfs.ErrExist
	case at.Slash && !dir:
		err = vfs.ErrNotExist
	}
	return at, err
}

func stat(p *kernel.Process, at vfs.Place, a []uint64) error {
	st := at.Node.Stat()
	return p.CopyOut(a[0], st.Append(p.Scratch()))
}

// access answers for root: everything but the execution of what nobody may
// execute (access(2)).
func access(_ *kernel.Process, at vfs.Place, a []uint64) error {
	if a[0]&^(abi.R_OK|abi.W_OK|abi.X_OK) != 0 {
		return abi.EINVAL
	}
	mode := at.Node.Stat().Mode
	if a[0]&abi.X_OK != 0 && mode&abi.S_IFMT != abi.S_IFDIR && mode&abi.S_IXANY == 0 {
		return vfs.ErrAccess
	}
	return nil
}

func chmod(p *kernel.Process, at vfs.Place, a []uint64) error {
	if _, isLink := at.Node.(vfs.Symlink); isLink {
		return abi.EOPNOTSUPP
	}
	return at.Node.SetAttr(p, vfs.Attr{Set: vfs.SetMode, Mode: uint32(a[0])})
}

// chown leaves an owner as it is where −1 is given (chown(2)).
func chown(p *kernel.Process, at vfs.Place, a []uint64) error {
	attr := vfs.Attr{UID: uint32(a[0]), GID: uint32(a[1])}
	if int32(a[0]) != -1 {
		attr.Set |= vfs.SetUID
	}
	if int32(a[1]) != -1 {
		attr.Set |= vfs.SetGID
	}
	return at.Node.SetAttr(p, attr)
}

func truncate(p *kernel.Process, at vfs.Place, a []uint64) error {
	_, isDir := at.Node.(vfs.Dir)
	switch size := int64(a[0]); {
	case isDir:
		return vfs.ErrIsDir
	case size < 0 || at.Node.Stat().Mode&abi.S_IFMT != abi.S_IFREG:
		return abi.EINVAL
	default:
		return at.Node.SetAttr(p, vfs.Attr{Set: vfs.SetSize, Size: size})
	}
}

func statfs(p *kernel.Process, at vfs.Place, a []uint64) error {
	st := abi.Statfs{Type: abi.PIPEFS_MAGIC, BlockSize: 4096, NameMax: abi.NAME_MAX}
	if dir, ok := at.Node.(vfs.Dir); ok {
		st = dir.Statfs()
	} else if at.Dir != nil {
		st = at.Dir.Statfs()
	}
	return p.CopyOut(a[0], st.Append(p.Scratch()))
}

func chdir(p *kernel.Process, at vfs.Place, _ []uint64) error {
	dir, ok := at.Node.(vfs.Dir)
	if !ok {
		return vfs.ErrNotDir
	}
	p.FS.Cwd = dir
	return nil
}

// sysGetcwd returns the length with the NUL; the C library makes the pointer of
// getcwd(3) of it.
func sysGetcwd(p *kernel.Process, a *kernel.Args) (uint64, error) {
	path, err := p.FS.Path(vfs.Place{Node: p.FS.Cwd})
	if err != nil {
		return 0, err
	}
	if uint64(len(path)) >= a[1] {
		return 0, vfs.ErrRange
	}
	return uint64(len(path) + 1), p.CopyOut(a[0], append([]byte(path), 0))
}

func sysUmask(p *kernel.Process, a *kernel.Args) (uint64, error) {
	old := p.FS.Umask
	p.FS.Umask = uint32(a[0]) & 0o777
	return uint64(old), nil
}

// sysUtimensat takes a null path for the descriptor itself (utimensat(2)).
func sysUtimensat(p *kernel.Process, a *kernel.Args) (uint64, error) {
	now := p.Now()
	attr := vfs.Attr{Set: vfs.SetAtime | vfs.SetMtime, Atime: now, Mtime: now}
	if a[2] != 0 {
		var b [2 * abi.TimespecSize]byte
		if err := p.CopyIn(b[:], a[2]); err != nil {
			return 0, err
		}
		if !stamp(b[:], &attr, &attr.Atime, vfs.SetAtime) || !stamp(b[abi.TimespecSize:], &attr, &attr.Mtime, vfs.SetMtime) {
			return 0, abi.EINVAL
		}
	}
	at, err := vfs.Place{}, error(nil)
	if a[1] == 0 && int32(a[0]) != abi.AT_FDCWD {
		at, err = placeOf(p, a[0])
	} else {
		at, err = walkAt(p, a[0], a[1], a[3], 0)
	}
	if err != nil || attr.Set == 0 {
		return 0, err
	}
	return 0, at.Node.SetAttr(p, attr)
}

// stamp decodes one struct timespec of utimensat(2) into attr's field at, which
// holds the present time; false if it is malformed.
func stamp(b []byte, attr *vfs.Attr, at *int64, field vfs.AttrSet) bool {
	switch sec, nsec := abi.Timespec(b); {
	case nsec == abi.UTIME_NOW:
	case nsec == abi.UTIME_OMIT:
		attr.Set &^= field
	case nsec < 0 || nsec >= 1e9:
		return false
	default:
		*at = max(-1<<33, min(sec, 1<<33))*1e9 + nsec
	}
	return true
}

// openFlags are the flags of open(2) that are heeded; others are ignored.
const openFlags = abi.O_ACCMODE | abi.O_CREAT | abi.O_EXCL | abi.O_NOCTTY | abi.O_TRUNC | abi.O_APPEND |
	abi.O_NONBLOCK | abi.O_DSYNC | abi.O_SYNC | abi.O_DIRECT | abi.O_LARGEFILE | abi.O_DIRECTORY |
	abi.O_NOFOLLOW | abi.O_NOATIME | abi.O_CLOEXEC

func sysOpenat(p *kernel.Process, a *kernel.Args) (uint64, error) {
	flags := int(a[2]) & openFlags
	switch {
	case a[2]&(abi.O_TMPFILE&^abi.O_DIRECTORY|abi.O_PATH) != 0:
		return 0, abi.EOPNOTSUPP
	case flags&(abi.O_CREAT|abi.O_DIRECTORY) == abi.O_CREAT|abi.O_DIRECTORY:
		return 0, abi.EINVAL
	}
	path, err := path(p, a[1])
	if err != nil {
		return 0, err
	}
	base, err := base(p, a[0], path)
	if err != nil {
		return 0, err
	}
	if _, err := p.Files.Room(0); err != nil {
		return 0, err // before a file is created
	}
	d, err := p.FS.Open(p, base, path, flags, uint32(a[3]))
	if err != nil {
		return 0, err
	}
	fd, err := p.Files.Open(d, 0, flags&abi.O_CLOEXEC != 0)
	return uint64(fd), err
}

func sysCreat(p *kernel.Process, a *kernel.Args) (uint64, error) {
	*a = kernel.Args{atCwd, a[0], abi.O_CREAT | abi.O_WRONLY | abi.O_TRUNC, a[1]}
	return sysOpenat(p, a)
}

func sysMkdirat(p *kernel.Process, a *kernel.Args) (uint64, error) {
	at, err := newName(p, a[0], a[1], true)
	if err != nil {
		return 0, err
	}
	_, err = at.Dir.Create(p, at.Name, abi.S_IFDIR|uint32(a[2])&0o1777&^p.FS.Umask, 0)
	return 0, err
}

func sysMknodat(p *kernel.Process, a *kernel.Args) (uint64, error) {
	mode := uint32(a[2])
	if mode&abi.S_IFMT == 0 {
		mode |= abi.S_IFREG
	}
	at, err := newName(p, a[0], a[1], false)
	if err == nil && mode&abi.S_IFMT == abi.S_IFDIR {
		err = vfs.ErrPerm
	}
	if err == nil {
		_, err = at.Dir.Create(p, at.Name, mode&^p.FS.Umask, uint64(uint32(a[3])))
	}
	return 0, err
}

// fixed reports whether a place cannot be renamed, replaced or removed: the
// root, "." and "..", and where something is mounted.
func fixed(p *kernel.Process, at vfs.Place) bool {
	dir, isDir := at.Node.(vfs.Dir)
	return isDir && (at.Name == "" || at.Name == "." || at.Name == ".." || p.FS.System.Mounted(dir))
}

// sysUnlinkat removes a name (unlink(2), rmdir(2)).
//
//	last component  unlink       rmdir
//	"/", mounted    ErrIsDir     ErrBusy
//	"."             ErrIsDir     ErrInvalid
//	".."            ErrIsDir     ErrNotEmpty
//	file/           ErrNotDir    ErrNotDir
//	any other       as Dir.Remove says
func sysUnlinkat(p *kernel.Process, a *kernel.Args) (uint64, error) {
	if uint32(a[2])&^abi.AT_REMOVEDIR != 0 {
		return 0, abi.EINVAL
	}
	at, err := walk(p, a[0], a[1], vfs.NoFollow|vfs.MayLack)
	if err != nil {
		return 0, err
	}
	_, isDir := at.Node.(vfs.Dir)
	switch {
	case at.Node == nil:
		err = vfs.ErrNotExist
	case isDir && a[2] == 0:
		err = vfs.ErrIsDir
	case isDir && at.Name == ".":
		err = vfs.ErrInvalid
	case isDir && at.Name == "..":
		err = vfs.ErrNotEmpty
	case fixed(p, at):
		err = vfs.ErrBusy
	case at.Slash && !isDir:
		err = vfs.ErrNotDir
	default:
		err = at.Dir.Remove(p, at.Name, a[2] != 0)
	}
	return 0, err
}

func sysRenameat2(p *kernel.Process, a *kernel.Args) (uint64, error) {
	from, err := walk(p, a[0], a[1], vfs.NoFollow|vfs.MayLack)
	if err != nil {
		return 0, err
	}
	to, err := walk(p, a[2], a[3], vfs.NoFollow|vfs.MayLack)
	if err != nil {
		return 0, err
	}
	_, isDir := from.Node.(vfs.Dir)
	switch {
	case fixed(p, from) || fixed(p, to):
		err = vfs.ErrBusy
	case from.Node == nil:
		err = vfs.ErrNotExist
	case (from.Slash || to.Slash) && !isDir:
		err = vfs.ErrNotDir
	default:
		err = from.Dir.Rename(p, from.Name, to.Dir, to.Name, int(uint32(a[4])))
	}
	return 0, err
}

// sysLinkat follows a link only when told to, unlike the other calls.
func sysLinkat(p *kernel.Process, a *kernel.Args) (uint64, error) {
	if uint32(a[4])&^(abi.AT_SYMLINK_FOLLOW|abi.AT_EMPTY_PATH) != 0 {
		return 0, abi.EINVAL
	}
	flags := a[4] & abi.AT_EMPTY_PATH
	if a[4]&abi.AT_SYMLINK_FOLLOW == 0 {
		flags |= abi.AT_SYMLINK_NOFOLLOW
	}
	old, err := walkAt(p, a[0], a[1], flags, 0)
	if err != nil {
		return 0, err
	}
	at, err := newName(p, a[2], a[3], false)
	if err != nil {
		return 0, err
	}
	return 0, at.Dir.Link(p, at.Name, old.Node)
}

func sysSymlink(p *kernel.Process, a *kernel.Args) (uint64, error) {
	*a = kernel.Args{a[0], atCwd, a[1]}
	return sysSymlinkat(p, a)
}

func sysSymlinkat(p *kernel.Process, a *kernel.Args) (uint64, error) {
	target, err := path(p, a[0])
	if err == nil && target == "" {
		err = vfs.ErrNotExist
	}
	if err != nil {
		return 0, err
	}
	at, err := newName(p, a[1], a[2], false)
	if err != nil {
		return 0, err
	}
	return 0, at.Dir.Symlink(p, at.Name, target)
}

func sysReadlinkat(p *kernel.Process, a *kernel.Args) (uint64, error) {
	size := int(int32(a[3]))
	if size <= 0 {
		return 0, abi.EINVAL
	}
	at, err := walkAt(p, a[0], a[1], abi.AT_SYMLINK_NOFOLLOW|abi.AT_EMPTY_PATH, 0)
	if err != nil {
		return 0, err
	}
	link, ok := at.Node.(vfs.Symlink)
	if !ok {
		return 0, abi.EINVAL
	}
	target, err := link.Readlink(p)
	if err != nil {
		return 0, err
	}
	target = target[:min(len(target), size)]
	return uint64(len(target)), p.CopyOut(a[2], []byte(target))
}
