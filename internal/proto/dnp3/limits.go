package dnp3

const (
	// MaxApplication bounds a reassembled application message, in bytes: what the
	// sequence numbers of the transport layer can tell apart, 63 segments of at most
	// 255 bytes.
	MaxApplication = 63 * 255
	// defaultMaxTx is how many messages of one flow may wait before it counts as a
	// flood (setting max-tx).
	defaultMaxTx = 32
	// defaultMaxPoints bounds the points of a message that are looked at (setting
	// max-points).
	defaultMaxPoints = 16384
	// defaultMaxObjects bounds the objects of a message (setting max-objects).
	defaultMaxObjects = 2048
)
