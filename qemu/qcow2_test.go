package qemu

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"
)

// TestImage reads the image by the offsets of the format's document.
func TestImage(t *testing.T) {
	path := filepath.Join(t.TempDir(), "image")
	if err := createImage(path); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	u32 := func(at int) int { return int(binary.BigEndian.Uint32(b[at:])) }
	u64 := func(at int) int { return int(binary.BigEndian.Uint64(b[at:])) }
	cluster := 1 << u32(20)
	if string(b[:4]) != "QFI\xfb" || u32(4) != 3 || u32(100) != 104 || u32(96) != 4 {
		t.Fatalf("header % x", b[:104])
	}
	if u64(8) != 0 || u32(16) != 0 || u32(32) != 0 || u32(60) != 0 || u64(64) != 0 || u64(72) != 0 {
		t.Error("it has a backing file, encryption, snapshots or features")
	}
	l1, table := u64(40), u64(48)
	block := u64(table)
	if l1%cluster != 0 || table%cluster != 0 || block%cluster != 0 || len(b)%cluster != 0 {
		t.Errorf("not at clusters: L1 %#x, refcount table %#x, block %#x, end %#x", l1, table, block, len(b))
	}
	for i := range cluster / 2 {
		inUse := i < len(b)/cluster
		if refs := binary.BigEndian.Uint16(b[block+2*i:]); (refs == 1) != inUse || refs > 1 {
			t.Fatalf("cluster %d has %d references", i, refs)
		}
	}
	perEntry := cluster / 8 * cluster // bytes of the disk that one entry of the L1 table covers
	if size := u64(24); size == 0 || u32(36)*perEntry < size || u64(l1) != 0 {
		t.Errorf("a disk of %d bytes, %d entries, the first %#x", size, u32(36), u64(l1))
	}
}
