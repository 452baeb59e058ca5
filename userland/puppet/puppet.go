// Package puppet is the program with no will of its own: it comes to one
// instruction, the mark, and there a judge outside of the machine, who has stopped
// it by a breakpoint, writes into its registers what it is to do next: a system
// call, a load or a store.  Then it comes back to the mark with the result.
//
// So the judge, who sees the processor and the physical memory and needs to believe
// nobody, can have any process do anything at any moment, and no kernel knows
// beforehand what that will be.
//
// What it does it does without a stack and without memory of its own, and so it may
// fork, vfork and exec like anybody.
package puppet

import "yolk/userland/kit"

// Prog is the program puppet.
var Prog = kit.Prog{Name: "puppet", Help: "do what a judge outside of the machine says (without one: nothing)", Main: Main}

// Main goes to the mark.  Where nobody stands behind it, it exits at once with
// status 0.
func Main([]string) int {
	dance()
	return 0
}
