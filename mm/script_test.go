package mm_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"yolk/kernel/trace"
	"yolk/mm"
	"yolk/mm/softmmu"
)

// A script is a sequence of operations, decoded from bytes, that runs on mm
// and on a model of it.  The model has no frames, tables, counts or marks:
// each process has a map from page to contents, and fork copies it.
type script struct {
	*machine
	code   []byte
	procs  []*modelProc
	files  []*modelFile
	reader *replica // follows by the events alone
}

// modelFile is an object: pages by index, holes are zero.
type modelFile struct {
	o     *mm.Object
	size  uint64
	pages map[uint64]*[page]byte
}

// modelPage is a mapped page: private contents if it was written, else those
// of the file, else zeroes.
type modelPage struct {
	prot   mm.Prot
	shared bool
	file   *modelFile
	index  uint64
	own    *[page]byte
}

type modelProc struct {
	*proc
	pages map[mm.VirtAddr]*modelPage
}

// windows are the addresses that scripts use: around a border of PTs and PDs,
// a heap, and around a border of PDPTs.
var windows = [...]struct{ base, pages mm.VirtAddr }{
	{1<<30 - 12*page, 28},
	{heapBase, 4},
	{0x7f0000000000 - 4*page, 12},
}

const (
	heapBase  mm.VirtAddr = 0x600000
	heapPages             = 4
)

var zeroPage [page]byte

const maxProcs, maxFiles, scriptFrames = 5, 3, 700

func runScript(t testing.TB, code []byte) {
	around := 1
	if len(code) > 0 && code[0]%4 == 3 {
		around = 4
	}
	s := &script{machine: configure(t, scriptFrames, mm.Config{FaultAround: around}), code: code}
	s.reader = watched(s.machine)
	s.procs = []*modelProc{{s.newProc(), map[mm.VirtAddr]*modelPage{}}}
	s.procs[0].SetBrkStart(heapBase)
	for range 400 {
		if len(s.code) == 0 {
			break
		}
		s.step()
		s.check()
		s.verify()
		s.reader.compare(s.machine)
	}
	s.finish()
}

func (s *script) next(n int) int {
	if len(s.code) == 0 {
		return 0
	}
	b := s.code[0]
	s.code = s.code[1:]
	return int(b) % n
}

// where picks a page and a length in pages that stay inside a window.
func (s *script) where() (mm.VirtAddr, uint64) {
	w := windows[max(0, s.next(8)-5)]
	i := s.next(int(w.pages))
	return w.base + mm.VirtAddr(i)*page, uint64(1 + s.next(min(int(w.pages)-i, 9)))
}

// step runs one operation.  Now and then it leaves only few frames to it.
func (s *script) step() {
	p := s.procs[s.next(len(s.procs))]
	op := s.next(20)
	if tight := s.next(4) == 0; tight {
		s.Frames.SetReserve(max(0, s.Frames.Free()-s.next(5)))
		defer s.Frames.SetReserve(0)
	}
	free := s.Frames.Free()
	var err error
	switch op {
	case 0, 1:
		err = s.opMap(p)
	case 2:
		err = s.opUnmap(p)
	case 3, 4:
		err = s.opProtect(p)
	case 5:
		s.opDiscard(p)
	case 6:
		err = s.opRemap(p)
	case 7:
		err = s.opBrk(p)
	case 8, 9:
		err = s.opFork(p)
	case 10:
		s.opExit(p)
	case 11:
		s.opTruncate()
	case 12:
		s.opFileWrite()
	case 13:
		s.opNewFile()
	case 14:
		s.opTransfer(p)
	case 15, 16:
		s.opRead(p)
	default:
		s.opWrite(p)
	}
	if err != nil && s.Frames.Free() != free {
		s.Fatalf("operation %d failed and took %d frames", op, free-s.Frames.Free())
	}
}

func (s *script) opMap(p *modelProc) error {
	va, n := s.where()
	q := mm.MapRequest{Addr: va, Length: n * page, Prot: mm.Prot(s.next(8)), Fixed: mm.Fixed(s.next(3))}
	if s.next(3) == 0 {
		q.Flags = mm.Shared
	}
	var file *modelFile
	if k := s.next(2 * maxFiles); k < len(s.files) {
		file = s.files[k]
		q.Object, q.Offset = file.o, uint64(s.next(6))*page
	}
	got, err := p.Map(q)
	if err != nil {
		if !errors.Is(err, mm.ErrExists) && !errors.Is(err, mm.ErrNoMemory) {
			s.Fatal(err)
		}
		return err
	}
	if got != va {
		if q.Fixed != mm.Hint {
			s.Fatalf("mapped at %#x, not at %#x", got, va)
		}
		if err := p.Unmap(got, q.Length); err != nil {
			s.Fatal(err)
		}
		return nil
	}
	if q.Flags&mm.Shared != 0 && file == nil {
		file = &modelFile{size: q.Length, pages: map[uint64]*[page]byte{}}
	}
	for i := range n {
		p.pages[va+mm.VirtAddr(i)*page] = &modelPage{prot: q.Prot, shared: q.Flags&mm.Shared != 0, file: file, index: q.Offset/page + i}
	}
	return nil
}

func (s *script) opUnmap(p *modelProc) error {
	va, n := s.where()
	err := p.Unmap(va, n*page)
	if err == nil {
		for i := range n {
			delete(p.pages, va+mm.VirtAddr(i)*page)
		}
	}
	return err
}

func (s *script) opProtect(p *modelProc) error {
	va, n := s.where()
	prot := mm.Prot(s.next(8))
	if s.next(2) == 0 {
		prot = mm.ReadWrite
	}
	err := p.Protect(va, n*page, prot)
	whole := p.mapped(va, n)
	if (err == nil) != whole {
		s.Fatalf("Protect: %v, the range is mapped: %t", err, whole)
	}
	if err == nil {
		for i := range n {
			p.pages[va+mm.VirtAddr(i)*page].prot = prot
		}
	}
	return err
}

// mapped reports whether n pages from va on are all mapped.
func (p *modelProc) mapped(va mm.VirtAddr, n uint64) bool {
	for i := range n {
		if p.pages[va+mm.VirtAddr(i)*page] == nil {
			return false
		}
	}
	return true
}

func (s *script) opDiscard(p *modelProc) {
	va, n := s.where()
	if err := p.Discard(va, n*page); (err == nil) != p.mapped(va, n) {
		s.Fatalf("Discard: %v", err)
	}
	for i := range n {
		if mp := p.pages[va+mm.VirtAddr(i)*page]; mp != nil {
			mp.own = nil
		}
	}
}

func (s *script) opRemap(p *modelProc) error {
	va, n := s.where()
	to, k := s.where()
	q := mm.RemapRequest{Old: va, OldLength: n * page, NewLength: k * page, MayMove: true, Fixed: true, New: to}
	switch s.next(3) {
	case 0:
		q.Fixed, q.MayMove = false, false
	case 1: // grow where it stands, into the window only
		q.Fixed, q.MayMove, q.NewLength = false, false, (n+1)*page
	}
	old := make([]*modelPage, n)
	for i := range old {
		old[i] = p.pages[va+mm.VirtAddr(i)*page]
	}
	got, err := p.Remap(q)
	if err != nil {
		return err
	}
	if want := map[bool]mm.VirtAddr{true: to, false: va}[q.Fixed]; got != want {
		s.Fatalf("remapped to %#x, not to %#x", got, want)
	}
	for i := range n {
		delete(p.pages, va+mm.VirtAddr(i)*page)
	}
	for i := range q.NewLength / page {
		mp := *old[min(i, n-1)]
		if i >= n {
			mp.own = nil
			mp.index = old[0].index + i
		}
		p.pages[got+mm.VirtAddr(i)*page] = &mp
	}
	return nil
}

func (s *script) opBrk(p *modelProc) error {
	old, _ := p.SetBrk(0)
	addr := heapBase + mm.VirtAddr(s.next(heapPages*2+1)*page/2)
	got, err := p.SetBrk(addr)
	if err != nil {
		if got != old {
			s.Fatalf("a failing SetBrk moved the end from %#x to %#x", old, got)
		}
		return err
	}
	for va := old.PageUp(); va < addr; va += page {
		p.pages[va] = &modelPage{prot: mm.ReadWrite}
	}
	for va := addr.PageUp(); va < old; va += page {
		delete(p.pages, va)
	}
	return nil
}

func (s *script) opFork(p *modelProc) error {
	if len(s.procs) == maxProcs {
		return nil
	}
	as, err := p.Fork(mm.ForkMode(s.next(2)), s.budget)
	if err != nil {
		return err
	}
	child := &modelProc{s.adopt(as), map[mm.VirtAddr]*modelPage{}}
	s.reader.forked(p.Root(), as.Root())
	for va, mp := range p.pages {
		cp := *mp
		if copied := child.frame(va) != p.frame(va); mp.own != nil || copied {
			own := *mp.contents() // an eager fork copies file pages too
			cp.own = &own
		}
		child.pages[va] = &cp
	}
	s.procs = append(s.procs, child)
	return nil
}

func (s *script) opExit(p *modelProc) {
	if len(s.procs) == 1 {
		return
	}
	p.exit()
	for i, q := range s.procs {
		if p == q {
			s.procs = append(s.procs[:i], s.procs[i+1:]...)
			return
		}
	}
}

func (s *script) opNewFile() {
	if len(s.files) == maxFiles {
		return
	}
	o, err := mm.NewObject(s.Memory, s.budget)
	if err != nil {
		s.Fatal(err)
	}
	s.objects = append(s.objects, o)
	s.files = append(s.files, &modelFile{o: o, pages: map[uint64]*[page]byte{}})
}

func (s *script) opTruncate() {
	if len(s.files) == 0 {
		return
	}
	f := s.files[s.next(len(s.files))]
	size := uint64(s.next(8*8)) * page / 8
	if s.next(16) == 0 {
		size += 600 * page // a taller tree
	}
	if err := f.o.Truncate(size); err != nil {
		s.Fatal(err)
	}
	if size > f.size {
		f.zeroTail()
		f.size = size
		return
	}
	f.size = size
	for i := range f.pages {
		if i >= f.npages() {
			delete(f.pages, i)
		}
	}
	f.zeroTail()
	for _, p := range s.procs {
		for _, mp := range p.pages {
			if mp.file == f && mp.index >= f.npages() {
				mp.own = nil
			}
		}
	}
}

func (f *modelFile) npages() uint64 { return (f.size + page - 1) / page }

func (f *modelFile) zeroTail() {
	if b := f.pages[f.size/page]; b != nil && f.size%page != 0 {
		clear(b[f.size%page:])
	}
}

// page returns the contents of a page for writing.
func (f *modelFile) page(i uint64) *[page]byte {
	if f.pages[i] == nil {
		f.pages[i] = new([page]byte)
	}
	return f.pages[i]
}

func (f *modelFile) write(off uint64, b []byte) {
	if off > f.size {
		f.zeroTail()
	}
	if len(b) == 0 {
		return
	}
	for i, c := range b {
		at := off + uint64(i)
		f.page(at / page)[at%page] = c
	}
	f.size = max(f.size, off+uint64(len(b)))
}

func (s *script) opFileWrite() {
	if len(s.files) == 0 {
		return
	}
	f := s.files[s.next(len(s.files))]
	off := uint64(s.next(60)) * page / 9
	b := s.pattern()
	n, err := f.o.WriteAt(bytes.NewReader(b), off)
	if n != len(b) && !errors.Is(err, mm.ErrNoMemory) {
		s.Fatal(err)
	}
	f.write(off, b[:n])
}

// opTransfer is read(2) or write(2) of a file with user memory as the buffer.
func (s *script) opTransfer(p *modelProc) {
	if len(s.files) == 0 {
		return
	}
	f := s.files[s.next(len(s.files))]
	va, n := s.where()
	va += mm.VirtAddr(s.next(page))
	length := int(n)*page - s.next(200)
	off := uint64(s.next(40)) * page / 7
	reads := s.next(2) == 0
	if s.overlaps(p, f, va, length) {
		return
	}
	if reads {
		got, _ := f.o.ReadAt(p.Range(va, length), off)
		b := make([]byte, got)
		for i := range b {
			if q := f.pages[(off+uint64(i))/page]; q != nil {
				b[i] = q[(off+uint64(i))%page]
			}
		}
		s.model(p, va, b)
		return
	}
	got, _ := f.o.WriteAt(p.Range(va, length), off)
	b := make([]byte, got)
	for i := range b {
		b[i] = s.modelRead(p, va+mm.VirtAddr(i))
	}
	f.write(off, b)
}

// overlaps reports whether the buffer maps the file itself: what is copied
// depends on the order then, and the model cannot tell.
func (s *script) overlaps(p *modelProc, f *modelFile, va mm.VirtAddr, n int) bool {
	for a := va.Page(); a < va+mm.VirtAddr(n); a += page {
		if mp := p.pages[a]; mp != nil && mp.file == f {
			return true
		}
	}
	return false
}

// pattern returns some bytes to write.
func (s *script) pattern() []byte {
	b := make([]byte, []int{1, 8, 100, page, page + 9, 3 * page}[s.next(6)])
	c := s.next(256)
	for i := range b {
		b[i] = byte(c + i*7)
	}
	return b
}

func (s *script) opWrite(p *modelProc) {
	va, _ := s.where()
	va += mm.VirtAddr(s.next(256) * 16)
	b := s.pattern()
	n, d, kernel := 0, trace.NoDecision, s.next(2) == 0
	if kernel {
		n, _ = p.Range(va, len(b)).Write(b)
	} else {
		n, d = p.write(va, b)
	}
	s.model(p, va, b[:n])
	if n < len(b) && d != trace.OutOfMemory && !kernel {
		if want := s.stops(p, va+mm.VirtAddr(n), mm.Write); d != want {
			s.Fatalf("write to %#x ended with %v, want %v", va+mm.VirtAddr(n), d, want)
		}
	}
}

func (s *script) opRead(p *modelProc) {
	va, n := s.where()
	va += mm.VirtAddr(s.next(256) * 16)
	b := make([]byte, n*page-uint64(s.next(100)))
	k, d, kernel := 0, trace.NoDecision, s.next(2) == 0
	if kernel {
		k, _ = p.Range(va, len(b)).Read(b)
	} else {
		k, d = p.read(va, b)
	}
	for i, c := range b[:k] {
		if want := s.modelRead(p, va+mm.VirtAddr(i)); c != want {
			s.Fatalf("read %#x at %#x, want %#x", c, va+mm.VirtAddr(i), want)
		}
	}
	if k < len(b) && d != trace.OutOfMemory && !kernel {
		if want := s.stops(p, va+mm.VirtAddr(k), mm.Read); d != want {
			s.Fatalf("read from %#x ended with %v, want %v", va+mm.VirtAddr(k), d, want)
		}
	}
}

// stops says what must become of an access that failed.
func (s *script) stops(p *modelProc, va mm.VirtAddr, right mm.Prot) trace.Decision {
	mp := p.pages[va.Page()]
	switch {
	case mp == nil:
		return trace.SegvMapErr
	case mp.prot&right == 0 && (right == mm.Write || mp.prot == 0):
		return trace.SegvAccErr
	case mp.file != nil && mp.index >= mp.file.npages():
		return trace.BusAdrErr
	}
	return trace.NoDecision
}

func (s *script) model(p *modelProc, va mm.VirtAddr, b []byte) {
	for i, c := range b {
		a := va + mm.VirtAddr(i)
		mp := p.pages[a.Page()]
		if mp == nil || mp.prot&mm.Write == 0 {
			s.Fatalf("a write to %#x went through", a)
		}
		if mp.shared {
			mp.file.page(mp.index)[a.Offset()] = c
			continue
		}
		if mp.own == nil {
			own := *mp.contents()
			mp.own = &own
		}
		mp.own[a.Offset()] = c
	}
}

func (s *script) modelRead(p *modelProc, va mm.VirtAddr) byte {
	mp := p.pages[va.Page()]
	if mp == nil || mp.prot == 0 {
		s.Fatalf("a read of %#x went through", va)
	}
	return mp.contents()[va.Offset()]
}

func (mp *modelPage) contents() *[page]byte {
	if mp.own != nil {
		return mp.own
	}
	if mp.file != nil && mp.file.pages[mp.index] != nil {
		return mp.file.pages[mp.index]
	}
	return &zeroPage
}

// verify compares every present page with the model, directly and as the MMU
// sees it.  It leaves each of them in the TLB, so that whatever an operation
// fails to flush is stale from now on.
func (s *script) verify() {
	for i, p := range s.procs {
		for r := range p.Regions() {
			for va := r.Start; va < r.End; va += page {
				if p.pages[va] == nil {
					s.Fatalf("process %d has %#x mapped", i, va)
				}
			}
		}
		if got, want := p.Size(), uint64(len(p.pages))*page; got != want {
			s.Fatalf("process %d has %d bytes mapped, want %d", i, got, want)
		}
		for va, mp := range p.pages {
			if err := s.verifyPage(p, va, mp); err != nil {
				s.Fatalf("process %d, page %#x: %v", i, va, err)
			}
		}
		for _, w := range windows {
			for va := w.base; va < w.base+w.pages*page; va += page {
				if _, fault := s.mmu.Access(p.Root(), va, softmmu.Read, true); fault == nil && p.pages[va] == nil {
					s.Fatalf("process %d: the MMU remembers %#x, which is gone", i, va)
				}
			}
		}
	}
	for i, f := range s.files {
		if f.o.Size() != f.size {
			s.Fatalf("file %d has %d bytes, want %d", i, f.o.Size(), f.size)
		}
	}
}

func (s *script) verifyPage(p *modelProc, va mm.VirtAddr, mp *modelPage) error {
	e, ok := p.Entry(va)
	for kind, name := range [...]string{softmmu.Read: "a read", softmmu.Write: "a write", softmmu.Exec: "a fetch"} {
		kind := softmmu.Kind(kind)
		addr, fault := s.mmu.Access(p.Root(), va, kind, true)
		may := ok && e.User() && (kind != softmmu.Write || e.Writable()) && (kind != softmmu.Exec || e.Executable())
		if (fault == nil) != may {
			return fmt.Errorf("the MMU lets %s through: %t; the entry is %v", name, fault == nil, e)
		}
		if fault == nil && addr != e.Frame().Addr() {
			return fmt.Errorf("the MMU goes to %#x, the entry to %v", addr, e)
		}
	}
	if !ok {
		return nil
	}
	got, want := s.Phys.Page(e.Frame()), mp.contents()
	if *got != *want {
		for i := range got {
			if got[i] != want[i] {
				return fmt.Errorf("byte %d is %#x, want %#x", i, got[i], want[i])
			}
		}
	}
	return nil
}

// TestScripts runs random scripts.
func TestScripts(t *testing.T) {
	n := 150
	if testing.Short() {
		n = 20
	}
	for seed := range uint64(n) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			code := make([]byte, 1500)
			r := rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8)})
			r.Read(code)
			runScript(t, code)
		})
	}
}

// FuzzScripts lets the fuzzer write the scripts.
func FuzzScripts(f *testing.F) {
	for seed := range byte(8) {
		code := make([]byte, 300)
		r := rand.NewChaCha8([32]byte{seed, 0xF})
		r.Read(code)
		f.Add(code)
	}
	f.Fuzz(func(t *testing.T, code []byte) { runScript(t, code) })
}
