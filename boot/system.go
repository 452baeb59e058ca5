//go:build yolk

package main

import (
	"fmt"
	"runtime"
	"runtime/goos"
	"unsafe"

	"github.com/usbarmory/tamago/soc/intel/uart"

	"yolk/arch/amd64"
	"yolk/boot/params"
	"yolk/kernel"
	"yolk/kernel/abi"
	"yolk/kernel/dev"
	"yolk/kernel/fs"
	"yolk/kernel/initramfs"
	"yolk/kernel/pipe"
	"yolk/kernel/proc"
	"yolk/kernel/tty"
	"yolk/kernel/vfs"
	"yolk/mm"
)

// system is what lies around the kernel proper: the tree of files, the
// terminal and the channel to the host.
type system struct {
	kernel  *kernel.Kernel
	machine *machine
	names   *vfs.Context
	devices vfs.Devices
	params  *params.Params
	holders []mm.Holder // of all memory
	console *tty.TTY
	port    *uart.UART // the console's
	wire    *dev.Wire
}

// newSystem unpacks the initrd and makes /dev, /proc and /tmp.
func newSystem(k *kernel.Kernel, hw *machine, p *params.Params) (*system, error) {
	s := &system{kernel: k, machine: hw, devices: vfs.Devices{}, params: p}
	pipes := pipe.NewPool(k.Memory(), k.Memory().Frames.Total()/32)
	tree, err := fs.New(fs.Config{
		Memory: k.Memory(), Budget: k.Share(0), Devices: s.devices, Pipes: pipes, Now: hw.Walltime,
		Reserve: k.Memory().Frames.Total() / 16,
	})
	if err != nil {
		return nil, err
	}
	if err := s.unpack(tree); err != nil {
		return nil, err
	}
	s.holders = []mm.Holder{k, tree, pipes}
	descriptions := int(k.Budget().Limit() / vfs.DescriptionCost) // in all, each charged to who opened it
	s.names = vfs.NewContext(vfs.NewSystem(descriptions, pipes), tree.Root())
	s.startConsole()
	s.startChannel()
	if err := s.populate(tree.Root()); err != nil {
		return nil, err
	}
	return s, nil
}

// unpack fills the tree from the initrd and gives back its memory, as far as no
// file's pages lie there.
func (s *system) unpack(tree *fs.Tree) error {
	r := loaded.initrd
	if r.Size == 0 {
		return fmt.Errorf("no initrd; start QEMU with -initrd, or use yolk run")
	}
	data := unsafe.Slice((*byte)(virtual(directMap+r.Addr)), r.Size)
	first := mm.Frame(r.Addr / pageSize)
	if r.Addr%pageSize != 0 {
		first = 0 // nothing lies on a page boundary
	}
	free, err := initramfs.Unpack(tree, data, first)
	if err != nil {
		return fmt.Errorf("initrd: %w", err)
	}
	for _, f := range free {
		s.kernel.Memory().Frames.AddFree(f.First, f.Count)
	}
	return nil
}

// populate makes the directories that programs expect and fills /dev and /proc.
func (s *system) populate(root vfs.Dir) error {
	var dirs [3]vfs.Dir
	for i, name := range []string{"dev", "proc", "tmp"} {
		n, err := root.Lookup(nil, name)
		if err == vfs.ErrNotExist {
			n, err = root.Create(nil, name, abi.S_IFDIR|0o755, 0)
		}
		d, ok := n.(vfs.Dir)
		if err == nil && !ok {
			err = vfs.ErrNotDir
		}
		if err != nil {
			return fmt.Errorf("/%s: %w", name, err)
		}
		dirs[i] = d
	}
	s.names.System.Mount(dirs[1], proc.New(proc.Config{
		Kernel: s.kernel, Names: s.names, Uptime: nanotime, Walltime: s.machine.Walltime,
		Cmdline: string(loaded.command[:loaded.length]), Holders: s.holders,
	}).Root())
	for _, link := range [][2]string{
		{"fd", ""}, {"stdin", "/0"}, {"stdout", "/1"}, {"stderr", "/2"},
	} {
		if err := dirs[0].Symlink(nil, link[0], "/proc/self/fd"+link[1]); err != nil && err != vfs.ErrExist {
			return err
		}
	}
	if err := dev.Populate(dirs[0], s.devices, s.deviceEntries()); err != nil {
		return err
	}
	return dirs[2].SetAttr(nil, vfs.Attr{Set: vfs.SetMode, Mode: 0o1777})
}

// deviceEntries lists the machine's devices.
func (s *system) deviceEntries() []dev.Entry {
	entries := append(dev.Standard(s.machine.Random),
		dev.Entry{Name: "console", Major: 5, Minor: 1, Perm: 0o600, Device: s.console},
		dev.Entry{Name: "tty", Major: 5, Minor: 0, Perm: 0o666, Device: tty.Controlling{Terminals: []*tty.TTY{s.console}}},
		dev.Exit(s.kernel.PowerOff))
	entries = append(entries, s.wire.Entries()...)
	if s.params.Crash == "device" {
		entries = append(entries, dev.Trigger("crash", 241, func(kind string) {
			crash(kind, s.kernel.Memory())
		}))
	}
	return entries
}

// startConsole makes COM1 the terminal, through TamaGo's driver.
func (s *system) startConsole() {
	s.port = &uart.UART{Index: 1, Base: 0x3f8}
	s.console = tty.New(tty.Config{
		Out:    s.port,
		Signal: s.kernel.SignalGroup,
		Alive:  func(pid int) bool { return s.kernel.Process(pid) != nil },
	})
	s.console.SetSize(abi.Winsize{Rows: uint16(s.params.Rows), Cols: uint16(s.params.Cols)})
	s.listen(s.port, lineConsole, s.console.Input)
}

// startChannel makes COM2 and the debug console 0xeb the program channel.
func (s *system) startChannel() {
	s.wire = dev.NewWire(
		func(frame []byte) { amd64.OutBytes(portChannel, &frame[0], len(frame)) },
		func(rows, cols uint16) { s.console.SetSize(abi.Winsize{Rows: rows, Cols: cols}) })
	s.listen(&uart.UART{Index: 2, Base: 0x2f8}, lineChannel, s.wire.Receive)
}

// listen passes what a UART receives to input, under the kernel lock.
//
// WHY the divisor latch and the FIFO's trigger level: QEMU paces what it delivers
// by the baud rate, and at 115,200 baud with an interrupt per byte a file would
// trickle in.  At the highest rate and 14 bytes an interrupt it flows.
func (s *system) listen(port *uart.UART, line uint, input func([]byte)) {
	port.Init()
	amd64.Out8(port.Base+uart.LCR, 0x80) // divisor latch open (PC16550D §8.1)
	amd64.Out8(port.Base, 1)
	amd64.Out8(port.Base+uart.IER, 0)
	amd64.Out8(port.Base+uart.LCR, 0x03) // 8 bits, no parity, one stop bit
	amd64.Out8(port.Base+uart.FCR, 0xc1) // FIFOs on, trigger at 14
	port.EnableInterrupt(make(chan bool))
	go func() {
		buf := make([]byte, 0, 255) // what a TAKEN frame can count
		for {
			goos.WaitInterrupt(line)
			for {
				c, ok := port.Rx(false)
				if ok {
					buf = append(buf, c)
				}
				if len(buf) == cap(buf) || !ok && len(buf) > 0 {
					s.kernel.Lock()
					input(buf)
					if s.params.Taken {
						s.wire.Send(dev.FrameTaken, []byte{byte(port.Index), byte(len(buf))})
					}
					s.kernel.Unlock()
					buf = buf[:0]
				}
				if !ok {
					break
				}
			}
		}
	}()
}

// start makes process 1: /bin/init, told by its arguments what to run and by
// its environment which descriptors are the terminal.
func (s *system) start() error {
	p := s.params
	argv := s.arguments()
	env := []string{"TERM=" + p.Term}
	for i, name := range []string{"STDIN", "STDOUT", "STDERR"} {
		path := "/dev/console"
		if len(argv) > 1 && p.TTY>>i&1 == 0 {
			path = fmt.Sprintf("/dev/channel%d", i)
		}
		env = append(env, "YOLK_"+name+"="+path)
	}
	files, err := s.openConsole()
	if err != nil {
		return err
	}
	if len(argv) == 1 {
		s.banner()
	}
	s.wire.Send(dev.FrameReady, nil)
	return s.kernel.Start("/bin/init", argv, env, files, s.names)
}

// banner greets whoever sits at the terminal.
func (s *system) banner() {
	frames := s.kernel.Memory().Frames
	fork := "copy-on-write"
	if s.params.EagerFork {
		fork = "eager"
	}
	const perMiB = mebibyte / pageSize
	s.port.Write([]byte(fmt.Sprintf(
		"Yolk, a kernel in Go (%s), x86-64 with four-level page tables, %s fork\r\n"+
			"memory: %d MiB free of %d MiB, %d MiB more for the kernel's Go heap\r\n"+
			"help lists the programs; exit, Ctrl-D or Ctrl-A x ends the machine\r\n",
		runtime.Version(), fork, frames.Free()/perMiB, frames.Total()/perMiB, heap.Size/mebibyte)))
}

// openConsole returns a descriptor table with the console as 0, 1 and 2: what
// process 1 has to say before it opens anything must not be lost.
func (s *system) openConsole() (*vfs.Table, error) {
	files := vfs.NewTable(s.kernel.Share(0))
	console, err := s.names.Open(nil, nil, "/dev/console", abi.O_RDWR|abi.O_NOCTTY, 0)
	if err != nil {
		return nil, fmt.Errorf("/dev/console: %w", err)
	}
	for i := range 3 {
		if i > 0 {
			console.Ref()
		}
		if _, err := files.Open(console, i, false); err != nil {
			return nil, err
		}
	}
	return files, nil
}

// arguments returns init's argv: with the program's from the command line, or
// with the name of the file where they stand.
func (s *system) arguments() []string {
	switch p := s.params; {
	case p.ArgsFile != "":
		return []string{"init", "-f", p.ArgsFile}
	case len(p.Args) > 0:
		return append([]string{"init", "--"}, p.Args...)
	}
	return []string{"init"}
}
