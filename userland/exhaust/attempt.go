package exhaust

import (
	"encoding/binary"

	"yolk/userland/kit"
	"yolk/userland/procfs"
	"yolk/userland/sys"
)

// An attempt is one run of an attack.  The attacker and all its descendants
// write to one shared page, since that needs no memory any more.
type attempt struct {
	limit   int
	board   []byte // words: counted, errno, the attacker is done
	gate    [2]int // a pipe; the attackers hold what they have until its end
	killed  bool
	ended   sys.WaitStatus
	held    scales // at the height
	witness string // what became of it; nothing if none was sent
}

// Words of the board.
const (
	wordCount = 0
	wordErrno = 8
	wordDone  = 16
	wordBegin = 24
)

// patience is how long an attacker may take, in nanoseconds.
const patience = 600e9

// strike lets an attacker loose, looks how others fare, and ends it.
func (k *attack) strike(limit int) *attempt {
	addr, err := sys.Mmap(0, sys.PageSize, sys.PROT_READ|sys.PROT_WRITE, sys.MAP_SHARED|sys.MAP_ANONYMOUS, -1, 0)
	r, w, err2 := sys.Pipe2(sys.O_CLOEXEC)
	if err != nil || err2 != nil {
		return failed()
	}
	a := &attempt{limit: limit, board: sys.Bytes(addr, sys.PageSize), gate: [2]int{r, w}}
	a.set(wordDone, 0)
	pid, err := sys.Fork()
	if err == nil && pid == 0 {
		sys.Setpgid(0, 0)
		sys.Close(w)
		for a.get(wordBegin) == 0 {
			sys.Sleep(1e6)
		}
		k.run(a)
		a.hold()
		sys.Exit(0)
	}
	sys.Close(r)
	if err != nil {
		sys.Close(w)
		return failed()
	}
	sys.Setpgid(pid, pid)
	own()
	a.set(wordBegin, 1)
	if a.watch(pid); k.flags&takesFrames == 0 && !a.killed && a.ended == 0 {
		a.witness = witness()
	}
	sys.Close(w)
	if !a.killed && a.ended == 0 {
		a.ended, _ = kit.WaitFor(pid)
	}
	sys.Kill(-pid, sys.SIGKILL) // its descendants
	a.board = append([]byte(nil), a.board...)
	sys.Munmap(addr, sys.PageSize)
	return a
}

// failed is an attempt that could not even begin.
func failed() *attempt { return &attempt{ended: 1 << 8, board: make([]byte, 64)} }

// own writes to each page that is shared with the attacker, and nobody else,
// since the fork: when the attack is on, there may be no frame left to copy it to.
func own() {
	table, _ := procfs.ReadPageTable(0)
	for _, e := range table.Entries {
		if e.Has('C') && e.Refs == 2 {
			sys.Poke(uintptr(e.Addr), sys.Peek(uintptr(e.Addr)))
		}
	}
}

// watch waits until the attacker is done or has ended.
func (a *attempt) watch(pid int) {
	for deadline := sys.Now(sys.ClockMonotonic) + patience; a.get(wordDone) == 0; sys.Sleep(2e6) {
		got, status, _ := sys.Wait4(pid, sys.WNOHANG)
		if got == pid {
			a.killed = status.Signaled() && status.Signal() == sys.SIGKILL
			a.ended = status
			return
		}
		if sys.Now(sys.ClockMonotonic) > deadline {
			sys.Kill(pid, sys.SIGKILL)
		}
	}
	a.held.read()
}

const worked = "a shell worked"

// witness starts a shell that starts programs, and gives what became of it.
func witness() string {
	pid, err := sys.VForkExec("/bin/sh", []string{"sh", "-c", "/bin/echo a b | /bin/wc -w >/dev/null"}, nil)
	if err != nil {
		return kit.Format("no shell: ", err)
	}
	if status, _ := kit.WaitFor(pid); status != 0 {
		return kit.Format("a shell ended with ", status)
	}
	return worked
}

// hold tells the watcher that the attack is over and keeps what it took until
// the watcher has seen enough.
func (a *attempt) hold() {
	a.set(wordDone, 1)
	a.stay()
}

// stay keeps what a descendant took, as hold does.
func (a *attempt) stay() {
	for {
		var b [1]byte
		if _, err := sys.Read(a.gate[0], b[:]); err != sys.EINTR {
			return
		}
	}
}

func (a *attempt) get(word int) uint64    { return binary.LittleEndian.Uint64(a.board[word:]) }
func (a *attempt) set(word int, v uint64) { binary.LittleEndian.PutUint64(a.board[word:], v) }
func (a *attempt) count() int             { return int(a.get(wordCount)) }
func (a *attempt) errno() sys.Errno       { return sys.Errno(a.get(wordErrno)) }

// took counts one more of what the attack is about, unless err refused it, and
// reports whether the attacker should go on.
//
// WHY no atomic addition: between the load and the store another process may
// count, and be forgotten.  A count that is a few short proves as much.
func (a *attempt) took(err error) bool {
	if err != nil {
		if e, ok := err.(sys.Errno); ok {
			a.set(wordErrno, uint64(e))
		}
		return false
	}
	a.set(wordCount, a.get(wordCount)+1)
	return a.count() < a.limit
}

// take calls get until it is refused or the limit is reached.
func (a *attempt) take(get func(i int) error) {
	for i := 0; a.took(get(i)); i++ {
	}
}

// spread forks n children, one after the other, that each run body and then
// hold what they took; it stops when a fork is refused.
func (a *attempt) spread(n int, body func(i int)) {
	for i := range n {
		r, w, err := sys.Pipe2(0)
		if err != nil {
			a.took(err)
			return
		}
		pid, err := sys.Fork()
		if err != nil {
			a.took(err)
			sys.Close(r)
			sys.Close(w)
			return
		}
		if pid == 0 {
			sys.Close(r)
			body(i)
			sys.Close(w)
			a.stay()
			sys.Exit(0)
		}
		sys.Close(w)
		var b [1]byte
		kit.Read(r, b[:]) // until it is done, or dead
		sys.Close(r)
	}
}
