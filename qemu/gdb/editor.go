package gdb

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// SetupFile is where yolk debug writes what Setup returns, for editors, which
// make the connection themselves; relative to the source tree, with slashes.
const SetupFile = "bin/yolk.gdb"

// A Launch is a configuration of Visual Studio Code's launch.json, as far as its
// C/C++ extension uses it to start GDB.
type Launch struct {
	Name          string
	PreLaunchTask string
	Program       string
	Cwd           string
	Server        string `json:"miDebuggerServerAddress"`
	SetupCommands []struct{ Text string }
}

// Launches reads a launch.json.
func Launches(file []byte) ([]Launch, error) {
	var all struct{ Configurations []Launch }
	if err := json.Unmarshal(file, &all); err != nil {
		return nil, err
	}
	if len(all.Configurations) == 0 {
		return nil, errors.New("no configuration")
	}
	return all.Configurations, nil
}

// An editorStep is something that a user does in the editor, and what GDB must answer.
type editorStep struct{ command, want string }

// editorSteps set breakpoints in the kernel and in a program, there by file and
// line, and type a command on the debug console.
func editorSteps(line string) []editorStep {
	return []editorStep{
		{"-break-insert -f yolk/kernel.hookFork", `\^done,bkpt=.*func="yolk/kernel\.hookFork".*fullname="[^"]*/kernel/debug\.go"`},
		{"-break-insert -f " + strconv.Quote(line), `\^done,bkpt=.*func="yolk/userland/cowdemo\.Main".*fullname="[^"]*/userland/cowdemo/cowdemo\.go"`},
		{"-exec-continue", `\*stopped,reason="breakpoint-hit".*func="yolk/kernel\.hookFork"`},
		{"-stack-list-frames", `\^done,stack=\[frame={level="0",.*func="yolk/kernel\.\(\*Process\)\.run"`},
		{`-interpreter-exec console "kps"`, `~"\*    1     0 R [^\n]* init `},
		{"-exec-continue", `\*stopped,reason="breakpoint-hit".*func="yolk/userland/cowdemo\.Main"`},
		{"-stack-list-frames", `\^done,stack=\[frame={level="0",.*func="main\.main"`},
	}
}

// EditorScript is what the editor tells GDB, in GDB's machine interface, when it
// launches a configuration and the user does what editorSteps say.  line, as
// FILE:LINE, is in cowdemo's Main.  The machine waits on another port than the
// configuration says.
func EditorScript(l *Launch, root, line string, port int) string {
	said := []string{"-gdb-set mi-async off", "-environment-cd " + strconv.Quote(l.Cwd)}
	for _, c := range l.SetupCommands {
		said = append(said, c.Text)
	}
	said = append(said, "-file-exec-and-symbols "+strconv.Quote(l.Program), fmt.Sprintf("-target-select remote 127.0.0.1:%d", port))
	for _, s := range editorSteps(line) {
		said = append(said, s.command)
	}
	return strings.ReplaceAll(strings.Join(append(said, "-gdb-exit", ""), "\n"), "${workspaceFolder}", root)
}

// CheckEditor holds what GDB answered against editorSteps.
func CheckEditor(output string) error {
	for _, s := range editorSteps("") {
		at := regexp.MustCompile(s.want).FindStringIndex(output)
		if at == nil {
			return fmt.Errorf("%w: %s: nothing matches %q", ErrAnswer, s.command, s.want)
		}
		output = output[at[1]:]
	}
	return nil
}
