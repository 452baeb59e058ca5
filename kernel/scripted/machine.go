// Package scripted is a machine for tests of the kernel on any host: simulated
// RAM behind mm/softmmu, and a processor that knows some twenty instructions of
// x86-64.
//
// User programs are real machine code in user memory ([Asm] writes it), and a
// process is nothing but its trap frame and that memory; so fork duplicates it
// truly, exec replaces it truly, and the same image runs on a real processor.
// Instructions are fetched through the page tables like everything else.
//
// It is one processor: user code runs only while nobody runs kernel code, for
// Enter is called with the kernel lock held.  Which process runs next is up to
// Go's scheduler; a test that depends on it is wrong.
package scripted

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"yolk/arch/amd64"
	"yolk/mm"
	"yolk/mm/softmmu"
)

// Machine implements kernel.Machine.
type Machine struct {
	MMU     *softmmu.MMU
	Quantum int // instructions between two timer interrupts

	// Probe is called for each probe instruction (Asm.Probe), with the number
	// that it carries and the registers.  Programs use it to tell a test how
	// far they are; a real processor takes it for a no-operation.
	Probe func(id uint32, f *amd64.TrapFrame)

	phys  mm.Physical
	start time.Time
	rand  *rand.ChaCha8

	mu     sync.Mutex // guards what follows
	lines  []string
	off    bool
	status uint32
}

// New returns a machine whose RAM is phys.
func New(phys mm.Physical) *Machine {
	return &Machine{
		MMU: softmmu.New(phys), Quantum: 500,
		phys: phys, start: time.Now(), rand: rand.NewChaCha8([32]byte{'y', 'o', 'l', 'k'}),
	}
}

// NewFrame implements kernel.Machine.
func (m *Machine) NewFrame() *amd64.TrapFrame { return new(amd64.TrapFrame) }

// Nanotime implements kernel.Machine, with the test's clock.
func (m *Machine) Nanotime() int64 { return int64(time.Since(m.start)) }

// Walltime implements kernel.Machine.
func (m *Machine) Walltime() int64 { return time.Now().UnixNano() }

// Random implements kernel.Machine; every machine gives the same bytes.
func (m *Machine) Random(b []byte) { m.rand.Read(b) }

// Log implements kernel.Machine.
func (m *Machine) Log(line string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.lines = append(m.lines, line)
}

// Lines returns what was logged.
func (m *Machine) Lines() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.lines
}

// PowerOff implements kernel.Machine; it returns, and the kernel ends every
// process.
func (m *Machine) PowerOff(status uint32) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.off, m.status = true, status
}

// Off reports whether the machine was powered off, and with what status.
func (m *Machine) Off() (status uint32, off bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.status, m.off
}

// Enter implements kernel.Machine: it runs instructions until one traps, or a
// timer interrupt after Quantum of them.  A state with which the real processor
// would fault in the kernel, or hand ring 0 to the program, is a panic.
func (m *Machine) Enter(f *amd64.TrapFrame, root mm.Frame) {
	if f.CS != amd64.UserCode || f.SS != amd64.UserData || f.RFLAGS&^(amd64.FlagsUser|amd64.FlagsFixed) != 0 ||
		f.RFLAGS&amd64.FlagsFixed != amd64.FlagsFixed || !canonical(mm.VirtAddr(f.RIP)) ||
		!canonical(mm.VirtAddr(f.FSBase)) || !canonical(mm.VirtAddr(f.GSBase)) {
		panic(fmt.Sprintf("scripted: user mode cannot be entered with %+v", *f))
	}
	m.MMU.Loaded = root
	c := newCPU(m, f, root)
	f.Error = 0
	for range m.Quantum {
		if f.Vector = c.step(); f.Vector != none {
			return
		}
	}
	f.Vector = amd64.FirstInterrupt
}
