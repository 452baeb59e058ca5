package usertests

import (
	"strings"

	"yolk/userland/kit"
	"yolk/userland/procfs"
	"yolk/userland/sys"
)

func waitTests() []test {
	return []test{
		{"WAIT-01-bad-status-loses-no-child", portable, waitFault},
		{"WAIT-02-orphans", portable, waitOrphans},
		{"WAIT-03-selection-and-options", portable, waitSelection},
		{"WAIT-03-process-groups", portable, waitGroups},
		{"WAIT-03-waitid", portable, waitID},
		{"WAIT-04-pids-are-not-reused", portable, waitPids},
		{"WAIT-05-clear-child-tid", portable, waitClear},
		{"WAIT-06-nothing-is-lost", yolk, waitLeak},
		{"WAIT-statuses", portable, waitStatuses},
	}
}

// waitFault: a status that cannot be stored is EFAULT.  Linux has reaped the
// child by then; ours keeps it.
func waitFault(t *T) {
	pid := t.fork(func() { sys.Exit(4) })
	_, e := sys.Call(sys.SysWait4, uintptr(pid), 8, 0, 0, 0, 0)
	t.must(e == sys.EFAULT, "wait with a bad pointer: ", e)
	_, status, err := sys.Wait4(pid, 0)
	if !procfs.IsYolk() && err == sys.ECHILD {
		return
	}
	t.must(err == nil && status.ExitStatus() == 4, "the child was lost: ", status)
}

// waitOrphans: orphans, also those that are zombies already, go to the process
// that adopts them, and are reaped there.
func waitOrphans(t *T) {
	if sys.Prctl(sys.SubreaperOption, 1) != nil {
		waitInit(t)
		return
	}
	r, w := t.pipe()
	middle := t.fork(func() {
		t.fork(func() {}) // a zombie when its parent ends
		t.fork(func() { sys.Sleep(100e6) })
		sys.Sleep(50e6)
		kit.WriteAll(w, []byte{1})
	})
	kit.Read(r, make([]byte, 1))
	t.join(middle)
	for i := range 2 {
		_, status, err := sys.Wait4(-1, 0)
		t.must(err == nil && status == 0, "orphan ", i, ": ", status)
	}
	_, _, err := sys.Wait4(-1, 0)
	t.wantErr(err, "wait without children", sys.ECHILD)
}

// waitInit is the same where only init adopts.
func waitInit(t *T) {
	r, w := t.pipe()
	t.child(func() {
		zombie := t.fork(func() {})
		orphan := t.fork(func() {
			sys.Sleep(50e6)
			kit.Fprint(w, sys.Getppid())
		})
		kit.Fprint(w, zombie, " ", orphan, " ")
		sys.Sleep(20e6)
	})
	sys.Close(w)
	text, _ := kit.ReadAll(r)
	said := strings.Fields(string(text))
	t.must(len(said) == 3 && said[2] == "1", "the orphan's parent: ", text)
	for _, pid := range said[:2] {
		gone := false
		for i := 0; !gone && i < 200; i++ {
			gone = sys.Access("/proc/"+pid, 0) != nil
			sys.Sleep(1e6)
		}
		t.must(gone, "process ", pid, " was not reaped")
	}
}

// waitSelection: pids, -1, WNOHANG, and who is not ours.
func waitSelection(t *T) {
	_, _, err := sys.Wait4(-1, 0)
	t.wantErr(err, "wait without children", sys.ECHILD)
	_, _, err = sys.Wait4(1, sys.WNOHANG)
	t.wantErr(err, "wait for init", sys.ECHILD)
	g := t.gate()
	slow := t.fork(func() {
		g.pass()
		sys.Exit(1)
	})
	quick := t.fork(func() { sys.Exit(2) })
	pid, status, err := sys.Wait4(-1, 0)
	t.must(err == nil && pid == quick && status.ExitStatus() == 2, "any child: ", pid, " ", status)
	pid, _, err = sys.Wait4(slow, sys.WNOHANG)
	t.must(err == nil && pid == 0, "WNOHANG: ", pid)
	pid, _, err = sys.Wait4(-1, sys.WNOHANG)
	t.must(err == nil && pid == 0, "WNOHANG for any: ", pid)
	_, _, err = sys.Wait4(quick, 0)
	t.wantErr(err, "a child that was reaped", sys.ECHILD)
	g.open()
	pid, status, err = sys.Wait4(slow, 0)
	t.must(err == nil && pid == slow && status.ExitStatus() == 1, "by pid: ", pid, " ", status)
	_, e := sys.Call(sys.SysWait4, ^uintptr(0), 0, 0x1000, 0, 0, 0)
	t.must(e == sys.EINVAL, "unknown options: ", e)
}

// waitGroups: 0 stands for the caller's process group, -N for group N.
func waitGroups(t *T) {
	other := t.fork(func() {
		sys.Setpgid(0, 0)
		sys.Sleep(20e6)
		sys.Exit(1)
	})
	sys.Setpgid(other, other)
	mine := t.fork(func() { sys.Exit(2) })
	pid, _, err := sys.Wait4(0, 0)
	t.must(err == nil && pid == mine, "our group: ", pid)
	_, _, err = sys.Wait4(0, 0)
	t.wantErr(err, "our group once more", sys.ECHILD)
	pid, _, err = sys.Wait4(-other, 0)
	t.must(err == nil && pid == other, "the other group: ", pid)
}

// waitID: waitid reports, and with WNOWAIT leaves the child to be waited for again.
func waitID(t *T) {
	const idPid, wExited, wNoWait = 1, 4, 0x1000000
	pid := t.fork(func() { sys.Exit(6) })
	info := make([]byte, 128) // siginfo: signo, errno, code at 8, pid at 16, status at 24
	addr := sys.Pin(info)
	for _, options := range []uintptr{wExited | wNoWait, wExited} {
		_, e := sys.Call(sys.SysWaitid, idPid, uintptr(pid), addr, options, 0, 0)
		t.must(e == 0, "waitid: ", e)
		t.must(info[0] == sys.SIGCHLD && info[8] == 1 && info[24] == 6, "siginfo is ", kit.Hex(info[0]), " ", kit.Hex(info[8]), " ", kit.Hex(info[24]))
	}
	_, e := sys.Call(sys.SysWaitid, idPid, uintptr(pid), addr, wExited, 0, 0)
	t.must(e == sys.ECHILD, "waitid after the last: ", e)
}

// waitPids: a zombie keeps its pid.
func waitPids(t *T) {
	zombie := t.fork(func() {})
	for range 50 {
		pid := t.fork(func() {})
		t.must(pid != zombie, "the pid of a zombie was given again")
		t.join(pid)
	}
	t.join(zombie)
}

// waitClear: at exit the word of set_tid_address is cleared, if others share the
// memory; that it may be gone by then harms nobody.
func waitClear(t *T) {
	words[0] = 77
	t.wait(t.vfork(&script{steps: []step{call(sys.SysSetTidAddress, sys.WordsAddr(words[:]))}}))
	t.must(words[0]&0xffffffff == 0, "the word was not cleared")
	addr := t.pages(1)
	t.wait(t.vfork(&script{steps: []step{call(sys.SysSetTidAddress, addr), call(sys.SysMunmap, addr, page)}}))
	t.wait(t.vfork(&script{steps: []step{call(sys.SysSetTidAddress, 0xffff_8000_0000_0000)}}))
}

// waitLeak: when the last child has ended, as much memory is free as before.
func waitLeak(t *T) {
	t.lossless(func() {
		for range 8 {
			t.child(func() {
				fill(t.pages(32), 32, 1)
				t.child(func() {})
			})
		}
	})
}

// waitStatuses: how each way of ending is reported.
func waitStatuses(t *T) {
	for _, code := range []int{0, 1, 127, 255, 256 + 3} {
		status := t.status(func() { sys.Exit(code) })
		t.must(!status.Signaled() && status.ExitStatus() == code&0xff, "exit ", code, " is ", status)
	}
	status := t.status(func() { sys.Call(sys.SysExit, 9, 0, 0, 0, 0, 0) })
	t.must(status.ExitStatus() == 9, "exit(2) is ", status)
	for _, sig := range []int{sys.SIGKILL, sys.SIGTERM, sys.SIGUSR1, sys.SIGINT} {
		status := t.status(func() {
			sys.SetSignal(sig, sys.SigDfl)
			sys.Kill(sys.Getpid(), sig)
		})
		t.must(status.Signaled() && status.Signal() == sig, "signal ", sig, " is ", status)
	}
}
