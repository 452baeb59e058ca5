package picturetest

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"sync/atomic"

	"yolk/kernel/trace"
	"yolk/tools/internal/picture"
	"yolk/tools/internal/view"
)

// badData: what is missing or cut off is said in a sentence.
func badData(s *session) {
	d := s.demo("vforkdemo")
	s.window(1200, 800, false)
	var whole bytes.Buffer
	s.do(func() error { return picture.Write(&whole, all(d.Events, nil), "t") })
	page := whole.Bytes()

	cut := regexp.MustCompile(`id="trace">`).FindIndex(page)
	if cut == nil {
		s.fail("the page holds no trace")
		return
	}
	half := cut[1] + (bytes.Index(page[cut[1]:], []byte("<"))+1)/2
	s.open(page[:half])
	s.want("#notice", `^This page is cut off: [1-9][\d,]* events could be read`)
	s.open(page[:cut[0]])
	s.want("#notice", `^This page is cut off: 0 events could be read`)
	about := bytes.Index(page, []byte(`id="about"`))
	s.open(append(bytes.Clone(page[:about-len(`<script type="application/json" `)]), "</body>"...))
	s.want("#unread", `^This page holds no trace`)

	var broken bytes.Buffer
	s.do(func() error {
		why := errors.New("the file is cut off")
		if err := picture.Write(&broken, all(d.Events[:100], why), "t"); !errors.Is(err, why) {
			return err
		}
		return nil
	})
	s.open(broken.Bytes())
	s.want("#notice", `^The trace is not whole: the file is cut off\.$`)

	s.show(&Demo{Events: append(d.Events[:50:50], trace.Event{Kind: trace.Lost, Aux: 12})}, "t")
	s.press("End")
	s.want("#sentence", `^12 events were lost here`)
	var none bytes.Buffer
	s.do(func() error { return picture.Write(&none, all(nil, nil), "t") })
	s.open(none.Bytes())
	s.want("#notice", `^This page holds a trace without events`)
}

// atEnd: a page that was written for the end of a run opens there, any other at the
// beginning.
func atEnd(s *session) {
	d := s.demo("vforkdemo")
	s.show(d, "t")
	s.press("End")
	last := ""
	s.eval("document.querySelector('#where').textContent", &last)
	s.press("Home")
	s.want("#where", `^event \d of `)
	var page bytes.Buffer
	s.do(func() error { return picture.WriteAtEnd(&page, all(d.Events, nil), "t") })
	s.open(page.Bytes())
	s.want("#where", "^"+regexp.QuoteMeta(last)+"$")
	s.wantTrue("not the first event", "!/^event \\d of /.test(document.querySelector('#where').textContent)")
}

// live: the page follows a machine that runs, can be looked back in meanwhile, and
// says when the machine has ended, or when the server has.
func live(s *session) {
	server, err := view.Listen(view.DefaultAddr, "live")
	s.do(func() error { return err })
	if s.err != nil {
		return
	}
	defer server.Close()
	s.window(1440, 900, false)
	s.do(func() error { return s.page.Open(server.URL()) })
	s.want("#notice", `Waiting for the first event`)
	var events atomic.Int64
	ended := make(chan error, 1)
	go func() {
		ended <- s.host.Live(s.ctx, func(ev *trace.Event) { events.Add(1); server.Event(ev) }, "cowdemo")
	}()
	s.wait(`document.querySelectorAll('.lane').length >= 2`)
	s.wantTrue("it follows", "document.getElementById('follow').getAttribute('aria-pressed') === 'true'")
	s.press("Home")
	s.wantTrue("it stays where the reader looks", "document.getElementById('follow').getAttribute('aria-pressed') === 'false'")
	s.do(func() error { return <-ended })
	server.End()
	s.wait(`/The machine has ended/.test(document.getElementById('notice').textContent)`)
	s.want("#where", `^event 1 of `+thousands(int(events.Load()))+` `)
	s.press("End")
	s.want("#sentence", `PID 1 `)

	s.unruly = true // the browser complains about the connection that breaks
	second, err := view.Listen(view.DefaultAddr, "second")
	s.do(func() error { return err })
	if s.err != nil {
		return
	}
	s.do(func() error { return s.page.Open(second.URL()) })
	second.Event(&trace.Event{Kind: trace.Boot, Err: trace.StreamVersion})
	s.want("#sentence", `^Boot: `)
	second.Close()
	s.want("#notice", `^The connection to yolk is lost`)
}

// shots are the moments of which the documents show pictures.
var shots = []struct {
	name    string
	program string
	dark    bool
	moment  func(ev *trace.Event) bool // the last event of which it is true
	then    func(s *session)
}{
	{"fork", "cowdemo", false, func(ev *trace.Event) bool { return ev.Kind == trace.Fork }, nil},
	{"cow-copy", "cowdemo", false, isCopy, func(s *session) { s.click("#tab-Tables") }},
	{"cow-copy-dark", "cowdemo", true, isCopy, nil},
	{"vfork", "vforkdemo", false, func(ev *trace.Event) bool { return ev.Kind == trace.VForkSleep }, nil},
	{"exec", "execdemo", false, func(ev *trace.Event) bool { return ev.Kind == trace.Exec }, nil},
}

// isCopy is true of the copies of cowdemo's own two pages.
func isCopy(ev *trace.Event) bool {
	return ev.Kind == trace.Fault && ev.Decision == trace.COWCopy && ev.VA>>20 == 0x7ffefff
}

// screenshots takes the pictures for the documents, and keeps them if a place for
// them is named.
func screenshots(s *session) {
	demos := map[string]*Demo{}
	for _, shot := range shots {
		if demos[shot.program] == nil {
			demos[shot.program] = s.demo(shot.program)
		}
		d, at := demos[shot.program], -1
		for i := range d.Events {
			if shot.moment(&d.Events[i]) {
				at = i
			}
		}
		if at < 0 {
			s.fail("%s has no moment for the picture %s", shot.program, shot.name)
			return
		}
		s.window(1280, 800, shot.dark)
		s.show(d, shot.program)
		s.at(at)
		if shot.then != nil {
			shot.then(s)
		}
		s.do(s.page.Settle)
		s.do(func() error {
			picture, err := s.page.Screenshot()
			if err == nil {
				picture, err = shrink(picture)
			}
			if err != nil || s.host.Shots == "" {
				return err
			}
			return os.WriteFile(filepath.Join(s.host.Shots, shot.name+".png"), picture, 0o666)
		})
	}
}
