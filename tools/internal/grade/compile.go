package grade

import (
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/build/constraint"
	"go/parser"
	"go/token"
	"go/types"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"yolk/tools/internal/build"
	"yolk/tools/internal/system"
)

// harmless are the packages of the standard library that a student's file may
// import: what a kernel can use at all, and nothing with which a test could be
// ended, told that it passed, or told from another.
var harmless = []string{
	"bytes", "cmp", "container/heap", "container/list", "encoding/binary", "errors", "fmt", "hash/crc32", "io", "iter", "maps",
	"math", "math/bits", "math/rand/v2", "slices", "sort", "strconv", "strings", "sync", "sync/atomic", "time",
}

// inspect looks at the student's files before anything of them is run, and says
// what is wrong with them.  An error is not the student's.
func (g *grading) inspect() (problem string, err error) {
	for _, name := range g.Files {
		text, err := os.ReadFile(filepath.Join(g.Root, filepath.FromSlash(name)))
		if errors.Is(err, fs.ErrNotExist) {
			return notHandedIn(name, errNotThere), nil
		}
		if err != nil {
			return "", err
		}
		if problem := g.inspectFile(name, text); problem != "" {
			return problem, nil
		}
	}
	return "", nil
}

// inspectFile says what is wrong with a student's file.
func (g *grading) inspectFile(name string, text []byte) (problem string) {
	set := token.NewFileSet()
	f, err := parser.ParseFile(set, name, text, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return "does not compile: " + err.Error()
	}
	if pkg := path.Base(path.Dir(name)); f.Name.Name != pkg {
		return fmt.Sprintf("does not compile: %s is of package %s, and not of %s", name, f.Name.Name, pkg)
	}
	for _, spec := range f.Imports {
		if imp, err := strconv.Unquote(spec.Path.Value); err != nil || !g.mayImport(path.Dir(name), imp) {
			return fmt.Sprintf("%s imports %s, which is no part of the kernel, or which no part of it may", name, spec.Path.Value)
		}
	}
	for _, c := range f.Comments {
		for _, line := range c.List {
			if d := directive(line.Text); d != "" {
				return fmt.Sprintf("%s:%d: no file of a lab has a line %s", name, set.PositionFor(line.Pos(), false).Line, d)
			}
		}
	}
	if shadow := predeclared(f); shadow != "" {
		return fmt.Sprintf("%s: a package that declares %s of its own changes what its tests mean", name, shadow)
	}
	return ""
}

// directive is a comment's directive if it is one that would have the compiler see
// another file than the reader: what is linked to what, for whom the file is, or where
// a line comes from.
func directive(comment string) string {
	for _, d := range []string{"//go:linkname", "//line ", "/*line "} {
		if strings.HasPrefix(comment, d) {
			return strings.TrimSpace(d)
		}
	}
	if constraint.IsGoBuild(comment) || constraint.IsPlusBuild(comment) {
		return "//go:build"
	}
	return ""
}

// predeclared is the first name of Go's own that a file declares for its whole package.
//
// WHY it matters: the tests on the host are in the package, too, and their len and true
// would be the student's.
func predeclared(f *ast.File) string {
	var names []*ast.Ident
	for _, d := range f.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if d.Recv == nil {
				names = append(names, d.Name)
			}
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				switch spec := spec.(type) {
				case *ast.ValueSpec:
					names = append(names, spec.Names...)
				case *ast.TypeSpec:
					names = append(names, spec.Name)
				}
			}
		}
	}
	for _, n := range names {
		if types.Universe.Lookup(n.Name) != nil {
			return n.Name
		}
	}
	return ""
}

// ours says what the files of a part of the kernel may import of its packages; below
// names those below a package, too.
var ours = []struct{ part, below string }{
	{"mm", "kernel/trace"}, {"kernel", "mm"}, {"kernel", "kernel"}, {"kernel", "arch/amd64"},
}

// props are packages for tests only.
var props = []string{"mm/softmmu", "kernel/scripted", "kernel/vfs/vfstest"}

// mayImport reports whether a file in the directory dir may import a package: a
// harmless one, or one of the kernel's that is there for it.
func (g *grading) mayImport(dir, imp string) bool {
	target, own := strings.CutPrefix(imp, "yolk/")
	if !own {
		return slices.Contains(harmless, imp)
	}
	part, _, _ := strings.Cut(dir, "/")
	info, err := os.Stat(filepath.Join(g.Root, filepath.FromSlash(target)))
	if err != nil || !info.IsDir() || target == dir || slices.Contains(props, target) {
		return false
	}
	for _, o := range ours {
		if o.part == part && (target == o.below || strings.HasPrefix(target, o.below+"/")) {
			return true
		}
	}
	return false
}

// compile compiles the packages of the student's files, for the host and for the
// machine.  A problem is the student's, an error is not.
func (g *grading) compile(ctx context.Context) (problem string, err error) {
	var pkgs []string
	for _, name := range g.Files {
		pkgs = append(pkgs, "./"+path.Dir(name))
	}
	if pkgs == nil {
		return "", nil
	}
	defer g.life.begin("compiling")()
	slices.Sort(pkgs)
	cmd := system.Go(g.Root, append([]string{"build", "-trimpath"}, slices.Compact(pkgs)...)...)
	problem, err = compileProblem(run(ctx, cmd))
	if problem != "" || err != nil || g.onlyHost() {
		return problem, err
	}
	tools, err := build.Find(g.Root)
	if err != nil {
		return "", err
	}
	return compileProblem(run(ctx, tools.Go(append(append([]string{"list"}, build.KernelFlags...), "-export", "-f", "", "./boot")...)))
}

// onlyHost reports whether no test that was chosen needs the machine.
func (g *grading) onlyHost() bool { return len(g.tests) == 0 || g.tests[len(g.tests)-1].Host() }

// diagnostic is a line in which the compiler names a place.  The go command names
// the package before it; what it says of places by itself is about packages that
// it cannot find.
var (
	diagnostic = regexp.MustCompile(`(?m)^\S+\.go:\d+(?::\d+)?: .*$`)
	header     = regexp.MustCompile(`(?m)^# yolk/`)
	cycle      = regexp.MustCompile(`(?m)^.*import cycle not allowed.*$`)
)

// compileProblem tells what the compiler found wrong from a go command that
// could not do its work.
func compileProblem(out []byte, err error) (problem string, _ error) {
	var exit *exec.ExitError
	if err == nil {
		return "", nil
	}
	if at := cycle.Find(out); at != nil && errors.As(err, &exit) {
		return "does not compile: " + strings.TrimSpace(string(at)), nil
	}
	lines := diagnostic.FindAllString(string(out), 4)
	if lines == nil || !header.Match(out) || !errors.As(err, &exit) {
		return "", fmt.Errorf("the go command failed: %w\n%s", err, tail(string(out), 2000))
	}
	return "does not compile: " + strings.Join(lines, "\n"), nil
}

func tail(s string, n int) string { return s[max(0, len(s)-n):] }
