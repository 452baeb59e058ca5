package tools_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"strings"
	"testing"
)

// TestWrappedErrorsAreThere: where a condition holds also without an error, none is
// wrapped: its words would be %!w(<nil>).
func TestWrappedErrorsAreThere(t *testing.T) {
	for _, f := range sources(t) {
		for _, message := range wrapsNil(f.ast) {
			t.Errorf("%s wraps an error that may be nil: %s", f.path, message)
		}
	}
}

func TestWrapsNil(t *testing.T) {
	const file = "package p\nfunc f() { %s { return fmt.Errorf(%q, err) } }"
	for c, want := range map[[2]string]int{
		{"if err != nil", "%w"}: 0, {"if err != nil && x", "%w"}: 0, {"if err != nil || x", "%v"}: 0,
		{"if err != nil || x", "%w"}: 1, {"if x || y || err != nil", "x: %w"}: 1,
	} {
		f, err := parser.ParseFile(token.NewFileSet(), "f.go", fmt.Sprintf(file, c[0], c[1]), 0)
		if err != nil {
			t.Fatal(err)
		}
		if n := len(wrapsNil(f)); n != want {
			t.Errorf("%q: %d, want %d", c, n, want)
		}
	}
}

// wrapsNil returns the formats with which a file wraps err in the body of an if that
// is entered if err is not nil or if something else holds.
func wrapsNil(f *ast.File) (formats []string) {
	ast.Inspect(f, func(n ast.Node) bool {
		if s, ok := n.(*ast.IfStmt); ok && orError(s.Cond) {
			for _, stmt := range s.Body.List {
				formats = append(formats, wrapped(stmt)...)
			}
		}
		return true
	})
	return formats
}

// orError reports whether a condition is a disjunction with err != nil in it.
func orError(cond ast.Expr) bool {
	or, ok := cond.(*ast.BinaryExpr)
	if !ok || or.Op != token.LOR {
		return false
	}
	for _, side := range []ast.Expr{or.X, or.Y} {
		b, ok := side.(*ast.BinaryExpr)
		if ok && b.Op == token.NEQ && isNamed(b.X, "err") && isNamed(b.Y, "nil") || orError(side) {
			return true
		}
	}
	return false
}

// wrapped returns the format of a call with %w and err in a return statement.
func wrapped(stmt ast.Stmt) (formats []string) {
	ret, ok := stmt.(*ast.ReturnStmt)
	if !ok {
		return nil
	}
	for _, result := range ret.Results {
		call, ok := result.(*ast.CallExpr)
		if !ok || len(call.Args) < 2 {
			continue
		}
		format, ok := call.Args[0].(*ast.BasicLit)
		if !ok || !strings.Contains(format.Value, "%w") {
			continue
		}
		for _, arg := range call.Args[1:] {
			if isNamed(arg, "err") {
				formats = append(formats, format.Value)
			}
		}
	}
	return formats
}

func isNamed(e ast.Expr, name string) bool {
	id, ok := e.(*ast.Ident)
	return ok && id.Name == name
}
