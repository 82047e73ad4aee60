// Package body undoes what is done to message bodies on the wire: content
// encodings (gzip, deflate, LZMA, brotli, in several layers) and
// multipart/form-data.
//
// It is for the HTTP parsers and whoever else carries such bodies. It knows no
// header and keeps no body: what is decoded goes straight to a Sink. Decoders are
// fed as bytes arrive, give out what can be decoded so far, and forgive what
// browsers forgive (wrong checksums, odd header flags, a raw stream where zlib
// was announced, plain text where gzip was). Output is bounded against
// compression bombs (limits.go). Sources: RFC 1950, 1951, 1952, 7932, 2046, 7578,
// and the LZMA specification of the public-domain LZMA SDK.
package body

// Encoding is a content encoding.
type Encoding uint8

// The encodings.
const (
	Identity Encoding = iota
	Gzip
	Deflate
	LZMA
	Brotli
)

// Sink takes decoded bytes. They are valid during the call only. BodyData
// returns false when it wants no more of this body.
type Sink interface {
	BodyData(b []byte) bool
}

// Note is a set of things that happened while decoding.
type Note uint8

// The notes.
const (
	// Failed: a layer could not be decoded to its end; the rest of its input was
	// dropped. A body that is not compressed at all is no failure: it goes on as
	// it is.
	Failed Note = 1 << iota
	// Bomb: the output was out of all proportion; decoding was given up.
	Bomb
	// LZMAMemory: an LZMA stream wanted more memory than allowed.
	LZMAMemory
)

// Limits of one body's decoding. The zero value means the defaults.
type Limits struct {
	BombLimit  int64 // bytes; 0: DefaultBombLimit
	LZMAMemory int64 // bytes; 0: DefaultLZMAMemory
}

// Decoder undoes the encodings of one body.
type Decoder struct {
	layers []layer
	sink   Sink
	lim    Limits
	in     uint64
	out    uint64
	work   uint64 // output of all layers
	note   Note
	stop   bool
}

// NewDecoder returns a decoder for a body to which the encodings were applied in
// the order of list (the last one is undone first).
func NewDecoder(list []Encoding, lim Limits, sink Sink) *Decoder {
	if lim.BombLimit == 0 {
		lim.BombLimit = DefaultBombLimit
	}
	if lim.LZMAMemory == 0 {
		lim.LZMAMemory = DefaultLZMAMemory
	}
	d := &Decoder{sink: sink, lim: lim}
	for i := len(list) - 1; i >= 0 && len(d.layers) < MaxLayers; i-- {
		if list[i] != Identity {
			d.layers = append(d.layers, newLayer(list[i]))
		}
	}
	return d
}

// Write decodes in. It returns what happened during this call.
func (d *Decoder) Write(in []byte) Note {
	d.note = 0
	d.in += uint64(len(in))
	if !d.stop {
		d.push(0, in)
	}
	return d.note
}

// Close decodes what was held back for lack of following bytes.
func (d *Decoder) Close() Note {
	d.note = 0
	for i := range d.layers {
		if d.stop {
			break
		}
		d.layers[i].finish(d, i)
	}
	return d.note
}

// Stopped tells that nothing more will come out.
func (d *Decoder) Stopped() bool { return d.stop }

// push gives b to layer i, or to the sink behind the last one.
func (d *Decoder) push(i int, b []byte) {
	if len(b) == 0 || d.stop {
		return
	}
	if i < len(d.layers) {
		d.layers[i].write(d, i, b)
		return
	}
	d.out += uint64(len(b))
	if !d.sink.BodyData(b) {
		d.stop = true
	}
}

// emit passes on what layer i has decoded.
func (d *Decoder) emit(i int, b []byte) {
	d.work += uint64(len(b))
	d.push(i+1, b)
	if d.stop {
		return
	}
	if d.out > uint64(d.lim.BombLimit) && d.out/bombRatio > d.in || d.work > freeWork+workRatio*d.in {
		d.note |= Bomb
		d.stop = true
	}
}
