// Package tools_test holds what is true of the source tree as a whole: who may
// import whom, how large the kernel may be, that the documents speak of things
// that exist.
package tools_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"
)

// root is the source tree, as seen from this directory.
const root = ".."

// A sourceFile is one Go file of the tree.
type sourceFile struct {
	path string // relative to root, with slashes
	dir  string
	test bool
	ast  *ast.File
	text []byte
}

// walk calls visit for every file of the source tree: not for what git, the
// build and the go command keep to themselves.
func walk(t *testing.T, visit func(path string)) {
	t.Helper()
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, p)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		hidden := strings.HasPrefix(d.Name(), ".") && rel != "." && d.Name() != ".ci"
		switch {
		case d.IsDir() && (hidden || rel == "bin" || d.Name() == "node_modules"):
			return filepath.SkipDir
		case !d.IsDir():
			visit(rel)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// sources parses every Go file, whatever its build constraints, but for the
// files that are data of ours: under testdata and under names with an
// underscore.
func sources(t *testing.T) []sourceFile {
	t.Helper()
	var files []sourceFile
	set := token.NewFileSet()
	walk(t, func(p string) {
		if path.Ext(p) != ".go" || isData(p) {
			return
		}
		text := read(t, p)
		f, err := parser.ParseFile(set, p, text, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, sourceFile{p, path.Dir(p), strings.HasSuffix(p, "_test.go"), f, text})
	})
	if len(files) < 20 {
		t.Fatalf("only %d Go files: the tests look in the wrong place", len(files))
	}
	return files
}

// isData reports whether the go command leaves the file out.
func isData(p string) bool {
	for _, part := range strings.Split(p, "/") {
		if part == "testdata" || strings.HasPrefix(part, "_") {
			return true
		}
	}
	return false
}

func read(t *testing.T, p string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(p)))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// under reports whether dir is one of the trees: a name that ends in /... is
// a directory with all below it.
func under(dir string, trees []string) bool {
	for _, tree := range trees {
		top, all := strings.CutSuffix(tree, "/...")
		if dir == top || all && strings.HasPrefix(dir, top+"/") {
			return true
		}
	}
	return false
}
