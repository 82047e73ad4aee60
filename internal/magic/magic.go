// Package magic names the type of a file by its first bytes, in the words of
// libmagic ("PE32 executable (GUI) Intel 80386, for MS Windows").
//
// Rules (filemagic, file.magic) and EVE (fileinfo.magic) use these words, so no
// other list of types will do. The library is loaded at run time if the machine
// has it; without it Open fails and rules that ask for magic are refused with a
// hint. It is called for files only when a rule or an output asks.
package magic

import (
	"errors"
	"fmt"
	"sync"
	"unsafe"

	"github.com/ebitengine/purego"
)

// names are the shared library under the names that systems give it.
var names = [...]string{"libmagic.so.1", "libmagic.so", "libmagic.dylib"}

// maxHead bounds the bytes handed to libmagic; its own default is more, but types
// are told by far less.
const maxHead = 1 << 16

// ErrNotFound tells that the machine has no libmagic.
var ErrNotFound = errors.New("libmagic is not installed")

// Magic is an open libmagic. It is safe for concurrent use, one call at a time.
type Magic struct {
	describe func(cookie uintptr, b unsafe.Pointer, n uintptr) string
	close    func(cookie uintptr)

	mu     sync.Mutex // guards cookie: libmagic's handles are for one thread
	cookie uintptr
}

// Open loads libmagic and its database.
func Open() (*Magic, error) {
	var lib uintptr
	for _, n := range names {
		if h, err := purego.Dlopen(n, purego.RTLD_NOW|purego.RTLD_LOCAL); err == nil {
			lib = h
			break
		}
	}
	if lib == 0 {
		return nil, ErrNotFound
	}
	m := &Magic{}
	var open func(flags int32) uintptr
	var load func(cookie uintptr, path unsafe.Pointer) int32
	var fault func(cookie uintptr) string
	for name, fn := range map[string]any{"magic_open": &open, "magic_load": &load, "magic_error": &fault,
		"magic_buffer": &m.describe, "magic_close": &m.close} {
		sym, err := purego.Dlsym(lib, name)
		if err != nil {
			return nil, fmt.Errorf("libmagic: %w", err)
		}
		purego.RegisterFunc(fn, sym)
	}
	if m.cookie = open(0); m.cookie == 0 {
		return nil, errors.New("libmagic: out of memory")
	}
	if load(m.cookie, nil) != 0 {
		err := fmt.Errorf("libmagic: %s", fault(m.cookie))
		m.Close()
		return nil, err
	}
	return m, nil
}

// Describe returns what libmagic says of head, "" when it says nothing.
func (m *Magic) Describe(head []byte) string {
	if len(head) == 0 {
		return ""
	}
	if len(head) > maxHead {
		head = head[:maxHead]
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.cookie == 0 {
		return ""
	}
	return m.describe(m.cookie, unsafe.Pointer(unsafe.SliceData(head)), uintptr(len(head)))
}

// Close frees the library's memory.
func (m *Magic) Close() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.cookie != 0 {
		m.close(m.cookie)
		m.cookie = 0
	}
}
