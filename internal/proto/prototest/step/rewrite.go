package step

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"sort"
	"strconv"
)

// shims are the functions of bytes and strings that this package has too.
var shims = []string{
	"IndexByte", "Index", "IndexAny", "Contains", "LastIndexByte", "LastIndexAny", "Cut", "Equal", "EqualFold",
	"TrimSpace", "Trim", "TrimLeft", "TrimRight",
}

// linear are functions of bytes, strings and slices that run over all of their
// first argument.
var linear = []string{
	"Clone", "Count", "Fields", "Join", "Repeat", "Replace", "ReplaceAll", "Split", "SplitN", "SplitSeq", "ToLower", "ToUpper", "ToValidUTF8",
	"Insert", "Delete", "Contains", "Index", "Sort", "SortFunc", "SortStableFunc", "Slice", "SliceStable", "Reverse", "Concat",
}

// edit is a piece of text to put at an offset of a file, in place of cut bytes.
type edit struct {
	at, cut int
	text    string
}

// Rewrite returns src, a Go file, with counting code in it. Lines keep their
// numbers. self is the import path of this package.
func Rewrite(name string, src []byte, self string) ([]byte, error) {
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, name, src, parser.ParseComments)
	if err != nil {
		return nil, err
	}
	r := rewriter{fset: fset, imports: map[string]string{}, free: map[ast.Expr]bool{}}
	for _, im := range f.Imports {
		path, _ := strconv.Unquote(im.Path.Value)
		if (path == "bytes" || path == "strings" || path == "slices" || path == "sort") && im.Name == nil {
			r.imports[path] = path
		}
	}
	r.put(f.Name.End(), fmt.Sprintf("; import __step %q", self))
	for _, d := range f.Decls {
		if g, ok := d.(*ast.GenDecl); ok && g.Tok == token.CONST {
			continue // constants cost nothing, and a call is none
		}
		ast.Inspect(d, r.node)
	}
	sort.SliceStable(r.edits, func(i, j int) bool { return r.edits[i].at < r.edits[j].at })
	var out []byte
	at := 0
	for _, e := range r.edits {
		out = append(append(out, src[at:e.at]...), e.text...)
		at = e.at + e.cut
	}
	out = append(out, src[at:]...)
	out = append(out, "\nvar _ = __step.N\n"...)
	for pkg, use := range map[string]string{"bytes": "bytes.Equal", "strings": "strings.Compare", "slices": "slices.Sort[[]int]", "sort": "sort.Ints"} {
		if r.imports[pkg] != "" {
			out = append(out, "var _ = "+use+"\n"...)
		}
	}
	return out, nil
}

type rewriter struct {
	fset    *token.FileSet
	imports map[string]string
	edits   []edit
	// free are conversions in comparisons: they end at the first difference, mostly
	// the length.
	free map[ast.Expr]bool
}

func (r *rewriter) put(at token.Pos, text string) {
	r.edits = append(r.edits, edit{r.fset.Position(at).Offset, 0, text})
}

// wrap counts the length of x.
func (r *rewriter) wrap(x ast.Expr) {
	r.put(x.Pos(), "__step.S(")
	r.put(x.End(), ")")
}

func (r *rewriter) node(n ast.Node) bool {
	body := (*ast.BlockStmt)(nil)
	switch n := n.(type) {
	case *ast.GenDecl:
		return n.Tok != token.CONST
	case *ast.FuncDecl:
		body = n.Body
	case *ast.FuncLit:
		body = n.Body
	case *ast.ForStmt:
		body = n.Body
	case *ast.RangeStmt:
		body = n.Body
	case *ast.LabeledStmt:
		// A jump back makes a loop too.
		if _, loop := n.Stmt.(*ast.ForStmt); !loop {
			if _, loop := n.Stmt.(*ast.RangeStmt); !loop {
				r.put(n.Stmt.Pos(), "__step.N++; ")
			}
		}
	case *ast.BinaryExpr:
		if n.Op == token.EQL || n.Op == token.NEQ {
			r.free[n.X], r.free[n.Y] = true, true
		}
	case *ast.SwitchStmt:
		r.free[n.Tag] = true
	case *ast.CallExpr:
		r.call(n)
	}
	if body != nil {
		r.put(body.Lbrace+1, " __step.N++; ")
	}
	return true
}

// call counts what built-in functions, conversions and library calls run over.
func (r *rewriter) call(n *ast.CallExpr) {
	switch f := n.Fun.(type) {
	case *ast.Ident:
		switch {
		case f.Obj != nil: // a name of this program
		case f.Name == "append" && n.Ellipsis.IsValid():
			r.wrap(n.Args[1])
		case f.Name == "copy":
			r.put(n.Pos(), "__step.Copied(")
			r.put(n.End(), ")")
		case f.Name == "string" && r.free[n]:
		case (f.Name == "string" || f.Name == "clear") && len(n.Args) == 1:
			r.wrap(n.Args[0])
		}
	case *ast.ArrayType:
		if f.Len == nil && len(n.Args) == 1 {
			_, literal := n.Args[0].(*ast.BasicLit)
			if id, ok := n.Args[0].(*ast.Ident); !literal && !(ok && id.Name == "nil") {
				r.wrap(n.Args[0])
			}
		}
	case *ast.SelectorExpr:
		pkg, ok := f.X.(*ast.Ident)
		if !ok || pkg.Obj != nil || r.imports[pkg.Name] == "" {
			return
		}
		text := pkg.Name == "bytes" || pkg.Name == "strings"
		switch {
		case text && slices.Contains(shims, f.Sel.Name):
			at := r.fset.Position(pkg.Pos()).Offset
			r.edits = append(r.edits, edit{at, len(pkg.Name), "__step"})
		case slices.Contains(linear, f.Sel.Name) && len(n.Args) > 0:
			r.wrap(n.Args[0])
		}
	}
}
