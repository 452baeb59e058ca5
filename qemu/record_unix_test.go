//go:build unix

package qemu

import (
	"path/filepath"
	"testing"
)

// TestRecordedRunIsAskedToEnd: QEMU writes the end of its log before it goes,
// also when the machine hangs.
func TestRecordedRunIsAskedToEnd(t *testing.T) {
	dir := t.TempDir()
	if r := playRR(t, "stuck", &RR{Dir: dir}, IO{Patience: patience}); r.End != Hung {
		t.Errorf("%+v", r)
	}
	if !wholeLog(filepath.Join(dir, fileEvents)) {
		t.Error("the log is not whole")
	}
}
