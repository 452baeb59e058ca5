package qemu

import (
	"strconv"

	"yolk/kernel/trace"
)

// kinds names the kinds of events and says which of an event's fields each
// uses, under which name.  The comments in trace.Kind are the source.
var kinds = map[trace.Kind]struct {
	name   string
	fields []traceField
}{
	trace.Fork:        {"fork", []traceField{child, oldRoot, newRoot}},
	trace.VFork:       {"vfork", []traceField{child, oldRoot, newRoot}},
	trace.VForkSleep:  {"vfork-sleep", []traceField{child}},
	trace.VForkWake:   {"vfork-wake", []traceField{child}},
	trace.Exec:        {"exec", []traceField{oldRoot, newRoot}},
	trace.ExecFail:    {"exec-fail", []traceField{errno}},
	trace.Exit:        {"exit", []traceField{status}},
	trace.Wait:        {"wait", []traceField{child, status}},
	trace.Reparent:    {"reparent", []traceField{parent}},
	trace.Fault:       {"fault", []traceField{va, hwError, decision, oldFrame, newFrame, refs}},
	trace.TableMake:   {"table-make", []traceField{va, newFrame, level, oldRoot}},
	trace.TableFree:   {"table-free", []traceField{oldFrame, level}},
	trace.FlushPage:   {"flush-page", []traceField{va, oldRoot}},
	trace.FlushSpace:  {"flush-space", []traceField{oldRoot}},
	trace.SignalSend:  {"signal-send", []traceField{receiver, signal}},
	trace.SignalFrame: {"signal-frame", []traceField{signal, va}},
	trace.SignalKill:  {"signal-kill", []traceField{signal}},
	trace.Syscall:     {"syscall", []traceField{call, firstArg}},
	trace.SysReturn:   {"sysreturn", []traceField{call, result}},
}

// decisions names the decisions of the page-fault handler.
var decisions = map[trace.Decision]string{
	trace.NoDecision:  "none",
	trace.DemandZero:  "demand-zero",
	trace.ZeroPage:    "zero-page",
	trace.FilePage:    "file-page",
	trace.FileCopy:    "file-copy",
	trace.COWCopy:     "cow-copy",
	trace.COWReuse:    "cow-reuse",
	trace.StackGrow:   "stack-grow",
	trace.SharedWrite: "shared-write",
	trace.Spurious:    "spurious",
	trace.SegvMapErr:  "segv-maperr",
	trace.SegvAccErr:  "segv-accerr",
	trace.BusAdrErr:   "bus-adrerr",
	trace.OutOfMemory: "out-of-memory",
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
		return strconv.AppendQuote(b, decisions[ev.Decision])
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
	k := kinds[ev.Kind]
	b = append(b, `{"seq":`...)
	b = strconv.AppendUint(b, ev.Seq, 10)
	b = append(b, `,"t":`...)
	b = strconv.AppendInt(b, ev.Time, 10)
	b = append(b, `,"pid":`...)
	b = strconv.AppendInt(b, int64(ev.PID), 10)
	b = append(b, `,"kind":"`...)
	b = append(b, k.name...)
	b = append(b, '"')
	for _, f := range k.fields {
		b = append(b, ',', '"')
		b = append(b, f.name...)
		b = append(b, '"', ':')
		b = f.value(b, ev)
	}
	return append(b, '}', '\n')
}
