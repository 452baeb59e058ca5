// Package hosttools finds the programs that Yolk needs besides Go, QEMU and GDB
// and those of the picture's tests, and installs them where it may.
package hosttools

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
)

// A Tool is a program of the host's.
type Tool struct {
	Name      string            // what people call it
	Program   string            // the command
	Others    []string          // other names of the command
	Min       Version           // the oldest version that serves
	Version   []string          // arguments that make it print its version
	Elsewhere []string          // where installers put it outside of PATH (Windows)
	Packages  map[string]string // package by package manager
}

// The tools.
var (
	QEMU = Tool{
		Name: "QEMU", Program: "qemu-system-x86_64", Min: Version{6, 2}, Version: []string{"--version"},
		Elsewhere: []string{`C:\Program Files\qemu`, `C:\msys64\ucrt64\bin`, `C:\msys64\mingw64\bin`},
		Packages: map[string]string{
			"apt-get": "qemu-system-x86", "brew": "qemu", "winget": "SoftwareFreedomConservancy.QEMU",
			"dnf": "qemu-system-x86-core", "pacman": "qemu-system-x86", "zypper": "qemu-x86", "apk": "qemu-system-x86_64",
		},
	}
	GDB = Tool{
		Name: "GDB", Program: "gdb", Min: Version{12, 0}, Version: []string{"--version"},
		Elsewhere: []string{`C:\msys64\ucrt64\bin`, `C:\msys64\mingw64\bin`},
		Packages: map[string]string{
			"apt-get": "gdb", "brew": "gdb", "winget": "BrechtSanders.WinLibs.POSIX.UCRT",
			"dnf": "gdb", "pacman": "gdb", "zypper": "gdb", "apk": "gdb",
		},
	}

	// Chromium, Node and NPM serve those who work on the picture: its tests and
	// its build.  The built picture is part of the source tree.
	Chromium = Tool{
		Name: "Chromium", Program: "chromium", Others: []string{"chromium-browser", "google-chrome"}, Min: Version{112, 0}, Version: []string{"--version"},
		Elsewhere: []string{"/Applications/Chromium.app/Contents/MacOS", `C:\Program Files\Chromium\Application`},
		Packages: map[string]string{
			"apt-get": "chromium", "brew": "chromium", "winget": "Hibbiki.Chromium",
			"dnf": "chromium", "pacman": "chromium", "zypper": "chromium", "apk": "chromium",
		},
	}
	Node = Tool{
		Name: "Node.js", Program: "node", Min: Version{18, 17}, Version: []string{"--version"},
		Packages: map[string]string{
			"apt-get": "nodejs", "brew": "node", "winget": "OpenJS.NodeJS",
			"dnf": "nodejs", "pacman": "nodejs", "zypper": "nodejs", "apk": "nodejs",
		},
	}
	NPM = Tool{
		Name: "npm", Program: "npm", Min: Version{8, 0}, Version: []string{"--version"},
		Packages: map[string]string{
			"apt-get": "npm", "brew": "node", "winget": "OpenJS.NodeJS",
			"dnf": "npm", "pacman": "npm", "zypper": "npm", "apk": "npm",
		},
	}
)

// LLDB is what some use in GDB's place; only the long tests need it.
var LLDB = Tool{
	Name: "LLDB", Program: "lldb", Min: Version{13, 0}, Version: []string{"--version"},
	Packages: map[string]string{
		"apt-get": "lldb", "brew": "llvm", "winget": "LLVM.LLVM", "dnf": "lldb", "pacman": "lldb", "zypper": "lldb", "apk": "lldb",
	},
}

// Version is a version of a tool: major and minor number.
type Version [2]int

// Less reports whether v is older than w.
func (v Version) Less(w Version) bool { return v[0] < w[0] || v[0] == w[0] && v[1] < w[1] }

func (v Version) String() string { return fmt.Sprintf("%d.%d", v[0], v[1]) }

// ErrMissing means that a tool is not on this host; ErrOld that the one there
// is too old.
var (
	ErrMissing = errors.New("not found")
	ErrOld     = errors.New("too old")
)

// Find returns the tool's path and version.  The error wraps ErrMissing or
// ErrOld where that is the reason.
func (t *Tool) Find() (path string, v Version, err error) {
	if path, err = t.look(); err != nil {
		return "", v, fmt.Errorf("%s (%s): %w", t.Name, t.Program, ErrMissing)
	}
	out, err := exec.Command(path, t.Version...).Output()
	if err != nil {
		return path, v, fmt.Errorf("%s: %s does not run: %w", t.Name, path, err)
	}
	if v, err = parseVersion(out); err != nil {
		return path, v, fmt.Errorf("%s: %s: %w", t.Name, path, err)
	}
	if v.Less(t.Min) {
		return path, v, fmt.Errorf("%s: %s is version %s, %s is needed: %w", t.Name, path, v, t.Min, ErrOld)
	}
	return path, v, nil
}

// look returns where the command is: under any of its names in PATH, else where
// installers put it.
func (t *Tool) look() (string, error) {
	for _, name := range append([]string{t.Program}, t.Others...) {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	for _, dir := range t.Elsewhere {
		if path, err := exec.LookPath(filepath.Join(dir, t.Program)); err == nil {
			return path, nil
		}
	}
	return "", ErrMissing
}

// versionPattern matches the first version number that stands by itself.
var versionPattern = regexp.MustCompile(`(?:^|[ \t])v?(\d+)\.(\d+)`)

// parseVersion finds the version in the first line of a tool's answer: the
// last number in it that is one ("GNU gdb (Debian 13.1-3) 13.1").
func parseVersion(out []byte) (Version, error) {
	line, _, _ := bytes.Cut(out, []byte("\n"))
	all := versionPattern.FindAllSubmatch(line, -1)
	if all == nil {
		return Version{}, fmt.Errorf("no version in %q", line)
	}
	m := all[len(all)-1]
	if bytes.Contains(line, []byte("QEMU")) {
		m = all[0] // the distribution's own version follows
	}
	major, _ := strconv.Atoi(string(m[1]))
	minor, _ := strconv.Atoi(string(m[2]))
	return Version{major, minor}, nil
}

// A Cure is how to install a tool on this host.
type Cure struct {
	Command []string // the command; nil if there is none that is known
	Before  []string // a command that the first one may need before
	Auto    bool     // may be run without asking: it needs no password
}

// String is the command as a person would type it.
func (c Cure) String() string {
	if c.Command == nil {
		return "install it with the means of this system"
	}
	s := strings.Join(c.Command, " ")
	if c.Before != nil {
		s = strings.Join(c.Before, " ") + " && " + s
	}
	return s
}

// Cure says how to install the tool here.
func (t *Tool) Cure() Cure { return t.cure(runtime.GOOS, hostFacts{}) }

// facts is what the choice of a cure depends on.
type facts interface {
	has(program string) bool
	root() bool
	sudo() bool // without a password
}

// cure chooses the first package manager that is there:
//
//	system   manager                         runs by itself
//	linux    apt-get                         as root, or sudo asks no password
//	         dnf, pacman, zypper, apk        no: untried; the command is printed
//	darwin   brew                            yes
//	windows  winget                          no: it asks
func (t *Tool) cure(goos string, f facts) Cure {
	switch {
	case goos == "linux" && f.has("apt-get"):
		c := Cure{
			Before:  []string{"apt-get", "update"},
			Command: []string{"apt-get", "install", "-y", "--no-install-recommends", t.Packages["apt-get"]},
			Auto:    f.root() || f.sudo(),
		}
		return c.asRoot(f)
	case goos == "linux":
		for _, m := range []struct{ program, verb string }{{"dnf", "install"}, {"pacman", "-S"}, {"zypper", "install"}, {"apk", "add"}} {
			if f.has(m.program) {
				return Cure{Command: []string{m.program, m.verb, t.Packages[m.program]}}.asRoot(f)
			}
		}
	case goos == "darwin":
		if f.has("brew") {
			return Cure{Command: []string{"brew", "install", t.Packages["brew"]}, Auto: true}
		}
	case goos == "windows":
		return Cure{Command: []string{"winget", "install", "--id", t.Packages["winget"]}}
	}
	return Cure{}
}

func (c Cure) asRoot(f facts) Cure {
	if !f.root() {
		c.Command = append([]string{"sudo"}, c.Command...)
		if c.Before != nil {
			c.Before = append([]string{"sudo"}, c.Before...)
		}
	}
	return c
}

type hostFacts struct{}

func (hostFacts) has(program string) bool { _, err := exec.LookPath(program); return err == nil }
func (hostFacts) root() bool              { return os.Geteuid() == 0 }
func (hostFacts) sudo() bool              { return exec.Command("sudo", "-n", "true").Run() == nil }

// Need returns the tool's path, after installing it if it is missing and may
// be installed.  What it does and what installers say goes to out; the error
// names the command that helps.
func (t *Tool) Need(out io.Writer) (string, error) {
	path, _, err := t.Find()
	if !errors.Is(err, ErrMissing) {
		return path, t.advise(err)
	}
	cure := t.Cure()
	if !cure.Auto {
		return "", t.advise(err)
	}
	fmt.Fprintf(out, "yolk: %s is not here; installing it: %s\n", t.Name, cure)
	if ierr := cure.run(out); ierr != nil {
		return "", fmt.Errorf("%w; installing it failed: %w", err, ierr)
	}
	path, _, err = t.Find()
	return path, err
}

// advise adds the cure to an error.
func (t *Tool) advise(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w; to install it: %s", err, t.Cure())
}

// run installs.  A list of packages may be stale or absent: then the second
// try comes after the list has been fetched.
func (c Cure) run(out io.Writer) error {
	do := func(args []string) error {
		cmd := exec.Command(args[0], args[1:]...)
		cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
		cmd.Stdout, cmd.Stderr = out, out
		return cmd.Run()
	}
	err := do(c.Command)
	if err == nil || c.Before == nil {
		return err
	}
	if err := do(c.Before); err != nil {
		return err
	}
	return do(c.Command)
}
