package kernel

import (
	"encoding/binary"
	"fmt"
	"slices"
	"testing"

	"yolk/kernel/abi"
	"yolk/kernel/trace"
	"yolk/mm"
)

// watch records every event from now on; look, if not nil, is called with each.
func (s *system) watch(on trace.Class, look func(ev *trace.Event)) {
	s.log.Attach(on, sinkFunc(func(ev *trace.Event) {
		s.events = append(s.events, *ev)
		if look != nil {
			look(ev)
		}
	}), s.m.Nanotime)
}

// text returns what a Text event holds.
func text(ev *trace.Event) string {
	var b []byte
	for _, w := range []uint64{ev.VA, ev.Old, ev.New, ev.Aux} {
		b = binary.LittleEndian.AppendUint64(b, w)
	}
	return string(b[:ev.Err&0xff])
}

// The stream opens with how memory stands, and the first program's name follows
// its exec.
func TestStreamOpens(t *testing.T) {
	bubble(t, options{}, func(s *system) {
		s.program("/init", func(a *Asm) { exit(a, 0) })
		s.watch(trace.ClassAll, nil)
		free := s.mem.Frames.Free()
		s.boot("/init")
		b := s.events[0]
		if b.Kind != trace.Boot || b.Err != trace.StreamVersion || b.Aux != uint64(s.mem.Frames.Total()) || b.VA != uint64(free) ||
			b.Old != uint64(s.mem.ZeroFrame()) || b.New != uint64(s.root) || b.PID != 0 {
			t.Errorf("first event %+v", b)
		}
		at := slices.IndexFunc(s.events, func(ev trace.Event) bool { return ev.Kind == trace.Exec })
		name, is := s.events[at+1], s.events[at+2]
		if name.Kind != trace.Name || name.PID != 1 || name.Refs != 1 || is.Kind != trace.Text || is.PID != 1 || text(&is) != "init" {
			t.Errorf("after exec: %+v, %+v", name, is)
		}
		for _, ev := range s.events[1:] {
			if ev.PID != 1 {
				t.Errorf("not on behalf of process 1: %+v", ev)
			}
		}
	})
}

// M8: exec tells of its point of no return between the image that it has built
// and the one that it takes apart; only then is a vfork parent woken.
func TestExecIsToldAtThePointOfNoReturn(t *testing.T) {
	bubble(t, options{}, func(s *system) {
		s.program("/other", func(a *Asm) { exit(a, 0) })
		s.program("/init", func(a *Asm) {
			fork(a, abi.SysVfork, "child")
			wait(a, 0)
			a.Syscall(abi.SysExecve, "path", 0, 0)
			a.Label("child").Syscall(abi.SysExecve, "path", 0, 0)
			a.String("path", "/other")
		})
		s.watch(trace.ClassAll, nil)
		s.boot("/init")
		var execs []trace.Event
		for i, ev := range s.events {
			switch ev.Kind {
			case trace.Exec:
				execs = append(execs, ev)
				built := slices.ContainsFunc(s.events[:i], func(e trace.Event) bool { return e.Kind == trace.Entry && e.Aux == ev.New })
				gone := slices.ContainsFunc(s.events[:i], func(e trace.Event) bool {
					return e.Kind == trace.TableFree && e.Old == ev.Old && ev.Old != 0
				})
				if !built || gone {
					t.Errorf("exec %d: the new image is built: %t, the old one gone: %t", len(execs), built, gone)
				}
			case trace.VForkWake:
				if len(execs) != 2 {
					t.Errorf("woken after %d execs", len(execs))
				}
			}
		}
		if len(execs) != 3 || execs[1].Old != execs[0].New || execs[2].Old != execs[0].New {
			t.Errorf("execs %+v", execs)
		}
	})
}

// A reader copies the parent's regions at the Fork event: nothing has touched
// either side's memory since they were one.
func TestForkIsToldBeforeTIDsAreStored(t *testing.T) {
	bubble(t, options{}, func(s *system) {
		s.program("/init", func(a *Asm) {
			a.Syscall(abi.SysClone, abi.CLONE_PARENT_SETTID|abi.SIGCHLD, 0, varA, 0, 0)
			exit(a, 0)
		})
		s.watch(trace.ClassAll, nil)
		s.boot("/init")
		forked := slices.IndexFunc(s.events, func(ev trace.Event) bool { return ev.Kind == trace.Fork })
		stored := slices.IndexFunc(s.events, func(ev trace.Event) bool { return ev.Kind == trace.Fault && ev.VA == varA })
		if forked < 0 || stored < forked {
			t.Errorf("fork is event %d, the pid is stored by event %d", forked, stored)
		}
	})
}

// A call tells all six arguments and what they lead to, and so does its return;
// a call that does not exist, too.
func TestCallsAreTold(t *testing.T) {
	bubble(t, options{}, func(s *system) {
		s.write("/file", []byte("contents"), 0o644)
		s.program("/init", func(a *Asm) {
			a.Syscall(abi.SysOpen, "file", abi.O_RDONLY, 0)
			a.Syscall(abi.SysRead, 0, varA, 4)
			a.Syscall(400, 1, 2, 3, 4, 5, 6)
			exit(a, 0)
			a.String("file", "/file")
		})
		s.watch(trace.ClassSyscall, nil)
		s.boot("/init")
		var got []string
		for _, ev := range s.events[1:] { // without Boot
			if ev.VA == abi.SysExitGroup {
				break
			}
			if ev.Kind == trace.Text {
				got = append(got, text(&ev))
			} else {
				got = append(got, fmt.Sprintf("%v %d: %#x %#x %#x, %d", ev.Kind, ev.VA, ev.Aux, ev.Old, ev.New, ev.Refs))
			}
		}
		want := []string{
			fmt.Sprintf("syscall 2: %#x 0x0 0x0, 1", s.events[1].Aux), "/file", "sysreturn 2: 0x0 0x0 0x0, 0",
			"syscall 0: 0x0 0x600000 0x4, 0", "sysreturn 0: 0x4 0x0 0x0, 1", "cont",
			"syscall 400: 0x1 0x2 0x3, 1", "args 4: 0x0 0x5 0x6, 0", "sysreturn 400: 0xffffffffffffffda 0x0 0x0, 0",
		}
		if !slices.Equal(got, want) {
			t.Errorf("got  %q\nwant %q", got, want)
		}
	})
}

// Watching the calls of a program brings no page in.
func TestTellingCallsTouchesNothing(t *testing.T) {
	var faults [2]int
	for i, on := range []trace.Class{trace.ClassFault, trace.ClassFault | trace.ClassSyscall} {
		bubble(t, options{}, func(s *system) {
			s.program("/init", func(a *Asm) {
				a.Syscall(abi.SysOpen, varA, 0, 0).Probe(1) // of a page never touched: told first, then faulted in
				a.Syscall(abi.SysWrite, 1, uint64(dataBase+2*mm.PageSize), 5)
				exit(a, 0)
			})
			s.watch(on, nil)
			s.boot("/init")
			s.want(1, abi.ENOENT)
			faults[i] = len(s.kinds(trace.Fault))
		})
	}
	if faults[0] != faults[1] {
		t.Errorf("%d faults, %d when the calls are told", faults[0], faults[1])
	}
}

// Who runs, and how memory stands, at every moment.
func TestSched(t *testing.T) {
	bubble(t, options{quantum: 50}, func(s *system) {
		s.program("/init", func(a *Asm) {
			store(a, varA, 1)
			fork(a, abi.SysFork, "child")
			sleep(a, 1)
			wait(a, 0)
			exit(a, 0)
			a.Label("child")
			for range 5 {
				a.Syscall(abi.SysSchedYield)
			}
			exit(a, 0)
		})
		running, samples, shared := int32(0), 0, uint64(0)
		s.watch(trace.ClassAll, func(ev *trace.Event) {
			switch ev.Kind {
			case trace.Switch:
				if ev.PID == running {
					t.Errorf("process %d runs again: %+v", running, ev)
				}
				running = ev.PID
				if p := s.k.Process(int(ev.PID)); ev.New != uint64(p.root) {
					t.Errorf("root %#x: %+v", p.root, ev)
				}
			case trace.Free:
				samples++
				shared = max(shared, ev.VA)
				if ev.Aux != uint64(s.mem.Frames.Free()) || ev.Old != s.mem.Counters.FlushPages+s.mem.Counters.FlushSpaces {
					t.Errorf("%+v", ev)
				}
			case trace.Fault, trace.Exit:
				if ev.PID != running && running != 0 {
					t.Errorf("process %d runs, but %+v", running, ev)
				}
			}
		})
		s.boot("/init")
		if n := len(s.kinds(trace.Switch)); n < 3 || samples < 4 || shared == 0 { // exec, fork and two exits
			t.Errorf("%d switches, %d samples, at most %d frames shared", n, samples, shared)
		}
		last := int64(-sampleInterval)
		for i, ev := range s.events {
			if ev.Kind != trace.Free {
				continue
			}
			if prev := s.events[i-1].Kind; prev != trace.Fork && prev != trace.Exit && prev != trace.Text && ev.Time-last < sampleInterval {
				t.Errorf("a sample %d ns after the one before", ev.Time-last)
			}
			last = ev.Time
		}
	})
}
