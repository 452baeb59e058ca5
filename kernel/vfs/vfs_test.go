package vfs_test

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"yolk/kernel/abi"
	"yolk/kernel/fs"
	"yolk/kernel/vfs"
	"yolk/kernel/vfs/vfstest"
	"yolk/mm"
)

// tree returns a file system and a context at its root.
//
//	/a/b/file  /a/up → ..  /a/abs → /a/b  /loop → loop  /dangling → nowhere
//	/bdir → a/b  /empty/  /mnt/ (another tree, with /mnt/in/deep mounted on it)
func tree(t *testing.T) (*vfs.Context, *vfstest.Caller) {
	t.Helper()
	mem := vfstest.Memory(256)
	newTree := func() *fs.Tree {
		tr, err := fs.New(fs.Config{Memory: mem, Budget: mm.NewBudget(nil, 1<<20), Now: func() int64 { return 1 }})
		if err != nil {
			t.Fatal(err)
		}
		return tr
	}
	x := vfs.NewContext(vfs.NewSystem(100, nil), newTree().Root())
	c := vfstest.New(new(sync.Mutex), 1)
	inner := newTree().Root()
	for _, dir := range []string{"/a", "/a/b", "/empty", "/mnt", "/mnt/covered"} {
		create(t, x, c, dir, abi.S_IFDIR|0o755)
	}
	create(t, x, c, "/a/b/file", abi.S_IFREG|0o644)
	for link, target := range map[string]string{"/a/up": "..", "/a/abs": "/a/b", "/loop": "loop", "/dangling": "nowhere", "/bdir": "a/b"} {
		at, err := x.Walk(c, nil, link, vfs.MayLack|vfs.NoFollow)
		if err == nil {
			err = at.Dir.Symlink(c, at.Name, target)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	at, _ := x.Walk(c, nil, "/mnt", 0)
	x.System.Mount(at.Node.(vfs.Dir), inner)
	create(t, x, c, "/mnt/in", abi.S_IFDIR|0o755)
	create(t, x, c, "/mnt/in/deep", abi.S_IFREG|0o644)
	return x, c
}

func create(t *testing.T, x *vfs.Context, c vfs.Caller, path string, mode uint32) {
	t.Helper()
	at, err := x.Walk(c, nil, path, vfs.MayLack)
	if err == nil {
		_, err = at.Dir.Create(c, at.Name, mode, 0)
	}
	if err != nil {
		t.Fatalf("create %s: %v", path, err)
	}
}

func TestWalk(t *testing.T) {
	x, c := tree(t)
	long := strings.Repeat("n", abi.NAME_MAX)
	for _, tc := range []struct {
		cwd, path string
		how       vfs.How
		want      string // absolute path of what is found; "-" for a name that lacks
		err       error
	}{
		{"/", "", 0, "", vfs.ErrNotExist},
		{"/", "/", 0, "/", nil},
		{"/", "//.//", 0, "/", nil},
		{"/", "..", 0, "/", nil},
		{"/", "../../a", 0, "/a", nil},
		{"/a", "b/file", 0, "/a/b/file", nil},
		{"/a", "/a/b/file", 0, "/a/b/file", nil},
		{"/a/b", "../b/./file", 0, "/a/b/file", nil},
		{"/", "a/b/file/", 0, "", vfs.ErrNotDir},
		{"/", "a/b/file/.", 0, "", vfs.ErrNotDir},
		{"/", "a/b/file/x", 0, "", vfs.ErrNotDir},
		{"/", "a/b/", 0, "/a/b", nil},
		{"/", "none", 0, "", vfs.ErrNotExist},
		{"/", "none", vfs.MayLack, "-", nil},
		{"/", "none/", vfs.MayLack, "-", nil},
		{"/", "none/x", vfs.MayLack, "", vfs.ErrNotExist},
		{"/", "a/up/a/b", 0, "/a/b", nil},
		{"/", "a/up", 0, "/", nil},
		{"/", "a/up", vfs.NoFollow, "/a/up", nil},
		{"/", "a/up/", vfs.NoFollow, "/", nil},
		{"/", "a/up/", vfs.NoFollow | vfs.MayLack, "/a/up", nil},
		{"/empty", "/a/abs/file", 0, "/a/b/file", nil},
		{"/empty", "../bdir/file", 0, "/a/b/file", nil},
		{"/", "bdir/..", 0, "/a", nil},
		{"/", "loop", 0, "", vfs.ErrLoop},
		{"/", "loop/x", 0, "", vfs.ErrLoop},
		{"/", "loop", vfs.NoFollow, "/loop", nil},
		{"/", "dangling", 0, "", vfs.ErrNotExist},
		{"/", "dangling", vfs.MayLack, "-", nil},
		{"/", "mnt/in/deep", 0, "/mnt/in/deep", nil},
		{"/", "mnt/covered", 0, "", vfs.ErrNotExist},
		{"/mnt/in", "../..", 0, "/", nil},
		{"/mnt", "..", 0, "/", nil},
		{"/mnt", ".", 0, "/mnt", nil},
		{"/", long, vfs.MayLack, "-", nil},
		{"/", long + "n", vfs.MayLack, "", vfs.ErrNameTooLong},
	} {
		at, err := x.Walk(c, nil, tc.cwd, 0)
		if err != nil {
			t.Fatal(err)
		}
		at, err = x.Walk(c, at.Node.(vfs.Dir), tc.path, tc.how)
		got := "-"
		if err == nil && at.Node != nil {
			got, err = x.Path(at)
		}
		if !errors.Is(err, tc.err) || err == nil && got != tc.want {
			t.Errorf("in %s: %q how %d: %s, %v; want %s, %v", tc.cwd, tc.path, tc.how, got, err, tc.want, tc.err)
		}
	}
}

func TestWalkFollowsFortyLinks(t *testing.T) {
	x, c := tree(t)
	target := "/empty"
	for i := range 41 {
		name := "l" + string(rune('0'+i))
		if err := x.Root.Symlink(c, name, target); err != nil {
			t.Fatal(err)
		}
		target = "/" + name
		_, err := x.Walk(c, nil, target, 0)
		if want := i == 40; (err == vfs.ErrLoop) != want || (err != nil) != want {
			t.Errorf("%d links: %v", i+1, err)
		}
	}
}

func TestPathOfRemovedDirectory(t *testing.T) {
	x, c := tree(t)
	at, _ := x.Walk(c, nil, "/empty", 0)
	if err := x.Root.Remove(c, "empty", true); err != nil {
		t.Fatal(err)
	}
	x.Cwd = at.Node.(vfs.Dir)
	for _, path := range []string{"..", "x"} {
		if _, err := x.Walk(c, nil, path, 0); err != vfs.ErrNotExist {
			t.Errorf("%q in a removed directory: %v", path, err)
		}
	}
	if _, err := x.Path(vfs.Place{Node: x.Cwd}); err != vfs.ErrNotExist {
		t.Errorf("path of a removed directory: %v", err)
	}
}

func TestPathTooLong(t *testing.T) {
	x, c := tree(t)
	at := vfs.Place{Node: x.Root}
	for i := range 20 {
		n, err := at.Node.(vfs.Dir).Create(c, strings.Repeat("d", 255), abi.S_IFDIR, 0)
		if err != nil {
			t.Fatal(err)
		}
		at.Node = n
		if _, err := x.Path(at); (err == vfs.ErrNameTooLong) != (i >= 15) {
			t.Errorf("%d directories deep: %v", i+1, err)
		}
	}
}

func TestOpen(t *testing.T) {
	x, c := tree(t)
	for _, tc := range []struct {
		path  string
		flags int
		err   error
	}{
		{"/a/b/file", abi.O_RDWR, nil},
		{"/none", abi.O_RDWR, vfs.ErrNotExist},
		{"/none/", abi.O_CREAT, vfs.ErrIsDir},
		{"/new", abi.O_CREAT | abi.O_EXCL | abi.O_WRONLY, nil},
		{"/new", abi.O_CREAT | abi.O_EXCL, vfs.ErrExist},
		{"/new", abi.O_CREAT, nil},
		{"/dangling", abi.O_CREAT | abi.O_EXCL, vfs.ErrExist},
		{"/dangling", abi.O_CREAT, nil}, // makes /nowhere
		{"/nowhere", abi.O_RDONLY, nil},
		{"/bdir", abi.O_NOFOLLOW, vfs.ErrLoop},
		{"/bdir", abi.O_DIRECTORY, nil},
		{"/a/b/file", abi.O_DIRECTORY, vfs.ErrNotDir},
		{"/a", abi.O_RDONLY, nil},
		{"/a", abi.O_WRONLY, vfs.ErrIsDir},
		{"/a", abi.O_CREAT, vfs.ErrIsDir},
		{"/a", abi.O_TRUNC, vfs.ErrIsDir},
	} {
		d, err := x.Open(c, nil, tc.path, tc.flags, 0o777)
		if err != tc.err {
			t.Errorf("open %s, flags %#o: %v, want %v", tc.path, tc.flags, err, tc.err)
		}
		if err == nil {
			d.Drop()
		}
	}
	if at, _ := x.Walk(c, nil, "/new", 0); at.Node.Stat().Mode != abi.S_IFREG|0o755 {
		t.Errorf("mode %#o: the umask was not heeded", at.Node.Stat().Mode)
	}
	if n := x.System.OpenCount(); n != 0 {
		t.Errorf("%d descriptions left", n)
	}
}

func TestOpenExecWantsAnExecutableFile(t *testing.T) {
	x, c := tree(t)
	create(t, x, c, "/prog", abi.S_IFREG|0o100)
	for path, want := range map[string]error{"/prog": nil, "/a/b/file": vfs.ErrAccess, "/a": vfs.ErrAccess, "/none": vfs.ErrNotExist} {
		d, err := x.OpenExec(c, nil, path, 0)
		if err != want {
			t.Errorf("exec %s: %v, want %v", path, err, want)
		}
		if err == nil {
			if d.Object() == nil {
				t.Error("no pages")
			}
			d.Drop()
		}
	}
}

// TestFORK10OffsetsAreSharedTablesAreNot clones a table as fork does.
func TestFORK10OffsetsAreSharedTablesAreNot(t *testing.T) {
	x, c := tree(t)
	parent := vfs.NewTable(c.Bytes)
	fd := open(t, x, c, parent, "/a/b/file", abi.O_RDWR)
	d, _ := parent.Get(fd)
	d.Write(c, &vfstest.Source{Data: []byte("0123456789")})
	d.Seek(0, abi.SEEK_SET)
	child, err := parent.Clone(mm.NewBudget(nil, 1<<16))
	if err != nil {
		t.Fatal(err)
	}
	for i, table := range []*vfs.Table{parent, child, parent} {
		d, _ := table.Get(fd)
		sink := &vfstest.Sink{Room: 3}
		if d.Read(c, sink); string(sink.Data) != "0123456789"[3*i:3*i+3] {
			t.Errorf("read %d: %q", i, sink.Data)
		}
	}
	if err := child.Close(fd); err != nil {
		t.Fatal(err)
	}
	if _, err := parent.Get(fd); err != nil || x.System.OpenCount() != 1 {
		t.Errorf("the child's close closed the parent's: %v, %d descriptions", err, x.System.OpenCount())
	}
	parent.CloseAll()
	if n := x.System.OpenCount(); n != 0 {
		t.Errorf("%d descriptions left", n)
	}
	if c.Bytes.Used() != 0 {
		t.Errorf("%d bytes still charged", c.Bytes.Used())
	}
}

func open(t *testing.T, x *vfs.Context, c vfs.Caller, table *vfs.Table, path string, flags int) int {
	t.Helper()
	d, err := x.Open(c, nil, path, flags, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	fd, err := table.Open(d, 0, flags&abi.O_CLOEXEC != 0)
	if err != nil {
		t.Fatal(err)
	}
	return fd
}

func TestTable(t *testing.T) {
	x, c := tree(t)
	table := vfs.NewTable(c.Bytes)
	for want := range 3 {
		if fd := open(t, x, c, table, "/a/b/file", 0); fd != want {
			t.Errorf("descriptor %d, want %d", fd, want)
		}
	}
	table.Close(1)
	if fd, err := table.Dup(2, 0, false); fd != 1 || err != nil {
		t.Errorf("dup: %d, %v, want the lowest free", fd, err)
	}
	if fd, err := table.Dup(2, 40, true); fd != 40 || err != nil || !table.Cloexec(40) {
		t.Errorf("dup from 40 on: %d, %v", fd, err)
	}
	if err := table.DupTo(0, 2, false); err != nil || x.System.OpenCount() != 2 {
		t.Errorf("dup2 over an open descriptor: %v, %d descriptions", err, x.System.OpenCount())
	}
	for _, tc := range []struct{ got, want error }{
		{table.Close(3), vfs.ErrBadFile},
		{table.Close(-1), vfs.ErrBadFile},
		{table.DupTo(7, 8, false), vfs.ErrBadFile},
		{table.DupTo(0, table.Limit, false), vfs.ErrBadFile},
		{table.DupTo(0, -1, false), vfs.ErrBadFile},
		{second(table.Dup(0, table.Limit, false)), vfs.ErrInvalid},
		{second(table.Dup(9, 0, false)), vfs.ErrBadFile},
	} {
		if tc.got != tc.want {
			t.Errorf("%v, want %v", tc.got, tc.want)
		}
	}
	table.CloseExec()
	if _, err := table.Get(40); err != vfs.ErrBadFile {
		t.Error("close-on-exec descriptor is still open")
	}
	if _, err := table.Get(0); err != nil {
		t.Error("exec closed a descriptor that is not close-on-exec")
	}
	table.CloseAll()
	if x.System.OpenCount() != 0 || c.Bytes.Used() != 0 {
		t.Errorf("left: %d descriptions, %d bytes", x.System.OpenCount(), c.Bytes.Used())
	}
}

func second(_ int, err error) error { return err }

func TestTableLimits(t *testing.T) {
	x, c := tree(t)
	table := vfs.NewTable(c.Bytes)
	table.Limit = 3
	for range 3 {
		open(t, x, c, table, "/a/b/file", 0)
	}
	if _, err := table.Dup(0, 0, false); err != vfs.ErrTooManyFiles {
		t.Errorf("beyond RLIMIT_NOFILE: %v", err)
	}
	var err error
	var n int
	for n = x.System.OpenCount(); err == nil && n < 200; n++ {
		_, err = x.Open(c, nil, "/a/b/file", 0, 0)
	}
	if err != vfs.ErrFileTableFull || n != 101 {
		t.Errorf("after %d descriptions: %v", n-1, err)
	}
	poor := vfs.NewTable(mm.NewBudget(nil, 100))
	if _, err := poor.Room(0); err != mm.ErrNoMemory {
		t.Errorf("without budget: %v", err)
	}
	if _, err := table.Clone(mm.NewBudget(nil, 100)); err != mm.ErrNoMemory {
		t.Errorf("clone without budget: %v", err)
	}
}

func TestSeek(t *testing.T) {
	x, c := tree(t)
	d, err := x.Open(c, nil, "/a/b/file", abi.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	d.Write(c, &vfstest.Source{Data: make([]byte, 100)})
	for _, tc := range []struct {
		off    int64
		whence int
		want   int64
		err    error
	}{
		{10, abi.SEEK_SET, 10, nil},
		{-5, abi.SEEK_CUR, 5, nil},
		{-6, abi.SEEK_CUR, 0, vfs.ErrInvalid},
		{-100, abi.SEEK_END, 0, nil},
		{-101, abi.SEEK_END, 0, vfs.ErrInvalid},
		{1 << 40, abi.SEEK_END, 1<<40 + 100, nil},
		{1<<63 - 1, abi.SEEK_CUR, 0, vfs.ErrOverflow},
		{0, 7, 0, vfs.ErrInvalid},
	} {
		if got, err := d.Seek(tc.off, tc.whence); err != tc.err || err == nil && got != tc.want {
			t.Errorf("seek %d, %d: %d, %v; want %d, %v", tc.off, tc.whence, got, err, tc.want, tc.err)
		}
	}
}

func TestAppendAndAccessModes(t *testing.T) {
	x, c := tree(t)
	w, _ := x.Open(c, nil, "/a/b/file", abi.O_WRONLY|abi.O_APPEND, 0)
	r, _ := x.Open(c, nil, "/a/b/file", abi.O_RDONLY, 0)
	w.Write(c, &vfstest.Source{Data: []byte("one")})
	w.Seek(0, abi.SEEK_SET)
	w.Write(c, &vfstest.Source{Data: []byte("two")})
	w.WriteAt(c, &vfstest.Source{Data: []byte("three")}, 0)
	sink := &vfstest.Sink{Room: 99}
	if r.Read(c, sink); string(sink.Data) != "onetwothree" {
		t.Errorf("%q", sink.Data)
	}
	for _, err := range []error{
		second(w.Read(c, sink)), second(w.ReadAt(c, sink, 0)),
		second(r.Write(c, &vfstest.Source{})), second(r.WriteAt(c, &vfstest.Source{}, 0)),
	} {
		if err != vfs.ErrBadFile {
			t.Errorf("against the access mode: %v", err)
		}
	}
	if _, err := r.ReadAt(c, sink, -1); err != vfs.ErrInvalid {
		t.Errorf("negative offset: %v", err)
	}
	r.SetFlags(abi.O_WRONLY | abi.O_APPEND | abi.O_NONBLOCK)
	if r.Flags() != abi.O_APPEND|abi.O_NONBLOCK {
		t.Errorf("F_SETFL changed the access mode: %#o", r.Flags())
	}
}

func TestReadDirGoesOnWhereItStopped(t *testing.T) {
	x, c := tree(t)
	d, _ := x.Open(c, nil, "/", abi.O_RDONLY, 0)
	var names []string
	for more := true; more; {
		more = false
		n := 0
		if err := d.ReadDir(c, func(e vfs.Entry) bool {
			if n++; n > 2 {
				more = true
				return false
			}
			names = append(names, e.Name)
			return true
		}); err != nil {
			t.Fatal(err)
		}
	}
	slices.Sort(names)
	if got := strings.Join(names, " "); got != ". .. a bdir dangling empty loop mnt" {
		t.Errorf("%s", got)
	}
}

type waker struct{ woken int }

func (w *waker) Wake() { w.woken++ }

func TestQueue(t *testing.T) {
	var q vfs.Queue
	a, b := new(waker), new(waker)
	q.Join(a)
	q.Join(b)
	q.Join(a)
	q.Leave(a)
	q.WakeAll()
	if a.woken != 1 || b.woken != 1 {
		t.Errorf("woken %d and %d times", a.woken, b.woken)
	}
	q.Leave(b)
	q.Leave(a)
	q.Leave(a)
	if !q.Empty() {
		t.Error("not empty")
	}
}

// Whoever polls a thousand descriptors of one file waits once.
func TestQueueJoinedTwiceInARow(t *testing.T) {
	var q vfs.Queue
	a, b := new(waker), new(waker)
	q.Join(b)
	q.Join(a)
	q.Join(a)
	q.Leave(a)
	q.Leave(b)
	if !q.Empty() {
		t.Error("a is there twice")
	}
}

// A description is charged to who opened it, until the last user has closed it;
// one that cannot be charged for is not opened, and creates nothing.
func TestDescriptionsAreCharged(t *testing.T) {
	x, c := tree(t)
	c.Bytes = mm.NewBudget(nil, vfs.DescriptionCost)
	d, err := x.Open(c, nil, "/made", abi.O_CREAT|abi.O_RDWR, 0o600)
	if err != nil || c.Bytes.Used() != vfs.DescriptionCost {
		t.Fatalf("%v, %d bytes charged", err, c.Bytes.Used())
	}
	if _, err := x.Open(c, nil, "/other", abi.O_CREAT|abi.O_RDWR, 0o600); err != vfs.ErrFileTableFull {
		t.Errorf("without budget: %v", err)
	}
	if _, err := x.Walk(c, nil, "/other", 0); err != vfs.ErrNotExist {
		t.Errorf("but the file was made: %v", err)
	}
	d.Ref().Drop()
	if c.Bytes.Used() != vfs.DescriptionCost {
		t.Error("given back before it was closed")
	}
	d.Drop()
	if _, err := x.Open(c, nil, "/missing", abi.O_RDONLY, 0); err != vfs.ErrNotExist {
		t.Error(err)
	}
	if c.Bytes.Used() != 0 || x.System.OpenCount() != 0 {
		t.Errorf("%d bytes are still charged, %d files open", c.Bytes.Used(), x.System.OpenCount())
	}
}
