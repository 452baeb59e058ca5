package vfs

import (
	"strings"

	"yolk/kernel/abi"
	"yolk/mm"
)

// settable are the flags that fcntl(F_SETFL) can change.
const settable = abi.O_APPEND | abi.O_NONBLOCK | abi.O_DIRECT | abi.O_NOATIME

// Description is an open file: a handle, flags and an offset.  Descriptors of
// one or several processes may share it; that is why parent and child go on
// reading where the other stopped.
type Description struct {
	Handle Handle
	Place  Place // where it was opened; Node is nil for what never had a name

	flags  int
	offset int64
	refs   int
	system *System
	budget *mm.Budget // charged for it; may be nil
}

// NewDescription returns an open file with one reference, charged to c until it
// is closed, whoever has it then; c is nil for the kernel itself.  It takes over
// h, and closes it when it fails with ErrFileTableFull.
func (s *System) NewDescription(c Caller, h Handle, at Place, flags int) (*Description, error) {
	d, err := s.reserve(c)
	if err != nil {
		h.Close()
		return nil, err
	}
	return d.become(h, at, flags), nil
}

// reserve charges c for a description that is yet to become an open file.
func (s *System) reserve(c Caller) (*Description, error) {
	d := &Description{refs: 1, system: s}
	if c != nil {
		d.budget = c.Budget()
	}
	if s.open >= s.limit || d.budget != nil && d.budget.Charge(DescriptionCost) != nil {
		return nil, ErrFileTableFull
	}
	s.open++
	return d, nil
}

// release undoes reserve.
func (d *Description) release() {
	d.system.open--
	if d.budget != nil {
		d.budget.Release(DescriptionCost)
	}
}

// become makes a description that was reserved an open file.
func (d *Description) become(h Handle, at Place, flags int) *Description {
	at.Name = strings.Clone(at.Name) // not the whole path that it is part of
	d.Handle, d.Place, d.flags = h, at, flags
	if flags&abi.O_NONBLOCK != 0 {
		d.SetFlags(flags)
	}
	return d
}

// Open opens, and with O_CREAT makes, the file that path leads to from base
// (nil: the working directory), as open(2) does.  mode is masked by the umask.
func (x *Context) Open(c Caller, base Dir, path string, flags int, mode uint32) (*Description, error) {
	d, err := x.System.reserve(c) // before anything is created or truncated
	if err != nil {
		return nil, err
	}
	h, at, err := x.openHandle(c, base, path, flags, mode)
	if err != nil {
		d.release()
		return nil, err
	}
	return d.become(h, at, flags&^(abi.O_CREAT|abi.O_EXCL|abi.O_NOCTTY|abi.O_TRUNC|abi.O_CLOEXEC)), nil
}

// openHandle finds or creates the file, opens and perhaps truncates it.
func (x *Context) openHandle(c Caller, base Dir, path string, flags int, mode uint32) (Handle, Place, error) {
	at, created, err := x.locate(c, base, path, flags, mode)
	if err == nil {
		err = mayOpen(at.Node, flags)
	}
	if err != nil {
		return nil, at, err
	}
	h, err := at.Node.Open(c, flags)
	if err == nil && flags&abi.O_TRUNC != 0 && !created {
		if err = at.Node.SetAttr(c, Attr{Set: SetSize}); err != nil {
			h.Close()
		}
	}
	return h, at, err
}

// locate finds or creates what Open is to open.
func (x *Context) locate(c Caller, base Dir, path string, flags int, mode uint32) (at Place, created bool, err error) {
	how := How(0)
	if flags&abi.O_NOFOLLOW != 0 || flags&(abi.O_CREAT|abi.O_EXCL) == abi.O_CREAT|abi.O_EXCL {
		how |= NoFollow
	}
	if flags&abi.O_CREAT != 0 {
		how |= MayLack
	}
	if at, err = x.Walk(c, base, path, how); err != nil || flags&abi.O_CREAT == 0 {
		return at, false, err
	}
	switch {
	case at.Slash:
		return at, false, ErrIsDir
	case at.Node == nil:
		at.Node, err = at.Dir.Create(c, at.Name, abi.S_IFREG|mode&^x.Umask&0o7777, 0)
		return at, true, err
	case flags&abi.O_EXCL != 0:
		return at, false, ErrExist
	}
	return at, false, nil
}

// mayOpen checks the flags of open against the kind of node.
func mayOpen(n Node, flags int) error {
	_, isDir := n.(Dir)
	_, isLink := n.(Symlink)
	switch {
	case flags&abi.O_DIRECTORY != 0 && !isDir:
		return ErrNotDir
	case isLink:
		return ErrLoop
	case isDir && (flags&abi.O_ACCMODE != abi.O_RDONLY || flags&(abi.O_CREAT|abi.O_TRUNC) != 0):
		return ErrIsDir
	}
	return nil
}

// OpenExec opens the program that path leads to: a regular file with an
// execute bit, else ErrAccess, whose handle is a Mapper.  Writers are kept away by
// mm.AddressSpace.SetExecutable, once the program runs.
func (x *Context) OpenExec(c Caller, base Dir, path string, how How) (*Description, error) {
	at, err := x.Walk(c, base, path, how)
	if err != nil {
		return nil, err
	}
	if _, isLink := at.Node.(Symlink); isLink {
		return nil, ErrLoop
	}
	if st := at.Node.Stat(); st.Mode&abi.S_IFMT != abi.S_IFREG || st.Mode&abi.S_IXANY == 0 {
		return nil, ErrAccess
	}
	h, err := at.Node.Open(c, abi.O_RDONLY)
	if err != nil {
		return nil, err
	}
	if _, ok := h.(Mapper); !ok {
		h.Close()
		return nil, ErrAccess
	}
	return x.System.NewDescription(c, h, at, abi.O_RDONLY)
}

// Ref adds a reference and returns d.
func (d *Description) Ref() *Description {
	d.refs++
	return d
}

// Drop takes a reference away and closes the handle with the last one.
func (d *Description) Drop() {
	if d.refs--; d.refs == 0 {
		d.release()
		d.Handle.Close()
	}
}

// Object returns the pages of the file, for mmap(2) and execve(2); nil if it
// has none.  The caller takes references of its own.
func (d *Description) Object() *mm.Object {
	if m, ok := d.Handle.(Mapper); ok {
		return m.Object()
	}
	return nil
}

// Flags returns the access mode and status flags (fcntl(2), F_GETFL).
func (d *Description) Flags() int { return d.flags }

// SetFlags changes the status flags that can be changed; others in flags are
// ignored (fcntl(2), F_SETFL).
func (d *Description) SetFlags(flags int) {
	d.flags = d.flags&^settable | flags&settable
	if b, ok := d.Handle.(Blocker); ok {
		b.SetNonblock(flags&abi.O_NONBLOCK != 0)
	}
}

// Readable reports whether the access mode allows reading.
func (d *Description) Readable() bool {
	return d.flags&abi.O_ACCMODE != abi.O_WRONLY
}

// Writable reports whether the access mode allows writing.
func (d *Description) Writable() bool {
	return d.flags&abi.O_ACCMODE != abi.O_RDONLY
}

// Read reads at the offset and advances it (read(2)).
func (d *Description) Read(c Caller, dst Sink) (int, error) {
	if !d.Readable() {
		return 0, ErrBadFile
	}
	n, err := d.Handle.Read(c, dst, d.offset)
	d.advance(n)
	return n, err
}

// Write writes at the offset, or with O_APPEND at the end, and advances the
// offset (write(2)).
func (d *Description) Write(c Caller, src Source) (int, error) {
	if !d.Writable() {
		return 0, ErrBadFile
	}
	if d.flags&abi.O_APPEND != 0 {
		d.offset = d.size()
	}
	n, err := d.Handle.Write(c, src, d.offset)
	d.advance(n)
	return n, err
}

// size returns the file's size: where O_APPEND writes and SEEK_END begins.
func (d *Description) size() int64 {
	if s, ok := d.Handle.(Sizer); ok {
		return s.Size()
	}
	return d.Handle.Stat().Size
}

func (d *Description) advance(n int) {
	if !IsStream(d.Handle) {
		d.offset += int64(n)
	}
}

// ReadAt reads at off and leaves the offset alone (pread(2)).
func (d *Description) ReadAt(c Caller, dst Sink, off int64) (int, error) {
	if err := d.at(d.Readable(), off); err != nil {
		return 0, err
	}
	return d.Handle.Read(c, dst, off)
}

// WriteAt writes at off and leaves the offset alone; with O_APPEND it appends
// all the same (pwrite(2), BUGS).
func (d *Description) WriteAt(c Caller, src Source, off int64) (int, error) {
	if err := d.at(d.Writable(), off); err != nil {
		return 0, err
	}
	if d.flags&abi.O_APPEND != 0 {
		off = d.size()
	}
	return d.Handle.Write(c, src, off)
}

// at checks a transfer at an offset of its own.
func (d *Description) at(allowed bool, off int64) error {
	switch {
	case off < 0:
		return ErrInvalid
	case !allowed:
		return ErrBadFile
	case IsStream(d.Handle):
		return ErrSeekPipe
	}
	return nil
}

// Seek moves the offset (lseek(2)) and returns it.
func (d *Description) Seek(off int64, whence int) (int64, error) {
	if IsStream(d.Handle) {
		return 0, ErrSeekPipe
	}
	var from int64
	switch whence {
	case abi.SEEK_SET:
	case abi.SEEK_CUR:
		from = d.offset
	case abi.SEEK_END:
		from = d.size()
	default:
		return 0, ErrInvalid
	}
	to := from + off
	switch {
	case off > 0 && to < from:
		return 0, ErrOverflow
	case to < 0:
		return 0, ErrInvalid
	}
	d.offset = to
	return to, nil
}

// ReadDir passes the directory's entries from the offset on to emit, which
// returns false for an entry that it has no room for, and advances the offset.
func (d *Description) ReadDir(c Caller, emit func(Entry) bool) error {
	if !d.Readable() {
		return ErrBadFile
	}
	r, ok := d.Handle.(DirReader)
	if !ok {
		return ErrNotDir
	}
	return r.ReadDir(c, d.offset, func(e Entry) bool {
		if !emit(e) {
			return false
		}
		d.offset = e.Next
		return true
	})
}

// Poll returns the events that hold now and the queue to wait on for others;
// nil where they always hold.
func (d *Description) Poll() (events int, q *Queue) {
	if p, ok := d.Handle.(Poller); ok {
		return p.Poll()
	}
	return abi.POLLIN | abi.POLLOUT | abi.POLLRDNORM | abi.POLLWRNORM, nil
}

// dirHandle is an open directory of any file system.
type dirHandle struct {
	dir Dir
}

// OpenDir returns a handle that lists d: what Open of a Dir returns.
func OpenDir(d Dir) Handle { return dirHandle{d} }

func (dirHandle) Read(Caller, Sink, int64) (int, error)    { return 0, ErrIsDir }
func (dirHandle) Write(Caller, Source, int64) (int, error) { return 0, ErrBadFile }
func (h dirHandle) Stat() Stat                             { return h.dir.Stat() }
func (dirHandle) Close()                                   {}

// ReadDir lists "." and ".." at the cursors 0 and 1, then the directory's own
// entries at their cursor plus 2.
func (h dirHandle) ReadDir(c Caller, cursor int64, emit func(Entry) bool) error {
	self := h.dir.Stat().Ino
	if cursor == 0 {
		if !emit(Entry{".", self, abi.S_IFDIR, 1}) {
			return nil
		}
		cursor = 1
	}
	if cursor == 1 {
		if up, _ := h.dir.Up(); up != nil {
			self = up.Stat().Ino
		}
		if !emit(Entry{"..", self, abi.S_IFDIR, 2}) {
			return nil
		}
		cursor = 2
	}
	return h.dir.ReadDir(c, cursor-2, func(e Entry) bool {
		e.Next += 2
		return emit(e)
	})
}
