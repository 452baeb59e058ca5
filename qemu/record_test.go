package qemu

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"os"
	ossignal "os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestRecordingFormat: what QEMU is started with for a replay.  Whoever changes
// it changes recordingFormat, too, for old recordings cannot be replayed then.
func TestRecordingFormat(t *testing.T) {
	want := `-machine q35 -cpu max -m 512 -no-user-config -nodefaults -display none -no-reboot -kernel D/kernel.elf -append line -initrd D/initrd.cpio
-icount shift=0,sleep=on,rr=replay,rrfile=D/events.rr,rrsnapshot=init -drive if=none,id=snapshots,format=qcow2,file=D/snapshots.qcow2
-global apic-common.vapic=off -serial none -serial none -serial none -serial none -serial chardev:com1 -serial chardev:com2
-seed 1 -rtc base=2026-01-01,clock=vm
-chardev SPEC -device isa-serial,chardev=com1,iobase=0x3f8,irq=4 -chardev SPEC -device isa-serial,chardev=com2,iobase=0x2f8,irq=3
-chardev SPEC -device isa-debugcon,chardev=log,iobase=0xe9,readback=0xe9 -chardev SPEC -device isa-debugcon,chardev=trace,iobase=0xea,readback=0xea
-chardev SPEC -device isa-debugcon,chardev=out,iobase=0xeb,readback=0xeb -device isa-debug-exit,iobase=0xf4,iosize=4`
	links, err := newLinks(func(name string, _ bool, _ int) (*link, error) { return &link{name: name, spec: "SPEC"}, nil }, false)
	if err != nil {
		t.Fatal(err)
	}
	r := Recording{dir: t.TempDir(), Manifest: Manifest{Machine: "q35", CPU: "max", Memory: 512, CommandLine: "line"}}
	if err := os.WriteFile(r.path(memberInitrd), nil, 0o666); err != nil {
		t.Fatal(err)
	}
	args, err := r.Config().args(links)
	got := strings.ReplaceAll(filepath.ToSlash(strings.Join(args, " ")), filepath.ToSlash(r.dir), "D")
	if want := strings.ReplaceAll(want, "\n", " "); err != nil || got != want || recordingFormat != 1 {
		t.Errorf("format %d, %v\n%s, want\n%s", recordingFormat, err, got, want)
	}
}

// TestOptionCommas: a comma in a path is not the end of it.
func TestOptionCommas(t *testing.T) {
	line := strings.Join((&RR{Dir: "a,b"}).args(), " ")
	for _, want := range []string{"rr=record,rrfile=a,,b", "file=a,,b"} {
		if !strings.Contains(line, want) {
			t.Errorf("no %q in %s", want, line)
		}
	}
}

// playRR runs a fake machine that records or replays.
func playRR(t *testing.T, name string, rr *RR, streams IO) Result {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	return Run(ctx, self, &Config{Kernel: "kernel", RR: rr, Extra: []string{"-fake", name}}, &streams)
}

// TestRecordedInput: a UART that records never has more under way than its FIFO
// holds, and all arrives.
func TestRecordedInput(t *testing.T) {
	want := strings.Repeat("0123456789", 300)
	var got, screen bytes.Buffer
	dir := t.TempDir()
	r := playRR(t, "records", &RR{Dir: dir}, IO{
		Stdin: strings.NewReader(want), Stdout: &got, ConsoleIn: strings.NewReader(strings.Repeat("x", 99)), ConsoleOut: &screen,
	})
	if r.ExitCode() != 0 || got.String() != want {
		t.Errorf("%+v: %d bytes came back of %d", r, got.Len(), len(want))
	}
	if screen.String() != strings.Repeat("x", 99)+"\x04" {
		t.Errorf("the console shows %q", &screen)
	}
	if !wholeLog(filepath.Join(dir, fileEvents)) {
		t.Error("the log is not whole")
	}
}

// playRecords is a kernel under taken=1: it reports what it takes, and ends with
// status 1 if there ever is more than a FIFO holds.
func (g *guest) playRecords() {
	g.ready()
	g.frame32(frameAsk, 1<<20)
	g.com1.Write(g.takeUntil(1, g.com1, func(b []byte) bool { return bytes.HasSuffix(b, []byte{ctrlD}) }))
	b := g.takeUntil(2, g.com2, func(b []byte) bool { return bytes.HasSuffix(b, appendFrame(nil, frameEOF)) })
	for len(b) > frameHeader {
		n := int(binary.LittleEndian.Uint16(b[1:]))
		g.frame(frameStdout, b[frameHeader:][:n]...)
		b = b[frameHeader+n:]
	}
	must(os.WriteFile(rrFile(), []byte{2, 0, 0, 0}, 0o666))
	g.finish(0)
}

func (g *guest) takeUntil(uart byte, r io.Reader, done func([]byte) bool) (all []byte) {
	buf := make([]byte, 4096)
	for !done(all) {
		time.Sleep(time.Millisecond) // for the host to send too much
		n, err := r.Read(buf)
		must(err)
		if n > 16 {
			g.finish(1 << 8)
		}
		all = append(all, buf[:n]...)
		g.frame(frameTaken, uart, byte(n))
	}
	return all
}

// rrFile is the path of the log that QEMU's arguments name.
func rrFile() string {
	i := slices.Index(os.Args, "-icount")
	return value(strings.Split(os.Args[i+1], ","), "rrfile")
}

// TestRecordedTakenOfNoUART: only COM1 and COM2 can take something.
func TestRecordedTakenOfNoUART(t *testing.T) {
	s := newSession(&IO{}, &links{}, nil)
	for uart, ok := range map[byte]bool{0: false, 1: true, 2: true, 3: false, 255: false} {
		if err := s.taken(uart, 1); (err == nil) != ok {
			t.Errorf("COM%d: %v", uart, err)
		}
	}
}

// playStuck hangs until it is asked to end.
func (g *guest) playStuck() {
	asked := make(chan os.Signal, 1)
	ossignal.Notify(asked, syscall.SIGTERM)
	must(os.WriteFile(rrFile(), make([]byte, 100), 0o666))
	<-asked
	must(os.WriteFile(rrFile(), []byte{2, 0, 0, 0}, 0o666))
	os.Exit(0)
}

// TestReplayWaitsForHost: the guest of a replay sends as it did when it was
// recorded, however slow the host's readers are now; that is not the guest's
// fault, and no lack of progress.
func TestReplayWaitsForHost(t *testing.T) {
	release := time.After(3 * patience)
	n := 0
	w := writerFunc(func(b []byte) (int, error) {
		<-release
		release = closed
		n += len(b)
		return len(b), nil
	})
	if r := playRR(t, "torrent", &RR{Replay: true}, IO{Stdout: w, Patience: patience}); r.ExitCode() != 0 || n != 8*outputCredit {
		t.Errorf("%+v, %d bytes", r, n)
	}
}

// TestReplayEnds: the log of a replay ends where the recorded run did.
func TestReplayEnds(t *testing.T) {
	for guest, want := range map[string]End{"reset": Replayed, "exit-7": Finished, "panic": Panicked, "bad-option": Failed} {
		if r := playRR(t, guest, &RR{Replay: true}, IO{}); r.End != want {
			t.Errorf("%s: %+v, want %v", guest, r, want)
		}
	}
}

func TestRunForDebugger(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for guest, want := range map[string]string{"exit-7": "", "panic": "", "reset": "", "bad-option": "qemu: no such option"} {
		cfg := &Config{Kernel: "kernel", RR: &RR{Replay: true}, Extra: []string{"-fake", guest}}
		err := RunForDebugger(t.Context(), self, cfg, io.Discard)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", guest, err, want)
		}
	}
	if err := RunForDebugger(t.Context(), "no-such-qemu", &Config{RR: &RR{Replay: true}}, io.Discard); err == nil {
		t.Error("a QEMU that does not exist ran")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	cfg := &Config{Kernel: "kernel", RR: &RR{Replay: true}, Extra: []string{"-fake", "hung"}}
	if err := RunForDebugger(ctx, self, cfg, io.Discard); err != nil {
		t.Errorf("stopped by the user: %v", err)
	}
}

// discard is a character device that leads nowhere.
type discard struct{}

func (discard) Read([]byte) (int, error)    { select {} }
func (discard) Write(b []byte) (int, error) { return len(b), nil }

// openPipe opens a pipe as QEMU does, with its log.
func openPipe(opts []string) io.ReadWriter {
	in, err := os.OpenFile(value(opts, "path")+".in", os.O_RDWR, 0)
	must(err)
	out, err := os.OpenFile(value(opts, "path")+".out", os.O_RDWR, 0)
	must(err)
	log, err := os.OpenFile(value(opts, "logfile"), os.O_WRONLY, 0)
	must(err)
	return struct {
		io.Reader
		io.Writer
	}{in, io.MultiWriter(out, log)}
}
