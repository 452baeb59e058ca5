package tools_test

import (
	"go/ast"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestEveryDirectoryHasAChapter: each directory with Go files has a README.md.
func TestEveryDirectoryHasAChapter(t *testing.T) {
	chapters, dirs := map[string]bool{}, map[string]bool{}
	walk(t, func(p string) {
		if path.Base(p) == "README.md" {
			chapters[path.Dir(p)] = true
		}
		if path.Ext(p) == ".go" && !isData(p) {
			dirs[path.Dir(p)] = true
		}
	})
	for dir := range dirs {
		if !chapters[dir] {
			t.Errorf("%s has no README.md", dir)
		}
	}
}

// cited matches a symbol in backticks: pkg.Name, pkg.Type.Member, also with
// pkg.(*Type).Member and with parentheses behind.
var cited = regexp.MustCompile("`([a-z][a-z0-9]*)\\.\\(?\\*?([A-Z]\\w*)\\)?(?:\\.(\\w+))?(?:\\(\\))?`")

// TestCitedSymbolsExist: each symbol that a document cites is in the tree.
func TestCitedSymbolsExist(t *testing.T) {
	s := collect(sources(t))
	n := 0
	walk(t, func(p string) {
		if path.Ext(p) != ".md" {
			return
		}
		for _, m := range cited.FindAllStringSubmatch(string(read(t, p)), -1) {
			n++
			if !s.has(m[1], m[2], m[3]) {
				t.Errorf("%s cites %s, which does not exist", p, m[0])
			}
		}
	})
	if n == 0 {
		t.Error("no document cites anything")
	}
}

func TestCitationsAreRecognised(t *testing.T) {
	for text, want := range map[string][]string{
		"see `mm.AddressSpace.Fault` there": {"mm", "AddressSpace", "Fault"},
		"`mm.(*AddressSpace).Fault`":        {"mm", "AddressSpace", "Fault"},
		"`trace.Event`":                     {"trace", "Event", ""},
		"`image.New()`":                     {"image", "New", ""},
	} {
		if m := cited.FindStringSubmatch(text); m == nil || !slices.Equal(m[1:], want) {
			t.Errorf("%s: %q", text, m)
		}
	}
	for _, text := range []string{"`go.mod`", "`bin/kernel.elf`", "mm.Fault", "`a b.C d`"} {
		if m := cited.FindStringSubmatch(text); m != nil {
			t.Errorf("%s: %q", text, m)
		}
	}
	s := collect(sources(t))
	for _, no := range [][3]string{{"trace", "NoSuch", ""}, {"trace", "Event", "NoSuch"}, {"nosuch", "Event", ""}, {"qemu", "Run", "X"}} {
		if s.has(no[0], no[1], no[2]) {
			t.Errorf("%v was found", no)
		}
	}
}

// symbols are the names that the tree declares.
type symbols struct {
	known   map[string]bool // "pkg.Name" and "pkg.Name.Member"
	foreign map[string]bool // packages from elsewhere that the tree imports
}

// collect reads the declarations of all files, under their package's name and
// under their directory's.
func collect(files []sourceFile) symbols {
	s := symbols{map[string]bool{}, map[string]bool{}}
	for _, f := range files {
		for _, pkg := range []string{strings.TrimSuffix(f.ast.Name.Name, "_test"), path.Base(f.dir)} {
			for _, d := range f.ast.Decls {
				s.add(pkg, d)
			}
		}
		for _, spec := range f.ast.Imports {
			if imp := strings.Trim(spec.Path.Value, `"`); !strings.HasPrefix(imp, "yolk/") {
				s.foreign[path.Base(imp)] = true
			}
		}
	}
	return s
}

// has reports whether a symbol exists; one of a package from elsewhere is
// taken on trust.
func (s symbols) has(pkg, name, member string) bool {
	if member != "" {
		name += "." + member
	}
	return s.known[pkg+"."+name] || s.foreign[pkg]
}

func (s symbols) add(pkg string, d ast.Decl) {
	switch d := d.(type) {
	case *ast.FuncDecl:
		name := d.Name.Name
		if d.Recv != nil {
			name = receiver(d.Recv.List[0].Type) + "." + name
		}
		s.known[pkg+"."+name] = true
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			switch spec := spec.(type) {
			case *ast.ValueSpec:
				for _, n := range spec.Names {
					s.known[pkg+"."+n.Name] = true
				}
			case *ast.TypeSpec:
				s.known[pkg+"."+spec.Name.Name] = true
				s.addMembers(pkg+"."+spec.Name.Name+".", spec.Type)
			}
		}
	}
}

// addMembers adds a struct's fields and an interface's methods.
func (s symbols) addMembers(prefix string, typ ast.Expr) {
	var fields *ast.FieldList
	switch typ := typ.(type) {
	case *ast.StructType:
		fields = typ.Fields
	case *ast.InterfaceType:
		fields = typ.Methods
	default:
		return
	}
	for _, f := range fields.List {
		for _, n := range f.Names {
			s.known[prefix+n.Name] = true
		}
	}
}

func receiver(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.StarExpr:
		return receiver(e.X)
	case *ast.IndexExpr:
		return receiver(e.X)
	case *ast.Ident:
		return e.Name
	}
	return ""
}

// private matches what is true on one machine only: its paths and the servers
// that it happens to fetch from.
var private = regexp.MustCompile(`/(work|farm|root|Users)/|/home/[a-z]|proxy\.golang|sum\.golang|deb\.debian|registry\.npmjs|pypi\.org`)

// TestNothingPrivate: no file tells of the machine that it was written on.
func TestNothingPrivate(t *testing.T) {
	walk(t, func(p string) {
		if p == "tools/readme_test.go" || p == "go.sum" {
			return
		}
		if m := private.Find(read(t, p)); m != nil {
			t.Errorf("%s: %q", p, m)
		}
	})
}
