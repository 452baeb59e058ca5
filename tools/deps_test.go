package tools_test

import (
	"go/ast"
	"path"
	"slices"
	"strings"
	"testing"
)

// A layer says what the packages in some directories may import.
type layer struct {
	dirs []string // of the packages
	ours []string // directories of ours that they may import
	also []string // further packages, beside the standard library
	host bool     // may use the standard library's view of an operating system
}

// layers is the import policy.  The first entry that names a directory counts;
// a directory that none names is not allowed.  Tests may import what they like.
var layers = []layer{
	// Leaves.
	{dirs: []string{"kernel/trace", "kernel/abi", "kernel/elf"}},
	{dirs: []string{"boot/params"}, ours: []string{"kernel/trace"}},
	{dirs: []string{"arch/amd64"}},

	// Memory.
	{dirs: []string{"mm"}, ours: []string{"kernel/trace"}},
	{dirs: []string{"mm/softmmu"}, ours: []string{"mm"}},

	// The kernel proper knows files by their interfaces only.
	{dirs: []string{"kernel/vfs"}, ours: []string{"kernel/abi", "mm"}},
	{dirs: []string{"kernel/signal"}, ours: []string{"arch/amd64", "kernel/abi", "mm"}},
	{dirs: []string{"kernel/calltrace"}, ours: []string{"kernel/abi", "kernel/trace"}},
	{
		dirs: []string{"kernel"},
		ours: []string{"arch/amd64", "kernel/abi", "kernel/calltrace", "kernel/elf", "kernel/signal", "kernel/trace", "kernel/vfs", "mm"},
	},
	{dirs: []string{"kernel/scripted"}, ours: []string{"arch/amd64", "mm", "mm/softmmu"}},

	// What implements the interfaces.
	{dirs: []string{"kernel/vfs/vfstest"}, ours: []string{"kernel/vfs", "mm"}},
	{dirs: []string{"kernel/fs", "kernel/dev", "kernel/pipe", "kernel/tty"}, ours: []string{"kernel/abi", "kernel/vfs", "mm"}},
	{
		dirs: []string{"kernel/initramfs"}, ours: []string{"kernel/abi", "kernel/fs", "kernel/vfs", "mm"},
		also: []string{"github.com/cavaliergopher/cpio"},
	},
	{dirs: []string{"kernel/calls"}, ours: []string{"kernel", "kernel/abi", "kernel/signal", "kernel/vfs", "mm"}},
	{dirs: []string{"kernel/proc"}, ours: []string{"kernel", "kernel/abi", "kernel/trace", "kernel/vfs", "mm"}},

	// The machine puts everything together.
	{
		dirs: []string{"boot"}, ours: []string{"arch/amd64", "boot/...", "kernel/...", "mm"},
		also: []string{"github.com/usbarmory/tamago/...", "golang.org/x/arch/x86/x86asm", "runtime/goos"},
	},

	// User programs know the kernel by its system calls only.
	{dirs: []string{"userland/..."}, ours: []string{"userland/..."}, host: true},

	// The host's side.  It shares with the kernel what goes over the wire.
	{dirs: []string{"qemu/stub"}, host: true},
	{dirs: []string{"qemu", "qemu/gdb"}, ours: []string{"kernel/trace"}, host: true},
	{
		dirs: []string{"qemu/boottest"}, ours: []string{"kernel/trace", "qemu"}, host: true,
		also: []string{"github.com/cavaliergopher/cpio"},
	},
	{
		dirs: []string{"tools/..."}, ours: []string{"kernel/abi", "kernel/trace", "qemu/...", "tools/..."}, host: true,
		also: []string{"github.com/cavaliergopher/cpio", "golang.org/x/sys/...", "golang.org/x/term"},
	},
}

// systemPackages are the parts of the standard library that want an operating
// system; in the kernel there is none.
var systemPackages = []string{"os/...", "net/...", "syscall", "plugin", "log/...", "embed", "path/filepath"}

func TestImports(t *testing.T) {
	for _, f := range sources(t) {
		if f.test {
			continue
		}
		l := layerOf(f.dir)
		if l == nil {
			t.Errorf("%s: the import policy does not know %s", f.path, f.dir)
			continue
		}
		for _, spec := range f.ast.Imports {
			if imp := strings.Trim(spec.Path.Value, `"`); !l.allows(imp) {
				t.Errorf("%s imports %s", f.path, imp)
			}
		}
	}
}

func layerOf(dir string) *layer {
	for i := range layers {
		if under(dir, layers[i].dirs) {
			return &layers[i]
		}
	}
	return nil
}

// allows reports whether a package of the layer may import imp.
func (l *layer) allows(imp string) bool {
	if dir, ok := strings.CutPrefix(imp, "yolk/"); ok {
		return under(dir, l.ours)
	}
	if under(imp, l.also) {
		return true
	}
	first, _, _ := strings.Cut(imp, "/")
	standard := !strings.Contains(first, ".")
	return standard && imp != "runtime/goos" && (l.host || !under(imp, systemPackages))
}

// TestImportPolicyRefuses: the policy is not one that allows everything.
func TestImportPolicyRefuses(t *testing.T) {
	for dir, imp := range map[string]string{
		"kernel": "yolk/kernel/fs", "kernel/calls": "yolk/kernel/fs", "mm": "yolk/kernel", "kernel/trace": "yolk/mm", "kernel/tty": "yolk/kernel",
		"kernel/fs": "os", "boot": "yolk/tools/pvh", "userland/sh": "yolk/kernel/abi", "qemu": "yolk/kernel",
		"tools/yolk": "github.com/spf13/cobra", "arch/amd64": "yolk/mm",
	} {
		if layerOf(dir).allows(imp) {
			t.Errorf("%s may import %s", dir, imp)
		}
	}
}

// TestUnsafe: unsafe stands where memory is touched by its address: in the
// machine's own packages, in one file of mm, and in the user programs' system
// calls.
func TestUnsafe(t *testing.T) {
	allowed := []string{"arch/amd64", "boot", "userland/sys", "userland/rt"}
	var inMM []string
	for _, f := range sources(t) {
		if f.test || !slices.ContainsFunc(f.ast.Imports, func(s *ast.ImportSpec) bool { return s.Path.Value == `"unsafe"` }) {
			continue
		}
		switch {
		case f.dir == "mm":
			inMM = append(inMM, f.path)
		case !under(f.dir, allowed):
			t.Errorf("%s imports unsafe", f.path)
		}
	}
	if len(inMM) > 1 {
		t.Errorf("more than one file of mm imports unsafe: %v", inMM)
	}
}

// TestConstraints: what is for the machine itself says so, so that the rest
// of the tree can be built, vetted and tested anywhere.
func TestConstraints(t *testing.T) {
	portable := []string{"arch/amd64/frame.go", "arch/amd64/gate.go"}
	for _, f := range sources(t) {
		if f.test || !under(f.dir, []string{"arch/amd64", "boot"}) || slices.Contains(portable, f.path) {
			continue
		}
		if !strings.Contains(string(f.text), "//go:build yolk\n") {
			t.Errorf("%s has no build constraint", f.path)
		}
	}
	walk(t, func(p string) {
		if path.Ext(p) == ".s" && under(path.Dir(p), []string{"arch/amd64", "boot"}) && !strings.Contains(string(read(t, p)), "//go:build yolk\n") {
			t.Errorf("%s has no build constraint", p)
		}
	})
}
