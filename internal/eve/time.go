package eve

// stamp formats times as EVE wants them and remembers the last second, because
// most events of one moment share it.
type stamp struct {
	sec  int64
	text [19]byte // 2006-01-02T15:04:05
	set  bool
}

// append appends t as 2006-01-02T15:04:05.000000+0000. Arkime reads the offset
// at bytes 26 to 30, so the form never varies: microseconds, UTC, no colon, no Z.
func (s *stamp) append(b []byte, nanos int64) []byte {
	sec, frac := nanos/1e9, nanos%1e9
	if frac < 0 {
		sec, frac = sec-1, frac+1e9
	}
	if !s.set || s.sec != sec {
		s.sec, s.set = sec, true
		s.fill(sec)
	}
	b = append(b, s.text[:]...)
	b = append(b, '.')
	us := frac / 1000
	for div := int64(100000); div > 0; div /= 10 {
		b = append(b, byte('0'+us/div%10))
	}
	return append(b, "+0000"...)
}

// fill writes the date and time of Unix second sec into s.text. Years outside
// 0..9999 cannot come from a capture file (32-bit seconds, or 64-bit ones that
// the reader bounds); they are clamped so that the form stays.
func (s *stamp) fill(sec int64) {
	const minSec, maxSec = -62167219200, 253402300799
	sec = min(max(sec, minSec), maxSec)
	days, rest := sec/86400, sec%86400
	if rest < 0 {
		days, rest = days-1, rest+86400
	}
	y, m, d := civil(days)
	t := &s.text
	put4(t[0:4], y)
	t[4] = '-'
	put2(t[5:7], m)
	t[7] = '-'
	put2(t[8:10], d)
	t[10] = 'T'
	put2(t[11:13], int(rest/3600))
	t[13] = ':'
	put2(t[14:16], int(rest/60%60))
	t[16] = ':'
	put2(t[17:19], int(rest%60))
}

// civil converts days since 1970-01-01 to a date of the proleptic Gregorian
// calendar, counting years from March so that the leap day is the last one.
func civil(days int64) (year, month, day int) {
	days += 719468 // 0000-03-01
	era := days / 146097
	if days < 0 {
		era = (days - 146096) / 146097
	}
	doe := days - era*146097
	yoe := (doe - doe/1460 + doe/36524 - doe/146096) / 365
	doy := doe - (365*yoe + yoe/4 - yoe/100)
	mp := (5*doy + 2) / 153
	day = int(doy - (153*mp+2)/5 + 1)
	month = int(mp + 3)
	if month > 12 {
		month -= 12
	}
	year = int(yoe + era*400)
	if month <= 2 {
		year++
	}
	return year, month, day
}

func put2(b []byte, v int) { b[0], b[1] = byte('0'+v/10%10), byte('0'+v%10) }

func put4(b []byte, v int) { put2(b, v/100); put2(b[2:], v%100) }
