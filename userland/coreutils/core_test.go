package coreutils

import (
	"reflect"
	"testing"
)

func TestOptions(t *testing.T) {
	for _, c := range []struct {
		args    []string
		letters string
		rest    []string
		ok      bool
	}{
		{[]string{"x"}, "", []string{}, true},
		{[]string{"x", "-ab", "-a", "f", "-b"}, "aba", []string{"f", "-b"}, true},
		{[]string{"x", "--", "-a"}, "", []string{"-a"}, true},
		{[]string{"x", "-"}, "", []string{"-"}, true},
		{[]string{"x", "-z"}, "", nil, false},
	} {
		letters, rest, ok := options(c.args, "ab")
		if letters != c.letters || ok != c.ok || !reflect.DeepEqual(rest, c.rest) {
			t.Errorf("options(%q) = %q %q %v", c.args, letters, rest, ok)
		}
	}
}

func TestCountsAcrossReads(t *testing.T) {
	var c counts
	inWord := c.add([]byte("one tw"), false)
	inWord = c.add([]byte("o\n  three"), inWord)
	c.add([]byte("\n"), inWord)
	if c != (counts{2, 3, 16}) {
		t.Errorf("counted %+v", c)
	}
}

func TestParseSeconds(t *testing.T) {
	for text, want := range map[string]int64{"0": 0, "3": 3e9, "1.5": 15e8, ".25": 25e7, "0.0000000019": 1} {
		if ns, ok := parseSeconds(text); !ok || ns != want {
			t.Errorf("parseSeconds(%q) = %d, %v", text, ns, ok)
		}
	}
	for _, text := range []string{"", ".", "x", "-1", "1.x", "1e3"} {
		if _, ok := parseSeconds(text); ok {
			t.Errorf("parseSeconds(%q) is content", text)
		}
	}
}

func TestModeString(t *testing.T) {
	for mode, want := range map[uint32]string{0o100644: "-rw-r--r--", 0o040755: "drwxr-xr-x", 0o120777: "lrwxrwxrwx", 0: "?---------"} {
		if got := modeString(mode); got != want {
			t.Errorf("modeString(%o) = %s, want %s", mode, got, want)
		}
	}
}
