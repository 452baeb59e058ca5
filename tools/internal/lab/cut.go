package lab

import (
	"bytes"
	"cmp"
	"fmt"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
)

// readMarked reads the file at path, which the tree knows as name; nil if there
// is no mark in it.
func readMarked(path, name string) (*source, error) {
	text, err := os.ReadFile(path)
	if err != nil || !bytes.Contains(text, []byte(markPrefix)) {
		return nil, err
	}
	return parse(name, text)
}

// Cut returns the Go file name as the lab's students get it.
//
//	function marked for       becomes
//	this lab, a task          its declaration, with a body that panics
//	this lab, helper          nothing
//	another lab               itself, without the mark
//
// What an emptied function's doc comment says stays, as the contract to be
// kept, but for the paragraphs that begin with WHY: they explain the solution.
// Imports that nothing uses any more are dropped.
func Cut(name string, text []byte, lab string) ([]byte, error) {
	s, err := parse(name, text)
	if err != nil {
		return nil, err
	}
	var e edits
	for _, f := range s.funcs {
		switch m := f.of(lab); {
		case m == nil:
			e.doc(s, f.decl, "")
		case m.Task == 0:
			e.replace(s.offset(f.decl.Doc.Pos()), s.lineEnd(f.decl.End()), "")
		default:
			e.doc(s, f.decl, lab)
			e.replace(s.offset(f.decl.Body.Pos()), s.lineEnd(f.decl.End()), fmt.Sprintf("{\n\tpanic(%q)\n}\n", m.Panic()))
		}
	}
	return dropImports(name, e.apply(text))
}

func (s *source) offset(p token.Pos) int { return s.set.Position(p).Offset }

// lineEnd is the start of the line after p: what follows a function on its last
// line, a comment, goes with it.
func (s *source) lineEnd(p token.Pos) int {
	off := s.offset(p)
	if i := bytes.IndexByte(s.text[off:], '\n'); i >= 0 {
		return off + i + 1
	}
	return len(s.text)
}

// edit replaces the bytes from start up to end.
type edit struct {
	start, end int
	text       string
}

type edits []edit

func (e *edits) replace(start, end int, text string) { *e = append(*e, edit{start, end, text}) }

// doc rewrites the doc comment of fn: one that lab empties keeps that lab's
// mark and loses what explains the solution; all other marks go.
func (e *edits) doc(s *source, fn *ast.FuncDecl, lab string) {
	var out, paragraph []string
	end := func() {
		if len(paragraph) > 0 && (lab == "" || !strings.HasPrefix(paragraph[0], "// WHY")) {
			if out != nil {
				out = append(out, "//")
			}
			out = append(out, paragraph...)
		}
		paragraph = nil
	}
	for _, c := range fn.Doc.List {
		switch {
		case c.Text == "//":
			end()
		case !strings.HasPrefix(c.Text, markPrefix), lab != "" && strings.HasPrefix(c.Text, markPrefix+lab+" "):
			paragraph = append(paragraph, c.Text)
		}
	}
	end()
	e.replace(s.offset(fn.Doc.Pos()), s.offset(fn.Type.Func), strings.Join(append(out, ""), "\n"))
}

func (e edits) apply(text []byte) []byte {
	slices.SortFunc(e, func(a, b edit) int { return cmp.Compare(a.start, b.start) })
	var out []byte
	at := 0
	for _, r := range e {
		out = append(append(out, text[at:r.start]...), r.text...)
		at = r.end
	}
	return append(out, text[at:]...)
}

// dropImports removes the imports that nothing uses, and formats the file.
func dropImports(name string, text []byte) ([]byte, error) {
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, name, text, parser.ParseComments)
	if err != nil {
		return nil, fmt.Errorf("what the cut leaves does not parse: %w", err)
	}
	var e edits
	for _, d := range file.Decls {
		g, ok := d.(*ast.GenDecl)
		if !ok || g.Tok != token.IMPORT {
			continue
		}
		left := len(g.Specs)
		var specs edits
		for _, spec := range g.Specs {
			imp := spec.(*ast.ImportSpec)
			if !uses(file, importName(imp)) {
				left--
				start := set.Position(imp.Pos()).Offset
				specs.replace(start, start+bytes.IndexByte(text[start:], '\n'), "")
			}
		}
		if left == 0 {
			specs = edits{{set.Position(g.Pos()).Offset, set.Position(g.End()).Offset, ""}}
		}
		e = append(e, specs...)
	}
	return format.Source(e.apply(text))
}

// importName is the name under which a file knows an import.  The tree's
// packages are called like their directories.
func importName(imp *ast.ImportSpec) string {
	if imp.Name != nil {
		return imp.Name.Name
	}
	p, _ := strconv.Unquote(imp.Path.Value) // the parser has checked it
	base := path.Base(p)
	if strings.HasPrefix(base, "v") && strings.Trim(base[1:], "0123456789") == "" {
		base = path.Base(path.Dir(p)) // math/rand/v2
	}
	return base
}

// uses reports whether the file refers to a package by its name; imports for
// their effects count as used.
func uses(file *ast.File, name string) bool {
	if name == "_" || name == "." {
		return true
	}
	found := false
	ast.Inspect(file, func(n ast.Node) bool {
		if sel, ok := n.(*ast.SelectorExpr); ok {
			if id, ok := sel.X.(*ast.Ident); ok && id.Name == name && id.Obj == nil {
				found = true
			}
		}
		return !found
	})
	return found
}
