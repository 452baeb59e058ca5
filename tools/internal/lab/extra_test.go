package lab

import (
	"testing"

	"yolk/tools/internal/tree"
)

// TestWithTests: tests are added, replaced and taken out; what is wrong with
// them is said, and the lab itself stays as it is.
func TestWithTests(t *testing.T) {
	l := &Lab{Name: "cow", Tests: []Test{{Unit: "mm TestA", Points: 5, Want: "a", Look: "mm.A"}, {Guest: "B", Points: 3, Want: "b", Look: "mm.B", Robust: true}}}
	dir := t.TempDir()
	with := func(data string) (*Lab, error) {
		ok(t, tree.Write(dir, DataFile, []byte(data)))
		return l.WithTests(dir)
	}
	more, err := with(`{"tests": [
		{"unit": "mm TestA", "points": 0},
		{"guest": "B", "points": 4, "visibility": "hidden"},
		{"outside": "cow-splits", "task": 2, "points": 1, "want": "o", "look": "mm.O"},
		{"unit": "mm TestHidden", "task": 2, "points": 9, "want": "h", "look": "mm.H", "visibility": "after_published"}]}`)
	ok(t, err)
	if all, _ := more.Points(); all != 14 || len(more.Tests) != 3 || more.Tests[2].Visibility != "after_published" || more.Tests[0] != (Test{Guest: "B", Points: 4, Want: "b", Look: "mm.B", Robust: true, Visibility: "hidden"}) || more.Name != "cow" {
		t.Errorf("%+v", more)
	}
	if all, _ := l.Points(); all != 8 || l.Tests[1].Points != 3 {
		t.Errorf("the lab itself: %+v", l)
	}
	for what, data := range map[string]string{
		"no JSON": `{`, "an unknown field": `{"test": []}`, "no name": `{"tests": [{"points": 1, "want": "w", "look": "l"}]}`,
		"two names":  `{"tests": [{"unit": "mm TestX", "guest": "X", "points": 1, "want": "w", "look": "l"}]}`,
		"two places": `{"tests": [{"outside": "x", "guest": "X", "points": 1, "want": "w", "look": "l"}]}`,
		"no look":    `{"tests": [{"unit": "mm TestX", "points": 1, "want": "w"}]}`, "nothing to take out": `{"tests": [{"unit": "mm TestX", "points": 0}]}`,
		"nothing to add":  `{"tests": [{"unit": "mm TestX", "want": "w", "look": "l"}]}`,
		"negative points": `{"tests": [{"unit": "mm TestX", "points": -1, "want": "w", "look": "l"}]}`,
		"visibility":      `{"tests": [{"unit": "mm TestX", "points": 1, "want": "w", "look": "l", "visibility": "no"}]}`,
	} {
		if _, err := with(data); err == nil {
			t.Errorf("%s is no error", what)
		}
	}
	if _, err := l.WithTests(t.TempDir()); err == nil {
		t.Error("no file is no error")
	}
}

// TestTakes: within a major version, whatever the others are.
func TestTakes(t *testing.T) {
	l := &Lab{Version: "1.2.0"}
	for version, want := range map[string]bool{"1.0.0": true, "1.9.3": true, "2.0.0": false, "11.0.0": false, "": false} {
		if l.Takes(version) != want {
			t.Errorf("%s: %t", version, !want)
		}
	}
}
