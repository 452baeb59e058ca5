package goroot

import (
	"bytes"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
)

// stock is the pinned toolchain, which runs this test as well.
var stock = sync.OnceValues(Stock)

func mustStock(t *testing.T) string {
	t.Helper()
	s, err := stock()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func mustEnsure(t *testing.T, dir string, opt Options) string {
	t.Helper()
	root, err := Ensure(dir, opt)
	if err != nil {
		t.Fatal(err)
	}
	return root
}

// smallStock copies those files of the stock toolchain that the layer speaks of,
// and what lies beside them, to a new directory under dir.
func smallStock(t *testing.T, dir string) string {
	t.Helper()
	from := mustStock(t)
	to, err := os.MkdirTemp(dir, "stock")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		chmodDirs(to, 0o755)
		os.RemoveAll(to)
	})
	names := []string{"VERSION", "src/fmt/print.go", "src/runtime/proc_test.go", "src/runtime/testdata/testprog/main.go"}
	for _, n := range dropped {
		names = append(names, "src/"+n)
	}
	for _, e := range edits {
		names = append(names, "src/"+e.file)
	}
	for _, n := range names {
		b, err := os.ReadFile(filepath.Join(from, filepath.FromSlash(n)))
		if err != nil {
			t.Fatal(err)
		}
		p := filepath.Join(to, filepath.FromSlash(n))
		if err := os.MkdirAll(filepath.Dir(p), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, b, 0o444); err != nil {
			t.Fatal(err)
		}
	}
	return to
}

func chmodDirs(root string, perm fs.FileMode) {
	filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			os.Chmod(p, perm)
		}
		return nil
	})
}

func read(t *testing.T, elem ...string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(elem...))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestTreeOfEachLink checks the tree's content for every kind of link.
func TestTreeOfEachLink(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a path with blanks")
	small := smallStock(t, t.TempDir())
	for _, link := range []Link{Symlink, Hardlink, Copy} {
		root := mustEnsure(t, dir, Options{Stock: small, Link: link})
		checkTree(t, root, small)
		info, err := os.Lstat(filepath.Join(root, "src", "fmt"))
		if err != nil {
			t.Fatal(err)
		}
		if isLink := info.Mode()&fs.ModeSymlink != 0; isLink != (link == Symlink) && runtime.GOOS != "windows" {
			t.Errorf("link kind %d: src/fmt has mode %v", link, info.Mode())
		}
		a, _ := os.Stat(filepath.Join(root, "VERSION"))
		b, _ := os.Stat(filepath.Join(small, "VERSION"))
		if os.SameFile(a, b) != (link != Copy) && runtime.GOOS != "windows" {
			t.Errorf("link kind %d: VERSION is the same file: %v", link, os.SameFile(a, b))
		}
	}
}

// checkTree checks one added, replaced, dropped, edited and untouched file each,
// and that the stock tree is as it was.
func checkTree(t *testing.T, root, stock string) {
	t.Helper()
	for _, n := range []string{"VERSION", "src/fmt/print.go", "src/runtime/stubs_linux.go"} {
		n = filepath.FromSlash(n)
		if _, err := os.Stat(filepath.Join(stock, n)); err == nil && read(t, root, n) != read(t, stock, n) {
			t.Errorf("%s differs from the stock tree's", n)
		}
	}
	if !strings.Contains(read(t, root, "src", "runtime", "goos", "goos.go"), "package goos") {
		t.Error("runtime/goos is missing")
	}
	for _, n := range dropped {
		if _, err := os.Lstat(srcPath(root, n)); err == nil {
			t.Errorf("%s is there", n)
		}
		if _, err := os.Stat(srcPath(stock, n)); err != nil {
			t.Errorf("the stock tree has lost %s", n)
		}
	}
	for _, e := range edits {
		if got := read(t, srcPath(root, e.file)); strings.Contains(got, e.old) && !strings.Contains(e.new, e.old) {
			t.Errorf("%s still has %q", e.file, e.old)
		} else if !strings.Contains(got, e.new) {
			t.Errorf("%s has not got %q", e.file, e.new)
		}
		if !strings.Contains(read(t, srcPath(stock, e.file)), e.old) {
			t.Errorf("the stock tree's %s was changed", e.file)
		}
	}
}

// TestReadOnlyStockOnAnotherFileSystem: hard links are impossible there, and what
// is copied must be removable again.
func TestReadOnlyStockOnAnotherFileSystem(t *testing.T) {
	const other = "/dev/shm"
	if runtime.GOOS != "linux" {
		t.Skip("SKIP: no second file system is known on " + runtime.GOOS)
	}
	small := smallStock(t, other)
	chmodDirs(small, 0o555)
	dir := t.TempDir()
	probe := filepath.Join(dir, "probe")
	if err := os.Link(filepath.Join(small, "VERSION"), probe); err == nil {
		t.Skip("SKIP: " + other + " and the temporary directory are one file system")
	}
	root := mustEnsure(t, dir, Options{Stock: small, Link: Hardlink})
	checkTree(t, root, small)
	if err := os.WriteFile(filepath.Join(root, "VERSION"), nil, 0o666); err != nil {
		t.Errorf("the copy cannot be written: %v", err)
	}
	if err := os.RemoveAll(root); err != nil {
		t.Errorf("the copy cannot be removed: %v", err)
	}
}

// TestMissingAnchorIsNamed: a toolchain that the layer does not fit is refused, and
// the error says where, what and what to do.
func TestMissingAnchorIsNamed(t *testing.T) {
	for _, e := range edits {
		small := smallStock(t, t.TempDir())
		p := srcPath(small, e.file)
		b, _ := os.ReadFile(p)
		os.Remove(p)
		if err := os.WriteFile(p, bytes.Replace(b, []byte(e.old), nil, 1), 0o666); err != nil {
			t.Fatal(err)
		}
		refused(t, small, e.file, e.old)
	}
	for _, n := range dropped {
		small := smallStock(t, t.TempDir())
		os.Remove(srcPath(small, n))
		refused(t, small, n)
	}
}

// TestAnchorTwice: an anchor that has become ambiguous is as bad as a missing one.
func TestAnchorTwice(t *testing.T) {
	e := edits[0]
	small := smallStock(t, t.TempDir())
	p := srcPath(small, e.file)
	b, _ := os.ReadFile(p)
	os.Remove(p)
	os.WriteFile(p, append(b, e.old...), 0o666)
	refused(t, small, e.file, e.old, "2 time(s) instead of 1")
}

func refused(t *testing.T, stock string, says ...string) {
	t.Helper()
	dir := t.TempDir()
	root, err := Ensure(dir, Options{Stock: stock})
	if err == nil {
		t.Fatalf("accepted a stock tree without %q: %s", says, root)
	}
	for _, s := range append(says, Version, "tools/goroot/README.md") {
		if !strings.Contains(err.Error(), s) {
			t.Errorf("error does not say %q: %v", s, err)
		}
	}
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// TestEnsureReuses: a second call returns the same tree; another stock tree or kind
// of link makes another and removes the first.
func TestEnsureReuses(t *testing.T) {
	dir := t.TempDir()
	small := smallStock(t, t.TempDir())
	first := mustEnsure(t, dir, Options{Stock: small})
	mark := filepath.Join(first, "mark")
	os.WriteFile(mark, nil, 0o666)
	if again := mustEnsure(t, dir, Options{Stock: small}); again != first {
		t.Errorf("second call: %s instead of %s", again, first)
	}
	if _, err := os.Stat(mark); err != nil {
		t.Error("the tree was made again")
	}
	other := mustEnsure(t, dir, Options{Stock: small, Link: Copy})
	left, _ := os.ReadDir(dir)
	if other == first || len(left) != 1 {
		t.Errorf("after another kind of link: %s, in the directory %v", other, left)
	}
	moved := mustEnsure(t, dir, Options{Stock: smallStock(t, t.TempDir()), Link: Copy})
	if moved == other {
		t.Error("another stock tree gave the same tree")
	}
}

// TestEnsureTwiceAtOnce: two processes may find the tree missing together.
func TestEnsureTwiceAtOnce(t *testing.T) {
	dir := t.TempDir()
	small := smallStock(t, t.TempDir())
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			root, err := Ensure(dir, Options{Stock: small, Link: Copy})
			if err != nil {
				t.Error(err)
				return
			}
			checkTree(t, root, small)
		})
	}
	wg.Wait()
	if left, _ := os.ReadDir(dir); len(left) != 1 {
		t.Errorf("in the directory: %v", left)
	}
}

// TestStockDespiteTheEnvironment: what the caller has set does not lead astray.
func TestStockDespiteTheEnvironment(t *testing.T) {
	want := mustStock(t)
	for k, v := range map[string]string{"GOTOOLCHAIN": "local", "GOROOT": t.TempDir(), "GOFLAGS": "-mod=mod -nonsense",
		"GOOS": "plan9", "GOARCH": "386", "GOEXPERIMENT": "nonsense"} {
		t.Setenv(k, v)
	}
	got, err := Stock()
	if err != nil || got != want {
		t.Errorf("Stock: %s, %v, want %s", got, err, want)
	}
}

func TestNoGoCommand(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	if _, err := Stock(); err == nil || !strings.Contains(err.Error(), "go.dev/dl") {
		t.Errorf("error without a go command: %v", err)
	}
}

// TestFullTreeBuilds builds a program with the whole tree by each kind of link, in a
// path with blanks; the bytes are the same.
func TestFullTreeBuilds(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIP: copies 250 MB")
	}
	dir := filepath.Join(t.TempDir(), "a path with blanks")
	var first string
	for _, link := range []Link{Symlink, Hardlink, Copy} {
		root := mustEnsure(t, dir, Options{Stock: mustStock(t), Link: link})
		out := filepath.Join(dir, "hosted.elf")
		goBuild(t, root, out)
		switch b := read(t, out); {
		case first == "":
			first = b
		case b != first:
			t.Errorf("link kind %d gives another program", link)
		}
	}
}

func goBuild(t *testing.T, root, out string) {
	t.Helper()
	cmd := exec.Command(filepath.Join(root, "bin", "go"), "build", "-trimpath", "-tags=yolk", "-o", out, "./testdata/hosted")
	cmd.Env = append(os.Environ(), "GOROOT="+root, "GOTOOLCHAIN=local", "GOOS=linux", "GOARCH=amd64", "CGO_ENABLED=0", "GOFLAGS=-buildvcs=false")
	if b, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, b)
	}
}
