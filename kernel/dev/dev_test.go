package dev

import (
	"bytes"
	"sync"
	"testing"
	"testing/synctest"

	"yolk/kernel/abi"
	"yolk/kernel/fs"
	"yolk/kernel/vfs"
	"yolk/kernel/vfs/vfstest"
	"yolk/mm"
)

// devices opens devices by name in a tree that Populate filled.
func devices(t *testing.T, entries []Entry) func(name string) vfs.Handle {
	t.Helper()
	reg := vfs.Devices{}
	tree, err := fs.New(fs.Config{Memory: vfstest.Memory(16), Budget: mm.NewBudget(nil, 1<<20), Devices: reg, Now: func() int64 { return 0 }})
	if err != nil {
		t.Fatal(err)
	}
	tree.Root().Create(nil, "null", abi.S_IFREG|0o600, 0) // what an archive left there
	if err := Populate(tree.Root(), reg, entries); err != nil {
		t.Fatal(err)
	}
	return func(name string) vfs.Handle {
		t.Helper()
		n, err := tree.Root().Lookup(nil, name)
		if err != nil {
			t.Fatal(err)
		}
		h, err := n.Open(nil, abi.O_RDWR)
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
}

func TestStandard(t *testing.T) {
	open := devices(t, Standard(func(b []byte) {
		for i := range b {
			b[i] = 'r'
		}
	}))
	const n = 1300
	for _, tc := range []struct {
		name        string
		minor       uint32
		read        []byte
		write       int
		writeReason error
	}{
		{"null", 3, nil, n, nil},
		{"zero", 5, make([]byte, n), n, nil},
		{"full", 7, make([]byte, n), 0, vfs.ErrNoSpace},
		{"random", 8, bytes.Repeat([]byte("r"), n), n, nil},
		{"urandom", 9, bytes.Repeat([]byte("r"), n), n, nil},
	} {
		h := open(tc.name)
		sink := &vfstest.Sink{Room: n}
		if got, err := h.Read(nil, sink, 0); err != nil || got != len(tc.read) || !bytes.Equal(sink.Data, tc.read) {
			t.Errorf("%s: read %d bytes, %v", tc.name, got, err)
		}
		if got, err := h.Write(nil, &vfstest.Source{Data: make([]byte, n)}, 0); got != tc.write || err != tc.writeReason {
			t.Errorf("%s: wrote %d bytes, %v", tc.name, got, err)
		}
		if st := h.Stat(); st.Rdev != abi.Mkdev(1, tc.minor) || st.Mode != abi.S_IFCHR|0o666 {
			t.Errorf("%s: %+v", tc.name, st)
		}
		if n, err := h.Write(nil, &vfstest.Source{Data: make([]byte, 3), Bad: true}, 0); tc.write > 0 && (n != 3 || err != mm.ErrFault) {
			t.Errorf("%s: wrote %d bytes of bad memory, %v", tc.name, n, err)
		}
		h.Close()
	}
}

func TestExit(t *testing.T) {
	var status []uint32
	h := devices(t, []Entry{Exit(func(s uint32) { status = append(status, s) })})("yolk-exit")
	for text, want := range map[string]error{"256\n": nil, " 9 ": nil, "x": vfs.ErrInvalid, "": nil, "-1": vfs.ErrInvalid, "4294967296": vfs.ErrInvalid} {
		if _, err := h.Write(nil, &vfstest.Source{Data: []byte(text)}, 0); err != want {
			t.Errorf("%q: %v", text, err)
		}
	}
	if len(status) != 2 || status[0]+status[1] != 265 {
		t.Errorf("statuses %v", status)
	}
}

// outputOf returns the payloads of the frames that a channel sent.
func (h *wireHost) outputOf(n byte) (all []byte) {
	for _, f := range h.sent {
		if f[0] == n {
			all = append(all, f[headerSize:]...)
		}
	}
	return all
}

func TestChannel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var lock sync.Mutex
		p, w, channels := newWireHost()
		open := devices(t, w.Entries())
		stdin, stdout := open("channel0"), open("channel1")
		channels[1].credit = 0
		room := func(n byte) { w.Receive(frame(hostCredit, 1, n, 0, 0, 0)) }
		c := vfstest.New(&lock, 1)
		lock.Lock()
		defer lock.Unlock()
		others := func() {
			lock.Unlock()
			synctest.Wait()
			lock.Lock()
		}
		var got []byte
		var err error
		start := func(do func()) {
			go func() {
				lock.Lock()
				defer lock.Unlock()
				do()
			}()
			others()
		}
		read := func() {
			sink := &vfstest.Sink{Room: 1000}
			_, err = stdin.Read(c, sink, 0)
			got = append(got, sink.Data...)
			got = append(got, '|')
		}
		start(read)
		w.Receive(frame(hostStdin, []byte("\x00\xffdata")...))
		others()
		stdin.(vfs.Blocker).SetNonblock(true)
		if _, err := stdin.Read(c, &vfstest.Sink{Room: 1}, 0); err != vfs.ErrAgain {
			t.Errorf("no bytes: %v", err)
		}
		w.Receive(frame(hostEOF))
		start(read)
		if string(got) != "\x00\xffdata||" || err != nil {
			t.Errorf("read %q, %v", got, err)
		}
		in := bytes.Repeat([]byte("0123456789"), 200)
		wrote := 0
		start(func() { wrote, err = stdout.Write(c, &vfstest.Source{Data: in}, 0) })
		for range 20 {
			room(111)
			others()
		}
		if out := p.outputOf(1); wrote != len(in) || !bytes.Equal(out, in) || err != nil {
			t.Errorf("wrote %d of %d bytes, %v", wrote, len(in), err)
		}
		start(func() { wrote, err = stdout.Write(c, &vfstest.Source{Data: in}, 0) })
		room(50)
		others()
		c.Interrupt()
		if others(); err != vfs.ErrInterrupted {
			t.Errorf("interrupted: %d, %v", wrote, err)
		}
		if n := len(p.outputOf(1)) - len(in); wrote != n {
			t.Errorf("interrupted after %d bytes, but said %d", n, wrote)
		}
		stdout.(vfs.Blocker).SetNonblock(true)
		channels[1].credit = 0
		if _, err := stdout.Write(c, &vfstest.Source{Data: in}, 0); err != vfs.ErrAgain {
			t.Errorf("no room: %v", err)
		}
		if events, _ := stdout.(vfs.Poller).Poll(); events != 0 {
			t.Errorf("poll %#x", events)
		}
		w.Receive(frame(hostBroken, 1))
		if _, err := stdout.Write(c, &vfstest.Source{Data: in}, 0); err != vfs.ErrPipe || len(c.Signals) != 1 || c.Signals[0] != abi.SIGPIPE {
			t.Errorf("nobody reads: %v, signals %v", err, c.Signals)
		}
	})
}

func TestTrigger(t *testing.T) {
	var words []string
	h := devices(t, []Entry{Trigger("crash", 241, func(w string) { words = append(words, w) })})("crash")
	h.Write(nil, &vfstest.Source{Data: []byte("now\n")}, 0)
	if len(words) != 1 || words[0] != "now" {
		t.Errorf("%q", words)
	}
}
