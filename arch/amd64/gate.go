package amd64

// interruptGate is the entry of the IDT that leads to a handler (SDM 3A §6.14.1):
// present, of the kernel's code segment, and with interrupts off in the handler.
// ist is the number of its stack in the TSS's table, 1 to 7; dpl the lowest privilege
// that may come here by INT n.  The lower word is the first.
//
//lab:boot 1 make the gate through which the processor reaches a handler
func interruptGate(handler, ist, dpl uint64) [2]uint64 {
	const present, interrupt = 1 << 47, 0xe << 40
	low := handler&0xffff | KernelCode<<16 | ist<<32 | interrupt | dpl<<45 | present | handler>>16&0xffff<<48
	return [2]uint64{low, handler >> 32}
}

// tssDescriptor is the pair of entries of the GDT that describes a TSS which nobody
// uses yet: limit is the offset of its last byte, below 64 KiB (SDM 3A §7.2.3).
//
//lab:boot 1 describe the segment in which the processor finds its stacks
func tssDescriptor(base, limit uint64) [2]uint64 {
	const present, available = 1 << 47, 0x9 << 40
	return [2]uint64{limit | base&0xffffff<<16 | available | present | base>>24&0xff<<56, base >> 32}
}
