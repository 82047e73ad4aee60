package dns

import "strconv"

// Resource record types that are looked into.
const (
	typeA     = 1
	typeNS    = 2
	typeCNAME = 5
	typeSOA   = 6
	typeNULL  = 10
	typePTR   = 12
	typeMX    = 15
	typeTXT   = 16
	typeAAAA  = 28
	typeSRV   = 33
	typeOPT   = 41
	typeSSHFP = 44
)

// rrTypes returns the types that EVE shows by name, out of IANA's "Resource
// Record (RR) TYPEs"; Suricata shows all others as numbers.
func rrTypes() []typeName {
	return []typeName{
		{1, "A"}, {2, "NS"}, {3, "MD"}, {4, "MF"}, {5, "CNAME"}, {6, "SOA"}, {7, "MB"}, {8, "MG"}, {9, "MR"},
		{10, "NULL"}, {11, "WKS"}, {12, "PTR"}, {13, "HINFO"}, {14, "MINFO"}, {15, "MX"}, {16, "TXT"},
		{17, "RP"}, {18, "AFSDB"}, {19, "X25"}, {20, "ISDN"}, {21, "RT"}, {22, "NSAP"}, {23, "NSAPPTR"},
		{24, "SIG"}, {25, "KEY"}, {26, "PX"}, {27, "GPOS"}, {28, "AAAA"}, {29, "LOC"}, {30, "NXT"}, {33, "SRV"},
		{34, "ATMA"}, {35, "NAPTR"}, {36, "KX"}, {37, "CERT"}, {38, "A6"}, {39, "DNAME"}, {41, "OPT"},
		{42, "APL"}, {43, "DS"}, {44, "SSHFP"}, {45, "IPSECKEY"}, {46, "RRSIG"}, {47, "NSEC"}, {48, "DNSKEY"},
		{49, "DHCID"}, {50, "NSEC3"}, {51, "NSEC3PARAM"}, {52, "TLSA"}, {55, "HIP"}, {59, "CDS"},
		{60, "CDNSKEY"}, {65, "HTTPS"}, {99, "SPF"}, {249, "TKEY"}, {250, "TSIG"}, {254, "MAILA"}, {255, "ANY"},
		{256, "URI"},
	}
}

// moreTypes returns the types that rules and settings may name besides.
func moreTypes() []typeName {
	return []typeName{
		{31, "EID"}, {32, "NIMLOC"}, {40, "SINK"}, {53, "SMIMEA"}, {56, "NINFO"}, {57, "RKEY"}, {58, "TALINK"},
		{61, "OPENPGPKEY"}, {62, "CSYNC"}, {63, "ZONEMD"}, {64, "SVCB"}, {108, "EUI48"}, {109, "EUI64"},
		{251, "IXFR"}, {252, "AXFR"}, {253, "MAILB"}, {257, "CAA"}, {258, "AVC"}, {259, "DOA"},
		{260, "AMTRELAY"}, {32768, "TA"}, {32769, "DLV"},
	}
}

type typeName struct {
	num  uint16
	name string
}

// vocabulary turns numbers into names. One is made per protocol row and only
// read.
type vocabulary struct {
	types [257]string
	lower [257]string
}

func newVocabulary() *vocabulary {
	v := &vocabulary{}
	for _, t := range rrTypes() {
		v.types[t.num] = t.name
		v.lower[t.num] = lower(t.name)
	}
	return v
}

func lower(s string) string {
	b := []byte(s)
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}

// rrType returns the mnemonic of t, its number when it has none.
func (v *vocabulary) rrType(t uint16) string {
	if int(t) < len(v.types) && v.types[t] != "" {
		return v.types[t]
	}
	return strconv.Itoa(int(t))
}

// rrTypeLower is rrType in lower case.
func (v *vocabulary) rrTypeLower(t uint16) string {
	if int(t) < len(v.lower) && v.lower[t] != "" {
		return v.lower[t]
	}
	return strconv.Itoa(int(t))
}

// rcodes are IANA's "DNS RCODEs" that fit the header.
func rcodes() []string {
	return []string{
		"NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED", "YXDOMAIN", "YXRRSET",
		"NXRRSET", "NOTAUTH", "NOTZONE",
	}
}

func rcodeName(names []string, r uint8) string {
	if int(r) < len(names) {
		return names[r]
	}
	return strconv.Itoa(int(r))
}
