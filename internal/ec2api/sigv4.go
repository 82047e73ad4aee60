package ec2api

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	sigAlgorithm = "AWS4-HMAC-SHA256"
	sigTime      = "20060102T150405Z"
)

// credential is what a request says of its signer.
type credential struct {
	accessKey string
	date      string // of the scope: 20261123
	region    string
	service   string

	signedHeaders []string
	signature     string
	at            time.Time
	expires       time.Duration // presigned only
	token         string
	presigned     bool
}

// identity is who a request comes from.
type identity struct {
	account   string
	accessKey string
	arn       string
	userID    string
}

// parseCredential reads the Authorization header or, of a presigned request, the query.
// It returns nil and no error when the request is not signed.
func parseCredential(r *http.Request, query url.Values) (*credential, *Error) {
	if h := r.Header.Get("Authorization"); h != "" {
		return parseAuthorization(r, h)
	}
	if query.Get("X-Amz-Algorithm") == "" && query.Get("X-Amz-Signature") == "" {
		return nil, nil
	}
	if query.Get("X-Amz-Algorithm") != sigAlgorithm {
		return nil, errorf("IncompleteSignature", "Unsupported AWS 'algorithm': '%s'", clip(query.Get("X-Amz-Algorithm")))
	}
	c := &credential{
		presigned: true, signature: query.Get("X-Amz-Signature"), token: query.Get("X-Amz-Security-Token"),
		signedHeaders: strings.Split(query.Get("X-Amz-SignedHeaders"), ";"),
	}
	if err := c.scope(query.Get("X-Amz-Credential")); err != nil {
		return nil, err
	}
	secs, err := strconv.Atoi(query.Get("X-Amz-Expires"))
	if query.Get("X-Amz-Expires") == "" {
		secs, err = int(maxClockSkew/time.Second), nil
	}
	if err != nil || secs < 1 || secs > 7*24*3600 {
		return nil, errorf("IncompleteSignature", "X-Amz-Expires must be between 1 and 604800")
	}
	c.expires = time.Duration(secs) * time.Second
	return c, c.time(query.Get("X-Amz-Date"))
}

func parseAuthorization(r *http.Request, h string) (*credential, *Error) {
	algorithm, rest, _ := strings.Cut(h, " ")
	if algorithm != sigAlgorithm {
		return nil, errorf("IncompleteSignature", "Unsupported AWS 'algorithm': '%s'", clip(algorithm))
	}
	c := &credential{token: r.Header.Get("X-Amz-Security-Token")}
	seen := 0
	for part := range strings.SplitSeq(rest, ",") {
		k, v, _ := strings.Cut(strings.TrimSpace(part), "=")
		switch k {
		case "Credential":
			if err := c.scope(v); err != nil {
				return nil, err
			}
			seen |= 1
		case "SignedHeaders":
			c.signedHeaders = strings.Split(v, ";")
			seen |= 2
		case "Signature":
			c.signature = v
			seen |= 4
		}
	}
	if seen != 7 {
		return nil, errorf("IncompleteSignature", "Authorization header requires 'Credential', 'SignedHeaders' and 'Signature' parameters")
	}
	date := r.Header.Get("X-Amz-Date")
	if date == "" {
		if t, err := http.ParseTime(r.Header.Get("Date")); err == nil {
			date = t.UTC().Format(sigTime)
		}
	}
	return c, c.time(date)
}

func (c *credential) scope(s string) *Error {
	f := strings.Split(s, "/")
	if len(f) < 5 || f[len(f)-1] != "aws4_request" {
		return errorf("IncompleteSignature", "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got '%s'", clip(s))
	}
	n := len(f)
	c.accessKey, c.date, c.region, c.service = strings.Join(f[:n-4], "/"), f[n-4], f[n-3], f[n-2]
	return nil
}

func (c *credential) time(s string) *Error {
	t, err := time.Parse(sigTime, s)
	if err != nil {
		return errorf("IncompleteSignature", "Date must be in ISO-8601 'basic format'. Got '%s'", clip(s))
	}
	c.at = t
	if !strings.HasPrefix(s, c.date) {
		return errorf("SignatureDoesNotMatch", "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP")
	}
	return nil
}

// fresh tells whether the signature's time allows it to be used now.
func (c *credential) fresh(now time.Time) *Error {
	format := func(t time.Time) string { return t.UTC().Format(sigTime) }
	life := maxClockSkew
	if c.presigned {
		life = c.expires
	}
	if end := c.at.Add(life); now.After(end) {
		return errorf("RequestExpired", "Signature expired: %s is now earlier than %s (%s - %d min.)", format(c.at), format(now.Add(-life)), format(now), int(life.Minutes()))
	}
	if c.at.After(now.Add(maxClockSkew)) {
		return errorf("RequestExpired", "Signature not yet current: %s is still later than %s (%s + %d min.)", format(c.at), format(now.Add(maxClockSkew)), format(now), int(maxClockSkew.Minutes()))
	}
	return nil
}

// verify tells whether the request was signed with secret.
func (c *credential) verify(r *http.Request, body []byte, secret string) bool {
	if !slices.Contains(c.signedHeaders, "host") {
		return false
	}
	sum := sha256.Sum256(body)
	canonical := c.canonical(r, hex.EncodeToString(sum[:]))
	hash := sha256.Sum256([]byte(canonical))
	toSign := strings.Join([]string{
		sigAlgorithm, c.at.Format(sigTime), strings.Join([]string{c.date, c.region, c.service, "aws4_request"}, "/"), hex.EncodeToString(hash[:]),
	}, "\n")
	key := mac([]byte("AWS4"+secret), c.date)
	for _, part := range []string{c.region, c.service, "aws4_request"} {
		key = mac(key, part)
	}
	want := hex.EncodeToString(mac(key, toSign))
	return subtle.ConstantTimeCompare([]byte(want), []byte(c.signature)) == 1
}

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

// canonical is the canonical request. AWS: Signature Version 4, create a signed request.
func (c *credential) canonical(r *http.Request, payload string) string {
	var b strings.Builder
	b.WriteString(r.Method)
	b.WriteByte('\n')
	path := r.URL.EscapedPath()
	if path == "" {
		path = "/"
	}
	b.WriteString(path)
	b.WriteByte('\n')
	b.WriteString(canonicalQuery(r.URL.RawQuery))
	b.WriteByte('\n')
	for _, h := range c.signedHeaders {
		b.WriteString(h)
		b.WriteByte(':')
		b.WriteString(headerValue(r, h))
		b.WriteByte('\n')
	}
	b.WriteByte('\n')
	b.WriteString(strings.Join(c.signedHeaders, ";"))
	b.WriteByte('\n')
	b.WriteString(payload)
	return b.String()
}

func headerValue(r *http.Request, name string) string {
	switch name {
	case "host":
		return r.Host
	case "content-length":
		return strconv.FormatInt(r.ContentLength, 10)
	}
	values := r.Header.Values(name)
	out := make([]string, len(values))
	for i, v := range values {
		out[i] = strings.Join(strings.Fields(v), " ")
	}
	return strings.Join(out, ",")
}

func canonicalQuery(raw string) string {
	var pairs []string
	for pair := range strings.SplitSeq(raw, "&") {
		if pair == "" {
			continue
		}
		k, v, _ := strings.Cut(pair, "=")
		name, err1 := url.QueryUnescape(k)
		value, err2 := url.QueryUnescape(v)
		if err1 != nil || err2 != nil || name == "X-Amz-Signature" {
			continue
		}
		pairs = append(pairs, awsEscape(name)+"="+awsEscape(value))
	}
	slices.Sort(pairs)
	return strings.Join(pairs, "&")
}

// awsEscape escapes all but the unreserved characters of RFC 3986.
func awsEscape(s string) string {
	const digits = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_', c == '.', c == '~':
			b.WriteByte(c)
		default:
			b.WriteByte('%')
			b.WriteByte(digits[c>>4])
			b.WriteByte(digits[c&15])
		}
	}
	return b.String()
}
