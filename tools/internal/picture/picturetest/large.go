package picturetest

import (
	"math/rand/v2"
	"slices"
	"time"

	"yolk/kernel/trace"
)

// The size that the picture is measured with.
const (
	manyProcesses = 100
	manyEvents    = 100_000
)

// measurement is what large finds, in milliseconds of the clock's.
type measurement struct {
	Seeks, Median, Worst   float64 // of the random seeks: their number; until they are drawn
	Frames, Frame, Longest float64 // while playing at 500 steps a second: frames drawn; the page's work for each
}

// large measures the picture of 100 processes and 100,000 events, and holds that
// only what is in sight is in the document.
//
// WHY it judges no time: a slow host is no defect of the page's.
func large(s *session) {
	events := busySystem(manyProcesses, manyEvents)
	s.show(&Demo{Events: events}, "large")
	s.want("#where", `^event 1 of 100,`)
	s.wantTrue("few events are in the document", "document.querySelectorAll('.event').length < 60")
	s.wantTrue("few processes are", "document.querySelectorAll('.lane').length < 60")
	s.wantTrue("few address spaces are", "document.querySelectorAll('.card').length < 6")
	var m measurement
	seeking := s.busy(seeks, &m)
	playing := s.busy(play, &m)
	s.wantTrue("it has played on", `Number(/event ([\d,]+)/.exec(document.getElementById('where').textContent)[1].replaceAll(',', '')) > 50000`)
	s.host.Say("picture/large: a random seek is drawn after %.0f ms (median), %.0f ms at worst, and takes %.0f ms of the processor's time", m.Median, m.Worst, seeking/m.Seeks)
	s.host.Say("picture/large: playing, a frame takes %.0f ms (median), the longest %.0f ms; %.0f ms of the processor's time each", m.Frame, m.Longest, playing/m.Frames)
}

// busy evaluates an expression and returns how many milliseconds of the
// processor's time the page's main thread has used for it.
func (s *session) busy(expression string, result any) float64 {
	var before, after time.Duration
	s.do(func() (err error) {
		before, err = s.page.Busy()
		return err
	})
	s.eval(expression, result)
	s.do(func() (err error) {
		after, err = s.page.Busy()
		return err
	})
	return float64(after-before) / float64(time.Millisecond)
}

// seeks goes to 200 random moments by the slider, and takes the time until the
// frame after each has been drawn.
const seeks = `(async () => {
	const drawn = () => new Promise(r => requestAnimationFrame(() => { const c = new MessageChannel(); c.port1.onmessage = r; c.port2.postMessage(0); }));
	const slider = document.getElementById('time');
	const times = [];
	let seed = 1;
	for (let n = 0; n < 200; n++) {
		seed = seed * 16807 % 2147483647;
		await drawn();
		const start = performance.now();
		slider.value = String(seed / 2147483647);
		slider.dispatchEvent(new Event('input'));
		await drawn();
		times.push(performance.now() - start);
	}
	times.sort((a, b) => a - b);
	return { Seeks: times.length, Median: times[100], Worst: times[199] };
})()`

// play plays for five seconds from the middle on and takes the time that the
// page needs for each frame: from its beginning until the next task.
const play = `(async () => {
	const slider = document.getElementById('time');
	slider.value = '0.5';
	slider.dispatchEvent(new Event('input'));
	const speed = document.querySelector('.player select');
	speed.value = '500';
	document.getElementById('play').click();
	const times = [];
	const end = performance.now() + 5000;
	await new Promise(done => {
		const frame = start => {
			const c = new MessageChannel();
			c.port1.onmessage = () => {
				times.push(performance.now() - start);
				if (performance.now() < end) requestAnimationFrame(frame); else done();
			};
			c.port2.postMessage(0);
		};
		requestAnimationFrame(frame);
	});
	document.getElementById('play').click();
	times.sort((a, b) => a - b);
	return { Frames: times.length, Frame: times[times.length >> 1], Longest: times[times.length - 1] };
})()`

// busySystem is the trace of a made-up system: processes that fork, write, share
// and end, with the events that Yolk would tell.
func busySystem(processes, events int) []trace.Event {
	b := &busy{random: rand.New(rand.NewPCG(1, 2)), refs: map[uint64]int{}, frame: 0x1000}
	b.tell(trace.Event{Kind: trace.Boot, Aux: 1 << 20, VA: 1 << 19, Old: 1, New: 2, Err: trace.StreamVersion})
	b.start()
	for len(b.events) < events {
		p := b.alive[b.random.IntN(len(b.alive))]
		switch dice := b.random.IntN(1000); {
		case len(b.alive) < processes && dice < 300:
			b.fork(p)
		case dice < 3 && len(b.alive) == processes && p.pid != 1:
			b.exit(p)
		default:
			b.write(p)
		}
	}
	return b.events
}

// busy is the made-up system.
type busy struct {
	random *rand.Rand
	events []trace.Event
	alive  []*busyProcess
	refs   map[uint64]int // by frame
	frame  uint64         // the last one given out
	pid    int32
}

type busyProcess struct {
	pid   int32
	root  uint64
	pages map[uint64]uint64 // entry by address
}

const (
	busyBase  = 0x100000000
	busyPages = 2048
	busyOwned = 1<<63 | 0x67 // NX, present, writable, user, accessed, dirty
)

func (b *busy) tell(ev trace.Event) {
	ev.Seq = uint64(len(b.events))
	ev.Time = int64(len(b.events)) * 10_000
	b.events = append(b.events, ev)
}

func (b *busy) take() uint64 {
	b.frame++
	return b.frame
}

// begin makes a process's address space.
func (b *busy) begin(maker int32) *busyProcess {
	b.pid++
	p := &busyProcess{pid: b.pid, root: b.take(), pages: map[uint64]uint64{}}
	b.tell(trace.Event{Kind: trace.TableMake, PID: maker, Old: p.root, New: p.root, Aux: 4})
	for level := uint64(3); level > 0; level-- {
		b.tell(trace.Event{Kind: trace.TableMake, PID: maker, VA: busyBase, Old: p.root, New: b.take(), Aux: level})
	}
	b.alive = append(b.alive, p)
	return p
}

func (b *busy) start() {
	p := b.begin(1)
	b.tell(trace.Event{Kind: trace.Map, PID: 1, VA: busyBase, Aux: busyPages * 4096, Old: p.root, Err: trace.MapRead | trace.MapWrite})
	b.tell(trace.Event{Kind: trace.Exec, PID: 1, New: p.root})
}

// set changes an entry and tells of it.
func (b *busy) set(pid int32, p *busyProcess, va, entry uint64) {
	old := p.pages[va]
	frame := func(e uint64) uint64 { return e >> 12 & (1<<40 - 1) }
	if old != 0 {
		b.refs[frame(old)]--
	}
	if entry == 0 {
		delete(p.pages, va)
	} else {
		b.refs[frame(entry)]++
		p.pages[va] = entry
	}
	refs := b.refs[frame(old)]
	if entry != 0 {
		refs = b.refs[frame(entry)]
	}
	b.tell(trace.Event{Kind: trace.Entry, PID: pid, VA: va, Old: old, New: entry, Aux: p.root, Refs: uint32(refs)})
}

func (b *busy) fork(p *busyProcess) {
	child := b.begin(p.pid)
	for _, va := range sortedPages(p) {
		shared := p.pages[va]&^0x62 | 0x200
		b.set(p.pid, p, va, shared)
		b.set(p.pid, child, va, shared)
	}
	b.tell(trace.Event{Kind: trace.FlushSpace, PID: p.pid, Old: p.root})
	b.tell(trace.Event{Kind: trace.Fork, PID: p.pid, Aux: uint64(child.pid), Old: p.root, New: child.root})
}

func (b *busy) exit(p *busyProcess) {
	for _, va := range sortedPages(p) {
		b.set(p.pid, p, va, 0)
	}
	b.tell(trace.Event{Kind: trace.TableFree, PID: p.pid, Old: p.root, Aux: 4})
	b.tell(trace.Event{Kind: trace.Exit, PID: p.pid})
	b.tell(trace.Event{Kind: trace.Wait, PID: 1, Aux: uint64(p.pid)})
	b.alive = slices.DeleteFunc(b.alive, func(q *busyProcess) bool { return q == p })
}

// write is a write to some page, with the fault that it takes.
func (b *busy) write(p *busyProcess) {
	span := 40 + len(b.events)/200
	va := busyBase + uint64(b.random.IntN(min(span, busyPages)))*4096
	old := p.pages[va]
	frame := old >> 12 & (1<<40 - 1)
	ev := trace.Event{Kind: trace.Fault, PID: p.pid, VA: va + 8, Err: 7, Old: frame, Refs: uint32(b.refs[frame])}
	switch {
	case old == 0:
		ev.Err, ev.Decision, ev.Old, ev.New, ev.Refs = 6, trace.DemandZero, 0, b.take(), 0
	case old&2 != 0:
		return
	case b.refs[frame] == 1:
		ev.Decision, ev.New = trace.COWReuse, frame
	default:
		ev.Decision, ev.New = trace.COWCopy, b.take()
	}
	b.set(p.pid, p, va, ev.New<<12|busyOwned)
	if old != 0 {
		b.tell(trace.Event{Kind: trace.FlushPage, PID: p.pid, VA: va, Old: p.root})
	}
	b.tell(ev)
}

// sortedPages are the addresses of a process's pages.
func sortedPages(p *busyProcess) []uint64 {
	var list []uint64
	for va := range p.pages {
		list = append(list, va)
	}
	slices.Sort(list)
	return list
}
