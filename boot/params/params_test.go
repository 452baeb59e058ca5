package params

import (
	"reflect"
	"strings"
	"testing"

	"yolk/kernel/trace"
)

func TestParseEmptyGivesTheDefaults(t *testing.T) {
	got := Parse("")
	want := Params{TTY: 7, Rows: 24, Cols: 80, Term: "dumb", FaultAround: 1, Tick: 10_000}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("Parse(\"\") = %+v, want %+v", got, want)
	}
}

func TestParseEveryKey(t *testing.T) {
	got := Parse("tty=5 winsize=50x132 term=xterm%2D256color trace=0x3 fork=eager faultaround=16 tick=50 args=/a%20b crash=nil taken=1 -- sh -c echo%20%25 % tty=0")
	want := Params{
		TTY: 5, Rows: 50, Cols: 132, Term: "xterm-256color", Trace: trace.ClassProcess | trace.ClassFault,
		EagerFork: true, FaultAround: 16, Tick: 50, ArgsFile: "/a b", Crash: "nil", Taken: true,
		Args: []string{"sh", "-c", "echo %", "", "tty=0"},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestParseLastOneWins(t *testing.T) {
	if got := Parse("tty=5 tty=2"); got.TTY != 2 {
		t.Errorf("TTY = %d, want 2", got.TTY)
	}
}

func TestParseKeepsDefaultsAndComplains(t *testing.T) {
	for _, tc := range []struct{ line, complaint string }{
		{"tty=8", "not a number"},
		{"tty=x", "not a number"},
		{"winsize=0x80", "not a number"},
		{"faultaround=0", "not a number"},
		{"fork=lazy", "cow or eager"},
		{"taken=0", "1 or absent"},
		{"colour=red", "unknown"},
		{"-- %4", "cut-off"},
		{"-- %zz", "not hexadecimal"},
	} {
		got := Parse(tc.line)
		if len(got.Complaints) != 1 || !strings.Contains(got.Complaints[0], tc.complaint) {
			t.Errorf("%q: complaints %q, want one with %q", tc.line, got.Complaints, tc.complaint)
		}
		if got.TTY != 7 || got.FaultAround != 1 || got.EagerFork || got.Taken {
			t.Errorf("%q: a default was lost: %+v", tc.line, got)
		}
	}
}
