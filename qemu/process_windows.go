package qemu

import "syscall"

// ChildAttr keeps Ctrl-C from QEMU, which would end as if the guest had reset
// itself.
func ChildAttr() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{CreationFlags: syscall.CREATE_NEW_PROCESS_GROUP}
}
