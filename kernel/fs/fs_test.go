package fs

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"

	"yolk/kernel/abi"
	"yolk/kernel/pipe"
	"yolk/kernel/vfs"
	"yolk/kernel/vfs/vfstest"
	"yolk/mm"
)

func newTree(t *testing.T, frames int, budget int64) *Tree {
	t.Helper()
	clock := int64(0)
	tr, err := New(Config{
		Memory: vfstest.Memory(frames), Budget: mm.NewBudget(nil, budget),
		Devices: vfs.Devices{}, Now: func() int64 { clock++; return clock },
	})
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

func check(t *testing.T, tr *Tree) {
	t.Helper()
	if err := tr.check(); err != nil {
		t.Fatal(err)
	}
}

// check recomputes the tree's invariants from scratch: link counts, parents,
// the charge of every name and node, and the frames of every file.  Nothing may
// be open.
func (t *Tree) check() error {
	links, charge := map[node]uint32{}, int64(0)
	var visit func(d *dir) error
	visit = func(d *dir) error {
		subs, live := uint32(0), 0
		for i, e := range d.order {
			if i > 0 && e.seq <= d.order[i-1].seq {
				return fmt.Errorf("order of %q is not by seq", d.name)
			}
			if e.node == nil {
				continue
			}
			if live++; d.byName[e.name] != e {
				return fmt.Errorf("%q is in the order only", e.name)
			}
			links[e.node]++
			charge += int64(entryCost + len(e.name))
			if sub, ok := e.node.(*dir); ok {
				subs++
				if sub.parent != d || sub.name != e.name {
					return fmt.Errorf("directory %q does not know its name", e.name)
				}
				if err := visit(sub); err != nil {
					return err
				}
			}
		}
		if live != len(d.byName) || d.nlink != 2+subs {
			return fmt.Errorf("directory %q: %d of %d names, %d links, %d directories", d.name, live, len(d.byName), d.nlink, subs)
		}
		links[d] = d.nlink
		return nil
	}
	if err := visit(t.root); err != nil {
		return err
	}
	for n, count := range links {
		m := n.meta()
		if m.nlink != count || m.opens != 0 {
			return fmt.Errorf("inode %d: %d links, %d names, %d opens", m.ino, m.nlink, count, m.opens)
		}
		charge += int64(m.cost)
		if _, ok := n.(*file); ok {
			charge += 192
		}
	}
	if len(links) != t.nodes || charge != t.Budget.Used() {
		return fmt.Errorf("%d nodes of %d, %d bytes of %d", len(links), t.nodes, charge, t.Budget.Used())
	}
	return t.Memory.Check(mm.NewBudget(nil, 1<<20), t)
}

// model is the tree as a map of paths to nodes, each a string: a file's contents,
// "/" for a directory, "->" and the target for a link.  Hard links share it.
type model map[string]*string

func (m model) equal(n model) bool {
	return maps.EqualFunc(m, n, func(a, b *string) bool { return *a == *b })
}

func (m model) String() string {
	var b strings.Builder
	for _, path := range slices.Sorted(maps.Keys(m)) {
		fmt.Fprintf(&b, "%s: %.20q (%d)\n", path, *m[path], len(*m[path]))
	}
	return b.String()
}

// list returns the tree's paths and contents.
func list(tr *Tree) model {
	out := model{}
	var visit func(d *dir, path string)
	visit = func(d *dir, path string) {
		for name, e := range d.byName {
			is := "/"
			switch n := e.node.(type) {
			case *dir:
				visit(n, path+name+"/")
			case *file:
				b := make([]byte, n.data.Size())
				n.data.ReadBytes(b, 0)
				is = string(b)
			case *symlink:
				is = "->" + n.target
			}
			out[path+name] = &is
		}
	}
	visit(tr.root, "")
	return out
}

// TestRandomOperations compares the tree with a model, operation by operation.
func TestRandomOperations(t *testing.T) {
	for seed := range uint64(30) {
		r := rand.New(rand.NewPCG(seed, 1))
		tr := newTree(t, 128, 12000)
		m := model{}
		for step := range 400 {
			op := randomOp(r)
			got, want := op.onTree(tr), op.onModel(m)
			if got == vfs.ErrNoSpace {
				continue // the model has room without end
			}
			if want == nil && got == nil {
				op.apply(m)
			}
			if got != want {
				t.Fatalf("seed %d step %d: %+v: %v, model: %v", seed, step, op, got, want)
			}
			check(t, tr)
			if got := list(tr); !got.equal(m) {
				t.Fatalf("seed %d step %d: %+v:\n%v\nmodel:\n%v", seed, step, op, got, m)
			}
		}
	}
}

// op is an operation on paths of at most three components of two names.
type op struct {
	kind     int // 0 create 1 mkdir 2 symlink 3 link 4 unlink 5 rmdir 6 rename 7 write
	from, to string
	data     string
}

func randomOp(r *rand.Rand) op {
	path := func() string {
		p := string("ab"[r.IntN(2)])
		for range r.IntN(3) {
			p += "/" + string("ab"[r.IntN(2)])
		}
		return p
	}
	return op{r.IntN(8), path(), path(), strings.Repeat("x", r.IntN(6000))}
}

func (o op) onTree(tr *Tree) error {
	x := vfs.NewContext(vfs.NewSystem(10, nil), tr.Root())
	at, err := x.Walk(nil, nil, o.from, vfs.NoFollow|vfs.MayLack)
	if err != nil {
		return err
	}
	to, err := x.Walk(nil, nil, o.to, vfs.NoFollow|vfs.MayLack)
	if o.kind != 3 && o.kind != 6 {
		err = nil
	}
	switch {
	case err != nil:
	case o.kind == 0:
		_, err = at.Dir.Create(nil, at.Name, abi.S_IFREG|0o644, 0)
	case o.kind == 1:
		_, err = at.Dir.Create(nil, at.Name, abi.S_IFDIR|0o755, 0)
	case o.kind == 2:
		err = at.Dir.Symlink(nil, at.Name, "x")
	case o.kind == 3 && at.Node == nil:
		err = vfs.ErrNotExist
	case o.kind == 3:
		err = to.Dir.Link(nil, to.Name, at.Node)
	case o.kind == 4 || o.kind == 5:
		err = at.Dir.Remove(nil, at.Name, o.kind == 5)
	case o.kind == 6:
		err = at.Dir.Rename(nil, at.Name, to.Dir, to.Name, 0)
	case at.Node == nil:
		err = vfs.ErrNotExist
	default:
		f, ok := at.Node.(*file)
		if !ok {
			return vfs.ErrInvalid
		}
		h, _ := f.Open(nil, abi.O_WRONLY)
		_, err = h.Write(nil, &vfstest.Source{Data: []byte(o.data)}, 0)
		h.Close()
	}
	return err
}

// parentOf is the model's view of the directories on the way to path.
func (m model) parentOf(path string) error {
	for i, ch := range path {
		if ch == '/' {
			switch v, ok := m[path[:i]]; {
			case !ok:
				return vfs.ErrNotExist
			case strings.HasPrefix(*v, "->"):
				return vfs.ErrNotExist // every link dangles
			case *v != "/":
				return vfs.ErrNotDir
			}
		}
	}
	return nil
}

func (m model) children(path string) bool {
	for p := range m {
		if strings.HasPrefix(p, path+"/") {
			return true
		}
	}
	return false
}

func (o op) onModel(m model) error {
	if err := m.parentOf(o.from); err != nil {
		return err
	}
	v, ok := m[o.from]
	switch o.kind {
	case 0, 1, 2:
		if ok {
			return vfs.ErrExist
		}
		return nil
	case 3, 6:
		if err := m.parentOf(o.to); err != nil {
			return err
		}
	}
	_, exists := m[o.to]
	switch {
	case !ok:
		return vfs.ErrNotExist
	case o.kind == 3 && *v == "/":
		return vfs.ErrPerm
	case o.kind == 3 && exists:
		return vfs.ErrExist
	case o.kind == 4 && *v == "/":
		return vfs.ErrIsDir
	case o.kind == 5 && *v != "/":
		return vfs.ErrNotDir
	case o.kind == 5 && m.children(o.from):
		return vfs.ErrNotEmpty
	case o.kind == 6:
		return o.renameOnModel(m)
	case o.kind == 7 && (*v == "/" || strings.HasPrefix(*v, "->")):
		return vfs.ErrInvalid
	}
	return nil
}

func (o op) renameOnModel(m model) error {
	v, w := m[o.from], m[o.to]
	switch {
	case v == w:
		return nil
	case *v == "/" && strings.HasPrefix(o.to, o.from+"/"):
		return vfs.ErrInvalid
	case w == nil:
		return nil
	case *w == "/" && *v != "/":
		return vfs.ErrIsDir
	case *w != "/" && *v == "/":
		return vfs.ErrNotDir
	case m.children(o.to):
		return vfs.ErrNotEmpty
	}
	return nil
}

func (o op) apply(m model) {
	node := func(s string) *string { return &s }
	switch o.kind {
	case 0:
		m[o.from] = node("")
	case 1:
		m[o.from] = node("/")
	case 2:
		m[o.from] = node("->x")
	case 3:
		m[o.to] = m[o.from]
	case 4, 5:
		delete(m, o.from)
	case 6:
		if m[o.from] == m[o.to] {
			return
		}
		moved := model{}
		for p, v := range m {
			if p == o.from || strings.HasPrefix(p, o.from+"/") {
				moved[o.to+p[len(o.from):]] = v
				delete(m, p)
			}
		}
		maps.Copy(m, moved)
	case 7:
		v := m[o.from]
		*v = o.data + (*v)[min(len(o.data), len(*v)):]
	}
}

// lookup walks a path of the tree.
func lookup(t *testing.T, tr *Tree, path string) vfs.Place {
	t.Helper()
	at, err := vfs.NewContext(vfs.NewSystem(1, nil), tr.Root()).Walk(nil, nil, path, vfs.MayLack)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func create(t *testing.T, tr *Tree, path string, mode uint32) vfs.Node {
	t.Helper()
	at := lookup(t, tr, path)
	n, err := at.Dir.Create(nil, at.Name, mode, 0)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func open(t *testing.T, n vfs.Node, flags int) vfs.Handle {
	t.Helper()
	h, err := n.Open(nil, flags)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestUnlinkedFileLivesWhileOpen(t *testing.T) {
	tr := newTree(t, 64, 1<<16)
	start := tr.Budget.Used()
	free := tr.Memory.Frames.Free()
	f := create(t, tr, "/f", abi.S_IFREG|0o600)
	h := open(t, f, abi.O_RDWR)
	if err := tr.Root().Remove(nil, "f", false); err != nil {
		t.Fatal(err)
	}
	h.Write(nil, &vfstest.Source{Data: []byte("still here")}, 0)
	sink := &vfstest.Sink{Room: 99}
	if h.Read(nil, sink, 0); string(sink.Data) != "still here" || h.Stat().Nlink != 0 {
		t.Errorf("%q, %d links", sink.Data, h.Stat().Nlink)
	}
	if err := tr.Root().Link(nil, "g", f); err != vfs.ErrNotExist {
		t.Errorf("link to a file without a name: %v", err)
	}
	h.Close()
	if tr.Budget.Used() != start || tr.Memory.Frames.Free() != free {
		t.Errorf("%d bytes and %d frames left", tr.Budget.Used()-start, free-tr.Memory.Frames.Free())
	}
	check(t, tr)
}

// TestAMillionFiles makes files until the budget is used up, in one directory,
// and removes them: the heap is charged for each, and the charge comes back.
func TestAMillionFiles(t *testing.T) {
	tr := newTree(t, 16, 4<<20)
	start := tr.Budget.Used()
	n := 0
	var err error
	for ; n < 1_000_000; n++ {
		if _, err = tr.Root().Create(nil, fmt.Sprintf("f%d", n), abi.S_IFREG|0o600, 0); err != nil {
			break
		}
	}
	if err != vfs.ErrNoSpace || n < 5000 {
		t.Fatalf("after %d files: %v", n, err)
	}
	for i := range n {
		if err := tr.Root().Remove(nil, fmt.Sprintf("f%d", (i*7919)%n), false); err != nil && n%7919 != 0 {
			t.Fatal(err)
		}
	}
	if tr.Budget.Used() != start || tr.Nodes() != 1 || len(tr.root.order) > 32 {
		t.Errorf("left: %d bytes, %d nodes, %d slots", tr.Budget.Used()-start, tr.Nodes(), len(tr.root.order))
	}
	check(t, tr)
}

// TestChargeCoversTheHeap holds the constants against what Go really allocates.
func TestChargeCoversTheHeap(t *testing.T) {
	for kind, mode := range map[string]uint32{
		"file": abi.S_IFREG, "directory": abi.S_IFDIR, "link": abi.S_IFLNK, "device": abi.S_IFCHR, "FIFO": abi.S_IFIFO,
	} {
		tr := newTree(t, 16, 64<<20)
		tr.Pipes = pipe.NewPool(tr.Memory, 0)
		const n = 20000
		names := make([]string, n)
		for i := range names {
			names[i] = fmt.Sprintf("%s-%d", kind, i)
		}
		charged := tr.Budget.Used()
		heap := heapInUse()
		for _, name := range names {
			var err error
			if mode == abi.S_IFLNK {
				err = tr.Root().Symlink(nil, name, "a target")
			} else {
				_, err = tr.Root().Create(nil, name, mode, 0)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		for _, left := range []int64{n, n - n*45/100} { // too few are gone for a new map
			for len(names) > int(left) {
				if err := tr.Root().Remove(nil, names[0], mode == abi.S_IFDIR); err != nil {
					t.Fatal(err)
				}
				names = names[1:]
			}
			real, charge := heapInUse()-heap, tr.Budget.Used()-charged
			t.Logf("%s: %d bytes of heap each, %d charged", kind, real/left, charge/left)
			if real > charge {
				t.Errorf("%s, %d of them: %d bytes of heap each, but only %d charged", kind, left, real/left, charge/left)
			}
		}
		runtime.KeepAlive(tr)
	}
}

func heapInUse() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func TestWriteLeavesAReserveOfFrames(t *testing.T) {
	tr := newTree(t, 64, 1<<16)
	tr.Reserve = 20
	h := open(t, create(t, tr, "/big", abi.S_IFREG|0o600), abi.O_RDWR)
	n, err := h.Write(nil, &vfstest.Source{Data: make([]byte, 1<<20)}, 0)
	if err != vfs.ErrNoSpace || n == 0 || tr.Memory.Frames.Free() != 20 {
		t.Errorf("wrote %d bytes, %v, %d frames left", n, err, tr.Memory.Frames.Free())
	}
	if n, err := h.Write(nil, &vfstest.Source{Data: []byte("over")}, 0); n != 4 || err != nil {
		t.Errorf("writing over what is there: %d, %v", n, err)
	}
	if _, err := tr.Memory.Frames.Alloc(); err != nil {
		t.Errorf("the reserve is not the kernel's: %v", err)
	}
	h.Close()
}

func TestSparseFileAndTruncate(t *testing.T) {
	tr := newTree(t, 64, 1<<16)
	f := create(t, tr, "/s", abi.S_IFREG|0o600)
	h := open(t, f, abi.O_RDWR)
	h.Write(nil, &vfstest.Source{Data: []byte("end")}, 1<<30)
	if st := h.Stat(); st.Size != 1<<30+3 || st.Blocks != 8 {
		t.Errorf("size %d, %d blocks", st.Size, st.Blocks)
	}
	sink := &vfstest.Sink{Room: 5000}
	if n, err := h.Read(nil, sink, 1<<20); n != 5000 || err != nil || !bytes.Equal(sink.Data, make([]byte, 5000)) {
		t.Errorf("hole: %d, %v", n, err)
	}
	for _, size := range []int64{2, 6} {
		if err := f.SetAttr(nil, vfs.Attr{Set: vfs.SetSize, Size: size}); err != nil {
			t.Fatal(err)
		}
	}
	if st := h.Stat(); st.Size != 6 || st.Blocks != 0 {
		t.Errorf("after truncate: size %d, %d blocks", st.Size, st.Blocks)
	}
	if err := f.SetAttr(nil, vfs.Attr{Set: vfs.SetSize, Size: mm.MaxSize + 1}); err != mm.ErrTooBig {
		t.Errorf("truncate beyond the largest size: %v", err)
	}
	h.Close()
	check(t, tr)
}

// TestEXEC17NobodyWritesARunningProgram opens and truncates what is executed.
func TestEXEC17NobodyWritesARunningProgram(t *testing.T) {
	tr := newTree(t, 64, 1<<16)
	f := create(t, tr, "/prog", abi.S_IFREG|0o755)
	w := open(t, f, abi.O_WRONLY)
	object := w.(vfs.Mapper).Object()
	if err := object.DenyWrite(); err != mm.ErrTextBusy {
		t.Errorf("executing what is being written: %v", err)
	}
	w.Close()
	if err := object.DenyWrite(); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Open(nil, abi.O_RDWR); err != mm.ErrTextBusy {
		t.Errorf("open for writing: %v", err)
	}
	if err := f.SetAttr(nil, vfs.Attr{Set: vfs.SetSize}); err != mm.ErrTextBusy {
		t.Errorf("truncate: %v", err)
	}
	object.AllowWrite()
	check(t, tr)
}

func TestReadDirWhileNamesComeAndGo(t *testing.T) {
	tr := newTree(t, 16, 1<<20)
	for i := range 200 {
		create(t, tr, fmt.Sprintf("/f%d", i), abi.S_IFREG|0o600)
	}
	seen := map[string]int{}
	for cursor, next := int64(0), int64(-1); cursor != next; {
		next = cursor
		n := 0
		tr.Root().ReadDir(nil, cursor, func(e vfs.Entry) bool {
			if n++; n > 7 {
				return false
			}
			seen[e.Name]++
			cursor = e.Next
			return true
		})
		for name := range seen { // rm -r removes what it has read
			tr.Root().Remove(nil, name, false)
		}
	}
	if len(seen) != 200 || len(tr.root.byName) != 0 {
		t.Errorf("%d names seen, %d left", len(seen), len(tr.root.byName))
	}
	for name, n := range seen {
		if n != 1 {
			t.Errorf("%s seen %d times", name, n)
		}
	}
	check(t, tr)
}

func TestAttributes(t *testing.T) {
	tr := newTree(t, 16, 1<<16)
	f := create(t, tr, "/f", abi.S_IFREG|0o600)
	before := f.Stat()
	attr := vfs.Attr{Set: vfs.SetMode | vfs.SetUID | vfs.SetMtime, Mode: abi.S_IFDIR | 0o4711, UID: 7, GID: 8, Mtime: 99, Atime: 98}
	if err := f.SetAttr(nil, attr); err != nil {
		t.Fatal(err)
	}
	st := f.Stat()
	if st.Mode != abi.S_IFREG|0o4711 || st.UID != 7 || st.GID != 0 || st.Mtime != 99 || st.Atime != before.Atime || st.Ctime <= before.Ctime {
		t.Errorf("%+v", st)
	}
	if err := tr.Root().SetAttr(nil, vfs.Attr{Set: vfs.SetSize}); err != vfs.ErrIsDir {
		t.Errorf("truncate of a directory: %v", err)
	}
}

func TestLinksAcrossFileSystems(t *testing.T) {
	a, b := newTree(t, 16, 1<<16), newTree(t, 16, 1<<16)
	f := create(t, a, "/f", abi.S_IFREG|0o600)
	if err := b.Root().Link(nil, "g", f); err != vfs.ErrCrossDevice {
		t.Errorf("link: %v", err)
	}
	if err := a.Root().Rename(nil, "f", b.Root(), "g", 0); err != vfs.ErrCrossDevice {
		t.Errorf("rename: %v", err)
	}
}

func TestDeviceNodes(t *testing.T) {
	tr := newTree(t, 16, 1<<16)
	tr.Devices[abi.Mkdev(1, 3)] = openNode{}
	for rdev, want := range map[uint64]error{abi.Mkdev(1, 3): nil, abi.Mkdev(9, 9): vfs.ErrNoDevice} {
		n, err := tr.Root().Create(nil, fmt.Sprint(rdev), abi.S_IFCHR|0o600, rdev)
		if err != nil || n.Stat().Rdev != rdev {
			t.Fatal(err)
		}
		if _, err := n.Open(nil, 0); err != want {
			t.Errorf("open %#x: %v", rdev, err)
		}
	}
	if _, err := tr.Root().Create(nil, "sock", abi.S_IFSOCK, 0); err != vfs.ErrPerm {
		t.Errorf("socket: %v", err)
	}
	check(t, tr)
}

type openNode struct{}

func (openNode) Open(vfs.Caller, vfs.Node, int) (vfs.Handle, error) { return nil, nil }
