// Package chromium drives a headless Chromium, for the tests of the picture: it
// opens pages, presses keys, moves the pointer, evaluates expressions and takes
// screenshots.
//
// It speaks the Chrome DevTools Protocol over two pipes: JSON messages, each ended
// by a NUL byte, commands on the browser's descriptor 3, answers and events on 4
// (--remote-debugging-pipe).  There is no port that anybody else could connect to.
package chromium

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"
)

// A Browser is a running Chromium.
type Browser struct {
	cmd  *exec.Cmd
	dir  string // its profile
	out  *os.File
	said bytes.Buffer // what it writes on standard error

	mu      sync.Mutex
	last    int                    // number of the last command; guarded by mu
	waiting map[int]chan<- message // by number of the command; guarded by mu
	pages   map[string]*Page       // by session; guarded by mu
	ended   error                  // why no answers come any more; guarded by mu
}

// message is a command, an answer or an event.
type message struct {
	ID        int             `json:"id,omitempty"`
	SessionID string          `json:"sessionId,omitempty"`
	Method    string          `json:"method,omitempty"`
	Params    any             `json:"params,omitempty"`
	Result    json.RawMessage `json:"result,omitempty"`
	Error     *struct {
		Message string `json:"message"`
	} `json:"error,omitempty"`
}

// flags make Chromium quiet, and alike on all hosts.
//
// WHY --no-sandbox: it needs rights that containers lack, and it guards against
// foreign pages; these are ours.
var flags = []string{
	"--headless=new", "--remote-debugging-pipe", "--no-sandbox", "--no-first-run", "--no-default-browser-check",
	"--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking", "--disable-component-update", "--disable-sync",
	"--disable-extensions", "--force-color-profile=srgb", "--force-device-scale-factor=1", "--hide-scrollbars", "--mute-audio",
}

// Start starts the Chromium at path.  It ends with ctx, or with Close.
func Start(ctx context.Context, path string) (*Browser, error) {
	dir, err := os.MkdirTemp("", "chromium-")
	if err != nil {
		return nil, err
	}
	b := &Browser{dir: dir, waiting: map[int]chan<- message{}, pages: map[string]*Page{}}
	if err := b.start(ctx, path); err != nil {
		os.RemoveAll(dir)
		return nil, err
	}
	return b, nil
}

func (b *Browser) start(ctx context.Context, path string) error {
	commands, out, err := os.Pipe()
	if err != nil {
		return err
	}
	answers, w, err := os.Pipe()
	if err != nil {
		return errors.Join(err, commands.Close(), out.Close())
	}
	b.out = out
	b.cmd = exec.CommandContext(ctx, path, append(flags, "--user-data-dir="+b.dir, "about:blank")...)
	b.cmd.ExtraFiles = []*os.File{commands, w} // descriptors 3 and 4
	b.cmd.Stderr = &b.said
	b.cmd.WaitDelay = time.Second
	err = b.cmd.Start()
	commands.Close()
	w.Close()
	if err != nil {
		return errors.Join(fmt.Errorf("chromium: %w", err), out.Close(), answers.Close())
	}
	go b.read(answers)
	return nil
}

// Close ends the browser.
func (b *Browser) Close() {
	b.cmd.Process.Kill()
	b.cmd.Wait()
	b.out.Close()
	os.RemoveAll(b.dir)
}

// read passes answers to those who wait for them, and events to their pages.
func (b *Browser) read(answers *os.File) {
	defer answers.Close()
	in := bufio.NewReader(answers)
	for {
		text, err := in.ReadBytes(0)
		if err != nil {
			b.end(fmt.Errorf("chromium has ended: %w", err))
			return
		}
		var m message
		if err := json.Unmarshal(bytes.TrimSuffix(text, []byte{0}), &m); err != nil {
			b.end(fmt.Errorf("chromium: %w", err))
			return
		}
		b.mu.Lock()
		wait, page := b.waiting[m.ID], b.pages[m.SessionID]
		delete(b.waiting, m.ID)
		b.mu.Unlock()
		if m.ID != 0 && wait != nil {
			wait <- m
		} else if page != nil {
			page.event(m)
		}
	}
}

// end fails all who wait.
func (b *Browser) end(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ended = err
	for id, wait := range b.waiting {
		close(wait)
		delete(b.waiting, id)
	}
}

// call sends a command and puts its result into result, unless that is nil.
func (b *Browser) call(ctx context.Context, session, method string, params, result any) error {
	wait := make(chan message, 1)
	b.mu.Lock()
	b.last++
	m := message{ID: b.last, SessionID: session, Method: method, Params: params}
	text, err := json.Marshal(m)
	if err == nil {
		err = b.ended
	}
	if err == nil {
		b.waiting[m.ID] = wait
		_, err = b.out.Write(append(text, 0))
	}
	b.mu.Unlock()
	if err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		return fmt.Errorf("%s: %w", method, ctx.Err())
	case answer, ok := <-wait:
		switch {
		case !ok:
			return fmt.Errorf("%s: chromium has ended:\n%s", method, b.said.String())
		case answer.Error != nil:
			return fmt.Errorf("%s: %s", method, answer.Error.Message)
		case result != nil:
			return json.Unmarshal(answer.Result, result)
		}
	}
	return nil
}

// A Page is a tab.
type Page struct {
	b       *Browser
	ctx     context.Context
	session string

	mu     sync.Mutex
	faults []string // exceptions and errors on the console; guarded by mu
}

// obj is a JSON object.
type obj = map[string]any

// Page opens an empty tab of the given size in pixels, in dark colours or light
// ones.  Its methods end with ctx.
func (b *Browser) Page(ctx context.Context, width, height int, dark bool) (*Page, error) {
	var target struct{ TargetID string }
	var attached struct{ SessionID string }
	if err := b.call(ctx, "", "Target.createTarget", obj{"url": "about:blank"}, &target); err != nil {
		return nil, err
	}
	if err := b.call(ctx, "", "Target.attachToTarget", obj{"targetId": target.TargetID, "flatten": true}, &attached); err != nil {
		return nil, err
	}
	p := &Page{b: b, ctx: ctx, session: attached.SessionID}
	b.mu.Lock()
	b.pages[p.session] = p
	b.mu.Unlock()
	scheme := "light"
	if dark {
		scheme = "dark"
	}
	return p, errors.Join(
		p.call("Page.enable", nil, nil), p.call("Runtime.enable", nil, nil), p.call("Log.enable", nil, nil),
		p.call("Emulation.setDeviceMetricsOverride", obj{"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false}, nil),
		p.call("Emulation.setEmulatedMedia", obj{"features": []obj{{"name": "prefers-color-scheme", "value": scheme}}}, nil),
	)
}

func (p *Page) call(method string, params, result any) error {
	return p.b.call(p.ctx, p.session, method, params, result)
}

// event notes what went wrong in the page.
func (p *Page) event(m message) {
	text, _ := json.Marshal(m.Params)
	bad := m.Method == "Runtime.exceptionThrown" || m.Method == "Log.entryAdded" && bytes.Contains(text, []byte(`"level":"error"`))
	if bad {
		p.mu.Lock()
		p.faults = append(p.faults, string(text))
		p.mu.Unlock()
	}
}

// Faults are the exceptions that nobody caught and the errors on the page's
// console so far, failed fetches among them.
func (p *Page) Faults() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.faults
}

// Open goes to an address and returns when the document has been read.
func (p *Page) Open(url string) error {
	var r struct{ ErrorText string }
	if err := p.call("Page.navigate", obj{"url": url}, &r); err != nil {
		return err
	}
	if r.ErrorText != "" {
		return fmt.Errorf("%s: %s", url, r.ErrorText)
	}
	return p.Wait("document.readyState === 'complete'")
}

// Eval evaluates an expression, awaits it if it is a promise, and puts its value
// into result, unless that is nil.
func (p *Page) Eval(expression string, result any) error {
	var r struct {
		Result           struct{ Value json.RawMessage }
		ExceptionDetails *struct {
			Exception struct{ Description string }
		}
	}
	if err := p.call("Runtime.evaluate", obj{"expression": expression, "returnByValue": true, "awaitPromise": true}, &r); err != nil {
		return err
	}
	if r.ExceptionDetails != nil {
		return fmt.Errorf("%s: %s", expression, r.ExceptionDetails.Exception.Description)
	}
	if result == nil {
		return nil
	}
	if r.Result.Value == nil {
		return fmt.Errorf("%s has no value", expression)
	}
	return json.Unmarshal(r.Result.Value, result)
}

// Text is the text of the first element that the selector matches.
func (p *Page) Text(selector string) (string, error) {
	var s string
	err := p.Eval(fmt.Sprintf("document.querySelector(%q).textContent", selector), &s)
	return s, err
}

// Wait waits until an expression is true.
func (p *Page) Wait(expression string) error {
	for {
		var ok bool
		if err := p.Eval("Boolean("+expression+")", &ok); err != nil && p.ctx.Err() == nil {
			return err
		}
		if ok {
			return nil
		}
		select {
		case <-p.ctx.Done():
			return fmt.Errorf("waiting for %s: %w", expression, p.ctx.Err())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Settle waits until the page has drawn what it was told.
func (p *Page) Settle() error {
	return p.Eval("new Promise(r => requestAnimationFrame(() => requestAnimationFrame(() => r(true))))", nil)
}

// keyCodes are Windows' numbers of keys (virtual-key codes), which keys have in
// the protocol.
var keyCodes = map[string]int{
	"ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40, "Home": 36, "End": 35, "PageUp": 33, "PageDown": 34,
	"Enter": 13, "Escape": 27, "Tab": 9, " ": 32,
}

// Press presses and releases a key, named as in KeyboardEvent.key.
func (p *Page) Press(key string) error {
	code, text := keyCodes[key], ""
	if code == 0 {
		code, text = int(strings.ToUpper(key)[0]), key
	}
	switch key {
	case "Enter":
		text = "\r"
	case " ":
		text = " "
	}
	down := obj{"type": "keyDown", "key": key, "windowsVirtualKeyCode": code, "text": text}
	if err := p.call("Input.dispatchKeyEvent", down, nil); err != nil {
		return err
	}
	if err := p.call("Input.dispatchKeyEvent", obj{"type": "keyUp", "key": key, "windowsVirtualKeyCode": code}, nil); err != nil {
		return err
	}
	return p.Settle()
}

// Type types text into what has the focus.
func (p *Page) Type(text string) error {
	return p.call("Input.insertText", obj{"text": text}, nil)
}

// Box is a rectangle on the page, in pixels.
type Box struct{ X, Y, Width, Height float64 }

// Box is where the first element that the selector matches is.
func (p *Page) Box(selector string) (Box, error) {
	var b Box
	err := p.Eval(fmt.Sprintf(`(() => { const b = document.querySelector(%q).getBoundingClientRect();
		return { X: b.x, Y: b.y, Width: b.width, Height: b.height }; })()`, selector), &b)
	return b, err
}

// Point moves the pointer.
func (p *Page) Point(x, y float64) error {
	if err := p.call("Input.dispatchMouseEvent", obj{"type": "mouseMoved", "x": x, "y": y}, nil); err != nil {
		return err
	}
	return p.Settle()
}

// ClickAt presses the pointer's button at a point.
func (p *Page) ClickAt(x, y float64) error {
	if err := p.Point(x, y); err != nil {
		return err
	}
	for _, kind := range []string{"mousePressed", "mouseReleased"} {
		if err := p.call("Input.dispatchMouseEvent", obj{"type": kind, "x": x, "y": y, "button": "left", "buttons": 1, "clickCount": 1}, nil); err != nil {
			return err
		}
	}
	return p.Settle()
}

// Click clicks on the middle of the first element that the selector matches.
func (p *Page) Click(selector string) error {
	b, err := p.Box(selector)
	if err != nil {
		return err
	}
	return p.ClickAt(b.X+b.Width/2, b.Y+b.Height/2)
}

// Screenshot is a picture of the page in PNG.
func (p *Page) Screenshot() ([]byte, error) {
	var r struct{ Data []byte }
	err := p.call("Page.captureScreenshot", obj{"format": "png", "optimizeForSpeed": false}, &r)
	return r.Data, err
}

// Busy is the processor time that the page's main thread has used so far.
func (p *Page) Busy() (time.Duration, error) {
	if err := p.call("Performance.enable", obj{"timeDomain": "threadTicks"}, nil); err != nil {
		return 0, err
	}
	var r struct {
		Metrics []struct {
			Name  string
			Value float64
		}
	}
	if err := p.call("Performance.getMetrics", nil, &r); err != nil {
		return 0, err
	}
	for _, m := range r.Metrics {
		if m.Name == "TaskDuration" {
			return time.Duration(m.Value * float64(time.Second)), nil
		}
	}
	return 0, errors.New("chromium does not tell how busy a page is")
}
