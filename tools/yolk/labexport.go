package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"yolk/tools/internal/export"
	"yolk/tools/internal/lab"
)

// exportLab makes the grader of a lab for Gradescope or for GitHub.
func exportLab(root string, args []string) error {
	set := flag.NewFlagSet("yolk lab export", flag.ContinueOnError)
	gradescope := set.Bool("gradescope", false, "write the autograder's zip file for Gradescope to FILE.zip")
	github := set.String("github", "", "write a workflow for GitHub into the repository at DIR, that fetches the reference from the repository `OWNER/NAME`")
	tests := set.String("tests", "", "for Gradescope: add the tests of this `directory`, which students have not seen")
	if err := parseFlags(set, args); err != nil {
		return err
	}
	if set.NArg() != 2 || *gradescope == (*github != "") || *tests != "" && !*gradescope {
		return errors.New("usage: yolk lab export -gradescope [-tests DIR] NAME FILE.zip, or yolk lab export -github OWNER/REFERENCE NAME DIR")
	}
	l, err := lab.Load(root, set.Arg(0))
	if err != nil {
		return err
	}
	if *github != "" {
		err = export.GitHub(root, l, *github, set.Arg(1), os.Stderr)
		if err == nil {
			fmt.Printf("%s: grades lab %s %s at every push\n", filepath.Join(set.Arg(1), filepath.FromSlash(export.Workflow)), l.Name, l.Version)
		}
		return err
	}
	err = writeTo(set.Arg(1), func(w io.Writer) error { return export.Gradescope(w, root, l, *tests, os.Stderr) })
	if err != nil {
		os.Remove(set.Arg(1)) // rather none than half of one
	} else {
		fmt.Printf("%s: the autograder of lab %s %s for Gradescope\n", set.Arg(1), l.Name, l.Version)
	}
	return err
}
