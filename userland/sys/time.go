package sys

import "unsafe"

// Clocks of clock_gettime(2).
const (
	ClockRealtime  = 0
	ClockMonotonic = 1
)

// Timespec is struct timespec.
type Timespec struct{ Sec, Nsec int64 }

// Nanoseconds is the time as one number.
func (t Timespec) Nanoseconds() int64 { return t.Sec*1e9 + t.Nsec }

// Nanosleep is nanosleep(2): what remained of the time when a signal cut it short.
func Nanosleep(t Timespec) (rest Timespec, err error) {
	err = fails(Call(SysNanosleep, uintptr(unsafe.Pointer(&t)), uintptr(unsafe.Pointer(&rest)), 0, 0, 0, 0))
	return rest, err
}

// Sleep sleeps for ns nanoseconds, whatever signals come meanwhile.
func Sleep(ns int64) {
	t := Timespec{ns / 1e9, ns % 1e9}
	for {
		rest, err := Nanosleep(t)
		if err != EINTR {
			return
		}
		t = rest
	}
}

// Now is the clock's time in nanoseconds.
func Now(clock int) int64 {
	var t Timespec
	Call(SysClockGettime, uintptr(clock), uintptr(unsafe.Pointer(&t)), 0, 0, 0, 0)
	return t.Nanoseconds()
}

// Yield is sched_yield(2).
func Yield() { Call(SysSchedYield, 0, 0, 0, 0, 0, 0) }

// ReadTSC reads the processor's time-stamp counter (SDM 3B §18.17).
func ReadTSC() uint64 { return readTSC() }

// CountDown executes 2·n instructions in a loop, and a handful around it.
func CountDown(n uint64) { countDown(n) }

// Getrandom is getrandom(2).
func Getrandom(b []byte) (int, error) {
	return check(Call(SysGetrandom, uintptr(data(b)), uintptr(len(b)), 0, 0, 0, 0))
}

// Utsname is the answer of uname(2): six fields that end in NUL.
type Utsname [6][65]byte

// Uname is uname(2).
func Uname() (u Utsname, err error) {
	err = fails(Call(SysUname, uintptr(unsafe.Pointer(&u)), 0, 0, 0, 0, 0))
	return u, err
}
