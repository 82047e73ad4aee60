package ssh

const (
	// LongBanner is the length of a banner line, in bytes with its end, above
	// which the event long_banner is set (RFC 4253 section 4.2 allows 255).
	LongBanner = 256
	// MaxBanner is how much of a banner line is kept.
	MaxBanner = 2048
	// MaxKex is the largest key exchange record looked at. RFC 4253 asks for
	// 35000 bytes to be accepted; Suricata takes 65535.
	MaxKex = 65535
	// maxLogged is the longest version string written to EVE; the rest is
	// counted.
	maxLogged = 256
)
