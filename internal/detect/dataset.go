package detect

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// setType is what a dataset holds.
type setType uint8

const (
	setUnknown setType = iota
	setString
	setMD5
	setSHA256
	setIPv4
	setIP // IPv4 and IPv6
)

func parseSetType(s string) (setType, bool) {
	switch s {
	case "string":
		return setString, true
	case "md5":
		return setMD5, true
	case "sha256":
		return setSHA256, true
	case "ipv4":
		return setIPv4, true
	case "ip", "ipv6":
		return setIP, true
	}
	return setUnknown, false
}

type setFormat uint8

const (
	formatCSV setFormat = iota
	formatJSON
	formatLines
)

// setSpec is what a rule or the configuration says of a dataset.
type setSpec struct {
	name      string
	kind      setType
	load      string
	save      string
	state     bool // save is loaded too
	memcap    uint64
	format    setFormat
	valueKey  string
	arrayKey  string
	removeKey bool
	subdomain bool
	rep       bool
}

// static tells of a set that rules only read: it is loaded anew at every engine swap.
func (sp *setSpec) static() bool { return sp.load != "" && sp.save == "" }

// setVal is what is known of a member.
type setVal struct {
	rep  uint16
	json []byte
}

// dataset is a set of byte strings. Readers and writers of all workers share it: it
// is split over locks by the first bytes' hash.
type dataset struct {
	spec   setSpec
	kind   setType
	shards [shards]setShard
	max    int // bytes per shard
}

type setShard struct {
	mu    sync.RWMutex // guards both
	m     map[string]setVal
	bytes int
}

// key brings data into the form members have; ok is false when it cannot be one.
func (d *dataset) key(data []byte) ([]byte, bool) {
	switch d.kind {
	case setString:
		return data, true
	case setMD5:
		return data, len(data) == 16
	case setSHA256:
		return data, len(data) == 32
	case setIPv4:
		return data, len(data) == 4
	}
	return data, len(data) == 4 || len(data) == 16
}

func (d *dataset) shard(k []byte) *setShard { return &d.shards[hashBytes(k)%shards] }

// hashBytes is FNV-1a (draft-eastlake-fnv), to spread keys over shards.
func hashBytes(b []byte) uint32 {
	h := uint32(2166136261)
	for _, c := range b {
		h = (h ^ uint32(c)) * 16777619
	}
	return h
}

func (d *dataset) get(data []byte) (setVal, bool) {
	k, ok := d.key(data)
	if !ok {
		return setVal{}, false
	}
	s := d.shard(k)
	s.mu.RLock()
	v, ok := s.m[string(k)]
	s.mu.RUnlock()
	return v, ok
}

// add puts data in the set; it returns false when it was there already or there is
// no room.
func (d *dataset) add(data []byte, full *fullCounts) bool {
	k, ok := d.key(data)
	if !ok {
		return false
	}
	err := d.put(k, setVal{})
	if err == errSetFull {
		full.datasets.Add(1)
	}
	return err == nil
}

var (
	errSetHas  = errors.New("is in the set already")
	errSetFull = errors.New("set has reached its memory limit")
)

// setOverhead is about what a map entry costs besides its key.
const setOverhead = 64

func (d *dataset) put(k []byte, v setVal) error {
	s := d.shard(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, have := s.m[string(k)]; have {
		return errSetHas
	}
	n := len(k) + len(v.json) + setOverhead
	if s.bytes+n > d.max {
		return errSetFull
	}
	if s.m == nil {
		s.m = make(map[string]setVal)
	}
	s.m[string(k)] = v
	s.bytes += n
	return nil
}

func (d *dataset) remove(data []byte) bool {
	k, ok := d.key(data)
	if !ok {
		return false
	}
	s := d.shard(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	v, have := s.m[string(k)]
	if have {
		delete(s.m, string(k))
		s.bytes -= len(k) + len(v.json) + setOverhead
	}
	return have
}

// dataset returns the set that sp asks for, making and loading it when it is new.
func (s *Shared) dataset(sp *setSpec) (*dataset, error) {
	s.setsMu.Lock()
	defer s.setsMu.Unlock()
	if d := s.sets[sp.name]; d != nil && (!d.spec.static() || s.fresh[sp.name]) {
		if sp.kind != setUnknown && sp.kind != d.kind {
			return nil, refuse(0, "", "dataset %s has another type already", quote(sp.name))
		}
		if sp.load != "" && d.spec.load != "" && sp.load != d.spec.load || sp.save != "" && d.spec.save != "" && sp.save != d.spec.save {
			return nil, refuse(0, "", "dataset %s has another file already", quote(sp.name))
		}
		return d, nil
	}
	if sp.kind == setUnknown {
		return nil, refuse(0, "", "dataset %s is not defined, and type is missing", quote(sp.name))
	}
	d := &dataset{spec: *sp, kind: sp.kind, max: DefaultDatasetBytes / shards}
	if sp.memcap > 0 {
		d.max = int(min(sp.memcap, 1<<40) / shards)
	}
	path := sp.load
	if path == "" && sp.state {
		path = sp.save
	}
	if path != "" {
		err := d.load(path)
		if err != nil && !(sp.state && errors.Is(err, os.ErrNotExist)) {
			return nil, refuse(0, "", "load dataset %s: %v", quote(sp.name), err)
		}
	}
	s.sets[sp.name] = d
	s.fresh[sp.name] = true
	return d, nil
}

// load reads the file at path into d.
func (d *dataset) load(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if st, err := f.Stat(); err == nil && st.Size() > maxDatasetFile {
		return fmt.Errorf("file is larger than 1 GiB")
	}
	if d.spec.format == formatJSON {
		data, err := io.ReadAll(io.LimitReader(f, maxDatasetFile))
		if err != nil {
			return err
		}
		return d.loadJSON(data)
	}
	r := bufio.NewReaderSize(f, 64<<10)
	found := 0
	for line := 1; ; line++ {
		text, err := r.ReadString('\n')
		if t := strings.TrimSpace(text); t != "" {
			if err := d.line(t); err != nil {
				return fmt.Errorf("line %d: %w", line, err)
			}
			found++
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
	}
	if d.spec.format == formatLines && found == 0 {
		return fmt.Errorf("no member with key %q", d.spec.valueKey)
	}
	return nil
}

// line reads one line of a CSV or line-by-line JSON file.
func (d *dataset) line(t string) error {
	if d.spec.format == formatLines {
		var obj json.RawMessage
		if err := json.Unmarshal([]byte(t), &obj); err != nil {
			return err
		}
		return d.member(obj)
	}
	text, rep, has := strings.Cut(t, ",")
	var v setVal
	if d.spec.rep {
		n, err := strconv.ParseUint(strings.TrimSpace(rep), 10, 16)
		if !has || err != nil {
			return fmt.Errorf("reputation is missing")
		}
		v.rep = uint16(n)
	}
	k, err := d.decode(strings.TrimSpace(text), true)
	if err != nil {
		return err
	}
	return d.tolerant(d.put(k, v))
}

// tolerant lets a member that is listed twice pass.
func (d *dataset) tolerant(err error) error {
	if errors.Is(err, errSetHas) {
		return nil
	}
	return err
}

// decode reads a member as text. In CSV files strings are in base64.
func (d *dataset) decode(s string, csv bool) ([]byte, error) {
	switch d.kind {
	case setString:
		if !csv {
			return []byte(s), nil
		}
		return base64.StdEncoding.DecodeString(s)
	case setMD5, setSHA256:
		b, err := hex.DecodeString(s)
		if err != nil {
			return nil, err
		}
		if want := map[setType]int{setMD5: 16, setSHA256: 32}[d.kind]; len(b) != want {
			return nil, fmt.Errorf("hash has %d bytes, not %d", len(b), want)
		}
		return b, nil
	}
	a, err := netip.ParseAddr(s)
	if err != nil {
		return nil, err
	}
	a = a.Unmap()
	if d.kind == setIPv4 && !a.Is4() {
		return nil, fmt.Errorf("%s is not an IPv4 address", s)
	}
	return a.AsSlice(), nil
}

// loadJSON reads one JSON document: an array of members, or an object with the array
// at array_key.
func (d *dataset) loadJSON(data []byte) error {
	var doc json.RawMessage
	if err := json.Unmarshal(data, &doc); err != nil {
		return err
	}
	if d.spec.arrayKey != "" {
		var ok bool
		if doc, ok = jsonAt(doc, d.spec.arrayKey); !ok {
			return fmt.Errorf("no array at key %q", d.spec.arrayKey)
		}
	}
	var list []json.RawMessage
	if err := json.Unmarshal(doc, &list); err != nil {
		return fmt.Errorf("members are not in an array")
	}
	found := 0
	for _, m := range list {
		if d.member(m) == nil {
			found++
		}
	}
	if found == 0 {
		return fmt.Errorf("no member with key %q", d.spec.valueKey)
	}
	return nil
}

// jsonAt walks down the dotted path in doc.
func jsonAt(doc json.RawMessage, path string) (json.RawMessage, bool) {
	for _, key := range strings.Split(path, ".") {
		var obj map[string]json.RawMessage
		if json.Unmarshal(doc, &obj) != nil {
			return nil, false
		}
		var ok bool
		if doc, ok = obj[key]; !ok {
			return nil, false
		}
	}
	return doc, true
}

// member adds one JSON object.
func (d *dataset) member(obj json.RawMessage) error {
	raw, ok := jsonAt(obj, d.spec.valueKey)
	if !ok {
		return fmt.Errorf("no key %q", d.spec.valueKey)
	}
	var text string
	if err := json.Unmarshal(raw, &text); err != nil {
		return err
	}
	k, err := d.decode(text, false)
	if err != nil {
		return err
	}
	if d.spec.removeKey {
		if obj, err = jsonWithout(obj, strings.Split(d.spec.valueKey, ".")); err != nil {
			return err
		}
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, obj); err != nil {
		return err
	}
	return d.tolerant(d.put(k, setVal{json: compact.Bytes()}))
}

// jsonWithout returns obj without the value at path; the other members keep their
// order.
func jsonWithout(obj json.RawMessage, path []string) (json.RawMessage, error) {
	dec := json.NewDecoder(bytes.NewReader(obj))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return nil, fmt.Errorf("member is not an object")
	}
	out := []byte{'{'}
	for dec.More() {
		t, err := dec.Token()
		if err != nil {
			return nil, err
		}
		key, _ := t.(string)
		var val json.RawMessage
		if err := dec.Decode(&val); err != nil {
			return nil, err
		}
		if key == path[0] {
			if len(path) == 1 {
				continue
			}
			if val, err = jsonWithout(val, path[1:]); err != nil {
				return nil, err
			}
		}
		name, _ := json.Marshal(key)
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(append(append(out, name...), ':'), val...)
	}
	return append(out, '}'), nil
}

// SaveDatasets writes the sets that rules save, each aside and then in place of the
// old file. It returns what went wrong, one error a set.
func (s *Shared) SaveDatasets() []error {
	s.setsMu.Lock()
	defer s.setsMu.Unlock()
	var errs []error
	for name, d := range s.sets {
		if d.spec.save == "" {
			continue
		}
		if err := d.write(d.spec.save); err != nil {
			errs = append(errs, fmt.Errorf("save dataset %q: %w", name, err))
		}
	}
	return errs
}

func (d *dataset) write(path string) error {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	w := bufio.NewWriter(f)
	var lines []string
	for i := range d.shards {
		s := &d.shards[i]
		s.mu.RLock()
		for k, v := range s.m {
			line := d.text([]byte(k))
			if d.spec.rep {
				line += "," + strconv.Itoa(int(v.rep))
			}
			lines = append(lines, line)
		}
		s.mu.RUnlock()
	}
	// In a fixed order, so that the same set gives the same file.
	slices.SortFunc(lines, func(a, b string) int { return strings.Compare(b, a) })
	for _, l := range lines {
		w.WriteString(l)
		w.WriteByte('\n')
	}
	if err := errors.Join(w.Flush(), f.Chmod(0o644), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// text is a member in the form of a CSV file.
func (d *dataset) text(k []byte) string {
	switch d.kind {
	case setString:
		return base64.StdEncoding.EncodeToString(k)
	case setMD5, setSHA256:
		return hex.EncodeToString(k)
	}
	a, _ := netip.AddrFromSlice(k)
	if d.kind == setIP && a.Is4() {
		// Suricata keeps sets of type ip in IPv6 form.
		return a.String()
	}
	return a.String()
}
