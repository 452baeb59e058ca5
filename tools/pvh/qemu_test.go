package pvh

import (
	"bytes"
	"context"
	"debug/elf"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// passed is what the probe writes to ExitPort when every check held; QEMU's exit
// status is then 2·passed+1.
const passed = 42

// TestEntryStateInQEMU boots a kernel of a few instructions that compares the state
// it finds with entryCode's contract. The status of a failure tells the check.
func TestEntryStateInQEMU(t *testing.T) {
	probe := image(t, probeCode())
	for _, machine := range []string{"q35", "pc", "microvm"} {
		t.Run(machine, func(t *testing.T) {
			t.Parallel()
			_, status := runQEMU(t, probe, "-machine", machine, "-cpu", "max")
			if status != passed<<1|1 {
				t.Errorf("QEMU's status is %d: check %d failed", status, status>>1)
			}
		})
	}
}

func TestProcessorWithout64BitMode(t *testing.T) {
	out, status := runQEMU(t, image(t, probeCode()), "-machine", "pc", "-cpu", "qemu32")
	if out != No64Bit {
		t.Errorf("console says %q, want %q", out, No64Bit)
	}
	if status != ExitValue<<1|1 {
		t.Errorf("QEMU's status is %d, want %d", status, ExitValue<<1|1)
	}
}

func image(t *testing.T, code []byte) string {
	t.Helper()
	img, err := Image(file(imageStart, segment{elf.PT_LOAD, imageStart, code, 0}))
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "probe.elf")
	if err := os.WriteFile(name, img, 0o666); err != nil {
		t.Fatal(err)
	}
	return name
}

func runQEMU(t *testing.T, kernel string, args ...string) (console string, status int) {
	t.Helper()
	qemu, err := exec.LookPath("qemu-system-x86_64")
	if err != nil {
		t.Skip("SKIP: no qemu-system-x86_64 on PATH")
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	// 1,200 MiB, so that there is memory to find in the second GiB; QEMU
	// takes what is touched.
	args = append([]string{"-accel", "tcg", "-m", "1200", "-display", "none", "-serial", "none", "-debugcon", "stdio", "-no-reboot",
		"-device", "isa-debug-exit,iobase=0xf4,iosize=4", "-kernel", kernel}, args...)
	cmd := exec.CommandContext(ctx, qemu, args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	cmd.Run()
	if errs.Len() > 0 {
		t.Logf("%s", errs.Bytes())
	}
	return out.String(), cmd.ProcessState.ExitCode()
}

// probeCode is a 64-bit program: checks that jump to the end when they fail, with
// their number in BL.
func probeCode() []byte {
	var a asm
	var jumps []int
	n := byte(0)
	mov64 := func(opcode byte, v uint64) { a = binary.LittleEndian.AppendUint64(append(a, 0x48, opcode), v) }
	ifNot := func(cc byte) { // jump to the end if the condition that cc negates holds not
		a = append(a, 0x0f, cc, 0, 0, 0, 0)
		jumps = append(jumps, len(a))
	}
	check := func() { n++; a.op("mov bl, n", 0xb3, n) }
	const jne, je, jc = 0x85, 0x84, 0x82

	check() // 1: RSP
	mov64(0xb8, Stack)
	a.op("cmp rsp, rax", 0x48, 0x39, 0xc4)
	ifNot(jne)
	check() // 2: the whole of the stack is there
	mov64(0xb9, Stack-128<<10)
	a.op("mov [rcx], rcx", 0x48, 0x89, 0x09)
	a.op("cmp rcx, [rcx]", 0x48, 0x3b, 0x09)
	ifNot(jne)
	check() // 3: CR3
	a.op("mov rax, cr3", 0x0f, 0x20, 0xd8)
	a.imm("cmp rax, pml4", pml4, 0x48, 0x3d)
	ifNot(jne)
	check() // 4: interrupts off, direction up
	a.op("pushfq", 0x9c)
	a.op("pop rax", 0x58)
	a.imm("test eax, IF+DF", 1<<9|1<<10, 0xa9)
	ifNot(jne)
	check() // 5: CS
	a.op("mov eax, cs", 0x8c, 0xc8)
	a.op("cmp eax, codeSel", 0x83, 0xf8, codeSel)
	ifNot(jne)
	check() // 6: SS can be loaded again from the table at its high address
	a.op("mov eax, ss", 0x8c, 0xd0)
	a.op("mov ss, eax", 0x8e, 0xd0)
	a.op("cmp eax, dataSel", 0x83, 0xf8, dataSel)
	ifNot(jne)
	check() // 7: the table is at its high address
	a.op("sub rsp, 16", 0x48, 0x83, 0xec, 16)
	a.op("sgdt [rsp]", 0x0f, 0x01, 0x04, 0x24)
	a.op("mov rax, [rsp+2]", 0x48, 0x8b, 0x44, 0x24, 2)
	mov64(0xb9, KernelBase+Low)
	a.op("cmp rax, rcx", 0x48, 0x39, 0xc8)
	ifNot(jc)
	check() // 8: RDI is hvm_start_info: its magic, through the direct map
	mov64(0xb8, DirectBase)
	a.imm("cmp dword [rax+rdi], magic", 0x336ec578, 0x81, 0x3c, 0x38)
	ifNot(jne)
	check() // 9: the direct map's fourth GiB: the local APIC's version register
	mov64(0xb8, DirectBase+0xfee00030)
	a.op("mov eax, [rax]", 0x8b, 0x00)
	a.op("test eax, eax", 0x85, 0xc0)
	ifNot(je)
	check() // 10: the second GiB is the same in both mappings
	mov64(0xb8, DirectBase+0x40000ff8)
	mov64(0xb9, KernelBase+0x40000ff8)
	a.op("mov [rax], rax", 0x48, 0x89, 0x00)
	a.op("cmp [rcx], rax", 0x48, 0x39, 0x01)
	ifNot(jne)
	check() // 11: and so is the first
	mov64(0xb8, DirectBase+Low)
	mov64(0xb9, KernelBase+Low)
	a.op("mov rax, [rax]", 0x48, 0x8b, 0x00)
	a.op("cmp [rcx], rax", 0x48, 0x39, 0x01)
	ifNot(jne)
	a.op("mov bl, passed", 0xb3, passed)
	for _, at := range jumps {
		binary.LittleEndian.PutUint32(a[at-4:], uint32(len(a)-at))
	}
	a.imm("mov edx, ExitPort", ExitPort, 0xba)
	a.op("movzx eax, bl", 0x0f, 0xb6, 0xc3)
	a.op("out dx, eax", 0xef)
	a.op("hlt", 0xf4)
	return a
}
