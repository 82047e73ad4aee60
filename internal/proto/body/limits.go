package body

// Bounds of the decoders and of the multipart parser.
const (
	// windowSize is the farthest a deflate match may reach back (RFC 1951).
	windowSize = 32 << 10
	// firstRoom is what an inflater allocates at first; most bodies are small,
	// so the full 64 kB come only with the need.
	firstRoom = 4 << 10
	// maxRoom is the history plus as much room for new output.
	maxRoom = 2 * windowSize
	// maxHead bounds the input kept while nothing has been decoded yet, so that
	// it can be passed on as it is when it turns out not to be compressed. A
	// gzip header with a name, the longest lawful preamble, is far smaller.
	maxHead = 8 << 10
	// sureOutput is how much output a decoder that only guesses the format must
	// produce without an error before any of it is believed.
	sureOutput = 256
	// DefaultLayers is the number of encodings undone for one body (Suricata:
	// response-body-decompress-layer-limit).
	DefaultLayers = 2
	// MaxLayers bounds what can be configured.
	MaxLayers = 8
	// DefaultBombLimit is the output below which no ratio is too high (Suricata:
	// compression-bomb-limit).
	DefaultBombLimit = 1 << 20
	// bombRatio is the ratio of output to input above which a body larger than
	// the bomb limit is given up (libhtp: 2048).
	bombRatio = 2048
	// freeWork and workRatio bound the output of all layers together: freeWork
	// bytes, and workRatio times the input beyond that. It stands in for a time
	// limit, because this room has no clock (Suricata: decompression-time-limit,
	// 100 ms).
	freeWork  = 8 << 20
	workRatio = 64
	// DefaultLZMAMemory bounds the dictionary of an LZMA stream (Suricata:
	// lzma-memlimit).
	DefaultLZMAMemory = 1 << 20
	// maxBrotliWindow is the largest window, as a power of two, that a brotli
	// stream may ask for. Encoders default to 22 (4 MB); 24 would let each
	// stream of a peer cost 16 MB.
	maxBrotliWindow = 22
	// lzmaLookahead is how many bytes one LZMA symbol can take at most.
	lzmaLookahead = 21
	// lzmaMatch is room for the longest match, 273 bytes.
	lzmaMatch = 512
	// lzmaStep is the output after which a piece is passed on.
	lzmaStep = 8 << 10
	// brotliStep is the size of the pieces taken from the brotli decoder.
	brotliStep = 8 << 10

	// MaxBoundary is the longest multipart boundary (RFC 2046 says 70; Suricata
	// takes 200).
	MaxBoundary = 200
	// maxPartHeader bounds the header block of one part.
	maxPartHeader = 32 << 10
	// maxParts is how many parts of one file can be on their way or waiting.
	maxParts = 1024
	// setCost and partCost are what a file and a part weigh against the memcap
	// besides their bytes.
	setCost  = 256
	partCost = 128
	// MaxName is the longest file name kept.
	MaxName = 4 << 10
)
