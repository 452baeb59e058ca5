package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"yolk/tools/goroot"
	"yolk/tools/internal/hosttools"
	"yolk/tools/internal/lab"
	"yolk/tools/internal/system"
)

// doctorCommand says what is here, what is missing and what cures it.
func doctorCommand(root string, args []string) int {
	fmt.Printf("source   %s\nhost     %s/%s\n", root, runtime.GOOS, runtime.GOARCH)
	healthy := doctorGo(root)
	for _, t := range []*hosttools.Tool{&hosttools.QEMU, &hosttools.GDB} {
		path, v, err := t.Find()
		switch {
		case err == nil:
			fmt.Printf("%-8s ok: %s, version %s\n", t.Name, path, v)
		case errors.Is(err, hosttools.ErrMissing) || errors.Is(err, hosttools.ErrOld):
			healthy = false
			fmt.Printf("%v\n         cure: %s\n", err, t.Cure())
		default:
			healthy = false
			fmt.Println(err)
		}
	}
	if cc, err := exec.LookPath("cc"); err == nil {
		fmt.Printf("cc       ok: %s (only the race detector of the tests needs one)\n", cc)
	} else {
		fmt.Printf("cc       not here: the tests run without the race detector\n")
	}
	doctorEditor(root)
	if own, err := lab.ReadRecord(root); err != nil {
		healthy = false
		fmt.Printf("lab      %v\n         cure: git checkout %s\n", err, lab.HandIn)
	} else if own != nil {
		fmt.Printf("lab      %s %s: you write in %s\n", own.Lab, own.Version, strings.Join(own.Files, ", "))
	} else {
		doctorPicture()
	}
	if !healthy {
		return 1
	}
	return 0
}

// doctorEditor looks for what editors want; nothing else needs it.
func doctorEditor(root string) {
	out, err := exec.Command(filepath.Join(root, "bin", "gopls"), "version").CombinedOutput()
	first, _, _ := strings.Cut(string(out), "\n")
	switch {
	case errors.Is(err, os.ErrNotExist) || errors.Is(err, exec.ErrNotFound):
		fmt.Printf("gopls    not built: make does it (only editors need it)\n")
	case err != nil:
		fmt.Printf("%s (only editors need it)\n", first)
	default:
		fmt.Printf("gopls    ok: %s (only editors need it)\n", first)
	}
}

// doctorPicture looks for what the picture's long tests need, which few will miss.
func doctorPicture() {
	for _, t := range []*hosttools.Tool{&hosttools.Chromium, &hosttools.Node, &hosttools.NPM} {
		if path, v, err := t.Find(); err == nil {
			fmt.Printf("%-8s ok: %s, version %s (only the picture's long tests need it)\n", t.Name, path, v)
		} else {
			fmt.Printf("%v (only the picture's long tests need it)\n", err)
		}
	}
}

// doctorGo looks at the Go toolchain.
func doctorGo(root string) bool {
	cmd := system.Go(root, "env", "GOVERSION", "GOROOT")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	switch f := strings.Fields(string(out)); {
	case errors.Is(err, exec.ErrNotFound):
		fmt.Printf("Go       not found\n         cure: install Go 1.21 or newer from https://go.dev/dl\n")
	case err != nil:
		fmt.Printf("Go       cannot get %s: %v\n         cure: let the go command reach its module proxy once (go env GOPROXY)\n", goroot.Version, err)
	case len(f) < 2 || f[0] != goroot.Version:
		fmt.Printf("Go       is %s, Yolk needs %s\n         cure: install Go 1.21 or newer, which fetches it\n", strings.Join(f, " "), goroot.Version)
	default:
		fmt.Printf("Go       ok: %s in %s\n", f[0], f[1])
		return true
	}
	return false
}
