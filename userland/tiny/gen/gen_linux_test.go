package gen

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
)

// The host's kernel runs the programs.
func TestRun(t *testing.T) {
	if runtime.GOARCH != "amd64" {
		t.Skip("the programs are for amd64")
	}
	for name, c := range map[string]struct {
		code []byte
		want int
	}{
		"exit 0":         {Exit(0), 0},
		"exit 42":        {Exit(42), 42},
		"byte in memory": {ExitWithByteAt(Base + 1), 'E'},
		"registers":      {ExitIfRegisters(), 0},
		"stack":          {DumpStack(), 0},
		"wait":           {Wait(), 0},
	} {
		path := filepath.Join(t.TempDir(), "program")
		if err := os.WriteFile(path, New(c.code).Bytes(), 0o755); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(path)
		out, _ := cmd.Output()
		if got := cmd.ProcessState.ExitCode(); got != c.want || name == "stack" && len(out) < 512 {
			t.Errorf("%s: status %d, want %d; %d bytes of output", name, got, c.want, len(out))
		}
	}
}
