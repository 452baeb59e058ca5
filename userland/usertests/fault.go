package usertests

import (
	"yolk/userland/sys"
)

func faultTests() []test {
	return []test{
		{"ALL-05-instructions", portable, faultInstructions},
		{"ALL-05-jumps", portable, faultJumps},
		{"ALL-05-return-behind-the-user-half", portable, faultSysret},
		{"ALL-05-stack-pointer", portable, faultStackPointer},
		{"ALL-04-preemption", portable, faultPreemption},
		{"ALL-04-timer-changes-nothing", portable, faultTimer},
	}
}

// machineCode puts bytes on an executable page and gives their address.
func (t *T) machineCode(code ...byte) uintptr {
	addr := t.pages(1)
	copy(sys.Bytes(addr, len(code)), code)
	t.noErr(sys.Mprotect(addr, page, sys.PROT_READ|sys.PROT_EXEC), "mprotect")
	return addr
}

// faultInstructions: what user mode must not do, or does wrong, is a signal to
// that process.
func faultInstructions(t *T) {
	for _, c := range []struct {
		what   string
		signal int
		code   []byte
	}{
		{"cli", sys.SIGSEGV, []byte{0xfa}},
		{"sti", sys.SIGSEGV, []byte{0xfb}},
		{"hlt", sys.SIGSEGV, []byte{0xf4}},
		{"in al, 0x60", sys.SIGSEGV, []byte{0xe4, 0x60}},
		{"out 0x80, al", sys.SIGSEGV, []byte{0xe6, 0x80}},
		{"in al, dx", sys.SIGSEGV, []byte{0x66, 0xba, 0xf4, 0x01, 0xec}},
		{"out dx, eax", sys.SIGSEGV, []byte{0x66, 0xba, 0x01, 0x05, 0xef}},
		{"mov cr0, rax", sys.SIGSEGV, []byte{0x0f, 0x22, 0xc0}},
		{"mov rax, cr3", sys.SIGSEGV, []byte{0x0f, 0x20, 0xd8}},
		{"mov cr3, rax", sys.SIGSEGV, []byte{0x0f, 0x22, 0xd8}},
		{"mov dr7, rax", sys.SIGSEGV, []byte{0x0f, 0x23, 0xf8}},
		{"rdmsr", sys.SIGSEGV, []byte{0xb9, 0x82, 0, 0, 0xc0, 0x0f, 0x32}},
		{"wrmsr", sys.SIGSEGV, []byte{0xb9, 0x82, 0, 0, 0xc0, 0x0f, 0x30}},
		{"invlpg [rax]", sys.SIGSEGV, []byte{0x0f, 0x01, 0x38}},
		{"wbinvd", sys.SIGSEGV, []byte{0x0f, 0x09}},
		{"clts", sys.SIGSEGV, []byte{0x0f, 0x06}},
		{"swapgs", sys.SIGSEGV, []byte{0x0f, 0x01, 0xf8}},
		{"lgdt [rsp]", sys.SIGSEGV, []byte{0x0f, 0x01, 0x14, 0x24}},
		{"lidt [rsp]", sys.SIGSEGV, []byte{0x0f, 0x01, 0x1c, 0x24}},
		{"ltr ax", sys.SIGSEGV, []byte{0x0f, 0x00, 0xd8}},
		{"sysretq", sys.SIGSEGV, []byte{0x48, 0x0f, 0x07}},
		{"int 0x20", sys.SIGSEGV, []byte{0xcd, 0x20}},
		{"int 14", sys.SIGSEGV, []byte{0xcd, 14}},
		{"int 8", sys.SIGSEGV, []byte{0xcd, 8}},
		{"int 2", sys.SIGSEGV, []byte{0xcd, 2}},
		{"int 0xff", sys.SIGSEGV, []byte{0xcd, 0xff}},
		{"int3", sys.SIGTRAP, []byte{0xcc}},
		{"ud2", sys.SIGILL, []byte{0x0f, 0x0b}},
		{"an opcode of 32-bit times", sys.SIGILL, []byte{0x06}},
		{"single step", sys.SIGTRAP, []byte{0x9c, 0x81, 0x0c, 0x24, 0, 1, 0, 0, 0x9d, 0x90}}, // pushf; or [rsp], TF; popf
		{"division by zero", sys.SIGFPE, []byte{0x31, 0xd2, 0x31, 0xc9, 0xf7, 0xf1}},
		{"division overflow", sys.SIGFPE, []byte{0xba, 1, 0, 0, 0, 0xb9, 1, 0, 0, 0, 0xf7, 0xf1}},
		{"misaligned movaps", sys.SIGSEGV, []byte{0x48, 0x83, 0xe4, 0xf0, 0x0f, 0x28, 0x44, 0x24, 0x01}},
		{"mov ds, a bad selector", sys.SIGSEGV, []byte{0xb8, 0x38, 0x12, 0, 0, 0x8e, 0xd8}},
		{"mov ss, 0", sys.SIGSEGV, []byte{0x31, 0xc0, 0x8e, 0xd0}},
		{"mov ss, the kernel's", sys.SIGSEGV, []byte{0xb8, 0x10, 0, 0, 0, 0x8e, 0xd0}},
		{"iretq to the kernel's segments", sys.SIGSEGV, []byte{ // push 0x10, rsp, flags, 0x08, rip
			0x6a, 0x10, 0x54, 0x9c, 0x6a, 0x08, 0x48, 0x8d, 0x05, 0, 0, 0, 0, 0x50, 0x48, 0xcf}},
		{"lretq to the kernel's segments", sys.SIGSEGV, []byte{0x6a, 0x08, 0x6a, 0, 0x48, 0xcb}},
		{"a read at a non-canonical address", sys.SIGSEGV, []byte{0x48, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0x80, 0x8a, 0x00}},
	} {
		addr := t.machineCode(append(c.code, 0xc3)...)
		t.dies(c.what, func() { jump(addr) }, c.signal)
	}
}

// faultJumps: jumps to where nothing may be fetched.
func faultJumps(t *T) {
	data := t.pages(1)
	for _, addr := range []uintptr{
		0, 8, data, 0x7fff_ffff_f000, 0x8000_0000_0000, 0x8000_0000_0000_0000,
		0xffff_8000_0000_0000, 0xffff_8000_0010_0000, 0xffff_ffff_8020_1000, ^uintptr(0),
	} {
		t.dies("a jump", func() { jump(addr) }, sys.SIGSEGV)
	}
}

// faultSysret: a system call whose instruction is the last of the user's half
// would return to an address that is not canonical, on which SYSRET faults in
// the kernel.  Either that page cannot be had, or the process dies.
func faultSysret(t *T) {
	const last = 0x7fff_ffff_f000
	_, err := sys.Mmap(last, page, readWrite|sys.PROT_EXEC, private|sys.MAP_FIXED, -1, 0)
	if err != nil {
		t.wantErr(err, "mmap of the last page", sys.ENOMEM, sys.EINVAL)
		return
	}
	copy(sys.Bytes(last+page-7, 7), []byte{0xb8, 39, 0, 0, 0, 0x0f, 0x05}) // getpid
	t.dies("a call from the last bytes", func() { jump(last + page - 7) }, sys.SIGSEGV, sys.SIGBUS)
}

// faultStackPointer: traps and calls with a stack pointer that points nowhere:
// the kernel does not use the user's stack.
func faultStackPointer(t *T) {
	for _, sp := range [][]byte{
		{0x48, 0x31, 0xe4}, // xor rsp, rsp
		{0x48, 0xbc, 0, 0, 0, 0, 0, 0x80, 0xff, 0xff}, // mov rsp, 0xffff8000…
		{0x48, 0xbc, 0, 0, 0, 0, 0, 0, 0, 0x80},       // mov rsp, not canonical
	} {
		exit := append(append([]byte(nil), sp...), 0xbf, 7, 0, 0, 0, 0xb8, 60, 0, 0, 0, 0x0f, 0x05)
		addr := t.machineCode(exit...)
		status := t.status(func() { jump(addr) })
		t.must(status.ExitStatus() == 7, "exit with a bad stack pointer: ", status)
		trap := t.machineCode(append(append([]byte(nil), sp...), 0x0f, 0x0b)...)
		t.dies("a trap with a bad stack pointer", func() { jump(trap) }, sys.SIGILL)
		push := t.machineCode(append(append([]byte(nil), sp...), 0x50)...)
		t.dies("a push with a bad stack pointer", func() { jump(push) }, sys.SIGSEGV, sys.SIGBUS)
	}
}

// faultPreemption: two processes that compute and never call the kernel both
// make progress: each waits for the other's steps.
func faultPreemption(t *T) {
	shared := t.sharedPage()
	const steps = 20
	hog := func(me, other uintptr) func() {
		return func() {
			for i := byte(1); i <= steps; i++ {
				sys.Poke(shared+me, i)
				for sys.Peek(shared+other) < i {
					sys.CountDown(1000)
				}
			}
		}
	}
	one, two := t.fork(hog(0, 64)), t.fork(hog(64, 0))
	t.join(one)
	t.join(two)
}

// faultTimer: a long computation in registers comes out the same however often
// the timer interrupts it.
func faultTimer(t *T) {
	for range 20 {
		t.must(sys.SpinRegisters(2_000_000).Want(), "a register was lost")
	}
}
