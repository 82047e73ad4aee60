package rule

import "fmt"

// Lint looks for rules that load but cost too much or say less than they mean. All
// its problems are warnings of KindLint.
func Lint(r *Rule) []Problem {
	l := linter{r: r}
	l.general()
	l.header()
	l.cost()
	l.contents()
	return l.out
}

type linter struct {
	r   *Rule
	out []Problem
}

func (l *linter) warn(off int, what, hint string) {
	p := l.r.Problem(off, KindLint, what, hint)
	p.Warning = true
	l.out = append(l.out, p)
}

func (l *linter) general() {
	r := l.r
	if r.Msg == "" {
		l.warn(0, "rule has no msg, its alerts are hard to read", "")
	}
	if r.Rev == 0 {
		l.warn(0, "rule has no rev, a changed copy of it cannot replace it", "add rev:1;")
	}
	if len(r.Text) > SuricataRuleBytes {
		l.warn(0, fmt.Sprintf("rule has %d bytes, Suricata refuses more than %d", len(r.Text), SuricataRuleBytes), "")
	}
	if r.Text[len(r.Text)-1] != ')' {
		l.warn(len(r.Text), "closing parenthesis is missing", "")
	}
	if r.NoAlert && r.Find("flowbits") == nil && r.Find("xbits") == nil && r.Find("hostbits") == nil &&
		r.Find("flowint") == nil && r.Find("dataset") == nil && r.Action == ActionAlert {
		l.warn(0, "rule does not alert and sets nothing, so it has no effect", "")
	}
}

func (l *linter) header() {
	r := l.r
	if r.Dir == DirBoth && r.Src.Text == r.Dst.Text && r.SrcPort.Text == r.DstPort.Text {
		l.warn(int(r.Src.Off), "both sides are the same, so <> does the same as -> and costs more", "write ->")
	}
	if !isPacketProto(r.Proto) && (r.SrcPort.Text != "any" || r.DstPort.Text != "any") && r.Dir != DirTx {
		off := r.DstPort.Off
		if r.DstPort.Text == "any" {
			off = r.SrcPort.Off
		}
		l.warn(int(off), r.Proto+" is found on any port, the port of this rule hides some of it", "write any")
	}
}

// isPacketProto tells protocols of packets from those of applications.
func isPacketProto(name string) bool {
	switch name {
	case "ip", "ip4", "ip6", "ipv4", "ipv6", "tcp", "tcp-pkt", "tcp-stream", "udp", "icmp", "icmpv4", "icmpv6", "sctp", "pkthdr", "ether", "arp", "igmp":
		return true
	}
	return false
}

// cost looks for rules that must be tried on everything.
func (l *linter) cost() {
	r := l.r
	longest, contents := 0, 0
	var pcre *Option
	anchored := false
	for i := range r.Options {
		o := &r.Options[i]
		switch o.Name {
		case "content", "uricontent":
			if c, err := ParseContent(o.Value); err == nil && !c.Negated {
				contents++
				longest = max(longest, len(c.Bytes))
			}
		case "pcre":
			if pcre == nil {
				pcre = o
			}
		case "flowbits", "xbits", "app-layer-event", "decode-event", "stream-event", "engine-event", "flags", "itype", "icode",
			"dataset", "iprep", "dsize", "ip_proto", "filemagic", "filemd5", "filesha1", "filesha256", "tls.fingerprint", "prefilter":
			anchored = true
		}
	}
	switch {
	case contents == 0 && pcre != nil:
		l.warn(int(pcre.Off), "pcre without a content, so it runs on every buffer of this protocol", "add a content of a literal part of the expression")
	case contents == 0 && !anchored && (r.Proto == "tcp" || r.Proto == "udp" || r.Proto == "ip") && r.Src.Text == "any" && r.Dst.Text == "any" &&
		r.SrcPort.Text == "any" && r.DstPort.Text == "any":
		l.warn(0, "rule has nothing to search for, so it is tried on every packet", "")
	case contents > 0 && longest < 3:
		l.warn(0, fmt.Sprintf("the longest content has %d bytes, so the rule is tried very often", longest), "add a longer content, or fast_pattern on a rarer one")
	}
}

// contents looks at the modifiers of each content.
func (l *linter) contents() {
	r := l.r
	var last *Option
	var body Content
	letters := false
	seen := map[string]bool{}
	for i := range r.Options {
		o := &r.Options[i]
		switch o.Name {
		case "content":
			last = nil
			c, err := ParseContent(o.Value)
			if err != nil {
				continue
			}
			last, body, letters = o, c, false
			for _, b := range c.Bytes {
				letters = letters || isLetter(b)
			}
		case "nocase":
			if last != nil && !letters {
				l.warn(int(o.Off), "nocase on a content without letters does nothing", "")
			}
		case "offset":
			if last != nil && trimSpace(o.Value) == "0" && r.Find("depth") == nil {
				l.warn(int(o.Off), "offset:0 does nothing", "")
			}
		case "depth", "within":
			if n, ok := parseUint32(trimSpace(o.Value)); ok && last != nil && int(n) < len(body.Bytes) {
				l.warn(int(o.Off), fmt.Sprintf("%s %d is less than the %d bytes of the content", o.Name, n, len(body.Bytes)), "")
			}
		case "metadata", "reference":
			if key := o.Name + o.Value; seen[key] {
				l.warn(int(o.Off), o.Name+" is given twice with the same value", "")
			} else {
				seen[key] = true
			}
		}
	}
}
