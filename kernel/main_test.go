package kernel_test

import (
	"os"
	"testing"

	"yolk/kernel"
	"yolk/kernel/calls"
)

// TestMain gives the tests of package kernel the system calls of package calls,
// which they cannot import themselves: it imports kernel.
func TestMain(m *testing.M) {
	kernel.TestedCalls = calls.All
	os.Exit(m.Run())
}
