package ruleupdate_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"mirador/internal/rule"
	"mirador/internal/ruleupdate"
)

// feed is a server of one rule set.
type feed struct {
	*httptest.Server
	handle func(w http.ResponseWriter, r *http.Request)
}

func newFeed(t *testing.T) *feed {
	f := &feed{}
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { f.handle(w, r) }))
	t.Cleanup(f.Close)
	return f
}

// serve makes the feed answer with data.
func (f *feed) serve(data []byte) {
	f.handle = func(w http.ResponseWriter, _ *http.Request) { w.Write(data) }
}

func options(t *testing.T, sources ...string) ruleupdate.Options {
	return ruleupdate.Options{Dir: t.TempDir(), Sources: sources, Now: time.Unix(1700000000, 0)}
}

// update expects that the update works.
func update(t *testing.T, o ruleupdate.Options) *ruleupdate.Result {
	t.Helper()
	r, err := ruleupdate.Update(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// inUse returns the text of all rules that a sensor would read.
func inUse(t *testing.T, dir string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, ruleupdate.Current, "*.rules"))
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "%s:\n%s", filepath.Base(name), text)
	}
	return b.String()
}

// tree lists versions and leftovers.
func tree(t *testing.T, dir string) string {
	t.Helper()
	var out []string
	list, err := os.ReadDir(filepath.Join(dir, "versions"))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range list {
		out = append(out, e.Name())
	}
	return strings.Join(out, " ")
}

func sids(list []ruleupdate.Change) []uint32 {
	var out []uint32
	for _, c := range list {
		out = append(out, c.SID)
	}
	return out
}

// The difference names every rule once, and the files keep their names.
func TestUpdateDiff(t *testing.T) {
	f := newFeed(t)
	o := options(t, f.URL+"/emerging.rules.tar.gz")
	o.MaxLoss = 0.5
	class := "config classification: a,b,1\n"
	f.serve(gz(t, tarOf(t, entry{"rules/b.rules", "# a comment\n" + rules(1, 2, 3, 4, 5) + "#" + rules(6), 0}, entry{"rules/classification.config", class, 0})))
	r := update(t, o)
	if r.From != 0 || r.Version != 1 || !r.Switched || r.Rules != 6 || r.Enabled != 5 || len(r.Diff.Added) != 6 {
		t.Errorf("first update: %+v", r)
	}
	if got := inUse(t, o.Dir); !strings.HasPrefix(got, "b.rules:\nalert tcp") || strings.Count(got, "\n") != 7 {
		t.Errorf("in use:\n%s", got)
	}
	if b, err := os.ReadFile(filepath.Join(o.Dir, "current", "classification.config")); string(b) != class {
		t.Errorf("classification.config: %q, %v", b, err)
	}
	next := strings.Replace(rules(2, 3, 4, 6, 7), "sid:2; rev:1", "sid:2; rev:9", 1)
	next = strings.Replace(next, `"x3"`, `"y3"`, 1) + "#" + rules(5)
	f.serve([]byte(next))
	r = update(t, o)
	d := r.Diff
	got := fmt.Sprint(sids(d.Added), sids(d.Removed), sids(d.Changed), sids(d.Enabled), sids(d.Disabled), r.Lost)
	if got != "[7] [1] [2 3] [6] [5] 2" || r.From != 1 {
		t.Errorf("difference %s", got)
	}
	if c := d.Changed[0]; c.OldRev != 1 || c.NewRev != 9 || c.Msg != "rule 2" {
		t.Errorf("changed: %+v", c)
	}
}

// A set that loses half of the rules is not taken, unless by force; a list that
// disables them is no loss.
func TestUpdateLoss(t *testing.T) {
	f := newFeed(t)
	o := options(t, f.URL)
	o.MaxLoss = 0.3
	f.serve([]byte(rules(1, 2, 3, 4)))
	update(t, o)
	before := inUse(t, o.Dir)
	f.serve([]byte(rules(1, 2)))
	r, err := ruleupdate.Update(t.Context(), o)
	var refused *ruleupdate.RefusedError
	if !errors.As(err, &refused) || !strings.Contains(err.Error(), "2 of the 4 rules") || r.Switched || r.Lost != 2 {
		t.Errorf("half lost: %v, %+v", err, r)
	}
	if got := inUse(t, o.Dir); got != before {
		t.Errorf("in use:\n%s", got)
	}
	f.serve([]byte(rules(1, 2, 3, 4)))
	o.Filters.Disable, _ = rule.ParseMatchers("disable.conf", []byte("1\n2\nre:rule 3\n"))
	if r := update(t, o); r.Lost != 0 || !r.Switched || r.Enabled != 1 || len(r.Diff.Disabled) != 3 {
		t.Errorf("disabled by a list: %+v", r)
	}
	o.Filters = rule.Filters{}
	update(t, o)
	o.Force = true
	f.serve([]byte(rules(1)))
	if r := update(t, o); !r.Switched || r.Enabled != 1 {
		t.Errorf("forced: %+v", r)
	}
	f.serve([]byte("#" + rules(1)))
	if _, err := ruleupdate.Update(t.Context(), o); !errors.As(err, &refused) {
		t.Errorf("an empty set by force: %v", err)
	}
}

// Filters work on the way, in the order of suricata-update.
func TestUpdateFilters(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a.rules"), []byte(rules(1, 2)+"#"+rules(3)), 0o600); err != nil {
		t.Fatal(err)
	}
	o := options(t, dir)
	o.Filters.Disable, _ = rule.ParseMatchers("d", []byte("group:a.rules"))
	o.Filters.Enable, _ = rule.ParseMatchers("e", []byte("2,3"))
	o.Filters.Modify, _ = rule.ParseModifiers("m", []byte(`2 "x2" "changed"`))
	o.Filters.Drop, _ = rule.ParseMatchers("x", []byte("3"))
	r := update(t, o)
	if r.Applied != (rule.Applied{Disabled: 2, Enabled: 2, Modified: 1, Dropped: 1}) || r.Enabled != 2 {
		t.Errorf("%+v", r)
	}
	got := inUse(t, o.Dir)
	for _, want := range []string{"# alert tcp any any -> any any (msg:\"rule 1\"", "\"changed\"", "\ndrop tcp"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
}

// Whatever a source does, the old rules stay as they are and the reason is said.
func TestUpdateBadSource(t *testing.T) {
	f := newFeed(t)
	good := options(t, f.URL+"/a.rules")
	f.serve([]byte(rules(1)))
	update(t, good)
	before, versions := inUse(t, good.Dir), tree(t, good.Dir)
	tgz := gz(t, tarOf(t, entry{"a.rules", rules(1, 2), 0}))
	answer := func(data []byte) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { w.Write(data) }
	}
	for _, c := range []struct {
		name   string
		handle http.HandlerFunc
		want   string
	}{
		{"404", http.NotFound, "404 Not Found"},
		{"500 with rules", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500); w.Write([]byte(rules(1))) }, "500"},
		{"304 unasked", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(304) }, "304"},
		{"cut archive", answer(tgz[:len(tgz)-30]), "EOF"},
		{"cut on the wire", func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Length", "5000"); w.Write(tgz) }, "EOF"},
		{"zip-slip", answer(gz(t, tarOf(t, entry{"../../a.rules", rules(1), 0}))), "leaves its folder"},
		{"bomb", answer(gz(t, make([]byte, ruleupdate.RatioFrom+1))), "unpacks to more"},
		{"all invalid", answer([]byte("alert nonsense\nalert tcp any any -> any any (msg:\"no sid\";)\n")), "no rule that can be used (2 refused)"},
		{"page for people", answer([]byte("<!DOCTYPE html><html>please log in</html>\n")), "no rule that can be used"},
		{"archive without rules", answer(gz(t, tarOf(t, entry{"README", "x", 0}))), "0 files"},
		{"empty", answer(nil), "no rule"},
		{"10 MB rule", answer([]byte("alert tcp any any -> any any (msg:\"" + strings.Repeat("x", 10<<20) + "\"; sid:1;)\n")), "(1 refused)"},
		{"not UTF-8", answer([]byte("alert tcp any any -> any any (msg:\"\xff\xfe\"; sid:1;)\n")), "(1 refused)"},
		{"announced too long", func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Length", "999999999999") }, "999999999999 bytes"},
		{"too long", answer([]byte(strings.Repeat("#\n", 60000))), "more than 100000 bytes"},
		{"endless redirects", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, r.URL.Path+"x", http.StatusFound) }, "redirects"},
		{"redirect to a file", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "file:///etc/passwd", http.StatusFound)
		}, "not safe"},
		{"hangs up", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "EOF"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f.handle = c.handle
			o := good
			o.Force = true // not even then
			o.MaxDownload = 100000
			if c.name == "10 MB rule" {
				o.MaxDownload = 0
			}
			_, err := ruleupdate.Update(t.Context(), o)
			var s *ruleupdate.SourceError
			if !errors.As(err, &s) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
			if s != nil && s.Source != f.URL+"/a.rules" {
				t.Errorf("source %q", s.Source)
			}
			if got := inUse(t, o.Dir); got != before || tree(t, o.Dir) != versions {
				t.Errorf("in use: %s, versions %s", got, tree(t, o.Dir))
			}
		})
	}
}

// A redirect from https to http is not followed.
func TestUpdateDowngrade(t *testing.T) {
	f := newFeed(t)
	f.serve([]byte(rules(1)))
	s := httptest.NewTLSServer(http.RedirectHandler(f.URL, http.StatusFound))
	defer s.Close()
	o := options(t, s.URL)
	o.Transport = s.Client().Transport
	if _, err := ruleupdate.Update(t.Context(), o); err == nil || !strings.Contains(err.Error(), "not safe") {
		t.Errorf("%v", err)
	}
}

// Of the sources that are no address each fails in its own words, and none shows a
// password.
func TestUpdateSources(t *testing.T) {
	dir := t.TempDir()
	closed := httptest.NewServer(nil)
	closed.Close()
	for _, c := range []struct{ source, want string }{
		{"et/nothing", "neither a known name"},
		{"ftp://example.com/a.rules", "neither a known name"},
		{os.DevNull, "not a regular file"},
		{dir, "0 files"},
		{strings.Replace(closed.URL, "//", "//user:secret@", 1), "user:xxxxx@"},
		{closed.URL + "/a.rules?code=secret", "/a.rules?xxxxx: "},
	} {
		_, err := ruleupdate.Update(t.Context(), options(t, c.source))
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v, want %q", c.source, err, c.want)
		}
	}
	if n := ruleupdate.Sources()[0]; n.Name != "et/open" || !strings.HasPrefix(n.URL, "https://") {
		t.Errorf("default %+v", n)
	}
}

// One failing source of two ends the update; two good ones make one set, in which the
// higher revision of a sid wins and the clash is counted.
func TestUpdateClash(t *testing.T) {
	f := newFeed(t)
	f.serve([]byte(rules(1, 2)))
	own := filepath.Join(t.TempDir(), "own.rules")
	text := strings.Replace(rules(2, 3), "sid:2; rev:1", "sid:2; rev:2", 1) + rules(3)
	if err := os.WriteFile(own, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	o := options(t, f.URL, own)
	r := update(t, o)
	if r.Rules != 3 || r.Duplicates != 2 || r.Refused != 0 || r.Sources[0].Rules != 2 || r.Sources[1].Rules != 3 {
		t.Errorf("%+v", r)
	}
	if got := inUse(t, o.Dir); !strings.Contains(got, "sid:2; rev:2") || strings.Count(got, "sid:2;") != 1 || strings.Count(got, "sid:3;") != 1 {
		t.Errorf("in use:\n%s", got)
	}
	f.handle = http.NotFound
	before := inUse(t, o.Dir)
	if _, err := ruleupdate.Update(t.Context(), o); err == nil || inUse(t, o.Dir) != before {
		t.Errorf("with a failing source: %v", err)
	}
}

// The server is told what is there already; what it does not send again is read from
// the copy, and a spoiled copy is fetched anew.
func TestUpdateConditional(t *testing.T) {
	f := newFeed(t)
	var asked []string
	f.handle = func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.Header.Get("If-None-Match")+"|"+r.Header.Get("If-Modified-Since"))
		w.Header().Set("ETag", `"v1"`)
		w.Header().Set("Last-Modified", "Mon, 02 Jan 2023 15:04:05 GMT")
		if r.Header.Get("If-None-Match") == `"v1"` {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		w.Write([]byte(rules(1, 2)))
	}
	o := options(t, f.URL)
	o.DryRun = true
	update(t, o)
	o.DryRun = false
	first := update(t, o)
	second := update(t, o)
	if first.Sources[0].Cached || !second.Sources[0].Cached || second.Switched || second.Rules != 2 || second.Version != 1 {
		t.Errorf("%+v, then %+v", first, second)
	}
	// Other filters over the same copy make another set.
	o.Filters.Disable, _ = rule.ParseMatchers("d", []byte("2"))
	if r := update(t, o); !r.Switched || r.Enabled != 1 || !r.Sources[0].Cached {
		t.Errorf("other filters: %+v", r)
	}
	copies, err := filepath.Glob(filepath.Join(o.Dir, "cache", "*.data"))
	if err != nil || len(copies) != 1 {
		t.Fatal(copies, err)
	}
	if err := os.WriteFile(copies[0], []byte(rules(9)), 0o600); err != nil {
		t.Fatal(err)
	}
	if r := update(t, o); r.Sources[0].Cached || r.Rules != 2 {
		t.Errorf("spoiled copy: %+v", r)
	}
	o.Force = true
	if r := update(t, o); r.Sources[0].Cached {
		t.Errorf("forced: %+v", r)
	}
	const cond = `"v1"|Mon, 02 Jan 2023 15:04:05 GMT`
	if want := []string{"|", "|", cond, cond, "|", "|"}; !slices.Equal(asked, want) {
		t.Errorf("asked %q, want %q", asked, want)
	}
	// The copy goes with its source.
	own := filepath.Join(t.TempDir(), "own.rules")
	if err := os.WriteFile(own, []byte(rules(1)), 0o600); err != nil {
		t.Fatal(err)
	}
	o.Sources = []string{own}
	update(t, o)
	if list, err := os.ReadDir(filepath.Join(o.Dir, "cache")); err != nil || len(list) != 0 {
		t.Errorf("copies left: %v, %v", list, err)
	}
}

// A crash at any step leaves the old set in use, and the next update goes through.
func TestUpdateCrash(t *testing.T) {
	for _, step := range []string{"written", "renamed"} {
		f := newFeed(t)
		o := options(t, f.URL)
		f.serve([]byte(rules(1)))
		update(t, o)
		before := inUse(t, o.Dir)
		f.serve([]byte(rules(1, 2)))
		crash := o
		crash.StopAt(func(at string) error {
			if at != step {
				return nil
			}
			panic("crash")
		})
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("no crash at %s", step)
				}
			}()
			ruleupdate.Update(t.Context(), crash)
		}()
		if got := inUse(t, o.Dir); got != before {
			t.Errorf("after a crash at %s:\n%s", step, got)
		}
		// A process that dies runs no deferred calls: its folder stays behind, and its link.
		if err := os.MkdirAll(filepath.Join(o.Dir, "versions", ruleupdate.AsidePrefix+"1", "x"), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink("versions/000009", filepath.Join(o.Dir, "current.new")); err != nil {
			t.Fatal(err)
		}
		if r := update(t, o); !r.Switched || len(r.Diff.Added) != 1 || r.From != 1 {
			t.Errorf("after a crash at %s: %+v", step, r)
		}
		want := map[string]string{"written": "000001 000002", "renamed": "000001 000003"}[step]
		if got := tree(t, o.Dir); got != want {
			t.Errorf("versions %s, want %s", got, want)
		}
		if _, err := os.Lstat(filepath.Join(o.Dir, "current.new")); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("current.new: %v", err)
		}
	}
}

// Rollback goes back along the line of versions that were in use, not by number.
func TestRollback(t *testing.T) {
	f := newFeed(t)
	o := options(t, f.URL)
	o.Keep, o.Force = 3, true
	texts := map[int]string{}
	put := func(version int, list ...int) {
		t.Helper()
		f.serve([]byte(rules(list...)))
		if r := update(t, o); r.Version != version {
			t.Fatalf("version %d, want %d", r.Version, version)
		}
		texts[version] = inUse(t, o.Dir)
	}
	back := func(from, to int) {
		t.Helper()
		a, b, err := ruleupdate.Rollback(o.Dir)
		if err != nil || a.Version != from || b.Version != to {
			t.Fatalf("%d to %d, %v, want %d to %d", a.Version, b.Version, err, from, to)
		}
		if got := inUse(t, o.Dir); got != texts[to] {
			t.Errorf("in use:\n%s", got)
		}
	}
	put(1, 1)
	var refused *ruleupdate.RefusedError
	if _, _, err := ruleupdate.Rollback(o.Dir); !errors.As(err, &refused) {
		t.Errorf("without a version before: %v", err)
	}
	put(2, 1, 2)
	put(3, 1, 2, 3)
	back(3, 2)
	put(4, 1, 2, 4)
	back(4, 2) // not 3, which was given up
	put(5, 1, 2, 5)
	put(6, 1, 2, 6)
	if got := tree(t, o.Dir); got != "000002 000005 000006" {
		t.Errorf("kept %s", got)
	}
	back(6, 5)
	back(5, 2)
	if _, _, err := ruleupdate.Rollback(o.Dir); !errors.As(err, &refused) || !strings.Contains(err.Error(), "version 1 is not on disk") {
		t.Errorf("beyond what is kept: %v", err)
	}
}

// Check decides what counts as working; what was refused before is no loss again.
func TestUpdateCheck(t *testing.T) {
	f := newFeed(t)
	f.serve([]byte(rules(1, 2, 3, 4, 5)))
	o := options(t, f.URL)
	bad := []uint32{4, 5}
	o.Check = func(dir string) ([]rule.Problem, error) {
		if b, err := os.ReadFile(filepath.Join(dir, "source.rules")); err != nil || !bytes.Contains(b, []byte("sid:5;")) {
			t.Errorf("%q, %v", b, err)
		}
		var out []rule.Problem
		for _, sid := range bad {
			out = append(out, rule.Problem{File: "source.rules", SID: sid, What: "not for us"})
		}
		return out, nil
	}
	r, err := ruleupdate.Update(t.Context(), o)
	var refused *ruleupdate.RefusedError
	if !errors.As(err, &refused) || !strings.Contains(err.Error(), "2 of 5 rules are refused (40 %") || r.Refused != 2 {
		t.Errorf("%v, %+v", err, r)
	}
	o.MaxLoss = 0.5
	update(t, o)
	f.serve([]byte(rules(1, 2, 3, 4, 5, 6)))
	o.MaxLoss = 0.4
	if r := update(t, o); r.Lost != 0 || !r.Switched {
		t.Errorf("%+v", r)
	}
	bad = []uint32{1, 2, 3, 4, 5, 6}
	o.Force = true
	f.serve([]byte(rules(1, 2, 3, 4, 5)))
	if _, err := ruleupdate.Update(t.Context(), o); !errors.As(err, &refused) || !strings.Contains(err.Error(), "no rule that works") {
		t.Errorf("all refused: %v", err)
	}
	o.Check = func(string) ([]rule.Problem, error) { return nil, errors.New("broken variables") }
	if _, err := ruleupdate.Update(t.Context(), o); err == nil || !strings.Contains(err.Error(), "broken variables") {
		t.Errorf("failing check: %v", err)
	}
	if got := tree(t, o.Dir); got != "000001 000002" {
		t.Errorf("versions %s", got)
	}
}

// Neither a dry run, nor a no, nor a cancelled context changes what is in use; two
// updates do not run at once; a folder that is not ours is left alone.
func TestUpdateChangesNothing(t *testing.T) {
	f := newFeed(t)
	f.serve([]byte(rules(1)))
	o := options(t, f.URL)
	update(t, o)
	before := inUse(t, o.Dir) + tree(t, o.Dir)
	f.serve([]byte(rules(1, 2)))
	dry := o
	dry.DryRun = true
	if r := update(t, dry); r.Switched || len(r.Diff.Added) != 1 {
		t.Errorf("dry run: %+v", r)
	}
	no := o
	no.Confirm = func(r *ruleupdate.Result) (bool, error) { return len(r.Diff.Added) != 1, nil }
	if _, err := ruleupdate.Update(t.Context(), no); !errors.Is(err, ruleupdate.ErrDeclined) {
		t.Errorf("a no: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := ruleupdate.Update(ctx, o); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	unlock, err := ruleupdate.Lock(filepath.Join(o.Dir, "lock"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ruleupdate.Update(t.Context(), o); !errors.Is(err, ruleupdate.ErrLocked) {
		t.Errorf("locked: %v", err)
	}
	if _, _, err := ruleupdate.Rollback(o.Dir); !errors.Is(err, ruleupdate.ErrLocked) {
		t.Errorf("rollback, locked: %v", err)
	}
	unlock()
	if got := inUse(t, o.Dir) + tree(t, o.Dir); got != before {
		t.Errorf("changed:\n%s", got)
	}
	foreign := options(t, f.URL)
	if err := os.Mkdir(filepath.Join(foreign.Dir, "current"), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := ruleupdate.Update(t.Context(), foreign); err == nil || !strings.Contains(err.Error(), "not a link made by an update") {
		t.Errorf("a folder called current: %v", err)
	}
}

// Names from outside become harmless file names.
func TestUpdateFileNames(t *testing.T) {
	o := options(t, "")
	f := newFeed(t)
	o.Sources = []string{f.URL}
	f.serve(tarOf(t, entry{"a/b c;$(x)\n.rules", rules(1), 0}, entry{"-rf.rules", rules(2), 0},
		entry{strings.Repeat("n", 300) + ".rules", rules(3), 0}, entry{"b/x.rules", rules(4), 0}, entry{"c/x.rules", rules(5), 0}))
	update(t, o)
	var names []string
	list, err := os.ReadDir(filepath.Join(o.Dir, "current") + "/")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range list {
		names = append(names, e.Name())
	}
	want := []string{"b_c___x__.rules", "info.json", strings.Repeat("n", 100) + ".rules", "rf.rules", "x.rules"}
	if slices.Sort(names); !slices.Equal(names, want) {
		t.Errorf("%q, want %q", names, want)
	}
}
