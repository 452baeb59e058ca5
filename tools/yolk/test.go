package main

import (
	"errors"
	"flag"
	"os"
	"regexp"

	"yolk/tools/internal/rings"
)

// testCommand runs the tests.
func testCommand(root string, args []string) int {
	set := flag.NewFlagSet("yolk test", flag.ContinueOnError)
	match := set.String("run", "", "only the checks whose names match the `regexp`")
	all := set.Bool("all", false, "also the long ones")
	update := set.Bool("update", false, "write anew what the documents show of the checks that are run")
	list := set.Bool("list", false, "print the names of the checks")
	if err := parseFlags(set, args); errors.Is(err, flag.ErrHelp) {
		return 0
	} else if err != nil {
		return 2
	}
	opt := rings.Options{All: *all, CI: os.Getenv("CI") == "true", Update: *update, Out: os.Stdout}
	if *match != "" {
		var err error
		if opt.Match, err = regexp.Compile(*match); err != nil {
			return complain(err)
		}
	}
	if *list {
		if err := rings.List(root, opt); err != nil {
			return complain(err)
		}
		return 0
	}
	ctx, _, stop := onSignals()
	defer stop()
	if !rings.Run(ctx, root, opt) {
		return 1
	}
	return 0
}
