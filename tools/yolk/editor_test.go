package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"yolk/qemu/gdb"
	"yolk/tools/goroot"
	"yolk/tools/internal/hosttools"
)

// readEditor reads a file of the editor's settings.
func readEditor(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "..", ".vscode", name))
	if err != nil {
		t.Fatal(err)
	}
	if !json.Valid(b) {
		t.Fatalf("%s is not JSON", name)
	}
	return b
}

// TestEditorSettings: what Visual Studio Code is told agrees with itself and with
// what yolk does: files, ports, tasks, the sentence that is waited for.
func TestEditorSettings(t *testing.T) {
	for _, name := range []string{"settings.json", "extensions.json"} {
		readEditor(t, name)
	}
	var tasks struct {
		Tasks []struct {
			Label, Command, DependsOn string
			Args                      []string
			IsBackground              bool
			Options                   struct{ Env map[string]string }
			ProblemMatcher            any
		}
	}
	if err := json.Unmarshal(readEditor(t, "tasks.json"), &tasks); err != nil {
		t.Fatal(err)
	}
	port := strconv.Itoa(gdb.DefaultPort)
	found := make(map[string]bool)
	for _, task := range tasks.Tasks {
		if task.DependsOn != "" && !found[task.DependsOn] {
			t.Errorf("%s depends on %q, which does not come before", task.Label, task.DependsOn)
		}
		found[task.Label] = true
		if v := task.Options.Env["GOTOOLCHAIN"]; task.Command == "go" && v != goroot.Version {
			t.Errorf("%s uses Go %q, Yolk is pinned to %s", task.Label, v, goroot.Version)
		}
		if !task.IsBackground {
			continue
		}
		if !slices.Equal(task.Args, []string{"debug", "-gdb", port}) {
			t.Errorf("%s runs yolk %q", task.Label, task.Args)
		}
		background := task.ProblemMatcher.(map[string]any)["background"].(map[string]any)
		if ends := regexp.MustCompile(background["endsPattern"].(string)); !ends.MatchString(announcement(gdb.DefaultPort)) {
			t.Errorf("%s waits for %q, yolk says %q", task.Label, ends, announcement(gdb.DefaultPort))
		}
	}
	launches, err := gdb.Launches(readEditor(t, "launch.json"))
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range launches {
		if l.Server != "127.0.0.1:"+port || l.Program != "${workspaceFolder}/bin/kernel.elf" || l.PreLaunchTask != "" && !found[l.PreLaunchTask] {
			t.Errorf("%+v", l)
		}
		if len(l.SetupCommands) != 1 || !strings.HasSuffix(l.SetupCommands[0].Text, "source ${workspaceFolder}/"+gdb.SetupFile) {
			t.Errorf("%s does not read %s", l.Name, gdb.SetupFile)
		}
	}
}

// TestDevcontainer: the container has the Go that Yolk is pinned to, the packages of
// the tools that it needs, and the extensions that the editor's settings are for.
func TestDevcontainer(t *testing.T) {
	var c struct {
		Image, OnCreateCommand, UpdateContentCommand string
		Customizations                               struct{ VSCode struct{ Extensions []string } }
	}
	if err := json.Unmarshal(readEditor(t, filepath.Join("..", ".devcontainer", "devcontainer.json")), &c); err != nil {
		t.Fatal(err)
	}
	if want := "golang:" + strings.TrimPrefix(goroot.Version, "go") + "-"; !strings.HasPrefix(c.Image, want) {
		t.Errorf("image %s, want %s…", c.Image, want)
	}
	for _, want := range []string{hosttools.QEMU.Packages["apt-get"], hosttools.GDB.Packages["apt-get"], " make ", " git ", "golang.org/x/tools/gopls@v"} {
		if !strings.Contains(c.OnCreateCommand, want) {
			t.Errorf("%q is not installed", want)
		}
	}
	if c.UpdateContentCommand != "make build" {
		t.Errorf("%q builds nothing while there is a network", c.UpdateContentCommand)
	}
	var recommended struct{ Recommendations []string }
	if err := json.Unmarshal(readEditor(t, "extensions.json"), &recommended); err != nil || !slices.Equal(recommended.Recommendations, c.Customizations.VSCode.Extensions) {
		t.Errorf("extensions %q and %q, %v", recommended.Recommendations, c.Customizations.VSCode.Extensions, err)
	}
}

// TestGoplsVersion: everybody names the same language server.
func TestGoplsVersion(t *testing.T) {
	form := regexp.MustCompile(`(?:golang\.org/x/tools/gopls@|const Version = ")(v\d+\.\d+\.\d+)`)
	versions := map[string]bool{}
	for _, name := range []string{".devcontainer/devcontainer.json", "tools/gopls/main.go", "tools/gopls/README.md", "tools/internal/rings/editor.go"} {
		b, err := os.ReadFile(filepath.Join("..", "..", filepath.FromSlash(name)))
		m := form.FindSubmatch(b)
		if err != nil || m == nil {
			t.Errorf("%s names no version: %v", name, err)
			continue
		}
		versions[string(m[1])] = true
	}
	if len(versions) != 1 {
		t.Errorf("versions %v", versions)
	}
}
