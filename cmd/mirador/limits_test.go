package main

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"mirador/internal/proto"
	"mirador/internal/stream"
	"mirador/internal/web"
)

// noGrowth are the constants of limits.go files that docs/limits.md need not name: they
// bound nothing that grows, or only what another bound holds already.
var noGrowth = map[string]string{
	"lengths of headers, sizes of steps and of what is made at the start": `capture.fileSlab`,
	"what the configuration may set, and its defaults": `flow.DefaultHashSize flow.DefaultPrealloc flow.DefaultEmergencyRecovery stream.DefaultChunkSize
		http.defaultRequestMinimal http.defaultRequestWindow http.defaultResponseMinimal http.defaultResponseWindow http.defaultStoreDepth http.defaultRangeTimeout
		http.maxServers smtp.maxSchemes smtp.defaultMinInspect smtp.defaultInspectLimit smtp.defaultWindow smtp.maxInspect mqtt.defaultTopics mqtt.defaultString
		agent.DefaultDelay agent.DefaultBurst agent.DefaultMark ruleupdate.DefaultKeep ruleupdate.DefaultMaxLoss`,
	"what protocols and AWS define": `stream.maxSegment stream.maxWScale quic.MaxCID dns.MaxGroups dns.maxTCP http.maxContentLength body.maxRoom body.maxBrotliWindow
		body.MaxBoundary mime.MaxLine mime.MaxEncodedLine mime.MaxHeaderName mime.DefaultHeaderValue mime.MaxBoundary pcre.maxName pcre.maxLookbehind
		mirror.MaxSessionNumber mirror.MaxPacketLength mirror.MaxRuleNumber ec2api.maxClockSkew ec2api.maxIndex ec2api.maxMessage ec2api.maxPattern
		ec2api.maxPatternTests ec2api.maxRuleTargets ec2api.maxEvents setup.maxGroupRules setup.maxRuleNumber vpc.maxFrame vpc.maxTunnelHeaders vpc.maxExtHeaders`,
	"how far probing and resynchronising look": `sip.maxMethod sip.maxLine mqtt.maxConnackProbe mysql.maxGreeting body.maxHead`,
	"what one record shows of a message that has its own bound": `ssh.maxLogged dns.MaxTexts dns.MaxOptions smb.MaxName smb.MaxDialect smb.MaxSNames nfs.MaxName nfs.MaxHandle
		detect.maxStoreSIDs`,
	"pieces of what has a bound as a whole": `smb.MaxPipeData nfs.MaxTail mime.maxTextLine ldap.maxDepth`,
	"work of one match or one search, counted with the whole match": `pcre.maxInsts pcre.maxSets pcre.maxGroups pcre.maxFrames pcre.maxSnapshot pcre.maxMemoBits pcre.maxNFA
		pcre.maxDFATable pcre.maxDFAWords pcre.maxMachineDFA detect.MaxContentLen detect.MaxDistance detect.maxByteVars detect.maxTransforms vpc.maxSweep vpc.maxBatch
		vpc.maxAnswers agent.maxBatch`,
	"files of the operator": `detect.DefaultDatasetEntries detect.maxDatasetFile rule.MaxFileBytes rule.MaxListItems rule.MaxMetadata mpm.MaxPatterns ruleupdate.MaxUnpacked
		ruleupdate.MaxNameBytes ruleupdate.MaxSources ruleupdate.MaxRedirects ruleupdate.maxInfoBytes ec2api.maxStateFile`,
	"connections of the operator's listeners, and tries of a client": `web.maxBody setup.maxFreshTries setup.maxInUseTries setup.maxWaitTries setup.maxPause`,
}

// code is what the Go files of a room declare.
type code struct {
	tests, consts map[string]bool
	limits        []string // constants of its limits.go that are named as bounds
}

// rooms reads internal; a room is known by its last name.
func rooms(t *testing.T) map[string]*code {
	bound := regexp.MustCompile(`^(Max|max|Default|default|Largest|largest)[A-Z]`)
	out := map[string]*code{}
	err := filepath.WalkDir("../../internal", func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") {
			return err
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		name := filepath.Base(filepath.Dir(path))
		c := out[name]
		if c == nil {
			c = &code{tests: map[string]bool{}, consts: map[string]bool{}}
			out[name] = c
		}
		for _, d := range f.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				c.tests[d.Name.Name] = strings.HasSuffix(path, "_test.go")
			case *ast.GenDecl:
				for _, s := range d.Specs {
					v, ok := s.(*ast.ValueSpec)
					if !ok || d.Tok != token.CONST {
						continue
					}
					for _, n := range v.Names {
						c.consts[n.Name] = true
						if filepath.Base(path) == "limits.go" && bound.MatchString(n.Name) {
							c.limits = append(c.limits, n.Name)
						}
					}
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// events are the names that docs/limits.md may give to events, in lower case.
func eventNames() map[string]bool {
	out := map[string]bool{}
	for _, p := range protocols() {
		for _, e := range p.Events {
			out[strings.ToLower(e)] = true
		}
	}
	for _, e := range proto.ConnEvents {
		out[e] = true
	}
	for v := range stream.NumEvents {
		_, name, _ := strings.Cut(v.String(), ".")
		out[name], out[v.String()] = true, true
	}
	return out
}

// counterNames are those of a running sensor's statistics.
func counterNames(t *testing.T) map[string]bool {
	r := start(t)
	rec := httptest.NewRecorder()
	web.ManagementHandler(r.node, web.Options{}).ServeHTTP(rec, httptest.NewRequest("GET", "http://127.0.0.1/api/v1/stats", nil))
	var stats struct {
		Counters map[string]any `json:"counters"`
	}
	if err := json.Unmarshal(rec.Body.Bytes(), &stats); err != nil || len(stats.Counters) == 0 {
		t.Fatalf("statistics: %v, %d counters", err, len(stats.Counters))
	}
	out := map[string]bool{}
	for name := range stats.Counters {
		out[name] = true
	}
	return out
}

// TestLimitsDoc keeps docs/limits.md honest: every test and every counter, event and
// metric that it names exists, every constant too, and every bound of a limits.go and
// every counter of a parser's bound is named there.
func TestLimitsDoc(t *testing.T) {
	page, err := os.ReadFile("../../docs/limits.md")
	if err != nil {
		t.Fatal(err)
	}
	metrics, err := os.ReadFile("../../docs/reference/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	all, counters, events := rooms(t), counterNames(t), eventNames()
	quoted := regexp.MustCompile("`([^`]+)`")
	named := regexp.MustCompile(`^([a-z0-9]+)\.([A-Za-z]\w*)$`)
	// Words of the counter column that are neither counters nor events.
	other := []string{"others", "dropped_lines", "untracked", "mirador mirror status", "mirador_output_dropped_lines_total"}
	said := map[string]bool{}
	column := -1
	for n, line := range strings.Split(string(page), "\n") {
		if !strings.HasPrefix(line, "|") {
			column = -1
			continue
		}
		cells := strings.Split(strings.Trim(line, "|"), "|")
		if cells[0] == " what " || cells[0] == " protocol " {
			column = slices.IndexFunc(cells, func(c string) bool { return strings.HasPrefix(c, " counter") })
			continue
		}
		if strings.HasPrefix(line, "|---") {
			continue
		}
		tests := 0
		for i, cell := range cells {
			for _, m := range quoted.FindAllStringSubmatch(cell, -1) {
				word := m[1]
				said[word] = true
				x := named.FindStringSubmatch(word)
				switch {
				case i == column:
					if !counters[word] && !events[word] && !strings.Contains(string(metrics), "`"+word+"`") && !slices.Contains(other, word) {
						t.Errorf("line %d: there is no counter or event %s", n+1, word)
					}
				case x != nil && strings.HasPrefix(x[2], "Test"):
					tests++
					if c := all[x[1]]; c == nil || !c.tests[x[2]] {
						t.Errorf("line %d: there is no test %s", n+1, word)
					}
				case x != nil && all[x[1]] != nil && strings.ToLower(x[2]) != x[2]:
					if !all[x[1]].consts[x[2]] {
						t.Errorf("line %d: there is no constant %s", n+1, word)
					}
				}
			}
		}
		if tests == 0 {
			t.Errorf("line %d names no test", n+1)
		}
		if column >= 0 && strings.TrimSpace(cells[column]) == "" {
			t.Errorf("line %d does not say what counts", n+1)
		}
	}
	for why, list := range noGrowth {
		for _, name := range strings.Fields(list) {
			x := named.FindStringSubmatch(name)
			if x == nil || all[x[1]] == nil || !all[x[1]].consts[x[2]] {
				t.Errorf("noGrowth (%s): there is no constant %s", why, name)
			}
			if said[name] {
				t.Errorf("noGrowth (%s): docs/limits.md names %s", why, name)
			}
			said[name] = true
		}
	}
	for room, c := range all {
		for _, name := range c.limits {
			if !said[room+"."+name] {
				t.Errorf("docs/limits.md does not name %s.%s, nor does noGrowth", room, name)
			}
		}
	}
	for name := range counters {
		if strings.HasPrefix(name, "app_layer.limit.") && !said[name] && !strings.HasPrefix(name, "app_layer.limit.mdns.") &&
			!strings.HasPrefix(name, "app_layer.limit.llmnr.") && !strings.HasPrefix(name, "app_layer.limit.doh2.") {
			t.Errorf("docs/limits.md does not name %s", name)
		}
	}
}
