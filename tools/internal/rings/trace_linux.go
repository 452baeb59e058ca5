package rings

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strings"
)

// deadReaderChecks hold that whoever reads a trace may go.
func deadReaderChecks(s *suite) []Check {
	return []Check{{Name: "trace/reader-dies", run: func(ctx context.Context) outcome { return verdictOf(s.deadReader(ctx)) }}}
}

// deadReader traces into a pipe whose reader goes at the first byte.  The program
// must not notice, and yolk must say so.
func (s *suite) deadReader(ctx context.Context) error {
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer w.Close()
	go func() {
		r.Read(make([]byte, 1))
		r.Close()
	}()
	cmd, err := s.yolk(ctx, "run", "-trace", "/dev/fd/3", "-trace-events", "all", "--", "cowdemo")
	if err != nil {
		return err
	}
	var stdout, stderr bytes.Buffer
	cmd.ExtraFiles = []*os.File{w}
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err = cmd.Run()
	if lines := strings.Count(stdout.String(), "step="); err != nil || lines != 18 || !strings.Contains(stderr.String(), "the trace is not whole: ") {
		return fmt.Errorf("%v, %d lines of output, stderr:\n%s", err, lines, tail(stderr.Bytes(), 2000))
	}
	return nil
}
