package goroot

import (
	"bytes"
	"embed"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// layer holds the files that are added to the stock tree, or replace files of the
// same name. Its paths are relative to GOROOT/src.
//
//go:embed all:_layer
var layer embed.FS

// dropped lists the stock files that the private tree does without, relative to
// GOROOT/src. What they declare comes from the layer, or from a stock file for
// another system whose build constraint is edited away.
var dropped = []string{
	"crypto/internal/fips140/drbg/entropy_fips140.go", // layer: entropy_bare.go
	"runtime/cgroup_linux.go",                         // stock: cgroup_stubs.go
	"runtime/mem_linux.go",                            // stock: mem_sbrk.go
	"runtime/mem_nonsbrk.go",                          // stock: mem_sbrk.go
	"runtime/netpoll_epoll.go",                        // layer: bare_netpoll.go
	"runtime/rt0_linux_amd64.s",                       // layer: bare_amd64.s
	"runtime/stubs2.go",                               // layer: bare.go
	"runtime/stubs3.go",                               // layer: bare.go
	"runtime/sys_linux_amd64.s",                       // layer: bare_amd64.s
	"runtime/time_linux_amd64.s",                      // stock: timestub.go
	"runtime/timeasm.go",                              // stock: timestub.go
}

// edit replaces text of a stock file.
type edit struct {
	file  string // relative to GOROOT/src
	old   string // must occur exactly count times
	count int
	new   string
}

var edits = []edit{
	// Stock files for other systems, made ours.
	{"runtime/cgroup_stubs.go", "//go:build !linux\n", 1, ""},
	{"runtime/mem_sbrk.go", "//go:build plan9 || wasm\n", 1, ""},
	{"runtime/timestub.go", "//go:build !faketime && !windows && !(linux && amd64) && !plan9\n", 1, ""},

	// One thread.
	{"runtime/proc.go", "if GOARCH == \"wasm\" { // no threads on wasm yet\n", 1, "if singleThreaded {\n"},
	{"runtime/proc.go", "if GOARCH == \"wasm\" { // no threads yet on wasm\n", 1, "if singleThreaded {\n"},
	{"runtime/proc.go", "if GOARCH == \"wasm\" {\n\t\treturn // no threads on wasm yet\n", 2, "if singleThreaded {\n\t\treturn\n"},
	{"runtime/proc.go", "const haveSysmon = GOARCH != \"wasm\"\n", 1, "const haveSysmon = !singleThreaded\n"},
	{"runtime/debug.go", "if GOARCH == \"wasm\" && n > 1 {\n", 1, "if singleThreaded && n > 1 {\n"},

	// Idling is the layer's.
	{"runtime/lock_futex.go", "func beforeIdle(int64, int64) (*g, bool) {\n\treturn nil, false\n}\n", 1, ""},
	{"runtime/lock_futex.go", "func checkTimeouts() {}\n", 1, ""},

	// A heap of 4 MiB arenas in the 32 GiB on either side of address 0.
	{"runtime/malloc.go", "\theapAddrBits = (_64bit*(1-goarch.IsWasm)*(1-goos.IsIos*goarch.IsArm64))*48 + (1-_64bit+goarch.IsWasm)*(32-(goarch.IsMips+goarch.IsMipsle)) + 40*goos.IsIos*goarch.IsArm64\n", 1,
		"\theapAddrBits = 36\n"},
	{"runtime/malloc.go", "\tlogHeapArenaBytes = (6+20)*(_64bit*(1-goos.IsWindows)*(1-goarch.IsWasm)*(1-goos.IsIos*goarch.IsArm64)) + (2+20)*(_64bit*goos.IsWindows) + (2+20)*(1-_64bit) + (9+10)*goarch.IsWasm + (2+20)*goos.IsIos*goarch.IsArm64\n", 1,
		"\tlogHeapArenaBytes = 22\n"},
	{"runtime/malloc.go", "\tarenaBaseOffset = 0xffff800000000000*goarch.IsAmd64 + 0x0a00000000000000*goos.IsAix\n", 1,
		"\tarenaBaseOffset = 1<<64 - 1<<(heapAddrBits-1)\n"},

	// Memory skipped for alignment has never been used: it is zero already, and
	// clearing it would touch up to 4 MiB of every process.
	{"runtime/mem_sbrk.go", "func memFree(ap unsafe.Pointer, n uintptr) {\n\tn = memRound(n)\n\tmemclrNoHeapPointers(ap, n)\n", 1,
		"func memFree(ap unsafe.Pointer, n uintptr) {\n\tmemclrNoHeapPointers(ap, memRound(n))\n\tmemFreeZeroed(ap, n)\n}\n\n//go:systemstack\nfunc memFreeZeroed(ap unsafe.Pointer, n uintptr) {\n\tn = memRound(n)\n"},
	{"runtime/mem_sbrk.go", "\t\t\tmemFree(r, l)\n", 1, "\t\t\tmemFreeZeroed(r, l)\n"},

	// WHY no limit to the collector's share of the processor: when it takes more
	// than half, stock Go lets the heap grow beyond the memory limit instead.  This
	// heap cannot grow: a slow program is better than a dead one.
	{"runtime/mgclimit.go", "func (l *gcCPULimiterState) limiting() bool {\n\treturn l.enabled.Load()\n", 1,
		"func (l *gcCPULimiterState) limiting() bool {\n\treturn false\n"},

	// WHY a collection within the allocation: stock Go's collector begins by an
	// estimate of how fast garbage comes, and where that was wrong the heap grows.
	{"runtime/malloc.go", "if t := (gcTrigger{kind: gcTriggerHeap}); t.test()", 5, "if t := heapTrigger(); t.test()"},
	{"runtime/malloc_generated.go", "if t := (gcTrigger{kind: gcTriggerHeap}); t.test()", 17, "if t := heapTrigger(); t.test()"},

	// The board's turns during start-up.
	{"runtime/asm_amd64.s", "\tCALL\truntime·osinit(SB)\n\tCALL\truntime·schedinit(SB)\n", 1,
		"\tCALL\truntime·bareStart(SB)\n\tCALL\truntime·osinit(SB)\n\tCALL\truntime·schedinit(SB)\n\tCALL\truntime·bareInit(SB)\n"},
}

// overlay returns what the private tree has in place of the stock tree's files:
// content by path relative to GOROOT/src, nil for a file that is left out.
func overlay(stock string) (map[string][]byte, error) {
	files := map[string][]byte{}
	for _, name := range dropped {
		if _, err := os.Stat(srcPath(stock, name)); err != nil {
			return nil, misfit(name, "the file is not there")
		}
		files[name] = nil
	}
	for _, e := range edits {
		if err := e.apply(stock, files); err != nil {
			return nil, err
		}
	}
	err := fs.WalkDir(layer, "_layer", func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := layer.ReadFile(p)
		files[strings.TrimPrefix(p, "_layer/")] = b
		return err
	})
	return files, err
}

func (e edit) apply(stock string, files map[string][]byte) error {
	text, ok := files[e.file]
	if !ok {
		var err error
		if text, err = os.ReadFile(srcPath(stock, e.file)); err != nil {
			return misfit(e.file, err.Error())
		}
	}
	if n := bytes.Count(text, []byte(e.old)); n != e.count {
		return misfit(e.file, fmt.Sprintf("%d time(s) instead of %d the text\n%s", n, e.count, e.old))
	}
	files[e.file] = bytes.ReplaceAll(text, []byte(e.old), []byte(e.new))
	return nil
}

// misfit is the error for a stock tree that the layer was not written for.
func misfit(file, found string) error {
	return fmt.Errorf("the freestanding layer does not fit this Go toolchain: in %s, src/%s: found %s\n"+
		"The layer is written for %s. Use that toolchain unmodified; or, to move to another one, "+
		"follow \"A new Go version\" in tools/goroot/README.md", Version, file, found, Version)
}

func srcPath(root, name string) string {
	return filepath.Join(root, "src", filepath.FromSlash(path.Clean(name)))
}
