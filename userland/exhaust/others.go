package exhaust

import (
	"encoding/binary"

	"yolk/userland/kit"
	"yolk/userland/sys"
)

const sysSetitimer = 38

// timers: every process is sent SIGALRM as often as can be, and sleeps.
func timers(a *attempt) {
	every := []int64{0, 1, 0, 1} // struct itimerval: interval and first, 1 µs each
	a.spread(a.limit, func(int) {
		sys.SetSignal(sys.SIGALRM, sys.SigIgn)
		_, e := sys.Call(sysSetitimer, 0, sys.PinWords(every), 0, 0, 0, 0)
		a.took(errOf(e))
	})
	sys.Sleep(1e9)
}

// polls: every process sleeps in poll with as many descriptors as it may have,
// all of them one empty pipe.
func polls(a *attempt) {
	allDescriptors()
	r, _, err := sys.Pipe2(0)
	for err == nil {
		_, err = sys.Dup(r)
	}
	set := make([]sys.PollFd, 4096)
	for i := range set {
		set[i] = sys.PollFd{Fd: int32(r), Events: sys.POLLIN}
	}
	a.take(func(int) error {
		pid, err := sys.Fork()
		if err == nil && pid == 0 {
			_, err := sys.Poll(set, -1)
			a.took(err)
			sys.Exit(0)
		}
		sys.Sleep(5e6)
		return err
	})
}

// vectors: the longest vectors there are, over a pipe and over a file.
func vectors(a *attempt) {
	r, w, _ := sys.Pipe2(0)
	iov := make([]int64, 2*1025)
	for i := range 1025 {
		iov[2*i], iov[2*i+1] = int64(sys.Addr(block[:])), 32
	}
	at := sys.PinWords(iov)
	a.take(func(int) error {
		if _, e := sys.Call(sys.SysWritev, uintptr(w), at, 1025, 0, 0, 0); e != sys.EINVAL {
			return sys.EIO
		}
		_, e := sys.Call(sys.SysWritev, uintptr(w), at, 1024, 0, 0, 0)
		if e == 0 {
			_, e = sys.Call(sys.SysReadv, uintptr(r), at, 1024, 0, 0, 0)
		}
		return errOf(e)
	})
}

// bigProc reads what the kernel tells about a process with many mappings and
// many pages, and about all frames, in one call each and piece by piece.
func bigProc(a *attempt) {
	pages, err := sys.MapPages(4 << 20 / sys.PageSize)
	if err != nil {
		a.took(err)
		return
	}
	for i := 0; i < 60_000 && mapOne(i) == nil; i++ {
	}
	sys.Munmap(pages-200*sys.PageSize, 200*sys.PageSize) // room for descriptors
	buf := sys.Bytes(pages, 4<<20)
	names := []string{"/proc/self/maps", "/proc/self/pagetable", "/proc/self/pagemap", "/proc/kpagecount", "/proc/self/environ", "/proc/meminfo"}
	a.take(func(i int) error {
		fd, err := sys.Open(names[i%len(names)], sys.O_RDONLY, 0)
		if err != nil {
			return err
		}
		defer sys.Close(fd)
		size := len(buf)
		if i >= len(names) {
			size = 4096
		}
		for range 10_000 {
			if n, err := sys.Read(fd, buf[:size]); err != nil || n == 0 {
				return err
			}
		}
		return nil
	})
}

// churn fills the budget with mappings and files and then makes garbage: long
// paths, long argument lists, forks.
func churn(a *attempt) {
	a.spread(1, func(int) {
		for i := 0; mapOne(i) == nil; i++ {
		}
	})
	inDirectory(a, func() {
		for i := 0; makeFile(kit.Format("f", i)) == nil; i++ {
		}
		image := sys.NewImage("/bin/no-such-program", list(15, 128<<10-1), nil)
		a.take(func(int) error {
			for range 10 {
				image.Exec()
			}
			for range 1000 {
				sys.Symlink(long(0, 4000), "f0")
			}
			if pid, err := sys.Fork(); err == nil {
				if pid == 0 {
					sys.Exit(0)
				}
				kit.WaitFor(pid)
			}
			return nil
		})
	})
}

// fragments fills the budget with objects of one size, lets go of all but a
// few, and fills it again with objects of another: each time, what is left of
// one size keeps whole blocks of the heap from the next.
func fragments(a *attempt) {
	inDirectory(a, func() {
		a.take(func(phase int) error {
			size := 100 + phase*120
			n := 0
			for ; sys.Symlink(long(n, size), kit.Format("l", phase, ".", n)) == nil; n++ {
			}
			for i := range n {
				if i%(8192/size) != 0 {
					sys.Unlink(kit.Format("l", phase, ".", i))
				}
			}
			binary.LittleEndian.PutUint64(a.board[64+8*phase:], uint64(n))
			if n == 0 {
				return sys.ENOSPC
			}
			return nil
		})
	})
}
