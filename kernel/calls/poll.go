package calls

import (
	"encoding/binary"
	"time"

	"yolk/kernel"
	"yolk/kernel/abi"
	"yolk/kernel/vfs"
)

var pollCalls = []call{
	{abi.SysPoll, "poll", sysPoll},
	{abi.SysPpoll, "ppoll", sysPpoll},
	{abi.SysSelect, "select", sysSelect},
	{abi.SysPselect6, "pselect6", sysPselect6},
}

// polled is one descriptor that poll or select asks about.
type polled struct {
	fd      int
	events  int // asked for
	revents int // that hold
	queue   *vfs.Queue
}

// polledCost is what a polled costs in bytes of kernel heap, with its places on
// the queue that it waits on.
const polledCost = 96

// poll waits until an event of set holds or the time is over, and returns for
// how many descriptors one does (poll(2)), and the time left.
func poll(p *kernel.Process, set []polled, wait time.Duration) (ready int, left time.Duration, err error) {
	if ready = scan(p, set); ready > 0 || wait == 0 {
		return ready, wait, nil
	}
	for _, s := range set {
		if s.queue != nil {
			s.queue.Join(p)
		}
	}
	defer leave(p, set)
	alarm := vfs.NewAlarm(p, wait)
	defer alarm.Stop()
	for ready == 0 && err == nil && alarm.Left() > 0 {
		if err = p.Sleep(); err == nil {
			ready = scan(p, set)
		}
	}
	return ready, alarm.Left(), err
}

// leave takes p off the queues of set.
func leave(p *kernel.Process, set []polled) {
	for i, s := range set {
		if s.queue != nil && (i == 0 || s.queue != set[i-1].queue) {
			s.queue.Leave(p)
		}
	}
}

// scan looks at every descriptor of set and returns how many have events;
// errors and hang-ups are told whether asked for or not.
func scan(p *kernel.Process, set []polled) (ready int) {
	for i := range set {
		s := &set[i]
		if s.revents = 0; s.fd < 0 {
			continue
		}
		if d, err := p.Files.Get(s.fd); err != nil {
			s.revents = abi.POLLNVAL
		} else {
			s.revents, s.queue = d.Poll()
			s.revents &= s.events | abi.POLLERR | abi.POLLHUP
		}
		if s.revents != 0 {
			ready++
		}
	}
	return ready
}

func sysPoll(p *kernel.Process, a *kernel.Args) (uint64, error) {
	wait := noTimeout
	if ms := int32(a[2]); ms >= 0 {
		wait = time.Duration(ms) * time.Millisecond
	}
	n, _, err := pollUser(p, a[0], a[1], wait)
	return n, err
}

func sysPpoll(p *kernel.Process, a *kernel.Args) (uint64, error) {
	wait, err := timeout(p, a[2])
	if err == nil && a[3] != 0 {
		err = useMask(p, a[3], a[4])
	}
	if err != nil {
		return 0, err
	}
	n, left, err := pollUser(p, a[0], a[1], wait)
	p.CopyOutMaybe(a[2], abi.AppendTimespec(nil, int64(left))) // as Linux does: a failure is no error
	return n, err
}

// pollUser is poll for an array of n struct pollfd at va.
func pollUser(p *kernel.Process, va, n uint64, wait time.Duration) (uint64, time.Duration, error) {
	if n > uint64(p.Files.Limit) {
		return 0, 0, abi.EINVAL
	}
	if err := p.Budget().Charge(int64(n) * polledCost); err != nil {
		return 0, 0, err
	}
	defer p.Budget().Release(int64(n) * polledCost)
	set := make([]polled, n)
	var b [abi.PollFDSize]byte
	for i := range set {
		if err := p.CopyIn(b[:], va+uint64(i)*abi.PollFDSize); err != nil {
			return 0, 0, err
		}
		set[i] = polled{fd: int(abi.Int(b[:])), events: int(binary.LittleEndian.Uint16(b[4:]))}
	}
	ready, left, err := poll(p, set, wait)
	for i := 0; i < len(set) && err == nil; i++ {
		revents := binary.LittleEndian.AppendUint16(b[:0], uint16(set[i].revents))
		err = p.CopyOut(va+uint64(i)*abi.PollFDSize+6, revents)
	}
	return uint64(ready), left, err
}

// The three sets of select(2), in events of poll: what is asked for, and what
// of the answer puts a descriptor into the set.
var (
	selectEvents = [3]int{abi.POLLIN, abi.POLLOUT, abi.POLLPRI}
	selectResult = [3]int{abi.POLLIN | abi.POLLHUP | abi.POLLERR, abi.POLLOUT | abi.POLLERR, abi.POLLPRI}
)

// fdSets are the three sets, a bit a descriptor.
type fdSets [3][abi.FD_SETSIZE / 8]byte

func sysSelect(p *kernel.Process, a *kernel.Args) (uint64, error) {
	wait := noTimeout
	if a[4] != 0 {
		var b [abi.TimevalSize]byte
		if err := p.CopyIn(b[:], a[4]); err != nil {
			return 0, err
		}
		ns, ok := abi.TimevalSpan(b[:])
		if !ok {
			return 0, abi.EINVAL
		}
		wait = time.Duration(ns)
	}
	n, left, err := selectUser(p, a, wait)
	p.CopyOutMaybe(a[4], abi.AppendTimeval(nil, int64(left))) // as Linux does
	return n, err
}

// sysPselect6 finds the address and the size of the signal mask at its last
// argument (select(2), NOTES).
func sysPselect6(p *kernel.Process, a *kernel.Args) (uint64, error) {
	wait, err := timeout(p, a[4])
	if err == nil && a[5] != 0 {
		var b [16]byte
		if err = p.CopyIn(b[:], a[5]); err == nil {
			va, size := abi.Timespec(b[:])
			if va != 0 {
				err = useMask(p, uint64(va), uint64(size))
			}
		}
	}
	if err != nil {
		return 0, err
	}
	n, left, err := selectUser(p, a, wait)
	p.CopyOutMaybe(a[4], abi.AppendTimespec(nil, int64(left))) // as Linux does
	return n, err
}

// selectUser is select for a[0] descriptors in the sets at a[1], a[2] and a[3].
func selectUser(p *kernel.Process, a *kernel.Args, wait time.Duration) (bits uint64, left time.Duration, err error) {
	n := min(int(int32(a[0])), abi.FD_SETSIZE)
	if n < 0 {
		return 0, 0, abi.EINVAL
	}
	if err := p.Budget().Charge(int64(n) * polledCost); err != nil {
		return 0, 0, err
	}
	defer p.Budget().Release(int64(n) * polledCost)
	var sets fdSets
	bytes := (n + 63) / 64 * 8 // whole words, as the kernel's fd_set has them
	for i := range sets {
		if a[1+i] != 0 {
			if err := p.CopyIn(sets[i][:bytes], a[1+i]); err != nil {
				return 0, 0, err
			}
		}
	}
	set := sets.wanted(n)
	for _, s := range set {
		if _, err := p.Files.Get(s.fd); err != nil {
			return 0, 0, err
		}
	}
	if _, left, err = poll(p, set, wait); err != nil {
		return 0, left, err
	}
	bits = sets.fill(set)
	for i := range sets {
		if err := p.CopyOutMaybe(a[1+i], sets[i][:bytes]); err != nil {
			return 0, left, err
		}
	}
	return bits, left, nil
}

// wanted returns what the sets ask about the first n descriptors.
func (sets *fdSets) wanted(n int) (set []polled) {
	for fd := range n {
		events := 0
		for i := range sets {
			if sets[i][fd/8]>>(fd%8)&1 != 0 {
				events |= selectEvents[i]
			}
		}
		if events != 0 {
			set = append(set, polled{fd: fd, events: events})
		}
	}
	return set
}

// fill replaces the sets by those of the answer and returns the number of bits
// in them.
func (sets *fdSets) fill(set []polled) (bits uint64) {
	*sets = fdSets{}
	for _, s := range set {
		for i := range sets {
			if s.events&selectEvents[i] != 0 && s.revents&selectResult[i] != 0 {
				sets[i][s.fd/8] |= 1 << (s.fd % 8)
				bits++
			}
		}
	}
	return bits
}
