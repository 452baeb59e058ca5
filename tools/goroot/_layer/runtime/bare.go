// The operating system, as the runtime sees it: none of its own.
//
// The runtime is Linux's, and this file with bare_amd64.s is the Linux below it.
// What one thread can do without (futexes, clone, signals, mappings) does nothing
// or fails; the rest becomes a call of package runtime/goos.

package runtime

import (
	"internal/runtime/atomic"
	"internal/runtime/syscall/linux"
	"runtime/goos"
	"unsafe"
)

// singleThreaded takes the place of GOARCH == "wasm" wherever that means one M.
const singleThreaded = true

const (
	sysWrite     = 1
	sysFcntl     = 72
	sysExitGroup = 231
	sysGetrandom = 318

	enosys  = 38
	_EINVAL = 22 // for set_vma_name_linux.go
)

// bareSyscall is the Linux that a program which is not goos.Hosted runs on. It is
// entered from internal/runtime/syscall/linux.Syscall6 with the same registers.
//
//go:nosplit
//go:linkname bareSyscall
func bareSyscall(num, a1, a2, a3, a4, a5, a6 uintptr) (r1, r2, errno uintptr) {
	switch num {
	case sysWrite:
		if a1 == 1 || a1 == 2 {
			systemstack(func() {
				for i := uintptr(0); i < a3; i++ {
					goos.Printk(*(*byte)(unsafe.Pointer(a2 + i)))
				}
			})
			return a3, 0, 0
		}
	case sysFcntl:
		return 0, 0, 0
	case sysGetrandom:
		systemstack(func() {
			goos.GetRandomData(unsafe.Slice((*byte)(unsafe.Pointer(a1)), a2))
		})
		return a2, 0, 0
	case sysExitGroup:
		if goos.Exit != nil {
			goos.Exit(int32(a1))
		}
		for {
			halt()
		}
	}
	return ^uintptr(0), 0, enosys
}

// halt stops the processor until an interrupt that never comes.
func halt()

//go:nosplit
func exit(code int32) {
	for {
		linux.Syscall6(sysExitGroup, uintptr(code), 0, 0, 0, 0, 0)
	}
}

//go:nosplit
func exitThread(wait *atomic.Uint32) {
	throw("exitThread on a single-threaded runtime")
}

//go:nosplit
func write1(fd uintptr, p unsafe.Pointer, n int32) int32 {
	r, _, errno := linux.Syscall6(sysWrite, fd, uintptr(p), uintptr(n), 0, 0, 0)
	if errno != 0 {
		return -int32(errno)
	}
	return int32(r)
}

// The files that the runtime would open (/sys/kernel/mm/…, /dev/urandom,
// /proc/self/auxv) are all optional, and a process start should be cheap.
//
//go:nosplit
func open(name *byte, mode, perm int32) int32 { return -1 }

//go:nosplit
func read(fd int32, p unsafe.Pointer, n int32) int32 { return -enosys }

//go:nosplit
func closefd(fd int32) int32 { return -1 }

//go:nosplit
func madvise(addr unsafe.Pointer, n uintptr, flags int32) int32 { return -1 }

// soleThreadSleeps is what becomes of a futex wait. Nothing in a runtime with one
// thread comes to it, except code that was made for several, such as os/signal.
func soleThreadSleeps() { throw("the only thread would sleep for ever") }

// usleep is how threads wait for one another; here there is nobody to wait for.
//
//go:nosplit
func usleep(usec uint32) {}

//go:nosplit
func usleep_no_g(usec uint32) {}

//go:nosplit
func nanotime1() int64 { return goos.Nanotime() }

func walltime() (sec int64, nsec int32) {
	if goos.Walltime != nil {
		return goos.Walltime()
	}
	now := goos.Nanotime()
	return now / 1e9, int32(now % 1e9)
}

// bareStart runs on g0 before osinit and schedinit.
func bareStart() {
	goos.Hwinit0()
	if !goos.Hosted {
		goos.InitRNG()
		goos.GetRandomData(startupRand)
	}
	initBloc()
	if goos.Bloc != 0 {
		bloc = memRound(goos.Bloc)
		blocMax = bloc
	}
}

// bareInit runs on g0 after schedinit, before the first goroutine is made.
func bareInit() { goos.Hwinit1() }

// sbrk grows the heap by n bytes of zeroed memory, nil when there is no more.
func sbrk(n uintptr) unsafe.Pointer {
	n = memRound(n)
	end := uintptr(goos.RamStart + goos.RamSize)
	if bloc > end || n > end-bloc {
		return nil
	}
	p := bloc
	bloc += n
	return unsafe.Pointer(p)
}

// heapRoom adds what the page allocator has free to the arenas that sbrk can still
// give.
//
//go:linkname heapRoom runtime/goos.HeapRoom
func heapRoom() (total, largest uintptr) {
	end, next := uintptr(goos.RamStart+goos.RamSize), alignUp(bloc, heapArenaBytes)
	if next < end {
		largest = alignDown(end-next, heapArenaBytes)
	}
	total = largest + uintptr(gcController.heapFree.load()+gcController.heapReleased.load())
	for _, s := range mheap_.pages.summary[0] {
		largest = max(largest, uintptr(s.max())*pageSize)
	}
	return total, largest
}

// heapTrigger is asked after each allocation that took a fresh span from the heap.
// Where less than goos.HeapReserve is left it collects all garbage before the
// program goes on; else the collector begins when its own estimate says so.
func heapTrigger() gcTrigger {
	if room, _ := heapRoom(); room < goos.HeapReserve && !collecting {
		mp := acquirem()
		able := getg() != mp.g0 && mp.locks == 1 && mp.preemptoff == "" // as gcStart demands
		releasem(mp)
		if able {
			collecting = true
			GC()
			collecting = false
		}
	}
	return gcTrigger{kind: gcTriggerHeap}
}

// collecting is set while heapTrigger collects, which allocates, too.
var collecting bool

// MemRegion returns the bounds of the runtime's memory (TamaGo's API).
func MemRegion() (start, end uint) { return goos.RamStart, goos.RamStart + goos.RamSize }

// CPU names the processor (TamaGo's API).
func CPU() string { return "amd64" }

// CallOnG0 calls the code at fn on the system stack (TamaGo's API, for its handler
// of processor exceptions, which ends the program).
//
//go:linkname CallOnG0
func CallOnG0(fn uintptr)
