package sh

import (
	"sort"
	"strings"

	"yolk/userland/sys"
)

// A fileSystem is what globbing and completion look at.
type fileSystem struct {
	list   func(dir string) []string // the names in a directory, unsorted
	exists func(path string) bool
	isDir  func(path string) bool
}

// kernelFiles is the real one.
func kernelFiles() fileSystem {
	return fileSystem{
		list: func(dir string) []string {
			entries, _ := sys.ReadDir(dir)
			names := make([]string, len(entries))
			for i, e := range entries {
				names[i] = e.Name
			}
			return names
		},
		exists: func(path string) bool { _, err := sys.Lstat(path); return err == nil },
		isDir:  func(path string) bool { st, err := sys.Stat(path); return err == nil && st.IsDir() },
	}
}

// glob gives the paths that match the pattern, sorted; none when the pattern
// has no wildcard or nothing matches.
func (fs fileSystem) glob(pattern string) []string {
	if !isPattern(pattern) {
		return nil
	}
	found := []string{""}
	for len(pattern) > 0 {
		n := strings.IndexByte(pattern, '/')
		part := pattern
		if n >= 0 {
			part = pattern[:n]
		}
		found = fs.step(found, part)
		pattern = pattern[len(part):]
		slashes := len(pattern) - len(strings.TrimLeft(pattern, "/"))
		for i := range found {
			found[i] += pattern[:slashes]
		}
		pattern = pattern[slashes:]
	}
	sort.Strings(found)
	return found
}

// step extends each path found so far by the names that match one component.
func (fs fileSystem) step(found []string, part string) []string {
	var next []string
	for _, prefix := range found {
		if !isPattern(part) {
			if p := prefix + unescape(part); part == "" || fs.exists(p) {
				next = append(next, p)
			}
			continue
		}
		dir := prefix
		if dir == "" {
			dir = "."
		}
		for _, name := range fs.list(dir) {
			if (name[0] != '.' || part[0] == '.') && match(part, name) {
				next = append(next, prefix+name)
			}
		}
	}
	return next
}

// isPattern tells whether the pattern holds a wildcard that no backslash quotes.
func isPattern(pattern string) bool {
	for i := 0; i < len(pattern); i++ {
		switch pattern[i] {
		case '\\':
			i++
		case '*', '?', '[':
			return true
		}
	}
	return false
}

// unescape drops the backslashes that quote.
func unescape(pattern string) string {
	var b []byte
	for i := 0; i < len(pattern); i++ {
		if pattern[i] == '\\' && i+1 < len(pattern) {
			i++
		}
		b = append(b, pattern[i])
	}
	return string(b)
}

// match tells whether the name as a whole matches the pattern: * any string, ?
// any byte, […] one of a set, [!…] none of it, \c the byte c (XCU 2.13).
func match(pattern, name string) bool {
	for pattern != "" {
		switch pattern[0] {
		case '*':
			for i := 0; i <= len(name); i++ {
				if match(pattern[1:], name[i:]) {
					return true
				}
			}
			return false
		case '[':
			if set, rest, ok := cutSet(pattern); ok {
				if name == "" || !inSet(set, name[0]) {
					return false
				}
				pattern, name = rest, name[1:]
				continue
			}
		case '?':
			if name == "" {
				return false
			}
			pattern, name = pattern[1:], name[1:]
			continue
		case '\\':
			if len(pattern) > 1 {
				pattern = pattern[1:]
			}
		}
		if name == "" || pattern[0] != name[0] {
			return false
		}
		pattern, name = pattern[1:], name[1:]
	}
	return name == ""
}

// cutSet splits a pattern that starts with [ into what stands in the brackets
// and what follows them; ok is false when nothing closes them.
func cutSet(pattern string) (set, rest string, ok bool) {
	i := 1
	if i < len(pattern) && pattern[i] == '!' {
		i++
	}
	for first := i; i < len(pattern); i++ {
		if pattern[i] == ']' && i > first {
			return pattern[1:i], pattern[i+1:], true
		}
		if pattern[i] == '\\' {
			i++
		}
	}
	return "", "", false
}

// inSet tells whether c is in the set: single bytes and ranges, perhaps negated.
func inSet(set string, c byte) bool {
	want := true
	if set[0] == '!' {
		want, set = false, set[1:]
	}
	for set != "" {
		var low byte
		low, set = setByte(set)
		high := low
		if len(set) > 1 && set[0] == '-' {
			high, set = setByte(set[1:])
		}
		if low <= c && c <= high {
			return want
		}
	}
	return !want
}

// setByte takes one byte, perhaps quoted by a backslash, from a set.
func setByte(set string) (byte, string) {
	if set[0] == '\\' && len(set) > 1 {
		set = set[1:]
	}
	return set[0], set[1:]
}
