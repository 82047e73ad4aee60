package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"sync"

	"mirador/internal/capture"
	"mirador/internal/packet"
)

// maxQuarantine bounds the packets kept: a packet that makes the engine fail once
// may come a million times.
const maxQuarantine = 1000

// quarantine keeps packets that made a station panic, one small pcap each.
type quarantine struct {
	dir string
	log io.Writer

	mu sync.Mutex // guards n
	n  int
}

func newQuarantine(dir string, log io.Writer) *quarantine { return &quarantine{dir: dir, log: log} }

// save writes one packet and says what happened.
func (q *quarantine) save(link packet.Link, data []byte, wireLen int, at int64, why any) {
	q.mu.Lock()
	q.n++
	n := q.n
	q.mu.Unlock()
	if n > maxQuarantine {
		return
	}
	path := filepath.Join(q.dir, fmt.Sprintf("panic-%d-%d.pcap", at, n))
	fmt.Fprintf(q.log, "panic: %v: packet kept in %s; please report it\n%s", why, path, debug.Stack())
	if err := q.write(path, link, data, wireLen, at); err != nil {
		fmt.Fprintf(q.log, "panic: packet not kept: %v\n", err)
	}
}

func (q *quarantine) write(path string, link packet.Link, data []byte, wireLen int, at int64) error {
	if err := os.MkdirAll(q.dir, 0o750); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o640)
	if err != nil {
		return err
	}
	w, err := capture.NewWriter(f, link)
	if err == nil {
		err = w.Write(data, wireLen, at)
	}
	if e := f.Close(); err == nil {
		err = e
	}
	return err
}
