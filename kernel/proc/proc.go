// Package proc is the file system that shows the kernel's state as text, in
// Linux's formats (proc(5)), and with two files of its own: PID/pagetable, and
// check.
//
// Nothing is stored: a name is looked up in the process table, and text is made
// when it is read, a record at a time.  A reader that goes on where it stopped
// finds the record by its key; so the kernel never holds more than one record,
// however many regions or pages a process has.
package proc

import (
	"slices"
	"strconv"

	"yolk/kernel"
	"yolk/kernel/abi"
	"yolk/kernel/vfs"
	"yolk/mm"
)

// Config is what the files tell about.
type Config struct {
	Kernel   *kernel.Kernel
	Names    *vfs.Context // where the paths that are shown begin
	Uptime   func() int64 // nanoseconds since boot
	Walltime func() int64 // nanoseconds since the epoch
	Cmdline  string       // the kernel's command line
	Holders  []mm.Holder  // of all memory, for check
}

// FS is the file system.
type FS struct{ Config }

// New returns the file system.
func New(c Config) *FS { return &FS{c} }

// Root returns the root directory, to be mounted on /proc.
func (fs *FS) Root() vfs.Dir { return dir{fs: fs, kind: root} }

// kind says which of the directories one is.
type kind uint64

const (
	root kind = iota // /proc: rootFiles, and a directory for each process
	proc             // /proc/PID: pidFiles
	fds              // /proc/PID/fd: a link for each descriptor
)

// entry is a name that is always there, and what it leads to: a directory, a
// link or a file, as the first field that is given says.
type entry struct {
	name    string
	dir     kind
	place   func(fs *FS, c vfs.Caller, p *kernel.Process) (vfs.Place, error)
	records records
	words   words
	verdict func(fs *FS, c vfs.Caller) (string, error)
}

func (e *entry) mode() uint32 {
	switch {
	case e.dir != 0:
		return abi.S_IFDIR | 0o555
	case e.place != nil:
		return abi.S_IFLNK | 0o777
	}
	return abi.S_IFREG | 0o444
}

// node is what all nodes here have.
type node struct {
	vfs.Fixed
	fs   *FS
	ino  uint64
	pid  int // the process that it is about; 0: none
	mode uint32
}

// Stat implements vfs.Node.
func (n node) Stat() vfs.Stat {
	now := n.fs.Walltime()
	return vfs.Stat{Dev: abi.Mkdev(0, 4), Ino: n.ino, Nlink: 1, Mode: n.mode, Atime: now, Mtime: now, Ctime: now}
}

// process returns the process that the node is about; ESRCH if it has gone.
func (n node) process() (*kernel.Process, error) {
	p := n.fs.Kernel.Process(n.pid)
	if p == nil && n.pid != 0 {
		return nil, abi.ESRCH
	}
	return p, nil
}

// dir is a directory.  It is a plain value: two lookups give equal nodes.
type dir struct {
	vfs.Fixed
	fs   *FS
	kind kind
	pid  int
}

// ino returns the inode number of the i-th name in d; 0 is d itself.
func (d dir) ino(i int) uint64 { return uint64(d.pid)<<24 | uint64(d.kind)<<20 | uint64(i+1) }

// Stat implements vfs.Node.
func (d dir) Stat() vfs.Stat {
	return node{fs: d.fs, ino: d.ino(0), mode: abi.S_IFDIR | 0o555}.Stat()
}

// Open implements vfs.Node.
func (d dir) Open(vfs.Caller, int) (vfs.Handle, error) { return vfs.OpenDir(d), nil }

// Up implements vfs.Dir.
func (d dir) Up() (vfs.Dir, string) {
	switch d.kind {
	case proc:
		return d.fs.Root(), strconv.Itoa(d.pid)
	case fds:
		return dir{fs: d.fs, kind: proc, pid: d.pid}, "fd"
	}
	return nil, ""
}

// The tree cannot be changed.

func (dir) Create(vfs.Caller, string, uint32, uint64) (vfs.Node, error) { return nil, vfs.ErrPerm }
func (dir) Symlink(vfs.Caller, string, string) error                    { return vfs.ErrPerm }
func (dir) Link(vfs.Caller, string, vfs.Node) error                     { return vfs.ErrCrossDevice }
func (dir) Remove(vfs.Caller, string, bool) error                       { return vfs.ErrPerm }
func (dir) Rename(vfs.Caller, string, vfs.Dir, string, int) error       { return vfs.ErrPerm }
func (dir) Statfs() abi.Statfs {
	return abi.Statfs{Type: abi.PROC_MAGIC, BlockSize: 4096, NameMax: abi.NAME_MAX}
}

// fixed returns the names that are always there.
func (d dir) fixed() []entry { return [...][]entry{root: rootFiles, proc: pidFiles, fds: nil}[d.kind] }

// numbers returns the names that come and go: processes or descriptors.
func (d dir) numbers() (list []int) {
	switch p := d.fs.Kernel.Process(d.pid); {
	case d.kind == root:
		list = d.fs.Kernel.PIDs()
	case d.kind == fds && p != nil && p.Files != nil:
		p.Files.Each(func(fd int, _ *vfs.Description) bool {
			list = append(list, fd)
			return true
		})
	}
	return list
}

// Lookup implements vfs.Dir.
func (d dir) Lookup(_ vfs.Caller, name string) (vfs.Node, error) {
	list := d.fixed()
	i := slices.IndexFunc(list, func(e entry) bool { return e.name == name })
	num, err := strconv.Atoi(name)
	switch {
	case d.kind == proc && d.fs.Kernel.Process(d.pid) == nil:
	case i >= 0:
		return d.leaf(&list[i], d.ino(i+1)), nil
	case err == nil && strconv.Itoa(num) == name && d.has(num):
		return d.number(num), nil
	}
	return nil, vfs.ErrNotExist
}

// has reports whether numbers holds n.
func (d dir) has(n int) bool {
	if d.kind == root {
		return d.fs.Kernel.Process(n) != nil
	}
	return slices.Contains(d.numbers(), n)
}

// number returns the node of a number.
func (d dir) number(n int) vfs.Node {
	if d.kind == root {
		return dir{fs: d.fs, kind: proc, pid: n}
	}
	return d.leaf(&entry{place: descriptor(n)}, d.ino(n+1))
}

// leaf returns the node of an entry.
func (d dir) leaf(e *entry, ino uint64) vfs.Node {
	n := node{fs: d.fs, ino: ino, pid: d.pid, mode: e.mode()}
	switch {
	case e.dir != 0:
		return dir{fs: d.fs, kind: e.dir, pid: d.pid}
	case e.place != nil:
		return &link{n, e}
	}
	return &file{n, e}
}

// ReadDir lists the fixed names, then the numbers; a number's cursor is itself
// behind those of the fixed names.
func (d dir) ReadDir(_ vfs.Caller, cursor int64, emit func(vfs.Entry) bool) error {
	list := d.fixed()
	tell := func(name string, n vfs.Node, at int64) bool {
		st := n.Stat()
		return at < cursor || emit(vfs.Entry{Name: name, Ino: st.Ino, Mode: st.Mode, Next: at + 1})
	}
	for i := range list {
		if !tell(list[i].name, d.leaf(&list[i], d.ino(i+1)), int64(i)) {
			return nil
		}
	}
	for _, n := range d.numbers() {
		if !tell(strconv.Itoa(n), d.number(n), int64(len(list)+n)) {
			break
		}
	}
	return nil
}

// link is a link to a place rather than to a name.
type link struct {
	node
	*entry
}

// Open implements vfs.Node.
func (*link) Open(vfs.Caller, int) (vfs.Handle, error) { return nil, vfs.ErrLoop }

// Follow implements vfs.MagicLink.
func (l *link) Follow(c vfs.Caller) (vfs.Place, error) {
	p, err := l.process()
	if err != nil {
		return vfs.Place{}, err
	}
	return l.place(l.fs, c, p)
}

// Readlink implements vfs.Symlink: the path of the place, with " (deleted)" if
// it is no longer there.
func (l *link) Readlink(c vfs.Caller) (string, error) {
	at, err := l.Follow(c)
	if err != nil {
		return "", err
	}
	if l.pid == 0 {
		return strconv.Itoa(at.Node.(dir).pid), nil // self
	}
	_, isDir := at.Node.(vfs.Dir)
	if !isDir && at.Dir == nil {
		return "pipe:[" + strconv.FormatUint(at.Node.Stat().Ino, 10) + "]", nil
	}
	path, err := l.fs.Names.Path(at)
	if err != nil {
		return at.Name + " (deleted)", nil
	}
	if !isDir {
		if n, err := at.Dir.Lookup(c, at.Name); err != nil || n != at.Node {
			path += " (deleted)"
		}
	}
	return path, nil
}

// records makes the content of a file of text: it appends to b the record with
// the given key, 0 being the first's, and returns the key of the next, 0 after
// the last.  p is nil for the files of /proc itself.
type records func(fs *FS, p *kernel.Process, key uint64, b []byte) (record []byte, next uint64)

// whole is the content of a file that is one record.
func whole(make func(fs *FS, p *kernel.Process, b []byte) []byte) records {
	return func(fs *FS, p *kernel.Process, _ uint64, b []byte) ([]byte, uint64) { return make(fs, p, b), 0 }
}

// words makes the content of a file of 64-bit words: it appends to b those from
// index on, at most n; none at the end.
type words func(fs *FS, p *kernel.Process, index, n uint64, b []byte) []byte

// wordsPart is how many words one read delivers at most: nobody else runs
// meanwhile.
const wordsPart = 1 << 13

// file is a file.
type file struct {
	node
	*entry
}

// Open implements vfs.Node.
func (f *file) Open(_ vfs.Caller, flags int) (vfs.Handle, error) {
	if flags&abi.O_ACCMODE != abi.O_RDONLY {
		return nil, vfs.ErrAccess
	}
	return &handle{file: f}, nil
}

// handle is an open file.  Of a text, the record with the key next begins at
// offset at.
type handle struct {
	*file
	at   int64
	next uint64
}

// Close implements vfs.Handle.
func (h *handle) Close() {}

// Write implements vfs.Handle.
func (h *handle) Write(vfs.Caller, vfs.Source, int64) (int, error) { return 0, vfs.ErrBadFile }

// Read implements vfs.Handle; vfs.ErrInvalid unless whole words are read.  A
// verdict is reached by a read from the start, and not by one that goes on.
func (h *handle) Read(c vfs.Caller, dst vfs.Sink, off int64) (int, error) {
	p, err := h.process()
	switch {
	case err != nil:
		return 0, err
	case h.verdict != nil && off > 0:
		return 0, nil
	case h.verdict != nil:
		text, err := h.verdict(h.fs, c)
		if err != nil {
			return 0, err
		}
		return dst.Write([]byte(text[:min(len(text), dst.Len())]))
	case h.words == nil:
		return h.readText(p, dst, off)
	case off%8 != 0 || dst.Len()%8 != 0:
		return 0, vfs.ErrInvalid
	}
	return dst.Write(h.words(h.fs, p, uint64(off)/8, min(uint64(dst.Len())/8, wordsPart), nil))
}

// readText delivers the text from off on, in whole records as far as it can.
//
// WHY whole ones: a record is made anew for each read, and the reader's own page
// faults between two reads change what it says.
func (h *handle) readText(p *kernel.Process, dst vfs.Sink, off int64) (done int, err error) {
	if off < h.at {
		h.at, h.next = 0, 0
	}
	var b []byte
	for err == nil && dst.Len() > 0 && (h.next != 0 || h.at == 0) {
		var next uint64
		b, next = h.records(h.fs, p, h.next, b[:0])
		end := h.at + int64(len(b))
		if done > 0 && dst.Len() < len(b) {
			break
		}
		if off < end {
			var n int
			n, err = dst.Write(b[off-h.at:][:min(end-off, int64(dst.Len()))])
			off, done = off+int64(n), done+n
		}
		if off < end {
			break // there is more of this record
		}
		if h.at, h.next = end, next; next == 0 {
			break
		}
	}
	return done, err
}
