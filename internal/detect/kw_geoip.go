package detect

import (
	"encoding/binary"
	"strings"

	"mirador/internal/packet"
	"mirador/internal/rule"
)

// geoip. Suricata 8 rules/header-keywords, geoip.
func geoKeywords() []keyword {
	return []keyword{
		{name: "geoip", arg: argNeed, setup: setGeoIP, doc: "country of an IPv4 address (needs a database)"},
	}
}

// geoCheck compares the countries of a packet's addresses. An address of which the
// database knows nothing matches nothing, also when the list is negated.
type geoCheck struct {
	db   *CountryDB
	side repSide
	not  bool
	list []country
}

func (k *geoCheck) one(a *packet.Addr) bool {
	c, ok := k.db.lookup(binary.BigEndian.Uint32(a[12:]))
	if !ok {
		return false
	}
	for _, x := range k.list {
		if x == c {
			return !k.not
		}
	}
	return k.not
}

func (k *geoCheck) match(w *Worker) bool {
	p := w.p.P
	if p.IPVersion != 4 || w.p.Pseudo {
		return false
	}
	switch k.side {
	case repSrc:
		return k.one(&p.Src)
	case repDst:
		return k.one(&p.Dst)
	case repBoth:
		return k.one(&p.Src) && k.one(&p.Dst)
	}
	return k.one(&p.Src) || k.one(&p.Dst)
}

func setGeoIP(b *builder, o *rule.Option) error {
	k := &geoCheck{db: b.c.opt.Countries}
	for i, f := range strings.Split(o.Value, ",") {
		f = strings.TrimSpace(f)
		if i == 0 {
			if side, ok := geoSide(f); ok {
				k.side = side
				continue
			}
		}
		code, not := strings.CutPrefix(f, "!")
		if code = strings.TrimSpace(code); len(code) != 2 {
			return refuse(strings.Index(o.Value, f), "write for example geoip:src,US,CA", "%s is not a country of two letters", quote(f))
		}
		k.not = k.not || not
		k.list = append(k.list, country([]byte(strings.ToUpper(code))))
	}
	if len(k.list) == 0 {
		return refuse(0, "write for example geoip:src,US,CA", "no country given")
	}
	if k.db == nil {
		return refuse(0, "set geoip-database to a MaxMind database", "there is no database of countries")
	}
	b.check(k, false)
	return nil
}

func geoSide(s string) (repSide, bool) {
	switch strings.ToLower(s) {
	case "src":
		return repSrc, true
	case "dst", "dest":
		return repDst, true
	case "both":
		return repBoth, true
	case "any":
		return repAny, true
	}
	return 0, false
}
