package usertests

import (
	"strings"

	"yolk/userland/sys"
)

func timeTests() []test {
	return []test{
		{"TIME-clocks", portable, timeClocks},
		{"TIME-sleep", portable, timeSleep},
		{"TIME-sleepers-wake-in-order", portable, timeOrder},
		{"SYS-uname", portable, sysUname},
		{"SYS-identity", portable, sysIdentity},
		{"SYS-random", portable, sysRandom},
		{"SYS-sessions", portable, sysSessions},
	}
}

// timeClocks: the monotonic clock does not go back; a second takes a second.
func timeClocks(t *T) {
	last := now()
	for range 1000 {
		next := now()
		t.must(next >= last, "the clock went back")
		last = next
	}
	var tv [2]int64
	_, e := sys.Call(sys.SysGettimeofday, sys.PinWords(tv[:]), 0, 0, 0, 0, 0)
	t.must(e == 0, "gettimeofday: ", e)
	_, e = sys.Call(sys.SysClockGettime, 9999, sys.PinWords(make([]int64, 2)), 0, 0, 0, 0)
	t.must(e == sys.EINVAL, "an unknown clock: ", e)
	real := sys.Now(sys.ClockRealtime)
	t.must(real > 1_600_000_000e9 || real >= 0, "the time of day is ", real)
}

// timeSleep: a sleep takes as long as it should, and refuses nonsense.
func timeSleep(t *T) {
	for _, ns := range []int64{0, 1, 1e6, 50e6} {
		start := now()
		sys.Sleep(ns)
		took := now() - start
		t.must(took >= ns && took < ns+5e9, "a sleep of ", ns, " ns took ", took)
	}
	for _, bad := range []sys.Timespec{{Sec: -1}, {Nsec: -1}, {Nsec: 1e9}} {
		_, err := sys.Nanosleep(bad)
		t.wantErr(err, "nonsense", sys.EINVAL)
	}
}

// timeOrder: who sleeps shorter wakes first.
func timeOrder(t *T) {
	r, w := t.pipe()
	for _, n := range []byte{4, 1, 3, 2} {
		t.fork(func() {
			sys.Sleep(int64(n) * 60e6)
			sys.Write(w, []byte{'0' + n})
		})
	}
	sys.Close(w)
	reapAll()
	buf := make([]byte, 8)
	n, _ := sys.Read(r, buf)
	t.must(string(buf[:n]) == "1234", "the order is ", buf[:n])
}

// sysUname: it says Linux, for programs look at that.
func sysUname(t *T) {
	u, err := sys.Uname()
	t.noErr(err, "uname")
	field := func(i int) string {
		text, _, _ := strings.Cut(string(u[i][:]), "\x00")
		return text
	}
	t.must(field(0) == "Linux" && field(4) == "x86_64" && field(2) != "", "uname says ", field(0), " ", field(2), " ", field(4))
}

// sysIdentity: pids and ids.
func sysIdentity(t *T) {
	parent := sys.Getpid()
	t.must(parent > 1 && sys.Getppid() > 0, "pids ", parent, " and ", sys.Getppid())
	tid, _ := sys.Call(sys.SysGettid, 0, 0, 0, 0, 0, 0)
	t.must(int(tid) == parent, "gettid gives ", int(tid))
	t.child(func() { t.must(sys.Getpid() != parent && sys.Getppid() == parent, "the child's pids") })
}

// sysRandom: getrandom gives other bytes each time.
func sysRandom(t *T) {
	a, b := make([]byte, 32), make([]byte, 32)
	n, err := sys.Getrandom(a)
	t.must(n == 32 && err == nil, "getrandom gave ", n)
	sys.Getrandom(b)
	t.must(string(a) != string(b), "the same twice")
}

// sysSessions: setsid and process groups.
func sysSessions(t *T) {
	t.child(func() {
		sid, err := sys.Setsid()
		if err != nil { // the leader of a group cannot
			t.wantErr(err, "setsid", sys.EPERM)
		} else {
			t.must(sid == sys.Getpid(), "setsid gave ", sid)
		}
		_, err = sys.Setsid()
		t.wantErr(err, "setsid twice", sys.EPERM)
		group, _ := sys.Call(sys.SysGetpgrp, 0, 0, 0, 0, 0, 0)
		t.must(int(group) == sys.Getpid(), "the group is ", int(group))
	})
}
