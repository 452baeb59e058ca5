// Package procfs reads the kernel's files under /proc, those in Linux's formats
// and our own, pagetable.  It is the one place of the user programs that knows
// how these files look; parsing is plain Go that is tested on any host.
//
// What the files say about one page, and how the questions of the
// demonstrations are answered by them:
//
//	which frame?             pagemap, bits 0-54 (needs root on Linux)
//	shared by how many?      kpagecount, one word a frame
//	marked copy-on-write?    pagetable, flag C (ours only)
//	copied or reused?        vmstat, cow_copy and cow_reuse (ours only)
package procfs

import (
	"strconv"
	"strings"

	"yolk/userland/sys"
)

// Bits of an entry of pagemap.
const (
	pagePresent = 1 << 63
	frameMask   = 1<<55 - 1
)

// A Page is an entry of pagemap: what one page of a process is backed by.
type Page uint64

// Present tells whether a frame backs the page.
func (p Page) Present() bool { return p&pagePresent != 0 }

// Frame is the number of the frame that backs the page, when Present.
func (p Page) Frame() uint64 { return uint64(p & frameMask) }

// An Entry is one line of pagetable: one present entry of the last level.
type Entry struct {
	Addr, Frame uint64
	Flags       string // PWUNADC, a dash where a flag is clear
	Refs        uint64
}

// The flags of an Entry, in their order: present, writable, user, no-execute,
// accessed, dirty, copy-on-write.
const pageFlags = "PWUNADC"

// Has tells whether the flag, a letter of "PWUNADC", is set.
func (e Entry) Has(flag byte) bool { return strings.IndexByte(e.Flags, flag) >= 0 }

// String is the line of pagetable, without its newline.
func (e Entry) String() string {
	digits := strconv.FormatUint(e.Addr, 16)
	return "0x" + strings.Repeat("0", max(0, 12-len(digits))) + digits +
		" frame=0x" + strconv.FormatUint(e.Frame, 16) + " " + e.Flags +
		" refs=" + strconv.FormatUint(e.Refs, 10)
}

// A PageTable is what /proc/PID/pagetable says.
type PageTable struct {
	Root    uint64 // physical address of the PML4
	Entries []Entry
}

// Find gives the entry that maps the page of addr.
func (t PageTable) Find(addr uint64) (Entry, bool) {
	page := addr &^ (sys.PageSize - 1)
	for _, e := range t.Entries {
		if e.Addr == page {
			return e, true
		}
	}
	return Entry{}, false
}

// ParsePageTable reads the text of a pagetable file; ok is false when any line
// of it is not as it should be.
func ParsePageTable(text string) (t PageTable, ok bool) {
	first, rest, _ := strings.Cut(text, "\n")
	if t.Root, ok = field(first, "root=0x", 16); !ok {
		return t, false
	}
	for line := range strings.Lines(rest) {
		e, ok := parseEntry(strings.TrimSuffix(line, "\n"))
		if !ok {
			return t, false
		}
		t.Entries = append(t.Entries, e)
	}
	return t, true
}

// parseEntry reads a line `0xADDR frame=0xF FLAGS refs=N`.
func parseEntry(line string) (e Entry, ok bool) {
	f := strings.Split(line, " ")
	if len(f) != 4 || len(f[2]) != len(pageFlags) {
		return e, false
	}
	for i := range pageFlags {
		if f[2][i] != pageFlags[i] && f[2][i] != '-' {
			return e, false
		}
	}
	var ok1, ok2, ok3 bool
	e.Addr, ok1 = field(f[0], "0x", 16)
	e.Frame, ok2 = field(f[1], "frame=0x", 16)
	e.Refs, ok3 = field(f[3], "refs=", 10)
	e.Flags = f[2]
	return e, ok1 && ok2 && ok3
}

// field is the number that follows prefix in s.
func field(s, prefix string, base int) (uint64, bool) {
	digits, ok := strings.CutPrefix(s, prefix)
	if !ok {
		return 0, false
	}
	n, err := strconv.ParseUint(digits, base, 64)
	return n, err == nil
}

// Counter is the value of a line `name value` of vmstat.
func Counter(vmstat, name string) (uint64, bool) {
	for line := range strings.Lines(vmstat) {
		if n, ok := field(strings.TrimSpace(line), name+" ", 10); ok {
			return n, true
		}
	}
	return 0, false
}

// A Mapping is one line of maps.
type Mapping struct {
	Start, End uint64
	Perm       string // rwxp, with dashes
	Offset     uint64
	Path       string
}

// Pages is the mapping's size in pages.
func (m Mapping) Pages() int { return int((m.End - m.Start) / sys.PageSize) }

// ParseMaps reads the text of a maps file; lines that it cannot read are left out.
func ParseMaps(text string) []Mapping {
	var list []Mapping
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) < 5 {
			continue
		}
		from, to, _ := strings.Cut(f[0], "-")
		m := Mapping{Perm: f[1]}
		var err1, err2, err3 error
		m.Start, err1 = strconv.ParseUint(from, 16, 64)
		m.End, err2 = strconv.ParseUint(to, 16, 64)
		m.Offset, err3 = strconv.ParseUint(f[2], 16, 64)
		if err1 != nil || err2 != nil || err3 != nil {
			continue
		}
		if len(f) > 5 {
			m.Path = strings.Join(f[5:], " ")
		}
		list = append(list, m)
	}
	return list
}

// Meminfo is the value in kB of a line `Name:  N kB` of meminfo.
func Meminfo(text, name string) (uint64, bool) {
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) >= 2 && f[0] == name+":" {
			n, err := strconv.ParseUint(f[1], 10, 64)
			return n, err == nil
		}
	}
	return 0, false
}

// A Stat is what the programs use of /proc/PID/stat.
type Stat struct {
	PID, PPID int
	Name      string
	State     byte   // R, S, Z…
	VSize     uint64 // bytes
	RSS       uint64 // pages
}

// ParseStat reads the text of a stat file (proc_pid_stat(5)).
//
// WHY from the last parenthesis: the name stands in parentheses and may hold
// blanks and parentheses itself.
func ParseStat(text string) (s Stat, ok bool) {
	open, end := strings.IndexByte(text, '('), strings.LastIndexByte(text, ')')
	if open < 1 || end < open {
		return s, false
	}
	f := strings.Fields(text[end+1:])
	if len(f) < 22 {
		return s, false
	}
	var errs [4]error
	s.PID, errs[0] = strconv.Atoi(strings.TrimSpace(text[:open]))
	s.PPID, errs[1] = strconv.Atoi(f[1])
	s.VSize, errs[2] = strconv.ParseUint(f[20], 10, 64)
	s.RSS, errs[3] = strconv.ParseUint(f[21], 10, 64)
	s.Name, s.State = text[open+1:end], f[0][0]
	for _, err := range errs {
		if err != nil {
			return s, false
		}
	}
	return s, true
}
