package mm_test

import (
	"testing"

	"yolk/kernel/trace"
	"yolk/mm"
)

// nullTLB makes invalidations free, so that mm alone is measured.
type nullTLB struct{}

func (nullTLB) FlushPage(mm.Frame, mm.VirtAddr) {}
func (nullTLB) FlushSpace(mm.Frame)             {}
func (nullTLB) Load(mm.Frame)                   {}

// dirty returns a process with n dirty pages and a free TLB.
func dirty(b *testing.B, n int) *proc {
	m := newMachine(b, 3*n+200)
	m.TLB = nullTLB{}
	p := m.newProc()
	p.mapAnon(base, uint64(n), mm.ReadWrite)
	for i := range n {
		p.Fault(base+mm.VirtAddr(i)*page, mm.FaultUser|mm.FaultWrite)
	}
	b.ReportAllocs()
	b.ResetTimer()
	return p
}

func benchmarkFork(b *testing.B, mode mm.ForkMode, pages int) {
	p := dirty(b, pages)
	for b.Loop() {
		as, err := p.Fork(mode, p.m.budget)
		if err != nil {
			b.Fatal(err)
		}
		as.Drop()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(max(pages, 1)), "ns/page")
}

// BenchmarkFork is fork and exit of the child, with nothing dirty and 64 MiB.
func BenchmarkFork(b *testing.B)     { benchmarkFork(b, mm.ForkCOW, 1) }
func BenchmarkFork64M(b *testing.B)  { benchmarkFork(b, mm.ForkCOW, 16384) }
func BenchmarkEager64M(b *testing.B) { benchmarkFork(b, mm.ForkEager, 16384) }
func BenchmarkMapUnmap(b *testing.B) {
	p := dirty(b, 1)
	for b.Loop() {
		va := p.mapIt(mm.MapRequest{Length: page, Prot: mm.ReadWrite})
		if err := p.Unmap(va, page); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkDemandZero is a fault on untouched memory; the page is given back.
func BenchmarkDemandZero(b *testing.B) {
	p := dirty(b, 1)
	for b.Loop() {
		p.Discard(base, page)
		if d, _ := p.Fault(base, mm.FaultUser|mm.FaultWrite); d != trace.DemandZero {
			b.Fatal(d)
		}
	}
}
