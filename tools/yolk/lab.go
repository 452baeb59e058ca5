package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"text/tabwriter"

	"yolk/tools/internal/lab"
)

// labUsage is how yolk lab is called.
const labUsage = "usage: yolk lab [list | start NAME DIR | export -gradescope [-tests DIR] NAME FILE.zip | export -github OWNER/REFERENCE NAME DIR]"

// labCommand lists the labs, starts one, or makes a grader of one for others.
func labCommand(root string, args []string) int {
	var err error
	switch {
	case wantsHelp(args):
		fmt.Println(labUsage)
	case len(args) == 0 || len(args) == 1 && args[0] == "list":
		err = listLabs(root)
	case len(args) == 3 && args[0] == "start":
		err = startLab(root, args[1], args[2])
	case len(args) > 0 && args[0] == "export":
		err = exportLab(root, args[1:])
	default:
		err = errors.New(labUsage)
	}
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		return complain(err)
	}
	return 0
}

func listLabs(root string) error {
	names, err := lab.Names(root)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	for _, name := range names {
		l, err := lab.Load(root, name)
		if err != nil {
			return err
		}
		points, robust := l.Points()
		fmt.Fprintf(w, "%s\t%s\t%d points, %d of them for robustness\t%s\n", l.Name, l.Version, points, robust, l.Title)
	}
	return w.Flush()
}

// startLab makes the starter tree, and says how to go on.
func startLab(root, name, dir string) error {
	l, err := lab.Load(root, name)
	if err != nil {
		return err
	}
	if err := lab.Start(root, l, dir, os.Stderr); err != nil {
		return err
	}
	fmt.Printf("%s: lab %s %s, %s\nread %s; then: cd %s && make grade; %s explains what it says\n",
		dir, l.Name, l.Version, l.Title, filepath.Join(dir, lab.Handout), dir, lab.Messages)
	return nil
}
