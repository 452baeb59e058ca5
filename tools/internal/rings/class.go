package rings

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"sync"

	"yolk/qemu"
	"yolk/tools/internal/grade"
	"yolk/tools/internal/lab"
	"yolk/tools/internal/tree"
)

// classLab is the lab that a class of students hands in, and hostTests are its tests
// that need no QEMU: fifty boots take long.
const (
	classLab  = "paging"
	classSize = 50
	hostTests = "^(mm|kernel)/"
)

// classChecks prove that a class can be graded: by as many commands at a time as
// there are processors, as a queue runs them, with a table in the end; and that
// gradings at the same time do not disturb each other.
func classChecks(s *suite) ([]Check, error) {
	if r, err := lab.ReadRecord(s.root); r != nil || err != nil {
		return nil, err
	}
	return []Check{
		{Name: "class/fifty", Long: true, run: func(ctx context.Context) outcome { return verdictOf(s.fifty(ctx)) }},
		{Name: "class/hidden", Long: true, run: func(ctx context.Context) outcome { return verdictOf(s.hidden(ctx)) }},
		{Name: "class/pair", Long: true, run: func(ctx context.Context) outcome { return verdictOf(s.pair(ctx)) }},
	}, nil
}

// A handedIn is a submission, and what must come of it.
type handedIn struct {
	name   string
	make   func(dir string) error
	status int // of the command that grades it
	score  int
	about  int // how far the score may be away from it
}

// classroom returns what may be handed in, and a new directory to hand it in to.
func (s *suite) classroom() (kinds []handedIn, dir string, err error) {
	l, err := lab.Load(s.root, classLab)
	if err != nil {
		return nil, "", err
	}
	if kinds, err = s.handIns(l); err != nil {
		return nil, "", err
	}
	dir, err = os.MkdirTemp("", "class-")
	return kinds, dir, err
}

// fifty grades fifty submissions: those that a class hands in, over and over.
func (s *suite) fifty(ctx context.Context) error {
	kinds, dir, err := s.classroom()
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	class := map[string]handedIn{}
	for i := range classSize {
		h := kinds[i%len(kinds)]
		h.name = fmt.Sprintf("student-%02d", i+1)
		class[h.name] = h
		if err := h.make(filepath.Join(dir, "submissions", h.name)); err != nil {
			return err
		}
	}
	if err := s.queue(ctx, dir, class); err != nil {
		return err
	}
	return s.wantTable(dir, class)
}

// queue grades the class, several at a time.  Each command writes a file, and
// its exit status is what it must be.
func (s *suite) queue(ctx context.Context, dir string, class map[string]handedIn) error {
	if err := os.Mkdir(filepath.Join(dir, "results"), 0o777); err != nil {
		return err
	}
	names := make(chan string, len(class))
	for name := range class {
		names <- name
	}
	close(names)
	var mu sync.Mutex
	var wrong error
	var wg sync.WaitGroup
	for range runtime.NumCPU() {
		wg.Go(func() {
			for name := range names {
				if ctx.Err() != nil {
					return
				}
				out, status, err := s.status(ctx, "grade", "-lab", classLab, "-run", hostTests, "-format", "gradescope", filepath.Join(dir, "submissions", name))
				if err == nil && status != class[name].status {
					err = fmt.Errorf("%s: exit status %d, want %d", name, status, class[name].status)
				}
				err = errors.Join(err, os.WriteFile(filepath.Join(dir, "results", name+".json"), out, 0o666))
				mu.Lock()
				wrong = errors.Join(wrong, err)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return errors.Join(wrong, ctx.Err())
}

// status runs a command of yolk that may end with any exit status.
func (s *suite) status(ctx context.Context, args ...string) (stdout []byte, status int, err error) {
	cmd, err := s.yolk(ctx, args...)
	if err != nil {
		return nil, 0, err
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdout, err = cmd.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() >= 0 {
		return stdout, exit.ExitCode(), nil
	}
	if err != nil {
		err = fmt.Errorf("yolk %q: %w\n%s", args, err, tail(stderr.Bytes(), 2000))
	}
	return stdout, 0, err
}

// wantTable holds the table of the class against what each must have.
func (s *suite) wantTable(dir string, class map[string]handedIn) error {
	out, status, err := s.status(context.Background(), "grade", "-summary", "-format", "csv", filepath.Join(dir, "results"))
	if err != nil {
		return err
	}
	if status != qemu.ExitFailed {
		return fmt.Errorf("a class with submissions without a verdict: exit status %d", status)
	}
	rows, err := csv.NewReader(bytes.NewReader(out)).ReadAll()
	if err != nil {
		return fmt.Errorf("the table of the class: %w", err)
	}
	if len(rows) != len(class)+1 {
		return fmt.Errorf("a table of %d lines for %d submissions and a heading", len(rows), len(class))
	}
	for _, row := range rows[1:] {
		h := class[row[0]]
		if h.status == qemu.ExitFailed {
			if row[1] != "" {
				return fmt.Errorf("%s has no verdict and %s points", row[0], row[1])
			}
			continue
		}
		got, err := strconv.Atoi(row[1])
		if err != nil || got < h.score-h.about || got > h.score {
			return fmt.Errorf("%s has %q points, want %d (or up to %d less)", row[0], row[1], h.score, h.about)
		}
	}
	return nil
}

// handIns are the kinds of submissions: the starter, the reference, each wrong
// solution, one that does not compile, one without its files, and one that this
// reference cannot grade.
func (s *suite) handIns(l *lab.Lab) ([]handedIn, error) {
	marks, err := lab.Marks(s.root)
	if err != nil {
		return nil, err
	}
	files, full := l.Files(marks), 0
	for _, t := range l.Tests {
		if t.Host() {
			full += t.Points
		}
	}
	from := func(version string, then func(dir string) error) func(dir string) error {
		return func(dir string) error {
			record := fmt.Sprintf(`{"lab": %q, "version": %q, "files": []}`, l.Name, version)
			return errors.Join(s.copyFiles(dir, files), tree.Write(dir, lab.HandIn, []byte(record)), then(dir))
		}
	}
	kinds := []handedIn{
		{make: from(l.Version, func(dir string) error { return s.cutFiles(dir, l, files) }), status: 1},
		{make: from(l.Version, func(string) error { return nil }), score: full},
		{make: from(l.Version, func(dir string) error { return tree.Write(dir, files[0], []byte("package mm\n\nfunc {\n")) }), status: 1},
		{make: from(l.Version, func(dir string) error { return os.Remove(filepath.Join(dir, filepath.FromSlash(files[0]))) }), status: 1},
		{make: from("99.0.0", func(string) error { return nil }), status: qemu.ExitFailed},
	}
	wrongs, err := l.Wrongs(s.root)
	for _, w := range wrongs {
		h := handedIn{make: from(l.Version, w.Apply), status: 1, score: full}
		for _, t := range l.Tests {
			switch name := t.Name(); {
			case t.Host() && slices.Contains(w.Fails, name):
				h.score -= t.Points
			case t.Host() && slices.Contains(w.May, name):
				h.about += t.Points
			}
		}
		kinds = append(kinds, h)
	}
	return kinds, err
}

// copyFiles copies files of the reference to dir.
func (s *suite) copyFiles(dir string, files []string) error {
	for _, name := range files {
		b, err := os.ReadFile(filepath.Join(s.root, filepath.FromSlash(name)))
		if err == nil {
			err = tree.Write(dir, name, b)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// cutFiles writes those files to dir as the starter tree has them.
func (s *suite) cutFiles(dir string, l *lab.Lab, files []string) error {
	for _, name := range files {
		b, err := os.ReadFile(filepath.Join(s.root, filepath.FromSlash(name)))
		if err == nil {
			b, err = lab.Cut(name, b, l.Name)
		}
		if err == nil {
			err = tree.Write(dir, name, b)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// hiddenFiles are tests that no student has seen, one on the host and one in the
// guest, each of which holds in the reference and not in the starter.
var hiddenFiles = map[string]string{
	lab.DataFile: `{"tests": [
		{"unit": "mm TestIndex", "points": 0},
		{"unit": "mm TestHidden", "task": 1, "points": 3, "want": "an index has nine bits", "look": "mm.VirtAddr.Index", "visibility": "hidden"},
		{"guest": "hidden", "task": 2, "points": 4, "want": "processes run", "look": "mm.AddressSpace.table", "visibility": "after_published"}]}`,
	"mm/hidden_test.go":            "package mm\n\nimport \"testing\"\n\nfunc TestHidden(t *testing.T) {\n\tif n := VirtAddr(0x1ff000).Index(1); n != 0x1ff {\n\t\tt.Error(n)\n\t}\n}\n",
	"userland/usertests/hidden.go": "package usertests\n\nfunc hiddenTests() []test {\n\treturn []test{{\"hidden\", portable, func(t *T) {}}}\n}\n",
}

// writeHidden writes them to dir, and the guest's list of tests with the new one.
func (s *suite) writeHidden(dir string) error {
	const list = "userland/usertests/usertests.go"
	b, err := os.ReadFile(filepath.Join(s.root, filepath.FromSlash(list)))
	if err != nil {
		return err
	}
	longer := bytes.Replace(b, []byte("checkTests(),"), []byte("checkTests(), hiddenTests(),"), 1)
	if bytes.Equal(b, longer) {
		return fmt.Errorf("%s has no list of tests where there was one", list)
	}
	err = tree.Write(dir, list, longer)
	for name, text := range hiddenFiles {
		err = errors.Join(err, tree.Write(dir, name, []byte(text)))
	}
	return err
}

// hidden grades with tests that are not in the reference, and one less of its own.
func (s *suite) hidden(ctx context.Context) error {
	kinds, dir, err := s.classroom()
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	tests := filepath.Join(dir, "tests")
	if err := s.writeHidden(tests); err != nil {
		return err
	}
	for i, want := range []int{0, 7} { // the starter, the reference
		to := filepath.Join(dir, "submissions", strconv.Itoa(i))
		if err := kinds[i].make(to); err != nil {
			return err
		}
		out, status, err := s.status(ctx, "grade", "-tests", tests, "-run", "(?i)hidden|TestIndex", "-format", "gradescope", to)
		if err != nil {
			return err
		}
		r, err := grade.ReadResults(out)
		if err != nil {
			return err
		}
		if status != kinds[i].status {
			return fmt.Errorf("exit status %d, want %d\n%s", status, kinds[i].status, tail(out, 4000))
		}
		if got, of := r.Score(); got != want || of != 7 || bytes.Count(out, []byte(`"visibility":"hidden"`)) != 1 {
			return fmt.Errorf("%d of %d points, want %d of 7\n%s", got, of, want, out)
		}
	}
	return nil
}

// pair grades the reference and a starter at the same time, with all their tests, from
// one reference: each gets what is its own.
func (s *suite) pair(ctx context.Context) error {
	kinds, dir, err := s.classroom()
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	wrong := make([]error, 2)
	var wg sync.WaitGroup
	for i, h := range kinds[:2] {
		wg.Go(func() {
			to := filepath.Join(dir, strconv.Itoa(i))
			if wrong[i] = h.make(to); wrong[i] != nil {
				return
			}
			out, status, err := s.status(ctx, "grade", to)
			if wrong[i] = err; err == nil && status != h.status {
				wrong[i] = fmt.Errorf("exit status %d, want %d\n%s", status, h.status, tail(out, 4000))
			}
		})
	}
	wg.Wait()
	return errors.Join(wrong...)
}
