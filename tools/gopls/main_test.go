package main

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// planted makes a directory with a program called gopls.
func planted(t *testing.T) (dir, file string) {
	t.Helper()
	dir = t.TempDir()
	file = filepath.Join(dir, "gopls")
	if runtime.GOOS == "windows" {
		file += ".exe"
	}
	if err := os.WriteFile(file, nil, 0o777); err != nil {
		t.Fatal(err)
	}
	return dir, file
}

// TestFirst: this program, which has the same name, never starts itself.
func TestFirst(t *testing.T) {
	own, self := planted(t)
	dir, real := planted(t)
	if got, err := first([]string{"", t.TempDir(), own, dir}, self); got != real || err != nil {
		t.Errorf("%q, %v, want %q", got, err, real)
	}
	if _, err := first([]string{own}, self); err == nil || !strings.Contains(err.Error(), "go install golang.org/x/tools/gopls@v") {
		t.Errorf("nothing to start: %v", err)
	}
}
