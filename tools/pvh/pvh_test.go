package pvh

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/arch/x86/x86asm"
)

var update = flag.Bool("update", false, "rewrite testdata/entry.txt from the entry code")

// segment is a program header of a test file, with its bytes.
type segment struct {
	typ   elf.ProgType
	vaddr uint64
	data  []byte
	memsz uint64 // 0: len(data)
}

// file makes a static ELF64 executable of segments, with the two others that the
// Go linker writes.
func file(entry uint64, segs ...segment) []byte {
	segs = append([]segment{{elf.PT_PHDR, imageStart + 64, nil, 0}}, segs...)
	return rawFile(entry, append(segs, segment{typ: elf.PT_GNU_STACK})...)
}

func rawFile(entry uint64, segs ...segment) []byte {
	le := binary.LittleEndian
	h := elf.Header64{Ident: [16]byte{0x7f, 'E', 'L', 'F', 2, 1, 1}, Type: uint16(elf.ET_EXEC),
		Machine: uint16(elf.EM_X86_64), Version: 1, Entry: entry, Phoff: 64, Ehsize: 64,
		Phentsize: 56, Phnum: uint16(len(segs)), Shentsize: 64}
	b, _ := binary.Append(nil, le, h)
	off := uint64(pageSize)
	for _, s := range segs {
		p := elf.Prog64{Type: uint32(s.typ), Flags: 7, Off: off, Vaddr: s.vaddr, Paddr: s.vaddr,
			Filesz: uint64(len(s.data)), Memsz: max(s.memsz, uint64(len(s.data))), Align: pageSize}
		b, _ = binary.Append(b, le, p)
		off += uint64(len(pad(s.data, pageSize)))
	}
	b = pad(b, pageSize)
	for _, s := range segs {
		b = append(b, pad(s.data, pageSize)...)
	}
	return b
}

const imageStart = KernelBase + 0x200000

func mustImage(t *testing.T, src []byte) ([]byte, *elf.File) {
	t.Helper()
	img, err := Image(src)
	if err != nil {
		t.Fatal(err)
	}
	f, err := elf.NewFile(bytes.NewReader(img))
	if err != nil {
		t.Fatal(err)
	}
	return img, f
}

func TestImageKeepsWhatTheLinkerWrote(t *testing.T) {
	src := file(imageStart, segment{elf.PT_LOAD, imageStart, []byte("text"), 0}, segment{elf.PT_NOTE, imageStart, []byte("note"), 0})
	orig := bytes.Clone(src)
	img, f := mustImage(t, src)
	const table, end = 64, 64 + 4*56
	if !bytes.Equal(src, orig) {
		t.Error("Image changed its argument")
	}
	if f.Entry != imageStart {
		t.Errorf("entry is %#x", f.Entry)
	}
	for i := range src {
		if img[i] != src[i] && !(i >= table && i < end) {
			t.Fatalf("byte %#x changed", i)
		}
	}
	again, _ := Image(src)
	if !bytes.Equal(img, again) {
		t.Error("two conversions differ")
	}
}

func TestImageSegments(t *testing.T) {
	_, f := mustImage(t, file(imageStart,
		segment{elf.PT_LOAD, imageStart, []byte("text"), 0},
		segment{elf.PT_LOAD, imageStart + 0x1000, []byte("data"), 0x5000}))
	type shape struct {
		typ                  elf.ProgType
		vaddr, paddr, memory uint64
	}
	want := []shape{
		{elf.PT_LOAD, imageStart, 0x200000, 4},
		{elf.PT_LOAD, imageStart + 0x1000, 0x201000, 0x5000},
		{elf.PT_LOAD, KernelBase + Low, Low, LowEnd - Low},
		{elf.PT_NOTE, 0, 0, 20},
	}
	if len(f.Progs) != len(want) {
		t.Fatalf("%d segments, want %d", len(f.Progs), len(want))
	}
	for i, p := range f.Progs {
		if got := (shape{p.Type, p.Vaddr, p.Paddr, p.Memsz}); got != want[i] {
			t.Errorf("segment %d is %#v, want %#v", i, got, want[i])
		}
		if p.Type == elf.PT_LOAD && p.Off%p.Align != p.Vaddr%p.Align {
			t.Errorf("segment %d: offset %#x does not fit address %#x", i, p.Off, p.Vaddr)
		}
	}
	note := make([]byte, 20)
	f.Progs[3].ReadAt(note, 0)
	if want := "\x04\x00\x00\x00\x04\x00\x00\x00\x12\x00\x00\x00Xen\x00\x00\x00\x10\x00"; string(note) != want {
		t.Errorf("note is %q, want %q", note, want)
	}
}

func TestImageRefuses(t *testing.T) {
	load := segment{elf.PT_LOAD, imageStart, []byte("text"), 0}
	change := func(off int, v byte) []byte {
		b := file(imageStart, load)
		b[off] = v
		return b
	}
	for _, c := range []struct {
		name string
		src  []byte
		want error
	}{
		{"empty", nil, ErrNotKernel},
		{"text file", []byte("#!/bin/sh\n"), ErrNotKernel},
		{"cut short", file(imageStart, load)[:70], ErrNotKernel},
		{"big-endian", change(5, 2), ErrNotKernel},
		{"ET_DYN", change(16, byte(elf.ET_DYN)), ErrNotKernel},
		{"another machine", change(18, byte(elf.EM_386)), ErrNotKernel},
		{"nothing to load", file(imageStart), ErrNotKernel},
		{"no headers to spare", rawFile(imageStart, load), ErrNotKernel},
		{"interpreter", file(imageStart, load, segment{elf.PT_INTERP, imageStart, []byte("ld.so\x00"), 0}), ErrNotKernel},
		{"user address", file(0x400000, segment{elf.PT_LOAD, 0x400000, []byte("text"), 0}), ErrPlacement},
		{"over the entry segment", file(imageStart, segment{elf.PT_LOAD, KernelBase + LowEnd - pageSize, []byte("text"), 0}), ErrPlacement},
		{"past the end", file(imageStart, segment{elf.PT_LOAD, 0xffffffffffffe000, []byte("text"), 0x2001}), ErrPlacement},
	} {
		if _, err := Image(c.src); !errors.Is(err, c.want) {
			t.Errorf("%s: error %v, want %v", c.name, err, c.want)
		}
	}
}

func TestConvertInPlace(t *testing.T) {
	name := filepath.Join(t.TempDir(), "a kernel.elf")
	src := file(imageStart, segment{elf.PT_LOAD, imageStart, []byte("text"), 0})
	if err := os.WriteFile(name, src, 0o666); err != nil {
		t.Fatal(err)
	}
	if err := Convert(name, name); err != nil {
		t.Fatal(err)
	}
	got, _ := os.ReadFile(name)
	if want, _ := Image(src); !bytes.Equal(got, want) {
		t.Error("the file is not Image of its content")
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(name), "*")); len(left) != 1 {
		t.Errorf("files left over: %v", left)
	}
}

// TestEntryCodeListing holds the entry code to a listing made by a disassembler
// that knows nothing of the mnemonics in entry.go.
func TestEntryCodeListing(t *testing.T) {
	const name = "testdata/entry.txt"
	got := disassemble(t, entryCode(imageStart))
	if *update {
		if err := os.WriteFile(name, []byte(got), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if got != strings.ReplaceAll(string(want), "\r\n", "\n") {
		t.Errorf("the entry code differs from %s (go test -update rewrites it):\n%s", name, got)
	}
}

func disassemble(t *testing.T, code []byte) string {
	var out strings.Builder
	mode := 32
	for pc := 0; ; {
		inst, err := x86asm.Decode(code[pc:], mode)
		if err != nil {
			t.Fatalf("at %#x: %v", pc, err)
		}
		fmt.Fprintf(&out, "%x  %-32x %s\n", Low+pc, code[pc:pc+inst.Len], x86asm.IntelSyntax(inst, uint64(Low+pc), nil))
		pc += inst.Len
		switch {
		case inst.Op == x86asm.LJMP:
			mode = 64
		case inst.Op == x86asm.JMP && inst.Args[0] == x86asm.RAX:
			fmt.Fprintf(&out, "%x  data\n", code[pc:])
			return out.String()
		}
	}
}
