package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"yolk/kernel/trace"
	"yolk/qemu"
	"yolk/tools/internal/grade"
	"yolk/tools/internal/lab"
	"yolk/tools/internal/tree"
)

func TestParseGrade(t *testing.T) {
	f, err := parseGrade([]string{"-run", "COW-0[12]", "-format", "tap", "-v", "-lab", "cow", "dir"})
	if err != nil || f.dir != "dir" || f.format != "tap" || f.lab != "cow" || !f.verbose || !f.match.MatchString("guest/COW-01-x") || f.match.MatchString("COW-03") {
		t.Errorf("%+v, %v", f, err)
	}
	if f, err := parseGrade(nil); err != nil || f.format != "mit" || f.match != nil || f.dir != "" {
		t.Errorf("%+v, %v", f, err)
	}
}

// TestDraws: the picture opens at its end and says where it is cut; without a
// failure there is none, and a sentence says so.
func TestDraws(t *testing.T) {
	file := filepath.Join(t.TempDir(), "p.html")
	f, opt := &gradeFlags{html: file}, &grade.Options{}
	sentence := f.draws(opt)
	if s := sentence(); !strings.HasSuffix(s, "p.html is not written\n") {
		t.Errorf("%q", s)
	}
	d := &grade.Drawing{Test: &lab.Test{Guest: "COW-01"}, Failed: true, Events: make([]trace.Event, 3), Cut: true}
	if err := opt.Draw(d); err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(file)
	if err != nil || !strings.Contains(string(page), `"title":"guest/COW-01","end":true`) || !strings.Contains(string(page), errCut.Error()) {
		t.Errorf("%v, %d bytes", err, len(page))
	}
	if s := sentence(); !strings.HasSuffix(s, "guest/COW-01 ran by itself and failed\n") {
		t.Errorf("%q", s)
	}
	for words, d := range map[string]*grade.Drawing{
		"with 7 others, for by itself it passes, and failed": {Test: d.Test, Others: 7, Failed: true}, "and did not fail again": {Test: d.Test, Others: 7},
	} {
		if s := drawnWords(d, file); !strings.Contains(s, words) {
			t.Errorf("%q, want %q", s, words)
		}
	}
	if _, err := parseGrade([]string{"-html"}); err == nil {
		t.Error("-html without a file")
	}
	none := &gradeFlags{}
	if s := none.draws(opt)(); s != "" {
		t.Errorf("%q", s)
	}
}

// TestGradeUsage: what cannot be graded is no verdict on anybody.
func TestGradeUsage(t *testing.T) {
	silence(t)
	empty := t.TempDir()
	for _, args := range [][]string{
		{"grade", "-format", "pdf"}, {"grade", "-run", "("}, {"grade", "a", "b"}, {"grade", "-tests", "d"},
		{"grade", "-summary"}, {"grade", "-summary", "-format", "tap", empty}, {"grade", "-summary", empty}, {"grade", "-format", "csv"},
		{"lab", "export"}, {"lab", "export", "-gradescope", "cow"}, {"lab", "export", "-gradescope", "-github", "a/b", "cow", "x"}, {"lab", "export", "-github", "ab", "cow", empty},
		{"lab", "export", "-gradescope", "nonesuch", filepath.Join(empty, "x.zip")}, {"lab", "export", "-gradescope", "-tests", empty, "cow", filepath.Join(empty, "x.zip")},
		{"grade", "-lab", "nonesuch"},
		{"grade", empty}, {"grade", "-lab", "cow", filepath.Join(empty, "none")}, {"grade"}, {"grade", "-lab", "cow", "-run", "no such test"},
		{"lab", "start", "nonesuch", empty}, {"lab", "start", "cow"}, {"lab", "begin"},
	} {
		if code := dispatch(args); code != qemu.ExitFailed {
			t.Errorf("%q: %d", args, code)
		}
	}
	if left, err := os.ReadDir(empty); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	if code := dispatch([]string{"grade", "-h"}); code != 0 {
		t.Errorf("grade -h: %d", code)
	}
}

// TestGradeOptions holds the table above gradeFlags.options.
func TestGradeOptions(t *testing.T) {
	reference, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	student := t.TempDir()
	for name, text := range map[string]string{
		"mm/fork.go": "package mm // mine\n", "mm/fault.go": "package mm\n", lab.HandIn: `{"lab": "cow", "version": "1.0.0", "files": ["mm/fork.go"]}`,
		lab.Dir + "/cow/" + lab.DataFile: `{"title": "cut"}`,
	} {
		if err := tree.Write(student, name, []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	opt, done, err := (&gradeFlags{dir: student}).options(t.Context(), reference)
	if err != nil {
		t.Fatal(err)
	}
	defer done()
	text, _ := os.ReadFile(filepath.Join(opt.Root, "mm", "fork.go"))
	_, tests := os.Stat(filepath.Join(opt.Root, "mm", "cow_test.go"))
	if string(text) != "package mm // mine\n" || tests != nil || opt.Lab.Title == "cut" || strings.Join(opt.Files, " ") != "mm/fault.go mm/fork.go" || opt.Root == reference {
		t.Errorf("from the reference: %+v", opt)
	}
	extra := t.TempDir()
	for name, text := range map[string]string{
		"mm/hidden_test.go": "package mm\n\nimport \"testing\"\n\nfunc TestHidden(t *testing.T) {}\n", lab.DataFile: `{"tests": [{"unit": "mm TestHidden", "task": 1, "points": 7, "want": "w", "look": "mm.AddressSpace.Fork"}]}`,
	} {
		if err := tree.Write(extra, name, []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	more, doneMore, err := (&gradeFlags{dir: student, tests: extra}).options(t.Context(), reference)
	if err != nil {
		t.Fatal(err)
	}
	defer doneMore()
	_, laid := os.Stat(filepath.Join(more.Root, "mm", "hidden_test.go"))
	if last := more.Lab.Tests[len(more.Lab.Tests)-1]; laid != nil || last.Points != 7 || len(more.Lab.Tests) != len(opt.Lab.Tests)+1 {
		t.Errorf("with more tests: %v, %+v", laid, last)
	}
	opt, done, err = (&gradeFlags{}).options(t.Context(), student)
	if err != nil {
		t.Fatal(err)
	}
	done()
	if opt.Root != student || opt.Lab.Title != "cut" || strings.Join(opt.Files, " ") != "mm/fork.go" {
		t.Errorf("in a student's tree: %+v", opt)
	}
	for what, refused := range map[string]func() error{
		"a hand-in from a student's tree": func() error { _, _, err := (&gradeFlags{dir: reference}).options(t.Context(), student); return err },
		"tests over the student's own files": func() error {
			tree.Write(extra, "mm/fork.go", nil)
			_, _, err := (&gradeFlags{dir: student, tests: extra}).options(t.Context(), reference)
			return err
		},
		"another major version": func() error {
			another := t.TempDir()
			tree.Write(another, lab.HandIn, []byte(`{"lab": "cow", "version": "2.0.0", "files": ["mm/fork.go"]}`))
			_, _, err := (&gradeFlags{dir: another}).options(t.Context(), reference)
			return err
		},
		"the reference without a lab": func() error { _, _, err := (&gradeFlags{}).options(t.Context(), reference); return err },
	} {
		if refused() == nil {
			t.Errorf("%s is graded", what)
		}
	}
}
