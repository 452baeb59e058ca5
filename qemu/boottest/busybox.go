package boottest

// BusyboxDir is where busybox and the links to it lie in the guest.
const BusyboxDir = "/opt/busybox"

// busybox is the program itself; it lies in /bin, too.
const busybox = BusyboxDir + "/busybox"

// ashPrompt is the prompt of busybox's shell, which then asks the terminal
// where its cursor is.
const ashPrompt = `[$#] (\x1b\[6n)?$`

// A Script is run under Debian's busybox, unmodified, here and on the host:
// standard output and status must be the same.
type Script struct {
	Name  string
	Text  string // for sh -c
	Stdin string
}

// BusyboxScripts are compared with the host.
var BusyboxScripts = []Script{
	{Name: "pipe", Text: `echo a | tr a b | wc -c`},
	{Name: "cat", Text: `cat; echo end`, Stdin: "one\ntwo"},
	{Name: "for-forks", Text: `for i in 1 2 3 4 5; do (echo $i; exit $i); echo status $?; done | sort -r`},
	{Name: "sh-in-sh", Text: `sh -c 'echo $0 $1; sh -c "exit 5"; echo $?' zero one; exit 4`},
	{Name: "background", Text: `(sleep 0.2; echo late) & echo early; wait; echo $?; false & wait $!; echo $?`},
	{Name: "signal", Text: `sh -c 'kill -9 $$'; echo $?; sh -c 'kill -15 $$'; echo $?`},
	{Name: "trap", Text: "sh -c 'trap \"echo caught\" USR1; kill -USR1 $$; echo after; trap - USR1; kill -USR1 $$; echo not here'; echo $?"},
	{Name: "files", Text: `d=$(mktemp -d) && cd $d && echo x > a && cp a b && ln -s a c && ln a e && mv b f && ls && cat c && wc -c < f && rm -r $d && echo gone`},
	{Name: "substitution", Text: `x=$(echo a; echo b); echo "$x" | while read l; do echo "<$l>"; done; echo $((6*7))`},
	{Name: "here-document", Text: "cat <<END | sed s/a/b/\nabc $((1+1))\nEND"},
	{Name: "find", Text: `cd /tmp && rm -rf t && mkdir -p t/u/v && echo hi > t/u/w && find t | sort && rm -r t`},
	{Name: "not-found", Text: `no-such-command 2>/dev/null; echo $?; /tmp 2>/dev/null; echo $?`},
}

// BusyboxCases have no counterpart on the host, or are checked in form only.
var BusyboxCases = []Case{
	{
		Name:    "interactive",
		Program: []string{busybox, "sh"},
		Dialogue: []Line{
			{ashPrompt, "echo a | busybox tr a b\r"}, {"\nb\r\n.*" + ashPrompt, "for i in 1 2; do busybox echo n$i; done\r"},
			{"\nn1\r\nn2\r\n.*" + ashPrompt, "busybox sh -c 'echo rea''dy; sleep 100'\r"},
			{"\nready\r\n", "\x03"}, {ashPrompt, "exit 9\r"},
		},
		Exit: 9,
	}, {
		Name:    "interpreter",
		Files:   map[string]string{"/opt/script": "#!/bin/busybox sh\necho \"$# $1\"\nexit 6\n"},
		Program: []string{"/opt/script", "a b", "c"}, Stdout: "2 a b\n", Exact: true, Exit: 6,
	}, {
		Name:    "killed",
		Program: []string{busybox, "sh", "-c", "kill -9 $$"}, Exit: 137,
	}, {
		Name:    "ls",
		Program: []string{busybox, "ls", "-l", "/"},
		Stdout:  `(total \d+\n)?([dl-][rwxt-]{9} +\d+ \S+ +\S+ +\d+ \w+ +\d+ +[\d:]+ \S+( -> \S+)?\n){5,}`,
	}, {
		Name:    "ps",
		Program: []string{busybox, "ps"},
		Stdout:  ` *PID +USER +COMMAND\n( +\d+ \S+ +.*\n)+`,
	},
}
