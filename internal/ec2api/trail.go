package ec2api

import (
	"bytes"
	"encoding/xml"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// CloudTrail writes of each call that changes something; EventBridge passes that on as
// "AWS API Call via CloudTrail". AWS: CloudTrail record contents.

// trailed tells whether a call is written about.
func trailed(act *action) bool { return act.service == serviceEC2 && act.write }

// trailEvent is the event of a call that succeeded. body is its answer.
func (v *Server) trailEvent(q *request, c *call, body []byte) event {
	host, _, err := net.SplitHostPort(q.r.RemoteAddr)
	if err != nil {
		host = q.r.RemoteAddr
	}
	account := q.who.account
	return event{
		account: account, source: "aws.ec2", kind: "AWS API Call via CloudTrail", at: c.now,
		detail: map[string]any{
			"eventVersion": "1.11",
			"userIdentity": map[string]any{"type": "IAMUser", "principalId": q.who.userID, "arn": q.who.arn, "accountId": account, "accessKeyId": q.who.accessKey},
			"eventTime":    c.now.UTC().Format(time.RFC3339), "eventSource": "ec2.amazonaws.com", "eventName": q.action, "awsRegion": v.Region(),
			"sourceIPAddress": host, "userAgent": clip(q.r.UserAgent()), "requestParameters": requestParameters(q.action, c.in), "responseElements": responseElements(q.action, body),
			"requestID": q.id, "eventID": v.requestID(), "readOnly": false, "eventType": "AwsApiCall", "managementEvent": true, "recipientAccountId": account, "eventCategory": "Management",
		},
	}
}

// wrapped tells whether CloudTrail shows an action under the name of its request and with
// the names of the wire, as it does for actions made since 2016 or so.
func wrapped(action string) bool { return strings.Contains(action, "TrafficMirror") }

func requestParameters(action string, in *node) any {
	if wrapped(action) {
		return map[string]any{action + "Request": wrappedNode(in)}
	}
	return classicNode(in)
}

// scalar gives a text of a request the type that its shape has.
func (n *node) scalar() any {
	switch n.shape.kind {
	case kindInt:
		if v, err := strconv.ParseInt(n.text, 10, 64); err == nil {
			return v
		}
	case kindBool:
		return strings.EqualFold(n.text, "true")
	}
	return n.text
}

// wrappedNode shows a value of a request: items of lists have their number as "tag", a
// plain one its text as "content".
func wrappedNode(n *node) any {
	switch n.shape.kind {
	case kindStruct:
		m := map[string]any{}
		for k, kid := range n.kids {
			m[k] = wrappedNode(kid)
		}
		return m
	case kindList:
		var list []any
		for _, i := range n.order() {
			m, ok := wrappedNode(n.items[i]).(map[string]any)
			if !ok {
				m = map[string]any{"content": n.items[i].scalar()}
			}
			m["tag"] = i
			list = append(list, m)
		}
		if len(list) == 1 {
			return list[0]
		}
		return list
	}
	return n.scalar()
}

// classicLists are names that lists of requests have in CloudTrail, and the name of what
// is in them when that is a plain value.
func classicLists(name string) (set, item string) {
	switch name {
	case "InstanceId":
		return "instancesSet", "instanceId"
	case "SecurityGroupId":
		return "groupSet", "groupId"
	case "TagSpecification":
		return "tagSpecificationSet", ""
	case "ResourceId":
		return "resourcesSet", "resourceId"
	case "Tag":
		return "tagSet", ""
	case "NetworkInterface":
		return "networkInterfaceSet", ""
	case "PrivateIpAddresses":
		return "privateIpAddressesSet", ""
	}
	return lowerFirst(name), lowerFirst(name)
}

func classicNode(n *node) any {
	if n.shape.kind != kindStruct {
		return n.scalar()
	}
	m := map[string]any{}
	for k, kid := range n.kids {
		if kid.shape.kind != kindList {
			m[lowerFirst(k)] = classicNode(kid)
			continue
		}
		set, item := classicLists(k)
		items := []any{}
		for _, i := range kid.order() {
			v := classicNode(kid.items[i])
			if _, object := v.(map[string]any); !object {
				v = map[string]any{item: v}
			}
			items = append(items, v)
		}
		m[set] = map[string]any{"items": items}
	}
	return m
}

// responseElements gives an answer the form that CloudTrail shows it in.
func responseElements(action string, body []byte) any {
	d := xml.NewDecoder(bytes.NewReader(body))
	for {
		t, err := d.Token()
		if err != nil {
			return nil
		}
		if _, ok := t.(xml.StartElement); ok {
			break
		}
	}
	item := "items"
	if wrapped(action) {
		item = "item"
	}
	m, ok := elements(d, item, 0).(map[string]any)
	if !ok {
		return nil
	}
	if r, ok := m["return"]; ok {
		delete(m, "return")
		m["_return"] = r
	}
	if wrapped(action) {
		m["xmlns"] = nsEC2
		return map[string]any{action + "Response": m}
	}
	return m
}

// elements reads what is inside an element: text, or more elements.
func elements(d *xml.Decoder, item string, depth int) any {
	m := map[string]any{}
	var text strings.Builder
	for depth <= 2*maxDepth {
		t, err := d.Token()
		if err != nil {
			return m
		}
		switch t := t.(type) {
		case xml.CharData:
			text.Write(t)
		case xml.StartElement:
			name := t.Name.Local
			v := elements(d, item, depth+1)
			if name != "item" {
				m[name] = v
				continue
			}
			list, _ := m[item].([]any)
			m[item] = append(list, v)
		case xml.EndElement:
			if len(m) > 0 || text.Len() == 0 {
				return m
			}
			return plainText(text.String())
		}
	}
	return m
}

// plainText types the text of an answer: truth, small numbers, text.
func plainText(s string) any {
	if s == "true" || s == "false" {
		return s == "true"
	}
	if v, err := strconv.Atoi(s); err == nil && len(s) < 10 && strconv.Itoa(v) == s {
		return v
	}
	return s
}

// patternCache keeps the patterns of rules compiled.
type patternCache struct {
	mu   sync.Mutex // mu guards what follows
	m    map[string]*pattern
	keys []string // oldest first
}

// maxPatterns is how many compiled patterns are kept: more rules than an account may have
// (AWS: 300), each compiled once.
const maxPatterns = 500

// get returns a pattern, or nil when it is none.
func (p *patternCache) get(text string) *pattern {
	p.mu.Lock()
	defer p.mu.Unlock()
	if c, ok := p.m[text]; ok {
		return c
	}
	c, err := parsePattern(text)
	if err != nil {
		c = nil
	}
	if p.m == nil {
		p.m = map[string]*pattern{}
	}
	if len(p.keys) >= maxPatterns {
		delete(p.m, p.keys[0])
		p.keys = slices.Delete(p.keys, 0, 1)
	}
	p.m[text], p.keys = c, append(p.keys, text)
	return c
}
