// Package picture writes a trace as a page of HTML that draws it: processes over
// time, their address spaces, page tables and frames at any moment, and why each
// event happened.
//
// The page is one file.  It names no address outside of itself and works from
// the disk, without a server and without a network.  What it draws with is
// page.html, which is built from the sources in web and embedded here.
package picture

import (
	"compress/gzip"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"iter"
	"strings"

	"yolk/kernel/trace"
	"yolk/tools/internal/strace"
	"yolk/tools/internal/tracefile"
)

//go:embed page.html
var page string

// The places in the page that are filled in.
const (
	titleMark = "<title>Yolk</title>"
	traceMark = "<!-- the trace goes here -->"
)

// about is what the page must know besides the events.
type about struct {
	Title string `json:"title"`
	Live  string `json:"live,omitempty"`
	End   bool   `json:"end,omitempty"` // opens at the last event, not at the first

	// Names by number.
	Kinds     []string `json:"kinds"`
	Decisions []string `json:"decisions"`
	Calls     []string `json:"calls"`
	Errors    []string `json:"errors"`
	Signals   []string `json:"signals"`
}

// describe adds the names.
func (a about) describe() about {
	return about{
		Title: a.Title, Live: a.Live, End: a.End,
		Kinds:     names(256, func(i uint32) string { return trace.Kind(i).String() }, "unknown"),
		Decisions: names(256, func(i uint32) string { return trace.Decision(i).String() }, "unknown"),
		Calls: names(512, func(i uint32) string {
			return strace.New(&tracefile.Record{Event: trace.Event{VA: uint64(i)}}).Name()
		}, "syscall_"),
		Errors:  names(200, strace.ErrnoName, "errno "),
		Signals: names(65, strace.SignalName, "signal "),
	}
}

// Write writes the page that shows the events.  An error that events yields
// ends the trace: the page shows what came before it and says what happened, and
// Write returns the error, as it does one of w.
func Write(w io.Writer, events iter.Seq2[trace.Event, error], title string) error {
	return write(w, events, about{Title: title})
}

// WriteAtEnd is Write for a run of which the end is of interest: the page opens at
// the last event.
func WriteAtEnd(w io.Writer, events iter.Seq2[trace.Event, error], title string) error {
	return write(w, events, about{Title: title, End: true})
}

func write(w io.Writer, events iter.Seq2[trace.Event, error], a about) error {
	rest, err := begin(w, a)
	if err != nil {
		return err
	}
	if _, err := io.WriteString(w, `<script type="text/plain" id="trace">`); err != nil {
		return err
	}
	broken, err := writeEvents(w, events)
	if err != nil {
		return err
	}
	ending := ""
	if broken != nil {
		ending = broken.Error()
	}
	b, err := json.Marshal(ending)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "</script>\n<script type=\"application/json\" id=\"ending\">%s</script>\n%s", b, rest)
	return errors.Join(err, broken)
}

// WriteLive writes the page that follows the events which a server sends at the
// relative address events: a stream of records without an end of its own.
func WriteLive(w io.Writer, title, events string) error {
	rest, err := begin(w, about{Title: title, Live: events})
	if err != nil {
		return err
	}
	_, err = io.WriteString(w, rest)
	return err
}

// begin writes the page up to where the trace goes, and returns what follows.
func begin(w io.Writer, a about) (rest string, err error) {
	head, tail, ok := strings.Cut(page, titleMark)
	middle, rest, found := strings.Cut(tail, traceMark)
	if !ok || !found {
		panic("picture: page.html has no place for the title or the trace")
	}
	b, err := json.Marshal(a.describe()) // writes < as \u003c, so it cannot end the script element
	if err != nil {
		return "", err
	}
	_, err = fmt.Fprintf(w, "%s<title>%s</title>%s<script type=\"application/json\" id=\"about\">%s</script>\n",
		head, html.EscapeString(a.Title), middle, b)
	return rest, err
}

// names lists the names of the numbers from 0 to n-1; "" stands for one whose name
// begins with none, for it has none.
func names(n uint32, name func(uint32) string, none string) []string {
	var list []string
	for i := range n {
		if s := name(i); !strings.HasPrefix(s, none) {
			list = append(list, make([]string, int(i)+1-len(list))...)
			list[i] = s
		}
	}
	return list
}

// writeEvents writes the records (tracefile.AppendRecord), packed with gzip, in base64.  It returns the
// error that ended the events apart from one of w.
func writeEvents(w io.Writer, events iter.Seq2[trace.Event, error]) (broken, err error) {
	text := base64.NewEncoder(base64.StdEncoding, w)
	packed := gzip.NewWriter(text)
	var record []byte
	for ev, err := range events {
		if err != nil {
			broken = err
			break
		}
		record = tracefile.AppendRecord(record[:0], &ev)
		if _, err := packed.Write(record); err != nil {
			return broken, err
		}
	}
	return broken, errors.Join(packed.Close(), text.Close())
}
