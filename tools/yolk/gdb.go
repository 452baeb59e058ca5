package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"yolk/qemu"
	"yolk/qemu/gdb"
	"yolk/tools/internal/hosttools"
	"yolk/tools/internal/system"
)

// debugCommand boots the system stopped, with GDB's stub on.
func debugCommand(root string, args []string) int {
	if _, err := hosttools.GDB.Need(os.Stderr); err != nil {
		complain(err) // the machine can be debugged from elsewhere
	}
	return boot("debug", root, args, true)
}

// announceGDB writes .gdbinit and says how to attach.
func announceGDB(s *system.System, cfg *qemu.Config) error {
	init := filepath.Join(s.Root, ".gdbinit")
	box, err := debugBox(s)
	if err != nil {
		return err
	}
	script := gdb.Init(gdb.Target{Root: s.Root, GOROOT: s.Tools.GOROOT(), Kernel: s.Kernel, Box: box, Port: cfg.GDB})
	if err := os.WriteFile(init, []byte(script), 0o666); err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "yolk: stopped, waiting for GDB on port %d; in another terminal:\n\n    gdb -q -x %q\n\n", cfg.GDB, init)
	return nil
}

// debugBox builds the user programs with their symbols.
func debugBox(s *system.System) (string, error) {
	box := filepath.Join(s.Root, "bin", "yolkbox.debug")
	if err := s.DebugBox(box); err != nil {
		return "", errors.Join(errors.New("no user symbols for GDB"), err)
	}
	return box, nil
}
