package grade

import (
	"bytes"
	"encoding/csv"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestReadResults: what Write writes is read again; what Gradescope would refuse
// is refused.
func TestReadResults(t *testing.T) {
	r, err := ReadResults([]byte(written(t, "gradescope", reported())))
	ok(t, err)
	got, of := r.Score()
	robust, robustOf := r.Part(true)
	if got != 8 || of != 15 || robust != 3 || robustOf != 3 || len(r.Tests) != 3 || r.Tests[1].Name != "mm/TestB/x,_y" {
		t.Errorf("%+v", r)
	}
	for _, bad := range []string{
		`{}`, `{"tests":{}}`, `{"tests":[],"visibility":"yes"}`, `{"tests":[],"tset":1}`, `{"tests":[{"score":1,"max_score":2}]}`,
		`{"tests":[{"score":1,"max_score":2,"name":"a","status":"pass"}]}`, `{"tests":[{"score":3,"max_score":2,"name":"a","status":"passed"}]}`,
		`{"tests":[{"score":1,"max_score":2,"name":"a","status":"passed","visibility":"no"}]}`,
	} {
		if _, err := ReadResults([]byte(bad)); err == nil {
			t.Errorf("%s is read", bad)
		}
	}
}

// TestClassOfOneLab: a submission that was graded as another lab has no verdict.
func TestClassOfOneLab(t *testing.T) {
	dir := t.TempDir()
	other := reported()
	other.Lab.Name = "gate"
	for name, r := range map[string]*Report{"ada": reported(), "bob": reported(), "eve": other} {
		ok(t, os.WriteFile(filepath.Join(dir, name+".json"), []byte(written(t, "gradescope", r)), 0o666))
	}
	class, err := ReadClass([]string{dir})
	ok(t, err)
	for _, s := range class {
		if isEve := s.Name == "eve"; (s.Results == nil) != isEve || strings.HasSuffix(s.Why, "grade it with -lab cow") != isEve {
			t.Errorf("%+v", s)
		}
	}
}

func TestMedian(t *testing.T) {
	for want, scores := range map[float64][]int{5: {5}, 50: {100, 0}, 7: {9, 7, 1}, 2.5: {4, 1, 3, 2}} {
		if got := median(scores); got != want {
			t.Errorf("%v: %g, want %g", scores, got, want)
		}
	}
}

// TestClass: the two tables of a class, with a submission that has no verdict.
func TestClass(t *testing.T) {
	dir := t.TempDir()
	all := reported()
	for _, r := range all.Results {
		r.Passed = true
	}
	for name, text := range map[string]string{
		"ada": written(t, "gradescope", all), "bob": written(t, "gradescope", reported()), "eve": "", "readme.txt": "",
	} {
		if filepath.Ext(name) == "" {
			name += ".json"
		}
		ok(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666))
	}
	class, err := ReadClass([]string{dir})
	ok(t, err)
	var b bytes.Buffer
	if err := WriteClass(&b, class); !errors.Is(err, ErrNoVerdict) {
		t.Errorf("a submission without a verdict: %v", err)
	}
	want := `submission  score  functionality  robustness
ada         15/15  12/12          3/3
bob         8/15   5/12           3/3
eve         -      -              -  no verdict: the file is empty

submissions: 3, with a verdict: 2, median score: 11.5

failed by  test
        1  mm/TestB/x,_y
        0  mm/TestA
        0  guest(fork=eager)/COW-01
`
	if b.String() != want {
		t.Errorf("%s", b.String())
	}
	b.Reset()
	if err := WriteClassCSV(&b, class); !errors.Is(err, ErrNoVerdict) {
		t.Errorf("a submission without a verdict: %v", err)
	}
	rows, err := csv.NewReader(&b).ReadAll()
	if err != nil || len(rows) != 4 || strings.Join(rows[0], "|") != "submission|score|of|functionality|robustness|mm/TestA|mm/TestB/x,_y|guest(fork=eager)/COW-01" ||
		strings.Join(rows[2], "|") != "bob|8|15|5|3|5|0|3" || strings.Join(rows[3], "|") != "eve|||||||" {
		t.Errorf("%v, %q", err, rows)
	}
	if class, err := ReadClass([]string{filepath.Join(dir, "bob.json"), filepath.Join(dir, "ada.json")}); err != nil || len(class) != 2 || class[0].Name != "bob" || WriteClass(&b, class) != nil {
		t.Errorf("%+v, %v", class, err)
	}
	for _, none := range [][]string{nil, {t.TempDir()}, {filepath.Join(dir, "none.json")}} {
		if _, err := ReadClass(none); err == nil {
			t.Errorf("%q is a class", none)
		}
	}
}
