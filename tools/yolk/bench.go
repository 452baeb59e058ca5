package main

// benchCommand counts instructions per operation.  The program that measures is
// the guest's bench; under -icount it prints the same bytes each time.
func benchCommand(root string, args []string) int {
	return boot("bench", root, append([]string{"-icount"}, append(args, "--", "bench")...), false)
}
