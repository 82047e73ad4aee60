package detect_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"mirador/internal/detect"
	"mirador/internal/rule"
)

// The twin of the content matcher: it tries every place for every content, by the
// words of the user guide, and is slow.

// spec is one content or isdataat of a rule.
type spec struct {
	pat                                         string
	negated, nocase, endswith, startswith       bool
	hasDepth, hasOffset, hasDistance, hasWithin bool
	depth, offset, distance, within             int
	isdataat                                    bool // then offset is its number, hasDistance means relative
}

func (s *spec) text() string {
	var b strings.Builder
	if s.isdataat {
		b.WriteString("isdataat:")
		if s.negated {
			b.WriteString("!")
		}
		fmt.Fprint(&b, s.offset)
		if s.hasDistance {
			b.WriteString(",relative")
		}
		return b.String() + "; "
	}
	b.WriteString("content:")
	if s.negated {
		b.WriteString("!")
	}
	fmt.Fprintf(&b, `"%s"; `, rule.AppendPattern(nil, []byte(s.pat)))
	for _, m := range []struct {
		on   bool
		text string
	}{{s.nocase, "nocase"}, {s.startswith, "startswith"}, {s.hasOffset, fmt.Sprint("offset:", s.offset)}, {s.hasDepth, fmt.Sprint("depth:", s.depth)},
		{s.hasDistance, fmt.Sprint("distance:", s.distance)}, {s.hasWithin, fmt.Sprint("within:", s.within)}, {s.endswith, "endswith"}} {
		if m.on {
			b.WriteString(m.text + "; ")
		}
	}
	return b.String()
}

// at tells whether s stands at data[i:], ignoring where it may be.
func (s *spec) at(data []byte, i int) bool {
	if i < 0 || i+len(s.pat) > len(data) {
		return false
	}
	d := data[i : i+len(s.pat)]
	if s.nocase {
		return bytes.Equal(bytes.ToLower(d), bytes.ToLower([]byte(s.pat)))
	}
	return string(d) == s.pat
}

// fits tells whether s may stand at i when the last match ended at pos.
func (s *spec) fits(data []byte, i, pos int) bool {
	end := i + len(s.pat)
	if s.endswith && end != len(data) || s.startswith && i != 0 {
		return false
	}
	if s.hasDistance || s.hasWithin {
		if i < pos+s.distance || s.hasWithin && end > pos+s.distance+s.within {
			return false
		}
		return true
	}
	if s.hasOffset && i < s.offset {
		return false
	}
	return !s.hasDepth || end <= s.offset+s.depth
}

// twin tells whether data matches all of list, pos being the end of the last match.
func twin(list []spec, data []byte, pos int) bool {
	if len(list) == 0 {
		return true
	}
	s, rest := &list[0], list[1:]
	if s.isdataat {
		ok := s.offset < len(data)
		if s.hasDistance {
			ok = pos+s.offset <= len(data)
		}
		return ok != s.negated && twin(rest, data, pos)
	}
	found := false
	for i := 0; i+len(s.pat) <= len(data); i++ {
		if !s.at(data, i) || !s.fits(data, i, pos) {
			continue
		}
		found = true
		if !s.negated && twin(rest, data, i+len(s.pat)) {
			return true
		}
	}
	return s.negated && !found && twin(rest, data, pos)
}

// specs makes a list of contents and a payload from fuzz bytes.
func specs(in []byte) (list []spec, payload []byte) {
	next := func() int {
		if len(in) == 0 {
			return 0
		}
		c := in[0]
		in = in[1:]
		return int(c)
	}
	const letters = "abAB"
	n := next()%4 + 1
	for range n {
		var s spec
		f, g := next(), next()
		s.negated = f&3 == 3
		if g&31 == 31 {
			s.isdataat, s.hasDistance, s.offset = true, f&4 != 0, next()%8
			list = append(list, s)
			continue
		}
		for range next()%3 + 1 {
			s.pat += string(letters[next()%4])
		}
		s.nocase, s.endswith = f&4 != 0, f&24 == 24
		switch g & 7 {
		case 1:
			s.startswith = true
		case 2:
			s.hasOffset, s.offset = true, next()%6
		case 3:
			s.hasDepth, s.depth = true, len(s.pat)+next()%5
		case 4:
			s.hasOffset, s.offset, s.hasDepth, s.depth = true, next()%4, true, len(s.pat)+next()%4
		case 5:
			s.hasDistance, s.distance = true, next()%9-4
		case 6:
			s.hasWithin, s.within = true, len(s.pat)+next()%4
		case 7:
			s.hasDistance, s.distance, s.hasWithin, s.within = true, next()%7-3, true, len(s.pat)+next()%4
		}
		list = append(list, s)
	}
	for len(in) > 0 && len(payload) < 24 {
		payload = append(payload, letters[next()%4])
	}
	return list, payload
}

func FuzzContent(f *testing.F) {
	f.Add([]byte{2, 0, 0, 1, 0, 0, 0, 0, 5, 1, 1, 1, 0, 1, 0, 1})
	f.Add([]byte("\x03\x00\x05\x01abcd\x00\x06\x02abcdabcdabcd"))
	f.Add([]byte("\x01\x03\x07abcabcabcabcabcabcabcabcabc"))
	f.Fuzz(func(t *testing.T, in []byte) {
		list, payload := specs(in)
		var body strings.Builder
		for i := range list {
			body.WriteString(list[i].text())
		}
		parsed, problems := rule.Parse("f", []byte("alert udp any any -> any any ("+body.String()+"sid:1;)"))
		if len(problems) > 0 {
			t.Fatalf("%s: %v", body.String(), problems)
		}
		e, rep := detect.Compile(parsed, detect.Options{})
		if rep.Refused > 0 {
			t.Skip() // such as a within that is too small
		}
		if len(payload) == 0 {
			return
		}
		got := len(detect.NewWorker(e, nil).Inspect(&detect.Packet{P: udpPacket(string(payload))})) == 1
		if want := twin(list, payload, 0); got != want {
			t.Fatalf("%s on %q = %v, want %v", body.String(), payload, got, want)
		}
	})
}

// FuzzRule compiles any text and inspects a packet, a stream and a transaction with
// what comes out: nothing may panic.
func FuzzRule(f *testing.F) {
	for _, r := range []string{
		`alert http any any -> any any (msg:"x"; flow:established,to_server; http.uri; content:"/a"; fast_pattern; pcre:"/^\/a(\d+)/, flow:x"; sid:1;)`,
		`alert tcp any any -> any [80,443:] (content:"|00 01|"; byte_extract:1,0,n,relative; byte_jump:n,0,relative; isdataat:1,relative; sid:2;)`,
		`alert dns any any -> any any (dns.query; dotprefix; content:".evil.com"; endswith; threshold:type limit,track by_src,count 1,seconds 60; sid:3;)`,
		`alert ip any any <> any any (flowbits:isset,a|b; xbits:set,c,track ip_src; tag:session; sid:4;)`,
		`pass tcp any any -> any any (http.request_body; base64_decode:bytes 4,relative; base64_data; content:"a"; sid:5;)`,
		`alert http any any => any any (http.uri; xor:"0d"; content:"a"; http.stat_code; content:"2"; file.data; entropy:value > 2; sid:6;)`,
	} {
		f.Add(r, "GET /a12 HTTP/1.1\r\n")
	}
	tab := fakeTable(f)
	f.Fuzz(func(t *testing.T, text, payload string) {
		if len(text) > 2000 || strings.Contains(text, "load ") || strings.Contains(text, "state ") || strings.Contains(text, "save ") {
			return
		}
		parsed, _ := rule.Parse("f", []byte(text))
		e, _ := detect.Compile(parsed, detect.Options{Table: tab})
		s := newSession(t, e, tab, "http")
		tx := s.tx(request())
		tx.buf["http.uri"] = [][]byte{[]byte(payload)}
		tx.stream["http.request_body"] = window{data: []byte(payload)}
		tx.Progress = [2]uint8{atBody, atHeaders}
		file := s.app.NewFile(tx, 0, []byte(payload))
		file.Append([]byte(payload))
		for range 2 {
			s.stream(0, payload, payload)
			s.look(0)
			s.look(1)
			tx.Advance(0, atDone)
			tx.Advance(1, atDone)
		}
		s.packet(1, udpPacket(payload))
	})
}
