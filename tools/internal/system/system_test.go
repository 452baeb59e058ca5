package system

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"yolk/tools/internal/image"
)

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestEnclosing(t *testing.T) {
	dir := t.TempDir()
	deep := filepath.Join(dir, "a", "b")
	ok(t, os.MkdirAll(deep, 0o777))
	if root, found := enclosing(deep); found && strings.HasPrefix(root, dir) {
		t.Errorf("found %s", root)
	}
	ok(t, os.WriteFile(filepath.Join(dir, "a", "go.mod"), []byte("module other\n"), 0o666))
	for _, mod := range []string{"module yolk\n\ngo 1.27\n", "module yolk\r\n\r\ngo 1.27\r\n", "module yolk"} {
		ok(t, os.WriteFile(filepath.Join(dir, "go.mod"), []byte(mod), 0o666))
		if root, found := enclosing(deep); !found || root != dir {
			t.Errorf("%q: %s, %v", mod, root, found)
		}
	}
	ok(t, os.WriteFile(filepath.Join(dir, "go.mod"), []byte("module yolkbox\n"), 0o666))
	if root, found := enclosing(deep); found && root == dir {
		t.Error("a module of another name is taken for the source")
	}
}

// TestFindSource: a test binary lies outside of the tree, but runs within it.
func TestFindSource(t *testing.T) {
	root, err := FindSource()
	if _, serr := os.Stat(filepath.Join(root, "tools", "internal", "system", "system_test.go")); err != nil || serr != nil {
		t.Errorf("%s, %v", root, err)
	}
}

func TestReplace(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	content := "one"
	write := func(tmp string) error { return os.WriteFile(tmp, []byte(content), 0o666) }
	ok(t, replace(path, write))
	first, err := os.Stat(path)
	ok(t, err)
	ok(t, replace(path, write))
	if second, err := os.Stat(path); err != nil || !os.SameFile(first, second) {
		t.Error("a file that does not differ was replaced")
	}
	content = "two"
	ok(t, replace(path, write))
	if b, _ := os.ReadFile(path); string(b) != "two" {
		t.Errorf("%q", b)
	}
	broken := errors.New("broken")
	if err := replace(path, func(tmp string) error { os.WriteFile(tmp, nil, 0o666); return broken }); err != broken {
		t.Error(err)
	}
	left, _ := filepath.Glob(path + "*")
	if b, _ := os.ReadFile(path); string(b) != "two" || len(left) != 1 {
		t.Errorf("after a failure: %q, files %q", b, left)
	}
}

// built is a system whose box is a file of ours.
func built(t *testing.T) *System {
	dir := t.TempDir()
	s := &System{Box: filepath.Join(dir, "box"), Base: filepath.Join(dir, "base.cpio"), names: []string{"ls", "sh"}}
	ok(t, os.WriteFile(s.Box, []byte("\x7fELF"), 0o755))
	ok(t, s.writeBase(s.Base))
	return s
}

func TestInitrdIsBase(t *testing.T) {
	s := built(t)
	path, done, err := s.Initrd(Extra{})
	ok(t, err)
	done()
	if _, err := os.Stat(s.Base); path != s.Base || err != nil {
		t.Errorf("%s, %v", path, err)
	}
}

// TestInitrdOrder: the base, the archives as given, then what was added and
// the arguments.
func TestInitrdOrder(t *testing.T) {
	s := built(t)
	dir := t.TempDir()
	archive, added := filepath.Join(dir, "a.cpio"), filepath.Join(dir, "added")
	tree := image.New()
	ok(t, tree.File("/from-archive", 0o644, nil))
	ok(t, writeFile(archive, tree.Write))
	ok(t, os.WriteFile(added, nil, 0o600))
	path, done, err := s.Initrd(Extra{Initrds: []string{archive, archive}, Adds: []string{added + ":/bin/added"}, Args: []string{"a b", ""}})
	ok(t, err)
	b, err := os.ReadFile(path)
	ok(t, err)
	at := 0
	for _, want := range []string{"bin/ls\x00", "TRAILER!!!", "from-archive\x00", "TRAILER!!!", "from-archive\x00", "TRAILER!!!", ".args\x00", "a b\x00\x00", "bin/added\x00", "TRAILER!!!"} {
		i := bytes.Index(b[at:], []byte(want))
		if i < 0 {
			t.Fatalf("%q is not there, or not in its place", want)
		}
		at += i + len(want)
	}
	done()
	if _, err := os.Stat(filepath.Dir(path)); !errors.Is(err, os.ErrNotExist) {
		t.Error("the initrd was left behind")
	}
}

func TestInitrdErrors(t *testing.T) {
	s := built(t)
	text := filepath.Join(t.TempDir(), "text")
	ok(t, os.WriteFile(text, []byte(strings.Repeat("no archive ", 50)), 0o666))
	for name, x := range map[string]Extra{
		"no such archive": {Initrds: []string{"no-such-file"}},
		"no archive":      {Initrds: []string{text}},
		"no such file":    {Adds: []string{"no-such-file:/f"}},
		"no guest path":   {Adds: []string{text}},
		"below a file":    {Adds: []string{text + ":/f", text + ":/f/g"}},
	} {
		if _, _, err := s.Initrd(x); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestGoEnvPinsToolchain(t *testing.T) {
	t.Setenv("GOTOOLCHAIN", "local")
	t.Setenv("GOFLAGS", "-mod=vendor")
	t.Setenv("GOOS", "plan9")
	var last string
	for _, kv := range GoEnv() {
		name, value, _ := strings.Cut(kv, "=")
		if name == "GOTOOLCHAIN" {
			last = value
		}
		if name == "GOFLAGS" || name == "GOOS" {
			t.Error(kv)
		}
	}
	if last != runtime.Version() {
		t.Errorf("GOTOOLCHAIN=%s, the tests run with %s", last, runtime.Version())
	}
}
