package kernel

import (
	"encoding/binary"

	"yolk/kernel/abi"
)

// clockTicks is the unit of times(2), a second's worth (sysconf(3), _SC_CLK_TCK).
const clockTicks = 100

// timeCalls are the system calls about time.
var timeCalls = []call{
	{abi.SysNanosleep, "nanosleep", sysNanosleep}, {abi.SysClockNanosleep, "clock_nanosleep", sysClockNanosleep},
	{abi.SysClockGettime, "clock_gettime", sysClockGettime}, {abi.SysClockGetres, "clock_getres", sysClockGetres},
	{abi.SysGettimeofday, "gettimeofday", sysGettimeofday}, {abi.SysTime, "time", sysTime},
	{abi.SysTimes, "times", sysTimes}, {abi.SysGetrusage, "getrusage", sysGetrusage},
	{abi.SysSchedYield, "sched_yield", sysSchedYield},
}

// copyInTime reads a struct timespec, a span of time, as nanoseconds; spans
// that do not fit are as long as can be.  The error is EINVAL or mm.ErrFault.
func (p *Process) copyInTime(va uint64) (int64, error) {
	var b [abi.TimespecSize]byte
	if err := p.copyIn(b[:], va); err != nil {
		return 0, err
	}
	sec, nsec := abi.Timespec(b[:])
	if sec < 0 || uint64(nsec) >= 1e9 {
		return 0, abi.EINVAL
	}
	return min(sec, 1<<33)*1e9 + nsec, nil
}

// timeval decodes a struct timeval, a span of time.
func timeval(b []byte) (ns int64, ok bool) {
	sec, usec := abi.Timespec(b)
	return min(sec, 1<<33)*1e9 + usec*1e3, sec >= 0 && uint64(usec) < 1e6
}

// after returns the time that is span nanoseconds past now, or the end of time.
func after(now, span int64) int64 {
	if span > never-now {
		return never
	}
	return now + span
}

// clock returns the time of one of the clocks of clock_gettime(2).
func (p *Process) clock(id uint64) (int64, error) {
	switch int32(id) {
	case abi.CLOCK_REALTIME, abi.CLOCK_REALTIME_COARSE:
		return p.Now(), nil
	case abi.CLOCK_MONOTONIC, abi.CLOCK_MONOTONIC_RAW, abi.CLOCK_MONOTONIC_COARSE, abi.CLOCK_BOOTTIME:
		return p.kernel.machine.Nanotime(), nil
	case abi.CLOCK_PROCESS_CPUTIME_ID, abi.CLOCK_THREAD_CPUTIME_ID:
		return p.usage.User + p.usage.System, nil
	}
	return 0, abi.EINVAL
}

func sysClockGettime(p *Process, a *Args) (uint64, error) {
	now, err := p.clock(a[0])
	if err == nil {
		err = p.copyOut(a[1], abi.AppendTimespec(nil, now))
	}
	return 0, err
}

func sysClockGetres(p *Process, a *Args) (uint64, error) {
	_, err := p.clock(a[0])
	if err == nil {
		err = p.copyOutMaybe(a[1], abi.AppendTimespec(nil, 1))
	}
	return 0, err
}

func sysGettimeofday(p *Process, a *Args) (uint64, error) {
	if err := p.copyOutMaybe(a[0], abi.AppendTimeval(nil, p.Now())); err != nil {
		return 0, err
	}
	var zone [8]byte // UTC
	return 0, p.copyOutMaybe(a[1], zone[:])
}

func sysTime(p *Process, a *Args) (uint64, error) {
	now := uint64(p.Now() / 1e9)
	return now, p.copyOutMaybe(a[0], binary.LittleEndian.AppendUint64(nil, now))
}

func sysNanosleep(p *Process, a *Args) (uint64, error) {
	return sysClockNanosleep(p, &Args{abi.CLOCK_MONOTONIC, 0, a[0], a[1]})
}

// sysClockNanosleep sleeps for a span, or until a clock has reached a time; an
// interrupted span reports what is left of it (clock_nanosleep(2)).
func sysClockNanosleep(p *Process, a *Args) (uint64, error) {
	now, err := p.clock(a[0])
	if id := int32(a[0]); err != nil || id == abi.CLOCK_THREAD_CPUTIME_ID || id == abi.CLOCK_PROCESS_CPUTIME_ID {
		return 0, abi.EINVAL
	}
	span, err := p.copyInTime(a[2])
	if err != nil {
		return 0, err
	}
	absolute := a[1]&abi.TIMER_ABSTIME != 0
	if absolute {
		span -= now
	}
	deadline := after(p.kernel.machine.Nanotime(), span)
	err = p.sleepUntil(deadline)
	if err != nil && !absolute {
		left := max(deadline-p.kernel.machine.Nanotime(), 0)
		if e := p.copyOutMaybe(a[3], abi.AppendTimespec(nil, left)); e != nil {
			err = e
		}
	}
	return 0, err
}

func sysTimes(p *Process, a *Args) (uint64, error) {
	const tick = 1e9 / clockTicks
	u, c := &p.usage, &p.childUse
	err := p.copyOutWords(a[0], uint64(u.User/tick), uint64(u.System/tick), uint64(c.User/tick), uint64(c.System/tick))
	return uint64(p.kernel.machine.Nanotime() / tick), err
}

func sysGetrusage(p *Process, a *Args) (uint64, error) {
	switch int32(a[0]) {
	case abi.RUSAGE_CHILDREN:
		return 0, p.copyOut(a[1], p.childUse.Append(nil))
	case abi.RUSAGE_SELF, abi.RUSAGE_THREAD:
		return 0, p.copyOut(a[1], p.usage.Append(nil))
	}
	return 0, abi.EINVAL
}

func sysSchedYield(p *Process, _ *Args) (uint64, error) {
	p.yield()
	return 0, nil
}
