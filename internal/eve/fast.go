package eve

import (
	"strconv"
)

// Fast makes the lines of fast.log: one line an alert, as Snort wrote them. It
// is not safe for concurrent use.
type Fast struct {
	IPv6Compress bool
	time         stamp
}

// Append appends the line of a, with h in the direction of the packet. Control
// characters of the rule's texts become dots, so that a line stays a line.
func (f *Fast) Append(dst []byte, h *Header, a *Alert) []byte {
	r := a.Rule
	if r == nil {
		return dst
	}
	dst = f.stamp(dst, h.Time)
	dst = append(dst, "  "...)
	if a.Blocked {
		dst = append(dst, "[Drop] "...)
	}
	dst = append(dst, "[**] ["...)
	dst = strconv.AppendUint(dst, uint64(r.GID), 10)
	dst = append(dst, ':')
	dst = strconv.AppendUint(dst, uint64(r.SID), 10)
	dst = append(dst, ':')
	dst = strconv.AppendUint(dst, uint64(r.Rev), 10)
	dst = append(dst, "] "...)
	if r.Msg == "" {
		dst = append(dst, "(null)"...)
	} else {
		dst = appendPlain(dst, r.Msg)
	}
	dst = append(dst, " [**] [Classification: "...)
	if r.Category == "" {
		dst = append(dst, "(null)"...)
	} else {
		dst = appendPlain(dst, r.Category)
	}
	dst = append(dst, "] [Priority: "...)
	dst = strconv.AppendInt(dst, int64(r.Priority), 10)
	dst = append(dst, "] {"...)
	t := &h.Tuple
	if t.Version == 0 {
		dst = append(dst, "NON-IP} "...)
		return append(dst, '\n')
	}
	dst = appendProto(dst, t.Proto)
	dst = append(dst, "} "...)
	dst = appendIP(dst, &t.Src, t.Version, f.IPv6Compress)
	dst = append(dst, ':')
	sp, dp := t.SrcPort, t.DstPort
	if h.HasICMP {
		sp, dp = uint16(h.ICMPType), uint16(h.ICMPCode)
	}
	dst = strconv.AppendUint(dst, uint64(sp), 10)
	dst = append(dst, " -> "...)
	dst = appendIP(dst, &t.Dst, t.Version, f.IPv6Compress)
	dst = append(dst, ':')
	dst = strconv.AppendUint(dst, uint64(dp), 10)
	return append(dst, '\n')
}

// stamp appends the time as 01/02/2006-15:04:05.000000.
func (f *Fast) stamp(dst []byte, nanos int64) []byte {
	var b [40]byte
	s := f.time.append(b[:0], nanos) // 2006-01-02T15:04:05.000000+0000
	dst = append(dst, s[5:7]...)
	dst = append(dst, '/')
	dst = append(dst, s[8:10]...)
	dst = append(dst, '/')
	dst = append(dst, s[0:4]...)
	dst = append(dst, '-')
	return append(dst, s[11:26]...)
}

func appendPlain(dst []byte, s string) []byte {
	for i := 0; i < min(len(s), MaxText); i++ {
		c := s[i]
		if c < 0x20 || c == 0x7f {
			c = '.'
		}
		dst = append(dst, c)
	}
	return dst
}
