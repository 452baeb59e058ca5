package gdb

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func TestInit(t *testing.T) {
	got := Init(Target{
		Root: "/a b/yolk", Helpers: "/a b/yolk/qemu/gdb", GOROOT: "/go", Kernel: "/a b/yolk/bin/kernel.elf", Port: 4711,
		Programs: []Program{{"/bin/yolkbox", "/box"}, {"/opt/a\"b", `C:\c d`}},
	})
	for _, want := range []string{
		"file \"/a b/yolk/bin/kernel.elf\"\n", "\nset substitute-path yolk \"/a b/yolk\"\n", "\n  add-symbol-file \"/box\"\n",
		`sys.path.insert(0, "/a b/yolk/qemu/gdb")`, `  ("/bin/yolkbox", "/box"),`, `  ("/opt/a\"b", "C:\\c d"),`,
		"\ntarget remote 127.0.0.1:4711\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if strings.Index(got, "file") > strings.Index(got, "target remote") {
		t.Error("the connection comes before the files")
	}
	depth := 0
	for line := range strings.Lines(got) {
		switch word := strings.TrimSpace(line); {
		case strings.HasPrefix(word, "if $_isvoid"):
			depth = 1
		case word == "else" && depth == 1:
			depth = 2
		case line == "end\n":
			depth = 0
		case depth != 2 && (word == "python" || strings.Contains(word, "python-") || strings.HasPrefix(word, "source ")):
			t.Errorf("a GDB without Python would be given %q", word)
		}
	}
}

func TestPort(t *testing.T) {
	if port, err := Port(Init(Target{Port: 4711})); port != 4711 || err != nil {
		t.Errorf("%d, %v", port, err)
	}
	for _, script := range []string{"", "target remote :1\n", "\ntarget remote 127.0.0.1:x\n"} {
		if _, err := Port(script); err == nil {
			t.Errorf("%q has a port", script)
		}
	}
}

// eachStep calls visit for each step of the sessions.
func eachStep(visit func(s *Session, step Step)) {
	for i := range Sessions {
		for _, part := range Sessions[i].Parts {
			for _, step := range part.Steps {
				visit(&Sessions[i], step)
			}
		}
	}
}

// TestSessionPatterns: a pattern that does not compile would fail only in a
// run with QEMU.
func TestSessionPatterns(t *testing.T) {
	eachStep(func(s *Session, step Step) {
		for _, pattern := range []string{step.Want, step.Not} {
			if _, err := regexp.Compile(pattern); err != nil {
				t.Errorf("%s: %v", s.Name, err)
			}
		}
	})
}

// TestEveryCommandIsTried: the sessions play each command that the helpers declare,
// and each function.
func TestEveryCommandIsTried(t *testing.T) {
	var played strings.Builder
	eachStep(func(_ *Session, step Step) {
		if !step.Fails {
			played.WriteString(" " + step.Command + " ")
		}
	})
	files, err := filepath.Glob(filepath.Join("yolk", "*.py"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	n := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`@command\("([^"]+)"|__init__\("(k\w+)"\)`).FindAllSubmatch(text, -1) {
			n++
			if name := string(m[1]) + string(m[2]); !regexp.MustCompile(`[ $]` + name + `\b`).MatchString(played.String()) {
				t.Errorf("%s: no session plays %s", file, name)
			}
		}
	}
	if n < 14 {
		t.Errorf("only %d commands were found", n)
	}
}

// TestVersionAgrees: the helpers are for the kernel of this tree.
func TestVersionAgrees(t *testing.T) {
	version := func(file, pattern string) string {
		text, err := os.ReadFile(filepath.FromSlash(file))
		if err != nil {
			t.Fatal(err)
		}
		m := regexp.MustCompile(pattern).FindSubmatch(text)
		if m == nil {
			t.Fatalf("%s does not match %s", file, pattern)
		}
		return string(m[1])
	}
	if k, h := version("../../kernel/debug.go", `debugVersion = (\d+)`), version("yolk/kernel.py", `(?m)^VERSION = (\d+)`); k != h {
		t.Errorf("the kernel has version %s, the helpers read version %s", k, h)
	}
}

func TestCheck(t *testing.T) {
	steps := []Step{{Command: "a", Want: "x+"}, {Command: "b", Want: "^$|y", Not: "q"}, {Command: "c", Want: "no", Fails: true}}
	say := func(answers ...string) string {
		out := "hello\n"
		for i, a := range answers {
			out += fmt.Sprintf(mark, i) + "\n" + a + "\n"
		}
		return out
	}
	if err := Check(say("xx", "y", "error: no"), steps); err != nil {
		t.Error(err)
	}
	for _, bad := range []string{
		say("y", "y", "error: no"), say("xx", "z", "error: no"), say("xx", "yq", "error: no"), say("xx", "y", "error: yes"),
		say("xx", "y", "no"), say("error: xx", "y", "error: no"), say("x"), "hello",
	} {
		if Check(bad, steps) == nil {
			t.Errorf("passed: %q", bad)
		}
	}
}

func TestPage(t *testing.T) {
	page := "# GDB\n\n" + pageBegins + "(gdb) kps\n 1 at 0x4f\n" + pageEnds + "More.\n"
	steps := []Step{{Command: "kps"}, {Command: "kill"}}
	said := Transcript(fmt.Sprintf("junk\n"+mark+"\n  2 at 0x5e123\n"+mark+"\n", 0, 1), steps)
	fresh, err := UpdatePage(page, said)
	if err != nil || fresh != "# GDB\n\n"+pageBegins+"(gdb) kps\n  2 at 0x5e123\n(gdb) kill\n"+pageEnds+"More.\n" {
		t.Errorf("%v\n%s", err, fresh)
	}
	if SamePage(page, fresh) || !SamePage(page, strings.NewReplacer("1 at 0x4f", "  77 at 0xabc").Replace(page)) {
		t.Error("pages differ in more than numbers and blanks, or not")
	}
	if _, err := UpdatePage("# GDB\n", said); err == nil {
		t.Error("a page without a place for the session was taken")
	}
}
