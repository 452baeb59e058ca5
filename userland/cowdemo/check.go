package cowdemo

import (
	"strings"

	"yolk/userland/kit"
	"yolk/userland/sys"
)

// expectation is what one page must look like on one side after one step,
// relative to the frame that it had before the fork.
type expectation struct {
	step           string
	child          bool
	page           int
	fresh          bool // another frame than before the fork
	refs           uint64
	cow            string
	copies, reuses string
}

// lazy is what copy-on-write makes of the steps: the frame is shared and marked
// until the first write, which copies; the other side then owns the old frame,
// still marked, until its own write finds that out and copies nothing.
var lazy = []expectation{
	{Before, false, 0, false, 1, "0", "0", "0"}, {Before, false, 1, false, 1, "0", "0", "0"},
	{Forked, false, 0, false, 2, "1", "0", "0"}, {Forked, false, 1, false, 2, "1", "0", "0"},
	{Forked, true, 0, false, 2, "1", "0", "0"}, {Forked, true, 1, false, 2, "1", "0", "0"},
	{ChildWrites, true, 0, true, 1, "0", "1", "0"}, {ChildWrites, true, 1, false, 2, "1", "0", "0"},
	{ChildWrites, false, 0, false, 1, "1", "0", "0"}, {ChildWrites, false, 1, false, 2, "1", "0", "0"},
	{ParentWrites, false, 0, false, 1, "0", "0", "1"}, {ParentWrites, false, 1, false, 2, "1", "0", "0"},
	{ParentWrites, true, 0, true, 1, "0", "0", "0"}, {ParentWrites, true, 1, false, 2, "1", "0", "0"},
	{ChildExited, false, 0, false, 1, "0", "0", "0"}, {ChildExited, false, 1, false, 1, "1", "0", "0"},
	{Reclaimed, false, 0, false, 1, "0", "0", "0"}, {Reclaimed, false, 1, false, 1, "0", "0", "1"},
}

// eager turns an expectation into that of a kernel that copies at the fork: the
// child has frames of its own from the start, and no write causes anything.
func (x expectation) eager() expectation {
	x.fresh, x.refs, x.cow, x.copies, x.reuses = x.child, 1, "0", "0", "0"
	return x
}

// Check holds the program's output against what must come out, figure by
// figure, and gives what is wrong with it; nothing when all is well.  A figure
// that the kernel does not tell is not checked.
func Check(output string, eager bool) (wrong []string) {
	lines := strings.SplitAfter(strings.TrimSuffix(output, "\n"), "\n")
	if len(lines) != len(lazy) {
		return []string{kit.Format("there are ", len(lines), " lines, not ", len(lazy))}
	}
	var seen sight
	for i, text := range lines {
		l, ok := ParseLine(text)
		if !ok {
			return append(wrong, "cannot read "+text)
		}
		want := lazy[i]
		if eager {
			want = want.eager()
		}
		if reason := want.compare(l, &seen); reason != "" {
			wrong = append(wrong, kit.Format(reason, ": ", text))
		}
	}
	return wrong
}

// sight is what the lines so far have shown: what later ones must agree with.
type sight struct {
	before [pages]Line   // the pages before the fork
	child  int           // the child's pid
	own    [pages]uint64 // the frames that the child has for itself
}

// compare gives the first figure of l that is not as expected.
func (x expectation) compare(l Line, seen *sight) string {
	if x.step == Before {
		seen.before[x.page] = l
	}
	first := seen.before[0].PID
	pid := first
	if x.child {
		if seen.child == 0 {
			seen.child = l.PID
		}
		pid = seen.child
	}
	frame := seen.before[x.page].PFN
	if x.fresh {
		if seen.own[x.page] == 0 {
			seen.own[x.page] = l.PFN
		}
		frame = seen.own[x.page]
	}
	known := func(got, want string) bool { return got == want || got == "?" }
	switch {
	case l.Step != x.step:
		return "not step " + x.step
	case l.PID != pid || x.child && pid == first:
		return "the wrong process"
	case l.VA != seen.before[x.page].VA || l.VA != seen.before[0].VA+uint64(x.page*sys.PageSize):
		return "the wrong page"
	case l.PFN == 0 || l.PFN != frame || x.fresh && l.PFN == seen.before[x.page].PFN:
		return "the wrong frame"
	case l.Refs != x.refs:
		return kit.Format("refs should be ", x.refs)
	case !known(l.Cow, x.cow):
		return "cow should be " + x.cow
	case !known(l.Copies, x.copies):
		return "copies should be " + x.copies
	case !known(l.Reuses, x.reuses):
		return "reuses should be " + x.reuses
	}
	return ""
}
