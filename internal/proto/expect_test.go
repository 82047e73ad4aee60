package proto_test

import (
	"testing"

	"mirador/internal/proto"
)

func addr(n byte) proto.Addr { return proto.Addr{10: 0xff, 11: 0xff, 12: 10, 15: n} }

func TestExpectations(t *testing.T) {
	var x proto.Expectations
	e := proto.Expectation{Proto: "ftp-data", Client: addr(1), Server: addr(2), Port: 2000, Data: "a"}
	x.Add(7, e, 100)
	for _, c := range []struct {
		what           string
		tenant         uint32
		client, server proto.Addr
		port           uint16
	}{
		{"another tenant", 8, addr(1), addr(2), 2000},
		{"another client", 7, addr(3), addr(2), 2000},
		{"the other way round", 7, addr(2), addr(1), 2000},
		{"another port", 7, addr(1), addr(2), 2001},
	} {
		if _, ok := x.Take(c.tenant, c.client, c.server, c.port, 200); ok {
			t.Errorf("%s takes it", c.what)
		}
	}
	e.Data = "b"
	x.Add(7, e, 150) // takes the place of the first
	if got, ok := x.Take(7, addr(1), addr(2), 2000, 200); !ok || got.Data != "b" {
		t.Errorf("got %v, %v", got, ok)
	}
	if _, ok := x.Take(7, addr(1), addr(2), 2000, 200); ok || x.Len() != 0 {
		t.Error("it was taken twice")
	}
}

func TestExpectationsExpire(t *testing.T) {
	var x proto.Expectations
	x.Add(0, proto.Expectation{Port: 1}, 0)
	x.Add(0, proto.Expectation{Port: 2}, 0)
	if _, ok := x.Take(0, proto.Addr{}, proto.Addr{}, 1, proto.ExpectTimeout); !ok {
		t.Error("forgotten too early")
	}
	if _, ok := x.Take(0, proto.Addr{}, proto.Addr{}, 2, proto.ExpectTimeout+1); ok {
		t.Error("kept too long")
	}
	x.Add(0, proto.Expectation{Port: 3}, 0)
	x.Add(0, proto.Expectation{Port: 4}, 2*proto.ExpectTimeout)
	if x.Len() != 1 {
		t.Errorf("%d are waited for, one has not expired", x.Len())
	}
}

// TestExpectationsBound fills the table with flows that never come.
func TestExpectationsBound(t *testing.T) {
	var x proto.Expectations
	const n = 3 * proto.MaxExpectations
	for i := range n {
		x.Add(uint32(i), proto.Expectation{Port: 1}, int64(i))
		if i%3 == 0 {
			x.Add(uint32(i), proto.Expectation{Port: 1}, int64(i)) // again: a stale entry
		}
	}
	if x.Len() != proto.MaxExpectations || x.Forgotten != n-proto.MaxExpectations {
		t.Errorf("%d waited for, %d forgotten", x.Len(), x.Forgotten)
	}
	if _, ok := x.Take(n-proto.MaxExpectations-1, proto.Addr{}, proto.Addr{}, 1, n); ok {
		t.Error("an old one was kept")
	}
	if _, ok := x.Take(n-proto.MaxExpectations, proto.Addr{}, proto.Addr{}, 1, n); !ok {
		t.Error("a new one was forgotten")
	}
}

// none is a parser that uses everything.
type none struct{}

func (none) Parse(_ proto.Dir, b []byte, _ bool) (int, int, proto.Status) { return len(b), 0, proto.OK }
func (none) Gap(proto.Dir, int) bool                                      { return true }

type noSettings struct{}

func (noSettings) String(string) (string, bool)    { return "", false }
func (noSettings) Bool(string) (bool, bool)        { return false, false }
func (noSettings) Int(string) (int64, bool)        { return 0, false }
func (noSettings) Size(string) (int64, bool)       { return 0, false }
func (noSettings) Strings(string) ([]string, bool) { return nil, false }
func (n noSettings) Global() proto.Settings        { return n }

// TestAnnounced checks that a flow that was announced becomes that with one byte, and
// that another protocol's signature has the last word.
func TestAnnounced(t *testing.T) {
	configure := func(proto.Settings) (proto.Factory, error) {
		return func(*proto.Conn) proto.Parser { return none{} }, nil
	}
	tab, err := proto.NewTable([]*proto.Protocol{
		{Name: "loud", Transport: proto.TCP, Configure: configure, Probe: func(_ proto.Dir, b []byte, _ proto.Hint) proto.Match {
			if string(b) == "LOUD" {
				return proto.Yes
			}
			return proto.More
		}},
		{Name: "data", Transport: proto.TCP, Configure: configure},
	}, func(string) proto.Settings { return noSettings{} })
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		data, want string
		announced  bool
	}{{"x", "data", true}, {"LOUD", "loud", false}, {"", "", false}} {
		conn := proto.NewConn(tab, proto.Hint{})
		conn.Announced(tab.ByName("data"), 5)
		conn.Feed(proto.ToClient, []byte(c.data), 0, c.data == "")
		if got := tab.Name(conn.App); got != c.want || conn.IsAnnounced() != c.announced || len(conn.Events) > 0 {
			t.Errorf("%q: %q, announced %v, events %v", c.data, got, conn.IsAnnounced(), conn.Events)
		}
	}
}

func TestExpectBound(t *testing.T) {
	c := proto.NewConn(nil, proto.Hint{})
	for i := range 10 * proto.MaxExpects {
		c.Expect(proto.Expectation{Port: uint16(i)})
	}
	if len(c.Expects) != proto.MaxExpects {
		t.Errorf("%d announced flows are held", len(c.Expects))
	}
}

// What a parser announces beyond what its owner takes is counted.
func TestExpectOverflow(t *testing.T) {
	var c proto.Conn
	for range proto.MaxExpects + 7 {
		c.Expect(proto.Expectation{})
	}
	if len(c.Expects) != proto.MaxExpects || c.ExpectOverflow != 7 {
		t.Errorf("%d announced, %d counted as left out", len(c.Expects), c.ExpectOverflow)
	}
}
