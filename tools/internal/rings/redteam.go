package rings

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"yolk/tools/internal/grade"
	"yolk/tools/internal/lab"
	"yolk/tools/internal/tree"
)

// redTeamFile lists attempts to get points for something else than a solution.
const redTeamFile = "tools/internal/grade/" + lab.RedTeam

// An attempt is a hand-in that lies.
type attempt struct {
	Name  string            `json:"name"`
	Lab   string            `json:"lab"`
	On    string            `json:"on"` // what it changes: "starter" or "reference"
	Edits []lab.Edit        `json:"edits"`
	Files map[string]string `json:"files"` // what else is handed in
	Links map[string]string `json:"links"` // and is a symbolic link
	Tests string            `json:"tests"` // regexp: those that are run; all if empty

	// Refused is in the reason for which every test fails, without being run.
	Refused string `json:"refused"`
	// Fails are the tests that fail all the same; for a starter, all of them.
	Fails []string `json:"fails"`
	// Seen is in the reason for which these do, where another would prove nothing.
	Seen string `json:"seen"`
}

// redTeamChecks hold that no attempt is of use.  Those that the grader refuses when
// it has read the files cost nothing, and are tried each time.
func redTeamChecks(s *suite) ([]Check, error) {
	if r, err := lab.ReadRecord(s.root); r != nil || err != nil {
		return nil, err
	}
	text, err := os.ReadFile(filepath.Join(s.root, filepath.FromSlash(redTeamFile)))
	if err != nil {
		return nil, err
	}
	var attempts []attempt
	if err := json.Unmarshal(text, &attempts); err != nil {
		return nil, fmt.Errorf("%s: %w", redTeamFile, err)
	}
	var checks []Check
	for _, a := range attempts {
		checks = append(checks, Check{Name: "redteam/" + a.Name, Long: a.Refused == "", run: func(ctx context.Context) outcome {
			return verdictOf(s.tryToFool(ctx, &a))
		}})
	}
	return checks, nil
}

// tryToFool grades the attempt as an instructor would.
func (s *suite) tryToFool(ctx context.Context, a *attempt) error {
	l, err := lab.Load(s.root, a.Lab)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "redteam-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := a.make(s.root, dir, l); err != nil {
		return err
	}
	h, err := grade.NewHandIn(ctx, s.root, dir, "", l)
	if err != nil {
		return err
	}
	defer h.Remove()
	opt := grade.Options{
		Root: h.Root, Files: h.Files, Problem: h.Problem, Lab: l, Match: regexp.MustCompile(a.Tests), Notes: s.opt.Out,
	}
	report, err := grade.Run(ctx, opt, func(*grade.Result) {})
	if err != nil {
		return err
	}
	return a.judge(report)
}

// make makes what is handed in.
func (a *attempt) make(root, dir string, l *lab.Lab) error {
	files, err := tree.Files(root)
	if err != nil {
		return err
	}
	if a.On == "starter" {
		err = l.Write(root, dir, files, "")
	} else {
		err = tree.Copy(dir, root)
	}
	if err == nil {
		err = (&lab.Wrong{Name: a.Name, Edits: a.Edits}).Apply(dir)
	}
	for name, text := range a.Files {
		if err == nil {
			err = tree.Write(dir, name, []byte(text))
		}
	}
	for name, target := range a.Links {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err == nil {
			err = os.Remove(path)
		}
		if err == nil {
			err = os.Symlink(filepath.Join(dir, filepath.FromSlash(target)), path)
		}
	}
	return err
}

// judge: the grader was not fooled.
func (a *attempt) judge(report *grade.Report) error {
	failed := 0
	for _, r := range report.Results {
		name := r.Test.Name()
		switch {
		case r.Passed && (a.On == "starter" || slices.Contains(a.Fails, name)):
			return fmt.Errorf("%s gives %d points", name, r.Test.Points)
		case a.Refused != "" && !strings.Contains(r.Seen, a.Refused):
			return fmt.Errorf("%s fails for another reason than %q: %s", name, a.Refused, r.Seen)
		case slices.Contains(a.Fails, name) && !strings.Contains(r.Seen, a.Seen):
			return fmt.Errorf("%s fails for another reason than %q: %s", name, a.Seen, r.Seen)
		case strings.HasPrefix(r.Seen, "does not compile"):
			return fmt.Errorf("the attempt %s", r.Seen)
		case !r.Passed:
			failed++
		}
	}
	if failed == 0 || failed < len(a.Fails) {
		return fmt.Errorf("%d tests failed", failed)
	}
	return nil
}
