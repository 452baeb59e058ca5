package bench

// spawn makes n children by the system call nr, each of which exits or executes
// a program, and waits for each.  It gives how many are left undone by an error.
func spawn(nr, path, argv, envp uintptr, n int) (left int)

// calls makes the system call nr, without arguments, n times, n > 0.
func calls(nr uintptr, n int)
