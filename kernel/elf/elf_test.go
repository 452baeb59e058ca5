package elf

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"reflect"
	"testing"
)

var le = binary.LittleEndian

// file is an ELF file with the given program headers, its size a page.
func file(progs ...prog) []byte {
	b := make([]byte, 4*pageSize)
	copy(b, "\x7fELF\x02\x01\x01")
	le.PutUint16(b[16:], typeExec)
	le.PutUint16(b[18:], machineX86_64)
	le.PutUint32(b[20:], 1)
	le.PutUint64(b[24:], 0x400000)
	le.PutUint64(b[32:], headerSize)
	le.PutUint16(b[54:], progSize)
	le.PutUint16(b[56:], uint16(len(progs)))
	for i, p := range progs {
		ph := b[headerSize+i*progSize:]
		le.PutUint32(ph, p.kind)
		le.PutUint32(ph[4:], p.flags)
		for j, v := range []uint64{p.offset, p.addr, p.addr, p.fileSize, p.memSize, p.pAlign} {
			le.PutUint64(ph[8+8*j:], v)
		}
	}
	return b
}

// load is a PT_LOAD.
func load(addr, off, fileSize, memSize uint64) prog {
	return prog{kind: ptLoad, flags: Read | Exec, addr: addr, offset: off, fileSize: fileSize, memSize: memSize, pAlign: pageSize}
}

func TestParse(t *testing.T) {
	const a = 0x400000
	for name, c := range map[string]struct {
		progs []prog
		want  []Segment
	}{
		"one":                 {[]prog{load(a, 0, 0x800, 0x800)}, []Segment{{a, a + 0x1000, 0, a + 0x1000, 5}}},
		"inside a page":       {[]prog{load(a+0x123, 0x123, 5, 5)}, []Segment{{a, a + 0x1000, 0, a + 0x1000, 5}}},
		"bss":                 {[]prog{load(a, 0, 0x800, 0x3000)}, []Segment{{a, a + 0x3000, 0, a + 0x800, 5}}},
		"bss alone":           {[]prog{load(a, 0x77, 0, 0x10)}, []Segment{{a, a + 0x1000, 0, a, 5}}},                             // EXEC-07
		"offset and size 0":   {[]prog{load(a, 0, 0, 0x10)}, []Segment{{a, a + 0x1000, 0, a, 5}}},                                // EXEC-07
		"empty one skipped":   {[]prog{load(a, 0, 1, 1), load(0x123456, 0, 0, 0)}, []Segment{{a, a + 0x1000, 0, a + 0x1000, 5}}}, // EXEC-07
		"out of order":        {[]prog{load(a+0x5000, 0, 1, 1), load(a, 0, 1, 1)}, []Segment{{a, a + 0x1000, 0, a + 0x1000, 5}, {a + 0x5000, a + 0x6000, 0, a + 0x6000, 5}}},
		"two share a page":    {[]prog{load(a, 0, 0x1100, 0x1100), load(a+0x1200, 0x1200, 0x100, 0x900)}, []Segment{{a, a + 0x1000, 0, a + 0x1000, 5}, {a + 0x1000, a + 0x2000, 0x1000, a + 0x1300, 5}}},
		"first shares wholly": {[]prog{load(a, 0, 0x100, 0x100), load(a+0x200, 0x200, 0x100, 0x100)}, []Segment{{a, a + 0x1000, 0, a + 0x1000, 5}}},
		"past the file's end": {[]prog{load(a, 0, 1<<20, 1<<20)}, []Segment{{a, a + 1<<20, 0, a + 1<<20, 5}}}, // EXEC-16
		"last user page":      {[]prog{load(userEnd-0x1000, 0, 1, 0x1000)}, []Segment{{userEnd - 0x1000, userEnd, 0, userEnd - 0xfff, 5}}},
	} {
		im, err := Parse(bytes.NewReader(file(c.progs...)))
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if !reflect.DeepEqual(im.Segments, c.want) {
			t.Errorf("%s: %#x, want %#x", name, im.Segments, c.want)
		}
	}
}

// EXEC-06, -10, -11, -12: what is refused, and why.
func TestParseRefuses(t *testing.T) {
	const a = 0x400000
	interp := func(off, size uint64) prog { return prog{kind: ptInterp, offset: off, fileSize: size, memSize: size} }
	for name, c := range map[string]struct {
		progs []prog
		edit  func(b []byte)
		want  Reason
	}{
		"no magic":            {edit: func(b []byte) { b[0] = 0 }, want: BadMagic},
		"32-bit":              {edit: func(b []byte) { b[4] = 1 }, want: BadClass},
		"big-endian":          {edit: func(b []byte) { b[5] = 2 }, want: BadEndian},
		"version":             {edit: func(b []byte) { b[6] = 9 }, want: BadVersion},
		"e_version":           {edit: func(b []byte) { b[20] = 9 }, want: BadVersion},
		"relocatable":         {edit: func(b []byte) { b[16] = 1 }, want: BadType},
		"core":                {edit: func(b []byte) { b[16] = 4 }, want: BadType},
		"ARM":                 {edit: func(b []byte) { b[18] = 183 }, want: BadMachine},
		"phentsize":           {edit: func(b []byte) { b[54] = 32 }, want: BadPhentsize},
		"phnum 0":             {edit: func(b []byte) { b[56] = 0 }, want: BadPhnum},
		"phnum 65535":         {edit: func(b []byte) { le.PutUint16(b[56:], 65535) }, want: BadPhnum},
		"phoff past the end":  {edit: func(b []byte) { le.PutUint64(b[32:], 1<<20) }, want: BadPhoff},
		"phoff wraps":         {edit: func(b []byte) { le.PutUint64(b[32:], ^uint64(7)) }, want: BadPhoff},
		"headers cut off":     {edit: func(b []byte) { le.PutUint64(b[32:], 4*pageSize-50) }, want: BadPhoff},
		"entry in the kernel": {edit: func(b []byte) { le.PutUint64(b[24:], 1<<63) }, want: BadEntry},
		"entry 0":             {edit: func(b []byte) { le.PutUint64(b[24:], 0) }, want: BadEntry},

		"nothing to load":     {progs: []prog{{kind: 6}}, want: NoSegment},
		"empty segments":      {progs: []prog{load(a, 0, 0, 0)}, want: NoSegment},
		"file larger":         {progs: []prog{load(a, 0, 2, 1)}, want: BadFileSize},
		"memory wraps":        {progs: []prog{load(a, 0, 1, ^uint64(0)-a+2)}, want: BadAddress},
		"memory too large":    {progs: []prog{load(a, 0, 1, 1<<47)}, want: BadAddress},
		"page 0":              {progs: []prog{load(0, 0, 1, 1)}, want: BadAddress},
		"kernel's half":       {progs: []prog{load(0xffffffff80000000, 0, 1, 1)}, want: BadAddress},
		"over the end":        {progs: []prog{load(userEnd-0x1000, 0, 1, 0x1001)}, want: BadAddress},
		"offset wraps":        {progs: []prog{load(a, ^uint64(0xfff), 0x2000, 0x2000)}, want: BadOffset},
		"not congruent":       {progs: []prog{load(a, 1, 1, 1)}, want: BadCongruence},
		"alignment 3":         {progs: []prog{{kind: ptLoad, addr: a, fileSize: 1, memSize: 1, pAlign: 3}}, want: BadAlign},
		"alignment 1<<40":     {progs: []prog{{kind: ptLoad, addr: a, fileSize: 1, memSize: 1, pAlign: 1 << 40}}, want: BadAlign},
		"overlap":             {progs: []prog{load(a, 0, 0x3000, 0x3000), load(a+0x1000, 0x1000, 1, 1)}, want: BadOverlap},
		"the same twice":      {progs: []prog{load(a, 0, 0x2000, 0x2000), load(a, 0, 0x2000, 0x2000)}, want: BadOverlap},
		"bss over the next":   {progs: []prog{load(a, 0, 0x100, 0x200), load(a+0x800, 0x800, 1, 1)}, want: BadOverlap},
		"page of two offsets": {progs: []prog{load(a, 0, 0x100, 0x100), load(a+0x800, 0x1800, 1, 1)}, want: BadOverlap},
		"interpreter empty":   {progs: []prog{interp(0x1000, 0)}, want: BadInterp},
		"interpreter short":   {progs: []prog{interp(0x1000, 1)}, want: BadInterp},
		"interpreter long":    {progs: []prog{interp(0x1000, 4097)}, want: BadInterp},
		"interpreter cut off": {progs: []prog{interp(4*pageSize-5, 10)}, want: BadInterp},
		"interpreter binary":  {progs: []prog{interp(0, 10)}, want: BadInterp},
		"interpreter wraps":   {progs: []prog{interp(^uint64(3), 10)}, want: BadInterp},
	} {
		if c.progs == nil {
			c.progs = []prog{load(a, 0, 0x100, 0x100)}
		}
		b := file(c.progs...)
		if c.edit != nil {
			c.edit(b)
		}
		if im, err := Parse(bytes.NewReader(b)); err != c.want {
			t.Errorf("%s: %+v, %v; want %v", name, im, err, c.want)
		}
	}
	many := make([]prog, maxSegments+1)
	for i := range many {
		many[i] = load(a+uint64(i)*pageSize, 0, 1, 1)
	}
	if _, err := Parse(bytes.NewReader(file(many...))); err != TooMany {
		t.Errorf("many segments: %v", err)
	}
	for n := range headerSize + progSize {
		if _, err := Parse(bytes.NewReader(file(load(a, 0, 1, 1))[:n])); err != Truncated && err != BadPhoff {
			t.Errorf("the first %d bytes: %v", n, err)
		}
	}
}

// An error of the reader's is not the file's fault.
func TestParseReportsReaderErrors(t *testing.T) {
	if _, err := Parse(brokenReader{}); !errors.Is(err, errBroken) {
		t.Error(err)
	}
}

var errBroken = errors.New("broken")

type brokenReader struct{}

func (brokenReader) ReadAt([]byte, int64) (int, error) { return 0, errBroken }

func TestDynamic(t *testing.T) {
	b := file(prog{kind: ptLoad, flags: Read, fileSize: 0x200, memSize: 0x200, pAlign: 0x200000})
	le.PutUint16(b[16:], typeDyn)
	le.PutUint64(b[24:], 0x100)
	im, err := Parse(bytes.NewReader(b))
	if err != nil || im.Fixed || im.Align != 0x200000 || im.Phdr != headerSize || im.High() != 0x1000 {
		t.Errorf("%+v, %v", im, err)
	}
}

func TestInterp(t *testing.T) {
	b := file(load(0x400000, 0, 0x100, 0x100), prog{kind: ptInterp, offset: 0x1000, fileSize: 8, memSize: 8})
	copy(b[0x1000:], "/lib/ld\x00")
	if im, err := Parse(bytes.NewReader(b)); err != nil || im.Interp != "/lib/ld" {
		t.Errorf("%+v, %v", im, err)
	}
}

// checkImage holds an Image to what the package promises.
func checkImage(t *testing.T, im *Image) {
	t.Helper()
	prev := uint64(0)
	if im.Fixed {
		prev = pageSize
	}
	for _, s := range im.Segments {
		if s.Start < prev || s.Start >= s.End || s.End > userEnd || s.Start%pageSize+s.End%pageSize+s.Offset%pageSize != 0 ||
			s.FileEnd < s.Start || s.FileEnd > s.End {
			t.Fatalf("segment %+v", s)
		}
		prev = s.End
	}
	if len(im.Segments) == 0 || im.Align&(im.Align-1) != 0 || im.Align < pageSize {
		t.Fatalf("%+v", im)
	}
}

// ALL-03: whatever is accepted is laid out as promised.
func TestALL03Mutations(t *testing.T) {
	base := file(load(0x400000, 0, 0x1100, 0x1100), load(0x401200, 0x1200, 0x100, 0x3900), load(0x600000, 0, 1, 1))
	rnd := rand.New(rand.NewPCG(3, 4))
	accepted := 0
	for range 200_000 {
		b := bytes.Clone(base[:headerSize+3*progSize])
		for range 1 + rnd.IntN(5) {
			b[rnd.IntN(len(b))] = byte(rnd.Uint32())
		}
		if im, err := Parse(bytes.NewReader(b)); err == nil {
			checkImage(t, im)
			accepted++
		}
	}
	t.Logf("%d accepted", accepted)
}

func FuzzParse(f *testing.F) {
	f.Add(file(load(0x400000, 0, 0x1100, 0x1100), load(0x401200, 0x1200, 0x100, 0x900)))
	f.Fuzz(func(t *testing.T, b []byte) {
		if im, err := Parse(bytes.NewReader(b)); err == nil {
			checkImage(t, im)
		}
	})
}
