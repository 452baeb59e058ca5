package qemu

import (
	"fmt"
	"io"
	"net"
	"os"
)

// A link is one channel to QEMU: a character device there, a stream here.
type link struct {
	name   string             // the character device's id
	spec   string             // the value of QEMU's -chardev
	host   io.ReadWriteCloser // our end; nil until accepted
	child  *os.File           // QEMU's end, to be inherited; nil if it connects by itself
	listen net.Listener       // where QEMU connects; nil if it inherits
}

// links are the five channels of one machine, and stub, where a debugger speaks
// to it; nil if none does.
type links struct {
	com1, com2, log, trace, out, stub *link
	all                               []*link
}

// A makeLink makes a channel.  twoWay tells whether the guest reads from it;
// fd is the number that QEMU will know an inherited file by.
type makeLink func(name string, twoWay bool, fd int) (*link, error)

// newLinks makes the five channels, and the debugger's if there is one.
func newLinks(make makeLink, debugger bool) (*links, error) {
	l := &links{}
	type channel struct {
		to     **link
		name   string
		twoWay bool
	}
	wanted := []channel{
		{&l.com1, "com1", true},
		{&l.com2, "com2", true},
		{&l.log, "log", false},
		{&l.trace, "trace", false},
		{&l.out, "out", false},
	}
	if debugger {
		wanted = append(wanted, channel{&l.stub, "stub", true})
	}
	for _, want := range wanted {
		k, err := make(want.name, want.twoWay, firstInherited+len(l.all))
		if err != nil {
			l.close()
			return nil, fmt.Errorf("channel %s: %w", want.name, err)
		}
		*want.to = k
		l.all = append(l.all, k)
	}
	return l, nil
}

// firstInherited is the number of the first file beyond the standard three
// (os/exec, Cmd.ExtraFiles).
const firstInherited = 3

// inherited returns the ends that QEMU inherits, in the order of their numbers.
func (l *links) inherited() []*os.File {
	var files []*os.File
	for _, k := range l.all {
		if k.child != nil {
			files = append(files, k.child)
		}
	}
	return files
}

// started closes what only QEMU needs from here on, so that its end is seen
// as the end of each stream.
func (l *links) started() {
	for _, k := range l.all {
		if k.child != nil {
			k.child.Close()
			k.child = nil
		}
	}
}

// accept waits until QEMU has connected to every channel that it does not
// inherit.  close ends the wait.
func (l *links) accept() error {
	for _, k := range l.all {
		if k.listen == nil {
			continue
		}
		conn, err := k.listen.Accept()
		if err != nil {
			return fmt.Errorf("channel %s: %w", k.name, err)
		}
		k.host = conn
	}
	return nil
}

// closeListeners makes a waiting accept fail: QEMU has ended and will not
// connect any more.
func (l *links) closeListeners() {
	for _, k := range l.all {
		if k.listen != nil {
			k.listen.Close()
		}
	}
}

// close closes every end on this side.
func (l *links) close() {
	l.started()
	l.closeListeners()
	for _, k := range l.all {
		if k.host != nil {
			k.host.Close()
		}
	}
}

// tcpLink makes a channel over loopback TCP: for hosts where QEMU cannot
// inherit a file.
func tcpLink(name string, _ bool, _ int) (*link, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	port := ln.Addr().(*net.TCPAddr).Port
	return &link{
		name:   name,
		spec:   fmt.Sprintf("socket,id=%s,host=127.0.0.1,port=%d,nodelay=on", name, port),
		listen: ln,
	}, nil
}
