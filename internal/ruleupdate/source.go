package ruleupdate

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// Named is a source that is known by name.
type Named struct {
	Name    string // "vendor/set", as suricata-update writes it
	URL     string
	Summary string
}

// Sources returns the sources that have names. The first one is the default.
func Sources() []Named {
	return []Named{
		{"et/open", "https://rules.emergingthreats.net/open/suricata-8.0.0/emerging.rules.tar.gz", "Emerging Threats Open"},
	}
}

// SourceError says which source failed. Nothing was changed.
type SourceError struct {
	Source string // without password and query
	Err    error
}

func (e *SourceError) Error() string { return fmt.Sprintf("read source %s: %v", e.Source, e.Err) }

// Unwrap returns the cause.
func (e *SourceError) Unwrap() error { return e.Err }

// fetched is what a source gave.
type fetched struct {
	name   string // for people
	files  []File
	cached bool // the server said that it has nothing newer
}

// errScheme is kept apart for its hint.
var errScheme = errors.New("neither a known name, nor an http(s) address, nor a file or directory")

// read reads one source: a name, a URL, a file or a directory.
func (u *updater) read(ctx context.Context, source string) (fetched, error) {
	for _, n := range Sources() {
		if n.Name == source {
			source = n.URL
		}
	}
	f := fetched{name: source}
	var data []byte
	var err error
	base := filepath.Base(source)
	if loc, perr := url.Parse(source); perr == nil && (loc.Scheme == "http" || loc.Scheme == "https") {
		f.name, base = shown(loc), path.Base(loc.Path)
		data, f.cached, err = u.fetch(ctx, loc)
	} else {
		var st os.FileInfo
		st, err = os.Stat(source)
		switch {
		case errors.Is(err, os.ErrNotExist):
			err = errScheme
		case err == nil && st.IsDir():
			f.files, err = readDir(source)
			if err != nil {
				err = &SourceError{f.name, err}
			}
			return f, err
		case err == nil:
			data, err = readFile(source, MaxDownload)
		}
	}
	if err == nil {
		f.files, err = Unpack(base, data)
	}
	if err != nil {
		return f, &SourceError{f.name, err}
	}
	return f, nil
}

// shown is an address without what may be secret in it: the password and the query,
// where vendors put access codes.
func shown(loc *url.URL) string {
	u := *loc
	if u.RawQuery != "" {
		u.RawQuery = "xxxxx"
	}
	return u.Redacted()
}

// readFile reads a regular file of bounded size.
func readFile(name string, limit int64) ([]byte, error) {
	st, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if !st.Mode().IsRegular() {
		return nil, fmt.Errorf("%q is not a regular file", name)
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = fmt.Errorf("%q has more than %d bytes", name, limit)
	}
	return data, err
}

// readDir reads the rule files of a directory, not of those below it.
func readDir(dir string) ([]File, error) {
	list, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var out []File
	left := int64(MaxUnpacked)
	for _, e := range list {
		if e.IsDir() || !wanted(e.Name()) {
			continue
		}
		if len(out) >= MaxFiles {
			return nil, fmt.Errorf("more than %d files", MaxFiles)
		}
		data, err := readFile(filepath.Join(dir, e.Name()), left)
		if err != nil {
			return nil, err
		}
		left -= int64(len(data))
		out = append(out, File{e.Name(), data})
	}
	return out, nil
}

// cacheInfo is what is kept about a download, so that the next one may be spared.
type cacheInfo struct {
	ETag         string `json:"etag,omitempty"`
	LastModified string `json:"last_modified,omitempty"`
	SHA256       string `json:"sha256"`
}

// fetch downloads loc, or takes the copy from the last time when the server says that
// it is still good.
func (u *updater) fetch(ctx context.Context, loc *url.URL) (data []byte, cached bool, err error) {
	key := sha256.Sum256([]byte(loc.String()))
	stem := filepath.Join(u.o.Dir, cacheDir, hex.EncodeToString(key[:16]))
	u.stems[filepath.Base(stem)] = true
	info, old := readCache(stem)

	ctx, cancel := context.WithTimeout(ctx, FetchTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, loc.String(), nil)
	if err != nil {
		return nil, false, hideURL(err)
	}
	req.Header.Set("User-Agent", "mirador")
	if old != nil && !u.o.Force {
		if info.ETag != "" {
			req.Header.Set("If-None-Match", info.ETag)
		}
		if info.LastModified != "" {
			req.Header.Set("If-Modified-Since", info.LastModified)
		}
	}
	resp, err := u.client.Do(req)
	if err != nil {
		return nil, false, hideURL(err)
	}
	defer resp.Body.Close()
	switch {
	case resp.StatusCode == http.StatusNotModified && old != nil && !u.o.Force:
		return old, true, nil
	case resp.StatusCode != http.StatusOK:
		return nil, false, fmt.Errorf("the server answers %q", resp.Status)
	case resp.ContentLength > u.o.MaxDownload:
		return nil, false, fmt.Errorf("it has %d bytes, more than %d", resp.ContentLength, u.o.MaxDownload)
	}
	data, err = io.ReadAll(io.LimitReader(resp.Body, u.o.MaxDownload+1))
	if err != nil {
		return nil, false, fmt.Errorf("after %d bytes: %w", len(data), err)
	}
	if int64(len(data)) > u.o.MaxDownload {
		return nil, false, fmt.Errorf("it has more than %d bytes", u.o.MaxDownload)
	}
	sum := sha256.Sum256(data)
	u.downloads = append(u.downloads, download{stem, data, cacheInfo{
		ETag: resp.Header.Get("ETag"), LastModified: resp.Header.Get("Last-Modified"), SHA256: hex.EncodeToString(sum[:]),
	}})
	return data, false, nil
}

// download waits to be kept until the update it belongs to has been accepted: a copy
// that is no good must be fetched anew.
type download struct {
	stem string
	data []byte
	info cacheInfo
}

// hideURL takes the address out of an error of net/http: it may hold an access code,
// and the error above names the source anyway.
func hideURL(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

// readCache returns the copy of a download, or nil when there is none or it is not
// what was written.
func readCache(stem string) (cacheInfo, []byte) {
	var info cacheInfo
	b, err := readFile(stem+".json", maxInfoBytes)
	if err != nil || json.Unmarshal(b, &info) != nil || info.ETag == "" && info.LastModified == "" {
		return cacheInfo{}, nil
	}
	data, err := readFile(stem+".data", MaxDownload)
	if err != nil {
		return cacheInfo{}, nil
	}
	sum := sha256.Sum256(data)
	if hex.EncodeToString(sum[:]) != info.SHA256 {
		return cacheInfo{}, nil
	}
	return info, data
}

// keepDownloads writes the copies, and removes those of sources that are gone. Losing one costs a download, no more, so that
// nothing is synced here; readCache notices halves.
func (u *updater) keepDownloads() error {
	dir := filepath.Join(u.o.Dir, cacheDir)
	list, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("keep download: %w", err)
	}
	for _, e := range list {
		if !u.stems[strings.TrimSuffix(e.Name(), filepath.Ext(e.Name()))] {
			if err := os.RemoveAll(filepath.Join(dir, e.Name())); err != nil {
				return fmt.Errorf("remove old download: %w", err)
			}
		}
	}
	for i := range u.downloads {
		d := &u.downloads[i]
		b, err := json.Marshal(d.info)
		if err != nil {
			return fmt.Errorf("keep download: %w", err)
		}
		if err := os.WriteFile(d.stem+".data", d.data, 0o600); err != nil {
			return fmt.Errorf("keep download: %w", err)
		}
		if err := os.WriteFile(d.stem+".json", b, 0o600); err != nil {
			return fmt.Errorf("keep download: %w", err)
		}
	}
	return nil
}

// newClient makes the client for fetches: bounded redirects, none from https to http,
// and no unpacking on the way, since Content-Encoding would be one more place for a
// bomb.
func newClient(base http.RoundTripper) *http.Client {
	if base == nil {
		t := http.DefaultTransport.(*http.Transport).Clone()
		t.DisableCompression = true
		t.ResponseHeaderTimeout = HeaderTimeout
		base = t
	}
	return &http.Client{Transport: base, CheckRedirect: func(r *http.Request, via []*http.Request) error {
		if len(via) > MaxRedirects {
			return fmt.Errorf("more than %d redirects", MaxRedirects)
		}
		if s := strings.ToLower(r.URL.Scheme); s != "https" && (s != "http" || via[0].URL.Scheme == "https") {
			return fmt.Errorf("redirected to %q, which is not safe", s)
		}
		return nil
	}}
}
