// Package fs is the file system in memory: a tree of directories, regular
// files, symbolic links and device nodes, as tmpfs(5) is.
//
// A regular file's data are an mm.Object: the page cache is the file.  Names
// and nodes live on the Go heap and are charged to the tree's budget before
// they are made, in amounts rounded up so that the charge covers what the heap
// really holds; the charge goes back when the last name and the last open
// handle have gone.
//
// Invariants, under the kernel lock: a node's nlink is the number of entries
// that lead to it (for a directory: 2 and one for each directory in it, 0 once
// removed); a directory has one parent and one name; a file's data live while
// it has a name or an open handle.
package fs

import (
	"strings"

	"yolk/kernel/abi"
	"yolk/kernel/vfs"
	"yolk/mm"
)

// What things cost in bytes of kernel heap, rounded up.
const (
	fileCost  = 112 // the mm.Object charges itself
	fifoCost  = 480 // with its pipe
	dirCost   = 448 // with an empty map
	linkCost  = 112 // and the target's length, with an eighth for the size class
	entryCost = 208 // struct and that of one removed, slots in the order, slots in the map; and the name's length
)

// maxLinks is how many names a file may have.
const maxLinks = 65000

// Config is what a tree needs.
type Config struct {
	Memory  *mm.Memory
	Budget  *mm.Budget    // names and nodes are charged here
	Reserve int           // frames that file data leave free (vfs.ErrNoSpace)
	Devices vfs.Devices   // what device nodes open
	Pipes   vfs.PipeMaker // what FIFOs open
	Now     func() int64  // nanoseconds since the epoch
}

// Tree is a file system.
type Tree struct {
	Config
	root    *dir
	lastIno uint64
	nodes   int
}

// New returns a tree with an empty root directory; mm.ErrNoMemory if the budget
// does not even allow that.
func New(c Config) (*Tree, error) {
	t := &Tree{Config: c}
	if err := c.Budget.Charge(dirCost); err != nil {
		return nil, err
	}
	t.root = t.newDir(abi.S_IFDIR|0o755, nil, "")
	t.root.cost = dirCost
	return t, nil
}

// Root returns the root directory.
func (t *Tree) Root() vfs.Dir { return t.root }

// Nodes returns the number of nodes, those without a name but open included.
func (t *Tree) Nodes() int { return t.nodes }

// Hold implements mm.Holder: the data of all files that have a name.
//
// WHY no recursion: directories may lie in each other as deep as there is memory
// for them, and the kernel's stacks grow on its heap.
func (t *Tree) Hold(c *mm.Checker) {
	d, after := t.root, int64(0) // go on in d behind the entry with this seq
	for d != nil {
		e := d.next(after + 1)
		if e == nil { // up, and on behind d's own entry
			if d.parent != nil {
				after = d.parent.byName[d.name].seq
			}
			d = d.parent
			continue
		}
		after = e.seq
		switch n := e.node.(type) {
		case *dir:
			d, after = n, 0
		case *file:
			c.Object(n.data)
		}
	}
}

// charge takes n bytes for names and nodes, or fails with vfs.ErrNoSpace.
func (t *Tree) charge(n int) error {
	if t.Budget.Charge(int64(n)) != nil {
		return vfs.ErrNoSpace
	}
	return nil
}

// node is a node of this package.
type node interface {
	vfs.Node
	meta() *inode
	// gone is called once, when neither name nor open handle is left.
	gone()
}

// inode is what all kinds of nodes have.
type inode struct {
	tree                *Tree
	ino                 uint64
	mode, uid, gid      uint32
	nlink               uint32
	opens               int // open handles
	cost                int // charged for the node
	atime, mtime, ctime int64
}

func (t *Tree) newInode(mode uint32) inode {
	t.lastIno++
	t.nodes++
	now := t.Now()
	return inode{tree: t, ino: t.lastIno, mode: mode, nlink: 1, atime: now, mtime: now, ctime: now}
}

func (i *inode) meta() *inode { return i }
func (i *inode) gone()        {}

// Stat implements vfs.Node, for the kinds that have no data.
func (i *inode) Stat() vfs.Stat {
	return vfs.Stat{
		Dev: abi.Mkdev(0, 1), Ino: i.ino, Nlink: uint64(i.nlink), Mode: i.mode, UID: i.uid, GID: i.gid,
		Atime: i.atime, Mtime: i.mtime, Ctime: i.ctime,
	}
}

// SetAttr implements vfs.Node, for the kinds that have no size.
func (i *inode) SetAttr(_ vfs.Caller, a vfs.Attr) error {
	if a.Set&vfs.SetMode != 0 {
		i.mode = i.mode&abi.S_IFMT | a.Mode&0o7777
	}
	if a.Set&vfs.SetUID != 0 {
		i.uid = a.UID
	}
	if a.Set&vfs.SetGID != 0 {
		i.gid = a.GID
	}
	if a.Set&vfs.SetAtime != 0 {
		i.atime = a.Atime
	}
	if a.Set&vfs.SetMtime != 0 {
		i.mtime = a.Mtime
	}
	i.ctime = i.tree.Now()
	return nil
}

// unlinked takes a name from n, and frees it if nothing is left.
func unlinked(n node) {
	i := n.meta()
	i.nlink--
	i.ctime = i.tree.Now()
	release(n)
}

// release frees n if neither name nor open handle is left.
func release(n node) {
	if i := n.meta(); i.nlink == 0 && i.opens == 0 {
		n.gone()
		i.tree.nodes--
		i.tree.Budget.Release(int64(i.cost))
	}
}

// file is a regular file.
type file struct {
	inode
	data *mm.Object
}

// Stat implements vfs.Node.
func (f *file) Stat() vfs.Stat {
	st := f.inode.Stat()
	st.Size, st.Blocks = int64(f.data.Size()), int64(f.data.Resident())*(mm.PageSize/512)
	return st
}

// SetAttr implements vfs.Node.
func (f *file) SetAttr(c vfs.Caller, a vfs.Attr) error {
	if a.Set&vfs.SetSize != 0 {
		if err := f.data.OpenWrite(); err != nil {
			return err
		}
		err := f.data.Truncate(uint64(a.Size))
		f.data.CloseWrite()
		if err != nil {
			return err
		}
		f.mtime = f.tree.Now()
	}
	return f.inode.SetAttr(c, a)
}

func (f *file) gone() { f.data.Drop() }

// Open implements vfs.Node.
func (f *file) Open(_ vfs.Caller, flags int) (vfs.Handle, error) {
	writes := flags&abi.O_ACCMODE != abi.O_RDONLY
	if writes {
		if err := f.data.OpenWrite(); err != nil {
			return nil, err
		}
	}
	f.opens++
	return &handle{f, writes}, nil
}

// handle is an open regular file.
type handle struct {
	*file
	writes bool
}

// Object implements vfs.Mapper.
func (h *handle) Object() *mm.Object { return h.data }

// Size implements vfs.Sizer.
func (h *handle) Size() int64 { return int64(h.data.Size()) }

// Close implements vfs.Handle.
func (h *handle) Close() {
	if h.writes {
		h.data.CloseWrite()
	}
	h.opens--
	release(h.file)
}

// Read implements vfs.Handle.
func (h *handle) Read(_ vfs.Caller, dst vfs.Sink, off int64) (int, error) {
	h.atime = h.tree.Now()
	return h.data.ReadAt(dst, uint64(off))
}

// Write implements vfs.Handle; vfs.ErrNoSpace when the frames that are free
// come down to the reserve.
func (h *handle) Write(_ vfs.Caller, src vfs.Source, off int64) (int, error) {
	frames := h.tree.Memory.Frames
	old := frames.SetReserve(0)
	frames.SetReserve(max(old, h.tree.Reserve))
	n, err := h.data.WriteAt(src, uint64(off))
	frames.SetReserve(old)
	if err == mm.ErrNoMemory {
		err = vfs.ErrNoSpace
	}
	if n > 0 {
		h.mtime = h.tree.Now()
		h.ctime = h.mtime
	}
	return n, err
}

// symlink is a symbolic link.
type symlink struct {
	inode
	target string
}

// Stat implements vfs.Node.
func (l *symlink) Stat() vfs.Stat {
	st := l.inode.Stat()
	st.Size = int64(len(l.target))
	return st
}

// Readlink implements vfs.Symlink.
func (l *symlink) Readlink(vfs.Caller) (string, error) { return l.target, nil }

// Open implements vfs.Node; the vfs never asks.
func (l *symlink) Open(vfs.Caller, int) (vfs.Handle, error) { return nil, vfs.ErrLoop }

// special is a device node or a FIFO.
type special struct {
	inode
	rdev uint64
	pipe vfs.Node // of a FIFO
}

// Stat implements vfs.Node.
func (s *special) Stat() vfs.Stat {
	st := s.inode.Stat()
	st.Rdev = s.rdev
	return st
}

// Open implements vfs.Node.
func (s *special) Open(c vfs.Caller, flags int) (vfs.Handle, error) {
	if s.pipe != nil {
		return s.pipe.Open(c, flags)
	}
	dev := s.tree.Devices[s.rdev]
	if dev == nil || s.mode&abi.S_IFMT != abi.S_IFCHR {
		return nil, vfs.ErrNoDevice
	}
	return dev.Open(c, s, flags)
}

// Adopt makes the frames from first on, which nobody else uses, the contents of
// the empty regular file n: size bytes that are not copied (mm.Object.Adopt).
func (t *Tree) Adopt(n vfs.Node, first mm.Frame, size uint64) {
	n.(*file).data.Adopt(first, size)
}

// make makes a node of the type in mode, charged, without a name yet.
func (t *Tree) make(mode uint32, rdev uint64, target string) (node, error) {
	cost := fileCost
	switch mode & abi.S_IFMT {
	case abi.S_IFLNK:
		cost = linkCost + len(target) + len(target)/8
	case abi.S_IFIFO:
		cost = fifoCost
	}
	if err := t.charge(cost); err != nil {
		return nil, err
	}
	switch mode & abi.S_IFMT {
	case abi.S_IFREG, 0:
		data, err := mm.NewObject(t.Memory, t.Budget)
		if err != nil {
			t.Budget.Release(int64(cost))
			return nil, vfs.ErrNoSpace
		}
		f := &file{t.newInode(abi.S_IFREG | mode), data}
		f.cost = cost
		return f, nil
	case abi.S_IFLNK:
		l := &symlink{t.newInode(mode), strings.Clone(target)}
		l.cost = cost
		return l, nil
	case abi.S_IFCHR, abi.S_IFBLK, abi.S_IFIFO:
		s := &special{inode: t.newInode(mode), rdev: rdev}
		s.cost = cost
		if mode&abi.S_IFMT == abi.S_IFIFO {
			s.pipe = t.Pipes.FIFO(s)
		}
		return s, nil
	}
	t.Budget.Release(int64(cost))
	return nil, vfs.ErrPerm
}
