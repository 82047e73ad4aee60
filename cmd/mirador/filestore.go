package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"os"
	"path/filepath"

	"mirador/internal/sensor"
)

// defaultMaxOpen bounds the files that are being stored at one time.
const defaultMaxOpen = 1000

// addFileStore opens the file store of the configuration below dir.
func (e *engine) addFileStore(o *sensor.Options, dir string) error {
	fs, err := e.flat.FileStore()
	if err != nil || !fs.Enabled {
		return err
	}
	root := fs.Dir
	if !filepath.IsAbs(root) {
		root = filepath.Join(dir, root)
	}
	if err := os.MkdirAll(filepath.Join(root, "tmp"), 0o755); err != nil {
		return fmt.Errorf("make file store: %w", err)
	}
	max := fs.MaxOpen
	if max <= 0 {
		max = defaultMaxOpen
	}
	o.Files.Store = &fileStore{root: root, maxOpen: max, info: fs.WriteFileinfo}
	o.Files.StoreAll = fs.StoreAll
	o.Files.MD5, o.Files.SHA1 = o.Files.MD5 || fs.MD5, o.Files.SHA1 || fs.SHA1
	o.Files.ForceMagic = o.Files.ForceMagic || fs.Magic
	return nil
}

// fileStore keeps files under their SHA-256, as Suricata's file-store version 2
// does: ROOT/ab/abcd.... It belongs to one worker.
type fileStore struct {
	root          string
	maxOpen, open int
	seq           int
	info          bool
}

// Open starts a file in ROOT/tmp.
func (s *fileStore) Open() (sensor.StoredFile, error) {
	if s.open >= s.maxOpen {
		return nil, fmt.Errorf("file store: %d files are open", s.open)
	}
	s.seq++
	f, err := os.CreateTemp(filepath.Join(s.root, "tmp"), fmt.Sprintf("file.%d.*", s.seq))
	if err != nil {
		return nil, err
	}
	s.open++
	return &storedFile{s: s, f: f, sum: sha256.New()}, nil
}

type storedFile struct {
	s   *fileStore
	f   *os.File
	sum hash.Hash
}

func (f *storedFile) Write(b []byte) error {
	f.sum.Write(b)
	_, err := f.f.Write(b)
	return err
}

// Close moves the file to its place. The sum of the stored bytes names it, so that
// the name is right for a file with gaps too.
func (f *storedFile) Close(keep bool, fileinfo []byte, id uint64, at int64) error {
	f.s.open--
	tmp := f.f.Name()
	err := f.f.Close()
	if !keep || err != nil {
		if e := os.Remove(tmp); err == nil {
			err = e
		}
		return err
	}
	name := hex.EncodeToString(f.sum.Sum(nil))
	dir := filepath.Join(f.s.root, name[:2])
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	path := filepath.Join(dir, name)
	if err := os.Rename(tmp, path); err != nil {
		return err
	}
	if !f.s.info || len(fileinfo) == 0 {
		return nil
	}
	return os.WriteFile(fmt.Sprintf("%s.%d.%d.json", path, at/1e9, id), fileinfo, 0o640)
}
