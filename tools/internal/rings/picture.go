package rings

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"yolk/kernel/trace"
	"yolk/qemu"
	"yolk/qemu/boottest"
	"yolk/tools/internal/hosttools"
	"yolk/tools/internal/picture"
	"yolk/tools/internal/picture/picturetest"
	"yolk/tools/internal/tree"
	"yolk/tools/internal/system"
)

// pictureChecks are the tests of the picture: of its model, with Node's test
// runner; that the page in the tree is what its sources make; and of the page, in
// a Chromium.
func pictureChecks(s *suite) ([]Check, error) {
	checks := []Check{
		{Name: "picture/model", Long: true, run: func(ctx context.Context) outcome { return verdictOf(s.pictureModel(ctx)) }},
		{Name: "picture/built", Long: true, run: func(ctx context.Context) outcome { return verdictOf(s.pictureBuilt(ctx)) }},
	}
	for _, program := range replayed {
		checks = append(checks, Check{Name: "picture/replay-" + program, Long: true, run: func(ctx context.Context) outcome {
			return verdictOf(s.pictureReplay(ctx, program))
		}})
	}
	for _, c := range picturetest.Cases {
		checks = append(checks, Check{Name: "picture/" + c.Name, Long: true, run: func(ctx context.Context) outcome {
			host, err := s.pictureHost()
			if err != nil {
				return failed("%v", err)
			}
			return verdictOf(c.Run(ctx, host))
		}})
	}
	return checks, nil
}

// shotsVariable names the environment variable that says where the documents'
// screenshots are to be written.
const shotsVariable = "YOLK_SHOTS"

// pictureHost gathers what the tests in a browser need.
func (s *suite) pictureHost() (*picturetest.Host, error) {
	browser, err := hosttools.Chromium.Need(s.opt.Out)
	if err != nil {
		return nil, err
	}
	return &picturetest.Host{
		Chromium: browser, Demo: s.traced, Live: s.live, Shots: os.Getenv(shotsVariable),
		Say: func(format string, args ...any) { fmt.Fprintf(s.opt.Out, "note: "+format+"\n", args...) },
	}, nil
}

// traced runs a program in the guest with all classes of events.
func (s *suite) traced(ctx context.Context, program ...string) (*picturetest.Demo, error) {
	boot, err := s.sys()
	if err != nil {
		return nil, err
	}
	d := &picturetest.Demo{}
	c := boottest.Case{Program: program, Trace: trace.ClassAll, Judge: func(stdout string, events []trace.Event) error {
		d.Stdout, d.Events = stdout, events
		return nil
	}}
	return d, c.Run(ctx, s.root, boot, qemu.DefaultMachine)
}

// live runs a program in the guest and passes on each event as it happens.
func (s *suite) live(ctx context.Context, event func(*trace.Event), program ...string) error {
	boot, err := s.sys()
	if err != nil {
		return err
	}
	initrd, done, err := boot.Initrd(nil, nil)
	if err != nil {
		return err
	}
	defer done()
	cfg := &qemu.Config{Kernel: boot.Kernel, Initrd: initrd, Params: qemu.Params{Program: program, Trace: trace.ClassAll}}
	if r := qemu.Run(ctx, boot.QEMU, cfg, &qemu.IO{Trace: event}); r.ExitCode() != 0 {
		return fmt.Errorf("exit status %d (%s)", r.ExitCode(), r.Why)
	}
	return nil
}

// pictureDir is where the picture is in a source tree.
func pictureDir(root string) string { return filepath.Join(root, "tools", "internal", "picture") }

// pictureModel checks the types of the picture's sources and runs the tests of
// its model.
func (s *suite) pictureModel(ctx context.Context) error {
	return s.withWeb(ctx, func(node, dir string) error {
		if err := inWeb(ctx, dir, node, tsc...); err != nil {
			return err
		}
		return inWeb(ctx, dir, node, "build.mjs", "test")
	})
}

// pictureBuilt builds the page again and wants the bytes that are in the tree.
func (s *suite) pictureBuilt(ctx context.Context) error {
	return s.withWeb(ctx, func(node, dir string) error {
		built := filepath.Join(dir, "built.html")
		if err := inWeb(ctx, dir, node, "build.mjs", "page", built); err != nil {
			return err
		}
		want, err := os.ReadFile(built)
		if err != nil {
			return err
		}
		got, err := os.ReadFile(filepath.Join(pictureDir(s.root), "page.html"))
		if err != nil {
			return err
		}
		if !bytes.Equal(want, bytes.ReplaceAll(got, []byte("\r\n"), []byte("\n"))) {
			return errors.New("page.html is not what its sources make; in tools/internal/picture/web: npm ci && npm run build")
		}
		return nil
	})
}

// replayed are the programs whose traces the model is held against.
var replayed = []string{"cowdemo", "vforkdemo", "execdemo", "forkdemo"}

// pictureReplay has the model play the trace of a program, and wants it to count
// the references to each frame as the kernel does.
func (s *suite) pictureReplay(ctx context.Context, program string) error {
	d, err := s.traced(ctx, program)
	if err != nil {
		return err
	}
	return s.withWeb(ctx, func(node, dir string) error {
		var page bytes.Buffer
		err := picture.Write(&page, func(yield func(trace.Event, error) bool) {
			for _, ev := range d.Events {
				if !yield(ev, nil) {
					return
				}
			}
		}, program)
		if err != nil {
			return err
		}
		file := filepath.Join(dir, "trace.html")
		if err := os.WriteFile(file, page.Bytes(), 0o666); err != nil {
			return err
		}
		return inWeb(ctx, dir, node, "build.mjs", "replay", file)
	})
}

// tsc are Node's arguments to check the types of the picture's sources.
var tsc = []string{filepath.Join("node_modules", "typescript", "bin", "tsc"), "--noEmit"}

// inWeb runs Node in a copy of the picture's sources.
func inWeb(ctx context.Context, dir, node string, args ...string) error {
	cmd := exec.CommandContext(ctx, node, args...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("node %s: %w\n%s", args[0], err, tail(out, 6000))
	}
	return nil
}

// withWeb calls do with a copy of the picture's sources in which Node finds the
// packages that they need.
//
// WHY a copy: a check leaves the source tree as it is, and so do the mutants.
func (s *suite) withWeb(ctx context.Context, do func(node, dir string) error) error {
	node, err := hosttools.Node.Need(s.opt.Out)
	if err != nil {
		return err
	}
	packages, err := s.webPackages(ctx)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "picture-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := tree.Copy(dir, filepath.Join(pictureDir(s.root), "web")); err != nil {
		return err
	}
	if err := os.Symlink(packages, filepath.Join(dir, "node_modules")); err != nil {
		return err
	}
	return do(node, dir)
}

// webPackages returns the directory with the packages that package-lock.json
// names, fetched by npm if they are not in the cache.
func (s *suite) webPackages(ctx context.Context) (string, error) {
	s.web.Lock()
	defer s.web.Unlock()
	web := filepath.Join(pictureDir(s.root), "web")
	lock, err := os.ReadFile(filepath.Join(web, "package-lock.json"))
	if err != nil {
		return "", err
	}
	dir := filepath.Join(s.cache, fmt.Sprintf("picture-%.12x", sha256.Sum256(lock)))
	packages := filepath.Join(dir, "node_modules")
	if _, err := os.Stat(packages); !errors.Is(err, fs.ErrNotExist) {
		return packages, err
	}
	npm, err := hosttools.NPM.Need(s.opt.Out)
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(s.cache, 0o777); err != nil {
		return "", err
	}
	tmp, err := os.MkdirTemp(s.cache, "fetch-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(tmp)
	if err := tree.Copy(tmp, web); err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	cmd.Dir = tmp
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("npm ci: %w\n%s", err, tail(out, 2000))
	}
	return packages, os.Rename(tmp, dir)
}

// killPicture runs a check of the picture in a copy of the tree that holds a
// mutant, with the page built anew; one that cannot be built is no mutant.
//
// WHY another yolk runs it: the page is embedded in the command, and this one's
// is the sound one.
func (s *suite) killPicture(ctx context.Context, m Mutant, dir string) outcome {
	packages, err := s.webPackages(ctx)
	if err != nil {
		return failed("%v", err)
	}
	copied := newSuite(dir, s.opt)
	if err := os.MkdirAll(copied.cache, 0o777); err != nil {
		return failed("%v", err)
	}
	fetched := filepath.Dir(packages)
	if err := os.Symlink(fetched, filepath.Join(copied.cache, filepath.Base(fetched))); err != nil {
		return failed("%v", err)
	}
	err = copied.withWeb(ctx, func(node, web string) error {
		return errors.Join(inWeb(ctx, web, node, tsc...), inWeb(ctx, web, node, "build.mjs", "page", filepath.Join(pictureDir(dir), "page.html")))
	})
	if err != nil {
		return failed("the mutant cannot be tested: %v", err)
	}
	yolk := filepath.Join(dir, "bin", "yolk.exe")
	if out, err := system.Go(dir, "build", "-o", yolk, "./tools/yolk").CombinedOutput(); err != nil {
		return failed("the mutant cannot be tested: %v\n%s", err, tail(out, 2000))
	}
	cmd := exec.CommandContext(ctx, yolk, "test", "-all", "-run", "^"+m.Kill[1]+"$")
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	return m.judgePicture(string(out), err)
}

// judgePicture tells from what `yolk test` prints whether the check has failed.
func (m *Mutant) judgePicture(out string, err error) outcome {
	switch {
	case err == nil:
		return failed("survived: %s passed", m.Kill[1])
	case !strings.Contains(out, "0 passed, 1 failed, 0 skipped"):
		return failed("the mutant cannot be tested\n%s", tail([]byte(out), 2000))
	}
	return passed()
}
