package rings

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"yolk/qemu"
	"yolk/qemu/boottest"
	"yolk/tools/internal/system"
)

// linuxChecks use the host's Linux as the oracle: the same binary must do the
// same on both.
func linuxChecks(s *suite) ([]Check, error) {
	checks := []Check{{Name: "linux/usertests", run: func(ctx context.Context) outcome {
		if !oracle() {
			return skipped("the host is %s/%s, not linux/amd64", runtime.GOOS, runtime.GOARCH)
		}
		return s.usertestsOnHost(ctx)
	}}}
	for _, script := range boottest.BusyboxScripts {
		checks = append(checks, Check{Name: "linux/busybox-" + script.Name, run: func(ctx context.Context) outcome {
			return s.withBusybox(func(applets string) error { return s.compare(ctx, script, applets) })
		}})
	}
	for _, c := range boottest.BusyboxCases {
		checks = append(checks, Check{Name: "linux/busybox-" + c.Name, run: func(ctx context.Context) outcome {
			return s.withBusybox(func(applets string) error { return s.bootBusybox(ctx, c, applets) })
		}})
	}
	return checks, nil
}

// oracle reports whether the guest's programs run on the host.
func oracle() bool { return runtime.GOOS == "linux" && runtime.GOARCH == "amd64" }

// usertestsOnHost runs the guest's usertests on the host.
func (s *suite) usertestsOnHost(ctx context.Context) outcome {
	sys, err := system.Build(s.root)
	if err != nil {
		return failed("%v", err)
	}
	cmd := exec.CommandContext(ctx, sys.Box)
	cmd.Args = []string{"usertests"}
	if cmd.Dir, err = os.MkdirTemp("", "usertests-"); err != nil {
		return failed("%v", err)
	}
	defer os.RemoveAll(cmd.Dir)
	return runGo(cmd)
}

// withBusybox runs a check that needs Debian's busybox and a host that can run it.
func (s *suite) withBusybox(check func(applets string) error) outcome {
	if !oracle() {
		return skipped("the host is %s/%s, not linux/amd64", runtime.GOOS, runtime.GOARCH)
	}
	applets, err := s.applets()
	if errors.Is(err, errNoPackages) {
		return skipped("%v", err)
	}
	if err != nil {
		return failed("%v", err)
	}
	return verdictOf(check(applets))
}

// compare runs a script under busybox here and there; output and status must
// be the same.
func (s *suite) compare(ctx context.Context, script boottest.Script, applets string) error {
	want, code, err := onHost(ctx, script, applets)
	if err != nil {
		return err
	}
	return s.bootBusybox(ctx, boottest.Case{
		Name: script.Name, Program: []string{boottest.BusyboxDir + "/busybox", "sh", "-c", "export PATH=" + boottest.BusyboxDir + "; " + script.Text},
		Stdin: script.Stdin, Stdout: want, Exact: true, Exit: code,
	}, applets)
}

// bootBusybox boots a case with busybox and its links added.
func (s *suite) bootBusybox(ctx context.Context, c boottest.Case, applets string) error {
	sys, err := s.sys()
	if err != nil {
		return err
	}
	c.Adds = append(slices.Clone(c.Adds), applets+":"+boottest.BusyboxDir, filepath.Join(applets, "busybox")+":/bin/busybox")
	return c.Run(ctx, s.root, sys, qemu.DefaultMachine)
}

// errNoPackages means that this host has no way to fetch Debian's packages.
var errNoPackages = errors.New("no apt-get and dpkg-deb here to fetch Debian's busybox-static with")

// applets returns a directory with Debian's statically linked busybox and a
// link to it for each of its programs, fetched into the cache if it is not there
// yet; nothing is installed.
func (s *suite) applets() (string, error) {
	cache := filepath.Join(s.root, ".cache", "foreign")
	dir := filepath.Join(cache, "busybox")
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	for _, tool := range []string{"apt-get", "dpkg-deb"} {
		if _, err := exec.LookPath(tool); err != nil {
			return "", errNoPackages
		}
	}
	if err := os.MkdirAll(cache, 0o777); err != nil {
		return "", err
	}
	tmp, err := os.MkdirTemp(cache, "fetch-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(tmp)
	fmt.Fprintln(s.opt.Out, "note: fetching Debian's busybox-static, about 1 MB")
	if err := fetchBusybox(tmp); err != nil {
		return "", err
	}
	return dir, os.Rename(filepath.Join(tmp, "applets"), dir)
}

// fetchBusybox makes the directory applets in dir.
func fetchBusybox(dir string) error {
	if _, err := inDir(dir, "apt-get", "download", "busybox-static"); err != nil {
		return err
	}
	debs, err := filepath.Glob(filepath.Join(dir, "busybox-static_*.deb"))
	if err != nil || len(debs) != 1 {
		return fmt.Errorf("apt-get download left %d packages", len(debs))
	}
	if _, err := inDir(dir, "dpkg-deb", "-x", debs[0], "package"); err != nil {
		return err
	}
	found, err := filepath.Glob(filepath.Join(dir, "package", "*", "busybox"))
	if err != nil || len(found) == 0 { // since Debian 13 it lies in usr/bin
		found, err = filepath.Glob(filepath.Join(dir, "package", "usr", "*", "busybox"))
	}
	if err != nil || len(found) != 1 {
		return fmt.Errorf("%s holds %d files named busybox", filepath.Base(debs[0]), len(found))
	}
	applets := filepath.Join(dir, "applets")
	if err := os.Mkdir(applets, 0o777); err != nil {
		return err
	}
	if err := os.Rename(found[0], filepath.Join(applets, "busybox")); err != nil {
		return err
	}
	names, err := inDir(applets, filepath.Join(applets, "busybox"), "--list")
	if err != nil {
		return err
	}
	for _, name := range strings.Fields(names) {
		if err := os.Symlink("busybox", filepath.Join(applets, name)); err != nil && !errors.Is(err, os.ErrExist) {
			return err
		}
	}
	return nil
}

func inDir(dir, name string, args ...string) (output string, err error) {
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s: %w\n%s", filepath.Base(name), err, tail(out, 1000))
	}
	return string(out), nil
}

// onHost runs the script with the host's kernel.
func onHost(ctx context.Context, script boottest.Script, applets string) (stdout string, code int, err error) {
	dir, err := os.MkdirTemp("", "foreign-")
	if err != nil {
		return "", 0, err
	}
	defer os.RemoveAll(dir)
	cmd := exec.CommandContext(ctx, filepath.Join(applets, "busybox"), "sh", "-c", script.Text)
	cmd.Dir = dir
	cmd.Env = []string{"PATH=" + applets, "HOME=/", "TERM=dumb"}
	cmd.Stdin = strings.NewReader(script.Stdin)
	out, err := cmd.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() >= 0 {
		return string(out), exit.ExitCode(), nil
	}
	return string(out), 0, err
}
