package sh

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"

	"yolk/userland/kit"
)

// asShell in the environment makes the test binary a shell.
const asShell = "YOLK_TEST_AS_SHELL"

// TestMain lets the test binary stand in for the program sh.  One processor and
// no garbage collection make the stock runtime a fair stand-in for the
// single-threaded one: a forked child then needs no thread that it lacks.
func TestMain(m *testing.M) {
	if os.Getenv(asShell) != "" {
		runtime.GOMAXPROCS(1)
		debug.SetGCPercent(-1)
		os.Unsetenv(asShell)
		kit.Environ = os.Environ()
		os.Exit(Prog.Run(append([]string{"sh"}, os.Args[1:]...)))
	}
	os.Exit(m.Run())
}

// result is what a shell made of a script.
type result struct {
	out    string
	status int
}

// runShell runs a shell in an empty directory of its own.
func runShell(t *testing.T, shell []string, env string, stdin string) result {
	t.Helper()
	cmd := exec.Command(shell[0], shell[1:]...)
	cmd.Dir = t.TempDir()
	cmd.Env = []string{"PATH=/usr/bin:/bin", "LC_ALL=C", "HOME=" + cmd.Dir, env}
	cmd.Stdin = strings.NewReader(stdin)
	var out, errout bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errout
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		t.Fatalf("%v: %v", shell, err)
	}
	if testing.Verbose() && errout.Len() > 0 {
		t.Logf("stderr: %s", errout.String())
	}
	return result{strings.ReplaceAll(out.String(), cmd.Dir, "DIR"), cmd.ProcessState.ExitCode()}
}

// ourShell is how the shell under test is called: YOLKBOX names a multi-call
// binary, for instance one built on the freestanding layer; else it is this
// test binary itself.
func ourShell(t *testing.T) (argv []string, env string) {
	t.Helper()
	if box := os.Getenv("YOLKBOX"); box != "" {
		return []string{box, "sh"}, "X=1"
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return []string{self}, asShell + "=1"
}

// scripts are run by the host's POSIX shell and by ours; output and status must
// be the same.
var scripts = []string{
	"echo hello; echo $?",
	"true; echo $?; false; echo $?",
	"false || echo or; true && echo and; false && echo no || echo yes",
	"exit 7", "false; exit", "/nonexistent 2>/dev/null; echo $?", "nonexistent 2>/dev/null; echo $?",
	"/etc 2>/dev/null; echo $?",
	"echo a b c | tr a-c x-z | cat", "echo a | false; echo $?", "false | true; echo $?", "yes | head -n 3",
	"echo out; echo err >&2", "echo gone >&2 2>/dev/null; ls nofile 2>&1 >/dev/null | wc -l",
	"echo one >f; echo two >>f; cat f; cat <f; wc -l <f", "echo x >d/f 2>/dev/null || echo failed", "cat <nofile 2>/dev/null || echo failed",
	">f; wc -c <f", "echo a 2>f; cat f", "echo a >f 2>&1; cat f", "cd /nonexistent 2>/dev/null || echo failed",
	"x=1; echo $x ${x}y \"$x\" '$x' \\$x", "x='a  b'; echo $x; echo \"$x\"", "x=1 y=$x; echo $y", "x=a; x=b true; echo \"[$x]\"",
	"x=hello sh -c 'echo $x'", "export x=5; sh -c 'echo $x'", "x=5; sh -c 'echo [$x]'; export x; sh -c 'echo [$x]'; unset x; sh -c 'echo [$x]'",
	"echo \"a $(echo b; echo c) d\" $(echo e f)", "x=$(echo a; false); echo $? $x", "echo $(echo $(echo deep))", "x=$(printf 'a\\n\\n\\n'); echo \"$x|\"",
	"if true; then echo yes; else echo no; fi", "if false; then echo 1; elif true; then echo 2; else echo 3; fi", "if false; then echo 1; fi; echo $?",
	"for i in a b 'c d'; do echo \"<$i>\"; done", "for i in; do echo no; done; echo $?", "for i in 1 2 3; do for j in a b; do echo $i$j; done; done",
	"touch 1 2 3; for f in *; do echo $f; done; echo [12] ? '*' \"?\" nomatch*", "mkdir d; touch d/a.c d/b.c .h; echo */*.c d/* .h* *",
	"touch 'a b'; for f in *; do echo \"<$f>\"; done", "x='*'; touch q; echo $x \"$x\"",
	"while true; do echo once; break; done", "for i in 1 2 3; do if test $i = 2; then continue; fi; echo $i; done",
	"for i in 1 2; do for j in 1 2; do continue 2; echo no; done; echo no; done; echo end", "for i in 1 2; do while true; do break 2; done; echo no; done; echo end $i",
	"i=x; while test $i != xxxx; do echo $i; i=x$i; done; echo $?", "while false; do :; done; echo $?", "while read x; do echo \"$x\"; done </dev/null; echo $?",
	"for i in 1 2; do echo $i; done >f; cat f", "if true; then echo a; echo b; fi | wc -l", "echo abc | while true; do cat; break; done",
	"sleep 0.1 & wait; echo $?", "sh -c 'exit 3' & wait $!; echo $?", "wait 999999; echo $?", "true & wait $!; wait $!; echo done",
	"cat & wait; echo eof",
	"echo $#; echo \"$@\"; echo $0 | wc -l", "sh -c 'echo $0 $1 $# \"$@\"' n a 'b  c'", "sh -c 'for i; do echo \"$i\"; done' n a 'b  c' ''",
	"sh -c 'echo \"x$@y\"' n 1 2 3", "sh -c 'shift; echo $1 $#; shift 2; echo $#' n 1 2 3", "sh -c 'echo \"$*\" $*' n 'a  b' c",
	"echo 'echo $1 $#; exit 4' >s; sh s x y; echo $?", "printf '#!/bin/sh\\necho script $1\\n' >s; chmod +x s; ./s arg", "echo 'echo plain $1' >s; chmod +x s; ./s arg",
	"echo hi >s; ./s 2>/dev/null; echo $?", "kill -9 $$", "sh -c 'kill -9 $$' 2>/dev/null; echo $?", "sh -c 'kill -15 $$' 2>/dev/null; echo $?",
	"a=1; sh -c 'a=2'; echo $a", "echo $(a=2; echo $a) [$a]", "cd /; pwd", "cd; pwd | wc -l",
	"echo a#b # comment\n# another\necho c", "echo a \\\n b", "echo 'multi\nline' \"two\nlines\"", "if true\nthen\necho x\nfi",
	"echo a &&\necho b ||\necho c", "printf '%s\\n' \"\\$ \\\" \\\\ \\a\"", "echo ''; echo '' ''", "x=; echo \"$x\" $x end", "echo $undefined\"\"$undefined | wc -c",
	"echo a; )", "echo before; if", "for", "echo 'unclosed",
	"exec_is_absent=1; echo $exec_is_absent", "echo $$ | grep -c '^[0-9]*$'", "echo ${PATH}", "x=a-b_c; echo $x-d $x_d ${x}_d",
	"echo a >&2 >f; cat f", "echo 3>&1", "echo hid 3>f >&3; cat f", "cat <f 2>/dev/null || echo none; echo x | cat - 2>&1",
	"echo a | cat | cat | cat | cat", "true | true && echo both", "false | false || echo neither",
	"echo stdin | sh -c cat", "export A=1 B=2; sh -c 'echo $A$B'", "x='a=b'; $x 2>/dev/null; echo $?", "y=echo; $y word", "e=; $e echo empty",
	"for i in $(echo 1 2 3); do echo n$i; done", "for x in \"$(echo 1 2)\"; do echo \"$x\"; done",
	"pwd >f; cat f | wc -l; cd / >g; pwd", "for i in 1 2 3 4 5 6 7 8 9 10; do true; done; echo $i",
}

func TestScriptsAsUnderTheHostsShell(t *testing.T) {
	host, err := exec.LookPath("dash")
	if err != nil {
		t.Skip("no dash on this host to compare with")
	}
	ours, env := ourShell(t)
	for _, script := range scripts {
		want := runShell(t, []string{host, "-c", script}, "X=1", "input\n")
		if got := runShell(t, append(ours[:len(ours):len(ours)], "-c", script), env, "input\n"); got != want {
			t.Errorf("sh -c %q\n got %+v\nwant %+v", script, got, want)
		}
	}
}

// The same scripts from standard input: commands are run as their lines come.
func TestScriptsFromStandardInput(t *testing.T) {
	host, err := exec.LookPath("dash")
	if err != nil {
		t.Skip("no dash on this host to compare with")
	}
	ours, env := ourShell(t)
	for _, script := range []string{
		"echo a\necho b\n", "if true\nthen echo x\nfi", "cat\nthis is input\n", "echo 'a\nb'\nexit 3\necho no", "for i in 1 2\ndo echo $i\ndone\n", "echo a\n)\necho b", "",
	} {
		want := runShell(t, []string{host}, "X=1", script)
		if got := runShell(t, ours, env, script); got != want && !strings.HasPrefix(script, "cat") {
			t.Errorf("sh <<%q\n got %+v\nwant %+v", script, got, want)
		}
	}
	if got := runShell(t, ours, env, "cat\nthis is input\n"); got.out != "this is input\n" {
		t.Errorf("cat, run from standard input, read %q", got.out)
	}
}

func TestFileWithArguments(t *testing.T) {
	ours, env := ourShell(t)
	script := filepath.Join(t.TempDir(), "s")
	if err := os.WriteFile(script, []byte("echo $# \"$2\"\nexit 5\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if got := runShell(t, append(ours, script, "a", "b c"), env, ""); got != (result{"2 b c\n", 5}) {
		t.Errorf("got %+v", got)
	}
}
