package kit

import (
	"errors"
	"testing"
)

func TestFormat(t *testing.T) {
	for _, c := range []struct {
		args []any
		want string
	}{
		{nil, ""},
		{[]any{"a", 1, "b", int64(-2), uint64(3)}, "a1b-23"},
		{[]any{Hex(0), " ", Hex(0xdead)}, "0x0 0xdead"},
		{[]any{true, false}, "yesno"},
		{[]any{Column{5, "ab"}, "|", Column{-5, 12}, "|"}, "ab   |   12|"},
		{[]any{Column{2, "long"}}, "long"},
		{[]any{errors.New("no"), []byte("x")}, "nox"},
		{[]any{struct{}{}}, "?"},
	} {
		if got := Format(c.args...); got != c.want {
			t.Errorf("Format(%v) = %q, want %q", c.args, got, c.want)
		}
	}
}
