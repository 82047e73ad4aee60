package ftp

import "bytes"

// number reads the decimal number at the front of b.
func number(b []byte, most int) (n int, rest []byte, ok bool) {
	i := 0
	for ; i < len(b) && b[i] >= '0' && b[i] <= '9'; i++ {
		if n = n*10 + int(b[i]-'0'); n > most {
			return 0, nil, false
		}
	}
	return n, b[i:], i > 0
}

// hostPort reads "h1,h2,h3,h4,p1,p2". Only the port has to be right; whole tells that
// the address is, too.
func hostPort(b []byte) (host [4]byte, whole bool, port uint16, rest []byte, ok bool) {
	whole = true
	for i := range host {
		j := 0
		for ; j < len(b) && b[j] >= '0' && b[j] <= '9'; j++ {
		}
		if j == 0 || j == len(b) || b[j] != ',' {
			return
		}
		n, _, fits := number(b[:j], 255)
		host[i], whole = byte(n), whole && fits
		b = b[j+1:]
	}
	hi, b, ok := number(b, 255)
	if !ok || len(b) == 0 || b[0] != ',' {
		return host, whole, 0, nil, false
	}
	lo, b, ok := number(b[1:], 255)
	return host, whole, uint16(hi<<8 | lo), b, ok
}

// extended reads "|protocol|address|port|" as EPRT has it.
func extended(b []byte) (port uint16, ok bool) {
	b = bytes.TrimLeft(b, " ")
	if len(b) == 0 || b[0] != '|' {
		return 0, false
	}
	for range 2 {
		i := bytes.IndexByte(b[1:], '|')
		if i < 0 {
			return 0, false
		}
		b = b[1+i:]
	}
	n, rest, ok := number(b[1:], 65535)
	return uint16(n), ok && len(rest) > 0 && rest[0] == '|'
}

// passive reads the port of a reply to PASV: six numbers in the first brackets.
func passive(text []byte) (port uint16, ok bool) {
	i := bytes.IndexByte(text, '(')
	if i < 0 {
		return 0, false
	}
	_, _, port, rest, ok := hostPort(text[i+1:])
	return port, ok && len(rest) > 0 && rest[0] == ')'
}

// extendedPassive reads the port of a reply to EPSV: "(|||port|)".
func extendedPassive(text []byte) (port uint16, ok bool) {
	i := bytes.IndexByte(text, '(')
	if i < 0 || !bytes.HasPrefix(text[i+1:], []byte("|||")) {
		return 0, false
	}
	n, rest, ok := number(text[i+4:], 65535)
	return uint16(n), ok && bytes.HasPrefix(rest, []byte("|)"))
}
