// Package lines finds the lines of user programs that the kernel's log speaks of.
//
// When a program dies of a fault, the kernel's log names the instruction by the
// program's file and the address in it.  Which line of which source that is, only
// the file says, in tables that the kernel has no business to read: so it is done
// here, where the log comes by on its way to the terminal.
package lines

import (
	"bytes"
	"debug/dwarf"
	"debug/elf"
	"debug/gosym"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// A File says which file on this host is a path in the guest; a directory stands
// for all below it.
type File struct{ Guest, Host string }

// Files are looked through from the last one, as with yolk run -add.
type Files []File

// host returns the file on this host that became the guest's, or "".
func (f Files) host(guest string) string {
	for i := len(f) - 1; i >= 0; i-- {
		rest, below := strings.CutPrefix(guest, strings.TrimSuffix(f[i].Guest, "/"))
		if !below || rest != "" && rest[0] != '/' {
			continue
		}
		host := filepath.Join(f[i].Host, filepath.FromSlash(rest))
		if info, err := os.Stat(host); err == nil && info.Mode().IsRegular() {
			return host
		}
	}
	return ""
}

// Line names the function, file and line of an address in a guest's program, such
// as "main.main, main.go:12"; "" where that cannot be known.
func (f Files) Line(guest string, addr uint64) string {
	host := f.host(guest)
	if host == "" {
		return ""
	}
	program, err := elf.Open(host)
	if err != nil {
		return ""
	}
	defer program.Close()
	if line := goLine(program, addr); line != "" {
		return line
	}
	return dwarfLine(program, addr)
}

// goLine looks into the table that every Go program has, for its own tracebacks,
// even where it was stripped of all symbols.
func goLine(program *elf.File, addr uint64) string {
	table, text := program.Section(".gopclntab"), program.Section(".text")
	if table == nil || text == nil {
		return ""
	}
	data, err := table.Data()
	if err != nil {
		return ""
	}
	symbols, err := gosym.NewTable(nil, gosym.NewLineTable(data, text.Addr))
	if err != nil {
		return ""
	}
	file, line, fn := symbols.PCToLine(addr)
	if fn == nil {
		return ""
	}
	return fmt.Sprintf("%s, %s:%d", fn.Name, file, line)
}

// dwarfLine looks into what a compiler's -g leaves.
func dwarfLine(program *elf.File, addr uint64) string {
	data, err := program.DWARF()
	if err != nil {
		return ""
	}
	r := data.Reader()
	unit, err := r.SeekPC(addr)
	if err != nil {
		return ""
	}
	lines, err := data.LineReader(unit)
	if err != nil || lines == nil {
		return ""
	}
	var entry dwarf.LineEntry
	if lines.SeekPC(addr, &entry) != nil || entry.File == nil {
		return ""
	}
	where := fmt.Sprintf("%s:%d", path.Base(entry.File.Name), entry.Line)
	if name := function(data, r, addr); name != "" {
		where = name + ", " + where
	}
	return where
}

// function names the function of a unit that an address lies in; r stands behind
// the unit's own entry.
func function(data *dwarf.Data, r *dwarf.Reader, addr uint64) string {
	for {
		entry, err := r.Next()
		if err != nil || entry == nil || entry.Tag == 0 || entry.Tag == dwarf.TagCompileUnit {
			return ""
		}
		r.SkipChildren()
		ranges, err := data.Ranges(entry)
		if err != nil || entry.Tag != dwarf.TagSubprogram {
			continue
		}
		for _, span := range ranges {
			if name, ok := entry.Val(dwarf.AttrName).(string); ok && span[0] <= addr && addr < span[1] {
				return name
			}
		}
	}
}

// A Writer passes the kernel's log on to W and adds to a line that ends in an
// instruction's place which line of the program that is.
type Writer struct {
	W     io.Writer
	Files Files

	line []byte // what has come of the line that is not complete
}

// place is how the kernel names an instruction (kernel.Process, fault).
var place = regexp.MustCompile(`; pc=0x[0-9a-f]+ \((/.*)\+0x([0-9a-f]+)\)$`)

// Write implements io.Writer.  Nothing is held back: what is added comes before
// the end of a line.
func (w *Writer) Write(b []byte) (int, error) {
	written := 0
	for part := range bytes.Lines(b) {
		text, ends := bytes.CutSuffix(part, []byte("\n"))
		w.line = append(w.line, text...)
		if ends {
			part = append(append(bytes.Clone(text), w.found()...), '\n')
			w.line = w.line[:0]
		}
		if _, err := w.W.Write(part); err != nil {
			return written, err
		}
		written += len(text)
		if ends {
			written++
		}
	}
	return written, nil
}

// found is what is to be added to the line.
func (w *Writer) found() string {
	m := place.FindSubmatch(w.line)
	if m == nil {
		return ""
	}
	addr, err := strconv.ParseUint(string(m[2]), 16, 64)
	if line := w.Files.Line(string(m[1]), addr); err == nil && line != "" {
		return ": " + line
	}
	return ""
}
