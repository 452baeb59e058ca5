package proc

import (
	"fmt"
	"runtime/metrics"

	"yolk/kernel"
	"yolk/kernel/trace"
	"yolk/kernel/vfs"
	"yolk/mm"
)

// rootFiles are the names in /proc that are no processes.
var rootFiles = []entry{
	{name: "self", place: self},
	{name: "check", verdict: check},
	{name: "cmdline", records: whole(func(fs *FS, _ *kernel.Process, b []byte) []byte { return append(append(b, fs.Cmdline...), '\n') })},
	{name: "filesystems", records: text("nodev\ttmpfs\nnodev\tproc\n")},
	{name: "kpagecount", words: kpagecount},
	{name: "loadavg", records: whole(loadavg)},
	{name: "meminfo", records: whole(meminfo)},
	{name: "mounts", records: text("rootfs / tmpfs rw 0 0\nproc /proc proc rw 0 0\n")},
	{name: "stat", records: whole(systemStat)},
	{name: "uptime", records: whole(uptime)},
	{name: "version", records: text("Linux version 6.1.0-yolk (Yolk, a teaching kernel in Go)\n")},
	{name: "vmstat", records: whole(vmstat)},
}

// pidFiles are the names in /proc/PID.
var pidFiles = []entry{
	{name: "cmdline", records: strings((*kernel.Process).Arguments)},
	{name: "comm", records: whole(func(_ *FS, p *kernel.Process, b []byte) []byte { return append(append(b, p.Comm()...), '\n') })},
	{name: "cwd", place: cwd},
	{name: "environ", records: strings((*kernel.Process).Environment)},
	{name: "exe", place: exe},
	{name: "fd", dir: fds},
	{name: "maps", records: maps},
	{name: "pagemap", words: pagemap},
	{name: "pagetable", records: pagetable},
	{name: "stat", records: whole(stat)},
	{name: "statm", records: whole(statm)},
	{name: "status", records: whole(status)},
}

func self(fs *FS, c vfs.Caller, _ *kernel.Process) (vfs.Place, error) {
	if c == nil {
		return vfs.Place{}, vfs.ErrNotExist
	}
	return vfs.Place{Node: dir{fs: fs, kind: proc, pid: c.PID()}}, nil
}

func cwd(_ *FS, _ vfs.Caller, p *kernel.Process) (vfs.Place, error) {
	if p.FS == nil {
		return vfs.Place{}, vfs.ErrNotExist
	}
	return vfs.Place{Node: p.FS.Cwd}, nil
}

func exe(fs *FS, c vfs.Caller, p *kernel.Process) (vfs.Place, error) {
	return fs.Names.Walk(c, nil, p.Executable(), 0)
}

// descriptor returns where a descriptor was opened.
func descriptor(fd int) func(*FS, vfs.Caller, *kernel.Process) (vfs.Place, error) {
	return func(_ *FS, _ vfs.Caller, p *kernel.Process) (vfs.Place, error) {
		d, err := p.Files.Get(fd)
		if err != nil {
			return vfs.Place{}, vfs.ErrNotExist
		}
		return d.Place, nil
	}
}

// text is a content that never changes.
func text(s string) records {
	return whole(func(_ *FS, _ *kernel.Process, b []byte) []byte { return append(b, s...) })
}

// strings is the content of cmdline and environ: the strings as they lie in the
// process's memory, which may have changed or unmapped them.
func strings(where func(p *kernel.Process) (start, end uint64)) records {
	return func(_ *FS, p *kernel.Process, key uint64, b []byte) ([]byte, uint64) {
		start, end := where(p)
		if p.Space() == nil || start+key >= end {
			return b, 0
		}
		part := make([]byte, min(end-start-key, enough))
		if p.Space().CopyIn(part, mm.VirtAddr(start+key)) != nil {
			return b, 0
		}
		return append(b, part...), key + uint64(len(part))
	}
}

// tick is the unit of times in stat files: 1/100 s (sysconf(3), _SC_CLK_TCK).
const tick = 1e7

// memoryOf returns a process's mapped and resident pages, and the frames of its
// page tables.
func memoryOf(p *kernel.Process) (size, resident, tables int) {
	if s := p.Space(); s != nil {
		return int(s.Size() / mm.PageSize), s.Resident(), s.Tables()
	}
	return 0, 0, 0
}

// stat is proc_pid_stat(5), with 52 fields.
func stat(_ *FS, p *kernel.Process, b []byte) []byte {
	user, system, start := p.Times()
	size, resident, _ := memoryOf(p)
	argStart, argEnd := p.Arguments()
	envStart, envEnd := p.Environment()
	b = fmt.Appendf(b, "%d (%s) %c %d %d %d 0 -1 0 0 0 0 0 ", p.PID(), p.Comm(), p.State(), p.Parent(), p.Group(), p.Session())
	b = fmt.Appendf(b, "%d %d 0 0 20 0 1 0 %d %d %d 18446744073709551615 ", user/tick, system/tick, start/tick, size*mm.PageSize, resident)
	return fmt.Appendf(b, "0 0 0 0 0 0 0 0 0 0 0 0 17 0 0 0 0 0 0 0 0 0 %d %d %d %d 0\n", argStart, argEnd, envStart, envEnd)
}

// statm is proc_pid_statm(5), in pages.
func statm(_ *FS, p *kernel.Process, b []byte) []byte {
	size, resident, _ := memoryOf(p)
	return fmt.Appendf(b, "%d %d 0 0 0 %d 0\n", size, resident, size)
}

// stateNames are the states as status spells them out.
var stateNames = map[kernel.State]string{
	kernel.Running: "running", kernel.Sleeping: "sleeping", kernel.Stopped: "stopped", kernel.Zombie: "zombie",
}

// status is proc_pid_status(5), the lines that Yolk has something to say about.
func status(_ *FS, p *kernel.Process, b []byte) []byte {
	b = fmt.Appendf(b, "Name:\t%s\nState:\t%c (%s)\nTgid:\t%d\nNgid:\t0\nPid:\t%d\nPPid:\t%d\nTracerPid:\t0\n",
		p.Comm(), p.State(), stateNames[p.State()], p.PID(), p.PID(), p.Parent())
	b = append(b, "Uid:\t0\t0\t0\t0\nGid:\t0\t0\t0\t0\nGroups:\t \n"...)
	if size, resident, tables := memoryOf(p); size > 0 {
		b = fmt.Appendf(b, "VmSize:\t%8d kB\nVmRSS:\t%8d kB\nVmPTE:\t%8d kB\n", kB(size), kB(resident), kB(tables))
	}
	return append(b, "Threads:\t1\n"...)
}

// kB is a number of pages in units of 1024 bytes.
func kB(pages int) int { return pages * mm.PageSize >> 10 }

// meminfo is proc_meminfo(5), the lines that programs ask for.
func meminfo(fs *FS, _ *kernel.Process, b []byte) []byte {
	frames, tables := fs.Kernel.Memory().Frames, 0
	for _, pid := range fs.Kernel.PIDs() {
		_, _, n := memoryOf(fs.Kernel.Process(pid))
		tables += n
	}
	for _, line := range []struct {
		name string
		kB   int
	}{
		{"MemTotal", kB(frames.Total())}, {"MemFree", kB(frames.Free())}, {"MemAvailable", kB(frames.Free())},
		{"Buffers", 0}, {"Cached", 0}, {"SwapCached", 0}, {"SwapTotal", 0}, {"SwapFree", 0}, {"Shmem", 0},
		{"Slab", int(fs.Kernel.Budget().Used() >> 10)}, {"PageTables", kB(tables)},
	} {
		b = fmt.Appendf(b, "%-15s %8d kB\n", line.name+":", line.kB)
	}
	return b
}

// vmstat is a line a counter, `name value`.
func vmstat(fs *FS, _ *kernel.Process, b []byte) []byte {
	k, c := fs.Kernel, &fs.Kernel.Memory().Counters
	for _, line := range []struct {
		name  string
		value uint64
	}{
		{"nr_free", uint64(k.Memory().Frames.Free())},
		{"fault_zero", c.Faults[trace.DemandZero]}, {"fault_zeropage", c.Faults[trace.ZeroPage]},
		{"fault_file", c.Faults[trace.FilePage]}, {"fault_file_copy", c.Faults[trace.FileCopy]},
		{"cow_copy", c.Faults[trace.COWCopy]}, {"cow_reuse", c.Faults[trace.COWReuse]},
		{"fault_stack", c.Faults[trace.StackGrow]}, {"fault_spurious", c.Faults[trace.Spurious]},
		{"fault_shared_write", c.Faults[trace.SharedWrite]}, {"fault_around", c.AroundMapped},
		{"fault_maperr", c.Faults[trace.SegvMapErr]}, {"fault_accerr", c.Faults[trace.SegvAccErr]},
		{"fault_bus", c.Faults[trace.BusAdrErr]}, {"fault_oom", c.Faults[trace.OutOfMemory]},
		{"forks", k.Counters.Forks}, {"vforks", k.Counters.VForks}, {"execs", k.Counters.Execs},
		{"fork_shared", c.ForkShared}, {"fork_copied", c.ForkCopied},
		{"table_made", c.TablesMade}, {"table_freed", c.TablesFreed},
		{"tlb_page", c.FlushPages}, {"tlb_space", c.FlushSpaces},
		{"kernel_budget_used", uint64(k.Budget().Used())}, {"kernel_budget_limit", uint64(k.Budget().Limit())},
	} {
		b = fmt.Appendf(b, "%s %d\n", line.name, line.value)
	}
	return goHeap(b)
}

// goHeap is the part of vmstat about the kernel's own heap, in bytes: what the
// last collection found alive; what is in use, garbage included, with the
// goroutines' stacks; all that the Go runtime has taken; and where it begins to
// collect at any price.
func goHeap(b []byte) []byte {
	samples := []metrics.Sample{
		{Name: "/gc/heap/live:bytes"},
		{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/memory/classes/heap/unused:bytes"},
		{Name: "/memory/classes/heap/stacks:bytes"},
		{Name: "/memory/classes/total:bytes"}, {Name: "/gc/gomemlimit:bytes"}, {Name: "/gc/cycles/total:gc-cycles"},
	}
	metrics.Read(samples)
	v := func(i int) uint64 { return samples[i].Value.Uint64() }
	return fmt.Appendf(b, "go_heap_live %d\ngo_heap_inuse %d\ngo_heap_sys %d\ngo_heap_limit %d\ngo_gc_cycles %d\n",
		v(0), v(1)+v(2)+v(3), v(4), v(5), v(6))
}

// load returns how many processes run, and the nanoseconds that those of now
// have used.
func (fs *FS) load() (running int, busy int64) {
	for _, pid := range fs.Kernel.PIDs() {
		p := fs.Kernel.Process(pid)
		if p.State() == kernel.Running {
			running++
		}
		user, system, _ := p.Times()
		busy += user + system
	}
	return running, busy
}

// uptime tells the seconds since boot, and those that the processor was idle.
func uptime(fs *FS, _ *kernel.Process, b []byte) []byte {
	up := fs.Uptime()
	_, busy := fs.load()
	return fmt.Appendf(b, "%.2f %.2f\n", float64(up)/1e9, float64(max(0, up-busy))/1e9)
}

func loadavg(fs *FS, _ *kernel.Process, b []byte) []byte {
	running, _ := fs.load()
	return fmt.Appendf(b, "0.00 0.00 0.00 %d/%d 0\n", running, len(fs.Kernel.PIDs()))
}

// systemStat is proc_stat(5).
func systemStat(fs *FS, _ *kernel.Process, b []byte) []byte {
	up, c := fs.Uptime(), fs.Kernel.Counters
	running, busy := fs.load()
	cpu := fmt.Sprintf("%d 0 0 %d 0 0 0 0 0 0\n", busy/tick, max(0, up-busy)/tick)
	return fmt.Appendf(b, "cpu  %scpu0 %sintr 0\nctxt 0\nbtime %d\nprocesses %d\nprocs_running %d\nprocs_blocked 0\n",
		cpu, cpu, (fs.Walltime()-up)/1e9, c.Forks+c.VForks+1, running)
}
