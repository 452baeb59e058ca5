package initramfs

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/cavaliergopher/cpio"

	"yolk/kernel/abi"
	"yolk/kernel/fs"
	"yolk/kernel/vfs"
	"yolk/kernel/vfs/vfstest"
	"yolk/mm"
)

// file is an entry of an archive to be made.
type file struct {
	name  string
	mode  cpio.FileMode
	data  string // a link's target
	inode int64
	links int
}

// archive makes a cpio archive.
func archive(t *testing.T, files ...file) []byte {
	t.Helper()
	var b bytes.Buffer
	w := cpio.NewWriter(&b)
	for _, f := range files {
		hdr := &cpio.Header{
			Name: f.name, Mode: f.mode, Size: int64(len(f.data)), Inode: f.inode, Links: max(1, f.links),
			ModTime: time.Unix(1000, 0), Uid: 3, Guid: 4,
		}
		if err := w.WriteHeader(hdr); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, f.data); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func zipped(b []byte) []byte {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	w.Write(b)
	w.Close()
	return out.Bytes()
}

func newTree(t *testing.T, mem *mm.Memory) *fs.Tree {
	t.Helper()
	tr, err := fs.New(fs.Config{Memory: mem, Budget: mm.NewBudget(nil, 1<<20), Now: func() int64 { return 1 }})
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

// list describes every file of the tree in a line: path, mode, links, contents.
func list(t *testing.T, tr *fs.Tree) string {
	t.Helper()
	var out strings.Builder
	var visit func(d vfs.Dir, path string)
	visit = func(d vfs.Dir, path string) {
		d.ReadDir(nil, 0, func(e vfs.Entry) bool {
			n, err := d.Lookup(nil, e.Name)
			if err != nil {
				t.Fatal(err)
			}
			st := n.Stat()
			fmt.Fprintf(&out, "%s%s %o %d", path, e.Name, st.Mode, st.Nlink)
			switch n := n.(type) {
			case vfs.Dir:
				fmt.Fprintln(&out)
				visit(n, path+e.Name+"/")
			case vfs.Symlink:
				target, _ := n.Readlink(nil)
				fmt.Fprintln(&out, " ->", target)
			default:
				fmt.Fprintf(&out, " %s\n", contents(t, n))
			}
			return true
		})
	}
	visit(tr.Root(), "/")
	return out.String()
}

func contents(t *testing.T, n vfs.Node) []byte {
	t.Helper()
	h, err := n.Open(nil, abi.O_RDONLY)
	if err != nil {
		return []byte(err.Error())
	}
	defer h.Close()
	sink := &vfstest.Sink{Room: 1 << 20}
	h.Read(nil, sink, 0)
	return sink.Data
}

func TestLayersTheLastWins(t *testing.T) {
	base := archive(t,
		file{name: ".", mode: cpio.TypeDir | 0o755},
		file{name: "bin", mode: cpio.TypeDir | 0o755},
		file{name: "bin/sh", mode: cpio.TypeReg | 0o755, data: "old shell"},
		file{name: "etc", mode: cpio.TypeSymlink | 0o777, data: "bin"},
		file{name: "gone", mode: cpio.TypeReg | 0o644, data: "gone"},
	)
	over := archive(t,
		file{name: "./bin", mode: cpio.TypeDir | 0o700},
		file{name: "bin/sh", mode: cpio.TypeReg | 0o711, data: "new"},
		file{name: "etc/conf", mode: cpio.TypeReg | 0o600, data: "through the link"},
		file{name: "/gone", mode: cpio.TypeDir | 0o755},
	)
	links := archive(t,
		file{name: "a", mode: cpio.TypeReg | 0o644, inode: 9, links: 3},
		file{name: "b", mode: cpio.TypeReg | 0o644, inode: 9, links: 3},
		file{name: "bin/c", mode: cpio.TypeReg | 0o644, inode: 9, links: 3, data: "data come last"},
		file{name: "pipe", mode: cpio.TypeChar | 0o644},
	)
	want := strings.Join([]string{
		"/bin 40700 2", "/bin/sh 100711 1 new", "/bin/conf 100600 1 through the link", "/bin/c 100644 3 data come last",
		"/etc 120777 1 -> bin", "/gone 40755 2", "/a 100644 3 data come last", "/b 100644 3 data come last",
		"/pipe 20644 1 " + vfs.ErrNoDevice.Error(), "",
	}, "\n")
	pad := make([]byte, 100)
	for name, data := range map[string][]byte{
		"plain":      bytes.Join([][]byte{base, over, links}, nil),
		"padded":     bytes.Join([][]byte{pad, base, pad, over, pad[:1], links, pad}, nil),
		"gzip":       bytes.Join([][]byte{zipped(base), zipped(over), pad, zipped(links)}, nil),
		"mixed":      bytes.Join([][]byte{base, zipped(over), links}, nil),
		"gzip of it": zipped(bytes.Join([][]byte{base, pad, over, links}, nil)),
	} {
		tr := newTree(t, vfstest.Memory(64))
		free, err := Unpack(tr, data, 0)
		if got := list(t, tr); err != nil || got != want || len(free) != 0 {
			t.Errorf("%s: %v\n%s\nwant\n%s", name, err, got, want)
		}
		sh, err := tr.Root().Lookup(nil, "gone")
		if err != nil || sh.Stat().Mtime != 1000*1e9 || sh.Stat().UID != 3 || sh.Stat().GID != 4 {
			t.Errorf("%s: attributes %+v", name, sh.Stat())
		}
	}
}

// aligned makes an archive whose files' data lie on page boundaries, by a long
// name before each.
func aligned(t *testing.T, files ...file) []byte {
	t.Helper()
	var all []byte
	for _, f := range files {
		for pad := 1; ; pad++ {
			one := archive(t, file{name: strings.Repeat("./", pad) + ".", mode: cpio.TypeDir | 0o755}, f)
			at := bytes.Index(one, []byte(f.data))
			if (len(all)+at)%mm.PageSize == 0 {
				all = append(all, one...)
				break
			}
			if pad > 2040 {
				pad, all = 0, append(all, 0, 0, 0, 0) // archives may lie apart
			}
		}
	}
	return all
}

func TestAlignedDataAreAdopted(t *testing.T) {
	big := strings.Repeat("0123456789abcdef", 600) // two and a half pages
	data := aligned(t,
		file{name: "big", mode: cpio.TypeReg | 0o755, data: big},
		file{name: "twice", mode: cpio.TypeReg | 0o755, data: strings.Repeat("first ", 1000)},
		file{name: "twice", mode: cpio.TypeReg | 0o755, data: strings.Repeat("second", 1000)},
	)
	checkAdoption(t, data, big)
}

func checkAdoption(t *testing.T, data []byte, big string) {
	t.Helper()
	n := int(frames(len(data)))
	phys := mm.HostMemory(64 + n)
	alloc := mm.NewFrames(phys)
	alloc.AddFree(1, 63)
	mem, err := mm.New(mm.Config{Phys: phys, Frames: alloc})
	if err != nil {
		t.Fatal(err)
	}
	const first = 64
	place := make([]byte, 0, n*mm.PageSize)
	for i := range n {
		copy(phys.Page(mm.Frame(first + i))[:], data[i*mm.PageSize:])
		place = append(place, phys.Page(mm.Frame(first + i))[:]...)
	}
	tr := newTree(t, mem)
	before := alloc.Free()
	free, err := Unpack(tr, place[:len(data)], first)
	if err != nil {
		t.Fatal(err)
	}
	if alloc.Free() != before {
		t.Errorf("%d frames were taken for data that lie in place", before-alloc.Free())
	}
	f, err := tr.Root().Lookup(nil, "big")
	if err != nil || string(contents(t, f)) != big {
		t.Errorf("big: %v", err)
	}
	h, _ := f.Open(nil, 0)
	object := h.(vfs.Mapper).Object()
	frame, _ := object.Page(0)
	if frame < first || object.Resident() != 3 {
		t.Errorf("page 0 is frame %d, %d pages", frame, object.Resident())
	}
	last, _ := object.Page(2)
	if tail := phys.Page(last)[len(big)%mm.PageSize:]; !bytes.Equal(tail, make([]byte, len(tail))) {
		t.Error("the tail of the last page is not zero")
	}
	h.Close()
	f, _ = tr.Root().Lookup(nil, "twice")
	if string(contents(t, f)) != strings.Repeat("second", 1000) {
		t.Error("the first one won")
	}
	given := 0
	for _, r := range free {
		given += r.Count
		alloc.AddFree(r.First, r.Count)
	}
	if want := n - 3 - 2; given != want {
		t.Errorf("%d frames to give back, want %d", given, want)
	}
	for _, name := range []string{"big", "twice"} {
		tr.Root().Remove(nil, name, false)
	}
	if alloc.Free() != before+n {
		t.Errorf("%d frames free at last, want %d", alloc.Free(), before+n)
	}
}

func TestMalformedArchivesSayWhere(t *testing.T) {
	good := archive(t,
		file{name: "dir", mode: cpio.TypeDir | 0o755},
		file{name: "dir/file", mode: cpio.TypeReg | 0o644, data: "0123456789"},
		file{name: "link", mode: cpio.TypeSymlink | 0o777, data: "target"},
	)
	cut := func(n int) []byte { return good[:n] }
	patch := func(at int, s string) []byte {
		b := bytes.Clone(good)
		copy(b[at:], s)
		return b
	}
	second := bytes.Index(good[1:], []byte("070701")) + 1
	for name, tc := range map[string]struct {
		data []byte
		want string
	}{
		"garbage":         {[]byte("hello"), "archive at byte 0: neither"},
		"garbage after":   {append(bytes.Clone(good), "x"...), fmt.Sprintf("archive at byte %d: neither", len(good))},
		"cut in a header": {cut(second + 50), fmt.Sprintf("entry at byte %d: unexpected EOF", second)},
		"cut in the data": {cut(bytes.Index(good, []byte("0123456789")) + 5), `"dir/file": unexpected EOF`},
		"no trailer":      {cut(second), fmt.Sprintf("entry at byte %d: unexpected EOF", second)},
		"bad magic":       {patch(second, "070703"), fmt.Sprintf("entry at byte %d: cpio: invalid", second)},
		"negative size":   {patch(second+54, "-0000001"), fmt.Sprintf("entry at byte %d: cpio: invalid", second)},
		"huge size":       {patch(second+54, "FFFFFFFF"), "dir/file"},
		"huge name":       {patch(second+94, "0000FFFF"), fmt.Sprintf("entry at byte %d: cpio: invalid", second)},
		"empty name":      {patch(second+94, "00000001"), "entry at byte"},
		"data in a dir":   {patch(second+14, "000041ED"), "data in an entry"},
		"cut gzip":        {zipped(good)[:60], "unexpected EOF"},
		"broken gzip":     {[]byte("\x1f\x8b garbage"), "gzip: invalid header"},
		"gzip in gzip":    {zipped(zipped(good)), "neither"},
		"over a file": {archive(t, file{name: "a", mode: cpio.TypeReg}, file{name: "a/b", mode: cpio.TypeReg}),
			`"a/b": not a directory`},
		"no parent": {archive(t, file{name: "a/b", mode: cpio.TypeReg}), `"a/b": no such file`},
		"over a full directory": {append(bytes.Clone(good), archive(t, file{name: "dir", mode: cpio.TypeReg})...),
			`"dir": directory not empty`},
	} {
		tr := newTree(t, vfstest.Memory(32))
		_, err := Unpack(tr, tc.data, 0)
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v, want … %s …", name, err, tc.want)
		}
	}
	small := newTree(t, vfstest.Memory(8))
	_, err := Unpack(small, archive(t, file{name: "big", mode: cpio.TypeReg, data: strings.Repeat("x", 100_000)}), 0)
	if !errors.Is(err, vfs.ErrNoSpace) {
		t.Errorf("too big: %v", err)
	}
}

// FuzzUnpack: no archive makes the kernel panic.
func FuzzUnpack(f *testing.F) {
	f.Add([]byte("070701"))
	f.Fuzz(func(t *testing.T, data []byte) {
		Unpack(newTree(t, vfstest.Memory(32)), data, 0)
	})
}
