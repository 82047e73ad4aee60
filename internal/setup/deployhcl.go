package setup

import (
	"fmt"
	"strings"
)

// hclExpr is an expression of HCL as it stands.
type hclExpr string

// hclBlocks are nested blocks; a list of objects would be an attribute.
type hclBlocks []object

// hclString writes s, which may have templates in it.
func hclString(s string) string {
	if e, ok := strings.CutPrefix(s, "${"); ok && strings.IndexByte(e, '}') == len(e)-1 {
		return e[:len(e)-1]
	}
	r := strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\r", `\r`, "\t", `\t`)
	return `"` + r.Replace(s) + `"`
}

// hclValue writes a value that is behind "=". Lines after the first begin with indent.
func hclValue(v any, indent string) string {
	switch x := v.(type) {
	case hclExpr:
		return strings.ReplaceAll(string(x), "\n", "\n"+indent)
	case string:
		return hclString(x)
	case object:
		if len(x) == 0 {
			return "{}"
		}
		var b strings.Builder
		b.WriteString("{\n")
		hclLines(&b, x, sortedKeys(x), indent+"  ", hclKey)
		b.WriteString(indent + "}")
		return b.String()
	case []any:
		parts := make([]string, len(x))
		long := 0
		for i := range x {
			parts[i] = hclValue(x[i], indent+"  ")
			long += len(parts[i]) + 2
		}
		if long < 80 && !strings.Contains(strings.Join(parts, ""), "\n") {
			return "[" + strings.Join(parts, ", ") + "]"
		}
		return "[\n" + indent + "  " + strings.Join(parts, ",\n"+indent+"  ") + ",\n" + indent + "]"
	}
	return fmt.Sprint(v)
}

// hclKey writes the key of an object.
func hclKey(k string) string {
	for _, r := range k {
		if r != '_' && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') {
			return hclString(k)
		}
	}
	return k
}

// hclLines writes assignments with their signs below each other, as terraform fmt has them: in
// groups that a value of several lines ends.
func hclLines(b *strings.Builder, m object, keys []string, indent string, name func(string) string) {
	type line struct{ key, value string }
	var group []line
	flush := func() {
		width := 0
		for _, l := range group {
			width = max(width, len(l.key))
		}
		for _, l := range group {
			fmt.Fprintf(b, "%s%-*s = %s\n", indent, width, l.key, l.value)
		}
		group = group[:0]
	}
	for _, k := range keys {
		l := line{name(k), hclValue(m[k], indent)}
		if strings.Contains(l.value, "\n") {
			flush()
			fmt.Fprintf(b, "%s%s = %s\n", indent, l.key, l.value)
			continue
		}
		group = append(group, l)
	}
	flush()
}

// hclBody writes what stands between the braces of a block: meta-arguments, arguments of one
// line, those of several, blocks.
func hclBody(b *strings.Builder, m object, indent string) {
	var meta, short, long, after, blocks []string
	for _, k := range sortedKeys(m) {
		switch _, block := m[k].(hclBlocks); {
		case block:
			blocks = append(blocks, k)
		case k == "count" || k == "for_each":
			meta = append(meta, k)
		case k == "depends_on":
			after = append(after, k)
		case strings.Contains(hclValue(m[k], indent), "\n"):
			long = append(long, k)
		default:
			short = append(short, k)
		}
	}
	same := func(k string) string { return k }
	first := true
	part := func(keys []string) {
		if len(keys) == 0 {
			return
		}
		if !first {
			b.WriteString("\n")
		}
		first = false
		hclLines(b, m, keys, indent, same)
	}
	part(meta)
	part(short)
	for _, k := range long {
		part([]string{k})
	}
	for _, k := range blocks {
		for _, x := range m[k].(hclBlocks) {
			if !first {
				b.WriteString("\n")
			}
			first = false
			b.WriteString(indent + k + " {\n")
			hclBody(b, x, indent+"  ")
			b.WriteString(indent + "}\n")
		}
	}
	part(after)
}

// hclBlock writes a block with its labels.
func hclBlock(kind string, labels []string, m object) string {
	var b strings.Builder
	b.WriteString(kind)
	for _, l := range labels {
		b.WriteString(` "` + l + `"`)
	}
	b.WriteString(" {\n")
	hclBody(&b, m, "  ")
	b.WriteString("}\n")
	return b.String()
}
