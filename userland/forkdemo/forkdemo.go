// Package forkdemo is the program that shows what fork makes: a second process
// that is the first one's equal, and is its own from then on.
package forkdemo

import (
	"yolk/userland/kit"
	"yolk/userland/procfs"
	"yolk/userland/sys"
)

const name = "forkdemo"

// Prog is the program forkdemo.
var Prog = kit.Prog{Name: name, Help: "watch what a child of fork shares with its parent", Main: Main}

// Main runs the parts one after the other.
func Main([]string) int {
	status := 0
	for _, part := range []func() (bool, error){isolation, registers, offset, zombie, orphan} {
		ok, err := part()
		if err != nil {
			return kit.Complain(name, "system call", err)
		}
		if !ok {
			status = 1
		}
	}
	return status
}

// fork runs body in a child and gives its pid; the child exits with body's result.
func fork(body func() int) (int, error) {
	pid, err := sys.Fork()
	if err == nil && pid == 0 {
		sys.Exit(body())
	}
	return pid, err
}

// shared is the variable that both sides write.
var shared int

// isolation: each side's writes stay its own, whoever writes first.
func isolation() (bool, error) {
	shared = 1
	r, w, err := sys.Pipe2(0)
	if err != nil {
		return false, err
	}
	pid, err := fork(func() int {
		sys.Close(w)
		before := shared
		shared = 20
		kit.Read(r, make([]byte, 1)) // until the parent has written
		return before + shared       // 1 + 20
	})
	if err != nil {
		return false, err
	}
	shared = 300
	sys.Close(r)
	sys.Close(w)
	status, err := kit.WaitFor(pid)
	kit.Print("isolation: both started with 1; the child wrote 20, the parent 300; they read ",
		status.ExitStatus()-1, " and ", shared, "\n")
	return status.ExitStatus() == 21 && shared == 300, err
}

// registers: the child starts with every register as the parent has it, but RAX.
func registers() (bool, error) {
	pid, regs, err := sys.ForkRegisters()
	if err != nil {
		return false, err
	}
	if pid == 0 {
		if regs.Want() {
			sys.Exit(0)
		}
		sys.Exit(1)
	}
	status, err := kit.WaitFor(pid)
	kit.Print("registers: as before the call, in the parent: ", regs.Want(), ", in the child: ", status.ExitStatus() == 0, "\n")
	return regs.Want() && status == 0, err
}

// offset: a descriptor is copied, the open file behind it is not.
func offset() (bool, error) {
	path := kit.Format("/tmp/forkdemo.", sys.Getpid())
	if err := kit.WriteFile(path, []byte("abcdef"), 0o600); err != nil {
		return false, err
	}
	defer sys.Unlink(path)
	fd, err := sys.Open(path, sys.O_RDONLY, 0)
	if err != nil {
		return false, err
	}
	buf := make([]byte, 3)
	pid, err := fork(func() int {
		kit.Read(fd, buf)
		kit.Print("offset: the child reads ", buf, ", ")
		sys.Close(fd) // its own descriptor only
		return 0
	})
	if err != nil {
		return false, err
	}
	kit.WaitFor(pid)
	kit.Read(fd, buf)
	kit.Print("the parent goes on with ", buf, "\n")
	return string(buf) == "def", nil
}

// state is the letter that /proc shows for a process; '-' when it is gone.
func state(pid int) string {
	st, err := procfs.ReadStat(pid)
	if err != nil {
		return "-"
	}
	return string([]byte{st.State})
}

// zombie: a child that has ended stays in the table until it is waited for.
func zombie() (bool, error) {
	pid, err := fork(func() int { return 7 })
	if err != nil {
		return false, err
	}
	before := state(pid)
	for i := 0; before != "Z" && i < 100; i++ {
		sys.Sleep(10e6)
		before = state(pid)
	}
	status, err := kit.WaitFor(pid)
	after := state(pid)
	kit.Print("zombie: the child's state is ", before, "; wait gives ", status, "; its state is ", after, "\n")
	return before == "Z" && status.ExitStatus() == 7 && after == "-", err
}

// orphan: a child whose parent ends first gets another.
func orphan() (bool, error) {
	r, w, err := sys.Pipe2(0)
	if err != nil {
		return false, err
	}
	middle, err := fork(func() int {
		parent := sys.Getpid()
		fork(func() int {
			for i := 0; sys.Getppid() == parent && i < 100; i++ {
				sys.Sleep(10e6)
			}
			kit.Fprint(w, sys.Getppid() != parent)
			return 0
		})
		return 0
	})
	if err != nil {
		return false, err
	}
	sys.Close(w)
	kit.WaitFor(middle)
	answer, err := kit.ReadAll(r)
	sys.Close(r)
	kit.Print("orphan: the grandchild has another parent: ", answer, "\n")
	return string(answer) == "yes", err
}
