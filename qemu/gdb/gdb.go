// Package gdb holds what GDB needs to debug a running Yolk: the commands that
// attach it, and sessions that prove that they work.
package gdb

import (
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
)

// Target is a machine that waits for GDB.
type Target struct {
	Root     string    // the source tree
	Helpers  string    // directory of the Python package yolk
	GOROOT   string    // of the toolchain that built it
	Kernel   string    // path of the kernel, with symbols
	Programs []Program // the first one's symbols are loaded at the start
	Port     int       // on 127.0.0.1
}

// DefaultPort is where yolk debug has its machine wait, if that port is free.
const DefaultPort = 1234

// Port finds the port in what Init wrote.
func Port(script string) (int, error) {
	_, rest, _ := strings.Cut(script, "\ntarget remote 127.0.0.1:")
	line, _, ok := strings.Cut(rest, "\n")
	port, err := strconv.Atoi(line)
	if !ok || err != nil {
		return 0, errors.New("not a .gdbinit of yolk's")
	}
	return port, nil
}

// Program is where on this host the symbols of a guest's program are.
type Program struct {
	Guest string // absolute path; a directory stands for all below it
	Host  string
}

// Init returns the commands that attach GDB to the target, for .gdbinit.
//
// WHY the files come before the connection: GDB takes the processor's mode from
// them; without, it believes in the 16-bit mode of a machine that was just
// reset, and refuses the longer register packets that follow.
func Init(t Target) string {
	return Setup(t) + fmt.Sprintf("target remote 127.0.0.1:%d\n", t.Port)
}

// Setup is Init without the connection.
//
// WHY $_strlen is looked at: it is one of the functions that GDB has only
// together with Python.
func Setup(t Target) string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("# Written by yolk; attaches GDB to the machine that it has started.")
	line("set confirm off")
	line("set architecture i386:x86-64")
	line("if $_isvoid($_strlen)")
	line("  echo This GDB was built without Python, so the commands for processes (kps, kvm, ...) are missing: install the full one (on Debian the package gdb, not gdb-minimal).\\n")
	line("else")
	line("  set auto-load python-scripts off")
	line("end")
	line("file %s", quote(t.Kernel))
	line("set substitute-path yolk %s", quote(t.Root))
	line("directory %s", quote(filepath.Join(t.GOROOT, "src")))
	line("# The same address is other memory in each process: GDB must not remember it.")
	line("set stack-cache off")
	line("set code-cache off")
	line("if $_isvoid($_strlen)")
	for _, p := range t.Programs[:min(1, len(t.Programs))] {
		line("  add-symbol-file %s", quote(p.Host))
	}
	line("else")
	line("  source %s", filepath.ToSlash(filepath.Join(t.GOROOT, "src", "runtime", "runtime-gdb.py")))
	line("  python")
	line("import sys")
	line("sys.dont_write_bytecode = True # nothing of GDB's belongs into the source tree")
	line("sys.path.insert(0, %s)", strconv.QuoteToASCII(t.Helpers))
	line("import yolk")
	line("yolk.start([")
	for _, p := range t.Programs {
		line("  (%s, %s),", strconv.QuoteToASCII(p.Guest), strconv.QuoteToASCII(p.Host))
	}
	line("])")
	line("  end")
	line("end")
	return b.String()
}

// quote quotes a path for GDB: blanks and backslashes are escaped.
func quote(path string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(filepath.ToSlash(path)) + `"`
}
