package lab

import (
	"slices"
	"strings"
	"testing"

	"yolk/tools/internal/tree"
)

const reference1 = `package p

import (
	"fmt" // prints
	"math/rand/v2"
	"strings"

	"yolk/mm"
)

// Kept stays as it is.
//
//lab:other 1 do something else
//go:noinline
func Kept() string {
	return strings.ToUpper("a") // a comment
}

// Do does it.
//
//	a table
//
// WHY so: the secret
// goes on.
//
// It fails with an error.
//
//lab:mine 2 do it well
//lab:other 2 do it
func (t *T) Do(fmt int) (mm.Frame, error) {
	// secret
	x := rand.Int() /* secret */
	return mm.Frame(x), nil
} // secret

// help is a secret.
//
//lab:mine helper
func help() { fmt.Println("secret") }

// T is a type.
type T struct{}
`

const starter1 = `package p

import (
	"strings"

	"yolk/mm"
)

// Kept stays as it is.
//
//go:noinline
func Kept() string {
	return strings.ToUpper("a") // a comment
}

// Do does it.
//
//	a table
//
// It fails with an error.
//
//lab:mine 2 do it well
func (t *T) Do(fmt int) (mm.Frame, error) {
	panic("lab mine, task 2: do it well")
}

// T is a type.
type T struct{}
`

func TestCut(t *testing.T) {
	got, err := Cut("p/p.go", []byte(reference1), "mine")
	if err != nil || string(got) != starter1 {
		t.Errorf("%v\n%s", err, got)
	}
	got, err = Cut("p/p.go", []byte(reference1), "nobody's")
	if want := strings.NewReplacer("//lab:other 1 do something else\n", "", "//\n//lab:mine 2 do it well\n//lab:other 2 do it\n", "",
		"//\n//lab:mine helper\n", "").Replace(reference1); err != nil || string(got) != want {
		t.Errorf("for no lab: %v\n%s", err, got)
	}
	if again, err := Cut("p/p.go", got, "mine"); err != nil || string(again) != string(got) {
		t.Errorf("without marks: %v\n%s", err, again)
	}
}

// TestCutLastImport: an import declaration does not stay behind empty.
func TestCutLastImport(t *testing.T) {
	for _, imports := range []string{"import \"fmt\"\n", "import (\n\t\"fmt\"\n\t\"os\"\n)\n"} {
		got, err := Cut("p/p.go", []byte("package p\n\n"+imports+"\n//lab:a 1 x\nfunc f() { fmt.Println(os.Args) }\n"), "a")
		if want := "package p\n\n//lab:a 1 x\nfunc f() {\n\tpanic(\"lab a, task 1: x\")\n}\n"; err != nil || string(got) != want {
			t.Errorf("%v\n%s", err, got)
		}
	}
}

// TestMarksOfTheTree: those of the kernel and of a lab's files, whatever else lies there.
func TestMarksOfTheTree(t *testing.T) {
	root := t.TempDir()
	const text = "package p\n\n//lab:mine 1 do it\nfunc f() {}\n"
	for name, text := range map[string]string{
		"mm/a.go": text, "mm/a_test.go": text, "kernel/sub/b.go": text, Dir + "/mine/c.go": text, "tools/d.go": text,
		"submissions/ada/kernel/e.go": "package p\n\nfunc {", "submissions/bob/kernel/e.go": text,
		"mm/eve/handin.json": "{}", "mm/eve/mm/f.go": text,
	} {
		ok(t, tree.Write(root, name, []byte(text)))
	}
	marks, err := Marks(root)
	ok(t, err)
	var files []string
	for _, m := range marks {
		files = append(files, m.File)
	}
	if want := []string{"kernel/sub/b.go", "mm/a.go", Dir + "/mine/c.go"}; !slices.Equal(files, want) {
		t.Errorf("%q, want %q", files, want)
	}
}

func TestMarks(t *testing.T) {
	s, err := parse("mm/x/p.go", []byte(reference1))
	if err != nil || len(s.funcs) != 3 {
		t.Fatalf("%+v, %v", s, err)
	}
	m := s.funcs[1].of("mine")
	if want := (Mark{"mine", 2, "do it well", "mm/x/p.go", 30, "x.T.Do"}); *m != want {
		t.Errorf("%+v", m)
	}
	if s.funcs[2].of("mine").Task != 0 || s.funcs[0].of("mine") != nil {
		t.Error("a helper is a task, or a mark is another lab's")
	}
	for name, text := range map[string]string{
		"on a type":             "//lab:a 1 x\ntype T int",
		"inside a function":     "func f() {\n\t//lab:a 1 x\n}",
		"apart from a function": "//lab:a 1 x\n\nfunc f() {}",
		"without a sentence":    "//lab:a 1\nfunc f() {}",
		"without a task":        "//lab:a\nfunc f() {}",
		"twice":                 "//lab:a 1 x\n//lab:a 2 x\nfunc f() {}",
		"with a quote":          "//lab:a 1 \"x\nfunc f() {}",
		"without a body":        "//lab:a 1 x\nfunc f()",
	} {
		if _, err := parse("p.go", []byte("package p\n\n"+text+"\n")); err == nil {
			t.Errorf("a mark %s is taken", name)
		}
	}
}
