package tracefile

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"testing"

	"yolk/kernel/trace"
)

// TestReaderGoes: who writes a trace into a pipe learns that nobody reads it.
func TestReaderGoes(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	file, err := Create(fmt.Sprintf("/dev/fd/%d", w.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	w.Close()
	r.Close()
	file.Event(&trace.Event{Kind: trace.Exit})
	if err := file.Close(); !errors.Is(err, syscall.EPIPE) {
		t.Errorf("%v", err)
	}
}
