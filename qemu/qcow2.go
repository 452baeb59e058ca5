package qemu

import (
	"bytes"
	"encoding/binary"
	"os"
)

// qcow2Header is the header of a disk image in QEMU's format qcow2, version 3
// (docs/interop/qcow2 in QEMU, "Header").  All numbers are big-endian.
type qcow2Header struct {
	Magic            [4]byte
	Version          uint32
	BackingOffset    uint64
	BackingSize      uint32
	ClusterBits      uint32 // a cluster has 1<<ClusterBits bytes
	Size             uint64 // of the disk, in bytes
	Encryption       uint32
	L1Entries        uint32
	L1Offset         uint64
	RefTableOffset   uint64
	RefTableClusters uint32
	Snapshots        uint32
	SnapshotsOffset  uint64
	Incompatible     uint64 // feature bits
	Compatible       uint64
	AutoClear        uint64
	RefcountOrder    uint32 // a reference count has 1<<RefcountOrder bits
	Length           uint32 // of the header
}

const (
	qcow2ClusterBits = 16
	qcow2Cluster     = 1 << qcow2ClusterBits
)

// createImage writes an empty disk image for QEMU to keep snapshots in.  The
// disk is not connected to the machine; QEMU stores the machine's state behind
// the disk's last sector, so its size does not matter.
//
//	cluster 0   header
//	        1   refcount table: one entry, for cluster 2
//	        2   refcount block: clusters 0 to 3 are in use
//	        3   L1 table: empty, nothing of the disk has been written
func createImage(path string) error {
	h := qcow2Header{
		Magic: [4]byte{'Q', 'F', 'I', 0xfb}, Version: 3,
		ClusterBits: qcow2ClusterBits, Size: 1 << 20,
		L1Entries: 1, L1Offset: 3 * qcow2Cluster,
		RefTableOffset: 1 * qcow2Cluster, RefTableClusters: 1,
		RefcountOrder: 4,
	}
	h.Length = uint32(binary.Size(h))
	var b bytes.Buffer
	if err := binary.Write(&b, binary.BigEndian, h); err != nil {
		return err
	}
	image := make([]byte, 4*qcow2Cluster)
	copy(image, b.Bytes())
	binary.BigEndian.PutUint64(image[1*qcow2Cluster:], 2*qcow2Cluster)
	for cluster := range 4 {
		binary.BigEndian.PutUint16(image[2*qcow2Cluster+2*cluster:], 1)
	}
	return os.WriteFile(path, image, 0o666)
}
