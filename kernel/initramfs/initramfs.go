// Package initramfs fills a file system from cpio archives (cpio(5), "newc"),
// as the boot loader hands them over: one after the other, each plain or
// compressed with gzip, with zero bytes between them.
//
// An archive that was made for Yolk has its files' data on page boundaries.
// Those frames become the page cache of the file as they are; everything else
// is copied, and its memory can be given back.
package initramfs

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/cavaliergopher/cpio"

	"yolk/kernel/abi"
	"yolk/kernel/fs"
	"yolk/kernel/vfs"
	"yolk/mm"
)

// Range is a run of frames.
type Range struct {
	First mm.Frame
	Count int
}

// errFormat is the reason for data that is no archive.
var errFormat = errors.New("neither a cpio archive (newc) nor gzip")

// unpacker is the state of one Unpack.
type unpacker struct {
	tree  *fs.Tree
	names *vfs.Context
	first mm.Frame // where data lies; 0: nowhere in particular, everything is copied
	data  []byte
	adopt []adoption
	links map[int64]vfs.Node // by inode number, of the archive being read
}

// adoption is a file whose data lie on a page boundary of the archive.
type adoption struct {
	file   vfs.Node
	offset int
	size   int
}

// Unpack lays the archives in data over the tree, in order, so that the last
// one wins.  data lies in memory from the frame first on, or first is 0.  The
// ranges returned are the frames of data that no file took over.  An error says
// at which byte, and in which file, the archive is wrong; what came before it
// has been unpacked then.
func Unpack(t *fs.Tree, data []byte, first mm.Frame) ([]Range, error) {
	root := t.Root()
	u := &unpacker{
		tree: t, data: data, first: first,
		names: vfs.NewContext(vfs.NewSystem(0, nil), root),
	}
	if err := u.stream(&input{r: bytes.NewReader(data), outer: true}); err != nil {
		return nil, err
	}
	return u.finish(), nil
}

// finish hands the page-aligned data to their files.
//
// WHY last: mm.Object.Adopt zeroes the rest of a file's last page, and there
// the next header and perhaps the next file's data lay.
func (u *unpacker) finish() []Range {
	var free []Range
	next, end := u.first, u.first+frames(len(u.data))
	if u.first == 0 {
		return nil
	}
	for _, a := range u.adopt {
		if st := a.file.Stat(); st.Nlink == 0 || st.Size != 0 {
			continue // a later entry replaced the file or filled it
		}
		at := u.first + mm.Frame(a.offset/mm.PageSize)
		u.tree.Adopt(a.file, at, uint64(a.size))
		if at > next {
			free = append(free, Range{next, int(at - next)})
		}
		next = at + frames(a.size)
	}
	if end > next {
		free = append(free, Range{next, int(end - next)})
	}
	return free
}

// frames returns how many frames n bytes take.
func frames(n int) mm.Frame { return mm.Frame((n + mm.PageSize - 1) / mm.PageSize) }

// reader is a stream that can be looked ahead by one byte.
type reader interface {
	io.Reader
	io.ByteScanner
}

// stream unpacks archives until the stream ends.
func (u *unpacker) stream(in *input) error {
	for {
		b, err := in.r.ReadByte()
		if err == io.EOF {
			return nil
		}
		if err == nil && b != 0 {
			err = in.r.UnreadByte()
		}
		start := in.off
		switch {
		case err != nil:
		case b == 0:
			in.off++
			continue
		case b == '0':
			err = u.archive(in)
		case b == 0x1f && in.outer:
			err = u.compressed(in)
		default:
			err = errFormat
		}
		if err != nil {
			return fmt.Errorf("archive at byte %d: %w", start, err)
		}
	}
}

// compressed unpacks one gzip member.
func (u *unpacker) compressed(in *input) error {
	z, err := gzip.NewReader(in)
	if err != nil {
		return err
	}
	z.Multistream(false) // what follows may be a plain archive
	return u.stream(&input{r: bufio.NewReader(z)})
}

// input counts the bytes read and takes an early end for the mistake that it
// is.
type input struct {
	r     reader
	off   int
	outer bool // the bytes are those of unpacker.data
}

// Read implements io.Reader.
func (in *input) Read(p []byte) (int, error) {
	n, err := in.r.Read(p)
	in.off += n
	if err == io.EOF && n == 0 && len(p) > 0 {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// ReadByte implements io.ByteReader: gzip then reads not one byte too many.
func (in *input) ReadByte() (byte, error) {
	var b [1]byte
	_, err := io.ReadFull(in, b[:])
	return b[0], err
}

// archive unpacks one cpio archive, up to its trailer.
func (u *unpacker) archive(in *input) error {
	u.links = map[int64]vfs.Node{}
	for r := cpio.NewReader(in); ; {
		start := in.off
		hdr, err := r.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("entry at byte %d: %w", start, err)
		}
		if hdr.Size < 0 {
			return fmt.Errorf("entry at byte %d: %w", start, cpio.ErrHeader)
		}
		// The image builder aligns a file's data with NUL bytes at the end of
		// its name.
		hdr.Name, _, _ = strings.Cut(hdr.Name, "\x00")
		if err := u.entry(hdr, in, r); err != nil {
			return fmt.Errorf("entry at byte %d, %q: %w", start, hdr.Name, err)
		}
	}
}

// entry makes what one header says.
func (u *unpacker) entry(hdr *cpio.Header, in *input, data io.Reader) error {
	mode := uint32(hdr.Mode)
	at, err := u.names.Walk(nil, nil, hdr.Name, vfs.NoFollow|vfs.MayLack)
	if err != nil {
		return err
	}
	node, err := u.node(hdr, at, mode)
	if err != nil {
		return err
	}
	if hdr.Size > 0 {
		if mode&abi.S_IFMT != abi.S_IFREG {
			return errors.New("data in an entry that is not a file")
		}
		if err := u.contents(node, hdr.Size, in, data); err != nil {
			return err
		}
	}
	mtime := hdr.ModTime.UnixNano()
	return node.SetAttr(nil, vfs.Attr{
		Set:  vfs.SetMode | vfs.SetUID | vfs.SetGID | vfs.SetAtime | vfs.SetMtime,
		Mode: mode, UID: uint32(hdr.Uid), GID: uint32(hdr.Guid), Atime: mtime, Mtime: mtime,
	})
}

// node returns the node of an entry: a directory that is there already, a
// second name for a file of this archive, or a new node in the place of
// whatever was there.
func (u *unpacker) node(hdr *cpio.Header, at vfs.Place, mode uint32) (vfs.Node, error) {
	old, isDir := at.Node.(vfs.Dir)
	if isDir && mode&abi.S_IFMT == abi.S_IFDIR {
		return old, nil
	}
	linked := u.links[hdr.Inode]
	if linked != nil && linked == at.Node {
		return linked, nil
	}
	if at.Node != nil {
		if err := at.Dir.Remove(nil, at.Name, isDir); err != nil {
			return nil, err
		}
	}
	if linked != nil && linked.Stat().Nlink > 0 {
		return linked, at.Dir.Link(nil, at.Name, linked)
	}
	if mode&abi.S_IFMT == abi.S_IFLNK {
		if err := at.Dir.Symlink(nil, at.Name, hdr.Linkname); err != nil {
			return nil, err
		}
		return at.Dir.Lookup(nil, at.Name)
	}
	n, err := at.Dir.Create(nil, at.Name, mode, 0)
	if err == nil && hdr.Links > 1 && mode&abi.S_IFMT == abi.S_IFREG {
		u.links[hdr.Inode] = n
	}
	return n, err
}

// contents fills a file with the data that follow its header.
func (u *unpacker) contents(n vfs.Node, size int64, in *input, data io.Reader) error {
	if u.first != 0 && in.outer && in.off%mm.PageSize == 0 && int64(len(u.data)-in.off) >= size {
		u.adopt = append(u.adopt, adoption{n, in.off, int(size)})
		return nil // Reader.Next skips the data
	}
	h, err := n.Open(nil, abi.O_WRONLY)
	if err != nil {
		return err
	}
	defer h.Close()
	_, err = h.Write(nil, &source{data, int(size)}, 0)
	return err
}

// source is what remains of a file's data, as a vfs.Source.
type source struct {
	r    io.Reader
	left int
}

// Len implements vfs.Source.
func (s *source) Len() int { return s.left }

// Read implements vfs.Source: all of p or an error.
func (s *source) Read(p []byte) (int, error) {
	n, err := io.ReadFull(s.r, p)
	s.left -= n
	return n, err
}
