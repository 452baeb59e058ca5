package lab

import (
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"yolk/tools/internal/tree"
)

// message matches the messages of a row: what stands in backticks in its first
// column.
var message = regexp.MustCompile("`([^`]+)`")

// TestMessagesExist: every message that the students' page explains stands in the
// source, part by part.
func TestMessagesExist(t *testing.T) {
	page, err := os.ReadFile("STUDENTS.md")
	ok(t, err)
	files, err := tree.Files(root)
	ok(t, err)
	var source strings.Builder
	for _, name := range files {
		if path.Ext(name) == ".go" && !strings.HasSuffix(name, "_test.go") {
			b, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(name)))
			ok(t, err)
			source.Write(b)
		}
	}
	n := 0
	for line := range strings.Lines(string(page)) {
		row := strings.Split(line, "|")
		if len(row) < 4 {
			continue
		}
		for _, m := range message.FindAllStringSubmatch(row[1], -1) {
			for _, part := range partsOf(m[1]) {
				n++
				if !strings.Contains(source.String(), part) {
					t.Errorf("%q, of the message %q, stands nowhere in the source", part, m[1])
				}
			}
		}
	}
	if n < 30 {
		t.Errorf("only %d messages were looked up", n)
	}
}

// partsOf returns what of a message is always the same: what the source writes
// between values, or joins with a name.
func partsOf(message string) (parts []string) {
	for part := range strings.SplitSeq(message, "…") {
		if part = strings.Trim(part, " :,"); len(part) > 1 {
			parts = append(parts, part)
		}
	}
	return parts
}

func TestPartsOf(t *testing.T) {
	if got := partsOf("panic: …, at …: lab"); strings.Join(got, "|") != "panic|at|lab" {
		t.Errorf("%q", got)
	}
}
