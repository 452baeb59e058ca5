//go:build !unix

package qemu

import (
	"errors"
	"os"
)

// recordLink makes channels for a run that is recorded.  Loopback TCP holds
// megabytes, more than a console sends while this process does not run.
func recordLink(string) makeLink { return tcpLink }

// askToEnd cannot ask: there are no signals here.
func askToEnd(*os.Process) error { return errors.ErrUnsupported }
