package grade

import (
	"cmp"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path"
	"path/filepath"
	"strconv"
	"strings"

	"yolk/tools/internal/lab"
	"yolk/tools/internal/tree"
)

// lookup finds the places of symbols in a tree.
type lookup struct {
	root  string
	files []string
}

func newLookup(root string) *lookup {
	files, _ := tree.Files(root) // a place that is not found is named without its line
	return &lookup{root, files}
}

// place returns the symbol, mm.AddressSpace.Fork, with the file and line of its
// declaration if it is a function.
func (l *lookup) place(symbol string) string {
	pkg, name, _ := strings.Cut(symbol, ".")
	for _, file := range l.files {
		if path.Base(path.Dir(file)) != pkg || path.Ext(file) != ".go" || strings.HasSuffix(file, "_test.go") {
			continue
		}
		if at := l.function(file, func(fn *ast.FuncDecl) bool { return lab.FuncName(fn) == name }); at != "" {
			return at
		}
	}
	return symbol
}

// literal is place for the first function of the files in whose body a string
// constant stands; "" if there is none.
func (l *lookup) literal(files []string, text string) (at string) {
	for _, file := range files {
		at = cmp.Or(at, l.function(file, func(fn *ast.FuncDecl) (found bool) {
			ast.Inspect(fn, func(n ast.Node) bool {
				if c, ok := n.(*ast.BasicLit); ok && c.Kind == token.STRING {
					s, err := strconv.Unquote(c.Value)
					found = found || err == nil && s == text
				}
				return !found
			})
			return found
		}))
	}
	return at
}

// function returns the first function of a file that is meant, as symbol and place;
// "" if none is.
func (l *lookup) function(file string, meant func(*ast.FuncDecl) bool) string {
	set := token.NewFileSet()
	f, err := parser.ParseFile(set, filepath.Join(l.root, filepath.FromSlash(file)), nil, parser.SkipObjectResolution)
	if err != nil {
		return ""
	}
	for _, d := range f.Decls {
		if fn, ok := d.(*ast.FuncDecl); ok && meant(fn) {
			return fmt.Sprintf("%s.%s, %s:%d", path.Base(path.Dir(file)), lab.FuncName(fn), file, set.Position(fn.Name.Pos()).Line)
		}
	}
	return ""
}
