package kernel

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"yolk/arch/amd64"
	"yolk/kernel/abi"
	"yolk/kernel/elf"
	"yolk/mm"
)

// run executes a program whose results are checked by want.
func run(t *testing.T, write func(a *Asm), want ...any) {
	t.Helper()
	bubble(t, options{}, func(s *system) {
		s.write("/file", []byte("0123456789"), 0o644)
		s.program("/init", func(a *Asm) {
			write(a)
			exit(a, 0)
			a.String("file", "/file")
		})
		s.boot("/init")
		s.want(want...)
	})
}

func TestIdentity(t *testing.T) {
	run(t, func(a *Asm) {
		a.Syscall(abi.SysGetpid).Probe(1).Syscall(abi.SysGettid).Probe(2).Syscall(abi.SysGetppid).Probe(3)
		a.Syscall(abi.SysGetpgrp).Probe(4).Syscall(abi.SysGetsid, 0).Probe(5).Syscall(abi.SysGetpgid, 77).Probe(6)
		a.Syscall(abi.SysSetsid).Probe(7).Syscall(abi.SysSetpgid, 0, 0).Probe(8)
		fork(a, abi.SysFork, "child")
		wait(a, 0)
		a.Jmp("next")
		a.Label("child").Syscall(abi.SysSetpgid, 0, 77).Probe(10).Syscall(abi.SysSetpgid, 0, -1).Probe(11)
		a.Syscall(abi.SysSetsid).Probe(12).Syscall(abi.SysGetsid, 0).Probe(13).Syscall(abi.SysSetpgid, 1, 1).Probe(14)
		exit(a, 0)
		a.Label("next")
		a.Syscall(abi.SysSetresuid, 10, 20, -1).Probe(20).Syscall(abi.SysGetuid).Probe(21).Syscall(abi.SysGeteuid).Probe(22)
		a.Syscall(abi.SysSetuid, 30).Probe(23).Syscall(abi.SysSetuid, 10).Probe(24).Syscall(abi.SysSetreuid, -1, 0).Probe(25)
		a.Syscall(abi.SysGetresuid, varA, varA+4, varA+8).Probe(26)
		load(a, varA)
		a.Probe(27).Syscall(abi.SysSetgid, 5).Probe(28).Syscall(abi.SysGetegid).Probe(29).Syscall(abi.SysReboot, 0, 0, 0).Probe(30)
	}, 1, 1, 2, 1, 3, 0, 4, 1, 5, 1, 6, abi.ESRCH, 7, abi.EPERM, 8, abi.EPERM,
		10, abi.EPERM, 11, abi.EINVAL, 12, 2, 13, 2, 14, abi.ESRCH,
		20, 0, 21, 10, 22, 20, 23, abi.EPERM, 24, 0, 25, 0, 26, 0, 27, 10, 28, 0, 29, 5, 30, abi.EINVAL)
}

// What uname(2) and sysinfo(2) tell, where it belongs in their structures.
func TestUnameAndSysinfo(t *testing.T) {
	bubble(t, options{}, func(s *system) {
		s.onProbe = func(p *Process, id uint32, _ *amd64.TrapFrame) {
			b := make([]byte, 6*65)
			must(t, p.CopyIn(b, dataBase+0x400))
			le := binary.LittleEndian
			switch id {
			case 1:
				for i, want := range []string{0: "Linux", 4: "x86_64"} {
					if got, _, _ := strings.Cut(string(b[65*i:65*i+65]), "\x00"); want != "" && got != want || got == "" {
						t.Errorf("field %d of uname is %q, want %q", i, got, want)
					}
				}
			case 2:
				frames := s.mem.Frames
				if up, procs := le.Uint64(b), le.Uint16(b[80:]); up != 3 || procs != 2 {
					t.Errorf("up for %d s, %d processes; want 3, 2", up, procs)
				}
				total, free := le.Uint64(b[32:]), le.Uint64(b[40:])
				if total != uint64(frames.Total())*mm.PageSize || free != uint64(frames.Free())*mm.PageSize {
					t.Errorf("%d bytes of %d are free; there are %d of %d frames", free, total, frames.Free(), frames.Total())
				}
			}
		}
		s.program("/init", func(a *Asm) {
			fork(a, abi.SysFork, "child")
			sleep(a, 3)
			a.Syscall(abi.SysUname, dataBase+0x400).Probe(1)
			a.Syscall(abi.SysSysinfo, dataBase+0x400).Probe(2)
			a.Syscall(abi.SysUname, 8).Probe(3).Syscall(abi.SysSysinfo, 8).Probe(4)
			exit(a, 0)
			a.Label("child").Syscall(abi.SysPause)
		})
		s.boot("/init")
		s.want(1, 0, 2, 0, 3, abi.EFAULT, 4, abi.EFAULT)
	})
}

func TestSystemInformation(t *testing.T) {
	run(t, func(a *Asm) {
		a.Syscall(abi.SysUname, varA).Probe(1).Syscall(abi.SysUname, 8).Probe(2)
		a.Syscall(abi.SysSysinfo, dataBase+0x400).Probe(3).Syscall(abi.SysGetrandom, varA, 64, 0).Probe(4)
		a.Syscall(abi.SysGetrandom, varA, 64, 64).Probe(5).Syscall(abi.SysGetrandom, 8, 64, 0).Probe(6)
		a.Syscall(abi.SysSchedGetaffinity, 0, 128, varA).Probe(7)
		load(a, varA)
		a.Probe(8).Syscall(abi.SysSchedGetaffinity, 0, 4, varA).Probe(9)
		a.Syscall(abi.SysPrctl, abi.PR_SET_NAME, "name").Probe(10).Syscall(abi.SysPrctl, abi.PR_GET_NAME, varA).Probe(11)
		load(a, varA)
		a.Probe(12).Syscall(abi.SysPrctl, 9999, 0).Probe(13)
		a.Syscall(abi.SysSetTidAddress, 0).Probe(14).Syscall(abi.SysRseq, 0, 0, 0, 0).Probe(15)
		a.Syscall(abi.SysGetrusage, 0, varA).Probe(16).Syscall(abi.SysGetrusage, 5, varA).Probe(17)
		a.Syscall(abi.SysTimes, varA).Probe(18).Jmp("end").String("name", "a name longer than fifteen bytes").Label("end")
	}, 1, 0, 2, abi.EFAULT, 3, 0, 4, 64, 5, abi.EINVAL, 6, abi.EFAULT, 7, 8, 8, 1, 9, abi.EINVAL,
		10, 0, 11, 0, 12, 0x6c20656d616e2061, 13, abi.EINVAL, 14, 1, 15, abi.ENOSYS, 16, 0, 17, abi.EINVAL, 18, 0)
}

// Each reason has its number, however it is wrapped; one that has none is a
// defect of the kernel's.
func TestErrnos(t *testing.T) {
	want := map[error]abi.Errno{abi.ESRCH: abi.ESRCH, elf.BadMachine: abi.ENOEXEC, elf.BadFileSize: abi.ENOEXEC}
	for _, row := range errnos {
		want[row.reason] = row.errno
	}
	for reason, n := range want {
		once := fmt.Errorf("/bin/sh: %w", reason)
		for _, err := range []error{reason, once, fmt.Errorf("process 1: %w", once)} {
			if got := errnoOf(err); got != n {
				t.Errorf("%v: %v, want %v", err, got, n)
			}
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("a reason that has no number got one")
		}
	}()
	errnoOf(errors.New("nobody knows"))
}

// Unknown numbers are ENOSYS, and one line in the log each.
func TestUnknownCalls(t *testing.T) {
	bubble(t, options{}, func(s *system) {
		s.program("/init", func(a *Asm) {
			for range 3 {
				for i, nr := range []int{300, 461, 462, 99999, -1, 1<<32 + abi.SysGetpid} {
					a.Syscall(nr).Probe(uint32(i))
				}
			}
			exit(a, 0)
		})
		s.boot("/init")
		for i := range 6 {
			s.want(i, abi.ENOSYS)
		}
		if n := len(s.m.Lines()); n != 4 { // the last four share a line; and init's end
			t.Errorf("log %q", s.m.Lines())
		}
	})
}

func TestLimits(t *testing.T) {
	run(t, func(a *Asm) {
		a.Syscall(abi.SysPrlimit64, 0, abi.RLIMIT_STACK, 0, varA).Probe(1)
		load(a, varA)
		a.Probe(2).Syscall(abi.SysGetrlimit, abi.RLIMIT_NOFILE, varA).Probe(3)
		load(a, varA+8)
		a.Probe(4)
		store(a, varB, 2)
		store(a, varB+8, 5000)
		a.Syscall(abi.SysSetrlimit, abi.RLIMIT_NOFILE, varB).Probe(5) // above the hard limit
		store(a, varB+8, 2)
		a.Syscall(abi.SysSetrlimit, abi.RLIMIT_NOFILE, varB).Probe(6)
		a.Syscall(abi.SysDup, 0).Syscall(abi.SysOpen, "file", 0, 0).Probe(7).Syscall(abi.SysOpen, "file", 0, 0).Probe(8)
		a.Syscall(abi.SysOpen, "file", 0, 0).Probe(9)
		store(a, varB, 1)
		store(a, varB+8, 0)
		a.Syscall(abi.SysSetrlimit, abi.RLIMIT_AS, varB).Probe(10).Syscall(abi.SysGetrlimit, 16, varA).Probe(11)
		store(a, varB, 1)
		store(a, varB+8, 1)
		a.Syscall(abi.SysSetrlimit, abi.RLIMIT_NPROC, varB).Probe(12).Syscall(abi.SysFork).Probe(13)
		a.Syscall(abi.SysPrlimit64, 55, 0, 0, 0).Probe(14)
		store(a, varB, 1<<20)
		store(a, varB+8, 1<<20)
		a.Syscall(abi.SysSetrlimit, abi.RLIMIT_AS, varB).Probe(15)
		a.Syscall(abi.SysMmap, 0, 1<<20, 3, abi.MAP_PRIVATE|abi.MAP_ANONYMOUS, -1, 0).Probe(16)
	}, 1, 0, 2, mm.StackLimit, 3, 0, 4, 4096, 5, abi.EPERM, 6, 0, 7, 0, 8, 1, 9, abi.EMFILE,
		10, abi.EINVAL, 11, abi.EINVAL, 12, 0, 13, abi.EAGAIN, 14, abi.ESRCH, 15, 0, 16, abi.ENOMEM)
}

func TestMemoryCalls(t *testing.T) {
	const at, anon = 0x10000000, abi.MAP_PRIVATE | abi.MAP_ANONYMOUS
	run(t, func(a *Asm) {
		a.Syscall(abi.SysBrk, 0).Probe(1).Syscall(abi.SysBrk, dataBase+dataSize+0x1800).Probe(2)
		store(a, dataBase+dataSize+0x1000, 7)
		a.Syscall(abi.SysBrk, 5).Probe(3)
		a.Syscall(abi.SysMmap, at, 0x3000, 3, anon|abi.MAP_FIXED, -1, 0).Probe(4)
		a.Syscall(abi.SysMmap, at, 0x1000, 3, anon|abi.MAP_FIXED_NOREPLACE, -1, 0).Probe(5)
		a.Syscall(abi.SysMmap, 0, 0, 3, anon, -1, 0).Probe(6).Syscall(abi.SysMmap, 0, 4096, 3, abi.MAP_ANONYMOUS, -1, 0).Probe(7)
		a.Syscall(abi.SysMmap, 0, 4096, 99, anon, -1, 0).Probe(8).Syscall(abi.SysMmap, 0, 4096, 1, abi.MAP_PRIVATE, 55, 0).Probe(9)
		store(a, at, 3)
		a.Syscall(abi.SysMincore, at, 0x3000, varA).Probe(10)
		load(a, varA)
		a.Probe(11).Syscall(abi.SysMprotect, at, 0x1000, abi.PROT_READ).Probe(12)
		a.Syscall(abi.SysRead, 55, at, 1).Probe(13)
		a.Syscall(abi.SysMadvise, at, 0x1000, abi.MADV_DONTNEED).Probe(14)
		load(a, at)
		a.Probe(15).Syscall(abi.SysMadvise, at, 0x1000, 77).Probe(16).Syscall(abi.SysMadvise, at, 0x9000, abi.MADV_WILLNEED).Probe(17)
		a.Syscall(abi.SysMprotect, at, 0x1000, 3).Syscall(abi.SysMremap, at, 0x3000, 0x1000, 0, 0).Probe(18).Syscall(abi.SysMremap, at, 0x1000, 0x1000, 2, 0).Probe(19)
		a.Syscall(abi.SysMunmap, at, 0x1000).Probe(20).Syscall(abi.SysMunmap, at+1, 0x1000).Probe(21)
		a.Syscall(abi.SysMsync, at, 0x1000, abi.MS_SYNC).Probe(22).Syscall(abi.SysMlock, dataBase, 100).Probe(23)
		a.Syscall(abi.SysOpen, "file", abi.O_RDONLY, 0)
		a.Syscall(abi.SysMmap, at, 4096, 3, abi.MAP_SHARED|abi.MAP_FIXED, 0, 0).Probe(24)
		a.Syscall(abi.SysMmap, at, 4096, 3, abi.MAP_PRIVATE|abi.MAP_FIXED, 0, 0).Probe(25)
		load(a, at)
		a.Probe(26).Syscall(abi.SysMmap, at, 4096, 3, abi.MAP_PRIVATE, 0, 1).Probe(27)
		a.Syscall(abi.SysMmap, at+0x1000, 4096, 1, abi.MAP_SHARED|abi.MAP_FIXED, 0, 0).Probe(28)
		a.Syscall(abi.SysMprotect, at+0x1000, 4096, 3).Probe(29) // the file is not open for writing
	}, 1, dataBase+dataSize, 2, dataBase+dataSize+0x1800, 3, dataBase+dataSize+0x1800, 4, at, 5, abi.EEXIST,
		6, abi.EINVAL, 7, abi.EINVAL, 8, abi.EINVAL, 9, abi.EBADF, 10, 0, 11, 1, 12, 0, 13, abi.EBADF, 14, 0, 15, 0,
		16, abi.EINVAL, 17, abi.ENOMEM, 18, at, 19, abi.EINVAL, 20, 0, 21, abi.EINVAL, 22, abi.ENOMEM, 23, 0,
		24, abi.EACCES, 25, at, 26, 0x3736353433323130, 27, abi.EINVAL, 28, at+0x1000, 29, abi.EACCES)
}

func TestClocks(t *testing.T) {
	start := time.Now()
	bubble(t, options{}, func(s *system) {
		start = time.Now()
		s.program("/init", func(a *Asm) {
			store(a, varA, 5)
			store(a, varA+8, 1000000000)
			a.Syscall(abi.SysNanosleep, varA, 0).Probe(1).Syscall(abi.SysNanosleep, 8, 0).Probe(2)
			a.Syscall(abi.SysClockNanosleep, 77, 0, varA, 0).Probe(3)
			store(a, varA+8, 0)
			a.Syscall(abi.SysClockNanosleep, abi.CLOCK_MONOTONIC, abi.TIMER_ABSTIME, varA, 0).Probe(4)
			a.Syscall(abi.SysClockGettime, abi.CLOCK_MONOTONIC, varB).Probe(5)
			load(a, varB)
			a.Probe(6).Syscall(abi.SysClockGettime, 99, varB).Probe(7).Syscall(abi.SysClockGetres, 0, varB).Probe(8)
			load(a, varB+8)
			a.Probe(9).Syscall(abi.SysGettimeofday, varB, 0).Probe(10)
			load(a, varB)
			a.Probe(11).Syscall(abi.SysTime, 0).Probe(12).Syscall(abi.SysClockGettime, abi.CLOCK_REALTIME, 8).Probe(13)
			exit(a, 0)
		})
		s.boot("/init")
		now := int(start.Unix()) + 5
		s.want(1, abi.EINVAL, 2, abi.EFAULT, 3, abi.EINVAL, 4, 0, 5, 0, 6, 5, 7, abi.EINVAL, 8, 0, 9, 1, 10, 0, 11, now, 12, now, 13, abi.EFAULT)
	})
}

// Two processes meet at a futex in memory that they share, and one in memory
// that they do not.
func TestFutex(t *testing.T) {
	const at = 0x10000000
	run(t, func(a *Asm) {
		a.Syscall(abi.SysMmap, at, 4096, 3, abi.MAP_SHARED|abi.MAP_ANONYMOUS|abi.MAP_FIXED, -1, 0)
		store(a, at, 5)
		store(a, varB, 2)
		fork(a, abi.SysFork, "child")
		a.Syscall(abi.SysFutex, at, abi.FUTEX_WAIT, 4, 0).Probe(1)
		a.Syscall(abi.SysFutex, at, abi.FUTEX_WAIT, 5, 0).Probe(2)
		a.Syscall(abi.SysFutex, at, abi.FUTEX_WAIT, 5, varB).Probe(3)
		a.Syscall(abi.SysFutex, varA, abi.FUTEX_WAIT|abi.FUTEX_PRIVATE_FLAG, 0, varB).Probe(4)
		a.Syscall(abi.SysFutex, at+1, abi.FUTEX_WAIT, 0, 0).Probe(5).Syscall(abi.SysFutex, 8, abi.FUTEX_WAIT, 0, 0).Probe(6)
		a.Syscall(abi.SysFutex, at, 77, 0, 0).Probe(7)
		wait(a, 0)
		exit(a, 0)
		a.Label("child")
		sleep(a, 1)
		a.Syscall(abi.SysFutex, varA, abi.FUTEX_WAKE, 9).Probe(10)
		a.Syscall(abi.SysFutex, at, abi.FUTEX_WAKE, 9).Probe(11)
	}, 1, abi.EAGAIN, 2, 0, 3, abi.ETIMEDOUT, 4, abi.ETIMEDOUT, 5, abi.EINVAL, 6, abi.EFAULT, 7, abi.ENOSYS, 10, 0, 11, 1)
}

// A process in a loop does not keep others from running: the timer sees to it.
func TestPreemption(t *testing.T) {
	bubble(t, options{quantum: 10}, func(s *system) {
		s.program("/init", func(a *Asm) {
			fork(a, abi.SysFork, "spin")
			a.Mov(R13, 50).Label("loop").Syscall(abi.SysSchedYield).AddImm(R13, -1).Jnz("loop")
			a.Syscall(abi.SysKill, R12, abi.SIGKILL).Probe(1)
			wait(a, varA)
			load(a, varA)
			a.Probe(2)
			exit(a, 0)
			a.Label("spin").Jmp("spin")
		})
		s.boot("/init")
		s.want(1, 0, 2, abi.SIGKILL)
	})
}

// The debugger's root leads to the kernel from the moment that it exists.
func TestDebugRoot(t *testing.T) {
	bubble(t, options{}, func(s *system) {
		var root Debug
		k := New(Config{Machine: s.m, Memory: s.mem, Log: s.log, Budget: mm.NewBudget(nil, 1<<20), Debug: &root})
		if root != (Debug{debugVersion, k}) || debugVersion == 0 {
			t.Errorf("%+v", root)
		}
	})
}

// Wild pointers in every call there is: EFAULT or another errno, never a panic.
func TestWildPointersInEveryCall(t *testing.T) {
	skip := map[int]bool{abi.SysExit: true, abi.SysExitGroup: true, abi.SysFork: true, abi.SysVfork: true, abi.SysClone: true,
		abi.SysPause: true, abi.SysRtSigreturn: true, abi.SysReboot: true}
	for _, wild := range []uint64{8, 1 << 46, 1 << 47, 1<<64 - 8, uint64(mm.UserEnd) - 4, 0xffff800000000000} {
		bubble(t, options{}, func(s *system) {
			next := 0
			s.onProbe = func(p *Process, id uint32, f *amd64.TrapFrame) {
				for ; next < abi.SysCount; next++ {
					if s.k.calls[next].Do != nil && !skip[next] {
						f.RAX = uint64(next)
						f.RDI, f.RSI, f.RDX, f.R10, f.R8, f.R9 = wild, wild, wild, wild, wild, wild
						next++
						return
					}
				}
				f.RAX, f.RDI = abi.SysExit, 0
			}
			s.program("/init", func(a *Asm) { a.Label("loop").Probe(1).Raw(0x0f, 0x05).Jmp("loop") })
			s.boot("/init")
			if next != abi.SysCount || len(s.probes) < 100 {
				t.Errorf("%d calls made", len(s.probes))
			}
		})
	}
}
