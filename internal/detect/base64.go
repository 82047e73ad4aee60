package detect

// base64Mode says what happens to bytes that are not of the alphabet.
type base64Mode uint8

const (
	// base64Lax ends at the first byte that is no base64 (base64_decode; from_base64:
	// mode rfc4648).
	base64Lax base64Mode = iota
	// base64Strict wants nothing but base64 (from_base64: mode strict, RFC 4648).
	base64Strict
	// base64Skip passes over foreign bytes (RFC 2045).
	base64Skip
)

// decodeBase64 appends what d holds in base64 to dst, at most limit bytes. In strict
// mode it returns dst as it was when d is no base64 as a whole.
func decodeBase64(dst, d []byte, mode base64Mode, limit int) []byte {
	start := len(dst)
	var quad [4]byte
	n, pad := 0, 0
	for i, c := range d {
		v := base64Value(c)
		if c == '=' {
			pad++
			if n < 2 {
				// Padding of nothing makes all of it worthless.
				if mode != base64Skip || pad >= 4 {
					return dst[:start]
				}
				continue
			}
			if n+pad >= 4 {
				if mode == base64Strict && i < len(d)-1 {
					return dst[:start]
				}
				break
			}
			continue
		}
		if v < 0 || pad > 0 {
			switch {
			case mode == base64Skip && pad == 0:
				continue
			case mode == base64Strict:
				return dst[:start]
			}
			break
		}
		quad[n] = byte(v)
		if n++; n == 4 {
			if len(dst)-start+3 > limit {
				return dst
			}
			dst = append(dst, quad[0]<<2|quad[1]>>4, quad[1]<<4|quad[2]>>2, quad[2]<<6|quad[3])
			n = 0
		}
	}
	if mode == base64Strict && n > 0 && n+pad != 4 {
		return dst[:start]
	}
	if n >= 2 && len(dst)-start < limit {
		dst = append(dst, quad[0]<<2|quad[1]>>4)
	}
	if n >= 3 && len(dst)-start < limit {
		dst = append(dst, quad[1]<<4|quad[2]>>2)
	}
	return dst
}

func base64Value(c byte) int {
	switch {
	case c >= 'A' && c <= 'Z':
		return int(c - 'A')
	case c >= 'a' && c <= 'z':
		return int(c-'a') + 26
	case c >= '0' && c <= '9':
		return int(c-'0') + 52
	case c == '+':
		return 62
	case c == '/':
		return 63
	}
	return -1
}
