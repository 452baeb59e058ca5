package boot

// name is whose page tables these are.
//
//lab:boot 2 sign with your name
func name() string { return "Yolk" }

// answers says what comes of each access of New(name()), in the order of the sheet:
// the physical address, or the error code of the fault.
//
//lab:boot 2 write down where each access goes
func answers() []Answer {
	return []Answer{
		{Physical: 0x1b3b741f},
		{Fault: true, Code: 0x15},
		{Fault: true, Code: 0x6},
		{Fault: true, Code: 0x7},
		{Physical: 0x724c8904},
		{Fault: true, Code: 0x5},
		{Physical: 0x1d1d7e2b},
	}
}
