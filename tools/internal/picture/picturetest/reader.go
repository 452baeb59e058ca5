package picturetest

import (
	"fmt"
	"strings"
)

// keyboard: everything can be done with keys, and every control says what it is.
func keyboard(s *session) {
	s.show(s.demo("cowdemo"), "cowdemo")
	s.want("#where", `^event 1 of `)
	s.press("ArrowRight")
	s.want("#where", `^event [2-9] of `)
	s.press("Home")
	s.want("#where", `^event 1 of `)
	s.press("End")
	s.wantTrue("the last event is chosen", `document.querySelector('.event[aria-selected=true]').getAttribute('aria-posinset') === document.querySelector('.event').getAttribute('aria-setsize')`)
	s.press("ArrowLeft", "ArrowLeft")
	s.wantTrue("two steps back", `Number(document.querySelector('.event').getAttribute('aria-setsize')) - Number(document.querySelector('.event[aria-selected=true]').getAttribute('aria-posinset')) === 2`)
	s.slider()
	s.compare()
	s.dialogs()
	s.mapKeys()
	s.tabs()
	s.tabOrder()
	s.labels()
}

// slider: the time slider tells where it is, and its keys step.
func (s *session) slider() {
	s.press("Home")
	s.eval("document.getElementById('time').focus()", nil)
	s.press("ArrowRight")
	s.want("#where", `^event [2-9] of `)
	s.wantTrue("the slider says so", `/^event [2-9] of \d+, [\d.]+ s$/.test(document.getElementById('time').getAttribute('aria-valuetext'))`)
	s.eval("(document.activeElement.blur(), 0)", nil)
}

// compare: m marks a moment, and what differs from it is shown.
func (s *session) compare() {
	s.press("Home", "m", "End")
	s.want("#effect", `^Between #0 and #\d+:`)
	s.want("#mark", `Comparing with #0`)
	s.press("m")
	s.want("#effect", `^Pages in this step:`)
}

// dialogs open and close, and what cannot be gone to is said.
func (s *session) dialogs() {
	s.press("?")
	s.wantTrue("help is open", "document.querySelector('dialog.help').open")
	s.press("Escape")
	s.wantTrue("help is closed", "!document.querySelector('dialog.help').open")
	for words, pattern := range map[string]string{"0x123000": "No region", "frame 0x1": "Nobody maps", "#99999999": "no such event", "zebra!": "no address"} {
		s.press("g")
		s.do(func() error { return s.page.Type(words) })
		s.press("Enter")
		s.want("#goto-words", pattern)
		s.press("Escape")
	}
}

// mapKeys: in a map the arrows go from page to page, and do not step.
func (s *session) mapKeys() {
	s.press("End")
	where, page := "", ""
	s.eval("document.getElementById('where').textContent", &where)
	s.eval("(document.querySelector('.map').focus(), 0)", nil)
	s.press("ArrowRight", "ArrowRight")
	s.eval("document.getElementById('page-va').textContent", &page)
	s.press("ArrowRight")
	s.want("#where", "^"+where+"$")
	s.wantTrue("the cursor has moved", fmt.Sprintf("parseInt(document.getElementById('page-va').textContent) === %s + 4096", page))
	s.want("#page-words", `^0x[0-9a-f]+: `)
	s.press("ArrowDown", "Enter")
	s.eval("document.getElementById('page-va').textContent", &page)
	s.eval("(document.activeElement.blur(), 0)", nil)
	s.press("ArrowLeft")
	s.want("#page-va", "^"+page+"$") // it is held on to
}

// tabs: the inspector's tabs go by arrows; the tree opens by Enter.
func (s *session) tabs() {
	s.click("#tab-Page")
	s.press("ArrowRight")
	s.wantTrue("the second tab is open", "document.getElementById('tab-Tables').getAttribute('aria-selected') === 'true' && !document.getElementById('panel-Tables').hidden")
	s.eval("(document.getElementById('tree').focus(), 0)", nil)
	s.press("PageUp", "PageUp", "PageUp")
	s.want(".node[aria-selected=true]", `^▾CR3PML4`)
	s.press("ArrowLeft")
	s.wantCount(".node", 1)
	s.press("ArrowRight")
	s.wantTrue("the tree is open again", "document.querySelectorAll('.node').length > 3")
	s.wantTrue("entries show their bits", "document.querySelector('.node .flag.P.on')")
	s.eval("(document.activeElement.blur(), 0)", nil)
}

// order is the way of the focus through the page: each name once, however many
// elements of its kind there are.
const order = "first back play on last speed mark help axis time lane only filter events map tab panel"

// tabOrder: Tab leads through the page in the order of reading, and into nothing
// that cannot be left.
func (s *session) tabOrder() {
	s.click("#tab-Page")
	s.eval("document.getElementById('first').focus()", nil)
	got := []string{"first"}
	for range 80 {
		s.press("Tab")
		name := ""
		s.eval(`(() => { const e = document.activeElement;
			return e === document.body ? 'body' : e.closest('.axis-tools') ? 'axis' : e.closest('.filters') ? 'filter' : e.id === 'help-button' ? 'help' :
				e.matches('.player select') ? 'speed' : e.classList.contains('lane') ? 'lane' : e.classList.contains('map') ? 'map' :
				e.matches('[role=tab]') ? 'tab' : e.closest('[role=tabpanel]') ? 'panel' : e.id || e.className; })()`, &name)
		if name == "body" || name == "first" || s.err != nil {
			break
		}
		if got[len(got)-1] != name {
			got = append(got, name)
		}
	}
	if way := strings.Join(got, " "); way != order {
		s.fail("Tab leads through %q, want %q", way, order)
	}
}

// labels: whatever takes the focus has a name and a role.
func (s *session) labels() {
	nameless := ""
	s.eval(`[...document.querySelectorAll('button, input, select, [tabindex]')].filter(e =>
		!(e.textContent.trim() || e.getAttribute('aria-label') || e.getAttribute('aria-labelledby') || e.labels?.length)).map(e => e.outerHTML).join(' ')`, &nameless)
	if nameless != "" {
		s.fail("without a name: %s", nameless)
	}
	s.wantTrue("lists are lists", "document.getElementById('events').getAttribute('role') === 'listbox' && document.querySelector('#events [role=option][aria-selected=true]').id === document.getElementById('events').getAttribute('aria-activedescendant')")
}

// pointer: what can be done with keys can be done with the pointer.
func pointer(s *session) {
	s.show(s.demo("cowdemo"), "cowdemo")
	s.click("#last")
	s.want("#where", `^event \d,\d\d\d of `)
	s.click("#first")
	s.want("#where", `^event 1 of `)
	s.click("#on")
	s.want("#where", `^event [2-9] of `)
	s.scrub()
	s.list()
	s.hover()
	s.player()
	s.pins()
	s.deepLink()
}

// scrub: a click into the lanes goes to that moment, one on the slider too.
func (s *session) scrub() {
	box, wide := s.box(".lanes canvas"), 0.0
	s.eval("document.getElementById('time').offsetWidth - 16", &wide)
	s.do(func() error { return s.page.ClickAt(box.X+168+wide/2, box.Y+40) })
	s.wantTrue("half of the events are past", `(() => { const [, at, all] = /event ([\d,]+) of ([\d,]+)/.exec(document.getElementById('where').textContent).map(x => Number(x.replaceAll(',', '')));
		return Math.abs(at / all - 0.5) < 0.01; })()`)
	s.click("#time") // its middle
	s.want("#where", `^event \d,\d\d\d of `)
}

// list: a click on an event goes there; classes and processes are chosen.
func (s *session) list() {
	s.click("#events .event:nth-child(5)")
	s.wantTrue("the event is chosen", `document.querySelector('#events .event[aria-selected=true] small').textContent === '#' + (Number(/event ([\d,]+)/.exec(document.getElementById('where').textContent)[1].replaceAll(',', '')) - 1)`)
	before, after := 0, 0
	size := "Number(document.querySelector('.event').getAttribute('aria-setsize'))"
	s.eval(size, &before)
	s.click(".filters [name=entry]")
	s.wantTrue("more events are listed", fmt.Sprintf("%s > %d", size, before))
	s.click(".filters [name=entry]")
	s.wantTrue("as many as before", fmt.Sprintf("%s === %d", size, before))
	s.eval("(() => { const o = document.getElementById('only'); o.value = '3'; o.dispatchEvent(new Event('change')); })()", nil)
	s.wantTrue("fewer events are listed", fmt.Sprintf("%s < %d", size, before))
	s.eval("[...document.querySelectorAll('.event .dot')].every(d => d.style.cssText === document.querySelector('.event .dot').style.cssText) ? 1 : 0", &after)
	if after != 1 {
		s.fail("the list of one process's events has others'")
	}
	s.eval("(() => { const o = document.getElementById('only'); o.value = '0'; o.dispatchEvent(new Event('change')); })()", nil)
}

// hover: pointing at a page shows it and lights up its frame in every process.
func (s *session) hover() {
	s.press("Home")
	for range 400 {
		kind := ""
		s.press("ArrowRight")
		s.eval("document.querySelector('.event[aria-selected=true]').className", &kind)
		if strings.Contains(kind, "on-fork") || s.err != nil {
			break
		}
	}
	s.goTo("0x100000000")
	s.want("#page-look", `copy-on-write, shared`)
	card := ""
	s.eval(`'.card[data-root="' + document.querySelector('.cursor:not([hidden])').closest('.card').dataset.root + '"]'`, &card)
	var x, y float64
	s.eval("parseFloat(document.querySelector('.cursor:not([hidden])').style.left)", &x)
	s.eval("parseFloat(document.querySelector('.cursor:not([hidden])').style.top)", &y)
	s.press("Escape")
	s.want("#panel-Page", `^Point at a page`)
	canvas := s.box(card + " canvas")
	s.do(func() error { return s.page.Point(canvas.X+x+4, canvas.Y+y+4) })
	s.want("#page-va", `^0x100000000$`)
	s.want("#page-mapped", `^2 `)
	s.wantTrue("both maps light the frame up", fmt.Sprintf(`[...document.querySelectorAll('.card')].slice(0, 2).every(card => {
		const canvas = card.querySelector('canvas'), cursor = document.querySelector('.cursor:not([hidden])');
		const [x, y] = [parseFloat(cursor.style.left), parseFloat(cursor.style.top)];
		return %s(canvas, x + 3, y + cursor.offsetHeight + 1) === %s('ink'); })`, pixelOf, colorOf))
	s.do(func() error { return s.page.Point(5, 5) })
}

// player: Play plays until Pause.
func (s *session) player() {
	s.press("Home")
	s.click("#play")
	s.want("#play", `^Pause$`)
	s.wantTrue("it moves", `!/^event 1 of/.test(document.getElementById('where').textContent)`)
	s.wait(`Number(/event ([\d,]+)/.exec(document.getElementById('where').textContent)[1].replaceAll(',', '')) > 3`)
	s.click("#play")
	s.want("#play", `^Play$`)
}

// pins: a click on a process keeps its address space in sight.
func (s *session) pins() {
	s.click(`.lane[data-pid="1"]`)
	s.wantTrue("it is pressed", `document.querySelector('.lane[data-pid="1"]').getAttribute('aria-pressed') === 'true'`)
	s.click(`.lane[data-pid="1"]`)
	s.wantTrue("it is not pressed", `document.querySelector('.lane[data-pid="1"]').getAttribute('aria-pressed') === 'false'`)
}

// deepLink: the page's address names the moment, and leads back to it.
func (s *session) deepLink() {
	s.at(200)
	s.wait("location.hash === '#200'")
	s.eval("(location.reload(), 0)", nil)
	s.wait("document.querySelector('#events .event') && !document.getElementById('unread')")
	s.want("#where", `^event 201 of `)
}

// colours: words can be read in light and in dark: a contrast of 4.5 at least
// (WCAG 2.2, 1.4.3).
func colours(s *session) {
	d := s.demo("vforkdemo")
	for _, dark := range []bool{false, true} {
		s.window(1200, 800, dark)
		s.show(d, "vforkdemo")
		for _, words := range []string{"ink", "muted"} {
			for _, ground := range []string{"ground", "surface", "raised", "yolk-soft"} {
				contrast := 0.0
				s.eval(fmt.Sprintf(`((a, b) => { const light = rgb => { const [r, g, b] = rgb.split(',').map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
					return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
					const [x, y] = [light(a), light(b)].sort((p, q) => q - p); return (x + 0.05) / (y + 0.05); })(%[1]s(%[2]q), %[1]s(%[3]q))`, colorOf, words, ground), &contrast)
				if contrast < 4.5 {
					s.fail("dark=%v: the contrast of %s on %s is %.2f", dark, words, ground, contrast)
				}
			}
		}
		red := 0
		s.eval("parseInt("+colorOf+"('ground'))", &red)
		if (red < 128) != dark {
			s.fail("dark=%v: the red of the ground is %d of 255", dark, red)
		}
	}
}
