package qemu

import (
	"strconv"

	"yolk/kernel/trace"
)

// fields says which of an event's fields each kind uses, under which name.  The
// comments in trace.Kind are the source.
var fields = map[trace.Kind][]traceField{
	trace.Fork:        {child, oldRoot, newRoot},
	trace.VFork:       {child, oldRoot, newRoot},
	trace.VForkSleep:  {child},
	trace.VForkWake:   {child},
	trace.Exec:        {oldRoot, newRoot},
	trace.ExecFail:    {errno},
	trace.Exit:        {status},
	trace.Wait:        {child, status},
	trace.Reparent:    {parent},
	trace.Fault:       {va, hwError, decision, oldFrame, newFrame, refs},
	trace.TableMake:   {va, newFrame, level, oldRoot},
	trace.TableFree:   {oldFrame, level},
	trace.FlushPage:   {va, oldRoot},
	trace.FlushSpace:  {oldRoot},
	trace.SignalSend:  {receiver, signal},
	trace.SignalFrame: {signal, va},
	trace.SignalKill:  {signal},
	trace.Syscall:     {call, firstArg},
	trace.SysReturn:   {call, result},
}

// A traceField is one member of an event's JSON object.
type traceField struct {
	name  string
	value func(b []byte, ev *trace.Event) []byte
}

var (
	child    = traceField{"child", aux}
	parent   = traceField{"parent", aux}
	receiver = traceField{"to", aux}
	level    = traceField{"level", aux}
	firstArg = traceField{"arg", aux}
	result   = traceField{"result", func(b []byte, ev *trace.Event) []byte {
		return strconv.AppendInt(b, int64(ev.Aux), 10)
	}}
	errno    = traceField{"errno", errCode}
	status   = traceField{"status", errCode}
	hwError  = traceField{"err", errCode}
	signal   = traceField{"signal", errCode}
	oldRoot  = traceField{"old_root", oldPFN}
	newRoot  = traceField{"new_root", newPFN}
	oldFrame = traceField{"old_pfn", oldPFN}
	newFrame = traceField{"new_pfn", newPFN}
	va       = traceField{"va", func(b []byte, ev *trace.Event) []byte {
		b = append(b, `"0x`...)
		return append(strconv.AppendUint(b, ev.VA, 16), '"')
	}}
	call = traceField{"call", func(b []byte, ev *trace.Event) []byte {
		return strconv.AppendUint(b, ev.VA, 10)
	}}
	refs = traceField{"refs", func(b []byte, ev *trace.Event) []byte {
		return strconv.AppendUint(b, uint64(ev.Refs), 10)
	}}
	decision = traceField{"decision", func(b []byte, ev *trace.Event) []byte {
		return strconv.AppendQuote(b, ev.Decision.String())
	}}
)

func aux(b []byte, ev *trace.Event) []byte     { return strconv.AppendUint(b, ev.Aux, 10) }
func errCode(b []byte, ev *trace.Event) []byte { return strconv.AppendUint(b, uint64(ev.Err), 10) }
func oldPFN(b []byte, ev *trace.Event) []byte  { return strconv.AppendUint(b, ev.Old, 10) }
func newPFN(b []byte, ev *trace.Event) []byte  { return strconv.AppendUint(b, ev.New, 10) }

// AppendJSON appends the event as one JSON object and a newline: seq, t (in
// nanoseconds since boot), pid, kind and what the kind has besides.  Addresses
// are strings in hexadecimal, frames are decimal frame numbers.
func AppendJSON(b []byte, ev *trace.Event) []byte {
	b = append(b, `{"seq":`...)
	b = strconv.AppendUint(b, ev.Seq, 10)
	b = append(b, `,"t":`...)
	b = strconv.AppendInt(b, ev.Time, 10)
	b = append(b, `,"pid":`...)
	b = strconv.AppendInt(b, int64(ev.PID), 10)
	b = append(b, `,"kind":"`...)
	b = append(b, ev.Kind.String()...)
	b = append(b, '"')
	for _, f := range fields[ev.Kind] {
		b = append(b, ',', '"')
		b = append(b, f.name...)
		b = append(b, '"', ':')
		b = f.value(b, ev)
	}
	return append(b, '}', '\n')
}
