//go:build !linux

package rings

// deadReaderChecks need a pipe that has a name.
func deadReaderChecks(*suite) []Check { return nil }
