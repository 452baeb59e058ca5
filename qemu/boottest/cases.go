package boottest

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"yolk/kernel/trace"
	"yolk/qemu"
)

// everywhere is every machine.
var everywhere = func() (names []string) {
	for _, m := range qemu.Machines {
		names = append(names, m.Name)
	}
	return names
}()

// prompt is the shell's.
const prompt = `[$#] $`

// Cases are the boots.
var Cases = append([]Case{
	{
		Name: "shell", Machines: everywhere,
		Dialogue: []Line{{prompt, "echo he''llo\r"}, {"\nhello\r\n.*" + prompt, "exit 3\r"}},
		Exit:     3,
	}, {
		Name:     "shell-ctrl-d",
		Dialogue: []Line{{prompt, "\x04"}},
	}, {
		Name: "shell-ctrl-c",
		Dialogue: []Line{{prompt, "sh -c 'echo rea''dy; cat'\r"}, {"\nready\r\n", "abc\r"}, {"abc\r\nabc\r\n", "\x03"}, {prompt, "echo status $?\r"},
			{"\nstatus 130\r\n.*" + prompt, "exit\r"}},
	}, {
		Name: "status", Machines: everywhere,
		Program: []string{"sh", "-c", "exit 7"}, Exit: 7,
	}, {
		Name:    "status-of-a-signal",
		Program: []string{"sh", "-c", "kill -9 $$"}, Exit: 137,
	}, {
		Name:    "not-found",
		Program: []string{"no-such-program"}, Exit: 127, Stderr: "yolk: no-such-program: .*\n",
	}, {
		Name:    "not-executable",
		Program: []string{"/tmp"}, Exit: 126, Stderr: "yolk: /tmp: .*\n",
	}, {
		Name: "bytes", Machines: everywhere, // every byte, both ways, many times the credit
		Program: []string{"cat"}, Stdin: everyByte(300_000), Stdout: everyByte(300_000), Exact: true,
	}, {
		Name:    "streams",
		Program: []string{"sh", "-c", "echo out; echo err >&2"}, Stdout: "out\n", Stderr: "err\n",
	}, {
		Name:    "arguments",
		Program: []string{"echo", "a b", "", "é%", "--", "*"}, Stdout: "a b  é% -- *\n", Exact: true,
	}, {
		Name: "arguments-in-a-file", Append: "args=/opt/args", // as yolk does with those that are too long
		Files:  map[string]string{"/opt/args": "echo\x00a b\x00\x00" + strings.Repeat("x", 5000) + "\x00"},
		Stdout: "a b  " + strings.Repeat("x", 5000) + "\n", Exact: true,
	}, {
		Name:    "script-added",
		Files:   map[string]string{"/opt/dir/hello": "#!/bin/sh\necho \"$1, $2\"\n"},
		Program: []string{"/opt/dir/hello", "hello", "world"}, Stdout: "hello, world\n", Exact: true,
	}, {
		Name:    "initrd-overlays", // in order, the last one wins, with links
		Initrds: overlays, Files: map[string]string{"/opt/new/dir/added": "added\n"},
		Program: []string{"sh", "-c", "cd /opt; cat first both soft new/dir/added; ./hard1; ./hard2"},
		Stdout:  "first\nof the second\nof the second\nadded\nlinked\nlinked\n", Exact: true,
	}, {
		Name:    "usertests",
		Program: []string{"usertests"},
	}, {
		Name: "usertests-elsewhere", Machines: everywhere[1:], Long: true,
		Program: []string{"usertests"},
	}, {
		Name: "usertests-64-mib", Memory: 64,
		Program: []string{"usertests"},
	}, {
		Name: "free-64-mib", Memory: 64, // 25,000 KiB are a little more than 24 MiB
		Program: []string{"free"}, Stdout: `(?s).*Mem: +\d+ +\d+ +(2[5-9]|[3-9]\d)\d{3}\n`,
	}, {
		Name: "exhaust-64-mib", Memory: 64,
		Program: []string{"exhaust"},
	}, {
		Name: "soak-fork-exit", Memory: 64, Long: true,
		Program: []string{"usertests", "-soak", "forkexit", "100000"},
	}, {
		Name: "soak-fork-exec", Memory: 64, Long: true,
		Program: []string{"usertests", "-soak", "forkexec", "10000"},
	}, {
		Name: "soak-vfork-exec", Memory: 64, Long: true,
		Program: []string{"usertests", "-soak", "vforkexec", "10000"},
	}, {
		Name: "usertests-eager-fork", Append: "fork=eager", Long: true,
		Program: []string{"usertests"},
	}, {
		Name: "no-rdrand", CPU: "qemu64",
		Program: []string{"sh"}, Exit: qemu.ExitBootFailed, Why: "could not boot", Log: "-cpu max",
	}, {
		Name: "too-little-memory", Memory: 8,
		Program: []string{"sh"}, Exit: qemu.ExitBootFailed, Why: "could not boot", Log: "-m ",
	},
	crash("panic", "panic: .*"), crash("ud", "exception 6 .*UD2.*"),
	crash("nil", "page fault at 0x0: write to a missing page .*MOVB.*cr2 0{16}.*"),
	crash("low", "page fault at 0x100000: read of a missing page .*"),
	crash("text", "write to a protected page .*cr2 ffffffff80.*"),
	crash("alias", "write to a protected page .*cr2 ffff8000.*"),
	crash("rodata", "write to a protected page .*cr2 ffffffff80.*"),
	crash("exec", "fetch from a protected page .*"),
	crash("stack", "write to a missing page .*"),
	{
		Name: "crash-in-a-process", Append: "crash=device", // the report tells of it: registers, what is mapped there, what it did last
		Program: []string{"sh", "-c", "echo nil > /dev/crash"}, Exit: qemu.ExitPanicked, Why: "kernel panic",
		Log: `process (\d+) \(echo\), child of \d+\nuser rip 0{10}4.*regions around rip 0x4.*\n> 0x400000-0x\w+ r-x /bin/yolkbox\n  0x.*` +
			`its last events, the latest first:\n  \d+  pid \d+  exec .*\nlast events, the latest first:\n.* fork `,
	}, {
		Name: "crash-hang", Append: "crash=device", Patience: 10 * time.Second,
		Program: []string{"sh", "-c", "echo begun; echo hang > /dev/crash"}, Stdout: "begun\n",
		Exit: qemu.ExitHung, Why: "^no progress: the kernel's heartbeat has stopped for 10s$", Log: "the kernel loops",
	}, {
		Name:    "check", // after forks, copies, pipes and files without a name
		Program: []string{"sh", "-c", "echo a | cat; sh -c 'sh -c \"echo b\"'; cat < /proc/check > /tmp/x; cat /tmp/x"}, Stdout: "a\nb\nclean\n",
	}, {
		Name: "crash-refs", Append: "crash=device", // what is wrong is found, and the kernel goes on
		Program: []string{"sh", "-c", "cat /proc/check; echo refs > /dev/crash; cat /proc/check"},
		Stdout:  `clean\nmm: frame 0x[0-9a-f]+ counts \d+ references and has \d+\n`,
	},
}, slices.Concat(traceCases, exhaustCases)...)

// crash is a boot with a fault raised on purpose: the report, which ends in a
// Go trace with file and line, must come out, and the machine must end (ALL-01).
func crash(kind, report string) Case {
	return Case{
		Name: "crash-" + kind, Append: "crash=" + kind, Program: []string{"sh"},
		Exit: qemu.ExitPanicked, Why: "kernel panic", Log: report + `goroutine 1 .*main\.crash\(.*yolk/boot/crash\.go:\d+`,
	}
}

func everyByte(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteByte(byte(i ^ i>>8))
	}
	return b.String()
}

// forkExecExit wants: a fork, the child's exec, the child's first fault after
// it, the child's exit, its parent's wait.
func forkExecExit(events []trace.Event) error {
	if n := len(events); n > 0 && events[n-1].Seq+1 != uint64(n) {
		return fmt.Errorf("%d events, the last is number %d", n, events[n-1].Seq)
	}
	for i, e := range events {
		if e.Kind != trace.Fork && e.Kind != trace.VFork || !lives(events[i+1:], int32(e.Aux), e.PID) {
			continue
		}
		return nil
	}
	return fmt.Errorf("no process forked, exec'd, faulted, exited and was waited for, in %d events", len(events))
}

// lives reports whether the child goes through the rest of its life.
func lives(events []trace.Event, child, parent int32) bool {
	steps := []func(e *trace.Event) bool{
		func(e *trace.Event) bool { return e.Kind == trace.Exec && e.PID == child },
		func(e *trace.Event) bool { return e.Kind == trace.Fault && e.PID == child },
		func(e *trace.Event) bool { return e.Kind == trace.Exit && e.PID == child && e.Err == 0 },
		func(e *trace.Event) bool { return e.Kind == trace.Wait && e.PID == parent && int32(e.Aux) == child },
	}
	for i := range events {
		if len(steps) > 0 && steps[0](&events[i]) {
			steps = steps[1:]
		}
	}
	return len(steps) == 0
}
