package mirror

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"strings"
)

// Prefixes of ids. AWS: EC2 API; the part after it is 17 hexadecimal digits, in old
// accounts 8.
const (
	prefixTarget  = "tmt-"
	prefixFilter  = "tmf-"
	prefixRule    = "tmfr-"
	prefixSession = "tms-"
)

// ResourceTypeOf returns the name that TagSpecification.ResourceType and DescribeTags
// have for objects with such an id: traffic-mirror-target, traffic-mirror-filter,
// traffic-mirror-filter-rule, traffic-mirror-session; "" for other ids.
func ResourceTypeOf(id string) string {
	for _, k := range [...][2]string{
		{prefixTarget, "traffic-mirror-target"}, {prefixFilter, "traffic-mirror-filter"},
		{prefixRule, "traffic-mirror-filter-rule"}, {prefixSession, "traffic-mirror-session"},
	} {
		if strings.HasPrefix(id, k[0]) {
			return k[1]
		}
	}
	return ""
}

// WellFormedID tells whether id is prefix ("eni-") and 8 or 17 lower-case hexadecimal
// digits.
func WellFormedID(prefix, id string) bool {
	s, ok := strings.CutPrefix(id, prefix)
	return ok && (len(s) == 8 || len(s) == 17) && strings.Trim(s, "0123456789abcdef") == ""
}

func (b *Book) random(p []byte) {
	if b.o.Random != nil {
		b.o.Random(p)
		return
	}
	rand.Read(p) // never fails
}

// newID returns an id that no object has. Random bytes that come again, which a test's
// source may give, are counted up.
func (b *Book) newID(prefix string) string {
	var r [9]byte
	b.random(r[:])
	for {
		id := prefix + hex.EncodeToString(r[:])[:17]
		if !b.Has(id) {
			return id
		}
		binary.BigEndian.PutUint64(r[:8], binary.BigEndian.Uint64(r[:8])+1)
	}
}

// newVNI returns a VNI from 1 on that no session has.
func (b *Book) newVNI() uint32 {
	used := make(map[uint32]bool, len(b.sessions))
	for _, s := range b.sessions {
		used[s.VNI] = true
	}
	var r [4]byte
	b.random(r[:])
	v := binary.BigEndian.Uint32(r[:]) & MaxVNI
	for v == 0 || used[v] { // ends: quotas leave most of the 24 bits free
		v = (v + 1) & MaxVNI
	}
	return v
}
