// Package tracetext writes a trace for people: one event a line, with the time
// in milliseconds, the process, its program's name and what happened.
//
//	480.576  3 cowdemo  fault    write to 0x7ffeffffe000, rw- private: cow-copy, frame 0x8cfc (2 references) → 0x8ecf
//	480.859  3 cowdemo  syscall  getpid() = 3
//
// A system call stands on one line with its result unless something else
// happens meanwhile; see package strace.
package tracetext

import (
	"bufio"
	"fmt"
	"io"
	"iter"
	"strings"

	"yolk/kernel/trace"
	"yolk/tools/internal/strace"
	"yolk/tools/internal/tracefile"
)

// Write writes the events as text.  Its error is that of the events, after all
// that came before it was written, or w's.
func Write(w io.Writer, events iter.Seq2[trace.Event, error], _ string) error {
	out := bufio.NewWriterSize(w, 64<<10)
	t := newText(out)
	var err error
	for r, e := range tracefile.Records(events) {
		if err = e; err != nil {
			break
		}
		t.record(r)
	}
	t.calls.Break()
	if werr := out.Flush(); err == nil {
		err = werr
	}
	return err
}

// text writes lines.
type text struct {
	out   io.StringWriter // that never fails, or remembers that it did
	names tracefile.Names
	calls *strace.Lines
}

func newText(out io.StringWriter) *text {
	t := &text{out: out, names: tracefile.Names{}}
	t.calls = strace.NewLines(
		func(r *tracefile.Record, line string) { t.begin(r, "syscall", line) },
		func(more string) { out.WriteString(more) })
	return t
}

// begin writes the columns of a line and what it says.
func (t *text) begin(r *tracefile.Record, kind, line string) {
	ms := float64(r.Time) / 1e6
	name := t.names[r.PID]
	if r.PID == 0 {
		name = "kernel"
	}
	t.out.WriteString(fmt.Sprintf("%11.3f %4d %-15s %-12s %s", ms, r.PID, name, kind, line))
}

func (t *text) record(r *tracefile.Record) {
	switch r.Kind {
	case trace.Syscall:
		t.calls.Begin(r)
	case trace.SysReturn:
		t.calls.End(r)
	default:
		t.calls.Break()
		t.begin(r, r.Kind.String(), strings.TrimRight(words(r), " "))
		t.out.WriteString("\n")
	}
	t.names.Follow(r)
}

// words says what an event tells, beside who, when and which kind.
func words(r *tracefile.Record) string {
	f := fmt.Sprintf
	switch r.Kind {
	case trace.Boot:
		return f("%d frames, %d of them free; zero page %#x, kernel's root %#x", r.Aux, r.VA, r.Old, r.New)
	case trace.Name:
		return r.Text()
	case trace.Fork:
		return f("child %d in space %#x, a copy of %#x", r.Aux, r.New, r.Old)
	case trace.VFork:
		return f("child %d in the parent's space %#x", r.Aux, r.New)
	case trace.VForkSleep:
		return f("until child %d calls exec or exits", r.Aux)
	case trace.VForkWake:
		return f("child %d has left the space", r.Aux)
	case trace.Exec:
		return f("space %#x → %#x", r.Old, r.New)
	case trace.ExecFail:
		return strace.ErrnoName(r.Err)
	case trace.Exit:
		return strace.StatusWords(r.Err)
	case trace.Wait:
		return f("reaped %d, which %s", r.Aux, strings.Replace("was "+strace.StatusWords(r.Err), "was exited", "exited", 1))
	case trace.Reparent:
		return f("its parent is %d now", r.Aux)
	case trace.SignalSend:
		return f("%s to %d", strace.SignalName(r.Err), r.Aux)
	case trace.SignalFrame:
		return f("%s, handler %#x", strace.SignalName(r.Err), r.VA)
	case trace.SignalKill:
		return strace.SignalName(r.Err)
	case trace.Switch:
		return f("to space %#x", r.New)
	case trace.Free:
		return f("%d frames free, %d shared, %d TLB invalidations so far", r.Aux, r.VA, r.Old)
	case trace.Lost:
		return f("%d events are missing: their reader was too slow", r.Aux)
	}
	return memoryWords(r)
}

// memoryWords is words for events that are about memory.
func memoryWords(r *tracefile.Record) string {
	f := fmt.Sprintf
	switch r.Kind {
	case trace.Fault:
		return faultWords(r)
	case trace.Entry:
		return f("%#x in space %#x: %s → %s, %s", r.VA, r.Aux, Entry(r.Old), Entry(r.New), count(r.Refs, "reference"))
	case trace.TableMake:
		return f("%s in frame %#x for %#x of space %#x", tableNames[r.Aux%5], r.New, r.VA, r.Old)
	case trace.TableFree:
		return f("%s in frame %#x for %#x", tableNames[r.Aux%5], r.Old, r.VA)
	case trace.FlushPage:
		return f("%#x of space %#x", r.VA, r.Old)
	case trace.FlushSpace:
		return f("all of space %#x", r.Old)
	case trace.Map:
		name := r.Text()
		if r.Err&trace.MapFile != 0 {
			name += f(" from %#x on", r.New)
		}
		return f("%s %s in space %#x %s", span(r), Region(r.Err), r.Old, name)
	case trace.Unmap:
		return f("%s in space %#x", span(r), r.Old)
	case trace.Protect:
		return f("%s %s in space %#x", span(r), Rights(r.Err), r.Old)
	}
	return ""
}

var tableNames = [5]string{"table", "PT", "PD", "PDPT", "PML4"}

func span(r *tracefile.Record) string { return fmt.Sprintf("%#x-%#x", r.VA, r.VA+r.Aux) }

func count(n uint32, of string) string {
	if n == 1 {
		return "1 " + of
	}
	return fmt.Sprintf("%d %ss", n, of)
}

// faultWords says what a fault was, where, and what was decided.
func faultWords(r *tracefile.Record) string {
	s := fmt.Sprintf("%s %#x, %s: %v", Access(r.Err), r.VA, regionOf(r), r.Decision)
	switch {
	case r.New == 0:
	case r.Old == 0 || r.Old == r.New:
		s += fmt.Sprintf(", frame %#x (%s)", r.New, count(uint32(r.Aux), "reference"))
	default:
		s += fmt.Sprintf(", frame %#x (%s) → %#x", r.Old, count(r.Refs, "reference"), r.New)
	}
	return s
}

func regionOf(r *tracefile.Record) string {
	if what := uint32(r.Aux >> 32); what != 0 {
		return Region(what)
	}
	return "no region or no rights"
}

// Access puts a page fault's hardware error code into words (SDM 3A §4.7).
func Access(code uint32) string {
	switch {
	case code&16 != 0:
		return "fetch from"
	case code&2 != 0:
		return "write to"
	}
	return "read from"
}

// Rights writes the rights of a region as /proc/PID/maps does.
func Rights(what uint32) string {
	return letters(uint64(what), "rwx")
}

// Region writes the rights and the kind of a region.
func Region(what uint32) string {
	s := Rights(what)
	for _, k := range []struct {
		bit      uint32
		yes, not string
	}{
		{trace.MapShared, " shared", " private"}, {trace.MapFile, " file", ""}, {trace.MapHeap, " heap", ""}, {trace.MapGrowsDown, " stack", ""},
	} {
		if what&k.bit != 0 {
			s += k.yes
		} else {
			s += k.not
		}
	}
	return s
}

// letters writes the lowest bits of v, each by its letter, a dash where it is
// clear.
func letters(v uint64, names string) string {
	b := []byte(names)
	for i := range b {
		if v>>i&1 == 0 {
			b[i] = '-'
		}
	}
	return string(b)
}

// Entry writes a page-table entry: its frame and its flags, present, writable,
// user, no-execute, accessed, dirty and copy-on-write, as /proc/PID/pagetable
// has them; a dash for an empty one.
func Entry(e uint64) string {
	if e == 0 {
		return "-"
	}
	bit := func(n, to int) uint64 { return e >> n & 1 << to }
	flags := bit(0, 0) | bit(1, 1) | bit(2, 2) | bit(63, 3) | bit(5, 4) | bit(6, 5) | bit(9, 6)
	return fmt.Sprintf("%#x %s", e&0x000f_ffff_ffff_f000>>12, letters(flags, "PWUNADC"))
}
