// Package pvh turns a statically linked Go ELF file into one that QEMU's -kernel
// option boots.
//
// QEMU starts an ELF64 file by the PVH protocol if one of its notes names a 32-bit
// physical entry point. The Go linker writes no such note, knows no physical
// addresses, and its code expects 64-bit mode. So Convert adds two segments at the
// end of the file, and changes the program header table in place:
//
//   - a PT_NOTE segment with the note XEN_ELFNOTE_PHYS32_ENTRY;
//   - a PT_LOAD segment at physical address Low: the code that brings the processor
//     from the state PVH promises to 64-bit mode and jumps to the ELF entry point,
//     with its descriptor table, and room for the first page tables and stack;
//   - p_paddr of every segment becomes p_vaddr − KernelBase;
//   - the new segments take the entries of PT_PHDR and PT_GNU_STACK.
//
// Everything else, symbols and DWARF among it, stays where it was. The output
// depends on the input alone.
//
// Sources: Xen's docs/misc/pvh and public/elfnote.h; System V gABI, chapters 4 and
// 5; SDM 3A §9.8.5 (switching to IA-32e mode).
package pvh

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// The machine's memory as the entry code sets it up.
const (
	// KernelBase is the virtual address of physical address 0 in the mapping that
	// the kernel is linked into. It reaches to the top of the address space: 2 GiB.
	KernelBase = 0xffffffff80000000

	// DirectBase is the virtual address of physical address 0 in the direct map.
	// The entry code maps the first 4 GiB there, and at 0 until the kernel
	// removes them: its first instructions in 64-bit mode still run there.
	DirectBase = 0xffff800000000000

	// Low is the physical address of the entry segment, which ends at LowEnd.
	Low    = 0x100000
	LowEnd = stackTop

	// Stack is the initial value of RSP. 128 KiB below it are usable.
	Stack = KernelBase + stackTop
)

// Reasons for Convert to refuse its input, all of which may be wrapped.
var (
	ErrNotKernel = errors.New("not a static ELF64 executable for x86-64")
	ErrPlacement = errors.New("segment outside of the kernel's 2 GiB or over the entry segment")
)

// Convert reads the Go ELF file in and writes the bootable one to out, which may
// be the same file. Errors are those of the file system, ErrNotKernel and ErrPlacement.
func Convert(in, out string) error {
	src, err := os.ReadFile(in)
	if err != nil {
		return err
	}
	dst, err := Image(src)
	if err != nil {
		return fmt.Errorf("%s: %w", in, err)
	}
	return replace(out, dst)
}

// Image is Convert for the bytes of a file; src is not changed.
func Image(src []byte) ([]byte, error) {
	f, err := elf.NewFile(bytes.NewReader(src))
	if err != nil {
		return nil, fmt.Errorf("%w: %v", ErrNotKernel, err)
	}
	if f.Class != elf.ELFCLASS64 || f.Machine != elf.EM_X86_64 || f.Type != elf.ET_EXEC {
		return nil, ErrNotKernel
	}
	progs, err := relocate(f)
	if err != nil {
		return nil, err
	}
	img := pad(bytes.Clone(src), pageSize)
	entry := entryCode(f.Entry)
	progs = append(progs, elf.Prog64{
		Type: uint32(elf.PT_LOAD), Flags: uint32(elf.PF_R | elf.PF_W | elf.PF_X),
		Off: uint64(len(img)), Vaddr: KernelBase + Low, Paddr: Low,
		Filesz: uint64(len(entry)), Memsz: LowEnd - Low, Align: pageSize,
	})
	img = pad(append(img, entry...), 8)
	note := entryNote()
	progs = append(progs, elf.Prog64{
		Type: uint32(elf.PT_NOTE), Flags: uint32(elf.PF_R),
		Off: uint64(len(img)), Filesz: uint64(len(note)), Memsz: uint64(len(note)), Align: 4,
	})
	img = pad(append(img, note...), 8)
	return setHeaders(img, progs)
}

// relocate returns f's program headers with physical addresses. PT_PHDR and
// PT_GNU_STACK say nothing to QEMU or to the kernel, and make room for the two
// entries that Image adds.
func relocate(f *elf.File) ([]elf.Prog64, error) {
	var progs []elf.Prog64
	loads := 0
	for _, p := range f.Progs {
		h := elf.Prog64{Type: uint32(p.Type), Flags: uint32(p.Flags), Off: p.Off,
			Vaddr: p.Vaddr, Filesz: p.Filesz, Memsz: p.Memsz, Align: p.Align}
		switch p.Type {
		case elf.PT_PHDR, elf.PT_GNU_STACK:
			continue
		case elf.PT_INTERP, elf.PT_DYNAMIC:
			return nil, ErrNotKernel
		case elf.PT_LOAD:
			loads++
			if p.Vaddr < KernelBase+LowEnd || p.Memsz > -p.Vaddr {
				return nil, fmt.Errorf("%w: %#x bytes at %#x", ErrPlacement, p.Memsz, p.Vaddr)
			}
		}
		if h.Vaddr >= KernelBase {
			h.Paddr = h.Vaddr - KernelBase
		}
		progs = append(progs, h)
	}
	if loads == 0 {
		return nil, ErrNotKernel
	}
	return progs, nil
}

// entryNote is the note that names the 32-bit entry point, Low.
func entryNote() []byte {
	const phys32Entry = 18 // XEN_ELFNOTE_PHYS32_ENTRY
	name := "Xen\x00"
	var b []byte
	for _, v := range []uint32{uint32(len(name)), 4, phys32Entry} {
		b = binary.LittleEndian.AppendUint32(b, v)
	}
	b = append(b, name...)
	return binary.LittleEndian.AppendUint32(b, Low)
}

// setHeaders overwrites the program header table. It must not move: the kernel
// reads its own segments' rights from the table, which lies in its text segment.
func setHeaders(img []byte, progs []elf.Prog64) ([]byte, error) {
	var h elf.Header64
	const size, entry = 64, 56
	binary.Decode(img[:size], binary.LittleEndian, &h)
	if len(progs) > int(h.Phnum) || h.Phentsize != entry {
		return nil, fmt.Errorf("%w: no room for %d program headers", ErrNotKernel, len(progs))
	}
	h.Phnum = uint16(len(progs))
	binary.Encode(img[:size], binary.LittleEndian, &h)
	table, _ := binary.Append(nil, binary.LittleEndian, progs)
	copy(img[h.Phoff:], table)
	return img, nil
}

func pad(b []byte, align int) []byte {
	return append(b, make([]byte, -len(b)&(align-1))...)
}

// replace writes the file in one step: a QEMU that is just starting sees the old
// or the new image, never a part of one.
func replace(name string, b []byte) error {
	tmp := filepath.Join(filepath.Dir(name), "."+filepath.Base(name)+".tmp")
	if err := os.WriteFile(tmp, b, 0o666); err != nil {
		return err
	}
	return os.Rename(tmp, name)
}
