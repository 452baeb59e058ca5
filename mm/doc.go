// Package mm is Yolk's memory management: frames with reference counts, page
// tables of four levels, regions, address spaces, the page-fault handler,
// copy-on-write fork and the page cache's objects.
//
// # The idea
//
// A [Region] says what is allowed; a page-table entry ([PTE]) says what is
// ready.  A page fault ([AddressSpace.Fault]) makes the second catch up with
// the first.  Everything that takes rights or pages away changes the entries at
// once; everything that gives them may leave it to a fault.
//
//	Memory ── Frames        who uses which frame, and how often
//	  │  └─── TLB           what the processor remembers
//	  ├── AddressSpace      root table, regions, heap end, budget
//	  │     └── Region ──┐  rights, flags, offset
//	  └── Object ◄───────┘  a file's page cache, shared memory
//
// # Invariants
//
// [Memory.Check] recomputes them all; its comment lists them.  Three carry the
// rest:
//
//   - An entry never grants more than its region allows.
//   - A private page is writable only while its frame has one reference.  A
//     page that is not, in a region that may be written to, has the mark [COW].
//   - A frame is put only after the TLB was told of the entry that went
//     (AddressSpace.settle).
//
// # Failing
//
// Whatever takes more than one frame asks [Frames.Ensure] first, and whatever
// takes Go memory charges a [Budget] first.  What follows the line "Point of
// no return." cannot fail, so that nothing is ever rolled back.  A panic means
// that an invariant is broken.
//
// # Locking
//
// There is one lock, the kernel's: the caller of any function or method of this
// package holds it.  User mode does not run meanwhile, so that the processor
// changes no entry behind mm's back.
package mm
