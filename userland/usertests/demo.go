package usertests

import (
	"strings"

	"yolk/userland/cowdemo"
	"yolk/userland/kit"
	"yolk/userland/procfs"
	"yolk/userland/sys"
)

func demoTests() []test {
	return []test{
		{"cowcheck", portable, demoCow},
		{"DEMO-forkdemo", portable, demoFork},
		{"DEMO-vforkdemo", portable, demoVfork},
		{"DEMO-vforkmisuse", portable, demoMisuse},
		{"DEMO-execdemo", portable, demoExec},
		{"DEMO-lazydemo", portable, demoLazy},
	}
}

// demo runs another program of the box in a child, by exec, so that its memory is
// its own; it gives what the program prints on standard output, and how it ends.
func (t *T) demo(args ...string) (string, sys.WaitStatus) {
	r, w := t.pipe()
	pid := t.fork(func() {
		sys.Close(r)
		sys.Dup2(w, kit.Stdout)
		sys.Close(w)
		t.noErr(sys.Exec("/proc/self/exe", args, kit.Environ), "exec of ", args[0])
	})
	sys.Close(w)
	out, _ := kit.ReadAll(r)
	sys.Close(r)
	return string(out), t.wait(pid)
}

// demoCow re-runs cowdemo and re-checks every figure.
func demoCow(t *T) {
	out, status := t.demo("cowdemo")
	t.must(status == 0, "cowdemo ended with ", status)
	t.must(!procfs.IsYolk() || !strings.Contains(out, "=?"), "a figure is not known:\n", out)
	eager := procfs.IsYolk() && eagerFork()
	if wrong := cowdemo.Check(out, eager); len(wrong) > 0 {
		t.must(false, strings.Join(wrong, "\n"))
	}
}

// demoFork: forkdemo finds what it should.
func demoFork(t *T) {
	out, status := t.demo("forkdemo")
	t.must(status == 0, "forkdemo ended with ", status, ":\n", out)
}

// demoVfork: the child first, though it sleeps for three seconds, and istack.
func demoVfork(t *T) {
	args := []string{"vforkdemo"}
	if procfs.IsYolk() {
		args = append(args, "-v") // which checks the counters, too
	}
	out, status := t.demo(args...)
	t.must(status == 0 && out == "Child executing\nParent executing\nistack=666\n", "ended with ", status, ":\n", out)
}

// demoMisuse: each misuse has the outcome that it should.
func demoMisuse(t *T) {
	out, status := t.demo("vforkmisuse")
	t.must(status == 0, "vforkmisuse ended with ", status, ":\n", out)
}

// demoExec: the same pid, the open descriptor, the other closed.
func demoExec(t *T) {
	out, status := t.demo("execdemo")
	t.must(status == 0 && strings.Contains(out, "same pid: yes"), "ended with ", status, ":\n", out)
}

// demoLazy: pages come as they are touched.
func demoLazy(t *T) {
	out, status := t.demo("lazydemo")
	t.must(status == 0, "lazydemo ended with ", status, ":\n", out)
}
