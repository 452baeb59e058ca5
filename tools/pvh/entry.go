package pvh

import "encoding/binary"

// Layout of the entry segment: one page of code, the page tables, the stack. Only
// the code is in the file; PVH promises that the rest is zero.
//
//	Low    code, descriptor table
//	pml4   [0] → pdpt   [256] → pdpt   [511] → pdptK
//	pdpt   [0..3] → pd[0..3]                      the first 4 GiB
//	pdptK  [510] → pd[0]   [511] → pd[1]          the first 2 GiB, at KernelBase
//	pd     4 tables of 512 entries of 2 MiB
//	stack  128 KiB
//
// WHY 2 MiB entries: entries of 1 GiB are missing on some processor models.
const (
	pageSize = 0x1000
	pml4     = Low + pageSize
	pdpt     = pml4 + pageSize
	pdptK    = pdpt + pageSize
	pd       = pdptK + pageSize
	stack    = pd + 4*pageSize
	stackTop = stack + 128<<10

	table = 0x03 // a table's entry: present, writable
	leaf  = 0x83 // a page's entry: present, writable, page size (2 MiB)
)

// Selectors of the descriptor table.
const (
	codeSel = 0x08
	dataSel = 0x10
)

// No64Bit is what the entry code writes to LogPort on a processor without 64-bit
// mode, before it ends QEMU by writing ExitValue to ExitPort (qemu/PROTOCOL.md).
const (
	No64Bit   = "yolk: this processor has no 64-bit mode; pass -cpu max to QEMU\n"
	LogPort   = 0xe9
	ExitPort  = 0xf4
	ExitValue = 0x12
)

// asm collects machine code, an instruction a call.
type asm []byte

// op appends an instruction: its mnemonic, for the reader, and its bytes.
func (a *asm) op(_ string, b ...byte) { *a = append(*a, b...) }

// imm appends an instruction that ends in a 32-bit value.
func (a *asm) imm(_ string, v uint32, b ...byte) {
	*a = binary.LittleEndian.AppendUint32(append(*a, b...), v)
}

// back appends a jump of two bytes to the earlier position to.
func (a *asm) back(_ string, opcode byte, to int) {
	*a = append(*a, opcode, byte(to-len(*a)-2))
}

// entryCode returns the entry segment's content. The processor arrives in 32-bit
// protected mode without paging, flat segments, interrupts off, EBX holding the
// physical address of hvm_start_info, all else undefined. It leaves for entry in
// 64-bit mode with interrupts off and
//
//	RDI   physical address of hvm_start_info
//	RSP   Stack
//	CR3   pml4; paging as the drawing above says
//	CS    codeSel; DS, ES, SS: dataSel; FS, GS: 0 with base 0
//	GDTR  the table in this segment, by its address above KernelBase
//
// EFER.NXE, CR0.WP and CR4's protections are still off.
func entryCode(entry uint64) []byte {
	// The code is assembled twice: the second time its own length is known.
	size := len(code(entry, 0))
	b := code(entry, Low+uint32(size))
	return append(b, tables(Low+uint32(size))...)
}

const (
	gdtr32 = 0  // for LGDT in 32-bit mode: limit, address
	gdtr64 = 6  // for LGDT in 64-bit mode: limit, address above KernelBase
	gdt    = 16 // null, code, data
	text   = gdt + 3*8
)

// tables returns what follows the code, at physical address at.
func tables(at uint32) []byte {
	le := binary.LittleEndian
	b := le.AppendUint16(nil, 3*8-1)
	b = le.AppendUint32(b, at+gdt)
	b = le.AppendUint16(b, 3*8-1)
	b = le.AppendUint64(b, KernelBase+uint64(at+gdt))
	b = le.AppendUint64(b, 0)
	b = le.AppendUint64(b, 0x00af9b000000ffff) // 64-bit code, ring 0
	b = le.AppendUint64(b, 0x00cf93000000ffff) // data, ring 0
	return append(b, No64Bit...)
}

func code(entry uint64, data uint32) []byte {
	var a asm
	a.op("cli", 0xfa)
	a.op("cld", 0xfc)
	a.op("mov ebp, ebx", 0x89, 0xdd) // CPUID overwrites EBX
	a.checkLongMode(data)
	a.buildTables()
	a.enterLongMode(data)

	// 64-bit code from here on, still at its physical address.
	a.imm("mov eax, dataSel", dataSel, 0xb8)
	a.op("mov ds, eax", 0x8e, 0xd8)
	a.op("mov es, eax", 0x8e, 0xc0)
	a.op("mov ss, eax", 0x8e, 0xd0)
	a.op("xor eax, eax", 0x31, 0xc0)
	a.op("mov fs, eax", 0x8e, 0xe0)
	a.op("mov gs, eax", 0x8e, 0xe8)
	a.imm("lgdt [KernelBase+gdtr64]", low32(KernelBase)+data+gdtr64, 0x0f, 0x01, 0x14, 0x25)
	a.imm("mov rsp, Stack", low32(Stack), 0x48, 0xc7, 0xc4)
	a.op("mov edi, ebp", 0x89, 0xef)
	a.op("mov rax, entry", 0x48, 0xb8)
	a = binary.LittleEndian.AppendUint64(a, entry)
	a.op("xor ebp, ebp", 0x31, 0xed) // end of the chain of frame pointers
	a.op("jmp rax", 0xff, 0xe0)
	return a
}

// checkLongMode ends QEMU with a sentence on a processor without 64-bit mode.
func (a *asm) checkLongMode(data uint32) {
	var fail asm
	fail.imm("mov esi, No64Bit", data+text, 0xbe)
	fail.imm("mov ecx, len(No64Bit)", uint32(len(No64Bit)), 0xb9)
	fail.imm("mov edx, LogPort", LogPort, 0xba)
	fail.op("rep outsb", 0xf3, 0x6e)
	fail.imm("mov edx, ExitPort", ExitPort, 0xba)
	fail.imm("mov eax, ExitValue", ExitValue, 0xb8)
	fail.op("out dx, eax", 0xef)
	halt := len(fail)
	fail.op("hlt", 0xf4)
	fail.back("jmp halt", 0xeb, halt)

	a.imm("mov eax, 0x80000000", 0x80000000, 0xb8) // highest extended leaf
	a.op("cpuid", 0x0f, 0xa2)
	a.imm("cmp eax, 0x80000001", 0x80000001, 0x3d)
	a.op("jb fail", 0x72, 5+2+4+2)
	a.imm("mov eax, 0x80000001", 0x80000001, 0xb8)
	a.op("cpuid", 0x0f, 0xa2)
	a.op("bt edx, 29", 0x0f, 0xba, 0xe2, 29) // LM
	a.op("jc past fail", 0x72, byte(len(fail)))
	*a = append(*a, fail...)
}

// buildTables fills the page tables. The upper half of each entry is zero already.
func (a *asm) buildTables() {
	a.imm("mov edi, pd", pd, 0xbf)
	a.imm("mov eax, leaf", leaf, 0xb8)
	a.imm("mov ecx, 4*512", 4*512, 0xb9)
	a.fill(2 << 20)
	a.imm("mov edi, pdpt", pdpt, 0xbf)
	a.imm("mov eax, pd+table", pd+table, 0xb8)
	a.imm("mov ecx, 4", 4, 0xb9)
	a.fill(pageSize)
	a.store(pdptK+510*8, pd+table)
	a.store(pdptK+511*8, pd+pageSize+table)
	a.store(pml4, pdpt+table)
	a.store(pml4+256*8, pdpt+table)
	a.store(pml4+511*8, pdptK+table)
}

// fill writes ECX entries at EDI that start with EAX and grow by step.
func (a *asm) fill(step uint32) {
	loop := len(*a)
	a.op("mov [edi], eax", 0x89, 0x07)
	a.imm("add eax, step", step, 0x05)
	a.op("add edi, 8", 0x83, 0xc7, 8)
	a.back("loop", 0xe2, loop)
}

func (a *asm) store(addr, v uint32) {
	a.imm("mov dword [addr],", addr, 0xc7, 0x05)
	a.imm("v", v)
}

// enterLongMode follows SDM 3A §9.8.5: PAE, CR3, EFER.LME, then paging.
func (a *asm) enterLongMode(data uint32) {
	a.op("mov eax, cr4", 0x0f, 0x20, 0xe0)
	a.op("or eax, CR4.PAE", 0x83, 0xc8, 1<<5)
	a.op("mov cr4, eax", 0x0f, 0x22, 0xe0)
	a.imm("mov eax, pml4", pml4, 0xb8)
	a.op("mov cr3, eax", 0x0f, 0x22, 0xd8)
	a.imm("mov ecx, EFER", 0xc0000080, 0xb9)
	a.op("rdmsr", 0x0f, 0x32)
	a.imm("or eax, EFER.LME", 1<<8, 0x0d)
	a.op("wrmsr", 0x0f, 0x30)
	a.op("mov eax, cr0", 0x0f, 0x20, 0xc0)
	a.imm("or eax, CR0.PG+CR0.PE", 1<<31|1, 0x0d)
	a.op("mov cr0, eax", 0x0f, 0x22, 0xc0)
	a.imm("lgdt [gdtr32]", data+gdtr32, 0x0f, 0x01, 0x15)
	a.imm("jmp codeSel:", Low+uint32(len(*a))+7, 0xea)
	a.op("the next instruction", codeSel, 0)
}

// low32 returns the low half of an address whose high half is its sign extension.
func low32(addr uint64) uint32 { return uint32(addr) }
