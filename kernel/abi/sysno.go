package abi

// System-call numbers (syscalls(2); arch/x86/entry/syscalls/syscall_64.tbl).
const (
	SysRead, SysWrite, SysOpen, SysClose, SysStat, SysFstat, SysLstat, SysPoll = 0, 1, 2, 3, 4, 5, 6, 7
	SysLseek, SysMmap, SysMprotect, SysMunmap, SysBrk                          = 8, 9, 10, 11, 12
	SysRtSigaction, SysRtSigprocmask, SysRtSigreturn, SysIoctl                 = 13, 14, 15, 16
	SysPread64, SysPwrite64, SysReadv, SysWritev, SysAccess, SysPipe           = 17, 18, 19, 20, 21, 22
	SysSelect, SysSchedYield, SysMremap, SysMsync, SysMincore, SysMadvise      = 23, 24, 25, 26, 27, 28
	SysDup, SysDup2, SysPause, SysNanosleep, SysGetitimer                      = 32, 33, 34, 35, 36
	SysAlarm, SysSetitimer, SysGetpid, SysSendfile, SysSocket, SysConnect      = 37, 38, 39, 40, 41, 42
	SysSocketpair, SysClone, SysFork, SysVfork, SysExecve                      = 53, 56, 57, 58, 59
	SysExit, SysWait4, SysKill, SysUname                                       = 60, 61, 62, 63
	SysFcntl, SysFlock, SysFsync, SysFdatasync, SysTruncate, SysFtruncate      = 72, 73, 74, 75, 76, 77
	SysGetdents, SysGetcwd, SysChdir, SysFchdir, SysRename, SysMkdir, SysRmdir = 78, 79, 80, 81, 82, 83, 84
	SysCreat, SysLink, SysUnlink, SysSymlink, SysReadlink, SysChmod, SysFchmod = 85, 86, 87, 88, 89, 90, 91
	SysChown, SysFchown, SysLchown, SysUmask, SysGettimeofday, SysGetrlimit    = 92, 93, 94, 95, 96, 97
	SysGetrusage, SysSysinfo, SysTimes, SysPtrace, SysGetuid, SysSyslog        = 98, 99, 100, 101, 102, 103
	SysGetgid, SysSetuid, SysSetgid, SysGeteuid, SysGetegid, SysSetpgid        = 104, 105, 106, 107, 108, 109
	SysGetppid, SysGetpgrp, SysSetsid, SysSetreuid, SysSetregid, SysGetgroups  = 110, 111, 112, 113, 114, 115
	SysSetgroups, SysSetresuid, SysGetresuid, SysSetresgid, SysGetresgid       = 116, 117, 118, 119, 120
	SysGetpgid, SysSetfsuid, SysSetfsgid, SysGetsid, SysCapget, SysCapset      = 121, 122, 123, 124, 125, 126
	SysRtSigpending, SysRtSigtimedwait, SysRtSigqueueinfo, SysRtSigsuspend     = 127, 128, 129, 130
	SysSigaltstack, SysUtime, SysMknod, SysPersonality, SysStatfs, SysFstatfs  = 131, 132, 133, 135, 137, 138
	SysGetpriority, SysSetpriority, SysSchedSetparam, SysSchedGetparam         = 140, 141, 142, 143
	SysSchedSetscheduler, SysSchedGetscheduler, SysSchedGetPriorityMax         = 144, 145, 146
	SysSchedGetPriorityMin, SysSchedRRGetInterval, SysMlock, SysMunlock        = 147, 148, 149, 150
	SysMlockall, SysMunlockall, SysPrctl, SysArchPrctl, SysSetrlimit, SysSync  = 151, 152, 157, 158, 160, 162
	SysMount, SysUmount2, SysReboot, SysSethostname, SysGettid                 = 165, 166, 169, 170, 186
	SysTkill, SysTime, SysFutex, SysSchedSetaffinity, SysSchedGetaffinity      = 200, 201, 202, 203, 204
	SysGetdents64, SysSetTidAddress, SysRestartSyscall, SysFadvise64           = 217, 218, 219, 221
	SysClockSettime, SysClockGettime, SysClockGetres, SysClockNanosleep        = 227, 228, 229, 230
	SysExitGroup, SysTgkill, SysUtimes, SysWaitid                              = 231, 234, 235, 247
	SysOpenat, SysMkdirat, SysMknodat, SysFchownat, SysFutimesat               = 257, 258, 259, 260, 261
	SysNewfstatat, SysUnlinkat, SysRenameat, SysLinkat, SysSymlinkat           = 262, 263, 264, 265, 266
	SysReadlinkat, SysFchmodat, SysFaccessat, SysPselect6, SysPpoll            = 267, 268, 269, 270, 271
	SysSetRobustList, SysGetRobustList, SysUtimensat, SysFallocate             = 273, 274, 280, 285
	SysDup3, SysPipe2, SysPreadv, SysPwritev, SysPrlimit64, SysSyncfs          = 292, 293, 295, 296, 302, 306
	SysGetcpu, SysRenameat2, SysGetrandom, SysMemfdCreate, SysExecveat         = 309, 316, 318, 319, 322
	SysMembarrier, SysCopyFileRange, SysStatx, SysRseq                         = 324, 326, 332, 334
	SysClone3, SysCloseRange, SysOpenat2, SysFaccessat2, SysFchmodat2          = 435, 436, 437, 439, 452

	// SysCount is one more than the highest number of the table.
	SysCount = 462
)
