package rule_test

import (
	"strings"
	"testing"

	"mirador/internal/rule"
)

func TestClassifications(t *testing.T) {
	c, problems := rule.ParseClassifications("c", []byte(`# comment
config classification: not-suspicious,Not Suspicious Traffic,3
 config  classification : Bad-Unknown , Potentially, Bad Traffic , 2

config classification: not-suspicious,Again,1
config classification: x,y
config class: x,y,1
config classification: 9x,y,1
config classification: z,y,one
config classification: top,Top,1
`))
	if len(problems) != 5 || !problems[0].Warning || problems[0].Line != 5 || problems[4].Line != 9 {
		t.Errorf("problems: %v", problems)
	}
	if got, ok := c.Lookup("bad-UNKNOWN"); !ok || got.Description != "Potentially, Bad Traffic" || got.Priority != 2 {
		t.Errorf("Lookup(bad-unknown) = %+v, %v", got, ok)
	}
	for _, tt := range []struct {
		options string
		desc    string
		prio    uint32
		known   bool
	}{
		{"", "", 3, true},
		{"classtype:bad-unknown;", "Potentially, Bad Traffic", 2, true},
		{"classtype:bad-unknown; priority:7;", "Potentially, Bad Traffic", 7, true},
		{"priority:9; priority:7; priority:8;", "", 7, true},
		{"classtype:not-suspicious; classtype:top; classtype:bad-unknown;", "Top", 1, true},
		{"classtype:nope;", "", 3, false},
	} {
		r, err := rule.ParseOne("alert ip any any -> any any (" + tt.options + " sid:1;)")
		if err != nil {
			t.Fatal(err)
		}
		if d, p, known := c.Of(r); d != tt.desc || p != tt.prio || known != tt.known {
			t.Errorf("Of(%s) = %q, %d, %v", tt.options, d, p, known)
		}
	}
}

func TestReferences(t *testing.T) {
	rs, problems := rule.ParseReferences("r", []byte("#\nconfig reference: cve http://cve/?name=\nconfig reference: URL http://\nconfig reference: x\n"))
	if len(problems) != 1 || problems[0].Line != 4 {
		t.Errorf("problems: %v", problems)
	}
	for _, tt := range []struct {
		key, value, want string
		known            bool
	}{
		{"cve", "2014-1", "http://cve/?name=2014-1", true},
		{"url", "a.b/c", "http://a.b/c", true},
		{"url", "foobar://a.b/c", "foobar://a.b/c", true},
		{"url", "a.b/?x=c://d", "http://a.b/?x=c://d", true},
		{"bug", "1", "", false},
	} {
		if got, known := rs.URL(rule.Reference{Key: tt.key, Value: tt.value}); got != tt.want || known != tt.known {
			t.Errorf("URL(%s,%s) = %q, %v", tt.key, tt.value, got, known)
		}
	}
}

func TestConfigFilesOfTheSuite(t *testing.T) {
	c, problems := rule.ParseClassifications("c", readShared(t, "data", "suricata-verify", "etc", "classification.config"))
	if len(problems) > 0 || len(c.List) < 30 {
		t.Errorf("%d classes, problems %v", len(c.List), problems)
	}
	if c, problems = rule.ParseClassifications("c", readShared(t, "data", "etopen", "classification.config")); len(problems) > 0 || len(c.List) < 30 {
		t.Errorf("%d classes, problems %v", len(c.List), problems)
	}
	if _, problems := rule.ParseReferences("r", readShared(t, "data", "suricata-verify", "etc", "reference.config")); len(problems) > 0 {
		t.Error(problems)
	}
}

func TestThresholds(t *testing.T) {
	events, problems := rule.ParseThresholds("t", []byte(`# suppress gen_id 1, sig_id 1
suppress gen_id 1, sig_id 2002087
suppress gen_id 1, sig_id 3, track by_src, ip [192.168.0.0/16, 10.0.0.0/8,!10.1.0.0/16]
suppress gen_id 0, sig_id 0, track by_either, ip $HOME_NET
threshold gen_id 1, sig_id 4, type both, \
  track by_both, count 3, seconds 5
event_filter gen_id 1,sig_id 5,type limit,track by_flow,count 1,seconds 15
rate_filter gen_id 1, sig_id 6, track by_rule, count 100, seconds 60, new_action drop, timeout 30
`))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	want := []rule.EventRule{
		{Kind: rule.EventSuppress, GID: 1, SID: 2002087, Line: 2},
		{Kind: rule.EventSuppress, GID: 1, SID: 3, Track: rule.TrackSrc, IP: "[192.168.0.0/16, 10.0.0.0/8,!10.1.0.0/16]", Line: 3},
		{Kind: rule.EventSuppress, Track: rule.TrackEither, IP: "$HOME_NET", Line: 4},
		{Kind: rule.EventThreshold, GID: 1, SID: 4, Type: rule.LimitBoth, Track: rule.TrackBoth, Count: 3, Seconds: 5, Line: 5},
		{Kind: rule.EventThreshold, GID: 1, SID: 5, Type: rule.LimitLimit, Track: rule.TrackFlow, Count: 1, Seconds: 15, Line: 7},
		{Kind: rule.EventRateFilter, GID: 1, SID: 6, Track: rule.TrackRule, Count: 100, Seconds: 60, NewAction: rule.ActionDrop, Timeout: 30, Line: 8},
	}
	if len(events) != len(want) {
		t.Fatalf("%d events, want %d", len(events), len(want))
	}
	for i := range want {
		if events[i] != want[i] {
			t.Errorf("event %d = %+v, want %+v", i, events[i], want[i])
		}
	}
}

func TestThresholdsRefuses(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"supress gen_id 1, sig_id 2", "unknown directive"},
		{"suppress gen_id 1", "sig_id is missing"},
		{"suppress gen_id 0, sig_id 5", "needs sig_id 0"},
		{"suppress gen_id 1, sig_id 5, track by_src", "go together"},
		{"suppress gen_id 1, sig_id 5, track by_rule, ip 1.1.1.1", "by_either"},
		{"suppress gen_id 1, sig_id 5, track by_src, ip [1.1.1.1", "ip"},
		{"suppress gen_id 1, sig_id 5, count 5", "belong"},
		{"threshold gen_id 1, sig_id 5, type limit, track by_src, count 0, seconds 5", "must not be 0"},
		{"threshold gen_id 1, sig_id 5, type limit, track by_either, count 1, seconds 5", "suppress only"},
		{"threshold gen_id 1, sig_id 5, type backoff, track by_src, count 1, seconds 5", "type"},
		{"threshold gen_id 1, sig_id 5, sig_id 6, type limit, track by_src, count 1, seconds 5", "twice"},
		{"threshold gen_id 1, sig_id 5, type limit, track by_src, count 1, seconds 5, timeout 5", "belong"},
		{"rate_filter gen_id 1, sig_id 6, track by_rule, count 1, seconds 60, new_action shout, timeout 30", "new_action"},
	} {
		_, problems := rule.ParseThresholds("t", []byte("\n"+tt.text))
		if len(problems) != 1 || problems[0].Line != 2 || !strings.Contains(problems[0].What, tt.want) {
			t.Errorf("ParseThresholds(%q): %v, want %q", tt.text, problems, tt.want)
		}
	}
}
