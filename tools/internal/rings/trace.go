package rings

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
)

// traceChecks run the commands that make and show traces, as users do.
func traceChecks(s *suite) ([]Check, error) {
	checks := []Check{
		{Name: "trace/strace", run: func(ctx context.Context) outcome { return verdictOf(s.straced(ctx)) }},
		{Name: "trace/formats", run: func(ctx context.Context) outcome { return verdictOf(s.traceFormats(ctx)) }},
	}
	return append(checks, deadReaderChecks(s)...), nil
}

// yolk is a command of the yolk that runs the tests.
func (s *suite) yolk(ctx context.Context, args ...string) (*exec.Cmd, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self, args...)
	cmd.Dir = s.root
	return cmd, nil
}

// straceOutput is what yolk strace says of a shell that starts a program: in this
// order, with more between.
var straceOutput = regexp.MustCompile(`(?s)^\[pid (\d+)\] execve\("/bin/sh", \["sh", "-c", "/bin/echo hi; exit 3"\], 0x[0-9a-f]+\) = 0\n.*` +
	`\[pid \d+\] fork\(.*` +
	`\[pid (\d+)\] execve\("/bin/echo", \["/bin/echo", "hi"\], 0x[0-9a-f]+\) = 0\n.*` +
	`\[pid \d+\] write\(1, "hi\\n", 3\) = 3\n.*` +
	`\[pid \d+\] exit_group\(0\) = \?\n\[pid \d+\] \+\+\+ exited with 0 \+\+\+\n.*` +
	`\[{WIFEXITED\(s\) && WEXITSTATUS\(s\) == 0}\].*` +
	`\[pid \d+\] exit_group\(3\) = \?\n\[pid \d+\] \+\+\+ exited with 3 \+\+\+\n$`)

func (s *suite) straced(ctx context.Context) error {
	cmd, err := s.yolk(ctx, "strace", "-f", "--", "sh", "-c", "/bin/echo hi; exit 3")
	if err != nil {
		return err
	}
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	cmd.Run()
	m := straceOutput.FindSubmatch(stderr.Bytes())
	if code := cmd.ProcessState.ExitCode(); m == nil || bytes.Equal(m[1], m[2]) || stdout.String() != "hi\n" || code != 3 {
		return fmt.Errorf("exit status %d, stdout %q, stderr:\n%s", code, &stdout, tail(stderr.Bytes(), 4000))
	}
	return nil
}

// traceFormats traces a program and has the trace shown in each format.
func (s *suite) traceFormats(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "trace-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "t.yt")
	if _, err := s.output(ctx, "run", "-trace", file, "--", "forkdemo"); err != nil {
		return err
	}
	for format, want := range map[string]string{
		"text": `\d +\d+ forkdemo +syscall +fork\(`, "json": `"kind":"fork","child":\d+`, "perfetto": `"name":"fork"`,
	} {
		out, err := s.output(ctx, "trace", "-format", format, file)
		if err != nil {
			return err
		}
		if !regexp.MustCompile(want).Match(out) || format == "perfetto" && !json.Valid(out) {
			return fmt.Errorf("format %s: nothing matches %s in %d bytes", format, want, len(out))
		}
	}
	return nil
}

// output runs yolk and returns what it writes to standard output.
func (s *suite) output(ctx context.Context, args ...string) ([]byte, error) {
	cmd, err := s.yolk(ctx, args...)
	if err != nil {
		return nil, err
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("yolk %s: %w\n%s", args[0], err, tail(stderr.Bytes(), 2000))
	}
	return out, nil
}
