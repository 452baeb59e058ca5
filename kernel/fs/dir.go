package fs

import (
	"sort"
	"strings"

	"yolk/kernel/abi"
	"yolk/kernel/vfs"
)

// entry is a name in a directory.
type entry struct {
	name string
	node node  // nil: removed
	seq  int64 // ascending in the directory's order; readdir's cursor
}

// dir is a directory.  Its entries stand in a map, to be found, and in the
// order of their making, to be listed: a listing that is interrupted by
// creations and removals goes on where it was, because an entry's seq never
// changes.
type dir struct {
	inode
	parent *dir   // nil: the root, or removed
	name   string // in parent
	byName map[string]*entry
	order  []*entry // by seq; removed ones stay until compact
	seq    int64    // of the last entry made
}

func (t *Tree) newDir(mode uint32, parent *dir, name string) *dir {
	d := &dir{inode: t.newInode(mode), parent: parent, name: name, byName: map[string]*entry{}}
	d.nlink = 2
	return d
}

// Open implements vfs.Node.
func (d *dir) Open(vfs.Caller, int) (vfs.Handle, error) { return vfs.OpenDir(d), nil }

// SetAttr implements vfs.Node.
func (d *dir) SetAttr(c vfs.Caller, a vfs.Attr) error {
	if a.Set&vfs.SetSize != 0 {
		return vfs.ErrIsDir
	}
	return d.inode.SetAttr(c, a)
}

// Up implements vfs.Dir.
func (d *dir) Up() (vfs.Dir, string) {
	if d.parent == nil {
		return nil, ""
	}
	return d.parent, d.name
}

// Lookup implements vfs.Dir.
func (d *dir) Lookup(_ vfs.Caller, name string) (vfs.Node, error) {
	if e := d.byName[name]; e != nil {
		return e.node, nil
	}
	return nil, vfs.ErrNotExist
}

// ReadDir implements vfs.Dir; a cursor is the seq to begin with.
func (d *dir) ReadDir(_ vfs.Caller, cursor int64, emit func(vfs.Entry) bool) error {
	for e := d.next(cursor); e != nil; e = d.next(e.seq + 1) {
		m := e.node.meta()
		if !emit(vfs.Entry{Name: e.name, Ino: m.ino, Mode: m.mode, Next: e.seq + 1}) {
			break
		}
	}
	return nil
}

// next returns the first entry whose seq is not below the one given, or nil.
func (d *dir) next(seq int64) *entry {
	first := sort.Search(len(d.order), func(i int) bool { return d.order[i].seq >= seq })
	for _, e := range d.order[first:] {
		if e.node != nil {
			return e
		}
	}
	return nil
}

// Statfs implements vfs.Dir.
func (d *dir) Statfs() abi.Statfs {
	t := d.tree
	frames, budget := t.Memory.Frames, t.Budget
	perFile := uint64(fileCost + entryCost + 200)
	free := uint64(budget.Left()) / perFile
	return abi.Statfs{
		Type: abi.TMPFS_MAGIC, BlockSize: 4096, NameMax: abi.NAME_MAX,
		Blocks: uint64(frames.Total()), Free: uint64(max(0, frames.Free()-t.Reserve)),
		Files: free + uint64(t.nodes), FreeFiles: free,
	}
}

// mayAdd checks that name can be entered.
func (d *dir) mayAdd(name string) error {
	switch {
	case d.byName[name] != nil:
		return vfs.ErrExist
	case d.nlink == 0:
		return vfs.ErrNotExist
	}
	return nil
}

// add enters a node whose entry has been charged.
func (d *dir) add(name string, n node) {
	d.seq++
	e := &entry{strings.Clone(name), n, d.seq}
	d.byName[e.name] = e
	d.order = append(d.order, e)
	if sub, ok := n.(*dir); ok {
		sub.parent, sub.name = d, e.name
		d.nlink++
	}
	d.touch()
}

// take takes an entry out and gives its charge back; the node lives on.
func (d *dir) take(e *entry) {
	if _, ok := e.node.(*dir); ok {
		d.nlink--
	}
	delete(d.byName, e.name)
	d.tree.Budget.Release(int64(entryCost + len(e.name)))
	*e = entry{seq: e.seq} // it may stand in the order for a while
	if len(d.order) > 32 && len(d.byName) < len(d.order)/2 {
		d.compact()
	}
	d.touch()
}

// compact makes the map and the order anew for the entries that are left.
//
// WHY the map too: a Go map never shrinks.  A directory that was filled and
// emptied would keep heap that nobody is charged for.
func (d *dir) compact() {
	order, byName := make([]*entry, 0, len(d.byName)), make(map[string]*entry, len(d.byName))
	for _, e := range d.order {
		if e.node != nil {
			order, byName[e.name] = append(order, e), e
		}
	}
	d.order, d.byName = order, byName
}

func (d *dir) touch() {
	d.mtime = d.tree.Now()
	d.ctime = d.mtime
}

// Create implements vfs.Dir.
func (d *dir) Create(_ vfs.Caller, name string, mode uint32, rdev uint64) (vfs.Node, error) {
	return d.create(name, mode, rdev, "")
}

// Symlink implements vfs.Dir.
func (d *dir) Symlink(_ vfs.Caller, name, target string) error {
	_, err := d.create(name, abi.S_IFLNK|0o777, 0, target)
	return err
}

func (d *dir) create(name string, mode uint32, rdev uint64, target string) (vfs.Node, error) {
	if err := d.mayAdd(name); err != nil {
		return nil, err
	}
	if err := d.tree.charge(entryCost + len(name)); err != nil {
		return nil, err
	}
	n, err := d.makeChild(mode, rdev, target)
	if err != nil {
		d.tree.Budget.Release(int64(entryCost + len(name)))
		return nil, err
	}
	d.add(name, n)
	return n, nil
}

func (d *dir) makeChild(mode uint32, rdev uint64, target string) (node, error) {
	if mode&abi.S_IFMT != abi.S_IFDIR {
		return d.tree.make(mode, rdev, target)
	}
	if err := d.tree.charge(dirCost); err != nil {
		return nil, err
	}
	sub := d.tree.newDir(mode, nil, "")
	sub.cost = dirCost
	return sub, nil
}

// Link implements vfs.Dir.
func (d *dir) Link(_ vfs.Caller, name string, old vfs.Node) error {
	n, ok := old.(node)
	if !ok || n.meta().tree != d.tree {
		return vfs.ErrCrossDevice
	}
	m := n.meta()
	if _, isDir := n.(*dir); isDir {
		return vfs.ErrPerm
	}
	if err := d.mayAdd(name); err != nil {
		return err
	}
	switch {
	case m.nlink == 0:
		return vfs.ErrNotExist
	case m.nlink >= maxLinks:
		return vfs.ErrTooManyLinks
	}
	if err := d.tree.charge(entryCost + len(name)); err != nil {
		return err
	}
	d.add(name, n)
	m.nlink++
	m.ctime = d.ctime
	return nil
}

// Remove implements vfs.Dir.
func (d *dir) Remove(_ vfs.Caller, name string, isDir bool) error {
	e := d.byName[name]
	if e == nil {
		return vfs.ErrNotExist
	}
	if err := removable(e.node, isDir); err != nil {
		return err
	}
	d.drop(e)
	return nil
}

// drop takes an entry out for good.
func (d *dir) drop(e *entry) {
	n := e.node
	d.take(e)
	if sub, ok := n.(*dir); ok {
		// WHY the parent is forgotten: whoever has the removed directory as
		// working directory would keep alive a chain of removed directories
		// that nobody is charged for.
		sub.parent, sub.nlink = nil, 1
		sub.byName, sub.order = nil, nil // empty, but perhaps large
	}
	unlinked(n)
}

// Rename implements vfs.Dir.
//
//	target       source      result
//	missing      any         moved
//	the same     any         nothing happens
//	exists       any         ErrExist with RENAME_NOREPLACE
//	directory    other       ErrIsDir
//	other        directory   ErrNotDir
//	not empty    directory   ErrNotEmpty
//	beneath it   directory   ErrInvalid
//	exists       same kind   replaced
func (d *dir) Rename(_ vfs.Caller, name string, to vfs.Dir, toName string, flags int) error {
	dst, ok := to.(*dir)
	if !ok || dst.tree != d.tree {
		return vfs.ErrCrossDevice
	}
	if flags&^abi.RENAME_NOREPLACE != 0 {
		return vfs.ErrInvalid
	}
	e, old := d.byName[name], dst.byName[toName]
	switch {
	case e == nil || dst.nlink == 0:
		return vfs.ErrNotExist
	case old != nil && flags&abi.RENAME_NOREPLACE != 0:
		return vfs.ErrExist
	case old != nil && old.node == e.node:
		return nil
	}
	n := e.node
	sub, isDir := n.(*dir)
	for up := dst; isDir && up != nil; up = up.parent {
		if up == sub {
			return vfs.ErrInvalid
		}
	}
	if old != nil {
		if err := removable(old.node, isDir); err != nil {
			return err
		}
	}
	if err := d.tree.charge(entryCost + len(toName)); err != nil {
		return err
	}
	if old != nil {
		dst.drop(old)
	}
	d.take(e)
	dst.add(toName, n)
	n.meta().ctime = dst.ctime
	return nil
}

// removable reports whether old may go, as a directory or as another node.
func removable(old node, asDir bool) error {
	sub, ok := old.(*dir)
	switch {
	case ok && !asDir:
		return vfs.ErrIsDir
	case !ok && asDir:
		return vfs.ErrNotDir
	case ok && len(sub.byName) > 0:
		return vfs.ErrNotEmpty
	}
	return nil
}
