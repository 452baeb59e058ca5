package rings

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"yolk/tools/goroot"
	"yolk/tools/internal/export"
	"yolk/tools/internal/grade"
	"yolk/tools/internal/lab"
	"yolk/tools/internal/system"
	"yolk/tools/internal/tree"
)

// exportedLab is the lab that the checks of exported graders are about: any would do.
const exportedLab = "cow"

// actionlint reads workflows as GitHub does, and the scripts in them.
const actionlint = "github.com/rhysd/actionlint/cmd/actionlint@v1.7.12"

// exportChecks prove that graders for others work: the autograder for Gradescope is
// set up and run as it would be there; the workflow for GitHub is one; the toolchain
// that the former fetches is the one that Go's checksum database knows.
func exportChecks(s *suite) ([]Check, error) {
	if r, err := lab.ReadRecord(s.root); r != nil || err != nil {
		return nil, err
	}
	return []Check{
		{Name: "export/gradescope", Long: true, run: func(ctx context.Context) outcome {
			if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
				return skipped("Gradescope runs it on Linux on x86-64")
			}
			return verdictOf(s.exportGradescope(ctx))
		}},
		{Name: "export/github", Long: true, run: func(ctx context.Context) outcome { return verdictOf(s.exportGitHub()) }},
		{Name: "export/toolchain", Long: true, run: func(ctx context.Context) outcome { return verdictOf(s.exportToolchain()) }},
	}, nil
}

// exportGradescope does what Gradescope does: it unpacks the zip, sets it up, and
// has it grade the starter and the reference.
func (s *suite) exportGradescope(ctx context.Context) error {
	base, err := os.MkdirTemp("", "autograder-")
	if err != nil {
		return err
	}
	defer s.removeCaches(base)
	l, err := lab.Load(s.root, exportedLab)
	if err != nil {
		return err
	}
	if err := s.unpackAutograder(base, l); err != nil {
		return err
	}
	a := &autograder{ctx: ctx, base: base}
	if err := a.setup(s); err != nil {
		return err
	}
	submission := filepath.Join(base, "submission")
	files, err := tree.Files(s.root)
	if err == nil {
		err = l.Write(s.root, submission, files, "")
	}
	if err != nil {
		return err
	}
	all, _ := l.Points()
	if err := a.wantScore(0, all); err != nil {
		return fmt.Errorf("the starter: %w", err)
	}
	if err := tree.Copy(submission, s.root); err != nil {
		return err
	}
	if err := a.wantScore(all, all); err != nil {
		return fmt.Errorf("the reference: %w", err)
	}
	return nil
}

// setup runs setup.sh, which fetches the toolchain from where this host's Go would.
func (a *autograder) setup(s *suite) error {
	modules, err := s.moduleProxy()
	if err == nil {
		err = a.fakeApt()
	}
	if err != nil {
		return err
	}
	if out, err := a.run("source/setup.sh", "GO_MODULES="+modules); err != nil {
		return fmt.Errorf("setup.sh: %w\n%s", err, tail(out, 4000))
	}
	return nil
}

// removeCaches removes a directory with a module cache, whose files are read-only.
func (s *suite) removeCaches(base string) {
	cmd := system.Go(s.root, "clean", "-modcache")
	cmd.Env = append(cmd.Env, "GOMODCACHE="+filepath.Join(base, "cache", "mod"), "GOFLAGS=")
	cmd.Run() // what stays is in the temporary directory
	os.RemoveAll(base)
}

// unpackAutograder makes the directories that Gradescope makes.
func (s *suite) unpackAutograder(base string, l *lab.Lab) error {
	var b bytes.Buffer
	if err := export.Gradescope(&b, s.root, l, "", io.Discard); err != nil {
		return err
	}
	z, err := zip.NewReader(bytes.NewReader(b.Bytes()), int64(b.Len()))
	if err != nil {
		return err
	}
	for _, f := range z.File {
		if (f.Name == "setup.sh" || f.Name == "run_autograder") && f.Mode()&0o111 == 0 {
			return fmt.Errorf("%s is not executable", f.Name)
		}
	}
	return errors.Join(os.CopyFS(filepath.Join(base, "source"), z), os.Mkdir(filepath.Join(base, "results"), 0o777))
}

// moduleProxy is the first of the module proxies that this host's Go uses.
func (s *suite) moduleProxy() (string, error) {
	out, err := system.Go(s.root, "env", "GOPROXY").Output()
	proxy, _, _ := strings.Cut(strings.TrimSpace(string(out)), ",")
	if err == nil && !strings.HasPrefix(proxy, "http") {
		err = fmt.Errorf("GOPROXY is %q: there is nothing to fetch a toolchain from", proxy)
	}
	return proxy, err
}

// autograder is an unpacked autograder.
type autograder struct {
	ctx  context.Context
	base string
}

// fakeApt lays an apt-get over the host's: what it would install is here, or the
// scripts fail.
func (a *autograder) fakeApt() error {
	return errors.Join(
		tree.Write(a.base, "fake/apt-get", []byte("#!/bin/sh\necho \"$@\"\n")),
		os.Chmod(filepath.Join(a.base, "fake", "apt-get"), 0o777))
}

// run runs one of the autograder's scripts.
func (a *autograder) run(script string, env ...string) ([]byte, error) {
	cmd := exec.CommandContext(a.ctx, "bash", filepath.Join(a.base, filepath.FromSlash(script)))
	cmd.Dir = a.base
	path := filepath.Join(a.base, "fake") + string(os.PathListSeparator) + os.Getenv("PATH")
	cmd.Env = append(goroot.Without(os.Environ(), "GOFLAGS", "GOROOT", "GOTOOLCHAIN"), append(env, "AUTOGRADER_DIR="+a.base, "PATH="+path)...)
	return cmd.CombinedOutput()
}

// wantScore grades what is in the directory submission.
func (a *autograder) wantScore(want, of int) error {
	out, err := a.run("source/run_autograder")
	if err != nil {
		return fmt.Errorf("run_autograder: %w\n%s", err, tail(out, 4000))
	}
	b, err := os.ReadFile(filepath.Join(a.base, "results", "results.json"))
	if err != nil {
		return err
	}
	r, err := grade.ReadResults(b)
	if err != nil {
		return fmt.Errorf("results.json: %w", err)
	}
	if got, max := r.Score(); got != want || max != of {
		return fmt.Errorf("%d of %d points, want %d of %d\n%s", got, max, want, of, tail(out, 4000))
	}
	return nil
}

// exportGitHub has a linter read the workflow.
func (s *suite) exportGitHub() error {
	l, err := lab.Load(s.root, exportedLab)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "workflow-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := export.GitHub(s.root, l, "course/reference", dir, io.Discard); err != nil {
		return err
	}
	file := filepath.Join(dir, filepath.FromSlash(export.Workflow))
	if err := lintWorkflow(dir, file); err != nil {
		return err
	}
	// A linter that finds nothing may have read nothing.
	b, err := os.ReadFile(file)
	if err == nil {
		err = os.WriteFile(file, bytes.Replace(b, []byte("steps.grade.outputs"), []byte("steps.none.outputs"), 1), 0o666)
	}
	if err == nil && lintWorkflow(dir, file) == nil {
		err = errors.New("the linter does not see that a step uses another that does not exist")
	}
	return err
}

func lintWorkflow(dir, file string) error {
	cmd := system.Go(dir, "run", actionlint, "-no-color", file)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("actionlint: %w\n%s", err, tail(out, 4000))
	}
	return nil
}

// exportToolchain holds export.ToolchainSum against what the go command fetches and
// checks by itself.
func (s *suite) exportToolchain() error {
	out, err := system.Go(os.TempDir(), "mod", "download", "-json", "golang.org/toolchain@v0.0.1-"+goroot.Version+".linux-amd64").CombinedOutput()
	var fetched struct{ Zip string }
	if err == nil {
		err = json.Unmarshal(out, &fetched)
	}
	if err != nil {
		return fmt.Errorf("go mod download: %w\n%s", err, tail(out, 2000))
	}
	b, err := os.ReadFile(fetched.Zip)
	if err != nil {
		return err
	}
	if sum := fmt.Sprintf("%x", sha256.Sum256(b)); sum != export.ToolchainSum {
		return fmt.Errorf("the toolchain has the SHA-256 %s, export.ToolchainSum says %s", sum, export.ToolchainSum)
	}
	return nil
}
