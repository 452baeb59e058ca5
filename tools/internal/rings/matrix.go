package rings

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"text/tabwriter"

	"yolk/tools/internal/lab"
	"yolk/tools/internal/tree"
)

// columns are those of the matrix, by what a check "lab/NAME/[machine/]WHAT[/…]" proves.
var columns = []string{"starter", "reference", "wrong", "mended", "machine/starter", "machine/reference", "machine/wrong", "machine/mended", "untouched"}

// A matrix is what the checks of the labs have come to.
type matrix struct {
	labs  []string // in their order
	cells map[string]*cell
	run   int
	all   int
	good  bool // all were run, and have passed
}

// A cell counts the checks of a lab in a column.
type cell struct{ passed, run, all int }

// newMatrix sums up checks, of which some have ended.
func newMatrix(checks []Check, ended map[string]Verdict) *matrix {
	m := &matrix{cells: map[string]*cell{}, all: len(checks)}
	passed := 0
	for _, c := range checks {
		name, what, _ := strings.Cut(strings.TrimPrefix(c.Name, "lab/"), "/")
		if m.labs == nil || m.labs[len(m.labs)-1] != name {
			m.labs = append(m.labs, name)
		}
		n := m.at(name, columnOf(what))
		n.all++
		if v, ok := ended[c.Name]; ok {
			m.run++
			n.run++
			if v == Pass {
				passed++
				n.passed++
			}
		}
	}
	m.good = passed == m.all
	return m
}

// columnOf is the column of a check, by what follows the lab's name.
func columnOf(what string) string {
	for _, c := range columns {
		if what == c || strings.HasPrefix(what, c+"/") {
			return c
		}
	}
	panic("a check of a lab that stands in no column: " + what)
}

func (m *matrix) at(lab, column string) *cell {
	key := lab + " " + column
	if m.cells[key] == nil {
		m.cells[key] = &cell{}
	}
	return m.cells[key]
}

// write prints the matrix: of each cell how many checks have passed, of how many that
// were run, of how many that there are if that is another number.
func (m *matrix) write(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "\nlab\t%s\n", strings.Join(columns, "\t"))
	for _, name := range m.labs {
		fmt.Fprint(t, name)
		for _, c := range columns {
			fmt.Fprintf(t, "\t%v", m.at(name, c))
		}
		fmt.Fprintln(t)
	}
	fmt.Fprintf(t, "%d of the %d checks of the labs were run\n\n", m.run, m.all)
	return t.Flush()
}

func (c *cell) String() string {
	switch {
	case c.run == 0:
		return "-"
	case c.run == c.all:
		return fmt.Sprintf("%d/%d", c.passed, c.run)
	}
	return fmt.Sprintf("%d/%d of %d", c.passed, c.run, c.all)
}

// showMatrix prints what the labs' checks have come to, if more than one was run, and
// notes the commit if that is asked for and all of them have passed.
func (s *suite) showMatrix() error {
	checks, err := labChecks(s)
	if err != nil {
		return err
	}
	m := newMatrix(checks, s.ended)
	if m.run < 2 {
		return nil
	}
	if err := m.write(s.opt.Out); err != nil || !s.opt.Update || !m.good {
		return err
	}
	return s.noteProven(m)
}

// noteProven notes of which commit the labs are proven as a whole.
func (s *suite) noteProven(m *matrix) error {
	status, err := tree.Git(s.root)
	if err != nil {
		return err
	}
	if len(status.Changed)+len(status.Untracked) > 0 {
		return errors.New("the labs are proven, but of a tree that is no commit's")
	}
	b, err := json.Marshal(lab.Proof{Commit: status.Commit, Checks: m.all})
	if err != nil {
		return err
	}
	return tree.Write(s.root, path.Join(lab.Dir, lab.ProofFile), append(b, '\n'))
}
