package boottest

import (
	"bytes"
	"compress/gzip"

	"github.com/cavaliergopher/cpio"
)

// A member is one entry of an archive as users bring them along: nothing in it
// is aligned.
type member struct {
	name  string
	mode  cpio.FileMode
	text  string // contents, or a symbolic link's target
	inode int64  // of members that are hard links of each other; 0: of its own
}

// archive makes an archive.
func archive(members ...member) func() ([]byte, error) {
	return func() ([]byte, error) {
		var b bytes.Buffer
		w := cpio.NewWriter(&b)
		for _, m := range members {
			h := &cpio.Header{Name: m.name, Mode: m.mode, Size: int64(len(m.text)), Inode: m.inode, Links: 1}
			if m.inode != 0 {
				h.Links = 2
			}
			if err := w.WriteHeader(h); err != nil {
				return nil, err
			}
			if _, err := w.Write([]byte(m.text)); err != nil {
				return nil, err
			}
		}
		err := w.Close()
		return b.Bytes(), err
	}
}

// zipped compresses an archive.
func zipped(archive func() ([]byte, error)) func() ([]byte, error) {
	return func() ([]byte, error) {
		plain, err := archive()
		if err != nil {
			return nil, err
		}
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		if _, err := z.Write(plain); err != nil {
			return nil, err
		}
		err = z.Close()
		return b.Bytes(), err
	}
}

// overlays are two archives: the second one, compressed, changes what the first
// one brought.
var overlays = []func() ([]byte, error){
	archive(
		member{name: "opt", mode: cpio.TypeDir | 0o755},
		member{name: "opt/first", mode: cpio.TypeReg | 0o644, text: "first\n"},
		member{name: "opt/both", mode: cpio.TypeReg | 0o644, text: "of the first, and longer\n"},
		member{name: "opt/soft", mode: cpio.TypeSymlink | 0o777, text: "both"},
	),
	zipped(archive(
		member{name: "opt/both", mode: cpio.TypeReg | 0o644, text: "of the second\n"},
		member{name: "opt/hard1", mode: cpio.TypeReg | 0o755, inode: 7},
		member{name: "opt/hard2", mode: cpio.TypeReg | 0o755, inode: 7, text: "#!/bin/sh\necho linked\n"},
	)),
}
