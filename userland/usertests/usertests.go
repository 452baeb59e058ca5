// Package usertests is the program that tests the kernel from user mode, one
// process a test.
//
// There are two groups.  The portable tests are ordinary Linux programs: the
// same binary runs them on Linux, which is the oracle; what does not pass there
// is wrong itself.  The others look into our own files under /proc, or try what
// no foreign machine should have to bear; elsewhere they are skipped, and
// counted.  Tests carry the names of the cases that they cover.
package usertests

import (
	"hash/fnv"
	"strconv"
	"strings"

	"yolk/userland/kit"
	"yolk/userland/procfs"
)

const name = "usertests"

// Prog is the program usertests.
var Prog = kit.Prog{Name: name, Usage: "[-l | [-key KEY] NAME… | -soak KIND ROUNDS | -fuzz SEED ROUNDS]", Main: Main,
	Help: "test the kernel from user mode"}

// A test is one case, run in a process of its own.
type test struct {
	name string
	need need
	run  func(t *T)
}

// need says where a test makes sense.
type need uint8

// Where tests make sense.
const (
	portable need = iota // on any Linux
	yolk                 // on our kernel
	lazyFork             // on our kernel, unless it copies at the fork
)

// allTests lists the tests in the order in which they run.
func allTests() []test {
	var list []test
	for _, group := range [][]test{
		forkTests(), vforkTests(), cowTests(), execTests(), elfTests(), mmapTests(), waitTests(),
		signalTests(), faultTests(), pointerTests(), fileTests(), pipeTests(), timeTests(), demoTests(), fuzzTests(), checkTests(),
	} {
		list = append(list, group...)
	}
	return list
}

// Main runs all tests, or those named.
func Main(args []string) int {
	sign := unsigned
	if len(args) > 2 && args[1] == "-key" {
		sign = signedBy(args[2])
		args = append(args[:1:1], args[3:]...)
	}
	switch {
	case len(args) == 2 && args[1] == "-l":
		for _, t := range allTests() {
			kit.Print(t.name, "\n")
		}
		return 0
	case len(args) == 3 && args[1] == afterExec:
		return report(args[2])
	case len(args) == 4 && (args[1] == "-soak" || args[1] == "-fuzz"):
		n, err := strconv.Atoi(args[3])
		if err != nil || n < 1 {
			return kit.BadUsage
		}
		if args[1] == "-soak" {
			return soak(args[2], n)
		}
		return fuzz(args[2], n)
	case len(args) > 1 && args[1][0] == '-':
		return kit.BadUsage
	}
	var list []test
	for _, t := range allTests() {
		if len(args) == 1 || chosen(t.name, args[1:]) {
			list = append(list, t)
		}
	}
	if len(list) == 0 {
		kit.Eprint(name, ": there is no such test\n")
		return 2
	}
	return runAll(list, sign)
}

// chosen tells whether a test's name is, or begins with, one of the names.
func chosen(test string, names []string) bool {
	for _, n := range names {
		if test == n || strings.HasPrefix(test, n+"-") {
			return true
		}
	}
	return false
}

// A signature is a line of comment that proves who has made a verdict.
type signature func(verdict, test string) string

// unsigned is for people: they see for themselves.
func unsigned(string, string) string { return "" }

// signedBy makes signatures that only who has the key can make: a kernel that writes
// verdicts by itself would have to look for it in our memory first.
func signedBy(key string) signature {
	return func(verdict, test string) string {
		h := fnv.New64a()
		h.Write([]byte(key + " " + verdict + " " + test))
		return kit.Format("# signed ", h.Sum64(), "\n")
	}
}

// runAll runs the tests and prints a line on each in the form of the Test
// Anything Protocol; the status is 1 when one failed.
func runAll(list []test, sign signature) int {
	onYolk := procfs.IsYolk()
	eager := onYolk && eagerFork()
	passed, failed, skipped := 0, 0, 0
	kit.Print("TAP version 14\n1..", len(list), "\n")
	for i, t := range list {
		number := i + 1
		r := result{reason: t.skipReason(onYolk, eager)}
		if r.reason == "" {
			r = runOne(t)
		}
		switch {
		case r.reason != "":
			skipped++
			kit.Print("ok ", number, " - ", t.name, " # SKIP ", r.reason, "\n")
		case r.ok:
			passed++
			kit.Print("ok ", number, " - ", t.name, "\n", sign("ok", t.name))
		default:
			failed++
			kit.Print("not ok ", number, " - ", t.name, "\n", r.diagnosis)
		}
	}
	kit.Print("# ", passed, " passed, ", failed, " failed, ", skipped, " skipped\n")
	if failed > 0 {
		return 1
	}
	return 0
}

// skipReason says why the test makes no sense here; "" when it does.
func (t test) skipReason(onYolk, eager bool) string {
	switch {
	case t.need != portable && !onYolk:
		return "this kernel has no /proc/self/pagetable"
	case t.need == lazyFork && eager:
		return "this kernel copies pages at the fork (fork=eager)"
	}
	return ""
}

// eagerFork tells whether the kernel was told to copy pages at the fork: by its
// command line, which it shows in /proc/cmdline.
func eagerFork() bool {
	b, _ := kit.ReadFile("/proc/cmdline")
	for _, word := range strings.Fields(string(b)) {
		if word == "fork=eager" {
			return true
		}
	}
	return kit.Getenv("fork") == "eager"
}
