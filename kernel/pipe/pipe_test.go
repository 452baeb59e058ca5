package pipe

import (
	"bytes"
	"sync"
	"testing"
	"testing/synctest"

	"yolk/kernel/abi"
	"yolk/kernel/vfs"
	"yolk/kernel/vfs/vfstest"
	"yolk/mm"
)

// bench is a pool, a kernel lock and two callers, in a synctest bubble.
type bench struct {
	*testing.T
	lock sync.Mutex
	mem  *mm.Memory
	pool *Pool
	a, b *vfstest.Caller
}

// run runs f in a bubble with the kernel lock held; at its end every frame must
// have come back.
func run(t *testing.T, pages int, f func(b *bench)) {
	synctest.Test(t, func(t *testing.T) {
		b := &bench{T: t, mem: vfstest.Memory(64)}
		b.pool = NewPool(b.mem, pages)
		b.a, b.b = vfstest.New(&b.lock, 1), vfstest.New(&b.lock, 2)
		free := b.mem.Frames.Free()
		b.lock.Lock()
		f(b)
		b.lock.Unlock()
		synctest.Wait()
		if n := b.mem.Frames.Free(); n != free || b.pool.left != pages {
			t.Errorf("%d frames and %d promised pages are missing", free-n, pages-b.pool.left)
		}
	})
}

// others lets everybody else run until they sleep.  Then the pool must know of
// every frame that is in use.
func (b *bench) others() {
	b.lock.Unlock()
	synctest.Wait()
	b.lock.Lock()
	if err := b.mem.Check(mm.NewBudget(nil, 1<<20), b.pool); err != nil {
		b.Error(err)
	}
}

// result is what a transfer in another goroutine returned.
type result struct {
	n    int
	err  error
	done bool
}

// start makes a transfer of c's in a goroutine of its own, as a process.
func (b *bench) start(do func() (int, error)) *result {
	r := new(result)
	go func() {
		b.lock.Lock()
		defer b.lock.Unlock()
		r.n, r.err = do()
		r.done = true
	}()
	b.others()
	return r
}

func (b *bench) pipe() (r, w vfs.Handle) {
	r, w, _ = b.pool.Pipe(b.a)
	return r, w
}

func (b *bench) expect(r *result, n int, err error) {
	b.Helper()
	if !r.done || r.n != n || r.err != err {
		b.Errorf("got %+v, want %d, %v", *r, n, err)
	}
}

func data(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i * 7 / 3)
	}
	return b
}

func TestReaderSleepsUntilBytesCome(t *testing.T) {
	run(t, 64, func(b *bench) {
		r, w := b.pipe()
		sink := &vfstest.Sink{Room: 10}
		got := b.start(func() (int, error) { return r.Read(b.a, sink, 0) })
		if got.done {
			t.Error("read of an empty pipe returned")
		}
		w.Write(b.b, &vfstest.Source{Data: []byte("abc")}, 0)
		b.others()
		b.expect(got, 3, nil)
		w.Close()
		b.expect(b.start(func() (int, error) { return r.Read(b.a, sink, 0) }), 0, nil)
		r.Close()
	})
}

func TestWriterSleepsUntilThereIsRoom(t *testing.T) {
	run(t, 64, func(b *bench) {
		r, w := b.pipe()
		in := data(200_000)
		put := b.start(func() (int, error) { return w.Write(b.a, &vfstest.Source{Data: in}, 0) })
		if put.done {
			t.Fatal("a pipe took more than its capacity")
		}
		sink := &vfstest.Sink{Room: len(in)}
		for sink.Room > 0 {
			if _, err := r.Read(b.b, sink, 0); err != nil {
				t.Fatal(err)
			}
			b.others()
		}
		b.expect(put, len(in), nil)
		if !bytes.Equal(sink.Data, in) {
			t.Error("bytes differ")
		}
		r.Close()
		w.Close()
	})
}

func TestAtomicWritesAreNotTorn(t *testing.T) {
	run(t, 64, func(b *bench) {
		r, w, node := b.pool.Pipe(b.a)
		w.Write(b.a, &vfstest.Source{Data: data(16*mm.PageSize - 100)}, 0)
		put := b.start(func() (int, error) { return w.Write(b.a, &vfstest.Source{Data: data(abi.PIPE_BUF)}, 0) })
		if events, _ := w.(vfs.Poller).Poll(); put.done || events&abi.POLLOUT != 0 {
			t.Error("100 bytes of room are too few for an atomic write")
		}
		other, _ := node.Open(b.b, abi.O_WRONLY)
		other.(vfs.Blocker).SetNonblock(true)
		b.expect(b.start(func() (int, error) { return other.Write(b.b, &vfstest.Source{Data: data(101)}, 0) }), 0, vfs.ErrAgain)
		b.expect(b.start(func() (int, error) { return other.Write(b.b, &vfstest.Source{Data: data(5000)}, 0) }), 100, vfs.ErrAgain)
		other.Close()
		r.Read(b.b, &vfstest.Sink{Room: 4095}, 0)
		if b.others(); put.done {
			t.Error("4095 bytes of room were taken for 4096")
		}
		r.Read(b.b, &vfstest.Sink{Room: 1}, 0)
		b.others()
		b.expect(put, abi.PIPE_BUF, nil)
		r.Close()
		w.Close()
	})
}

func TestBrokenPipe(t *testing.T) {
	run(t, 64, func(b *bench) {
		r, w := b.pipe()
		put := b.start(func() (int, error) { return w.Write(b.a, &vfstest.Source{Data: data(100_000)}, 0) })
		r.Close()
		b.others()
		b.expect(put, 16*mm.PageSize, vfs.ErrPipe)
		if len(b.a.Signals) != 1 || b.a.Signals[0] != abi.SIGPIPE {
			t.Errorf("signals %v", b.a.Signals)
		}
		if events, _ := w.(vfs.Poller).Poll(); events&abi.POLLERR == 0 {
			t.Errorf("poll %#x", events)
		}
		b.expect(b.start(func() (int, error) { return w.Write(b.b, &vfstest.Source{}, 0) }), 0, nil)
		w.Close()
	})
}

func TestInterruptedSleepers(t *testing.T) {
	run(t, 64, func(b *bench) {
		r, w := b.pipe()
		got := b.start(func() (int, error) { return r.Read(b.a, &vfstest.Sink{Room: 1}, 0) })
		b.a.Interrupt()
		b.others()
		b.expect(got, 0, vfs.ErrInterrupted)
		put := b.start(func() (int, error) { return w.Write(b.a, &vfstest.Source{Data: data(70_000)}, 0) })
		b.a.Interrupt()
		b.others()
		b.expect(put, 16*mm.PageSize, vfs.ErrInterrupted)
		r.Close()
		w.Close()
	})
}

func TestFaultsLoseNothing(t *testing.T) {
	run(t, 64, func(b *bench) {
		r, w := b.pipe()
		n, err := w.Write(b.a, &vfstest.Source{Data: data(5000), Bad: true}, 0)
		if n != 5000 || err != mm.ErrFault {
			t.Errorf("write from bad memory: %d, %v", n, err)
		}
		if n, err := r.Read(b.a, &vfstest.Sink{Room: 10, Bad: true}, 0); n != 10 || err != mm.ErrFault {
			t.Errorf("read into bad memory: %d, %v", n, err)
		}
		sink := &vfstest.Sink{Room: 9999}
		if r.Read(b.a, sink, 0); !bytes.Equal(sink.Data, data(5000)[10:]) {
			t.Error("bytes were lost or doubled")
		}
		r.Close()
		w.Close()
	})
}

func TestPollAndNonblock(t *testing.T) {
	run(t, 64, func(b *bench) {
		r, w := b.pipe()
		r.(vfs.Blocker).SetNonblock(true)
		poll := func(h vfs.Handle, want int) {
			t.Helper()
			if got, _ := h.(vfs.Poller).Poll(); got != want {
				t.Errorf("poll %#x, want %#x", got, want)
			}
		}
		poll(r, 0)
		poll(w, abi.POLLOUT|abi.POLLWRNORM)
		b.expect(b.start(func() (int, error) { return r.Read(b.a, &vfstest.Sink{Room: 1}, 0) }), 0, vfs.ErrAgain)
		b.expect(b.start(func() (int, error) { return r.Read(b.a, &vfstest.Sink{}, 0) }), 0, nil)
		w.Write(b.a, &vfstest.Source{Data: []byte("x")}, 0)
		poll(r, abi.POLLIN|abi.POLLRDNORM)
		w.Close()
		poll(r, abi.POLLIN|abi.POLLRDNORM|abi.POLLHUP)
		r.Close()
	})
}

// TestPagesArePromised makes more pipes than the pool has pages for: the last
// ones hold one page, still enough for an atomic write.
func TestPagesArePromised(t *testing.T) {
	run(t, 20, func(b *bench) {
		r1, w1 := b.pipe()
		r2, w2 := b.pipe()
		for _, h := range []vfs.Handle{w1, w2} {
			h.(vfs.Blocker).SetNonblock(true)
		}
		if n, err := w1.Write(b.a, &vfstest.Source{Data: data(99999)}, 0); n != 16*mm.PageSize || err != vfs.ErrAgain {
			t.Errorf("first pipe: %d, %v", n, err)
		}
		if n, err := w2.Write(b.a, &vfstest.Source{Data: data(99999)}, 0); n != mm.PageSize || err != vfs.ErrAgain {
			t.Errorf("second pipe: %d, %v", n, err)
		}
		for _, h := range []vfs.Handle{r1, w1, r2, w2} {
			h.Close()
		}
	})
}

// TestPoolKnowsItsPipes: of every pipe, in whatever order they end, the pool knows
// the frames (others looks).
func TestPoolKnowsItsPipes(t *testing.T) {
	run(t, 64, func(b *bench) {
		const n = 4
		var ends [n][2]vfs.Handle
		for i := range ends {
			ends[i][0], ends[i][1] = b.pipe()
			ends[i][1].Write(b.a, &vfstest.Source{Data: data(5000)}, 0)
			b.others()
		}
		for _, i := range []int{2, 0, 3, 1} {
			ends[i][1].Close()
			b.others()
			ends[i][0].Close()
			b.others()
		}
	})
}

func TestOutOfFrames(t *testing.T) {
	run(t, 64, func(b *bench) {
		r, w := b.pipe()
		old := b.mem.Frames.SetReserve(b.mem.Frames.Free() - 2)
		n, err := w.Write(b.a, &vfstest.Source{Data: data(20_000)}, 0)
		if n != 2*mm.PageSize || err != mm.ErrNoMemory {
			t.Errorf("%d, %v", n, err)
		}
		b.mem.Frames.SetReserve(old)
		r.Close()
		w.Close()
	})
}

// named is the name of a FIFO.
type named struct{ vfs.Fixed }

func (named) Stat() vfs.Stat                           { return vfs.Stat{Ino: 42, Mode: abi.S_IFIFO} }
func (named) Open(vfs.Caller, int) (vfs.Handle, error) { return nil, nil }

func TestFIFOOpensWaitForEachOther(t *testing.T) {
	run(t, 64, func(b *bench) {
		fifo := b.pool.FIFO(named{})
		var r, w vfs.Handle
		open := func(c *vfstest.Caller, h *vfs.Handle, flags int) *result {
			return b.start(func() (n int, err error) {
				*h, err = fifo.Open(c, flags)
				return 0, err
			})
		}
		b.expect(open(b.b, &w, abi.O_WRONLY|abi.O_NONBLOCK), 0, vfs.ErrNoDevice)
		reader := open(b.a, &r, abi.O_RDONLY)
		if reader.done {
			t.Error("open for reading did not wait for a writer")
		}
		b.a.Interrupt()
		b.others()
		b.expect(reader, 0, vfs.ErrInterrupted)
		reader = open(b.a, &r, abi.O_RDONLY)
		b.expect(open(b.b, &w, abi.O_WRONLY), 0, nil)
		b.others()
		b.expect(reader, 0, nil)
		if st := r.Stat(); st.Ino != 42 {
			t.Errorf("stat is not the name's: %+v", st)
		}
		w.Write(b.b, &vfstest.Source{Data: []byte("hi")}, 0)
		b.expect(b.start(func() (int, error) { return r.Read(b.a, &vfstest.Sink{Room: 9}, 0) }), 2, nil)
		r.Close()
		w.Close()
	})
}
