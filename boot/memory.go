//go:build yolk

package main

import (
	"yolk/arch/amd64"
	"yolk/kernel/trace"
	"yolk/mm"
)

// newMemory gives mm the machine's frames.  firstFree is where the frames
// behind the image, the Go heap and the kernel's page tables begin; the
// initrd's frames are kept apart until it has been unpacked.
func newMemory(firstFree, kernelRoot uint64, log *trace.Log, faultAround int) *mm.Memory {
	top := uint64(0)
	for i := range loaded.ranges {
		top = max(top, loaded.ram[i].Addr+loaded.ram[i].Size)
	}
	phys := mm.NewPhysical(virtual(directMap), int(top/pageSize))
	frames := mm.NewFrames(phys)
	for i := range loaded.ranges {
		r := loaded.ram[i]
		addFree(frames, max(r.Addr, firstFree), r.Addr+r.Size)
	}
	m, err := mm.New(mm.Config{
		Phys: phys, Frames: frames, TLB: tlb{}, Log: log,
		KernelRoot: mm.Frame(kernelRoot / pageSize), FaultAround: faultAround,
	})
	if err != nil {
		panic(err)
	}
	return m
}

// addFree hands over the whole frames between two physical addresses, except
// those that the initrd touches.
func addFree(frames *mm.Frames, start, end uint64) {
	first, last := initrdPages()
	if start < last && first < end {
		addFree(frames, start, first)
		addFree(frames, last, end)
		return
	}
	from, to := (start+pageSize-1)/pageSize, end/pageSize
	if from < to {
		frames.AddFree(mm.Frame(from), int(to-from))
	}
}

// initrdPages returns the physical addresses between which the initrd lies,
// rounded to pages.
func initrdPages() (first, last uint64) {
	first = loaded.initrd.Addr &^ (pageSize - 1)
	return first, (loaded.initrd.Addr + loaded.initrd.Size + pageSize - 1) &^ (pageSize - 1)
}

// tlb is the processor's translation cache behind mm.TLB.  Without PCIDs the
// TLB holds translations of the loaded root alone: loading another one drops
// them all, so for any other space there is nothing to do.
type tlb struct{}

// FlushPage implements mm.TLB.
func (tlb) FlushPage(root mm.Frame, va mm.VirtAddr) {
	if uint64(root)*pageSize == amd64.Root() {
		amd64.InvalidatePage(uint64(va))
	}
}

// FlushSpace implements mm.TLB.
func (tlb) FlushSpace(root mm.Frame) {
	if uint64(root)*pageSize == amd64.Root() {
		amd64.FlushAll()
	}
}

// Load implements mm.TLB.
func (tlb) Load(root mm.Frame) { amd64.LoadRoot(uint64(root) * pageSize) }
