package procfs

import (
	"encoding/binary"
	"strconv"
	"strings"

	"yolk/userland/kit"
	"yolk/userland/sys"
)

// path is the name of a file of a process; pid 0 stands for the caller.
func path(pid int, file string) string {
	if pid == 0 {
		return "/proc/self/" + file
	}
	return "/proc/" + strconv.Itoa(pid) + "/" + file
}

// Pagemap reads the entries of n pages from the page of addr on.
func Pagemap(pid int, addr uintptr, n int) ([]Page, error) {
	words, err := readWords(path(pid, "pagemap"), int64(addr/sys.PageSize), n)
	if err != nil {
		return nil, err
	}
	pages := make([]Page, len(words))
	for i, w := range words {
		pages[i] = Page(w)
	}
	return pages, nil
}

// PageAt reads the entry of the page of addr; the zero Page when there is none.
func PageAt(pid int, addr uintptr) Page {
	pages, err := Pagemap(pid, addr, 1)
	if err != nil || len(pages) == 0 {
		return 0
	}
	return pages[0]
}

// FrameCount is the number of mappings of a frame (kpagecount).
func FrameCount(frame uint64) (uint64, error) {
	words, err := readWords("/proc/kpagecount", int64(frame), 1)
	if err != nil {
		return 0, err
	}
	if len(words) == 0 {
		return 0, sys.ENXIO
	}
	return words[0], nil
}

// Unclean has the kernel recompute all that it keeps count of in memory, and
// returns the first contradiction that it finds: "" if there is none (/proc/check,
// ours only).
func Unclean() string {
	b, err := kit.ReadFile("/proc/check")
	switch text := strings.TrimSpace(string(b)); {
	case err != nil:
		return "/proc/check: " + err.Error()
	case text == "clean":
		return ""
	default:
		return "/proc/check: " + text
	}
}

// readWords reads up to n words of eight bytes from the index'th on.
func readWords(file string, index int64, n int) ([]uint64, error) {
	fd, err := sys.Open(file, sys.O_RDONLY|sys.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	defer sys.Close(fd)
	if _, err := sys.Lseek(fd, index*8, sys.SEEK_SET); err != nil {
		return nil, err
	}
	buf := make([]byte, n*8)
	got := 0
	for got < len(buf) {
		k, err := kit.Read(fd, buf[got:])
		if err != nil {
			return nil, err
		}
		if k == 0 {
			break
		}
		got += k
	}
	words := make([]uint64, got/8)
	for i := range words {
		words[i] = binary.LittleEndian.Uint64(buf[i*8:])
	}
	return words, nil
}

// Resident counts the pages of a mapping that are backed by a frame.
func Resident(pid int, m Mapping) int {
	pages, _ := Pagemap(pid, uintptr(m.Start), m.Pages())
	n := 0
	for _, p := range pages {
		if p.Present() {
			n++
		}
	}
	return n
}

// ReadMaps reads a process's mappings; pid 0 stands for the caller.
func ReadMaps(pid int) ([]Mapping, error) {
	b, err := kit.ReadFile(path(pid, "maps"))
	return ParseMaps(string(b)), err
}

// ReadPageTable reads a process's page table; ENOENT where the kernel is not ours.
func ReadPageTable(pid int) (PageTable, error) {
	b, err := kit.ReadFile(path(pid, "pagetable"))
	if err != nil {
		return PageTable{}, err
	}
	t, ok := ParsePageTable(string(b))
	if !ok {
		return t, sys.EINVAL
	}
	return t, nil
}

// ReadStat reads a process's stat file.
func ReadStat(pid int) (Stat, error) {
	b, err := kit.ReadFile(path(pid, "stat"))
	if err != nil {
		return Stat{}, err
	}
	s, ok := ParseStat(string(b))
	if !ok {
		return s, sys.EINVAL
	}
	return s, nil
}

// ReadVmstat reads the kernel's counters.
func ReadVmstat() (string, error) {
	b, err := kit.ReadFile("/proc/vmstat")
	return string(b), err
}

// FreeKiB is the machine's free memory in KiB; 0 when the kernel does not say.
func FreeKiB() uint64 {
	b, _ := kit.ReadFile("/proc/meminfo")
	n, _ := Meminfo(string(b), "MemFree")
	return n
}

// IsYolk tells whether the kernel is ours: pagetable exists nowhere else.
func IsYolk() bool { return sys.Access("/proc/self/pagetable", 0) == nil }
