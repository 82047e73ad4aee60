// Package house holds the rules of the house as tests: which room may import
// which, which modules the program may depend on directly, and what no file may
// contain. docs/architecture.md explains the rooms.
package house

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
)

// allowed is the import table: what each room may import of this module. A room
// "x/*" stands for every folder under x. Tests may import more.
var allowed = map[string][]string{
	"jsonw":      {},
	"packet":     {},
	"mpm":        {},
	"rule":       {},
	"pcre":       {},
	"mirror":     {"packet"},
	"capture":    {"packet"},
	"flow":       {"packet"},
	"stream":     {"packet"},
	"proto":      {"jsonw"},
	"proto/*":    {"proto", "jsonw", "proto/*"},
	"detect":     {"mpm", "packet", "pcre", "proto", "rule", "jsonw"},
	"eve":        {"jsonw", "mirror", "packet", "proto"},
	"agent":      {"capture", "mirror", "packet"},
	"setup":      {"mirror"},
	"ec2api":     {"mirror"},
	"vpc":        {"agent", "capture", "ec2api", "mirror", "packet", "config"},
	"awscloud":   {"mirror", "setup"},
	"sensor":     {"capture", "detect", "eve", "flow", "jsonw", "mirror", "packet", "proto", "proto/*", "rule", "stream"},
	"web":        {"eve", "mirror"},
	"config":     {"capture", "detect", "eve", "flow", "mirror", "packet", "proto", "rule", "sensor", "stream"},
	"ruleupdate": {"rule"},
	"demo":       {"packet", "pkttest", "capture"},
	"pkttest":    {"packet"},
	"mirrortest": {"mirror", "packet", "pkttest"},
	"netlab":     {},
	"magic":      {},
}

// direct is the list of modules this program may name in its imports; each has a
// line in docs/dependencies.md.
func direct(t *testing.T) []string {
	doc, err := os.ReadFile("docs/dependencies.md")
	if err != nil {
		t.Fatal(err)
	}
	var mods []string
	for _, m := range regexp.MustCompile("(?m)^\\| `([^`]+)` ").FindAllSubmatch(doc, -1) {
		mods = append(mods, string(m[1]))
	}
	return mods
}

func goFiles(t *testing.T) []string {
	var files []string
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == ".git" || d.Name() == "testdata" || d.Name() == "node_modules" || path == "bin" || path == "out" || path == "svrun-out") {
			return filepath.SkipDir
		}
		if strings.HasSuffix(path, ".go") {
			files = append(files, path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 20 {
		t.Fatalf("found only %d Go files: run from the module's root", len(files))
	}
	return files
}

func room(dir string) string {
	return strings.TrimPrefix(filepath.ToSlash(dir), "internal/")
}

func may(from, to string) bool {
	list, ok := allowed[from]
	if !ok {
		head, _, _ := strings.Cut(from, "/")
		list, ok = allowed[head+"/*"]
		if !ok {
			return false
		}
	}
	if slices.Contains(list, to) {
		return true
	}
	head, _, sub := strings.Cut(to, "/")
	return sub && slices.Contains(list, head+"/*")
}

func TestImportTable(t *testing.T) {
	for _, path := range goFiles(t) {
		dir := filepath.ToSlash(filepath.Dir(path))
		if strings.HasSuffix(path, "_test.go") || !strings.HasPrefix(dir, "internal/") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			t.Error(err)
			continue
		}
		for _, im := range f.Imports {
			p := strings.Trim(im.Path.Value, `"`)
			to, ours := strings.CutPrefix(p, "mirador/internal/")
			if ours && !may(room(dir), to) {
				t.Errorf("%s: room %q may not import room %q", path, room(dir), to)
			}
		}
	}
}

func TestDependenciesAreListed(t *testing.T) {
	mods := direct(t)
	seen := map[string]bool{}
	for _, path := range goFiles(t) {
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			t.Error(err)
			continue
		}
		for _, im := range f.Imports {
			p := strings.Trim(im.Path.Value, `"`)
			first, _, _ := strings.Cut(p, "/")
			if !strings.Contains(first, ".") {
				continue
			}
			i := slices.IndexFunc(mods, func(m string) bool { return p == m || strings.HasPrefix(p, m+"/") })
			if i < 0 {
				t.Errorf("%s imports %s: add a line to docs/dependencies.md (why, what else was looked at)", path, p)
				continue
			}
			seen[mods[i]] = true
		}
	}
	for _, m := range mods {
		if !seen[m] {
			t.Errorf("docs/dependencies.md lists %s, which nothing imports", m)
		}
	}
}

// dataPlane are the rooms that see packets: no clock, no logs, no files, no
// network, no init.
var dataPlane = []string{"packet", "mpm", "rule", "pcre", "flow", "stream", "proto", "jsonw"}

func TestDataPlaneIsPure(t *testing.T) {
	banned := []string{"os", "log", "log/slog", "net", "net/http", "database/sql", "encoding/json", "time/tzdata"}
	for _, path := range goFiles(t) {
		r := room(filepath.Dir(path))
		head, _, _ := strings.Cut(r, "/")
		if strings.HasSuffix(path, "_test.go") || !slices.Contains(dataPlane, head) || strings.HasPrefix(r, "proto/prototest") {
			continue // prototest and what is under it are for tests only
		}
		fset := token.NewFileSet()
		f, err := parser.ParseFile(fset, path, nil, 0)
		if err != nil {
			t.Error(err)
			continue
		}
		for _, im := range f.Imports {
			if slices.Contains(banned, strings.Trim(im.Path.Value, `"`)) {
				t.Errorf("%s: a data-plane room may not import %s", path, im.Path.Value)
			}
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if sel, ok := n.(*ast.SelectorExpr); ok {
				if x, ok := sel.X.(*ast.Ident); ok && x.Name == "time" && sel.Sel.Name == "Now" {
					t.Errorf("%s: time.Now in a data-plane room: time comes with the packet", fset.Position(n.Pos()))
				}
			}
			return true
		})
	}
}

func TestNoInitNoSleep(t *testing.T) {
	for _, path := range goFiles(t) {
		fset := token.NewFileSet()
		f, err := parser.ParseFile(fset, path, nil, 0)
		if err != nil {
			t.Error(err)
			continue
		}
		test := strings.HasSuffix(path, "_test.go")
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncDecl:
				if n.Name.Name == "init" && n.Recv == nil {
					t.Errorf("%s: init function", fset.Position(n.Pos()))
				}
			case *ast.SelectorExpr:
				if x, ok := n.X.(*ast.Ident); test && ok && x.Name == "time" && n.Sel.Name == "Sleep" {
					t.Errorf("%s: time.Sleep in a test", fset.Position(n.Pos()))
				}
			}
			return true
		})
	}
}

// TestNothingOfTheWorkplace keeps machine paths out of the tree.
func TestNothingOfTheWorkplace(t *testing.T) {
	bad := [][]byte{[]byte("/work" + "/"), []byte("/root" + "/go")}
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if d.Name() == ".git" || path == "bin" || path == "out" || path == "svrun-out" {
				return filepath.SkipDir
			}
			return nil
		}
		if d.Name() == ".git" { // the file that a linked work tree has
			return nil
		}
		if info, err := d.Info(); err != nil || info.Size() > 4<<20 {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, s := range bad {
			if i := bytes.Index(b, s); i >= 0 && !bytes.Contains(b[:min(len(b), 512)], []byte{0}) {
				t.Errorf("%s line %d: machine path %q", path, 1+bytes.Count(b[:i], []byte("\n")), s)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestPackageDocs asks for a package comment in every room.
func TestPackageDocs(t *testing.T) {
	docs := map[string]bool{}
	for _, path := range goFiles(t) {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments|parser.PackageClauseOnly)
		if err != nil {
			t.Error(err)
			continue
		}
		dir := filepath.Dir(path)
		docs[dir] = docs[dir] || f.Doc != nil
	}
	for dir, ok := range docs {
		if !ok {
			t.Errorf("%s: no package comment", fmt.Sprint(dir))
		}
	}
}

// link is a link of Markdown with its target, without a title.
var link = regexp.MustCompile(`\]\(([^()\s]+)\)`)

// TestLinks follows the links of the documents to files and headings in the repository.
func TestLinks(t *testing.T) {
	texts := map[string]string{}
	for _, dir := range []string{".", "docs", "docs/*", "deploy", "bench", "bench/*", "e2e"} {
		found, err := filepath.Glob(filepath.Join(dir, "*.md"))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range found {
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			texts[path] = string(b)
		}
	}
	seen := 0
	for path, text := range texts {
		for _, m := range link.FindAllStringSubmatch(unfenced(text), -1) {
			if strings.Contains(m[1], "://") || strings.HasPrefix(m[1], "mailto:") {
				continue
			}
			seen++
			file, at, _ := strings.Cut(m[1], "#")
			to := path
			if file != "" {
				to = filepath.Join(filepath.Dir(path), file)
			}
			if _, err := os.Stat(to); err != nil {
				t.Errorf("%s: link to %s, which is not there", path, m[1])
			} else if at != "" && texts[to] != "" && !slices.Contains(anchors(texts[to]), at) {
				t.Errorf("%s: link to %s, which has no such heading", path, m[1])
			}
		}
	}
	if seen < 20 {
		t.Errorf("only %d links were found", seen)
	}
}

// TestArchitectureNamesRooms keeps the table of docs/architecture.md in step with internal/.
func TestArchitectureNamesRooms(t *testing.T) {
	doc, err := os.ReadFile("docs/architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	rooms, err := os.ReadDir("internal")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rooms {
		if r.IsDir() && !bytes.Contains(doc, []byte("`"+r.Name()+"`")) {
			t.Errorf("docs/architecture.md does not name the room %q", r.Name())
		}
	}
}

// unfenced leaves out blocks of code and code within lines, where brackets mean other things.
func unfenced(text string) string {
	var out strings.Builder
	fence := false
	for line := range strings.Lines(text) {
		if strings.HasPrefix(strings.TrimSpace(line), "```") {
			fence = !fence
			continue
		}
		if fence {
			continue
		}
		for i, part := range strings.Split(line, "`") {
			if i%2 == 0 {
				out.WriteString(part)
			} else {
				out.WriteByte('x') // what code is in brackets is still a text
			}
		}
	}
	return out.String()
}

// anchors returns the names of the headings as web pages of repositories make them.
func anchors(text string) []string {
	var out []string
	for line := range strings.Lines(text) {
		h := strings.TrimLeft(line, "#")
		if h == line || !strings.HasPrefix(h, " ") {
			continue
		}
		name := strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r):
				return unicode.ToLower(r)
			}
			return -1
		}, strings.TrimSpace(h))
		out = append(out, name)
	}
	return out
}
