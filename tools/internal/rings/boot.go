package rings

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"yolk/qemu"
	"yolk/qemu/boottest"
	"yolk/tools/internal/hosttools"
	"yolk/tools/internal/system"
	"yolk/tools/internal/tree"
)

// buildSystem finds QEMU and builds what the boots need.
func (s *suite) buildSystem() (*boottest.System, error) {
	path, err := hosttools.QEMU.Need(s.opt.Out)
	if err != nil {
		return nil, err
	}
	sys, err := s.built()
	if err != nil {
		return nil, err
	}
	return &boottest.System{QEMU: path, Kernel: sys.Kernel, Initrd: func(initrds, adds []string) (string, func(), error) {
		return sys.Initrd(system.Extra{Initrds: initrds, Adds: adds})
	}}, nil
}

// bootChecks are the boots, one check a case and machine.
func bootChecks(s *suite) ([]Check, error) {
	var checks []Check
	for _, c := range boottest.Cases {
		for _, machine := range machines(&c) {
			checks = append(checks, Check{Name: bootName(&c, machine), Long: c.Long, run: func(ctx context.Context) outcome {
				sys, err := s.sys()
				if err != nil {
					return failed("%v", err)
				}
				return verdictOf(c.Run(ctx, s.root, sys, machine))
			}})
		}
	}
	return checks, nil
}

func machines(c *boottest.Case) []string {
	if c.Machines == nil {
		return []string{qemu.DefaultMachine}
	}
	return c.Machines
}

func bootName(c *boottest.Case, machine string) string { return "boot/" + machine + "/" + c.Name }

// bootCase finds the case and the machine of a check's name.
func bootCase(name string) (*boottest.Case, string, bool) {
	for _, c := range boottest.Cases {
		for _, machine := range machines(&c) {
			if bootName(&c, machine) == name {
				return &c, machine, true
			}
		}
	}
	return nil, "", false
}

// buildChecks are what is promised of builds.
func buildChecks(s *suite) ([]Check, error) {
	return []Check{
		{Name: "build/again-changes-nothing", run: func(ctx context.Context) outcome { return verdictOf(s.again()) }},
		{Name: "build/reproducible", run: func(ctx context.Context) outcome { return verdictOf(s.reproducible()) }},
	}, nil
}

// again builds twice and wants the second build to leave the first one's files
// as they are.
func (s *suite) again() error {
	var written [2][2]time.Time
	for i := range written {
		sys, err := system.Build(s.root)
		if err != nil {
			return err
		}
		for j, path := range []string{sys.Kernel, sys.Base} {
			info, err := os.Stat(path)
			if err != nil {
				return err
			}
			written[i][j] = info.ModTime()
		}
	}
	if written[0] != written[1] {
		return errors.New("a build that changes nothing wrote the kernel or the base image anew")
	}
	return nil
}

// reproducible builds the tree in a second place, whose path has a blank, and
// wants the same bytes.
func (s *suite) reproducible() error {
	dir, err := os.MkdirTemp("", "second place ")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := tree.Copy(dir, s.root); err != nil {
		return err
	}
	var sums [2][]string
	for i, root := range []string{s.root, dir} {
		sys, err := system.Build(root)
		if err != nil {
			return err
		}
		for _, path := range []string{sys.Kernel, sys.Base} {
			b, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			sums[i] = append(sums[i], fmt.Sprintf("%s %x", filepath.Base(path), sha256.Sum256(b)))
		}
	}
	if a, b := strings.Join(sums[0], ", "), strings.Join(sums[1], ", "); a != b {
		return fmt.Errorf("two places, two results: %s; %s", a, b)
	}
	return nil
}

// benchChecks hold that two runs of the bench print the same bytes.
func benchChecks(s *suite) ([]Check, error) {
	return []Check{{Name: "bench/repeats", run: func(ctx context.Context) outcome {
		sys, err := s.sys()
		if err != nil {
			return failed("%v", err)
		}
		var first, second string
		for _, out := range []*string{&first, &second} {
			if *out, err = bench(ctx, sys); err != nil {
				return failed("%v", err)
			}
		}
		if first != second {
			return failed("two runs differ:\n%s\n%s", first, second)
		}
		return passed()
	}}}, nil
}

// bench runs the guest's bench and returns what it prints.
func bench(ctx context.Context, sys *boottest.System) (string, error) {
	initrd, done, err := sys.Initrd(nil, nil)
	if err != nil {
		return "", err
	}
	defer done()
	var out, log bytes.Buffer
	cfg := &qemu.Config{Kernel: sys.Kernel, Initrd: initrd, ICount: true, Params: qemu.Params{Program: []string{"bench"}}}
	r := qemu.Run(ctx, sys.QEMU, cfg, &qemu.IO{Stdout: &out, Stderr: &log, Log: &log})
	if r.ExitCode() != 0 || out.Len() == 0 {
		return "", fmt.Errorf("exit status %d (%s)\n%s", r.ExitCode(), r.Why, tail(log.Bytes(), 2000))
	}
	return out.String(), nil
}
