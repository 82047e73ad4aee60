package bittorrentdht

// str takes a byte string (BEP 3).
func str(b []byte) (s, rest []byte, ok bool) {
	n, i := 0, 0
	for i < len(b) && b[i] >= '0' && b[i] <= '9' {
		if n = n*10 + int(b[i]-'0'); n > len(b) {
			return nil, nil, false
		}
		i++
	}
	if i == 0 || i >= len(b) || b[i] != ':' || len(b)-i-1 < n {
		return nil, nil, false
	}
	return b[i+1 : i+1+n], b[i+1+n:], true
}

// integer takes an integer.
func integer(b []byte) (n int64, rest []byte, ok bool) {
	if len(b) < 3 || b[0] != 'i' {
		return 0, nil, false
	}
	i, neg := 1, b[1] == '-'
	if neg {
		i++
	}
	from := i
	for ; i < len(b) && b[i] >= '0' && b[i] <= '9'; i++ {
		if n > 1<<58 {
			return 0, nil, false
		}
		n = n*10 + int64(b[i]-'0')
	}
	if i == from || i >= len(b) || b[i] != 'e' {
		return 0, nil, false
	}
	if neg {
		n = -n
	}
	return n, b[i+1:], true
}

// skip steps over a value.
func skip(b []byte, depth int) (rest []byte, ok bool) {
	if len(b) == 0 || depth > MaxDepth {
		return nil, false
	}
	switch b[0] {
	case 'i':
		_, rest, ok = integer(b)
		return rest, ok
	case 'l', 'd':
		pair := b[0] == 'd'
		for b = b[1:]; len(b) > 0; {
			if b[0] == 'e' {
				return b[1:], true
			}
			if pair {
				if _, b, ok = str(b); !ok {
					return nil, false
				}
			}
			if b, ok = skip(b, depth+1); !ok {
				return nil, false
			}
		}
		return nil, false
	}
	_, rest, ok = str(b)
	return rest, ok
}

// dictionary goes through the dictionary at the start of b. each takes the value of a
// key and returns what follows it.
func dictionary(b []byte, each func(key string, b []byte) ([]byte, bool)) (rest []byte, ok bool) {
	if len(b) == 0 || b[0] != 'd' {
		return nil, false
	}
	for b = b[1:]; len(b) > 0; {
		if b[0] == 'e' {
			return b[1:], true
		}
		key, value, ok := str(b)
		if !ok {
			return nil, false
		}
		if b, ok = each(string(key), value); !ok {
			return nil, false
		}
	}
	return nil, false
}

// text takes a byte string into to.
func text(to *[]byte, b []byte) (rest []byte, ok bool) {
	*to, rest, ok = str(b)
	return rest, ok
}

// read reads a message.
func (t *Tx) read(b []byte) bool {
	var kind []byte
	_, ok := dictionary(b, func(key string, b []byte) ([]byte, bool) {
		var ok bool
		switch key {
		case "t":
			return text(&t.Transaction, b)
		case "v":
			return text(&t.Version, b)
		case "q":
			return text(&t.Query, b)
		case "y":
			return text(&kind, b)
		case "a":
			t.Request = &Body{}
			return t.Request.read(b)
		case "r":
			t.Response = &Body{}
			return t.Response.read(b)
		case "e":
			if len(b) == 0 || b[0] != 'l' {
				return nil, false
			}
			if t.ErrorNum, b, ok = integer(b[1:]); !ok {
				return nil, false
			}
			if t.ErrorMsg, b, ok = str(b); !ok || len(b) == 0 || b[0] != 'e' {
				return nil, false
			}
			t.HasError = true
			return b[1:], true
		}
		return skip(b, 1)
	})
	if !ok || t.Transaction == nil {
		return false
	}
	switch string(kind) {
	case "q":
		return t.Query != nil && t.Request != nil && t.Request.ID != nil
	case "r":
		return t.Response != nil && t.Response.ID != nil
	case "e":
		return t.HasError
	}
	return false
}

// read reads the dictionary of a request or response.
func (x *Body) read(b []byte) ([]byte, bool) {
	return dictionary(b, func(key string, b []byte) (rest []byte, ok bool) {
		switch key {
		case "id":
			return text(&x.ID, b)
		case "target":
			return text(&x.Target, b)
		case "info_hash":
			return text(&x.InfoHash, b)
		case "token":
			return text(&x.Token, b)
		case "nodes":
			return text(&x.Nodes, b)
		case "nodes6":
			return text(&x.Nodes6, b)
		case "implied_port":
			x.Implied, rest, ok = integer(b)
			x.HasImplied = ok
			return rest, ok
		case "port":
			x.Port, rest, ok = integer(b)
			x.HasPort = ok
			return rest, ok
		case "values":
			return x.values(b)
		}
		return skip(b, 2)
	})
}

// values reads a list of peers.
func (x *Body) values(b []byte) ([]byte, bool) {
	if len(b) == 0 || b[0] != 'l' {
		return nil, false
	}
	x.HasValues = true
	for b = b[1:]; len(b) > 0; {
		if b[0] == 'e' {
			return b[1:], true
		}
		s, rest, ok := str(b)
		if !ok {
			return nil, false
		}
		if len(x.Values) < MaxPeers {
			x.Values = append(x.Values, s)
		}
		b = rest
	}
	return nil, false
}
