package smb

import "unicode/utf8"

// part returns the size bytes at offset off of b.
func part(b []byte, off, size int) ([]byte, bool) {
	if off < 0 || size < 0 || off > len(b) || len(b)-off < size {
		return nil, false
	}
	return b[off : off+size], true
}

// dense turns UTF-16 text into bytes as Suricata does in SMB2: all that are not zero.
// Rules with ASCII contents match. It copies.
func dense(b []byte) []byte {
	out := make([]byte, 0, min(len(b), MaxName)/2+1)
	for _, c := range b[:min(len(b), MaxName)] {
		if c != 0 && len(out) < MaxName/2 {
			out = append(out, c)
		}
	}
	return out
}

// narrow turns UTF-16 text into bytes as Suricata does in SMB1: of each unit the low
// byte. It ends at the first zero unit and copies.
func narrow(b []byte) []byte {
	out := make([]byte, 0, min(len(b), MaxName)/2+1)
	for i := 0; i < len(b) && len(out) < MaxName/2; i += 2 {
		if b[i] == 0 && (i+1 >= len(b) || b[i+1] == 0) {
			break
		}
		out = append(out, b[i])
	}
	return out
}

// zstring returns a copy of b up to its first zero byte, and how long it is with
// that.
func zstring(b []byte) (s []byte, used int) {
	for i, c := range b {
		if c == 0 {
			return clip(b[:i]), i + 1
		}
	}
	return clip(b), len(b)
}

// wstring is zstring for UTF-16.
func wstring(b []byte) (s []byte, used int) {
	for i := 0; i+1 < len(b); i += 2 {
		if b[i] == 0 && b[i+1] == 0 {
			return narrow(b[:i]), i + 2
		}
	}
	return narrow(b), len(b)
}

// lossy returns b with bytes that are not UTF-8 replaced, as EVE shows names of SMB.
func lossy(b []byte) []byte {
	if utf8.Valid(b) {
		return b
	}
	out := make([]byte, 0, len(b)+8)
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		out = utf8.AppendRune(out, r)
		b = b[n:]
	}
	return out
}

// clip copies at most MaxName bytes of b.
func clip(b []byte) []byte {
	if len(b) == 0 {
		return nil
	}
	return append([]byte(nil), b[:min(len(b), MaxName)]...)
}

// unixTime turns a count of 100 ns since 1601 into Unix seconds of 32 bits, 0 when
// before 1970.
func unixTime(t uint64) uint64 {
	const offset = 11644473600
	if s := t / 10000000; s > offset {
		return (s - offset) & (1<<32 - 1)
	}
	return 0
}
