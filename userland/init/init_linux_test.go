package pid1

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"

	"yolk/userland/kit"
)

// asInit in the environment makes the test binary the program init.
const asInit = "TEST_AS_INIT"

// TestMain lets the test binary stand in for the program; see the test of sh.
func TestMain(m *testing.M) {
	if os.Getenv(asInit) != "" {
		runtime.GOMAXPROCS(1)
		debug.SetGCPercent(-1)
		os.Unsetenv(asInit)
		kit.Environ = os.Environ()
		os.Exit(Prog.Run(append([]string{"init"}, os.Args[1:]...)))
	}
	os.Exit(m.Run())
}

// boot runs init with files for devices, and gives what the program printed,
// what was reported to the host, and init's own exit status.
func boot(t *testing.T, stdin string, args ...string) (stdout, stderr, report string, status int) {
	t.Helper()
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, args...)
	paths := map[string]string{envStdin: file("0", stdin), envStdout: file("1", ""), envStderr: file("2", ""), envExit: file("exit", "")}
	cmd.Env = []string{asInit + "=1", "mode=test"}
	for name, path := range paths {
		cmd.Env = append(cmd.Env, name+"="+path)
	}
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	read := func(name string) string {
		b, err := os.ReadFile(paths[name])
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	return read(envStdout), read(envStderr), read(envExit), cmd.ProcessState.ExitCode()
}

func TestProgramIsAChildInTheRoot(t *testing.T) {
	out, errout, report, status := boot(t, "in\n", "--", "sh", "-c", "pwd; cat; echo err >&2; echo $mode $YOLK_STDIN $YOLK_EXIT; tr '\\0' ' ' </proc/$PPID/cmdline | grep -c 'init.test -- sh'; exit 3")
	if out != "/\nin\ntest\n1\n" || errout != "err\n" || report != "768\n" || status != 3 {
		t.Errorf("out %q err %q report %q status %d", out, errout, report, status)
	}
}

func TestSignalIsReported(t *testing.T) {
	if _, _, report, status := boot(t, "", "--", "sh", "-c", "kill -9 $$"); report != "9\n" || status != 137 {
		t.Errorf("report %q status %d", report, status)
	}
}

func TestNotFoundAndNotExecutable(t *testing.T) {
	for program, want := range map[string]string{
		"no-such-program": "32512\n", "/no/such/program": "32512\n", "/etc/passwd/x": "32512\n", "/etc/passwd": "32256\n", "/etc": "32256\n",
	} {
		_, errout, report, _ := boot(t, "", "--", program)
		if report != want || !strings.HasPrefix(errout, "yolk: "+program+": ") {
			t.Errorf("%s: report %q, want %q; stderr %q", program, report, want, errout)
		}
	}
}

func TestShellByDefault(t *testing.T) {
	if out, _, report, _ := boot(t, "echo from the shell\nexit 5\n"); out != "from the shell\n" || report != "1280\n" {
		t.Errorf("out %q report %q", out, report)
	}
}

// WAIT-02: an orphan comes to init, which reaps it and goes on waiting.
func TestWAIT02OrphansAreReaped(t *testing.T) {
	out, _, report, _ := boot(t, "", "--", "sh", "-c", "sh -c 'sleep 0.1 & echo $!'; sleep 0.4; ps -e -o pid= -o stat= -o comm= | grep -c 'Z.*sleep'; exit 2")
	lines := strings.Fields(out)
	if len(lines) != 2 || lines[1] != "0" || report != "512\n" {
		t.Errorf("out %q (an orphan's pid, and how many zombies remain), report %q", out, report)
	}
}

// TestArgumentsFromAFile: empty ones count; a file that is not there is said so.
func TestArgumentsFromAFile(t *testing.T) {
	list := filepath.Join(t.TempDir(), "args")
	if err := os.WriteFile(list, []byte("sh\x00-c\x00echo $# \"$2\"; exit 4\x00x\x00\x00a b\x00"), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, _, report, _ := boot(t, "", "-f", list); out != "2 a b\n" || report != "1024\n" {
		t.Errorf("out %q, report %q", out, report)
	}
	if _, _, report, _ := boot(t, "", "-f", list+"x"); report != "32512\n" {
		t.Errorf("without the file: report %q", report)
	}
}

func TestUsage(t *testing.T) {
	if _, _, report, status := boot(t, "", "sh"); report != "" || status != 2 {
		t.Errorf("report %q status %d", report, status)
	}
}

func TestProgramEnvironment(t *testing.T) {
	got := programEnvironment([]string{"a=b", "YOLK_STDIN=x", "PATH=/x"})
	if want := []string{"a=b", "PATH=/x", "HOME=/", "TERM=vt100"}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
