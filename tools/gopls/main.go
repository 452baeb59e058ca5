// Command gopls starts the Go language server, which editors talk to, in the
// environment in which Yolk is built.
//
// A kernel file belongs to no program of the stock toolchain: it has a build tag, and
// it imports packages that only the private standard library has.  A language server
// that is not told so underlines all of it.  Editors that are to start this program
// in place of gopls need to be told its path, and nothing else.
package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"yolk/qemu"
	"yolk/tools/internal/build"
	"yolk/tools/internal/system"
)

// Version is the gopls that is known to find nothing wrong in this tree.
const Version = "v0.24.0"

func main() {
	status, err := run(os.Args[1:])
	if err != nil {
		fmt.Fprintf(os.Stderr, "gopls for Yolk: %v\n", err)
		status = qemu.ExitFailed
	}
	os.Exit(status)
}

// run runs the language server with these arguments, and returns its exit status.
func run(args []string) (status int, err error) {
	root, err := system.FindSource()
	if err != nil {
		return 0, err
	}
	server, err := find(root)
	if err != nil {
		return 0, err
	}
	tools, err := build.Find(root)
	if err != nil {
		return 0, err
	}
	cmd := exec.Command(server, args...)
	cmd.Env = tools.EditorEnv()
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	err = cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() >= 0 {
		return exit.ExitCode(), nil
	}
	return 0, err
}

// find returns the path of the real gopls: in PATH, else where go install puts it.
func find(root string) (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	out, err := system.Go(root, "env", "GOBIN", "GOPATH").Output()
	if err != nil {
		return "", fmt.Errorf("go env: %w", err)
	}
	places := filepath.SplitList(os.Getenv("PATH"))
	if env := strings.Split(string(out), "\n"); len(env) > 1 {
		places = append(places, strings.TrimSpace(env[0]), filepath.Join(strings.TrimSpace(env[1]), "bin"))
	}
	return first(places, self)
}

// first returns the first gopls in one of the directories that is not self.
func first(places []string, self string) (string, error) {
	me, err := os.Stat(self)
	if err != nil {
		return "", err
	}
	for _, dir := range places {
		if dir == "" {
			continue
		}
		path, err := exec.LookPath(filepath.Join(dir, "gopls"))
		if err != nil {
			continue
		}
		if other, err := os.Stat(path); err == nil && !os.SameFile(me, other) {
			return path, nil
		}
	}
	return "", fmt.Errorf("the language server is not here: go install golang.org/x/tools/gopls@%s", Version)
}
