package system

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"runtime"
)

// ErrNoSource means that no source tree of Yolk was found.
var ErrNoSource = errors.New("the source tree of Yolk is not here: run yolk from inside it")

// FindSource returns the root of the source tree: the one that holds the
// running program, else the one that holds the current directory, else the one
// that the program was built from.
func FindSource() (string, error) {
	var from []string
	if exe, err := os.Executable(); err == nil {
		if exe, err = filepath.EvalSymlinks(exe); err == nil {
			from = append(from, filepath.Dir(exe))
		}
	}
	if cwd, err := os.Getwd(); err == nil {
		from = append(from, cwd)
	}
	if _, file, _, ok := runtime.Caller(0); ok {
		from = append(from, filepath.Dir(file))
	}
	for _, dir := range from {
		if root, ok := enclosing(dir); ok {
			return root, nil
		}
	}
	return "", ErrNoSource
}

// enclosing returns the source tree that dir lies in.
func enclosing(dir string) (string, bool) {
	for {
		mod, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		first, _, _ := bytes.Cut(mod, []byte("\n"))
		if err == nil && string(bytes.TrimSpace(first)) == "module yolk" { // perhaps with a carriage return
			return dir, true
		}
		up := filepath.Dir(dir)
		if up == dir {
			return "", false
		}
		dir = up
	}
}
