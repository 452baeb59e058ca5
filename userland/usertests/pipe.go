package usertests

import (
	"yolk/userland/kit"
	"yolk/userland/sys"
)

func pipeTests() []test {
	return []test{
		{"PIPE-bytes-in-order", portable, pipeOrder},
		{"PIPE-end-of-file", portable, pipeEOF},
		{"PIPE-broken", portable, pipeBroken},
		{"PIPE-full", portable, pipeFull},
		{"PIPE-atomic-writes", portable, pipeAtomic},
		{"PIPE-poll", portable, pipePoll},
		{"PIPE-nonblocking", portable, pipeNonblocking},
		{"PIPE-chain", portable, pipeChain},
	}
}

// pipeOrder: a megabyte comes out as it went in, whatever the sizes of reads and
// writes.
func pipeOrder(t *T) {
	const total = 1 << 20
	r, w := t.pipe()
	pid := t.fork(func() {
		sys.Close(r)
		for sent, size := 0, 1; sent < total; size = size*3%7919 + 1 {
			b := make([]byte, min(size, total-sent))
			for i := range b {
				b[i] = byte((sent + i) * 31 >> 3)
			}
			t.noErr(kit.WriteAll(w, b), "write")
			sent += len(b)
		}
	})
	sys.Close(w)
	buf := make([]byte, 9973)
	got := 0
	for {
		n, err := kit.Read(r, buf)
		t.noErr(err, "read")
		if n == 0 {
			break
		}
		for i := range n {
			t.must(buf[i] == byte((got+i)*31>>3), "byte ", got+i, " is wrong")
		}
		got += n
	}
	t.must(got == total, got, " bytes came")
	t.join(pid)
}

// pipeEOF: reading ends when the last writer has closed, in whatever process.
func pipeEOF(t *T) {
	r, w := t.pipe()
	g := t.gate()
	pid := t.fork(func() {
		g.pass()
		kit.WriteAll(w, []byte("last"))
	})
	sys.Close(w)
	t.must(!readable(r, 20), "the end came while a writer was there")
	g.open()
	text, _ := kit.ReadAll(r)
	t.must(string(text) == "last", "got ", text)
	t.join(pid)
}

// pipeBroken: writing without a reader is SIGPIPE, or EPIPE where that is ignored.
func pipeBroken(t *T) {
	r, w := t.pipe()
	sys.Close(r)
	t.dies("a write", func() {
		sys.SetSignal(sys.SIGPIPE, sys.SigDfl)
		sys.Write(w, []byte("x"))
	}, sys.SIGPIPE)
	sys.SetSignal(sys.SIGPIPE, sys.SigIgn)
	_, err := sys.Write(w, []byte("x"))
	t.wantErr(err, "a write with SIGPIPE ignored", sys.EPIPE)
}

// pipeFull: a writer sleeps while the pipe is full; a reader that leaves wakes it.
func pipeFull(t *T) {
	r, w := t.pipe()
	big := make([]byte, 256<<10)
	pid := t.fork(func() {
		sys.Close(r)
		kit.WriteAll(w, big)
	})
	sys.Close(w)
	sys.Sleep(20e6)
	got, _, err := sys.Wait4(pid, sys.WNOHANG)
	t.must(err == nil && got == 0, "256 KiB fitted into a pipe")
	text, _ := kit.ReadAll(r)
	t.must(len(text) == len(big), len(text), " bytes came")
	t.join(pid)
	r, w = t.pipe()
	pid = t.fork(func() {
		sys.SetSignal(sys.SIGPIPE, sys.SigIgn)
		sys.Close(r)
		t.wantErr(kit.WriteAll(w, big), "the write", sys.EPIPE)
	})
	sys.Sleep(20e6)
	sys.Close(r)
	t.join(pid)
}

// pipeAtomic: writes of up to 4096 bytes by several processes do not mix.
func pipeAtomic(t *T) {
	const writers, rounds, size = 4, 40, 1000
	r, w := t.pipe()
	var pids []int
	for i := range writers {
		pids = append(pids, t.fork(func() {
			b := make([]byte, size)
			for j := range b {
				b[j] = byte(i)
			}
			for range rounds {
				n, err := sys.Write(w, b)
				t.must(n == size && err == nil, "a write took ", n)
			}
		}))
	}
	sys.Close(w)
	text, _ := kit.ReadAll(r)
	t.must(len(text) == writers*rounds*size, len(text), " bytes came")
	for i := 0; i < len(text); i += size {
		for _, b := range text[i : i+size] {
			t.must(b == text[i], "writes are mixed")
		}
	}
	for _, pid := range pids {
		t.join(pid)
	}
}

// poll1 asks poll about one descriptor.
func poll1(fd int, events int16, timeout int) (n int, revents int16, err error) {
	fds := []sys.PollFd{{Fd: int32(fd), Events: events}}
	n, err = sys.Poll(fds, timeout)
	return n, fds[0].Revents, err
}

// pipePoll: what poll says, when it waits, and what wakes it.
func pipePoll(t *T) {
	r, w := t.pipe()
	for _, c := range []struct {
		what    string
		fd      int
		events  int16
		n       int
		revents int16
	}{
		{"an empty pipe", r, sys.POLLIN, 0, 0}, {"room to write", w, sys.POLLOUT, 1, sys.POLLOUT},
		{"a file that is not open", 99, sys.POLLIN, 1, 0x20}, {"a negative descriptor", -1, sys.POLLIN, 0, 0},
	} {
		n, revents, err := poll1(c.fd, c.events, 0)
		t.must(err == nil && n == c.n && revents == c.revents, c.what, ": ", n, " ", int(revents))
	}
	start := now()
	n, _, _ := poll1(r, sys.POLLIN, 50)
	t.must(n == 0 && now()-start >= 50e6, "poll did not wait")
	pid := t.fork(func() {
		sys.Sleep(20e6)
		kit.WriteAll(w, []byte("x"))
	})
	n, revents, _ := poll1(r, sys.POLLIN, 10000)
	t.must(n == 1 && revents == sys.POLLIN, "data: ", n, " ", int(revents))
	t.join(pid)
	sys.Close(w)
	n, revents, _ = poll1(r, sys.POLLIN, -1)
	t.must(n == 1 && revents == sys.POLLIN|sys.POLLHUP, "data and the end: ", n, " ", int(revents))
	r, w = t.pipe()
	sys.Close(r)
	n, revents, _ = poll1(w, sys.POLLOUT, -1)
	t.must(n == 1 && revents&sys.POLLERR != 0, "a pipe without a reader: ", n, " ", int(revents))
	t.catch(sys.SIGUSR1, sys.SaRestart)
	r, _ = t.pipe()
	pid = t.poke(sys.SIGUSR1)
	_, _, err := poll1(r, sys.POLLIN, -1)
	t.wantErr(err, "poll and a signal", sys.EINTR)
	t.join(pid)
}

// pipeNonblocking: EAGAIN instead of sleeping.
func pipeNonblocking(t *T) {
	r, w, err := sys.Pipe2(sys.O_NONBLOCK)
	t.noErr(err, "pipe2")
	_, err = sys.Read(r, make([]byte, 1))
	t.wantErr(err, "read of an empty pipe", sys.EAGAIN)
	total := 0
	for {
		n, err := sys.Write(w, make([]byte, 4096))
		if err != nil {
			t.wantErr(err, "write to a full pipe", sys.EAGAIN)
			break
		}
		total += n
		t.must(total <= 1<<20, "a pipe without a bottom")
	}
	t.must(total >= 4096, "a pipe for ", total, " bytes")
	flags, _ := sys.Fcntl(r, sys.F_GETFL, 0)
	sys.Fcntl(r, sys.F_SETFL, flags&^sys.O_NONBLOCK)
	n, err := sys.Read(r, make([]byte, 4096))
	t.must(n == 4096 && err == nil, "read gave ", n)
}

// pipeChain: a row of processes, each passing on what the one before sends.
func pipeChain(t *T) {
	const length = 16
	first, w := t.pipe()
	in := first
	var pids []int
	for range length {
		r, next := t.pipe()
		pids = append(pids, t.fork(func() {
			sys.Close(w)
			sys.Close(r)
			buf := make([]byte, 100)
			for {
				n, _ := kit.Read(in, buf)
				if n == 0 {
					return
				}
				kit.WriteAll(next, buf[:n])
			}
		}))
		sys.Close(in)
		sys.Close(next)
		in = r
	}
	kit.WriteAll(w, []byte("through the chain"))
	sys.Close(w)
	text, _ := kit.ReadAll(in)
	t.must(string(text) == "through the chain", "got ", text)
	for _, pid := range pids {
		t.join(pid)
	}
}
