package sensor

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"hash"

	"mirador/internal/detect"
	"mirador/internal/eve"
	"mirador/internal/proto"
)

const (
	// maxOpenFiles bounds the files tracked at once by one worker.
	maxOpenFiles = 4096
	// fileKeep is how many bytes of a file stay in memory behind what detection has
	// looked at (windows of rules that look back).
	fileKeep = 64 << 10
	// magicLen is how many bytes of a file its magic is taken from.
	magicLen = 4096
)

// FileOptions say what is computed for files, beside what rules ask for.
type FileOptions struct {
	MD5, SHA1, SHA256 bool
	Magic             func(head []byte) string // nil: no magic
	ForceMagic        bool
	Store             FileStore // nil: no store
	StoreAll          bool
}

// FileStore keeps the files that rules ask for.
type FileStore interface {
	// Open starts a file; its chunks and end follow through the returned value.
	Open() (StoredFile, error)
}

// StoredFile is a file being stored.
type StoredFile interface {
	Write(b []byte) error
	// Close keeps the file under its hash, or drops it when keep is false.
	// fileinfo is its record, id its number and at the time (Unix nanoseconds).
	Close(keep bool, fileinfo []byte, id uint64, at int64) error
}

// fileHashes is which hashes this worker computes.
type fileHashes struct{ md5, sha1, sha256, magic bool }

// track is what the sensor knows of one proto.File.
type track struct {
	md5, sha1, sha256 hash.Hash
	sums              eve.File
	hashed            uint64 // absolute offset up to which hashes have read
	head              []byte
	id                uint64
	store             StoredFile
	done              bool
}

// trackFiles brings the trackers of all live files up to date before detection.
func (w *Worker) trackFiles(e *entry, dir proto.Dir) {
	for _, tx := range e.V.app.Awake() {
		for _, f := range tx.Base().Files {
			w.track(f)
		}
	}
}

func (w *Worker) track(f *proto.File) {
	t, _ := f.Tracker.(*track)
	if t == nil {
		if w.filesOpen >= maxOpenFiles {
			w.Stats.FilesUntracked++
			return
		}
		w.filesOpen++
		w.fileSeq++
		w.Stats.Files++
		t = &track{id: w.fileSeq}
		if w.hash.md5 {
			t.md5 = md5.New()
		}
		if w.hash.sha1 {
			t.sha1 = sha1.New()
		}
		if w.hash.sha256 || w.opt.Files.Store != nil {
			t.sha256 = sha256.New()
		}
		f.Tracker = t
	}
	if t.done {
		return
	}
	end := f.DataOff + uint64(len(f.Data))
	if t.hashed < f.DataOff {
		t.hashed = f.DataOff
	}
	if t.hashed < end {
		w.chunk(f, t, f.Data[t.hashed-f.DataOff:])
		t.hashed = end
	}
	if f.State != proto.FileOpen {
		w.closeTrack(f, t)
	}
}

// chunk takes new bytes of f into hashes, magic and the store.
func (w *Worker) chunk(f *proto.File, t *track, b []byte) {
	for _, h := range [...]hash.Hash{t.md5, t.sha1, t.sha256} {
		if h != nil {
			h.Write(b)
		}
	}
	if room := magicLen - len(t.head); room > 0 && w.opt.Files.Magic != nil {
		t.head = append(t.head, b[:min(room, len(b))]...)
		if w.hash.magic {
			f.Magic = w.opt.Files.Magic(t.head)
		}
	}
	if t.store != nil {
		if err := t.store.Write(b); err != nil {
			w.Stats.FileStoreErrors++
			t.store.Close(false, nil, 0, 0)
			t.store = nil
		}
	}
}

func (w *Worker) closeTrack(f *proto.File, t *track) {
	t.done = true
	if f.Gaps && f.State == proto.FileClosed {
		f.State = proto.FileTruncated
	}
	if f.State != proto.FileClosed {
		// Only the hash that names stored files is told of a part.
		named := t.store != nil || f.Store || w.opt.Files.StoreAll
		if t.sha256 != nil && w.forceSHA256 && (!f.Cut || named) {
			f.SHA256 = t.sha256.Sum(nil)
		}
		return
	}
	if t.md5 != nil {
		f.MD5 = t.md5.Sum(nil)
	}
	if t.sha1 != nil {
		f.SHA1 = t.sha1.Sum(nil)
	}
	if t.sha256 != nil {
		f.SHA256 = t.sha256.Sum(nil)
	}
}

// releaseFiles logs the files that ended and lets go of bytes that nobody needs.
func (w *Worker) releaseFiles(e *entry, dir proto.Dir) {
	for _, tx := range e.V.app.Awake() {
		for _, f := range tx.Base().Files {
			t, _ := f.Tracker.(*track)
			if t == nil || f.Dir != dir && !w.final {
				continue // detection sees it with a packet of its direction
			}
			w.wantStored(f, t)
			if f.State != proto.FileOpen && !f.Logged {
				w.logFile(e, tx, f, t)
			}
			if n := len(f.Data) - fileKeep; n > fileKeep || f.Logged && n > 0 {
				f.DataOff += uint64(n)
				f.Data = append(f.Data[:0], f.Data[n:]...)
			}
		}
	}
}

// wantStored opens the store for a file that a rule asked for.
func (w *Worker) wantStored(f *proto.File, t *track) {
	if w.opt.Files.Store == nil || t.store != nil || t.sums.Stored || !(f.Store || w.opt.Files.StoreAll) || f.Logged {
		return
	}
	s, err := w.opt.Files.Store.Open()
	if err != nil {
		w.Stats.FileStoreErrors++
		return
	}
	// What has passed is still in f.Data when the rule matched early enough.
	if f.DataOff > 0 {
		w.Stats.FileStoreErrors++
		s.Close(false, nil, 0, 0)
		t.sums.Stored = false
		f.Store = false
		return
	}
	t.store = s
	if err := s.Write(f.Data); err != nil {
		w.Stats.FileStoreErrors++
	}
}

// logFile writes the fileinfo record of f and ends its tracking.
func (w *Worker) logFile(e *entry, tx proto.Tx, f *proto.File, t *track) {
	f.Logged = true
	w.filesOpen--
	if !t.done {
		w.closeTrack(f, t)
	}
	p := w.dp.P
	h := w.txHeader(p, e, nil, f.Dir)
	w.app(h, e.V.app)
	rec := w.fileRecord(f, t)
	if t.store != nil {
		rec.Stored = true
		t.sums.Stored = true
	}
	var line []byte
	for i := range w.outs {
		o := &w.outs[i]
		from := len(o.buf)
		o.buf = o.w.FileInfo(o.buf, h, e.V.app, tx, rec)
		if line == nil {
			line = o.buf[from:]
		}
	}
	if t.store != nil {
		if err := t.store.Close(true, line, t.id, p.Time); err != nil {
			w.Stats.FileStoreErrors++
		}
		w.Stats.FilesStored++
		t.store = nil
	}
}

// fileRecord describes f as events show it.
func (w *Worker) fileRecord(f *proto.File, t *track) *eve.File {
	rec := &w.fileBuf
	*rec = eve.File{Name: f.Name, Gaps: f.Gaps, State: f.State, Size: f.Size, TxID: f.TxID,
		HasRange: f.HasRange, Start: f.RangeStart, End: f.RangeEnd, MD5: f.MD5, SHA1: f.SHA1, SIDs: f.StoreSIDs}
	rec.SHA256 = f.SHA256
	if f.Magic != "" {
		rec.Magic = f.Magic
	}
	if t != nil {
		rec.FileID = t.id
		rec.Storing = t.store != nil
	}
	return rec
}

// filesOf lists the files of tx that an alert shows.
func (w *Worker) filesOf(tx proto.Tx, a *detect.Alert) []eve.File {
	list := w.filesBuf[:0]
	for _, f := range tx.Base().Files {
		if len(list) >= eve.MaxFiles {
			break
		}
		if f.Dir != w.dp.Dir {
			continue // the alert is about what the packet's side sent
		}
		t, _ := f.Tracker.(*track)
		list = append(list, *w.fileRecord(f, t))
	}
	w.filesBuf = list
	return list
}

// endFiles closes the open files of a flow that ends.
func (w *Worker) endFiles(e *entry) {
	for _, tx := range e.V.app.Txs {
		for _, f := range tx.Base().Files {
			if f.State == proto.FileOpen {
				f.Cut = true
				f.Close(proto.FileTruncated)
			}
			w.track(f)
		}
	}
}
