package goroot

import (
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// tree is a private GOROOT being made.
type tree struct {
	stock, dst string
	link       Link              // what to try next; only ever grows
	files      map[string][]byte // by slash-separated path under the root
	touched    map[string]bool   // directories that hold such a file at any depth
}

func newTree(opt Options, dst string, src map[string][]byte) *tree {
	t := &tree{opt.Stock, dst, opt.Link, map[string][]byte{}, map[string]bool{".": true}}
	for name, b := range src {
		name = path.Join("src", name)
		t.files[name] = b
		for d := path.Dir(name); d != "."; d = path.Dir(d) {
			t.touched[d] = true
		}
	}
	return t
}

func (t *tree) make() error {
	if err := t.mirror("."); err != nil {
		return err
	}
	for name, b := range t.files {
		if b == nil {
			continue
		}
		p := t.path(t.dst, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o777); err != nil {
			return err
		}
		if err := os.WriteFile(p, b, 0o666); err != nil {
			return err
		}
	}
	return nil
}

// mirror makes directory rel of the private tree out of the stock tree's entries,
// leaving out those that files speaks of.
func (t *tree) mirror(rel string) error {
	entries, err := os.ReadDir(t.path(t.stock, rel))
	if err != nil {
		return err
	}
	if err := os.MkdirAll(t.path(t.dst, rel), 0o777); err != nil {
		return err
	}
	for _, e := range entries {
		name := path.Join(rel, e.Name())
		if _, ours := t.files[name]; ours {
			continue
		}
		if err := t.entry(name); err != nil {
			return err
		}
	}
	return nil
}

// entry refers to one stock file or directory. Only symbolic links can refer to a
// directory as a whole, and only if nothing in it differs.
func (t *tree) entry(name string) error {
	from, to := t.path(t.stock, name), t.path(t.dst, name)
	info, err := os.Stat(from)
	if err != nil {
		return err
	}
	if t.link == Symlink && !t.touched[name] {
		if os.Symlink(from, to) == nil {
			return nil
		}
		t.link = Hardlink
	}
	if info.IsDir() {
		if !t.touched[name] && unused(name) {
			return nil
		}
		return t.mirror(name)
	}
	if t.link == Hardlink {
		if os.Link(from, to) == nil {
			return nil
		}
		t.link = Copy
	}
	return copyFile(from, to, info.Mode().Perm()|0o200)
}

// unused says whether no build needs the directory.
func unused(name string) bool {
	return path.Base(name) == "testdata" || !strings.Contains(name, "/") && (name == "api" || name == "doc" || name == "test" || name == "misc")
}

func copyFile(from, to string, perm os.FileMode) error {
	r, err := os.Open(from)
	if err != nil {
		return err
	}
	defer r.Close()
	w, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, perm)
	if err != nil {
		return err
	}
	if _, err := io.Copy(w, r); err != nil {
		w.Close()
		return err
	}
	return w.Close()
}

func (t *tree) path(root, name string) string {
	return filepath.Join(root, filepath.FromSlash(name))
}
