//go:build !unix

package qemu

// hostLink makes a channel over loopback TCP, since QEMU cannot inherit files
// here.
func hostLink(name string, twoWay bool, fd int) (*link, error) {
	return tcpLink(name, twoWay, fd)
}
