// Package build builds the kernel and the user programs with the private toolchain
// of package goroot, whatever the caller's Go environment says.
//
// Two builds of the same sources give the same bytes, wherever they lie. What is
// built goes through the user's own build cache; only the private toolchain and
// the kernel as the linker left it are kept in the source tree, under .cache/.
package build

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"yolk/tools/goroot"
	"yolk/tools/pvh"
)

// KernelFlags are the flags of go build, go test and go vet for the kernel. The
// link… tags keep TamaGo's defaults for what package boot supplies; -T puts the
// text at 0xffffffff80201000, in the top 2 GiB.
var KernelFlags = []string{
	"-tags=yolk,linkcpuinit,linkramstart,linkramsize,linkprintk",
	"-ldflags=-T -0x7fdff000",
}

// UserFlags are the flags of go build, go test and go vet for user programs.
var UserFlags = []string{"-tags=yolk"}

// Toolchain is a private GOROOT, ready to build one source tree.
type Toolchain struct {
	src   string // the source tree
	cache string // src/.cache
	root  string // the private GOROOT
}

// Find prepares the toolchain for the source tree at srcRoot. On first use it
// fetches the pinned Go toolchain and the modules if they are not on this machine,
// and says so on stderr.
func Find(srcRoot string) (*Toolchain, error) {
	src, err := filepath.Abs(srcRoot)
	if err != nil {
		return nil, err
	}
	t := &Toolchain{src: src, cache: filepath.Join(src, ".cache")}
	if err := os.MkdirAll(t.cache, 0o777); err != nil {
		return nil, err
	}
	stock, known := t.knownStock()
	if !known {
		announceToolchain()
		if stock, err = goroot.Stock(); err != nil {
			return nil, err
		}
	}
	if t.root, err = goroot.Ensure(t.cache, goroot.Options{Stock: stock}); err != nil {
		return nil, err
	}
	if !known {
		t.announceModules()
		if err := t.run("mod", "download"); err != nil {
			return nil, fmt.Errorf("cannot fetch the modules of go.mod: %w", err)
		}
		err = os.WriteFile(t.stockFile(), []byte(stock), 0o666)
	}
	return t, err
}

// Kernel builds package ./boot into the bootable ELF file out.
func (t *Toolchain) Kernel(out string) error {
	linked := filepath.Join(t.cache, "kernel.elf")
	args := append([]string{"build", "-o", linked}, KernelFlags...)
	if err := t.run(append(args, "./boot")...); err != nil {
		return fmt.Errorf("building the kernel: %w", err)
	}
	return pvh.Convert(linked, out)
}

// User builds the user program pkg, an import path or ./path from the root of the
// source tree, into out. With debug, out keeps its symbols and DWARF for GDB.
func (t *Toolchain) User(pkg, out string, debug bool) error {
	out, err := filepath.Abs(out)
	if err != nil {
		return err
	}
	args := append([]string{"build", "-o", out}, UserFlags...)
	if !debug {
		args = append(args, "-ldflags=-s -w")
	}
	if err := t.run(append(args, pkg)...); err != nil {
		return fmt.Errorf("building %s: %w", pkg, err)
	}
	return nil
}

// GOROOT returns the path of the private tree.
func (t *Toolchain) GOROOT() string { return t.root }

// Go returns a go command of the private toolchain, to be run in the source tree.
// Its programs are freestanding ones for linux/amd64; tools that the go command
// would have to build first, such as go tool nm, are better had from a stock Go.
func (t *Toolchain) Go(args ...string) *exec.Cmd {
	name := "go"
	if runtime.GOOS == "windows" {
		name = "go.exe"
	}
	cmd := exec.Command(filepath.Join(t.root, "bin", name), args...)
	cmd.Dir = t.src
	cmd.Env = t.env()
	return cmd
}

func (t *Toolchain) run(args ...string) error {
	cmd := t.Go(args...)
	cmd.Stdout = os.Stderr
	cmd.Stderr = os.Stderr
	return cmd.Run()
}

// env is the caller's environment with all that changes a build fixed, and what
// says where to fetch modules and where to cache left alone.
//
// WHY no value is empty where an empty one would do: the go command then takes the
// one that the user has stored with go env -w. Not to have arenas is the default,
// so that GOEXPERIMENT says nothing, at some length.
func (t *Toolchain) env() []string {
	fixed := []string{
		"GOROOT=" + t.root, "GOTOOLCHAIN=local",
		"GOOS=linux", "GOARCH=amd64", "GOAMD64=v1", "CGO_ENABLED=0",
		"GOFLAGS=-mod=readonly -trimpath -buildvcs=false",
		"GO111MODULE=on", "GOWORK=off", "GOEXPERIMENT=noarenas", "GOFIPS140=off",
		"GO_EXTLINK_ENABLED=0",
	}
	var names []string
	for _, kv := range fixed {
		k, _, _ := strings.Cut(kv, "=")
		names = append(names, k)
	}
	return append(goroot.Without(os.Environ(), names...), fixed...)
}

// knownStock returns the stock GOROOT that an earlier Find used, if it is still
// there. It saves asking the go command each time.
func (t *Toolchain) knownStock() (string, bool) {
	b, err := os.ReadFile(t.stockFile())
	if err != nil {
		return "", false
	}
	version, err := os.ReadFile(filepath.Join(string(b), "VERSION"))
	return string(b), err == nil && bytes.HasPrefix(version, []byte(goroot.Version+"\n"))
}

func (t *Toolchain) stockFile() string { return filepath.Join(t.cache, "stock-goroot") }

// announceToolchain says what goroot.Stock is about to download, if anything.
func announceToolchain() {
	cmd := exec.Command("go", "env", "GOVERSION", "GOMODCACHE", "GOHOSTOS", "GOHOSTARCH")
	cmd.Env = append(goroot.Without(os.Environ(), "GOTOOLCHAIN", "GOOS", "GOARCH"), "GOTOOLCHAIN=local")
	cmd.Dir = os.TempDir()
	out, err := cmd.Output()
	if err != nil {
		return // goroot.Stock says it better
	}
	v := strings.Split(strings.TrimSpace(string(out)), "\n")
	if len(v) != 4 || strings.TrimSpace(v[0]) == goroot.Version {
		return
	}
	name := fmt.Sprintf("toolchain@v0.0.1-%s.%s-%s", goroot.Version, strings.TrimSpace(v[2]), strings.TrimSpace(v[3]))
	if _, err := os.Stat(filepath.Join(strings.TrimSpace(v[1]), "golang.org", name)); err != nil {
		fmt.Fprintf(os.Stderr, "yolk: first use: fetching the Go toolchain %s, about 76 MB (270 MB unpacked), into Go's module cache\n", goroot.Version)
	}
}

// announceModules says which modules are about to be downloaded, if any.
func (t *Toolchain) announceModules() {
	out, err := t.Go("list", "-m", "-f", "{{if not (or .Main .Indirect .Dir)}}{{.Path}} {{.Version}}{{end}}", "all").Output()
	if missing := strings.Fields(string(out)); err == nil && len(missing) > 0 {
		fmt.Fprintf(os.Stderr, "yolk: first use: fetching %d Go modules, about 4 MB, into Go's module cache\n", len(missing)/2)
	}
}
