// Command gen writes wire.txt, the shapes of the requests that the endpoint takes,
// from the API models that botocore carries (Apache License 2.0). Only names, types,
// bounds and enumerations are taken, no text.
//
//	go run ./gen -models DIR > wire.txt    (DIR is botocore's data folder)
//
// Which actions there are stands in actions.txt, one "service Action" a line.
package main

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

type member struct {
	Shape         string
	LocationName  string
	QueryName     string
	Documentation string
	Idempotency   bool `json:"idempotencyToken"`
}

type shape struct {
	Type      string
	Required  []string
	Members   map[string]member
	Member    *member
	Key       *member
	Value     *member
	Enum      []string
	Min, Max  *float64
	Flattened bool
}

type model struct {
	Metadata   struct{ Protocol, APIVersion string }
	Operations map[string]struct{ Input member }
	Shapes     map[string]shape
}

// files tells where botocore keeps the model of a service.
var files = map[string]string{
	"ec2": "ec2/2016-11-15", "elbv2": "elbv2/2015-12-01", "sts": "sts/2011-06-15", "cloudwatch": "cloudwatch/2010-08-01",
	"sqs": "sqs/2012-11-05", "events": "events/2015-10-07", "ram": "ram/2018-01-04", "autoscaling": "autoscaling/2011-01-01", "iam": "iam/2010-05-08",
}

// open lists enumerations that grow faster than a model: any text is taken.
var open = []string{"InstanceType", "RequestedInstanceType"}

const maxEnum = 90

func main() {
	log.SetFlags(0)
	dir := flag.String("models", "", "botocore's data `folder`")
	list := flag.String("actions", "actions.txt", "list of actions")
	flag.Parse()
	if err := run(os.Stdout, *dir, *list); err != nil {
		log.Fatal(err)
	}
}

func run(w io.Writer, dir, list string) error {
	text, err := os.ReadFile(list)
	if err != nil {
		return err
	}
	out := bufio.NewWriter(w)
	fmt.Fprintln(out, "# Made by: go run ./gen -models DIR > wire.txt. Do not edit; edit actions.txt.")
	gens := map[string]*gen{}
	for _, line := range strings.Split(string(text), "\n") {
		service, action, ok := strings.Cut(strings.TrimSpace(line), " ")
		if !ok || strings.HasPrefix(line, "#") {
			continue
		}
		g := gens[service]
		if g == nil {
			m, err := load(filepath.Join(dir, files[service], "service-2.json.gz"))
			if err != nil {
				return err
			}
			g = &gen{service: service, m: m, done: map[string]bool{}}
			gens[service] = g
		}
		op, ok := g.m.Operations[action]
		if !ok {
			return fmt.Errorf("%s has no action %s", service, action)
		}
		g.out.Reset()
		g.action(action, op.Input.Shape)
		out.WriteString(g.out.String())
	}
	return out.Flush()
}

func load(path string) (*model, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return nil, err
	}
	m := &model{}
	return m, json.NewDecoder(z).Decode(m)
}

type gen struct {
	service string
	m       *model
	out     strings.Builder
	done    map[string]bool
}

var plainName = regexp.MustCompile(`^[a-z][a-z0-9.-]*$`)

var filterName = regexp.MustCompile(`<li> *<p> *<code>([^<]+)</code>`)

func (g *gen) action(name, in string) {
	s := g.m.Shapes[in]
	fmt.Fprintf(&g.out, "action %s %s", g.service, name)
	g.members(s)
	g.out.WriteString("\n")
	for _, k := range slices.Sorted(maps.Keys(s.Members)) {
		mem := s.Members[k]
		if g.service == "ec2" && k == "Filters" {
			var names []string
			for _, f := range filterName.FindAllStringSubmatch(mem.Documentation, -1) {
				if n := f[1]; plainName.MatchString(n) {
					names = append(names, n)
				}
			}
			slices.Sort(names)
			fmt.Fprintf(&g.out, "filters %s\n", strings.Join(slices.Compact(names), " "))
		}
	}
	for _, k := range slices.Sorted(maps.Keys(s.Members)) {
		g.shape(s.Members[k].Shape)
	}
}

func (g *gen) members(s shape) {
	for _, k := range slices.Sorted(maps.Keys(s.Members)) {
		mem := s.Members[k]
		req := ""
		if slices.Contains(s.Required, k) {
			req = "!"
		}
		fmt.Fprintf(&g.out, " %s%s=%s", g.wireName(k, mem), req, g.ref(mem.Shape))
	}
}

func (g *gen) wireName(k string, mem member) string {
	if g.service != "ec2" {
		if mem.LocationName != "" {
			return mem.LocationName
		}
		return k
	}
	switch {
	case mem.QueryName != "":
		return mem.QueryName
	case mem.LocationName != "":
		return strings.ToUpper(mem.LocationName[:1]) + mem.LocationName[1:]
	}
	return k
}

// ref is how a member names its type: a letter for plain ones, else the shape.
func (g *gen) ref(name string) string {
	s := g.m.Shapes[name]
	switch s.Type {
	case "string":
		if len(s.Enum) > 0 && len(s.Enum) <= maxEnum && !slices.Contains(open, name) && g.service != "sqs" {
			return name
		}
		return "s"
	case "integer", "long":
		if s.Min != nil || s.Max != nil {
			return name
		}
		return "i"
	case "boolean":
		return "b"
	case "timestamp":
		return "t"
	case "double", "float":
		return "f"
	case "blob":
		return "B"
	}
	return name
}

func (g *gen) shape(name string) {
	ref := g.ref(name)
	if len(ref) == 1 || g.done[name] {
		return
	}
	g.done[name] = true
	s := g.m.Shapes[name]
	switch s.Type {
	case "string":
		fmt.Fprintf(&g.out, "enum %s %s\n", name, strings.Join(s.Enum, " "))
	case "integer", "long":
		lo, hi := "-", "-"
		if s.Min != nil {
			lo = fmt.Sprint(int64(*s.Min))
		}
		if s.Max != nil {
			hi = fmt.Sprint(int64(*s.Max))
		}
		fmt.Fprintf(&g.out, "int %s %s %s\n", name, lo, hi)
	case "list":
		item := ""
		if g.service != "ec2" && !s.Flattened {
			item = "member"
			if s.Member.LocationName != "" {
				item = s.Member.LocationName
			}
		}
		fmt.Fprintf(&g.out, "list %s %s %s\n", name, g.ref(s.Member.Shape), item)
		g.shape(s.Member.Shape)
	case "map":
		fmt.Fprintf(&g.out, "map %s %s\n", name, g.ref(s.Value.Shape))
		g.shape(s.Value.Shape)
	case "structure":
		fmt.Fprintf(&g.out, "struct %s", name)
		g.members(s)
		g.out.WriteString("\n")
		for _, k := range slices.Sorted(maps.Keys(s.Members)) {
			g.shape(s.Members[k].Shape)
		}
	}
}
