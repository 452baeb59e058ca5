package kernel

import (
	"runtime"

	"yolk/arch/amd64"
	"yolk/kernel/abi"
	"yolk/kernel/signal"
	"yolk/kernel/trace"
	"yolk/kernel/vfs"
	"yolk/mm"
)

// State is what a process is doing, as ps(1) writes it.
type State byte

// The states of a process.
const (
	Running  State = 'R' // in user mode, in the kernel, or ready to be
	Sleeping State = 'S'
	Stopped  State = 'T' // by SIGSTOP or a kin of it, until SIGCONT
	Zombie   State = 'Z' // has exited and was not waited for yet
)

const (
	// modesty is what a process may always have of the Go heap: a dozen open
	// files and mappings, a few arguments.  So whatever others have taken, a
	// shell can start the program that ends them.
	modesty = 16 << 10

	// processCost is the Go heap charged for a process: that, its Process, its
	// trap frame, and its goroutine's stack, which grows to 16 KiB in deep calls.
	processCost = 20<<10 + modesty
)

// Process is a user program in execution: a goroutine that alternates between
// user mode and the kernel until it exits.
type Process struct {
	// Immutable.
	kernel *Kernel
	pid    int
	slot   int
	frame  *amd64.TrapFrame // the processor's while in user mode, the lock holder's otherwise
	wake   chan struct{}    // holds a token when a sleep is to end; needs no lock
	budget *mm.Budget

	// Everything below is guarded by Kernel.mu.
	Files    *vfs.Table
	FS       *vfs.Context
	UID, GID IDs
	Limits   [abi.RLIM_NLIMITS]Limit // by RLIMIT_ number
	Signals  signal.State            // Recheck follows a change that may let one through

	space *mm.AddressSpace
	root  mm.Frame // space.Root(), for the run loop
	args  Args     // of the system call in progress

	attention       bool // something is to be done before user mode goes on: see settle
	exiting         bool
	status          uint32 // as in wait(2), once exiting
	interruptedCall int    // number of the call that a signal interrupted; -1: none
	state           State
	stopped         bool // by a signal

	parent   *Process
	children []*Process
	pgid     int
	sid      int
	usage    abi.Rusage
	childUse abi.Rusage // of reaped children, and of those that they had reaped

	exitSignal  int      // what the parent gets at exit; SIGCHLD or, by clone(2), another or none
	vforkParent *Process // sleeps until this process leaves its address space
	execed      bool     // has called exec since it was forked, for setpgid(2)
	stopReport  uint32   // wait status of a stop or continuation nobody waited for yet
	clearTID    uint64   // set_tid_address(2)
	alarm       alarm
	image       image
	startTime   int64 // Machine.Nanotime of its birth
}

// image is what the process runs.
type image struct {
	comm             string // at most 15 bytes, as PR_GET_NAME shows it
	path             string // absolute path of the program
	bias             uint64 // added to the addresses of its file, if it is position-independent
	argStart, argEnd uint64 // where the arguments lie on the stack
	envStart, envEnd uint64
}

// newProcess takes a slot, a pid and the cost of a process whose parent is
// given; forget undoes it.
func (k *Kernel) newProcess(parent *Process) (*Process, error) {
	if k.halted || k.procs == MaxProcesses {
		return nil, errLimit
	}
	if k.base.Charge(processCost) != nil {
		return nil, errLimit
	}
	p := &Process{
		kernel: k, pid: k.allocPID(), frame: k.machine.NewFrame(), wake: make(chan struct{}, 1), budget: k.Share(modesty),
		parent: parent, state: Running, exitSignal: abi.SIGCHLD, interruptedCall: -1, startTime: k.machine.Nanotime(),
	}
	for k.slots[p.slot] != nil {
		p.slot++
	}
	k.slots[p.slot] = p
	k.byPID[p.pid] = p
	k.useID(p.pid, 1)
	k.procs++
	return p, nil
}

// forget removes a process from the table: one that was reaped, or one that
// never came to run.
func (k *Kernel) forget(p *Process) {
	k.slots[p.slot] = nil
	delete(k.byPID, p.pid)
	for _, id := range [...]int{p.pid, p.pgid, p.sid} {
		k.useID(id, -1)
	}
	k.procs--
	k.base.Release(processCost)
}

// run is the life of a process.  Between two entries to user mode, it does
// what the trap asks for and whatever has come up meanwhile.
//
// WHY the lock is held in user mode, too: there is one processor, so while a
// program runs on it, nobody could use the lock.  It changes hands where the
// processor does: in yield, after a timer interrupt, and in Sleep.
func (p *Process) run() {
	k := p.kernel
	deepen()
	k.mu.Lock()
	if k.trace.PID = int32(p.pid); k.trace.On(trace.ClassSched) {
		p.traceSwitch()
	}
	hookEnter(p)
	for {
		if p.attention {
			if p.settle(); p.exiting {
				break
			}
		}
		k.machine.Enter(p.frame, p.root)
		if p.frame.Vector == amd64.Syscall {
			p.syscall()
		} else {
			p.trap()
		}
	}
	p.exit()
	if k.procs == 0 {
		close(k.finished)
	}
	k.mu.Unlock()
}

// deepen makes the goroutine's stack as large as a system call needs.
//
// WHY: a fresh goroutine has 2 KiB, and Go moves the stack each time that it
// doubles, frame by frame.  Here there is one frame to move; in the midst of a
// page fault there are ten.
//
//go:noinline
func deepen() byte {
	var room [6 << 10]byte
	return room[runtime.NumCPU()%len(room)] // an index that the compiler does not know
}

// yield gives the other goroutines a turn.
func (p *Process) yield() {
	p.usage.Involuntary++
	k := p.kernel
	k.mu.Unlock()
	runtime.Gosched()
	k.mu.Lock()
	if k.trace.PID = int32(p.pid); k.trace.On(trace.ClassSched) {
		p.traceSwitch()
	}
}

// pause sleeps in the given state until a token is there.
func (p *Process) pause(s State) {
	p.state = s
	p.usage.Voluntary++
	k := p.kernel
	k.mu.Unlock()
	<-p.wake
	k.mu.Lock()
	if k.trace.PID = int32(p.pid); k.trace.On(trace.ClassSched) {
		p.traceSwitch()
	}
	p.state = Running
}

// Wake ends p's sleep, or its next one.  It is the one method that may be
// called without the kernel lock.
func (p *Process) Wake() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// Sleep gives up the kernel lock until p is woken; see vfs.Caller.  A signal
// that stops the process does so right here, so that the call which sleeps
// goes on after SIGCONT as if nothing had been.
func (p *Process) Sleep() error {
	if p.interrupted() {
		return vfs.ErrInterrupted
	}
	p.pause(Sleeping)
	if p.interrupted() {
		return vfs.ErrInterrupted
	}
	return nil
}

// PID implements vfs.Caller, as do the methods below.
func (p *Process) PID() int                  { return p.pid }
func (p *Process) Group() int                { return p.pgid }
func (p *Process) Session() int              { return p.sid }
func (p *Process) Budget() *mm.Budget        { return p.budget }
func (p *Process) Now() int64                { return p.kernel.machine.Walltime() }
func (p *Process) Signal(sig int)            { p.signal(sig, signal.Info{Code: abi.SI_KERNEL}) }
func (p *Process) SignalGroup(pgid, sig int) { p.kernel.SignalGroup(pgid, sig) }

// State returns what the process is doing, Comm its name as PR_GET_NAME shows
// it, Executable the absolute path of its program.
func (p *Process) State() State       { return p.state }
func (p *Process) Comm() string       { return p.image.comm }
func (p *Process) Executable() string { return p.image.path }

// Space returns the address space; nil once the process has left it.
func (p *Process) Space() *mm.AddressSpace { return p.space }

// Frame returns the registers of user mode as the last trap saved them.
func (p *Process) Frame() *amd64.TrapFrame { return p.frame }

// Kernel returns the system that p is part of.
func (p *Process) Kernel() *Kernel { return p.kernel }

// Scratch returns an empty slice of 4096 bytes' capacity in which to encode what
// goes to user memory.  Everyone shares it: it is p's until p sleeps.
func (p *Process) Scratch() []byte { return p.kernel.scratch[:0] }

// StackPointer returns the RSP of p's user mode.
func (p *Process) StackPointer() uint64 { return p.frame.RSP }

// Usage returns what p has used so far, and what its reaped children had
// (getrusage(2)); to be read only.
func (p *Process) Usage() (own, children *abi.Rusage) { return &p.usage, &p.childUse }

// Parent returns the parent's process number; 0 for process 1.
func (p *Process) Parent() int {
	if p.parent == nil {
		return 0
	}
	return p.parent.pid
}

// Arguments and Environment return where the process's argument and
// environment strings lie in its memory, for /proc.
func (p *Process) Arguments() (start, end uint64)   { return p.image.argStart, p.image.argEnd }
func (p *Process) Environment() (start, end uint64) { return p.image.envStart, p.image.envEnd }

// Times returns the CPU time used, in user mode and in the kernel, and
// Machine.Nanotime at the process's start, all in nanoseconds.
func (p *Process) Times() (user, system, start int64) {
	return p.usage.User, p.usage.System, p.startTime
}

// SetComm sets the program's name, of which 15 bytes count.
func (p *Process) SetComm(name string) {
	p.image.comm = name[:min(len(name), 15)]
	p.traceName()
}

// emit records an event of p's, if its class is on.
func (p *Process) emit(class trace.Class, ev trace.Event) {
	if log := p.kernel.trace; log.On(class) {
		ev.PID = int32(p.pid)
		log.Emit(ev)
	}
}
