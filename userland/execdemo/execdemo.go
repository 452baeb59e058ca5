// Package execdemo is the program that shows what exec does to a process: the
// same pid and open files, a new address space, and of the new program only the
// pages that it has touched.
package execdemo

import (
	"strconv"
	"strings"

	"yolk/userland/kit"
	"yolk/userland/procfs"
	"yolk/userland/sys"
)

const name = "execdemo"

// Prog is the program execdemo.
var Prog = kit.Prog{Name: name, Help: "watch exec replace an address space", Main: Main}

// after is the first argument by which the program knows that it was exec'd by
// itself; then come two descriptors and the pid.
const after = "-after"

// Main shows the process before exec, then execs itself.
func Main(args []string) int {
	if len(args) == 5 && args[1] == after {
		return second(args[2], args[3], args[4])
	}
	if len(args) > 1 {
		return kit.BadUsage
	}
	pid := sys.Getpid()
	kept, err1 := sys.Open("/dev/null", sys.O_RDONLY, 0)
	closed, err2 := sys.Open("/dev/null", sys.O_RDONLY|sys.O_CLOEXEC, 0)
	area, err3 := sys.MapPages(64)
	if err1 != nil || err2 != nil || err3 != nil {
		return kit.Complain(name, "cannot begin", sys.ENOMEM)
	}
	for i := range uintptr(64) {
		sys.Poke(area+i*sys.PageSize, byte(i))
	}
	failed := failing(area)
	show("before", pid)
	err := sys.Exec("/proc/self/exe", []string{name, after, strconv.Itoa(kept), strconv.Itoa(closed), strconv.Itoa(pid)}, kit.Environ)
	kit.Complain(name, "exec", err)
	return max(failed, 1)
}

// failing tries two programs that cannot be run: the caller is as it was.
func failing(area uintptr) int {
	path := kit.Format("/tmp/execdemo.", sys.Getpid())
	if err := kit.WriteFile(path, []byte("\x7fELF, or so it says"), 0o755); err != nil {
		return kit.Complain(name, path, err)
	}
	defer sys.Unlink(path)
	for _, file := range []string{"/no/such/file", path} {
		err := sys.Exec(file, []string{file}, nil)
		what := "a missing file"
		if file == path {
			what = "a file that is no program"
		}
		kit.Print("exec of ", what, ": ", err, "; memory intact: ", sys.Peek(area+63*sys.PageSize) == 63, "\n")
	}
	return 0
}

// second is the program after the exec.
func second(kept, closed, pid string) int {
	show("after", sys.Getpid())
	keptOpen, closedOpen := isOpen(kept), isOpen(closed)
	samePID := pid == strconv.Itoa(sys.Getpid())
	kit.Print("same pid: ", samePID, "; descriptor ", kept, " open: ", keptOpen,
		"; descriptor ", closed, ", close-on-exec, open: ", closedOpen, "\n")
	if !samePID || !keptOpen || closedOpen {
		return 1
	}
	return 0
}

// isOpen tells whether the descriptor with the number in text is open.
func isOpen(text string) bool {
	fd, _ := strconv.Atoi(text)
	_, err := sys.Fcntl(fd, sys.F_GETFD, 0)
	return err == nil
}

// show prints the process's regions: how many pages each promises, and how many
// of them are there.
func show(when string, pid int) {
	maps, err := procfs.ReadMaps(0)
	if err != nil {
		kit.Complain(name, "maps", err)
	}
	kit.Print(when, " exec, process ", pid, ":\n")
	for _, m := range maps {
		if strings.HasPrefix(m.Path, "[v") { // the kernel's own pages, on Linux
			continue
		}
		what := m.Path
		if what == "" {
			what = "anonymous"
		}
		kit.Print("  ", kit.Column{Width: -14, Value: kit.Hex(m.Start)}, " ", m.Perm,
			kit.Column{Width: -8, Value: m.Pages()}, " pages, resident ", kit.Column{Width: -6, Value: resident(m)}, "  ", what, "\n")
	}
}

// resident counts the pages of a region that are there, of a huge one only the
// first few thousand: enough for what a small program touches.
func resident(m procfs.Mapping) int {
	m.End = min(m.End, m.Start+(16<<20))
	return procfs.Resident(0, m)
}
