package proto

// Addr is an IPv4 or IPv6 address in 16 bytes, IPv4 as ::ffff:a.b.c.d.
type Addr = [16]byte

// Bounds on announced flows.
const (
	// MaxExpectations bounds the announced flows that a worker waits for; beyond it
	// the oldest is forgotten and counted. A busy FTP server opens some thousand data
	// connections within ExpectTimeout.
	MaxExpectations = 8192
	// MaxExpects bounds what one parser may announce before its owner takes it: a
	// segment of 64 KB holds twice as many pairs of PORT and RETR.
	MaxExpects = 1024
	// ExpectTimeout is how long an announced flow is waited for, in nanoseconds
	// (Suricata still takes one after 100 s).
	ExpectTimeout = int64(120e9)
)

// Expectation is a connection that a control channel has announced: FTP's data
// connections.
type Expectation struct {
	Proto  string // row name
	Client Addr   // who will connect
	Server Addr   // to whom
	Port   uint16 // to which port
	Data   any    // for the parser of the new flow (Conn.Given)
	// Parent belongs to the owner: the flow that announced this one.
	Parent uint64
}

// Expect announces a flow. Beyond MaxExpects it is counted only.
func (c *Conn) Expect(e Expectation) {
	if len(c.Expects) >= MaxExpects {
		c.ExpectOverflow++
		return
	}
	c.Expects = append(c.Expects, e)
}

// Announced tells that another flow has announced this one as protocol id. It becomes
// that with its first bytes, unless they are plainly another protocol's. given goes to
// the parser.
func (c *Conn) Announced(id ID, given any) { c.announced, c.Given = id, given }

// IsAnnounced tells whether the flow has become what another flow announced.
func (c *Conn) IsAnnounced() bool { return c.announced != Unknown && c.App == c.announced }

type expectKey struct {
	tenant         uint32
	client, server Addr
	port           uint16
}

type expected struct {
	e     Expectation
	until int64
}

// Expectations are the announced flows of one worker. The zero value is ready.
type Expectations struct {
	m map[expectKey]expected
	// order holds the keys as they came, from first on: the oldest go first. A key
	// that was taken or renewed leaves a stale entry, known by its time.
	order []waiting
	first int

	// Forgotten counts announced flows given up to make room.
	Forgotten uint64
}

type waiting struct {
	key   expectKey
	until int64
}

// Len returns the number of flows waited for.
func (x *Expectations) Len() int { return len(x.m) }

// Add notes an announced flow of tenant at time now. A later one of the same key
// takes the place of the earlier.
func (x *Expectations) Add(tenant uint32, e Expectation, now int64) {
	if x.m == nil {
		x.m = make(map[expectKey]expected)
	}
	x.expire(now)
	k := expectKey{tenant, e.Client, e.Server, e.Port}
	if _, have := x.m[k]; !have && len(x.m) >= MaxExpectations {
		x.dropOldest()
	}
	until := now + ExpectTimeout
	x.m[k] = expected{e, until}
	x.order = append(x.order, waiting{k, until})
}

// Take returns and forgets the announced flow of tenant from client to server:port.
func (x *Expectations) Take(tenant uint32, client, server Addr, port uint16, now int64) (Expectation, bool) {
	k := expectKey{tenant, client, server, port}
	w, ok := x.m[k]
	if !ok {
		return Expectation{}, false
	}
	delete(x.m, k)
	return w.e, now <= w.until
}

// expire forgets what was not taken in time, and keeps the order list short.
func (x *Expectations) expire(now int64) {
	for x.first < len(x.order) {
		w := &x.order[x.first]
		have, ok := x.m[w.key]
		stale := !ok || have.until != w.until
		if !stale && w.until >= now {
			break
		}
		if !stale {
			delete(x.m, w.key)
		}
		x.first++
	}
	// Stale entries behind the first live one are dropped when they are the most.
	if x.first > len(x.order)/2 || len(x.order)-x.first > 2*len(x.m)+64 {
		keep := x.order[:0]
		for _, w := range x.order[x.first:] {
			if have, ok := x.m[w.key]; ok && have.until == w.until {
				keep = append(keep, w)
			}
		}
		clear(x.order[len(keep):])
		x.order, x.first = keep, 0
	}
}

// dropOldest makes room for one more.
func (x *Expectations) dropOldest() {
	for ; x.first < len(x.order); x.first++ {
		w := x.order[x.first]
		if have, ok := x.m[w.key]; ok && have.until == w.until {
			delete(x.m, w.key)
			x.Forgotten++
			x.first++
			return
		}
	}
}
