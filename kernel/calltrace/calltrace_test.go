package calltrace

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"yolk/kernel/abi"
	"yolk/kernel/trace"
)

// memory is a caller's memory: what is not in it is not present.
type memory map[uint64]byte

func (m memory) put(va uint64, s string) {
	for i := range len(s) {
		m[va+uint64(i)] = s[i]
	}
}

func (m memory) words(va uint64, words ...uint64) {
	for _, w := range words {
		m.put(va, string(binary.LittleEndian.AppendUint64(nil, w)))
		va += 8
	}
}

func (m memory) peek(b []byte, va uint64) int {
	for i := range b {
		c, ok := m[va+uint64(i)]
		if !ok {
			return i
		}
		b[i] = c
	}
	return len(b)
}

// printer writes events down, texts in short.
type printer struct{ strings.Builder }

func (p *printer) Event(ev *trace.Event) {
	switch ev.Kind {
	case trace.Text:
		var b []byte
		for _, w := range []uint64{ev.VA, ev.Old, ev.New, ev.Aux} {
			b = binary.LittleEndian.AppendUint64(b, w)
		}
		fmt.Fprintf(p, " %d:%q", ev.Err>>trace.TextArg&7, b[:ev.Err&0xff])
		if ev.Err&trace.TextCut != 0 {
			p.WriteString("…")
		}
		if ev.Refs > 0 {
			fmt.Fprintf(p, "+%d", ev.Refs)
		}
	case trace.Args:
		fmt.Fprintf(p, " args %x %x %x", ev.VA, ev.Old, ev.New)
	case trace.Syscall:
		fmt.Fprintf(p, "call %d %x %x %x with %d", ev.VA, ev.Aux, ev.Old, ev.New, ev.Refs)
	case trace.SysReturn:
		fmt.Fprintf(p, "return %d %d with %d", ev.VA, int64(ev.Aux), ev.Refs)
	}
}

func TestEnter(t *testing.T) {
	m := memory{}
	m.put(0x1000, "/etc/motd\x00")
	m.put(0x2000, strings.Repeat("x", 300)+"\x00")
	m.put(0x3000, "no end")
	m.put(0x4000, "\x00")
	m.words(0x5000, 0x1000, 0x9000, 0x4000, 0)
	m.words(0x6000, 0x1000, 3, 0x9000, 5, 0x2000, 40)
	m.words(0x7000, 3, 5)
	x32 := strings.Repeat("x", 32)
	long := ""
	for left := 224; left >= 0; left -= 32 {
		long += fmt.Sprintf(" 1:%q", x32)
		if left == 0 {
			long += "…"
		} else {
			long += fmt.Sprintf("+%d", left)
		}
	}
	for _, c := range []struct {
		nr   uint64
		args [6]uint64
		want string
	}{
		{abi.SysGetpid, [6]uint64{}, "call 39 0 0 0 with 0"},
		{abi.SysMmap, [6]uint64{0, 4096, 3, 0x22, ^uint64(0), 0}, "call 9 0 1000 3 with 1 args 22 ffffffffffffffff 0"},
		{abi.SysOpen, [6]uint64{0x1000, 2}, `call 2 1000 2 0 with 1 0:"/etc/motd"`},
		{abi.SysOpenat, [6]uint64{0, 0x2000, 0, 0, 0, 7}, "call 257 0 2000 0 with 9 args 0 0 7" + long},
		{abi.SysRename, [6]uint64{0x9000, 0x1000}, `call 82 9000 1000 0 with 1 1:"/etc/motd"`},
		{abi.SysLinkat, [6]uint64{1, 0x1000, 2, 0x4000}, `call 265 1 1000 2 with 3 args 4000 0 0 1:"/etc/motd" 3:""`},
		{abi.SysUnlink, [6]uint64{0x3000}, `call 87 3000 0 0 with 1 0:"no end"…`},
		{abi.SysUnlink, [6]uint64{0x9000}, `call 87 9000 0 0 with 0`},
		{abi.SysWrite, [6]uint64{1, 0x1000, 4}, `call 1 1 1000 4 with 1 1:"/etc"`},
		{abi.SysWrite, [6]uint64{1, 0x1000, 0}, `call 1 1 1000 0 with 1 1:""`},
		{abi.SysWrite, [6]uint64{1, 0x2000, 200}, `call 1 1 2000 c8 with 1 1:"` + x32 + `"…`},
		{abi.SysWrite, [6]uint64{1, 0x3000, 7}, `call 1 1 3000 7 with 0`},
		{abi.SysExecve, [6]uint64{0x1000, 0x5000, 0}, `call 59 1000 5000 0 with 3 0:"/etc/motd" 1:"/etc/motd" 1:""`},
		{abi.SysExecve, [6]uint64{0x1000, 0x9000, 0}, `call 59 1000 9000 0 with 1 0:"/etc/motd"`},
		{abi.SysWritev, [6]uint64{1, 0x6000, 3}, `call 20 1 6000 3 with 2 1:"/et" 1:"` + x32 + `"…`},
		{abi.SysWritev, [6]uint64{1, 0x6000, 1 << 40}, `call 20 1 6000 10000000000 with 2 1:"/et" 1:"` + x32 + `"…`},
		{abi.SysNanosleep, [6]uint64{0x7000}, `call 35 7000 0 0 with 1 0:"\x03\x00\x00\x00\x00\x00\x00\x00\x05\x00\x00\x00\x00\x00\x00\x00"`},
	} {
		var log trace.Log
		var got printer
		log.Attach(trace.ClassAll, &got, nil)
		Enter(&log, m.peek, c.nr, &c.args)
		if got.String() != c.want {
			t.Errorf("call %d:\n%s, want\n%s", c.nr, got.String(), c.want)
		}
	}
}

func TestLeave(t *testing.T) {
	m := memory{}
	m.put(0x1000, "hello\n"+strings.Repeat(".", 50))
	for _, c := range []struct {
		nr, ret uint64
		args    [6]uint64
		want    string
	}{
		{abi.SysRead, 6, [6]uint64{0, 0x1000, 100}, `return 0 6 with 1 1:"hello\n"`},
		{abi.SysRead, 50, [6]uint64{0, 0x1000, 100}, `return 0 50 with 1 1:"hello\n` + strings.Repeat(".", 26) + `"…`},
		{abi.SysRead, 0, [6]uint64{0, 0x1000, 100}, `return 0 0 with 1 1:""`},
		{abi.SysRead, ^uint64(8), [6]uint64{0, 0x1000, 100}, `return 0 -9 with 0`},
		{abi.SysPipe, 0, [6]uint64{0x1000}, `return 22 0 with 1 0:"hello\n.."`},
		{abi.SysWait4, 12, [6]uint64{7, 0x1000}, `return 61 12 with 1 1:"hell"`},
		{abi.SysWait4, 12, [6]uint64{7, 0}, `return 61 12 with 0`},
		{abi.SysWrite, 6, [6]uint64{0, 0x1000, 6}, `return 1 6 with 0`},
	} {
		var log trace.Log
		var got printer
		log.Attach(trace.ClassAll, &got, nil)
		Leave(&log, m.peek, c.nr, c.ret, &c.args)
		if got.String() != c.want {
			t.Errorf("call %d:\n%s, want\n%s", c.nr, got.String(), c.want)
		}
	}
}
