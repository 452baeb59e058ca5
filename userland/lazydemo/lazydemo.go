// Package lazydemo is the program that shows demand paging: memory costs what is
// touched of it, not what is asked for.
package lazydemo

import (
	"yolk/userland/kit"
	"yolk/userland/procfs"
	"yolk/userland/sys"
)

const name = "lazydemo"

// Prog is the program lazydemo.
var Prog = kit.Prog{Name: name, Help: "watch pages come as they are touched", Main: Main}

// pages is the size of the small area.
const pages = 64

// Main shows a small area filling up and a huge one that stays empty.
func Main([]string) int {
	area, err := sys.MapPages(pages)
	if err != nil {
		return kit.Complain(name, "mmap", err)
	}
	status := 0
	count := func(what string, want int) {
		got := procfs.Resident(0, procfs.Mapping{Start: uint64(area), End: uint64(area + pages*sys.PageSize)})
		kit.Print(what, ": ", got, " of ", pages, " pages resident\n")
		if got != want {
			status = 1
		}
	}
	count("mapped", 0)
	for i, n := range []int{1, 2, 8, pages} {
		for p := range n {
			sys.Poke(area+uintptr(p)*sys.PageSize, byte(i))
		}
		count(kit.Format("written up to page ", n), n)
	}
	sys.Madvise(area, pages*sys.PageSize, sys.MADV_DONTNEED)
	count("given back", 0)
	first, second := sys.Peek(area), sys.Peek(area+sys.PageSize)
	sameFrame := procfs.PageAt(0, area).Frame() == procfs.PageAt(0, area+sys.PageSize).Frame()
	kit.Print("read two: they hold ", int(first), " and ", int(second), ", in one shared frame of zeros: ", sameFrame, "\n")
	return max(status, reserve())
}

// reserve asks for a gigabyte and touches two pages of it.
func reserve() int {
	const size = 1 << 30
	before := procfs.FreeKiB()
	area, err := sys.Mmap(0, size, sys.PROT_READ|sys.PROT_WRITE, sys.MAP_PRIVATE|sys.MAP_ANONYMOUS|sys.MAP_NORESERVE, -1, 0)
	if err != nil {
		return kit.Complain(name, "mmap", err)
	}
	reserved := procfs.FreeKiB()
	sys.Poke(area, 1)
	sys.Poke(area+size-1, 1)
	touched := procfs.FreeKiB()
	kit.Print("1 GiB reserved: ", int64(before-reserved), " KiB less free memory; first and last byte written: ",
		int64(before-touched), " KiB less\n")
	if err := sys.Munmap(area, size); err != nil {
		return kit.Complain(name, "munmap", err)
	}
	if before-touched > 16<<10 && before > touched {
		return 1
	}
	return 0
}
