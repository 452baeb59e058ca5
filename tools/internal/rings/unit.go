package rings

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"strings"
	"sync"

	"yolk/tools/internal/build"
	"yolk/tools/internal/system"
)

// portable are the packages that are compiled for hosts of every kind.
var portable = []string{"./mm/...", "./kernel/...", "./tools/...", "./qemu/..."}

// vetChecks vet the tree for the host, for the other kinds of hosts, and the
// parts for the machine itself with the toolchain that builds them.
func vetChecks(s *suite) ([]Check, error) {
	checks := []Check{{Name: "vet/host", run: func(ctx context.Context) outcome {
		return runGo(system.Go(s.root, "vet", "./..."))
	}}}
	for _, target := range []string{"darwin/arm64", "windows/amd64"} {
		goos, goarch, _ := strings.Cut(target, "/")
		checks = append(checks, Check{Name: "vet/" + goos, run: func(ctx context.Context) outcome {
			cmd := system.Go(s.root, append([]string{"vet"}, portable...)...)
			cmd.Env = append(cmd.Env, "GOOS="+goos, "GOARCH="+goarch, "CGO_ENABLED=0")
			return runGo(cmd)
		}})
	}
	return append(checks, Check{Name: "vet/machine", run: func(ctx context.Context) outcome {
		tools, err := build.Find(s.root)
		if err != nil {
			return failed("%v", err)
		}
		// WHY -framepointer=false: trap entries load every register, BP too.
		kernel := tools.Go("vet", "-framepointer=false", build.KernelFlags[0], "./boot/...", "./arch/...")
		if o := runGo(kernel); o.verdict != Pass {
			return o
		}
		return runGo(tools.Go(append(append([]string{"vet"}, build.UserFlags...), "./userland/...")...))
	}}), nil
}

// runGo runs a go command; its output is the detail of a failure.
func runGo(cmd *exec.Cmd) outcome {
	out, err := cmd.CombinedOutput()
	if err != nil {
		return failed("%v\n%s", err, tail(out, 4000))
	}
	return passed()
}

func tail(b []byte, n int) []byte { return b[max(0, len(b)-n):] }

// unitChecks are the tests of package testing, one check a package.
func unitChecks(s *suite) ([]Check, error) {
	cmd := system.Go(s.root, "list", "-f", "{{if or .TestGoFiles .XTestGoFiles}}{{.ImportPath}}{{end}}", "./...")
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w", err)
	}
	race, why := raceDetector()
	note := sync.OnceFunc(func() {
		if !race {
			fmt.Fprintf(s.opt.Out, "note: without the race detector: %s\n", why)
		}
	})
	var checks []Check
	for _, pkg := range strings.Fields(string(out)) {
		name := "unit/" + strings.TrimPrefix(pkg, "yolk/")
		checks = append(checks, Check{Name: name, run: func(ctx context.Context) outcome {
			note()
			return s.unit(pkg, race && !forks(pkg))
		}})
	}
	return checks, nil
}

// forks reports whether the package's tests fork by raw system calls.  User
// programs do: they have one thread and no races, and the race detector's own
// runtime does not live on in the child.
func forks(pkg string) bool { return strings.HasPrefix(pkg, "yolk/userland/") }

// raceDetector reports whether the race detector can be used: it needs a C
// compiler.
func raceDetector() (ok bool, why string) {
	for _, cc := range []string{"cc", "gcc", "clang"} {
		if _, err := exec.LookPath(cc); err == nil {
			return true, ""
		}
	}
	return false, "there is no C compiler here"
}

// unit tests one package.
func (s *suite) unit(pkg string, race bool) outcome {
	args := []string{"test", "-json", "-vet=off", "-timeout=5m"}
	cmd := system.Go(s.root, args...)
	if race {
		cmd.Args = append(cmd.Args, "-race")
		cmd.Env = append(cmd.Env, "CGO_ENABLED=1")
	}
	cmd.Args = append(cmd.Args, pkg)
	out, err := cmd.CombinedOutput()
	t := parseTest(out)
	for name, why := range t.skipped {
		s.report("unit/"+strings.TrimPrefix(pkg, "yolk/")+"/"+name, skipped("%s", why), 0)
	}
	if err != nil {
		return failed("%v\n%s", err, tail([]byte(t.failed), 4000))
	}
	return passed()
}

// tested is what go test -json told.
type tested struct {
	failed  string            // the output of the tests that failed, or of the build
	skipped map[string]string // by test: why
}

// parseTest reads the output of go test -json.
func parseTest(out []byte) tested {
	said := make(map[string]*strings.Builder)
	t := tested{skipped: make(map[string]string)}
	for line := range bytes.Lines(out) {
		var ev struct {
			Action, Test, Output string
		}
		if json.Unmarshal(line, &ev) != nil {
			t.failed += string(line) // from the go command itself
			continue
		}
		text := said[ev.Test]
		if text == nil {
			text = &strings.Builder{}
			said[ev.Test] = text
		}
		switch ev.Action {
		case "output":
			text.WriteString(ev.Output)
		case "build-output":
			t.failed += ev.Output
		case "fail":
			t.failed += text.String()
		case "skip":
			if ev.Test != "" {
				t.skipped[ev.Test] = reason(text.String())
			}
		}
	}
	return t
}

// reason takes a test's words out of what go test prints around them.
func reason(output string) string {
	for line := range strings.Lines(output) {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "===") && !strings.HasPrefix(line, "---") && line != "" {
			return line
		}
	}
	return "no reason given"
}
