package kit

import "strconv"

// Hex is a number that is printed as 0x and hexadecimal digits.
type Hex uint64

// A Column is printed padded with blanks to a width: to the right when Width is
// positive, to the left when negative.
type Column struct {
	Width int
	Value any
}

// Format gives the arguments one after the other, with nothing between them.
// It knows strings, bytes, integers, booleans (yes and no), Hex, Column and errors.
//
// WHY not package fmt: it looks into values by reflection, and costs each
// program here a quarter of its size.
func Format(args ...any) string { return string(Append(nil, args...)) }

// Append is [Format] into a slice.
func Append(b []byte, args ...any) []byte {
	for _, a := range args {
		b = appendOne(b, a)
	}
	return b
}

// appendOne formats one argument.
func appendOne(b []byte, a any) []byte {
	switch v := a.(type) {
	case string:
		return append(b, v...)
	case []byte:
		return append(b, v...)
	case bool:
		if v {
			return append(b, "yes"...)
		}
		return append(b, "no"...)
	case int:
		return strconv.AppendInt(b, int64(v), 10)
	case int64:
		return strconv.AppendInt(b, v, 10)
	case uint32:
		return strconv.AppendUint(b, uint64(v), 10)
	case uint64:
		return strconv.AppendUint(b, v, 10)
	case Hex:
		return strconv.AppendUint(append(b, "0x"...), uint64(v), 16)
	case Column:
		return appendColumn(b, v)
	case interface{ String() string }:
		return append(b, v.String()...)
	case error:
		return append(b, v.Error()...)
	}
	return append(b, '?')
}

// appendColumn formats a padded argument.
func appendColumn(b []byte, c Column) []byte {
	text := appendOne(nil, c.Value)
	pad := max(c.Width, -c.Width) - len(text)
	if c.Width > 0 {
		b = append(b, text...)
	}
	for ; pad > 0; pad-- {
		b = append(b, ' ')
	}
	if c.Width <= 0 {
		b = append(b, text...)
	}
	return b
}
