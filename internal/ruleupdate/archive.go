package ruleupdate

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"unicode/utf8"
)

// File is one file of a source: rules, or a classification.config or
// reference.config beside them.
type File struct {
	// Name is relative, has '/' between its parts and no "..".
	Name string
	Data []byte
}

// ErrArchive is wrapped by every error about the form of an archive: tricks, bombs
// and cut ends.
var ErrArchive = errors.New("archive is not acceptable")

func archiveErr(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrArchive, fmt.Sprintf(format, args...))
}

// Unpack returns the wanted files of data: a tar, a gzipped tar, a zip, gzipped rules
// or plain rules, told apart by content. name is the last part of the URL or path and
// names plain rules. An archive with a member that is a link or a device, or that
// would leave the archive's folder, is refused as a whole, since no honest feed has
// one. The files of zip and tar own their bytes; a plain file shares data.
func Unpack(name string, data []byte) ([]File, error) {
	switch {
	case bytes.HasPrefix(data, []byte("PK\x03\x04")) || bytes.HasPrefix(data, []byte("PK\x05\x06")):
		return unzip(data)
	case bytes.HasPrefix(data, []byte("\x1f\x8b")):
		return gunzip(name, data)
	case isTar(data):
		// Without gzip nothing but the end mark tells a cut tar from a whole one.
		if len(bytes.Trim(data[len(data)-512:], "\x00")) != 0 {
			return nil, archiveErr("tar: it ends without an end mark")
		}
		return untar(newBudget(len(data)), bytes.NewReader(data))
	}
	return []File{{Name: plainName(name), Data: data}}, nil
}

// isTar tells whether b begins with a tar header. The magic of POSIX and GNU differ
// in what follows "ustar".
func isTar(b []byte) bool { return len(b) >= 512 && string(b[257:262]) == "ustar" }

// plainName makes the name of a rule file out of the last part of a URL.
func plainName(name string) string {
	name = strings.TrimSuffix(path.Base(name), ".gz")
	if !strings.HasSuffix(name, ".rules") || checkName(name) != nil {
		return "source.rules"
	}
	return name
}

// budget counts what an archive unpacks to.
type budget struct {
	left  int64 // bytes until MaxUnpacked or MaxRatio is reached
	kept  int64 // the same for what is kept: a sparse member has more bytes than the tar
	files int
}

func newBudget(packed int) *budget {
	limit := min(MaxUnpacked, max(ratioFrom, int64(packed)*MaxRatio))
	return &budget{left: limit, kept: limit}
}

// member counts one more member.
func (b *budget) member(name string) error {
	if b.files++; b.files > MaxFiles {
		return archiveErr("more than %d members", MaxFiles)
	}
	return checkName(name)
}

// checkName refuses names that mean something outside of the archive.
func checkName(name string) error {
	switch {
	case name == "" || len(name) > MaxNameBytes:
		return archiveErr("a member's name has %d bytes", len(name))
	case !utf8.ValidString(name):
		return archiveErr("the name %q is not UTF-8", name)
	case strings.HasPrefix(name, "/"), len(name) > 1 && name[1] == ':':
		return archiveErr("the name %q is absolute", name)
	case strings.ContainsAny(name, "\\\x00"):
		return archiveErr("the name %q has a backslash or a zero byte", name)
	}
	for part := range strings.SplitSeq(name, "/") {
		if part == ".." {
			return archiveErr("the name %q leaves its folder", name)
		}
	}
	return nil
}

// wanted tells whether a member is of use. Rules that a feed has retired
// (deleted.rules) are not, as suricata-update has it.
func wanted(name string) bool {
	base := path.Base(name)
	switch {
	case strings.HasPrefix(base, "."):
		return false
	case base == classFile || base == referenceFile:
		return true
	}
	return strings.HasSuffix(base, ".rules") && !strings.HasSuffix(base, "deleted.rules")
}

// spender reads until the budget is spent.
type spender struct {
	r io.Reader
	b *budget
}

func (s *spender) Read(p []byte) (int, error) {
	if s.b.left <= 0 {
		// The end may be exactly here.
		if n, err := s.r.Read(p[:min(1, len(p))]); n == 0 {
			return 0, err
		}
		return 0, errTooMuch()
	}
	n, err := s.r.Read(p[:min(int64(len(p)), s.b.left)])
	s.b.left -= int64(n)
	return n, err
}

func errTooMuch() error {
	return archiveErr("it unpacks to more than %d bytes, or to more than %d times its size", int64(MaxUnpacked), MaxRatio)
}

func gunzip(name string, data []byte) ([]File, error) {
	z, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, archiveErr("gzip: %v", err)
	}
	b := newBudget(len(data))
	r := &spender{z, b}
	head := make([]byte, 512)
	n, err := io.ReadFull(r, head)
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return nil, unpackErr("gzip", err)
	}
	if isTar(head[:n]) {
		return untar(b, io.MultiReader(bytes.NewReader(head[:n]), r))
	}
	rest, err := io.ReadAll(r)
	if err != nil {
		return nil, unpackErr("gzip", err)
	}
	return []File{{Name: plainName(name), Data: append(head[:n], rest...)}}, nil
}

func unpackErr(what string, err error) error {
	if errors.Is(err, ErrArchive) {
		return err
	}
	return archiveErr("%s: %v", what, err)
}

// untar reads a tar to its end, so that a cut one is noticed. r pays for what is read;
// b counts members.
func untar(b *budget, r io.Reader) ([]File, error) {
	var out []File
	t := tar.NewReader(r)
	for {
		h, err := t.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, unpackErr("tar", err)
		}
		if h.Typeflag == tar.TypeXGlobalHeader {
			continue
		}
		if err := b.member(h.Name); err != nil {
			return nil, err
		}
		switch h.Typeflag {
		case tar.TypeDir:
			continue
		case tar.TypeReg:
		default:
			return nil, archiveErr("%q is a link, a device or another special file (type %q)", h.Name, h.Typeflag)
		}
		if !wanted(h.Name) {
			continue
		}
		data, err := io.ReadAll(io.LimitReader(t, b.kept+1))
		if err != nil {
			return nil, unpackErr("tar", err)
		}
		if b.kept -= int64(len(data)); b.kept < 0 {
			return nil, errTooMuch()
		}
		out = append(out, File{path.Clean(h.Name), data})
	}
	// What follows the end mark is padding, or nothing; gzip's checksum stands behind it.
	if _, err := io.Copy(io.Discard, r); err != nil {
		return nil, unpackErr("gzip", err)
	}
	return out, nil
}

func unzip(data []byte) ([]File, error) {
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return nil, archiveErr("zip: %v", err)
	}
	b := newBudget(len(data))
	var out []File
	for _, f := range z.File {
		if err := b.member(f.Name); err != nil {
			return nil, err
		}
		mode := f.Mode()
		if mode.IsDir() {
			continue
		}
		if !mode.IsRegular() {
			return nil, archiveErr("%q is a link, a device or another special file", f.Name)
		}
		if !wanted(f.Name) {
			continue
		}
		r, err := f.Open()
		if err != nil {
			return nil, archiveErr("zip: %q: %v", f.Name, err)
		}
		data, err := io.ReadAll(&spender{r, b})
		r.Close()
		if err != nil {
			return nil, unpackErr("zip", err)
		}
		out = append(out, File{path.Clean(f.Name), data})
	}
	return out, nil
}
