package main

import (
	"fmt"
	"os"
	"path/filepath"

	"yolk/tools/internal/hosttools"
	"yolk/tools/internal/system"
)

// buildCommand builds the system.
func buildCommand(root string, args []string) int {
	s, err := system.Build(root)
	if err != nil {
		return complain(err)
	}
	for _, path := range []string{s.Kernel, s.Base} {
		info, err := os.Stat(path)
		if err != nil {
			return complain(err)
		}
		fmt.Printf("%s: %.1f MiB\n", path, float64(info.Size())/(1<<20))
	}
	return 0
}

// cleanCommand removes what was built; what was downloaded for good, Go's own
// caches, stays.
func cleanCommand(root string, args []string) int {
	for _, name := range []string{"kernel.elf", "initrd.cpio"} {
		if err := os.Remove(filepath.Join(root, "bin", name)); err != nil && !os.IsNotExist(err) {
			return complain(err)
		}
	}
	if err := os.RemoveAll(filepath.Join(root, ".cache")); err != nil {
		return complain(err)
	}
	return 0
}

// prepare finds QEMU, installing it if it may, and builds the system.
func prepare(root string) (qemuPath string, s *system.System, err error) {
	if qemuPath, err = hosttools.QEMU.Need(os.Stderr); err != nil {
		return "", nil, err
	}
	s, err = system.Build(root)
	return qemuPath, s, err
}
