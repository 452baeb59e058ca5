package kernel

import (
	"time"

	"yolk/kernel/abi"
	"yolk/kernel/signal"
)

// alarm is ITIMER_REAL (setitimer(2)); times are Machine.Nanotime's.
type alarm struct {
	at, every int64 // 0: off, once
	timer     *time.Timer
}

// Alarm returns the nanoseconds until SIGALRM, and its interval; 0 is off.
func (p *Process) Alarm() (left, every int64) {
	if p.alarm.at == 0 {
		return 0, 0
	}
	return max(p.alarm.at-p.kernel.machine.Nanotime(), 1), p.alarm.every
}

// SetAlarm has SIGALRM sent after first nanoseconds, then, each time that it was
// taken, at the next interval's end; first 0 turns it off.
func (p *Process) SetAlarm(first, every int64) {
	if p.alarm.timer != nil {
		p.alarm.timer.Stop()
	}
	p.alarm = alarm{every: every}
	if first == 0 {
		return
	}
	now := p.kernel.machine.Nanotime()
	at := now + min(first, 1<<63-1-now)
	p.alarm.at = at
	p.alarm.timer = time.AfterFunc(time.Duration(first), func() {
		p.kernel.Lock()
		defer p.kernel.Unlock()
		if p.alarm.at == at { // else it was set anew while this function waited for the lock
			if every == 0 {
				p.alarm = alarm{}
			}
			p.signal(abi.SIGALRM, signal.Info{Code: abi.SI_KERNEL})
		}
	})
}

// alarmTaken is called when p has taken a pending SIGALRM: the alarm goes on with
// its next interval.
//
// WHY not when it rings, as an alarm clock would: one with an interval of a
// microsecond, whose signal is blocked or ignored, would keep the kernel busy with
// itself.  User mode, where interrupts come, would never be entered.
func (p *Process) alarmTaken() {
	now := p.kernel.machine.Nanotime()
	if a := &p.alarm; a.every > 0 && a.at <= now {
		p.SetAlarm(a.every-(now-a.at)%a.every, a.every)
	}
}
