package rings

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"yolk/qemu/gdb"
	"yolk/tools/internal/system"
	"yolk/tools/internal/tree"
)

// MutantsFile is the name of the files that hold mutants.
const MutantsFile = "mutants.json"

// A Mutant is a seeded defect: one string of one file replaced by another.
// Some test must fail with it, or the tests do not prove what they claim.
type Mutant struct {
	Name string   `json:"name"`
	File string   `json:"file"` // relative to the source tree, with slashes
	Old  string   `json:"old"`  // stands in File exactly once
	New  string   `json:"new"`
	Kill []string `json:"kill"` // arguments of go test; or "boot" and the name of a boot check; "picture" and one of a picture's; "gdb" and a session
}

// Mutants reads all mutants of a source tree.
func Mutants(root string) ([]Mutant, error) {
	var all []Mutant
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != root && skipDir(d.Name()):
			return filepath.SkipDir
		case d.Name() != MutantsFile:
			return nil
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		var list []Mutant
		if err := json.Unmarshal(b, &list); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		all = append(all, list...)
		return nil
	})
	return all, err
}

// skipDir tells the directories that hold no sources: .git and .cache among them.
func skipDir(name string) bool { return strings.HasPrefix(name, ".") || name == "node_modules" }

// mutantChecks are the mutants, each to be killed.
func mutantChecks(s *suite) ([]Check, error) {
	mutants, err := Mutants(s.root)
	if err != nil {
		return nil, err
	}
	var checks []Check
	seen := make(map[string]bool)
	for _, m := range mutants {
		if seen[m.Name] {
			return nil, fmt.Errorf("two mutants are named %q", m.Name)
		}
		seen[m.Name] = true
		long := len(m.Kill) > 0 && m.Kill[0] == "picture" // like the checks that kill it
		checks = append(checks, Check{Name: "mutant/" + m.Name, Long: long, run: func(ctx context.Context) outcome {
			return s.kill(ctx, m)
		}})
	}
	return checks, nil
}

// kill applies a mutant to a copy and wants its test to fail.
func (s *suite) kill(ctx context.Context, m Mutant) outcome {
	path := filepath.Join(s.root, filepath.FromSlash(m.File))
	mutated, err := m.apply(path)
	if err != nil {
		return failed("%v", err)
	}
	if len(m.Kill) == 2 && (m.Kill[0] == "boot" || m.Kill[0] == "picture") {
		return s.killInCopy(ctx, m, mutated)
	}
	if len(m.Kill) == 2 && m.Kill[0] == "gdb" {
		return s.killInGDB(ctx, m, mutated)
	}
	dir, err := os.MkdirTemp("", "mutant-")
	if err != nil {
		return failed("%v", err)
	}
	defer os.RemoveAll(dir)
	overlay, err := writeOverlay(dir, path, mutated)
	if err != nil {
		return failed("%v", err)
	}
	args := append([]string{"test", "-overlay", overlay, "-vet=off", "-timeout=2m"}, m.Kill...)
	out, err := system.Go(s.root, args...).CombinedOutput()
	return m.judge(out, err)
}

// judge tells a killed mutant from one that survived and from one that does
// not even compile.
func (m *Mutant) judge(out []byte, err error) outcome {
	var exit *exec.ExitError
	switch {
	case err == nil:
		return failed("survived: go test %s passed", strings.Join(m.Kill, " "))
	case !errors.As(err, &exit):
		return failed("%v", err)
	case !bytes.Contains(out, []byte("\nFAIL")) && !bytes.HasPrefix(out, []byte("FAIL")),
		bytes.Contains(out, []byte("[build failed]")), bytes.Contains(out, []byte("[setup failed]")):
		return failed("the mutant cannot be tested\n%s", tail(out, 2000))
	}
	return passed()
}

// apply returns the file with the defect.
func (m *Mutant) apply(path string) ([]byte, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	if n := bytes.Count(b, []byte(m.Old)); n != 1 || m.Old == m.New {
		return nil, fmt.Errorf("stale: the old text stands %d times in %s, or is the new one", n, m.File)
	}
	return bytes.Replace(b, []byte(m.Old), []byte(m.New), 1), nil
}

// writeOverlay writes what go test -overlay reads.
func writeOverlay(dir, path string, content []byte) (string, error) {
	file := filepath.Join(dir, filepath.Base(path))
	if err := os.WriteFile(file, content, 0o666); err != nil {
		return "", err
	}
	b, err := json.Marshal(map[string]any{"Replace": map[string]string{path: file}})
	if err != nil {
		return "", err
	}
	overlay := filepath.Join(dir, "overlay.json")
	return overlay, os.WriteFile(overlay, b, 0o666)
}

// killInCopy lays the mutant into a copy of the tree and runs a check there.
func (s *suite) killInCopy(ctx context.Context, m Mutant, mutated []byte) outcome {
	dir, err := os.MkdirTemp("", "mutant-")
	if err != nil {
		return failed("%v", err)
	}
	defer os.RemoveAll(dir)
	if err := tree.Copy(dir, s.root); err != nil {
		return failed("%v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, filepath.FromSlash(m.File)), mutated, 0o666); err != nil {
		return failed("%v", err)
	}
	if m.Kill[0] == "picture" {
		return s.killPicture(ctx, m, dir)
	}
	return s.killInBoot(ctx, m, dir)
}

// killInBoot builds the copy of the tree and boots it.
func (s *suite) killInBoot(ctx context.Context, m Mutant, dir string) outcome {
	c, machine, ok := bootCase(m.Kill[1])
	if !ok {
		return failed("there is no boot check %q", m.Kill[1])
	}
	sys, err := newSuite(dir, s.opt).sys()
	if err != nil {
		return failed("the mutant cannot be tested: %v", err)
	}
	if c.Run(ctx, dir, sys, machine) == nil {
		return failed("survived: %s passed", m.Kill[1])
	}
	return passed()
}

// killInGDB plays a session with a copy of GDB's helpers that has the mutant.
func (s *suite) killInGDB(ctx context.Context, m Mutant, mutated []byte) outcome {
	i := slices.IndexFunc(gdb.Sessions, func(session gdb.Session) bool { return session.Name == m.Kill[1] })
	if i < 0 {
		return failed("there is no session %q", m.Kill[1])
	}
	dir, err := os.MkdirTemp("", "mutant-")
	if err != nil {
		return failed("%v", err)
	}
	defer os.RemoveAll(dir)
	if err := tree.Copy(dir, filepath.Join(s.root, "qemu", "gdb")); err != nil {
		return failed("%v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "yolk", path.Base(m.File)), mutated, 0o666); err != nil {
		return failed("%v", err)
	}
	switch err := s.playSession(ctx, &gdb.Sessions[i], dir); {
	case err == nil:
		return failed("survived: GDB gave the answers of %s", m.Kill[1])
	case !errors.Is(err, gdb.ErrAnswer):
		return failed("the mutant cannot be tested: %v", err)
	}
	return passed()
}
