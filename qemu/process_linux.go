package qemu

import "syscall"

// ChildAttr keeps the terminal's signals from QEMU, which would end as if the
// guest had reset itself, and ends QEMU when its starter is killed.
func ChildAttr() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
