package setup

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// Strings is a list of texts that may be written as one text.
type Strings []string

// UnmarshalYAML takes a text or a list.
func (s *Strings) UnmarshalYAML(f func(any) error) error {
	var list []string
	if err := f(&list); err == nil {
		*s = list
		return nil
	}
	var one string
	if err := f(&one); err != nil {
		return err
	}
	*s = Strings{one}
	return nil
}

func itoa(n int) string { return strconv.Itoa(n) }

// ReadSpec reads the mirror.yaml at path.
func ReadSpec(path string) (*Spec, error) {
	st, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if st.Size() > MaxSpec {
		return nil, fmt.Errorf("%s: %d bytes, at most %d are read", path, st.Size(), MaxSpec)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return ParseSpec(b, path)
}

// ParseSpec reads a mirror.yaml. All problems are reported together, a line each:
// name:line:column: key: text.
func ParseSpec(data []byte, name string) (*Spec, error) {
	if len(data) > MaxSpec {
		return nil, fmt.Errorf("%s: %d bytes, at most %d are read", name, len(data), MaxSpec)
	}
	s := &Spec{}
	file, err := decodeSpec(data, s)
	if err != nil {
		return nil, placeError(name, err)
	}
	s.places = places{name: name, file: file}
	if err := s.Validate(); err != nil {
		return nil, err
	}
	return s, nil
}

// decodeSpec decodes data into s. The YAML package panics on some malformed files;
// that is an error of the file like any other.
func decodeSpec(data []byte, s *Spec) (file *ast.File, err error) {
	defer func() {
		if recover() != nil {
			file, err = nil, errors.New("malformed YAML")
		}
	}()
	file, err = parser.ParseBytes(data, 0)
	if err != nil {
		return nil, err
	}
	if len(file.Docs) > 1 {
		return nil, errors.New("more than one document")
	}
	dec := yaml.NewDecoder(bytes.NewReader(data), yaml.DisallowUnknownField())
	if err := dec.Decode(s); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	return file, nil
}

func placeError(name string, err error) error {
	var ye yaml.Error
	if errors.As(err, &ye) && ye.GetToken() != nil && ye.GetToken().Position != nil {
		p := ye.GetToken().Position
		msg := strings.TrimSpace(ye.GetMessage())
		if key, ok := strings.CutPrefix(msg, `unknown field "`); ok {
			msg = unknownKey(strings.TrimSuffix(key, `"`))
		}
		return fmt.Errorf("%s:%d:%d: %s", name, p.Line, p.Column, msg)
	}
	return fmt.Errorf("%s: %w", name, err)
}

// unknownKey names the key of a spec that is nearest to k.
func unknownKey(k string) string {
	best, dist := "", 3
	for _, c := range specKeys() {
		if d := distance(k, c); d > 0 && d < dist { // k may be a key elsewhere
			best, dist = c, d
		}
	}
	if best != "" {
		return fmt.Sprintf("unknown key %q: did you mean %q?", k, best)
	}
	return fmt.Sprintf("unknown key %q", k)
}

// distance is the Levenshtein distance of two short texts.
func distance(a, b string) int {
	if len(a) > 64 || len(b) > 64 {
		return 64
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		last := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := last
			if a[i] != b[j] {
				cost++
			}
			last = row[j+1]
			row[j+1] = min(cost, row[j]+1, last+1)
		}
	}
	return row[len(b)]
}

// places finds where a key stands in the file.
type places struct {
	name string
	file *ast.File
}

// of returns "file:line:column: " of path, such as "filter.rules[2].protocol", or of the
// nearest key around it.
func (p places) of(path string) string {
	if p.file == nil {
		return ""
	}
	for {
		yp, err := yaml.PathString(strings.TrimSuffix("$."+path, "."))
		if err == nil {
			if n, err := yp.FilterFile(p.file); err == nil && n != nil && n.GetToken() != nil {
				pos := n.GetToken().Position
				return fmt.Sprintf("%s:%d:%d: ", p.name, pos.Line, pos.Column)
			}
		}
		i := strings.LastIndexAny(path, ".[")
		if i < 0 {
			return p.name + ": "
		}
		path = path[:i]
	}
}

// problems collects what is wrong with a spec.
type problems struct {
	places places
	errs   []error
}

// add notes a problem of the key at path.
func (p *problems) add(path, format string, args ...any) {
	p.errs = append(p.errs, fmt.Errorf("%s%s: %s", p.places.of(path), path, fmt.Sprintf(format, args...)))
}

func (p *problems) err() error {
	if len(p.errs) > maxSpecErrors {
		n := len(p.errs) - maxSpecErrors
		p.errs = append(p.errs[:maxSpecErrors:maxSpecErrors], fmt.Errorf("and %d more problems", n))
	}
	return errors.Join(p.errs...)
}

// oneOf notes a problem when v is none of the words.
func (p *problems) oneOf(path, v string, words ...string) {
	if v != "" && !slices.Contains(words, v) {
		p.add(path, "%q is none of %s", v, strings.Join(words, ", "))
	}
}
