package http

import "unicode/utf8"

// fitRun gives the single bytes for consecutive code points; '?' stands for none.
type fitRun struct {
	from rune
	to   string
}

// latinExtendedA are the bytes for U+0100 .. U+017F.
const latinExtendedA = "AaAaAaCcCcCcCcDd?dEeEeEeEeEeGgGgGgGgHhHhIiIiIiIiIi??JjKk?LlLlLl?" +
	"?LlNnNnNn???OoOoOo??RrRrRrSsSsSs??TtTtTtUuUuUuUuUuUuWwYy?Z?Zz???"

// fitRuns returns the rest of the best-fit mapping that Windows uses from Unicode
// to code page 1252 and that IIS applies to paths, in order of code points. What
// it maps to was read off Suricata's normalised URIs.
func fitRuns() []fitRun {
	return []fitRun{
		{0x0180, "b"},
		{0x0197, "I??l"},
		{0x019f, "OOo"},
		{0x01ab, "t??TUu"},
		{0x01b6, "z"},
		{0x01c0, "|??!"},
		{0x01cd, "AaIiOoUuUuUuUuUu?Aa"},
		{0x01e4, "GgGgKkOoOo??j"},
		{0x0261, "g"},
		{0x02b9, "'\"?'"},
		{0x02c4, "^???'??`?_"},
		{0x0300, "`?^~"},
		{0x030e, "\""},
		{0x0331, "__"},
		{0x037e, ";"},
		{0x0393, "G"},
		{0x0398, "T"},
		{0x03a3, "S??F??O"},
		{0x03b1, "a??de"},
		{0x03c0, "p??st?f"},
		{0x04bb, "h"},
		{0x0589, ":"},
		{0x066a, "%"},
		{0x2000, "       "},
		{0x2010, "--"},
		{0x2017, "="},
		{0x2032, "'??`"},
		{0x2044, "/"},
		{0x2074, "45678"},
		{0x207f, "n0123456789"},
		{0x20a7, "P"},
		{0x2102, "C"},
		{0x2107, "E??gHHHh?IILl?N??PPQRRR"},
		{0x2124, "Z???Z?K?BCeeEF?Mo"},
		{0x2212, "-??/\\*??v???8"},
		{0x2223, "|"},
		{0x2229, "n"},
		{0x2236, ":"},
		{0x223c, "~"},
		{0x2261, "=??=="},
		{0x2303, "^"},
		{0x2320, "()"},
		{0x2329, "<>"},
		{0x2500, "-"},
		{0x250c, "+???+???+???+???+"},
		{0x252c, "-"},
		{0x2534, "-"},
		{0x253c, "+"},
		{0x2550, "-?++++++++++++"},
		{0x2564, "------+++"},
		{0x2584, "_"},
		{0x2758, "|"},
		{0x3000, " "},
		{0x3008, "<>"},
		{0x301a, "[]"},
	}
}

// fitter maps code points to single bytes.
type fitter struct {
	runs        []fitRun
	replacement byte
}

// fit returns the single byte that resembles r most.
func (f *fitter) fit(r rune) byte {
	switch {
	case r < 0x100:
		return byte(r)
	case r < 0x180:
		return f.pick(latinExtendedA[r-0x100])
	case r >= 0xff01 && r <= 0xff5e && r != 0xff1f: // full-width forms
		return byte(r - 0xfee0)
	}
	lo, hi := 0, len(f.runs)
	for lo < hi {
		m := (lo + hi) / 2
		switch run := &f.runs[m]; {
		case r < run.from:
			hi = m
		case r >= run.from+rune(len(run.to)):
			lo = m + 1
		default:
			return f.pick(run.to[r-run.from])
		}
	}
	return f.replacement
}

func (f *fitter) pick(c byte) byte {
	if c == '?' {
		return f.replacement
	}
	return c
}

// fitUTF8 maps UTF-8 sequences in b to single bytes, in place. Forms that are
// longer than needed count ("%c0%af" is a slash to some servers). Each sequence
// that is broken off, and each byte that begins none, becomes the replacement;
// but at the end of b one byte of a sequence is forgiven.
func (f *fitter) fitUTF8(b []byte) []byte {
	i := 0
	for i < len(b) && b[i] < utf8.RuneSelf {
		i++
	}
	w := i
	for i < len(b) {
		r, n, ok := decodeLoose(b[i:])
		switch {
		case ok:
			b[w] = f.fit(r)
			w++
		case i+n == len(b) && b[i] >= 0xc0 && b[i] < 0xf5:
			for range n - 1 {
				b[w] = f.replacement
				w++
			}
		default:
			b[w] = f.replacement
			w++
		}
		i += n
	}
	return b[:w]
}

// decodeLoose decodes one sequence and returns its length. When it is broken off,
// n is the number of bytes before the one that does not fit.
func decodeLoose(b []byte) (r rune, n int, ok bool) {
	c := b[0]
	var size int
	switch {
	case c < utf8.RuneSelf:
		return rune(c), 1, true
	case c >= 0xc0 && c < 0xe0:
		r, size = rune(c&0x1f), 2
	case c >= 0xe0 && c < 0xf0:
		r, size = rune(c&0x0f), 3
	case c >= 0xf0 && c < 0xf5:
		r, size = rune(c&0x07), 4
	default:
		return 0, 1, false
	}
	for n = 1; n < size; n++ {
		if n == len(b) || b[n]&0xc0 != 0x80 {
			return 0, n, false
		}
		if n == 1 && (c == 0xed && b[1] >= 0xa0 || c == 0xf4 && b[1] >= 0x90) {
			// A surrogate, or beyond Unicode.
			return 0, 1, false
		}
		r = r<<6 | rune(b[n]&0x3f)
	}
	return r, size, true
}
