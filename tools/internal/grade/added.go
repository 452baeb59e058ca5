package grade

import (
	"context"
	"fmt"
	"go/ast"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"yolk/tools/internal/judge"
	"yolk/tools/internal/lab"
	"yolk/tools/internal/system"
	"yolk/tools/internal/tree"
)

// lay lays the files of the directory dir, but for its lab.json, over the copy of the
// reference: tests that students have not seen.
//
// WHY before the student's files, and held against the reference: a test that does not
// compile, or is not there, would be a failure of each student.
func (h *HandIn) lay(ctx context.Context, dir string, l *lab.Lab) error {
	files, err := tree.Files(dir)
	if err != nil {
		return err
	}
	var tested []string
	for _, name := range files {
		if name == lab.DataFile {
			continue
		}
		if slices.Contains(h.Files, name) {
			return fmt.Errorf("%s: %s is a file that students hand in", dir, name)
		}
		text, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(name)))
		if err != nil {
			return err
		}
		if err := tree.Write(h.Root, name, text); err != nil {
			return err
		}
		if strings.HasSuffix(name, "_test.go") {
			tested = append(tested, "./"+path.Dir(name))
		}
	}
	own, err := lab.Load(h.Root, l.Name)
	if err != nil {
		return err
	}
	if err := h.compileTests(ctx, tested); err != nil {
		return fmt.Errorf("%s: %w", dir, err)
	}
	return h.wantAdded(own, l)
}

// compileTests compiles the tests of packages.
func (h *HandIn) compileTests(ctx context.Context, pkgs []string) error {
	if pkgs == nil {
		return nil
	}
	slices.Sort(pkgs)
	cmd := system.Go(h.Root, append([]string{"test", "-trimpath", "-vet=off", "-run", "^$"}, slices.Compact(pkgs)...)...)
	if out, err := run(ctx, cmd); err != nil {
		return fmt.Errorf("its tests are none of the reference: %w\n%s", err, tail(string(out), 2000))
	}
	return nil
}

// wantAdded looks for the tests that l has and the lab itself has not, or not so, and
// for the symbols that they send students to.
func (h *HandIn) wantAdded(own, l *lab.Lab) error {
	look := newLookup(h.Root)
	for _, t := range l.Tests {
		if slices.Contains(own.Tests, t) {
			continue
		}
		if !look.has(&t) {
			return fmt.Errorf("there is no test %s", t.Name())
		}
		if look.place(t.Look) == t.Look {
			return fmt.Errorf("test %s sends students to %s, which is not there", t.Name(), t.Look)
		}
	}
	return nil
}

// has reports whether the tree has a test.  Rows of tables, the subtests, have no names
// before they are run.
func (l *lookup) has(t *lab.Test) bool {
	pkg, name, _ := strings.Cut(t.Unit, " ")
	name, _, _ = strings.Cut(name, "/")
	return slices.ContainsFunc(l.files, func(file string) bool {
		switch {
		case t.Unit != "":
			return path.Dir(file) == pkg && strings.HasSuffix(file, "_test.go") &&
				l.function(file, func(fn *ast.FuncDecl) bool { return fn.Recv == nil && fn.Name.Name == name }) != ""
		case t.Guest != "":
			text, err := os.ReadFile(filepath.Join(l.root, filepath.FromSlash(file)))
			return path.Dir(file) == "userland/usertests" && err == nil && strings.Contains(string(text), strconv.Quote(t.Guest))
		}
		return judge.Lookup(t.Outside) != nil
	})
}
