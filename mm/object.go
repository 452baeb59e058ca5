package mm

import "io"

// MaxSize is the largest size of an Object in bytes.
const MaxSize = 1 << 47

// Object is memory that has an identity of its own: the page cache of a file,
// or anonymous memory that several address spaces share.  Regions map it;
// read(2) and write(2) copy from and to the very same frames.
//
// Its pages are found through a tree of tables, each a frame of 512 entries
// like a page table, so that a sparse file costs frames and not Go heap:
//
//	height 0: root is page 0 itself
//	height 1: root is a table of pages 0 to 511
//	height 2: root is a table of such tables, …
type Object struct {
	mem    *Memory
	budget *Budget
	refs   int
	size   uint64

	first   Frame  // pages [0, adopted) are the frames from first on
	adopted uint64 // and are not in the tree
	root    Frame
	height  int

	maps    *Region // the regions that map it
	writers int     // open for writing, or mapped shared and writable
	denied  int     // executed
	checked mark    // by the checker
}

// Sink takes the bytes of a file: it is written to until Len is 0.
type Sink interface {
	io.Writer
	Len() int
}

// Source gives the bytes for a file: it is read until Len is 0.
type Source interface {
	io.Reader
	Len() int
}

// NewObject returns an empty object with one reference, charged to b for as
// long as it lives.
func NewObject(m *Memory, b *Budget) (*Object, error) {
	if err := b.Charge(objectCost); err != nil {
		return nil, err
	}
	return &Object{mem: m, budget: b, refs: 1}, nil
}

// Adopt makes the frames from first on, which belonged to nobody, the contents
// of an empty object: size bytes, of which nothing is copied.  The last page
// is zeroed past size.  The frames go to the allocator when the object lets go
// of them.
func (o *Object) Adopt(first Frame, size uint64) {
	if o.size != 0 {
		panic("mm: Adopt into an object that is not empty")
	}
	o.size, o.first = size, first
	o.adopted = o.Pages()
	o.mem.Frames.adopt(first, int(o.adopted))
	o.zeroTail()
}

// Ref adds a reference.
func (o *Object) Ref() { o.refs++ }

// Drop takes a reference away; the last one frees the pages.
func (o *Object) Drop() {
	if o.refs--; o.refs == 0 {
		o.trim(0)
		o.budget.Release(objectCost)
	}
}

// Size returns the size in bytes.
func (o *Object) Size() uint64 { return o.size }

// Pages returns the number of pages, the last perhaps partial; with holes.
func (o *Object) Pages() uint64 { return (o.size + pageMask) >> PageShift }

// Resident returns the number of pages that exist.
func (o *Object) Resident() int {
	n := 0
	o.each(func(_ uint64, _ Frame, level int) {
		if level == 0 {
			n++
		}
	})
	return n
}

// OpenWrite notes a writer, or returns ErrTextBusy while the file is executed.
func (o *Object) OpenWrite() error {
	if o.denied > 0 {
		return ErrTextBusy
	}
	o.writers++
	return nil
}

// CloseWrite ends what OpenWrite began.
func (o *Object) CloseWrite() { o.writers-- }

// DenyWrite keeps writers away, or returns ErrTextBusy while there are any.
func (o *Object) DenyWrite() error {
	if o.writers > 0 {
		return ErrTextBusy
	}
	o.denied++
	return nil
}

// AllowWrite ends what DenyWrite began.
func (o *Object) AllowWrite() { o.denied-- }

// Page returns the frame of page i, which must lie below Pages.  A hole is
// filled with zeroes first; ErrNoMemory if that fails.  The object keeps its
// reference.
func (o *Object) Page(i uint64) (Frame, error) {
	if f := o.lookup(i); f != 0 {
		return f, nil
	}
	if err := o.mem.Frames.Ensure(o.missing(i)); err != nil {
		return 0, err
	}
	return o.mustPage(i), nil
}

// ReadAt copies from offset off on to dst, up to the object's end or as much
// as dst takes, and returns the number of bytes.  An error is dst's, after the
// bytes counted.
func (o *Object) ReadAt(dst Sink, off uint64) (int, error) {
	done := 0
	for dst.Len() > 0 && off < o.size {
		f := o.lookup(off >> PageShift)
		if f == 0 {
			f = o.mem.zero
		}
		n := min(PageSize-off&pageMask, o.size-off, uint64(dst.Len()))
		k, err := dst.Write(o.mem.Phys.Page(f)[off&pageMask:][:n])
		done += k
		off += uint64(k)
		if err != nil {
			return done, err
		}
	}
	return done, nil
}

// ReadBytes is ReadAt into memory of the kernel.
func (o *Object) ReadBytes(p []byte, off uint64) int {
	dst := kernelBytes(p)
	n, _ := o.ReadAt(&dst, off)
	return n
}

// kernelBytes is a Sink of kernel memory.
type kernelBytes []byte

func (s *kernelBytes) Len() int { return len(*s) }

func (s *kernelBytes) Write(p []byte) (int, error) {
	n := copy(*s, p)
	*s = (*s)[n:]
	return n, nil
}

// WriteAt copies all of src to offset off on and lets the object grow.  It
// returns the number of bytes, and an error if that is not all: src's,
// ErrNoMemory or ErrTooBig.
func (o *Object) WriteAt(src Source, off uint64) (int, error) {
	done := 0
	for src.Len() > 0 {
		if off >= MaxSize {
			return done, ErrTooBig
		}
		n := min(PageSize-off&pageMask, uint64(src.Len()))
		if off > o.size {
			o.zeroTail()
		}
		f, err := o.Page(off >> PageShift)
		if err != nil {
			return done, err
		}
		k, err := src.Read(o.mem.Phys.Page(f)[off&pageMask:][:n])
		done += k
		off += uint64(k)
		if k > 0 {
			o.size = max(o.size, off)
		}
		if err != nil {
			o.trim(o.Pages()) // the page that was made for bytes that did not come
			return done, err
		}
	}
	return done, nil
}

// Truncate sets the size in bytes (truncate(2)).  Pages past it are unmapped
// from every region, copies of them too, so that a touch is a BusAdrErr.
func (o *Object) Truncate(size uint64) error {
	if size > MaxSize {
		return ErrTooBig
	}
	if size > o.size {
		o.zeroTail()
		o.size = size
		return nil
	}
	o.size = size
	end := o.Pages()
	for r := o.maps; r != nil; r = r.next {
		start := r.Start
		if first := r.Offset >> PageShift; first < end {
			start += VirtAddr(min(end-first, uint64(r.pages()))) * PageSize
		}
		r.space.zap(start, r.End)
		r.space.settle() // before trim: nobody may reach a frame that is free
	}
	o.trim(end)
	o.zeroTail()
	return nil
}

// zeroTail clears the rest of the last page.  A mapping shows it, and may even
// have written to it, and no such byte may ever turn up in the file.
func (o *Object) zeroTail() {
	if tail := o.size & pageMask; tail != 0 {
		if f := o.lookup(o.size >> PageShift); f != 0 {
			clear(o.mem.Phys.Page(f)[tail:])
		}
	}
}

// link notes that r maps the object.
func (o *Object) link(r *Region) {
	o.refs++
	r.prev, r.next = nil, o.maps
	if o.maps != nil {
		o.maps.prev = r
	}
	o.maps = r
	if r.Shared() && r.MaxProt&Write != 0 {
		o.writers++
	}
}

// unlink ends what link began.
func (o *Object) unlink(r *Region) {
	if r.prev != nil {
		r.prev.next = r.next
	} else {
		o.maps = r.next
	}
	if r.next != nil {
		r.next.prev = r.prev
	}
	r.prev, r.next = nil, nil
	if r.Shared() && r.MaxProt&Write != 0 {
		o.writers--
	}
	o.Drop()
}

// index returns which entry of a tree table of the given level leads to page i.
func index(i uint64, level int) uint64 { return i >> (indexBits * (level - 1)) & (Entries - 1) }

// heightFor returns how high a tree must be to reach page i.
func heightFor(i uint64) int {
	h := 0
	for i>>(indexBits*h) != 0 {
		h++
	}
	return h
}

// lookup returns the frame of page i, or 0 for a hole.
func (o *Object) lookup(i uint64) Frame {
	if i < o.adopted {
		return o.first + Frame(i)
	}
	if i>>(indexBits*o.height) != 0 {
		return 0
	}
	f := o.root
	for level := o.height; level > 0 && f != 0; level-- {
		f = o.mem.Phys.Table(f)[index(i, level)].Frame()
	}
	return f
}

// missing returns how many frames mustPage will take for page i.
func (o *Object) missing(i uint64) int {
	if i < o.adopted {
		return 0
	}
	h := heightFor(i)
	switch {
	case o.root == 0:
		return h + 1
	case h > o.height: // new roots, then a branch of its own down to the page
		return h - o.height + h
	}
	f := o.root
	for level := o.height; level > 0; level-- {
		e := o.mem.Phys.Table(f)[index(i, level)]
		if !e.Present() {
			return level
		}
		f = e.Frame()
	}
	return 0
}

// mustPage is Page after a successful Ensure.
func (o *Object) mustPage(i uint64) Frame {
	if i < o.adopted {
		return o.first + Frame(i)
	}
	m := o.mem
	if o.root == 0 {
		o.height = heightFor(i)
		o.root = m.Frames.mustAllocZeroed()
	}
	for i>>(indexBits*o.height) != 0 {
		f := m.Frames.mustAllocZeroed()
		m.Phys.Table(f)[0] = entry(o.root, Present)
		o.root = f
		o.height++
	}
	f := o.root
	for level := o.height; level > 0; level-- {
		e := &m.Phys.Table(f)[index(i, level)]
		if !e.Present() {
			*e = entry(m.Frames.mustAllocZeroed(), Present)
		}
		f = e.Frame()
	}
	return f
}

// trim puts the pages from page from on, which nobody maps any more.
func (o *Object) trim(from uint64) {
	for o.adopted > from {
		o.adopted--
		o.mem.Frames.Put(o.first + Frame(o.adopted))
	}
	if o.root != 0 && o.trimTree(o.root, o.height, 0, from) {
		o.root, o.height = 0, 0
	}
}

// trimTree trims the tree under f, whose first page is base, and reports
// whether nothing is left of it.
func (o *Object) trimTree(f Frame, level int, base, from uint64) bool {
	gone := base >= from
	if level > 0 {
		t, width := o.mem.Phys.Table(f), uint64(1)<<(indexBits*(level-1))
		gone = true
		for i := range t {
			first := base + uint64(i)*width
			switch {
			case !t[i].Present():
			case first+width > from && o.trimTree(t[i].Frame(), level-1, first, from):
				t[i] = 0
			default:
				gone = false
			}
		}
	}
	if gone {
		o.mem.Frames.Put(f)
	}
	return gone
}

// each calls fn for every frame that the object holds: its pages (level 0)
// and the tables of its tree.
func (o *Object) each(fn func(page uint64, f Frame, level int)) {
	for i := range o.adopted {
		fn(i, o.first+Frame(i), 0)
	}
	if o.root != 0 {
		o.eachTree(o.root, o.height, 0, fn)
	}
}

func (o *Object) eachTree(f Frame, level int, base uint64, fn func(uint64, Frame, int)) {
	fn(base, f, level)
	if level == 0 {
		return
	}
	for i, e := range o.mem.Phys.Table(f) {
		if e.Present() {
			o.eachTree(e.Frame(), level-1, base+uint64(i)<<(indexBits*(level-1)), fn)
		}
	}
}
