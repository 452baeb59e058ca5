package kernel

import "yolk/kernel/abi"

// CopyInTime reads a struct timespec, a span of time, as nanoseconds; spans
// that do not fit are as long as can be.  The error is EINVAL or mm.ErrFault.
func (p *Process) CopyInTime(va uint64) (int64, error) {
	var b [abi.TimespecSize]byte
	if err := p.CopyIn(b[:], va); err != nil {
		return 0, err
	}
	ns, ok := abi.TimespecSpan(b[:])
	if !ok {
		return 0, abi.EINVAL
	}
	return ns, nil
}

// after returns the time that is span nanoseconds past now, or the end of time.
func after(now, span int64) int64 {
	if span > never-now {
		return never
	}
	return now + span
}

// Clock returns the time of one of the clocks of clock_gettime(2), in
// nanoseconds.  The error is EINVAL.
func (p *Process) Clock(id uint64) (int64, error) {
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
