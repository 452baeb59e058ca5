//go:build !(linux && amd64)

package usertests

// The stand-ins of the functions that are assembly on linux/amd64.
func jump(uintptr)                                 {}
func sigreturn(uintptr)                            {}
func cloneOnStack(_, _ uintptr, _ *uint64) uintptr { return 0 }
func setMXCSR(uint32)                              {}
func getMXCSR() uint32                             { return 0 }
func selectors() (cs, ss uint64)                   { return 0, 0 }
