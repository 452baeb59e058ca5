// Package goroot makes a private GOROOT: the stock Go toolchain with the operating
// system taken out from under its runtime.
//
// The tree consists of links to the stock toolchain, with a few files of the
// standard library added, replaced, left out or edited. Compiler, linker and go
// command are the stock ones. Programs built with it run on TamaGo's runtime/goos
// contract: the kernel on bare hardware, user programs on Linux's system calls.
//
// Invariants: the stock tree is never written to; a tree that exists is complete;
// its name says what went into it, so that a change of any input makes another.
package goroot

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// Version is the Go toolchain that the layer is written for.
const Version = "go1.27.3"

// Link says how the tree refers to the files of the stock toolchain.
type Link int

// From the cheapest to the dearest. Where one is not permitted or not possible
// the next is used.
const (
	Symlink  Link = iota // links to files and to whole directories
	Hardlink             // a directory tree of hard links
	Copy                 // a copy, about 250 MB
)

// Options of Ensure.
type Options struct {
	Stock string // the stock GOROOT; empty: found by Stock
	Link  Link   // the first kind of link to try
}

// Ensure returns the path of the private GOROOT under dir, which it makes if
// it is not there yet; trees for other inputs are removed from dir. The
// errors are those of the file system, of finding the toolchain, and of a stock
// tree that the layer does not fit, which says what is missing and what to do.
func Ensure(dir string, opt Options) (root string, err error) {
	if opt.Stock == "" {
		if opt.Stock, err = Stock(); err != nil {
			return "", err
		}
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return "", err
	}
	key, err := opt.key()
	if err != nil {
		return "", err
	}
	root = filepath.Join(dir, prefix+key)
	if _, err := os.Stat(filepath.Join(root, "VERSION")); err == nil {
		return root, nil
	}
	if err := build(root, opt); err != nil {
		return "", err
	}
	removeOthers(dir, root)
	return root, nil
}

const prefix = "goroot-"

// key is a hash of all that determines the tree's content.
func (opt Options) key() (string, error) {
	h := sha256.New()
	fmt.Fprintf(h, "%s %s %d\n%q\n%v\n", Version, opt.Stock, opt.Link, dropped, edits)
	err := fs.WalkDir(layer, ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := layer.ReadFile(p)
		fmt.Fprintf(h, "%s %d\n%s", p, len(b), b)
		return err
	})
	return fmt.Sprintf("%x", h.Sum(nil)[:8]), err
}

// build makes the tree beside its final place and moves it there in one step, so
// that neither an interruption nor a second process can leave half a tree.
func build(root string, opt Options) error {
	files, err := overlay(opt.Stock)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(root), 0o777); err != nil {
		return err
	}
	tmp, err := os.MkdirTemp(filepath.Dir(root), "making-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	t := newTree(opt, tmp, files)
	if err := t.make(); err != nil {
		return err
	}
	if err := os.Rename(tmp, root); err != nil {
		if _, e := os.Stat(root); e == nil {
			return nil // another process was faster
		}
		return err
	}
	return nil
}

func removeOthers(dir, root string) {
	old, _ := filepath.Glob(filepath.Join(dir, prefix+"*"))
	for _, o := range old {
		if o != root {
			os.RemoveAll(o)
		}
	}
}

// Stock returns the GOROOT of the toolchain named Version. It asks the go command
// on PATH, which since Go 1.21 fetches the toolchain as a module if need be.
func Stock() (string, error) {
	cmd := exec.Command("go", "env", "GOROOT")
	cmd.Env = append(Without(os.Environ(), "GOROOT", "GOTOOLCHAIN", "GOFLAGS", "GOOS", "GOARCH", "GOEXPERIMENT"),
		"GOTOOLCHAIN="+Version)
	cmd.Dir = os.TempDir() // WHY: away from any go.mod, which has a say in the choice
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if errors.Is(err, exec.ErrNotFound) {
		return "", fmt.Errorf("no go command on PATH: install Go 1.21 or newer from https://go.dev/dl")
	}
	if err != nil {
		return "", fmt.Errorf("cannot get the toolchain %s: go env GOROOT: %w", Version, err)
	}
	root := strings.TrimSpace(string(out))
	version, err := os.ReadFile(filepath.Join(root, "VERSION"))
	if err != nil {
		return "", err
	}
	if first, _, _ := strings.Cut(string(version), "\n"); strings.TrimSpace(first) != Version {
		return "", fmt.Errorf("the go command on PATH gives %s instead of %s: install Go 1.21 or newer, which fetches it", first, Version)
	}
	return root, nil
}

// Without returns env without the variables called names.
func Without(env []string, names ...string) []string {
	return slices.DeleteFunc(slices.Clone(env), func(kv string) bool {
		k, _, _ := strings.Cut(kv, "=")
		return slices.ContainsFunc(names, func(n string) bool {
			return k == n || runtime.GOOS == "windows" && strings.EqualFold(k, n)
		})
	})
}
