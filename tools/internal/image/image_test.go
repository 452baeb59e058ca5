package image

import (
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/cavaliergopher/cpio"
)

// listing is an archive as a reader sees it.
type file struct {
	mode   cpio.FileMode
	data   string
	offset int64 // of the data
}

// list reads an archive back.
func list(t *testing.T, archive []byte) (files map[string]file, order []string) {
	t.Helper()
	files = make(map[string]file)
	r := bytes.NewReader(archive)
	c := cpio.NewReader(r)
	for {
		h, err := c.Next()
		if err == io.EOF {
			return files, order
		}
		if err != nil {
			t.Fatal(err)
		}
		offset := int64(len(archive) - r.Len())
		data, err := io.ReadAll(c)
		if err != nil {
			t.Fatal(err)
		}
		name, _, _ := strings.Cut(h.Name, "\x00")
		files[name] = file{h.Mode, string(data) + h.Linkname, offset}
		order = append(order, name)
	}
}

func write(t *testing.T, w interface{ Write(io.Writer) error }) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := w.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestTreeRoundTrip(t *testing.T) {
	tree := New()
	ok(t, tree.File("/bin/yolk", 0o755, bytes.Repeat([]byte("abc"), 5000)))
	ok(t, tree.Symlink("/bin/ls", "yolk"))
	ok(t, tree.Dir("/tmp", 0o1777))
	ok(t, tree.File("etc/empty", 0o600, nil))
	ok(t, tree.File("/etc/motd", 0o644, []byte("hello")))
	got, order := list(t, write(t, tree))
	want := map[string]file{
		"bin": {mode: 0o40755}, "bin/ls": {mode: 0o120777, data: "yolk"},
		"bin/yolk": {mode: 0o100755, data: strings.Repeat("abc", 5000)},
		"etc":      {mode: 0o40755}, "etc/empty": {mode: 0o100600}, "etc/motd": {mode: 0o100644, data: "hello"},
		"tmp": {mode: 0o41777},
	}
	for name, w := range want {
		if g := got[name]; g.mode != w.mode || g.data != w.data {
			t.Errorf("%s: mode %o, %d bytes; want %o, %d", name, g.mode, len(g.data), w.mode, len(w.data))
		}
	}
	if len(order) != len(want) {
		t.Errorf("entries: %q", order)
	}
}

// TestDataIsPageAligned: at every distance from the last page boundary, with
// short names and with ones that leave no room for the padding.
func TestDataIsPageAligned(t *testing.T) {
	tree := New()
	for i := range 300 {
		name := strings.Repeat("n", 1+i%250) + "/" + strings.Repeat("d", 1+i*7%255)
		ok(t, tree.File(name, 0o644, bytes.Repeat([]byte{byte(i)}, 1+i*41)))
		ok(t, tree.Symlink(name+"l", strings.Repeat("t", 1+i)))
	}
	got, _ := list(t, write(t, tree))
	n := 0
	for name, f := range got {
		if f.mode.IsRegular() {
			n++
			if f.data == "" || f.offset%PageSize != 0 {
				t.Errorf("%s: %d bytes at %#x", name, len(f.data), f.offset)
			}
		}
	}
	if n == 0 {
		t.Error("no files")
	}
}

// TestNameFieldBounded: the entry that would need a name field longer than
// readers accept is written after an empty one of the same name.
func TestNameFieldBounded(t *testing.T) {
	fillers := 0
	for i := range PageSize / 4 {
		tree := New()
		ok(t, tree.Symlink("a", strings.Repeat("x", 1+4*i%4000)))
		ok(t, tree.Symlink("b", strings.Repeat("x", 1+4*i/4000*200)))
		ok(t, tree.File(strings.Repeat("c", 250), 0o644, []byte("data")))
		got, order := list(t, write(t, tree)) // the reader refuses fields that are too long
		f := got[strings.Repeat("c", 250)]
		if f.data != "data" || f.offset%PageSize != 0 {
			t.Fatalf("%d: %q at %#x", i, f.data, f.offset)
		}
		fillers += len(order) - 3
	}
	if fillers == 0 {
		t.Error("no archive needed a filler: the test does not reach the case")
	}
}

func TestDeterministic(t *testing.T) {
	a, b := New(), New()
	for _, n := range []string{"x", "y/z", "y/a"} {
		ok(t, a.File(n, 0o644, []byte(n)))
	}
	for _, n := range []string{"y/a", "x", "y/z"} {
		ok(t, b.File(n, 0o644, []byte(n)))
	}
	if !bytes.Equal(write(t, a), write(t, b)) {
		t.Error("the order of building changes the archive")
	}
}

func TestParentMustBeDirectory(t *testing.T) {
	tree := New()
	ok(t, tree.File("a", 0o644, nil))
	if err := tree.File("a/b", 0o644, nil); err == nil {
		t.Error("a file was put into a file")
	}
}

func TestConcat(t *testing.T) {
	var b bytes.Buffer
	ok(t, Concat(&b, strings.NewReader("one"), strings.NewReader(strings.Repeat("2", PageSize)), strings.NewReader("three")))
	s := b.String()
	if len(s) != 2*PageSize+5 || !strings.HasPrefix(s[PageSize:], "222") || s[2*PageSize:] != "three" || strings.Trim(s[3:PageSize], "\x00") != "" {
		t.Errorf("%d bytes", len(s))
	}
}

// gzipped compresses an archive.
func gzipped(t *testing.T, b []byte) []byte {
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	z.Write(b)
	ok(t, z.Close())
	return out.Bytes()
}

// TestAddParents: parents that are missing are made; those that the archives
// below have are not written again, which would change their mode.
func TestAddParents(t *testing.T) {
	base, second := New(), New()
	ok(t, base.Dir("/tmp", 0o1777))
	ok(t, second.Dir("/srv", 0o700))
	host := filepath.Join(t.TempDir(), "f")
	ok(t, os.WriteFile(host, []byte("x"), 0o640))
	o := NewOverlay(base)
	archives := append(write(t, second), make([]byte, 512)...)
	archives = append(archives, gzipped(t, write(t, New()))...)
	ok(t, o.Below(bytes.NewReader(archives)))
	for _, guest := range []string{"/tmp/f", "/srv/f", "/new/dir/", "rel"} {
		ok(t, o.Add(host, guest))
	}
	_, order := list(t, write(t, o))
	if got := strings.Join(order, " "); got != "new new/dir new/dir/f rel srv/f tmp/f" {
		t.Errorf("entries: %s", got)
	}
}

func TestAddTree(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("modes and symbolic links need a file system that has them")
	}
	dir := filepath.Join(t.TempDir(), "tree")
	ok(t, os.MkdirAll(filepath.Join(dir, "sub"), 0o755))
	ok(t, os.Chmod(dir, 0o711))
	ok(t, os.WriteFile(filepath.Join(dir, "sub", "run me"), []byte("#!/bin/sh\n"), 0o755))
	ok(t, os.Chmod(filepath.Join(dir, "sub", "run me"), 0o755|os.ModeSetuid))
	ok(t, os.Symlink("../else where", filepath.Join(dir, "sub", "link")))
	link := filepath.Join(filepath.Dir(dir), "named")
	ok(t, os.Symlink(dir, link))
	for _, host := range []string{dir, link} {
		o := NewOverlay(New())
		ok(t, o.Add(host, "/opt/t"))
		got, _ := list(t, write(t, o))
		for name, want := range map[string]file{
			"opt": {mode: 0o40755}, "opt/t": {mode: 0o40711}, "opt/t/sub": {mode: 0o40755},
			"opt/t/sub/run me": {mode: 0o104755, data: "#!/bin/sh\n"},
			"opt/t/sub/link":   {mode: 0o120777, data: "../else where"},
		} {
			if g := got[name]; g.mode != want.mode || g.data != want.data {
				t.Errorf("%s: %s: %o %q, want %o %q", host, name, g.mode, g.data, want.mode, want.data)
			}
		}
	}
}

func TestAddErrors(t *testing.T) {
	o := NewOverlay(New())
	if err := o.Add(filepath.Join(t.TempDir(), "nothing"), "/x"); err == nil {
		t.Error("a missing file was added")
	}
	for _, bad := range []string{"", "host", ":guest", "host:"} {
		if _, _, err := SplitAdd(bad); err == nil {
			t.Errorf("%q was split", bad)
		}
	}
	if h, g, err := SplitAdd(`C:\dir\f:/bin/f`); err != nil || h != `C:\dir\f` || g != "/bin/f" {
		t.Errorf("%q %q %v", h, g, err)
	}
}

func TestBelowRefuses(t *testing.T) {
	plain := write(t, New())
	for name, b := range map[string][]byte{
		"empty": nil, "text": []byte(strings.Repeat("text", 100)), "cut": plain[:50], "zeros": make([]byte, 600),
		"broken gzip": gzipped(t, plain)[:20], "gzip of text": gzipped(t, []byte(strings.Repeat("text", 100))),
	} {
		if err := NewOverlay(New()).Below(bytes.NewReader(b)); err == nil {
			t.Errorf("%s was taken for an archive", name)
		}
	}
}

func TestWriteNeedsWholeFile(t *testing.T) {
	host := filepath.Join(t.TempDir(), "f")
	ok(t, os.WriteFile(host, []byte("long enough"), 0o644))
	tree := New()
	ok(t, tree.HostFile("f", 0o644, host))
	ok(t, os.WriteFile(host, []byte("short"), 0o644))
	if err := tree.Write(io.Discard); err == nil {
		t.Error("a file that shrank was written")
	}
}

func TestGuessPermissions(t *testing.T) {
	dir := t.TempDir()
	for name, c := range map[string]struct {
		data string
		want cpio.FileMode
	}{"elf": {"\x7fELF...", 0o755}, "script": {"#!/bin/sh", 0o755}, "text": {"text", 0o644}, "empty": {"", 0o644}} {
		host := filepath.Join(dir, name)
		ok(t, os.WriteFile(host, []byte(c.data), 0o600))
		if got := guessPermissions(host, false); got != c.want {
			t.Errorf("%s: %o", name, got)
		}
	}
}
