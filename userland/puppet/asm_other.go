//go:build !(linux && amd64)

package puppet

// dance is for where there are no system calls of Linux's.
func dance() {}
