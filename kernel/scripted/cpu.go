package scripted

import (
	"encoding/binary"

	"yolk/arch/amd64"
	"yolk/mm"
	"yolk/mm/softmmu"
)

// none is the vector of an instruction that did not trap.
const none = 1 << 32

// Flags in RFLAGS that instructions set.
const (
	carry = 1 << 0
	zero  = 1 << 6
	sign  = 1 << 7
)

// xmm0 is the offset of that register in the FXSAVE image (SDM 1 table 10-2).
const xmm0 = 160

// cpu is the processor during one Enter.  An instruction either takes effect
// as a whole or traps and changes nothing but the page tables' A and D bits.
type cpu struct {
	m    *Machine
	f    *amd64.TrapFrame
	root mm.Frame
	regs [16]*uint64 // by their number in an instruction
}

func newCPU(m *Machine, f *amd64.TrapFrame, root mm.Frame) *cpu {
	return &cpu{m, f, root, [16]*uint64{
		&f.RAX, &f.RCX, &f.RDX, &f.RBX, &f.RSP, &f.RBP, &f.RSI, &f.RDI,
		&f.R8, &f.R9, &f.R10, &f.R11, &f.R12, &f.R13, &f.R14, &f.R15,
	}}
}

// insn is a decoded instruction.
type insn struct {
	op   uint16 // opcode; 0x0f00 plus the second byte of a two-byte one
	data bool   // has the operand-size prefix
	wide bool   // REX.W
	ext  byte   // REX.R, X and B
	reg  int    // ModRM.reg, or the register in the opcode
	rm   int    // ModRM.rm
	mem  bool   // the r/m operand is memory at *regs[rm] + disp
	disp uint64
	imm  uint64
	size uint64 // bytes decoded
}

// step runs one instruction and returns the vector of its trap, or none.
func (c *cpu) step() uint64 {
	var buf [15]byte
	n, fault := c.fetch(buf[:])
	in, ok := decode(buf[:n])
	switch {
	case ok:
		return c.execute(&in)
	case fault != nil: // it may go on where it could not be read
		return c.trap(fault)
	}
	return amd64.InvalidOpcode
}

// fetch reads instruction bytes at RIP, as many as are there.
func (c *cpu) fetch(b []byte) (n int, fault *softmmu.PageFault) {
	for n < len(b) {
		va := mm.VirtAddr(c.f.RIP) + mm.VirtAddr(n)
		if !canonical(va) {
			return n, &softmmu.PageFault{VA: va}
		}
		addr, fault := c.m.MMU.Access(c.root, va, softmmu.Exec, true)
		if fault != nil {
			return n, fault
		}
		n += copy(b[n:], c.m.phys.Page(mm.Frame(addr >> mm.PageShift))[addr%mm.PageSize:])
	}
	return n, nil
}

func canonical(va mm.VirtAddr) bool { return va>>47 == 0 || va>>47 == 1<<17-1 }

// trap is the exception of a memory access that failed.
func (c *cpu) trap(f *softmmu.PageFault) uint64 {
	if !canonical(f.VA) {
		return amd64.GeneralProtection
	}
	c.f.CR2, c.f.Error = uint64(f.VA), uint64(f.Code)
	return amd64.PageFault
}

// reader takes an instruction apart; what runs over its end makes it short.
type reader struct {
	b     []byte
	at    int
	short bool
}

func (r *reader) take(n int) uint64 {
	if r.at+n > len(r.b) {
		r.short = true
		return 0
	}
	var word [8]byte
	copy(word[:], r.b[r.at:r.at+n])
	r.at += n
	return binary.LittleEndian.Uint64(word[:])
}

// disp32 takes a sign-extended word.
func (r *reader) disp32() uint64 { return uint64(int64(int32(r.take(4)))) }

// decode takes apart the instruction at the start of b (SDM 2A ch. 2).  It
// reports false for one that it does not know, or that is cut off.
func decode(b []byte) (in insn, ok bool) {
	r := reader{b: b}
	op := r.take(1)
	if op == 0x66 {
		in.data, op = true, r.take(1)
	}
	if op&^0xf == 0x40 {
		in.wide, in.ext, op = op&8 != 0, byte(op), r.take(1)
	}
	if op == 0x0f {
		op = op<<8 | r.take(1)
	}
	in.op = uint16(op)
	high := func(bit byte) int { return int(in.ext>>bit&1) << 3 }
	ok = true
	switch {
	case op&^7 == 0xb8 && in.wide:
		in.reg, in.imm = int(op&7)|high(0), r.take(8)
		in.op = opMovImm
	case op&^0xf == 0x50:
		in.reg, in.op = int(op&7)|high(0), in.op&^7
	case op == opCall || op == opJmp || op&^0xf == opJcc:
		in.imm = r.disp32()
	case op == opInt:
		in.imm = r.take(1)
	case op == opRet || op == opInt3 || op == opNop || op == opHlt || op == opSyscall:
	default:
		if ok = known[in.op]; ok {
			ok = in.operands(&r, high)
		}
	}
	in.size = uint64(r.at)
	return in, ok && !r.short
}

// operands takes ModRM and what follows (SDM 2A §2.1.5): registers, or memory
// at a register plus 32 bits.
func (in *insn) operands(r *reader, high func(byte) int) bool {
	modrm := int(r.take(1))
	in.reg, in.rm = modrm>>3&7|high(2), modrm&7|high(0)
	switch modrm >> 6 {
	case 3:
	case 2:
		if modrm&7 == 4 && r.take(1) != 0x24 {
			return false // an index register
		}
		in.mem, in.disp = true, r.disp32()
	default:
		return false
	}
	if in.op == opGroup1 {
		in.imm = r.disp32()
	}
	return true
}

// Opcodes (SDM 2, appendix A).
const (
	opAdd, opSub, opXor, opCmp         = 0x01, 0x29, 0x31, 0x39 // r/m, r
	opStore8, opStore, opLoad          = 0x88, 0x89, 0x8b
	opLoad8, opProbe, opToXMM, opFrXMM = 0x0fb6, 0x0f1f, 0x0f6e, 0x0f7e
	opGroup1, opGroup5                 = 0x81, 0xff
	opPush, opPop, opMovImm            = 0x50, 0x58, 0xb8
	opCall, opJmp, opJcc, opRet        = 0xe8, 0xe9, 0x0f80, 0xc3
	opInt3, opInt, opNop, opHlt        = 0xcc, 0xcd, 0x90, 0xf4
	opSyscall                          = 0x0f05
)

// known are the opcodes with a ModRM byte.
var known = map[uint16]bool{
	opAdd: true, opSub: true, opXor: true, opCmp: true, opStore8: true, opStore: true, opLoad: true,
	opLoad8: true, opProbe: true, opToXMM: true, opFrXMM: true, opGroup1: true, opGroup5: true,
}

// execute carries out an instruction.
func (c *cpu) execute(in *insn) uint64 {
	f, next := c.f, c.f.RIP+in.size
	var fault *softmmu.PageFault
	switch in.op {
	case opSyscall:
		f.RIP, f.RCX, f.R11 = next, next, f.RFLAGS
		return amd64.Syscall
	case opInt3:
		f.RIP = next
		return amd64.Breakpoint
	case opHlt, opInt:
		return amd64.GeneralProtection
	case opMovImm:
		*c.regs[in.reg] = in.imm
	case opNop:
	case opProbe:
		if f.RIP = next; c.m.Probe != nil {
			c.m.Probe(uint32(in.disp), f)
		}
		return none
	case opPush:
		fault = c.push(*c.regs[in.reg])
	case opPop:
		fault = c.pop(c.regs[in.reg])
	case opRet:
		fault = c.pop(&next)
	case opCall:
		fault = c.push(next)
		next += in.imm
	case opJmp:
		next += in.imm
	default:
		if in.op&^0xf == opJcc {
			if c.condition(in.op & 0xf) {
				next += in.imm
			}
		} else {
			fault, next = c.operate(in, next)
		}
	}
	switch {
	case fault != nil:
		return c.trap(fault)
	case !canonical(mm.VirtAddr(next)):
		return amd64.GeneralProtection
	}
	f.RIP = next
	return none
}

// operate carries out an instruction with a ModRM byte.
func (c *cpu) operate(in *insn, next uint64) (*softmmu.PageFault, uint64) {
	reg, va := c.regs[in.reg], mm.VirtAddr(*c.regs[in.rm]+in.disp)
	le := binary.LittleEndian
	size := 8
	if in.op == opLoad8 || in.op == opStore8 {
		size = 1
	}
	if in.op == opStore || in.op == opStore8 {
		if !in.mem {
			*c.regs[in.rm] = *reg
			return nil, next
		}
		return c.write(va, le.AppendUint64(nil, *reg)[:size]), next
	}
	operand := *c.regs[in.rm]
	if in.mem {
		var b [8]byte
		if !canonical(va) {
			return &softmmu.PageFault{VA: va}, next
		}
		if _, fault := c.m.MMU.ReadUser(c.root, va, b[:size]); fault != nil {
			return fault, next
		}
		operand = le.Uint64(b[:])
	}
	switch in.op {
	case opLoad, opLoad8:
		*reg = operand
	case opToXMM:
		le.PutUint64(c.f.FPU[xmm0:], operand)
	case opFrXMM:
		*c.regs[in.rm] = le.Uint64(c.f.FPU[xmm0:])
	case opGroup5:
		if in.reg&7 == 2 {
			if fault := c.push(next); fault != nil {
				return fault, next
			}
		}
		next = operand
	case opGroup1:
		c.arithmetic(in.reg&7, c.regs[in.rm], in.imm)
	default:
		c.arithmetic(int(in.op>>3), c.regs[in.rm], *reg)
	}
	return nil, next
}

// arithmetic does operation 0 add, 5 sub, 6 xor or 7 cmp, and sets the flags.
func (c *cpu) arithmetic(operation int, dst *uint64, src uint64) {
	result, borrow := *dst-src, *dst < src
	switch operation {
	case 0:
		result = *dst + src
		borrow = result < src
	case 6:
		result, borrow = *dst^src, false
	}
	if operation != 7 {
		*dst = result
	}
	flags := c.f.RFLAGS &^ (carry | zero | sign)
	if borrow {
		flags |= carry
	}
	if result == 0 {
		flags |= zero
	}
	if int64(result) < 0 {
		flags |= sign
	}
	c.f.RFLAGS = flags
}

// condition tells whether condition code cc holds (SDM 1 appendix B): the
// carry, the zero and the sign flag, each also negated.
func (c *cpu) condition(cc uint16) bool {
	flag := map[uint16]uint64{2: carry, 4: zero, 8: sign}[cc&^1]
	return c.f.RFLAGS&flag != 0 == (cc&1 == 0)
}

func (c *cpu) write(va mm.VirtAddr, b []byte) *softmmu.PageFault {
	if !canonical(va) {
		return &softmmu.PageFault{VA: va}
	}
	_, fault := c.m.MMU.WriteUser(c.root, va, b)
	return fault
}

func (c *cpu) push(v uint64) *softmmu.PageFault {
	fault := c.write(mm.VirtAddr(c.f.RSP-8), binary.LittleEndian.AppendUint64(nil, v))
	if fault == nil {
		c.f.RSP -= 8
	}
	return fault
}

func (c *cpu) pop(dst *uint64) *softmmu.PageFault {
	var b [8]byte
	if va := mm.VirtAddr(c.f.RSP); !canonical(va) {
		return &softmmu.PageFault{VA: va}
	} else if _, fault := c.m.MMU.ReadUser(c.root, va, b[:]); fault != nil {
		return fault
	}
	c.f.RSP += 8
	*dst = binary.LittleEndian.Uint64(b[:])
	return nil
}
