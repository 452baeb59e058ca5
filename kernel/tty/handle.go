package tty

import (
	"time"

	"yolk/kernel/abi"
	"yolk/kernel/vfs"
	"yolk/mm"
)

// handle is an open terminal.
type handle struct {
	vfs.Stream
	tty      *TTY
	node     vfs.Node
	nonblock bool
	buf      [256]byte // for Write: the source may be torn by the device's pace
}

// Open implements vfs.Device.  A session leader whose session has no terminal
// gets it as its controlling terminal, unless O_NOCTTY is given.  c is nil when
// the kernel itself opens.
func (t *TTY) Open(c vfs.Caller, node vfs.Node, flags int) (vfs.Handle, error) {
	if c != nil && flags&abi.O_NOCTTY == 0 && c.PID() == c.Session() && t.unowned() {
		t.own(c)
	}
	return &handle{tty: t, node: node}, nil
}

// unowned reports whether no session that lives has the terminal.
func (t *TTY) unowned() bool { return t.session == 0 || !t.Alive(t.session) }

func (t *TTY) own(c vfs.Caller) { t.session, t.group = c.Session(), c.Group() }

// Controlling is the device /dev/tty: the caller's controlling terminal.
type Controlling struct {
	Terminals []*TTY
}

// Open implements vfs.Device; ErrNoDevice without a controlling terminal.
func (d Controlling) Open(c vfs.Caller, node vfs.Node, flags int) (vfs.Handle, error) {
	for _, t := range d.Terminals {
		if c != nil && t.session == c.Session() {
			return t.Open(c, node, flags)
		}
	}
	return nil, vfs.ErrNoDevice
}

// SetNonblock implements vfs.Blocker.
func (h *handle) SetNonblock(on bool) { h.nonblock = on }

// Stat implements vfs.Handle.
func (h *handle) Stat() vfs.Stat { return h.node.Stat() }

// Close implements vfs.Handle.
func (h *handle) Close() {}

// Write shows src.
func (h *handle) Write(_ vfs.Caller, src vfs.Source, _ int64) (done int, err error) {
	for src.Len() > 0 && err == nil {
		var n int
		n, err = src.Read(h.buf[:min(len(h.buf), src.Len())])
		h.tty.show(h.buf[:n])
		done += n
	}
	return done, err
}

// Read waits for a line, or in raw mode for as many characters as VMIN and
// VTIME say (termios(3)), and delivers it or what of it fits.
func (h *handle) Read(c vfs.Caller, dst vfs.Sink, _ int64) (int, error) {
	t := h.tty
	if dst.Len() == 0 {
		return 0, nil
	}
	if err := h.foreground(c); err != nil {
		return 0, err
	}
	if !t.has(abi.ICANON) {
		if err := h.awaitRaw(c, dst.Len()); err != nil {
			return 0, err
		}
		return t.deliver(dst)
	}
	for t.lines == 0 {
		if h.nonblock {
			return 0, vfs.ErrAgain
		}
		if err := vfs.SleepOn(c, &t.queue); err != nil {
			return 0, err
		}
		if !t.has(abi.ICANON) {
			return h.Read(c, dst, 0)
		}
	}
	return t.deliver(dst)
}

// foreground keeps a background process from reading: it is sent SIGTTIN and
// sleeps until the terminal is its own.
func (h *handle) foreground(c vfs.Caller) error {
	t := h.tty
	for t.session == c.Session() && t.group != 0 && t.group != c.Group() {
		c.SignalGroup(c.Group(), abi.SIGTTIN)
		if err := vfs.SleepOn(c, &t.queue); err != nil {
			return err
		}
	}
	return nil
}

// awaitRaw waits for input as VMIN and VTIME say:
//
//	VMIN VTIME  returns when
//	 0    0     at once
//	 0   >0     a character is there, or the time is over
//	>0    0     VMIN characters are there, or as many as are wanted
//	>0   >0     likewise, or the time is over since the last one
func (h *handle) awaitRaw(c vfs.Caller, want int) error {
	t := h.tty
	least := int(t.modes.CC[abi.VMIN])
	gap := time.Duration(t.modes.CC[abi.VTIME]) * (time.Second / 10)
	target := min(least, want)
	if least == 0 && gap > 0 {
		target = 1
	}
	var alarm *vfs.Alarm
	for seen := -1; len(t.cells) < target; {
		n := len(t.cells)
		switch {
		case h.nonblock && n > 0, alarm != nil && n == seen && alarm.Rang():
			return nil
		case h.nonblock:
			return vfs.ErrAgain
		}
		if gap > 0 && n != seen && (least == 0 || n > 0) {
			if alarm != nil {
				alarm.Stop()
			}
			alarm = vfs.NewAlarm(c, gap)
			defer alarm.Stop()
		}
		seen = n
		if err := vfs.SleepOn(c, &t.queue); err != nil {
			return err
		}
	}
	return nil
}

// deliver moves characters to dst: one line at most in canonical mode.
func (t *TTY) deliver(dst vfs.Sink) (done int, err error) {
	canonical := t.has(abi.ICANON)
	var line [256]byte
	partial := true // what was delivered last did not end a line
	for over := false; len(t.cells) > 0 && dst.Len() > 0 && !over && err == nil; {
		n, used := 0, 0
		for used < len(t.cells) && n < min(len(line), dst.Len()) && !over {
			cl := t.cells[used]
			used++
			if cl&endMark == 0 {
				line[n] = byte(cl)
				n++
			}
			over = canonical && cl&lineEnd != 0
			partial = !over
		}
		var took int
		if took, err = dst.Write(line[:n]); err != nil {
			used, over = took, true
		}
		t.consume(used)
		done += took
	}
	if partial && done > 0 && len(t.cells) > 0 && t.cells[0]&endMark != 0 {
		t.consume(1) // the mark only pushed what was just read: it is no end of file
	}
	return done, err
}

// consume drops the first n cells.
func (t *TTY) consume(n int) {
	for _, cl := range t.cells[:n] {
		if cl&lineEnd != 0 {
			t.lines--
		}
	}
	t.cells = t.cells[:copy(t.cells, t.cells[n:])]
}

// Poll implements vfs.Poller.
func (h *handle) Poll() (events int, q *vfs.Queue) {
	t := h.tty
	least := 1
	if t.modes.CC[abi.VTIME] == 0 {
		least = max(1, int(t.modes.CC[abi.VMIN]))
	}
	if t.has(abi.ICANON) && t.lines > 0 || !t.has(abi.ICANON) && len(t.cells) >= least {
		events = abi.POLLIN | abi.POLLRDNORM
	}
	return events | abi.POLLOUT | abi.POLLWRNORM, &t.queue
}

// Ioctl implements vfs.Controller (ioctl_tty(2)).
func (h *handle) Ioctl(c vfs.Caller, req uint32, arg uint64, mem vfs.Memory) error {
	t, va := h.tty, mm.VirtAddr(arg)
	switch req {
	case abi.TCGETS:
		return mem.CopyOut(va, t.modes.Append(nil))
	case abi.TCSETS, abi.TCSETSW, abi.TCSETSF:
		return t.setModes(req, va, mem)
	case abi.TIOCGWINSZ:
		return mem.CopyOut(va, t.size.Append(nil))
	case abi.TIOCSWINSZ:
		var b [abi.WinsizeSize]byte
		if err := mem.CopyIn(b[:], va); err != nil {
			return err
		}
		var w abi.Winsize
		w.Decode(b[:])
		t.SetSize(w)
		return nil
	case abi.FIONREAD:
		return mem.CopyOut(va, abi.AppendInt(nil, int32(t.readable())))
	case abi.TCFLSH:
		if arg > abi.TCIOFLUSH {
			return vfs.ErrInvalid
		}
		if arg != abi.TCOFLUSH {
			t.flush()
		}
		return nil
	case abi.TCSBRK, abi.TCSBRKP, abi.TCXONC:
		return nil // all output has gone out already
	}
	return t.control(c, req, arg, mem)
}

// setModes is TCSETS, TCSETSW and TCSETSF.  Where canonical mode begins, what
// was typed before counts as a line.
func (t *TTY) setModes(req uint32, va mm.VirtAddr, mem vfs.Memory) error {
	var b [abi.TermiosSize]byte
	if err := mem.CopyIn(b[:], va); err != nil {
		return err
	}
	if req == abi.TCSETSF {
		t.flush()
	}
	was := t.has(abi.ICANON)
	t.modes.Decode(b[:])
	if !was && t.has(abi.ICANON) && t.editable() {
		t.cells[len(t.cells)-1] |= lineEnd
		t.lines++
	}
	t.queue.WakeAll()
	return nil
}

// readable returns how many characters a read would deliver now.
func (t *TTY) readable() (n int) {
	for i, cl := range t.cells {
		if t.has(abi.ICANON) && cl&lineEnd != 0 {
			return i + 1 - int(cl&endMark/endMark)
		}
		n = i + 1
	}
	if t.has(abi.ICANON) {
		return 0
	}
	return n
}

// control is the part of Ioctl about sessions and process groups.
func (t *TTY) control(c vfs.Caller, req uint32, arg uint64, mem vfs.Memory) error {
	mine := t.session == c.Session()
	switch {
	case req == abi.TIOCSCTTY && c.PID() != c.Session():
		return vfs.ErrPerm
	case req == abi.TIOCSCTTY && !mine && arg != 1 && !t.unowned():
		return vfs.ErrPerm
	case req == abi.TIOCSCTTY && mine:
		return nil
	case req == abi.TIOCSCTTY:
		t.own(c)
		return nil
	case !mine:
		return vfs.ErrNotTTY
	}
	switch req {
	case abi.TIOCGPGRP:
		return mem.CopyOut(mm.VirtAddr(arg), abi.AppendInt(nil, int32(t.group)))
	case abi.TIOCGSID:
		return mem.CopyOut(mm.VirtAddr(arg), abi.AppendInt(nil, int32(t.session)))
	case abi.TIOCSPGRP:
		var b [4]byte
		if err := mem.CopyIn(b[:], mm.VirtAddr(arg)); err != nil {
			return err
		}
		if abi.Int(b[:]) <= 0 {
			return vfs.ErrInvalid
		}
		t.group = int(abi.Int(b[:]))
		t.queue.WakeAll()
		return nil
	case abi.TIOCNOTTY:
		if c.PID() == c.Session() {
			t.session, t.group = 0, 0
		}
		return nil
	}
	return vfs.ErrNotTTY
}
