package http

import (
	"fmt"
	"strings"

	"mirador/internal/proto"
	"mirador/internal/proto/body"
)

// bodyOptions say how much of bodies of one direction is kept and inspected.
type bodyOptions struct {
	limit   uint64 // bytes; 0: no limit
	minimal uint64
	window  uint64
}

// uriOptions say how request paths are normalised.
type uriOptions struct {
	backslash   bool // "\" is a separator
	decodeSep   bool // so is "%2f"
	compress    bool // "//" is one separator
	lower       bool
	bestFit     bool // UTF-8 to single bytes
	uEncoding   bool // "%u0041"
	nulRawEnds  bool // a NUL byte ends the path
	nulEncEnds  bool // so does "%00"
	plusQuery   bool // "+" in the query is a space
	doublePath  bool
	doubleQuery bool
	includeAll  bool // http.uri has scheme, user and host
	fitter      fitter

	dropInvalid  bool // "%zz": drop the percent sign instead of keeping it
	forceInvalid bool // "%zz": decode it nevertheless
}

// options are the settings of one server.
type options struct {
	body      [2]bodyOptions
	uri       uriOptions
	metaField int
	layers    int
	lzma      bool
	lim       body.Limits
	inline    bool
	// storeDepth bounds files that are stored, in place of the body limit
	// (Suricata: outputs.file-store.stream-depth); 0: no bound.
	storeDepth uint64
}

func defaults() *options {
	o := &options{
		metaField: defaultMetaField,
		lzma:      true,
		layers:    body.DefaultLayers,
	}
	o.body[proto.ToServer] = bodyOptions{defaultBodyLimit, defaultRequestMinimal, defaultRequestWindow}
	o.body[proto.ToClient] = bodyOptions{defaultBodyLimit, defaultResponseMinimal, defaultResponseWindow}
	o.personality("IDS")
	return o
}

// personality sets how a kind of server reads paths (libhtp's names). It
// returns false for a name it does not know.
func (o *options) personality(name string) bool {
	keep := o.uri
	u := uriOptions{fitter: fitter{fitRuns(), '?'}}
	switch strings.ToUpper(name) {
	case "MINIMAL":
	case "GENERIC":
		u.backslash, u.decodeSep, u.compress = true, true, true
	case "IDS":
		// The path is not turned to lower case, because signatures do not expect
		// it.
		u.backslash, u.decodeSep, u.compress, u.bestFit, u.uEncoding = true, true, true, true, true
	case "IIS_4_0", "IIS_5_0":
		u.backslash, u.compress, u.uEncoding, u.decodeSep = true, true, true, true
	case "IIS_5_1":
		u.backslash, u.decodeSep, u.compress, u.uEncoding = true, true, true, false
	case "IIS_6_0", "IIS_7_0", "IIS_7_5":
		u.backslash, u.decodeSep, u.compress, u.uEncoding = true, true, true, true
	case "APACHE_2":
		u.compress = true
	default:
		return false
	}
	u.doublePath, u.doubleQuery, u.includeAll = keep.doublePath, keep.doubleQuery, keep.includeAll
	u.plusQuery = keep.plusQuery
	o.uri = u
	return true
}

// view reads settings below a prefix and remembers the first mistake.
type view struct {
	s      proto.Settings
	prefix string
	err    error
}

func (v *view) size(key string, to *uint64) {
	if n, ok := v.s.Size(v.prefix + key); ok {
		if n < 0 {
			v.fail(key, "a size cannot be negative")
			return
		}
		*to = uint64(n)
	}
}

func (v *view) bool(key string, to *bool) {
	if b, ok := v.s.Bool(v.prefix + key); ok {
		*to = b
	}
}

func (v *view) fail(key, why string) {
	if v.err == nil {
		v.err = fmt.Errorf("%s%s: %s", v.prefix, key, why)
	}
}

// read changes o by what is set below libhtp.default-config.
func (o *options) read(s proto.Settings, prefix string) error {
	v := &view{s: s, prefix: prefix}
	if p, ok := s.String(prefix + "personality"); ok && !o.personality(p) {
		v.fail("personality", fmt.Sprintf("%q is not known", p))
	}
	for i, name := range [2]string{"request", "response"} {
		v.size(name+"-body-limit", &o.body[i].limit)
		v.size(name+"-body-minimal-inspect-size", &o.body[i].minimal)
		v.size(name+"-body-inspect-window", &o.body[i].window)
	}
	u := &o.uri
	for _, b := range []struct {
		key string
		to  *bool
	}{
		{"double-decode-path", &u.doublePath}, {"double-decode-query", &u.doubleQuery},
		{"uri-include-all", &u.includeAll}, {"query-plusspace-decode", &u.plusQuery},
		{"path-convert-backslash-separators", &u.backslash}, {"path-convert-lowercase", &u.lower},
		{"path-nul-encoded-terminates", &u.nulEncEnds}, {"path-nul-raw-terminates", &u.nulRawEnds},
		{"path-separators-compress", &u.compress}, {"path-separators-decode", &u.decodeSep},
		{"path-u-encoding-decode", &u.uEncoding}, {"path-utf8-convert-bestfit", &u.bestFit},
		{"lzma-enabled", &o.lzma},
	} {
		v.bool(b.key, b.to)
	}
	switch h, _ := s.String(prefix + "path-url-encoding-invalid-handling"); h {
	case "", "preserve_percent":
	case "remove_percent":
		u.dropInvalid = true
	case "decode_invalid":
		u.forceInvalid = true
	default:
		v.fail("path-url-encoding-invalid-handling", fmt.Sprintf("%q is not known", h))
	}
	if c, ok := s.String(prefix + "path-bestfit-replacement-char"); ok && len(c) == 1 {
		u.fitter.replacement = c[0]
	}
	o.readLimits(v)
	return v.err
}

func (o *options) readLimits(v *view) {
	meta := uint64(o.metaField)
	v.size("meta-field-limit", &meta)
	if meta == 0 || meta > maxHeaderBytes {
		v.fail("meta-field-limit", fmt.Sprintf("must be 1 .. %d", maxHeaderBytes))
	}
	o.metaField = int(meta)
	if n, ok := v.s.Int(v.prefix + "response-body-decompress-layer-limit"); ok {
		if n < 0 || n > body.MaxLayers {
			v.fail("response-body-decompress-layer-limit", fmt.Sprintf("must be 0 .. %d", body.MaxLayers))
		}
		o.layers = int(n)
	}
	bomb, mem := uint64(o.lim.BombLimit), uint64(o.lim.LZMAMemory)
	v.size("compression-bomb-limit", &bomb)
	v.size("lzma-memlimit", &mem)
	o.lim = body.Limits{BombLimit: int64(min(bomb, 1<<40)), LZMAMemory: int64(min(mem, 1<<28))}
	switch s, _ := v.s.String(v.prefix + "http-body-inline"); s {
	case "yes", "true", "on":
		o.inline = true
	}
}
