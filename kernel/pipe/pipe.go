// Package pipe implements pipes and FIFOs (pipe(7), fifo(7)): a ring of bytes
// in up to 16 frames, which are taken when bytes come and given back when they
// have gone.
//
// Invariants, under the kernel lock: the unread bytes are those from head on,
// size in number, modulo the capacity; a frame is there for each page of the
// ring that holds an unread byte; whoever changes size, readers or writers
// wakes the queue.
package pipe

import (
	"yolk/kernel/abi"
	"yolk/kernel/vfs"
	"yolk/mm"
)

// maxPages is the capacity of a pipe in pages: 64 KiB, as on Linux.
const maxPages = 16

// Pool makes pipes and bounds the frames that they may hold together.
// It implements vfs.PipeMaker.
type Pool struct {
	mem     *mm.Memory
	left    int   // pages that pipes may still be promised
	open    *Pipe // a list of those with an open end
	lastIno uint64
}

// NewPool returns a pool whose pipes may hold the given number of pages in
// all.  When they are promised, new pipes have one page each: still enough for
// an atomic write.
func NewPool(mem *mm.Memory, pages int) *Pool {
	return &Pool{mem: mem, left: pages}
}

// Pipe implements vfs.PipeMaker.
func (pl *Pool) Pipe(c vfs.Caller) (r, w vfs.Handle, node vfs.Node) {
	pl.lastIno++
	now := c.Now()
	p := &Pipe{pool: pl, stat: vfs.Stat{
		Dev: abi.Mkdev(0, 12), Ino: pl.lastIno, Nlink: 1, Mode: abi.S_IFIFO | 0o600,
		Atime: now, Mtime: now, Ctime: now,
	}}
	return p.end(abi.O_RDONLY), p.end(abi.O_WRONLY), p
}

// FIFO implements vfs.PipeMaker.
func (pl *Pool) FIFO(owner vfs.Node) vfs.Node {
	return &Pipe{pool: pl, owner: owner}
}

// Hold implements mm.Holder: the frames of unread bytes.
func (pl *Pool) Hold(c *mm.Checker) {
	for p := pl.open; p != nil; p = p.next {
		for _, f := range p.frames {
			if f != 0 {
				c.Frame(f)
			}
		}
	}
}

// Pipe is a ring of bytes between those who have opened its ends.
type Pipe struct {
	vfs.Fixed
	pool       *Pool
	next, prev *Pipe // in the pool's list

	owner vfs.Node // the name of a FIFO; nil for an anonymous pipe
	stat  vfs.Stat // of an anonymous pipe

	frames [maxPages]mm.Frame // 0: none yet
	pages  int                // promised by the pool; 0 while no end is open
	head   int                // position of the first unread byte
	size   int                // unread bytes

	readers, writers  int // open ends
	readOpens, wOpens int // ends ever opened: a FIFO's open waits for a change
	queue             vfs.Queue
}

// Stat implements vfs.Node.
func (p *Pipe) Stat() vfs.Stat {
	if p.owner != nil {
		return p.owner.Stat()
	}
	return p.stat
}

// Open opens another end.  That of a FIFO waits for an opposite end, unless
// O_NONBLOCK is given (fifo(7)).
func (p *Pipe) Open(c vfs.Caller, flags int) (vfs.Handle, error) {
	access, block := flags&abi.O_ACCMODE, flags&abi.O_NONBLOCK == 0
	if p.owner != nil && !block && access == abi.O_WRONLY && p.readers == 0 {
		return nil, vfs.ErrNoDevice
	}
	h := p.end(access)
	opens, other := &p.wOpens, &p.writers
	if access == abi.O_WRONLY {
		opens, other = &p.readOpens, &p.readers
	}
	for seen := *opens; p.owner != nil && block && *other == 0 && *opens == seen; {
		if err := vfs.SleepOn(c, &p.queue); err != nil {
			h.Close()
			return nil, err
		}
	}
	return h, nil
}

// end counts a new end in.
func (p *Pipe) end(access int) *end {
	if p.readers+p.writers == 0 {
		p.enlist()
	}
	h := &end{pipe: p, reads: access != abi.O_WRONLY, writes: access != abi.O_RDONLY}
	if h.reads {
		p.readers++
		p.readOpens++
	}
	if h.writes {
		p.writers++
		p.wOpens++
	}
	p.queue.WakeAll()
	return h
}

// enlist makes p, which nobody had open, one of its pool's.
func (p *Pipe) enlist() {
	pl := p.pool
	p.pages = maxPages
	if pl.left < maxPages {
		p.pages = 1
	} else {
		pl.left -= maxPages
	}
	if p.next = pl.open; p.next != nil {
		p.next.prev = p
	}
	pl.open = p
}

// delist undoes enlist.
func (p *Pipe) delist() {
	pl := p.pool
	if p.pages == maxPages {
		pl.left += maxPages
	}
	if p.prev != nil {
		p.prev.next = p.next
	} else {
		pl.open = p.next
	}
	if p.next != nil {
		p.next.prev = p.prev
	}
	p.next, p.prev = nil, nil
}

// end is an open end of a pipe; a FIFO opened for both is both.
type end struct {
	vfs.Stream
	pipe          *Pipe
	reads, writes bool
	nonblock      bool
}

// SetNonblock implements vfs.Blocker.
func (h *end) SetNonblock(on bool) { h.nonblock = on }

// Stat implements vfs.Handle.
func (h *end) Stat() vfs.Stat { return h.pipe.Stat() }

// Close implements vfs.Handle; the last end takes the unread bytes with it.
func (h *end) Close() {
	p := h.pipe
	if h.reads {
		p.readers--
	}
	if h.writes {
		p.writers--
	}
	if p.readers+p.writers == 0 {
		p.size = 0
		p.shrink(0)
		p.delist()
	}
	p.queue.WakeAll()
}

// Read waits for the first byte, then takes what is there; 0 when nobody is
// left to write.
func (h *end) Read(c vfs.Caller, dst vfs.Sink, _ int64) (int, error) {
	p := h.pipe
	if dst.Len() == 0 {
		return 0, nil
	}
	for p.size == 0 {
		switch {
		case p.writers == 0:
			return 0, nil
		case h.nonblock:
			return 0, vfs.ErrAgain
		}
		if err := vfs.SleepOn(c, &p.queue); err != nil {
			return 0, err
		}
	}
	done, err := p.take(dst)
	if done > 0 {
		p.queue.WakeAll()
	}
	return done, err
}

// take moves unread bytes to dst.
func (p *Pipe) take(dst vfs.Sink) (done int, err error) {
	for p.size > 0 && dst.Len() > 0 && err == nil {
		at := p.head % mm.PageSize
		chunk := p.pool.mem.Phys.Page(p.frames[p.head/mm.PageSize])[at:min(at+min(p.size, dst.Len()), mm.PageSize)]
		var n int
		n, err = dst.Write(chunk)
		p.head, p.size, done = (p.head+n)%(p.pages*mm.PageSize), p.size-n, done+n
	}
	if p.size == 0 {
		p.shrink(1)
	}
	return done, err
}

// shrink gives the frames of an empty ring back, all but keep.
func (p *Pipe) shrink(keep int) {
	p.head = 0
	for i := keep; i < maxPages; i++ {
		if p.frames[i] != 0 {
			p.pool.mem.Frames.Put(p.frames[i])
			p.frames[i] = 0
		}
	}
}

// Write puts all of src into the ring, waiting for room.  Up to PIPE_BUF bytes
// go in at once or not at all (pipe(7)); with nobody to read, SIGPIPE and
// ErrPipe.
func (h *end) Write(c vfs.Caller, src vfs.Source, _ int64) (done int, err error) {
	p := h.pipe
	atomic := 1
	if src.Len() <= abi.PIPE_BUF {
		atomic = src.Len()
	}
	for src.Len() > 0 && err == nil {
		switch room := p.pages*mm.PageSize - p.size; {
		case p.readers == 0:
			c.Signal(abi.SIGPIPE)
			return done, vfs.ErrPipe
		case room >= min(atomic, src.Len()):
			var n int
			n, err = p.put(src, room)
			done += n
		case h.nonblock:
			err = vfs.ErrAgain
		default:
			err = vfs.SleepOn(c, &p.queue)
		}
	}
	return done, err
}

// put moves up to room bytes of src into the ring.
func (p *Pipe) put(src vfs.Source, room int) (done int, err error) {
	for room > 0 && src.Len() > 0 && err == nil {
		tail := (p.head + p.size) % (p.pages * mm.PageSize)
		frame := &p.frames[tail/mm.PageSize]
		if *frame == 0 {
			if *frame, err = p.pool.mem.Frames.Alloc(); err != nil {
				break
			}
		}
		at := tail % mm.PageSize
		var n int
		n, err = src.Read(p.pool.mem.Phys.Page(*frame)[at:min(at+min(room, src.Len()), mm.PageSize)])
		p.size, room, done = p.size+n, room-n, done+n
	}
	if done > 0 {
		p.queue.WakeAll()
	}
	return done, err
}

// Poll implements vfs.Poller.
func (h *end) Poll() (events int, q *vfs.Queue) {
	p := h.pipe
	if h.reads {
		if p.size > 0 {
			events |= abi.POLLIN | abi.POLLRDNORM
		}
		if p.writers == 0 {
			events |= abi.POLLHUP
		}
	}
	if h.writes {
		if p.pages*mm.PageSize-p.size >= abi.PIPE_BUF {
			events |= abi.POLLOUT | abi.POLLWRNORM
		}
		if p.readers == 0 {
			events |= abi.POLLERR
		}
	}
	return events, &p.queue
}

// Ioctl implements vfs.Controller: FIONREAD tells the unread bytes.
func (h *end) Ioctl(_ vfs.Caller, req uint32, arg uint64, mem vfs.Memory) error {
	if req != abi.FIONREAD {
		return vfs.ErrNotTTY
	}
	return mem.CopyOut(mm.VirtAddr(arg), abi.AppendInt(nil, int32(h.pipe.size)))
}
