// Package tracefile reads and writes traces: files of the events that the kernel
// emits (package trace), in a binary form or as JSON, one object a line.
//
// The binary form is made of records of 64 bytes; all numbers are little-endian.
//
//	header    "YOLKTRAC", u32 version, u32 size of a record
//	records   events, in order
//	trailer   a record of kind 0, whose Aux is the number of events
//
// A file without its trailer is one whose writer was killed or whose disk was
// full.  A Reader delivers what is there and then says so.
package tracefile

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"strings"

	"yolk/kernel/trace"
)

// RecordSize is the length in bytes of an event's record.
const RecordSize = 64

// Version is the version of the binary form that Writer writes and Reader reads.
const Version = 1

const (
	magic       = "YOLKTRAC"
	headerSize  = 16
	recordMagic = 0xE7 // opens each record, so that a reader in the wrong place notices
)

// IsJSON reports whether a trace of that name is to be JSON: it ends in .json or
// .jsonl.
func IsJSON(name string) bool {
	ext := strings.ToLower(filepath.Ext(name))
	return ext == ".json" || ext == ".jsonl"
}

// A Writer writes a trace.
type Writer struct {
	w    *bufio.Writer
	file io.Closer // nil: not ours
	json bool
	n    uint64
	buf  []byte
}

// NewWriter returns a writer of the binary form, or of JSON.
func NewWriter(w io.Writer, json bool) *Writer {
	t := &Writer{w: bufio.NewWriterSize(w, 64<<10), json: json}
	if !json {
		t.w.WriteString(magic) // an error stays in w until it is flushed
		t.buf = binary.LittleEndian.AppendUint32(t.buf, Version)
		t.w.Write(binary.LittleEndian.AppendUint32(t.buf, RecordSize))
	}
	return t
}

// Create makes a file for a trace, in the form that its name asks for (IsJSON).
func Create(name string) (*Writer, error) {
	f, err := CreateFile(name)
	if err != nil {
		return nil, err
	}
	t := NewWriter(f, IsJSON(name))
	t.file = f
	return t, nil
}

// CreateFile is os.Create for writing alone.
//
// WHY not os.Create: it opens for reading, too, and a pipe that yolk itself could
// read from would never tell it that its reader has gone.
func CreateFile(name string) (*os.File, error) {
	return os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o666)
}

// Event writes an event.  It never fails: whoever writes a trace cannot wait for
// a disk to be mended; Close tells.
func (t *Writer) Event(ev *trace.Event) {
	t.n++
	if t.json {
		t.buf = AppendJSON(t.buf[:0], ev)
	} else {
		t.buf = AppendRecord(t.buf[:0], ev)
	}
	t.w.Write(t.buf)
}

// Close ends the trace and returns the first error of all that was written.
func (t *Writer) Close() error {
	if !t.json {
		t.w.Write(AppendRecord(t.buf[:0], &trace.Event{Aux: t.n}))
	}
	err := t.w.Flush()
	if t.file != nil {
		if cerr := t.file.Close(); err == nil {
			err = cerr
		}
	}
	return err
}

// AppendRecord appends the event's record, of RecordSize bytes, to b.
func AppendRecord(b []byte, ev *trace.Event) []byte {
	le := binary.LittleEndian
	b = append(b, recordMagic, byte(ev.Kind), byte(ev.Decision), 0)
	b = le.AppendUint32(b, ev.Err)
	b = le.AppendUint64(b, ev.Seq)
	b = le.AppendUint64(b, uint64(ev.Time))
	b = le.AppendUint32(b, uint32(ev.PID))
	b = le.AppendUint32(b, ev.Refs)
	b = le.AppendUint64(b, ev.VA)
	b = le.AppendUint64(b, ev.Old)
	b = le.AppendUint64(b, ev.New)
	return le.AppendUint64(b, ev.Aux)
}

// record decodes a record; it may be the trailer, of kind None.
func record(b *[RecordSize]byte) (ev trace.Event, ok bool) {
	le := binary.LittleEndian
	ev = trace.Event{
		Kind: trace.Kind(b[1]), Decision: trace.Decision(b[2]), Err: le.Uint32(b[4:]),
		Seq: le.Uint64(b[8:]), Time: int64(le.Uint64(b[16:])),
		PID: int32(le.Uint32(b[24:])), Refs: le.Uint32(b[28:]),
		VA: le.Uint64(b[32:]), Old: le.Uint64(b[40:]), New: le.Uint64(b[48:]), Aux: le.Uint64(b[56:]),
	}
	return ev, b[0] == recordMagic && (ev.Valid() || ev.Kind == trace.None)
}

// A Reader reads a trace.
type Reader struct {
	in   *bufio.Reader
	next func() (trace.Event, error)
	n    uint64 // events read
	err  error  // what Next returns from now on
}

// Open begins to read a trace in either form.  It fails with ErrEmpty, ErrForeign,
// a VersionError, a TruncatedError or what r fails with.
func Open(r io.Reader) (*Reader, error) {
	t := &Reader{in: bufio.NewReaderSize(r, 64<<10)}
	head, err := t.in.Peek(headerSize)
	switch {
	case err != nil && err != io.EOF:
		return nil, err
	case len(head) == 0:
		return nil, ErrEmpty
	case head[0] == '{':
		t.next = t.nextLine
		return t, nil
	case len(head) < headerSize && strings.HasPrefix(magic, string(head[:min(len(head), len(magic))])):
		return nil, &TruncatedError{}
	case string(head[:min(len(head), len(magic))]) != magic:
		return nil, ErrForeign
	}
	le := binary.LittleEndian
	if v := le.Uint32(head[len(magic):]); v != Version {
		return nil, &VersionError{v}
	}
	if le.Uint32(head[len(magic)+4:]) != RecordSize {
		return nil, ErrForeign
	}
	t.in.Discard(headerSize)
	t.next = t.nextRecord
	return t, nil
}

// Next returns the next event; io.EOF after the last one of a trace that is
// whole.  Else the error is a TruncatedError, a CorruptError, a VersionError or
// what the underlying reader failed with, and comes after all events before the
// fault.
func (t *Reader) Next() (trace.Event, error) {
	if t.err != nil {
		return trace.Event{}, t.err
	}
	ev, err := t.next()
	if err == nil && ev.Kind == trace.Boot && ev.Err != trace.StreamVersion {
		err = &VersionError{ev.Err}
	}
	if err != nil {
		t.err = err
		return trace.Event{}, err
	}
	t.n++
	return ev, nil
}

// All yields what Next returns, up to the end; an error but io.EOF comes last.
func (t *Reader) All() iter.Seq2[trace.Event, error] {
	return func(yield func(trace.Event, error) bool) {
		for {
			ev, err := t.Next()
			if err == io.EOF || !yield(ev, err) || err != nil {
				return
			}
		}
	}
}

func (t *Reader) nextRecord() (trace.Event, error) {
	var b [RecordSize]byte
	if _, err := io.ReadFull(t.in, b[:]); err == io.EOF || err == io.ErrUnexpectedEOF {
		return trace.Event{}, &TruncatedError{t.n}
	} else if err != nil {
		return trace.Event{}, err
	}
	ev, ok := record(&b)
	switch {
	case !ok || ev.Kind == trace.None && ev.Aux != t.n:
		return trace.Event{}, &CorruptError{t.n}
	case ev.Kind == trace.None:
		return trace.Event{}, io.EOF
	}
	return ev, nil
}

func (t *Reader) nextLine() (trace.Event, error) {
	line, err := t.in.ReadSlice('\n')
	switch {
	case err == io.EOF && len(line) == 0:
		return trace.Event{}, io.EOF
	case err == io.EOF:
		return trace.Event{}, &TruncatedError{t.n}
	case err == bufio.ErrBufferFull:
		return trace.Event{}, &CorruptError{t.n}
	case err != nil:
		return trace.Event{}, err
	}
	ev, err := ParseJSON(line)
	switch {
	case err != nil && t.n == 0:
		return trace.Event{}, ErrForeign
	case err != nil:
		return trace.Event{}, &CorruptError{t.n}
	}
	return ev, nil
}

// Errors of Open and Next that are always the same.
var (
	ErrEmpty   = errors.New("the file is empty: nothing was traced into it")
	ErrForeign = errors.New("this is not a trace: neither what `yolk run -trace` writes nor its JSON")
)

// A VersionError is a trace that another version of yolk has written.
type VersionError struct{ Version uint32 }

func (e *VersionError) Error() string {
	return fmt.Sprintf("this trace has version %d, and this yolk reads version %d: trace again, or use the yolk that wrote it", e.Version, Version)
}

// A TruncatedError is a trace without its end.
type TruncatedError struct{ Events uint64 }

func (e *TruncatedError) Error() string {
	return fmt.Sprintf("the trace is cut off after %d events: its writer was killed, or its disk was full", e.Events)
}

// A CorruptError is something amid the events that is none.
type CorruptError struct{ Events uint64 }

func (e *CorruptError) Error() string {
	return fmt.Sprintf("the trace is damaged: what follows event %d is not an event", e.Events)
}
