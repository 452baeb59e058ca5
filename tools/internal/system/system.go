// Package system builds what a machine is started with, the kernel and the
// initrd, and keeps both up to date with their sources.
//
// The results lie in bin/ of the source tree: kernel.elf, which QEMU boots and
// GDB reads, and initrd.cpio, the base image.  A build that changes nothing
// leaves them alone, so that a machine which is just reading them is safe.
package system

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"yolk/qemu"
	"yolk/qemu/gdb"
	"yolk/tools/goroot"
	"yolk/tools/internal/build"
	"yolk/tools/internal/image"
	"yolk/tools/internal/lines"
)

// MaxBase is the largest base image in bytes.
const MaxBase = 8 << 20

// The packages that make up the system.
const (
	boxPackage = "./userland/bin" // all user programs in one file
	boxName    = "yolkbox"
)

// baseDirs are the directories of the base image and their modes.
var baseDirs = map[string]uint32{
	"/bin": 0o755, "/dev": 0o755, "/etc": 0o755, "/proc": 0o555, "/root": 0o700, "/tmp": 0o1777,
}

// System is a system that is ready to boot.
type System struct {
	Root   string           // the source tree
	Kernel string           // path of the kernel
	Base   string           // path of the base image
	Box    string           // path of the file with all user programs
	Tools  *build.Toolchain // what it was built with

	names []string // of the programs in the box
}

// Build builds the system of the source tree at root.  What the go command
// says goes to stderr.
func Build(root string) (*System, error) {
	tools, err := build.Find(root)
	if err != nil {
		return nil, err
	}
	s := &System{
		Root: root, Tools: tools,
		Kernel: filepath.Join(root, "bin", "kernel.elf"),
		Base:   filepath.Join(root, "bin", "initrd.cpio"),
		Box:    filepath.Join(root, ".cache", boxName),
	}
	if err := os.MkdirAll(filepath.Dir(s.Kernel), 0o777); err != nil {
		return nil, err
	}
	if err := replace(s.Kernel, tools.Kernel); err != nil {
		return nil, err
	}
	if err := tools.User(boxPackage, s.Box, false); err != nil {
		return nil, err
	}
	return s, s.buildBase()
}

// replace has make write a file and puts it in path's place if it differs.
func replace(path string, make func(string) error) error {
	tmp := fmt.Sprintf("%s.%d", path, os.Getpid())
	defer os.Remove(tmp)
	if err := make(tmp); err != nil {
		return err
	}
	fresh, err := os.ReadFile(tmp)
	if err != nil {
		return err
	}
	if old, err := os.ReadFile(path); err == nil && bytes.Equal(old, fresh) {
		return nil
	}
	return os.Rename(tmp, path)
}

// buildBase writes the base image, unless the one there was made from the same
// programs.
func (s *System) buildBase() error {
	box, err := os.ReadFile(s.Box)
	if err != nil {
		return err
	}
	listed := filepath.Join(s.Root, ".cache", "programs")
	key := fmt.Sprintf("%x", sha256.Sum256(box))
	old, _ := os.ReadFile(listed)
	have := strings.Fields(string(old))
	if len(have) == 0 || have[0] != key {
		if s.names, err = s.programs(); err != nil {
			return err
		}
	} else {
		s.names = have[1:]
	}
	if err := replace(s.Base, s.writeBase); err != nil {
		return err
	}
	info, err := os.Stat(s.Base)
	if err == nil && info.Size() > MaxBase {
		err = fmt.Errorf("the base image has %d bytes, more than the %d that it may have", info.Size(), MaxBase)
	}
	if err != nil {
		return err
	}
	return os.WriteFile(listed, []byte(key+"\n"+strings.Join(s.names, "\n")+"\n"), 0o666)
}

// programs asks the box for the names of its programs.
//
// WHY a box built for the host is asked: the one in the image runs on Linux
// only.
func (s *System) programs() ([]string, error) {
	cmd := Go(s.Root, "run", boxPackage, "help", "-n")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("listing the user programs: %w", err)
	}
	return strings.Fields(string(out)), nil
}

// Go is a go command of the stock toolchain that Yolk is pinned to, for the
// host, in the source tree.
func Go(root string, args ...string) *exec.Cmd {
	cmd := exec.Command("go", args...)
	cmd.Dir = root
	cmd.Env = GoEnv()
	return cmd
}

// GoEnv is the environment of the stock toolchain that Yolk is pinned to.
func GoEnv() []string {
	env := goroot.Without(os.Environ(), "GOROOT", "GOTOOLCHAIN", "GOFLAGS", "GOOS", "GOARCH", "GOEXPERIMENT", "GOWORK")
	return append(env, "GOTOOLCHAIN="+goroot.Version, "GOWORK=off")
}

// baseTree is the base image as a tree.
func (s *System) baseTree() (*image.Tree, error) {
	t := image.New()
	for dir, perm := range baseDirs {
		if err := t.Dir(dir, perm); err != nil {
			return nil, err
		}
	}
	for _, name := range s.names {
		if err := t.Symlink("/bin/"+name, boxName); err != nil {
			return nil, err
		}
	}
	return t, t.HostFile("/bin/"+boxName, 0o755, s.Box)
}

func (s *System) writeBase(path string) error {
	t, err := s.baseTree()
	if err != nil {
		return err
	}
	return writeFile(path, t.Write)
}

func writeFile(path string, write func(io.Writer) error) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	if err := write(f); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}

// Extra is what a user lays over the base image.
type Extra struct {
	Initrds []string // archives, in order
	Adds    []string // HOST:GUEST
	Args    []string // the program's arguments, if they do not fit on the command line
}

// Initrd returns the path of an initrd with the extras, and a function that
// removes what was made for it.
func (s *System) Initrd(x Extra) (path string, done func(), err error) {
	if len(x.Initrds) == 0 && len(x.Adds) == 0 && x.Args == nil {
		return s.Base, func() {}, nil
	}
	overlay, err := s.overlay(x)
	if err != nil {
		return "", nil, err
	}
	dir, err := os.MkdirTemp("", "yolk-")
	if err != nil {
		return "", nil, err
	}
	done = func() { os.RemoveAll(dir) }
	path = filepath.Join(dir, "initrd.cpio")
	err = writeFile(path, func(w io.Writer) error { return s.join(w, x.Initrds, overlay) })
	if err != nil {
		done()
		return "", nil, err
	}
	return path, done, nil
}

// overlay collects what lies over all archives.
func (s *System) overlay(x Extra) (*image.Overlay, error) {
	base, err := s.baseTree()
	if err != nil {
		return nil, err
	}
	o := image.NewOverlay(base)
	for _, name := range x.Initrds {
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		err = o.Below(f)
		f.Close()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	for _, add := range x.Adds {
		host, guest, err := image.SplitAdd(add)
		if err != nil {
			return nil, err
		}
		if err := o.Add(host, guest); err != nil {
			return nil, err
		}
	}
	if x.Args == nil {
		return o, nil
	}
	return o, o.File(qemu.ArgsFile, 0o400, []byte(strings.Join(x.Args, "\x00")+"\x00"))
}

// join writes the base, the archives and the overlay, one after the other.
func (s *System) join(w io.Writer, initrds []string, o *image.Overlay) error {
	var parts []io.Reader
	for _, name := range append([]string{s.Base}, initrds...) {
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		defer f.Close()
		parts = append(parts, f)
	}
	if !o.Empty() {
		var b bytes.Buffer
		if err := o.Write(&b); err != nil {
			return err
		}
		parts = append(parts, &b)
	}
	return image.Concat(w, parts...)
}

// Files says which files on this host are the guest's programs: the box, and what
// the HOST:GUEST pairs of Extra add.
func (s *System) Files(adds []string) lines.Files {
	files := lines.Files{{Guest: "/bin/" + boxName, Host: s.Box}}
	for _, add := range adds {
		host, guest, err := image.SplitAdd(add)
		if err != nil {
			continue // Initrd has said it
		}
		if abs, err := filepath.Abs(host); err == nil {
			host = abs
		}
		files = append(files, lines.File{Guest: guest, Host: host})
	}
	return files
}

// DebugTarget returns what GDB needs to debug the system on a machine that waits
// on the port: it builds the user programs with their symbols.  adds are the
// HOST:GUEST pairs of Extra, whose files GDB may know, too.
func (s *System) DebugTarget(port int, adds []string) (gdb.Target, error) {
	box := filepath.Join(s.Root, "bin", boxName+".debug")
	if err := replace(box, func(tmp string) error { return s.Tools.User(boxPackage, tmp, true) }); err != nil {
		return gdb.Target{}, fmt.Errorf("no user symbols for GDB: %w", err)
	}
	t := gdb.Target{
		Root: s.Root, Helpers: filepath.Join(s.Root, "qemu", "gdb"), GOROOT: s.Tools.GOROOT(), Kernel: s.Kernel, Port: port,
	}
	for _, f := range s.Files(adds) {
		if f.Host == s.Box {
			f.Host = box
		}
		t.Programs = append(t.Programs, gdb.Program(f))
	}
	return t, nil
}
