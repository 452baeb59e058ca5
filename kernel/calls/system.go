package calls

import (
	"encoding/binary"

	"yolk/kernel"
	"yolk/kernel/abi"
	"yolk/mm"
)

// systemCalls are the system calls about the system as a whole, and about what
// it grants a process.
var systemCalls = []call{
	{abi.SysUname, "uname", sysUname}, {abi.SysSysinfo, "sysinfo", sysSysinfo},
	{abi.SysGetrandom, "getrandom", sysGetrandom}, {abi.SysReboot, "reboot", sysReboot},
	{abi.SysPrlimit64, "prlimit64", sysPrlimit64},
	{abi.SysGetrlimit, "getrlimit", sysGetrlimit}, {abi.SysSetrlimit, "setrlimit", sysSetrlimit},
	{abi.SysSchedGetaffinity, "sched_getaffinity", sysSchedGetaffinity}, {abi.SysGetpriority, "getpriority", sysGetpriority},
}

// sysUname tells what system this is (uname(2)).
//
//lab:boot 3 tell what system this is
func sysUname(p *kernel.Process, a *kernel.Args) (uint64, error) {
	fields := [6]string{"Linux", "yolk", "6.1.0-yolk", "Yolk", "x86_64", "(none)"}
	return 0, p.CopyOut(a[0], abi.AppendUtsname(nil, fields))
}

// sysSysinfo tells how long the system has run, and how much memory and how many
// processes there are (sysinfo(2)).
//
//lab:boot 3 tell how much of everything there is
func sysSysinfo(p *kernel.Process, a *kernel.Args) (uint64, error) {
	k, frames := p.Kernel(), p.Kernel().Memory().Frames
	info := abi.Sysinfo{
		Uptime: k.Machine().Nanotime() / 1e9, Procs: uint16(len(k.PIDs())),
		Total: uint64(frames.Total()) * mm.PageSize, Free: uint64(frames.Free()) * mm.PageSize,
	}
	return 0, p.CopyOut(a[0], info.Append(nil))
}

func sysGetrandom(p *kernel.Process, a *kernel.Args) (uint64, error) {
	if a[2]&^(abi.GRND_NONBLOCK|abi.GRND_RANDOM|abi.GRND_INSECURE) != 0 {
		return 0, abi.EINVAL
	}
	n := min(a[1], 1<<25)
	for done := uint64(0); done < n; {
		b := p.Scratch()
		b = b[:min(n-done, uint64(cap(b)))]
		p.Kernel().Machine().Random(b)
		if err := p.CopyOut(a[0]+done, b); err != nil {
			return 0, err
		}
		done += uint64(len(b))
	}
	return n, nil
}

func sysGetrlimit(p *kernel.Process, a *kernel.Args) (uint64, error) {
	return prlimit(p, p, a[0], 0, a[1])
}

func sysSetrlimit(p *kernel.Process, a *kernel.Args) (uint64, error) {
	return prlimit(p, p, a[0], a[1], 0)
}

func sysPrlimit64(p *kernel.Process, a *kernel.Args) (uint64, error) {
	q, err := p.Find(a[0])
	if err != nil {
		return 0, err
	}
	return prlimit(p, q, a[1], a[2], a[3])
}

// prlimit reads a limit of q's from set and writes what it was to get, each
// unless nil (prlimit(2)).
func prlimit(p, q *kernel.Process, which, set, get uint64) (uint64, error) {
	if which >= abi.RLIM_NLIMITS {
		return 0, abi.EINVAL
	}
	old := q.Limits[which]
	if set != 0 {
		var b [abi.RlimitSize]byte
		if err := p.CopyIn(b[:], set); err != nil {
			return 0, err
		}
		to := kernel.Limit{Cur: binary.LittleEndian.Uint64(b[:]), Max: binary.LittleEndian.Uint64(b[8:])}
		if err := setLimit(q, which, to, p.UID.Effective == 0); err != nil {
			return 0, err
		}
	}
	return 0, p.CopyOutWords(get, old.Cur, old.Max)
}

// setLimit changes a limit of p's, and tells whoever holds p to it.  Descriptors
// and processes keep the kernel's heap from running out: nobody may have more.
// The error is EINVAL or EPERM.
func setLimit(p *kernel.Process, which uint64, to kernel.Limit, privileged bool) error {
	l := &p.Limits[which]
	switch {
	case to.Cur > to.Max:
		return abi.EINVAL
	case to.Max > l.Max && (!privileged || which == abi.RLIMIT_NOFILE || which == abi.RLIMIT_NPROC):
		return abi.EPERM
	}
	*l = to
	switch {
	case p.Space() == nil: // it is exiting
	case which == abi.RLIMIT_NOFILE:
		p.Files.Limit = int(to.Cur)
	case which == abi.RLIMIT_STACK:
		p.Space().StackLimit = to.Cur
	case which == abi.RLIMIT_AS:
		p.Space().SizeLimit = min(to.Cur, uint64(mm.UserEnd))
	}
	return nil
}

// sysReboot powers the machine off, however it is asked to end (reboot(2)).
func sysReboot(p *kernel.Process, a *kernel.Args) (uint64, error) {
	cmd := uint32(a[2])
	switch {
	case p.UID.Effective != 0:
		return 0, abi.EPERM
	case uint32(a[0]) != abi.REBOOT_MAGIC1,
		cmd != abi.REBOOT_POWER_OFF && cmd != abi.REBOOT_HALT && cmd != abi.REBOOT_RESTART:
		return 0, abi.EINVAL
	}
	p.Kernel().PowerOff(0)
	return 0, nil
}

// sysSchedGetaffinity tells that there is processor 0 and no other.
func sysSchedGetaffinity(p *kernel.Process, a *kernel.Args) (uint64, error) {
	if _, err := p.Find(a[0]); err != nil || a[1] < 8 {
		return 0, abi.EINVAL
	}
	return 8, p.Space().StoreUint64(mm.VirtAddr(a[2]), 1)
}

func sysGetpriority(_ *kernel.Process, _ *kernel.Args) (uint64, error) { return 20, nil } // nice 0 (getpriority(2), NOTES)
