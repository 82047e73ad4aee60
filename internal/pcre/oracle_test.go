package pcre_test

import (
	"runtime"
	"sync"
	"testing"
	"unsafe"

	"github.com/ebitengine/purego"

	"mirador/internal/pcre"
)

// oracle is libpcre2-8, loaded when it is installed: the judge of what a pattern means.
type oracle struct {
	compile     func(pattern unsafe.Pointer, n uintptr, options uint32, errcode *int32, erroffset *uintptr, ctx uintptr) uintptr
	free        func(code uintptr)
	jit         func(code uintptr, options uint32) int32
	match       func(code uintptr, subject unsafe.Pointer, n, from uintptr, options uint32, md, ctx uintptr) int32
	newData     func(code uintptr, ctx uintptr) uintptr
	freeData    func(md uintptr)
	ovector     func(md uintptr) unsafe.Pointer
	newContext  func(gctx uintptr) uintptr
	matchLimit  func(ctx uintptr, limit uint32) int32
	depthLimit  func(ctx uintptr, limit uint32) int32
	ctx, strict uintptr
}

const (
	pcre2NoMatch       = -1
	pcre2MatchLimit    = -47
	pcre2NoAutoCapture = 0x2000
	pcre2JITComplete   = 1
)

var loadOracle = sync.OnceValue(func() *oracle {
	for _, name := range []string{"libpcre2-8.so.0", "libpcre2-8.so", "libpcre2-8.dylib"} {
		lib, err := purego.Dlopen(name, purego.RTLD_NOW|purego.RTLD_GLOBAL)
		if err != nil {
			continue
		}
		o := &oracle{}
		purego.RegisterLibFunc(&o.compile, lib, "pcre2_compile_8")
		purego.RegisterLibFunc(&o.free, lib, "pcre2_code_free_8")
		purego.RegisterLibFunc(&o.jit, lib, "pcre2_jit_compile_8")
		purego.RegisterLibFunc(&o.match, lib, "pcre2_match_8")
		purego.RegisterLibFunc(&o.newData, lib, "pcre2_match_data_create_from_pattern_8")
		purego.RegisterLibFunc(&o.freeData, lib, "pcre2_match_data_free_8")
		purego.RegisterLibFunc(&o.ovector, lib, "pcre2_get_ovector_pointer_8")
		purego.RegisterLibFunc(&o.newContext, lib, "pcre2_match_context_create_8")
		purego.RegisterLibFunc(&o.matchLimit, lib, "pcre2_set_match_limit_8")
		purego.RegisterLibFunc(&o.depthLimit, lib, "pcre2_set_depth_limit_8")
		o.ctx = o.newContext(0)
		o.matchLimit(o.ctx, 1_000_000)
		o.strict = o.newContext(0)
		o.matchLimit(o.strict, pcre.DefaultMatchLimit)
		o.depthLimit(o.strict, pcre.DefaultDepthLimit)
		return o
	}
	return nil
})

func needOracle(t testing.TB) *oracle {
	t.Helper()
	o := loadOracle()
	if o == nil {
		t.Skip("libpcre2-8 is not installed; it judges this test (apt-get install libpcre2-8-0)")
	}
	return o
}

// reference is a pattern compiled by the oracle.
type reference struct {
	o    *oracle
	code uintptr
	data uintptr
}

func (o *oracle) flags(f pcre.Flags) uint32 {
	var v uint32
	for _, x := range []struct {
		own pcre.Flags
		ref uint32
	}{
		{pcre.Caseless, 8}, {pcre.Multiline, 0x400}, {pcre.DotAll, 0x20}, {pcre.Extended, 0x80},
		{pcre.Anchored, 0x80000000}, {pcre.DollarEndOnly, 0x10}, {pcre.Ungreedy, 0x40000}, {pcre.NoAutoCapture, pcre2NoAutoCapture},
	} {
		if f&x.own != 0 {
			v |= x.ref
		}
	}
	return v
}

// new compiles pattern; code is PCRE2's error number when it refuses.
func (o *oracle) new(pattern string, f pcre.Flags, jit bool) (r *reference, code, at int) {
	p := append([]byte(pattern), 0)
	opts := o.flags(f)
	if f&pcre.AutoNoCapture != 0 {
		opts |= pcre2NoAutoCapture
	}
	var errcode int32
	var erroff uintptr
	c := o.compile(unsafe.Pointer(&p[0]), uintptr(len(pattern)), opts, &errcode, &erroff, 0)
	if c == 0 && errcode == 115 && f&pcre.AutoNoCapture != 0 && f&pcre.NoAutoCapture == 0 {
		c = o.compile(unsafe.Pointer(&p[0]), uintptr(len(pattern)), o.flags(f), &errcode, &erroff, 0)
	}
	runtime.KeepAlive(p)
	if c == 0 {
		return nil, int(errcode), int(erroff)
	}
	if jit {
		o.jit(c, pcre2JITComplete)
	}
	return &reference{o: o, code: c, data: o.newData(c, 0)}, 0, 0
}

func (r *reference) close() {
	r.o.freeData(r.data)
	r.o.free(r.code)
}

// match returns PCRE2's result and the group offsets, -1 where not set.
func (r *reference) match(data []byte, from int, groups int, strict bool) (rc int, where []int) {
	ctx := r.o.ctx
	if strict {
		ctx = r.o.strict
	}
	subject := append(data[:len(data):len(data)], 0)
	n := r.o.match(r.code, unsafe.Pointer(&subject[0]), uintptr(len(data)), uintptr(from), 0, r.data, ctx)
	runtime.KeepAlive(subject)
	if n < 0 {
		return int(n), nil
	}
	ov := unsafe.Slice((*uintptr)(r.o.ovector(r.data)), 2*(groups+1))
	for i, v := range ov {
		if v == ^uintptr(0) || i/2 >= int(n) {
			where = append(where, -1)
			continue
		}
		where = append(where, int(v))
	}
	return int(n), where
}
