package mime

const (
	// MaxLine is the length of a line without its end above which LongLine is told
	// (RFC 5322 section 2.1.1).
	MaxLine = 998
	// MaxEncodedLine is the same for lines in base64 and quoted-printable (RFC 2045
	// section 6.7).
	MaxEncodedLine = 76
	// MaxHeaderName is the length of a header field's name above which LongHeaderName
	// is told (Suricata's value).
	MaxHeaderName = 75
	// DefaultHeaderValue is the length of a line of a header field's value above which
	// LongHeaderValue is told (Suricata: mime.header-value-depth).
	DefaultHeaderValue = 2000
	// MaxBoundary is the length of a boundary above which LongBoundary is told. RFC
	// 2046 allows 70; Suricata tells from here on.
	MaxBoundary = 254
	// MaxFilename is how much of an attachment's name is kept (Suricata's value).
	MaxFilename = 255

	// maxField is how much of one header field is kept: recipients of a mailing are
	// some hundred lines.
	maxField = 64 << 10
	// maxHeader bounds what is kept of all header fields of one message.
	maxHeader = 512 << 10
	// maxReceived bounds the Received fields kept: RFC 5321 section 6.3 asks servers
	// to stop a message after 100.
	maxReceived = 128
	// MaxNesting bounds multiparts inside multiparts; deeper ones are read as plain
	// bytes. Mail clients nest three or four.
	MaxNesting = 64
	// maxAttachments bounds the names kept per message; the files themselves go on.
	maxAttachments = 512
	// maxURLs and maxURLBytes bound the URLs kept per message.
	maxURLs     = 1024
	maxURLBytes = 256 << 10
	// maxTextLine bounds the line put together for finding URLs; a longer one is
	// searched in pieces.
	maxTextLine = 8 << 10
	// maxParams bounds the parameters looked at in one header field.
	maxParams = 256
)
