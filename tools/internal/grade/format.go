package grade

import (
	"encoding/base64"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// formats are the ways to write a report for other programs.  What is for people
// is written test by test, by Line and Summary.
var formats = map[string]func(w io.Writer, r *Report) error{
	"tap": writeTAP, "junit": writeJUnit, "gradescope": writeGradescope, "classroom": writeClassroom, "autolab": writeAutolab,
}

// IsFormat reports whether Write knows a format.
func IsFormat(format string) bool { return formats[format] != nil }

// Write writes a report in a format for other programs, and nothing else.
func Write(w io.Writer, format string, r *Report) error { return formats[format](w, r) }

// message is a failure in words.
func (r *Result) message() string {
	if r.Common {
		return r.Seen
	}
	return fmt.Sprintf("expected: %s\nseen: %s\nlook at: %s\ntask %d of the lab", r.Test.Want, r.Seen, r.Look, r.Task)
}

func seconds(d time.Duration) float64 { return float64(d.Milliseconds()) / 1000 }

// writeTAP writes version 14 of the Test Anything Protocol.  A JSON string is a
// YAML string.
func writeTAP(w io.Writer, r *Report) error {
	var b strings.Builder
	fmt.Fprintf(&b, "TAP version 14\n1..%d\n", len(r.Results))
	for i, t := range r.Results {
		if t.Passed {
			fmt.Fprintf(&b, "ok %d - %s\n", i+1, tapName(t))
			continue
		}
		fmt.Fprintf(&b, "not ok %d - %s\n  ---\n", i+1, tapName(t))
		for _, field := range []struct{ key, value string }{
			{"expected", t.Test.Want}, {"seen", t.Seen}, {"look", t.Look},
			{"points", fmt.Sprintf("0/%d", t.Test.Points)}, {"task", strconv.Itoa(t.Test.Task)},
		} {
			value, err := json.Marshal(field.value)
			if err != nil {
				return err
			}
			fmt.Fprintf(&b, "  %s: %s\n", field.key, value)
		}
		b.WriteString("  ...\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// tapName is a test's name without what TAP takes for a directive.
func tapName(r *Result) string { return strings.ReplaceAll(r.Test.Name(), "#", `\#`) }

// BailOut is what a TAP reader is told when there is no report.
func BailOut(w io.Writer, err error) {
	fmt.Fprintf(w, "Bail out! %s\n", strings.ReplaceAll(err.Error(), "\n", "; "))
}

// The elements of a JUnit report.
type (
	junitSuites struct {
		XMLName xml.Name     `xml:"testsuites"`
		Suites  []junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		Name     string      `xml:"name,attr"`
		Tests    int         `xml:"tests,attr"`
		Failures int         `xml:"failures,attr"`
		Errors   int         `xml:"errors,attr"`
		Skipped  int         `xml:"skipped,attr"`
		Time     float64     `xml:"time,attr"`
		Cases    []junitCase `xml:"testcase"`
	}
	junitCase struct {
		Class   string        `xml:"classname,attr"`
		Name    string        `xml:"name,attr"`
		Time    float64       `xml:"time,attr"`
		Failure *junitFailure `xml:"failure"`
	}
	junitFailure struct {
		Message string `xml:"message,attr"`
		Type    string `xml:"type,attr"`
		Text    string `xml:",chardata"`
	}
)

func writeJUnit(w io.Writer, r *Report) error {
	s := junitSuite{Name: "lab " + r.Lab.Name, Tests: len(r.Results), Time: seconds(r.Took)}
	for _, t := range r.Results {
		ring, name, _ := strings.Cut(t.Test.Name(), "/")
		c := junitCase{Class: "yolk." + r.Lab.Name + "." + ring, Name: name, Time: seconds(t.Took)}
		if !t.Passed {
			s.Failures++
			first, _, _ := strings.Cut(t.Seen, "\n")
			c.Failure = &junitFailure{Message: first, Type: kind(t), Text: t.message()}
		}
		s.Cases = append(s.Cases, c)
	}
	b, err := xml.MarshalIndent(junitSuites{Suites: []junitSuite{s}}, "", "  ")
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "%s%s\n", xml.Header, b)
	return err
}

// kind says what the test's points are for.
func kind(r *Result) string { return kindOf(r.Test.Robust) }

func kindOf(robust bool) string {
	if robust {
		return "robustness"
	}
	return "functionality"
}

// The fields of Gradescope's results.json that a lab has something to say for.
type (
	gradescopeResults struct {
		ExecutionTime    float64          `json:"execution_time"`
		Output           string           `json:"output"`
		OutputFormat     string           `json:"output_format"`
		TestOutputFormat string           `json:"test_output_format"`
		TestNameFormat   string           `json:"test_name_format"`
		Visibility       string           `json:"visibility"`
		StdoutVisibility string           `json:"stdout_visibility"`
		ExtraData        gradescopeExtra  `json:"extra_data"`
		Tests            []gradescopeTest `json:"tests"`
	}
	gradescopeExtra struct {
		Lab string `json:"lab"`
	}
	gradescopeTest struct {
		Score    int      `json:"score"`
		MaxScore int      `json:"max_score"`
		Status   string   `json:"status"`
		Name     string   `json:"name"`
		Number   string   `json:"number"`
		Output   string   `json:"output,omitempty"`
		Tags     []string `json:"tags"`

		Visibility string `json:"visibility,omitempty"`
	}
)

func writeGradescope(w io.Writer, r *Report) error {
	out := gradescopeResults{
		ExecutionTime: seconds(r.Took), Output: r.Summary(), OutputFormat: "text", TestOutputFormat: "text",
		TestNameFormat: "text", Visibility: "visible", StdoutVisibility: "hidden",
		ExtraData: gradescopeExtra{r.Lab.Name}, Tests: []gradescopeTest{},
	}
	if len(r.Results) > 0 && r.Results[0].Common {
		out.Output = r.Results[0].Seen + "\n" + out.Output
	}
	for i, t := range r.Results {
		g := gradescopeTest{
			Score: t.Score(), MaxScore: t.Test.Points, Status: "passed", Name: t.Test.Name(), Number: strconv.Itoa(i + 1),
			Tags: []string{kind(t), fmt.Sprintf("task %d", t.Test.Task)}, Visibility: t.Test.Visibility,
		}
		if t.Test.Visibility != "" && t.Test.Visibility != "visible" {
			out.Output = "Some verdicts are shown later, or to nobody.\n" // the sum would tell them
		}
		if !t.Passed {
			g.Status, g.Output = "failed", t.message()
		}
		out.Tests = append(out.Tests, g)
	}
	return writeJSON(w, out)
}

// The result of a runner, as GitHub Classroom's reporter reads it.
type (
	classroomResult struct {
		Version  int             `json:"version"`
		Status   string          `json:"status"`
		MaxScore int             `json:"max_score"`
		Tests    []classroomTest `json:"tests"`
	}
	classroomTest struct {
		Name     string  `json:"name"`
		Status   string  `json:"status"`
		Score    int     `json:"score"`
		Message  string  `json:"message"`
		TestCode string  `json:"test_code"`
		Filename string  `json:"filename"`
		LineNo   int     `json:"line_no"`
		Duration float64 `json:"duration"`
	}
)

// writeClassroom writes the result in base64, in one line: the value of the
// workflow step's output "result".
func writeClassroom(w io.Writer, r *Report) error {
	_, max := r.Score()
	out := classroomResult{Version: 1, Status: "pass", MaxScore: max, Tests: []classroomTest{}}
	for _, t := range r.Results {
		c := classroomTest{
			Name: t.Test.Name(), Status: "pass", Score: t.Score(), Duration: seconds(t.Took),
			TestCode: "bin/yolk grade -run '^" + regexp.QuoteMeta(t.Test.Name()) + "$'",
		}
		if !t.Passed {
			out.Status, c.Status, c.Message = "fail", "fail", t.message()
			_, place, _ := strings.Cut(t.Look, ", ")
			file, line, _ := strings.Cut(place, ":")
			c.Filename = file
			c.LineNo, _ = strconv.Atoi(line) // 0 where the symbol was not found
		}
		out.Tests = append(out.Tests, c)
	}
	b, err := json.Marshal(out)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(w, base64.StdEncoding.EncodeToString(b))
	return err
}

// autolabResult is the last line that Autolab looks for.  Its problems are the
// two kinds of points.
type autolabResult struct {
	Scores     map[string]int `json:"scores"`
	Scoreboard []int          `json:"scoreboard"`
}

func writeAutolab(w io.Writer, r *Report) error {
	works, _ := r.part(false)
	robust, _ := r.part(true)
	return writeJSON(w, autolabResult{map[string]int{"functionality": works, "robustness": robust}, []int{works + robust}})
}

// writeJSON writes v in one line.
func writeJSON(w io.Writer, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "%s\n", b)
	return err
}
