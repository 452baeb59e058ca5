package calls

import (
	"slices"
	"time"

	"yolk/kernel"
	"yolk/kernel/abi"
	"yolk/kernel/vfs"
	"yolk/mm"
)

// futexes are the processes that sleep on a futex (futex(2)), the oldest first.
type futexes struct{ waiters []*futexWaiter }

// futexKey is what two users of a futex agree on: a physical address where
// several address spaces map the page, else a virtual one of their space.
type futexKey struct {
	space *mm.AddressSpace // nil for shared memory
	addr  uint64
}

type futexWaiter struct {
	key   futexKey
	p     *kernel.Process
	woken bool
}

// call is the part of futex(2) that programs of one thread, and processes that
// share memory, need: to wait while a word has a value, and to wake.
func (t *futexes) call(p *kernel.Process, a *kernel.Args) (uint64, error) {
	va, op := a[0], a[1]&^(abi.FUTEX_PRIVATE_FLAG|abi.FUTEX_CLOCK_REALTIME)
	if va%4 != 0 {
		return 0, abi.EINVAL
	}
	switch op {
	case abi.FUTEX_WAIT, abi.FUTEX_WAIT_BITSET:
		wait, err := timeout(p, a[3])
		if op == abi.FUTEX_WAIT_BITSET && a[3] != 0 { // its time is absolute
			id := uint64(abi.CLOCK_MONOTONIC)
			if a[1]&abi.FUTEX_CLOCK_REALTIME != 0 {
				id = abi.CLOCK_REALTIME
			}
			now, _ := clock(p, id)
			wait -= time.Duration(now)
		}
		if err == nil {
			err = t.wait(p, va, uint32(a[2]), wait)
		}
		return 0, err
	case abi.FUTEX_WAKE, abi.FUTEX_WAKE_BITSET:
		return t.wake(p, va, int(int32(a[2]))), nil
	}
	return 0, abi.ENOSYS
}

// keyOf returns the key of the word at va.
func keyOf(p *kernel.Process, va uint64) futexKey {
	if r := p.Space().Lookup(mm.VirtAddr(va)); r != nil && r.Shared() {
		if e, ok := p.Space().Entry(mm.VirtAddr(va)); ok {
			return futexKey{nil, uint64(e.Frame().Addr()) + mm.VirtAddr(va).Offset()}
		}
	}
	return futexKey{p.Space(), va}
}

// wait sleeps until the word is woken, unless it has another value.
func (t *futexes) wait(p *kernel.Process, va uint64, value uint32, wait time.Duration) error {
	word, err := p.Space().LoadUint32(mm.VirtAddr(va)) // and so its page is there
	switch {
	case err != nil:
		return err
	case word != value:
		return abi.EAGAIN
	}
	w := &futexWaiter{key: keyOf(p, va), p: p}
	t.waiters = append(t.waiters, w)
	alarm := vfs.NewAlarm(p, wait)
	defer alarm.Stop()
	for !w.woken && err == nil {
		if err = p.Sleep(); err == nil && alarm.Rang() {
			err = abi.ETIMEDOUT
		}
	}
	t.waiters = slices.DeleteFunc(t.waiters, func(x *futexWaiter) bool { return x == w })
	if w.woken {
		return nil
	}
	return err
}

// wake wakes up to n of those that wait for the word, and returns how many.
func (t *futexes) wake(p *kernel.Process, va uint64, n int) (woken uint64) {
	key := keyOf(p, va)
	for _, w := range t.waiters {
		if int(woken) < n && w.key == key && !w.woken {
			w.woken = true
			w.p.Wake()
			woken++
		}
	}
	return woken
}
