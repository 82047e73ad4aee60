package ruleupdate_test

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"mirador/internal/ruleupdate"
)

// entry is a member of a test archive.
type entry struct {
	name string
	text string
	kind byte // a tar type flag, 0 for a regular file
}

func tarOf(t testing.TB, entries ...entry) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, e := range entries {
		h := &tar.Header{Name: e.name, Mode: 0o644, Typeflag: tar.TypeReg, Size: int64(len(e.text))}
		if e.kind != 0 {
			h.Typeflag, h.Size, h.Linkname = e.kind, 0, "/etc/passwd"
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if h.Size > 0 {
			if _, err := io.WriteString(w, e.text); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func gz(t testing.TB, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func zipOf(t testing.TB, mode os.FileMode, entries ...entry) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, e := range entries {
		h := &zip.FileHeader{Name: e.name, Method: zip.Deflate}
		h.SetMode(mode)
		f, err := w.CreateHeader(h)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(f, e.text); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func rules(sids ...int) string {
	var b strings.Builder
	for _, sid := range sids {
		fmt.Fprintf(&b, "alert tcp any any -> any any (msg:\"rule %d\"; content:\"x%d\"; sid:%d; rev:1;)\n", sid, sid, sid)
	}
	return b.String()
}

// Every form of a source gives the same files.
func TestUnpack(t *testing.T) {
	text := rules(1)
	entries := []entry{{"rules/", "", tar.TypeDir}, {"rules/a.rules", text, 0}, {"rules/classification.config", "c", 0},
		{"rules/LICENSE", "no", 0}, {"rules/emerging-deleted.rules", text, 0}, {"rules/._a.rules", text, 0}}
	want := "rules/a.rules rules/classification.config"
	for _, c := range []struct {
		name string
		data []byte
		want string
	}{
		{"x.tar", tarOf(t, entries...), want},
		{"x.tar.gz", gz(t, tarOf(t, entries...)), want},
		{"x.zip", zipOf(t, 0o644, entries[1:]...), want},
		{"own.rules", []byte(text), "own.rules"},
		{"own.rules.gz", gz(t, []byte(text)), "own.rules"},
		{"download.php", []byte(text), "source.rules"},
		{"", nil, "source.rules"},
	} {
		files, err := ruleupdate.Unpack(c.name, c.data)
		var got []string
		for _, f := range files {
			got = append(got, f.Name)
			if strings.HasSuffix(f.Name, "a.rules") && string(f.Data) != text {
				t.Errorf("Unpack(%s): %s has %q", c.name, f.Name, f.Data)
			}
		}
		if err != nil || strings.Join(got, " ") != c.want {
			t.Errorf("Unpack(%s) = %v, %v, want %s", c.name, got, err, c.want)
		}
	}
}

// An archive with a trick in it is refused as a whole.
func TestUnpackRefuses(t *testing.T) {
	good := entry{"a.rules", rules(1), 0}
	zeros := strings.Repeat("\x00", ruleupdate.RatioFrom+1)
	many := make([]entry, ruleupdate.MaxFiles+1)
	for i := range many {
		many[i] = entry{fmt.Sprintf("%d.txt", i), "", 0}
	}
	packed := gz(t, tarOf(t, good))
	flipped := bytes.Clone(packed)
	flipped[len(flipped)-6] ^= 1
	for _, c := range []struct {
		name string
		data []byte
		want string
	}{
		{"parent", tarOf(t, good, entry{"../a.rules", "x", 0}), "leaves its folder"},
		{"parent inside", tarOf(t, entry{"a/../../a.rules", "x", 0}), "leaves its folder"},
		{"parent that nobody wants", tarOf(t, entry{"../../etc/cron.d/x", "x", 0}), "leaves its folder"},
		{"absolute", tarOf(t, entry{"/etc/a.rules", "x", 0}), "absolute"},
		{"drive", tarOf(t, entry{"C:a.rules", "x", 0}), "absolute"},
		{"backslash", tarOf(t, entry{"..\\a.rules", "x", 0}), "backslash"},
		{"not UTF-8", tarOf(t, entry{"a\xff.rules", "x", 0}), "UTF-8"},
		{"long name", tarOf(t, entry{strings.Repeat("a/", 300) + "a.rules", "x", 0}), "bytes"},
		{"symlink", tarOf(t, good, entry{"b.rules", "", tar.TypeSymlink}), "link"},
		{"hard link", tarOf(t, good, entry{"b.rules", "", tar.TypeLink}), "link"},
		{"device", tarOf(t, entry{"b.rules", "", tar.TypeChar}), "device"},
		{"fifo", tarOf(t, entry{"b.rules", "", tar.TypeFifo}), "special"},
		{"too many", tarOf(t, many...), "members"},
		{"bomb", gz(t, tarOf(t, entry{"a.rules", zeros, 0})), "unpacks to more"},
		{"bomb that nobody wants", gz(t, tarOf(t, entry{"a.bin", zeros, 0})), "unpacks to more"},
		{"bomb without tar", gz(t, []byte(zeros)), "unpacks to more"},
		{"bomb behind the end", gz(t, append(tarOf(t, good), zeros...)), "unpacks to more"},
		{"zip bomb", zipOf(t, 0o644, entry{"a.rules", zeros, 0}), "unpacks to more"},
		{"zip parent", zipOf(t, 0o644, entry{"../a.rules", "x", 0}), "archive is not acceptable"},
		{"zip absolute", zipOf(t, 0o644, entry{"/a.rules", "x", 0}), "archive is not acceptable"},
		{"zip symlink", zipOf(t, 0o777|os.ModeSymlink, entry{"a.rules", "/etc/passwd", 0}), "link"},
		{"cut tar", tarOf(t, good)[:600], "end mark"},
		{"cut in a header", tarOf(t, good)[:520], "end mark"},
		{"cut gzip", packed[:len(packed)-20], "EOF"},
		{"cut in checksum", packed[:len(packed)-3], "EOF"},
		{"wrong checksum", flipped, "checksum"},
		{"cut zip", zipOf(t, 0o644, good)[:60], "zip"},
		{"gzip of nothing", []byte("\x1f\x8b"), "gzip"},
	} {
		files, err := ruleupdate.Unpack("x", c.data)
		if !errors.Is(err, ruleupdate.ErrArchive) || !strings.Contains(err.Error(), c.want) || files != nil {
			t.Errorf("%s: %d files, %v, want %q", c.name, len(files), err, c.want)
		}
	}
}

// A PAX sparse member claims more bytes than the tar has: what is kept is bounded too.
func TestUnpackSparse(t *testing.T) {
	pax := func(k, v string) string {
		n := len(k) + len(v) + 3
		for len(fmt.Sprint(n))+len(k)+len(v)+3 != n {
			n = len(fmt.Sprint(n)) + len(k) + len(v) + 3
		}
		return fmt.Sprintf("%d %s=%s\n", n, k, v)
	}
	size := fmt.Sprint(int64(1) << 40)
	recs := pax("GNU.sparse.major", "0") + pax("GNU.sparse.minor", "1") + pax("GNU.sparse.numblocks", "0") +
		pax("GNU.sparse.size", size) + pax("GNU.sparse.name", "a.rules") + pax("GNU.sparse.map", "")
	head := func(name string, kind byte, size int) []byte {
		b := make([]byte, 512)
		copy(b, name)
		copy(b[100:], "0000644\x000000000\x000000000\x00")
		copy(b[124:], fmt.Sprintf("%011o\x00%011o\x00        ", size, 0))
		b[156] = kind
		copy(b[257:], "ustar\x0000")
		sum := 0
		for _, c := range b {
			sum += int(c)
		}
		copy(b[148:], fmt.Sprintf("%06o\x00 ", sum))
		return b
	}
	block := make([]byte, 512)
	copy(block, recs)
	data := bytes.Join([][]byte{head("pax", 'x', len(recs)), block, head("a.rules", '0', 0), make([]byte, 1024)}, nil)
	// The archive is one that the standard library takes for sparse.
	if h, err := tar.NewReader(bytes.NewReader(data)).Next(); err != nil || h.Size != 1<<40 {
		t.Fatalf("the test's archive: %+v, %v", h, err)
	}
	files, err := ruleupdate.Unpack("x.tar", data)
	if !errors.Is(err, ruleupdate.ErrArchive) || files != nil {
		t.Errorf("%d files, %v", len(files), err)
	}
}

// FuzzUnpack: what comes out of an archive has a harmless name and is bounded, and the
// input is not changed.
func FuzzUnpack(f *testing.F) {
	good := []entry{{"rules/a.rules", rules(1, 2), 0}, {"rules/classification.config", "config classification: a,b,1\n", 0}}
	for _, data := range [][]byte{
		tarOf(f, good...), gz(f, tarOf(f, good...)), zipOf(f, 0o644, good...), []byte(rules(1)), gz(f, []byte(rules(1))),
		tarOf(f, entry{"../a.rules", "x", 0}), tarOf(f, entry{"b.rules", "", tar.TypeSymlink}), zipOf(f, 0o777|os.ModeSymlink, good...),
		gz(f, tarOf(f, good...))[:60], zipOf(f, 0o644, good...)[:80],
	} {
		f.Add("emerging.rules.tar.gz", data)
	}
	f.Fuzz(func(t *testing.T, name string, data []byte) {
		before := bytes.Clone(data)
		files, err := ruleupdate.Unpack(name, data)
		if !bytes.Equal(before, data) {
			t.Fatal("the input was changed")
		}
		if err != nil && (files != nil || !errors.Is(err, ruleupdate.ErrArchive)) {
			t.Fatalf("%d files, %v", len(files), err)
		}
		total := 0
		for _, f := range files {
			total += len(f.Data)
			if strings.HasPrefix(f.Name, "/") || strings.Contains("/"+f.Name+"/", "/../") || strings.ContainsAny(f.Name, "\\\x00") || f.Name == "" {
				t.Fatalf("name %q", f.Name)
			}
		}
		if limit := max(ruleupdate.RatioFrom, len(data)*ruleupdate.MaxRatio); total > limit || len(files) > ruleupdate.MaxFiles {
			t.Fatalf("%d bytes in %d files from %d bytes", total, len(files), len(data))
		}
	})
}
