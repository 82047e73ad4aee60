package magic_test

import (
	"errors"
	"strings"
	"sync"
	"testing"

	"mirador/internal/magic"
)

func open(t *testing.T) *magic.Magic {
	t.Helper()
	m, err := magic.Open()
	if errors.Is(err, magic.ErrNotFound) {
		t.Skip("SKIPPED: libmagic is not installed (Debian package libmagic1)")
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	return m
}

func TestDescribe(t *testing.T) {
	m := open(t)
	for _, c := range []struct {
		name string
		head []byte
		want string
	}{
		{"nothing", nil, ""},
		{"pdf", []byte("%PDF-1.4\n"), "PDF document, version 1.4"},
		{"gif", []byte("GIF89a\x01\x00\x01\x00\x80\x00\x00"), "GIF image data, version 89a, 1 x 1"},
		{"text", []byte("hello world\n"), "ASCII text"},
		{"elf", []byte("\x7fELF\x02\x01\x01\x00"), "ELF 64-bit LSB"},
	} {
		if got := m.Describe(c.head); !strings.HasPrefix(got, c.want) || c.want == "" && got != "" {
			t.Errorf("%s: Describe = %q, want %q", c.name, got, c.want)
		}
	}
}

func TestConcurrentAndClosed(t *testing.T) {
	m := open(t)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				if got := m.Describe([]byte("%PDF-1.7\n")); !strings.HasPrefix(got, "PDF") {
					t.Errorf("Describe = %q", got)
					return
				}
			}
		})
	}
	wg.Wait()
	m.Close()
	if got := m.Describe([]byte("%PDF-1.7\n")); got != "" {
		t.Errorf("after Close: %q", got)
	}
}
