package qemu

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"yolk/kernel/trace"
)

// DefaultPatience is how long the kernel's heartbeat may stand still.
const DefaultPatience = 60 * time.Second

// IO is what the machine's channels lead to on the host.  A nil reader is at
// its end, a nil writer discards.
type IO struct {
	ConsoleIn  io.Reader // the guest's terminal; at its end the guest gets Ctrl-D; ErrQuit ends the machine
	ConsoleOut io.Writer
	Stdin      io.Reader // of the program, where the console is not its descriptor; read only on demand
	Stdout     io.Writer // byte for byte
	Stderr     io.Writer
	Log        io.Writer          // the kernel's log and what QEMU itself says
	Trace      func(*trace.Event) // called for every event, in order; while it does not return, the machine goes on
	TraceRoom  int                // events that may wait for Trace; beyond, they become a trace.Lost; 0 is DefaultTraceRoom
	Resized    <-chan Size        // new sizes of the terminal
	Patience   time.Duration      // with the heartbeat; 0 is DefaultPatience, negative waits for ever
	Silence    time.Duration      // how long the guest may say nothing while its heart beats; 0 is for ever
	// Debugger speaks to QEMU's GDB stub, while the machine stands still until it is
	// told to go on.  Run waits for its return, which ends nothing.
	Debugger func(stub io.ReadWriter)
}

// ErrQuit, from the console's reader, ends the machine.
var ErrQuit = errors.New("quit")

var (
	errStopped = errors.New("stopped")
	errHung    = errors.New("no heartbeat")
	errSilent  = errors.New("nothing but heartbeats")
)

// Run boots the machine with the given QEMU and returns when it has ended and
// all that it sent has been delivered.  When ctx is done it ends the machine.
//
// A reader of streams that is blocked in Read is left behind, since nothing
// can end it; it takes nothing more from the machine.
func Run(ctx context.Context, qemu string, cfg *Config, streams *IO) Result {
	return run(ctx, qemu, cfg, streams, cfg.makeLink())
}

func run(ctx context.Context, qemu string, cfg *Config, streams *IO, make makeLink) Result {
	links, err := newLinks(make, streams.Debugger != nil)
	if err != nil {
		return Result{End: Failed, Why: err.Error()}
	}
	defer links.close()
	args, err := cfg.args(links)
	if err != nil {
		return Result{End: Failed, Why: err.Error()}
	}
	s := newSession(streams, links, cfg.RR)
	if cfg.GDB != 0 {
		s.heart.patience, s.voice.patience = 0, 0
	}
	runtime.LockOSThread() // QEMU dies with the thread that started it (ChildAttr)
	defer runtime.UnlockOSThread()
	cmd := exec.Command(qemu, args...)
	cmd.ExtraFiles = links.inherited()
	cmd.SysProcAttr = ChildAttr()
	cmd.Stdout, cmd.Stderr = s.qemuSays, s.qemuSays
	if err := cmd.Start(); err != nil {
		return Result{End: Failed, Why: fmt.Sprintf("cannot start QEMU: %v", err)}
	}
	links.started()
	return s.attend(ctx, cmd)
}

// A session is one run of a machine.
type session struct {
	*IO
	links    *links
	rr       *RR           // nil if the run is neither recorded nor a replay
	log      *lockedWriter // the kernel and QEMU both write to it
	qemuSays *lastLine

	stop   chan error   // the first reason to end QEMU
	heart  vital        // the kernel's beat
	voice  vital        // whatever else comes from the guest
	stuck  atomic.Int32 // deliveries under way: while the host does not take them, the guest may wait
	ready  atomic.Bool
	spoken atomic.Bool   // the guest has
	up     chan struct{} // closed at READY

	send struct {
		sync.Mutex // one frame at a time
		buf        []byte
	}
	input  credit
	output [2]*outStream
	events *traceQueue
	traced chan struct{}          // closed when the trace has been delivered
	took   atomic.Bool            // a reader of the trace or of the output has taken some since drain last looked
	uart   [2]paced               // COM1 and COM2
	exit   atomic.Pointer[uint32] // the EXIT frame's wait status
}

func newSession(streams *IO, links *links, rr *RR) *session {
	s := &session{
		IO: streams, links: links, rr: rr,
		log:  &lockedWriter{w: orDiscard(streams.Log)},
		stop: make(chan error, 1),
		up:   make(chan struct{}),

		events: newTraceQueue(streams.TraceRoom), traced: make(chan struct{}),
	}
	s.qemuSays = &lastLine{w: s.log}
	s.heart.patience, s.voice.patience = streams.Patience, streams.Silence
	if s.heart.patience == 0 {
		s.heart.patience = DefaultPatience
	}
	s.input.cond.L = &s.input.mu
	s.uart[0].init(links.com1, rr)
	s.uart[1].init(links.com2, rr)
	for i := range s.output {
		s.output[i] = newOutStream(rr.replays())
	}
	return s
}

// attend serves the machine until it has ended.
func (s *session) attend(ctx context.Context, cmd *exec.Cmd) Result {
	done := make(chan struct{}) // QEMU has ended
	var readers, writers sync.WaitGroup
	served := make(chan struct{})
	go func() {
		defer close(served)
		if s.links.accept() != nil {
			return // QEMU ended before it connected
		}
		s.serve(done, &readers, &writers)
	}()
	go s.writeTrace()
	finished := make(chan struct{})
	var reason error
	go func() {
		defer close(finished)
		reason = s.watch(ctx, done)
		s.endQEMU(cmd, done)
	}()
	waitErr := cmd.Wait()
	close(done)
	s.uart[0].close()
	s.uart[1].close()
	s.links.closeListeners()
	<-finished
	<-served
	if !s.drain(ctx, &readers, &writers) {
		reason = errStopped
	}
	o := outcome{
		stopped: reason, code: exitCode(cmd, waitErr), ready: s.ready.Load(), heard: s.spoken.Load(), exit: s.exit.Load(),
		qemuSays: s.qemuSays.String(), heartless: s.heart.patience, silent: s.voice.patience,
		replay: s.rr.replays(),
	}
	return o.judge()
}

// serve starts the goroutines that carry the channels.
func (s *session) serve(done <-chan struct{}, readers, writers *sync.WaitGroup) {
	l := s.links
	readers.Go(func() { s.copyOut(orDiscard(s.ConsoleOut), l.com1.host) })
	readers.Go(func() { s.copyOut(s.log, l.log.host) })
	readers.Go(func() { s.readTrace(l.trace.host) })
	readers.Go(func() { s.readFrames(l.out.host) })
	for i, w := range []io.Writer{s.Stdout, s.Stderr} {
		writers.Go(func() { s.writeStream(byte(i+1), orDiscard(w)) })
	}
	if s.Debugger != nil {
		readers.Go(func() { s.Debugger(l.stub.host) })
	}
	go s.feedConsole(done, &s.uart[0])
	go s.feedStdin()
	go s.feedSizes(done)
}

// drain waits until everything that the machine sent has been delivered; it
// gives up and returns false when ctx is done.
func (s *session) drain(ctx context.Context, readers, writers *sync.WaitGroup) bool {
	defer s.input.close()
	delivered := make(chan struct{})
	go func() {
		defer close(delivered)
		readers.Wait()
		for _, o := range s.output {
			o.close()
		}
		s.events.close()
		writers.Wait()
		<-s.traced
	}()
	s.took.Store(false)
	complaint := time.NewTicker(stalledAfter)
	defer complaint.Stop()
	for told := false; ; {
		select {
		case <-delivered:
			return true
		case <-ctx.Done():
			s.drainTrace()
			return false
		case <-complaint.C:
			if !told && !s.took.Swap(false) {
				told = true
				fmt.Fprintln(s.log, "yolk: the machine has ended; waiting for who reads its output or its trace (Ctrl-C gives up)")
			}
		}
	}
}

// stalledAfter is how long the readers may take nothing, once the machine has
// ended, before the user is told what yolk waits for.
const stalledAfter = 5 * time.Second

// drainTrace waits for the reader of the trace as long as it takes events.
func (s *session) drainTrace() {
	for {
		select {
		case <-s.traced:
			return
		case <-time.After(time.Second):
			if !s.took.Swap(false) {
				return
			}
		}
	}
}

// end asks for QEMU's end; the first reason counts.
func (s *session) end(reason error) {
	select {
	case s.stop <- reason:
	default:
	}
}

// A vital is a sign of life that must not stay away for too long.
//
// WHY ticks are counted and not time: a host that was suspended, or a yolk
// that was stopped, comes back to one late tick and not to a lost minute.
type vital struct {
	patience time.Duration // 0 or less: for ever
	seen     atomic.Bool   // since the last tick
	missed   int           // ticks without it
}

// ticks is how many make up the patience with a vital.
const ticks = 60

// ticker returns what ticks for v; nil for one that may stay away for ever.
func (v *vital) ticker() (tick <-chan time.Time, stop func()) {
	if v.patience <= 0 {
		return nil, func() {}
	}
	t := time.NewTicker(v.patience / ticks)
	return t.C, t.Stop
}

// lost is called at each tick, and reports whether v has stayed away too long;
// excused says that it is not the guest's fault.
func (v *vital) lost(excused bool) bool {
	if v.missed++; v.seen.Swap(false) || excused {
		v.missed = 0
	}
	return v.missed == ticks
}

// watch returns when QEMU has ended (nil) or must be ended, and why.
func (s *session) watch(ctx context.Context, done <-chan struct{}) error {
	beat, stopBeat := s.heart.ticker()
	defer stopBeat()
	word, stopWord := s.voice.ticker()
	defer stopWord()
	for {
		select {
		case <-done:
			return nil
		case <-ctx.Done():
			return errStopped
		case err := <-s.stop:
			return err
		case <-beat:
			if s.heart.lost(s.stuck.Load() > 0) {
				return errHung
			}
		case <-word:
			if s.voice.lost(s.stuck.Load() > 0) {
				return errSilent
			}
		}
	}
}

// heard notes bytes from the guest; during boot they count as a heartbeat.
func (s *session) heard() {
	s.voice.seen.Store(true)
	s.spoken.Store(true)
	if !s.ready.Load() {
		s.heart.seen.Store(true)
	}
}

// copyOut carries a plain channel to w.
func (s *session) copyOut(w io.Writer, r io.Reader) {
	buf := make([]byte, 32<<10)
	for {
		n, err := r.Read(buf)
		if n > 0 {
			s.heard()
			s.stuck.Add(1)
			w.Write(buf[:n]) // a host that does not take it must not stop the guest
			s.stuck.Add(-1)
		}
		if err != nil {
			return
		}
	}
}

// readTrace takes the trace from the machine.
func (s *session) readTrace(r io.Reader) {
	in := bufio.NewReaderSize(r, 64<<10)
	var dec trace.Decoder
	for {
		ev, err := dec.Decode(in)
		if err == trace.ErrFormat {
			s.end(fmt.Errorf("on the trace: %w", err))
			io.Copy(io.Discard, in)
		}
		if err != nil {
			return
		}
		s.heard()
		if s.Trace != nil {
			s.events.put(ev)
		}
	}
}

// writeTrace delivers the trace.
func (s *session) writeTrace() {
	defer close(s.traced)
	for events := s.events.take(nil); len(events) > 0; events = s.events.take(events) {
		for i := range events {
			s.Trace(&events[i])
			s.took.Store(true)
		}
	}
}

// readFrames carries the guest's half of the program channel.
func (s *session) readFrames(r io.Reader) {
	in := bufio.NewReaderSize(r, 64<<10)
	buf := make([]byte, maxToHost)
	for {
		kind, payload, err := readFrame(in, buf)
		if err == nil {
			err = s.frame(kind, payload)
		}
		if err == nil {
			continue
		}
		if err != io.EOF {
			s.end(err)
			io.Copy(io.Discard, in)
		}
		return
	}
}

// frame acts on one frame.
func (s *session) frame(kind byte, payload []byte) error {
	if kind == frameBeat {
		s.heart.seen.Store(true)
		return nil
	}
	s.heard()
	switch kind {
	case frameReady:
		s.heart.seen.Store(true)
		if s.ready.Swap(true) {
			return errors.New("a second READY")
		}
		close(s.up)
	case frameStdout, frameStderr:
		s.stuck.Add(1) // a replay waits for the host
		defer s.stuck.Add(-1)
		return s.output[kind-frameStdout].put(payload)
	case frameAsk:
		s.input.add(int64(binary.LittleEndian.Uint32(payload)))
	case frameTaken:
		return s.taken(payload[0], payload[1])
	case frameExit:
		status := binary.LittleEndian.Uint32(payload)
		s.exit.Store(&status)
	}
	return nil
}

// sendFrame sends one frame to the guest.  An error means that the machine
// has ended, which others notice.
func (s *session) sendFrame(kind byte, payload ...byte) {
	s.send.Lock()
	defer s.send.Unlock()
	s.send.buf = appendFrame(s.send.buf[:0], kind, payload...)
	s.uart[1].Write(s.send.buf)
}

// writeStream delivers an output stream and gives back its credit.
func (s *session) writeStream(stream byte, w io.Writer) {
	o := s.output[stream-1]
	owed := 0
	for {
		b := o.take()
		if b == nil {
			return
		}
		if _, err := w.Write(b); err != nil {
			o.discard()
			s.sendFrame(frameBroken, stream)
			return
		}
		s.took.Store(true)
		if owed += len(b); owed >= grantAt {
			o.grant(owed)
			s.sendFrame(frameGrant, binary.LittleEndian.AppendUint32([]byte{stream}, uint32(owed))...)
			owed = 0
		}
	}
}

// feedConsole carries the host's terminal to the guest, from READY on.
func (s *session) feedConsole(done <-chan struct{}, w io.Writer) {
	typed := make(chan []byte, 64) // what was typed during boot waits here
	go s.readConsole(typed, done)
	select {
	case <-s.up:
	case <-done:
		return
	}
	for {
		select {
		case b := <-typed:
			if _, err := w.Write(b); err != nil {
				return
			}
		case <-done:
			return
		}
	}
}

// readConsole reads what is typed, also during boot: the user may want to quit.
func (s *session) readConsole(typed chan<- []byte, done <-chan struct{}) {
	if s.ConsoleIn == nil {
		return
	}
	for {
		buf := make([]byte, 4096)
		n, err := s.ConsoleIn.Read(buf)
		if errors.Is(err, ErrQuit) {
			s.end(errStopped)
			return
		}
		if err != nil {
			buf, n = append(buf[:n], ctrlD), n+1
		}
		select {
		case typed <- buf[:n]:
		case <-done:
			return
		}
		if err != nil {
			return
		}
	}
}

const ctrlD = 0x04

// feedStdin carries the host's standard input as the guest asks for it.
func (s *session) feedStdin() {
	in := s.Stdin
	if in == nil {
		in = bytes.NewReader(nil)
	}
	buf := make([]byte, maxToGuest)
	for {
		room := s.input.wait()
		if room == 0 {
			return
		}
		n, err := in.Read(buf[:min(room, maxToGuest)])
		if n > 0 {
			s.input.add(-int64(n))
			s.sendFrame(frameStdin, buf[:n]...)
		}
		if err != nil {
			s.sendFrame(frameEOF)
			return
		}
	}
}

// feedSizes tells the guest of the terminal's new sizes.
func (s *session) feedSizes(done <-chan struct{}) {
	select {
	case <-s.up:
	case <-done:
		return
	}
	for {
		select {
		case <-done:
			return
		case size, ok := <-s.Resized:
			if !ok {
				return
			}
			b := binary.LittleEndian.AppendUint16(nil, uint16(size.Rows))
			s.sendFrame(frameWinSize, binary.LittleEndian.AppendUint16(b, uint16(size.Cols))...)
		}
	}
}

// exitCode is QEMU's exit status, or -1 if a signal ended it.
func exitCode(cmd *exec.Cmd, err error) int {
	var exit *exec.ExitError
	if err == nil || errors.As(err, &exit) || cmd.ProcessState != nil {
		return cmd.ProcessState.ExitCode()
	}
	return -1
}

func orDiscard(w io.Writer) io.Writer {
	if w == nil {
		return io.Discard
	}
	return w
}
