package grade

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
)

// A Submission is a row in the table of a class.
type Submission struct {
	Name    string   // its file's, without .json
	Results *Results // nil: there is no verdict
	Why     string   // why there is none
}

// ErrNoVerdict means that some submission has no verdict: it is to be graded
// again.
var ErrNoVerdict = errors.New("not every submission has a verdict")

// ReadClass reads the results.json of each submission, or of a directory all files
// whose names end in .json.  A file that is empty, as a shell leaves it where a
// grading had no verdict, or that is not what it should be, is a row without results.
func ReadClass(names []string) ([]Submission, error) {
	var files []string
	for _, name := range names {
		info, err := os.Stat(name)
		switch {
		case err != nil:
			return nil, err
		case info.IsDir():
			inside, err := resultsIn(name)
			if err != nil {
				return nil, err
			}
			files = append(files, inside...)
		default:
			files = append(files, name)
		}
	}
	if len(files) == 0 {
		return nil, errors.New("there are no results to sum up")
	}
	var class []Submission
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		s := Submission{Name: strings.TrimSuffix(filepath.Base(file), ".json")}
		if s.Results, err = ReadResults(b); err != nil {
			s.Results, s.Why = nil, err.Error()
		}
		if len(b) == 0 {
			s.Why = "the file is empty"
		}
		class = append(class, s)
	}
	return oneLab(class), nil
}

// resultsIn lists the files in a directory whose names end in .json.
func resultsIn(dir string) (files []string, err error) {
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		if filepath.Ext(e.Name()) == ".json" {
			files = append(files, filepath.Join(dir, e.Name()))
		}
	}
	return files, err
}

// oneLab takes the verdict from the rows that are of another lab than most.
//
// WHY: which lab it is may be the student's word, and the starter of one lab has the
// full score in all others.
func oneLab(class []Submission) []Submission {
	count, most := map[string]int{}, ""
	for _, s := range class {
		if s.Results != nil {
			count[s.Results.Lab]++
		}
	}
	for _, name := range slices.Sorted(maps.Keys(count)) {
		if most == "" || count[name] > count[most] {
			most = name
		}
	}
	for i := range class {
		if s := &class[i]; s.Results != nil && s.Results.Lab != most {
			s.Why = fmt.Sprintf("it was graded as lab %s, others as %s: grade it with -lab %s", s.Results.Lab, most, most)
			s.Results = nil
		}
	}
	return class
}

// WriteClass writes a table of a class for people: the points of each submission,
// then how many failed each test.  It returns ErrNoVerdict, after the tables, where a
// row has no results.
func WriteClass(w io.Writer, class []Submission) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprint(t, "submission\tscore\tfunctionality\trobustness\n")
	var scores []int
	for _, s := range class {
		if s.Results == nil {
			fmt.Fprintf(t, "%s\t-\t-\t-\tno verdict: %s\n", s.Name, s.Why)
			continue
		}
		got, _ := s.Results.Score()
		scores = append(scores, got)
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", s.Name, of(s.Results.Score()), of(s.Results.Part(false)), of(s.Results.Part(true)))
	}
	t.Flush()
	if len(scores) > 0 {
		fmt.Fprintf(w, "\nsubmissions: %d, with a verdict: %d, median score: %g\n\n", len(class), len(scores), median(scores))
		writeFailures(w, class)
	}
	return verdictOn(class)
}

// median is the score that as many are below as above.
func median(scores []int) float64 {
	slices.Sort(scores)
	n := len(scores)
	return float64(scores[(n-1)/2]+scores[n/2]) / 2
}

func of(got, of int) string { return fmt.Sprintf("%d/%d", got, of) }

// writeFailures writes how many submissions failed each test, the most first.
func writeFailures(w io.Writer, class []Submission) {
	names, failed := testsOf(class), map[string]int{}
	for _, s := range class {
		if s.Results == nil {
			continue
		}
		for _, t := range s.Results.Tests {
			if t.Score < t.Max {
				failed[t.Name]++
			}
		}
	}
	slices.SortStableFunc(names, func(a, b string) int { return failed[b] - failed[a] })
	fmt.Fprintln(w, "failed by  test")
	for _, name := range names {
		fmt.Fprintf(w, "%9d  %s\n", failed[name], name)
	}
}

// testsOf lists the names of all tests, in the order in which they come up.
func testsOf(class []Submission) (names []string) {
	for _, s := range class {
		if s.Results == nil {
			continue
		}
		for _, t := range s.Results.Tests {
			if !slices.Contains(names, t.Name) {
				names = append(names, t.Name)
			}
		}
	}
	return names
}

// WriteClassCSV writes the table of a class for spreadsheets, with a column for the
// points of each test.  A submission without a verdict has empty columns, and the
// error is ErrNoVerdict.
func WriteClassCSV(w io.Writer, class []Submission) error {
	names := testsOf(class)
	c := csv.NewWriter(w)
	rows := [][]string{append([]string{"submission", "score", "of", "functionality", "robustness"}, names...)}
	for _, s := range class {
		row := make([]string, 5+len(names))
		row[0] = s.Name
		if s.Results != nil {
			got, of := s.Results.Score()
			works, _ := s.Results.Part(false)
			robust, _ := s.Results.Part(true)
			for i, n := range []int{got, of, works, robust} {
				row[1+i] = strconv.Itoa(n)
			}
			for _, t := range s.Results.Tests {
				row[5+slices.Index(names, t.Name)] = strconv.Itoa(t.Score)
			}
		}
		rows = append(rows, row)
	}
	return errors.Join(c.WriteAll(rows), verdictOn(class))
}

func verdictOn(class []Submission) error {
	for _, s := range class {
		if s.Results == nil {
			return ErrNoVerdict
		}
	}
	return nil
}
