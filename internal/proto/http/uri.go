package http

import "bytes"

// uri holds the parts of a request target; nil means absent.
type uri struct {
	scheme, user, pass, host, port, path, query, frag []byte
	hasQuery, hasFrag                                 bool
	badHost                                           bool
	portNum                                           int // -1: none
}

// parseURI splits a request target as Suricata does, not as RFC 3986 asks:
// nothing is refused, and what follows a scheme is an authority with or without
// slashes.
func parseURI(b []byte) (u uri) {
	u.portNum = -1
	if len(b) == 0 {
		return u
	}
	if b[0] != '/' {
		if i := bytes.IndexByte(b, ':'); i >= 0 {
			u.scheme, b = b[:i], b[i+1:]
			b = u.authority(b)
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

// authority takes [//][user[:pass]@]host[:port] off b. Without a host b stays as
// it is.
func (u *uri) authority(b []byte) []byte {
	a, slashes := b, hasPrefix(b, "//")
	if slashes {
		a = a[2:]
	}
	rest := []byte(nil)
	if i := bytes.IndexAny(a, "/?#"); i >= 0 {
		a, rest = a[:i], a[i:]
	}
	if i := bytes.IndexByte(a, '@'); slashes && i >= 0 {
		u.user = a[:i]
		a = a[i+1:]
		if j := bytes.IndexByte(u.user, ':'); j >= 0 {
			u.user, u.pass = u.user[:j], u.user[j+1:]
		}
	}
	host, port, num, bad := splitHostPort(a)
	if len(host) == 0 {
		u.user, u.pass = nil, nil
		return b
	}
	u.host, u.port, u.portNum, u.badHost = host, port, num, bad
	if bad && len(port) == 0 && len(a) > 0 && a[len(a)-1] == ':' {
		// A colon without a port is read as part of the path.
		u.badHost = false
		return b[len(b)-len(rest)-1:]
	}
	return rest
}

// splitHostPort returns host and port of a; num is -1 when there is no port, bad
// tells that something else stands in its place.
func splitHostPort(a []byte) (host, port []byte, num int, bad bool) {
	a = bytes.Trim(a, " \t")
	if len(a) > 0 && a[0] == '[' {
		i := bytes.IndexByte(a, ']')
		if i < 0 {
			return a, nil, -1, true
		}
		host, a = a[:i+1], a[i+1:]
	} else {
		i := bytes.IndexAny(a, ":/?#")
		if i < 0 {
			return a, nil, -1, false
		}
		host, a = a[:i], a[i:]
	}
	if len(a) == 0 {
		return host, nil, -1, false
	}
	if a[0] != ':' {
		return host, nil, -1, true
	}
	port = bytes.Trim(a[1:], " \t")
	if i := bytes.IndexAny(port, "/?#"); i >= 0 {
		port = port[:i]
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

// appendLower appends b in lower case.
func appendLower(dst, b []byte) []byte {
	for _, c := range b {
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
	if n := len(host); n > 1 && host[n-1] == '.' {
		host = host[:n-1]
	}
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
	return label > 0 && label <= 63
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
