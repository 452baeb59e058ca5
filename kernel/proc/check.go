package proc

import (
	"yolk/kernel/vfs"
	"yolk/mm"
)

// check has mm recompute all its invariants, and tells the first contradiction,
// or that there is none.  The check's memory is charged to whoever reads; the
// error is mm.ErrNoMemory or, with too much to look at, mm.ErrTooBig.
func check(fs *FS, c vfs.Caller) (string, error) {
	err := fs.Kernel.Memory().Check(c.Budget(), fs.Holders...)
	switch err {
	case nil:
		return "clean\n", nil
	case mm.ErrNoMemory, mm.ErrTooBig:
		return "", err
	}
	return err.Error() + "\n", nil
}
