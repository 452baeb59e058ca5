package grade

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path"
	"path/filepath"
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
		set := token.NewFileSet()
		f, err := parser.ParseFile(set, filepath.Join(l.root, filepath.FromSlash(file)), nil, parser.SkipObjectResolution)
		if err != nil {
			continue
		}
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && lab.FuncName(fn) == name {
				return fmt.Sprintf("%s, %s:%d", symbol, file, set.Position(fn.Name.Pos()).Line)
			}
		}
	}
	return symbol
}
