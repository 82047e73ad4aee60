package wire

import "bytes"

// Lines cuts a direction of a stream into lines. The zero value begins at a line.
type Lines struct {
	Scanned int  // bytes at the front known to have no line end
	Discard bool // the rest of a line is passed over
}

// Next cuts the next line off data: with its end, at most most bytes; used is how many
// bytes it takes. Of a longer one the rest is passed over, for which line is nil. long
// tells that most bytes were reached; more that the line's end has not come.
func (l *Lines) Next(data []byte, most int) (line []byte, used int, long, more bool) {
	if l.Discard {
		i := bytes.IndexByte(data, '\n')
		if i < 0 {
			return nil, len(data), false, false
		}
		l.Discard = false
		return nil, i + 1, false, false
	}
	window := data[:min(len(data), most)]
	from := min(l.Scanned, len(window))
	i := bytes.IndexByte(window[from:], '\n')
	switch {
	case i >= 0:
		l.Scanned = 0
		used = from + i + 1
		return window[:used], used, used >= most, false
	case len(data) >= most:
		l.Scanned, l.Discard = 0, true
		return window, len(window), true, false
	}
	l.Scanned = len(data)
	return nil, 0, false, true
}
