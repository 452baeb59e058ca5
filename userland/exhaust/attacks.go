package exhaust

import (
	"strings"

	"yolk/userland/kit"
	"yolk/userland/sys"
)

// attacks are all there are.
var attacks = []attack{
	{"mappings", "one-page mappings", 70_000, []sys.Errno{sys.ENOMEM}, 0, mappings},
	{"mappings-of-many", "one-page mappings by 100 processes", 7_000_000, []sys.Errno{sys.ENOMEM}, 0, mappingsOfMany},
	{"shared", "shared mappings", 70_000, []sys.Errno{sys.ENOMEM}, 0, sharedMappings},
	{"memory", "pages touched", 1 << 30, []sys.Errno{sys.ENOMEM}, mayBeKilled | takesFrames, memory},
	{"tables", "page tables", 1 << 30, []sys.Errno{sys.ENOMEM}, mayBeKilled | takesFrames, tables},
	{"descriptors", "descriptors", 1 << 30, []sys.Errno{sys.EMFILE, sys.ENFILE}, 0, descriptors},
	{"open-files", "open files of many processes", 1 << 30, []sys.Errno{sys.ENFILE, sys.EAGAIN, sys.ENOMEM}, 0, openFiles},
	{"pipes", "pipes", 1 << 30, []sys.Errno{sys.EMFILE, sys.ENFILE}, 0, pipes},
	{"full-pipes", "full pipes of many processes", 1 << 30, []sys.Errno{sys.ENFILE, sys.EAGAIN, sys.ENOMEM}, 0, fullPipes},
	{"files", "files", 20_000, []sys.Errno{sys.ENOSPC}, 0, files},
	{"million-files", "files", 1_000_000, []sys.Errno{sys.ENOSPC}, isLong, files},
	{"long-names", "files with names of 255 bytes", 20_000, []sys.Errno{sys.ENOSPC}, 0, longNames},
	{"fifos", "FIFOs", 20_000, []sys.Errno{sys.ENOSPC}, 0, fifos},
	{"symlinks", "symbolic links of 4095 bytes", 20_000, []sys.Errno{sys.ENOSPC}, 0, symlinks},
	{"deep", "directories in one another", 20_000, []sys.Errno{sys.ENOSPC}, 0, deep},
	{"argv", "programs with 2 MiB of arguments", 100, []sys.Errno{sys.E2BIG, sys.ENOMEM, sys.EAGAIN}, takesFrames, longArguments},
	{"small-argv", "programs with 2 MiB of one-letter arguments", 10, []sys.Errno{sys.E2BIG, sys.ENOMEM, sys.EAGAIN}, takesFrames, manyArguments},
	{"environ", "programs with 2 MiB of environment", 100, []sys.Errno{sys.E2BIG, sys.ENOMEM, sys.EAGAIN}, takesFrames, environment},
	{"fork-bomb", "processes by fork", 1 << 30, []sys.Errno{sys.EAGAIN, sys.ENOMEM}, takesSlots, forkBomb},
	{"vfork-bomb", "processes by vfork", 1 << 30, []sys.Errno{sys.EAGAIN, sys.ENOMEM}, takesSlots, vforkBomb},
	{"sh-bomb", "rounds", 1, nil, takesSlots, shellBomb},
	{"timers", "processes with a timer of 1 µs", 50, []sys.Errno{sys.EAGAIN, sys.ENOMEM}, 0, timers},
	{"polls", "processes that poll all their descriptors", 50, []sys.Errno{sys.EAGAIN, sys.ENOMEM}, 0, polls},
	{"vectors", "transfers with 1,024 vectors", 100, nil, 0, vectors},
	{"big-proc", "reads of large files of /proc", 12, nil, 0, bigProc},
	{"churn", "rounds of garbage with a full budget", 30, nil, 0, churn},
	{"fragments", "phases of holes", 12, []sys.Errno{sys.ENOMEM, sys.ENOSPC}, takesSlots, fragments},
}

const private = sys.MAP_PRIVATE | sys.MAP_ANONYMOUS

// mapOne maps a page; neighbours differ in their rights, so that they stay
// mappings of their own.
func mapOne(i int) error {
	_, err := sys.Mmap(0, sys.PageSize, i%2*sys.PROT_READ, private, -1, 0)
	return err
}

func mappings(a *attempt) { a.take(mapOne) }

func mappingsOfMany(a *attempt) { a.spread(100, func(int) { a.take(mapOne) }) }

func sharedMappings(a *attempt) {
	a.take(func(i int) error {
		_, err := sys.Mmap(0, sys.PageSize, i%2*sys.PROT_READ, sys.MAP_SHARED|sys.MAP_ANONYMOUS, -1, 0)
		return err
	})
}

// memory writes to page after page.
func memory(a *attempt) {
	const chunk = 256
	a.take(func(i int) error {
		if i%chunk > 0 {
			return nil
		}
		addr, err := sys.MapPages(chunk)
		for p := addr; err == nil && p < addr+chunk*sys.PageSize; p += sys.PageSize {
			sys.Poke(p, 1)
		}
		return err
	})
}

// tables touches a page every 2 MiB: each costs a table.
func tables(a *attempt) {
	addr, err := sys.Mmap(0, 1<<44, sys.PROT_READ, private|sys.MAP_NORESERVE, -1, 0)
	if err != nil {
		a.took(err)
		return
	}
	a.take(func(i int) error { sys.Peek(addr + uintptr(i)<<21); return nil })
}

// allDescriptors raises the limit as far as it goes.
func allDescriptors() {
	l, _ := sys.Getrlimit(sys.RlimitNofile)
	l.Cur = l.Max
	sys.Setrlimit(sys.RlimitNofile, l)
}

func openNull(int) error {
	_, err := sys.Open("/dev/null", sys.O_RDWR, 0)
	return err
}

func descriptors(a *attempt) {
	allDescriptors()
	a.take(openNull)
}

// untilFull spreads until a refusal other than of a process's own limit.
func (a *attempt) untilFull(get func(i int) error) {
	a.spread(100, func(int) {
		allDescriptors()
		if a.errno() == 0 || a.errno() == sys.EMFILE {
			a.take(get)
		}
	})
}

func openFiles(a *attempt) { a.untilFull(openNull) }

func newPipe(int) error {
	_, _, err := sys.Pipe2(0)
	return err
}

func pipes(a *attempt) {
	allDescriptors()
	a.take(newPipe)
}

// fullPipes fills each pipe as far as it goes.
func fullPipes(a *attempt) {
	a.untilFull(func(int) error {
		_, w, err := sys.Pipe2(sys.O_NONBLOCK)
		for err == nil {
			_, err = sys.Write(w, block[:])
		}
		if err == sys.EAGAIN {
			return nil
		}
		return err
	})
}

var block [4096]byte

// inDirectory runs body in a directory of its own and removes what it leaves.
func inDirectory(a *attempt, body func()) {
	dir := kit.Format("/tmp/", name, ".", sys.Getpid())
	if err := sys.Mkdir(dir, 0o777); err != nil {
		a.took(err)
		return
	}
	sys.Chdir(dir)
	body()
	a.hold()
	sys.Chdir("/")
	empty(dir)
	sys.Rmdir(dir)
	sys.Exit(0)
}

// empty removes the files of a directory.
func empty(dir string) {
	for {
		list, _ := sys.ReadDir(dir)
		if len(list) == 0 {
			return
		}
		for _, d := range list {
			sys.Unlink(dir + "/" + d.Name)
		}
	}
}

// makeFile makes an empty file.
func makeFile(path string) error {
	fd, err := sys.Open(path, sys.O_CREAT|sys.O_EXCL|sys.O_WRONLY, 0o666)
	if err == nil {
		sys.Close(fd)
	}
	return err
}

func files(a *attempt) {
	inDirectory(a, func() { a.take(func(i int) error { return makeFile(kit.Format("f", i)) }) })
}

// long pads a name to n bytes.
func long(i, n int) string {
	s := kit.Format(i)
	return strings.Repeat("x", n-len(s)) + s
}

func longNames(a *attempt) {
	inDirectory(a, func() { a.take(func(i int) error { return makeFile(long(i, 255)) }) })
}

const sysMknod = 133

func fifos(a *attempt) {
	inDirectory(a, func() {
		a.take(func(i int) error {
			_, e := sys.Call(sysMknod, sys.Addr(append(kit.Append(path[:0], "p", i), 0)), sys.S_IFIFO|0o666, 0, 0, 0, 0)
			return errOf(e)
		})
	})
}

// path holds a path for a raw call.
var path [64]byte

// errOf is nil for 0.
func errOf(e sys.Errno) error {
	if e != 0 {
		return e
	}
	return nil
}

func symlinks(a *attempt) {
	inDirectory(a, func() { a.take(func(i int) error { return sys.Symlink(long(i, 4095), kit.Format("l", i)) }) })
}

// deep makes a directory in a directory, and goes back up to remove them.
func deep(a *attempt) {
	inDirectory(a, func() {
		a.take(func(int) error {
			err := sys.Mkdir("d", 0o777)
			if err == nil {
				err = sys.Chdir("d")
			}
			return err
		})
		a.hold()
		for range a.count() {
			sys.Chdir("..")
			sys.Rmdir("d")
		}
	})
}
