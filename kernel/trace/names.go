package trace

var kindNames = [kindCount]string{
	Fork: "fork", VFork: "vfork", VForkSleep: "vfork-sleep", VForkWake: "vfork-wake",
	Exec: "exec", ExecFail: "exec-fail", Exit: "exit", Wait: "wait", Reparent: "reparent",
	Fault: "fault", TableMake: "table-make", TableFree: "table-free",
	FlushPage: "flush-page", FlushSpace: "flush-space",
	SignalSend: "signal-send", SignalFrame: "signal-frame", SignalKill: "signal-kill",
	Syscall: "syscall", SysReturn: "sysreturn", Args: "args",
	Boot: "boot", Name: "name", Text: "text", Map: "map", Unmap: "unmap", Protect: "protect",
	Entry: "entry", Switch: "switch", Free: "free", Lost: "lost",
}

// String returns the kind's name, as the JSON form and the panic report show it.
func (k Kind) String() string {
	if k < kindCount && kindNames[k] != "" {
		return kindNames[k]
	}
	return "unknown"
}

var decisionNames = [decisionCount]string{
	NoDecision: "none", DemandZero: "demand-zero", ZeroPage: "zero-page",
	FilePage: "file-page", FileCopy: "file-copy", COWCopy: "cow-copy", COWReuse: "cow-reuse",
	StackGrow: "stack-grow", SharedWrite: "shared-write", Spurious: "spurious",
	SegvMapErr: "segv-maperr", SegvAccErr: "segv-accerr", BusAdrErr: "bus-adrerr",
	OutOfMemory: "out-of-memory",
}

// String returns the decision's name.
func (d Decision) String() string {
	if d < decisionCount {
		return decisionNames[d]
	}
	return "unknown"
}
