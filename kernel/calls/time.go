package calls

import (
	"encoding/binary"
	"time"

	"yolk/kernel"
	"yolk/kernel/abi"
	"yolk/kernel/vfs"
)

// timeCalls are the system calls about time.
var timeCalls = []call{
	{abi.SysNanosleep, "nanosleep", sysNanosleep}, {abi.SysClockNanosleep, "clock_nanosleep", sysClockNanosleep},
	{abi.SysClockGettime, "clock_gettime", sysClockGettime}, {abi.SysClockGetres, "clock_getres", sysClockGetres},
	{abi.SysGettimeofday, "gettimeofday", sysGettimeofday}, {abi.SysTime, "time", sysTime},
	{abi.SysTimes, "times", sysTimes}, {abi.SysGetrusage, "getrusage", sysGetrusage},
	{abi.SysAlarm, "alarm", sysAlarm}, {abi.SysGetitimer, "getitimer", sysGetitimer}, {abi.SysSetitimer, "setitimer", sysSetitimer},
}

// clock returns the time of one of the clocks of clock_gettime(2), in
// nanoseconds.  The error is EINVAL.
func clock(p *kernel.Process, id uint64) (int64, error) {
	switch int32(id) {
	case abi.CLOCK_REALTIME, abi.CLOCK_REALTIME_COARSE:
		return p.Now(), nil
	case abi.CLOCK_MONOTONIC, abi.CLOCK_MONOTONIC_RAW, abi.CLOCK_MONOTONIC_COARSE, abi.CLOCK_BOOTTIME:
		return p.Kernel().Machine().Nanotime(), nil
	case abi.CLOCK_PROCESS_CPUTIME_ID, abi.CLOCK_THREAD_CPUTIME_ID:
		own, _ := p.Usage()
		return own.User + own.System, nil
	}
	return 0, abi.EINVAL
}

func sysClockGettime(p *kernel.Process, a *kernel.Args) (uint64, error) {
	now, err := clock(p, a[0])
	if err == nil {
		err = p.CopyOut(a[1], abi.AppendTimespec(nil, now))
	}
	return 0, err
}

func sysClockGetres(p *kernel.Process, a *kernel.Args) (uint64, error) {
	_, err := clock(p, a[0])
	if err == nil {
		err = p.CopyOutMaybe(a[1], abi.AppendTimespec(nil, 1))
	}
	return 0, err
}

func sysGettimeofday(p *kernel.Process, a *kernel.Args) (uint64, error) {
	if err := p.CopyOutMaybe(a[0], abi.AppendTimeval(nil, p.Now())); err != nil {
		return 0, err
	}
	var zone [8]byte // UTC
	return 0, p.CopyOutMaybe(a[1], zone[:])
}

func sysTime(p *kernel.Process, a *kernel.Args) (uint64, error) {
	now := uint64(p.Now() / 1e9)
	return now, p.CopyOutMaybe(a[0], binary.LittleEndian.AppendUint64(nil, now))
}

func sysNanosleep(p *kernel.Process, a *kernel.Args) (uint64, error) {
	return sysClockNanosleep(p, &kernel.Args{abi.CLOCK_MONOTONIC, 0, a[0], a[1]})
}

// sysClockNanosleep sleeps for a span, or until a clock has reached a time; an
// interrupted span reports what is left of it (clock_nanosleep(2)).
func sysClockNanosleep(p *kernel.Process, a *kernel.Args) (uint64, error) {
	now, err := clock(p, a[0])
	if id := int32(a[0]); err != nil || id == abi.CLOCK_THREAD_CPUTIME_ID || id == abi.CLOCK_PROCESS_CPUTIME_ID {
		return 0, abi.EINVAL
	}
	wait, err := copyInTime(p, a[2])
	if err != nil {
		return 0, err
	}
	absolute := a[1]&abi.TIMER_ABSTIME != 0
	if absolute {
		wait -= time.Duration(now)
	}
	left, err := sleep(p, wait)
	if err != nil && !absolute {
		if e := p.CopyOutMaybe(a[3], abi.AppendTimespec(nil, int64(left))); e != nil {
			err = e
		}
	}
	return 0, err
}

// noTimeout is the time-out of a wait without end.
const noTimeout = time.Duration(1<<63 - 1)

// timeout reads a struct timespec; none is no time-out.
func timeout(p *kernel.Process, va uint64) (time.Duration, error) {
	if va == 0 {
		return noTimeout, nil
	}
	return copyInTime(p, va)
}

// copyInTime reads a struct timespec, a span of time; one that does not fit is as
// long as can be.  The error is EINVAL or mm.ErrFault.
func copyInTime(p *kernel.Process, va uint64) (time.Duration, error) {
	var b [abi.TimespecSize]byte
	if err := p.CopyIn(b[:], va); err != nil {
		return 0, err
	}
	ns, ok := abi.TimespecSpan(b[:])
	if !ok {
		return 0, abi.EINVAL
	}
	return time.Duration(ns), nil
}

// sleep sleeps for the given time, whoever wakes p before, and returns what is
// left of it.  The error is vfs.ErrInterrupted.
func sleep(p *kernel.Process, wait time.Duration) (left time.Duration, err error) {
	alarm := vfs.NewAlarm(p, wait)
	defer alarm.Stop()
	for err == nil && !alarm.Rang() {
		err = p.Sleep()
	}
	return alarm.Left(), err
}

func sysTimes(p *kernel.Process, a *kernel.Args) (uint64, error) {
	const tick = 1e9 / abi.ClockTicks
	u, c := p.Usage()
	err := p.CopyOutWords(a[0], uint64(u.User/tick), uint64(u.System/tick), uint64(c.User/tick), uint64(c.System/tick))
	return uint64(p.Kernel().Machine().Nanotime() / tick), err
}

func sysGetrusage(p *kernel.Process, a *kernel.Args) (uint64, error) {
	own, children := p.Usage()
	switch int32(a[0]) {
	case abi.RUSAGE_CHILDREN:
		return 0, p.CopyOut(a[1], children.Append(nil))
	case abi.RUSAGE_SELF, abi.RUSAGE_THREAD:
		return 0, p.CopyOut(a[1], own.Append(nil))
	}
	return 0, abi.EINVAL
}

func sysAlarm(p *kernel.Process, a *kernel.Args) (uint64, error) {
	left, _ := p.Alarm()
	p.SetAlarm(int64(uint32(a[0]))*1e9, 0)
	return uint64(left+999_999_999) / 1e9, nil
}

func sysGetitimer(p *kernel.Process, a *kernel.Args) (uint64, error) {
	if a[0] != abi.ITIMER_REAL {
		return 0, abi.EINVAL // there is no profiling clock
	}
	left, every := p.Alarm()
	return 0, p.CopyOut(a[1], abi.AppendTimeval(abi.AppendTimeval(nil, every), left))
}

func sysSetitimer(p *kernel.Process, a *kernel.Args) (uint64, error) {
	var b [abi.ItimervalSize]byte
	if a[1] != 0 {
		if err := p.CopyIn(b[:], a[1]); err != nil {
			return 0, err
		}
	}
	every, ok1 := abi.TimevalSpan(b[:])
	first, ok2 := abi.TimevalSpan(b[16:])
	if !ok1 || !ok2 || a[0] != abi.ITIMER_REAL {
		return 0, abi.EINVAL
	}
	left, oldEvery := p.Alarm()
	p.SetAlarm(first, every)
	return 0, p.CopyOutMaybe(a[2], abi.AppendTimeval(abi.AppendTimeval(nil, oldEvery), left))
}
