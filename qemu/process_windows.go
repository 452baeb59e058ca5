package qemu

import "syscall"

// childAttr keeps Ctrl-C from QEMU, which would end as if the guest had reset
// itself.
func childAttr() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{CreationFlags: syscall.CREATE_NEW_PROCESS_GROUP}
}
