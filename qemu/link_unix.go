//go:build unix

package qemu

import (
	"fmt"
	"os"
	"syscall"
)

// hostLink makes a channel that QEMU inherits: nothing of it is visible to
// other users of the host, and nothing is left behind.
//
// WHY pipes where one direction is enough: a pipe gathers the single bytes
// that a debug console writes; a socket keeps a buffer for each, which halves
// the speed.
func hostLink(name string, twoWay bool, fd int) (*link, error) {
	if !twoWay {
		r, w, err := os.Pipe()
		if err != nil {
			return nil, err
		}
		return &link{name: name, spec: fmt.Sprintf("file,id=%s,path=/dev/fd/%d", name, fd), host: r, child: w}, nil
	}
	syscall.ForkLock.RLock() // no child may start between the pair and its close-on-exec
	pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err == nil {
		syscall.CloseOnExec(pair[0])
		syscall.CloseOnExec(pair[1])
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return nil, os.NewSyscallError("socketpair", err)
	}
	if err := syscall.SetNonblock(pair[0], true); err != nil { // so that Close ends a Read
		return nil, os.NewSyscallError("setnonblock", err)
	}
	return &link{
		name: name, spec: fmt.Sprintf("socket,id=%s,fd=%d", name, fd),
		host: os.NewFile(uintptr(pair[0]), name), child: os.NewFile(uintptr(pair[1]), name),
	}, nil
}
