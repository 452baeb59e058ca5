package gen

import (
	"bytes"
	"debug/elf"
	"testing"
)

func TestImageIsAnELFFile(t *testing.T) {
	b := Image()
	f, err := elf.NewFile(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	if f.Type != elf.ET_EXEC || f.Machine != elf.EM_X86_64 || len(f.Progs) != 1 {
		t.Errorf("header %+v", f.FileHeader)
	}
	p := f.Progs[0]
	if p.Type != elf.PT_LOAD || p.Flags != elf.PF_R|elf.PF_X || p.Filesz != uint64(len(b)) {
		t.Errorf("segment %+v", p.ProgHeader)
	}
	if code := b[f.Entry-Base:]; !bytes.Equal(code, Exit(0)) {
		t.Errorf("the entry is at % x", code)
	}
	if len(b) > 256 {
		t.Errorf("%d bytes are not tiny", len(b))
	}
}
