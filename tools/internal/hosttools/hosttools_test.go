package hosttools

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

func TestParseVersion(t *testing.T) {
	for line, want := range map[string]Version{
		"QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7+deb12u18)\nCopyright": {7, 2},
		"QEMU emulator version 10.1.0":                                           {10, 1},
		"QEMU emulator version 8.2.2 (v8.2.2)":                                   {8, 2},
		"GNU gdb (Debian 13.1-3) 13.1\n":                                         {13, 1},
		"lldb version 14.0.6\n":                                                  {14, 0},
		"GNU gdb (GDB) 15.2":                                                     {15, 2},
		"GNU gdb (Ubuntu 12.1-0ubuntu1~22.04.2) 12.1":                            {12, 1},
		"Chromium 156.0.8078.79 built on Debian GNU/Linux 12 (bookworm)\n":       {156, 0},
		"Google Chrome 126.0.6478.126 ":                                          {126, 0},
		"v20.20.2\n":                                                             {20, 20},
		"11.19.1\n":                                                              {11, 19},
	} {
		if got, err := parseVersion([]byte(line)); err != nil || got != want {
			t.Errorf("%q: %v, %v", line, got, err)
		}
	}
	if _, err := parseVersion([]byte("gdb")); err == nil {
		t.Error("a version was found where there is none")
	}
}

func TestVersionLess(t *testing.T) {
	if !(Version{6, 2}).Less(Version{7, 0}) || !(Version{6, 2}).Less(Version{6, 10}) || (Version{10, 0}).Less(Version{9, 9}) || (Version{6, 2}).Less(Version{6, 2}) {
		t.Error("wrong order")
	}
}

type scripted struct {
	programs       string
	isRoot, noPass bool
}

func (s scripted) has(p string) bool { return strings.Contains(s.programs, p) }
func (s scripted) root() bool        { return s.isRoot }
func (s scripted) sudo() bool        { return s.noPass }

func TestCure(t *testing.T) {
	const apt = "apt-get update && apt-get install -y --no-install-recommends qemu-system-x86"
	const sudoApt = "sudo apt-get update && sudo apt-get install -y --no-install-recommends qemu-system-x86"
	for _, c := range []struct {
		goos string
		f    scripted
		want string
		auto bool
	}{
		{"linux", scripted{"apt-get", true, false}, apt, true},
		{"linux", scripted{"apt-get", false, true}, sudoApt, true},
		{"linux", scripted{"apt-get", false, false}, sudoApt, false},
		{"linux", scripted{"dnf", false, true}, "sudo dnf install qemu-system-x86-core", false},
		{"linux", scripted{"pacman", true, false}, "pacman -S qemu-system-x86", false},
		{"linux", scripted{}, "install it with the means of this system", false},
		{"darwin", scripted{"brew", false, false}, "brew install qemu", true},
		{"darwin", scripted{}, "install it with the means of this system", false},
		{"windows", scripted{}, "winget install --id SoftwareFreedomConservancy.QEMU", false},
	} {
		if got := QEMU.cure(c.goos, c.f); got.String() != c.want || got.Auto != c.auto {
			t.Errorf("%s %+v: %q, auto %v", c.goos, c.f, got, got.Auto)
		}
	}
}

func TestFindMissing(t *testing.T) {
	tool := Tool{Name: "X", Program: "no-such-program"}
	if _, _, err := tool.Find(); !errors.Is(err, ErrMissing) {
		t.Errorf("%v", err)
	}
}

// TestFindByAnotherName: a command goes by several names.
func TestFindByAnotherName(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the stand-in is a script")
	}
	dir := t.TempDir()
	other := filepath.Join(dir, "other")
	if err := os.WriteFile(other, []byte("#!/bin/sh\necho X 2.0\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))
	tool := Tool{Name: "X", Program: "no-such-program", Others: []string{"other"}, Min: Version{1, 0}}
	if path, v, err := tool.Find(); path != other || v != (Version{2, 0}) || err != nil {
		t.Errorf("%s, %v, %v", path, v, err)
	}
}

func TestFindOld(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the stand-in is a script")
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "old"), []byte("#!/bin/sh\necho QEMU emulator version 2.11.1\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	tool := QEMU
	tool.Program = "old"
	if _, v, err := tool.Find(); !errors.Is(err, ErrOld) || v != (Version{2, 11}) {
		t.Errorf("%v, %v", v, err)
	}
	if _, err := tool.Need(nil); !errors.Is(err, ErrOld) || !strings.Contains(err.Error(), "to install it") {
		t.Errorf("%v", err)
	}
}

// TestNeedInstalls: a tool that is missing is installed with apt-get, after the
// list of packages has been fetched if it was stale.
func TestNeedInstalls(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("apt-get is Linux's")
	}
	dir := t.TempDir()
	for name, script := range map[string]string{
		"apt-get": "#!/bin/sh\ncd " + dir + "\ncase $1 in\nupdate) : > updated;;\n" +
			"install) [ -e updated ] || exit 100; printf '#!/bin/sh\\necho tool 9.1\\n' > tool; /bin/chmod +x tool;;\nesac\n",
		"sudo": "#!/bin/sh\n[ \"$1\" = -n ] && shift\nexec \"$@\"\n",
		"true": "#!/bin/sh\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", dir)
	tool := Tool{Name: "Tool", Program: "tool", Min: Version{9, 0}, Packages: map[string]string{"apt-get": "the-package"}}
	var out strings.Builder
	path, err := tool.Need(&out)
	if err != nil || path != filepath.Join(dir, "tool") || !strings.Contains(out.String(), "the-package") {
		t.Errorf("%s, %v\n%s", path, err, out.String())
	}
}
