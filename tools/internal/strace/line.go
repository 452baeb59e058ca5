package strace

import (
	"fmt"
	"io"

	"yolk/kernel/trace"
	"yolk/tools/internal/tracefile"
)

// Lines writes calls as lines.  Where another line comes between a call's
// beginning and its end, it is written in two, as strace does:
//
//	[pid 3] read(0,  <unfinished ...>
//	[pid 2] write(4, ".", 1) = 1
//	[pid 3] <... read resumed>".", 1) = 1
type Lines struct {
	write func(r *tracefile.Record, line string) // writes a line, or its beginning
	more  func(text string)                      // writes more of the last line

	calls map[int32]*Call // by process: those that have begun
	open  int32           // the process whose call is the last, open line; 0 if that is whole
}

// NewLines returns Lines that are written by the two functions: write begins a
// line, of a process and at a time that the record tells, and more goes on with
// it; the newline is in what more is given.
func NewLines(write func(r *tracefile.Record, line string), more func(text string)) *Lines {
	return &Lines{write: write, more: more, calls: map[int32]*Call{}}
}

// Begin takes a Syscall record.
func (l *Lines) Begin(r *tracefile.Record) {
	l.Break()
	c := New(r)
	l.calls[r.PID] = c
	l.write(r, c.Begin())
	l.open = r.PID
}

// End takes a SysReturn record.
func (l *Lines) End(r *tracefile.Record) {
	if l.calls[r.PID] != nil {
		l.end(r, r)
		return
	}
	c := &Call{sig: lookup(r.VA)} // it began before the trace did, or its beginning was lost
	l.Line(r, "<... "+c.Name()+" resumed>) = "+c.result(r.Aux))
}

// Exit takes the record of a process's end: its call will not return.
func (l *Lines) Exit(r *tracefile.Record) {
	if l.calls[r.PID] != nil {
		l.end(r, nil)
	}
}

// end ends the call of the process that r is about; ret is as for Call.End.
func (l *Lines) end(r, ret *tracefile.Record) {
	c := l.calls[r.PID]
	delete(l.calls, r.PID)
	rest, result := c.End(ret)
	if l.open != r.PID {
		l.Line(r, "<... "+c.Name()+" resumed>"+rest+" = "+result)
		return
	}
	l.more(rest + " = " + result + "\n")
	l.open = 0
}

// Line writes a line that is no call.
func (l *Lines) Line(r *tracefile.Record, line string) {
	l.Break()
	l.write(r, line)
	l.more("\n")
}

// Break ends the open line: something else comes.
func (l *Lines) Break() {
	if l.open != 0 {
		l.more(" <unfinished ...>\n")
		l.open = 0
	}
}

// A Printer prints the calls of a program as strace(1) does: of the process that
// init starts for it, from its exec on, and with Follow of all its descendants.
type Printer struct {
	Follow bool

	out     io.Writer
	lines   *Lines
	target  int32          // the program's process; 0 while there is none
	started bool           // it has called exec
	watched map[int32]bool // live processes whose calls are printed
	exec    *tracefile.Record
}

// NewPrinter returns a Printer that writes to w; what cannot be written is lost.
func NewPrinter(w io.Writer, follow bool) *Printer {
	p := &Printer{Follow: follow, out: w, watched: map[int32]bool{}}
	p.lines = NewLines(
		func(r *tracefile.Record, line string) {
			if p.Follow {
				fmt.Fprintf(p.out, "[pid %d] ", r.PID)
			}
			io.WriteString(p.out, line)
		},
		func(text string) { io.WriteString(p.out, text) })
	return p
}

// initPID is the process that starts the program.
const initPID = 1

// Record takes the next record of the trace.
func (p *Printer) Record(r *tracefile.Record) {
	switch r.Kind {
	case trace.Fork, trace.VFork:
		if p.target == 0 && r.PID == initPID {
			p.target = int32(r.Aux)
			p.watched[p.target] = true
		} else if p.Follow && p.started && p.watched[r.PID] {
			p.watched[int32(r.Aux)] = true
		}
	case trace.Lost:
		p.lines.Line(r, fmt.Sprintf("... %d events lost ...", r.Aux))
	case trace.SignalSend: // on behalf of the sender
	default:
		if p.watched[r.PID] {
			p.watch(r)
		}
	}
}

// watch takes a record of a process that is watched.
func (p *Printer) watch(r *tracefile.Record) {
	if !p.started {
		p.start(r)
		return
	}
	switch r.Kind {
	case trace.Syscall:
		p.lines.Begin(r)
	case trace.SysReturn:
		p.lines.End(r)
	case trace.SignalFrame, trace.SignalKill:
		p.lines.Line(r, "--- "+SignalName(r.Err)+" ---")
	case trace.Exit:
		p.lines.Exit(r)
		p.lines.Line(r, "+++ "+StatusWords(r.Err)+" +++")
		delete(p.watched, r.PID)
	}
}

// start waits for the program's exec: what init does before is not its own.
func (p *Printer) start(r *tracefile.Record) {
	switch r.Kind {
	case trace.Syscall:
		kept := *r
		p.exec = &kept
	case trace.Exec:
		p.started = true
		if p.exec != nil {
			p.lines.Begin(p.exec)
		}
	case trace.Exit:
		delete(p.watched, r.PID)
	}
}
