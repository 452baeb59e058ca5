// Package view serves the picture of a machine that is running: a browser that
// opens it gets the page of package picture, and then the events as they happen.
//
// The machine never waits for a browser.  The events go into a ring of bounded
// size, from which each connection reads at its own pace; one that falls behind
// by more than the ring is told how many events it has missed.
package view

import (
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"yolk/kernel/trace"
	"yolk/tools/internal/picture"
	"yolk/tools/internal/tracefile"
)

// DefaultAddr is the address that a server listens at unless another is asked
// for: any free port, for this host only.
const DefaultAddr = "127.0.0.1:0"

// room is how many events are kept for browsers that come late or are slow.
const room = 1 << 20

// A Server shows one machine.
type Server struct {
	title  string
	host   string // by which it was told to listen
	events *ring
	listen net.Listener
	http   http.Server
}

// Listen starts a server at a TCP address.  Its error says what to do.
func Listen(addr, title string) (*Server, error) { return listen(addr, title, room) }

func listen(addr, title string, room int) (*Server, error) {
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("the picture cannot be served at %s: %w; choose another address with -view-addr, or leave it out for a free port", addr, err)
	}
	host, _, _ := net.SplitHostPort(addr)
	s := &Server{title: title, host: host, events: newRing(room), listen: ln}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", s.page)
	mux.HandleFunc("GET /events", s.stream)
	s.http.Handler = s.guard(mux)
	s.http.ReadHeaderTimeout = 10 * time.Second
	go s.http.Serve(ln)
	return s, nil
}

// URL is where a browser finds the picture.
func (s *Server) URL() string { return "http://" + s.listen.Addr().String() + "/" }

// Event shows an event.  It never waits for a browser.
func (s *Server) Event(ev *trace.Event) { s.events.put(ev) }

// End says that no more events will come.
func (s *Server) End() { s.events.end() }

// Close ends the server and all connections.
func (s *Server) Close() error { return s.http.Close() }

// guard refuses requests that were not meant for this server.
//
// WHY: a page from elsewhere may have its own name resolve to this host, and
// would then be allowed to read what it fetches from here.  The Host header
// tells: it has that page's name.
func (s *Server) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, err := net.SplitHostPort(r.Host)
		if err != nil {
			host = r.Host
		}
		if net.ParseIP(strings.Trim(host, "[]")) == nil && host != "localhost" && host != s.host {
			http.Error(w, "this server answers to its address only, not to "+r.Host, http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (s *Server) page(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	picture.WriteLive(w, s.title, "events") // fails only if the browser has gone
}

// stream sends the events as records, from the first that is kept, until the
// machine has ended or the browser has gone.
func (s *Server) stream(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Cache-Control", "no-store")
	flush := http.NewResponseController(w).Flush
	flush() // the browser learns at once that it is connected
	var at uint64
	buf := make([]byte, 0, 1024*tracefile.RecordSize)
	for {
		buf, at = s.events.read(r.Context(), at, buf[:0])
		if len(buf) == 0 {
			return
		}
		if _, err := w.Write(buf); err != nil || flush() != nil {
			return
		}
	}
}
