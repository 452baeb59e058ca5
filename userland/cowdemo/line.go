package cowdemo

import (
	"strconv"
	"strings"

	"yolk/userland/kit"
	"yolk/userland/procfs"
)

// A Line is one line of the program's output: one page as one side sees it at
// the end of one step.  Where the kernel does not tell, a figure is "?".
type Line struct {
	Step           string
	PID            int
	VA, PFN, Refs  uint64
	Cow            string // 1 when the entry is marked copy-on-write, else 0
	Copies, Reuses string // what this side's write to this page in this step caused
}

// look fills in what /proc says about the page now.
func (l *Line) look() {
	l.PFN = procfs.PageAt(0, uintptr(l.VA)).Frame()
	l.Refs, _ = procfs.FrameCount(l.PFN)
	table, err := procfs.ReadPageTable(0)
	if err != nil {
		return
	}
	l.Cow = "0"
	if e, _ := table.Find(l.VA); e.Has('C') {
		l.Cow = "1"
	}
}

// String is the line with its newline.
func (l Line) String() string {
	return kit.Format("step=", l.Step, " pid=", l.PID, " va=", kit.Hex(l.VA), " pfn=", kit.Hex(l.PFN),
		" refs=", l.Refs, " cow=", l.Cow, " copies=", l.Copies, " reuses=", l.Reuses, "\n")
}

// ParseLine reads a line; ok is false when it is not one.
func ParseLine(text string) (l Line, ok bool) {
	names := []string{"step", "pid", "va", "pfn", "refs", "cow", "copies", "reuses"}
	words := strings.Split(strings.TrimSuffix(text, "\n"), " ")
	if len(words) != len(names) {
		return l, false
	}
	values := make([]string, len(names))
	for i, w := range words {
		if values[i], ok = strings.CutPrefix(w, names[i]+"="); !ok {
			return l, false
		}
	}
	var errs [4]error
	l.Step, l.Cow, l.Copies, l.Reuses = values[0], values[5], values[6], values[7]
	l.PID, errs[0] = strconv.Atoi(values[1])
	l.VA, errs[1] = strconv.ParseUint(values[2], 0, 64)
	l.PFN, errs[2] = strconv.ParseUint(values[3], 0, 64)
	l.Refs, errs[3] = strconv.ParseUint(values[4], 10, 64)
	return l, errs == [4]error{}
}
