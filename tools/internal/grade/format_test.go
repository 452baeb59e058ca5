package grade

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"yolk/tools/internal/lab"
)

// reported is a report with a test that passed, one that failed with all that
// formats have to quote, and one that is robust.
func reported() *Report {
	l := &lab.Lab{Name: "cow"}
	return &Report{Lab: l, Took: 12345 * time.Millisecond, Results: []*Result{
		{Test: &lab.Test{Unit: "mm TestA", Task: 1, Points: 5, Want: "a", Look: "mm.F"}, Passed: true, Took: 1500 * time.Millisecond},
		{Test: &lab.Test{Unit: "mm TestB/x,_y", Task: 2, Points: 7, Want: `<b> "q" & 'r'`, Look: "mm.G"},
			Seen: "first: \"line\" # not <this>\n  second\x1b[0m \\ é", Detail: "all", Look: "mm.G, mm/g.go:12", Task: 2},
		{Test: &lab.Test{Guest: "COW-01", Append: "fork=eager", Task: 2, Points: 3, Robust: true, Want: "c", Look: "mm.H"}, Passed: true},
	}}
}

func written(t *testing.T, format string, r *Report) string {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, format, r); err != nil {
		t.Fatalf("%s: %v", format, err)
	}
	return b.String()
}

func TestFormats(t *testing.T) {
	if got := slices.Sorted(maps.Keys(formats)); fmt.Sprint(got) != "[autolab classroom gradescope junit tap]" {
		t.Errorf("formats %v", got)
	}
	for format := range formats {
		if out := written(t, format, &Report{Lab: &lab.Lab{}}); out == "" || strings.Contains(out, "null") {
			t.Errorf("%s of nothing: %q", format, out)
		}
	}
}

// TestText is MIT's manner.
func TestText(t *testing.T) {
	r := reported()
	if got := r.Results[0].Line(false); got != "== Test mm/TestA == mm/TestA: OK (1.5s)\n" {
		t.Errorf("%q", got)
	}
	want := "== Test mm/TestB/x,_y == mm/TestB/x,_y: FAIL (0.0s)\n" +
		"    expected: <b> \"q\" & 'r'\n" +
		"    seen:     first: \"line\" # not <this>\n                second\x1b[0m \\ é\n" +
		"    look at:  mm.G, mm/g.go:12; task 2 of the handout\n"
	again := "    again:    bin/yolk grade -v -run '^mm/TestB/x,_y$'\n"
	if got := r.Results[1].Line(false); got != want+again {
		t.Errorf("%q", got)
	}
	if got := r.Results[1].Line(true); got != want+"    | all\n" {
		t.Errorf("%q", got)
	}
	if got := r.Summary(); got != "Score: 8/15 (functionality 5/12, robustness 3/3)\n" {
		t.Errorf("%q", got)
	}
	if r.Full() {
		t.Error("8 of 15 is the full score")
	}
}

// TestTextCommonReason: why tests were not run is told once, before them.
func TestTextCommonReason(t *testing.T) {
	var b strings.Builder
	text := Text{W: &b}
	result := func(name, seen string) *Result {
		return &Result{Test: &lab.Test{Unit: "mm " + name}, Seen: seen, Common: seen != "", Passed: seen == ""}
	}
	for _, r := range []*Result{result("A", "no"), result("B", "no"), result("C", ""), result("D", "no"), result("E", "never")} {
		text.Tell(r)
	}
	because := func(seen string) string { return "\n" + seen + "\nThat is why these tests were not run:\n" }
	line := func(name, verdict string) string {
		return "== Test mm/" + name + " == mm/" + name + ": " + verdict + " (0.0s)\n"
	}
	want := because("no") + line("A", "FAIL") + line("B", "FAIL") + line("C", "OK") + because("no") + line("D", "FAIL") + because("never") + line("E", "FAIL")
	if got := b.String(); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
}

// tapDoc reads TAP 14 as its specification says: version, plan, test points, YAML
// blocks of one level.
func tapDoc(t *testing.T, text string) (points []string, yaml []map[string]string) {
	t.Helper()
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	if lines[0] != "TAP version 14" {
		t.Fatalf("first line %q", lines[0])
	}
	plan := regexp.MustCompile(`^1\.\.(\d+)$`).FindStringSubmatch(lines[1])
	point := regexp.MustCompile(`^(?:not )?ok (\d+) - \S.*$`)
	inside := false
	for _, line := range lines[2:] {
		switch m := point.FindStringSubmatch(line); {
		case line == "  ---" && !inside && len(points) > 0:
			inside = true
		case line == "  ..." && inside:
			inside = false
		case inside:
			key, value, ok := strings.Cut(strings.TrimPrefix(line, "  "), ": ")
			var s string
			if !ok || json.Unmarshal([]byte(value), &s) != nil {
				t.Errorf("%q is no line of YAML", line)
			}
			yaml[len(yaml)-1][key] = s
		case m == nil || m[1] != strconv.Itoa(len(points)+1):
			t.Errorf("%q is no test point, or not the next", line)
		default:
			points, yaml = append(points, line), append(yaml, map[string]string{})
		}
	}
	if plan == nil || plan[1] != strconv.Itoa(len(points)) || inside {
		t.Errorf("plan %q, %d points, open block %t", lines[1], len(points), inside)
	}
	return points, yaml
}

func TestTAP(t *testing.T) {
	r := reported()
	points, yaml := tapDoc(t, written(t, "tap", r))
	if want := []string{"ok 1 - mm/TestA", "not ok 2 - mm/TestB/x,_y", "ok 3 - guest(fork=eager)/COW-01"}; !slices.Equal(points, want) {
		t.Errorf("%q", points)
	}
	if y := yaml[1]; y["seen"] != r.Results[1].Seen || y["expected"] != r.Results[1].Test.Want || y["look"] != "mm.G, mm/g.go:12" || y["points"] != "0/7" || y["task"] != "2" {
		t.Errorf("%q", y)
	}
	r.Results[0].Test.Unit = "mm TestA#01"
	if points, _ := tapDoc(t, written(t, "tap", r)); points[0] != `ok 1 - mm/TestA\#01` {
		t.Errorf("a directive in a name: %q", points[0])
	}
	var b bytes.Buffer
	if BailOut(&b, fmt.Errorf("no\nQEMU")); b.String() != "Bail out! no; QEMU\n" {
		t.Errorf("%q", b.String())
	}
}

// node is any XML element.
type node struct {
	XMLName  xml.Name
	Attrs    []xml.Attr `xml:",any,attr"`
	Text     string     `xml:",chardata"`
	Children []node     `xml:",any"`
}

// junit is the grammar: for each element, its attributes and its children.
var junit = map[string][2][]string{
	"testsuites": {nil, {"testsuite"}},
	"testsuite":  {{"name", "tests", "failures", "errors", "skipped", "time"}, {"testcase"}},
	"testcase":   {{"classname", "name", "time"}, {"failure"}},
	"failure":    {{"message", "type"}, nil},
}

func (n *node) check(t *testing.T) {
	t.Helper()
	grammar, known := junit[n.XMLName.Local]
	var attrs []string
	for _, a := range n.Attrs {
		attrs = append(attrs, a.Name.Local)
	}
	if !known || !slices.Equal(attrs, grammar[0]) {
		t.Errorf("element %s has attributes %q, want %q", n.XMLName.Local, attrs, grammar[0])
	}
	for i := range n.Children {
		if !slices.Contains(grammar[1], n.Children[i].XMLName.Local) {
			t.Errorf("element %s in %s", n.Children[i].XMLName.Local, n.XMLName.Local)
		}
		n.Children[i].check(t)
	}
}

func (n *node) attr(name string) string {
	for _, a := range n.Attrs {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

func TestJUnit(t *testing.T) {
	out := written(t, "junit", reported())
	var doc node
	if err := xml.Unmarshal([]byte(out), &doc); err != nil || !strings.HasPrefix(out, "<?xml ") {
		t.Fatalf("%v\n%s", err, out)
	}
	doc.check(t)
	suite := doc.Children[0]
	if suite.attr("tests") != "3" || suite.attr("failures") != "1" || suite.attr("errors") != "0" || suite.attr("time") != "12.345" || len(suite.Children) != 3 {
		t.Errorf("suite %+v", suite.Attrs)
	}
	c := suite.Children[1]
	if c.attr("classname") != "yolk.cow.mm" || c.attr("name") != "TestB/x,_y" || len(c.Children) != 1 || len(suite.Children[0].Children) != 0 {
		t.Errorf("case %+v", c)
	}
	f := c.Children[0]
	if f.attr("message") != `first: "line" # not <this>` || f.attr("type") != "functionality" || !strings.Contains(f.Text, `<b> "q" & 'r'`) {
		t.Errorf("failure %+v", f)
	}
}

// A schema says which fields an object may have and of what type: a string, a
// number or an array; those that end in ! must be there.
type schema map[string]any

// conforms checks v against a schema, for arrays each element.
func conforms(t *testing.T, where string, v any, s any) {
	t.Helper()
	switch s := s.(type) {
	case schema:
		object, ok := v.(map[string]any)
		if !ok {
			t.Errorf("%s is no object", where)
			return
		}
		for name, field := range object {
			sub, known := s[name]
			if !known {
				sub, known = s[name+"!"]
			}
			if !known {
				t.Errorf("%s has a field %s that nobody knows", where, name)
				continue
			}
			conforms(t, where+"."+name, field, sub)
		}
		for name := range s {
			if must, ok := strings.CutSuffix(name, "!"); ok && object[must] == nil {
				t.Errorf("%s has no %s", where, must)
			}
		}
	case []any:
		list, ok := v.([]any)
		if !ok {
			t.Errorf("%s is no array", where)
		}
		for i, e := range list {
			conforms(t, fmt.Sprintf("%s[%d]", where, i), e, s[0])
		}
	case *regexp.Regexp:
		if text, ok := v.(string); !ok || !s.MatchString(text) {
			t.Errorf("%s is %v, want a string that matches %v", where, v, s)
		}
	default:
		if fmt.Sprintf("%T", v) != fmt.Sprintf("%T", s) {
			t.Errorf("%s is a %T, want %T", where, v, s)
		}
	}
}

var (
	text       = ""
	number     = 0.0
	visibility = regexp.MustCompile(`^(hidden|after_due_date|after_published|visible)$`)
	textFormat = regexp.MustCompile(`^(text|html|simple_format|md|ansi)$`)
)

// gradescope is the documented form of results.json.
var gradescope = schema{
	"score": number, "execution_time": number, "output": text, "output_format": textFormat, "test_output_format": textFormat,
	"test_name_format": textFormat, "visibility": visibility, "stdout_visibility": visibility, "extra_data": schema{"lab!": text},
	"tests!": []any{schema{
		"score!": number, "max_score!": number, "status": regexp.MustCompile(`^(passed|failed)$`), "name!": text, "name_format": textFormat,
		"number": text, "output": text, "output_format": textFormat, "tags": []any{text}, "visibility": visibility, "extra_data": schema{},
	}},
	"leaderboard": []any{schema{"name!": text, "value!": number, "order": regexp.MustCompile("^asc$")}},
}

func object(t *testing.T, out string) map[string]any {
	t.Helper()
	var v map[string]any
	if err := json.Unmarshal([]byte(out), &v); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return v
}

func TestGradescope(t *testing.T) {
	v := object(t, written(t, "gradescope", reported()))
	conforms(t, "results", v, gradescope)
	test := v["tests"].([]any)[1].(map[string]any)
	if test["score"] != 0.0 || test["max_score"] != 7.0 || test["status"] != "failed" || test["number"] != "2" || !strings.Contains(test["output"].(string), "mm/g.go:12") {
		t.Errorf("%v", test)
	}
	sum := 0.0
	for _, test := range v["tests"].([]any) {
		sum += test.(map[string]any)["score"].(float64)
	}
	if _, given := v["score"]; given || sum != 8 {
		t.Errorf("score %v, the tests' sum is %v", v["score"], sum)
	}
}

// TestGradescopeHidden: a test that is not for everybody says so, and the sum that
// would tell its verdict is not told.
func TestGradescopeHidden(t *testing.T) {
	r := reported()
	r.Results[2].Test.Visibility = "after_published"
	v := object(t, written(t, "gradescope", r))
	conforms(t, "results", v, gradescope)
	test := v["tests"].([]any)[2].(map[string]any)
	if test["visibility"] != "after_published" || strings.Contains(v["output"].(string), "8/15") {
		t.Errorf("%v, output %v", test, v["output"])
	}
}

// TestConforms: the schema is not one that everything conforms to.
func TestConforms(t *testing.T) {
	for _, bad := range []string{
		`{}`, `{"tests":{}}`, `{"tests":[{"score":1,"max_score":2}]}`, `{"tests":[],"visibility":"yes"}`, `{"tests":[],"tset":1}`,
		`{"tests":[{"score":1,"max_score":2,"name":"a","number":1}]}`, `{"tests":[{"score":1,"max_score":2,"name":"a","status":"pass"}]}`,
	} {
		inner := &testing.T{}
		conforms(inner, "bad", object(t, bad), gradescope)
		if !inner.Failed() {
			t.Errorf("%s conforms", bad)
		}
	}
}

var classroom = schema{
	"version!": number, "status!": regexp.MustCompile(`^(pass|fail|error)$`), "max_score!": number,
	"tests!": []any{schema{
		"name!": text, "status!": regexp.MustCompile(`^(pass|fail|error)$`), "score!": number, "message!": text,
		"test_code!": text, "filename!": text, "line_no!": number, "duration!": number,
	}},
}

func TestClassroom(t *testing.T) {
	out := written(t, "classroom", reported())
	b, err := base64.StdEncoding.DecodeString(strings.TrimSuffix(out, "\n"))
	if err != nil || strings.Count(out, "\n") != 1 {
		t.Fatalf("%v\n%s", err, out)
	}
	v := object(t, string(b))
	conforms(t, "result", v, classroom)
	test := v["tests"].([]any)[1].(map[string]any)
	if v["version"] != 1.0 || v["status"] != "fail" || v["max_score"] != 15.0 || test["filename"] != "mm/g.go" || test["line_no"] != 12.0 || test["score"] != 0.0 {
		t.Errorf("%v", v)
	}
}

func TestAutolab(t *testing.T) {
	out := written(t, "autolab", reported())
	lines := strings.Split(strings.TrimSuffix(out, "\n"), "\n")
	if last := lines[len(lines)-1]; last != `{"scores":{"functionality":5,"robustness":3},"scoreboard":[8]}` {
		t.Errorf("%s", last)
	}
}
