package http

import "bytes"

// uri holds the parts of a request target; nil means absent.
type uri struct {
	scheme, user, pass, host, port, path, query, frag []byte
	hasQuery, hasFrag                                 bool
	badPort                                           bool
	portNum                                           int // -1: none
}

// parseURI splits a request target as browsers and servers do, not as RFC 3986
// asks: nothing is refused.
func parseURI(b []byte) (u uri) {
	u.portNum = -1
	if len(b) == 0 {
		return u
	}
	if b[0] != '/' {
		if i := bytes.IndexByte(b, ':'); i >= 0 {
			u.scheme, b = b[:i], b[i+1:]
			// Two slashes begin an authority; three or more are a path.
			if len(b) > 2 && b[0] == '/' && b[1] == '/' && b[2] != '/' {
				b = u.authority(b[2:])
			}
		}
	}
	if i := bytes.IndexByte(b, '#'); i >= 0 {
		u.frag, u.hasFrag, b = b[i+1:], true, b[:i]
	}
	if i := bytes.IndexByte(b, '?'); i >= 0 {
		u.query, u.hasQuery, b = b[i+1:], true, b[:i]
	}
	u.path = b
	return u
}

// authority takes [user[:pass]@]host[:port] off b.
func (u *uri) authority(b []byte) []byte {
	a, rest := b, []byte(nil)
	if i := bytes.IndexAny(b, "/?#"); i >= 0 {
		a, rest = b[:i], b[i:]
	}
	if i := bytes.IndexByte(a, '@'); i >= 0 {
		u.user = a[:i]
		a = a[i+1:]
		if j := bytes.IndexByte(u.user, ':'); j >= 0 {
			u.user, u.pass = u.user[:j], u.user[j+1:]
		}
	}
	u.hostPort(a)
	return rest
}

// hostPort splits host[:port]; an IPv6 address stands in brackets.
func (u *uri) hostPort(a []byte) {
	u.host, u.port, u.portNum, u.badPort = splitHostPort(a)
}

// splitHostPort returns host and port of a; num is -1 when there is no port, bad
// tells that there is something in its place.
func splitHostPort(a []byte) (host, port []byte, num int, bad bool) {
	a = bytes.Trim(a, " \t")
	num = -1
	if len(a) > 0 && a[0] == '[' {
		i := bytes.IndexByte(a, ']')
		if i < 0 {
			return a, nil, -1, true
		}
		host, a = a[:i+1], a[i+1:]
		if len(a) == 0 {
			return host, nil, -1, false
		}
		if a[0] != ':' {
			return host, nil, -1, true
		}
		port = a[1:]
	} else {
		i := bytes.IndexByte(a, ':')
		if i < 0 {
			return a, nil, -1, false
		}
		host, port = a[:i], a[i+1:]
	}
	port = bytes.Trim(port, " \t")
	if len(port) == 0 {
		return host, port, -1, true
	}
	n := 0
	for _, c := range port {
		if c < '0' || c > '9' || n > 65535 {
			return host, port, -1, true
		}
		n = n*10 + int(c-'0')
	}
	if n == 0 || n > 65535 {
		return host, port, -1, true
	}
	return host, port, n, false
}

// appendHost appends host in lower case and without dots at its end.
func appendHost(dst, host []byte) []byte {
	for len(host) > 1 && host[len(host)-1] == '.' {
		host = host[:len(host)-1]
	}
	for _, c := range host {
		dst = append(dst, lower(c))
	}
	return dst
}

// validHost tells whether host is a name or an address in brackets.
func validHost(host []byte) bool {
	if len(host) == 0 || len(host) > 255 {
		return false
	}
	if host[0] == '[' {
		return validIPv6(host)
	}
	label := 0
	for _, c := range host {
		if c == '.' {
			if label == 0 || label > 63 {
				return false
			}
			label = 0
			continue
		}
		if !(c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '-' || c == '_') {
			return false
		}
		label++
	}
	return label <= 63
}

// validIPv6 judges "[...]" without allocating.
func validIPv6(host []byte) bool {
	if len(host) < 4 || host[len(host)-1] != ']' {
		return false
	}
	groups, digits, double := 0, 0, false
	in := host[1 : len(host)-1]
	for i := 0; i < len(in); i++ {
		switch c := in[i]; {
		case c == ':':
			if i+1 < len(in) && in[i+1] == ':' {
				if double {
					return false
				}
				double = true
				i++
			} else if digits == 0 || i+1 == len(in) {
				return false
			}
			if digits > 0 {
				groups++
			}
			digits = 0
		case isHex(c):
			if digits++; digits > 4 {
				return false
			}
		case c == '.':
			// A dotted tail counts as two groups.
			return groups <= 6 && (double || groups == 6)
		default:
			return false
		}
	}
	if digits > 0 {
		groups++
	}
	return groups == 8 || double && groups < 8
}

func lower(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

func hexVal(c byte) byte {
	switch {
	case c <= '9':
		return c - '0'
	case c >= 'a':
		return c - 'a' + 10
	default:
		return c - 'A' + 10
	}
}

// isSpace is C's isspace.
func isSpace(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' }
