package picturetest

import (
	"fmt"
	"regexp"
	"strconv"

	"yolk/kernel/trace"
)

// cowLine is a line of cowdemo's output: what /proc says of a page.
var cowLine = regexp.MustCompile(`step=(\S+) pid=(\d+) va=(0x[0-9a-f]+) pfn=(0x[0-9a-f]+) refs=(\d+) cow=(\d) copies=(\d) reuses=(\d)`)

// cowdemo: at each of cowdemo's writes the picture shows exactly the one page
// that splits, or that the last owner gets back; and at each step every frame,
// count and mark is what the program has read from /proc.
func cowdemo(s *session) {
	d := s.demo("cowdemo")
	s.show(d, "cowdemo")
	lines := cowLine.FindAllStringSubmatch(d.Stdout, -1)
	if len(lines) != 18 {
		s.fail("cowdemo prints %d lines, want 18:\n%s", len(lines), d.Stdout)
		return
	}
	moments := s.cowMoments(d, lines)
	for _, m := range lines {
		step, pid, va, pfn, refs, cow := m[1], m[2], m[3], m[4], m[5], m[6]
		s.at(moments[step])
		s.press("Escape") // the event's page, not the one of the line before
		if m[7] == "1" {
			s.wantCopy(pid, va, lineOf(lines, "forked", pid, va)[4], pfn)
		} else if m[8] == "1" {
			s.wantReuse(pid, va, pfn)
		}
		s.goTo("frame " + pfn)
		s.want("#page-va", "^"+va+"$")
		s.want("#page-mapped", "^"+refs+" ")
		s.want("#mappers", `PID `+pid+`\b`)
		s.wantTrue("the mark of "+m[0], fmt.Sprintf("document.querySelectorAll('.bits li')[1].className === %q", map[string]string{"0": "off", "1": "on"}[cow]))
		if s.err != nil {
			s.err = fmt.Errorf("%s: %w", m[0], s.err)
			return
		}
	}
}

// lineOf is the line of a step about a page of a process.
func lineOf(lines [][]string, step, pid, va string) []string {
	for _, m := range lines {
		if m[1] == step && m[2] == pid && m[3] == va {
			return m
		}
	}
	return make([]string, 9)
}

// cowMoments finds the event that begins each of cowdemo's steps.
func (s *session) cowMoments(d *Demo, lines [][]string) map[string]int {
	var child int32
	fmt.Sscan(lines[4][2], &child)
	fork := s.index(d.Events, "the fork", func(ev *trace.Event) bool { return ev.Kind == trace.Fork && ev.Aux == uint64(child) })
	moments := map[string]int{
		"before": fork - 1, "forked": fork,
		"child-exited": s.index(d.Events, "the child's exit", func(ev *trace.Event) bool { return ev.Kind == trace.Exit && ev.PID == child }),
	}
	for moments["before"] > 0 && d.Events[moments["before"]].Kind != trace.Fault {
		moments["before"]-- // what lies between is the fork's
	}
	for _, m := range lines {
		decision := map[string]trace.Decision{"10": trace.COWCopy, "01": trace.COWReuse}[m[7]+m[8]]
		if decision == trace.NoDecision {
			continue
		}
		va, _ := strconv.ParseUint(m[3], 0, 64)
		moments[m[1]] = s.index(d.Events, m[0], func(ev *trace.Event) bool {
			return ev.Kind == trace.Fault && ev.VA&^0xfff == va && ev.Decision == decision && fmt.Sprint(ev.PID) == m[2]
		})
	}
	return moments
}

// wantCopy wants the moment to be one at which exactly one page splits.
func (s *session) wantCopy(pid, va, old, copied string) {
	s.want("#sentence", fmt.Sprintf(`^PID %s wrote to %s: the frame %s was shared by 2, so it was copied to %s; PID \d+ keeps %s\.`, pid, va, old, copied, old))
	s.want("#effect", `^Pages in this step: 1 split$`)
	s.click("#tab-Changes")
	s.wantCount("#changes .change-row", 1)
	s.want("#changes .change-row", `split`+va+old+` → `+copied)
	s.click("#tab-Page")
	s.want("#page-frame", "^"+copied+"$")
	s.wantCell(fmt.Sprintf(`.card[data-pids="%s"]`, pid), "private")
}

// wantReuse wants the moment to be one at which one page loses its mark.
func (s *session) wantReuse(pid, va, pfn string) {
	s.want("#sentence", fmt.Sprintf(`^PID %s wrote to %s: nobody else has the frame %s any more`, pid, va, pfn))
	s.want("#effect", `^Pages in this step: 1 mark cleared$`)
	s.wantCell(fmt.Sprintf(`.card[data-pids="%s"]`, pid), "private")
}

// wantCell wants the page under a card's cursor to be painted in the colour of a
// custom property.
func (s *session) wantCell(card, property string) {
	s.wantTrue("the cursor is on "+card, fmt.Sprintf("!document.querySelector('%s .cursor').hidden", card))
	s.wantTrue("the page under the cursor of "+card+" is painted as "+property, fmt.Sprintf(`(() => {
		const cursor = document.querySelector('%s .cursor');
		const at = [parseFloat(cursor.style.left) + 4, parseFloat(cursor.style.top) + cursor.offsetHeight - 3];
		return %s(cursor.parentElement.querySelector('canvas'), ...at) === %s('%s');
	})()`, card, pixelOf, colorOf, property))
}

// JavaScript: the colour of a canvas's pixel, and that of a custom property, as
// "r,g,b".
const (
	pixelOf = `((canvas, x, y) => [...canvas.getContext('2d').getImageData(x, y, 1, 1).data].slice(0, 3).join())`
	colorOf = `((property) => { const c = document.createElement('canvas').getContext('2d');
		c.fillStyle = getComputedStyle(document.documentElement).getPropertyValue('--' + property); c.fillRect(0, 0, 1, 1);
		return [...c.getImageData(0, 0, 1, 1).data].slice(0, 3).join(); })`
)

// vforkdemo: one address space, two processes, the parent asleep.
func vforkdemo(s *session) {
	d := s.demo("vforkdemo")
	s.show(d, "vforkdemo")
	vfork := s.index(d.Events, "vfork", func(ev *trace.Event) bool { return ev.Kind == trace.VFork })
	parent, child := d.Events[vfork].PID, d.Events[vfork].Aux
	both := fmt.Sprintf(`.card[data-pids="%d %d"]`, parent, child)
	s.at(vfork)
	s.want("#sentence", `No page and no page table was copied`)
	s.want("#effect", `none changed$`)
	s.at(s.index(d.Events, "the parent falls asleep", func(ev *trace.Event) bool { return ev.Kind == trace.VForkSleep }))
	s.want("#sentence", fmt.Sprintf(`^PID %d sleeps until PID %d calls exec or exits`, parent, child))
	s.wantCount(both+".borrowed", 1)
	s.wantCount(fmt.Sprintf(`.card [data-pid="%d"]`, child), 1)
	s.want(both+" h3", fmt.Sprintf(`PID %d vforkdemo\s*asleep.*PID %d vforkdemo\s*borrows it`, parent, child))
	s.goTo(fmt.Sprintf("frame %#x", lastFrame(d, vfork, parent)))
	s.wantTrue("a borrowed page is painted as such", fmt.Sprintf(`(() => {
		const cursor = document.querySelector('%s .cursor');
		const at = [parseFloat(cursor.style.left) + cursor.offsetWidth - 2, parseFloat(cursor.style.top) + cursor.offsetHeight - 2];
		return %s(cursor.parentElement.querySelector('canvas'), ...at) === %s('borrowed');
	})()`, both, pixelOf, colorOf))
	s.at(s.index(d.Events, "the parent wakes", func(ev *trace.Event) bool { return ev.Kind == trace.VForkWake }))
	s.want("#effect", `none changed$`)
	s.wantCount(".card.borrowed", 0)
	s.wantCount(fmt.Sprintf(`.card[data-pids="%d"]`, parent), 1)
}

// lastFrame is the frame that a process was given last before the event i.
func lastFrame(d *Demo, i int, pid int32) uint64 {
	for i--; i > 0; i-- {
		if ev := &d.Events[i]; ev.Kind == trace.Fault && ev.PID == pid && ev.Decision == trace.DemandZero {
			return ev.New
		}
	}
	return 0
}

// execdemo: at exec's point of no return the new address space is there, with its
// stack alone, beside the old one; a step later the old one is gone; then the new
// one fills.
func execdemo(s *session) {
	d := s.demo("execdemo")
	s.show(d, "execdemo")
	exec := 0
	for i := range d.Events {
		if d.Events[i].Kind == trace.Exec {
			exec = i
		}
	}
	ev := d.Events[exec]
	old := fmt.Sprintf(`.card[data-root="%#x"]`, ev.Old)
	next := fmt.Sprintf(`.card[data-root="%#x"]`, ev.New)
	s.at(exec)
	s.want("#sentence", fmt.Sprintf(`^PID %d passed exec's point of no return: its old address space goes, with \d\d\d pages and \d\d page tables\. In the new one \(root %#x\) 1 page is present`, ev.PID, ev.New))
	s.wantCount(old+".unused", 1)
	s.want(next+" .facts", `· 1 page present ·`)
	s.press("ArrowRight")
	s.want("#effect", `\d\d\d went$`)
	s.wantCount(old, 0)
	s.want(next+" h3", fmt.Sprintf(`^PID %d exe`, ev.PID))
	s.want(next+" .facts", `· 1 page present ·`)
	s.press("ArrowRight")
	s.want("#effect", `1 appeared$`)
	s.want(next+" .facts", `· 2 pages present ·`)
	last := exec
	for i := exec; i < len(d.Events); i++ {
		if e := &d.Events[i]; e.Kind == trace.Fault && e.PID == ev.PID {
			last = i
		}
	}
	s.at(last)
	s.want(next+" .facts", `· \d\d\d pages present ·`)
}
