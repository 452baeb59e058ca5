package usertests

import (
	"strconv"

	"yolk/userland/kit"
	"yolk/userland/procfs"
	"yolk/userland/sys"
	"yolk/userland/tiny/gen"
)

// soak runs many rounds of one kind and checks that as much memory is free
// afterwards as before, to the page, and that the kernel's counts are in order.
// Each round also writes to shared pages.
func soak(kind string, rounds int) int {
	path := kit.Format("/tmp/soak.", sys.Getpid())
	if err := kit.WriteFile(path, gen.Image(), 0o755); err != nil {
		return kit.Complain(name, path, err)
	}
	defer sys.Unlink(path)
	area, err := sys.MapPages(soakPages)
	if err != nil {
		return kit.Complain(name, "mmap", err)
	}
	round, ok := map[string]func() error{
		"forkexit":  func() error { return soakFork(area, nil) },
		"forkexec":  func() error { return soakFork(area, sys.NewImage(path, []string{path}, nil)) },
		"vforkexec": func() error { return soakVfork(area, path) },
	}[kind]
	if !ok {
		return kit.BadUsage
	}
	scale, err := newScale()
	if err != nil {
		return kit.Complain(name, "meminfo", err)
	}
	for i, n := range []int{20, rounds} { // the first time, what stays comes to stay
		scale.weigh(0)
		if status := inChild(round, n); status != 0 {
			kit.Eprint(name, ": ", kind, ": ended with ", status, "\n")
			return 1
		}
		scale.weigh(1)
		before, after := scale.free()
		if i == 0 {
			continue
		}
		kit.Print(kind, ": ", rounds, " rounds; free memory before ", before, " KiB, after ", after, " KiB\n")
		if procfs.IsYolk() && before != after {
			return 1
		}
	}
	if wrong := procfs.Unclean(); procfs.IsYolk() && wrong != "" {
		kit.Eprint(name, ": ", kind, ": ", wrong, "\n")
		return 1
	}
	return 0
}

// inChild runs n rounds in a child, whose own memory is gone afterwards.
func inChild(round func() error, n int) sys.WaitStatus {
	pid, err := sys.Fork()
	if err != nil {
		return 1 << 8
	}
	if pid == 0 {
		for i := range n {
			if err := round(); err != nil {
				sys.Exit(kit.Complain(name, kit.Format("round ", i), err))
			}
			if (i+1)%reportEvery == 0 {
				kit.Print(i+1, " rounds\n")
			}
		}
		sys.Exit(0)
	}
	status, _ := kit.WaitFor(pid)
	return status
}

// reportEvery is after how many rounds a soak says how far it is: who waits for it
// tells by that a slow one from one that hangs.
const reportEvery = 1000

// soakPages is how many pages are written in each round.
const soakPages = 4

// soakFork forks; both sides write to the shared pages; the child exits, or
// becomes a tiny program.
func soakFork(area uintptr, image *sys.Image) error {
	fill(area, soakPages, 1)
	pid, err := sys.Fork()
	if err != nil {
		return err
	}
	if pid == 0 {
		fill(area+page, 1, 2)
		if image != nil {
			image.Exec()
			sys.Exit(1)
		}
		sys.Exit(0)
	}
	fill(area, 2, 3)
	return reapGood(pid)
}

// soakVfork vforks and execs a tiny program.
func soakVfork(area uintptr, path string) error {
	fill(area, soakPages, 1)
	pid, err := sys.VForkExec(path, []string{path}, nil)
	if err != nil {
		return err
	}
	return reapGood(pid)
}

// reapGood waits for a child that must end with status 0.
func reapGood(pid int) error {
	status, err := kit.WaitFor(pid)
	if err == nil && status != 0 {
		return sys.EIO
	}
	return err
}

// fuzz runs random system calls with the seed given.
func fuzz(seed string, rounds int) int {
	n, err := strconv.ParseUint(seed, 10, 64)
	if err != nil {
		return kit.BadUsage
	}
	if !procfs.IsYolk() {
		kit.Eprint(name, ": random system calls are for our own kernel only\n")
		return 1
	}
	ended := fuzzCalls(n, rounds)
	kit.Print("fuzz: ", rounds, " calls with seed ", n, "; ", ended, " processes ended on the way\n")
	return 0
}
