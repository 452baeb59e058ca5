package coreutils

import (
	"sort"
	"strconv"
	"strings"

	"yolk/userland/kit"
	"yolk/userland/procfs"
	"yolk/userland/sys"
)

// ls lists files, and what is in directories: one name a line, sorted; with -a
// also those that begin with a dot, with -l also type, permissions and size.
func ls(args []string) int {
	letters, files, ok := options(args, "al")
	if !ok {
		return kit.BadUsage
	}
	if len(files) == 0 {
		files = []string{"."}
	}
	status := 0
	for _, f := range files {
		if len(files) > 1 {
			kit.Print(f, ":\n")
		}
		if err := list(f, letters); err != nil {
			status = kit.Complain(args[0], f, err)
		}
	}
	return status
}

// list prints one file, or one directory's contents.
func list(path, letters string) error {
	st, err := sys.Stat(path)
	if err != nil {
		if st, err = sys.Lstat(path); err != nil {
			return err
		}
	}
	if !st.IsDir() {
		kit.Print(listLine(path, path, letters))
		return nil
	}
	entries, err := sys.ReadDir(path)
	if err != nil {
		return err
	}
	sort.Slice(entries, func(i, j int) bool { return entries[i].Name < entries[j].Name })
	var out []byte
	for _, e := range entries {
		if e.Name[0] != '.' || strings.Contains(letters, "a") {
			out = append(out, listLine(path+"/"+e.Name, e.Name, letters)...)
		}
	}
	return kit.WriteAll(kit.Stdout, out)
}

// listLine is what ls prints about the file at path.
func listLine(path, name, letters string) string {
	if !strings.Contains(letters, "l") {
		return name + "\n"
	}
	st, err := sys.Lstat(path)
	if err != nil {
		return name + ": " + err.Error() + "\n"
	}
	arrow := ""
	if st.Mode&sys.S_IFMT == sys.S_IFLNK {
		target, _ := sys.Readlink(path)
		arrow = " -> " + target
	}
	return kit.Format(modeString(st.Mode), " ", kit.Column{Width: -3, Value: st.Nlink}, " ",
		kit.Column{Width: -9, Value: st.Size}, " ", name, arrow, "\n")
}

// modeString is a file's type and permissions as ls -l writes them.
func modeString(mode uint32) string {
	kind := map[uint32]byte{sys.S_IFDIR: 'd', sys.S_IFCHR: 'c', sys.S_IFREG: '-', sys.S_IFIFO: 'p', sys.S_IFLNK: 'l'}
	b := []byte("?rwxrwxrwx")
	if c, ok := kind[mode&sys.S_IFMT]; ok {
		b[0] = c
	}
	for i := range 9 {
		if mode&(0o400>>i) == 0 {
			b[i+1] = '-'
		}
	}
	return string(b)
}

// ps lists the processes, from /proc.
func ps([]string) int {
	entries, err := sys.ReadDir("/proc")
	if err != nil {
		return kit.Complain("ps", "/proc", err)
	}
	var pids []int
	for _, e := range entries {
		if pid, err := strconv.Atoi(e.Name); err == nil {
			pids = append(pids, pid)
		}
	}
	sort.Ints(pids)
	kit.Print(psLine("PID", "PPID", "S", "VSZ", "RSS", "COMMAND"))
	for _, pid := range pids {
		st, err := procfs.ReadStat(pid)
		if err != nil {
			continue // it ended meanwhile
		}
		kit.Print(psLine(pid, st.PPID, string([]byte{st.State}), st.VSize>>10, st.RSS*sys.PageSize>>10, command(pid, st)))
	}
	return 0
}

// psLine is a line of ps.
func psLine(pid, ppid, state, vsz, rss any, command string) string {
	return kit.Format(kit.Column{Width: -5, Value: pid}, " ", kit.Column{Width: -5, Value: ppid}, " ", state, " ",
		kit.Column{Width: -9, Value: vsz}, " ", kit.Column{Width: -7, Value: rss}, " ", command, "\n")
}

// command is a process's command line; its name in brackets where it has none.
func command(pid int, st procfs.Stat) string {
	b, _ := kit.ReadFile("/proc/" + strconv.Itoa(pid) + "/cmdline")
	if line := strings.TrimSpace(strings.ReplaceAll(string(b), "\x00", " ")); line != "" {
		return line
	}
	return "[" + st.Name + "]"
}

// free prints how much memory there is and how much of it is free, in KiB.
func free([]string) int {
	b, err := kit.ReadFile("/proc/meminfo")
	if err != nil {
		return kit.Complain("free", "/proc/meminfo", err)
	}
	total, _ := procfs.Meminfo(string(b), "MemTotal")
	unused, _ := procfs.Meminfo(string(b), "MemFree")
	width := func(v any) kit.Column { return kit.Column{Width: -10, Value: v} }
	kit.Print("    ", width("total"), width("used"), width("free"), "\n")
	kit.Print("Mem:", width(total), width(total-unused), width(unused), "\n")
	return 0
}
