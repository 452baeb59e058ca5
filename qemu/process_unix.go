//go:build unix && !linux

package qemu

import "syscall"

// childAttr keeps the terminal's signals from QEMU, which would end as if the
// guest had reset itself.
func childAttr() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}
