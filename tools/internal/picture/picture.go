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
	Title     string   `json:"title"`
	Kinds     []string `json:"kinds"`     // by number
	Decisions []string `json:"decisions"` // by number
	Live      string   `json:"live,omitempty"`
}

// Write writes the page that shows the events.  An error that events yields
// ends the trace: the page shows what came before it and says what happened, and
// Write returns the error, as it does one of w.
func Write(w io.Writer, events iter.Seq2[trace.Event, error], title string) error {
	rest, err := begin(w, title, "")
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
	rest, err := begin(w, title, events)
	if err != nil {
		return err
	}
	_, err = io.WriteString(w, rest)
	return err
}

// begin writes the page up to where the trace goes, and returns what follows.
func begin(w io.Writer, title, live string) (rest string, err error) {
	head, tail, ok := strings.Cut(page, titleMark)
	middle, rest, found := strings.Cut(tail, traceMark)
	if !ok || !found {
		panic("picture: page.html has no place for the title or the trace")
	}
	a := about{Title: title, Kinds: names(func(i byte) string { return trace.Kind(i).String() }), Live: live}
	a.Decisions = names(func(i byte) string { return trace.Decision(i).String() })
	b, err := json.Marshal(a) // writes < as \u003c, so it cannot end the script element
	if err != nil {
		return "", err
	}
	_, err = fmt.Fprintf(w, "%s<title>%s</title>%s<script type=\"application/json\" id=\"about\">%s</script>\n",
		head, html.EscapeString(title), middle, b)
	return rest, err
}

// names lists the names of the numbers from 0 on, "" for those that have none.
func names(name func(byte) string) []string {
	var list []string
	for i := range 256 {
		if s := name(byte(i)); s != "unknown" {
			list = append(list, make([]string, i+1-len(list))...)
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
