//go:build !linux

package rings

import (
	"context"
	"runtime"
)

// terminalChecks need pseudo-terminals as Linux has them.
func terminalChecks(*suite) ([]Check, error) {
	return []Check{{Name: "terminal/restored", run: func(context.Context) outcome {
		return skipped("no test of terminals for %s", runtime.GOOS)
	}}}, nil
}
