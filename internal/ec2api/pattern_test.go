package ec2api

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestPattern(t *testing.T) {
	const event = `{"source":"aws.ec2","detail-type":"t","resources":["arn:a","arn:b"],"n":null,"empty":[],
		"detail":{"state":"running","count":3,"big":3.0e2,"ok":true,"ip":"10.0.0.7","list":[{"k":"x"},{"k":"y"}],"path":"a/b/c?d"}}`
	tree, err := decodeAny([]byte(event))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		pattern string
		want    bool
	}{
		{`{"source":["aws.ec2"]}`, true},
		{`{"source":["aws.s3","aws.ec2"]}`, true},
		{`{"source":["aws.s3"]}`, false},
		{`{"source":["aws.ec2"],"detail":{"state":["stopped"]}}`, false},
		{`{"resources":["arn:b"]}`, true},
		{`{"resources":["arn:c"]}`, false},
		{`{"resources":[{"prefix":"arn:"}]}`, true},
		{`{"detail":{"list":{"k":["y"]}}}`, true},
		{`{"detail":{"list":{"k":["z"]}}}`, false},
		{`{"detail":{"count":[3]}}`, true},
		{`{"detail":{"big":[300]}}`, true},
		{`{"detail":{"count":["3"]}}`, false},
		{`{"detail":{"ok":[true]}}`, true},
		{`{"n":[null]}`, true},
		{`{"missing":[null]}`, false},
		{`{"detail":{"state":[{"prefix":"run"}]}}`, true},
		{`{"detail":{"state":[{"suffix":"ing"}]}}`, true},
		{`{"detail":{"state":[{"prefix":{"equals-ignore-case":"RUN"}}]}}`, true},
		{`{"detail":{"state":[{"equals-ignore-case":"RUNNING"}]}}`, true},
		{`{"detail":{"state":[{"anything-but":"running"}]}}`, false},
		{`{"detail":{"state":[{"anything-but":["stopped","pending"]}]}}`, true},
		{`{"detail":{"state":[{"anything-but":{"prefix":"run"}}]}}`, false},
		{`{"detail":{"state":[{"anything-but":{"suffix":["a","b"]}}]}}`, true},
		{`{"detail":{"none":[{"anything-but":"x"}]}}`, false},
		{`{"detail":{"count":[{"numeric":[">",0,"<=",3]}]}}`, true},
		{`{"detail":{"count":[{"numeric":["<",3]}]}}`, false},
		{`{"detail":{"count":[{"numeric":["=",3.0]}]}}`, true},
		{`{"detail":{"state":[{"numeric":["=",3]}]}}`, false},
		{`{"detail":{"none":[{"exists":false}]}}`, true},
		{`{"detail":{"state":[{"exists":false}]}}`, false},
		{`{"detail":{"state":[{"exists":true}]}}`, true},
		{`{"empty":[{"exists":false}]}`, true},
		{`{"detail":[{"exists":true}]}`, false},
		{`{"other":{"deep":[{"exists":false}]}}`, true},
		{`{"detail":{"path":[{"wildcard":"a/*/c?d"}]}}`, true},
		{`{"detail":{"state":[{"wildcard":"run?ing"}]}}`, false},
		{`{"detail":{"ip":[{"cidr":"10.0.0.0/24"}]}}`, true},
		{`{"detail":{"ip":[{"cidr":"10.0.1.0/24"}]}}`, false},
		{`{"$or":[{"source":["no"]},{"detail":{"state":["running"]}}]}`, true},
		{`{"source":["aws.ec2"],"$or":[{"source":["no"]},{"detail":{"state":["no"]}}]}`, false},
	} {
		p, err := parsePattern(c.pattern)
		if err != nil {
			t.Errorf("%s: %v", c.pattern, err)
			continue
		}
		if got := p.match(tree); got != c.want {
			t.Errorf("%s: %v, want %v", c.pattern, got, c.want)
		}
	}
	for _, bad := range []string{
		``, `[]`, `{}`, `{"a":"b"}`, `{"a":[]}`, `{"a":[[1]]}`, `{"a":[{"prefix":1}]}`, `{"a":[{"numeric":[">"]}]}`, `{"a":[{"numeric":["~",1]}]}`, `{"a":[{"exists":"yes"}]}`,
		`{"a":[{"unknown":"x"}]}`, `{"a":[{"prefix":"x","suffix":"y"}]}`, `{"$or":[{"a":[1]}]}`, `{"a":[{"cidr":"x"}]}`, `{"a":[1]} {"b":[2]}`, `{"a":[{"wildcard":"a**"}]}`,
		`{"a":[{"anything-but":[]}]}`, `{"a":{}}`,
		`{"a":[` + strings.Repeat(`1,`, maxPatternTests) + `1]}`,
		`{"a":["` + strings.Repeat("x", maxPattern) + `"]}`,
		strings.Repeat(`{"a":`, maxDepth+2) + `[1]` + strings.Repeat(`}`, maxDepth+2),
	} {
		if _, err := parsePattern(bad); err == nil {
			t.Errorf("%.60s is taken", bad)
		}
	}
}

func FuzzPattern(f *testing.F) {
	f.Add(`{"source":["aws.ec2"],"detail":{"state":[{"anything-but":"running"}]}}`, `{"source":"aws.ec2","detail":{"state":"stopped"}}`)
	f.Add(`{"$or":[{"a":[{"numeric":[">",1]}]},{"b":[{"wildcard":"*x*"}]}]}`, `{"a":2,"b":["yx"]}`)
	f.Add(`{"a":[{"cidr":"10.0.0.0/8"},{"exists":false}]}`, `{"a":"10.0.0.1"}`)
	f.Fuzz(func(t *testing.T, pattern, event string) {
		p, err := parsePattern(pattern)
		if err != nil {
			return
		}
		tree, err := decodeAny([]byte(event))
		if err != nil {
			return
		}
		got := p.match(tree)
		// The same event, written anew, is the same.
		b, err := json.Marshal(tree)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := decodeAny(b); err != nil || p.match(again) != got {
			t.Errorf("%s on %s: %v, then %v (%v)", pattern, event, got, !got, err)
		}
	})
}

// TestBrokerBounds fills a queue up to its limits.
func TestBrokerBounds(t *testing.T) {
	var b broker
	now := time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)
	const keep = time.Hour
	for i := range maxQueueMessages {
		if !b.put("many", &message{id: fmt.Sprint(i), body: "x", sent: now}, now, keep) {
			t.Fatalf("message %d is refused", i)
		}
	}
	if b.put("many", &message{id: "more", body: "x", sent: now}, now, keep) || b.lost() != 1 {
		t.Error("one message too many is taken")
	}
	// What is past its time makes room.
	if later := now.Add(keep); !b.put("many", &message{id: "later", body: "x", sent: later}, later, keep) {
		t.Error("old messages are in the way")
	}
	if v, _, _ := b.counts("many", now.Add(keep), keep); v != 1 || b.bytes != 1 {
		t.Errorf("%d messages, %d bytes", v, b.bytes)
	}
	big := strings.Repeat("x", 1<<20)
	took := 0
	for i := range 20 {
		if b.put("big", &message{id: fmt.Sprint(i), body: big, sent: now}, now, keep) {
			took++
		}
	}
	if took != maxQueueBytes>>20 {
		t.Errorf("a queue took %d MiB", took)
	}
	for q := range 10 {
		for i := range 16 {
			b.put(fmt.Sprint("q", q), &message{id: fmt.Sprint(i), body: big, sent: now}, now, keep)
		}
	}
	if b.bytes > maxBrokerBytes || b.bytes < maxBrokerBytes-1<<20 {
		t.Errorf("all queues have %d bytes", b.bytes)
	}
	for q := range 10 {
		b.purge(fmt.Sprint("q", q))
	}
	b.purge("big")
	b.purge("many")
	if b.bytes != 0 {
		t.Errorf("%d bytes are left", b.bytes)
	}
}

// TestPatternCache keeps no more patterns than it may.
func TestPatternCache(t *testing.T) {
	var c patternCache
	for i := range maxPatterns + 10 {
		if c.get(fmt.Sprintf(`{"a":[%d]}`, i)) == nil {
			t.Fatal("a good pattern is none")
		}
	}
	if c.get(`{`) != nil || len(c.m) > maxPatterns || len(c.keys) != len(c.m) {
		t.Errorf("%d patterns", len(c.m))
	}
}
