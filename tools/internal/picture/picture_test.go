package picture

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"yolk/kernel/trace"
	"yolk/tools/internal/tracefile"
)

// sequence is the events, then err if it is not nil.
func sequence(events []trace.Event, err error) iter.Seq2[trace.Event, error] {
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

// some events, with values at the ends of their ranges.
var some = []trace.Event{
	{Seq: 0, Time: 5, PID: 1, Kind: trace.Fork, Old: 1, New: 2, Aux: 3},
	{Seq: 1 << 40, Time: 1 << 50, PID: -1, Kind: trace.Fault, Decision: trace.COWCopy, Err: 7, VA: 0xffff800000000123, Old: 1 << 63, New: 1<<64 - 1, Refs: 70000, Aux: 9},
}

// written is the page for events that end with err.
func written(t *testing.T, events []trace.Event, title string, err error) string {
	t.Helper()
	var b bytes.Buffer
	if got := Write(&b, sequence(events, err), title); !errors.Is(got, err) {
		t.Fatalf("Write: %v, want %v", got, err)
	}
	return b.String()
}

// element is the content of the element with that id.
func element(t *testing.T, page, id string) string {
	t.Helper()
	_, rest, ok := strings.Cut(page, ` id="`+id+`">`)
	content, _, closed := strings.Cut(rest, "</script>")
	if !ok || !closed {
		t.Fatalf("the page has no element %s", id)
	}
	return content
}

// records unpacks what the page holds.
func records(t *testing.T, page string) []byte {
	t.Helper()
	packed, err := base64.StdEncoding.DecodeString(element(t, page, "trace"))
	if err != nil {
		t.Fatal(err)
	}
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestEventsArePacked: the page holds every field of every event.
func TestEventsArePacked(t *testing.T) {
	b := records(t, written(t, some, "t", nil))
	if len(b) != len(some)*tracefile.RecordSize {
		t.Fatalf("%d bytes", len(b))
	}
	le := binary.LittleEndian
	for i, want := range some {
		r := b[i*tracefile.RecordSize:]
		got := trace.Event{
			Kind: trace.Kind(r[1]), Decision: trace.Decision(r[2]), Err: le.Uint32(r[4:]), Seq: le.Uint64(r[8:]), Time: int64(le.Uint64(r[16:])),
			PID: int32(le.Uint32(r[24:])), Refs: le.Uint32(r[28:]), VA: le.Uint64(r[32:]), Old: le.Uint64(r[40:]), New: le.Uint64(r[48:]), Aux: le.Uint64(r[56:]),
		}
		if r[0] != 0xE7 || got != want {
			t.Errorf("%+v, want %+v", got, want)
		}
	}
}

// TestAbout: the page knows the names of kinds and decisions by number, and a
// title that looks like markup is none.
func TestAbout(t *testing.T) {
	page := written(t, nil, `</script><b>"title"`, nil)
	var a about
	if err := json.Unmarshal([]byte(element(t, page, "about")), &a); err != nil {
		t.Fatal(err)
	}
	if a.Title != `</script><b>"title"` || a.Kinds[trace.Fork] != "fork" || a.Kinds[trace.None] != "" || a.Decisions[trace.COWReuse] != "cow-reuse" ||
		a.Calls[57] != "fork" || a.Errors[2] != "ENOENT" || a.Signals[11] != "SIGSEGV" {
		t.Errorf("%+v", a)
	}
	if !strings.Contains(page, "<title>&lt;/script&gt;&lt;b&gt;&#34;title&#34;</title>") {
		t.Error("the title is not escaped")
	}
}

// TestEndings: a trace that ends with an error says so in the page, and to the
// caller.
func TestEndings(t *testing.T) {
	broken := errors.New("the file is cut off in <event> 7")
	page := written(t, some, "t", broken)
	var ending string
	if err := json.Unmarshal([]byte(element(t, page, "ending")), &ending); err != nil || ending != broken.Error() {
		t.Errorf("%q, %v", ending, err)
	}
	if len(records(t, page)) != len(some)*tracefile.RecordSize {
		t.Error("what came before the error is lost")
	}
	if e := element(t, written(t, some, "t", nil), "ending"); e != `""` {
		t.Errorf("ending %s", e)
	}
}

// full is a writer that takes n bytes.
type full struct{ n int }

func (f *full) Write(b []byte) (int, error) {
	if f.n -= len(b); f.n < 0 {
		return 0, os.ErrClosed
	}
	return len(b), nil
}

// TestWriterFails: an error of the writer's is returned wherever it happens.
func TestWriterFails(t *testing.T) {
	page := written(t, some, "t", nil)
	data := strings.Index(page, `id="about"`)
	for n := 0; n < len(page); n += max(1, min(data/3, data-n)) {
		if err := Write(&full{n}, sequence(some, nil), "t"); !errors.Is(err, os.ErrClosed) {
			t.Fatalf("after %d bytes: %v", n, err)
		}
	}
}

// TestLive: the live page names where its events come from and holds none.
func TestLive(t *testing.T) {
	var b bytes.Buffer
	if err := WriteLive(&b, "t", "events"); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(element(t, b.String(), "about"), `"live":"events"`) || strings.Contains(b.String(), `id="trace"`) {
		t.Error("the live page is not live")
	}
}

// outside matches what would make a browser fetch something.
var outside = regexp.MustCompile(`(?i)(?:src|href|action|data|poster|srcset|content)\s*=\s*["']?\s*(?:[a-z]+:)?//|url\(\s*["']?(?:[a-z]+:)?//|@import|\bimport\s*\(|<link|<iframe|<base`)

// TestNothingOutside: the page names no address outside of itself, and forbids
// itself to fetch from any.
func TestNothingOutside(t *testing.T) {
	page := written(t, some, "t", nil)
	if m := outside.FindString(page); m != "" {
		t.Errorf("the page has %q", m)
	}
	if !strings.Contains(page, `default-src 'none'`) {
		t.Error("the page has no content security policy")
	}
	for _, bad := range []string{`<img src="https://x/y">`, `<a href=//x>`, `<link rel=x>`, `url("http://x")`} {
		if !outside.MatchString(bad) {
			t.Errorf("%s is not found", bad)
		}
	}
}

// TestSizeOfManyEvents: 100,000 events stay a page of a few MB.
func TestSizeOfManyEvents(t *testing.T) {
	events := make([]trace.Event, 100_000)
	for i := range events {
		events[i] = trace.Event{Seq: uint64(i), Time: int64(i) * 7919, PID: int32(i % 100), Kind: trace.Fault, Decision: trace.COWCopy,
			VA: uint64(0x100000000 + i*7919%4096*4096), Old: uint64(i * 31 % 65536), New: uint64(i % 65536), Refs: 2, Err: 7}
	}
	if n := len(written(t, events, "t", nil)); n > 4<<20 {
		t.Errorf("%d bytes", n)
	}
}

// The sources of the page beside those in web/src, as web/build.mjs has them.
var otherSources = []string{"build.mjs", "index.html", "package-lock.json", "package.json", "style.css", "tsconfig.json"}

// digestMark is the comment by which build.mjs says what the page was built from.
var digestMark = regexp.MustCompile(`<!-- sources ([0-9a-f]{64}), page ([0-9a-f]{64}) -->\n`)

// TestPageIsBuilt: page.html was built from the sources beside it, and not
// touched since.  `yolk test -all -run picture/built` builds it again instead.
func TestPageIsBuilt(t *testing.T) {
	sources := slices.Clone(otherSources)
	err := fs.WalkDir(os.DirFS("web"), "src", func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			sources = append(sources, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(sources)
	list := ""
	for _, path := range sources {
		b, err := os.ReadFile(filepath.Join("web", filepath.FromSlash(path)))
		if err != nil {
			t.Fatal(err)
		}
		list += fmt.Sprintf("%s %x\n", path, sha256.Sum256(unix(b)))
	}
	text := string(unix([]byte(page)))
	m := digestMark.FindStringSubmatch(text)
	if m == nil {
		t.Fatal("page.html does not say what it was built from")
	}
	const cure = "build the page again: npm ci && npm run build, in web"
	if want := fmt.Sprintf("%x", sha256.Sum256([]byte(list))); m[1] != want {
		t.Errorf("the sources have changed since page.html was built from them; %s", cure)
	}
	body := strings.Replace(text, m[0], "", 1)
	if want := fmt.Sprintf("%x", sha256.Sum256([]byte(body))); m[2] != want {
		t.Errorf("page.html was changed since it was built; %s", cure)
	}
}

// unix undoes what git may do to the ends of lines.
func unix(b []byte) []byte { return bytes.ReplaceAll(b, []byte("\r\n"), []byte("\n")) }
