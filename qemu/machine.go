package qemu

import (
	"fmt"
	"strconv"
	"strings"
)

// Machine is one of the machines that Yolk runs on, as data.
type Machine struct {
	Name string
	Type string // the value of QEMU's -machine
	Note string // one line: what the machine is for
}

// Machines are the machines, the default one first.  The kernel treats them
// alike: it uses only what all three have.
var Machines = []Machine{
	{
		Name: "q35",
		Type: "q35",
		Note: "a PC with PCI Express; the default",
	}, {
		Name: "pc",
		Type: "pc",
		Note: "a PC of 1996 (i440FX)",
	}, {
		Name: "microvm",
		Type: "microvm,pit=on,pic=on,rtc=on,isa-serial=off,acpi=off,auto-kernel-cmdline=off",
		Note: "no PCI, no ACPI; reaches the kernel soonest",
	},
}

// Lookup finds a machine by its name.
func Lookup(name string) (Machine, bool) {
	for _, m := range Machines {
		if m.Name == name {
			return m, true
		}
	}
	return Machine{}, false
}

// The ports and interrupt lines of the devices (PROTOCOL.md, "Devices").
const (
	PortCOM1  = 0x3f8 // console, both ways
	PortCOM2  = 0x2f8 // program channel, to the guest
	PortLog   = 0xe9  // the kernel's log
	PortTrace = 0xea  // trace records
	PortOut   = 0xeb  // program channel, from the guest
	PortExit  = 0xf4  // isa-debug-exit

	irqCOM1 = 4
	irqCOM2 = 3
)

// The defaults of a Config.
const (
	DefaultMachine = "q35"
	DefaultCPU     = "max"
	DefaultMemory  = 512 // MiB
)

// Config says which machine to start and what to start on it.
type Config struct {
	Machine string   // a name of Machines; "" is DefaultMachine
	CPU     string   // QEMU's -cpu, verbatim; "" is DefaultCPU
	Memory  int      // MiB; 0 is DefaultMemory
	Kernel  string   // path of the PVH image
	Initrd  string   // path of the initrd; "" for none
	Params  Params   // the kernel's command line
	Line    string   // the same as text, which counts where it is not empty
	ICount  bool     // count instructions: two runs repeat exactly
	RR      *RR      // record the run, or replay it; implies ICount
	GDB     int      // port for a debugger on 127.0.0.1; the machine waits for it; 0 is none
	Extra   []string // further arguments for QEMU, verbatim
}

// CommandLine is the kernel's command line.
func (c *Config) CommandLine() (string, error) {
	if c.Line != "" {
		return c.Line, nil
	}
	return c.Params.CommandLine()
}

// args builds QEMU's argument list for the devices whose host ends are links.
func (c *Config) args(links *links) ([]string, error) {
	m, ok := Lookup(or(c.Machine, DefaultMachine))
	if !ok {
		return nil, fmt.Errorf("no machine %q (there are %s)", c.Machine, machineNames())
	}
	cmdline, err := c.CommandLine()
	if err != nil {
		return nil, err
	}
	mem := c.Memory
	if mem == 0 {
		mem = DefaultMemory
	}
	a := []string{
		"-machine", m.Type, "-cpu", or(c.CPU, DefaultCPU), "-m", strconv.Itoa(mem),
		"-no-user-config", "-nodefaults", "-display", "none", "-no-reboot",
		"-kernel", c.Kernel, "-append", cmdline,
	}
	if c.Initrd != "" {
		a = append(a, "-initrd", c.Initrd)
	}
	if c.RR != nil {
		a = append(a, c.RR.args()...)
	} else if c.ICount {
		a = append(a, "-icount", "shift=0,sleep=off")
	}
	if c.RR != nil || c.ICount {
		a = append(a, "-seed", "1", "-rtc", "base=2026-01-01,clock=vm")
	}
	if c.GDB != 0 {
		a = append(a, "-gdb", "tcp:127.0.0.1:"+strconv.Itoa(c.GDB), "-S")
	}
	a = append(a, deviceArgs(links)...)
	if links.stub != nil {
		a = append(a, "-chardev", links.stub.spec, "-gdb", "chardev:"+links.stub.name, "-S")
	}
	return append(a, c.Extra...), nil
}

// deviceArgs names the devices of PROTOCOL.md and the character devices
// behind them.
func deviceArgs(l *links) []string {
	serial := func(k *link, port, irq int) []string {
		return []string{"-chardev", k.spec, "-device",
			fmt.Sprintf("isa-serial,chardev=%s,iobase=%#x,irq=%d", k.name, port, irq)}
	}
	debug := func(k *link, port int) []string {
		return []string{"-chardev", k.spec, "-device",
			fmt.Sprintf("isa-debugcon,chardev=%s,iobase=%#x,readback=%#x", k.name, port, port)}
	}
	var a []string
	a = append(a, serial(l.com1, PortCOM1, irqCOM1)...)
	a = append(a, serial(l.com2, PortCOM2, irqCOM2)...)
	a = append(a, debug(l.log, PortLog)...)
	a = append(a, debug(l.trace, PortTrace)...)
	a = append(a, debug(l.out, PortOut)...)
	return append(a, "-device", fmt.Sprintf("isa-debug-exit,iobase=%#x,iosize=4", PortExit))
}

func machineNames() string {
	var names []string
	for _, m := range Machines {
		names = append(names, m.Name)
	}
	return strings.Join(names, ", ")
}

func or(s, absent string) string {
	if s == "" {
		return absent
	}
	return s
}
