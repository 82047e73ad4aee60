package detect

import (
	"bufio"
	"encoding/hex"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"mirador/internal/proto"
	"mirador/internal/rule"
)

// Keywords about files. Suricata 8 rules/file-keywords.
func fileKeywords() []keyword {
	return []keyword{
		{name: "file.data", aliases: []string{"file_data"}, arg: argNone, setup: setFileData, doc: "bytes of each file"},
		{name: "file.name", arg: argNone, setup: setFileName, doc: "name of each file"},
		{name: "file.magic", arg: argNone, setup: setFileMagic, doc: "type of each file as libmagic words it"},
		{name: "filename", arg: argNeed, setup: setFilename, doc: "content in the name of a file"},
		{name: "fileext", arg: argNeed, setup: setFileext, doc: "extension of the name of a file"},
		{name: "filemagic", arg: argNeed, setup: setFilemagic, doc: "content in the type of a file"},
		{name: "filemd5", arg: argNeed, setup: setFileHash, doc: "MD5 of a file is in a list"},
		{name: "filesha1", arg: argNeed, setup: setFileHash, doc: "SHA-1 of a file is in a list"},
		{name: "filesha256", arg: argNeed, setup: setFileHash, doc: "SHA-256 of a file is in a list"},
		{name: "filesize", arg: argNeed, setup: setFilesize, doc: "size of a file"},
		{name: "filestore", arg: argMaybe, setup: setFilestore, doc: "store the file"},
	}
}

func setFileData(b *builder, _ *rule.Option) error { return b.sticky(b.c.byLabel["file.data"]) }
func setFileName(b *builder, _ *rule.Option) error { return b.sticky(b.c.byLabel["file.name"]) }
func setFileMagic(b *builder, _ *rule.Option) error {
	b.c.needs.magic = true
	return b.sticky(b.c.byLabel["file.magic"])
}

// nameContent adds a content on a file buffer outside of the sticky buffers.
func (b *builder) nameContent(o *rule.Option, buffer, prefix string, ends bool) error {
	q, err := rule.Unquote(o.Value)
	if err != nil {
		return refuse(0, "", "%v", err)
	}
	pat, err := rule.ParsePattern(q.Body)
	if err != nil {
		return refuse(q.Off, "", "%v", err)
	}
	x := op{kind: opContent, flag: flagNocase | flagMoves, pat: prefix + string(pat)}
	if q.Negated {
		x.flag = flagNocase | flagNegated
	}
	if ends {
		x.flag |= flagEndsWith
	}
	i := b.listFor(b.c.byLabel[buffer])
	b.lists[i].ops = append(b.lists[i].ops, x)
	return nil
}

func setFilename(b *builder, o *rule.Option) error { return b.nameContent(o, "file.name", "", false) }
func setFileext(b *builder, o *rule.Option) error  { return b.nameContent(o, "file.name", ".", true) }
func setFilemagic(b *builder, o *rule.Option) error {
	if v := strings.TrimSpace(strings.TrimPrefix(o.Value, "!")); len(v) < 2 || v[0] != '"' || v[len(v)-1] != '"' {
		return refuse(0, "", "the value must stand in double quotes")
	}
	b.c.needs.magic = true
	return b.nameContent(o, "file.magic", "", false)
}

// fileKind says what a fileTest looks at.
type fileKind uint8

const (
	fileSize fileKind = iota
	fileMD5
	fileSHA1
	fileSHA256
	fileStore
)

// fileTest is one condition on one file.
type fileTest struct {
	kind    fileKind
	negated bool
	u       rule.Uint
	list    *hashList
	dirs    uint8 // fileStore: directions whose files are stored
	scope   storeScope
}

// storeScope says which files filestore stores.
type storeScope uint8

const (
	storeFile storeScope = iota
	storeTx
	storeFlow
)

// look tests f. It returns txPending while the answer may still change.
func (t *fileTest) look(f *proto.File) outcome {
	switch t.kind {
	case fileSize:
		if t.u.Match(f.Size) {
			if f.State == proto.FileOpen && (t.u.Op != rule.UintGt && t.u.Op != rule.UintGe) {
				return txPending
			}
			return txYes
		}
		if f.State == proto.FileOpen {
			return txPending
		}
		return txNo
	case fileStore:
		return txYes
	}
	if f.State == proto.FileOpen {
		return txPending
	}
	var h []byte
	switch t.kind {
	case fileMD5:
		h = f.MD5
	case fileSHA1:
		h = f.SHA1
	case fileSHA256:
		h = f.SHA256
	}
	if len(h) == 0 {
		return txNo // cut or with gaps: there is no hash
	}
	found := t.list.has(h)
	if found != t.negated {
		return txYes
	}
	return txNo
}

// hashList is a sorted list of hashes of one length.
type hashList struct {
	size int
	data []byte
}

func (l *hashList) has(h []byte) bool {
	if len(h) != l.size {
		return false
	}
	lo, hi := 0, len(l.data)/l.size
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		switch c := strings.Compare(string(l.data[mid*l.size:(mid+1)*l.size]), string(h)); {
		case c == 0:
			return true
		case c < 0:
			lo = mid + 1
		default:
			hi = mid
		}
	}
	return false
}

func setFileHash(b *builder, o *rule.Option) error {
	t := fileTest{kind: fileMD5}
	size := 16
	n := &b.c.needs
	switch o.Name {
	case "filesha1":
		t.kind, size = fileSHA1, 20
		n.sha1 = true
	case "filesha256":
		t.kind, size = fileSHA256, 32
		n.sha256 = true
	default:
		n.md5 = true
	}
	name := o.Value
	if strings.HasPrefix(name, "!") {
		t.negated = true
		name = strings.TrimSpace(name[1:])
	}
	name = strings.Trim(name, `"`)
	list, err := b.c.hashFile(b.r.File, name, size)
	if err != nil {
		return err
	}
	t.list = list
	b.files = append(b.files, t)
	return nil
}

// ruleFile finds a file that a rule names: beside the rule file, else in RuleDir.
func (c *compiler) ruleFile(rules, name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	p := filepath.Join(filepath.Dir(rules), name)
	if _, err := os.Stat(p); err == nil || c.opt.RuleDir == "" {
		return p
	}
	return filepath.Join(c.opt.RuleDir, name)
}

// hashFile loads a list of hashes, one hex string a line; text behind it and lines
// with '#' are ignored.
func (c *compiler) hashFile(rules, name string, size int) (*hashList, error) {
	path := c.ruleFile(rules, name)
	if l := c.files[path]; l != nil && l.size == size {
		return l, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, refuse(0, "", "open list: %v", err)
	}
	defer f.Close()
	if st, err := f.Stat(); err == nil && st.Size() > maxDatasetFile {
		return nil, refuse(0, "", "list %s is larger than 1 GiB", quote(name))
	}
	var hashes []string
	sc := bufio.NewScanner(f)
	for line := 1; sc.Scan(); line++ {
		t := strings.TrimSpace(sc.Text())
		if t == "" || t[0] == '#' {
			continue
		}
		if len(t) < size*2 {
			return nil, refuse(0, "", "list %s, line %d: not a hash of %d bytes", quote(name), line, size)
		}
		h, err := hex.DecodeString(t[:size*2])
		if err != nil {
			return nil, refuse(0, "", "list %s, line %d: not a hash of %d bytes", quote(name), line, size)
		}
		hashes = append(hashes, string(h))
	}
	if err := sc.Err(); err != nil {
		return nil, refuse(0, "", "read list %s: %v", quote(name), err)
	}
	slices.Sort(hashes)
	hashes = slices.Compact(hashes)
	l := &hashList{size: size, data: []byte(strings.Join(hashes, ""))}
	c.files[path] = l
	return l, nil
}

func setFilesize(b *builder, o *rule.Option) error {
	u, err := rule.ParseUint(o.Value, 64, nil)
	if err != nil {
		return refuse(0, "", "%v", err)
	}
	b.files = append(b.files, fileTest{kind: fileSize, u: u})
	return nil
}

func setFilestore(b *builder, o *rule.Option) error {
	t := fileTest{kind: fileStore, dirs: 0}
	for i, it := range rule.SplitList(o.Value) {
		switch it.Text {
		case "request", "to_server":
			t.dirs = dirBit(proto.ToServer)
		case "response", "to_client":
			t.dirs = dirBit(proto.ToClient)
		case "both":
			t.dirs = bothDirs
		case "file":
			t.scope = storeFile
		case "tx":
			t.scope = storeTx
		case "ssn", "flow":
			t.scope = storeFlow
		default:
			return refuse(it.Off, "", "unknown part %s", quote(it.Text))
		}
		if i > 1 {
			return refuse(it.Off, "", "too many parts")
		}
	}
	b.c.needs.store = true
	b.files = append(b.files, t)
	b.after(&storeAction{t.dirs, t.scope})
	return nil
}

// storeAction marks files to be stored.
type storeAction struct {
	dirs  uint8
	scope storeScope
}

func (a *storeAction) apply(w *Worker) {
	dirs := a.dirs
	if dirs == 0 {
		dirs = dirBit(w.p.Dir)
	}
	if a.scope == storeFlow && w.p.Flow != nil {
		for d := range w.p.Flow.StoreFiles {
			if dirs&(1<<d) != 0 {
				w.p.Flow.StoreFiles[d] = true
			}
		}
	}
	if w.tx == nil {
		return
	}
	for _, f := range w.tx.Base().Files {
		if dirs&dirBit(f.Dir) == 0 {
			continue
		}
		if a.scope != storeFile || w.fileMatched(f) {
			f.Store = true
			if sid := w.rule.rule.SID; !slices.Contains(f.StoreSIDs, sid) && len(f.StoreSIDs) < maxStoreSIDs {
				f.StoreSIDs = append(f.StoreSIDs, sid)
			}
		}
	}
}
