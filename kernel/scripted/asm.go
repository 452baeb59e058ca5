package scripted

import (
	"encoding/binary"
	"fmt"
)

// Reg is a general register.
type Reg byte

// The registers, by their number in an instruction.
const (
	RAX Reg = iota
	RCX
	RDX
	RBX
	RSP
	RBP
	RSI
	RDI
	R8
	R9
	R10
	R11
	R12
	R13
	R14
	R15
)

// Asm assembles the instructions that the machine knows, for code that will lie
// at Base.  Methods append; labels may be used before they are set.
type Asm struct {
	Base uint64

	code   []byte
	labels map[string]uint64
	fixups []fixup
}

type fixup struct {
	at    int // of the word to patch
	label string
	abs   bool // 64 bits absolute, else 32 bits relative to the next byte
}

// Bytes returns the code.  It panics on a label that was never set.
func (a *Asm) Bytes() []byte {
	for _, x := range a.fixups {
		to := a.Addr(x.label)
		if x.abs {
			binary.LittleEndian.PutUint64(a.code[x.at:], to)
		} else {
			binary.LittleEndian.PutUint32(a.code[x.at:], uint32(to-a.Base-uint64(x.at)-4))
		}
	}
	return a.code
}

// Addr returns the address of a label.
func (a *Asm) Addr(label string) uint64 {
	to, ok := a.labels[label]
	if !ok {
		panic(fmt.Sprintf("scripted: no label %q", label))
	}
	return to
}

// Here returns the address of the next instruction.
func (a *Asm) Here() uint64 { return a.Base + uint64(len(a.code)) }

// Label sets a label here.
func (a *Asm) Label(name string) *Asm {
	if a.labels == nil {
		a.labels = map[string]uint64{}
	}
	if _, dup := a.labels[name]; dup {
		panic(fmt.Sprintf("scripted: label %q twice", name))
	}
	a.labels[name] = a.Here()
	return a
}

// Raw appends bytes as they are.
func (a *Asm) Raw(b ...byte) *Asm {
	a.code = append(a.code, b...)
	return a
}

// String appends a NUL-terminated string with a label.
func (a *Asm) String(label, s string) *Asm { return a.Label(label).Raw(append([]byte(s), 0)...) }

// Words appends 64-bit words with a label.
func (a *Asm) Words(label string, words ...uint64) *Asm {
	a.Label(label)
	for _, w := range words {
		a.code = binary.LittleEndian.AppendUint64(a.code, w)
	}
	return a
}

// Pointers appends the addresses of labels, then a nil pointer.
func (a *Asm) Pointers(label string, to ...string) *Asm {
	a.Label(label)
	for _, l := range to {
		a.fixups = append(a.fixups, fixup{len(a.code), l, true})
		a.code = append(a.code, make([]byte, 8)...)
	}
	return a.Raw(make([]byte, 8)...)
}

// Mov loads a constant: an integer, or the address of a label given as string.
func (a *Asm) Mov(dst Reg, v any) *Asm {
	a.Raw(0x48|byte(dst>>3), opMovImm|byte(dst&7))
	word := uint64(0)
	switch v := v.(type) {
	case string:
		a.fixups = append(a.fixups, fixup{len(a.code), v, true})
	case int:
		word = uint64(v)
	case uint64:
		word = v
	default:
		panic(fmt.Sprintf("scripted: cannot load %T", v))
	}
	a.code = binary.LittleEndian.AppendUint64(a.code, word)
	return a
}

// rr appends a register-to-register instruction.
func (a *Asm) rr(op byte, rm, reg Reg) *Asm {
	return a.Raw(0x48|byte(reg>>3)<<2|byte(rm>>3), op, 0xc0|byte(reg&7)<<3|byte(rm&7))
}

// mem appends an instruction with an operand in memory.
func (a *Asm) mem(op []byte, base Reg, disp int32, reg Reg) *Asm {
	a.Raw(0x48 | byte(reg>>3)<<2 | byte(base>>3)).Raw(op...).Raw(0x80 | byte(reg&7)<<3 | byte(base&7))
	if base&7 == 4 {
		a.Raw(0x24)
	}
	a.code = binary.LittleEndian.AppendUint32(a.code, uint32(disp))
	return a
}

// Copy is MOV dst, src.
func (a *Asm) Copy(dst, src Reg) *Asm { return a.rr(opStore, dst, src) }

// Add, Sub, Xor and Cmp take src from or into dst and set the flags.
func (a *Asm) Add(dst, src Reg) *Asm { return a.rr(opAdd, dst, src) }
func (a *Asm) Sub(dst, src Reg) *Asm { return a.rr(opSub, dst, src) }
func (a *Asm) Xor(dst, src Reg) *Asm { return a.rr(opXor, dst, src) }
func (a *Asm) Cmp(dst, src Reg) *Asm { return a.rr(opCmp, dst, src) }

// AddImm and CmpImm are the same with a constant.
func (a *Asm) AddImm(dst Reg, v int32) *Asm { return a.group1(0, dst, v) }
func (a *Asm) CmpImm(dst Reg, v int32) *Asm { return a.group1(7, dst, v) }

func (a *Asm) group1(operation byte, dst Reg, v int32) *Asm {
	a.Raw(0x48|byte(dst>>3), opGroup1, 0xc0|operation<<3|byte(dst&7))
	a.code = binary.LittleEndian.AppendUint32(a.code, uint32(v))
	return a
}

// Load and Store move 8 bytes at base+disp, Load8 and Store8 one.
func (a *Asm) Load(dst, base Reg, disp int32) *Asm { return a.mem([]byte{opLoad}, base, disp, dst) }
func (a *Asm) Store(base Reg, disp int32, src Reg) *Asm {
	return a.mem([]byte{opStore}, base, disp, src)
}
func (a *Asm) Load8(dst, base Reg, disp int32) *Asm {
	return a.mem([]byte{0x0f, 0xb6}, base, disp, dst)
}
func (a *Asm) Store8(base Reg, disp int32, src Reg) *Asm {
	return a.mem([]byte{opStore8}, base, disp, src)
}

// ToXMM and FromXMM move between RAX and the low half of XMM0.
func (a *Asm) ToXMM() *Asm   { return a.Raw(0x66, 0x48, 0x0f, 0x6e, 0xc0) }
func (a *Asm) FromXMM() *Asm { return a.Raw(0x66, 0x48, 0x0f, 0x7e, 0xc0) }

func (a *Asm) jump(label string, op ...byte) *Asm {
	a.Raw(op...)
	a.fixups = append(a.fixups, fixup{len(a.code), label, false})
	return a.Raw(0, 0, 0, 0)
}

// Jmp, Call and the conditional jumps go to a label: if the last result was
// zero, not zero, negative, not negative.
func (a *Asm) Jmp(label string) *Asm  { return a.jump(label, opJmp) }
func (a *Asm) Call(label string) *Asm { return a.jump(label, opCall) }
func (a *Asm) Jz(label string) *Asm   { return a.jump(label, 0x0f, 0x84) }
func (a *Asm) Jnz(label string) *Asm  { return a.jump(label, 0x0f, 0x85) }
func (a *Asm) Js(label string) *Asm   { return a.jump(label, 0x0f, 0x88) }
func (a *Asm) Jns(label string) *Asm  { return a.jump(label, 0x0f, 0x89) }

// JmpReg jumps to the address in a register.
func (a *Asm) JmpReg(r Reg) *Asm { return a.Raw(0x48|byte(r>>3), opGroup5, 0xe0|byte(r&7)) }

// Ret, Push and Pop use the stack.
func (a *Asm) Ret() *Asm       { return a.Raw(opRet) }
func (a *Asm) Push(r Reg) *Asm { return a.Raw(0x40|byte(r>>3), opPush|byte(r&7)) }
func (a *Asm) Pop(r Reg) *Asm  { return a.Raw(0x40|byte(r>>3), opPop|byte(r&7)) }

// Probe calls Machine.Probe; on a real processor it does nothing (NOP r/m).
func (a *Asm) Probe(id uint32) *Asm {
	a.Raw(0x0f, 0x1f, 0x80)
	a.code = binary.LittleEndian.AppendUint32(a.code, id)
	return a
}

// Syscall makes a system call: the arguments are what Mov takes, or a Reg; nil
// leaves the register as it is.
func (a *Asm) Syscall(nr int, args ...any) *Asm {
	for i, reg := range []Reg{RDI, RSI, RDX, R10, R8, R9}[:len(args)] {
		switch v := args[i].(type) {
		case nil:
		case Reg:
			if v != reg {
				a.Copy(reg, v)
			}
		default:
			a.Mov(reg, v)
		}
	}
	return a.Mov(RAX, nr).Raw(0x0f, 0x05)
}

// Has reports whether a label has been set.
func (a *Asm) Has(label string) bool {
	_, ok := a.labels[label]
	return ok
}
