// Package vfs says what the kernel proper expects of files, and holds what all
// file systems share.
//
//	name ──Context.Walk──▶ Node ──Open──▶ Handle
//	                                        ▲
//	Table[fd] ──▶ Description (offset, flags, shared by fork and dup)
//
// A [Node] is what a name leads to; [Dir] and [Symlink] are nodes with more to
// say.  A [Handle] is what opening a node gives.  A [Description] is an open
// file: a handle with an offset, counted, because fork and dup share it.  A
// [Table] maps descriptors to descriptions and a [Context] says where names
// begin; both are a process's own.  A [System] is what all processes share.
//
// The packages fs, dev, pipe, tty and proc implement the interfaces; the kernel
// proper imports none of them.
//
// Everything here is guarded by the kernel lock.  A method that may sleep takes
// a Caller and sleeps only through it, which gives up the lock meanwhile.
package vfs

import (
	"time"

	"yolk/kernel/abi"
	"yolk/mm"
)

// Sink is where a read delivers its bytes: in the kernel a range of user
// memory (mm.UserRange), in a test a buffer.  Write returns how many bytes it
// took; fewer than offered means that the memory ended or faulted.  Source is
// where a write takes its bytes from.  Neither sleeps.
type (
	Sink   = mm.Sink
	Source = mm.Source
)

// Memory is the caller's memory (mm.AddressSpace), for requests with pointers
// of their own.  Both fail with mm.ErrFault.
type Memory interface {
	CopyIn(dst []byte, va mm.VirtAddr) error
	CopyOut(va mm.VirtAddr, src []byte) error
}

// Caller is the process on whose behalf a file works.
type Caller interface {
	Waker

	// Sleep gives up the kernel lock until the caller is woken.  It returns
	// ErrInterrupted when a signal is to be handled first, at once if one
	// is pending.  The caller has joined the queues it waits on.
	Sleep() error

	PID() int
	Group() int                // process group, for the terminal's signals
	Session() int              // session, for the controlling terminal
	Signal(sig int)            // send sig to the caller itself
	SignalGroup(pgid, sig int) // send sig to every process of a group
	Budget() *mm.Budget        // what the caller makes the kernel allocate is charged here
	Now() int64                // wall time, nanoseconds since the epoch
}

// Stat describes a file: see stat(2).
type Stat = abi.Stat

// Attr is a change of a node's attributes; the fields that Set names count.
type Attr struct {
	Set          AttrSet
	Mode         uint32 // permission bits
	UID, GID     uint32
	Size         int64
	Atime, Mtime int64 // nanoseconds since the epoch
}

// AttrSet names fields of an Attr.
type AttrSet uint8

// The fields of an Attr.
const (
	SetMode AttrSet = 1 << iota
	SetUID
	SetGID
	SetSize
	SetAtime
	SetMtime
)

// Node is what a name leads to.  Nodes are comparable, and equal when they are
// the same file.
type Node interface {
	Stat() Stat
	// SetAttr changes attributes, all or none.
	SetAttr(c Caller, a Attr) error
	// Open returns a handle for the access mode and status flags given
	// (open(2)).  O_CREAT, O_EXCL, O_TRUNC and O_APPEND are not its concern.
	Open(c Caller, flags int) (Handle, error)
}

// Dir is a directory.  Names are single components, never "", "." or "..".
type Dir interface {
	Node
	Lookup(c Caller, name string) (Node, error)
	// Up returns the directory's parent and its name there; nil for the root
	// of a tree and for a directory that has been removed.
	Up() (Dir, string)
	// Create makes a file of the type that mode's type bits name; rdev is the
	// device of a device node.
	Create(c Caller, name string, mode uint32, rdev uint64) (Node, error)
	Symlink(c Caller, name, target string) error
	// Link gives an existing node a second name; ErrCrossDevice for a node of
	// another file system.
	Link(c Caller, name string, n Node) error
	// Remove takes a name away: a directory's, which must be empty, when dir
	// is true, else any other node's.
	Remove(c Caller, name string, dir bool) error
	// Rename moves name to the directory to under the name toName, atomically
	// replacing what bore it (rename(2)).
	Rename(c Caller, name string, to Dir, toName string, flags int) error
	// ReadDir passes entries to emit from the cursor on, 0 being the first,
	// until emit returns false; "." and ".." are the vfs's own.
	ReadDir(c Caller, cursor int64, emit func(Entry) bool) error
	Statfs() abi.Statfs
}

// Entry is a name in a directory.
type Entry struct {
	Name string
	Ino  uint64
	Mode uint32 // the type bits count
	Next int64  // cursor of the entry after it
}

// Symlink is a symbolic link.
type Symlink interface {
	Node
	Readlink(c Caller) (string, error)
}

// MagicLink is a symbolic link that leads to a node rather than to a name, as
// those in /proc/self/fd do.
type MagicLink interface {
	Symlink
	Follow(c Caller) (Place, error)
}

// Handle is an open file.  Offsets are bytes; streams ignore them.
//
// A transfer that fails after some bytes returns their number together with
// the reason; the gate reports the number alone (read(2), write(2)).
type Handle interface {
	// Read delivers bytes from off on to dst; 0 and no error is end of file.
	Read(c Caller, dst Sink, off int64) (int, error)
	// Write takes bytes from src and puts them at off.
	Write(c Caller, src Source, off int64) (int, error)
	// Stat describes the file.
	Stat() Stat
	// Close is called once, when the last description's last user has gone.
	Close()
}

// Device is what opening a device node opens.
type Device interface {
	// Open is Node.Open of node, a name of the device.
	Open(c Caller, node Node, flags int) (Handle, error)
}

// Devices are the devices by device number (abi.Mkdev).
type Devices map[uint64]Device

// Mapper is a handle whose file can be mapped into memory.
type Mapper interface {
	Object() *mm.Object
}

// Poller is a handle that is not always ready.
type Poller interface {
	// Poll returns the abi.POLL… events that hold now, and the queue that is
	// woken when that may have changed.
	Poll() (events int, q *Queue)
}

// Blocker is a handle whose calls may sleep.
type Blocker interface {
	// SetNonblock makes the calls fail with ErrAgain where they would sleep.
	SetNonblock(on bool)
}

// Controller is a handle that knows requests of ioctl(2).
type Controller interface {
	// Ioctl performs request req; arg is a number or an address in mem.
	// ErrNotTTY means that the handle does not know the request.
	Ioctl(c Caller, req uint32, arg uint64, mem Memory) error
}

// DirReader is a handle of a directory.
type DirReader interface {
	ReadDir(c Caller, cursor int64, emit func(Entry) bool) error
}

// Sizer is a handle that knows its size more cheaply than Stat does.
type Sizer interface {
	Size() int64
}

// Stream is embedded by handles that have no offset, such as pipes and
// terminals: lseek and pread on them fail with ErrSeekPipe.
type Stream struct{}

func (Stream) stream() {}

// IsStream reports whether h has no offset.
func IsStream(h Handle) bool {
	_, ok := h.(interface{ stream() })
	return ok
}

// Fixed is embedded by nodes whose attributes cannot be changed.
type Fixed struct{}

// SetAttr refuses all but the changes that a shell's redirection makes: a
// device's or a generated file's size is not a thing to truncate.
func (Fixed) SetAttr(_ Caller, a Attr) error {
	if a.Set == SetSize {
		return nil
	}
	return ErrPerm
}

// SleepOn sleeps once on q, after which the condition must be looked at again.
// It must be called when the condition was looked at and found wanting, with
// the kernel lock held since.
func SleepOn(c Caller, q *Queue) error {
	q.Join(c)
	defer q.Leave(c)
	return c.Sleep()
}

// Alarm wakes a sleeper at a deadline.
type Alarm struct {
	at    time.Time
	timer *time.Timer
}

// NewAlarm returns an alarm that wakes w after d.  Wake is called without the
// kernel lock.
func NewAlarm(w Waker, d time.Duration) *Alarm {
	return &Alarm{time.Now().Add(d), time.AfterFunc(d, w.Wake)}
}

// Rang reports whether the deadline has passed.
func (a *Alarm) Rang() bool { return !time.Now().Before(a.at) }

// Left returns the time to the deadline, 0 when it has passed.
func (a *Alarm) Left() time.Duration { return max(0, time.Until(a.at)) }

// Stop keeps the alarm from ringing.
func (a *Alarm) Stop() { a.timer.Stop() }
