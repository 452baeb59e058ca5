package grade

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"go/parser"
	"go/token"
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
// what is wrong with them.
func (g *grading) inspect() (problem string) {
	for _, name := range g.Files {
		set := token.NewFileSet()
		f, err := parser.ParseFile(set, filepath.Join(g.Root, filepath.FromSlash(name)), nil, parser.ParseComments)
		if err != nil {
			return "does not compile: " + strings.ReplaceAll(err.Error(), g.Root+string(filepath.Separator), "")
		}
		for _, spec := range f.Imports {
			if imp, err := strconv.Unquote(spec.Path.Value); err != nil || !g.mayImport(path.Dir(name), imp) {
				return fmt.Sprintf("%s imports %s, which is no part of the kernel, or which no part of it may", name, spec.Path.Value)
			}
		}
		for _, c := range f.Comments {
			for _, line := range c.List {
				if strings.HasPrefix(line.Text, "//go:linkname ") || strings.HasPrefix(line.Text, "//go:build ") {
					directive, _, _ := strings.Cut(line.Text, " ")
					return fmt.Sprintf("%s:%d: no file of a lab has a line %s", name, set.Position(line.Pos()).Line, directive)
				}
			}
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
	if err != nil || !info.IsDir() || slices.Contains(props, target) {
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

// run runs a command until ctx is done and returns all that it printed.
func run(ctx context.Context, cmd *exec.Cmd) ([]byte, error) {
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { cmd.Process.Kill() })
	defer stop()
	err := cmd.Wait()
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	return out.Bytes(), err
}

// diagnostic is a line in which the compiler names a place.  The go command names
// the package before it; what it says of places by itself is about packages that
// it cannot find.
var (
	diagnostic = regexp.MustCompile(`(?m)^\S+\.go:\d+(?::\d+)?: .*$`)
	header     = regexp.MustCompile(`(?m)^# yolk/`)
)

// compileProblem tells what the compiler found wrong from a go command that
// could not do its work.
func compileProblem(out []byte, err error) (problem string, _ error) {
	var exit *exec.ExitError
	if err == nil {
		return "", nil
	}
	lines := diagnostic.FindAllString(string(out), 4)
	if lines == nil || !header.Match(out) || !errors.As(err, &exit) {
		return "", fmt.Errorf("the go command failed: %w\n%s", err, tail(string(out), 2000))
	}
	return "does not compile: " + strings.Join(lines, "\n"), nil
}

func tail(s string, n int) string { return s[max(0, len(s)-n):] }
