package kernel

import (
	"slices"

	"yolk/kernel/abi"
	"yolk/mm"
)

// futexKey is what two users of a futex agree on: a physical address where
// several address spaces map the page, else a virtual one of their space.
type futexKey struct {
	space *mm.AddressSpace // nil for shared memory
	addr  uint64
}

// futexWaiter is a process that sleeps on a futex; the oldest come first.
type futexWaiter struct {
	key   futexKey
	p     *Process
	woken bool
}

// sysFutex is the part of futex(2) that programs of one thread, and processes
// that share memory, need: to wait while a word has a value, and to wake.
func sysFutex(p *Process, a *Args) (uint64, error) {
	va, op := a[0], a[1]&^(abi.FUTEX_PRIVATE_FLAG|abi.FUTEX_CLOCK_REALTIME)
	if va%4 != 0 {
		return 0, abi.EINVAL
	}
	switch op {
	case abi.FUTEX_WAIT, abi.FUTEX_WAIT_BITSET:
		if a[3] == 0 {
			return 0, p.futexWait(va, uint32(a[2]), never)
		}
		now, clock := p.kernel.machine.Nanotime(), uint64(abi.CLOCK_MONOTONIC)
		span, err := p.CopyInTime(a[3])
		if op == abi.FUTEX_WAIT_BITSET && err == nil { // its time is absolute
			if a[1]&abi.FUTEX_CLOCK_REALTIME != 0 {
				clock = abi.CLOCK_REALTIME
			}
			from, _ := p.Clock(clock)
			span -= from
		}
		if err == nil {
			err = p.futexWait(va, uint32(a[2]), after(now, span))
		}
		return 0, err
	case abi.FUTEX_WAKE, abi.FUTEX_WAKE_BITSET:
		return p.futexWake(va, int(int32(a[2]))), nil
	}
	return 0, abi.ENOSYS
}

// futexKey returns the key of the word at va.
func (p *Process) futexKey(va uint64) futexKey {
	if r := p.space.Lookup(mm.VirtAddr(va)); r != nil && r.Shared() {
		if e, ok := p.space.Entry(mm.VirtAddr(va)); ok {
			return futexKey{nil, uint64(e.Frame().Addr()) + mm.VirtAddr(va).Offset()}
		}
	}
	return futexKey{p.space, va}
}

// futexWait sleeps until the word is woken, unless it has another value.
func (p *Process) futexWait(va uint64, value uint32, deadline int64) error {
	k := p.kernel
	word, err := p.space.LoadUint32(mm.VirtAddr(va)) // and so its page is there
	if err == nil && word != value {
		err = abi.EAGAIN
	}
	w := &futexWaiter{key: p.futexKey(va), p: p}
	k.futexes = append(k.futexes, w)
	for !w.woken && err == nil {
		if err = p.sleepOnce(deadline); err == nil && k.machine.Nanotime() >= deadline {
			err = abi.ETIMEDOUT
		}
	}
	k.futexes = slices.DeleteFunc(k.futexes, func(x *futexWaiter) bool { return x == w })
	if w.woken {
		return nil
	}
	return err
}

// futexWake wakes up to n of those that wait for the word, and returns how many.
func (p *Process) futexWake(va uint64, n int) (woken uint64) {
	key := p.futexKey(va)
	for _, w := range p.kernel.futexes {
		if int(woken) < n && w.key == key && !w.woken {
			w.woken = true
			w.p.Wake()
			woken++
		}
	}
	return woken
}
