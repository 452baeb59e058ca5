package rings

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"yolk/tools/goroot"
	"yolk/tools/internal/build"
	"yolk/tools/internal/lab"
	"yolk/tools/internal/system"
	"yolk/tools/internal/tree"
)

// studentLab is the lab whose starter tree the checks of a student's tools are about.
const studentLab = "cow"

// gopls is the language server that the checks use; tools/gopls names its version.
const gopls = "golang.org/x/tools/gopls@v0.24.0"

// editorChecks prove what a student's editor and network see of a starter tree: gopls
// finds no error in it, and after the first build nothing is fetched any more.
func editorChecks(s *suite) ([]Check, error) {
	if r, err := lab.ReadRecord(s.root); r != nil || err != nil {
		return nil, err
	}
	return []Check{
		{Name: "editor/gopls", Long: true, run: func(ctx context.Context) outcome { return verdictOf(s.editorGopls(ctx)) }},
		{Name: "editor/offline", Long: true, run: func(ctx context.Context) outcome { return verdictOf(s.editorOffline(ctx)) }},
	}, nil
}

// starterTree cuts the starter tree of the students' lab.
func (s *suite) starterTree(dir string) error {
	l, err := lab.Load(s.root, studentLab)
	if err != nil {
		return err
	}
	files, err := tree.Files(s.root)
	if err != nil {
		return err
	}
	return l.Write(s.root, dir, files, "")
}

// student works in a tree, with an environment.
type student struct {
	ctx context.Context
	dir string
	env []string // on top of the pinned toolchain's
}

// do runs a program, a path below the tree or a command, and wants an exit status.
func (t *student) do(status int, name string, args ...string) (out string, err error) {
	if strings.HasPrefix(name, "bin/") {
		name = filepath.Join(t.dir, filepath.FromSlash(name))
	}
	cmd := exec.CommandContext(t.ctx, name, args...)
	cmd.Dir = t.dir
	cmd.Env = append(system.GoEnv(), t.env...)
	b, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return "", err
	}
	if got := cmd.ProcessState.ExitCode(); got != status {
		return "", fmt.Errorf("%s %q: exit status %d, want %d\n%s", filepath.Base(name), args, got, status, tail(b, 4000))
	}
	return string(b), nil
}

// builds builds the tools as an editor's task does, and the system.
func (t *student) builds() error {
	if _, err := t.do(0, "go", "build", "-o", "bin/", "./tools/yolk", "./tools/gopls"); err != nil {
		return err
	}
	_, err := t.do(0, "bin/yolk", "build")
	return err
}

// editorGopls has gopls look at every file of a starter tree that belongs to the
// system, and then at one with an error, which it must find.
func (s *suite) editorGopls(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "editor-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	server := filepath.Join(dir, "server")
	t := &student{ctx: ctx, dir: filepath.Join(dir, "tree"), env: []string{"PATH=" + server + string(os.PathListSeparator) + os.Getenv("PATH")}}
	if err := s.starterTree(t.dir); err != nil {
		return err
	}
	install := &student{ctx: ctx, dir: dir, env: []string{"GOBIN=" + server, "GOFLAGS="}}
	if _, err := install.do(0, "go", "install", gopls); err != nil {
		return err
	}
	if err := t.builds(); err != nil {
		return err
	}
	if err := t.checks(); err != nil {
		return err
	}
	out, err := t.do(0, "bin/yolk", "doctor")
	if err == nil && !strings.Contains(out, "lab      "+studentLab+" ") {
		err = fmt.Errorf("doctor does not know a student's tree:\n%s", out)
	}
	return err
}

// checks has gopls find nothing in the tree's files, and an error in one that has it.
func (t *student) checks() error {
	files, err := editorFiles(t.dir)
	if err != nil {
		return err
	}
	out, err := t.do(0, "bin/gopls", append([]string{"check", "-severity=error"}, files...)...)
	if err != nil {
		return fmt.Errorf("gopls finds something in a starter tree: %w", err)
	}
	if out != "" {
		return fmt.Errorf("gopls finds something in a starter tree:\n%s", tail([]byte(out), 4000))
	}
	if err := tree.Write(t.dir, "boot/wrong.go", []byte("//go:build yolk\n\npackage main\n\nvar wrong int = \"a kernel file\"\n")); err != nil {
		return err
	}
	out, err = t.do(0, "bin/gopls", "check", "-severity=error", filepath.Join(t.dir, "boot", "wrong.go"))
	if err != nil {
		return err
	}
	if !strings.Contains(out, "wrong.go:5:") {
		return fmt.Errorf("gopls does not see an error in a kernel file:\n%s", tail([]byte(out), 4000))
	}
	return nil
}

// editorFiles lists the Go files of the tree at root that are part of the system or
// of its tests, by their paths.
func editorFiles(root string) ([]string, error) {
	tools, err := build.Find(root)
	if err != nil {
		return nil, err
	}
	const each = `{{$d := .Dir}}{{range .GoFiles}}{{$d}}/{{.}}{{"\n"}}{{end}}{{range .TestGoFiles}}{{$d}}/{{.}}{{"\n"}}{{end}}{{range .XTestGoFiles}}{{$d}}/{{.}}{{"\n"}}{{end}}`
	out, err := tools.Go("list", build.KernelFlags[0], "-f", each, "./...").Output()
	files := strings.Fields(string(out))
	if err == nil && len(files) < 200 {
		err = fmt.Errorf("only %d files: the check looks in the wrong place", len(files))
	}
	return files, err
}

// editorOffline builds a starter tree with caches of its own, and then grades it, host
// and guest, with every way to a module closed.
func (s *suite) editorOffline(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "offline-")
	if err != nil {
		return err
	}
	defer s.removeCaches(dir)
	mod := filepath.Join(dir, "cache", "mod")
	caches := []string{"GOMODCACHE=" + mod, "GOCACHE=" + filepath.Join(dir, "cache", "build")}
	t := &student{ctx: ctx, dir: filepath.Join(dir, "tree"), env: caches}
	if err := s.starterTree(t.dir); err != nil {
		return err
	}
	if err := t.builds(); err != nil {
		return err
	}
	t.env = append(caches, "GOPROXY=off", "GOFLAGS=-mod=mod", "GOVCS=*:off")
	if err := t.builds(); err != nil {
		return fmt.Errorf("the second build: %w", err)
	}
	out, err := t.do(1, "bin/yolk", "grade", "-run", "^(mm/TestCOW0[1-4]|guest/COW-04)")
	if err != nil {
		return fmt.Errorf("grading without a network: %w", err)
	}
	if strings.Count(out, "seen:     panic: lab "+studentLab+", task ") < 4 {
		return fmt.Errorf("grading without a network gives no named panics:\n%s", tail([]byte(out), 4000))
	}
	// What is not in the caches is really out of reach.
	t.env = append(t.env, "GOMODCACHE="+filepath.Join(dir, "empty"), "GOTOOLCHAIN="+goroot.Version)
	if _, err := t.do(1, "go", "mod", "download", "golang.org/x/term"); err != nil {
		return fmt.Errorf("the check proves nothing: a module is fetched without a proxy, or: %w", err)
	}
	return nil
}
