package sys

import "unsafe"

// Options of wait4(2).
const (
	WNOHANG   = 1
	WUNTRACED = 2
)

// Getpid is getpid(2).
func Getpid() int { r, _ := Call(SysGetpid, 0, 0, 0, 0, 0, 0); return int(r) }

// Getppid is getppid(2).
func Getppid() int { r, _ := Call(SysGetppid, 0, 0, 0, 0, 0, 0); return int(r) }

// Exit ends the process with the low eight bits of status (exit_group(2)).
//
//go:nosplit
func Exit(status int) {
	for {
		Call(SysExitGroup, uintptr(status), 0, 0, 0, 0, 0)
	}
}

// Fork is fork(2): it returns twice, 0 in the child and the child's pid in the
// parent.
//
// WHY a Go program may do this at all: the layer under these programs has one
// thread.  With more, the child would own a copy of locks that threads which it
// does not have will never release.
func Fork() (int, error) { return check(Call(SysFork, 0, 0, 0, 0, 0, 0)) }

// A Child is what runs in the child of a vfork.
type Child interface {
	// Run runs on the sleeping parent's stack and in its memory.  It ends in
	// exec or exit; if it returns, the child exits with status 127.
	//
	// It must be marked nosplit and call only what is: no Go stack may grow
	// here, for the runtime would move the very stack that the parent sleeps
	// on.  It must not allocate either.
	Run()
}

// VFork is vfork(2): c.Run runs in a child that shares the whole address space
// with the caller, while the caller sleeps until the child has called exec or
// exit.  It returns the child's pid, in the parent only.
//
// WHY not a call that returns twice: the child's return would pop the frame
// that the parent has yet to return through.  Here the child goes down from the
// call, never up, so there is nothing to get wrong; [VForkReturns] has the
// other behaviour, for those who want to see it go wrong.
func VFork(c Child) (int, error) { return checkRaw(vfork(c)) }

// VForkChild is [VFork] for the child of a vfork: it takes no stack of its own,
// but goes on in what is left of the parent's.
//
//go:nosplit
func VForkChild(c Child) int { return int(vforkHere(c)) }

// runChild is what the assembly of vfork calls in the child.
//
//go:nosplit
func runChild(c Child) {
	c.Run()
	Exit(127)
}

// VForkReturns is vfork(2) as C programs see it: it returns twice.  The child
// must not return from the function that called this, and whatever it pushes on
// the stack the parent finds there.  For demonstrations only.
//
//go:nosplit
func VForkReturns() int { return int(vforkReturns()) }

// checkRaw splits RAX as the kernel leaves it into result and error number.
func checkRaw(r uintptr) (int, error) {
	if r > ^uintptr(4095) {
		return -1, Errno(-r)
	}
	return int(r), nil
}

// An Image is a program to exec, with path, arguments and environment already
// in the form that the kernel reads: arrays of pointers to strings that end in
// NUL.  Making one allocates; executing it does not.
type Image struct {
	path       *byte
	argv, envp []*byte
}

// NewImage prepares the execution of path with the arguments argv (the first of
// which is the name that the program sees) and the environment envp.
func NewImage(path string, argv, envp []string) *Image {
	return &Image{cstr(path), cstrs(argv), cstrs(envp)}
}

// Exec is execve(2).  It returns only when it failed, and then with the reason.
// The child of a vfork may call it.
//
//go:nosplit
func (m *Image) Exec() Errno {
	_, e := Call(SysExecve, uintptr(unsafe.Pointer(m.path)),
		uintptr(unsafe.Pointer(unsafe.SliceData(m.argv))),
		uintptr(unsafe.Pointer(unsafe.SliceData(m.envp))), 0, 0, 0)
	return e
}

// Addresses gives the three arguments of execve(2) as numbers, which stay good
// from now on; see [Pin].
func (m *Image) Addresses() (path, argv, envp uintptr) {
	pinned = append(pinned, m)
	return uintptr(unsafe.Pointer(m.path)), uintptr(unsafe.Pointer(unsafe.SliceData(m.argv))),
		uintptr(unsafe.Pointer(unsafe.SliceData(m.envp)))
}

// Exec replaces the process's program by the one at path (execve(2)).  It
// returns only when that failed.
func Exec(path string, argv, envp []string) error { return NewImage(path, argv, envp).Exec() }

// cstrs is the NUL-terminated array of NUL-terminated strings of execve(2).
func cstrs(list []string) []*byte {
	p := make([]*byte, len(list)+1)
	for i, s := range list {
		p[i] = cstr(s)
	}
	return p
}

// VForkExec starts the program at path in a new process, by vfork and exec.
// When the exec fails the error is returned and no child remains.
func VForkExec(path string, argv, envp []string) (int, error) {
	c := spawn{image: NewImage(path, argv, envp)}
	pid, err := VFork(&c)
	if err != nil {
		return -1, err
	}
	if c.errno != 0 {
		Wait4(pid, 0)
		return -1, c.errno
	}
	return pid, nil
}

// spawn is the child of VForkExec.  It reports a failed exec by writing into
// its parent's memory: after vfork there is only one memory.
type spawn struct {
	image *Image
	errno Errno
}

// Run executes the image, or tells the parent why that is not possible.
//
//go:nosplit
func (c *spawn) Run() { c.errno = c.image.Exec() }

// Registers is what a process finds in its registers after a fork for which
// each was loaded with a known value.
type Registers struct {
	General [12]uint64 // RBX RDX RSI RDI RBP R8 R9 R10 R12 R13 R14 R15
	Vector  [3]uint64  // the low halves of XMM0, XMM7 and XMM15
	Flags   uint64     // RFLAGS; the carry flag was set before the call
}

// CarryFlag is bit 0 of RFLAGS.
const CarryFlag = 1

// ForkRegisters is [Fork] with a known pattern in every register.
func ForkRegisters() (int, Registers, error) {
	var r Registers
	pid, err := checkRaw(forkRegisters(&r))
	return pid, r, err
}

// SpinRegisters loops n times with a known pattern in every register, and gives
// what the registers hold in the end: the same, whatever interrupted the loop.
func SpinRegisters(n uint64) Registers {
	var r Registers
	spinRegisters(n, &r)
	return r
}

// Want says what a correct kernel leaves in r: the pattern that was loaded.
func (r Registers) Want() bool {
	for i, v := range r.General {
		if v != registerPattern+uint64(i) {
			return false
		}
	}
	return r.Vector == [3]uint64{registerPattern, registerPattern + 5, registerPattern + 11} &&
		r.Flags&CarryFlag != 0
}

// registerPattern is the value in the first register; each later one has one more.
const registerPattern = 0x1111222233330001

// A WaitStatus is the status word of wait(2).
type WaitStatus uint32

// Exited tells whether the process ended by calling exit.
func (w WaitStatus) Exited() bool { return w&0x7f == 0 }

// ExitStatus is the status passed to exit, when Exited.
func (w WaitStatus) ExitStatus() int { return int(w>>8) & 0xff }

// Signaled tells whether a signal ended the process.
func (w WaitStatus) Signaled() bool { return w&0x7f != 0 && w&0x7f != 0x7f }

// Signal is the signal that ended the process, when Signaled.
func (w WaitStatus) Signal() int { return int(w & 0x7f) }

// Code is the status as a shell reports it in $?: that of exit, or 128 plus the
// signal's number.
func (w WaitStatus) Code() int {
	if w.Signaled() {
		return 128 + w.Signal()
	}
	return w.ExitStatus()
}

// String says in words how the process ended.
func (w WaitStatus) String() string {
	if w.Signaled() {
		return "signal " + itoa(w.Signal())
	}
	return "exit " + itoa(w.ExitStatus())
}

// Wait4 is wait4(2) without the usage: it gives the pid of the child that ended
// and its status; pid 0 with WNOHANG when none has.
func Wait4(pid, options int) (int, WaitStatus, error) {
	var status uint32
	r, err := check(Call(SysWait4, uintptr(pid), uintptr(unsafe.Pointer(&status)), uintptr(options), 0, 0, 0))
	return r, WaitStatus(status), err
}

// Setsid is setsid(2).
func Setsid() (int, error) { return check(Call(SysSetsid, 0, 0, 0, 0, 0, 0)) }

// Setpgid is setpgid(2).
func Setpgid(pid, pgid int) error {
	return fails(Call(SysSetpgid, uintptr(pid), uintptr(pgid), 0, 0, 0, 0))
}

// SubreaperOption is PR_SET_CHILD_SUBREAPER of prctl(2): orphaned descendants
// come to the caller rather than to init.
const SubreaperOption = 36

// Prctl is prctl(2) with one argument.
func Prctl(option, arg int) error {
	return fails(Call(SysPrctl, uintptr(option), uintptr(arg), 0, 0, 0, 0))
}

// Resources of Prlimit.
const (
	RlimitFsize  = 1
	RlimitStack  = 3
	RlimitNproc  = 6
	RlimitNofile = 7
	RlimitAS     = 9
)

// Rlimit is struct rlimit of getrlimit(2).
type Rlimit struct{ Cur, Max uint64 }

// Getrlimit is getrlimit(2).
func Getrlimit(resource int) (Rlimit, error) {
	var l Rlimit
	err := fails(Call(SysPrlimit64, 0, uintptr(resource), 0, uintptr(unsafe.Pointer(&l)), 0, 0))
	return l, err
}

// Setrlimit is setrlimit(2).
func Setrlimit(resource int, l Rlimit) error {
	return fails(Call(SysPrlimit64, 0, uintptr(resource), uintptr(unsafe.Pointer(&l)), 0, 0, 0))
}

// Reboot commands of reboot(2).
const (
	rebootMagic1   = 0xfee1dead
	rebootMagic2   = 672274793
	RebootPowerOff = 0x4321fedc
)

// Reboot is reboot(2) with the two magic numbers filled in.
func Reboot(cmd uint32) error {
	return fails(Call(SysReboot, rebootMagic1, rebootMagic2, uintptr(cmd), 0, 0, 0))
}
