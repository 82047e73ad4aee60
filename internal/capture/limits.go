package capture

// Bounds of the readers.
const (
	// maxRecord is the longest frame in a capture file, in bytes: the largest snapshot
	// length that libpcap and Wireshark write. A longer one means a corrupt file.
	maxRecord = 256 << 10
	// maxBlock is the longest pcapng block that is not a frame, in bytes (Wireshark: 16
	// MiB). Such blocks are skipped, not kept.
	maxBlock = 16 << 20
	// maxIfaces is the number of interfaces in a pcapng section. Each costs some 64
	// bytes; real files have a handful.
	maxIfaces = 4096
	// maxIfaceName bounds the interface name and description kept, in bytes.
	maxIfaceName = 256
	// fileSlab is how much of a file is read at once, in bytes: large enough that a
	// system call costs nothing per frame, small enough for the cache.
	fileSlab = 512 << 10
	// fileFrames is the number of frames in a batch from a file.
	fileFrames = 256
	// maxIdleReads is how often a source may return nothing, and no error, in a row
	// (bufio: 100).
	maxIdleReads = 100
)
