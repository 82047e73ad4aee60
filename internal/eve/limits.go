package eve

// Bounds on what one line may hold. Each is there because the value comes from
// the network or from rules, and a consumer or a disk pays for it.
const (
	// MaxLine is the length of one line in bytes. Arkime reads lines below
	// 16 MiB. A longer record is written again without its application-layer
	// part and counted (Writer.Oversize).
	MaxLine = 8 << 20
	// MaxText is the length of a text that rules or files bring (signature,
	// file name, variable value) in bytes; the rest is cut off. File names of
	// HTTP are URLs, which parsers bound by their own limits.
	MaxText = 16 << 10
	// MaxKeys is the number of keys of one object whose keys come from rules or
	// from users. Arkime refuses objects with more than 100 keys.
	MaxKeys = 96
	// MaxItems is the number of elements of one array of names or variables.
	MaxItems = 256
	// MaxPacket is the number of packet bytes in one record: the longest IP
	// packet with its link header.
	MaxPacket = 1 << 17
	// MaxPayload is the number of payload bytes in one record when the
	// configuration asks for more (Suricata: payload-buffer-size, 4 KiB).
	MaxPayload = 1 << 20
	// MaxFiles is the number of files shown in one alert.
	MaxFiles = 64
	// PacketHeaderBytes is what packethdr shows of an anomalous packet (Suricata:
	// 32 bytes).
	PacketHeaderBytes = 32
)
