package mime

import "bytes"

// textScan finds URLs in lines. Lines that come in pieces are put together first.
type textScan struct {
	m   *Message
	buf []byte
}

// write takes a line, or a piece of one; eol tells that the line ends with b.
func (t *textScan) write(b []byte, eol bool) {
	if len(t.buf) > 0 || !eol {
		if len(t.buf)+len(b) > maxTextLine {
			t.flush()
		}
		if len(b) <= maxTextLine {
			t.buf = append(t.buf, b...)
			if eol {
				t.flush()
			}
			return
		}
	}
	t.search(b)
}

// stream takes decoded bytes; line ends are in them and do not become part of a URL.
func (t *textScan) stream(b []byte) {
	for len(b) > 0 {
		i := bytes.IndexByte(b, '\n')
		if i < 0 {
			t.write(b, false)
			return
		}
		t.write(b[:i], true)
		b = b[i+1:]
	}
}

// flush searches what has been gathered.
func (t *textScan) flush() {
	if len(t.buf) > 0 {
		t.search(t.buf)
		t.buf = t.buf[:0]
	}
}

// search finds the URLs of the wanted schemes in line, scheme by scheme.
func (t *textScan) search(line []byte) {
	if !bytes.Contains(line, []byte("://")) {
		return
	}
	for _, scheme := range t.m.opt.Schemes {
		for from := 0; ; {
			i := bytes.Index(line[from:], []byte("://"))
			if i < 0 {
				break
			}
			at := from + i // of "://"
			start := at - len(scheme)
			if start < from || !equalFold(line[start:at], scheme) {
				from = at + 3
				continue
			}
			end := at + 3
			for end < len(line) && !endsURL(line[end]) {
				end++
			}
			if !t.m.opt.LogScheme {
				start = at + 3
			}
			t.m.addURL(line[start:end])
			from = end
		}
	}
}

// endsURL tells whether c is not part of a URL. Line ends are: Suricata shows the
// last URL of a line with them.
func endsURL(c byte) bool {
	switch c {
	case ' ', '\t', '"', '\'', '<', '>', ']':
		return true
	}
	return false
}

func (m *Message) addURL(u []byte) {
	if len(m.URLs) >= maxURLs || m.urlSize+len(u) > maxURLBytes {
		m.Skipped++
		return
	}
	m.urlSize += len(u)
	m.URLs = append(m.URLs, clone(u))
}
