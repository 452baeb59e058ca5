package trace

import (
	"encoding/binary"
	"errors"
	"io"
	"math/bits"
)

// ErrFormat is returned for bytes that are no event.
var ErrFormat = errors.New("not a trace event")

// An Encoder gives events the form in which they leave the machine:
//
//	kind           1 byte
//	which fields   1 byte, bits 0 to 7: PID (if it changed), Decision, Err, Refs, VA, Old, New, Aux (if not zero)
//	time           since the event before, in nanoseconds
//	PID, Decision, Err, Refs
//	VA             the difference to the last VA that was not zero, its sign in bit 0
//	Old, New       rotated left by one bit, so that a page-table entry's NX is bit 0; New exclusive-or Old
//	Aux
//
// Numbers are unsigned varints (encoding/binary).  Seq is not sent: the events
// of a stream are numbered from 0.  The zero Encoder is at its start.
//
// WHY not the 64 bytes as they are: each byte is an instruction that leaves the
// guest, and most fields are zero or close to the event's before.
type Encoder struct{ last Event }

// Append appends ev, the next event of the stream, to b.
func (c *Encoder) Append(b []byte, ev *Event) []byte {
	delta := int64(ev.VA - c.last.VA)
	fields := [...]uint64{
		uint64(uint32(ev.PID)), uint64(ev.Decision), uint64(ev.Err), uint64(ev.Refs),
		uint64(delta<<1 ^ delta>>63), bits.RotateLeft64(ev.Old, 1), bits.RotateLeft64(ev.New^ev.Old, 1), ev.Aux,
	}
	there := [...]bool{ev.PID != c.last.PID, ev.Decision != 0, ev.Err != 0, ev.Refs != 0, ev.VA != 0, ev.Old != 0, ev.New != ev.Old, ev.Aux != 0}
	mask := len(b) + 1
	b = append(b, byte(ev.Kind), 0)
	b = binary.AppendUvarint(b, uint64(ev.Time-c.last.Time))
	for i, v := range fields {
		if there[i] {
			b[mask] |= 1 << i
			b = binary.AppendUvarint(b, v)
		}
	}
	c.last.follow(ev)
	return b
}

// follow makes last what the next event's fields are relative to.
func (last *Event) follow(ev *Event) {
	last.Time, last.PID = ev.Time, ev.PID
	if ev.VA != 0 {
		last.VA = ev.VA
	}
}

// A Decoder reads what an Encoder wrote.  The zero Decoder is at the start of a
// stream.
type Decoder struct {
	last Event
	seq  uint64
}

// Decode reads the next event.  It fails with io.EOF at the end of the stream,
// io.ErrUnexpectedEOF in the midst of an event, ErrFormat at bytes that are none.
func (c *Decoder) Decode(r io.ByteReader) (Event, error) {
	kind, err := r.ReadByte()
	if err != nil {
		return Event{}, err
	}
	var fields [9]uint64 // those of Encoder; the last is the time
	mask, err := r.ReadByte()
	if err == nil {
		fields[8], err = binary.ReadUvarint(r)
	}
	for i := 0; i < 8 && err == nil; i++ {
		if mask>>i&1 != 0 {
			fields[i], err = binary.ReadUvarint(r)
		}
	}
	switch {
	case err == io.EOF || err == io.ErrUnexpectedEOF:
		return Event{}, io.ErrUnexpectedEOF
	case err != nil:
		return Event{}, ErrFormat
	}
	ev := Event{Seq: c.seq, Time: c.last.Time + int64(fields[8]), PID: c.last.PID, Kind: Kind(kind), Decision: Decision(fields[1]),
		Err: uint32(fields[2]), Refs: uint32(fields[3]), Old: bits.RotateLeft64(fields[5], -1), Aux: fields[7]}
	ev.New = bits.RotateLeft64(fields[6], -1) ^ ev.Old
	if mask&1 != 0 {
		ev.PID = int32(fields[0])
	}
	if mask>>4&1 != 0 {
		ev.VA = c.last.VA + uint64(int64(fields[4]>>1)^-int64(fields[4]&1))
	}
	if !ev.Valid() {
		return Event{}, ErrFormat
	}
	c.seq++
	c.last.follow(&ev)
	return ev, nil
}
