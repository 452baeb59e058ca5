// Package kernel is the kernel proper: processes, system calls and signals.
//
// User mode is a function that returns: Machine.Enter.  A process is a
// goroutine that calls it ([Process] and its run loop).  What a process may
// touch is mm's affair, what it may open is vfs's; this package ties them to
// the life of a process: fork, vfork, exec, exit, wait and the signals between
// processes.
//
// # The one lock
//
// There is one processor and one kernel lock, Kernel.mu.  A process holds it
// whenever it runs, and lets go of it in two places only: when a timer
// interrupt has ended its user mode, to give others a turn, and while it sleeps
// ([Process.Sleep]).  It guards everything
// of this package, and of mm, vfs, the file systems, pipes and terminals; the
// few fields that it does not guard say so.  There is no pre-emption inside the
// kernel: what a system call has checked stays true until it sleeps.
//
//	Kernel.mu
//	 ├── Process.*            (all but the immutable fields)
//	 ├── mm.Memory, mm.AddressSpace, mm.Object, mm.Budget
//	 ├── vfs.*, pipes, terminals
//	 └── trace.Log
//
// Nothing is locked inside it.  Process.wake is a channel and needs no lock, so
// a timer may end a sleep without one.
//
// # Errors
//
// Reasons below, numbers at the gate: mm, vfs and elf return typed reasons,
// errnoOf turns them into errno, and only the functions that are system calls
// themselves name an errno.
package kernel

import (
	"fmt"
	"iter"
	"slices"
	"sync"

	"yolk/kernel/abi"
	"yolk/kernel/signal"
	"yolk/kernel/trace"
	"yolk/kernel/vfs"
	"yolk/mm"
)

// MaxProcesses is the number of slots of the process table.
const MaxProcesses = 1024

// Config is what a Kernel is made of.
type Config struct {
	Machine   Machine
	Memory    *mm.Memory
	Log       *trace.Log
	Budget    *mm.Budget // Go heap that users may make the kernel use, all together
	EagerFork bool       // fork copies pages at once instead of sharing them
	Calls     []Call     // system calls beside those that are the life of a process
	Debug     *Debug     // to be filled in for debuggers; may be nil
}

// Counters count what the kernel did since boot.
type Counters struct {
	Forks, VForks, Execs uint64
}

// Kernel is one running system.
type Kernel struct {
	mu       sync.Mutex
	machine  Machine
	memory   *mm.Memory
	trace    *trace.Log
	budget   *mm.Budget
	base     *mm.Budget // of it, for what a process costs at the least
	shared   *mm.Budget // the rest, of which each user has a share
	forkMode mm.ForkMode
	calls    [abi.SysCount]Call     // by number; built once
	unknown  [abi.SysCount + 1]bool // logged already; the last is for numbers beyond the table

	Counters Counters

	slots    [MaxProcesses]*Process
	byPID    map[int]*Process
	idUses   map[int]int // how many processes have the number as pid, group or session
	lastPID  int
	procs    int // live and zombie
	init     *Process
	lastTick int64 // Machine.Nanotime at the last interrupt of user mode
	traced   struct {
		running *Process // of the last Switch event
		sampled int64    // Machine.Nanotime of the last Free event
	}

	halted   bool
	status   uint32
	finished chan struct{} // closed when no process is left
	scratch  [4096]byte    // for copies between user memory and the gate
}

// New returns a kernel without processes.
func New(c Config) *Kernel {
	k := &Kernel{
		machine: c.Machine, memory: c.Memory, trace: c.Log,
		budget: c.Budget, base: mm.NewBudget(c.Budget, min(c.Budget.Limit()/2, MaxProcesses*processCost)),
		byPID: make(map[int]*Process), idUses: make(map[int]int), finished: make(chan struct{}),
	}
	k.shared = mm.NewBudget(c.Budget, c.Budget.Limit()-k.base.Limit())
	if c.EagerFork {
		k.forkMode = mm.ForkEager
	}
	for _, list := range [][]Call{processCalls, identityCalls, c.Calls} {
		for _, c := range list {
			if k.calls[c.Nr].Do != nil {
				panic("kernel: two functions for system call " + c.Name)
			}
			k.calls[c.Nr] = c
		}
	}
	if c.Debug != nil {
		*c.Debug = Debug{Version: debugVersion, Kernel: k}
	}
	return k
}

// Lock takes the kernel lock, for code of boot's and of devices' that is no
// process: interrupts' goroutines, timers.
func (k *Kernel) Lock() {
	k.mu.Lock()
	k.trace.PID = 0
}

// Unlock gives it back.
func (k *Kernel) Unlock() { k.mu.Unlock() }

// Start makes process 1 out of the program at path and lets it run.  It gets
// the descriptors of files and the directories of fs.  Called once, without the
// kernel lock; the error is that of exec.
func (k *Kernel) Start(path string, argv, envp []string, files *vfs.Table, fs *vfs.Context) error {
	k.Lock()
	defer k.Unlock()
	k.traceBoot()
	p, err := k.newProcess(nil)
	if err != nil {
		return err
	}
	k.trace.PID = int32(p.pid)
	p.Files, p.FS = files, fs
	p.Limits = defaultLimits(k)
	p.join(p.pid, p.pid)
	if err := p.load(path, argv, envp); err != nil {
		k.forget(p)
		return err
	}
	k.init, p.Signals.Init = p, true
	go p.run()
	return nil
}

// Run waits until the machine is powered off and every process has left, and
// returns the status that the host was told.  On the real machine PowerOff does
// not return, and so neither does Run.
func (k *Kernel) Run() uint32 {
	<-k.finished
	return k.status
}

// PowerOff ends the machine with a wait status.  Where Machine.PowerOff comes
// back, every process is killed.
func (k *Kernel) PowerOff(status uint32) {
	if k.halted {
		return
	}
	k.halted, k.status = true, status
	k.machine.PowerOff(status)
	for p := range k.Processes() {
		p.doom(abi.SIGKILL)
	}
}

// Process returns the process with the given pid, a zombie too, or nil.
func (k *Kernel) Process(pid int) *Process { return k.byPID[pid] }

// Processes yields all processes, zombies too, in no order.
func (k *Kernel) Processes() iter.Seq[*Process] {
	return func(yield func(*Process) bool) {
		for _, p := range k.slots[:] {
			if p != nil && !yield(p) {
				return
			}
		}
	}
}

// PIDs returns the pids in use, in ascending order.
func (k *Kernel) PIDs() []int {
	pids := make([]int, 0, k.procs)
	for pid := range k.byPID {
		pids = append(pids, pid)
	}
	slices.Sort(pids)
	return pids
}

// Machine, Memory and Budget return what New was given.
func (k *Kernel) Machine() Machine   { return k.machine }
func (k *Kernel) Memory() *mm.Memory { return k.memory }
func (k *Kernel) Budget() *mm.Budget { return k.budget }

// Share returns a budget for one more user of the kernel's heap, who has paid for
// so many bytes already.
func (k *Kernel) Share(paid int64) *mm.Budget { return mm.NewShare(k.shared, paid) }

// Hold implements mm.Holder: what processes run on, and the files that they have
// open, which may have lost their names.
func (k *Kernel) Hold(c *mm.Checker) {
	for p := range k.Processes() {
		if c.Space(p.space); p.Files == nil {
			continue
		}
		p.Files.Each(func(_ int, d *vfs.Description) bool {
			if o := d.Object(); o != nil {
				c.Object(o)
			}
			return true
		})
	}
}

// SignalGroup sends a signal of the kernel's to every process of a group.
func (k *Kernel) SignalGroup(pgid, sig int) {
	for p := range k.Processes() {
		if p.pgid == pgid {
			p.signal(sig, signal.Info{Code: abi.SI_KERNEL})
		}
	}
}

func (k *Kernel) logf(format string, args ...any) {
	k.machine.Log(fmt.Sprintf(format, args...))
}
