// A network poller that polls nothing: every descriptor is blocking. Opening says
// EPERM, as epoll does for regular files, and package os then does without.

package runtime

const eperm = 1

func netpollinit()                               {}
func netpollIsPollDescriptor(fd uintptr) bool    { return false }
func netpollopen(fd uintptr, pd *pollDesc) int32 { return eperm }
func netpollclose(fd uintptr) int32              { return 0 }
func netpollarm(pd *pollDesc, mode int)          {}
func netpollBreak()                              {}
func netpoll(delay int64) (gList, int32)         { return gList{}, 0 }
