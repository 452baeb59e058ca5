// Package picturetest tests the picture in a browser, with traces of real runs.
//
// A test is a [Case], data that says which program's trace it looks at, and what
// a reader does and sees there.  They are not tests of package testing, because
// they need a Chromium, QEMU and a built system: `yolk test -all` runs them.
package picturetest

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"yolk/kernel/trace"
	"yolk/tools/internal/picture"
	"yolk/tools/internal/picture/chromium"
)

// A Demo is a run of a program with everything traced.
type Demo struct {
	Events []trace.Event
	Stdout string
}

// Host is what the cases need of the machine that they run on.
type Host struct {
	Chromium string // path of the program
	// Demo runs a program in the guest with all classes of events.
	Demo func(ctx context.Context, program ...string) (*Demo, error)
	// Live runs a program, and each event is passed on as it happens.
	Live func(ctx context.Context, event func(*trace.Event), program ...string) error
	// Shots is where screenshots are written to; "" if they are not kept.
	Shots string
	// Say prints a line for the person who runs the tests.
	Say func(format string, args ...any)
}

// A Case is one test.
type Case struct {
	Name string
	run  func(s *session)
}

// Cases are all of them.
var Cases = []Case{
	{"cowdemo", cowdemo},
	{"vforkdemo", vforkdemo},
	{"execdemo", execdemo},
	{"keyboard", keyboard},
	{"pointer", pointer},
	{"colours", colours},
	{"bad-data", badData},
	{"at-end", atEnd},
	{"live", live},
	{"large", large},
	{"screenshots", screenshots},
}

// patience bounds a case; it is far more than any takes.
const patience = 10 * time.Minute

// Run runs the case and says what is wrong.
func (c *Case) Run(ctx context.Context, host *Host) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	dir, err := os.MkdirTemp("", "picturetest-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	browser, err := chromium.Start(ctx, host.Chromium)
	if err != nil {
		return err
	}
	defer browser.Close()
	s := &session{host: host, ctx: ctx, dir: dir, browser: browser}
	c.run(s)
	if s.err == nil && s.page != nil && !s.unruly {
		if faults := s.page.Faults(); len(faults) > 0 {
			s.fail("the page reports errors: %s", strings.Join(faults, "\n"))
		}
	}
	return s.err
}

// A session is a reader at work.  After the first thing that goes wrong, which
// stays in err, it does nothing more.
type session struct {
	host    *Host
	ctx     context.Context
	dir     string
	browser *chromium.Browser
	page    *chromium.Page
	unruly  bool // errors of the page's are expected
	err     error
}

func (s *session) fail(format string, args ...any) {
	if s.err == nil {
		s.err = fmt.Errorf(format, args...)
	}
}

// do does something unless something has gone wrong already.
func (s *session) do(what func() error) {
	if s.err == nil {
		s.err = what()
	}
}

// demo runs a program.
func (s *session) demo(program ...string) *Demo {
	d := &Demo{}
	s.do(func() (err error) {
		run, err := s.host.Demo(s.ctx, program...)
		if err == nil {
			d = run
		}
		return err
	})
	return d
}

// all yields the events, then err if it is not nil.
func all(events []trace.Event, err error) iter.Seq2[trace.Event, error] {
	return func(yield func(trace.Event, error) bool) {
		for _, ev := range events {
			if !yield(ev, nil) {
				return
			}
		}
		if err != nil {
			yield(trace.Event{}, err)
		}
	}
}

// window opens a tab.
func (s *session) window(width, height int, dark bool) {
	s.do(func() (err error) {
		s.page, err = s.browser.Page(s.ctx, width, height, dark)
		return err
	})
}

// show writes the page of a trace and opens it.
func (s *session) show(d *Demo, title string) {
	var b bytes.Buffer
	s.do(func() error { return picture.Write(&b, all(d.Events, nil), title) })
	if s.page == nil {
		s.window(1440, 900, false)
	}
	s.open(b.Bytes())
	s.wait("document.querySelector('#events .event')")
}

// open opens a page with the given text.
func (s *session) open(text []byte) {
	name := filepath.Join(s.dir, "page.html")
	s.do(func() error { return os.WriteFile(name, text, 0o666) })
	s.do(func() error {
		return s.page.Open((&url.URL{Scheme: "file", Path: filepath.ToSlash(name), RawQuery: fmt.Sprint(time.Now().UnixNano())}).String())
	})
}

func (s *session) press(keys ...string) {
	for _, key := range keys {
		s.do(func() error { return s.page.Press(key) })
	}
}

func (s *session) click(selector string)  { s.do(func() error { return s.page.Click(selector) }) }
func (s *session) wait(expression string) { s.do(func() error { return s.page.Wait(expression) }) }

// eval evaluates an expression into result, a pointer.
func (s *session) eval(expression string, result any) {
	s.do(func() error { return s.page.Eval(expression, result) })
}

// count is the number of elements that the selector matches.
func (s *session) count(selector string) (n int) {
	s.eval(fmt.Sprintf("document.querySelectorAll(%q).length", selector), &n)
	return n
}

// want waits for the first element that the selector matches to have a text
// that matches the pattern.
//
// WHY it waits: what is drawn follows what is typed by a frame or two.
func (s *session) want(selector, pattern string) {
	re := regexp.MustCompile(pattern)
	text := ""
	for range 50 {
		s.eval(fmt.Sprintf("document.querySelector(%q)?.textContent ?? '(no such element)'", selector), &text)
		if s.err != nil || re.MatchString(text) {
			return
		}
		s.do(s.page.Settle)
	}
	s.fail("%s says %q, which does not match %q", selector, text, pattern)
}

// wantCount wants the selector to match n elements.
func (s *session) wantCount(selector string, n int) {
	got := 0
	for range 50 {
		if got = s.count(selector); s.err != nil || got == n {
			return
		}
		s.do(s.page.Settle)
	}
	s.fail("%d elements are %s, want %d", got, selector, n)
}

// wantTrue wants an expression to be true, soon.
func (s *session) wantTrue(what, expression string) {
	ok := false
	for range 50 {
		s.eval("Boolean("+expression+")", &ok)
		if s.err != nil || ok {
			return
		}
		s.do(s.page.Settle)
	}
	s.fail("%s: not %s", what, expression)
}

// goTo goes to an event, a frame or an address, by the dialog for it.
func (s *session) goTo(words string) {
	s.press("g")
	s.do(func() error { return s.page.Type(words) })
	s.press("Enter")
	s.wantTrue("going to "+words, "!document.querySelector('dialog.goto').open")
}

// at goes to the event with that index.
func (s *session) at(i int) {
	s.goTo(fmt.Sprintf("#%d", i))
	s.want("#where", fmt.Sprintf(`^event %s of `, thousands(i+1)))
}

// thousands writes a number with commas.
func thousands(n int) string {
	if n < 1000 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%s,%03d", thousands(n/1000), n%1000)
}

// index is the index of the only event that is wanted; if there are several or
// none, the session fails.
func (s *session) index(events []trace.Event, what string, wanted func(*trace.Event) bool) int {
	found := -1
	for i := range events {
		if wanted(&events[i]) {
			if found >= 0 {
				s.fail("there are several events: %s", what)
			}
			found = i
		}
	}
	if found < 0 {
		s.fail("there is no event: %s", what)
	}
	return max(found, 0)
}

// box is where an element is.
func (s *session) box(selector string) (b chromium.Box) {
	s.do(func() (err error) {
		b, err = s.page.Box(selector)
		return err
	})
	return b
}
