// Command yolkbox is all user programs in one file: it runs the one that it is
// called by the name of, or `yolkbox NAME ARGS`.  /bin is links to it.
//
// WHY one file: the Go runtime, a megabyte of it, is in the image once, and
// programs share its pages in the page cache.
package main

import (
	"os"
	"sort"
	"strings"

	"yolk/userland/bench"
	"yolk/userland/coreutils"
	"yolk/userland/cowdemo"
	"yolk/userland/execdemo"
	"yolk/userland/exhaust"
	"yolk/userland/forkdemo"
	pid1 "yolk/userland/init"
	"yolk/userland/kit"
	"yolk/userland/lazydemo"
	"yolk/userland/puppet"
	"yolk/userland/sh"
	"yolk/userland/sys"
	"yolk/userland/usertests"
	"yolk/userland/vforkdemo"
	"yolk/userland/vforkmisuse"
)

// programs lists everything in the box.
func programs() []kit.Prog {
	list := append(coreutils.Progs(),
		bench.Prog, cowdemo.Prog, execdemo.Prog, exhaust.Prog, forkdemo.Prog, lazydemo.Prog,
		pid1.Prog, puppet.Prog, sh.Prog, usertests.Prog, vforkdemo.Prog, vforkmisuse.Prog,
	)
	list = append(list, kit.Prog{Name: "help", Help: "list the programs", Main: help})
	sort.Slice(list, func(i, j int) bool { return list[i].Name < list[j].Name })
	return list
}

func main() {
	tune()
	kit.Environ = os.Environ()
	sys.Exit(dispatch(os.Args))
}

// dispatch runs the program that the box is called by the name of; called by
// any other name, the program named by its first argument.
func dispatch(args []string) int {
	for i := range min(2, len(args)) {
		if p, ok := find(baseName(args[i])); ok {
			return p.Run(args[i:])
		}
	}
	if len(args) > 1 {
		kit.Eprint("yolkbox: there is no program ", args[1], "\n")
		return 127
	}
	return help(args)
}

// find gives the program of that name.
func find(name string) (kit.Prog, bool) {
	for _, p := range programs() {
		if p.Name == name {
			return p, true
		}
	}
	return kit.Prog{}, false
}

// baseName is the last element of a path.
func baseName(path string) string { return path[strings.LastIndexByte(path, '/')+1:] }

// help lists the programs with a line on each; -n only their names, for whoever
// makes the links.
func help(args []string) int {
	namesOnly := len(args) > 1 && args[1] == "-n"
	var text []byte
	for _, p := range programs() {
		if namesOnly {
			text = kit.Append(text, p.Name, "\n")
		} else {
			text = kit.Append(text, "  ", kit.Column{Width: 12, Value: p.Name}, p.Help, "\n")
		}
	}
	if !namesOnly {
		text = append(text, "The shell itself knows: break cd continue exit export pwd shift unset wait.\n"...)
	}
	kit.Print(text)
	return 0
}
