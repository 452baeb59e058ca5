//go:build unix && !linux

package qemu

import "syscall"

// ChildAttr keeps the terminal's signals from QEMU, which would end as if the
// guest had reset itself.
func ChildAttr() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}
