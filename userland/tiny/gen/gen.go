// Package gen writes small ELF files without an assembler: the smallest program
// there is, which the bench and the image use, and the odd ones, sound and
// malformed, that tests feed to exec.
package gen

import "encoding/binary"

// Constants of the ELF format (elf(5)) that the programs here use.
const (
	TypeExec = 2    // ET_EXEC
	TypeDyn  = 3    // ET_DYN
	Machine  = 0x3e // EM_X86_64

	Load   = 1 // PT_LOAD
	Interp = 3 // PT_INTERP

	X = 1 // PF_X
	W = 2 // PF_W
	R = 4 // PF_R

	HeaderSize = 64 // of the file's header
	PhdrSize   = 56 // of one program header
)

// Base is where the programs' first segment lies.
const Base = 0x400000

// A Phdr is one program header.
type Phdr struct {
	Type, Flags                                uint32
	Offset, Vaddr, Paddr, Filesz, Memsz, Align uint64
}

// A File is an ELF file in parts.  The program headers stand right behind the
// file's header, the body right behind them.
type File struct {
	Ident     [16]byte
	Type      uint16
	Machine   uint16
	Version   uint32
	Entry     uint64
	Phoff     uint64
	Ehsize    uint16
	Phentsize uint16
	Phnum     uint16
	Phdrs     []Phdr
	Body      []byte
}

// BodyOffset is where the body of a file with n program headers begins.
func BodyOffset(n int) uint64 { return HeaderSize + uint64(n)*PhdrSize }

// New makes a file whose one segment, readable and executable, holds all of it
// with code as its body; the code is entered at its start.
func New(code []byte) *File {
	size := BodyOffset(1) + uint64(len(code))
	return NewSegments(code, Phdr{Type: Load, Flags: R | X, Vaddr: Base, Filesz: size, Memsz: size, Align: 4096})
}

// NewSegments makes a file with the program headers given, entered where its
// body lies if the file's start is mapped at Base.
func NewSegments(body []byte, phdrs ...Phdr) *File {
	return &File{
		Ident: [16]byte{0x7f, 'E', 'L', 'F', 2, 1, 1}, // 64 bits, little-endian, version 1
		Type:  TypeExec, Machine: Machine, Version: 1,
		Entry: Base + BodyOffset(len(phdrs)), Phoff: HeaderSize,
		Ehsize: HeaderSize, Phentsize: PhdrSize, Phnum: uint16(len(phdrs)),
		Phdrs: phdrs, Body: body,
	}
}

// Bytes is the file as it is on disk.
func (f *File) Bytes() []byte {
	le := binary.LittleEndian
	b := append([]byte(nil), f.Ident[:]...)
	b = le.AppendUint16(b, f.Type)
	b = le.AppendUint16(b, f.Machine)
	b = le.AppendUint32(b, f.Version)
	b = le.AppendUint64(b, f.Entry)
	b = le.AppendUint64(b, f.Phoff)
	b = le.AppendUint64(b, 0) // no section headers
	b = le.AppendUint32(b, 0) // flags
	b = le.AppendUint16(b, f.Ehsize)
	b = le.AppendUint16(b, f.Phentsize)
	b = le.AppendUint16(b, f.Phnum)
	b = append(b, make([]byte, 6)...) // section headers: size, number, names
	for _, p := range f.Phdrs {
		b = le.AppendUint32(b, p.Type)
		b = le.AppendUint32(b, p.Flags)
		for _, v := range []uint64{p.Offset, p.Vaddr, p.Paddr, p.Filesz, p.Memsz, p.Align} {
			b = le.AppendUint64(b, v)
		}
	}
	return append(b, f.Body...)
}

// Image is the smallest static program: it exits with status 0.
func Image() []byte { return New(Exit(0)).Bytes() }

// Exit is code that ends the process with a status.
func Exit(status byte) []byte {
	return append([]byte{0xbf, status, 0, 0, 0}, exitCall...) // mov edi, status
}

// exitCall is code that ends the process with the status in EDI.
var exitCall = []byte{
	0xb8, 231, 0, 0, 0, // mov eax, SYS_exit_group
	0x0f, 0x05, // syscall
	0x0f, 0x0b, // ud2
}

// ExitWithByteAt is code that ends the process with the byte at addr as status.
func ExitWithByteAt(addr uint32) []byte {
	code := []byte{0x0f, 0xb6, 0x3c, 0x25} // movzx edi, byte [addr]
	code = binary.LittleEndian.AppendUint32(code, addr)
	return append(code, exitCall...)
}

// StoreByteAt is code that stores v in the byte at addr and goes on.
func StoreByteAt(addr uint32, v byte) []byte {
	code := []byte{0xc6, 0x04, 0x25} // mov byte [addr], v
	return append(binary.LittleEndian.AppendUint32(code, addr), v)
}

// ExitIfRegisters is code that ends the process with status 0 if all registers
// but RSP are zero and RSP is a multiple of 16, else with status 1.
func ExitIfRegisters() []byte {
	code := []byte{
		0x48, 0x09, 0xd8, // or rax, rbx
		0x48, 0x09, 0xc8, // or rax, rcx
		0x48, 0x09, 0xd0, // or rax, rdx
		0x48, 0x09, 0xf0, // or rax, rsi
		0x48, 0x09, 0xf8, // or rax, rdi
		0x48, 0x09, 0xe8, // or rax, rbp
		0x4c, 0x09, 0xc0, // or rax, r8
		0x4c, 0x09, 0xc8, // or rax, r9
		0x4c, 0x09, 0xd0, // or rax, r10
		0x4c, 0x09, 0xd8, // or rax, r11
		0x4c, 0x09, 0xe0, // or rax, r12
		0x4c, 0x09, 0xe8, // or rax, r13
		0x4c, 0x09, 0xf0, // or rax, r14
		0x4c, 0x09, 0xf8, // or rax, r15
		0x48, 0x89, 0xe1, // mov rcx, rsp
		0x83, 0xe1, 0x0f, // and ecx, 15
		0x48, 0x09, 0xc8, // or rax, rcx
		0x31, 0xff, // xor edi, edi
		0x48, 0x85, 0xc0, // test rax, rax
		0x40, 0x0f, 0x95, 0xc7, // setne dil
	}
	return append(code, exitCall...)
}

// DumpStack is code that writes the stack pointer, and then the stack from there
// to its end, to standard output.
func DumpStack() []byte {
	code := []byte{
		0x54,             // push rsp
		0x48, 0x89, 0xe6, // mov rsi, rsp
		0xbf, 1, 0, 0, 0, // next: mov edi, 1
		0xba, 8, 0, 0, 0, // mov edx, 8: a write across the stack's end would fail as a whole
		0xb8, 1, 0, 0, 0, // mov eax, SYS_write
		0x0f, 0x05, // syscall
		0x85, 0xc0, // test eax, eax
		0x7e, 5, // jle done
		0x48, 0x01, 0xc6, // add rsi, rax
		0xeb, 0xe6, // jmp next
	}
	return append(code, Exit(0)...) // done
}

// Wait is code that waits for a byte on standard input and ends with status 0.
func Wait() []byte {
	code := []byte{
		0x50,             // push rax
		0x48, 0x89, 0xe6, // mov rsi, rsp
		0x31, 0xff, // xor edi, edi
		0xba, 1, 0, 0, 0, // mov edx, 1
		0x31, 0xc0, // xor eax, eax: SYS_read
		0x0f, 0x05, // syscall
	}
	return append(code, Exit(0)...)
}
