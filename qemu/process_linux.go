package qemu

import "syscall"

// childAttr keeps the terminal's signals from QEMU, which would end as if the
// guest had reset itself, and ends QEMU when its starter is killed.
func childAttr() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
