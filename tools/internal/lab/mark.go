package lab

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"yolk/tools/internal/tree"
)

// A Mark takes one function out of the reference source for a lab.  It is a
// line of the function's doc comment, in the form of Go's directives:
//
//	//lab:cow 2 let the child map the frames of a region
//	//lab:cow helper
//
// The first empties the function: what is left panics with the lab, the number
// of the task and the sentence.  The second removes it wholly: only a solution
// needs it.
type Mark struct {
	Lab  string
	Task int    // 0 for a helper
	Text string // what the student is to do
	File string // relative to the root, with slashes
	Line int    // of the function
	Func string // as documents cite it: mm.AddressSpace.Fork
}

// Panic is what the emptied function panics with.
func (m *Mark) Panic() string { return fmt.Sprintf("lab %s, task %d: %s", m.Lab, m.Task, m.Text) }

// markPrefix begins a mark; nothing else in a Go file may.
const markPrefix = "//lab:"

var markForm = regexp.MustCompile(`^//lab:([a-z]+) (?:([1-9]) ([^"\\` + "`" + `]+)|helper)$`)

// parseMark reads a comment line; ok tells whether it is a mark at all.
func parseMark(line string) (m Mark, ok bool, err error) {
	if !strings.HasPrefix(line, markPrefix) {
		return m, false, nil
	}
	f := markForm.FindStringSubmatch(line)
	if f == nil {
		return m, true, fmt.Errorf("%q is no mark: want //lab:NAME TASK SENTENCE or //lab:NAME helper", line)
	}
	m.Lab, m.Text = f[1], f[3]
	if f[2] != "" {
		m.Task, err = strconv.Atoi(f[2])
	}
	return m, true, err
}

// marked is a function with marks.
type marked struct {
	decl  *ast.FuncDecl
	marks []Mark
}

// of returns the function's mark for a lab, or nil.
func (f *marked) of(lab string) *Mark {
	for i := range f.marks {
		if f.marks[i].Lab == lab {
			return &f.marks[i]
		}
	}
	return nil
}

// source is a Go file and its marked functions.
type source struct {
	set   *token.FileSet
	file  *ast.File
	text  []byte
	funcs []marked
}

// parse parses the Go file name.  A mark that stands elsewhere than in the doc
// comment of a function with a body, or twice, is an error.
func parse(name string, text []byte) (*source, error) {
	s := &source{set: token.NewFileSet(), text: text}
	var err error
	s.file, err = parser.ParseFile(s.set, name, text, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	left := 0 // marks that belong to no function
	for _, g := range s.file.Comments {
		for _, c := range g.List {
			if strings.HasPrefix(c.Text, markPrefix) {
				left++
			}
		}
	}
	for _, d := range s.file.Decls {
		fn, ok := d.(*ast.FuncDecl)
		if !ok || fn.Doc == nil || fn.Body == nil {
			continue
		}
		f := marked{decl: fn}
		if err := s.readMarks(name, &f); err != nil {
			return nil, err
		}
		if f.marks != nil {
			s.funcs = append(s.funcs, f)
			left -= len(f.marks)
		}
	}
	if left != 0 {
		return nil, fmt.Errorf("%s: a mark stands elsewhere than in a function's doc comment", name)
	}
	return s, nil
}

// readMarks fills in f's marks from its doc comment.
func (s *source) readMarks(name string, f *marked) error {
	for _, c := range f.decl.Doc.List {
		m, ok, err := parseMark(c.Text)
		if err == nil && ok && f.of(m.Lab) != nil {
			err = fmt.Errorf("a second mark for lab %s", m.Lab)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", s.set.Position(c.Pos()), err)
		}
		if ok {
			m.File, m.Line, m.Func = name, s.set.Position(f.decl.Name.Pos()).Line, path.Base(path.Dir(name))+"."+FuncName(f.decl)
			f.marks = append(f.marks, m)
		}
	}
	return nil
}

// FuncName is a function's name, for a method with its type's before it:
// AddressSpace.Fork.
func FuncName(fn *ast.FuncDecl) string {
	if fn.Recv == nil {
		return fn.Name.Name
	}
	t := fn.Recv.List[0].Type
	if star, ok := t.(*ast.StarExpr); ok {
		t = star.X
	}
	if id, ok := t.(*ast.Ident); ok {
		return id.Name + "." + fn.Name.Name
	}
	return fn.Name.Name
}

// Marks returns the marks of the tree at root, by file and then by place.
func Marks(root string) ([]Mark, error) {
	files, err := tree.Files(root)
	if err != nil {
		return nil, err
	}
	var all []Mark
	for _, name := range files {
		if !cuttable(name) {
			continue
		}
		s, err := readMarked(filepath.Join(root, filepath.FromSlash(name)), name)
		if err != nil {
			return nil, err
		}
		if s == nil {
			continue
		}
		for _, f := range s.funcs {
			all = append(all, f.marks...)
		}
	}
	return all, nil
}

// parts are the directories of what runs in the machine.
var parts = []string{"arch", "boot", "kernel", "mm", "userland"}

// cuttable reports whether marks mean something in the file: in what runs in the
// machine and in the Go files of a lab of its own, and not in tests.  Whatever else
// somebody keeps in the tree, a class's submissions for instance, means nothing.
func cuttable(name string) bool {
	part, _, _ := strings.Cut(name, "/")
	return path.Ext(name) == ".go" && !strings.HasSuffix(name, "_test.go") && (slices.Contains(parts, part) || strings.HasPrefix(name, Dir+"/"))
}
